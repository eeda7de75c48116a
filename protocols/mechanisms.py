"""The kinds of noise one can ask for, as frozen values: what is promised, and the law that keeps the promise. Pure.

A mechanism says what is wanted; with what a person can change (sensitivity.Change) and the number of figures it has
one law, which every node finds for itself, in exact arithmetic, to the same integers.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Self

from protocols.binomial import binomial_law
from protocols.calibration import DISCRETE, ROUNDED, Family, by_table, continuous_delta, epsilon_of, sigma_for
from protocols.divergence import worst_hockey_stick
from protocols.errors import EpsilonInvalid, MechanismUnfit, SigmaInvalid
from protocols.exact import as_exact, check_delta, check_epsilon, exp_above, round_down, round_up
from protocols.gaussian import check_sigma
from protocols.laplace import laplace_law
from protocols.law import Law
from protocols.sensitivity import Change

__all__ = ["Binomial", "DiscreteGaussian", "DiscreteLaplace", "Mechanism", "RoundedGaussian", "security_for"]


class Mechanism(ABC):
    """A kind of noise and how much it must protect. Frozen: it can be stored, compared, and composed later."""

    @abstractmethod
    def law(self, change: Change, coordinates: int = 1, frac: int = 0) -> Law:
        """The law of the noise on each of so many figures with so many fractional bits.

        Raises GridOverflow, MechanismUnfit where there is none, or none at a bearable price.
        """

    @abstractmethod
    def promise(self, change: Change, coordinates: int = 1, frac: int = 0) -> tuple[Fraction, Fraction]:
        """(epsilon, delta) that a release with this noise keeps, but for a slack of 2^-40 for finite precision."""

    @abstractmethod
    def delta_at(self, law: Law, change: Change, coordinates: int, frac: int, epsilon: Fraction) -> Fraction:
        """At most the delta at this epsilon of a release with noise of this law, as it is sampled.

        ``epsilon`` is not below the promised one (Laplace noise says nothing below it).
        """

    @abstractmethod
    def split(self, parts: int) -> Mechanism:
        """The same kind of noise for each of so many releases that together cost what this one does, by their sum."""


def security_for(epsilon: float | Fraction, coordinates: int) -> int:
    """The lambda with which so many coordinates of noise, each within 2^-(lambda+1), together cost below 2^-40.

    (1 + e^epsilon) times the number of coordinates times that is what they cost in delta.
    """
    factor = coordinates * (1.0 + math.exp(float(epsilon)))
    return 40 + max(0, math.ceil(math.log2(factor)) - 1)


def _part(whole: float, parts: int) -> float:
    return round_down(Fraction(whole) / parts)


@dataclass(frozen=True)
class DiscreteLaplace(Mechanism):
    """Discrete Laplace noise: pure epsilon. The choice for a few figures that a person changes by little.

    Standard deviation: about 1.41 sensitivity / epsilon, where sensitivity is the sum of what all figures change by.
    """

    epsilon: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "epsilon", round_down(check_epsilon(self.epsilon)))

    def law(self, change: Change, coordinates: int = 1, frac: int = 0) -> Law:
        """laplace.LaplaceLaw of scale L1 / epsilon."""
        return laplace_law(self.epsilon, change.l1, security_for(self.epsilon, max(1, coordinates)))

    def promise(self, change: Change, coordinates: int = 1, frac: int = 0) -> tuple[Fraction, Fraction]:
        """(epsilon, 0)."""
        return Fraction(self.epsilon), Fraction(0)

    def delta_at(self, law: Law, change: Change, coordinates: int, frac: int, epsilon: Fraction) -> Fraction:
        """The ideal law has none: (1 + e^epsilon) times the distance from it; exact where it is one count's."""
        bound = (1 + exp_above(Fraction(self.epsilon))) * coordinates * law.distance  # no more at a larger epsilon
        pmf = law.pmf() if change.l1 == 1 else None
        return bound if pmf is None else min(bound, worst_hockey_stick(pmf, epsilon, 1, law.distance))

    def split(self, parts: int) -> DiscreteLaplace:
        """epsilon / parts each."""
        return DiscreteLaplace(_part(self.epsilon, parts))


@dataclass(frozen=True)
class Binomial(Mechanism):
    """Fair coins, counted: exact whatever the precision. For single counts: the coins grow as sensitivity squared."""

    epsilon: float
    delta: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "epsilon", round_down(check_epsilon(self.epsilon)))
        object.__setattr__(self, "delta", round_down(check_delta(self.delta)))

    def law(self, change: Change, coordinates: int = 1, frac: int = 0) -> Law:
        """binomial.BinomialLaw with the fewest coins.

        Raises MechanismUnfit where a person changes several figures: what the largest divergence then is, is not known.
        """
        if change.spread or len(change.columns) > 1:
            raise MechanismUnfit(
                "binomial noise is for figures of which a person changes one: use DiscreteGaussian or DiscreteLaplace"
            )
        return binomial_law(self.epsilon, self.delta, change.l1)

    def promise(self, change: Change, coordinates: int = 1, frac: int = 0) -> tuple[Fraction, Fraction]:
        """(epsilon, delta)."""
        return Fraction(self.epsilon), Fraction(self.delta)

    def delta_at(self, law: Law, change: Change, coordinates: int, frac: int, epsilon: Fraction) -> Fraction:
        """Exact."""
        pmf = law.pmf()
        assert pmf is not None
        return worst_hockey_stick(pmf, epsilon, change.l1, law.distance)

    def split(self, parts: int) -> Binomial:
        """epsilon / parts and delta / parts each."""
        return Binomial(_part(self.epsilon, parts), _part(self.delta, parts))


@dataclass(frozen=True)
class _Gaussian(Mechanism):
    """What the two Gaussians have in common; ``family`` tells them apart."""

    family: ClassVar[Family]

    epsilon: float | None = None
    delta: float = 1e-9
    sigma: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "delta", round_down(check_delta(self.delta)))
        if (self.epsilon is None) == (self.sigma is None):
            raise EpsilonInvalid(f"{self!r}: give epsilon, or sigma=, one of them")
        if self.sigma is not None:
            sigma = as_exact(self.sigma)
            if sigma is None or sigma <= 0:
                raise SigmaInvalid(f"sigma {self.sigma!r}: a number above 0, in the figures' unit")
            object.__setattr__(self, "sigma", round_up(sigma))
            return
        epsilon = check_epsilon(self.epsilon)
        if epsilon > 16:
            raise EpsilonInvalid(f"epsilon {self.epsilon!r}: at most 16 for Gaussian noise; usual are 0.01 to 10")
        object.__setattr__(self, "epsilon", round_down(epsilon))

    def sigma_steps(self, change: Change, coordinates: int = 1, frac: int = 0) -> Fraction:
        """The parameter in steps of the grid: the one given, or the least that keeps epsilon and delta."""
        if self.sigma is not None:
            return check_sigma(Fraction(self.sigma) * (1 << frac))
        return sigma_for(self.family, check_epsilon(self.epsilon), Fraction(self.delta), change, coordinates)

    def law(self, change: Change, coordinates: int = 1, frac: int = 0) -> Law:
        """table.TableLaw or gaussian.SumLaw of :meth:`sigma_steps`."""
        epsilon, _ = self.promise(change, coordinates, frac)
        sigma = self.sigma_steps(change, coordinates, frac)
        return self.family.law(sigma, security_for(epsilon, max(1, coordinates)) + 3)

    def promise(self, change: Change, coordinates: int = 1, frac: int = 0) -> tuple[Fraction, Fraction]:
        """(epsilon, delta); with sigma given, the least epsilon at that delta, rounded up to a multiple of 2^-20."""
        if self.sigma is None:
            return check_epsilon(self.epsilon), Fraction(self.delta)
        sigma = self.sigma_steps(change, coordinates, frac)
        return epsilon_of(self.family, sigma, Fraction(self.delta), change, coordinates), Fraction(self.delta)

    def delta_at(self, law: Law, change: Change, coordinates: int, frac: int, epsilon: Fraction) -> Fraction:
        """Where one figure changes and the law has few values, the exact divergence of what is sampled.

        Else that of the continuous mechanism (calibration.continuous_delta), and what the sampled law is off.
        """
        pmf, sigma = law.pmf(), self.sigma_steps(change, coordinates, frac)
        if pmf is not None and by_table(sigma, change):
            return worst_hockey_stick(pmf, epsilon, change.l1, law.distance)
        ideal = continuous_delta(self.family, sigma, epsilon, change, coordinates)
        return ideal + (1 + exp_above(epsilon)) * coordinates * law.distance

    def split(self, parts: int) -> Self:
        """epsilon / parts and delta / parts each; MechanismUnfit where sigma was given, which fits one unit only."""
        if self.epsilon is None:
            raise MechanismUnfit(f"{self!r}: give epsilon, not sigma, for figures of several units")
        return type(self)(_part(self.epsilon, parts), _part(self.delta, parts))


@dataclass(frozen=True)
class DiscreteGaussian(_Gaussian):
    """Discrete Gaussian noise: (epsilon, delta). The choice for many figures: it grows with the root of their number.

    Attributes:
        epsilon: at most 16; or None, with ``sigma``.
        delta: from 2^-40; less than 1 over the number of people.
        sigma: the parameter, nearly the standard deviation, in the figures' unit.
    """

    family: ClassVar[Family] = DISCRETE


@dataclass(frozen=True)
class RoundedGaussian(_Gaussian):
    """Normal noise rounded to the grid: the Gaussian mechanism's own account. For sigma below about 270 steps.

    Attributes: as DiscreteGaussian.
    """

    family: ClassVar[Family] = ROUNDED
