"""Mortality: rows split, values missing, categories; against scikit-learn, and as a command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from examples import archives, datasets, mortality, stand_ins
from examples.command import run
from examples.datasets import Dataset, is_missing, split_by_rows
from examples.risk_pooled import MARKS, Pooled, differences, pooled_fit
from examples.risk_rows import OWNERS, places, together
from tests.examples.released import check_command, silent

EXACT = 128.0
needs_support2 = pytest.mark.skipif(
    not (archives.CACHE / datasets.SUPPORT2.file).is_file(),
    reason="SUPPORT2 is not in the cache; `make demo-mortality` fetches it",
)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-in, and no network."""

    def never(*given: Any, **options: Any) -> Any:
        raise archives.Unavailable("is not wanted")

    monkeypatch.setattr(mortality, "read_support2", never)


def compared(data: Dataset, epsilon: float) -> tuple[dict[str, Any], Pooled, dict[str, float]]:
    """(what was released, the fit in the open to the same rows, how far the two are apart)."""
    plan, tables = mortality.make_plan(data, epsilon, True), split_by_rows(data, len(OWNERS), mortality.SPLIT_SEED)
    answers, _ = run(mortality.program, [(plan, t) for t in tables], in_memory=True, progress=silent, seed=4)
    parts = [mortality.own_rows(t) for t in tables]
    fit = pooled_fit(together(parts), places(parts, plan.capacity), plan, answers[0].opened)
    assert fit.raw.shape == (data.n_rows, len(plan.columns)) == (data.n_rows, 19)
    return answers[0].released, fit, differences(answers[0].opened, fit)


def test_missing_values_and_categories(offline: None) -> None:
    data = mortality.load()
    released, fit, apart = compared(data, EXACT)
    assert apart["coefficient"] < MARKS["coefficient"] and apart["AUC"] < MARKS["AUC"], apart
    assert np.abs(released["confusion"].values - fit.confusion).max() <= 1
    rows = mortality.own_rows(data.columns)
    assert 0.05 < np.isnan(rows.numbers).mean() < 0.2 and not np.isnan(fit.raw).any()
    assert rows.codes.min() == 0 and rows.codes.max() < len(mortality.GROUPS)
    assert fit.raw[:, len(mortality.MEASURES) :].sum() == (rows.codes > 0).sum()


@pytest.mark.slow
@pytest.mark.timeout(600)
@needs_support2
def test_the_marks_on_support2() -> None:
    _, _, apart = compared(datasets.read_support2(download=False), 1.0)
    assert all(apart[name] <= most for name, most in MARKS.items()), apart


@pytest.mark.parametrize("where", [["--in-memory", "--rows", "400"], ["--rows", "300"]], ids=["in memory", "processes"])
def test_the_command(where: list[str], capsys: Any, offline: None, tmp_path: Path) -> None:
    mortality.main([*where, "--epsilon", "8", "--plot", str(tmp_path / "new" / "picture.png")])
    words = ("Not measured", "albumin", "death in hospital", "other split", "hospital 2")
    check_command(capsys.readouterr(), tmp_path / "new" / "picture.png", words, opened=False)


def test_the_stand_in_has_columns_of_the_real_data_within_their_bounds() -> None:
    made_up = stand_ins.support2(50)
    assert set(made_up) == {*mortality.MEASURES, mortality.GROUP, mortality.OUTCOME}
    for name in mortality.MEASURES:
        low, high = datasets.SUPPORT2_BOUNDS[name]
        known = made_up[name][~is_missing(made_up[name])]
        assert low <= known.min() and known.max() <= high


@needs_support2
def test_columns_and_groups_are_those_of_the_real_data() -> None:
    real = datasets.read_support2(download=False)
    assert {*mortality.MEASURES, mortality.OUTCOME} <= set(real.columns)
    assert set(np.unique(real.columns[mortality.GROUP])) == set(mortality.GROUPS)
