"""Fractional bits and quotients by public numbers; quotients by secrets are in division.py."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from mpc import encoding
from mpc.arrays import SecretArray
from mpc.errors import OutOfRange, WrongType
from mpc.operands import broadcast, expand, numbers, shape_of
from mpc.party import Party
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
    """x / y, fixed point. By public numbers: at most two truncations (_divide_public). By secrets: functions.divide."""
    if isinstance(x, SecretArray) and not isinstance(y, Secret):
        by = encoding.as_array(y, "public divisor")
        encoding.natural_frac(by)
        by = by.astype(np.float64)
        if not np.isfinite(by).all() or (by == 0).any():
            raise OutOfRange("division by zero, NaN or infinity in the public divisor")
        return _divide_public(x, by)
    from mpc import functions

    return functions.divide(numbers(x), numbers(y))


@operation(SecretArray, broadcast)
async def _divide_public(x: SecretArray, by: Any) -> SecretArray:
    """x / by for |x / by| < 2^(42 - frac) (2^26 for 16 bits), and for powers of two whatever x is.

    With 2^k <= the smallest |by|: x is cut to x / 2^(k-2), times 2^(p+k) / by rounded to at least 17 bits, cut by
    p + 2, so that the product stays as small as the quotient allows. A range of divisors from 2^k to 2^(k+e) takes
    another e - 1 bits off the range. Error: relative 2^-18, and 3 in the last place (m = 3).
    """
    frac = x.frac or encoding.FRAC
    shape = broadcast(x, by)
    if not by.size:
        return SecretArray(x.party, expand(x.share, shape), frac)
    wider = frac - x.frac
    least, most = float(np.abs(by).min()), float(np.abs(by).max())
    k = max(0, min(math.floor(math.log2(least)), 60 + wider))
    spread = max(0, math.ceil(math.log2(most)) - k)
    exact = bool((np.abs(np.frexp(by)[0]) == 0.5).all())
    p, spare = (spread, 0) if exact else (17 + spread, min(k, 2))
    factor = np.rint(by.dtype.type(2.0) ** (p + k) / by)
    if p > 40 or np.abs(factor).max() >= float(1 << 46):
        raise OutOfRange("public divisors too small, too large, or too far apart: divide in groups of similar size")
    share = await _shift(x.party, x.share, wider - (k - spare))
    share = expand(share, shape) * factor.astype(np.int64).view(np.uint64)
    return SecretArray(x.party, await _shift(x.party, share, -(p + spare)), frac)


async def _shift(party: Party, share: Words, by: int) -> Words:
    """x 2^by: to the left is local, to the right a truncation."""
    return share << np.uint64(by) if by >= 0 else await truncate(party, share, -by)


def floor_divide(x: Any, y: Any) -> SecretArray:
    """x // y on integers, exact. By a public power of two: truncation and a comparison; else functions.floor_divide."""
    if not isinstance(y, Secret):
        by = encoding.as_array(y, "public divisor")
        if by.dtype.kind not in "iub":
            raise WrongType(f"// by {by.dtype}: it is for integers; use / for reals")
        if isinstance(x, SecretArray) and not by.ndim and by > 0 and int(by) & (int(by) - 1) == 0:
            return _shift_down(x, int(by).bit_length() - 1)
    from mpc import functions

    return functions.floor_divide(numbers(x), numbers(y))


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
