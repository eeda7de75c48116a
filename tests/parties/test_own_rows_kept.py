"""Own rows are read again when anything about them changed, and only then; models offered are read as they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.tree import DecisionTreeClassifier

from parties.errors import ModelMissing, ModelUnfit
from parties.own_models import OwnModels
from parties.own_rows_kept import OwnRows
from parties.published import PublishedTable
from parties.row_filter import Compare
from protocols.errors import ModelUnsupported
from protocols.tree_json import to_json
from protocols.tree_models import from_sklearn
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
    first = own.all(table, ("age",), None)
    assert sorted(first["age"].tolist()) == sorted(frame["age"].tolist())
    assert own.all(table, ("age",), None) is first and len(readings) == 1
    old = own.all(table, ("age",), Compare("age", ">=", 40))
    assert sorted(old["age"].tolist()) == sorted(frame["age"][frame["age"] >= 40].tolist()) and len(readings) == 2
    changed = written(tmp_path / "stays.csv", 2, 31)
    again = own.all(table, ("age",), None)
    assert sorted(again["age"].tolist()) == sorted(changed["age"].tolist()) and len(readings) == 3
    own.all(replace(table, capacity=50), ("age",), None)
    assert len(readings) == 4


def test_without_columns_there_is_a_one_for_each_row_and_none_for_no_row(tmp_path: Path) -> None:
    written(tmp_path / "stays.csv", 1)
    table, own = published(tmp_path / "stays.csv"), OwnRows()
    (ones,) = own.all(table, (), None).values()
    assert ones.tolist() == [1] * 30
    none = own.all(table, ("age", "cost", "person"), Compare("age", ">", 90))
    assert [len(column) for column in none.values()] == [0, 0, 0]


def test_what_is_kept_is_bounded(tmp_path: Path) -> None:
    written(tmp_path / "stays.csv", 1)
    table, own = published(tmp_path / "stays.csv"), OwnRows(most=600)
    first = own.all(table, ("age",), None)
    own.all(table, ("cost",), None)
    own.all(table, ("died",), None)
    assert own.all(table, ("age",), None) is not first and len(own._kept) == 2


def size(**changes: Any) -> dict[str, Any]:
    return {"depth": 3, "trees": 1, "outputs": 2, "link": "average", **changes}


def test_a_model_offered_is_the_one_in_its_file_and_of_the_size_stated(tmp_path: Path) -> None:
    X = np.random.default_rng(1).normal(size=(60, 2))
    models = OwnModels(tmp_path / "models")
    assert models.names() == []
    (tmp_path / "models").mkdir()
    for depth in (1, 3):
        model = from_sklearn(DecisionTreeClassifier(max_depth=depth, random_state=0).fit(X, X[:, 0] > X[:, 1]))
        (tmp_path / "models" / "risk.json").write_text(to_json(model))
        assert models.load("risk", size()).depth == model.depth == depth
    assert models.names() == ["risk"]
    for change, text in (({"depth": 2}, "depth"), ({"outputs": 1}, "outputs"), ({"link": "sigmoid"}, "link")):
        with pytest.raises(ModelUnfit, match=text):
            models.load("risk", size(**change))
    for name in ("other", "../risk", "", "/etc/passwd"):
        with pytest.raises(ModelMissing):
            models.load(name, size())
    (tmp_path / "models" / "broken.json").write_text('{"format": "accord trees 1"')
    with pytest.raises(ModelUnsupported):
        models.load("broken", size())
