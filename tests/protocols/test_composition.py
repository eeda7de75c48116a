"""What many releases cost together, against independent accounts."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from prv_accountant import GaussianMechanism, LaplaceMechanism, PrivacyRandomVariable, PRVAccountant

from protocols.accounting import Event, Promise
from protocols.composition import composed_delta, composed_epsilon
from protocols.divergence import gaussian_delta
from protocols.errors import DeltaInvalid, EpsilonInvalid
from protocols.laplace import laplace_law
from protocols.law import Pmf
from protocols.mechanisms import Binomial, DiscreteGaussian, DiscreteLaplace, RoundedGaussian
from protocols.sensitivity import Change

ONE = Change((1,), False)
FINE = Change((1 << 16,), False)  # a change by 1 on the grid of 16 fractional bits


class Sampled(PrivacyRandomVariable):
    """The privacy loss of a law against itself shifted, for prv-accountant: log P(X) / P(X - shift), X as sampled."""

    def __init__(self, pmf: Pmf, shift: int) -> None:
        logs = [math.log(n) - pmf.bits * math.log(2) for n in pmf.numerators]
        self._loss = np.array([a - b for a, b in zip(logs[shift:], logs[: len(logs) - shift], strict=True)])
        chances = np.exp(logs[shift:])  # the values that both laws have; the others weigh below 2^-40
        order = np.argsort(self._loss)
        self._loss, self._below = self._loss[order], np.cumsum(chances[order] / chances.sum())

    def cdf(self, t: Any) -> Any:
        at = np.searchsorted(self._loss, np.asarray(t), side="right")
        return np.where(at > 0, self._below[np.maximum(at, 1) - 1], 0.0)

    def mean(self) -> float:
        return float(np.dot(np.diff(self._below, prepend=0.0), self._loss))

    def rdp(self, alpha: float) -> float:
        weights = np.diff(self._below, prepend=0.0)
        return float(np.log(np.dot(weights, np.exp((alpha - 1) * self._loss))) / (alpha - 1))


def by_prv(parts: list[tuple[Any, int]], delta: float) -> float:
    prvs, times = [p for p, _ in parts], [n for _, n in parts]
    accountant = PRVAccountant(prvs=prvs, max_self_compositions=times, eps_error=0.005, delta_error=delta / 1000)
    low, estimate, high = accountant.compute_epsilon(delta=delta, num_self_compositions=times)
    assert high - low < 0.03
    return float(estimate)


def laplace(epsilon: float, change: Change = ONE, frac: int = 0) -> Event:
    return Event(DiscreteLaplace(epsilon), change, 1, frac)


def gaussian(sigma: float, change: Change = ONE, frac: int = 0) -> Event:
    return Event(DiscreteGaussian(sigma=sigma, delta=1e-6), change, 1, frac)


def test_a_hundred_laplace_releases_of_reals() -> None:
    """Their sum is 10; a continuous Laplace mechanism's 100 compose to 4.69."""
    epsilon = composed_epsilon([laplace(0.1, FINE, 16)] * 100, 1e-6)
    assert epsilon <= 4.70
    assert epsilon == pytest.approx(by_prv([(LaplaceMechanism(mu=0.1), 100)], 1e-6), rel=0.01)


def test_fifty_laplace_and_fifty_gaussian_releases_of_reals() -> None:
    epsilon = composed_epsilon([laplace(0.1, FINE, 16)] * 50 + [gaussian(10.0, FINE, 16)] * 50, 1e-6)
    assert epsilon <= 4.80
    prv = by_prv([(LaplaceMechanism(mu=0.1), 50), (GaussianMechanism(noise_multiplier=10.0), 50)], 1e-6)
    assert epsilon == pytest.approx(prv, rel=0.01)


def test_counts_are_on_a_coarse_grid_and_cost_a_little_more() -> None:
    """A count changes by one step, so discrete Laplace noise is randomised response: its composition is known exactly.

    After n of them the loss is epsilon (2 k - n) with k binomial: Kairouz, Oh, Viswanath 2015. No account can be lower.
    """
    n, each = 100, 0.1
    p = math.exp(each) / (1 + math.exp(each))

    def delta(epsilon: float) -> float:
        terms = (
            math.comb(n, k) * (p**k * (1 - p) ** (n - k) - math.exp(epsilon) * p ** (n - k) * (1 - p) ** k)
            for k in range(n + 1)
        )
        return math.fsum(max(0.0, t) for t in terms)

    low, high = 0.0, 10.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if delta(middle) <= 1e-6 else (middle, high)
    found = composed_epsilon([laplace(each)] * n, 1e-6)
    assert high <= found <= high * 1.0005
    assert found > composed_epsilon([laplace(each, FINE, 16)] * n, 1e-6)


@pytest.mark.parametrize(
    "mechanism", [DiscreteLaplace(0.1), Binomial(0.5, 1e-6), DiscreteGaussian(0.3, 1e-6), RoundedGaussian(0.3, 1e-6)]
)
@pytest.mark.parametrize("shift", [1, 3])
def test_within_one_percent_of_prv_accountant(mechanism: Any, shift: int) -> None:
    event = Event(mechanism, Change((shift,), False))
    prv = by_prv([(Sampled(event.law.pmf(), shift), 60)], 1e-5)
    assert composed_epsilon([event] * 60, 1e-5) == pytest.approx(prv, rel=0.01)


def test_sampled_laws_mixed() -> None:
    one, two = laplace(0.2), Event(Binomial(0.5, 1e-6), ONE)
    parts = [(Sampled(one.law.pmf(), 1), 20), (Sampled(two.law.pmf(), 1), 30)]
    found = composed_epsilon([one] * 20 + [two] * 30, 1e-5)
    assert found == pytest.approx(by_prv(parts, 1e-5), rel=0.01)
    assert found == pytest.approx(composed_epsilon([two] * 30 + [one] * 20, 1e-5), rel=1e-9)


def test_one_release_costs_what_it_promises() -> None:
    for event in (laplace(0.7), Event(DiscreteGaussian(0.7, 1e-6), ONE), Event(Binomial(0.7, 1e-6), ONE)):
        assert composed_epsilon([event], 1e-6) <= 0.7 * 1.001
        assert composed_delta([event], 0.7) <= 1.001e-6
    assert composed_epsilon([], 1e-6) == 0.0 == composed_delta([], 1.0)


@pytest.mark.parametrize("shift", [1, 5, 5000, 1 << 16, 123457])
def test_the_coarser_grid_only_adds_and_hardly(shift: int) -> None:
    """Of large changes only some outcomes are listed; still above the exact cost, and near that of real numbers."""
    fine = composed_epsilon([laplace(0.3, Change((shift,), False), 16)] * 30, 1e-6)
    continuous = by_prv([(LaplaceMechanism(mu=0.3), 30)], 1e-6)
    assert continuous * 0.995 < fine < continuous * (1.01 if shift > 5 else 1.05)


def test_columns_compose_like_releases_and_a_spread_change_costs_no_less() -> None:
    columns = composed_epsilon([laplace(0.4, Change((2, 2), False))] * 20, 1e-6)
    apart = composed_epsilon([laplace(0.2, Change((2,), False))] * 40, 1e-6)
    spread = composed_epsilon([laplace(0.4, Change((4,), True))] * 20, 1e-6)
    assert columns == pytest.approx(apart, rel=2e-3)
    assert columns < spread
    together = composed_epsilon([gaussian(10.0, Change((3, 4), False))] * 20, 1e-6)
    assert together == pytest.approx(composed_epsilon([gaussian(10.0, Change((5,), False))] * 20, 1e-6), rel=0.02)


def test_more_never_costs_less() -> None:
    events = [laplace(0.1), gaussian(5.0), laplace(0.3, FINE, 16), gaussian(4.0, Change((2,), True), 0)]
    costs = [composed_epsilon(some, 1e-6) for some in itertools.accumulate([e] for e in events)]
    assert costs == sorted(costs)
    assert composed_epsilon(events, 1e-9) > composed_epsilon(events, 1e-6)
    assert composed_delta(events, 2.0) < composed_delta(events, 1.0)
    assert costs[-1] <= sum(float(e.promise[0]) for e in events) * 1.001


@pytest.mark.parametrize("shift", [1, 5, 8, 10])
def test_binomial_noise_of_any_number_of_coins_is_composed(shift: int) -> None:
    event = Event(Binomial(1.0, 1e-6), Change((shift,), False))
    assert composed_epsilon([event], 1e-6) <= 1.0
    assert 1.5 < composed_epsilon([event] * 3, 1e-5) < 1.65


@pytest.mark.parametrize("epsilon", [2.0, 6.0, 10.0, 16.0])
def test_little_gaussian_noise_that_a_person_may_spread_costs_no_more_than_promised(epsilon: float) -> None:
    """A sigma of few steps: the continuous mechanism it is like is much worse, or there is none."""
    event = Event(DiscreteGaussian(epsilon, 1e-6), Change((2,), True), 4)
    assert composed_epsilon([event], 1e-6) <= epsilon
    assert composed_delta([event], epsilon) <= 1e-6
    three = composed_epsilon([event] * 3, 3e-6)
    assert epsilon < three <= 3 * epsilon
    assert three <= composed_epsilon([event, event, event, laplace(0.5)], 3e-6) <= three + 0.51


def test_the_composed_cost_covers_what_is_sampled_however_a_change_is_spread() -> None:
    """Two releases of three figures, a person changes one by two or two by one: the exact delta, outcome by outcome."""
    event = Event(DiscreteGaussian(sigma=3.0, delta=1e-5), Change((2,), True), 3)
    for epsilon in (0.5, 1.0, 2.0):
        found = composed_delta([event] * 2, epsilon)
        for shifts in ([2], [1, 1]):
            exact = _exact_delta([(event.law.pmf(), s) for s in shifts * 2], epsilon)  # type: ignore[misc]
            assert exact <= found
            assert exact > 0.4 * found or shifts != [2]


def test_gaussian_noise_is_composed_by_the_smaller_variance_of_the_mechanism_it_is_like() -> None:
    event = Event(DiscreteGaussian(sigma=4.0, delta=1e-5), Change((2,), True), 3)
    for epsilon in (0.5, 1.0, 2.0):
        least = min(
            float(gaussian_delta(Fraction(epsilon), 4 / (16 - Fraction((bits + 6) * math.log(2) / (2 * math.pi**2)))))
            for bits in (20, 30, 42, 60, 85)
        )
        assert 0.98 * least < composed_delta([event], epsilon) < 1.1 * least


def test_the_composed_cost_covers_smaller_changes_either_way() -> None:
    one, two = Event(DiscreteGaussian(1.0, 1e-4), Change((3,), False)), laplace(0.7, Change((2,), False))
    for epsilon in (0.3, 1.0, 2.0):
        found = composed_delta([one, two], epsilon)
        for a, b in itertools.product((1, 2, 3, -3), (1, 2, -2)):
            exact = _exact_delta([(one.law.pmf(), a), (two.law.pmf(), b)], epsilon)  # type: ignore[list-item]
            assert exact <= found
            assert abs(a) < 3 or abs(b) < 2 or exact > 0.98 * found


def _exact_delta(parts: list[tuple[Pmf, int]], epsilon: float) -> float:
    """By brute force: of independent noises, each shifted; outcomes of equal likelihood ratio joined."""
    losses, chances, outside = np.zeros(1), np.ones(1), 0.0
    for pmf, shift in parts:
        p = np.array([n / (1 << pmf.bits) for n in pmf.numerators])
        here, there = (np.pad(p, ends) for ends in ((0, abs(shift)), (abs(shift), 0)))
        here, there = (here, there) if shift > 0 else (there, here)
        both = (here > 1e-20) & (there > 0)
        outside += here[(here > 0) & (there == 0)].sum()
        ratios = np.round(np.add.outer(losses, np.log(here[both] / there[both])).ravel(), 10)
        losses, where = np.unique(ratios, return_inverse=True)
        chances = np.bincount(where, np.multiply.outer(chances, here[both]).ravel())
    return float(outside + np.maximum(0, 1 - np.exp(epsilon - losses)) @ chances)


@pytest.mark.parametrize(("times", "epsilon"), [(20, 1.0), (100, 0.5), (100, 0.3)])
def test_finite_precision_costs_next_to_nothing_at_a_large_epsilon_too(times: int, epsilon: float) -> None:
    """Laws that are not listed are off by their distance; not times e to what all the releases cost together."""
    counts = composed_epsilon([laplace(epsilon)] * times, 1e-6)
    reals = composed_epsilon([laplace(epsilon, FINE, 16)] * times, 1e-6)
    assert 0.9 * counts < reals < counts
    spread = Event(DiscreteLaplace(epsilon), Change((2,), True), 100)
    assert composed_epsilon([spread] * times, 1e-6) == pytest.approx(counts, rel=1e-4)
    few, many = (Event(DiscreteGaussian(3.0, 1e-6), FINE, n, 16) for n in (1, 1000))
    assert composed_epsilon([few] * 20, 1e-4) == pytest.approx(composed_epsilon([many] * 20, 1e-4), rel=1e-3)


@pytest.mark.parametrize("coarse", [8, 12])
def test_a_law_off_by_its_distance_is_covered_at_every_epsilon(coarse: int) -> None:
    """Coins of few bits, so that the distance shows: the exact delta of two releases against their account."""
    law = laplace_law(1.0, 4, coarse)
    event = laplace(1.0, Change((4,), False))
    for taken in (Change((4,), True), Change((4,), False)):
        sampled = Event(_Coarse(1.0, coarse), taken)
        assert sampled.law == law
        for epsilon in (0.1, 0.5, 1.0, 1.5, 1.9, 2.0, 2.5, 4.0, 8.0):
            exact = max(_exact_delta([(law.pmf(), a), (law.pmf(), b)], epsilon) for a in (4, 3, 1) for b in (4, -2))  # type: ignore[list-item]
            found = composed_delta([sampled] * 2, epsilon)
            assert exact <= found
            assert found > composed_delta([event] * 2, epsilon)
    assert exact > 1e-7


@dataclass(frozen=True)
class _Coarse(DiscreteLaplace):
    """Laplace noise of a precision that no release would take."""

    coarse: int = 8

    def law(self, change: Change, coordinates: int = 1, frac: int = 0) -> Any:
        return laplace_law(self.epsilon, change.l1, self.coarse)


def test_finite_precision_is_counted() -> None:
    """A vector of 10^6 figures: what its noise misses adds up, so tiny deltas cannot be had for many releases."""
    event = Event(DiscreteLaplace(1.0), FINE, 10**6, 16)
    assert event.distance * 2000 > Fraction(1, 10**11)
    assert composed_epsilon([event] * 2000, 1e-11) == math.inf


def test_bad_targets() -> None:
    with pytest.raises(DeltaInvalid):
        composed_epsilon([laplace(1.0)], 0.0)
    with pytest.raises(EpsilonInvalid):
        composed_delta([laplace(1.0)], 0.0)


def test_a_promise_of_which_nothing_else_is_known_costs_what_it_says_and_composes() -> None:
    assert composed_epsilon([Promise(0.5, 1e-9)], 1e-6) == pytest.approx(0.5, rel=1e-2)
    event = Event(DiscreteLaplace(1.0), ONE)
    both = composed_epsilon([event, Promise(0.5, 1e-9)], 1e-6)
    assert composed_epsilon([event], 1e-6) < both <= 1.5
    assert composed_epsilon([Promise(0.1, 0.0)] * 400, 1e-6) < 20.0, "well below the sum of 40"
    assert composed_epsilon([Promise(0.1, 1e-3)], 1e-6) == math.inf
    assert composed_delta([Promise(0.5, 1e-9)], 0.5) == pytest.approx(1e-9, rel=1e-2)
    for epsilon, delta, error in ((0.0, 0.0, EpsilonInvalid), (1.0, -1e-9, DeltaInvalid), (1.0, 1.0, DeltaInvalid)):
        with pytest.raises(error):
            Promise(epsilon, delta)
