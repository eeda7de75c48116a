"""Waiting until nothing is under way, without polling."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

__all__ = ["Barriers"]


class Barriers:
    """Those who wait for a condition that whoever may make it true announces by :meth:`wake`."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []

    async def until(self, done: Callable[[], bool]) -> None:
        """Wait until ``done()``; what it raises is raised here."""
        while not done():
            self._waiting.append(asyncio.get_running_loop().create_future())
            await self._waiting[-1]

    def wake(self) -> None:
        """See whether it holds now."""
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)
