"""Is an event loop idle for good, so that nothing runs in it again unless a peer sends something?

Whatever a program awaits (an operation, a gathering, a lock, a queue, a bare future), something must wake it: a
callback that is ready, a timer, a thread, a descriptor, a process, a signal. If there is none of these but the
engine's own, the program cannot go on by itself. Nothing needs to be known about what it awaits.

A loop does not tell what could wake it (uvloop hides all of it), so the methods that arrange for it are replaced, on
the loop object, while somebody watches: they do what they did, and note it. ``call_soon``, the only one on a hot path,
is replaced for one pass of the loop in each look. The engine's timers go past that (:meth:`LoopWatch.call_later`), and
its sockets are opened before the watch begins. So is what else existed before: a host that feeds a running program
from its own sockets or timers opens them after its node has started.

In doubt a loop is not idle: one closed connection that leaves a doubt hides a stall, no doubt makes one up.
"""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import Callable, Iterator
from typing import Any

from mpc.wakers import busy_threads, is_open, process_is_open

__all__ = ["LoopWatch"]

_AWAITED = (
    "getaddrinfo",
    "getnameinfo",
    "sendfile",
    "sock_accept",
    "sock_connect",
    "sock_recv",
    "sock_recv_into",
    "sock_recvfrom",
    "sock_recvfrom_into",
    "sock_sendall",
    "sock_sendfile",
    "sock_sendto",
)
_OPENING = (
    "connect_accepted_socket",
    "connect_read_pipe",
    "connect_write_pipe",
    "create_connection",
    "create_datagram_endpoint",
    "create_unix_connection",
    "start_tls",
)
_SPAWNING = ("subprocess_exec", "subprocess_shell")
_SERVING = ("create_server", "create_unix_server")
_LISTENING = ("reader", "writer", "signal_handler")  # add_..., remove_...
_TIMING = ("call_at", "call_later")
_READY = ("call_soon", "call_soon_threadsafe")
_TICK = 0.1  # seconds a timer may be late; longer than any loop's clock is coarse


class LoopWatch:
    """Knows what could wake one event loop. Get it by :meth:`on`, and :meth:`release` it. No clock of its own.

    Args:
        loop: asyncio's, or uvloop's.
        bystanders: threads that wake nothing in this loop, and may do as they please.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, bystanders: frozenset[int] = frozenset()) -> None:
        self._loop = loop
        self._bystanders = bystanders
        self._users = 0
        self._looking = 0
        self._soon = 0  # calls of call_soon while somebody looks
        self._calls = 0  # awaited methods of the loop under way
        self._timers: dict[int, weakref.ref[asyncio.TimerHandle]] = {}  # not a set: equal handles are two timers
        self._jobs: set[asyncio.Future[Any]] = set()  # of executors
        self._heeded: set[tuple[str, int]] = set()  # descriptors and signals
        self._open: list[Callable[[], bool]] = []  # connections, servers, processes: is it open still?
        self._replaced: dict[str, Any] = {}

    @classmethod
    def on(cls, loop: asyncio.AbstractEventLoop, bystanders: frozenset[int] = frozenset()) -> LoopWatch:
        """The watch of this loop, which all who watch it share; the first one brings it."""
        watch = getattr(vars(loop).get("run_in_executor"), "__self__", None)
        if not isinstance(watch, cls):
            watch = cls(loop, bystanders)
            watch._replace_all()
        watch._users += 1
        return watch

    def release(self) -> None:
        """The loop gets its methods back when the last watcher has gone."""
        self._users -= 1
        if not self._users:
            self._restore(list(self._replaced))

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any) -> asyncio.TimerHandle:
        """A timer of the engine's own, which makes no loop busy."""
        handle: asyncio.TimerHandle = self._plain("call_later")(delay, callback, *args)
        self._timers.pop(id(handle), None)  # noted if one method of the loop calls another
        return handle

    @contextlib.contextmanager
    def expecting(self) -> Iterator[None]:
        """As long as this lasts, a thread of the engine's may bring something from outside: the loop is not idle."""
        self._calls += 1
        try:
            yield
        finally:
            self._calls -= 1

    def look(self, tell: Callable[[bool], object]) -> None:
        """Call ``tell(True)`` if the loop is idle for good, ``tell(False)`` if not, two passes of the loop later.

        True: when all that is ready now had run, nothing else was ready, no timer was pending, no thread at work, no
        descriptor, process or signal heeded but those the engine has itself.
        """
        if not self._looking:
            for name in _READY:
                self._replace(name, self._counted(name))
        self._looking += 1
        self._plain("call_soon")(self._decide, self._soon, tell)

    def _decide(self, before: int, tell: Callable[[bool], object]) -> None:
        """All that was ready at the look has run: first in, first out."""
        self._looking -= 1
        if not self._looking:
            self._restore(_READY)
        idle = before == self._soon and not self._is_busy()
        self._plain("call_soon")(tell, idle)  # later, since it may make others ready, and more may look in this pass

    def _is_busy(self) -> bool:
        """Anything but what is ready now that could wake the loop?"""
        self._open = [still for still in self._open if still()]
        if self._calls or self._jobs or self._heeded or self._open:
            return True
        now = self._loop.time() - _TICK
        timers = (ref() for ref in list(self._timers.values()))
        if any(timer is not None and not timer.cancelled() and timer.when() > now for timer in timers):
            return True
        return busy_threads(self._bystanders)

    # --- the loop's methods ----------------------------------------------------------------------

    def _plain(self, name: str) -> Callable[..., Any]:
        """The loop's method as its class has it."""
        return getattr(type(self._loop), name).__get__(self._loop)  # type: ignore[no-any-return]

    def _replace(self, name: str, method: Callable[..., Any]) -> None:
        setattr(self._loop, name, method)
        self._replaced[name] = method

    def _restore(self, names: Any) -> None:
        for name in names:
            method = self._replaced.pop(name, None)
            if method is not None and vars(self._loop).get(name) == method:  # nobody has replaced it again
                delattr(self._loop, name)

    def _replace_all(self) -> None:
        self._replace("run_in_executor", self._run_in_executor)
        for name in _TIMING:
            self._replace(name, self._timed(name))
        for name in _AWAITED:
            self._replace(name, self._awaited(name, lambda result: None))
        for name in _OPENING:
            self._replace(name, self._awaited(name, self._opened))
        for name in _SPAWNING:
            self._replace(name, self._awaited(name, lambda result: self._open.append(process_is_open(result[0]))))
        for name in _SERVING:
            self._replace(name, self._serving(name))
        for name in _LISTENING:
            self._replace(f"add_{name}", self._adding(name))
            self._replace(f"remove_{name}", self._removing(name))

    def _counted(self, name: str) -> Callable[..., Any]:
        plain = self._plain(name)

        def soon(callback: Callable[..., object], *args: Any, context: Any = None) -> Any:
            self._soon += 1
            return plain(callback, *args, context=context)

        return soon

    def _timed(self, name: str) -> Callable[..., Any]:
        plain, timers = self._plain(name), self._timers

        def timed(when: float, callback: Callable[..., object], *args: Any, context: Any = None) -> Any:
            handle = plain(when, callback, *args, context=context)
            if isinstance(handle, asyncio.TimerHandle) or hasattr(handle, "when"):
                key = id(handle)
                timers[key] = weakref.ref(handle, lambda _: timers.pop(key, None))
            else:  # at once
                self._soon += 1
            return handle

        return timed

    def _run_in_executor(self, executor: Any, function: Callable[..., Any], *args: Any) -> Any:
        job = self._plain("run_in_executor")(executor, function, *args)
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)
        return job

    def _awaited(self, name: str, note: Callable[[Any], None]) -> Callable[..., Any]:
        plain = self._plain(name)

        async def awaited(*args: Any, **options: Any) -> Any:
            self._calls += 1
            try:
                result = await plain(*args, **options)
                note(result)
            finally:
                self._calls -= 1
            return result

        return awaited

    def _opened(self, result: Any) -> None:
        transport = result[0] if isinstance(result, tuple) else result
        if transport is not None:
            self._open.append(is_open(transport))

    def _serving(self, name: str) -> Callable[..., Any]:
        """A server wakes the loop while it listens, and so do the connections it has accepted."""
        plain = self._plain(name)

        async def serving(factory: Callable[[], Any], *args: Any, **options: Any) -> Any:
            accepted: list[Callable[[], Any]] = []

            def accept() -> Any:
                protocol = factory()
                accepted[:] = [there for there in accepted if there() is not None]
                try:
                    accepted.append(weakref.ref(protocol))
                except TypeError:
                    accepted.append(lambda: protocol)
                return protocol

            server = await plain(accept, *args, **options)
            self._open.append(lambda: bool(server.sockets) or any(there() is not None for there in accepted))
            return server

        return serving

    def _adding(self, name: str) -> Callable[..., Any]:
        plain = self._plain(f"add_{name}")

        def add(what: Any, *args: Any) -> Any:
            result = plain(what, *args)
            self._heeded.add((name, _number(what)))
            return result

        return add

    def _removing(self, name: str) -> Callable[..., Any]:
        plain = self._plain(f"remove_{name}")

        def remove(what: Any) -> Any:
            self._heeded.discard((name, _number(what)))
            return plain(what)

        return remove


def _number(what: Any) -> int:
    """Of a descriptor, an object that has one, or a signal."""
    return int(what.fileno() if hasattr(what, "fileno") else what)
