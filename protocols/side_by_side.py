"""Coroutines that do not wait for one another, so many under way at once that memory stays bounded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from mpc.errors import OutOfRange
from protocols.exact import is_whole

__all__ = ["check_n_jobs", "side_by_side"]

T = TypeVar("T")


async def side_by_side(work: Sequence[Callable[[], Coroutine[Any, Any, T]]], n_jobs: int) -> list[T]:
    """What each gives, in order. ``n_jobs`` of them are under way at once: they share rounds, and all need memory."""
    results: list[T] = []
    for low in range(0, len(work), n_jobs):
        results += await asyncio.gather(*(one() for one in work[low : low + n_jobs]))
    return results


def check_n_jobs(n_jobs: Any) -> None:
    """OutOfRange unless it is a positive whole number."""
    if not is_whole(n_jobs) or n_jobs < 1:
        raise OutOfRange(f"n_jobs={n_jobs!r}: how many are under way at once, a positive whole number")
