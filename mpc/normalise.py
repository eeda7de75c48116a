"""A shared number as n 2^(p+1) with n in [1/2, 1]: the first step of division, roots and logarithms. Level (k, n)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mpc.arithmetic import mul
from mpc.boolean import and_
from mpc.decompose import leading_bit, to_bits
from mpc.party import Party
from mpc.separable import look_up

__all__ = ["LARGEST", "Normal", "in_pieces", "normalise", "powers"]

Words = npt.NDArray[np.uint64]

LARGEST = 56
"""Numbers below 2^56 are normalised; others, and negative ones unless ``signed``, become 0."""

_PIECE = 1 << 16


class Normal:
    """What ``normalise`` found.

    Attributes:
        n: [n 2^62] with the leading bit of |x| moved to bit 61; (k, n). 0 for 0 and for what is out of range.
        low: what ``low`` gave for p mod 8, (k, columns, n), with the sign if ``signed``.
        high: what ``high`` gave for p div 8.
    """

    __slots__ = ("high", "low", "n")

    def __init__(self, n: Words, low: Words, high: Words) -> None:
        self.n, self.low, self.high = n, low, high


def powers(exponents: Sequence[float | None]) -> Words:
    """2^e for every e, rounded to an integer; 0 for None."""
    return np.array([0 if e is None else round(2.0**e) for e in exponents], np.uint64)


async def normalise(
    party: Party,
    x: Words,
    *,
    low: Sequence[Words] = (),
    high: Sequence[Words] = (),
    signed: bool = False,
    shift: int = 0,
) -> Normal:
    """Normalise [x 2^shift] from [x] (k, n), and look up further columns of 8 entries by the digits of p = 8 h + l.

    With ``signed`` n comes from |x|, and every low column carries the sign of x, to give it back to what it scales.
    Of a negative x the bits of -1 - x are looked at: -2^q has p = q - 1 and n = 1. What is 0 has p = 63.

    1. The bits of x, flipped if it is negative, and moved up by ``shift``; those that end at LARGEST or above join
       there, so that a number too large stays one.
    2. The position p of the leading one, in binary.
    3. 2^(61-p) = 2^(7-l) 2^(54-8h), each looked up; h = 7 gives 0.
    4. Two products.

    Rounds: for m = 3 20, with a shift up to 2 more. Leaks nothing.
    """
    planes = await to_bits(party, x)
    sign = planes[:, 63:].copy()
    if signed:
        planes[:, :63] ^= sign
        planes[:, 63] = 0
        planes[:, :1] ^= sign ^ await and_(party, planes[:, :1], sign)  # or: so that -1 is not taken for 0
    if shift:
        planes, x = await _moved_up(party, planes, shift), x << np.uint64(shift)
    place = await leading_bit(party, planes)
    n = x.shape[1]
    lows = np.stack([powers([7 - l for l in range(8)]), *low])
    highs = np.stack([powers([54 - 8 * h if h < 7 else None for h in range(8)]), *high])
    index = place[:, :3]
    if signed:
        lows = np.concatenate([lows, np.uint64(0) - lows], axis=1)
        index = np.concatenate([index, sign], axis=1)
    looked = party.launch("low", lambda: look_up(party, index, lows, n))
    upper = await look_up(party, place[:, 3:], highs, n)
    lower = await looked.result()
    scaled = await mul(party, x, lower[:, 0])
    return Normal(await mul(party, scaled, upper[:, 0]), lower[:, 1:], upper[:, 1:])


async def _moved_up(party: Party, planes: Words, by: int) -> Words:
    """[planes of x 2^by] (k, 64, W) from those of x, but for the places from LARGEST to 62: one of them is set if
    x 2^by has a bit there or above. The sign, plane 63, stays. Rounds: at most 2 for by <= 21."""
    above = planes[:, LARGEST - by : 63]
    while above.shape[1] > 63 - LARGEST:
        half = above.shape[1] // 2
        left, right = above[:, :half], above[:, half : 2 * half]
        above = np.concatenate([left ^ right ^ await and_(party, left, right), above[:, 2 * half :]], axis=1)
    moved = np.zeros_like(planes)
    moved[:, by:LARGEST] = planes[:, : LARGEST - by]
    moved[:, LARGEST : LARGEST + above.shape[1]] = above
    moved[:, 63] = planes[:, 63]
    return moved


async def in_pieces(
    party: Party, name: str, work: Callable[..., Coroutine[Any, Any, Words]], *operands: Words
) -> Words:
    """``work`` on pieces of flat operands (k, n) that stay in the cache; their rounds overlap."""
    n = operands[0].shape[1]
    if n <= _PIECE:
        return await work(*operands)
    out = np.empty_like(operands[0])

    async def piece(lo: int, hi: int) -> None:
        out[:, lo:hi] = await work(*(o[:, lo:hi] for o in operands))

    await party.in_chunks(name, n, _PIECE, piece)
    return out
