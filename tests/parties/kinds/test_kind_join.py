"""Counts, sums and means of people in several members' tables, against pandas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from mpc.errors import AccordError
from parties.errors import ParametersInvalid, RowsUnfit, TableUnfit
from parties.kinds.kind_join import JOIN
from protocols.errors import DuplicateKeys
from tests.parties.consortium import charter, member
from tests.parties.job_tables import answered, column, owned, table

LEVELS = ("low", "middle", "high")
HUGE = 120.0
PAD = {"epsilon": 8.0, "delta": 1e-3}


def bank(rows: int = 1) -> Any:
    return table(column("balance", "real", low=-10.0, high=10.0), column("note", "integer", low=0, high=1), rows=rows)


def bureau() -> Any:
    return table(
        column("level", "category", categories=LEVELS),
        column("note", "integer", low=0, high=9),
        name="people",
        capacity=30,
    )


def shop() -> Any:
    return table(column("buys", "boolean"), name="sales", capacity=25)


def parts(many: bool = False) -> list[dict[str, Any]]:
    rng = np.random.default_rng(3)
    people = rng.choice(20, 30) if many else rng.permutation(45)[:30]
    return [
        {"person": people, "balance": np.round(rng.uniform(-10, 10, 30) * 16) / 16, "note": rng.integers(0, 2, 30)},
        {"person": rng.permutation(45)[:28], "level": rng.integers(0, 3, 28), "note": rng.integers(0, 10, 28)},
        {"person": rng.permutation(45)[:25], "buys": rng.integers(0, 2, 25)},
    ]


def plan_of(parameters: dict[str, Any], *tables: Any, by: Any = None) -> Any:
    return JOIN.check({"epsilon": HUGE, **parameters}, owned(*tables), by or charter())


def merged(tables: list[dict[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(tables[0])
    for other in tables[1:]:
        frame = frame.merge(pd.DataFrame(other), on="person", suffixes=("", "_b"))
    return frame


@pytest.mark.parametrize(("m", "t", "how"), [(3, 1, PAD), (3, 1, None), (5, 2, None)])
@pytest.mark.parametrize("many", [False, True])
def test_totals_of_common_people_are_pandas(m: int, t: int, how: Any, many: bool) -> None:
    by = charter(*(member(i) for i in range(m)), threshold=t)
    hidden = {"pad": how} if how else {"show_matches": True}
    tables, given = [bank(9 if many else 1), bureau(), shop()], parts(many)
    frame = merged(given)
    figures = ["count", {"sum": "balance"}, {"mean": "bravo.note"}, {"sum": "buys"}]
    noise = 60 if many else 6

    plan = plan_of({"figures": figures, "by": "level", **hidden}, *tables, by=by)
    told = answered(JOIN, plan, list(enumerate(given)), m, t)["rows"]
    assert len(told) == 12
    for row in told:
        rows = frame[frame["level"] == LEVELS.index(row["group"])]
        truth = {
            "count": len(rows), "balance": rows["balance"].sum(), "buys": rows["buys"].sum(),
            "bravo.note": rows["note_b"].mean() if len(rows) else 4.5,
        }[row["column"] or "count"]  # fmt: skip
        assert row["value"] == pytest.approx(truth, abs=noise * (3 if row["column"] == "balance" else 1))

    one = plan_of({"figures": ["count"], **hidden}, *tables[:2], by=by)
    (row,) = answered(JOIN, one, list(enumerate(given[:2])), m, t)["rows"]
    assert row["value"] == pytest.approx(len(merged(given[:2])), abs=4 if many else 0)


def test_what_is_asked_spent_and_told() -> None:
    where = {"alfa": {"column": "note", "is": "==", "value": 1}}
    asked = {"figures": [{"mean": "balance"}], "by": "level", "epsilon": 1.0, "pad": PAD, "where": where}
    plan = plan_of(asked, bank(3), bureau(), shop())
    assert [dict(ask.uses) for ask in plan.asks] == [
        {"person": frozenset({"join"}), "balance": frozenset({"sum"})},
        {"person": frozenset({"join"}), "level": frozenset({"group"})},
        {"person": frozenset({"join"})},
    ]
    assert [ask.where for ask in plan.asks] == [where["alfa"], None, None]
    assert plan.epsilon == 1.0 + 2 * 8.0 and plan.delta > 2e-3  # the first is matched with each of the others
    assert "with noise" in plan.leaks[0] and plan.events[1].change.l1 == 3
    shown = plan_of({"figures": ["count"], "epsilon": 1.0, "show_matches": True}, bank(), bureau())
    assert shown.epsilon == 1.0 and "exactly" in shown.leaks[0]


def test_members_who_do_not_compute_cannot_join() -> None:
    by = charter(*(member(i) for i in range(3)), member(3, "input"))
    tables = owned(bank(), bureau())
    tables[1] = type(tables[1])("delta", tables[1].facts)
    with pytest.raises(TableUnfit, match=r"delta does not compute.*alfa, bravo, charlie"):
        JOIN.check({"figures": ["count"], "epsilon": 1.0, "pad": PAD}, tables, by)
    tables[1] = type(tables[1])("alfa", tables[1].facts)
    with pytest.raises(TableUnfit, match="each table of another member"):
        JOIN.check({"figures": ["count"], "epsilon": 1.0, "pad": PAD}, tables, by)


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"pad": None}, ParametersInvalid, "one member sees how many people match"),
        ({"show_matches": True}, ParametersInvalid, "not true beside pad"),
        ({"pad": {"epsilon": 1}}, ParametersInvalid, "pad is"),
        ({"pad": {"epsilon": 1e-9, "delta": 1e-6}}, ParametersInvalid, "take a larger one"),
        ({"figures": [{"sum": "note"}]}, TableUnfit, "several tables have it: name it member.column"),
        ({"figures": [{"sum": "none"}]}, TableUnfit, "none of the tables publishes it"),
        ({"where": {"echo": 1}}, ParametersInvalid, "where has a filter for each of alfa, bravo"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(change: Any, error: type[AccordError], match: str) -> None:
    with pytest.raises(error, match=match):
        plan_of({"figures": ["count"], "pad": PAD, **change}, bank(), bureau())


def test_tables_whose_people_cannot_be_compared() -> None:
    with pytest.raises(TableUnfit, match="only the first table of a join may have several"):
        plan_of({"figures": ["count"], "pad": PAD}, bureau(), bank(2))
    other = table(name="mails")
    other.columns["person"] = column("person", "key", profile="email-pair")  # type: ignore[index]
    with pytest.raises(TableUnfit, match="told apart by profile email-pair"):
        plan_of({"figures": ["count"], "pad": PAD}, bank(), other)
    strict = charter(*(member(i) for i in range(5)), threshold=2)
    with pytest.raises(ParametersInvalid, match="with a threshold of 2"):
        plan_of({"figures": ["count"], "pad": PAD}, bank(), bureau(), by=strict)
    with pytest.raises(ParametersInvalid, match="a job on 1 tables; it takes 2 to 3"):
        plan_of({"figures": ["count"], "pad": PAD}, bank())


def test_rows_that_are_not_as_published_end_the_job_at_their_owner() -> None:
    plan = plan_of({"figures": [{"sum": "balance"}], "pad": PAD}, bank(), bureau())
    a, b, _ = parts()
    with pytest.raises(RowsUnfit, match="table stays of alfa, column balance: a value outside"):
        answered(JOIN, plan, [(0, {**a, "balance": a["balance"] + 99}), (1, b)])
    with pytest.raises(RowsUnfit, match="column person: not among"):
        answered(JOIN, plan, [(0, {"balance": a["balance"]}), (1, b)])
    with pytest.raises(DuplicateKeys):
        answered(JOIN, plan, [(0, a), (1, {**b, "person": b["person"] * 0})])
