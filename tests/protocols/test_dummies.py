"""The law of the dummies: its delta by brute force, its size the least, its draws as it says."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from mpc.errors import OutOfRange
from protocols.dummies import _law, dummies_for
from protocols.errors import DeltaInvalid, EpsilonInvalid

CASES = [(1.0, 1e-6), (0.1, 1e-6), (2.0, 1e-3), (0.5, 1e-9), (8.0, 0.01)]


@pytest.mark.parametrize(("epsilon", "delta"), CASES)
def test_one_person_more_or_less_stays_within_epsilon_and_delta(epsilon: float, delta: float) -> None:
    law = dummies_for(epsilon, delta)
    p = [Fraction(n, 1 << law.pmf.bits) for n in law.pmf.numerators]
    assert len(p) == law.size + 1
    assert sum(p) == 1
    growth = Fraction(math.exp(epsilon))
    for one, other in (([*p, 0], [0, *p]), ([0, *p], [*p, 0])):
        lost = sum(max(Fraction(0), a - growth * b) for a, b in zip(one, other, strict=True))
        assert lost <= Fraction(delta) * (1 + Fraction(1, 10**9))
        assert lost <= law.delta * (1 + Fraction(1, 10**9))


@pytest.mark.parametrize(("epsilon", "delta"), CASES)
def test_no_fewer_would_do(epsilon: float, delta: float) -> None:
    law = dummies_for(epsilon, delta)
    assert law.size == 2 or _law(Fraction(epsilon), law.size // 2 - 1).delta > Fraction(delta)


def test_draws_follow_the_law() -> None:
    law = dummies_for(1.0, 1e-3)
    rng = np.random.default_rng(1)
    words = rng.integers(0, 1 << 64, (20_000, 2), np.uint64).tolist()
    counts = np.bincount([law.draw(a | b << 64) for a, b in words], minlength=law.size + 1)
    expected = np.array([n / (1 << law.pmf.bits) for n in law.pmf.numerators]) * len(words)
    assert stats.chisquare(counts, expected).pvalue > 1e-4
    assert law.draw(0) == 0
    assert law.draw((1 << 128) - 1) == law.size


def test_bad_promises_are_refused() -> None:
    with pytest.raises(EpsilonInvalid):
        dummies_for(0.0, 1e-6)
    with pytest.raises(DeltaInvalid):
        dummies_for(1.0, 0.0)
    with pytest.raises(OutOfRange, match="take a larger epsilon"):
        dummies_for(1e-7, 1e-9)
