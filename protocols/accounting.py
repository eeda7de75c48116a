"""The exact law of the noise as it is sampled, and what it gives away. Pure: no parties, no randomness.

A sampler flips coins of finite precision, so what it samples is not quite the law in the textbook. Here that law is
computed in integers, and so is its distance from the ideal. Every node does this for itself before it takes part.
"""

from __future__ import annotations

import decimal
import functools
import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from protocols.errors import EpsilonInvalid, GridOverflow, PrecisionTooLow, SensitivityInvalid

__all__ = [
    "DELTA_LIMIT",
    "LaplaceLaw",
    "Sensitivity",
    "check_epsilon",
    "delta_at",
    "delta_bound",
    "exact_pmf",
    "grid_sensitivity",
    "is_whole",
    "laplace_law",
    "round_up",
    "security_for",
]

DELTA_LIMIT = Fraction(1, 1 << 40)
"""The most by which one release may miss pure epsilon."""

_EPSILON_MOST = 128
_NOISE_BITS = 61
_ENUMERABLE = 16
_EXP_BITS = 256


def is_whole(value: Any) -> bool:
    """Whether it is a Python integer, and no boolean."""
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    """Whether it is an exact or finite number, and no boolean."""
    return isinstance(value, Fraction) or is_whole(value) or (isinstance(value, float) and math.isfinite(value))


def check_epsilon(epsilon: float | Fraction) -> Fraction:
    """Epsilon as the exact number it is, or EpsilonInvalid (zero, negative, NaN, infinite, above 128)."""
    if not _is_number(epsilon) or not 0 < epsilon <= _EPSILON_MOST:
        raise EpsilonInvalid(
            f"epsilon {epsilon!r}: a number above 0 and at most {_EPSILON_MOST}; usual values are 0.01 to 10"
        )
    return Fraction(epsilon)


def round_up(exact: Fraction) -> float:
    """The least float that is not below the exact number: what is charged is never understated."""
    nearest = float(exact)
    return nearest if Fraction(nearest) >= exact else math.nextafter(nearest, math.inf)


@dataclass(frozen=True)
class Sensitivity:
    """The most by which one person changes sums of bounded values. ``a + b`` is that of figures released together.

    Values go to the grid one by one, each by its own rounding, so the bound of one value is rounded up to the grid
    first, then multiplied: 50 rows of up to 0.13 on a grid of quarters change a sum by 50 steps, not ceil(26).

    Attributes:
        terms: for each sum (the most one value's magnitude can be, in the figure's unit; the most rows a person has).
    """

    terms: tuple[tuple[Fraction, int], ...]

    def __post_init__(self) -> None:
        for bound, rows in self.terms:
            if not _is_number(bound) or bound < 0 or not is_whole(rows) or rows < 1:
                raise SensitivityInvalid(f"bound {bound!r}, {rows!r} rows: a finite bound, and at least one row")

    def __add__(self, other: Sensitivity) -> Sensitivity:
        return Sensitivity(self.terms + other.terms)

    def steps(self, frac: int) -> int:
        """In steps of the grid 2^-frac: rows * ceil(bound 2^frac), summed."""
        return sum(rows * math.ceil(Fraction(bound) * (1 << frac)) for bound, rows in self.terms)


def grid_sensitivity(sensitivity: float | Fraction | Sensitivity, frac: int = 0) -> int:
    """The sensitivity in steps of the grid 2^-frac, rounded up, or SensitivityInvalid.

    If a value lies in [-b, b] then its rounding to the grid lies within ceil(b 2^frac) steps of zero. A plain number is
    b for *one* value: for several rows or columns give a Sensitivity, which rounds each up before it adds.
    """
    given = sensitivity if isinstance(sensitivity, Sensitivity) else None
    if given is None and _is_number(sensitivity) and sensitivity > 0:  # type: ignore[operator]
        given = Sensitivity(((Fraction(sensitivity), 1),))  # type: ignore[arg-type]
    steps = 0 if given is None else given.steps(frac)
    if steps < 1:
        raise SensitivityInvalid(
            f"sensitivity {sensitivity!r}: a number above 0, the most by which one person can change the figures "
            "(the sum of the changes, where there are several), or aggregate.sensitivity_of; clip the values to get one"
        )
    return steps


@dataclass(frozen=True)
class LaplaceLaw:
    """The geometric-bit sampler as realised: X = 0, or a sign times 1 + sum of 2^i g_i, all coins independent.

    Attributes:
        epsilon: nominal, exact.
        sensitivity: in steps of the grid.
        precision: l; a coin with threshold T comes up with probability T / 2^l.
        bits: thresholds of g_0, g_1, ...
        nonzero: threshold of the coin that says X is not 0.
        distance: how far in total variation this law is from the ideal discrete Laplace law, at most.
    """

    epsilon: Fraction
    sensitivity: int
    precision: int
    bits: tuple[int, ...]
    nonzero: int
    distance: Fraction

    @property
    def reach(self) -> int:
        """The largest |X|."""
        return 1 << len(self.bits)

    @property
    def variance(self) -> Fraction:
        """E[X^2], exact: the coins are independent, so no enumeration is needed."""
        one = 1 << self.precision
        chance = [Fraction(t, one) for t in self.bits]
        mean = 1 + sum(p * (1 << i) for i, p in enumerate(chance))
        spread = sum(p * (1 - p) * (1 << 2 * i) for i, p in enumerate(chance))
        return Fraction(self.nonzero, one) * (mean * mean + spread)

    @property
    def standard_deviation(self) -> float:
        """Square root of the variance, in steps of the grid."""
        return math.sqrt(self.variance)

    def tail(self, h: int) -> float:
        """P(|X| > h), h >= 0, to float precision: bits from the top, P(G >= h) for their number G."""
        if h >= self.reach:
            return 0.0
        one = float(1 << self.precision)
        above, same = 0.0, 1.0
        for i in reversed(range(len(self.bits))):
            p = self.bits[i] / one
            if h >> i & 1:
                same *= p
            else:
                above += same * p
                same *= 1.0 - p
        return self.nonzero / one * (above + same)

    def half_width(self, confidence: float = 0.95) -> int:
        """The smallest h with P(|X| <= h) >= confidence, in steps of the grid."""
        low, high = 0, self.reach
        while low < high:
            middle = (low + high) // 2
            if self.tail(middle) <= 1.0 - confidence:
                high = middle
            else:
                low = middle + 1
        return low


def security_for(epsilon: float | Fraction, coordinates: int) -> int:
    """The parameter lambda with which this many coordinates of noise together stay under DELTA_LIMIT.

    The distance of one coordinate is at most 2^-(lambda+1) by construction, so (1 + e^epsilon) times the
    number of coordinates times that is at most 2^-40.
    """
    factor = coordinates * (1.0 + math.exp(float(epsilon)))
    return 40 + max(0, math.ceil(math.log2(factor)) - 1)


@functools.lru_cache(maxsize=1024, typed=True)
def laplace_law(epsilon: float | Fraction, sensitivity: int, lambda_: int = 40) -> LaplaceLaw:
    """Thresholds for discrete Laplace noise: P(X = x) proportional to alpha^|x|, alpha = e^(-epsilon/sensitivity).

    Dwork et al., Our Data, Ourselves, Eurocrypt 2006, section 4: the bits of a geometric variable are independent,
    bit i set with probability 1 / (1 + e^(2^i/b)), b = sensitivity/epsilon. With k = ceil(log2(b ln2 (lambda+2)))
    bits the tail cut off is below 2^-(lambda+2), and with l = lambda + ceil(log2(k+1)) + 1 bits a coin the
    rounding of all thresholds adds up to less than that again.

    Raises EpsilonInvalid, SensitivityInvalid; GridOverflow where noise above 2^61 steps would be possible.
    """
    epsilon = check_epsilon(epsilon)
    if not is_whole(sensitivity) or sensitivity < 1:
        raise SensitivityInvalid(f"sensitivity {sensitivity!r}: a positive whole number of steps of the grid")
    with decimal.localcontext(decimal.Context(prec=80 + lambda_ // 3, Emax=10**12, Emin=-(10**12))) as context:
        rate = decimal.Decimal(epsilon.numerator) / decimal.Decimal(epsilon.denominator * sensitivity)
        width = decimal.Decimal(2).ln() * (lambda_ + 2) / rate
        k = 1
        while (1 << k) < width:
            k += 1
        if k > _NOISE_BITS:
            raise GridOverflow(
                f"epsilon {float(epsilon):g} with sensitivity {sensitivity} steps needs noise of {k} bits, at most "
                f"{_NOISE_BITS} fit: use a larger epsilon, tighter clipping, or fewer fractional bits"
            )
        precision = lambda_ + math.ceil(math.log2(k + 1)) + 1
        one = decimal.Decimal(1 << precision)
        alpha = (-rate).exp()
        chances = [1 / (1 + (rate * (1 << i)).exp()) for i in range(k)]
        chances.append(2 * alpha / (1 + alpha))
        thresholds = [min(int((one * p).to_integral_value()), (1 << precision) - 1) for p in chances]
        rounding = sum((abs(t / one - p) for t, p in zip(thresholds, chances, strict=True)), decimal.Decimal(0))
        cut = (-rate * (1 << k)).exp()
        off = Fraction(rounding + cut) + Fraction(k + 4, 10 ** (context.prec - 4))  # the last: of this arithmetic
        distance = Fraction(math.ceil(off * (1 << 2 * precision)), 1 << 2 * precision)
    return LaplaceLaw(epsilon, sensitivity, precision, tuple(thresholds[:k]), thresholds[k], distance)


def exact_pmf(law: LaplaceLaw) -> tuple[list[int], int]:
    """(numerators at x = -reach, ..., reach, s): P(X = x) = numerator / 2^s exactly.

    Raises PrecisionTooLow above 16 bits of noise: too many points to list. delta_bound has no such limit.
    """
    k, one = len(law.bits), 1 << law.precision
    if k > _ENUMERABLE:
        raise PrecisionTooLow(f"{k} bits of noise are too many to list every value of: use delta_bound")
    values = [law.nonzero]
    for t in law.bits:
        values = [q * (one - t) for q in values] + [q * t for q in values]
    zero = 2 * (one - law.nonzero) << law.precision * k
    return [*reversed(values), zero, *values], law.precision * (k + 1) + 1


def delta_at(law: LaplaceLaw, epsilon: float | Fraction, shift: int) -> Fraction:
    """Hockey-stick divergence of the law from itself shifted: the sum of max(0, P(x) - e^epsilon P(x - shift)).

    Exact but for e^epsilon, which is rounded down at 2^-256: the result is never too small. The law is symmetric,
    so both directions are one. For laws of at most 16 bits (exact_pmf).
    """
    numerators, bits = exact_pmf(law)
    exact = check_epsilon(epsilon)
    with decimal.localcontext(decimal.Context(prec=200)):
        power = (decimal.Decimal(exact.numerator) / decimal.Decimal(exact.denominator)).exp()
        growth = int(power * (1 << _EXP_BITS)) - 1
    size = len(numerators)
    excess = 0
    for x in range(size):
        other = numerators[x - shift] if 0 <= x - shift < size else 0
        excess += max(0, (numerators[x] << _EXP_BITS) - growth * other)
    return Fraction(excess, 1 << bits + _EXP_BITS)


def delta_bound(law: LaplaceLaw, coordinates: int = 1) -> Fraction:
    """At most the delta of a release of so many coordinates, together of this L1 sensitivity, at the nominal epsilon.

    Ideal noise gives pure epsilon. Against it, each of two outputs is off by at most ``coordinates`` times the
    distance, so delta <= (1 + e^epsilon) coordinates distance. Holds for every shift up to the sensitivity.
    """
    with decimal.localcontext(decimal.Context(prec=60, rounding=decimal.ROUND_UP)):
        power = decimal.Decimal(law.epsilon.numerator) / decimal.Decimal(law.epsilon.denominator)
        growth = Fraction(power.exp()) * (1 + Fraction(1, 10**50))
    return (1 + growth) * coordinates * law.distance
