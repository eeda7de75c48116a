"""The banks' example: figures of common customers against pandas, in memory and in processes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from examples import banks, stand_ins
from examples.command import run
from examples.tables import Tables
from protocols.errors import DuplicateKeys
from protocols.release import Released
from tests.examples.released import check_released, silent

CLIENTS = stand_ins.credit_default(400)["clients"]
EXACT = 128.0
"""An epsilon with which noise on a count is 0 but with a chance of e^-10."""


def released(tables: list[pd.DataFrame], epsilon: float, capacity: int = 1024) -> list[dict[str, Released]]:
    plan = banks.Plan(capacity, epsilon)
    return run(banks.program, [(plan, t) for t in tables], in_memory=True, progress=silent, seed=5)[0]


@pytest.mark.parametrize("epsilon", [1.0, EXACT])
def test_figures_are_the_truth_within_their_errors(epsilon: float) -> None:
    tables = banks.split(CLIENTS)
    answers = released(tables, epsilon)
    check_released(answers[0], banks.truth(tables), epsilon)
    for other in answers[1:]:
        assert all(np.array_equal(other[name].values, figure.values) for name, figure in answers[0].items())


def test_a_few_customers_counted_by_hand() -> None:
    issuer = pd.DataFrame({"client": [1, 2, 3, 4, 5], "bill_1": [9e6, 600.0, 400, -5, 80], "limit": [1e3] * 5})
    bureau = pd.DataFrame(
        {
            "client": [5, 4, 3, 2, 9],
            "education": ["university", "unknown 5", "high school", "university", "university"],
            "age": [25, 25, 25, 25, 25],
        }
    )
    bank = pd.DataFrame({"client": [1, 2, 3, 5, 9], "default": [1, 1, 0, 0, 1]})
    answer = released([issuer, bureau, bank], EXACT, 8)[0]
    assert int(answer["customers"].values) == 3  # 2, 3, 5
    assert np.array_equal(answer["young"].values, [1, 1])  # type: ignore[arg-type]
    rate = answer["default"]
    assert np.array_equal(rate.parts[1].values, [0, 2, 1, 0])  # type: ignore[arg-type]
    assert np.array_equal(rate.values, [0.5, 0.5, 0, 0.5])  # type: ignore[arg-type]
    assert banks.truth([issuer, bureau, bank])["customers"] == 3


def test_a_customer_is_one_row_or_the_owner_is_told() -> None:
    tables = banks.split(CLIENTS)
    tables[1] = pd.concat([tables[1], tables[1].head(1)])
    with pytest.raises(DuplicateKeys):
        released(tables, 1.0)


def test_bounds_hold_at_the_owner() -> None:
    """What the sensitivities say of a row."""
    wild = CLIENTS.assign(bill_1=np.linspace(-1e9, 1e9, len(CLIENTS)), age=np.arange(len(CLIENTS)))
    own = [banks.own_rows(i, t) for i, t in enumerate(banks.split(wild))]
    for source, columns in zip(banks.Plan(1024, 1.0).sources, own, strict=True):
        assert len(set(columns["client"])) == len(columns["client"]) <= 1024
        for name, column in source.columns.items():
            assert column.low <= min(columns[name]) and max(columns[name]) <= column.high  # type: ignore[operator]


def test_each_knows_a_part_and_its_own_columns_only() -> None:
    tables = banks.split(CLIENTS)
    assert [sorted(t.columns) for t in tables] == [
        ["bill_1", "client", "limit"],
        ["age", "client", "education"],
        ["client", "default"],
    ]
    for table, chance in zip(tables, banks.KNOWN, strict=True):
        assert abs(len(table) / len(CLIENTS) - chance) < 0.1
    assert sum(banks.SHARES.values()) == pytest.approx(1)


@pytest.mark.parametrize("where", [["--in-memory"], []], ids=["in memory", "three processes"])
def test_the_command(where: list[str], capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    data = Tables("stand-in", "here", "", False, {"clients": CLIENTS})
    monkeypatch.setattr(banks, "load_credit_default", lambda: data)
    banks.main([*where, "--epsilon", "4", "--rows", "300"])
    printed, progress = capsys.readouterr()
    for words in (
        "common customers", "mean balance (dollars) by education", "default rate by education", "graduate school",
        "truth", "± standard error", "95% interval", "ε = 4 in all", "of the 11 figures", "rounds", "MB sent",
    ):  # fmt: skip
        assert words in printed, words
    assert f"{len(banks.split(CLIENTS.head(300))[0]):,}" in printed
    assert [line[:4] for line in progress.splitlines()] == [f"[{i}/5" for i in range(1, 6)]
