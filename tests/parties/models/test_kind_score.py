"""A member's trees, or logistic regression, on another member's rows, against what they are in the clear."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression

from mpc.errors import AccordError, OutOfRange, ShapeMismatch
from parties.errors import ParametersInvalid, TableUnfit
from parties.models.fitted import Coefficient, FittedLogistic
from parties.models.kind_score import SCORE
from parties.models.model_entry import facts_of
from parties.models.model_rules import ANSWERS
from protocols.errors import ModelMismatch
from protocols.tree_json import from_json, to_json
from protocols.tree_models import from_sklearn
from tests.parties.consortium import charter, member
from tests.parties.job_tables import WARDS, answered, owned, stay_rows, stays

FEATURES = ("cost", "age", "ward")
NAMED = {"owner": "charlie", "name": "risk", "version": 1, "id": "0" * 64, "family": "trees"}


def rows_and_matrix(n: int = 33) -> tuple[dict[str, Any], Any]:
    rows = stay_rows(n, 8)
    return rows, np.stack([rows[name].astype(np.float64) for name in FEATURES], axis=1)


def plan_of(fitted: Any = None, by: Any = None, **change: Any) -> Any:
    size: dict[str, Any] = {"depth": 3, "trees": 1, "outputs": 1, "link": "sigmoid"}
    if fitted is not None:
        plain = from_sklearn(fitted)
        size = {"depth": plain.depth, "trees": len(plain.trees), "outputs": plain.outputs, "link": plain.link}
    asked = {"model": {**NAMED, **size}, "features": list(FEATURES), **change}
    return SCORE.check(asked, owned(stays()), by or charter())


@pytest.mark.parametrize(("m", "t", "owner"), [(3, 1, 0), (3, 1, None), (5, 2, None)])
@pytest.mark.parametrize("which", ["average", "sigmoid", "softmax", "identity"])
def test_predictions_are_the_librarys(m: int, t: int, owner: int | None, which: str) -> None:
    rows, X = rows_and_matrix()
    y = np.random.default_rng(1).integers(0, 3 if which in ("average", "softmax") else 2, len(X))
    made = {
        "average": RandomForestClassifier(4, max_depth=3, random_state=0),
        "sigmoid": GradientBoostingClassifier(n_estimators=3, max_depth=2, random_state=0),
        "softmax": GradientBoostingClassifier(n_estimators=2, max_depth=2, random_state=0),
        "identity": RandomForestRegressor(3, max_depth=3, random_state=0),
    }[which]
    fitted = made.fit(X, y if which != "identity" else X[:, 0])
    model = from_json(to_json(from_sklearn(fitted)))
    by = charter(*(member(i) for i in range(m)), threshold=t)
    extra = [model if i == 2 else None for i in range(m)]
    for asked in ["predict"] if which == "identity" else ["predict", "predict_proba"]:
        plan = plan_of(fitted, by, answer=asked)
        got = np.array(answered(SCORE, plan, [(owner, rows)], m, t, extra)["predictions"])
        assert len(got) == 40  # the capacity
        truth = getattr(fitted, asked)(X)
        if asked == "predict" and which != "identity":
            assert got[:33].tolist() == truth.tolist()
        else:
            np.testing.assert_allclose(got[:33], truth, atol=2e-3)


def test_predictions_are_delivered_and_nothing_is_charged() -> None:
    plan = plan_of()
    assert plan.receivers is None and plan.epsilon == 0 and plan.events == ()
    assert dict(plan.asks[0].uses) == dict.fromkeys(FEATURES, frozenset({"score"})) and not plan.asks[0].counts
    assert plan.answers[0].kind == "delivery"


def test_a_model_of_another_size_is_refused_at_its_owner() -> None:
    rows, X = rows_and_matrix()
    fitted = RandomForestClassifier(2, max_depth=3, random_state=0).fit(X, (X[:, 0] > 1).astype(int))
    with pytest.raises(ModelMismatch):
        answered(SCORE, plan_of(), [(0, rows)], extra=[None, None, from_sklearn(fitted)])


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"features": []}, ParametersInvalid, "features is a list"),
        ({"features": ["person"]}, TableUnfit, "of kind key"),
        ({"features": ["age", "age"]}, ParametersInvalid, "each once"),
        ({"answer": "explain"}, ParametersInvalid, "answer is one of"),
        ({"model": NAMED}, ParametersInvalid, "'depth' is missing"),
        ({"model": {"owner": "charlie", "name": "risk"}}, ParametersInvalid, "'version' is missing"),
        ({"model": 3}, ParametersInvalid, "model has owner"),
        ({"epsilon": 1.0}, ParametersInvalid, "unknown parameter 'epsilon'"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(change: Any, error: type[AccordError], match: str) -> None:
    with pytest.raises(error, match=match):
        plan_of(**change)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"owner": "delta"}, "owner is one of the members who compute: alfa, bravo, charlie"),
        ({"depth": 13}, "depth is a whole number from 1 to 12"),
        ({"link": "probit"}, "link is one of"),
        ({"outputs": 3}, "outputs is 1"),
        ({"trees": 1 << 22}, "is above"),
        ({"version": 0}, "version is a whole number from 1"),
        ({"id": "abc"}, "id is the one"),
        ({"family": "forest"}, "family is one of trees, logistic"),
        ({"bound": 1.0}, "unknown parameter 'bound'"),
    ],
)
def test_models_that_cannot_be(change: dict[str, Any], match: str) -> None:
    model = {**NAMED, "depth": 3, "trees": 1, "outputs": 1, "link": "sigmoid", **change}
    with pytest.raises(ParametersInvalid, match=match):
        plan_of(model=model)


# -- logistic regression ---------------------------------------------------------------------------


def fitted_logistic(**change: Any) -> FittedLogistic:
    """Of the columns of stays; as training would leave it, with coefficients of some size."""
    terms = [
        Coefficient("cost", None, -2.5, 8.25, 1.75),
        Coefficient("age", None, -3.0, 90.0, -3.25),
        *(Coefficient("ward", ward, 0.0, 1.0, w) for ward, w in zip(WARDS, (0.5, -6.0, 2.0), strict=True)),
        Coefficient("died", None, 0.0, 1.0, 9.125),
    ]
    told: dict[str, Any] = {"bound": 1.0, "spread": 2.0, "label": "moved", "epsilon": 1.0, "delta": 1e-6, **change}
    return FittedLogistic(terms, -0.75, **told)


def logistic_plan(of: FittedLogistic, by: Any = None, table: Any = None, **change: Any) -> Any:
    facts = facts_of(of, (), None, None)
    stated = {**NAMED, "family": "logistic", **facts.fields, **change.pop("model", {})}
    asked = {"model": stated, "features": list(facts.features), **change}
    return SCORE.check(asked, owned(table or stays()), by or charter())


@pytest.mark.parametrize(("m", "t", "owner"), [(3, 1, 0), (3, 1, None), (5, 2, None)])
def test_a_logistic_regression_scores_on_shares_as_its_owner_would_in_the_clear(
    m: int, t: int, owner: int | None
) -> None:
    """Within rounding: 2^-16 of the score, 3.4e-5 of the sigmoid."""
    rows, model = stay_rows(33, 8), fitted_logistic()
    plain = {**rows, "ward": np.array(WARDS)[rows["ward"]]}
    by = charter(*(member(i) for i in range(m)), threshold=t)
    extra = [model if i == 2 else None for i in range(m)]
    for asked in ANSWERS:
        plan = logistic_plan(model, by, answer=asked)
        got = np.array(answered(SCORE, plan, [(owner, rows)], m, t, extra)["predictions"])[:33]
        truth = getattr(model, asked)(plain)
        if asked == "predict":
            sure = np.abs(model.decision_function(plain)) > 1e-3
            assert sure.sum() > 25 and got[sure].tolist() == truth[sure].astype(int).tolist()
        else:
            np.testing.assert_allclose(got, truth, rtol=0, atol=1.2e-4)


@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_any_logistic_regression_scores_as_in_the_clear(data: st.DataObject) -> None:
    number = st.floats(-50, 50, allow_nan=False, width=32)
    bound, spread = data.draw(st.sampled_from([0.5, 1.0, 3.0])), data.draw(st.sampled_from([0.75, 2.0, 9.0]))
    low = data.draw(st.sampled_from([-3.0, 20.0]))  # bounds of the model need not be those of the table
    terms = [
        Coefficient("age", None, low, 90.0, data.draw(number)),
        Coefficient("cost", None, 0.0, 4.0, data.draw(number)),
    ]
    model = FittedLogistic(terms, data.draw(number), bound=bound, spread=spread, label="died", epsilon=0, delta=0)
    rows = stay_rows(20, data.draw(st.integers(0, 99)))
    plan = logistic_plan(model, answer="decision_function")
    got = np.array(answered(SCORE, plan, [(1, rows)], extra=[None, None, model])["predictions"])[:20]
    np.testing.assert_allclose(got, model.decision_function(rows), rtol=0, atol=2e-4)


def test_a_logistic_regression_of_scikit_learn_scores_as_there() -> None:
    """Fitted in the clear on rows that are prepared by public bounds, and brought in."""
    rows = stay_rows(33, 8)
    blank = FittedLogistic(fitted_logistic().coefficients, 0.0, bound=1.0, spread=2.0, label="x", epsilon=0, delta=0)
    X = blank.prepare({**rows, "ward": np.array(WARDS)[rows["ward"]]})
    library = LogisticRegression(C=10.0).fit(X, rows["age"] + 10 * rows["cost"] > 60)
    terms = [dataclasses.replace(c, coefficient=w) for c, w in zip(blank.coefficients, library.coef_[0], strict=True)]
    model = FittedLogistic(terms, library.intercept_[0], bound=1.0, spread=2.0, label="x", epsilon=0, delta=0)
    plan = logistic_plan(model, answer="predict_proba")
    got = np.array(answered(SCORE, plan, [(0, rows)], extra=[None, None, model])["predictions"])[:33]
    np.testing.assert_allclose(got, library.predict_proba(X), rtol=0, atol=1.2e-4)


def test_the_plan_is_of_what_is_public_of_a_logistic_regression() -> None:
    """Other coefficients, the same plan; other bounds, version or id, another one."""
    plan = logistic_plan(fitted_logistic())
    assert plan.family == "logistic" and plan.model.owner == "charlie" and plan.shapes[0].rows == 40
    assert dict(plan.asks[0].uses) == dict.fromkeys(("cost", "age", "ward", "died"), frozenset({"score"}))
    other = fitted_logistic()
    other.coef_[0, 0] += 1
    assert logistic_plan(other).digest == plan.digest
    for change in ({"spread": 3.0}, {"version": 2}, {"id": "1" * 64}):
        assert logistic_plan(fitted_logistic(), model=change).digest != plan.digest


def test_a_category_the_model_does_not_know_is_refused_by_name() -> None:
    wide = stays()
    wide = dataclasses.replace(
        wide, columns={**wide.columns, "ward": dataclasses.replace(wide.columns["ward"], categories=(*WARDS, "east"))}
    )
    with pytest.raises(TableUnfit, match="column ward: the model knows no category east; it was made for north"):
        logistic_plan(fitted_logistic(), table=wide)
    whole = dataclasses.replace(
        wide, columns={**wide.columns, "ward": dataclasses.replace(wide.columns["ward"], categories=(0, 1, 2))}
    )
    with pytest.raises(TableUnfit, match="knows no category 0, 1, 2"):
        logistic_plan(fitted_logistic(), table=whole)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"terms": []}, "terms is a list of 1 to 1000"),
        ({"terms": [{"column": "age", "low": 0, "high": 1}] * 2}, "terms are each there once"),
        ({"terms": [{"column": "age", "low": 1, "high": 1}]}, "low is below high"),
        ({"terms": [{"column": "age", "category": True, "low": 0, "high": 1}]}, "category is a text"),
        (
            {"terms": [{"column": "age", "low": 0, "high": 1}, {"column": "age", "category": 1, "low": 0, "high": 1}]},
            "all of categories, or it has one",
        ),
        ({"terms": [{"column": "cost", "low": 0, "high": 1}]}, "features are the columns of its terms: cost"),
        ({"bound": 0.0}, "bound 0.0: the greatest length"),
        ({"bound": "1"}, "bound is a finite number"),
        ({"spread": -1}, "spread is a number above 0"),
        ({"depth": 3}, "unknown parameter 'depth'"),
    ],
)
def test_logistic_regressions_that_cannot_be(change: dict[str, Any], match: str) -> None:
    with pytest.raises(ParametersInvalid, match=match):
        logistic_plan(fitted_logistic(), model=change)


def test_the_wrong_model_ends_the_job_at_its_owner_before_it_is_shared() -> None:
    rows, model = stay_rows(33, 8), fitted_logistic()
    fewer = FittedLogistic(model.coefficients[:2], 0.0, bound=1.0, spread=2.0, label="x", epsilon=0, delta=0)
    huge = fitted_logistic()
    huge.coef_[0, 0] = 1e7
    for wrong, error in ((fewer, ShapeMismatch), (huge, OutOfRange), (None, ShapeMismatch)):
        with pytest.raises(error):
            answered(SCORE, logistic_plan(model), [(0, rows)], extra=[None, None, wrong])
