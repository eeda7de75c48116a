"""Exact quotients of numbers of any size in range by a small positive divisor, digit by digit, as on paper."""

from __future__ import annotations

from typing import Any

import numpy as np

from mpc.arrays import SecretArray
from mpc.errors import OutOfRange, ShapeMismatch, WrongType
from mpc.floor import floor_divide
from mpc.operands import shape_of
from mpc.secret import operation
from mpc.truncate import truncate

__all__ = ["MOST", "quotient"]

MOST = 1 << 28

_HEAD = 35  # bits of a dividend that floor_divide takes with room to spare
_ALL = 62


def quotient(x: SecretArray, by: SecretArray, most: int, more: int = 0) -> SecretArray:
    """floor(X 2^more / by), exact, for the words X of x, as integers; for ``more`` bits after the point read them so.

    Args:
        x: any number in range, |X| < 2^62; its fractional bits count as part of the word.
        by: integers from 1 to most, of the shape of x.
        most: public, below MOST.
        more: further binary places, 0 to 32. |result| < 2^62.

    Rounds: 55 for each step (m = 3); two and one for each 35 bits less those of ``most`` of 27 + more. Sends: about 570
    bytes an element and step. Leaks nothing. Raises OutOfRange, WrongType, ShapeMismatch before anything is sent.

    1. The first digit is X 2^-27; divide, with rest.
    2. Append a further digit of X, or zeros, to the rest; divide, with rest; go on.
    """
    if not _within(most, 1, MOST - 1):
        raise OutOfRange(f"divisors up to {most!r}: from 1 to {MOST - 1}")
    if not _within(more, 0, 32):
        raise OutOfRange(f"{more!r} more bits: from 0 to 32")
    for operand in (x, by):
        if not isinstance(operand, SecretArray):
            raise WrongType(f"quotient: secret arrays, not {type(operand).__name__}")
    return _quotient(x, by, int(most), int(more))


def _within(value: Any, low: int, high: int) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and low <= int(value) <= high


def _shape(x: Any, by: Any, *_: Any) -> tuple[int, ...]:
    if x.shape != by.shape:
        raise ShapeMismatch(f"a dividend of shape {x.shape} and divisors of shape {by.shape}: one for each is needed")
    return shape_of(x)


@operation(SecretArray, _shape)
async def _quotient(x: SecretArray, by: SecretArray, most: int, more: int) -> SecretArray:
    if by.frac:
        raise WrongType("divisors of a quotient are integers, not fixed point")
    party, step = x.party, _HEAD - most.bit_length()
    low, left = SecretArray(party, x.share), _ALL - _HEAD
    digit = await _upper(low, left)
    low = low - digit * (1 << left)
    result = await floor_divide(digit, by)
    rest = digit - await (result * by)
    while left or more:
        width = min(step, left or more)
        if left:
            left -= width
            digit = await _upper(low, left)
            low = low - digit * (1 << left)
            rest = rest * (1 << width) + digit
        else:
            more -= width
            rest = rest * (1 << width)
        part = await floor_divide(rest, by)
        rest = rest - await (part * by)
        result = result * (1 << width) + part
    return result


async def _upper(x: SecretArray, bits: int) -> SecretArray:
    """x / 2^bits, or one beside it; what is left then is made up for by the next digits."""
    if not bits or not x.size:
        return x
    flat = np.ascontiguousarray(x.share).reshape(x.party.layout.k, -1)
    return SecretArray(x.party, (await truncate(x.party, flat, bits)).reshape(x.share.shape))
