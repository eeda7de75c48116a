"""Looks, every heartbeat, whether this node is blocked, and tells the others if so: see :mod:`mpc.stall`."""

from __future__ import annotations

import asyncio
from typing import Any

from mpc._mpyc import is_promise
from mpc.node_transport import NodeTransport
from mpc.stall import StallWatch, waits_only_for_peers

__all__ = ["StallGuard"]


class StallGuard:
    """Watches one node's runs for stalls.

    Args:
        transport: the node's.
        heartbeat: seconds between two looks.
    """

    def __init__(self, transport: NodeTransport, heartbeat: float) -> None:
        self._transport = transport
        self._heartbeat = heartbeat
        self._loop = asyncio.get_running_loop()
        self._watch = StallWatch(transport.index, transport.m)
        self._before: tuple[Any, ...] = ()
        self._bystanders: set[asyncio.Task[Any]] = set()
        self._handle = self._loop.call_later(heartbeat, self._tick)
        transport.on_heartbeat = self._heard

    def begin(self) -> None:
        """A run begins. Tasks that exist already, but for the one that begins it, are not part of the program."""
        self._watch = StallWatch(self._transport.index, self._transport.m)
        self._before = ()
        self._bystanders = asyncio.all_tasks(self._loop) - {asyncio.current_task(self._loop)}

    def stop(self) -> None:
        """No more looks."""
        self._handle.cancel()

    def _tick(self) -> None:
        """Every heartbeat: if this party is blocked, say so to all."""
        self._handle = self._loop.call_later(self._heartbeat, self._tick)
        now = self._state()
        if now == self._before and self._is_blocked():
            _, _, sent, received = now
            self._transport.heartbeat(self._watch.beat(sent, received))
        else:
            self._watch.moving()
        self._before = now

    def _state(self) -> tuple[int, int, tuple[int, ...], tuple[int, ...]]:
        run = self._transport.current
        return run.number, run.waiting(), tuple(p.sent for p in run.peers), tuple(p.received for p in run.peers)

    def _is_blocked(self) -> bool:
        run = self._transport.current
        if not run.waiting() or run.error is not None:
            return False
        tasks = [task for task in asyncio.all_tasks(self._loop) if task not in self._bystanders]
        return bool(tasks) and waits_only_for_peers(tasks, lambda future: run.is_request(future) or is_promise(future))

    def _heard(self, peer: int, payload: bytes) -> None:
        if self._watch.heard(peer, payload) and self._before == self._state() and self._is_blocked():
            self._transport.stalled()
