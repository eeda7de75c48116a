"""How a command ends, and what it does meanwhile: errors told in a line, questions asked, trio run."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from mpc.errors import AccordError
from parties.terminal.command_output import Output
from parties.terminal.exit_status import ExitStatus, status_of

__all__ = ["ask", "run", "tell", "told"]

P = ParamSpec("P")
T = TypeVar("T")


def told(name: str, command: Callable[P, ExitStatus | None]) -> Callable[P, ExitStatus]:
    """The same command with an exit status whatever happens; None is GOOD.

    An error of ours, or of the disk, is a line on stderr with its notes, and the status that exit_status.py has for
    it; an interruption is 130. An error that is a fault of the program goes on as it is.
    """

    @wraps(command)
    def telling(*words: P.args, **options: P.kwargs) -> ExitStatus:
        try:
            return command(*words, **options) or ExitStatus.GOOD
        except BrokenPipeError:
            return ExitStatus.PIPE_CLOSED
        except (AccordError, OSError) as error:
            tell(name, error)
            return status_of(error)
        except KeyboardInterrupt:
            print(f"accord {name}: interrupted; the same command again goes on from here", file=sys.stderr)
            return ExitStatus.INTERRUPTED

    return telling


def tell(name: str, error: BaseException) -> None:
    """The line, and a line for each note."""
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(error))  # a part may come from elsewhere
    print(f"accord {name}: {type(error).__name__}: {text}", file=sys.stderr)
    for note in getattr(error, "__notes__", ()):
        print(f"  {note}", file=sys.stderr)


def ask(question: str, output: Output) -> bool:
    """Yes, typed by somebody; anything else, or nobody there to type, is no."""
    try:
        return output.asked(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        output.say("")
        return False


def run(work: Callable[[], Awaitable[T]]) -> T:
    """trio.run, with an interruption, or an error of ours, as what it is and not in a group."""
    import trio

    try:
        return trio.run(work)
    except BaseExceptionGroup as group:
        if group.subgroup(KeyboardInterrupt) is not None:
            raise KeyboardInterrupt from None
        ours, others = group.split(AccordError)
        if ours is not None and others is None:
            raise _first(ours) from None
        raise


def _first(group: BaseException) -> BaseException:
    """The first error in a group of groups."""
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return group
