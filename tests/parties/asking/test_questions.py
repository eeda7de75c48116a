"""What people ask becomes what the kinds take: each question is given to its kind's own check."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from parties.asking.client_questions import Questions
from parties.asking.questions import Question, submission
from parties.errors import JobInvalid
from parties.kinds.kind import Plan
from parties.planning.kinds import kind_of
from tests.parties.consortium import charter
from tests.parties.job_tables import owned, stays


class Asked(Questions[Any, Any]):
    """Keeps the question, and how it was asked."""

    def _ask(self, question: Question, how: Mapping[str, Any]) -> Any:
        self.how = dict(how)
        return question


TWO = ["alfa.stays", "bravo.stays"]
TREES = {
    "owner": "bravo", "name": "risk", "version": 1, "id": "0" * 64, "family": "trees",
    "depth": 3, "trees": 5, "outputs": 1, "link": "sigmoid",
}  # fmt: skip
WHERE = {"column": "age", "is": ">=", "value": 18}


def planned(question: Question) -> Plan:
    """By way of the message itself, as the node has it."""
    sent = submission(question.kind, question.parameters, question.tables, ["alfa"], 60, "abort", "key")
    assert [f"{one.member}.{one.table}" for one in sent.tables] == list(question.tables)
    tables = owned(*[stays()] * len(question.tables))
    return kind_of(sent.kind).check(sent.parameters, tables, charter())


@pytest.mark.parametrize(
    ("question", "kind", "figures"),
    [
        (Asked().count("alfa.stays", epsilon=1.0), "aggregate", ["count"]),
        (Asked().sum(TWO, "cost", epsilon=1.0, by="ward", where=WHERE), "aggregate", ["sum cost"]),
        (Asked().mean(TWO, "age", epsilon=1.0, delta=1e-6), "aggregate", ["mean age"]),
        (Asked().mean(TWO, "age", epsilon=1.0, by="died", minimum=5), "aggregate", ["count", "mean age"]),
        (
            Asked().aggregate(TWO, ["count", {"sum": "cost"}, ("mean", "age")], epsilon=1.0),
            "aggregate",
            ["count", "sum cost", "mean age"],
        ),
        (
            Asked().aggregate(TWO, {"age": "mean", "cost": ["sum", "mean"]}, epsilon=1.0),
            "aggregate",
            ["mean age", "sum cost", "mean cost"],
        ),
        (Asked().join(TWO, epsilon=1.0, pad={"epsilon": 0.5, "delta": 1e-6}), "join", ["count"]),
        (
            Asked().join(TWO, {"alfa.cost": "sum"}, epsilon=1.0, where={"bravo": WHERE}, show_matches=True),
            "join",
            ["sum alfa.cost"],
        ),
    ],
)
def test_figures(question: Question, kind: str, figures: list[str]) -> None:
    plan = planned(question)
    assert plan.kind == kind
    told = plan.details.figures.figures
    assert [one.what if one.column is None else f"{one.what} {one.column}" for one in told] == figures


def test_a_query_leaves_its_tables_to_the_node() -> None:
    text = "SELECT ward, COUNT(*) FROM stays GROUP BY ward"
    question = Asked().query(text, epsilon=1.0, minimum=5)
    sent = submission(question.kind, question.parameters, question.tables, ["alfa"], 60, "abort", "key")
    assert sent.tables == [] and sent.parameters == {"sql": text, "epsilon": 1.0, "minimum": 5}
    finding = kind_of(sent.kind).tables
    assert finding is not None
    assert finding(sent.parameters, owned(stays(), stays())) == ((("alfa", "stays"), ("bravo", "stays")), False)
    named = {"sql": "SELECT COUNT(*) FROM bravo.stays"}
    assert finding(named, owned(stays(), stays())) == ((("bravo", "stays"),), True)


def test_models() -> None:
    trained = Asked().fit(
        TWO,
        ["age", "ward"],
        "died",
        epsilon=2.0,
        delta=1e-6,
        where=WHERE,
        options={"max_iter": 3, "learning_rate": 2.0},
    )
    details = planned(trained).details
    assert [f.column for f in details.features] == ["age", "ward", "ward", "ward"] and details.label[0] == "died"
    assert details.options["max_iter"] == 3 and details.options["epsilon"] == 2.0
    one_of = Asked().fit("alfa.stays", ["age"], "ward", positive="south", epsilon=2.0, delta=1e-6)
    assert planned(one_of).details.label == ("ward", 1)
    for method in ("predict", "predict_proba"):
        scored = getattr(Asked(), method)(TREES, "alfa.stays", ["age", "cost"])
        plan = planned(scored)
        assert plan.receivers is None and scored.results == ("alfa",) and plan.details.answer == method


def test_a_models_size_and_columns_are_left_to_the_node() -> None:
    asked = Asked()
    question = asked.predict("bravo.risk@2", "alfa.stays", where=WHERE, results=["charlie"])
    assert question.parameters == {"model": "bravo.risk@2", "answer": "predict", "where": WHERE}
    assert (question.kind, question.tables, question.results) == ("score", ("alfa.stays",), ("alfa",))
    assert asked.how == {"results": ["charlie"]}
    assert Asked().decision_function("bravo.risk", "alfa.stays").parameters["answer"] == "decision_function"


def test_how_goes_its_own_way() -> None:
    asked = Asked()
    question = asked.count("alfa.stays", epsilon=1.0, results=["bravo"], deadline=5, on_loss="wait", key="k", timeout=3)
    assert asked.how == {"results": ["bravo"], "deadline": 5, "on_loss": "wait", "key": "k", "timeout": 3}
    assert question.parameters == {"figures": ["count"], "epsilon": 1.0}


def test_numbers_of_numpy_and_dates_are_taken() -> None:
    parameters = {
        "epsilon": np.float64(1.5), "minimum": np.int64(3), "features": np.array(["a"]), "flag": np.bool_(True),
        "where": {"value": datetime.date(2024, 2, 29)}, "pair": ("x", 1),
    }  # fmt: skip
    sent = submission("k", parameters, [], ["alfa"], 60, "abort", None)
    assert sent.parameters == {
        "epsilon": 1.5, "minimum": 3, "features": ["a"], "flag": True, "where": {"value": "2024-02-29"},
        "pair": ["x", 1],
    }  # fmt: skip


def test_keys_are_drawn_anew() -> None:
    keys = {submission("k", {}, [], ["alfa"], 60, "abort", None).key for _ in range(50)}
    assert len(keys) == 50 and all(len(key) == 32 for key in keys)


@pytest.mark.parametrize(
    "parameters", [{"x": {1, 2}}, {"x": datetime.datetime(2024, 1, 1)}, {"x": float("inf")}, {"x": b"bytes"}, [1]]
)
def test_what_json_does_not_hold_is_refused(parameters: Any) -> None:
    with pytest.raises(JobInvalid):
        submission("k", parameters, [], ["alfa"], 60, "abort", None)


def test_what_it_is_for_goes_with_the_question() -> None:
    assert submission("k", {}, [], ["alfa"], 60, "abort", None, "research").purpose == "research"
    assert submission("k", {}, [], ["alfa"], 60, "abort", None).purpose == ""
    with pytest.raises(JobInvalid, match="purpose"):
        submission("k", {}, [], ["alfa"], 60, "abort", None, "Any thing!")
