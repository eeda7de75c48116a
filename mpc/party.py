"""One party of a computation: who it is, its keys, its network, and its place in the program (see mpc.scope)."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import hashlib
import operator
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from mpc.errors import UnknownParty, UsageError, WrongType
from mpc.framing import deepest, frames
from mpc.mailbox import LABEL_BYTES
from mpc.outcomes import check_answer, plain
from mpc.prss import Prss
from mpc.scope import Failed, Operation, Resumed, Scope, Shield, _scope, checksum, current_scope, drive, task_factory
from mpc.sharing import Layout
from mpc.transport import Transport

if TYPE_CHECKING:
    from mpc.arrays import SecretArray, SecretBits
    from mpc.secret import Secret

__all__ = ["Operation", "Party", "Scope", "current_scope", "task_factory"]

T = TypeVar("T")


def _one_or_more(to: Any) -> list[Any]:
    """Indexes given as one or as several; an array of no dimensions is one."""
    try:
        return [operator.index(to)] if not isinstance(to, bool) else [to]
    except TypeError:
        pass
    try:
        return list(to)
    except TypeError:
        return [to]


class Party:
    """A party in one run of a program.

    Args:
        layout: the sharing for (m, t).
        prss: streams of this run.
        transport: the way to the other parties.
        root: label of the run, equal at all parties and never used before under these keys.
    """

    def __init__(self, layout: Layout, prss: Prss, transport: Transport, root: bytes) -> None:
        self.layout = layout
        self.index = transport.index
        self.m = layout.m
        self.t = layout.t
        self.prss = prss
        self.transport = transport
        self.three = layout.m == 3
        self._root = Scope(hashlib.blake2b(root, digest_size=LABEL_BYTES).digest())
        self.over = False
        self._open: set[asyncio.Task[Any]] = set()
        self._failed: list[tuple[Operation[Any], asyncio.Task[Any]]] = []
        self.on_reveal: Callable[[bytes, int, Any], None] | None = None  # label, how many receivers, value
        self.on_report: Callable[[str], None] | None = None
        self.runtime: Any = None  # the MPyC runtime of this party's node; None in memory

    def __repr__(self) -> str:
        return f"<party {self.index} of {self.m}, t={self.t}>"

    @property
    def next_party(self) -> int:
        return (self.index + 1) % self.m

    @property
    def previous_party(self) -> int:
        return (self.index - 1) % self.m

    def check_index(self, index: Any, role: str) -> int:
        """The index, or UnknownParty."""
        try:
            known = -1 if isinstance(index, bool) else operator.index(index)
        except TypeError:
            known = -1
        if not 0 <= known < self.m:
            raise UnknownParty(f"{role} {index!r}: parties are 0 to {self.m - 1}")
        return known

    # -- the place in the program ----------------------------------------------------------

    def launch(self, name: str, make: Callable[[], Coroutine[Any, Any, T]], hold: bool = False) -> Operation[T]:
        """Start an operation now, in a scope of its own; it runs at once until it has to wait for a message.

        An error before its first wait raises here, or, with ``hold``, where the operation is awaited.
        """
        if self.over:
            raise UsageError(f"{name}: this run is over, and nothing can be computed in it any more")
        scope = _scope.get().fork(name)
        context = contextvars.copy_context()
        context.run(_scope.set, scope)
        return self._start(scope, context, make, hold)

    def defer(self, make: Callable[[], Coroutine[Any, Any, T]]) -> Operation[T]:
        """Start something that waits for operands but draws no labels: it takes no place in the program.

        Its errors surface where it is awaited.
        """
        here = _scope.get(None)
        scope = Scope(b"", here.history if here else 0, here.depth if here else 0, False)
        context = contextvars.copy_context()
        context.run(_scope.set, scope)
        return self._start(scope, context, make, True)

    def _start(
        self, scope: Scope, context: contextvars.Context, make: Callable[[], Coroutine[Any, Any, T]], hold: bool
    ) -> Operation[T]:
        coro: Coroutine[Any, Any, Any] = make()
        shields: list[Shield] = []
        work: Awaitable[Any]
        try:
            first = context.run(coro.send, None)
        except StopIteration as stop:
            return Operation(scope, None, stop.value, [])
        except Exception as error:
            if not hold:
                raise
            work = Failed(error)
        else:
            if first is not None:
                first._asyncio_future_blocking = False  # so that others can await the same future meanwhile
            work = Resumed(coro, first)
        task: asyncio.Task[Any] = asyncio.Task(drive(work, shields), loop=asyncio.get_running_loop(), context=context)
        operation: Operation[T] = Operation(scope, task, None, shields)
        self._open.add(task)
        task.add_done_callback(functools.partial(self._ended, operation))
        return operation

    def _ended(self, operation: Operation[Any], task: asyncio.Task[Any]) -> None:
        self._open.discard(task)
        if not task.cancelled() and task.exception() is not None:  # from now on asyncio says nothing of it
            self._failed.append((operation, task))

    async def in_chunks(
        self,
        name: str,
        n: int,
        chunk: int,
        work: Callable[[int, int], Coroutine[Any, Any, None]],
        window: int = 3,
    ) -> None:
        """Run ``work(lo, hi)`` over 0..n in pieces, up to ``window`` at once: computing overlaps sending.

        Each piece is an operation of its own, so rounds are those of one piece.
        """
        if n <= chunk:
            await work(0, n)
            return
        running: list[Operation[None]] = []
        scope = _scope.get()
        start = deepest = scope.depth
        for lo in range(0, n, chunk):
            hi = min(n, lo + chunk)
            deepest, scope.depth = max(deepest, scope.depth), start  # no piece depends on another
            running.append(self.launch(name, lambda lo=lo, hi=hi: work(lo, hi)))  # type: ignore[misc]
            if len(running) >= window:
                await running.pop(0).result()
            else:
                await asyncio.sleep(0)
        for operation in running:
            await operation.result()
        scope.depth = max(deepest, scope.depth)

    # -- one step of messages --------------------------------------------------------------

    def label(self) -> bytes:
        """The next label of the running operation."""
        return _scope.get().next()

    def send(self, peer: int, label: bytes, payload: Any) -> None:
        """Send a contiguous array, in several frames if it is large; it must not change afterwards."""
        scope = _scope.get()
        for name, piece in frames(label, payload, self.transport.max_frame):
            self.transport.send(peer, name, scope.stamp, scope.depth + 1, piece)

    def receive(self, peer: int, label: bytes, into: Any) -> Awaitable[int]:
        """Ask for an array; await what this gives through :meth:`arrived`."""
        stamp = _scope.get().stamp
        pieces = frames(label, into, self.transport.max_frame)
        receipts = [self.transport.receive(peer, name, stamp, piece) for name, piece in pieces]
        return receipts[0] if len(receipts) == 1 else deepest(receipts)

    @staticmethod
    async def arrived(*receipts: Awaitable[int]) -> None:
        """Wait for these arrays; the scope gets as deep as the deepest of them."""
        scope = _scope.get()
        deepest = scope.depth
        for receipt in receipts:
            deepest = max(deepest, await receipt)
        scope.depth = deepest

    # -- what programs call ------------------------------------------------------------------

    def input(
        self, values: Any, owner: int, *, frac: int | None = None, shape: tuple[int, ...] | None = None
    ) -> SecretArray:
        """Share the owner's values. All parties call it; only the owner's ``values`` count.

        Args:
            values: at the owner a number, list or array of integers, booleans or reals; elsewhere anything.
            owner: whose values.
            frac: fractional bits; by default 0 for integers and 16 for reals. Given, it must be the same everywhere.
            shape: the shape everybody expects; by default the owner's is taken.

        Rounds: 1. Sends: at the owner m-t-1 elements each, 8 bytes. Leaks: shape and type.
        Raises UnknownParty, OutOfRange (NaN, infinity, too large), WrongType, ShapeMismatch, before anything is sent.
        """
        from mpc.inputs import input_array

        made = input_array(self, values, owner, frac=frac, shape=shape)
        made._tag = self._current().note(checksum("owner") + int(owner))  # not before: bad values can be mended
        return made

    def reveal(self, x: Secret, to: Sequence[int] | int | None = None) -> Operation[Any]:
        """Open a secret to the parties ``to`` (None: all). Await it: a numpy array there, None elsewhere.

        Rounds: 1. Sends: t elements to each receiver. Leaks: the value, to the receivers. For results that leave the
        consortium use protocols.release, which adds noise first.
        """
        from mpc.inputs import reveal
        from mpc.secret import Secret, twin

        if not isinstance(x, Secret):
            raise WrongType(f"reveal takes a SecretArray or SecretBits, not {type(x).__name__}")
        if x.party is not self:
            raise x.stray()
        scope = self._current()
        scope.note(x.tag)
        receivers = list(range(self.m))
        if to is not None:
            receivers = sorted({self.check_index(r, "receiver") for r in _one_or_more(to)})
            for r in receivers:
                scope.note(r)
        return reveal(self, twin(x), receivers)

    def _current(self) -> Scope:
        if self.over:
            raise UsageError("this run is over, and nothing can be computed in it any more")
        return _scope.get()

    def random_bits(self, shape: tuple[int, ...]) -> SecretBits:
        """Uniform secret bits nobody knows. Rounds: 0."""
        from mpc.inputs import random_bits

        return random_bits(self, shape)

    def random_integers(self, shape: tuple[int, ...], bits: int) -> SecretArray:
        """Uniform secret integers in [0, 2^bits), 1 <= bits <= 62. Rounds: 2."""
        from mpc.inputs import random_words

        return random_words(self, shape, bits)

    def report(self, text: str) -> None:
        """Say how far the program is, to whoever watches: the ``progress`` of a cluster, if it has one."""
        if self.on_report is not None:
            self.on_report(str(text))

    # -- a run -----------------------------------------------------------------------------

    async def run(self, program: Callable[[], Awaitable[T]]) -> T:
        """Run a program as this party, to the common end of all parties.

        Any error is told to the others (its class name only) before it is raised here.
        """
        context_scope = _scope.set(self._root)
        try:
            answer = await program()
            check_answer(answer)
            while running := [task for task in self._open if not task.done()]:
                await asyncio.gather(*running)
            await asyncio.sleep(0)  # until _ended saw the last ones
            for operation, task in self._failed:
                if not operation.awaited:
                    task.result()  # an error nobody awaited
            await self.transport.finish()
        except BaseException as raised:
            error = plain(raised)
            self.transport.abort(error)
            for task in list(self._open):
                task.cancel()
            await asyncio.gather(*self._open, return_exceptions=True)
            if error is raised:
                raise
            raise error from None
        finally:
            self.over = True
            self._failed.clear()
            _scope.reset(context_scope)
        return answer
