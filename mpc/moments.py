"""Variance, standard deviation, rounding, remainders and powers with numpy's exponents."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from mpc import elementwise, encoding, floor
from mpc.arithmetic import row_dots
from mpc.arrays import SecretArray
from mpc.errors import OutOfRange, WrongType
from mpc.exchange import public_share
from mpc.operands import admit, as_numbers, broadcast, numbers, shape_of
from mpc.scaling import pieces_of, times
from mpc.secret import Secret, Shape, operation
from mpc.shapes import last_axis, reduced
from mpc.truncate import truncate

__all__ = ["divide_with_remainder", "power", "remainder", "round_", "std", "var"]

Words = npt.NDArray[np.uint64]


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
    """Variance over axes: the sum of |x - mean|^2 by their length n less ``ddof`` (0: population, 1: sample).

    Of integers with 16 fractional bits, of fixed point with its own f; ulp is 2^-f.
    Range: the variance below 2^46 (2^(62-f)), and of n > 2^20 elements below 2^86 / n^2 (n > 2^(28-f/2), 2^(118-2f) /
    n^2); the sum and the mean as for mean. Beyond it the result is a wrong number. The values themselves need no bound.
    Error: at most 3 t + 4 ulp + 2^-23 of the result + (2^-48 mean)^2, with f < 4 also (2 t + 2)^2 2^-2f. That of equal
    numbers may be a few ulp below 0.
    Rounds: at most 11 (m = 3). Sends: 6.7 bytes an element and party. Leaks nothing.
    """
    if isinstance(ddof, bool) or not isinstance(ddof, (int, np.integer)):
        raise WrongType(f"ddof={ddof!r}: an integer")
    return _var(*as_numbers(_var_shape, x, axis, int(ddof), keepdims))


@operation(SecretArray, _var_shape)
async def _var(x: SecretArray, axis: Any, ddof: int, keepdims: bool) -> SecretArray:
    """A square of d = x - mean need not fit a word, its parts do: d = high 2^s + low.

    1. The mean, in two pieces, so that d is off by 2 t + 2 ulp + 2^-48 of it.   (4 rounds)
    2. d is cut in two.                                                          (2 rounds)
    3. Sums of high^2, high low and low^2, each below 2^62.                      (1 round)
    4. Each by its power of two and n - ddof.                                    (4 rounds)
    """
    party, left, frac = x.party, reduced(x, axis, keepdims), x.frac or encoding.FRAC
    count = _count(x, left, ddof)
    k, results = party.layout.k, math.prod(left)
    if not results:
        return SecretArray(party, np.zeros((k, *left), np.uint64), frac)
    rows = np.ascontiguousarray(last_axis(x, axis).share).reshape(k, results, count)
    gain = frac - x.frac
    mean = await times(party, rows.sum(axis=2, dtype=np.uint64), pieces_of(np.array(1 / count), 48), gain, np.multiply)
    d = (rows << np.uint64(gain) if gain else rows) - mean[:, :, None]
    s = _cut_at(party.t, count, frac)
    half = public_share(party, np.full((1, 1), (party.t + 1) << (s - 1), np.uint64))
    high = await truncate(party, d + half, s)
    low = d - (high << np.uint64(s))
    by = pieces_of(np.array(1 / (count - ddof)))

    async def part(a: Words, b: Words, power: int) -> Words:
        return await times(party, await row_dots(party, a, b), by, power - frac, np.multiply)

    parts = [
        party.launch("part", lambda p=p: part(*p))  # type: ignore[misc]
        for p in ((high, high, 2 * s), (high, low, s + 1), (low, low, 0))
    ]
    squares = sum([await p.result() for p in parts[1:]], await parts[0].result())
    return SecretArray(party, squares.reshape(k, *left), frac)


def _cut_at(t: int, count: int, frac: int) -> int:
    """Where to cut d, with ``frac`` bits, in two: low^2 has room for ``count`` of them, and high^2 as much as can be.

    |low| <= 2^(s-1) (t + 1), so the first asks for count 2^2s ((t + 1) / 2)^2 < 2^62. The sum of high^2 is 2^(f-2s)
    count times the variance, that as a word: for all variances below 2^62 it asks for 2^2s > 2^f count.
    """
    n = (count - 1).bit_length()
    return min((n + frac + 2) // 2, (61 - n) // 2 - (t.bit_length() - 1))


def std(x: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> SecretArray:
    """The square root of var, with 16 fractional bits.

    Range: that of var, and the variance below 2^40; above it 0. Error: at most 1.1 ulp + 2^-21 of the result, and the
    error of the variance by twice the result: near 0 the square root of that error. Rounds: at most 29 more than var
    (m = 3). Leaks nothing.
    """
    from mpc.functions import sqrt

    return sqrt(var(x, axis, ddof, keepdims))


# -- rounding --------------------------------------------------------------------------------


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
    floor.whole_operands(x, y)
    x, y = admit(broadcast, x, y)
    quotient = floor.floor_divide(x, y)
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
