"""The registries' example: keys counted against pandas, people beside them, in memory and in processes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from examples import registries, stand_ins
from examples.command import run
from examples.tables import Tables
from protocols.release import Released
from tests.examples.released import check_released, silent

FRAMES = stand_ins.febrl4(120)
EXACT = 128.0
"""An epsilon with which noise on a count is 0 but with a chance of e^-20."""


def released(tables: list[pd.DataFrame], epsilon: float) -> dict[str, Released]:
    plan = registries.Plan(256, epsilon)
    return run(registries.program, [(plan, t) for t in tables], in_memory=True, progress=silent, seed=5)[0][0]


def table(*rows: tuple[int, str | None, str | None, str | None]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=["person", *registries.KEY])


@pytest.mark.parametrize("epsilon", [1.0, EXACT])
def test_figures_are_the_truth_within_their_errors(epsilon: float) -> None:
    tables = registries.split(FRAMES["a"], FRAMES["b"])
    true = {name: figures["truth: keys"] for name, figures in registries.truth(tables).items()}
    check_released(released(tables, epsilon), true, epsilon)


def test_a_few_patients_counted_by_hand() -> None:
    tables = [
        table((1, "Ann", "O'Neil", "19800101"), (2, "ben", "fox", "19810101"), (3, "cy", None, "19820101")),
        table((1, "ann", "oneil", "1980-01-01"), (2, "ben", "foks", "19810101"), (4, "di", "ray", "19830231")),
        table((1, "anne", "oneil", "19800101"), (2, "ben", "fox", "19810101"), (2, "BEN", "Fox", "19810101")),
    ]
    answer = released(tables, EXACT)
    assert int(answer["distinct"].values) == 6  # Ann, Anne, fox, foks, and two without a complete key
    assert int(answer["in two"].values) == 2  # Ann, fox


def test_people_and_keys_are_told_apart() -> None:
    tables = registries.split(FRAMES["a"], FRAMES["b"])
    true = registries.truth(tables)
    assert true["distinct"]["truth: people"] == 120 < true["distinct"]["truth: keys"]
    assert true["in two"]["truth: keys"] < true["in two"]["truth: people"] < 120


def test_a_person_has_one_record_in_a_registry() -> None:
    """What the sensitivity says."""
    for own in registries.split(FRAMES["a"], FRAMES["b"]):
        assert own["person"].is_unique and set(own.columns) == {"person", *registries.KEY}
        assert "person" not in registries.own_rows(own).columns
    assert sum(registries.SHARES.values()) == pytest.approx(1)


def test_one_person_more_can_change_a_count_by_three() -> None:
    """Three keys, each of which one other registry has too: the bound is met."""
    others = [("a", "x"), ("b", "y"), ("c", "z")]
    keys = [table((j, *name, "19800101")) for j, name in enumerate(others)]
    with_one = [pd.concat([keys[i], table((9, *others[(i + 1) % 3], "19800101"))]) for i in range(3)]
    true = [registries.truth(tables) for tables in (keys, with_one)]
    assert [t["in two"]["truth: keys"] for t in true] == [0, 3]
    answers = [released(tables, EXACT) for tables in (keys, with_one)]
    assert [int(a["in two"].values) for a in answers] == [0, 3]  # type: ignore[arg-type]
    assert all(figure.sensitivity == 3 for figure in answers[0].values())


@pytest.mark.parametrize("where", [["--in-memory"], []], ids=["in memory", "three processes"])
def test_the_command(where: list[str], capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    data = Tables("stand-in", "here", "", False, FRAMES)
    monkeypatch.setattr(registries, "load_febrl4", lambda: data)
    registries.main([*where, "--epsilon", "4", "--rows", "80"])
    printed, progress = capsys.readouterr()
    for words in (
        "distinct patients", "in at least two registries", "truth: keys", "truth: people", "± standard error",
        "95% interval", "ε = 4 in all", "of the 2 figures", "rounds", "MB sent",
    ):  # fmt: skip
        assert words in printed, words
    true = registries.truth(registries.split(FRAMES["a"].head(80), FRAMES["b"]))["distinct"]
    extra = np.subtract(true["truth: keys"], true["truth: people"])
    assert f"{extra} patients too many" in printed
    assert [line[:4] for line in progress.splitlines()] == [f"[{i}/5" for i in range(1, 6)]
