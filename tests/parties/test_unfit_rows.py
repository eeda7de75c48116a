"""Whether a reading ends in an error is the same whatever rows are wanted: else a filter could look for one row."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from parties.data.row_filter import Compare
from parties.data.row_query import RowQuery, Total
from parties.data.tables import Reading, open_table
from parties.errors import ValueUnfit
from protocols.errors import CapacityExceeded
from tests.parties.data.test_row_query import AGE, PERSON, call, literal, query
from tests.parties.data.test_tables import frame, save, table

AGES = (-1, 0, 20, 50, 52, 53, 99, 101)


def readings(age: int) -> list[Reading]:
    """Of rows of this age alone: by a filter, by a query, a row a person."""
    same = call("=", AGE, literal(age, "integer"))
    totals = (Total("count", None),)
    return [
        Reading(("age", "ward"), Compare("age", "==", age)) if 0 <= age <= 100 else Reading(("age", "ward")),
        Reading(query=_where(query(AGE), same)),
        Reading(query=_where(query(PERSON, totals=totals), same)),
        Reading(("id", "cost"), Compare("age", "==", age), by_person=True) if 0 <= age <= 100 else Reading(("ward",)),
    ]


def _where(asked: RowQuery, where: Any) -> RowQuery:
    return dataclasses.replace(asked, where=where)


def fails(path: Path, reading: Reading, **published: Any) -> str:
    with open_table(table(path, **published)) as opened:
        try:
            opened.check(reading)
            list(opened.read(reading))
        except (ValueUnfit, CapacityExceeded) as error:
            return f"{type(error).__name__}: {error}"
    return ""


@pytest.mark.parametrize("kind", range(4))
def test_a_table_with_one_unfit_value_fails_whichever_rows_are_asked_for(tmp_path: Path, kind: int) -> None:
    made = frame(3, 80, missing=0.0).astype({"age": object})
    made.loc[3, "age"] = "52 or so"
    path = save(made, tmp_path / "t.csv")
    ends = {fails(path, readings(age)[kind]) for age in AGES}
    assert len(ends) == 1 and (kind == 3 or "age" in ends.pop())


@pytest.mark.parametrize("kind", range(4))
def test_a_table_larger_than_its_capacity_fails_whichever_rows_are_asked_for(tmp_path: Path, kind: int) -> None:
    path = save(frame(4, 80, missing=0.0), tmp_path / "t.parquet")
    people = frame(4, 80, missing=0.0)["id"].nunique()
    ends = {fails(path, readings(age)[kind], capacity=people // 2) for age in AGES}
    assert len(ends) == 1 and next(iter(ends)).startswith("CapacityExceeded")


def test_what_is_wanted_is_what_the_filter_says(tmp_path: Path) -> None:
    made = frame(5, 200)
    path = save(made, tmp_path / "t.parquet")
    known = made[made["id"].notna()]
    for age in (20, 50, 99):
        with open_table(table(path)) as opened:
            rows = opened.check(Reading(("age",), Compare("age", "==", age)))
        assert rows == int((pd.to_numeric(known["age"]) == age).sum())
