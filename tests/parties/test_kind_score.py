"""A member's trees on another member's rows, against the library that made them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier, RandomForestRegressor

from mpc.errors import AccordError
from parties.errors import ParametersInvalid, TableUnfit
from parties.kind_score import SCORE
from protocols.errors import ModelMismatch
from protocols.tree_json import from_json, to_json
from protocols.tree_models import from_sklearn
from tests.parties.consortium import charter, member
from tests.parties.job_tables import answered, owned, stay_rows, stays

FEATURES = ("cost", "age", "ward")


def rows_and_matrix(n: int = 33) -> tuple[dict[str, Any], Any]:
    rows = stay_rows(n, 8)
    return rows, np.stack([rows[name].astype(np.float64) for name in FEATURES], axis=1)


def plan_of(fitted: Any = None, by: Any = None, **change: Any) -> Any:
    size = {"depth": 3, "trees": 1, "outputs": 1, "link": "sigmoid"}
    if fitted is not None:
        plain = from_sklearn(fitted)
        size = {"depth": plain.depth, "trees": len(plain.trees), "outputs": plain.outputs, "link": plain.link}
    asked = {"model": {"owner": "charlie", "name": "risk", **size}, "features": list(FEATURES), **change}
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


def test_the_rows_owner_alone_receives_and_nothing_is_charged() -> None:
    plan = plan_of()
    assert plan.receivers == ("alfa",) and plan.epsilon == 0 and plan.events == ()
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
        ({"model": {"owner": "charlie", "name": "risk"}}, ParametersInvalid, "'depth' is missing"),
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
    ],
)
def test_models_that_cannot_be(change: dict[str, Any], match: str) -> None:
    model = {"owner": "charlie", "name": "risk", "depth": 3, "trees": 1, "outputs": 1, "link": "sigmoid", **change}
    with pytest.raises(ParametersInvalid, match=match):
        plan_of(model=model)
