"""Ends a run in memory when no party can go on.

All parties are tasks of one event loop, so nothing has to be asked: if the loop is idle for good (:mod:`mpc.idle`),
no party ever goes on.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Collection, Sequence
from typing import Any

from mpc.errors import ProgramDiverged
from mpc.idle import LoopWatch
from mpc.outcomes import parties, place, stall_text
from mpc.transport import MemoryHub

__all__ = ["MemoryGuard"]

_EVERY = 0.05


class MemoryGuard:
    """Watches one run. When it is stuck all requests fail; when it is stuck again, its tasks are cancelled.

    Args:
        hub: of the run.
        tasks: by party.
        failed: the parties whose program has raised already, kept up to date.

    Attributes:
        error: what the run ended in, if no program had failed before.
    """

    def __init__(self, hub: MemoryHub, tasks: Sequence[asyncio.Task[Any]], failed: Collection[int]) -> None:
        self._hub = hub
        self._tasks = tasks
        self._failed = failed
        self.error: ProgramDiverged | None = None
        self._before = False
        self._stopped = False
        bystanders = frozenset(thread.ident or 0 for thread in threading.enumerate())  # of a notebook, say
        self._loop = LoopWatch.on(asyncio.get_running_loop(), bystanders)
        self._handle = self._loop.call_later(_EVERY, self._tick)

    def stop(self) -> None:
        """No more looks."""
        self._stopped = True
        self._handle.cancel()
        self._loop.release()

    def _tick(self) -> None:
        self._handle = self._loop.call_later(_EVERY, self._tick)
        self._loop.look(self._looked)

    def _looked(self, idle: bool) -> None:
        stuck = idle and not self._stopped
        if stuck and self._before:
            self._end()
            stuck = False
        self._before = stuck

    def _end(self) -> None:
        if self._failed or any(t.error is not None for t in self._hub.transports):
            for task in self._tasks:
                task.cancel()
            return
        text = stall_text([self._where(t.index) for t in self._hub.transports])
        self.error = ProgramDiverged(text)
        for t in self._hub.transports:
            t.fail(ProgramDiverged(text))

    def _where(self, index: int) -> str:
        awaited = sorted(self._hub.transports[index].waits_for())
        whom = f" for {parties(awaited, self._hub.m + 1)}" if awaited else ""
        return f"party {index} waits{whom}{place(self._tasks[index].get_coro())}"
