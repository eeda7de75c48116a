"""The binomial law, and how many coins it takes."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pytest
from scipy import stats

from protocols.binomial import BinomialLaw, binomial_law
from protocols.divergence import hockey_stick
from protocols.errors import DeltaInvalid, EpsilonInvalid, MechanismUnfit


def test_eighty_coins_for_one_count() -> None:
    """Epsilon 1, delta 10^-6: the published bound asks for 1,482."""
    assert binomial_law(1.0, 1e-6, 1).flips == 80


@pytest.mark.parametrize(
    ("epsilon", "delta", "shift"), [(1.0, 1e-6, 1), (0.5, 1e-6, 1), (1.0, 1e-9, 2), (3.0, 1e-4, 5)]
)
def test_no_fewer_would_do(epsilon: float, delta: float, shift: int) -> None:
    law = binomial_law(epsilon, delta, shift)
    assert law.flips % 2 == 0
    assert hockey_stick(law.pmf(), Fraction(epsilon), shift) <= Fraction(delta)
    assert hockey_stick(BinomialLaw(law.flips - 2).pmf(), Fraction(epsilon), shift) > Fraction(delta)


@pytest.mark.parametrize("flips", [2, 80, 500])
def test_the_law_is_binomial(flips: int) -> None:
    law = BinomialLaw(flips)
    pmf = law.pmf()
    assert sum(pmf.numerators) == 1 << pmf.bits and pmf.low == -flips // 2
    assert [n / 2**flips for n in pmf.numerators] == pytest.approx(stats.binom.pmf(range(flips + 1), flips, 0.5))
    assert law.variance == pmf.variance()
    assert law.distance == 0
    for h in (0, 1, flips // 4, flips // 2):
        assert law.tail(h) == pytest.approx(2 * stats.binom.cdf(flips // 2 - h - 1, flips, 0.5))


@pytest.mark.parametrize(
    ("epsilon", "delta", "shift", "fault"),
    [
        (0.0, 1e-6, 1, EpsilonInvalid),
        (math.nan, 1e-6, 1, EpsilonInvalid),
        (1.0, 0.0, 1, DeltaInvalid),
        (1.0, 1.0, 1, DeltaInvalid),
        (1.0, 1e-20, 1, DeltaInvalid),
        (1.0, math.nan, 1, DeltaInvalid),
        (0.01, 1e-6, 1, MechanismUnfit),
        (1.0, 1e-6, 1000, MechanismUnfit),
    ],
)
def test_impossible_ones_are_refused(epsilon: Any, delta: Any, shift: int, fault: type) -> None:
    with pytest.raises(fault):
        binomial_law(epsilon, delta, shift)
