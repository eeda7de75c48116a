"""How many rows match, hidden from the helper of a join: a random number of rows that match for no reason. Pure.

Both owners add as many rows, a public number. A secret number T of them, which both know and the helper does not, have
keys in common. The helper counts the real matches and T: a count with noise, which one person changes by one.
"""

from __future__ import annotations

import bisect
import functools
import itertools
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import mpmath

from mpc.errors import OutOfRange
from protocols.divergence import hockey_stick
from protocols.exact import DIGITS, as_mpf, check_delta, check_epsilon
from protocols.law import Pmf

__all__ = ["Dummies", "dummies_for"]

_BITS = 128
_MOST = 1 << 20


@dataclass(frozen=True)
class Dummies:
    """The law of T: a geometric law to both sides of the middle, cut at 0 and at ``size``.

    Attributes:
        size: how many rows each owner adds, public.
        pmf: the exact law, in 128 bits.
        delta: exact, with that law and the epsilon asked for.
    """

    size: int
    pmf: Pmf
    delta: Fraction

    def draw(self, uniform: int) -> int:
        """T for a uniform number of 128 bits, by inversion."""
        return bisect.bisect_right(_cumulative(self.pmf), uniform)


@functools.lru_cache(64)
def _cumulative(pmf: Pmf) -> list[int]:
    return list(itertools.accumulate(pmf.numerators))


@functools.lru_cache(64)
def dummies_for(epsilon: Any, delta: Any) -> Dummies:
    """The fewest dummies with which the helper's count is (epsilon, delta)-private for one person.

    P(T = s + k) is in proportion to e^(-epsilon |k|), |k| <= s; moved by one it differs by a factor of e^epsilon inside
    and by P(T = 0) at the ends. The law as it is drawn is checked by its exact divergence.
    Raises EpsilonInvalid, DeltaInvalid, OutOfRange (more than 2^20 dummies).
    """
    exact, allowed = check_epsilon(epsilon), check_delta(delta)
    with mpmath.workdps(DIGITS):
        alpha, most = mpmath.exp(-as_mpf(exact)), as_mpf(allowed)
        half = bisect.bisect_left(
            range(_MOST), True, lo=1, key=lambda s: alpha**s * (1 - alpha) <= most * (1 + alpha - 2 * alpha ** (s + 1))
        )
    if half > _MOST // 2:
        raise OutOfRange(f"pad=({epsilon!r}, {delta!r}): more than {_MOST} dummies; take a larger epsilon")
    while _law(exact, half).delta > allowed:  # what rounding adds
        half += 1
    return _law(exact, half)


@functools.lru_cache(256)
def _law(epsilon: Fraction, half: int) -> Dummies:
    with mpmath.workdps(DIGITS):
        side = [mpmath.exp(-as_mpf(epsilon) * k) for k in range(half + 1)]
        unit = mpmath.ldexp(1, _BITS) / (2 * mpmath.fsum(side) - 1)
        tail = [int(mpmath.floor(unit * w)) for w in side[1:]]
    middle = (1 << _BITS) - 2 * sum(tail)  # what rounding left over
    pmf = Pmf(0, (*reversed(tail), middle, *tail), _BITS)
    return Dummies(2 * half, pmf, hockey_stick(pmf, epsilon, 1))
