"""Numbers as they are: exact parameters, bounds on e^x, floats rounded to the safe side. Pure."""

from __future__ import annotations

import decimal
import math
from fractions import Fraction
from typing import Any

from protocols.errors import DeltaInvalid, EpsilonInvalid

__all__ = ["check_delta", "check_epsilon", "exp_above", "exp_below", "is_number", "is_whole", "round_up"]

_EPSILON_MOST = 128
_EXP_BITS = 256


def is_whole(value: Any) -> bool:
    """Whether it is a Python integer, and no boolean."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Whether it is an exact or finite number, and no boolean."""
    return isinstance(value, Fraction) or is_whole(value) or (isinstance(value, float) and math.isfinite(value))


def check_epsilon(epsilon: Any) -> Fraction:
    """Epsilon as the exact number it is, or EpsilonInvalid (zero, negative, NaN, infinite, above 128)."""
    if not is_number(epsilon) or not 0 < epsilon <= _EPSILON_MOST:
        raise EpsilonInvalid(
            f"epsilon {epsilon!r}: a number above 0 and at most {_EPSILON_MOST}; usual values are 0.01 to 10"
        )
    return Fraction(epsilon)


def check_delta(delta: Any) -> Fraction:
    """Delta as the exact number it is, or DeltaInvalid (below 2^-40, 1 or above, NaN)."""
    if not is_number(delta) or not Fraction(1, 1 << 40) <= delta < 1:
        raise DeltaInvalid(
            f"delta {delta!r}: a number from 2^-40 to below 1; choose less than 1 over the number of people, "
            "such as 1e-6 to 1e-9, or DiscreteLaplace, which needs none"
        )
    return Fraction(delta)


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
