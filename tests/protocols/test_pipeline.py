"""Steps and a model as one: scikit-learn's on the same rows, scalers fitted to rows present only, what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import linear_model, pipeline, preprocessing

from mpc.errors import OutOfRange, WrongType
from protocols.errors import NotFitted
from protocols.estimator import clone
from protocols.linear import Ridge
from protocols.logistic import LogisticRegression
from protocols.pipeline import Pipeline, make_pipeline
from protocols.preprocessing import MinMaxScaler, OneHotEncoder, SimpleImputer, StandardScaler
from protocols.public_order import public_parts
from tests.protocols.fitted import fitted

N = 80


def _rows() -> tuple[Any, Any, Any]:
    """Columns of unlike units, a target, who is present; fillers hold what would spoil a scaler."""
    r = np.random.default_rng(3)
    x = r.normal(size=(N, 3)) * [0.2, 3.0, 20.0] + [1.0, -4.0, 30.0]
    y = x @ [2.0, 0.3, -0.05] + r.normal(size=N) / 4
    here = r.random(N) < 0.75
    x[~here] = 100
    return x, y, here


@pytest.mark.parametrize("m", (3, 5))
def test_it_is_scikit_learns_on_the_rows_present(m: int) -> None:
    x, y, here = _rows()

    async def body(X: Any, Y: Any, P: Any) -> Any:
        both = await make_pipeline(StandardScaler(), Ridge(4.0)).fit(X, Y, present=P)
        half = await Pipeline([("scale", StandardScaler()), ("again", MinMaxScaler())]).fit(X, present=P)
        return (
            await both.predict(X), both.model.coef_, await both.score(X, Y, present=P), await half.transform(X),
            await both.prepared(X),
        )  # fmt: skip

    predicted, coef, score, scaled, seen = fitted(m, body, x, y, here)
    theirs = pipeline.make_pipeline(preprocessing.StandardScaler(), linear_model.Ridge(4.0)).fit(x[here], y[here])
    np.testing.assert_allclose(coef, theirs[-1].coef_, atol=2e-3)
    np.testing.assert_allclose(predicted[here], theirs.predict(x[here]), atol=5e-3)
    assert score == pytest.approx(theirs.score(x[here], y[here]), abs=2e-3)
    steps = pipeline.make_pipeline(preprocessing.StandardScaler(), preprocessing.MinMaxScaler()).fit(x[here])
    np.testing.assert_allclose(scaled[here], steps.transform(x[here]), atol=1e-3)
    np.testing.assert_allclose(seen[here], theirs[0].transform(x[here]), atol=1e-3)


def test_a_classifier_with_weights_after_an_encoder() -> None:
    r = np.random.default_rng(5)
    x = r.integers(0, 3, (N, 2))
    y = (x[:, 0] + r.integers(0, 2, N) > 1).astype(int)
    w = r.integers(1, 4, N) / 4

    async def body(X: Any, Y: Any, W: Any) -> Any:
        model = make_pipeline(OneHotEncoder([[0, 1, 2], [0, 1, 2]]), LogisticRegression(max_iter=6))
        await model.fit(X, Y, W)
        return await model.predict_proba(X), await model.decision_function(X), await model.predict(X)

    p, score, labels = fitted(3, body, x, y, w)
    theirs = pipeline.make_pipeline(
        preprocessing.OneHotEncoder(categories=[[0, 1, 2]] * 2), linear_model.LogisticRegression()
    ).fit(x, y, logisticregression__sample_weight=w)
    np.testing.assert_allclose(p, theirs.predict_proba(x), atol=5e-3)
    np.testing.assert_allclose(score, theirs.decision_function(x), atol=2e-2)
    assert (labels == theirs.predict(x)).mean() > 0.95


def test_parameters_are_named_as_scikit_learns() -> None:
    ours = make_pipeline(StandardScaler(), MinMaxScaler(), StandardScaler(with_std=False), Ridge())
    theirs = pipeline.make_pipeline(
        preprocessing.StandardScaler(),
        preprocessing.MinMaxScaler(),
        preprocessing.StandardScaler(),
        linear_model.Ridge(),
    )
    assert list(ours.named_steps) == list(theirs.named_steps)
    assert set(ours.get_params()) <= set(theirs.get_params())
    assert set(ours.get_params(deep=False)) == {"steps"}
    ours.set_params(ridge__alpha=7.0)
    copy = clone(ours).set_params(ridge__alpha=8.0)
    assert (ours.model.alpha, copy.model.alpha) == (7.0, 8.0)
    assert copy.steps[0][1] is not ours.steps[0][1]
    assert not copy.named_steps["standardscaler-2"].with_std
    logistic = make_pipeline(StandardScaler(), LogisticRegression(classes=(1, 2)))
    assert logistic.classes == (1, 2) and not hasattr(ours, "classes")


@pytest.mark.parametrize(
    "steps",
    [
        [], [("a", Ridge()), ("b", Ridge())], [("a", StandardScaler()), ("a", Ridge())], [("a__b", Ridge())],
        [("a", object())], [("impute", SimpleImputer()), ("b", Ridge())],
    ],
)  # fmt: skip
def test_steps_that_do_not_fit_in(steps: Any) -> None:
    with pytest.raises(WrongType, match=r"step|missing"):
        Pipeline(steps)


def test_what_is_refused() -> None:
    model = make_pipeline(StandardScaler(), Ridge())
    for name in ("alpha", "ridge", "lasso__alpha", "ridge__beta"):
        with pytest.raises(WrongType, match="no parameter"):
            model.set_params(**{name: 1})

    async def body(X: Any, Y: Any) -> Any:
        with pytest.raises(OutOfRange, match="alpha"):
            await clone(model).set_params(ridge__alpha=-1).fit(X, Y)
        with pytest.raises(NotFitted):
            await model.predict(X)
        await model.fit(X, Y)
        with pytest.raises(WrongType, match="predict_proba of a pipeline that ends with Ridge"):
            await model.predict_proba(X)
        return []

    fitted(3, body, np.ones((4, 1)), np.ones(4))


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 200), st.integers(2, 20), st.none() | st.integers(0, 5))
def test_public_parts_are_a_partition(n: int, parts: int, seed: int | None) -> None:
    if parts > n:
        with pytest.raises(OutOfRange, match="rows"):
            public_parts(n, parts, seed)
        return
    found = public_parts(n, parts, seed)
    assert sorted(np.concatenate(found)) == list(range(n))
    assert max(map(len, found)) - min(map(len, found)) <= 1
    assert all((np.diff(part) > 0).all() for part in found)
    if seed is None:
        assert np.array_equal(np.concatenate(found), np.arange(n))


def test_another_seed_is_another_order() -> None:
    orders = [np.concatenate(public_parts(50, 5, seed)).tolist() for seed in (0, 1, 0)]
    assert orders[0] == orders[2] != orders[1]
    for seed in (-1, 0.5, True):
        with pytest.raises(OutOfRange, match="seed"):
            public_parts(9, 3, seed)  # type: ignore[arg-type]
