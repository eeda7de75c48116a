"""Any law on 2^K consecutive integers as its bit-by-bit sampler realises it: the table of its CDF tree. Pure.

The index of a value is drawn most significant bit first. Given the bits so far, a prefix, the next one is 1 with
probability T / 2^l, where T is that prefix's threshold: the mass of the upper half of what is left, over all of it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import mpmath

from protocols.exact import DIGITS, fraction_above
from protocols.law import Law, Pmf

__all__ = ["TableLaw", "tabulate"]


@dataclass(frozen=True)
class TableLaw(Law):
    """A law sampled from a table.

    Attributes:
        low: the least value.
        precision: l.
        thresholds: for each of the K levels those of its prefixes, 2^level of them.
        distance: how far in total variation this is from the ideal law, at most.
    """

    low: int
    precision: int
    thresholds: tuple[tuple[int, ...], ...]
    distance: Fraction

    @property
    def size(self) -> int:
        """K: the values are low, ..., low + 2^K - 1."""
        return len(self.thresholds)

    @property
    def reach(self) -> int:
        """The largest |X|."""
        return max(-self.low, self.low + (1 << self.size) - 1)

    @property
    def variance(self) -> Fraction:
        """E[X^2], exact."""
        return self.pmf().variance()

    def pmf(self) -> Pmf:
        """Exact: the products of the coins' chances along each path."""
        return _exact(self)

    def tail(self, h: int) -> float:
        """P(|X| > h), from the table."""
        pmf = self.pmf()
        return math.fsum(n / (1 << pmf.bits) for i, n in enumerate(pmf.numerators) if abs(pmf.low + i) > h)

    def coins(self) -> tuple[int, ...]:
        """Place, precision and thresholds."""
        return (self.low, self.precision, *(t for level in self.thresholds for t in level))


@functools.lru_cache(64)
def _exact(law: TableLaw) -> Pmf:
    one = 1 << law.precision
    values = [1]
    for level in law.thresholds:
        values = [v * c for v, t in zip(values, level, strict=True) for c in (one - t, t)]
    return Pmf(law.low, tuple(values), law.precision * law.size)


def tabulate(low: int, weights: Sequence[mpmath.mpf], cut: mpmath.mpf, lambda_: int) -> TableLaw:
    """The table of a law with these weights on low, low + 1, ...; their number is a power of two.

    Args:
        weights: in any unit.
        cut: at least the mass of the ideal law that lies outside, of a total of 1.
        lambda_: the rounding of the thresholds adds at most 2^-(lambda+1) to the distance: one coin is off by at most
            2^-(l+1), K coins are drawn a sample, and l = lambda + ceil(log2 K).
    """
    size = len(weights).bit_length() - 1
    assert len(weights) == 1 << size >= 2
    precision = lambda_ + math.ceil(math.log2(size))
    most = (1 << precision) - 1
    with mpmath.workdps(DIGITS):
        sums = [list(weights)]
        while len(sums[-1]) > 1:
            last = sums[-1]
            sums.append([last[i] + last[i + 1] for i in range(0, len(last), 2)])
        levels = []
        for masses in reversed(sums[:-1]):
            pairs = zip(masses[0::2], masses[1::2], strict=True)
            levels.append(tuple(min(int(mpmath.nint(mpmath.ldexp(b / (a + b), precision))), most) for a, b in pairs))
        law = TableLaw(low, precision, tuple(levels), Fraction(0))
        pmf, total = law.pmf(), sums[-1][0]
        off = mpmath.fsum(
            abs(mpmath.ldexp(mpmath.mpf(n), -pmf.bits) - w / total)
            for n, w in zip(pmf.numerators, weights, strict=True)
        )
        distance = fraction_above(off / 2 + cut + mpmath.mpf(10) ** (10 - DIGITS))
    return TableLaw(low, precision, tuple(levels), distance)
