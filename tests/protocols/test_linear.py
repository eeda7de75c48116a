"""Linear and ridge regression, and the scaler, against scikit-learn on the pooled rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import linear_model, preprocessing
from sklearn.datasets import load_diabetes

from mpc import LocalCluster
from mpc.errors import OutOfRange, ShapeMismatch, WrongType
from protocols.errors import NotFitted, TooFewRows
from protocols.linear import LinearRegression, Ridge
from protocols.logistic import LogisticRegression
from protocols.preprocessing import StandardScaler
from tests.protocols.fitted import each_m, fitted, program, sizes_sent


def _rows(n: int, d: int, seed: int = 0) -> tuple[Any, Any]:
    r = np.random.default_rng([n, d, seed])
    x = r.normal(size=(n, d)) * np.geomspace(0.1, 50, d) + r.normal(size=d) * 3
    x[:, 0] += 0.01 * x[:, -1]
    return x, x @ (r.normal(size=d) / x.std(axis=0)) + 2 + r.normal(size=n)


def _model(alpha: float, **options: Any) -> tuple[Any, Any]:
    """(ours, scikit-learn's)."""
    if alpha:
        return Ridge(alpha, **options), linear_model.Ridge(alpha, **options)
    return LinearRegression(**options), linear_model.LinearRegression(**options)


def _compare(m: int, x: Any, y: Any, weights: Any, present: Any, alpha: float, **options: Any) -> None:
    theirs = _model(alpha, **options)[1]

    async def body(X: Any, Y: Any, W: Any, P: Any) -> Any:
        ours = _model(alpha, **options)[0]  # one for each party
        scaler = await StandardScaler().fit(X, sample_weight=W, present=P)
        await ours.fit(X, Y, W, present=P)
        return (
            scaler.mean_, scaler.scale_, scaler.var_, await scaler.transform(X), ours.coef_, ours.intercept_,
            await ours.predict(X), await ours.score(X, Y, W, present=P),
        )  # fmt: skip

    mean, scale, var, z, coef, intercept, predicted, score = fitted(m, body, x, y, weights, present)
    kept = np.ones(len(x), bool) if present is None else present
    w = None if weights is None else weights[kept]
    scaled = preprocessing.StandardScaler().fit(x[kept], sample_weight=w)
    theirs.fit(x[kept], y[kept], w)
    np.testing.assert_allclose(mean, scaled.mean_, rtol=0, atol=2e-4)
    np.testing.assert_allclose(scale, scaled.scale_, rtol=1e-3)
    np.testing.assert_allclose(var, scaled.var_, rtol=2e-3)
    np.testing.assert_allclose(z[kept], scaled.transform(x[kept]), rtol=0, atol=5e-3)
    np.testing.assert_allclose(
        coef * scaled.scale_ / y.std(), theirs.coef_ * scaled.scale_ / y.std(), rtol=0, atol=2e-4
    )
    np.testing.assert_allclose(intercept, theirs.intercept_, rtol=0, atol=2e-2)
    np.testing.assert_allclose(predicted[kept], theirs.predict(x[kept]), rtol=0, atol=4e-4 * y.std())
    assert abs(score - theirs.score(x[kept], y[kept], w)) < 2e-4


@each_m
@pytest.mark.parametrize("alpha", [0.0, 3.0])
def test_as_scikit_learns(m: int, alpha: float) -> None:
    x, y = _rows(90, 4)
    _compare(m, x, y, None, None, alpha)


@each_m
def test_rows_that_count_and_weights(m: int) -> None:
    x, y = _rows(90, 3)
    r = np.random.default_rng(5)
    weights, present = np.rint(r.uniform(0, 2, 90) * 64) / 64, r.random(90) < 0.6
    absent = np.where(present[:, None], x, 77.0)  # fillers may hold anything
    _compare(m, absent, y, weights, present, 1.0)
    _compare(m, x, y, weights, None, 1.0)
    _compare(m, absent, np.where(present, y, -55.0), None, present, 0.0)


@pytest.mark.parametrize("alpha", [1.0, 2.0**20])
def test_penalties_of_narrow_columns(alpha: float) -> None:
    """The inverse square of a deviation of 2^-6 is 2^12, and of slopes 2^13."""
    r = np.random.default_rng(3)
    x = r.normal(size=(100, 4)) * [0.017, 0.05, 0.12, 30]
    y = x @ [40, 10, -8, 0.05] + r.normal(size=100) * 0.5
    theirs = linear_model.Ridge(alpha).fit(x, y)

    async def body(X: Any, Y: Any) -> Any:
        return [(await Ridge(alpha).fit(X, Y)).coef_]

    (coef,) = fitted(3, body, x, y)
    np.testing.assert_allclose(coef * x.std(axis=0), theirs.coef_ * x.std(axis=0), rtol=0, atol=1e-3)


def test_diabetes() -> None:
    data = load_diabetes(scaled=False)
    _compare(3, data.data, data.target, None, None, 0.0)


def test_without_an_intercept() -> None:
    r = np.random.default_rng(3)
    x = r.normal(size=(80, 3)) + np.array([0, 1, -2])
    y = x @ [1, -2, 0.5] + r.normal(size=80) * 0.1
    for alpha in (0.0, 2.0):
        theirs = _model(alpha, fit_intercept=False)[1]

        async def body(X: Any, Y: Any, alpha: float = alpha) -> Any:
            ours = await _model(alpha, fit_intercept=False)[0].fit(X, Y)
            return [ours.coef_, ours.intercept_]

        coef, intercept = fitted(3, body, x, y)
        np.testing.assert_allclose(coef, theirs.fit(x, y).coef_, rtol=0, atol=1e-3)
        assert abs(intercept) < 1e-6


def test_collinear_and_constant_columns() -> None:
    x, y = _rows(120, 3)
    x = np.rint(x * 64) / 64
    x = np.column_stack([x, x[:, 1], np.full(120, 4.0)])
    for alpha in (0.0, 1.0):
        theirs = _model(alpha)[1]

        async def body(X: Any, Y: Any, alpha: float = alpha) -> Any:
            ours = await _model(alpha)[0].fit(X, Y)
            return [ours.coef_, await ours.predict(X)]

        coef, predicted = fitted(3, body, x, y)
        theirs.fit(x, y)
        np.testing.assert_allclose(coef * x.std(axis=0), theirs.coef_ * x.std(axis=0), rtol=0, atol=0.06)  # the split
        assert abs((coef - theirs.coef_)[[1, 3]].sum()) * x[:, 1].std() < 1e-3
        np.testing.assert_allclose(predicted, theirs.predict(x), rtol=0, atol=3e-3 * y.std())
        assert coef[4] == 0


def test_fewer_rows_than_features() -> None:
    x, y = _rows(6, 9)

    async def least_squares(X: Any, Y: Any) -> Any:
        return [(await LinearRegression().fit(X, Y)).coef_]

    with pytest.raises(TooFewRows, match="Ridge"):
        fitted(3, least_squares, x, y)

    async def ridge(X: Any, Y: Any) -> Any:
        return [(await Ridge(10.0).fit(X, Y)).coef_]

    (coef,) = fitted(3, ridge, x, y)
    np.testing.assert_allclose(
        coef * x.std(axis=0), linear_model.Ridge(10.0).fit(x, y).coef_ * x.std(axis=0), atol=1e-3
    )


def test_standard_errors() -> None:
    x, y = _rows(120, 3)
    present = np.arange(120) % 4 > 0

    async def body(X: Any, Y: Any, P: Any) -> Any:
        full = await LinearRegression().fit(X, Y)
        part = await LinearRegression().fit(X, Y, present=P)
        return await full.standard_errors(), await part.standard_errors()

    for found, kept in zip(fitted(3, body, x, y, present), (present | True, present), strict=True):
        z = np.column_stack([x[kept], np.ones(kept.sum())])
        _, squares, *_ = np.linalg.lstsq(z, y[kept])
        variance = squares[0] / (kept.sum() - 4) * np.diag(np.linalg.inv(z.T @ z))
        np.testing.assert_allclose(found, np.sqrt(variance[:3]), rtol=5e-3)


@pytest.mark.parametrize(("deviation", "fits"), [(1.0, True), (200.0, True), (400.0, False), (1e5, False)])
def test_columns_out_of_range_are_told(deviation: float, fits: bool) -> None:
    x, y = _rows(60, 2)
    x = x / x.std(axis=0) * [1.0, deviation]

    async def body(X: Any, Y: Any, P: Any) -> Any:
        scaler = await StandardScaler().fit(X, present=P)
        model = await Ridge().fit(X, Y)
        logistic = await LogisticRegression(max_iter=7).fit(X, Y > 0)
        return scaler.in_range_, model.in_range_, logistic.converged_

    assert [bool(f) for f in fitted(3, body, x, y, np.ones(60, bool))] == [fits] * 3


def test_scaler_there_and_back() -> None:
    x, _ = _rows(50, 3)
    x = np.column_stack([x, np.full(50, 7.0)])

    async def body(X: Any) -> Any:
        scaler = StandardScaler()
        z = await scaler.fit_transform(X)
        plain = await StandardScaler(with_mean=False, with_std=False).fit_transform(X)
        return z, await scaler.inverse_transform(z), plain, scaler.scale_

    z, back, plain, scale = fitted(3, body, x)
    np.testing.assert_allclose(back, x, rtol=0, atol=2e-3)
    np.testing.assert_allclose(plain, x, rtol=0, atol=1e-4)
    assert np.abs(z[:, 3]).max() < 1e-4
    assert abs(scale[3] - 1) < 1e-5


def test_many_rows_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("protocols.fixed_point.BLOCK", 16)
    x, y = _rows(50, 3)
    _compare(3, x, y, None, None, 1.0)


def test_parameters() -> None:
    model = Ridge(2.0)
    assert model.get_params() == {"alpha": 2.0, "fit_intercept": True}
    assert model.set_params(alpha=3.0) is model
    assert repr(model) == "Ridge(alpha=3.0, fit_intercept=True)"
    with pytest.raises(WrongType, match="no parameter 'beta'"):
        model.set_params(beta=1)


def test_a_single_row_is_predicted_and_scaled_as_among_others() -> None:
    x, y = _rows(20, 3)

    async def body(X: Any, Y: Any) -> Any:
        scaler, model = await StandardScaler().fit(X), await Ridge().fit(X, Y)
        return [await f(rows) for f in (scaler.transform, model.predict) for rows in (X[:1], X)]

    scaled, all_scaled, predicted, all_predicted = fitted(3, body, x, y)
    assert scaled.shape == (1, 3) and predicted.shape == (1,)
    np.testing.assert_allclose(scaled, all_scaled[:1], rtol=0, atol=1e-4)
    np.testing.assert_allclose(predicted, all_predicted[:1], rtol=0, atol=1e-4)

    async def none(X: Any, Y: Any) -> Any:
        return [await (await Ridge().fit(X, Y)).predict(X[:0])]

    with pytest.raises(TooFewRows, match="at least 1 row is needed"):
        fitted(3, none, x, y)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (lambda X, Y: Ridge(-1.0).fit(X, Y), OutOfRange),
        (lambda X, Y: Ridge().fit(X, Y[:-1]), ShapeMismatch),
        (lambda X, Y: Ridge().fit(Y, Y), ShapeMismatch),
        (lambda X, Y: Ridge().fit(X, np.zeros(20)), WrongType),
        (lambda X, Y: Ridge().fit(X, Y, np.full(20, 17.0)), OutOfRange),
        (lambda X, Y: Ridge().fit(X, Y, np.ones(19)), ShapeMismatch),
        (lambda X, Y: Ridge().fit(X[:1], Y[:1]), TooFewRows),
        (lambda X, Y: Ridge().predict(X), NotFitted),
        (lambda X, Y: StandardScaler().transform(X), NotFitted),
    ],
)
def test_faults_have_names(fault: Any, error: type[Exception]) -> None:
    async def body(X: Any, Y: Any) -> Any:
        await X, await Y
        await fault(X, Y)
        return []

    with pytest.raises(error):
        fitted(3, body, *_rows(20, 2))


def test_messages_depend_on_sizes_only() -> None:
    async def body(X: Any, Y: Any, P: Any) -> Any:
        await Ridge().fit(X, Y, present=P)
        return []

    x, y = _rows(20, 2)
    some = sizes_sent(body, x, y, np.arange(20) < 15, seed=1)
    assert some == sizes_sent(body, np.zeros((20, 2)), np.ones(20), np.ones(20, bool), seed=2)


def test_over_processes() -> None:
    x, y = _rows(60, 3)

    async def body(X: Any, Y: Any) -> Any:
        return [(await Ridge().fit(X, Y)).coef_]

    with LocalCluster(parties=3) as cluster:
        (coef,) = cluster.run(program(body), [(x, y)] * 3)[0]
    np.testing.assert_allclose(coef * x.std(axis=0), linear_model.Ridge().fit(x, y).coef_ * x.std(axis=0), atol=1e-3)
