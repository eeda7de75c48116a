"""Mechanisms and events: what is promised is kept by what is sampled, exactly."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from scipy import stats

from protocols import accounting
from protocols.accounting import DELTA_LIMIT, Event, check_event, delta_at
from protocols.calibration import DISCRETE, ROUNDED, ideal_delta
from protocols.divergence import gaussian_delta, hockey_stick, worst_hockey_stick
from protocols.errors import (
    DeltaInvalid,
    EpsilonInvalid,
    EventInvalid,
    GridOverflow,
    MechanismUnfit,
    PrecisionTooLow,
    SigmaInvalid,
)
from protocols.gaussian import discrete_gaussian_law
from protocols.laplace import laplace_law
from protocols.law import Pmf
from protocols.mechanisms import Binomial, DiscreteGaussian, DiscreteLaplace, RoundedGaussian
from protocols.sensitivity import Change

MECHANISMS = [
    DiscreteLaplace(1.0), DiscreteLaplace(0.05), Binomial(1.0, 1e-6), DiscreteGaussian(1.0, 1e-6),
    DiscreteGaussian(0.2, 1e-9), DiscreteGaussian(sigma=10.0, delta=1e-6), DiscreteGaussian(8.0, 1e-6),
    RoundedGaussian(1.0, 1e-6), RoundedGaussian(sigma=3.0, delta=1e-6),
]  # fmt: skip
CHANGES = [
    (Change((1,), False), 1, 0),
    (Change((1,), False), 50, 0),
    (Change((3,), False), 1, 0),
    (Change((2,), True), 4, 0),
    (Change((1, 1, 1), False), 30, 0),
    (Change((1 << 16, 90 << 16), False), 10, 16),
]


def events() -> list[Any]:
    found = []
    for mechanism in MECHANISMS:
        for change, coordinates, frac in CHANGES:
            event = Event(mechanism, change, coordinates, frac)
            try:
                check_event(event)
            except (MechanismUnfit, GridOverflow, EpsilonInvalid):
                continue
            found.append(pytest.param(event, id=f"{mechanism}-{change.columns}-{coordinates}"))
    return found


EVENTS = events()


def test_nearly_all_combinations_have_a_law() -> None:
    assert len(EVENTS) >= 42


@pytest.mark.parametrize("event", EVENTS)
def test_what_is_sampled_keeps_what_is_promised(event: Event) -> None:
    epsilon, delta = event.promise
    assert event.delta - delta <= DELTA_LIMIT
    assert event.delta <= max(delta, DELTA_LIMIT)
    assert delta_at(event, epsilon * 2) <= event.delta


@pytest.mark.parametrize("event", EVENTS)
def test_events_are_stored_and_read_back(event: Event) -> None:
    again = Event.from_json(event.to_json())
    assert again == event and hash(again) == hash(event)
    assert again.law == event.law


def _product_delta(pmf: Pmf, epsilon: float, shifts: list[int]) -> float:
    """By brute force: the hockey-stick divergence of two or three independent coordinates, each shifted."""
    p = np.array([n / (1 << pmf.bits) for n in pmf.numerators])
    here = there = np.ones(1)
    for s in shifts:
        wide = np.concatenate([p, np.zeros(s)])
        moved = np.concatenate([np.zeros(s), p])
        here, there = np.multiply.outer(here, wide), np.multiply.outer(there, moved)
    return float(np.maximum(0, there - math.exp(epsilon) * here).sum())


@pytest.mark.parametrize(
    "mechanism", [DiscreteGaussian(1.0, 1e-4), DiscreteGaussian(2.0, 1e-6), RoundedGaussian(1.0, 1e-4)]
)
@pytest.mark.parametrize("shifts", [[1, 1], [2, 1], [1, 1, 1]])
def test_several_columns_are_covered_by_their_root_of_squares(mechanism: Any, shifts: list[int]) -> None:
    event = Event(mechanism, Change(tuple(shifts), False), len(shifts))
    exact = _product_delta(event.law.pmf(), mechanism.epsilon, shifts)
    assert exact <= float(event.delta) <= mechanism.delta
    assert exact > 0.2 * mechanism.delta  # and not by far


@pytest.mark.parametrize("mechanism", [DiscreteGaussian(1.0, 1e-4), RoundedGaussian(1.0, 1e-4)])
def test_a_spread_change_is_covered_however_it_is_spread(mechanism: Any) -> None:
    event = Event(mechanism, Change((3,), True), 3)
    for shifts in ([3, 0], [2, 1], [1, 1, 1]):
        assert _product_delta(event.law.pmf(), 1.0, shifts) <= float(event.delta)


@pytest.mark.parametrize("epsilon", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("delta", [1e-4, 1e-9])
def test_sigma_is_hardly_larger_than_that_of_the_continuous_mechanism(epsilon: float, delta: float) -> None:
    """Balle and Wang's sigma, by their formula in floats, is what a real-valued mechanism needs."""
    low, high = 0.01, 100.0
    for _ in range(60):
        sigma = (low + high) / 2
        a = stats.norm.cdf(0.5 / sigma - epsilon * sigma) - math.exp(epsilon) * stats.norm.cdf(
            -0.5 / sigma - epsilon * sigma
        )
        low, high = (low, sigma) if a <= delta else (sigma, high)
    fine = Change((1 << 16,), False)
    found = float(DiscreteGaussian(epsilon, delta).sigma_steps(fine, 1, 16)) / (1 << 16)
    assert 1 - 1e-6 <= found / high < 1.0005
    rows = Change((4,), False)  # on a coarse grid the steps of the divergence cost a little
    assert 0.98 < float(RoundedGaussian(epsilon, delta).sigma_steps(rows, 1)) / (4 * high) < 1.02


def test_gaussian_delta_is_the_analytic_one() -> None:
    for epsilon, r in ((0.5, 0.3), (1.0, 1.0), (3.0, 0.8)):
        exact = stats.norm.cdf(r / 2 - epsilon / r) - math.exp(epsilon) * stats.norm.cdf(-r / 2 - epsilon / r)
        assert float(gaussian_delta(Fraction(epsilon), Fraction(r) ** 2)) == pytest.approx(exact, rel=1e-7)


@pytest.mark.parametrize("sigma", [0.8, 2.5, 10.0])
@pytest.mark.parametrize("shift", [1, 2, 5])
def test_the_accounts_of_a_table_agree(sigma: float, shift: int) -> None:
    """The half-line formula on the ideal law, and every point of the sampled one."""
    change = Change((shift,), False)
    pmf = discrete_gaussian_law(sigma, 60).pmf()
    for epsilon in (Fraction(1, 2), Fraction(1), Fraction(3)):
        ideal = float(ideal_delta(DISCRETE, Fraction(sigma), epsilon, change, 1))
        assert ideal == pytest.approx(float(hockey_stick(pmf, epsilon, shift)), rel=1e-6, abs=1e-15)
        spread = ideal_delta(DISCRETE, Fraction(sigma), epsilon, Change((shift,), True), 2)
        assert ideal <= float(spread) + 1e-15  # the account that holds for every vector is never smaller
        rounded = float(ideal_delta(ROUNDED, Fraction(sigma), epsilon, change, 1))
        assert rounded <= float(gaussian_delta(epsilon, Fraction(shift * shift) / Fraction(sigma) ** 2)) + 1e-15


def test_the_divergence_is_the_worse_of_both_ways() -> None:
    """A law that is not symmetric: now one way is worse, now the other."""
    pmf = Pmf(-1, (3, 1, 8, 2, 2), 4)
    for shift in (1, 2, 3):
        found = hockey_stick(pmf, Fraction(1, 2), shift)
        p = np.pad(np.array(pmf.numerators) / 16, (shift, shift))
        ways = [np.maximum(0, p - math.exp(0.5) * np.roll(p, s)).sum() for s in (shift, -shift)]
        assert abs(ways[0] - ways[1]) > 1e-3
        assert float(found) == pytest.approx(max(ways))


def test_a_smaller_change_than_the_largest_is_covered_where_the_law_is_off() -> None:
    """That the largest is worst holds for the ideal law. This one has a hole where the ideal one has its peak."""
    ideal, sampled = Pmf(-2, (4, 16, 24, 16, 4), 6), Pmf(-2, (4, 28, 0, 28, 4), 6)
    distance = Fraction(sum(abs(a - b) for a, b in zip(ideal.numerators, sampled.numerators, strict=True)), 2 * 64)
    for epsilon in (Fraction(1, 8), Fraction(1, 2), Fraction(1)):
        assert hockey_stick(ideal, epsilon, 1) < hockey_stick(ideal, epsilon, 2)
        assert hockey_stick(sampled, epsilon, 2) < hockey_stick(sampled, epsilon, 1)
        assert hockey_stick(sampled, epsilon, 1) <= worst_hockey_stick(sampled, epsilon, 2, distance)


def test_what_coins_are_off_adds_up_over_figures() -> None:
    class Fixed(DiscreteLaplace):
        def law(self, change: Change, coordinates: int = 1, frac: int = 0) -> Any:
            return laplace_law(self.epsilon, change.l1, 40)

    one, ten = (Event(Fixed(1.0), Change((2,), True), n).delta for n in (1, 10))
    assert ten == 10 * one > 0
    small = Change((2,), True)  # a sigma that needs much smoothing: which is off in each figure
    few, many = (ideal_delta(DISCRETE, Fraction(2), Fraction(4), small, n) for n in (1, 10**9))
    assert many > few


def test_a_law_too_coarse_is_refused() -> None:
    """A node finds the delta of what it would sample; here of coins with 20 bits."""

    class Coarse(DiscreteLaplace):
        def law(self, change: Change, coordinates: int = 1, frac: int = 0) -> Any:
            return accounting.mechanisms.laplace_law(self.epsilon, change.l1, 20)

    with pytest.raises(PrecisionTooLow, match="too much; the limit is"):
        check_event(Event(Coarse(1.0), Change((1,), False)))


@pytest.mark.parametrize(
    ("change", "frac"), [(Change((1,), False), 0), (Change((3,), True), 0), (Change((1 << 16,), False), 16)]
)
def test_a_gaussian_law_too_coarse_is_refused_by_every_account(change: Change, frac: int) -> None:
    class Coarse(DiscreteGaussian):
        def law(self, change: Change, coordinates: int = 1, frac: int = 0) -> Any:
            return discrete_gaussian_law(self.sigma_steps(change, coordinates, frac), 10)

    with pytest.raises(PrecisionTooLow, match="too much; the limit is"):
        check_event(Event(Coarse(1.0, 1e-6), change, 4, frac))


def test_splitting_never_costs_more() -> None:
    for mechanism in (
        DiscreteLaplace(0.1),
        Binomial(0.7, 1e-6),
        DiscreteGaussian(0.1, 1e-6),
        RoundedGaussian(0.3, 1e-5),
    ):
        for parts in (2, 3, 7):
            part = mechanism.split(parts)
            assert type(part) is type(mechanism)
            assert Fraction(part.epsilon) * parts <= Fraction(mechanism.epsilon)
    with pytest.raises(MechanismUnfit):
        DiscreteGaussian(sigma=3.0).split(2)


def test_numpy_numbers_are_numbers() -> None:
    assert DiscreteLaplace(np.int64(1)) == DiscreteLaplace(1) == DiscreteLaplace(np.float32(1.0))
    assert DiscreteGaussian(np.float64(0.5), np.float64(1e-6)) == DiscreteGaussian(0.5, 1e-6)


@pytest.mark.parametrize(
    ("make", "fault"),
    [
        (lambda: DiscreteLaplace(0), EpsilonInvalid),
        (lambda: DiscreteLaplace(math.inf), EpsilonInvalid),
        (lambda: DiscreteLaplace("much"), EpsilonInvalid),
        (lambda: DiscreteLaplace(True), EpsilonInvalid),
        (lambda: DiscreteLaplace(None), EpsilonInvalid),
        (lambda: Binomial(1.0, 0), DeltaInvalid),
        (lambda: Binomial(1.0, 2), DeltaInvalid),
        (lambda: DiscreteGaussian(1.0, -1e-6), DeltaInvalid),
        (lambda: DiscreteGaussian(1.0, math.nan), DeltaInvalid),
        (lambda: DiscreteGaussian(1.0, 1e-20), DeltaInvalid),
        (DiscreteGaussian, EpsilonInvalid),
        (lambda: DiscreteGaussian(1.0, 1e-6, sigma=3.0), EpsilonInvalid),
        (lambda: DiscreteGaussian(20.0), EpsilonInvalid),
        (lambda: DiscreteGaussian(sigma=0), SigmaInvalid),
        (lambda: RoundedGaussian(sigma=math.inf), SigmaInvalid),
    ],
)
def test_bad_parameters(make: Any, fault: type) -> None:
    with pytest.raises(fault):
        make()


@pytest.mark.parametrize(
    ("mechanism", "change", "frac", "fault"),
    [
        (Binomial(1.0, 1e-6), Change((1, 1), False), 0, MechanismUnfit),
        (Binomial(1.0, 1e-6), Change((2,), True), 0, MechanismUnfit),
        (Binomial(1.0, 1e-6), Change((1 << 16,), False), 16, MechanismUnfit),
        (RoundedGaussian(1.0, 1e-6), Change((1 << 16,), False), 16, GridOverflow),
        (DiscreteGaussian(1e-3, 1e-9), Change((1 << 55,), False), 16, GridOverflow),
        (DiscreteGaussian(sigma=1e15), Change((1,), False), 16, GridOverflow),
        (DiscreteGaussian(sigma=0.1), Change((1,), False), 0, SigmaInvalid),
        (DiscreteGaussian(sigma=1.0), Change((100,), False), 0, EpsilonInvalid),
    ],
)
def test_noise_that_does_not_fit_the_figures(mechanism: Any, change: Change, frac: int, fault: type) -> None:
    with pytest.raises(fault):
        check_event(Event(mechanism, change, 2, frac))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d.pop("law"),
        lambda d: d.update(law="00"),
        lambda d: d.update(mechanism="open"),
        lambda d: d.update(mechanism="Mechanism"),
        lambda d: d.update(epsilon="1"),
        lambda d: d.update(epsilon=0),
        lambda d: d.update(columns=[]),
        lambda d: d.update(columns=[0]),
        lambda d: d.update(columns=["1"]),
        lambda d: d.update(columns=5),
        lambda d: d.update(spread=1),
        lambda d: d.update(coordinates=-1),
        lambda d: d.update(frac=99),
        lambda d: d.update(more=1),
        lambda d: d.update(columns=[10**30]),
        lambda d: d.update(epsilon=1e-300),
        lambda d: d.update(coordinates=10**400),
        lambda d: d.update(mechanism="DiscreteGaussian", delta=1e-6, columns=[10**600]),
        lambda d: d.update(columns=[1] * 100_000, coordinates=10**6),
        lambda d: d.update(mechanism="Binomial", delta=1e-6, columns=[1, 1]),
        lambda d: d.update(mechanism="DiscreteGaussian", epsilon=None, sigma=0.1),
        lambda d: d.update(epsilon=2.0),
    ],
)
def test_what_is_no_event_is_refused(spoil: Any) -> None:
    stored = json.loads(Event(DiscreteLaplace(1.0), Change((1,), False)).to_json())
    spoil(stored)
    with pytest.raises(EventInvalid):
        Event.from_json(json.dumps(stored))


@pytest.mark.parametrize("text", ["", "[]", "null", "{", "3", '"x"'])
def test_rubbish_is_no_event(text: str) -> None:
    with pytest.raises(EventInvalid):
        Event.from_json(text)


@pytest.mark.parametrize("coordinates", [1, 1000, 10**6])
@pytest.mark.parametrize("epsilon", [0.05, 0.07, 0.08, 0.085, 0.09, 0.12, 0.16, 0.2, 0.3])
def test_gaussian_noise_between_a_table_and_a_sum_keeps_its_promise(epsilon: float, coordinates: int) -> None:
    """Sigma was found by one account; it must hold by the one that the law, of whatever precision, gets."""
    event = check_event(Event(DiscreteGaussian(epsilon, 1e-9), Change((1,), False), coordinates))
    assert event.delta <= Fraction(1e-9)
