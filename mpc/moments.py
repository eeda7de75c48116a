"""Variance, standard deviation, rounding, remainders and powers with numpy's exponents."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mpc import elementwise, quotients
from mpc.arrays import SecretArray
from mpc.errors import OutOfRange, WrongType
from mpc.operands import as_numbers, broadcast, numbers, shape_of
from mpc.secret import Secret, Shape, operation
from mpc.shapes import reduced

__all__ = ["divide_with_remainder", "is_boolean", "power", "remainder", "round_", "std", "var"]


# -- variance --------------------------------------------------------------------------------


def _var_shape(x: Any, axis: Any, ddof: int, keepdims: bool) -> Shape:
    shape = reduced(x, axis, keepdims)
    _count(x, shape, ddof)
    return shape


def _count(x: Any, shape: Shape, ddof: int) -> int:
    """How many elements go into each result."""
    results = math.prod(shape)
    count = math.prod(x.shape) // results if results else ddof + 1
    if count <= ddof:
        raise OutOfRange(f"variance of {count} elements with ddof={ddof}, shape {x.shape}: more than ddof are needed")
    return count


def var(x: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> SecretArray:
    """Variance over axes: the sum of |x - mean|^2 by their length less ``ddof`` (0: population, 1: sample).

    Range: |x - mean| < 2^15 for integers and 16 fractional bits (2^(31-f) for f), because a product of two must stay
    below 2^30; the sum of squares < 2^46; |mean| < 2^26. Beyond it the result is a wrong number.
    Error: 6 in the last place + 2^-30 of the result (m = 3). Rounds: at most 12 (m = 3). Leaks nothing.
    """
    if isinstance(ddof, bool) or not isinstance(ddof, (int, np.integer)):
        raise WrongType(f"ddof={ddof!r}: an integer")
    return _var(*as_numbers(_var_shape, x, axis, int(ddof), keepdims))


@operation(SecretArray, _var_shape)
async def _var(x: SecretArray, axis: Any, ddof: int, keepdims: bool) -> SecretArray:
    """What the mean is off by, d.mean(), is taken off once more, so that it does not count."""
    left = reduced(x, axis, keepdims)
    count = _count(x, left, ddof)
    if not math.prod(left):
        return x.sum(axis, keepdims).astype(float)
    d = x - x.mean(axis, keepdims=True)
    off = d.mean(axis, keepdims)
    squares = await _by_count(await (d * d).sum(axis, keepdims), count - ddof)
    return squares - (off * off * (count / (count - ddof)) if ddof else off * off)


async def _by_count(total: SecretArray, count: int) -> SecretArray:
    """total / count for sums up to the whole range, in two limbs of f bits (16, say); relative error 2^-2f."""
    f = min(total.frac, 20)
    k = (count - 1).bit_length()
    total = await (total / (1 << k))
    if count == 1 << k:
        return total
    # 2^k / count, in [1, 2), is 1 + high 2^-f + low 2^-2f
    rest = ((1 << k) - count) * (1 << 2 * f) // count
    high, low = rest >> f, rest & ((1 << f) - 1)

    def scaled(limb: int, bits: int) -> SecretArray:
        return quotients.rescale(_with_frac(total * limb, total.frac + bits), total.frac)

    return total + scaled(high, f) + scaled(low, 2 * f)


@operation(SecretArray, lambda x, frac: x.shape)
async def _with_frac(x: SecretArray, frac: int) -> SecretArray:
    """The same words with more fractional bits: x 2^-(frac - x.frac)."""
    return SecretArray(x.party, x.share, frac)


def std(x: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> SecretArray:
    """The square root of var: with its range, and 29 rounds more (m = 3). Leaks nothing."""
    from mpc.functions import sqrt

    return sqrt(var(x, axis, ddof, keepdims))


# -- rounding --------------------------------------------------------------------------------


def is_boolean(kind: Any) -> bool:
    """Whether a dtype is bool; WrongType if it is no dtype."""
    try:
        return bool(np.dtype(kind) == np.bool_)
    except TypeError:
        raise WrongType(f"astype({kind!r}): int, float and bool") from None


def round_(x: Any, decimals: int = 0) -> SecretArray:
    """To the nearest integers, as an array of integers: exactly floor(x + 1/2).

    Ties go up, 2.5 to 3 and -2.5 to -2, while numpy takes the even one. Rounds: those of astype(int). Leaks nothing.
    """
    if decimals != 0:
        raise WrongType(f"round to {decimals!r} decimals: only to integers; for two write (x * 100).round() / 100")
    return _round(numbers(x))


@operation(SecretArray, shape_of)
async def _round(x: SecretArray) -> SecretArray:
    return x if x.frac == 0 else (x + 0.5).astype(int)


# -- remainders and powers -------------------------------------------------------------------


def remainder(x: Any, y: Any) -> SecretArray:
    """x % y of integers, x - (x // y) y, with the sign of y as in numpy. Range, rounds: those of x // y, and 1 more."""
    return divide_with_remainder(x, y)[1]


def divide_with_remainder(x: Any, y: Any) -> tuple[SecretArray, SecretArray]:
    """(x // y, x % y) of integers, for one quotient."""
    x, y = as_numbers(broadcast, x, y)
    quotient = quotients.floor_divide(x, y)
    return quotient, elementwise.subtract(x, elementwise.multiply(quotient, y))


def power(x: Any, exponent: Any) -> SecretArray:
    """x ** exponent for a public integer of type int or float; see elementwise.power."""
    if isinstance(exponent, Secret):
        raise WrongType("x ** y with a secret y: use mpc.exp(y * mpc.log(x)) for x > 0, math.log for a public x")
    if isinstance(exponent, np.ndarray) and not exponent.ndim:
        exponent = exponent[()]
    if isinstance(exponent, (float, np.floating)):
        if exponent == 0.5:
            raise WrongType("x ** 0.5: use mpc.sqrt(x)")
        if exponent == -0.5:
            raise WrongType("x ** -0.5: use mpc.inverse_sqrt(x)")
        if not float(exponent).is_integer():
            raise OutOfRange(f"exponent {exponent!r}: a non-negative integer; else mpc.exp(mpc.log(x) * exponent)")
        exponent = int(exponent)
    return elementwise.power(x, exponent)
