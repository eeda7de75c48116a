"""What the examples of models have in common, by the breast cancer data: against scikit-learn on the same rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from examples import breast_cancer
from examples.command import run
from examples.datasets import load_breast_cancer, split_by_rows
from examples.risk import SHARES, Answer, Plan
from examples.risk_pooled import MARKS, Pooled, differences, pooled_fit
from examples.risk_rows import OWNERS, places, together
from protocols.release import total_epsilon
from protocols.scores import auc_of, rates_of, scores_of
from tests.examples.released import check_command, silent

EXACT = 128.0
"""An epsilon with which noise on a count is 0 but with a chance of e^-10."""
DATA = load_breast_cancer()
TABLES = split_by_rows(DATA, len(OWNERS), breast_cancer.SPLIT_SEED)


def answers_of(epsilon: float, compare: bool) -> tuple[Plan, list[Answer]]:
    plan = breast_cancer.make_plan(DATA, epsilon, compare)
    return plan, run(breast_cancer.program, [(plan, t) for t in TABLES], in_memory=True, progress=silent, seed=3)[0]


@pytest.fixture(scope="module")
def compared() -> tuple[Plan, list[Answer], Pooled]:
    """One run with next to no noise, opened, and the fit in the open to the same rows."""
    plan, answers = answers_of(EXACT, True)
    parts = [breast_cancer.own_rows(plan, t) for t in TABLES]
    return plan, answers, pooled_fit(together(parts), places(parts, plan.capacity), plan, answers[0].opened)


def test_the_marks_are_met(compared: tuple[Plan, list[Answer], Pooled]) -> None:
    _, answers, pooled = compared
    apart = differences(answers[0].opened, pooled)
    assert apart["coefficient"] < MARKS["coefficient"] / 4
    assert apart["AUC"] < MARKS["AUC"] / 4
    assert apart["newton accuracy"] < 0.01
    assert apart["standard error"] < 2**-8
    assert apart["accuracy"] <= 100 / len(pooled.test) + 0.01  # one row, 0.7 points: the mark asks for none
    assert apart["sgd coefficient"] < 0.1
    assert answers[0].opened["newton converged"]


def test_every_row_is_in_one_part_and_the_parts_are_random(compared: tuple[Plan, list[Answer], Pooled]) -> None:
    plan, answers, pooled = compared
    opened = answers[0].opened
    parts = {name: opened[name][opened[f"{name} present"] != 0] for name in ("train", "test")}
    own = [breast_cancer.own_rows(plan, t) for t in TABLES]
    assert np.array_equal(np.sort(np.concatenate(list(parts.values()))), np.sort(places(own, plan.capacity)))
    assert len(pooled.test) == len(parts["test"]) and 100 < len(pooled.test) < 190
    assert not np.array_equal(parts["test"], np.sort(parts["test"]))


def test_released_figures_are_those_of_the_fit_in_the_open(compared: tuple[Plan, list[Answer], Pooled]) -> None:
    plan, answers, pooled = compared
    released = answers[0].released
    assert np.array_equal(released["confusion"].values, pooled.confusion)  # type: ignore[arg-type]
    assert scores_of(released["confusion"])["accuracy"].value == pytest.approx(pooled.accuracy)
    for name in ("newton", "sgd"):
        figure = auc_of(released[name])
        assert figure.interval95[0] <= answers[0].opened[f"{name} AUC"] <= figure.interval95[1]
        assert abs(figure.value - pooled.auc) < 0.02
    fpr, tpr = rates_of(released["newton"])
    assert np.all(np.diff(fpr) <= 0) and np.all(np.diff(tpr) <= 0)
    observed, above = released["observed"], released["predicted"]
    some = observed.parts[1].values > 0  # type: ignore[operator]
    assert observed.parts[1].values.sum() == len(pooled.test)  # type: ignore[union-attr]
    assert above.interval95 is not None
    low, high = (end + np.arange(plan.bins) / plan.bins for end in above.interval95)
    assert np.all((low[some] <= pooled.calibration[0]) & (pooled.calibration[0] <= high[some]))
    assert np.all(high - low < 1.01 / plan.bins)
    assert np.allclose(observed.values[some], pooled.calibration[1], atol=1e-6)  # type: ignore[index]


def test_everybody_gets_the_same_figures_and_epsilon_is_the_whole(compared: tuple[Plan, list[Answer], Pooled]) -> None:
    _, answers, _ = compared
    first = answers[0].released
    for other in answers[1:]:
        assert all(np.array_equal(other.released[n].values, f.values) for n, f in first.items())  # type: ignore[arg-type]
    assert total_epsilon(*first.values()) == pytest.approx(EXACT)
    assert sum(SHARES.values()) == pytest.approx(1)


def test_a_row_of_the_test_part_changes_counts_by_what_is_accounted(
    compared: tuple[Plan, list[Answer], Pooled],
) -> None:
    plan, answers, _ = compared
    released = answers[0].released
    assert {released[name].sensitivity for name in ("newton", "sgd", "confusion")} == {1}
    total, count = released["predicted"].parts
    assert count.sensitivity == 1 and total.sensitivity < 0.51 / plan.bins + 2**-13


def test_nothing_exact_is_opened_unless_it_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*given: Any) -> Any:
        raise AssertionError("opened past the door")

    monkeypatch.setattr("examples.risk.unsafe_opened", never)
    _, answers = answers_of(4.0, False)
    assert all(answer.opened == {} for answer in answers)
    assert list(answers[0].released) == ["newton", "sgd", "confusion", "observed", "predicted"]
    assert "train" not in repr(answers[0])


def test_columns_are_of_like_size() -> None:
    """So that none is cut, and each has digits enough on a grid of 2^-16."""
    plan = breast_cancer.make_plan(DATA, 1.0, False)
    for name in plan.numbers:
        values = DATA.columns[name] / breast_cancer.unit_of(name)
        assert values.min() >= 0 and values.max() <= breast_cancer.MOST and values.std() > 0.01, name


def test_the_command(capsys: Any, tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    breast_cancer.main(["--in-memory", "--compare", "--epsilon", "8", "--plot", str(picture)])
    words = ("mini-batches (sgd)", "malignancy", "test rows; opened, unsafe", "within", "worst texture")
    check_command(capsys.readouterr(), picture, words, opened=True)
