"""Discrete and rounded Gaussian laws: small ones from a table, large ones as sums of small ones. Pure.

Discrete: P(x) proportional to e^(-x^2 / (2 sigma^2)) on the integers (Canonne, Kamath, Steinke, The Discrete Gaussian
for Differential Privacy, NeurIPS 2020). Rounded: a normal variable rounded to the next integer; for whole shifts it
is the Gaussian mechanism with its output rounded, so its account is exactly that one's.

Sums. For independent x1, x2 of the discrete law with sigma', x1 + m x2 has sigma = sigma' sqrt(1 + m^2), and
    P(x1 + m x2 = s) = Z'^-2 e^(-s^2 / (2 sigma^2)) * sum over x of e^(-(x - c)^2 / (2 r^2)),
with r = sigma' / sqrt(1 + m^2) and a c that depends on s (complete the square in x2). By Poisson's summation formula
the sum over x is the same for every c but for a factor 1 +- eta, eta = divergence.smoothing_error(r^2). So the law of
the sum is discrete Gaussian but for a relative error (1 + eta) / (1 - eta), and within eta / (1 - eta) of it in total
variation. (Micciancio and Walter, Gaussian Sampling over the Integers, Crypto 2017, section 3, has the general case.)
"""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import dataclass
from fractions import Fraction

import mpmath

from protocols.divergence import smoothing_error
from protocols.errors import GridOverflow, SigmaInvalid
from protocols.exact import DIGITS, as_exact, as_mpf
from protocols.law import Law, Pmf
from protocols.table import TableLaw, tabulate

__all__ = ["SumLaw", "check_sigma", "discrete_gaussian_law", "rounded_gaussian_law", "smoothing_width"]

_DISCRETE_TABLE = 10
_ROUNDED_TABLE = 12
_NOISE_BITS = 61


@dataclass(frozen=True)
class SumLaw(Law):
    """The law of sum w_i X_i over independent X_i of one table.

    Attributes:
        base: the table.
        weights: w_i, whole numbers from 1.
        sigma: of the ideal law.
        distance: how far in total variation this is from the ideal law, at most.
    """

    base: TableLaw
    weights: tuple[int, ...]
    sigma: Fraction
    distance: Fraction

    @property
    def reach(self) -> int:
        """The largest |X|."""
        return self.base.reach * sum(self.weights)

    @property
    def variance(self) -> Fraction:
        """E[X^2], exact."""
        pmf = self.base.pmf()
        mean = Fraction(sum(n * (pmf.low + i) for i, n in enumerate(pmf.numerators)), 1 << pmf.bits)
        spread = self.base.variance - mean * mean
        return spread * sum(w * w for w in self.weights) + (mean * sum(self.weights)) ** 2

    def tail(self, h: int) -> float:
        """P(|X| > h): that of a normal variable rounded, right to a part in 24 sigma^2."""
        return math.erfc((h + 0.5) / (float(self.sigma) * math.sqrt(2)))

    def pmf(self) -> Pmf | None:
        """None: too many values to list."""
        return None

    def coins(self) -> tuple[int, ...]:
        """Those of the table, and the weights."""
        return (*self.base.coins(), *self.weights)


def smoothing_width(lambda_: int) -> Fraction:
    """The least r^2 (rounded up) with smoothing_error(r^2) below 2^-(lambda+4)."""
    return Fraction(math.ceil((lambda_ + 6) * math.log(2) / (2 * math.pi**2) * 256), 256)


def check_sigma(sigma: float | Fraction) -> Fraction:
    """Sigma in steps of the grid as the exact number it is, or SigmaInvalid (below 1/2, NaN, infinite)."""
    exact = as_exact(sigma)
    if exact is None or exact < Fraction(1, 2):
        raise SigmaInvalid(
            f"sigma {sigma!r} steps of the grid: a number from 1/2; for less noise use more fractional bits"
        )
    return exact


@functools.lru_cache(256, typed=True)
def discrete_gaussian_law(sigma: float | Fraction, lambda_: int = 40) -> TableLaw | SumLaw:
    """The discrete Gaussian law with parameter sigma, in steps of the grid; its distance is below 2^-lambda.

    Raises SigmaInvalid; GridOverflow where noise above 2^61 steps would be possible.
    """
    wanted = check_sigma(sigma)
    weights: tuple[int, ...] = (1,)
    errors = Fraction(0)
    squared = wanted * wanted
    width = smoothing_width(lambda_)
    while _table_size(_root(squared), lambda_) > _DISCRETE_TABLE:
        # sigma' >= r sqrt(1 + m^2), and sigma' = sigma / sqrt(1 + m^2): the largest m has 1 + m^2 <= sigma / r
        m = math.isqrt(math.floor(_root(squared / width)) - 1)
        squared /= 1 + m * m
        eta = smoothing_error(squared / (1 + m * m))
        errors += eta / (1 - eta) * len(weights)
        weights = tuple(w * f for w in weights for f in (1, m))
        if sum(weights) << _DISCRETE_TABLE - 1 > 1 << _NOISE_BITS:
            raise GridOverflow(
                f"sigma of {float(wanted):.4g} steps needs noise above 2^{_NOISE_BITS}: use a larger epsilon, tighter "
                "clipping, or fewer fractional bits"
            )
    base = _discrete_table(squared, lambda_ + len(weights).bit_length())
    if len(weights) == 1:
        return base
    return SumLaw(base, weights, wanted, len(weights) * base.distance + errors)


@functools.lru_cache(256, typed=True)
def rounded_gaussian_law(sigma: float | Fraction, lambda_: int = 40) -> TableLaw:
    """The law of round(N(0, sigma^2)), in steps of the grid; its distance is below 2^-lambda.

    Raises SigmaInvalid; GridOverflow above 2^12 values, so about sigma = 270 (a sum of rounded ones is no rounded one).
    """
    wanted = check_sigma(sigma)
    size = _table_size(float(wanted), lambda_)
    if size > _ROUNDED_TABLE:
        raise GridOverflow(
            f"sigma of {float(wanted):.4g} steps needs a table of 2^{size} values, at most 2^{_ROUNDED_TABLE}: use "
            "DiscreteGaussian, which has no such limit, or fewer fractional bits"
        )
    half = 1 << size - 1
    with mpmath.workdps(DIGITS):
        s = as_mpf(wanted)
        ends = [mpmath.ncdf((mpmath.mpf(x) - mpmath.mpf("0.5")) / s) for x in range(-half, 1)]
        lower = [b - a for a, b in itertools.pairwise(ends)]  # of -half, ..., -1
        centre = 1 - 2 * ends[-1]
        weights = [*lower, centre, *reversed(lower[1:])]
        return tabulate(-half, weights, 2 * mpmath.ncdf((mpmath.mpf("0.5") - half) / s), lambda_ + 1)


def _root(x: Fraction) -> float:
    return math.sqrt(x)  # decides on sizes only, never on a probability


def _table_size(sigma: float, lambda_: int) -> int:
    """K with a mass below 2^-(lambda+3) outside of -2^(K-1) .. 2^(K-1) - 1."""
    half = sigma * math.sqrt(2 * math.log(2) * (lambda_ + 4)) + 1
    return max(1, math.ceil(math.log2(half))) + 1


@functools.lru_cache(256)
def _discrete_table(squared: Fraction, lambda_: int) -> TableLaw:
    half = 1 << _table_size(_root(squared), lambda_) - 1
    with mpmath.workdps(DIGITS):
        rate = as_mpf(1 / (2 * squared))
        side = [mpmath.exp(-rate * x * x) for x in range(half + 1)]
        weights = [side[abs(x)] for x in range(-half, half)]
        # outside: half and more on one side, half + 1 and more on the other; ratios fall, so below geometric series
        ratio = mpmath.exp(-rate * (2 * half + 1))
        cut = 2 * side[half] / (1 - ratio) / mpmath.fsum(weights)
        return tabulate(-half, weights, cut, lambda_ + 1)
