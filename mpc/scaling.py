"""Secret times public reals, over the whole range of the secret.

A public factor c is a sum of pieces m / 2^g with integers m of at most 25 bits; one piece, unless an array of factors
spans many orders of magnitude. A product x m would need 62 + 25 bits, so x is cut into hi 2^s + lo: both hi m and lo m
fit, and are rounded to the fractional bits of the result on their own. The cut of x itself makes no error, as lo is
what it left over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mpc.errors import OutOfRange
from mpc.exchange import public_share
from mpc.party import Party
from mpc.truncate import truncate

__all__ = ["Piece", "pieces_of", "times"]

Words = npt.NDArray[np.uint64]

_PIECE = 24  # bits of one piece of a factor
_NOTHING = 2.0**-66  # times any secret this is below a quarter of the last place of any result


@dataclass(frozen=True)
class Piece:
    """Public numbers m / 2^g.

    Attributes:
        words: m, as ring words.
        g: fractional bits, also negative.
        bits: |m| <= 2^bits.
    """

    words: Words
    g: int
    bits: int


def pieces_of(c: npt.NDArray[Any], precision: int = _PIECE) -> list[Piece]:
    """The pieces of real factors c: exact where 24 bits are enough for all of them, else each to relative 2^-precision
    (at most 2^-48, in two pieces, of a factor of at least 2^-40).

    Raises OutOfRange for NaN and infinity, and from 2^62 on.
    """
    rest = np.asarray(c, np.float64)
    if not np.isfinite(rest).all():
        raise OutOfRange("a public factor or divisor is NaN, infinite, or the inverse of zero")
    if (np.abs(rest) >= 2.0**62).any():
        raise OutOfRange("a public factor of 2^62 or more, or a divisor of 2^-62 or less")
    enough = np.abs(rest) * 2.0**-precision
    pieces: list[Piece] = []
    while not pieces or (np.abs(rest) > np.maximum(enough, _NOTHING)).any():
        mantissa, exponent = np.frexp(rest[rest != 0])
        high = int(exponent.max(initial=-(1 << 20)))
        if high < -(1 << 19):  # all are zero
            return [Piece(np.zeros(rest.shape, np.uint64), 0, 1)]
        whole = np.abs(mantissa * 2.0**53).astype(np.int64)
        exact = int((53 - exponent - np.log2(whole & -whole).astype(np.int64)).max())
        g = min(exact, _PIECE - high)
        m = np.rint(np.ldexp(rest, g))
        pieces.append(Piece(m.astype(np.int64).view(np.uint64), g, high + g))
        rest = rest - np.ldexp(m, -g)
    return pieces


async def times(
    party: Party, x: Words, pieces: list[Piece], gain: int, product: Callable[[Words, Words], Words], terms: int = 1
) -> Words:
    """[x c 2^gain] from [x], for |x| < 2^62 wherever the result is below 2^62.

    Error, beside that of the pieces: t + 2 in the last place for each piece, none for integers and, where they need no
    rounding, powers of two.

    Args:
        gain: fractional bits of the result less those of x.
        product: ``product(components, m)``: elementwise, or a matrix product that adds up ``terms`` products; of more
            than 32 terms, |x| < 2^(72 - 2 log2 terms).

    Rounds: 0, 2 or 4. Leaks nothing.
    """
    running = [party.launch("piece", lambda p=p: _times(party, x, p, gain, product, terms)) for p in pieces]  # type: ignore[misc]
    total = await running[0].result()
    for other in running[1:]:
        total = total + await other.result()
    return total


async def _times(
    party: Party, x: Words, piece: Piece, gain: int, product: Callable[[Words, Words], Words], terms: int
) -> Words:
    shift = gain - piece.g
    if shift >= 0:
        return product(x, piece.words) << np.uint64(min(shift, 63))
    wide = piece.bits + (terms - 1).bit_length()
    if wide <= 1:
        return await _shift(party, product(x, piece.words), shift)
    s = min(wide, 60 - wide)
    if s < 1:
        raise OutOfRange(f"a sum of {terms} products with public reals is too long: add it up in parts")
    high = await truncate(party, x, s)
    low = x - (high << np.uint64(s))
    parts = [
        party.launch("high", lambda: _shift(party, product(high, piece.words), s + shift)),
        party.launch("low", lambda: _shift(party, product(low, piece.words), shift)),
    ]
    return await parts[0].result() + await parts[1].result()


async def _shift(party: Party, x: Words, by: int) -> Words:
    """x 2^by: exact to the left; to the right rounded, error (t + 1) / 2 in the last place."""
    if by >= 0:
        return x << np.uint64(min(by, 63))
    while by < -60:
        x, by = await truncate(party, x, 40), by + 40
    half = np.full((1,) * (x.ndim - 1), (party.t + 1) << (-by - 1), np.uint64)
    return await truncate(party, x + public_share(party, half), -by)
