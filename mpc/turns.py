"""Large arrays in pieces that fit the cache, parties taking turns in the roles."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from mpc.party import Party

__all__ = ["CHUNK", "in_turns"]

CHUNK = 1 << 16
_LEAST = 1 << 12


async def in_turns(
    party: Party,
    name: str,
    n: int,
    work: Callable[[int, int, int], Coroutine[Any, Any, None]],
    *,
    most: int = CHUNK,
    least: int = _LEAST,
) -> None:
    """``work(lo, hi, d)`` over 0..n, the role d of 0, 1, 2 going round from piece to piece, a few pieces at once.

    Pieces begin at multiples of 64 and have ``least`` to ``most`` elements; where there is enough for it, there are
    three, so that all parties send alike. Who begins follows from the label, so many small arrays are balanced too.
    """
    first = party.label()[0]
    chunk = max(least, min(most // 64 * 64, -(-n // 192) * 64))

    async def piece(lo: int, hi: int) -> None:
        await work(lo, hi, (first + lo // chunk) % 3)

    await party.in_chunks(name, n, chunk, piece)
