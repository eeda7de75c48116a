"""Answers as frames and models, compared with what the kinds themselves do with the same numbers."""

from __future__ import annotations

import contextlib
import datetime
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.errors import OutOfRange
from parties.errors import ColumnMissing, MessageInvalid, ValueUnfit
from parties.models.fitted import FittedLogistic
from parties.planning.results import read_answer
from protocols.row_bound import bounded_rows

TERMS = [
    {"column": "age", "category": None, "low": 0.0, "high": 100.0, "coefficient": 1.5},
    {"column": "ward", "category": "a", "low": 0.0, "high": 1.0, "coefficient": -2.0},
    {"column": "ward", "category": "b", "low": 0.0, "high": 1.0, "coefficient": 3.0},
    {"column": "since", "category": None, "low": 0.0, "high": 20000.0, "coefficient": 0.25},
]
TRAINED = {
    "coefficients": TERMS, "intercept": -0.5, "bound": 1.0, "spread": 2.0, "label": "died", "epsilon": 2.0,
    "delta": 1e-6,
}  # fmt: skip
ROWS = pd.DataFrame(
    {"ward": ["a", "b", "b"], "age": [10, 50, 200], "since": pd.to_datetime(["1970-01-11", "2000-01-01", "1990-06-01"])}
)


def model(**changes: Any) -> FittedLogistic:
    found = read_answer("train", json.dumps({**TRAINED, **changes}).encode(), "ab" * 16)
    assert isinstance(found, FittedLogistic)
    return found


def scores() -> np.ndarray[Any, Any]:
    days = [10, 10957, 7456]
    rows = [[10, 1, 0, days[0]], [50, 0, 1, days[1]], [200, 0, 1, days[2]]]
    X = bounded_rows(rows, [0, 0, 0, 0], [100, 1, 1, 20000], bound=1.0, spread=2.0)
    return np.asarray(X @ [1.5, -2.0, 3.0, 0.25] - 0.5)


def test_a_model_predicts_as_training_prepared_rows() -> None:
    fitted = model()
    np.testing.assert_array_equal(fitted.decision_function(ROWS), scores())
    np.testing.assert_allclose(fitted.predict_proba(ROWS)[:, 1], 1 / (1 + np.exp(-scores())), rtol=1e-12)
    np.testing.assert_allclose(fitted.predict_proba(ROWS).sum(axis=1), 1)
    np.testing.assert_array_equal(fitted.predict(ROWS), scores() > 0)
    assert fitted.predict(ROWS).tolist() == [False, True, True]
    assert fitted.score(ROWS, [False, True, False]) == pytest.approx(2 / 3)
    assert fitted.feature_names_in_ == ("age", "ward", "since") and fitted.n_features_in_ == 3
    assert fitted.terms_ == ("age", "ward=a", "ward=b", "since")
    assert fitted.coef_.shape == (1, 4) and fitted.intercept_.shape == (1,)
    assert model(positive="yes").score(ROWS, ["no", "yes", "yes"]) == 1.0


def test_rows_may_come_in_several_ways() -> None:
    fitted = model()
    dates = [datetime.date(1970, 1, 11), datetime.date(2000, 1, 1), datetime.date(1990, 6, 1)]
    table = {"age": [10, 50, 200], "ward": ["a", "b", "b"], "since": dates}
    np.testing.assert_array_equal(fitted.decision_function(table), scores())
    rows = np.array(list(zip(*table.values(), strict=True)), object)
    np.testing.assert_array_equal(fitted.decision_function(rows), scores())


def test_extreme_scores_are_no_overflow() -> None:
    with np.errstate(all="raise"):
        found = model(intercept=-1e6).predict_proba(ROWS)
    assert found[:, 0].tolist() == [1.0] * 3


def test_rows_that_do_not_fit_are_named() -> None:
    fitted = model()
    with pytest.raises(ColumnMissing, match="age"):
        fitted.predict(ROWS.drop(columns="age"))
    with pytest.raises(ColumnMissing, match="3 columns"):
        fitted.predict(np.zeros((3, 2)))
    with pytest.raises(ValueUnfit, match="ward"):
        fitted.predict(ROWS.assign(ward=["a", "b", "z"]))
    with pytest.raises(ValueUnfit, match="age"):
        fitted.predict(ROWS.assign(age=["a", "b", "z"]))
    with pytest.raises(OutOfRange):
        fitted.predict(ROWS.assign(age=[1.0, np.nan, 2.0]))


def figures(*rows: dict[str, Any], by: str | None = "ward") -> bytes:
    return json.dumps({"by": by, "rows": rows, "epsilon": 0.5, "delta": 1e-6}).encode()


def figure(what: str, column: str | None, group: Any, value: Any, shown: bool = True) -> dict[str, Any]:
    return {
        "figure": what, "column": column, "group": group, "shown": shown, "value": value,
        "standard_error": 1.0 if shown else None, "low": value, "high": value,
    }  # fmt: skip


def test_figures_are_a_row_a_group() -> None:
    frame = read_answer(
        "join",
        figures(
            figure("count", None, True, 3), figure("count", None, False, 4),
            figure("mean", "age", True, 1.5), figure("mean", "age", False, None, shown=False),
        ),
    )  # fmt: skip
    assert frame.index.tolist() == [True, False] and frame.index.name == "ward"
    assert frame["count"].tolist() == [3, 4]
    assert frame["mean(age)"].iloc[0] == 1.5 and pd.isna(frame["mean(age)"].iloc[1])
    assert frame["shown"].tolist() == [True, False]
    assert frame.attrs == {"epsilon": 0.5, "delta": 1e-6, "job": "", "kind": "join"}
    alone = read_answer("aggregate", figures(figure("sum", "x", None, 2), by=None))
    assert alone["sum(x)"].item() == 2 and alone["sum(x).standard_error"].item() == 1.0


def queried(**other: Any) -> bytes:
    said = {
        "columns": ["ward", "n", "n"], "rows": [["a", 3, 1.5], [None, -4, None]],
        "errors": [[None, 2.0, None], [None, 2.0, None]], "intervals": [[None, [1, 5], None], [None, [-6.5, -2], None]],
        "epsilon": 0.5, "delta": 1e-6,
    }  # fmt: skip
    return json.dumps({**said, **other}).encode()


def test_a_query_has_the_columns_of_its_select() -> None:
    frame = read_answer("query", queried(), "j")
    assert list(frame.columns) == ["ward", "n", "n.standard_error", "n.low", "n.high", "n"]
    assert frame["ward"].iloc[0] == "a" and pd.isna(frame["ward"].iloc[1]) and frame.iloc[:, 1].tolist() == [3, -4]
    assert frame["n.low"].tolist() == [1, -6.5] and frame["n.high"].tolist() == [5, -2]
    assert pd.isna(frame.iloc[1, 5]) and frame.attrs["epsilon"] == 0.5 and frame.attrs["job"] == "j"
    empty = read_answer("query", queried(rows=[], errors=[], intervals=[]))
    assert list(empty.columns) == ["ward", "n", "n"] and len(empty) == 0


@pytest.mark.parametrize(
    ("answer", "predictions", "columns"),
    [
        ("predict", [0, 1, 1], ["predict"]),
        ("decision_function", [0.5, -1.0], ["decision_function"]),
        ("predict_proba", [[0.1, 0.9], [1, 0]], ["predict_proba.0", "predict_proba.1"]),
        ("predict", [], ["predict"]),
    ],
)
def test_predictions_are_a_row_a_place(answer: str, predictions: list[Any], columns: list[str]) -> None:
    frame = read_answer("score", json.dumps({"answer": answer, "predictions": predictions}).encode())
    assert list(frame.columns) == columns
    assert frame.to_numpy().tolist() == (predictions if len(columns) > 1 else [[one] for one in predictions])


def test_another_kinds_answer_is_what_is_in_it() -> None:
    assert read_answer("later", b'{"a": [1, null]}') == {"a": [1, None]}
    with pytest.raises(MessageInvalid):
        read_answer("later", b"{")


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("aggregate", figures(figure("count", None, 1, 3), figure("count", None, 1, 4))),
        ("aggregate", figures(figure("median", "x", 1, 3))),
        ("train", json.dumps({**TRAINED, "coefficients": []}).encode()),
        ("train", json.dumps({**TRAINED, "intercept": None}).encode()),
        ("query", queried(rows=[["a", 3], [None, 4]])),
        ("query", queried(errors=[[None, 1.0, None]])),
        ("query", queried(intervals=[[None, [1], None], [None, None, None]])),
        ("query", queried(rows=[[["a"], 3, 1], [None, 4, 1]])),
        ("score", b'{"answer": "predict_proba", "predictions": [[1], [1, 2]]}'),
        ("score", b'{"answer": "predict", "predictions": ["x"]}'),
    ],
)
def test_another_form_is_refused(kind: str, content: bytes) -> None:
    with pytest.raises(MessageInvalid):
        read_answer(kind, content)


@given(
    st.sampled_from(["aggregate", "join", "query", "train", "score", "later"]), st.binary() | st.text().map(str.encode)
)
def test_any_bytes_are_an_answer_or_refused(kind: str, content: bytes) -> None:
    with contextlib.suppress(MessageInvalid):
        read_answer(kind, content)
