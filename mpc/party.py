"""One party of a computation: who it is, its keys, its network, and its place in the program.

Labels. Every operation takes a label from the place it has in the program: its parent's label and a counter.
Messages and pseudorandom streams are named by these labels, so all parties, running one program, agree on
them without talking, whatever the order in which messages arrive. A context variable carries the place
through coroutines; a task started by a program forks it (:func:`task_factory`).

Rounds. A scope also carries the length of the longest chain of messages that led to it; a message is one
longer than the scope that sends it.
"""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
import operator
import zlib
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from mpc.errors import UnknownParty
from mpc.mailbox import LABEL_BYTES
from mpc.prss import Prss
from mpc.sharing import Layout
from mpc.transport import Transport

if TYPE_CHECKING:
    from mpc.arrays import SecretArray, SecretBits
    from mpc.secret import Secret

__all__ = ["Operation", "Party", "Scope", "current_scope", "task_factory"]

T = TypeVar("T")


class Scope:
    """A place in the program: its label, how many children it has had, its depth in messages."""

    __slots__ = ("count", "depth", "label", "stamp")

    def __init__(self, label: bytes, stamp: int = 0, depth: int = 0) -> None:
        self.label = label
        self.stamp = stamp
        self.depth = depth
        self.count = 0

    def next(self) -> bytes:
        """A label nobody had before."""
        self.count += 1
        return hashlib.blake2b(self.label + self.count.to_bytes(8, "little"), digest_size=LABEL_BYTES).digest()

    def fork(self, name: str) -> Scope:
        """The scope of a child operation."""
        return Scope(self.next(), zlib.crc32(name.encode()), self.depth)


_scope: contextvars.ContextVar[Scope] = contextvars.ContextVar("accord scope")


def current_scope() -> Scope:
    """The scope of the code that runs now."""
    return _scope.get()


def task_factory(
    loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, T] | Generator[Any, None, T], **options: Any
) -> asyncio.Task[T]:
    """For ``loop.set_task_factory``: a task started by a program gets a place of its own in the program."""
    if options.get("context") is None:
        context = contextvars.copy_context()
        scope = context.get(_scope)
        if scope is not None:
            context.run(_scope.set, scope.fork("task"))
        options["context"] = context
    return asyncio.Task(coro, loop=loop, **options)


class _Resumed:
    """Awaits a coroutine that was already driven to its first suspension."""

    __slots__ = ("coro", "first")

    def __init__(self, coro: Coroutine[Any, Any, Any], first: Any) -> None:
        self.coro = coro
        self.first = first

    def __await__(self) -> Generator[Any, Any, Any]:
        yielded = self.first
        if yielded is not None:
            yielded._asyncio_future_blocking = True  # put back the mark that Party._start took away
        send = self.coro.send
        while True:
            try:
                answer = yield yielded
            except BaseException as error:
                try:
                    yielded = self.coro.throw(error)
                except StopIteration as stop:
                    return stop.value
            else:
                try:
                    yielded = send(answer)
                except StopIteration as stop:
                    return stop.value


async def _drive(resumed: _Resumed) -> Any:
    return await resumed


class Operation(Generic[T]):
    """Something under way. Await it for its result; its error surfaces there."""

    __slots__ = ("scope", "task", "value")

    def __init__(self, scope: Scope, task: asyncio.Task[T] | None, value: T | None) -> None:
        self.scope = scope
        self.task = task
        self.value = value

    @property
    def done(self) -> bool:
        """Whether the result is there and no error."""
        if self.task is not None and self.task.done() and not self.task.cancelled() and self.task.exception() is None:
            self.value = self.task.result()
            self.task = None
        return self.task is None

    def __await__(self) -> Generator[Any, Any, T]:
        return self.result().__await__()

    async def result(self) -> T:
        """Wait for the result, and take over its depth."""
        if self.task is not None:
            self.value = await self.task
            self.task = None
        here = _scope.get(None)
        if here is not None and here.depth < self.scope.depth:
            here.depth = self.scope.depth
        return self.value  # type: ignore[return-value]


_LARGEST = 8 << 20  # bytes of payload in one frame


def _frames(label: bytes, array: Any) -> list[tuple[bytes, memoryview]]:
    """The frames an array travels in: (label, bytes) each; the first has the label given."""
    if array.nbytes <= _LARGEST:
        return [(label, memoryview(array).cast("B") if array.nbytes else memoryview(bytearray()))]
    view = memoryview(array).cast("B")
    starts = range(0, len(view), _LARGEST)
    return [(_part(label, i), view[lo : lo + _LARGEST]) for i, lo in enumerate(starts)]


def _part(label: bytes, i: int) -> bytes:
    return label if i == 0 else hashlib.blake2b(label + b"part %d" % i, digest_size=LABEL_BYTES).digest()


async def _deepest(receipts: list[Awaitable[int]]) -> int:
    return max([await receipt for receipt in receipts])


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
        self._open: set[asyncio.Task[Any]] = set()
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

    def launch(self, name: str, make: Callable[[], Coroutine[Any, Any, T]]) -> Operation[T]:
        """Start an operation now, in a scope of its own; it runs at once until it has to wait for a message.

        An error before its first wait raises here.
        """
        scope = _scope.get().fork(name)
        context = contextvars.copy_context()
        context.run(_scope.set, scope)
        return self._start(scope, context, make)

    def defer(self, make: Callable[[], Coroutine[Any, Any, T]]) -> Operation[T]:
        """Start something that waits for operands but draws no labels: it takes no place in the program."""
        here = _scope.get(None)
        scope = Scope(b"", 0, here.depth if here is not None else 0)
        context = contextvars.copy_context()
        context.run(_scope.set, scope)
        return self._start(scope, context, make)

    def _start(
        self, scope: Scope, context: contextvars.Context, make: Callable[[], Coroutine[Any, Any, T]]
    ) -> Operation[T]:
        coro = make()
        try:
            first = context.run(coro.send, None)
        except StopIteration as stop:
            return Operation(scope, None, stop.value)
        if first is not None:
            first._asyncio_future_blocking = False  # so that others can await the same future meanwhile
        task = asyncio.Task(_drive(_Resumed(coro, first)), loop=asyncio.get_running_loop(), context=context)
        self._open.add(task)
        task.add_done_callback(self._open.discard)
        return Operation(scope, task, None)

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
        for name, piece in _frames(label, payload):
            self.transport.send(peer, name, scope.stamp, scope.depth + 1, piece)

    def receive(self, peer: int, label: bytes, into: Any) -> Awaitable[int]:
        """Ask for an array; await what this gives through :meth:`arrived`."""
        stamp = _scope.get().stamp
        receipts = [self.transport.receive(peer, name, stamp, piece) for name, piece in _frames(label, into)]
        return receipts[0] if len(receipts) == 1 else _deepest(receipts)

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

        return input_array(self, values, owner, frac=frac, shape=shape)

    def reveal(self, x: Secret, to: Sequence[int] | int | None = None) -> Operation[Any]:
        """Open a secret to the parties ``to`` (None: all). Await it: a numpy array there, None elsewhere.

        Rounds: 1. Sends: t elements to each receiver. Leaks: the value, to the receivers. For results that leave the
        consortium use protocols.release, which adds noise first.
        """
        from mpc.inputs import reveal

        return reveal(self, x, to)

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
            while self._open:
                await asyncio.gather(*self._open)
            await self.transport.finish()
        except BaseException as error:
            self.transport.abort(error)
            for task in list(self._open):
                task.cancel()
            await asyncio.gather(*self._open, return_exceptions=True)
            raise
        finally:
            _scope.reset(context_scope)
        return answer
