"""What every law of noise has: its exact probabilities, its spread, its distance from the ideal. Pure.

A sampler flips coins of finite precision, so what it samples is not quite the law in the textbook. A :class:`Law` is
the law as it is sampled, in integers, and says how far that is from the ideal.
"""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from fractions import Fraction

__all__ = ["Law", "Pmf"]


@dataclass(frozen=True)
class Pmf:
    """Exact probabilities on consecutive integers: P(X = low + i) = numerators[i] / 2^bits, and 0 elsewhere."""

    low: int
    numerators: tuple[int, ...]
    bits: int

    def variance(self) -> Fraction:
        """E[X^2]: the mean of noise is not the account's matter, its square counts as error."""
        return Fraction(sum(n * (self.low + i) ** 2 for i, n in enumerate(self.numerators)), 1 << self.bits)


class Law(ABC):
    """The law of one coordinate of noise, on whole steps of a grid.

    Attributes (of every subclass):
        distance: how far in total variation it is from the ideal law, at most.
    """

    distance: Fraction

    @property
    @abstractmethod
    def reach(self) -> int:
        """The largest |X|."""

    @property
    @abstractmethod
    def variance(self) -> Fraction:
        """E[X^2], exact."""

    @abstractmethod
    def tail(self, h: int) -> float:
        """P(|X| > h), h >= 0, to float precision."""

    @abstractmethod
    def pmf(self) -> Pmf | None:
        """The exact probabilities, or None where there are too many values to list."""

    @abstractmethod
    def coins(self) -> tuple[int, ...]:
        """All the public numbers that the sampler takes: laws that agree in them are sampled alike."""

    @property
    def standard_deviation(self) -> float:
        """Square root of the variance, in steps of the grid."""
        return math.sqrt(self.variance)

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

    def digest(self) -> str:
        """A fingerprint of what is sampled, equal at all parties or they would sample different laws."""
        text = f"{type(self).__name__}:{','.join(map(str, self.coins()))}"
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
