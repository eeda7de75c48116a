"""Counts, sums and means over several members' tables, against pandas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from mpc.errors import AccordError
from parties.data.published import PublishedColumn
from parties.errors import ParametersInvalid, RowsUnfit, TableUnfit
from parties.kinds.kind_aggregate import AGGREGATE
from protocols.errors import EpsilonInvalid, GridOverflow
from tests.parties.consortium import charter
from tests.parties.job_tables import WARDS, answered, column, owned, stay_rows, stays, table

HUGE = 120.0  # epsilon: noise of some thousandths of what one person changes
FIGURES = ["count", {"sum": "age"}, {"mean": "age"}, {"sum": "cost"}, {"mean": "cost"}, {"mean": "died"}]


def plan_of(parameters: dict[str, Any], *tables: Any) -> Any:
    return AGGREGATE.check(parameters, owned(*tables), charter())


def told_by(answer: dict[str, Any]) -> dict[tuple[str, str | None, Any], Any]:
    return {(row["figure"], row["column"], row["group"]): row["value"] for row in answer["rows"]}


@pytest.mark.parametrize(("m", "t", "owners"), [(3, 1, (0, 2)), (3, 1, (None, 1)), (5, 2, (4, None))])
@pytest.mark.parametrize("by", [None, "ward", "died"])
def test_totals_over_all_tables_are_pandas(m: int, t: int, owners: Any, by: str | None) -> None:
    figures = [f for f in FIGURES if by != "died" or f != {"mean": "died"}]
    plan = plan_of({"figures": figures, "by": by, "epsilon": HUGE}, stays(), stays(capacity=30))
    parts = [stay_rows(23, 1), stay_rows(30, 2)]
    answer = answered(AGGREGATE, plan, list(zip(owners, parts, strict=True)), m, t)

    frame = pd.concat([pd.DataFrame(part) for part in parts])
    groups = {None: [None], "ward": list(WARDS), "died": [False, True]}[by]
    told = told_by(answer)
    assert len(told) == len(figures) * len(groups)
    for code, name in enumerate(groups):
        rows = frame if by is None else frame[frame[by] == code]
        assert told["count", None, name] == pytest.approx(len(rows), abs=2)
        for c, within in (("age", 90), ("cost", 9)):
            assert told["sum", c, name] == pytest.approx(rows[c].sum(), abs=within)
            assert told["mean", c, name] == pytest.approx(rows[c].mean(), abs=within / 6)
    assert answer["epsilon"] == pytest.approx(HUGE) and answer["by"] == by


def test_with_less_noise_than_a_step_it_is_exact() -> None:
    """One figure a job: a whole epsilon of 120 on it, so no noise but with a chance of e^-100."""
    rows = stay_rows(31, 3)
    for figure, truth in [("count", 31), ({"sum": "age"}, rows["age"].sum())]:
        wide = table(column("age", "integer", low=-1, high=1)) if figure != "count" else stays()
        mine = {**rows, "age": np.clip(rows["age"], -1, 1)}
        truth = truth if figure == "count" else mine["age"].sum()
        plan = plan_of({"figures": [figure], "epsilon": HUGE}, wide)
        (row,) = answered(AGGREGATE, plan, [(1, mine)])["rows"]
        assert row["value"] == truth and row["low"] == row["high"] == truth and row["shown"] is True
        assert isinstance(row["value"], int)


def test_a_count_alone_needs_no_column() -> None:
    plan = plan_of({"figures": ["count"], "epsilon": HUGE}, stays(), stays())
    assert dict(plan.asks[0].uses) == {} and plan.asks[0].counts
    rows = [(0, {"": np.ones(17, np.int64)}), (None, {"": np.ones(9, np.int64)})]
    assert answered(AGGREGATE, plan, rows)["rows"][0]["value"] == 26


def test_small_groups_are_hidden_in_every_figure_alike() -> None:
    rows = stay_rows(40, 4)
    rows["ward"] = np.array([0] * 25 + [1] * 13 + [2] * 2)
    asked = {"figures": [{"sum": "cost"}, {"mean": "age"}], "by": "ward", "epsilon": HUGE, "minimum": 8}
    plan = plan_of(asked, stays())
    told = pd.DataFrame(answered(AGGREGATE, plan, [(0, rows)])["rows"])
    assert told["figure"].tolist() == ["count"] * 3 + ["sum"] * 3 + ["mean"] * 3
    assert told["shown"].tolist() == [True, True, False] * 3
    assert told[~told["shown"]][["value", "standard_error", "low", "high"]].isna().all(axis=None)
    assert told["value"].iloc[:2].tolist() == [25, 13]


def test_a_person_may_be_in_every_table() -> None:
    one = plan_of({"figures": ["count", {"sum": "age"}], "epsilon": 1.0}, stays())
    both = plan_of({"figures": ["count", {"sum": "age"}], "epsilon": 1.0}, stays(), stays(rows=3))
    for k, plan in ((1, one), (4, both)):
        assert [event.change.l1 for event in plan.events] == [k, 90 * k]
        assert [event.mechanism.epsilon for event in plan.events] == [0.5, 0.5]
        assert plan.epsilon == 1.0


def test_what_is_asked_of_an_owner() -> None:
    where = {"column": "age", "is": ">=", "value": 18}
    plan = plan_of({"figures": [{"mean": "cost"}], "by": "ward", "epsilon": 2.0, "where": where}, stays(), stays())
    assert [(ask.member, ask.table) for ask in plan.asks] == [("alfa", "stays"), ("bravo", "stays")]
    for ask in plan.asks:
        assert dict(ask.uses) == {"cost": frozenset({"sum"}), "ward": frozenset({"group"})}
        assert ask.counts and ask.where == where
    assert not plan_of({"figures": [{"sum": "cost"}], "epsilon": 2.0}, stays()).asks[0].counts
    assert plan.delta < 1e-11 and plan_of({"figures": ["count"], "epsilon": 1.0, "delta": 1e-6}, stays()).delta == 1e-6


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"figures": []}, "figures is a list"),
        ({"figures": ["median"]}, 'a figure is "count"'),
        ({"figures": ["count", "count"]}, "each once"),
        ({"figures": [{"sum": "nothing"}]}, "not published; there are person, age"),
        ({"figures": [{"sum": "ward"}]}, "of kind category"),
        ({"figures": [{"mean": "person"}]}, "of kind key"),
        ({"by": "age"}, "of kind integer"),
        ({"by": 3}, "by is the name"),
        ({"minimum": 0}, "minimum is a whole number"),
        ({"epsilon": "1"}, "epsilon is a finite number"),
        ({"epsilon": 0.0}, "epsilon"),
        ({"delta": 2.0}, "delta"),
        ({"more": 1}, "unknown parameter 'more'"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(change: dict[str, Any], match: str) -> None:
    with pytest.raises(AccordError, match=match):
        plan_of({"figures": ["count"], "epsilon": 1.0, **change}, stays())


def test_missing_parameters_and_tables() -> None:
    with pytest.raises(ParametersInvalid, match="'epsilon' is missing"):
        plan_of({"figures": ["count"]}, stays())
    with pytest.raises(ParametersInvalid, match="a job on 0 tables"):
        plan_of({"figures": ["count"], "epsilon": 1.0})
    with pytest.raises(EpsilonInvalid):
        plan_of({"figures": ["count"], "epsilon": -1.0}, stays())


def test_tables_of_one_union_are_of_one_shape() -> None:
    other = table(column("age", "integer", low=0, high=90))
    with pytest.raises(TableUnfit, match=r"column age: table stays of alfa and table stays of bravo differ in low"):
        plan_of({"figures": [{"sum": "age"}], "epsilon": 1.0}, stays(), other)
    with pytest.raises(TableUnfit, match="differ in kind"):
        plan_of({"figures": ["count"], "by": "ward", "epsilon": 1.0}, stays(), other)
    unbounded = table(PublishedColumn("age", "integer", uses=frozenset({"filter"})))
    with pytest.raises(TableUnfit, match="needs public bounds"):
        plan_of({"figures": [{"sum": "age"}], "epsilon": 1.0}, unbounded)


def test_totals_that_could_leave_the_ring_are_refused_before_anything_is_sent() -> None:
    wide = table(column("big", "integer", low=0, high=1 << 60), capacity=1000)
    with pytest.raises(GridOverflow):
        plan_of({"figures": [{"sum": "big"}], "epsilon": 1.0}, wide)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"age": np.array([200])}, "outside of the bounds"),
        ({"cost": np.array([np.nan])}, "outside of the bounds"),
        ({"age": np.array([1.5])}, "of dtype float64"),
        ({"cost": np.array(["x"])}, "of dtype"),
        ({"ward": np.array([3])}, "outside of the bounds"),
        ({"ward": np.array([0, 1])}, "several lengths"),
    ],
)
def test_rows_that_are_not_as_published_are_refused_at_their_owner(change: dict[str, Any], match: str) -> None:
    plan = plan_of({"figures": [{"sum": "age"}, {"sum": "cost"}], "by": "ward", "epsilon": 1.0}, stays())
    rows = {name: values[:1] for name, values in stay_rows(9, 1).items()}
    with pytest.raises(RowsUnfit, match=match) as raised:
        AGGREGATE.encode(plan, 0, {**rows, **change})  # type: ignore[misc]
    assert "200" not in str(raised.value) and "stays of alfa" in str(raised.value)


def test_more_rows_than_the_capacity_end_the_job_at_their_owner() -> None:
    plan = plan_of({"figures": ["count"], "epsilon": 1.0}, stays(capacity=3))
    with pytest.raises(RowsUnfit, match="more rows than its public capacity"):
        answered(AGGREGATE, plan, [(0, {"": np.ones(4, np.int64)})])
