"""Numbers as they are: exact parameters, bounds on e^x, floats rounded to the safe side. Pure."""

from __future__ import annotations

import decimal
import math
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np

from mpc.errors import OutOfRange
from protocols.errors import DeltaInvalid, EpsilonInvalid

__all__ = [
    "DIGITS",
    "as_exact",
    "as_mpf",
    "check_delta",
    "check_epsilon",
    "check_rows",
    "exp_above",
    "exp_below",
    "fraction_above",
    "is_whole",
    "round_down",
    "round_up",
]

DIGITS = 60
"""Decimal digits for laws and divergences: the same numbers on every machine, by mpmath's own arithmetic."""

_EPSILON_MOST = 128
_EXP_BITS = 256


def is_whole(value: Any) -> bool:
    """Whether it is an integer, Python's or numpy's, and no boolean."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def as_exact(value: Any) -> Fraction | None:
    """The exact number that it is; None for what is no finite number: NaN, infinity, a boolean, text."""
    if isinstance(value, Fraction):
        return value
    if is_whole(value):
        return Fraction(int(value))
    if isinstance(value, (float, np.floating)) and math.isfinite(value):
        return Fraction(float(value))
    return None


def check_epsilon(epsilon: Any) -> Fraction:
    """Epsilon as the exact number it is, or EpsilonInvalid (zero, negative, NaN, infinite, above 128)."""
    exact = as_exact(epsilon)
    if exact is None or not 0 < exact <= _EPSILON_MOST:
        raise EpsilonInvalid(
            f"epsilon {epsilon!r}: a number above 0 and at most {_EPSILON_MOST}; usual values are 0.01 to 10"
        )
    return exact


def check_delta(delta: Any) -> Fraction:
    """Delta as the exact number it is, or DeltaInvalid (below 2^-40, 1 or above, NaN)."""
    exact = as_exact(delta)
    if exact is None or not Fraction(1, 1 << 40) <= exact < 1:
        raise DeltaInvalid(
            f"delta {delta!r}: a number from 2^-40 to below 1; choose less than 1 over the number of people, "
            "such as 1e-6 to 1e-9, or DiscreteLaplace, which needs none"
        )
    return exact


def check_rows(rows: Any) -> int:
    """How many rows a person may have, or OutOfRange (no integer, below 1)."""
    if not is_whole(rows) or rows < 1:
        raise OutOfRange(f"{rows!r} rows a person: a positive whole number")
    return int(rows)


def round_down(exact: Fraction) -> float:
    """The largest float that is not above the exact number: what is allowed is never overstated."""
    nearest = float(exact)
    return nearest if Fraction(nearest) <= exact else math.nextafter(nearest, -math.inf)


def round_up(exact: Fraction) -> float:
    """The least float that is not below the exact number: what is charged is never understated."""
    nearest = float(exact)
    return nearest if Fraction(nearest) >= exact else math.nextafter(nearest, math.inf)


def exp_below(x: Fraction) -> tuple[int, int]:
    """(n, s) with n / 2^s at most e^x and less than 2^-254 below it (relative to e^x, x up to 128)."""
    with decimal.localcontext(decimal.Context(prec=200)):
        power = (decimal.Decimal(x.numerator) / decimal.Decimal(x.denominator)).exp()
        return int(power * (1 << _EXP_BITS)) - 1, _EXP_BITS


def exp_above(x: Fraction) -> Fraction:
    """At least e^x, by less than one part in 10^50."""
    with decimal.localcontext(decimal.Context(prec=60, rounding=decimal.ROUND_UP)):
        power = decimal.Decimal(x.numerator) / decimal.Decimal(x.denominator)
        return Fraction(power.exp()) * (1 + Fraction(1, 10**50))


def as_mpf(x: Fraction) -> mpmath.mpf:
    """A fraction at mpmath's working precision."""
    return mpmath.mpf(x.numerator) / x.denominator


def fraction_above(x: mpmath.mpf) -> Fraction:
    """The next multiple of 2^-200 above x."""
    return Fraction(int(mpmath.ceil(mpmath.ldexp(x, 200))) + 1, 1 << 200)
