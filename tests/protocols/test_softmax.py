"""Regression on more than two classes against scikit-learn on the pooled rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import linear_model
from sklearn.datasets import load_wine
from sklearn.preprocessing import StandardScaler

from mpc.errors import OutOfRange
from protocols.logistic import LogisticRegression
from protocols.softmax import softmax
from tests.protocols.fitted import each_m, fitted


def _rows(n: int, d: int, classes: int) -> tuple[Any, Any]:
    r = np.random.default_rng([n, d, classes])
    x = r.normal(size=(n, d)) * np.geomspace(0.5, 3, d)
    score = x @ r.normal(size=(d, classes)) + r.gumbel(size=(n, classes))
    return x, score.argmax(axis=1)


@each_m
def test_softmax(m: int) -> None:
    x = np.random.default_rng(1).normal(size=(20, 5)) * np.geomspace(0.1, 30, 20)[:, None]

    async def body(X: Any) -> Any:
        return [await softmax(X)]

    (found,) = fitted(m, body, x)
    e = np.exp(x - x.max(axis=1)[:, None])
    np.testing.assert_allclose(found, e / e.sum(axis=1)[:, None], rtol=0, atol=1.3e-4)


def _compare(m: int, x: Any, y: Any, weights: Any = None, present: Any = None, **options: Any) -> None:
    labels = np.unique(y)

    async def body(X: Any, Y: Any, W: Any, P: Any) -> Any:
        model = await LogisticRegression(classes=labels.tolist(), **options).fit(X, Y, W, present=P)
        return (
            model.coef_, model.intercept_, await model.predict_proba(X), await model.predict(X),
            await model.score(X, Y), model.converged_,
        )  # fmt: skip

    coef, intercept, probability, predicted, score, converged = fitted(m, body, x, y, weights, present)
    kept = np.ones(len(x), bool) if present is None else present
    theirs = linear_model.LogisticRegression(class_weight=options.get("class_weight"), tol=1e-10, max_iter=1000)
    theirs.fit(x[kept], y[kept], None if weights is None else weights[kept])
    scale = x.std(axis=0)
    np.testing.assert_allclose(coef * scale, theirs.coef_ * scale, rtol=0, atol=1.5e-3)
    expected = theirs.intercept_ - theirs.intercept_.mean()
    np.testing.assert_allclose(intercept - intercept.mean(), expected, rtol=0, atol=2e-3)
    np.testing.assert_allclose(probability, theirs.predict_proba(x), rtol=0, atol=1e-3)
    clear = np.sort(probability, axis=1)
    clear = clear[:, -1] - clear[:, -2] > 2e-3
    np.testing.assert_array_equal(predicted[clear], theirs.predict(x)[clear])
    assert abs(score - (predicted == y).mean()) < 1e-4
    assert converged


@each_m
def test_as_scikit_learns(m: int) -> None:
    x, y = _rows(90, 2, 3)
    _compare(m, x, y * 5 - 3)


def test_weights() -> None:
    x, y = _rows(120, 2, 4)
    r = np.random.default_rng(2)
    _compare(3, x, y, np.rint(r.uniform(0, 2, 120) * 64) / 64, r.random(120) < 0.8)
    _compare(3, x, y, class_weight="balanced")


def test_wine() -> None:
    data = load_wine()
    _compare(3, StandardScaler().fit_transform(data.data), data.target)


def test_mini_batches() -> None:
    data = load_wine()
    x = StandardScaler().fit_transform(data.data)

    async def body(X: Any, Y: Any) -> Any:
        model = LogisticRegression(classes=(0, 1, 2), solver="sgd", batch_size=32, max_iter=8)
        return [await (await model.fit(X, Y)).score(X, Y)]

    (score,) = fitted(3, body, x, data.target)
    assert score > 0.98


def test_warm_start() -> None:
    x, y = _rows(100, 2, 3)

    async def body(X: Any, Y: Any) -> Any:
        model = await LogisticRegression(classes=(0, 1, 2), max_iter=9).fit(X, Y)
        first = model.coef_
        await model.set_params(max_iter=1, warm_start=True).fit(X, Y)
        return [first, model.coef_, model.converged_]

    first, again, converged = fitted(3, body, x, y)
    np.testing.assert_allclose(again, first, rtol=0, atol=1e-3)
    assert converged


@pytest.mark.parametrize("d", [1, 150])
def test_refusals(d: int) -> None:
    """Bits stand for two classes only; a system that is too large names the other solver."""

    async def body(X: Any, Y: Any) -> Any:
        return [(await LogisticRegression(classes=(0, 1, 2)).fit(X, Y)).coef_]

    with pytest.raises(OutOfRange, match="bits" if d == 1 else "sgd"):
        fitted(3, body, np.zeros((4, d)), np.array([True, False, True, True]))


def test_one_class_only_has_not_converged() -> None:
    """Its intercept has no end: once all probabilities are told as 0 or 1, nothing moves any more."""
    x = np.random.default_rng(3).normal(size=(60, 2))

    async def body(X: Any, Y: Any) -> Any:
        model = await LogisticRegression(max_iter=22, classes=(0, 1, 2)).fit(X, Y)
        return [model.converged_, model.coef_]

    converged, coef = fitted(3, body, x, np.ones(60, int))
    assert not converged
    np.testing.assert_allclose(coef, 0, atol=1e-3)
