"""Mini-batches: the same steps as in the clear, and scikit-learn's accuracy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from sklearn import linear_model
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import StandardScaler

from mpc import MemoryCluster, Party
from mpc.arrays import SecretArray
from mpc.encoding import FRAC
from mpc.errors import OutOfRange
from mpc.exchange import public_share
from mpc.transport import Frame
from protocols import sgd
from protocols.logistic import LogisticRegression
from protocols.sgd import Descent
from tests.protocols.fitted import each_m, fitted, sizes_sent


def _rows(n: int, d: int) -> tuple[Any, Any]:
    r = np.random.default_rng([n, d])
    x = StandardScaler().fit_transform(r.normal(size=(n, d)))
    return x, r.random(n) < 1 / (1 + np.exp(-x @ r.normal(size=d)))


def _in_the_clear(x: Any, y: Any, counts: Any, penalty: float, how: Descent) -> Any:
    z = np.column_stack([x, np.ones(len(x))])
    beta, velocity = np.zeros(z.shape[1]), np.zeros(z.shape[1])
    pull = np.append(np.full(x.shape[1], penalty), 0)
    for epoch, rows in how.batches(len(x)):
        p = 1 / (1 + np.exp(-z[rows] @ beta))
        gradient = z[rows].T @ (counts[rows] * (p - y[rows])) / len(rows) + pull * beta
        velocity = how.momentum * velocity - how.rate / (1 + epoch) * gradient
        beta = beta + velocity
    return beta


@each_m
@pytest.mark.parametrize("weighted", [False, True])
def test_steps_are_those_in_the_clear(m: int, weighted: bool) -> None:
    x, y = _rows(90, 3)
    r = np.random.default_rng(1)
    weights = np.rint(r.uniform(0, 2, 90) * 64) / 64 if weighted else None
    present = r.random(90) < 0.8 if weighted else None
    options = {"batch_size": 20, "learning_rate": 0.3, "momentum": 0.8, "max_iter": 3, "random_state": 5}

    async def body(X: Any, Y: Any, W: Any, P: Any) -> Any:
        model = await LogisticRegression(2.0, solver="sgd", **options).fit(X, Y, W, present=P)
        return [model.coef_[0], model.intercept_]

    coef, intercept = fitted(m, body, x, y, weights, present)
    counts = weights * present if weighted else np.ones(90)
    expected = _in_the_clear(x, y, counts, 1 / (2.0 * 90), Descent(0.3, 0.8, 20, 3, 5))
    np.testing.assert_allclose(np.append(coef, intercept), expected, rtol=0, atol=2e-3)


def test_accuracy_on_breast_cancer() -> None:
    data = load_breast_cancer()
    x, y = StandardScaler().fit_transform(data.data), data.target.astype(bool)

    async def body(X: Any, Y: Any) -> Any:
        model = await LogisticRegression(solver="sgd", batch_size=32, max_iter=15).fit(X, Y)
        return [await model.score(X, Y), model.converged_]

    score, _ = fitted(3, body, x, y)
    assert score > linear_model.LogisticRegression().fit(x, y).score(x, y) - 0.003


def test_order_of_rows() -> None:
    batches = list(Descent(0.1, 0.9, 4, 2, 7).batches(10))
    assert [(epoch, len(rows)) for epoch, rows in batches] == [(0, 4), (0, 4), (0, 2), (1, 4), (1, 4), (1, 2)]
    for epoch in range(2):
        rows = np.concatenate([r for e, r in batches if e == epoch])
        assert sorted(rows) == list(range(10))


def test_messages_depend_on_sizes_only() -> None:
    async def body(X: Any, Y: Any) -> Any:
        await LogisticRegression(solver="sgd", max_iter=2, batch_size=8).fit(X, Y)
        return []

    x, y = _rows(20, 2)
    assert sizes_sent(body, x, y, seed=1) == sizes_sent(body, np.zeros((20, 2)), np.ones(20, bool), seed=2)


@pytest.mark.parametrize(
    "options", [{"learning_rate": 0}, {"momentum": 0.9999}, {"batch_size": 0}, {"learning_rate": 17}]
)
def test_parameters_out_of_range(options: Any) -> None:
    async def body(X: Any, Y: Any) -> Any:
        return [(await LogisticRegression(solver="sgd", **options).fit(X, Y)).coef_]

    with pytest.raises(OutOfRange):
        fitted(3, body, *_rows(20, 2))


@pytest.mark.parametrize("classes", [2, 3])
def test_a_warm_start_goes_on_where_the_last_fit_ended(classes: int) -> None:
    """Two epochs and three more are five; without it, or after another solver, a fit begins anew."""
    x, y = _rows(60, 3)
    y = np.where(x[:, 0] > 0.5, 2, y.astype(int)) if classes == 3 else y
    options: dict[str, Any] = {"solver": "sgd", "batch_size": 16, "classes": tuple(range(classes))}

    async def body(X: Any, Y: Any) -> Any:
        model = await LogisticRegression(**options, max_iter=5).fit(X, Y)
        ends = [model.coef_, model.intercept_]
        await model.set_params(max_iter=2).fit(X, Y)
        await model.set_params(max_iter=3, warm_start=True).fit(X, Y)
        ends += [model.coef_, model.intercept_]
        await model.set_params(max_iter=1, fit_intercept=False).fit(X, Y)
        await model.set_params(max_iter=5, fit_intercept=True, warm_start=False).fit(X, Y)
        return [*ends, model.coef_, model.intercept_]

    coef, intercept, *others = fitted(3, body, x, y)
    for c, b in zip(others[::2], others[1::2], strict=True):
        np.testing.assert_allclose(c, coef, rtol=0, atol=1e-3)
        np.testing.assert_allclose(b, intercept, rtol=0, atol=1e-3)


def test_a_warm_start_with_early_stopping_never_loses_by_it() -> None:
    """A start that no epoch betters on the rows held out is kept: step 0."""
    x, y = _rows(60, 3)

    async def body(X: Any, Y: Any) -> Any:
        model = await LogisticRegression(solver="newton", max_iter=4).fit(X, Y)  # to all rows
        start = model.coef_
        wild = {"solver": "sgd", "warm_start": True, "early_stopping": True, "learning_rate": 16.0, "batch_size": 4}
        await model.set_params(**wild, max_iter=1, validation_fraction=0.5).fit(X, Y)
        return [start, model.coef_, model.best_iter_]

    start, kept, best = fitted(3, body, x, y)
    assert best == 0
    np.testing.assert_allclose(kept, start, rtol=0, atol=2e-4)


OVERFLOW = [
    {"batch_size": 16384, "momentum": 0.999, "max_iter": 200},
    {"batch_size": 16384, "momentum": 0.99, "max_iter": 200},
    {"learning_rate": 1e-9, "max_iter": 100},  # 2^-44 a row
    {"C": 1e-5, "learning_rate": 0.1},  # steps of 2.5 times the penalty's own
    {"C": 1e-3, "learning_rate": 16.0, "momentum": 0.0},
    {"batch_size": 16384, "momentum": 0.9, "class_weight": {1: 16}, "max_iter": 40},
]


@pytest.mark.parametrize("options", OVERFLOW)
def test_what_may_overflow_or_diverge_is_refused_before_anything_is_sent(options: Any) -> None:
    sent: list[Frame] = []
    kept: list[int] = []

    def tap(frame: Frame) -> list[Frame]:
        sent.append(frame)
        return [frame]

    async def body(party: Party) -> Any:
        X = SecretArray(party, public_share(party, np.zeros((4000, 2), np.uint64)), FRAC)
        y = SecretArray(party, public_share(party, np.zeros(4000, np.uint64)), 0)
        with pytest.raises(OutOfRange):
            await LogisticRegression(solver="sgd", **options).fit(X, y)
        kept.append(len(sent))

    MemoryCluster(3, seed=1, tap=tap).run(body)
    assert kept[0] == 0


@pytest.mark.parametrize(
    ("n", "how", "weight"),
    [
        (3000, Descent(1e-4, 0.99, 16384, 300, 0), 1.0),
        (2000, Descent(1e-4, 0.998, 256, 60, 0), 2.0),
        (700, Descent(0.5, 0.9, 64, 20, 0), 1.0),
        (90, Descent(16.0, 0.999, 1, 3, 0), 1.0),
        (50, Descent(1e-3, 0.95, 50, 4, 0, 7), 1.0),
    ],
)
def test_velocities_stay_below_their_bound(n: int, how: Descent, weight: float) -> None:
    """Gradients of 1, weighed, all in one direction: what is checked is what is reached, and the end is returned."""
    speed, most, start = 0.5, 0.0, 0.5
    for epoch, _ in how.batches(n):
        rate = how.rate / (1 + epoch)
        speed = how.momentum * speed + rate * weight
        most = max(most, speed * min(how.batch, n) / rate)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sgd, "_MOST", most * 1.0001)
        assert how.check(n, 0.0, weight, start) == pytest.approx(speed)
        patch.setattr(sgd, "_MOST", most * 0.9)
        with pytest.raises(OutOfRange):
            how.check(n, 0.0, weight, start)


def test_close_to_the_most_steps_are_those_in_the_clear() -> None:
    """A gradient that stays as it is for hundreds of steps of all rows, with momentum."""
    x, y = _rows(1500, 1)
    options: dict[str, Any] = {"batch_size": 16384, "learning_rate": 2e-6, "momentum": 0.998, "max_iter": 120}
    how = Descent(2e-6, 0.998, 16384, 120, 0)
    with pytest.raises(OutOfRange):
        Descent(2e-6, 0.998, 16384, 700, 0).check(1500, 0.0)

    async def body(X: Any, Y: Any) -> Any:
        model = await LogisticRegression(math.inf, solver="sgd", **options).fit(X, Y)
        return [model.coef_[0], model.intercept_]

    coef, intercept = fitted(3, body, x, y)
    expected = _in_the_clear(x, y, np.ones(1500), 0, how)
    np.testing.assert_allclose(np.append(coef, intercept), expected, rtol=0, atol=2e-4)


def test_a_velocity_too_fast_for_the_next_fit_is_refused() -> None:
    x, y = _rows(60, 2)

    async def body(X: Any, Y: Any) -> Any:
        model = await LogisticRegression(solver="sgd", learning_rate=16.0, batch_size=1, max_iter=1).fit(X, Y)
        model.set_params(warm_start=True, learning_rate=1e-3, batch_size=1024)
        with pytest.raises(OutOfRange, match="warm_start=False"):
            await model.fit(X, Y)
        return [(await model.set_params(warm_start=False).fit(X, Y)).coef_]

    fitted(3, body, x, y)
