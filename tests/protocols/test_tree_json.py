"""Models of trees as JSON: the same model again, or a named error."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestClassifier

from protocols.errors import ModelUnsupported
from protocols.tree_json import from_json, to_json
from protocols.tree_models import from_sklearn

RNG = np.random.default_rng(2)
X, Y = RNG.normal(size=(60, 3)), RNG.integers(0, 3, 60)
MODELS = [
    RandomForestClassifier(3, max_depth=3, random_state=0).fit(X, Y),
    GradientBoostingClassifier(n_estimators=2, max_depth=2, random_state=0).fit(X, Y),
    HistGradientBoostingRegressor(max_iter=2, max_depth=2, min_samples_leaf=3).fit(X, X[:, 0]),
]
TEXT = to_json(from_sklearn(MODELS[0]))


@pytest.mark.parametrize("fitted", MODELS)
def test_a_model_reads_back_to_itself(fitted: Any) -> None:
    model = from_sklearn(fitted)
    again = from_json(to_json(model))
    assert to_json(again) == to_json(model)
    for name in ("features", "link", "strict", "float32", "tie"):
        assert getattr(again, name) == getattr(model, name)
    np.testing.assert_array_equal(again.base, model.base)
    for a, b in zip(again.trees, model.trees, strict=True):
        inner = b.feature >= 0
        np.testing.assert_array_equal(a.feature, b.feature)
        np.testing.assert_array_equal(a.value, b.value)
        for name in ("threshold", "left", "right"):
            np.testing.assert_array_equal(getattr(a, name)[inner], getattr(b, name)[inner])


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"format": "accord trees 9"}, "not in the format"),
        ({"features": 2}, "feature"),
        ({"features": 0}, "features"),
        ({"link": "probit"}, "link"),
        ({"base": []}, "base"),
        ({"base": ["x"]}, "numbers"),
        ({"strict": 1}, "strict"),
        ({"trees": [{}]}, "KeyError"),
    ],
)
def test_what_is_amiss_is_said(change: dict[str, Any], match: str) -> None:
    with pytest.raises(ModelUnsupported, match=match):
        from_json(json.dumps({**json.loads(TEXT), **change}))


def test_nodes_in_circles_are_no_tree() -> None:
    said = json.loads(TEXT)
    said["trees"][0]["left"][0] = 0
    with pytest.raises(ModelUnsupported, match="circles"):
        from_json(json.dumps(said))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_changed_text_is_a_model_or_refused(data: Any) -> None:
    at = data.draw(st.integers(0, len(TEXT)))
    text = TEXT[:at] + data.draw(st.text(max_size=3)) + TEXT[at + data.draw(st.integers(0, 3)) :]
    with contextlib.suppress(ModelUnsupported):
        assert from_json(text).depth >= 0
