"""Own rows are read again when anything about them changed, and only then."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from parties.data.published import PublishedTable
from parties.data.row_filter import Compare
from parties.data.tables import Reading
from parties.running.own_rows_kept import OwnRows
from tests.parties.job_tables import WARDS, stay_rows, stays


def written(path: Path, seed: int, n: int = 30) -> pd.DataFrame:
    rows = stay_rows(n, seed)
    frame = pd.DataFrame({**rows, "ward": [WARDS[i] for i in rows["ward"]]})
    frame.to_csv(path, index=False)
    return frame


def published(path: Path) -> PublishedTable:
    return replace(stays(), source=str(path))


def test_rows_are_read_once_until_their_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame, own = written(tmp_path / "stays.csv", 1), OwnRows()
    table = published(tmp_path / "stays.csv")
    readings: list[Any] = []
    read = OwnRows.batches
    monkeypatch.setattr(OwnRows, "batches", lambda self, *a: (readings.append(a), read(self, *a))[1])
    first = own.all(table, Reading(("age",)))
    assert sorted(first["age"].tolist()) == sorted(frame["age"].tolist())
    assert own.all(table, Reading(("age",))) is first and len(readings) == 1
    old = own.all(table, Reading(("age",), Compare("age", ">=", 40)))
    assert sorted(old["age"].tolist()) == sorted(frame["age"][frame["age"] >= 40].tolist()) and len(readings) == 2
    changed = written(tmp_path / "stays.csv", 2, 31)
    again = own.all(table, Reading(("age",)))
    assert sorted(again["age"].tolist()) == sorted(changed["age"].tolist()) and len(readings) == 3
    own.all(replace(table, capacity=50), Reading(("age",)))
    assert len(readings) == 4


def test_without_columns_there_is_a_one_for_each_row_and_none_for_no_row(tmp_path: Path) -> None:
    written(tmp_path / "stays.csv", 1)
    table, own = published(tmp_path / "stays.csv"), OwnRows()
    (ones,) = own.all(table, Reading(())).values()
    assert ones.tolist() == [1] * 30
    none = own.all(table, Reading(("age", "cost", "person"), Compare("age", ">", 90)))
    assert [len(column) for column in none.values()] == [0, 0, 0]


def test_what_is_kept_is_bounded(tmp_path: Path) -> None:
    written(tmp_path / "stays.csv", 1)
    table, own = published(tmp_path / "stays.csv"), OwnRows(most=600)
    first = own.all(table, Reading(("age",)))
    own.all(table, Reading(("cost",)))
    own.all(table, Reading(("died",)))
    assert own.all(table, Reading(("age",))) is not first and len(own._kept) == 2
