"""The door: what comes out, to whom, at what price, and what is refused."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from mpc import MemoryCluster
from mpc.errors import OutOfRange, ShapeMismatch, UnknownParty, WrongType
from protocols.accounting import DELTA_LIMIT, Event
from protocols.aggregate import sensitivity_of
from protocols.errors import EpsilonInvalid, GridOverflow, MechanismUnfit, SensitivityInvalid
from protocols.means import release_mean
from protocols.mechanisms import Binomial, DiscreteGaussian, DiscreteLaplace, RoundedGaussian
from protocols.release import MinimumGroup, Released, deliver, release, total_cost, total_epsilon
from protocols.sensitivity import Change
from protocols.stock import MemoryStore, NoiseStock

PARTIES = (3, 4, 5)
HUGE = DiscreteLaplace(100.0)


def run(m: int, program: Any, seed: int = 1) -> list[Any]:
    return MemoryCluster(m, seed=seed).run(program)


@pytest.mark.parametrize("m", PARTIES)
@pytest.mark.parametrize(
    ("figures", "frac"), [(np.array([5, -7, 0]), 0), (np.array([[1.5], [-2.25]]), 4), (np.array(12345), 0)]
)
def test_with_a_huge_epsilon_it_is_the_truth(m: int, figures: Any, frac: int) -> None:
    async def program(party: Any) -> Released:
        return await release(party, party.input(figures, 0, frac=frac), HUGE, sensitivity=1, to=[0, 1])

    for i, answer in enumerate(run(m, program)):
        if i > 1:
            assert answer.values is None and answer.interval95 is None and answer.shown is None
            continue
        step = 2.0**-frac
        assert np.abs(answer.values - figures).max() <= 30 * answer.standard_error + (step if frac else 0)
        assert answer.values.shape == figures.shape
        assert answer.shown is None
        assert answer.epsilon == 100.0 and answer.sensitivity == 1.0
        assert 0 < answer.delta <= DELTA_LIMIT


@pytest.mark.parametrize("m", [3, 5])
@pytest.mark.parametrize(("frac", "sensitivity"), [(0, 2), (6, 0.7), (0, 1)])
def test_spread_and_interval_are_as_stated(m: int, frac: int, sensitivity: float) -> None:
    n = 20_000

    async def program(party: Any) -> Released:
        figures = party.input(np.full(n, 40), 0) if frac == 0 else party.input(np.full(n, 40.0), 0, frac=frac)
        return await release(party, figures, DiscreteLaplace(0.8), sensitivity=sensitivity, to=0)

    answer = run(m, program)[0]
    error = answer.values - 40
    alpha = math.exp(-0.8 / math.ceil(sensitivity * 2**frac))
    central = math.sqrt(2 * alpha) / (1 - alpha) / 2**frac
    assert answer.standard_error == pytest.approx(central, rel=1e-6)
    assert error.std() == pytest.approx(answer.standard_error, rel=0.04)
    assert abs(error.mean()) < 4.5 * answer.standard_error / math.sqrt(n)
    low, high = answer.interval95
    covered = ((low <= 40) & (high >= 40)).mean()
    assert covered >= 0.945
    assert (low == answer.values - answer.half_width()).all()
    assert answer.half_width(0.99) > answer.half_width(0.95)
    assert answer.sensitivity >= sensitivity and (answer.sensitivity * 2**frac).is_integer()


@pytest.mark.parametrize("m", PARTIES)
def test_small_groups_are_suppressed_by_the_noised_count_itself(m: int) -> None:
    counts = np.array([[100, 3, 60, 0], [40, 2, 60, 0]])

    async def program(party: Any) -> Any:
        figures = party.input(counts, 0)
        both = await release(party, figures, DiscreteLaplace(60), sensitivity=2, to=[2], minimum=MinimumGroup(50))
        one = await release(party, figures[0], DiscreteLaplace(60), sensitivity=1, to=[2], minimum=MinimumGroup(60))
        return both, one

    for i, (both, one) in enumerate(run(m, program)):
        assert both.epsilon == 60.0  # the threshold looks at what is released anyway
        if i != 2:
            assert both.values is None and both.shown is None
            continue
        shown = [True, False, True, False]
        assert both.shown.tolist() == [shown, shown]
        assert both.values.tolist() == [[100, 0, 60, 0], [40, 0, 60, 0]]
        assert np.isnan(both.interval95[0]).tolist() == (~both.shown).tolist()
        assert one.values.tolist() == [100, 0, 60, 0]


@pytest.mark.parametrize("m", [3, 5])
def test_small_groups_by_counts_of_their_own(m: int) -> None:
    async def program(party: Any) -> Any:
        counts, sums = party.input([100, 49, 50], 0), party.input([5.5, 6.5, 7.5], 1, frac=8)
        minimum = MinimumGroup(50, counts, 60.0)
        return await release(party, sums, DiscreteLaplace(70), sensitivity=0.5, to=[0], minimum=minimum)

    answer = run(m, program)[0]
    assert answer.shown.tolist() == [True, False, True]
    assert np.allclose(answer.values, [5.5, 0, 7.5], atol=0.2)
    assert answer.epsilon == 130.0 and len(answer.mechanism) == 2


@pytest.mark.parametrize("sensitivity", [1, 2, 5])
def test_the_noise_of_the_minimum_has_the_sensitivity_given(sensitivity: int) -> None:
    async def program(party: Any) -> Any:
        counts = party.input(np.full(4000, 50), 0)
        minimum = MinimumGroup(53, counts, 0.5, sensitivity)
        return await release(party, counts * 0, DiscreteLaplace(1.0), sensitivity=1, to=[0], minimum=minimum)

    alpha = math.exp(-0.5 / sensitivity)
    assert run(3, program)[0].shown.mean() == pytest.approx(alpha**3 / (1 + alpha), abs=0.035)  # P(X >= 3)


@pytest.mark.parametrize("sensitivity", [0, -1, math.nan, "2"])
def test_a_minimum_needs_a_sensitivity(sensitivity: Any) -> None:
    async def program(party: Any) -> None:
        x = await party.input([1, 2, 3], 0)
        await release(party, x, HUGE, sensitivity=1, to=0, minimum=MinimumGroup(5, x, 1.0, sensitivity))

    with pytest.raises(SensitivityInvalid):
        run(3, program)


def test_the_threshold_itself_is_noisy() -> None:
    async def program(party: Any) -> Any:
        counts = party.input(np.full(4000, 50), 0)
        minimum = MinimumGroup(51, counts, 0.5)
        return await release(party, counts * 0, DiscreteLaplace(1.0), sensitivity=1, to=[0], minimum=minimum)

    answer = run(3, program)[0]
    alpha = math.exp(-0.5)
    assert answer.shown.mean() == pytest.approx(alpha / (1 + alpha), abs=0.035)  # P(X >= 1)


def test_only_receivers_get_opening_messages() -> None:
    """Party 2 receives nothing in the last round, and as many bytes as when nothing is opened at all."""

    def received(to: Any) -> list[int]:
        async def program(party: Any) -> None:
            await release(party, party.input([1, 2, 3], 0), DiscreteLaplace(1.0), sensitivity=1, to=to)

        cluster = MemoryCluster(3)
        cluster.run(program)
        return [t.bytes_received for t in cluster.traffic]

    one, all_three = received([1]), received([0, 1, 2])
    assert one[1] == all_three[1]
    assert one[0] == all_three[0] - 24 and one[2] == all_three[2] - 24


def test_asking_again_draws_anew_and_is_charged_anew() -> None:
    async def program(party: Any) -> Any:
        x = party.input(np.zeros(2000, int), 0)
        first = await release(party, x, DiscreteLaplace(0.1), sensitivity=1, to=0)
        return first, await release(party, x, DiscreteLaplace(0.1), sensitivity=1, to=0)

    first, second = run(3, program)[0]
    assert abs(np.corrcoef(first.values, second.values)[0, 1]) < 0.12
    assert total_epsilon(first, second) == pytest.approx(0.2, rel=1e-12)
    assert Fraction(total_epsilon(first, second)) >= 2 * Fraction(0.1)


def test_what_is_charged_is_never_rounded_down() -> None:
    minimum_epsilon, epsilon = 0.1, 0.7  # their sum as floats is below the exact one
    exact = Fraction(minimum_epsilon) + Fraction(epsilon)
    assert Fraction(float(exact)) < exact

    async def program(party: Any) -> Any:
        x = party.input([1, 2, 3], 0)
        minimum = MinimumGroup(2, x, minimum_epsilon)
        one = await release(party, x, DiscreteLaplace(epsilon), sensitivity=1, to=0, minimum=minimum)
        sums = party.input([1.0, 2.0, 3.0], 0)
        return one, await release_mean(party, sums, x, DiscreteLaplace(epsilon), low=0, high=2, to=0)

    one, mean = run(3, program)[0]
    assert 0 <= Fraction(one.epsilon) - exact < Fraction(1, 1 << 50)
    assert one.epsilon == total_epsilon(one)
    assert [e.mechanism for e in one.events] == [DiscreteLaplace(epsilon), DiscreteLaplace(minimum_epsilon)]
    assert 0 < sum(event.delta for event in one.events) <= Fraction(one.delta)
    assert Fraction(mean.epsilon) >= 2 * Fraction(epsilon / 2)
    assert 0 < sum(event.delta for event in mean.events) <= Fraction(mean.delta)
    assert mean.events == tuple(event for part in mean.parts for event in part.events)


# -- other mechanisms ----------------------------------------------------------------------------

GAUSSIANS = [DiscreteGaussian(1.0, 1e-6), DiscreteGaussian(sigma=30.0), RoundedGaussian(0.5, 1e-6)]


@pytest.mark.parametrize("m", [3, 5])
@pytest.mark.parametrize("mechanism", [Binomial(1.0, 1e-6), *GAUSSIANS])
def test_every_mechanism_through_the_door(m: int, mechanism: Any) -> None:
    n = 8000

    async def program(party: Any) -> Any:
        return await release(party, party.input(np.full(n, -3), 0), mechanism, sensitivity=1, to=[0])

    answer = run(m, program)[0]
    error = answer.values + 3
    assert error.std() == pytest.approx(answer.standard_error, rel=0.04)
    assert abs(error.mean()) < 4.5 * answer.standard_error / math.sqrt(n)
    covered = ((answer.interval95[0] <= -3) & (answer.interval95[1] >= -3)).mean()
    assert 0.945 <= covered <= 0.99
    epsilon, delta = answer.events[0].promise
    assert (Fraction(answer.epsilon), Fraction(answer.delta)) == (epsilon, delta)
    assert answer.events == (Event(mechanism, Change((1,), False), n),)
    assert answer.mechanism == (mechanism,)


def test_gaussian_noise_of_many_columns_is_smaller() -> None:
    """Ten columns: the sum of their changes is 10, the root of the sum of squares 3.2."""
    sensitivity = sum((sensitivity_of(0, 1) for _ in range(9)), sensitivity_of(0, 1))

    async def program(party: Any) -> Any:
        x = party.input(np.zeros(10), 0)
        laplace = await release(party, x, DiscreteLaplace(0.5), sensitivity=sensitivity, to=0)
        return laplace, await release(party, x, DiscreteGaussian(0.5, 1e-6), sensitivity=sensitivity, to=0)

    laplace, gaussian = run(3, program)[0]
    assert laplace.standard_error == pytest.approx(math.sqrt(2) * 20, rel=0.01)
    assert gaussian.standard_error < 8.3 * math.sqrt(10)


def test_what_several_releases_cost_is_below_their_sum() -> None:
    async def program(party: Any) -> Any:
        x = party.input([5.0], 0)
        return [await release(party, x, DiscreteLaplace(0.1), sensitivity=1, to=0) for _ in range(40)]

    answers = run(3, program)[0]
    assert total_epsilon(*answers) == pytest.approx(4.0)
    assert 2.0 < total_cost(*answers, delta=1e-6) < 2.9
    assert [Event.from_json(e.to_json()) for a in answers for e in a.events] == [a.events[0] for a in answers]


def test_binomial_noise_for_several_columns_is_refused_with_the_way_out() -> None:
    async def program(party: Any) -> None:
        both = sensitivity_of(0, 1) + sensitivity_of(0, 1)
        await release(party, party.input([1, 2], 0), Binomial(1.0, 1e-6), sensitivity=both, to=0)

    cluster = MemoryCluster(3)
    with pytest.raises(MechanismUnfit, match="use DiscreteGaussian"):
        cluster.run(program)


def test_means_by_gaussian_noise() -> None:
    async def program(party: Any) -> Any:
        sums, counts = party.input(np.full(500, 400 * 7.0), 0, frac=8), party.input(np.full(500, 400), 0)
        return await release_mean(party, sums, counts, DiscreteGaussian(1.0, 1e-6), low=0, high=10, to=0)

    answer = run(3, program)[0]
    assert np.abs(answer.values - 7).std() < 3 * np.median(answer.standard_error)
    assert answer.epsilon <= 1.0 and answer.delta <= 1e-6


# -- means -------------------------------------------------------------------------------------


@pytest.mark.parametrize("m", PARTIES)
def test_means_with_a_huge_epsilon(m: int) -> None:
    sums, counts = np.array([300.0, 12.5, 0.0]), np.array([10, 5, 0])

    async def program(party: Any) -> Any:
        return await release_mean(
            party, party.input(sums, 0, frac=8), party.input(counts, 1), DiscreteLaplace(128), low=0, high=40, to=[0]
        )

    answers = run(m, program)
    assert all(a.values is None for a in answers[1:])
    answer = answers[0]
    assert np.allclose(answer.values, [30, 2.5, 20], atol=0.6)  # an empty group: the middle of the bounds
    assert answer.standard_error[2] == 20 and answer.standard_error[0] < 0.2
    assert (answer.interval95[0][2], answer.interval95[1][2]) == (0, 40)
    assert answer.epsilon == 128.0
    assert [p.sensitivity for p in answer.parts] == [20.0, 1.0]


def test_mean_error_and_interval_hold() -> None:
    n, true = 3000, 27.3

    async def program(party: Any) -> Any:
        sums, counts = party.input(np.full(n, 400 * true), 0, frac=4), party.input(np.full(n, 400), 0)
        return await release_mean(party, sums, counts, DiscreteLaplace(1.0), low=0, high=40, to=0)

    answer = run(3, program)[0]
    error = answer.values - true
    assert error.std() == pytest.approx(np.median(answer.standard_error), rel=0.1)
    covered = ((answer.interval95[0] <= true) & (true <= answer.interval95[1])).mean()
    assert covered >= 0.95


def test_means_of_groups_with_one_row_a_person() -> None:
    """One row is in one group, so its change is not spread: any law will do, and many releases cost what they cost."""

    async def program(party: Any) -> Any:
        sums, counts = party.input(np.full(40, 200 * 7), 0), party.input(np.full(40, 200), 0)
        binomial = await release_mean(party, sums, counts, Binomial(2.0, 1e-6), low=0, high=10, to=0)
        one, three = [
            await release_mean(party, sums, counts, DiscreteLaplace(0.2), low=0, high=10, to=0, rows=rows)
            for rows in (1, 3)
        ]
        return binomial, one, three

    binomial, one, three = run(3, program)[0]
    assert np.abs(binomial.values - 7).std() < 3 * np.median(binomial.standard_error)
    assert [p.events[0].change for p in one.parts] == [Change((5,), False), Change((1,), False)]
    assert [p.events[0].change for p in three.parts] == [Change((15,), True), Change((3,), True)]


def test_a_row_of_flags_changes_a_rate_by_half() -> None:
    async def program(party: Any) -> Any:
        sums, counts = party.input(np.full(2000, 300), 0), party.input(np.full(2000, 1000), 0)
        return await release_mean(party, sums, counts, DiscreteLaplace(0.2), low=0, high=1, to=0)

    answer = run(3, program)[0]
    assert answer.parts[0].events[0].change == Change((1,), False)
    assert answer.parts[0].sensitivity == 0.5
    assert answer.values.mean() == pytest.approx(0.3, abs=0.002)
    assert answer.values.std() == pytest.approx(np.median(answer.standard_error), rel=0.1)


def test_means_of_small_groups_are_not_shown() -> None:
    """By the noised count that is released anyway: no epsilon more, and nothing opened of a group that is too small."""
    sizes = np.array([3, 5000, 0, 900])

    async def program(party: Any) -> Any:
        sums, counts = party.input(sizes * 30, 0), party.input(sizes, 0)
        return await release_mean(
            party, sums, counts, DiscreteLaplace(1.0), low=0, high=40, to=[0, 1], minimum=MinimumGroup(400)
        )

    answers = run(3, program)
    for answer in answers[:2]:
        assert answer.shown.tolist() == [False, True, False, True]
        np.testing.assert_allclose(answer.values, [np.nan, 30, np.nan, 30], atol=1)
        assert np.isnan(answer.standard_error).tolist() == [True, False, True, False]
        assert np.isnan(answer.interval95[0]).tolist() == [True, False, True, False]
        assert [p.values[0] for p in answer.parts] == [0, 0]
        assert answer.epsilon == pytest.approx(1.0)
    assert answers[2].values is None

    async def charged_twice(party: Any) -> Any:
        counts = await party.input(sizes, 0)
        await release_mean(
            party, counts * 30, counts, DiscreteLaplace(1.0), low=0, high=40, to=0,
            minimum=MinimumGroup(400, counts, epsilon=1.0),
        )  # fmt: skip

    with pytest.raises(OutOfRange, match="looks at the noised count"):
        run(3, charged_twice)


def test_a_mean_from_stock() -> None:
    async def program(party: Any, store: Any) -> Any:
        sums, counts = await party.input([300.0], 0, frac=4), await party.input([100], 0)
        stock = await NoiseStock.open(party, store)
        half = DiscreteLaplace(1.0).split(2)
        for change, frac in ((Change((5 << 4,), False), 4), (Change((1,), False), 0)):
            await stock.fill(Event(half, change, 1, frac).law, 1)
        before = party.transport.traffic.bytes_sent
        await release_mean(party, sums, counts, DiscreteLaplace(1.0), low=0, high=10, to=0, stock=stock)
        return party.transport.traffic.bytes_sent - before

    assert max(MemoryCluster(3).run(program, [MemoryStore() for _ in range(3)])) <= 16  # the two openings


def test_the_interval_of_a_mean_spans_all_quotients_of_both_intervals() -> None:
    counts = np.array([3, 20, 50, 400])

    async def program(party: Any) -> Any:
        sums = party.input(counts * np.array([39.0, 39.0, 1.0, 20.0]), 0, frac=4)
        return await release_mean(party, sums, party.input(counts, 0), DiscreteLaplace(2.0), low=0, high=40, to=0)

    answer = run(3, program)[0]
    total, count = answer.parts
    (s, ds), (n, dn) = ((p.values, p.half_width(0.975)) for p in (total, count))
    for i in np.flatnonzero(n > dn):
        ends = [20 + (s[i] + a * ds) / (n[i] + b * dn) for a in (-1, 1) for b in (-1, 1)]
        assert answer.interval95[0][i] == pytest.approx(max(0, min(ends)))
        assert answer.interval95[1][i] == pytest.approx(min(40, max(ends)))
    assert (n > dn).sum() >= 3


@pytest.mark.parametrize(
    ("sums", "counts", "bounds", "rows", "fault"),
    [
        ([1.0], [1], (1, 1), 1, OutOfRange),
        ([1.0], [1], (0, math.inf), 1, OutOfRange),
        ([1.0], [1], (0, 1), 0, OutOfRange),
        ([1.0], [1, 2], (0, 1), 1, ShapeMismatch),
        ([1.0], [1.0], (0, 1), 1, WrongType),
    ],
)
def test_bad_means(sums: Any, counts: Any, bounds: Any, rows: Any, fault: type) -> None:
    async def program(party: Any) -> None:
        low, high = bounds
        await release_mean(
            party, party.input(sums, 0), party.input(counts, 0), HUGE, low=low, high=high, rows=rows, to=0
        )

    with pytest.raises(fault):
        run(3, program)


# -- refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"sensitivity": 0}, SensitivityInvalid),
        ({"sensitivity": -1}, SensitivityInvalid),
        ({"sensitivity": math.nan}, SensitivityInvalid),
        ({"sensitivity": math.inf}, SensitivityInvalid),
        ({"sensitivity": 1e30}, GridOverflow),
        ({"to": []}, UnknownParty),
        ({"to": [3]}, UnknownParty),
        ({"to": -1}, UnknownParty),
        ({"magnitude": 2.0**62}, GridOverflow),
        ({"magnitude": (1 << 62) - 5}, GridOverflow),
        ({"magnitude": -1}, OutOfRange),
        ({"magnitude": math.nan}, OutOfRange),
        ({"minimum": MinimumGroup(0)}, OutOfRange),
        ({"minimum": MinimumGroup(True)}, OutOfRange),
        ({"minimum": MinimumGroup(1 << 62)}, OutOfRange),
        ({"minimum": MinimumGroup(1 << 70)}, OutOfRange),
        ({"minimum": 50}, WrongType),
        ({"magnitude": "9"}, OutOfRange),
        ({"magnitude": Fraction(10**400)}, GridOverflow),
        ({"stock": MemoryStore()}, WrongType),
        ({"minimum": MinimumGroup(5, [1, 2, 3], 1.0)}, WrongType),  # type: ignore[arg-type]
        ({"mechanism": 1.0}, WrongType),
        ({"mechanism": DiscreteLaplace}, WrongType),
        ({"to": None}, UnknownParty),
        ({"to": 0.5}, UnknownParty),
    ],
)
def test_bad_releases_draw_no_noise(options: dict[str, Any], fault: type) -> None:
    async def program(party: Any) -> int:
        x = await party.input([1, 2, 3], 0)
        before = party.transport.traffic.frames_sent
        with pytest.raises(fault):
            await release(party, x, **{"mechanism": DiscreteLaplace(1.0), "sensitivity": 1, "to": [0], **options})
        return int(party.transport.traffic.frames_sent - before)

    assert run(3, program) == [0, 0, 0]


@pytest.mark.parametrize("epsilon", [None, 0.0, -1.0])
def test_a_minimum_with_counts_needs_an_epsilon(epsilon: float | None) -> None:
    async def program(party: Any) -> None:
        x = await party.input([1, 2, 3], 0)
        await release(party, x, HUGE, sensitivity=1, to=0, minimum=MinimumGroup(5, x, epsilon))

    with pytest.raises(EpsilonInvalid, match="give epsilon" if epsilon is None else "above 0"):
        run(3, program)


def test_a_minimum_needs_counts_that_fit() -> None:
    async def reals(party: Any) -> None:
        await release(party, party.input([1.5], 0), HUGE, sensitivity=1, to=0, minimum=MinimumGroup(5))

    async def shape(party: Any) -> None:
        minimum = MinimumGroup(5, party.input([1, 2], 0), 1.0)
        await release(party, party.input([1, 2, 3], 0), HUGE, sensitivity=1, to=0, minimum=minimum)

    for program in (reals, shape):
        with pytest.raises(ShapeMismatch):
            run(3, program)


def test_a_number_is_no_mechanism_and_the_error_says_what_is() -> None:
    async def figures(party: Any) -> None:
        await release(party, party.input([1], 0), 1.0, sensitivity=1, to=0)  # type: ignore[arg-type]

    async def means(party: Any) -> None:
        x = party.input([1], 0)
        await release_mean(party, x, x, 1.0, low=0, high=1, to=0)  # type: ignore[arg-type]

    for program in (figures, means):
        with pytest.raises(WrongType, match=r"mechanism 1\.0: must be one of protocols\.mechanisms"):
            run(3, program)


def test_bits_are_no_figures() -> None:
    async def program(party: Any) -> None:
        await release(party, party.random_bits((3,)), HUGE, sensitivity=1, to=0)

    with pytest.raises(WrongType):
        run(3, program)


@pytest.mark.parametrize("m", PARTIES)
def test_what_is_delivered_comes_as_it_is_to_one_party(m: int) -> None:
    async def program(party: Any) -> Any:
        x = party.input(np.array([1.5, -2.0]), 0)
        return await deliver(party, x, to=m - 1), await deliver(party, x < 0, to=1)

    for i, (values, bits) in enumerate(run(m, program)):
        assert (values is None) == (i != m - 1) and (bits is None) == (i != 1)
        if values is not None:
            assert values.tolist() == [1.5, -2.0]
        if bits is not None:
            assert bits.tolist() == [False, True]


def test_delivery_is_of_secrets_to_one_known_party() -> None:
    async def program(party: Any) -> None:
        x = await party.input(1, 0)
        for to in (3, -1, None, [0, 1], True):
            with pytest.raises(UnknownParty):
                await deliver(party, x, to=to)
        with pytest.raises(WrongType):
            await deliver(party, np.ones(2), to=0)  # type: ignore[arg-type]

    run(3, program)
