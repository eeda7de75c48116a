"""Looks, every heartbeat, whether this node is blocked, and tells the others if so: see :mod:`mpc.stall`."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

from mpc.idle import LoopWatch
from mpc.node_transport import NodeTransport
from mpc.outcomes import parties, place
from mpc.stall import StallWatch

__all__ = ["StallGuard"]


class StallGuard:
    """Watches one node's runs for stalls.

    Args:
        transport: the node's.
        heartbeat: seconds between two looks.
        programs: the tasks of programs under way; the node keeps it up to date.
    """

    def __init__(self, transport: NodeTransport, heartbeat: float, programs: Collection[asyncio.Task[Any]]) -> None:
        self._transport = transport
        self._heartbeat = heartbeat
        self._programs = programs
        self._loop = LoopWatch.on(asyncio.get_running_loop())
        self._watch = StallWatch(transport.index, transport.m)
        self._before: tuple[Any, ...] = ()
        self._handle = self._loop.call_later(heartbeat, self._tick)
        self._stopped = False
        transport.on_heartbeat = self._heard

    def begin(self) -> None:
        """A run begins."""
        self._watch = StallWatch(self._transport.index, self._transport.m)
        self._before = ()

    def stop(self) -> None:
        """No more looks."""
        if not self._stopped:
            self._stopped = True
            self._handle.cancel()
            self._loop.release()

    def _tick(self) -> None:
        self._handle = self._loop.call_later(self._heartbeat, self._tick)
        self._loop.look(self._looked)

    def _looked(self, idle: bool) -> None:
        """Every heartbeat: if this party is blocked, and was at the last one, say so to all."""
        if self._stopped:
            return
        now = self._state() if idle and self._is_under_way() else ()
        if now and now == self._before:
            _, sent, received = now
            self._transport.heartbeat(self._watch.beat(sent, received))
        else:
            self._watch.moving()
        self._before = now

    def _state(self) -> tuple[Any, ...]:
        run = self._transport.current
        return run.number, tuple(p.sent for p in run.peers), tuple(p.received for p in run.peers)

    def _is_under_way(self) -> bool:
        run = self._transport.current
        return run.error is None and bool(self._programs or run.waiting())

    def _heard(self, peer: int, payload: bytes) -> None:
        if self._watch.heard(peer, payload) and not self._stopped:
            self._loop.look(self._confirm)

    def _confirm(self, idle: bool) -> None:
        """All parties are blocked; this one may see for itself."""
        if idle and not self._stopped and self._is_under_way() and self._before == self._state():
            self._transport.stalled(self._where())

    def _where(self) -> str:
        run = self._transport.current
        places = [place(task.get_coro()) for task in self._programs]
        awaited = run.waits_for()
        whom = f" for {parties(awaited, len(run.peers) + 1)}" if awaited else ""
        return f"party {run.index} waits{whom}{', '.join(places)}"
