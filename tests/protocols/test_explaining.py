"""SHAP values of linear models against the formula in numpy; their sum; their means with noise and what they cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import linear_model

from mpc.errors import OutOfRange, ShapeMismatch, UnknownParty, WrongType
from protocols.accounting import Event
from protocols.blocks import release_block_means
from protocols.errors import NotFitted
from protocols.explaining import LinearExplainer, mean_abs_shap, release_shap_importance, release_shap_means
from protocols.linear import LinearRegression, Ridge
from protocols.logistic import LogisticRegression
from protocols.mechanisms import DiscreteGaussian, DiscreteLaplace
from protocols.pipeline import make_pipeline
from protocols.preprocessing import StandardScaler
from protocols.sensitivity import Change
from tests.protocols.openings import frames_of, opened_in, refuses_before_sending, run
from tests.protocols.simple_models import Slope

HUGE = DiscreteLaplace(128)
N = 60


def rows(seed: int = 0) -> tuple[Any, Any, Any]:
    r = np.random.default_rng(seed)
    x = np.round((r.normal(size=(N, 3)) * [1, 2, 0.5] + [0, 3, -1]) * 256) / 256
    y = np.round((x @ [1.0, -0.5, 0.0] + r.normal(size=N) / 2) * 256) / 256
    here = r.random(N) < 0.75
    return np.where(here[:, None], x, 9.0), y, here


@pytest.mark.parametrize("m", (3, 5))
def test_values_are_those_of_the_formula_and_sum_up_to_the_decision(m: int) -> None:
    x, y, here = rows()

    async def body(party: Any, X: Any, Y: Any, P: Any) -> Any:
        model = await Ridge(2.0).fit(X, Y, present=P)
        explainer = await LinearExplainer(model).fit(X, present=P)
        phi = await explainer.shap_values(X)
        mean = await mean_abs_shap(explainer, X, present=P)
        every = await LinearExplainer(model).fit(X)
        found = [
            phi, explainer.expected_value, await model.predict(X), explainer.mean_, mean, every.mean_,
            await mean_abs_shap(explainer, X),
        ]  # fmt: skip
        return [await party.reveal(v) for v in found]

    phi, base, predicted, mean, mean_abs, every, every_abs = run(m, body, x, y, here)[0]
    theirs = linear_model.Ridge(2.0).fit(x[here], y[here])
    expected = theirs.coef_ * (x - x[here].mean(axis=0))
    np.testing.assert_allclose(phi, expected, atol=5e-3)
    np.testing.assert_allclose(mean, x[here].mean(axis=0), atol=2**-15)
    np.testing.assert_allclose(every, x.mean(axis=0), atol=2**-14)
    assert base == pytest.approx(theirs.predict(x[here]).mean(), abs=2e-3)
    np.testing.assert_allclose(phi.sum(axis=1) + base, predicted, rtol=0, atol=4 * (m // 2 + 1) * 2**-16)
    np.testing.assert_allclose(mean_abs, np.abs(phi[here]).mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(every_abs, np.abs(phi).mean(axis=0), atol=1e-4)


def test_log_odds_of_a_pipeline_are_explained_in_its_columns() -> None:
    """A scaler before the model changes no value: it is the same line."""
    x, y, _ = rows(2)
    labels = (y > 0).astype(int)

    async def body(party: Any, X: Any, Y: Any) -> Any:
        model = await make_pipeline(StandardScaler(), LogisticRegression(max_iter=5)).fit(X, Y)
        explainer = await LinearExplainer(model).fit(X)
        assert explainer.columns == 3
        found = await explainer.shap_values(X), explainer.expected_value, await model.decision_function(X)
        return [await party.reveal(v) for v in (*found, model.model.coef_)]

    phi, base, decision, coef = run(3, body, x, labels)[0]
    np.testing.assert_allclose(phi.sum(axis=1) + base, decision, rtol=0, atol=8 * 2**-16)
    expected = coef[0] * (x - x.mean(axis=0)) / x.std(axis=0)
    np.testing.assert_allclose(phi, expected, atol=2e-3)


def test_means_are_released_of_all_rows_and_by_group() -> None:
    x, y, here = rows(3)
    groups = np.eye(3, dtype=int)[np.arange(N) % 3] * here[:, None]
    high = [0.5, 2.0, 1.0]

    async def body(party: Any, X: Any, Y: Any, P: Any, G: Any) -> Any:
        explainer = await LinearExplainer(await Slope().fit(X, Y, present=P)).fit(X, present=P)
        told = await release_shap_importance(party, explainer, X, HUGE, high=high, to=2, present=P)
        every = await release_shap_importance(party, explainer, X, HUGE, high=2, to=2)
        by_group = await release_shap_means(party, explainer, X, G, HUGE, high=high, to=[2, 0])
        return told, every, by_group, await party.reveal(await explainer.shap_values(X))

    answers = run(3, body, x, y, here, groups)
    told, every, by_group, phi = answers[2]
    expected = np.minimum(np.abs(phi[here]), high).mean(axis=0)
    np.testing.assert_allclose(told.values, expected, atol=8 * told.standard_error.max())
    assert ((told.interval95[0] <= expected) & (expected <= told.interval95[1])).all()
    np.testing.assert_allclose(every.values, np.minimum(np.abs(phi), 2).mean(axis=0), atol=0.01)
    cut = np.clip(phi, -np.array(high), high)
    means = (groups.T @ cut) / groups.sum(axis=0)[:, None]
    np.testing.assert_allclose(by_group.values, means, atol=0.1)
    assert answers[1][0].values is None and answers[1][2].values is None
    np.testing.assert_array_equal(answers[0][2].values, by_group.values)
    half = DiscreteLaplace(64)
    count = Event(half, Change((1,), False), 1, 0)
    assert told.events == (Event(half, Change((16384, 65536, 32768), False), 3, 16), count)
    assert every.events[0].change == Change((65536,) * 3, False)
    assert by_group.events[0] == Event(half, Change((32768, 131072, 65536), False), 9, 16)
    assert by_group.events[1] == Event(half, Change((1,), False), 3, 0)
    assert (told.epsilon, told.parts[0].values.shape, by_group.parts[1].values.shape) == (128, (3,), (3,))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, N - 1), st.sampled_from([0.25, 1.0]))
def test_a_row_more_or_less_changes_the_sums_by_what_is_charged(seed: int, row: int, high: float) -> None:
    """For the model as it is; by nearly all of it, where the row's values are beyond the bounds."""
    x, y, here = rows(seed % 7)
    without = here.copy()
    without[row] = ~here[row]
    x[row] = [40, -40, 40]
    groups = [np.eye(2, dtype=int)[np.arange(N) % 2] * p[:, None] for p in (here, without)]

    async def body(party: Any, X: Any, Y: Any, P: Any, Q: Any, G: Any, H: Any) -> Any:
        explainer = await LinearExplainer(await Slope().fit(X, Y)).fit(X)
        return [
            [await release_shap_importance(party, explainer, X, HUGE, high=high, to=0, present=p) for p in (P, Q)],
            [await release_shap_means(party, explainer, X, g, HUGE, high=high, to=0) for g in (G, H)],
        ]

    for one, two in run(3, body, x, y, here, without, *groups)[0]:
        sums = [r.parts[0] for r in (one, two)]
        moved = np.abs(sums[0].values - sums[1].values).sum()
        noise = 2 * sums[0].half_width(1 - 1e-9) * sums[0].values.size
        assert moved <= sums[0].sensitivity + noise
        assert moved >= sums[0].sensitivity * 0.95 - noise  # so it is not said too large either
        assert np.abs(one.parts[1].values - two.parts[1].values).sum() == 1


def test_several_rows_a_person_and_gaussian_noise() -> None:
    x, y, _ = rows()

    async def body(party: Any, X: Any, Y: Any) -> Any:
        explainer = await LinearExplainer(await Slope().fit(X, Y)).fit(X)
        told = await release_shap_importance(
            party, explainer, X, DiscreteGaussian(1.0, 1e-6), high=[1, 2, 4], to=0, rows=2
        )
        return told.events, told.epsilon, told.delta

    (sums, count), epsilon, delta = run(3, body, x, y)[0]
    assert sums.change == Change((65536, 2 * 65536, 4 * 65536), True) and count.change == Change((2,), False)
    assert epsilon <= 1 and delta <= 1.01e-6


def test_explained_by_blocks_epsilon_holds_for_training_rows_too() -> None:
    x, y, here = rows()

    async def explained(X: Any, Y: Any, P: Any) -> Any:
        model = await Ridge(1.0).fit(X, Y, present=P)
        return await mean_abs_shap(await LinearExplainer(model).fit(X, present=P), X, present=P)

    async def body(party: Any, X: Any, Y: Any, P: Any) -> Any:
        return await release_block_means(party, explained, (X, Y, P), HUGE, blocks=2, low=0, high=2, to=0)

    told = run(3, body, x, y, here)[0]
    model = linear_model.Ridge(1.0).fit(x[here], y[here])
    whole = np.abs(model.coef_ * (x[here] - x[here].mean(axis=0))).mean(axis=0)
    np.testing.assert_allclose(told.values, whole, atol=0.4)
    assert told.sensitivity == 3


def test_nothing_is_opened_but_the_release(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y, here = rows()

    async def inside(party: Any, X: Any, Y: Any, P: Any) -> Any:
        explainer = await LinearExplainer(await Slope().fit(X, Y, present=P)).fit(X, present=P)
        await mean_abs_shap(explainer, X, present=P)
        return explainer

    async def body(party: Any, X: Any, Y: Any, P: Any) -> None:
        await release_shap_importance(party, await inside(party, X, Y, P), X, HUGE, high=1, to=0, present=P)

    assert opened_in(monkeypatch, inside, x, y, here)[1] == []
    monkeypatch.undo()
    assert sorted(opened_in(monkeypatch, body, x, y, here)[1]) == ["()", "(3,)"]
    monkeypatch.undo()
    assert frames_of(inside, x, y, here) == frames_of(inside, x * 0, -y, ~here)


def test_what_is_refused() -> None:
    x, y, here = rows()

    async def body(party: Any, X: Any, Y: Any, P: Any) -> None:
        with pytest.raises(NotFitted, match="no secret coef_"):
            await LinearExplainer(LinearRegression()).fit(X)
        with pytest.raises(NotFitted, match="no secret coef_"):
            await LinearExplainer(make_pipeline(StandardScaler(), Slope())).fit(X)
        model = await Slope().fit(X, Y)
        with pytest.raises(NotFitted, match="no background"):
            await LinearExplainer(model).shap_values(X)
        with pytest.raises(ShapeMismatch, match="3 features"):
            await LinearExplainer(model).fit(X[:, :2])
        model.coef_ = X[:3]
        with pytest.raises(OutOfRange, match="3 classes"):
            await LinearExplainer(model).fit(X)

    run(3, body, x, y, here)

    def told(present: Any = None, groups: Any = None, mechanism: Any = HUGE, **options: Any) -> Any:
        async def body(party: Any, X: Any, Y: Any, P: Any) -> None:
            model = Slope()
            model.coef_, model.intercept_ = X[0], Y[0]
            explainer = LinearExplainer(model)
            explainer.mean_ = X[1]
            given: Any = {"high": 1.0, "to": 0, **options}
            if groups is not None:
                await release_shap_means(party, explainer, X, groups(X), mechanism, **given)
            await release_shap_importance(party, explainer, X, mechanism, present=present and present(P), **given)

        return body

    for body, error, match in (
        (told(high=0.0), OutOfRange, "bounds"),
        (told(high=[1.0, 2.0]), OutOfRange, r"shape \(2,\)"),
        (told(high=[1.0, 2.0, float("nan")]), OutOfRange, "bounds"),
        (told(to=[]), UnknownParty, "result party"),
        (told(rows=0), OutOfRange, "rows a person"),
        (told(mechanism="laplace"), WrongType, "mechanism"),
        (told(present=lambda P: P[:4]), ShapeMismatch, "present"),
        (told(present=lambda P: here), WrongType, "present"),
        (told(groups=lambda X: X), ShapeMismatch, "integers"),
        (told(groups=lambda X: x), WrongType, "groups"),
    ):
        refuses_before_sending(body, error, match, x, y, here)
