"""Logistic regression against scikit-learn on the pooled rows: labels, weights, penalties, degenerate data."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from sklearn import linear_model
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from mpc import LocalCluster
from mpc.errors import OutOfRange, ShapeMismatch, WrongType
from protocols.errors import NotFitted
from protocols.inference import p_values
from protocols.logistic import LogisticRegression
from tests.protocols.fitted import each_m, fitted, program, sizes_sent


def _rows(n: int, d: int, seed: int = 0) -> tuple[Any, Any]:
    r = np.random.default_rng([n, d, seed])
    x = r.normal(size=(n, d)) * np.geomspace(0.2, 5, d) + r.normal(size=d)
    score = ((x - x.mean(axis=0)) / x.std(axis=0)) @ r.normal(size=d)
    return x, r.random(n) < 1 / (1 + np.exp(-score - 0.5))


def _theirs(x: Any, y: Any, weights: Any, present: Any, C: float = 1.0, **options: Any) -> Any:
    kept = np.ones(len(x), bool) if present is None else present
    model = linear_model.LogisticRegression(C=C, solver="newton-cholesky", tol=1e-10, max_iter=500, **options)
    return model.fit(x[kept], y[kept].astype(int), None if weights is None else weights[kept])


async def _coefficients(X: Any, Y: Any, W: Any = None, P: Any = None, **options: Any) -> Any:
    model = await LogisticRegression(**options).fit(X, Y, W, present=P)
    return [model.coef_, model.intercept_, model.converged_]


def _compare(m: int, x: Any, y: Any, weights: Any = None, present: Any = None, **options: Any) -> None:
    async def body(X: Any, Y: Any, W: Any, P: Any) -> Any:
        return await _coefficients(X, Y, W, P, **options)

    coef, intercept, converged = fitted(m, body, x, y, weights, present)
    options.pop("max_iter", None)
    theirs = _theirs(x, y, weights, present, **options)
    scale = x.std(axis=0)
    np.testing.assert_allclose(coef * scale, theirs.coef_ * scale, rtol=0, atol=1e-3)
    at_mean = x.mean(axis=0)
    np.testing.assert_allclose(
        intercept + coef @ at_mean, theirs.intercept_ + theirs.coef_ @ at_mean, rtol=0, atol=1e-3
    )
    assert converged


@each_m
def test_as_scikit_learns(m: int) -> None:
    _compare(m, *_rows(120, 3), max_iter=6)


@each_m
def test_rows_that_count_and_weights(m: int) -> None:
    x, y = _rows(120, 3)
    r = np.random.default_rng(1)
    present = r.random(120) < 0.7
    weights = np.rint(r.uniform(0, 2, 120) * 64) / 64
    _compare(m, np.where(present[:, None], x, x.mean(axis=0)), y, weights, present, max_iter=7)


@pytest.mark.parametrize("C", [0.01, 30.0, math.inf])
def test_penalties(C: float) -> None:
    _compare(3, *_rows(200, 4), C=C)


@pytest.mark.parametrize("C", [1e-5, 1e-3, 0.1, 3.0])
def test_penalties_of_narrow_columns(C: float) -> None:
    """The inverse square of a deviation of 2^-6 is 2^12; what is above 2^10 of a penalty says nothing more."""
    x, y = _rows(100, 4)
    x = (x - x.mean(axis=0)) / x.std(axis=0) * [0.017, 0.05, 0.12, 30]
    _compare(3, x, y, C=C)


@pytest.mark.parametrize("classes", [2, 3])
def test_a_warm_start_under_a_much_stronger_penalty(classes: int) -> None:
    x, y = _rows(100, 2)
    y = np.where(x[:, 0] > x[:, 0].mean(), y, 2) if classes == 3 else y.astype(int)

    async def body(X: Any, Y: Any) -> Any:
        labels = tuple(range(classes))
        model = await LogisticRegression(100.0, classes=labels).fit(X, Y)
        await model.set_params(C=1e-4, warm_start=True).fit(X, Y)
        return [model.coef_, model.converged_]

    coef, converged = fitted(3, body, x, y)
    scale = x.std(axis=0)
    np.testing.assert_allclose(coef * scale, _theirs(x, y, None, None, C=1e-4).coef_ * scale, rtol=0, atol=1e-3)
    assert converged


def test_without_an_intercept() -> None:
    x, y = _rows(150, 3)
    _compare(3, x - x.mean(axis=0), y, fit_intercept=False)


@pytest.mark.parametrize("class_weight", ["balanced", {0: 2.0, 1: 0.5}])
def test_class_weights(class_weight: Any) -> None:
    x, y = _rows(150, 3)
    _compare(3, x, y & (np.arange(150) % 3 > 0), class_weight=class_weight)
    _compare(3, x, y, None, np.arange(150) % 4 > 0, class_weight=class_weight)


def test_labels() -> None:
    x, y = _rows(100, 2)
    labels = np.where(y, 7, -3)

    async def body(X: Any, Y: Any) -> Any:
        model = await LogisticRegression(classes=(-3, 7)).fit(X, Y)
        return (
            await model.predict(X), await model.predict_proba(X), await model.decision_function(X),
            await model.score(X, Y), await model.score(X, Y, present=Y == 7),
        )  # fmt: skip

    predicted, probability, decision, score, among = fitted(3, body, x, labels)
    theirs = _theirs(x, y, None, None)
    np.testing.assert_allclose(probability, theirs.predict_proba(x), rtol=0, atol=5e-4)
    np.testing.assert_allclose(decision, theirs.decision_function(x), rtol=0, atol=5e-3)
    np.testing.assert_array_equal(predicted, np.where(decision > 0, 7, -3))
    assert abs(score - (predicted == labels).mean()) < 1e-4
    assert abs(among - (predicted == labels)[y].mean()) < 1e-4


def test_warm_start_needs_fewer_steps() -> None:
    x, y = _rows(150, 3)

    async def body(X: Any, Y: Any) -> Any:
        model = await LogisticRegression(max_iter=6).fit(X, Y)
        first = model.coef_
        await model.set_params(max_iter=1, warm_start=True).fit(X, Y)
        return [first, model.coef_, model.intercept_, model.converged_]

    first, again, intercept, converged = fitted(3, body, x, y)
    np.testing.assert_allclose(again, first, rtol=0, atol=1e-3)
    np.testing.assert_allclose(intercept, _theirs(x, y, None, None).intercept_, rtol=0, atol=2e-3)
    assert converged


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_standard_errors(fit_intercept: bool) -> None:
    x, y = _rows(200, 3)

    async def body(X: Any, Y: Any) -> Any:
        model = await LogisticRegression(math.inf, fit_intercept=fit_intercept).fit(X, Y)
        return [model.coef_, *await model.standard_errors()]

    coef, slopes, level = fitted(3, body, x, y)
    theirs = _theirs(x, y, None, None, math.inf, fit_intercept=fit_intercept)
    z = np.column_stack([x, np.ones(200)]) if fit_intercept else x
    p = theirs.predict_proba(x)[:, 1]
    expected = np.sqrt(np.diag(np.linalg.inv(z.T @ (z * (p * (1 - p))[:, None]))))
    np.testing.assert_allclose(slopes[0], expected[:3], rtol=5e-3)
    if fit_intercept:
        np.testing.assert_allclose(level[0], expected[3], rtol=5e-3)
    z_score = np.abs(theirs.coef_[0]) / expected[:3]
    np.testing.assert_allclose(p_values(coef, slopes)[0], [math.erfc(v / math.sqrt(2)) for v in z_score], atol=1e-3)


# -- degenerate data ---------------------------------------------------------------------------


def test_constant_and_collinear_columns() -> None:
    x, y = _rows(150, 2)
    _compare(3, np.column_stack([x, np.full(150, 3.0), x[:, 1]]), y)


def test_separable() -> None:
    x, _ = _rows(80, 2)
    _compare(3, x, x[:, 0] > x[:, 0].mean(), max_iter=12)

    async def body(X: Any, Y: Any) -> Any:
        return await _coefficients(X, Y, C=math.inf)

    coef, _, converged = fitted(3, body, x, x[:, 0] > x[:, 0].mean())
    assert not converged  # there is no answer, and the model says so
    assert np.abs(coef).max() < 2000


def test_fewer_rows_than_features() -> None:
    x, y = _rows(8, 12)
    _compare(3, x, y, max_iter=12)


def test_one_class() -> None:
    x, _ = _rows(60, 2)

    async def body(X: Any, Y: Any) -> Any:
        model = await LogisticRegression(max_iter=12).fit(X, Y)
        return [model.coef_, await model.predict_proba(X)]

    coef, probability = fitted(3, body, x, np.ones(60, bool))
    assert np.abs(coef * x.std(axis=0)).max() < 0.05
    assert probability[:, 1].min() > 0.99


# -- real rows, many rows, real processes ------------------------------------------------------


@pytest.mark.parametrize(("d", "C"), [(1, 1.0), (1, math.inf), (8, math.inf)])
def test_what_grows_without_end_has_not_converged(d: int, C: float) -> None:
    """One class, and fewer rows than features: once all p are told as 0 or 1 nothing moves any more."""
    r = np.random.default_rng(1060)
    x, y = r.normal(size=(6, d)), np.ones(6, int)
    y[: 3 * (d > 1)] = 0

    async def body(X: Any, Y: Any) -> Any:
        return [(await _coefficients(X, Y, C=C, max_iter=18))[2]]

    (converged,) = fitted(3, body, x, y)
    assert not converged


@pytest.mark.parametrize("solver", ["two", "three"])
def test_strong_columns_converge(solver: str) -> None:
    """Many rows whose p is told as 0 or 1 do no harm where others hold the coefficients."""
    r = np.random.default_rng(2)
    x = r.standard_t(3, size=(400, 2))
    y = (r.random(400) < 1 / (1 + np.exp(-3 * x[:, 0] - x[:, 1]))).astype(int)
    classes = (0, 1) if solver == "two" else (0, 1, 2)
    y = y if solver == "two" else np.where(r.random(400) < 0.3, 2, y)

    async def body(X: Any, Y: Any) -> Any:
        return (await _coefficients(X, Y, C=math.inf, classes=classes))[::2]

    coef, converged = fitted(3, body, x, y)
    theirs = _theirs(x, y, None, None, C=1e9).coef_
    np.testing.assert_allclose(coef * x.std(axis=0), theirs * x.std(axis=0), atol=2e-3)
    assert converged


def test_breast_cancer() -> None:
    data = load_breast_cancer()
    x, y = StandardScaler().fit_transform(data.data), data.target.astype(bool)

    async def body(X: Any, Y: Any) -> Any:
        model = await LogisticRegression().fit(X, Y)
        return [model.coef_, model.intercept_, await model.predict_proba(X), model.converged_]

    coef, intercept, probability, converged = fitted(3, body, x, y)
    theirs = _theirs(x, y, None, None)
    np.testing.assert_allclose(coef, theirs.coef_, rtol=0, atol=1e-3)
    np.testing.assert_allclose(intercept, theirs.intercept_, rtol=0, atol=1e-3)
    assert abs(roc_auc_score(y, probability[:, 1]) - roc_auc_score(y, theirs.predict_proba(x)[:, 1])) < 1e-3
    assert converged


def test_over_processes() -> None:
    x, y = _rows(60, 2)

    async def body(X: Any, Y: Any) -> Any:
        return await _coefficients(X, Y, max_iter=6)

    with LocalCluster(parties=3) as cluster:
        coef, _, _ = cluster.run(program(body), [(x, y)] * 3)[0]
    np.testing.assert_allclose(coef, _theirs(x, y, None, None).coef_, rtol=0, atol=2e-3)


def test_messages_depend_on_sizes_only() -> None:
    async def body(X: Any, Y: Any, P: Any) -> Any:
        await LogisticRegression(max_iter=2, class_weight="balanced").fit(X, Y, present=P)
        return []

    x, y = _rows(20, 2)
    some = sizes_sent(body, x, y, np.arange(20) < 15, seed=1)
    assert some == sizes_sent(body, np.zeros((20, 2)), np.ones(20, bool), np.ones(20, bool), seed=2)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"C": 0}, OutOfRange),
        ({"C": math.nan}, OutOfRange),
        ({"solver": "lbfgs"}, OutOfRange),
        ({"max_iter": 0}, OutOfRange),
        ({"classes": (1, 1)}, OutOfRange),
        ({"class_weight": {2: 1.0}}, OutOfRange),
        ({"class_weight": {1: -1.0}}, OutOfRange),
        ({"class_weight": "equal"}, OutOfRange),
    ],
)
def test_parameters_out_of_range(options: Any, error: type[Exception]) -> None:
    async def body(X: Any, Y: Any) -> Any:
        return await _coefficients(X, Y, **options)

    with pytest.raises(error):
        fitted(3, body, *_rows(20, 2))


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (lambda model, X, Y: model.predict(X), NotFitted),
        (lambda model, X, Y: model.fit(X, Y[:-1]), ShapeMismatch),
        (lambda model, X, Y: model.fit(X, np.ones(20)), WrongType),
        (lambda model, X, Y: model.fit(Y, Y), ShapeMismatch),
    ],
)
def test_faults_have_names(fault: Any, error: type[Exception]) -> None:
    async def body(X: Any, Y: Any) -> Any:
        await X, await Y
        await fault(LogisticRegression(), X, Y)
        return []

    with pytest.raises(error):
        fitted(3, body, *_rows(20, 2))
