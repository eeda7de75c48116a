"""Fractional bits and quotients by public numbers; quotients by secrets are in division.py, of integers in floor.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mpc import encoding, publics
from mpc.arrays import SecretArray, SecretBits
from mpc.errors import OutOfRange, WrongType
from mpc.operands import as_numbers, broadcast, expand, shape_of
from mpc.scaling import pieces_of, times
from mpc.secret import Secret, operation
from mpc.truncate import truncate

__all__ = ["astype", "divide", "floor_shift", "kind_of", "rescale"]

Words = npt.NDArray[np.uint64]


@operation(SecretArray, lambda x, frac: x.shape)
async def rescale(x: SecretArray, frac: int) -> SecretArray:
    """x with another number of fractional bits: more is local, less is a truncation (error one in the last place)."""
    frac = encoding.check_frac(frac)
    if frac >= x.frac:
        return SecretArray(x.party, x.share << np.uint64(frac - x.frac), frac)
    return SecretArray(x.party, await truncate(x.party, x.share, x.frac - frac), frac)


def kind_of(kind: Any, frac: int | None) -> str:
    """The kind meant by ``astype(kind, frac)``: "b", "i" or "f"; WrongType, OutOfRange for what is none of ours."""
    try:
        dtype = np.dtype(kind)
    except TypeError:
        dtype = np.dtype(object)
    if dtype not in (np.bool_, np.int64, np.float64):
        raise WrongType(f"astype({kind!r}): int, float and bool; secrets are 64-bit integers, fixed point or bits")
    if frac is not None and dtype != np.float64:
        raise WrongType(f"astype({kind!r}, frac={frac!r}): fractional bits go with float")
    if frac is not None and encoding.check_frac(frac) == 0:
        raise OutOfRange(f"astype({kind!r}, frac=0): 1 to 40 fractional bits; for integers use astype(int)")
    return str(dtype.kind)


def astype(x: SecretArray, kind: str, frac: int | None = None) -> SecretArray:
    """See SecretArray.astype; ``kind`` is "i" or "f". To integers a number is floored exactly."""
    return _floor(x) if kind == "i" else rescale(x, encoding.FRAC if frac is None else int(frac))


@operation(SecretArray, shape_of)
async def _floor(x: SecretArray) -> SecretArray:
    if x.frac == 0:
        return x
    return await floor_shift(SecretArray(x.party, x.share), x.frac)


def divide(x: Any, y: Any) -> SecretArray:
    """x / y, fixed point. By public numbers: scaling.py. By secrets: functions.divide."""
    if isinstance(y, Secret):
        from mpc import functions

        return functions.divide(x, y)
    by = publics.public_array(y, "public divisor")
    by = _divisor(by.astype(np.float64), 0 if isinstance(x, SecretBits) else encoding.FRAC)
    return _divide_public(*as_numbers(broadcast, x, by))


def _divisor(by: npt.NDArray[Any], frac: int) -> npt.NDArray[Any]:
    """Public divisors of numbers with so many fractional bits, if not every secret but 0 would go out of range."""
    bits = 62 if frac else 62 - encoding.FRAC
    bad = ~(np.isfinite(by) & (np.abs(by) > 2.0**-bits))
    publics.refuse(by, by, bad, "public divisor", f"it must be finite, not zero, and above 2^-{bits} in magnitude")
    return by


@operation(SecretArray, broadcast)
async def _divide_public(x: SecretArray, by: Any) -> SecretArray:
    """x / by wherever the quotient is in range. Error: relative 2^-24 and t + 2 in the last place.

    Divisors of very different size: as much for each piece (scaling.py). Rounds: 4. Leaks nothing.
    """
    shape, frac = broadcast(x, by), x.frac or encoding.FRAC
    inverse = pieces_of(1.0 / _divisor(by, x.frac))
    share = await times(x.party, expand(x.share, shape), inverse, frac - x.frac, np.multiply)
    return SecretArray(x.party, share, frac)


async def floor_shift(x: SecretArray, f: int) -> SecretArray:
    """Exact x >> f of integers: the truncation is up to t too low, so what is left over says how often to add one."""
    low = SecretArray(x.party, await truncate(x.party, x.share, f))
    rest = x - low * (1 << f)
    quotient = low
    for step in range(1, x.party.t + 1):
        quotient = quotient + (rest >= step << f).to_array()
    return quotient
