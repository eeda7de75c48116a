"""A query's part at its owner, read from files: people's rows stay bounded, whatever is computed of them."""

# ruff: noqa: E501

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from parties.data.expression_types import Type, type_of
from parties.data.row_expression import Column, Expr, call, literal
from parties.data.row_filter import Compare
from parties.data.row_query import Output, RowQuery, Total, total_type
from parties.data.tables import Reading, open_table
from parties.errors import ColumnMissing, ValueUnfit
from parties.running.own_rows_kept import OwnRows
from protocols.errors import CapacityExceeded
from tests.parties import postgres
from tests.parties.tabular import COLUMNS, encode, frame, save, table

AGE, COST, WARD, COUNT = (Column(name, type_of(COLUMNS[name])) for name in ("age", "cost", "ward", "count"))
DEAD = Column("dead", type_of(COLUMNS["dead"]))
PERSON = Column("id", Type("key"))


def query(*outputs: Expr, where: Expr | None = None, totals: Any = None, having: Expr | None = None) -> RowQuery:
    return RowQuery(where, totals, having, tuple(Output(f"x{i}", one, one.type) for i, one in enumerate(outputs)))


def read(published: Any, one: RowQuery) -> Any:
    return OwnRows().all(published, Reading(query=one))


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_expressions_are_of_values_as_published(tmp_path: Path, ending: str) -> None:
    """Cut to their bounds, missing as the rule says: what pandas makes of the encoded values."""
    made = frame(3, 80)
    path = save(made, tmp_path / f"a.{ending}")
    where = call("or", call(">", AGE, literal(10, "integer")), DEAD)
    twice = call("+", call("*", AGE, literal(2, "integer")), COUNT)
    rows = read(table(path), query(twice, WARD, call("-", COST, literal(0.5, "real")), where=where))
    values = pd.DataFrame(
        {name: encode(made[name], COLUMNS[name]) for name in ("age", "count", "ward", "cost", "dead")}
    )
    kept = values[made["id"].notna() & ((values["age"] > 10) | (values["dead"] == 1))]
    expected = zip(kept["age"] * 2 + kept["count"], kept["ward"], kept["cost"] - 0.5, strict=True)
    assert sorted(zip(rows["x0"], rows["x1"], rows["x2"], strict=True)) == sorted(expected)
    assert all((rows[f"x{i}?"] == 1).all() for i in range(3))


@pytest.mark.parametrize("most", [1, 2, 4])
def test_a_person_has_no_more_rows_than_were_published(tmp_path: Path, most: int) -> None:
    made = frame(4, 90, missing=0.0)
    path = save(made, tmp_path / "a.parquet")
    published = table(path, rows_a_person=most)
    rows = read(published, query(PERSON, AGE, COST))  # which rows are kept depends on the columns looked at
    people = Counter(made["id"])
    assert Counter(rows["x0"]) == {person: min(n, most) for person, n in people.items()}

    total = (Total("sum", AGE), Total("count", None), Total("max", COST))
    made_of = [Column(f"#{i}", total_type(one.what, one.of, most)) for i, one in enumerate(total)]
    one = read(published, query(PERSON, *made_of, totals=total))
    assert sorted(one["x0"]) == sorted(people) and set(one["x2"]) == {min(n, most) for n in people.values()}
    assert one["x1"].max() <= 100 * most and one["x1"].sum() == rows["x1"].sum()

    having = call(">", made_of[1], literal(most - 1, "integer"))
    some = read(published, query(PERSON, totals=total, having=having))
    assert sorted(some["x0"]) == sorted(person for person, n in people.items() if n >= most)


def test_values_that_are_none_of_their_kind_are_an_error(tmp_path: Path) -> None:
    made = frame(5, 20).astype({"age": object})
    made.loc[3, ["id", "age"]] = "p01", "many"
    path = save(made, tmp_path / "a.csv")
    with pytest.raises(ValueUnfit, match="column age: some values are no whole numbers"):
        read(table(path), query(AGE))
    assert len(read(table(path), query(COST))["x0"])


def test_what_is_missing_without_a_rule_is_null(tmp_path: Path) -> None:
    columns = {**COLUMNS, "age": type(COLUMNS["age"])("age", "integer", frozenset({"sum"}), low=0, high=100)}
    made = frame(6, 60, missing=0.3)
    path = save(made, tmp_path / "a.parquet")
    age = Column("age", type_of(columns["age"]))
    rows = read(table(path, columns=columns), query(age, call("coalesce", age, literal(50, "integer"))))
    here = made[made["id"].notna()]
    assert (rows["x0?"] == 0).sum() == here["age"].isna().sum() > 0 and (rows["x0"][rows["x0?"] == 0] == 0).all()
    assert (rows["x1?"] == 1).all() and (rows["x1"] == 50).sum() >= here["age"].isna().sum()


def test_more_rows_than_the_capacity_and_what_stands_beside_a_query(tmp_path: Path) -> None:
    path = save(frame(7, 60, missing=0.0), tmp_path / "a.parquet")
    with pytest.raises(CapacityExceeded):
        read(table(path, capacity=30), query(AGE))
    with open_table(table(path)) as opened:
        assert opened.check(Reading(query=query(AGE))) == 60
        for wrong in (Reading(("age",), query=query(AGE)), Reading(where=Compare("age", ">", 3), query=query(AGE))):
            with pytest.raises(ColumnMissing, match="a query has its own"):
                opened.check(wrong)
        with pytest.raises(ColumnMissing, match="not published"):
            opened.check(Reading(query=query(Column("none", AGE.type))))


def test_no_rows_have_the_same_form(tmp_path: Path) -> None:
    path = save(frame(8, 20), tmp_path / "a.parquet")
    some = read(table(path), query(PERSON, AGE, COST, WARD))
    none = read(table(path), query(PERSON, AGE, COST, WARD, where=call("<", AGE, literal(0, "integer"))))
    assert set(some) == set(none) and not len(none["x1"])
    assert {name: rows.dtype for name, rows in none.items()} == {name: rows.dtype for name, rows in some.items()}
    assert none["x1"].dtype == np.int64 and none["x2"].dtype == np.float64


SEEN = Column("seen", type_of(COLUMNS["seen"]))


def many() -> list[RowQuery]:
    """Every operation at least once."""
    three, half = literal(3, "integer"), literal(0.5, "real")
    young = call("<", AGE, literal(20, "integer"))
    outputs = (
        call("+", call("*", AGE, three), call("neg", COUNT)), call("/", COST, call("+", call("abs", COUNT), three)),
        call("//", AGE, three), call("%", AGE, three), call("floor", COST), call("ceil", COST), call("round", COST),
        call("to_real", AGE), call("to_integer", call("not", DEAD)), call("year", SEEN), call("quarter", SEEN),
        call("month", SEEN), call("day", SEEN), call("-", SEEN, literal(18300, "date")), call("nullif", COUNT, three),
        call("coalesce", call("nullif", COUNT, three), AGE), call("greatest", AGE, COUNT, three), call("least", COST, half),
        call("case", young, WARD, DEAD, literal("old", "category"), WARD), call("in", WARD, values=("a", "b")),
        call("is_null", call("nullif", AGE, three)), call("is_null", call("not", call("=", call("nullif", AGE, three), AGE))),
        call("and", young, call("or", DEAD, call("in", WARD, values=())), call("<>", COST, half)),
        call("case", young, half, AGE),
    )  # fmt: skip
    totals = tuple(Total(what, one) for what in ("sum", "min", "max", "avg", "count") for one in (AGE, COST))
    named = [Column(f"#{i}", total_type(one.what, one.of, 100)) for i, one in enumerate(totals)]
    return [
        query(PERSON, *outputs, where=call("or", call(">=", AGE, three), call("not", DEAD))),
        query(PERSON, *named, totals=totals, having=call(">", named[0], literal(20, "integer"))),
    ]


@pytest.mark.skipif(bool(postgres.missing()), reason=postgres.missing() or "there is one")
def test_postgres_gives_what_files_give(tmp_path: Path) -> None:
    made = frame(9, 120)
    file = table(save(made, tmp_path / "a.parquet"))
    with postgres.cluster() as server:
        with server.connect() as connection, connection.cursor() as cursor:
            cursor.execute(
                'CREATE TABLE patients (id varchar, age bigint, cost double precision, "Sex (m/f)" text, ward text, '
                "dead boolean, seen date, count smallint)"
            )
            rows = made.astype(object).itertuples(index=False, name=None)
            filled = [tuple(None if pd.isna(x) else x for x in row) for row in rows]
            cursor.executemany("INSERT INTO patients VALUES (%s,%s,%s,%s,%s,%s,%s,%s)", filled)
        source = f"postgres://tester@:{server.port}/postgres?host={server.directory}&table=patients"
        for one in many():
            ours, theirs = read(table(source), one), read(file, one)
            assert list(ours) == list(theirs) and len(ours["x0"]) > 10
            assert sorted(zip(*map(plain, ours.values()), strict=True), key=repr) == sorted(
                zip(*map(plain, theirs.values()), strict=True), key=repr
            )


def plain(values: Any) -> list[Any]:
    return [round(float(x), 9) if isinstance(x, np.floating) else x for x in values]
