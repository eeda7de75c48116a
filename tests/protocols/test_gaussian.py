"""Gaussian laws as sampled: tables, sums of tables, and their distance from the ideal."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest

from protocols.divergence import smoothing_error
from protocols.errors import GridOverflow, SigmaInvalid
from protocols.gaussian import SumLaw, discrete_gaussian_law, rounded_gaussian_law, smoothing_width
from protocols.table import TableLaw

SIGMAS = [0.5, 0.7, 1.0, 3.3, 10.0, 50.0]


def discrete(sigma: float, reach: int) -> Any:
    x = np.arange(-reach, reach + 1)
    weights = np.exp(-(x**2) / (2 * sigma**2))
    return weights / weights.sum()


def rounded(sigma: float, reach: int) -> Any:
    ends = [0.5 * math.erfc(-(x - 0.5) / (sigma * math.sqrt(2))) for x in range(-reach, reach + 2)]
    return np.diff(ends)


@pytest.mark.parametrize("sigma", SIGMAS)
@pytest.mark.parametrize(("make", "ideal"), [(discrete_gaussian_law, discrete), (rounded_gaussian_law, rounded)])
def test_tables_are_the_ideal_law(make: Any, ideal: Any, sigma: float) -> None:
    law = make(sigma)
    assert isinstance(law, TableLaw)
    pmf = law.pmf()
    assert sum(pmf.numerators) == 1 << pmf.bits and min(pmf.numerators) >= 0
    assert len(pmf.numerators) == 1 << law.size and pmf.low == -(1 << law.size - 1)
    wanted = ideal(sigma, -pmf.low)[:-1]
    sampled = np.array([n / (1 << pmf.bits) for n in pmf.numerators])
    assert np.abs(sampled - wanted).sum() / 2 < 1e-12
    assert law.distance < Fraction(1, 1 << 40)
    assert law.variance == pmf.variance()
    half = law.half_width(0.95)
    assert law.tail(half) <= 0.05 < law.tail(half - 1)


@pytest.mark.parametrize("lambda_", [30, 40, 70])
@pytest.mark.parametrize("sigma", [1.0, 20.0, 1000.0, 1e9])
def test_more_precision_comes_closer(sigma: float, lambda_: int) -> None:
    assert 0 < discrete_gaussian_law(sigma, lambda_).distance < Fraction(1, 1 << lambda_)


@pytest.mark.parametrize("sigma", [0.5, 2.0, 40.0])
def test_rounded_tables_of_more_precision_come_closer(sigma: float) -> None:
    assert 0 < rounded_gaussian_law(sigma, 60).distance < Fraction(1, 1 << 60)


@pytest.mark.parametrize("sigma", [70.0, 100.0, 333.3, 1e4, 65536 * 10.0, 1e12, 1e16])
def test_sums_have_the_parameter_asked_for(sigma: float) -> None:
    law = discrete_gaussian_law(sigma)
    assert isinstance(law, SumLaw)
    assert law.standard_deviation / sigma == pytest.approx(1, abs=1e-9)
    assert len(law.weights) * law.base.distance < law.distance < Fraction(1, 1 << 40)
    assert law.reach <= 1 << 61
    assert 0.04 < law.tail(law.half_width(0.95)) <= 0.05 * (1 + 1e-9)


def test_a_sum_is_as_close_to_the_ideal_as_it_says() -> None:
    """Every probability of the law of X1 + m X2, exactly, against the ideal one."""
    law = discrete_gaussian_law(80.0)
    assert isinstance(law, SumLaw) and len(law.weights) == 2
    base, m = law.base.pmf(), law.weights[1]
    total: dict[int, int] = {}
    for i, p in enumerate(base.numerators):
        for j, q in enumerate(base.numerators):
            x = base.low + i + m * (base.low + j)
            total[x] = total.get(x, 0) + p * q
    with mpmath.workdps(50):
        weights = {x: mpmath.exp(-mpmath.mpf(x * x) / (2 * 80**2)) for x in range(-1200, 1201)}
        mass = mpmath.fsum(weights.values())
        every = set(total) | set(weights)
        gap = mpmath.fsum(
            abs(mpmath.ldexp(mpmath.mpf(total.get(x, 0)), -2 * base.bits) - weights.get(x, 0) / mass) for x in every
        )
    assert 0 < gap / 2 < mpmath.mpf(law.distance.numerator) / law.distance.denominator
    exact = sum(Fraction(n * x * x, 1 << 2 * base.bits) for x, n in total.items())
    assert exact == law.variance


def test_smoothing_error_bounds_every_centre() -> None:
    for width in (Fraction(1, 2), Fraction(1), smoothing_width(40)):
        eta = smoothing_error(width)
        with mpmath.workdps(50):
            r2 = mpmath.mpf(width.numerator) / width.denominator
            full = mpmath.sqrt(2 * mpmath.pi * r2)
            for c in (0, 0.1, 0.25, 0.5, 0.77):
                total = mpmath.fsum(mpmath.exp(-((x - mpmath.mpf(c)) ** 2) / (2 * r2)) for x in range(-60, 61))
                assert abs(total / full - 1) <= mpmath.mpf(eta.numerator) / eta.denominator
            worst = mpmath.fsum(mpmath.exp(-(mpmath.mpf(x) ** 2) / (2 * r2)) for x in range(-60, 61)) / full - 1
            assert worst > mpmath.mpf(eta.numerator) / eta.denominator * mpmath.mpf("0.99")
    assert smoothing_error(smoothing_width(40)) < Fraction(1, 1 << 44)


@pytest.mark.parametrize("make", [discrete_gaussian_law, rounded_gaussian_law])
@pytest.mark.parametrize("sigma", [0.0, 0.49, -1.0, math.nan, math.inf, "1", True])
def test_impossible_sigmas_are_refused(make: Any, sigma: Any) -> None:
    with pytest.raises(SigmaInvalid):
        make(sigma)


def test_too_large_sigmas_are_refused() -> None:
    with pytest.raises(GridOverflow, match="DiscreteGaussian"):
        rounded_gaussian_law(1000.0)
    with pytest.raises(GridOverflow, match="fewer fractional bits"):
        discrete_gaussian_law(1e18)


def test_laws_that_differ_have_other_fingerprints() -> None:
    laws = [discrete_gaussian_law(10.0), rounded_gaussian_law(10.0), discrete_gaussian_law(100.0)]
    laws += [discrete_gaussian_law(10.0, 41), discrete_gaussian_law(100.0, 41)]
    assert len({law.digest() for law in laws}) == len(laws)
    assert discrete_gaussian_law(10.0).digest() == discrete_gaussian_law(Fraction(10)).digest()
