"""What a cluster's ``run`` does alike over processes and in memory: call the program, choose the cause, name it."""

from __future__ import annotations

import asyncio
import inspect
import operator
import os
import traceback
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from types import TracebackType
from typing import Any

from mpc.errors import AccordError, NotTransferable, PartyFailed, PeerError, UsageError, WrongType

__all__ = [
    "ClusterBroken",
    "ExitRaised",
    "RunTimedOut",
    "call",
    "check_answer",
    "check_inputs",
    "first_cause",
    "named",
    "noted",
    "number_of",
    "only_news",
    "parties",
    "place",
    "plain",
    "shown_traceback",
    "stall_text",
    "waiting_text",
]

_LONGEST_TRACEBACK = 20_000
_FRAMES = ("cr_frame", "gi_frame", "ag_frame")
_AWAITS = ("cr_await", "gi_yieldfrom", "ag_await")
_NOT_THE_PROGRAMS = ("mpc", "protocols", "mpyc", "asyncio", "contextlib", "uvloop")


class RunTimedOut(AccordError, TimeoutError):
    """A run did not end within the ``timeout`` given to ``run``. You do not get it for a party that died: PeerLost."""


class ClusterBroken(UsageError):
    """The cluster is closed, or lost a party: nothing can run on it until it is started again."""


class ExitRaised(Exception):
    """The program called for the end of its process (SystemExit, KeyboardInterrupt): only its run ends.

    Its traceback is that of the exit, from the program's own first line on.
    """

    def __init__(self, error: BaseException | str) -> None:
        super().__init__(error if isinstance(error, str) else f"the program raised {error!r}")
        if isinstance(error, BaseException):
            self.__traceback__ = _from_the_program_on(error.__traceback__)


def check_answer(answer: Any) -> None:
    """NotTransferable for what has no meaning outside the run."""
    kind = getattr(answer, "outside", None)
    if isinstance(kind, str):
        raise NotTransferable(f"the program returned {kind}")
    if isinstance(answer, dict):
        answer = answer.values()
    elif not isinstance(answer, (list, tuple, set, frozenset)):
        return
    for part in answer:
        check_answer(part)


def check_inputs(inputs: Sequence[Any] | None, m: int) -> None:
    """One input for each party, in order, or UsageError."""
    if inputs is None:
        return
    if isinstance(inputs, (str, bytes, Mapping)) or not (hasattr(inputs, "__len__") and hasattr(inputs, "__getitem__")):
        raise WrongType(f"inputs of type {type(inputs).__name__}: a list with one for each party, by index")
    if len(inputs) != m:
        raise UsageError(f"{len(inputs)} inputs for {m} parties: give one for each, None for none")


def number_of(parties: Any) -> int:
    """The number of parties, or WrongType if it is no whole number."""
    try:
        if not isinstance(parties, bool):
            return operator.index(parties)
    except TypeError:
        pass
    raise WrongType(f"parties={parties!r}: a whole number, 3 or more")


def call(program: Callable[..., Any], *arguments: Any) -> Awaitable[Any]:
    """The coroutine ``program(party)`` or ``program(party, mine)``; WrongType if it is none."""
    answer = program(*arguments)
    if not inspect.isawaitable(answer):
        name = getattr(program, "__name__", repr(program))
        raise WrongType(f"a program is an async function: write `async def {name}(party, ...)`")
    return answer


def first_cause(errors: Sequence[BaseException | None]) -> BaseException | None:
    """The error to raise, of those the parties ended in, in the order in which they became known.

    An error some party made itself counts before what it made of the others: PeerError, then PartyFailed.
    """

    def rank(error: BaseException) -> int:
        if not isinstance(error, Exception) or (isinstance(error, PartyFailed) and error.kind == "CancelledError"):
            return 4  # it was told to stop
        if isinstance(error, PartyFailed):
            return 0 if error.traceback else 3
        return 2 if isinstance(error, PeerError) else 1

    return min((e for e in errors if e is not None), key=rank, default=None)


def plain(error: BaseException) -> BaseException:
    """The error, or the engine's one in it if it is a group that holds nothing else (asyncio.TaskGroup makes them)."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    leaves = [plain(e) for e in error.exceptions]
    engine = all(isinstance(e, AccordError) for e in leaves)
    return (engine and first_cause(leaves)) or error


def named(error: BaseException, index: int) -> BaseException:
    """The error, with a note that says at which party it was raised."""
    if not isinstance(error, PartyFailed):
        error.add_note(f"at party {index}")
    return error


def parties(indexes: Sequence[int], m: int) -> str:
    """``every party``, ``party 1`` or ``parties 0, 2``."""
    if len(indexes) == m:
        return "every party"
    return f"part{'y' if len(indexes) == 1 else 'ies'} {', '.join(map(str, sorted(indexes)))}"


def noted(cause: BaseException, errors: Mapping[int, BaseException], m: int) -> BaseException:
    """The error to raise, its first note saying at which of the m parties the same was raised."""
    same = [i for i, e in errors.items() if i >= 0 and _is_own(e, i) and _signature(e) == _signature(cause)]
    says_where = isinstance(cause, PartyFailed) and same == [cause.index]
    if same and not says_where:
        notes = getattr(cause, "__notes__", [])
        cause.__notes__ = [f"at {parties(same, m)}", *notes]
    return cause


def _is_own(error: BaseException, index: int) -> bool:
    """Was it raised at that party? A PartyFailed of another index is what it heard of that one."""
    return not isinstance(error, PartyFailed) or error.index == index


def _signature(error: BaseException) -> tuple[str, str]:
    if isinstance(error, PartyFailed):
        return error.kind, error.detail
    return type(error).__name__, str(error)


def waiting_text(waits: Mapping[int, Collection[int]], unfinished: Collection[int], m: int) -> str:
    """Who waits for whom, of the parties that have not ended."""
    parts = [f"party {i} waits for {parties(sorted(waits[i]), m)}" for i in sorted(unfinished) if waits.get(i)]
    busy = [i for i in sorted(unfinished) if not waits.get(i)]
    if busy:
        verb = "still compute" if len(busy) > 1 else "still computes"
        parts.append(f"{parties(busy, len(busy) + 1)} {verb}, or wait{'s' * (len(busy) == 1)} for something else")
    return "; ".join(parts)


def only_news(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A loop's exception handler: what nobody awaited after its run failed needs no word, the run raises the error."""
    if not isinstance(context.get("exception"), AccordError):
        loop.default_exception_handler(context)


def stall_text(waits: Sequence[str]) -> str:
    """What is told when no party can go on; ``waits`` says where the parties are."""
    return (
        f"no party can go on, and nothing is on its way: {'; '.join(waits)}. Run the same operations, in the same "
        "order, at every party, await nothing that nobody sets, and drop no message"
    )


def place(coro: Any) -> str:
    """Where a program waits: the innermost line of this suspended coroutine that is the program's own.

    Of several tasks of a program this sees the first, in which it began.
    """
    found = " at the end of its program"
    while coro is not None:
        frame = next((f for kind in _FRAMES if (f := getattr(coro, kind, None)) is not None), None)
        if frame is not None and str(frame.f_globals.get("__name__")).split(".")[0] not in _NOT_THE_PROGRAMS:
            code = frame.f_code
            found = f" at {os.path.basename(code.co_filename)}:{frame.f_lineno} in {code.co_name}"
        coro = next((c for kind in _AWAITS if (c := getattr(coro, kind, None)) is not None), None)
    return found


def shown_traceback(error: BaseException) -> str:
    """The traceback as text, from the program's own first line on; of an engine's error the program's lines only."""
    if isinstance(error, AccordError):
        steps = [f for f, _ in traceback.walk_tb(error.__traceback__)]
        lines = traceback.extract_tb(error.__traceback__)
        own = [line for line, f in zip(lines, steps, strict=True) if not _is_engine(f.f_globals.get("__name__"))]
        return "".join(traceback.format_list(own))[-_LONGEST_TRACEBACK:].rstrip("\n")
    text = "".join(traceback.format_exception(type(error), error, _from_the_program_on(error.__traceback__)))
    return text[-_LONGEST_TRACEBACK:].rstrip("\n")


def _from_the_program_on(start: TracebackType | None) -> TracebackType | None:
    while start is not None and start.tb_next is not None:
        module = start.tb_frame.f_globals.get("__name__")
        if not _is_engine(module) and str(module).split(".")[0] not in ("asyncio", "uvloop"):
            break
        start = start.tb_next
    return start


def _is_engine(module: object) -> bool:
    return str(module).split(".")[0] == "mpc"
