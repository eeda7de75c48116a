"""Private training: its account against independent ones; what a row can move, to the last step; its steps."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from dp_accounting import GaussianDpEvent, SelfComposedDpEvent
from dp_accounting.pld import PLDAccountant
from dp_accounting.rdp import RdpAccountant
from hypothesis import example, given, settings
from hypothesis import strategies as st
from prv_accountant import GaussianMechanism, PRVAccountant
from scipy.stats import norm

import mpc
from mpc import MemoryCluster
from mpc.arrays import SecretArray
from mpc.coefficients import SIGMOID, SIGMOID_LIMIT, SIGMOID_PERIOD
from mpc.errors import OutOfRange
from protocols.accounting import Event
from protocols.columns import read_on_grid
from protocols.composition import composed_delta, composed_epsilon
from protocols.errors import DeltaInvalid, EpsilonInvalid
from protocols.mechanisms import DiscreteGaussian, DiscreteLaplace
from protocols.private_descent import Huber, Logistic, Loss, PrivateDescent, batch_sum, noisy_descent
from protocols.private_huber import PrivateHuberRegressor
from protocols.private_logistic import PrivateLogisticRegression
from protocols.row_bound import RowBound, kept_rows
from protocols.sensitivity import Change
from protocols.sgd import Descent

LOGISTIC = Logistic()
ERROR = LOGISTIC.most


def plan(epsilon: float = 1.0, delta: float = 1e-6, **options: Any) -> PrivateDescent:
    places, d = options.pop("places", 500), options.pop("d", 10)
    return PrivateLogisticRegression(epsilon, delta, **options).plan(places, d)


# -- the account -----------------------------------------------------------------------------------


def analytic(mu: float, epsilon: float) -> float:
    """delta of telling N(0, 1) from N(mu, 1): Balle and Wang 2018."""
    return float(norm.cdf(mu / 2 - epsilon / mu) - math.exp(epsilon) * norm.cdf(-mu / 2 - epsilon / mu))


@pytest.mark.parametrize(
    ("epsilon", "delta", "epochs"), [(0.1, 1e-9, 7), (1.0, 1e-6, 1), (1.0, 1e-6, 20), (3.0, 1e-5, 100), (8.0, 1e-8, 3)]
)
def test_the_account_equals_independent_ones(epsilon: float, delta: float, epochs: int) -> None:
    """So many Gaussian mechanisms with this noise multiplier keep epsilon and delta, and hardly less noise would do."""
    made = plan(epsilon, delta, max_iter=epochs)
    each = made.noise_multiplier
    mu = math.sqrt(epochs) / each
    assert 0.97 * delta < analytic(mu, epsilon) <= delta  # sigma is found to one part in 4,096, from above

    composed = SelfComposedDpEvent(GaussianDpEvent(each), epochs)
    pld = PLDAccountant(value_discretization_interval=epsilon / 5000).compose(composed).get_epsilon(delta)
    assert 0.99 * epsilon < pld < 1.002 * epsilon
    accountant = PRVAccountant(
        prvs=[GaussianMechanism(noise_multiplier=each)], max_self_compositions=[epochs],
        eps_error=epsilon / 200, delta_error=delta / 1000,
    )  # fmt: skip
    prv = accountant.compute_epsilon(delta=delta, num_self_compositions=[epochs])
    assert prv[0] <= epsilon and prv[1] == pytest.approx(epsilon, rel=0.01)
    assert RdpAccountant().compose(composed).get_epsilon(delta) > 0.99 * epsilon  # a looser account

    assert made.event.promise == (pytest.approx(epsilon), pytest.approx(delta))
    assert made.event.delta <= made.event.promise[1]
    assert 0.99 * epsilon < composed_epsilon([made.event], delta) <= epsilon


def test_less_noise_would_break_the_promise() -> None:
    made = plan()
    assert analytic(math.sqrt(made.how.epochs) / (0.999 * made.noise_multiplier), 1.0) > 1e-6


def test_what_it_costs_in_epochs_rows_and_batches() -> None:
    """The root of the epochs, once a row; batches, columns and places cost nothing, but for finite precision."""
    one = plan(max_iter=5)
    assert plan(max_iter=20).noise_multiplier == pytest.approx(2 * one.noise_multiplier, rel=1e-3)
    assert plan(max_iter=5, batch_size=10).sigma == one.sigma
    assert plan(max_iter=5, places=10_000).sigma == one.sigma
    assert float(plan(max_iter=5, d=300).sigma) == pytest.approx(float(one.sigma), rel=1e-3)
    three = plan(max_iter=5, rows=3, batch_size=100)
    assert float(three.sigma) == pytest.approx(3 * float(one.sigma), rel=1e-3)
    assert three.event.coordinates == 3 * one.event.coordinates  # they may be in three batches of an epoch
    assert plan(max_iter=5, rows=30, batch_size=100).event.coordinates == 5 * one.event.coordinates


def test_however_a_persons_rows_fall_into_batches() -> None:
    rows, batches, epochs = 4, 3, 2
    made = plan(rows=rows, max_iter=epochs, places=30, batch_size=10)
    each = float(made.sigma / made.bound.times(ERROR))
    for split in itertools.product(range(rows + 1), repeat=batches):
        if sum(split) == rows:
            accountant = PLDAccountant(value_discretization_interval=1e-3)
            for k in (k for k in split if k):
                accountant.compose(GaussianDpEvent(each / k), epochs)
            assert accountant.get_delta(1.0) <= 1.02e-6
            if max(split) == rows:
                assert accountant.get_delta(1.0) > 0.97e-6


def test_it_is_stored_and_composed_as_any_release() -> None:
    event = plan(epsilon=0.5).event
    assert Event.from_json(event.to_json()) == event
    other = Event(DiscreteLaplace(0.5), Change((1,), False))
    both = composed_epsilon([event, other], 2e-6)
    assert 0.5 < both <= 1.0
    assert composed_delta([event, event], 1.0) < 2e-6
    two = analytic(math.sqrt(2) * math.sqrt(20) / plan(epsilon=0.5).noise_multiplier, 1.0)
    assert composed_delta([event, event], 1.0) == pytest.approx(two, rel=0.02)


@pytest.mark.parametrize("kind", [np.int64, np.uint8])
def test_numpys_integers_cost_what_pythons_do(kind: Any) -> None:
    """A square of numpy's would wrap, and hardly any noise be drawn. Other numbers than elsewhere: laws are cached."""
    wrapped = PrivateHuberRegressor(1.25, rows=kind(1), max_iter=kind(7), batch_size=kind(90)).plan(500, 4)
    made = PrivateHuberRegressor(1.25, rows=1, max_iter=7, batch_size=90).plan(500, 4)
    sigma, event = wrapped.sigma, wrapped.event  # first: equal events share what was found for one of them
    assert sigma == made.sigma and event == made.event and repr(wrapped) == repr(made)
    assert event.change.l2_squared == 7 * made.change**2 > 2**64
    assert Event.from_json(event.to_json()) == made.event
    bare = Event(DiscreteGaussian(1.25), Change((kind(100),) * 7, True), kind(70), kind(5))
    assert bare.change.l2_squared == 70_000 and Event.from_json(bare.to_json()) == bare


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"epsilon": 0.0}, EpsilonInvalid),
        ({"epsilon": 17.0}, EpsilonInvalid),
        ({"epsilon": math.nan}, EpsilonInvalid),
        ({"delta": 0.0}, DeltaInvalid),
        ({"delta": 1.0}, DeltaInvalid),
        ({"bound": 0.0}, OutOfRange),
        ({"bound": math.inf}, OutOfRange),
        ({"rows": 0}, OutOfRange),
        ({"rows": 1.5}, OutOfRange),
        ({"alpha": -1.0}, OutOfRange),
        ({"intercept_scaling": 0.0}, OutOfRange),
        ({"max_iter": 0}, OutOfRange),
        ({"batch_size": 0}, OutOfRange),
        ({"learning_rate": 0.0}, OutOfRange),
        ({"learning_rate": math.inf}, OutOfRange),
        ({"momentum": 1.0}, OutOfRange),
        ({"classes": (0, 1, 2)}, OutOfRange),
        ({"classes": (1, 1)}, OutOfRange),
        ({"learning_rate": 1e9}, OutOfRange),  # coefficients could leave their range
        ({"epsilon": 1e-5, "places": 20}, OutOfRange),
        ({"places": 1 << 30}, OutOfRange),
        ({"places": 0}, OutOfRange),
        ({"d": 0}, OutOfRange),
    ],
)
def test_what_is_refused(options: Any, error: Any) -> None:
    with pytest.raises(error):
        plan(**options)


def test_noise_of_the_smallest_batch_is_what_coefficients_must_bear() -> None:
    """A last batch of one row divides its noise by one."""
    assert plan(0.1, places=200, batch_size=100, learning_rate=1.0).batches == 2
    with pytest.raises(OutOfRange, match="could leave the range"):
        plan(0.1, places=201, batch_size=100, learning_rate=1.0)


# -- what a row can move -----------------------------------------------------------------------------


def test_sigmoid_is_off_by_less_than_what_is_allowed_for() -> None:
    """Every word between the limits: with rounding, (t + 1) / 2 steps, it stays within 16 steps of 0 and 1."""
    words = np.arange(-round(SIGMOID_LIMIT * 2**16), round(SIGMOID_LIMIT * 2**16) + 1)
    found = np.concatenate([SIGMOID(part / 2**16 / SIGMOID_PERIOD) for part in np.array_split(words, 20)]) * 2**16
    assert found.min() > -2 and found.max() < 2**16 + 2

    edges = np.array([-(2.0**45), 2.0**45, 11, -11, 11 + 2**-16, -11 - 2**-16])
    for m, points in ((3, 20_001), (5, 1001), (7, 51)):
        x = np.concatenate([np.linspace(-12, 12, points), edges])

        async def program(party: Any, x: Any) -> Any:
            return await party.reveal(read_on_grid(await mpc.sigmoid(party.input(x, 0)), 0))

        p = MemoryCluster(m, seed=m).run(program, [(x,)] * m)[0]
        assert max(p.max(), (2**16 - p).max()) <= ERROR


async def _sum(party: Any, words: Any, labels: Any, here: Any, beta: Any, bound: RowBound, loss: Loss) -> Any:
    """The words of a batch's sum, on the way that fit goes. Of labels for Huber's loss the words are given."""
    X = SecretArray(party, (await party.input(words, 0, frac=0)).share, 16)
    y = await party.input(labels, 1)
    if loss == LOGISTIC:
        y = await PrivateLogisticRegression()._target(y, len(labels))
    else:
        y = SecretArray(party, y.share * np.uint64(2), 16)  # beyond what an input may be
    z = await kept_rows(X, await party.input(here, 2), bound)
    total = await batch_sum(z, y, await party.input(beta, 0, frac=24), loss)
    assert total.frac == 32
    return await party.reveal(read_on_grid(total, 0))


def sums(words: Any, labels: Any, here: Any, beta: Any, bound: RowBound, loss: Loss, m: int = 3) -> list[int]:
    async def program(party: Any) -> Any:
        return await _sum(party, words, labels, here, beta, bound, loss)

    return [int(v) for v in MemoryCluster(m, seed=5).run(program)[0]]


huge = st.sampled_from([1 << 16, 1 << 31, 1 << 32, 3 << 31, 1 << 47, 1 << 61, (1 << 62) - 1])
numbers = st.one_of(st.integers(-(1 << 16), 1 << 16), huge, huge.map(lambda v: -v), st.just(0))


def long(seed: int) -> list[int]:
    x = np.random.default_rng(seed).normal(size=3)
    return [int(v) for v in x / np.linalg.norm(x) * 2**16]


@settings(max_examples=25, deadline=None)
@given(
    row=st.one_of(st.integers(0, 1000).map(long), st.lists(numbers, min_size=3, max_size=3)),
    label=st.sampled_from([1, 0, 1, 0, 2, -1, 1 << 16, -(1 << 61), (1 << 62) - 1]),
    here=st.sampled_from([1, 1, 1, 0, 7, -(1 << 60)]),
    scale=st.sampled_from([0.0, 1.0, 100.0, 2.0**18]),
    seed=st.integers(0, 1000),
    loss=st.sampled_from([LOGISTIC, Huber(1 << 16), Huber(1 << 10)]),
)
@example(row=long(1), label=1, here=1, scale=0.0, seed=0, loss=LOGISTIC)
@example(row=long(2), label=1, here=7, scale=100.0, seed=1, loss=LOGISTIC)
@example(row=long(3), label=2, here=1, scale=100.0, seed=2, loss=LOGISTIC)
@example(row=[1 << 16, 1, 0], label=1, here=1, scale=0.0, seed=3, loss=LOGISTIC)
@example(row=long(4), label=(1 << 62) - 1, here=1, scale=2.0**18, seed=4, loss=Huber(1 << 16))
@example(row=long(5), label=1 << 61, here=1, scale=1.0, seed=5, loss=Huber(1 << 16))
def test_no_row_moves_a_sum_by_more_than_its_bound(
    row: Any, label: int, here: int, scale: float, seed: int, loss: Loss
) -> None:
    """Whatever its words, its label, whether it says it is there, and whatever the coefficients: exactly, in integers.

    The same randomness: roundings of other rows are the same, so what differs is what the row does.
    """
    bound = RowBound.of(1.0, 0.5, 3)
    r = np.random.default_rng(seed)
    others = r.integers(-30_000, 30_000, (3, 3))
    beta = r.uniform(-1, 1, 4) * scale
    words = np.array([row, *others.tolist()], np.int64)
    labels, present = np.array([label, 0, 1, 1]), np.array([here, 1, 1, 1])
    with_it = sums(words, labels, present, beta, bound, loss)
    without = sums(words * [[0], [1], [1], [1]], labels * [0, 1, 1, 1], present * [0, 1, 1, 1], beta, bound, loss)
    moved = sum((a - b) ** 2 for a, b in zip(with_it, without, strict=True))
    assert moved <= bound.times(loss.most) ** 2
    if sum(v * v for v in row) > bound.most or not here:
        assert moved == 0


@pytest.mark.parametrize("m", [3, 5])
def test_the_worst_row_does_move_it_so_far(m: int) -> None:
    bound = RowBound.of(1.0, 0.5, 2)
    words = np.array([[39321, 52428], [0, 0]], np.int64)  # 0.6 and 0.8
    for loss in (LOGISTIC, Huber(1 << 17)):
        total = sums(words, np.array([0, 0]), np.array([1, 0]), np.array([1000.0, 1000.0, 0.0]), bound, loss, m)
        assert 0.999 * bound.times(loss.most) < math.hypot(*total) <= bound.times(loss.most)


# -- noise and steps -----------------------------------------------------------------------------------


def in_the_clear(z: Any, y: Any, noise: Any, made: PrivateDescent) -> Any:
    beta, velocity, seen = np.zeros(made.columns), np.zeros(made.columns), []
    for step, rows in enumerate(made.orders()):
        p = 1 / (1 + np.exp(-z[rows] @ beta))
        gradient = (z[rows].T @ (p - y[rows]) + noise[step]) / len(rows)
        penalty = made.alpha * beta * np.append(np.ones(made.columns - 1), 0.0 if made.bound.level else 1.0)
        velocity = made.how.momentum * velocity - made.how.rate * (gradient + penalty)
        beta = beta + velocity
        seen.append(beta)
    return np.mean(seen[len(seen) // 2 :], axis=0) if made.average else seen[-1]


@pytest.mark.parametrize(
    ("m", "options"),
    [
        (3, {}),
        (3, {"batch_size": 30, "alpha": 0.05, "max_iter": 4}),
        (3, {"average": False, "fit_intercept": False}),
        (5, {"batch_size": 50, "alpha": 0.05, "max_iter": 2}),
    ],
)
def test_steps_are_those_in_the_clear_with_the_same_noise(m: int, options: Any) -> None:
    made = plan(4.0, places=80, d=3, **options)
    r = np.random.default_rng(2)
    z = np.rint(r.uniform(-0.5, 0.5, (80, made.columns)) * 2**16) / 2**16
    y = (r.random(80) < 1 / (1 + np.exp(-z @ np.arange(made.columns)))).astype(int)
    noise = np.rint(r.normal(size=(made.steps, made.columns)) * float(made.sigma)) / 2**32

    async def program(party: Any) -> Any:
        secrets = [await party.input(z, 0), await party.input(y, 1), await party.input(noise, 2, frac=32)]
        return await party.reveal(await noisy_descent(*secrets, made))

    found = MemoryCluster(m, seed=1).run(program)[0]
    np.testing.assert_allclose(found, in_the_clear(z, y, noise, made), rtol=1e-3, atol=2e-3)


def test_penalty_is_not_on_the_intercept_and_orders_are_disjoint() -> None:
    made = PrivateDescent(
        LOGISTIC, DiscreteGaussian(1.0), RowBound.of(1.0, 0.5, 2), 3, 25, 1, Descent(1.0, 0.0, 10, 2, 3)
    )
    orders = list(made.orders())
    assert [len(o) for o in orders] == [10, 10, 5] * 2 and made.batches == 3 and made.steps == 6
    for epoch in range(2):
        assert sorted(np.concatenate(orders[3 * epoch : 3 * epoch + 3])) == list(range(25))
