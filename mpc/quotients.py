"""Fractional bits and quotients by public numbers; quotients by secrets are in division.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mpc import encoding
from mpc.arrays import SecretArray
from mpc.errors import OutOfRange, WrongType
from mpc.operands import as_numbers, broadcast, expand, numbers, shape_of
from mpc.scaling import pieces_of, times
from mpc.secret import Secret, operation
from mpc.truncate import truncate

__all__ = ["astype", "divide", "floor_divide", "rescale"]

Words = npt.NDArray[np.uint64]


@operation(SecretArray, lambda x, frac: x.shape)
async def rescale(x: SecretArray, frac: int) -> SecretArray:
    """x with another number of fractional bits: more is local, less is a truncation (error one in the last place)."""
    frac = encoding.check_frac(frac)
    if frac >= x.frac:
        return SecretArray(x.party, x.share << np.uint64(frac - x.frac), frac)
    return SecretArray(x.party, await truncate(x.party, x.share, x.frac - frac), frac)


def astype(x: SecretArray, kind: Any, frac: int | None = None) -> SecretArray:
    """See SecretArray.astype. To ``int`` a number is floored exactly."""
    wanted = np.dtype(kind).kind
    if wanted == "f":
        return rescale(x, encoding.FRAC if frac is None else frac)
    if wanted in "iu":
        return _floor(x)
    raise WrongType(f"astype({kind!r}): int and float; for booleans compare with 0")


@operation(SecretArray, shape_of)
async def _floor(x: SecretArray) -> SecretArray:
    if x.frac == 0:
        return x
    return await _floor_shift(SecretArray(x.party, x.share), x.frac)


def divide(x: Any, y: Any) -> SecretArray:
    """x / y, fixed point. By public numbers: scaling.py. By secrets: functions.divide."""
    if isinstance(y, Secret):
        from mpc import functions

        return functions.divide(*as_numbers(broadcast, x, y))
    by = encoding.as_array(y, "public divisor")
    encoding.natural_frac(by)
    by = by.astype(np.float64)
    if not np.isfinite(by).all() or (by == 0).any():
        raise OutOfRange("division by zero, NaN or infinity in the public divisor")
    return _divide_public(*as_numbers(broadcast, x, by))


@operation(SecretArray, broadcast)
async def _divide_public(x: SecretArray, by: Any) -> SecretArray:
    """x / by wherever the quotient is in range. Error: relative 2^-24 and t + 2 in the last place.

    Divisors of very different size: as much for each piece (scaling.py). Rounds: 4. Leaks nothing.
    """
    shape, frac = broadcast(x, by), x.frac or encoding.FRAC
    share = await times(x.party, expand(x.share, shape), pieces_of(1.0 / by), frac - x.frac, np.multiply)
    return SecretArray(x.party, share, frac)


def floor_divide(x: Any, y: Any) -> SecretArray:
    """x // y on integers, exact. By a public power of two: truncation and a comparison; else functions.floor_divide."""
    if not isinstance(y, Secret):
        by = encoding.as_array(y, "public divisor")
        if by.dtype.kind not in "iub":
            raise WrongType(f"// by {by.dtype}: it is for integers; use / for reals")
        if not by.ndim and by > 0 and int(by) & (int(by) - 1) == 0:
            return _shift_down(numbers(x), int(by).bit_length() - 1)
    from mpc import functions

    return functions.floor_divide(x, y)


@operation(SecretArray, lambda x, bits_: x.shape)
async def _shift_down(x: SecretArray, bits_: int) -> SecretArray:
    if x.frac:
        raise WrongType("// is for integers: use / on fixed-point numbers, or astype(int) first")
    bits_ = min(bits_, 62)
    while x.party.t << bits_ >= encoding.LIMIT:  # in steps, so that _floor_shift's remainders stay in range
        x, bits_ = await (await _floor_shift(x, 31)), bits_ - 31
    return await _floor_shift(x, bits_) if bits_ else x


async def _floor_shift(x: SecretArray, f: int) -> SecretArray:
    """Exact x >> f of integers: the truncation is up to t too low, so what is left over says how often to add one."""
    low = SecretArray(x.party, await truncate(x.party, x.share, f))
    rest = x - low * (1 << f)
    quotient = low
    for step in range(1, x.party.t + 1):
        quotient = quotient + (rest >= step << f).to_array()
    return quotient
