"""The centred binomial law: N fair coins minus N/2, sampled exactly; and how many coins a privacy level takes. Pure.

Dwork, Kenthapadi, McSherry, Mironov, Naor, Our Data, Ourselves, Eurocrypt 2006, section 5, with N from the exact
divergence in place of its bound.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from fractions import Fraction

from protocols.divergence import hockey_stick
from protocols.errors import MechanismUnfit
from protocols.exact import check_delta, check_epsilon
from protocols.law import Law, Pmf

__all__ = ["BinomialLaw", "binomial_law"]

_MOST = 1 << 13


@dataclass(frozen=True)
class BinomialLaw(Law):
    """N fair coins minus N/2, N even. It is sampled as it is: the distance from the ideal is 0."""

    flips: int
    distance: Fraction = Fraction(0)

    @property
    def reach(self) -> int:
        """The largest |X|."""
        return self.flips // 2

    @property
    def variance(self) -> Fraction:
        """N / 4."""
        return Fraction(self.flips, 4)

    def tail(self, h: int) -> float:
        """P(|X| > h)."""
        pmf = self.pmf()
        return float(Fraction(2 * sum(pmf.numerators[: max(0, self.reach - h)]), 1 << self.flips))

    def pmf(self) -> Pmf:
        """Exact: binomial coefficients over 2^N."""
        return _coefficients(self.flips)

    def coins(self) -> tuple[int, ...]:
        """N."""
        return (self.flips,)


@functools.lru_cache(64)
def _coefficients(n: int) -> Pmf:
    row = [1]
    for x in range(n):
        row.append(row[-1] * (n - x) // (x + 1))
    return Pmf(-(n // 2), tuple(row), n)


@functools.lru_cache(256, typed=True)
def binomial_law(epsilon: float | Fraction, delta: float | Fraction, shift: int) -> BinomialLaw:
    """The least even N with a divergence of at most delta at epsilon, for a change of one figure by ``shift`` steps.

    Raises EpsilonInvalid, DeltaInvalid; MechanismUnfit above 8,192 coins.
    """
    exact, most = check_epsilon(epsilon), check_delta(delta)

    def enough(n: int) -> bool:
        return hockey_stick(_coefficients(n), exact, shift) <= most

    high = 2
    while not enough(high):
        high *= 2
        if high > _MOST:
            raise _too_many(epsilon, delta, shift)
    low = high // 2  # not enough, or 1
    while high - low > 2:
        middle = (low + high) // 4 * 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return BinomialLaw(high)


def _too_many(epsilon: float | Fraction, delta: float | Fraction, shift: int) -> MechanismUnfit:
    return MechanismUnfit(
        f"binomial noise for epsilon {float(epsilon):g}, delta {float(delta):.3g} and a change of {shift} steps takes "
        f"more than {_MOST} coins a figure: use DiscreteGaussian, which takes a few thousand gates whatever its spread"
    )
