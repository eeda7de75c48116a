"""PrivateHuberRegressor: Huber's loss, what it is worth with noise, and that no label carries it away."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn import linear_model
from sklearn.datasets import load_diabetes

from mpc import MemoryCluster
from mpc.errors import OutOfRange
from protocols.private_huber import PrivateHuberRegressor
from protocols.row_bound import bounded_rows
from tests.protocols.fitted import fitted, sizes_sent, unsafe_without_noise


def few(n: int = 300, d: int = 3) -> tuple[Any, Any]:
    r = np.random.default_rng(d)
    x = bounded_rows(r.normal(size=(n, d)), [-3] * d, [3] * d, spread=3.0)
    return x, np.clip(x @ np.linspace(-0.5, 1, d) + 0.3 + 0.1 * r.normal(size=n), -1, 1)


@pytest.fixture
def no_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    unsafe_without_noise(monkeypatch)


def _best(x: Any, y: Any, threshold: float, alpha: float) -> Any:
    def loss(w: Any) -> float:
        r = np.abs(x @ w[:-1] + w[-1] - y)
        huber = np.where(r <= threshold, r * r / 2, threshold * (r - threshold / 2))
        return float(huber.mean() + alpha / 2 * (w[:-1] ** 2).sum())

    return minimize(loss, np.zeros(x.shape[1] + 1), tol=1e-10).x


@pytest.mark.usefixtures("no_noise")
@pytest.mark.parametrize("threshold", [0.05, 1.0])
def test_without_noise_and_with_time_it_is_the_best_fit(threshold: float) -> None:
    x, y = few()

    async def body(X: Any, Y: Any) -> Any:
        model = PrivateHuberRegressor(threshold=threshold, alpha=0.02, max_iter=60, average=False)
        await model.fit(X, Y)
        return [model.coef_, model.intercept_, await model.score(X, Y), await model.predict(X)]

    coef, intercept, score, predicted = fitted(3, body, x, y)
    best = _best(x, y, threshold, 0.02)
    np.testing.assert_allclose(coef, best[:-1], rtol=0, atol=2e-3)
    np.testing.assert_allclose(intercept, best[-1], rtol=0, atol=2e-3)
    np.testing.assert_allclose(predicted, x @ best[:-1] + best[-1], rtol=0, atol=4e-3)
    assert score == pytest.approx(1 - ((predicted - y) ** 2).mean() / y.var(), abs=1e-3)


@pytest.mark.usefixtures("no_noise")
def test_labels_out_of_all_bounds_pull_no_more_than_the_threshold() -> None:
    x, y = few(60)
    far, bound = y.copy(), y.copy()
    far[[0, 1]] = 2.0**45, -(2.0**45)
    bound[[0, 1]] = 50.0, -50.0

    async def body(X: Any, Y: Any) -> Any:
        model = await PrivateHuberRegressor(threshold=0.5, max_iter=8).fit(X, Y)
        return [model.coef_, model.intercept_]

    for a, b in zip(fitted(3, body, x, far), fitted(3, body, x, bound), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=2e-5)


@pytest.mark.parametrize("m", [3, 5])
def test_progress_of_diabetes_at_epsilon_two(m: int) -> None:
    data = load_diabetes(scaled=False)
    low, high = np.array([18, 1, 15, 60, 90, 40, 20, 2, 3, 50]), np.array([80, 2, 43, 135, 305, 245, 100, 9, 6.2, 125])
    x = bounded_rows(data.data, low, high)
    y = bounded_rows(data.target.reshape(-1, 1), [25], [350], spread=1.0)[:, 0]

    async def program(party: Any) -> Any:
        model = PrivateHuberRegressor(2.0, 1e-4, threshold=0.5, max_iter=10)
        await model.fit(party.input(x, 0), party.input(y, 1))
        return await model.release(party, to=[1])

    answers = MemoryCluster(m, seed=2).run(program)
    told = answers[1]
    assert told.epsilon == 2.0 and told.coef.shape == (10,) and answers[0].coef is None
    left = ((x @ told.coef + told.intercept - y) ** 2).mean() / y.var()
    best = linear_model.LinearRegression().fit(x, y).score(x, y)
    assert 1 - left > best - 0.12


def test_messages_depend_on_sizes_only() -> None:
    async def body(X: Any, Y: Any) -> Any:
        await PrivateHuberRegressor(max_iter=2, batch_size=15).fit(X, Y)
        return []

    x, y = few(40)
    assert sizes_sent(body, x, y, seed=1) == sizes_sent(body, x * 2.0**30, y * 2.0**40, seed=2)


@pytest.mark.parametrize("threshold", [0.0, -1.0, math.nan, math.inf, 1e-3, 1e4])
def test_thresholds_out_of_range(threshold: float) -> None:
    with pytest.raises(OutOfRange):
        PrivateHuberRegressor(threshold=threshold).plan(100, 3)


def test_noise_grows_with_the_threshold() -> None:
    one, two = (PrivateHuberRegressor(threshold=t).plan(100, 3) for t in (0.5, 1.0))
    assert float(two.sigma) == pytest.approx(2 * float(one.sigma), rel=1e-3)
    assert two.noise_multiplier == pytest.approx(one.noise_multiplier, rel=1e-3)
