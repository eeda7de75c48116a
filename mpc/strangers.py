"""Connections of nobody knows whom: a bounded number, and whoever holds on to one keeps no party out."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

__all__ = ["Strangers"]

_MOST = 256


class Strangers:
    """The tasks that serve connections whose other end has not shown yet that it is a party.

    When there is no room for another, the oldest of the address that has most of them is cancelled. So mute
    connections, however many and however often made anew, take no place from a party that says at once who it is.

    Args:
        most: tasks at one time.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._tasks: dict[asyncio.Task[None], str] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    def admit(self, task: asyncio.Task[None], address: str) -> None:
        """Another one, connected from ``address``."""
        if len(self._tasks) >= self._most:
            crowd = Counter(self._tasks.values()).most_common(1)[0][0]
            oldest = next(task for task, origin in self._tasks.items() if origin == crowd)
            self.release(oldest)
            oldest.cancel()
        self._tasks[task] = address
        task.add_done_callback(self.release)

    def release(self, task: asyncio.Task[Any] | None) -> None:
        """It is no stranger any more, or it is gone."""
        if task is not None:
            self._tasks.pop(task, None)

    def cancel(self) -> None:
        """Send all of them away."""
        for task in self._tasks:
            task.cancel()
