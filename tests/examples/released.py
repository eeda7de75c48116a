"""Released figures against the truth, for the tests of examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from protocols.release import Released, total_epsilon


def silent(party: int, text: str) -> None:
    """A progress line nobody reads."""


def check_released(answer: Mapping[str, Released], true: Mapping[str, Any], epsilon: float) -> None:
    """Each figure shown is the truth within 8 standard errors, most are in their interval, epsilon is the whole."""
    assert list(answer) == list(true)
    hits: list[bool] = []
    for name, figure in answer.items():
        assert figure.values is not None and figure.interval95 is not None
        known = ~np.isnan(np.asarray(true[name], np.float64))
        shown = known if figure.shown is None else known & figure.shown
        # 8 standard errors of a Laplace law: a chance of 1 in 80,000 each
        error = np.abs(figure.values - true[name])
        assert np.all(np.asarray(error <= 8 * np.asarray(figure.standard_error) + 1e-3)[shown]), name
        low, high = figure.interval95
        hits += np.asarray((low <= true[name]) & (true[name] <= high))[shown].ravel().tolist()
    assert len(hits) > 0 and np.mean(hits) > 0.8
    assert np.isclose(total_epsilon(*answer.values()), epsilon, rtol=1e-9)


def check_command(said: tuple[str, str], picture: Path, words: Sequence[str], *, opened: bool) -> None:
    """What an example of a model prints at epsilon 8, and that it draws."""
    printed, progress = said
    always = ("AUC", "accuracy", "F1", "95% interval", "ε = 8 in all", "is not bounded by this ε", "rounds", "MB sent")
    for word in (*always, *words):
        assert word in printed, word
    assert ("Unsafe" in printed) == opened == ("Coefficients, by standard deviation" in printed)
    assert opened or "The coefficients are not opened" in printed
    assert picture.read_bytes().startswith(b"\x89PNG")
    lines = progress.splitlines()
    assert [line[:4] for line in lines if line.startswith("[")] == [f"[{i}/5" for i in range(1, 6)]
    assert any(line.lstrip().startswith("LogisticRegression: step ") for line in lines)  # fits say how far they are
