"""Finds out that all parties wait for each other, and for nothing else: then nobody ever goes on.

Never a false alarm, by this argument. A party says *blocked* when it waits for messages, nothing came or
went since its last beat, and every task of its event loop waits for a message or for another such task (a
timer, a thread or a socket of the program's own makes it say nothing). Statuses carry the counters of all
frames sent and received, and echo the number of the last beat heard from each peer. If this party was
blocked at its beat k, every peer's status before k and one that answers k say blocked with equal counters,
and all counters match pairwise, then at the moment of beat k all parties were blocked at once with nothing
in flight. From there no party can move.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from mpc import codec
from mpc.errors import NotTransferable

__all__ = ["StallWatch", "waits_only_for_peers"]


@dataclass(frozen=True, slots=True)
class _Status:
    beat: int
    echo: tuple[int, ...]
    sent: tuple[int, ...]
    received: tuple[int, ...]


@dataclass(slots=True)
class _Suspicion:
    """All were blocked, as far as known, when this party's ``beat`` went out."""

    beat: int
    counters: dict[int, tuple[tuple[int, ...], tuple[int, ...]]]
    confirmed: set[int]


class StallWatch:
    """One party's view of who is blocked, in one run. No clock, no sockets."""

    def __init__(self, index: int, m: int) -> None:
        self._index = index
        self._m = m
        self._beat = 0
        self._heard: dict[int, _Status] = {}
        self._suspicion: _Suspicion | None = None

    def beat(self, sent: tuple[int, ...], received: tuple[int, ...]) -> bytes:
        """This party is blocked: the status to send to every peer."""
        self._beat += 1
        echo = tuple(self._heard[j].beat if j in self._heard else 0 for j in range(self._m))
        own = _Status(self._beat, echo, sent, received)
        now = {j: (s.sent, s.received) for j, s in {**self._heard, self._index: own}.items()}
        if self._suspicion is None or self._suspicion.counters != now:
            self._suspicion = _Suspicion(self._beat, now, {self._index}) if self._settled(now) else None
        return codec.dumps((own.beat, own.echo, own.sent, own.received))

    def moving(self) -> None:
        """This party is not blocked."""
        self._suspicion = None

    def heard(self, peer: int, payload: bytes) -> bool:
        """A status of ``peer``; True if all parties wait for each other (provided this one is still blocked)."""
        status = self._read(payload)
        if status is None:
            return False
        self._heard[peer] = status
        suspicion = self._suspicion
        if suspicion is None:
            return False
        if suspicion.counters[peer] != (status.sent, status.received):
            self._suspicion = None
            return False
        if status.echo[self._index] >= suspicion.beat:
            suspicion.confirmed.add(peer)
        return len(suspicion.confirmed) == self._m

    def _settled(self, counters: dict[int, tuple[tuple[int, ...], tuple[int, ...]]]) -> bool:
        """Everybody has spoken, and whatever was sent was received."""
        everyone = range(self._m)
        return len(counters) == self._m and all(
            counters[i][0][j] == counters[j][1][i] for i in everyone for j in everyone if i != j
        )

    def _read(self, payload: bytes) -> _Status | None:
        try:
            beat, echo, sent, received = codec.loads(payload)
            if isinstance(beat, int) and all(_counts(x, self._m) for x in (echo, sent, received)):
                return _Status(beat, echo, sent, received)
        except (NotTransferable, TypeError, ValueError):
            pass
        return None


def _counts(value: object, m: int) -> bool:
    return isinstance(value, tuple) and len(value) == m and all(isinstance(x, int) for x in value)


def waits_only_for_peers(tasks: Iterable[asyncio.Task[Any]], is_request: Callable[[asyncio.Future[Any]], bool]) -> bool:
    """True only if it is certain that none of ``tasks`` goes on before a peer sends something.

    A task is taken to wait for peers if it awaits a request, another task that does, a gathering of such
    tasks, or a future inside the engine's or MPyC's own code; unless a thread is to set that future.
    """
    seen: set[asyncio.Future[Any]] = set()
    unseen: list[asyncio.Future[Any]] = list(tasks)  # a list, not recursion: chains are as long as the program
    while unseen:
        future = unseen.pop()
        if future in seen:
            continue
        seen.add(future)
        if future.done():
            return False  # whoever awaits it is about to run
        if is_request(future):
            continue
        children = getattr(future, "_children", None)
        if isinstance(future, asyncio.Task):
            waiter = getattr(future, "_fut_waiter", None)
            if waiter is None or waiter.done():
                return False  # running, or about to
            if _understood(waiter, is_request):
                unseen.append(waiter)
            elif not (_is_ours(future) and _no_thread(waiter)):
                return False
        elif children is not None:
            unseen.extend(children)
        else:
            return False
    return True


def _understood(future: asyncio.Future[Any], is_request: Callable[[asyncio.Future[Any]], bool]) -> bool:
    return isinstance(future, asyncio.Task) or hasattr(future, "_children") or is_request(future)


def _is_ours(task: asyncio.Task[Any]) -> bool:
    """Does the innermost frame of the task, the one that awaits, belong to the engine or to MPyC?"""
    at: Any = task.get_coro()
    frame: types.FrameType | None = None
    while at is not None:
        inner = getattr(at, "cr_frame", None) or getattr(at, "gi_frame", None)
        if inner is None:
            break
        frame = inner
        if frame.f_code.co_name == "__await__" and "self" in frame.f_locals:
            held = getattr(frame.f_locals["self"], "coro", None)  # a wrapper that drives a coroutine by hand
            if held is not None:
                at = held
                continue
        at = getattr(at, "cr_await", None) or getattr(at, "gi_yieldfrom", None)
    if frame is None:
        return False
    return str(frame.f_globals.get("__name__", "")).split(".")[0] in ("mpc", "mpyc", "protocols")


def _no_thread(future: asyncio.Future[Any]) -> bool:
    """No executor is going to set this future."""
    callbacks = getattr(future, "_callbacks", None) or ()
    return not any("_call_check_cancel" in getattr(callback[0], "__qualname__", "") for callback in callbacks)
