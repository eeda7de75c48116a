"""Tasks of a node that must not take each other down: a fault in one job's task ends that task, and is logged.

What is logged is the kind of error and where it was raised, never its text: that may quote what nobody may read.
A disk that fails is no such fault: the node ends by itself then (Board.failed).
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import trio

from parties.calls.quiet_log import place_of
from parties.errors import StoreFailed

__all__ = ["Tasks"]

_log = logging.getLogger("accord.node")


class Tasks:
    """Starts tasks in a nursery, each with a guard.

    Args:
        nursery: where they live; its end ends them.
    """

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery

    def start_soon(self, work: Callable[..., Awaitable[Any]], *arguments: Any) -> None:
        """As trio.Nursery.start_soon."""
        self._nursery.start_soon(_guarded, work, arguments)


async def _guarded(work: Callable[..., Awaitable[Any]], arguments: tuple[Any, ...]) -> None:
    try:
        await work(*arguments)
    except StoreFailed:
        pass  # whoever asked the disk has told the node
    except Exception as error:
        _log.error("a task of this node ended in a fault of its own: %s", place_of(error))
