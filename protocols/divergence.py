"""Hockey-stick divergences: by how much a probability can change beyond a factor e^epsilon. Pure.

H(P, Q) = sum over x of max(0, P(x) - e^epsilon Q(x)). A mechanism is (epsilon, delta)-private just where it is at most
delta for the laws of its output on every two neighbouring data sets, either way round.
"""

from __future__ import annotations

import functools
from fractions import Fraction

import mpmath

from protocols.exact import DIGITS, as_mpf, exp_above, exp_below, fraction_above
from protocols.law import Pmf

__all__ = ["gaussian_delta", "hockey_stick", "smoothing_error", "worst_hockey_stick"]


def hockey_stick(pmf: Pmf, epsilon: Fraction, shift: int) -> Fraction:
    """H of X + shift from X and of X from X + shift, the larger. Never too small: e^epsilon is rounded down, by 2^-254.

    Exact in integers otherwise.
    """
    growth, scale = exp_below(epsilon)
    numbers = pmf.numerators
    size = len(numbers)

    def excess(s: int) -> int:
        total = 0
        for x in range(size):
            other = numbers[x - s] if 0 <= x - s < size else 0
            total += max(0, (numbers[x] << scale) - growth * other)
        return total

    forward = excess(shift)
    both = forward if numbers == numbers[::-1] else max(forward, excess(-shift))
    return Fraction(both, 1 << pmf.bits + scale)


def worst_hockey_stick(pmf: Pmf, epsilon: Fraction, shift: int, distance: Fraction) -> Fraction:
    """At most the divergence for any shift from 1 to this one, of a law this far from a log-concave one.

    For a log-concave law the likelihood ratio rises, so the worst event is a half line {X >= t}, and the chance that
    X + s >= t rises with s: the largest shift is worst. Against that law the sampled one is off by its distance on
    either side, there and back.
    """
    return hockey_stick(pmf, epsilon, shift) + (2 * (1 + exp_above(epsilon)) * distance if shift > 1 else 0)


def gaussian_delta(epsilon: Fraction, ratio_squared: Fraction) -> Fraction:
    """delta of the continuous Gaussian mechanism, (sensitivity / sigma)^2 = ratio_squared, rounded up.

    Balle and Wang, Improving the Gaussian Mechanism, ICML 2018, theorem 8:
    delta = Phi(r/2 - epsilon/r) - e^epsilon Phi(-r/2 - epsilon/r). In 60 digits, the same on every machine.
    """
    with mpmath.workdps(DIGITS):
        r = mpmath.sqrt(as_mpf(ratio_squared))
        eps = as_mpf(epsilon)
        first = mpmath.ncdf(r / 2 - eps / r)
        delta = first - mpmath.exp(eps) * mpmath.ncdf(-r / 2 - eps / r)
        return fraction_above(delta + first * mpmath.mpf(10) ** (15 - DIGITS))


@functools.lru_cache(256)
def smoothing_error(width_squared: Fraction) -> Fraction:
    """At least eta = 2 sum over k >= 1 of e^(-2 pi^2 k^2 r^2), r^2 = width_squared >= 1/2.

    By Poisson's summation formula sum over integers x of e^(-(x-c)^2 / (2 r^2)) lies within r sqrt(2 pi) (1 +- eta),
    whatever c is.
    """
    with mpmath.workdps(DIGITS):
        first = 2 * mpmath.exp(-2 * mpmath.pi**2 * as_mpf(width_squared))
        return fraction_above(first * mpmath.mpf("1.001"))  # the further terms are below first^4
