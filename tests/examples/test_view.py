"""What the examples print of a release."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from examples.view import Figure, Stages
from protocols.release import Released


def release_of(values: Any, half: float, shown: Any = None, error: float = 2.0) -> Released:
    array = np.asarray(values, np.float64)
    seen = None if shown is None else np.asarray(shown, bool)
    return Released(array, error, (array - half, array + half), seen, 0.5, 0.0, 1.0, ())


def test_a_single_figure_is_one_line() -> None:
    figure = Figure("patients", release_of(1234, 10), {"truth": 1230, "truth: people": 900})
    assert figure.lines() == [("patients", "1,234", "± 2.0", "1,224 .. 1,244", "0.5", "1,230", "900")]
    assert figure.held() == [True]
    assert Figure("patients", release_of(1234, 3), {"truth": 1230}).held() == [False]


def test_a_figure_by_group_has_a_line_for_each() -> None:
    figure = Figure("rate", release_of([0.25, 0.5], 0.1, error=0.04), {"truth": [0.4, 0.5]}, ("a", "b"), digits=2)
    assert figure.lines() == [
        ("rate", "", "", "", "0.5", ""),
        ("  a", "0.25", "± 0.04", "0.15 .. 0.35", "", "0.40"),
        ("  b", "0.50", "± 0.04", "0.40 .. 0.60", "", "0.50"),
    ]
    assert figure.held() == [False, True]


def test_a_mean_of_nobody_has_no_truth() -> None:
    figure = Figure("mean", release_of([5, 5], 1), {"truth": [np.nan, 5]}, ("a", "b"))
    assert [line[-1] for line in figure.lines()] == ["", "none", "5"]
    assert figure.held() == [True]


def test_groups_too_small_have_no_figure_and_others_may_be_left_out() -> None:
    table = release_of([[30, 0, 40], [3, 0, 4]], 5, [[True, False, True]] * 2)
    figure = Figure("of these", table, {"truth": [1, 2, 300]}, ("a", "b", "c"), row=1)
    assert [line[:2] for line in figure.lines()] == [("of these", ""), ("  a", "3"), ("  b", "too small"), ("  c", "4")]
    assert figure.lines()[0][4] == "as above"
    assert figure.held() == [True, False]
    chosen = figure.only(np.array([True, False, False]))
    assert [line[0] for line in chosen.lines()] == ["of these", "  a"] and chosen.held() == [True]


@pytest.mark.parametrize("terminal", [False, True])
def test_stages_and_what_fits_say_within_them(terminal: bool, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR" if terminal else "NO_COLOR", "1")
    with Stages() as stages:
        assert (stages._bar is not None) == terminal
        for party in (1, 0):
            stages(party, "4/5 a model")
            stages(party, "LogisticRegression: step 3 of 10")
    printed = capsys.readouterr().err
    if terminal:
        assert "LogisticRegression: step 3 of 10" in printed or "done" in printed
    else:
        assert printed == "[4/5] a model\n      LogisticRegression: step 3 of 10\n"
