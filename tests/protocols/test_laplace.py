"""The discrete Laplace law as sampled: exact, close to the ideal, and what it gives away."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from protocols.accounting import DELTA_LIMIT, Event
from protocols.divergence import hockey_stick
from protocols.errors import EpsilonInvalid, GridOverflow, SensitivityInvalid
from protocols.laplace import LaplaceLaw, laplace_law
from protocols.mechanisms import DiscreteLaplace, security_for
from protocols.sensitivity import Change

GRID = [(0.1, 1), (0.5, 1), (1.0, 1), (2.0, 1), (10.0, 1), (0.5, 7), (1.0, 40), (3.0, 100)]


def chosen(epsilon: float, sensitivity: int) -> LaplaceLaw:
    return laplace_law(epsilon, sensitivity, security_for(epsilon, 1))


def event(epsilon: float, sensitivity: int, coordinates: int = 1) -> Event:
    return Event(DiscreteLaplace(epsilon), Change((sensitivity,), sensitivity > 1), coordinates)


@pytest.mark.parametrize(("epsilon", "sensitivity"), GRID)
def test_exact_law_is_a_law(epsilon: float, sensitivity: int) -> None:
    law = chosen(epsilon, sensitivity)
    pmf = law.pmf()
    numerators, s = pmf.numerators, pmf.bits
    assert pmf.low == -law.reach and len(numerators) == 2 * law.reach + 1
    assert sum(numerators) == 1 << s
    assert min(numerators) >= 0
    assert numerators == numerators[::-1]
    assert pmf.variance() == law.variance
    for h in (0, 1, 3, law.reach - 1, law.reach):
        beyond = sum(n for x, n in enumerate(numerators) if abs(x - law.reach) > h)
        assert law.tail(h) == pytest.approx(beyond / (1 << s), rel=1e-9, abs=1e-300)
    half = law.half_width(0.95)
    assert law.tail(half) <= 0.05 < (law.tail(half - 1) if half else 1)


@pytest.mark.parametrize(("epsilon", "sensitivity"), GRID)
def test_exact_law_is_discrete_laplace(epsilon: float, sensitivity: int) -> None:
    law = chosen(epsilon, sensitivity)
    numerators, s = law.pmf().numerators, law.pmf().bits
    alpha = math.exp(-epsilon / sensitivity)
    ideal = [(1 - alpha) / (1 + alpha) * alpha ** abs(x) for x in range(-law.reach, law.reach + 1)]
    gap = sum(abs(n / (1 << s) - q) for n, q in zip(numerators, ideal, strict=True)) / 2
    assert gap < 1e-12
    assert law.distance < Fraction(1, 1 << 40)
    assert 0.9999999 < law.standard_deviation / (math.sqrt(2 * alpha) / (1 - alpha)) < 1.0000001


@pytest.mark.parametrize("lambda_", [3, 6, 9])
def test_the_distance_is_never_less_than_it_is(lambda_: int) -> None:
    """With so few bits the distance is large, and what is cut off is much of it."""
    close = 0
    for scale in np.linspace(0.3, 9, 60):
        law = laplace_law(1 / scale, 1, lambda_)
        pmf = law.pmf()
        assert pmf is not None
        x = np.arange(-law.reach, law.reach + 1)
        alpha = math.exp(-1 / scale)
        ideal = (1 - alpha) / (1 + alpha) * alpha ** np.abs(x)
        gap = np.abs(np.array([n / (1 << pmf.bits) for n in pmf.numerators]) - ideal).sum() / 2 + (1 - ideal.sum()) / 2
        assert gap <= float(law.distance) + 1e-14
        close += gap > 0.7 * float(law.distance)
    assert close


@pytest.mark.parametrize(("epsilon", "sensitivity"), GRID)
def test_exact_delta_is_below_the_limit(epsilon: float, sensitivity: int) -> None:
    one = event(epsilon, sensitivity)
    pmf = one.law.pmf()
    worst = max(hockey_stick(pmf, Fraction(epsilon), s) for s in {1, sensitivity // 2 or 1, sensitivity})
    assert 0 < worst <= one.delta <= DELTA_LIMIT


def test_delta_sees_noise_that_is_too_small() -> None:
    pmf = chosen(1.0, 1).pmf()
    assert hockey_stick(pmf, Fraction(9, 10), 1) > Fraction(1, 100)
    assert hockey_stick(pmf, Fraction(1), 2) > Fraction(1, 100)
    assert hockey_stick(pmf, Fraction(2), 2) <= DELTA_LIMIT


def test_many_coordinates_take_finer_coins() -> None:
    few, many = event(1.0, 5), event(1.0, 5, 10**6)
    assert many.law.precision > few.law.precision
    assert many.delta <= DELTA_LIMIT < 10**6 * few.delta


def test_thresholds_are_the_same_for_equal_parameters_however_given() -> None:
    assert laplace_law(0.5, 3).bits == laplace_law(Fraction(1, 2), 3).bits == laplace_law(0.5, np.int64(3)).bits
    assert laplace_law(1.0, 2).bits == laplace_law(2.0, 4).bits
    assert laplace_law(0.1, 1) != laplace_law(Fraction(1, 10), 1)  # the float is a little more than a tenth


def test_laws_too_large_to_list_have_no_list() -> None:
    assert laplace_law(1.0, 1 << 20).pmf() is None


@pytest.mark.parametrize(
    ("epsilon", "sensitivity", "fault"),
    [
        (0.0, 1, EpsilonInvalid),
        (-1.0, 1, EpsilonInvalid),
        (math.nan, 1, EpsilonInvalid),
        (1000.0, 1, EpsilonInvalid),
        (1.0, 0, SensitivityInvalid),
        (1.0, 1.5, SensitivityInvalid),
        (1.0, True, SensitivityInvalid),
        (1e-6, 1 << 40, GridOverflow),
        (1e-300, 1, GridOverflow),
        (1.0, 1 << 100, GridOverflow),
    ],
)
def test_impossible_laws_are_refused(epsilon: Any, sensitivity: Any, fault: type) -> None:
    with pytest.raises(fault):
        laplace_law(epsilon, sensitivity)
