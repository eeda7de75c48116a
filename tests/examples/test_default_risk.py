"""Default risk: columns split over three owners, joined, and trees; against scikit-learn, and as a command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from examples import default_risk, stand_ins
from examples import default_risk_tables as own
from examples.command import run
from examples.risk_pooled import MARKS, differences, pooled_fit
from examples.tables import Tables, load_credit_default
from protocols.tree_models import from_sklearn
from tests.examples.released import check_command, silent

EXACT = 128.0
CLIENTS = stand_ins.credit_default(600)["clients"]


def compared(clients: pd.DataFrame, epsilon: float) -> dict[str, float]:
    """How far a run is from the fit in the open to the same rows."""
    plan, (tables, past) = default_risk.make_plan(len(clients), epsilon, True), own.split(clients)
    grown = own.grow(plan, past)
    inputs = [
        default_risk.Given(plan, t, from_sklearn(grown) if i == own.BUREAU else None) for i, t in enumerate(tables)
    ]
    answers, _ = run(default_risk.program, inputs, in_memory=True, progress=silent, seed=4)
    opened, (common, numbers) = answers[0].opened, own.common_rows(tables)
    assert len(common) < min(map(len, tables)) < len(clients)
    fit = pooled_fit(common, numbers, plan, opened)
    trees = roc_auc_score(common.outcome[fit.test], grown.predict_proba(fit.raw[fit.test])[:, 1])
    assert sorted(opened["test"][opened["test present"] != 0]) == sorted(numbers[fit.test])
    off = abs(answers[0].released["confusion"].values - fit.confusion)  # type: ignore[operator]
    return differences(opened, fit) | {"trees": abs(float(opened["trees AUC"]) - trees), "cells": float(off.max())}


def test_rows_that_all_three_have_and_trees() -> None:
    apart = compared(CLIENTS, EXACT)
    assert apart["coefficient"] < MARKS["coefficient"] and apart["AUC"] < MARKS["AUC"], apart
    assert apart["trees"] < 1e-6
    assert apart["cells"] <= 1


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_marks_on_taiwans_credit_cards() -> None:
    data = load_credit_default(download=False)
    if not data.real:
        pytest.skip("the data is not in the cache; `make demo-default` fetches it")
    apart = compared(data["clients"], 1.0)
    assert all(apart[name] <= most for name, most in MARKS.items()) and apart["trees"] < MARKS["AUC"], apart


def test_owners_have_their_own_columns_of_the_customers_they_know() -> None:
    tables, past = own.split(CLIENTS)
    names = [set(t.columns) - {"client"} for t in tables]
    assert not (names[0] & names[1] or names[0] & names[2] or names[1] & names[2])
    assert all(set(t["client"]).isdisjoint(past["client"]) for t in tables)


def test_bounds_hold_at_the_owner() -> None:
    kept = ("client", "default", *(name for name, _ in own.CATEGORIES))
    wild = CLIENTS.assign(**{c: CLIENTS[c] * 1e4 - 1e7 for c in CLIENTS if c not in kept})
    for owner, (source, table) in enumerate(zip(own.sources(1024), own.split(wild)[0], strict=True)):
        columns = own.own_columns(owner, table)
        for name, column in source.columns.items():
            if column.low is not None:
                assert column.low <= min(columns[name]) and max(columns[name]) <= column.high, name  # type: ignore[operator]


def test_categories_by_hand() -> None:
    few = CLIENTS.head(4).assign(
        education=["university", "high school", "unknown 5", "other"],
        marriage=["married", "single", "not said", "other"],
    )
    columns = own.own_columns(own.BANK, few)
    assert columns["education"].tolist() == [0, 2, 3, 3] and columns["marriage"].tolist() == [0, 1, 2, 2]
    assert own.own_columns(own.ISSUER, few.assign(bill_1=25_000))["bill_1"].tolist() == [2.5] * 4


def test_the_command(capsys: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    data = Tables("stand-in", "here", "", False, {"clients": CLIENTS})
    monkeypatch.setattr(default_risk, "load_credit_default", lambda: data)
    default_risk.main(["--in-memory", "--rows", "500", "--epsilon", "8", "--plot", str(tmp_path / "picture.png")])
    words = ("the bureau's trees", "count pseudonyms", "other split", "to all three, which nobody learns")
    check_command(capsys.readouterr(), tmp_path / "picture.png", words, opened=False)
