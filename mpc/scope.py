"""Where a program is: labels, rounds, the history of what it called; and operations under way.

Labels. Every operation takes a label from the place it has in the program: its parent's label and a counter.
Messages and pseudorandom streams are named by these labels, so all parties, running one program, agree on
them without talking, whatever the order in which messages arrive. A context variable carries the place
through coroutines; a task started by a program forks it (:func:`task_factory`).

Rounds. A scope also carries the length of the longest chain of messages that led to it; a message is one
longer than the scope that sends it.

History. A scope mixes into one number of 32 bits the name and operands of every operation called in it, local ones
too, at the call and in the program's order. An operation's messages are stamped with it, so parties whose programs
differ find out at the next message. Of public operands only type and shape count, and the bounds of slices, which
shapes tell anyway: a hash of values would tell others one that is private by mistake.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import hashlib
import sys
import zlib
from collections.abc import Awaitable, Coroutine, Generator
from typing import Any, Generic, TypeVar

from mpc.errors import UsageError
from mpc.mailbox import LABEL_BYTES

__all__ = ["Operation", "Scope", "checksum", "current_scope", "task_factory"]

T = TypeVar("T")

_PRIME = 0x01000193  # of the FNV hash


@functools.lru_cache(4096)
def checksum(name: str) -> int:
    """32 bits of a name, the same in every process."""
    return zlib.crc32(name.encode())


class Scope:
    """A place in the program: its label, how many children it has had, its depth in messages, its history.

    ``program`` says whether the caller's own code runs in it, not the inside of an operation.
    """

    __slots__ = ("count", "depth", "history", "label", "program", "stamp")

    def __init__(self, label: bytes, stamp: int = 0, depth: int = 0, program: bool = True) -> None:
        self.label = label
        self.stamp = self.history = stamp
        self.depth = depth
        self.count = 0
        self.program = program

    def next(self) -> bytes:
        """A label nobody had before."""
        self.count += 1
        return hashlib.blake2b(self.label + self.count.to_bytes(8, "little"), digest_size=LABEL_BYTES).digest()

    def note(self, what: int) -> int:
        """Mix a number into the history; gives the history."""
        self.history = history = ((self.history * _PRIME) ^ what) & 0xFFFFFFFF
        return history

    def fork(self, name: str, program: bool = False) -> Scope:
        """The scope of a child operation."""
        return Scope(self.next(), self.note(checksum(name)), self.depth, program)


_scope: contextvars.ContextVar[Scope] = contextvars.ContextVar("accord scope")


def current_scope() -> Scope:
    """The scope of the code that runs now."""
    return _scope.get()


def task_factory(
    loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, T] | Generator[Any, None, T], **options: Any
) -> asyncio.Task[T]:
    """For ``loop.set_task_factory``: a task started by a program gets a place of its own in the program.

    So tasks must be started in the same order at every party. ``asyncio.as_completed`` starts coroutines in the order
    of a set, which differs between processes: given coroutines it raises UsageError here; given tasks, made before by
    ``asyncio.create_task``, secrets or operations it works.
    """
    if options.get("context") is None:
        context = contextvars.copy_context()
        scope = context.get(_scope)
        if scope is not None:
            name = getattr(coro, "__qualname__", "")
            if not name.endswith("_wrap_awaitable") and _in_as_completed():
                coro.close()
                raise UsageError(
                    "asyncio.as_completed starts coroutines in an order that differs between parties: "
                    "make them tasks first, with asyncio.create_task"
                )
            context.run(_scope.set, scope.fork("task", scope.program))
        options["context"] = context
    return asyncio.Task(coro, loop=loop, **options)


def _in_as_completed() -> bool:
    """Is the task made by asyncio.as_completed? It is few frames above the task factory."""
    frame = sys._getframe(2)
    for _ in range(6):
        if frame.f_globals.get("__name__") == "asyncio.tasks":
            if frame.f_code.co_name == "as_completed" or "_AsCompletedIterator" in getattr(
                frame.f_code, "co_qualname", ""
            ):
                return True
        elif not str(frame.f_globals.get("__name__")).startswith(("asyncio", "mpc.worker")):
            return False
        if frame.f_back is None:
            return False
        frame = frame.f_back
    return False


class Resumed:
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


class Failed:
    """Something to await that raises: an operation that failed before its first wait."""

    __slots__ = ("error",)

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __await__(self) -> Generator[Any, Any, Any]:
        raise self.error
        yield  # makes it a generator


async def drive(work: Awaitable[Any], shields: list[Shield]) -> Any:
    """Await the work; whoever waits behind a shield goes on in the same turn of the loop as one who awaits the task."""
    try:
        return await work
    finally:
        for shield in shields:
            if not shield.done():
                shield.set_result(None)


class Shield(asyncio.Future[None]):
    """The end of a task, to be awaited and cancelled without cancelling the task."""

    def __init__(self, task: asyncio.Task[Any]) -> None:
        super().__init__(loop=task.get_loop())


class Operation(Generic[T]):
    """Something under way. Await it for its result; its error surfaces there.

    It is awaitable but no coroutine: for a task of it use ``asyncio.ensure_future(operation)``, or give it to
    ``asyncio.gather`` or ``asyncio.wait_for``; ``asyncio.create_task`` takes coroutines only. To cancel who awaits it
    does not cancel the operation, on whose messages the other parties count.
    """

    outside = "an operation under way: await it"
    __slots__ = ("awaited", "scope", "shields", "task", "value")

    def __init__(self, scope: Scope, task: asyncio.Task[T] | None, value: T | None, shields: list[Shield]) -> None:
        self.shields = shields
        self.scope = scope
        self.task = task
        self.value = value
        self.awaited = False

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
        here = _scope.get(None)
        self.awaited = True
        task = self.task
        if task is not None:
            if here is not None and here.program and not task.done():
                shield = Shield(task)
                self.shields.append(shield)
                await shield
            self.value = await task
            self.task = None
        if here is not None and here.depth < self.scope.depth:
            here.depth = self.scope.depth
        return self.value  # type: ignore[return-value]
