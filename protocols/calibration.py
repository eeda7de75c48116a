"""How much Gaussian noise keeps a promise, and which promise Gaussian noise keeps. Pure; exact or in 60 digits.

One person changes the figures by a vector v (sensitivity.Change). Two ways to the divergence at epsilon:

- *By the table*, where v has one entry that is not 0 and the law has few values: the exact hockey-stick divergence of
  the discrete law from itself shifted by that entry.
- *By the continuous mechanism*, for any v: delta of the Gaussian mechanism with sensitivity |v|_2 (Balle, Wang 2018). A
  rounded Gaussian moved by whole steps *is* that mechanism's output, rounded. For the discrete law, take a normal
  variable G of variance sigma^2 - r^2 and draw X from the discrete law of parameter r around G. By Poisson's formula
  (divergence.smoothing_error) X is discrete Gaussian of variance sigma^2 but within eta / (1 - eta) in total variation
  (Peikert, An Efficient and Parallel Gaussian Sampler for Lattices, Crypto 2010, theorem 3.1), and around G + v one
  gets X + v. So it is the continuous mechanism with sigma^2 - r^2, post-processed.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import mpmath

from protocols.divergence import gaussian_delta, smoothing_error
from protocols.errors import EpsilonInvalid, GridOverflow
from protocols.exact import DIGITS, as_mpf, exp_above, fraction_above
from protocols.gaussian import discrete_gaussian_law, rounded_gaussian_law, smoothing_width
from protocols.law import Law
from protocols.sensitivity import Change

__all__ = [
    "DISCRETE",
    "LAMBDAS",
    "ROUNDED",
    "Family",
    "by_table",
    "continuous_delta",
    "epsilon_of",
    "ideal_delta",
    "sigma_for",
]

LAMBDAS = (20, 30, 42, 60, 85)
"""Of the smoothing in an account, not of the sampler: each gives an account that holds, so the best may be taken."""

_TABLE_SIGMA = 32  # steps up to which a single change is accounted by the table: whatever lambda, its law is one
_TABLE_SHIFT = 512
_RESOLUTION = 12  # sigma is found to one part in 2^12
_EPSILON_BITS = 20
_MARGIN = Fraction(1, 1 << 41)  # of delta, left to finite precision


@dataclass(frozen=True)
class Family:
    """Discrete or rounded.

    Attributes:
        law: (sigma, lambda) to the law as sampled.
        smoothed: whether the account by the continuous mechanism gives r^2 of the variance away.
    """

    law: Callable[[Fraction, int], Law]
    smoothed: bool

    def variance(self, sigma: Fraction, lambda_: int) -> Fraction:
        """Of the continuous mechanism that this one is like; not positive where sigma is too small for that."""
        return sigma * sigma - (smoothing_width(lambda_) if self.smoothed else 0)

    def smoothing(self, coordinates: int, lambda_: int) -> Fraction:
        """How far so many figures are from post-processed ones of that mechanism: about 2^-(lambda+5) each."""
        eta = smoothing_error(smoothing_width(lambda_)) if self.smoothed else Fraction(0)
        return coordinates * eta / (1 - eta)


DISCRETE = Family(discrete_gaussian_law, True)
ROUNDED = Family(rounded_gaussian_law, False)


def by_table(sigma: Fraction, change: Change) -> bool:
    """Whether this is accounted by the table."""
    return not change.spread and len(change.columns) == 1 and change.l1 <= _TABLE_SHIFT and sigma <= _TABLE_SIGMA


def continuous_delta(family: Family, sigma: Fraction, epsilon: Fraction, change: Change, coordinates: int) -> Fraction:
    """At most the delta, by the continuous mechanism that this one is like; 1 where there is none.

    It holds for every r; the least is given. The larger r, the smaller the mechanism's variance, and the closer it is.
    """
    least = Fraction(1)
    for lambda_ in LAMBDAS if family.smoothed else LAMBDAS[:1]:
        variance = family.variance(sigma, lambda_)
        if variance > 0:
            away = (1 + exp_above(epsilon)) * family.smoothing(coordinates, lambda_)
            least = min(least, gaussian_delta(epsilon, change.l2_squared / variance) + away)
    return least


def ideal_delta(family: Family, sigma: Fraction, epsilon: Fraction, change: Change, coordinates: int) -> Fraction:
    """At most the delta at epsilon of a release with the ideal law; 1 where this account cannot tell."""
    if by_table(sigma, change):
        return _table_delta(family, sigma, epsilon, change.l1)
    return continuous_delta(family, sigma, epsilon, change, coordinates)


def _table_delta(family: Family, sigma: Fraction, epsilon: Fraction, shift: int) -> Fraction:
    """P(X >= t) - e^epsilon P(X >= t + shift) at the t where it is largest, in 60 digits, rounded up.

    The likelihood ratio of a log-concave law rises, so the worst event is a half line.
    """
    with mpmath.workdps(DIGITS):
        growth = mpmath.exp(as_mpf(epsilon))
        weights = _weights(family, sigma, shift)
        half = len(weights) // 2  # weights of -half, ..., half
        above = mpmath.mpf(0)
        for x in range(half, -half - 1, -1):
            p, q = weights[x + half], weights[x + shift + half] if x + shift <= half else mpmath.mpf(0)
            if p <= growth * q:
                break
            above += p - growth * q
        return fraction_above(above)


@functools.lru_cache(64)
def _weights(family: Family, sigma: Fraction, shift: int) -> list[mpmath.mpf]:
    """Probabilities of -h, ..., h, where what lies outside weighs below 2^-100."""
    h = math.ceil(12 * sigma) + shift + 2
    s = as_mpf(sigma)
    if family.smoothed:
        side = [mpmath.exp(-mpmath.mpf(x * x) / (2 * s * s)) for x in range(h + 1)]
    else:
        ends = [mpmath.ncdf(-(mpmath.mpf(x) - mpmath.mpf("0.5")) / s) for x in range(h + 2)]
        side = [a - b for a, b in itertools.pairwise(ends)]
    total = side[0] + 2 * mpmath.fsum(side[1:])
    return [w / total for w in (*reversed(side[1:]), *side)]


@functools.lru_cache(256)
def sigma_for(family: Family, epsilon: Fraction, delta: Fraction, change: Change, coordinates: int) -> Fraction:
    """The least sigma in steps of the grid, to one part in 4,096, that keeps epsilon and delta; at least 1/2.

    Raises GridOverflow where it would be too large for any grid.
    """

    def enough(sigma: Fraction) -> bool:
        return ideal_delta(family, sigma, epsilon, change, coordinates) <= delta - _MARGIN

    high = Fraction(1, 2)
    while not enough(high):
        high *= 2
        if high > 1 << 61:
            raise GridOverflow(
                f"epsilon {float(epsilon):g} with delta {float(delta):.3g} needs noise beyond the grid: use a larger "
                "epsilon, tighter clipping, or fewer fractional bits"
            )
    if high == Fraction(1, 2):
        return high
    low, step = high / 2, high / (1 << _RESOLUTION + 1)
    while high - low > step:
        middle = (low + high) / 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


@functools.lru_cache(256)
def epsilon_of(family: Family, sigma: Fraction, delta: Fraction, change: Change, coordinates: int) -> Fraction:
    """The least epsilon, a multiple of 2^-20, that this sigma keeps at delta; EpsilonInvalid above 16."""

    def enough(steps: int) -> bool:
        exact = Fraction(steps, 1 << _EPSILON_BITS)
        return ideal_delta(family, sigma, exact, change, coordinates) <= delta - _MARGIN

    low, high = 0, 16 << _EPSILON_BITS
    if not enough(high):
        raise EpsilonInvalid(
            f"sigma of {float(sigma):g} steps of the grid protects too little: epsilon would be above 16 at delta "
            f"{float(delta):.3g}; use a larger sigma"
        )
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return Fraction(high, 1 << _EPSILON_BITS)
