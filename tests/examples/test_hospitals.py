"""The hospitals' demonstration: its figures against the truth, in memory and in processes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from examples import hospitals, hospitals_view
from examples.archives import CACHE
from examples.datasets import SUPPORT2, Dataset, load_breast_cancer, load_support2
from protocols.release import total_epsilon


def silent(party: int, text: str) -> None:
    """A progress line nobody reads."""


@pytest.fixture(params=["breast cancer", "SUPPORT2"])
def data(request: pytest.FixtureRequest) -> Iterator[Dataset]:
    if request.param == "SUPPORT2" and not (CACHE / SUPPORT2.file).is_file():
        pytest.skip("SUPPORT2 is not in the cache; `make demo` fetches it")
    yield load_breast_cancer() if request.param == "breast cancer" else load_support2(download=False)


@pytest.mark.parametrize("epsilon", [0.5, 2.0])
def test_released_figures_are_the_truth_within_their_errors(data: Dataset, epsilon: float) -> None:
    plan = hospitals.make_plan(data, epsilon)
    answers, cluster = hospitals.run(plan, in_memory=True, progress=silent, seed=7)
    true = hospitals_view.truth(data, plan)
    hits: list[bool] = []
    for name, figure in answers[0].items():
        assert figure.values is not None and figure.interval95 is not None
        error = np.abs(figure.values - true[name])
        shown = np.ones(error.shape, bool) if figure.shown is None else figure.shown
        # 8 standard errors of a Laplace law: a chance of 1 in 80,000 each
        assert (error <= 8 * np.asarray(figure.standard_error) + 1e-3)[shown].all(), name
        low, high = figure.interval95
        hits += ((low <= true[name]) & (true[name] <= high))[shown].tolist()
    assert np.mean(hits) > 0.8
    assert total_epsilon(*answers[0].values()) == pytest.approx(epsilon, rel=1e-9)
    assert max(t.rounds for t in cluster.traffic) < 60


def test_every_hospital_gets_the_same_figures() -> None:
    plan = hospitals.make_plan(load_breast_cancer(), 1.0)
    answers, _ = hospitals.run(plan, in_memory=True, progress=silent, seed=1)
    for other in answers[1:]:
        for name, figure in answers[0].items():
            assert np.array_equal(figure.values, other[name].values)  # type: ignore[arg-type]
            assert figure.epsilon == other[name].epsilon


def test_no_noise_is_repeated_from_run_to_run() -> None:
    plan = hospitals.make_plan(load_breast_cancer(), 0.1)
    first, second = (hospitals.run(plan, in_memory=True, progress=silent)[0][0] for _ in range(2))
    assert any(not np.array_equal(first[n].values, second[n].values) for n in first)  # type: ignore[arg-type]


def test_hospitals_hold_all_rows_between_them_and_none_twice() -> None:
    data = load_breast_cancer()
    plan = hospitals.make_plan(data, 1.0)
    flags, reals = zip(*(hospitals.own_rows(plan, i) for i in range(hospitals.HOSPITALS)), strict=True)
    assert sum(len(f) for f in flags) == data.n_rows
    assert max(len(f) for f in flags) <= plan.capacity
    assert sum(f[:, 1].sum() for f in flags) == data.columns[plan.outcome].sum()
    column, low = plan.among
    assert sum(f[:, 2:].sum() for f in flags) == (data.columns[column] >= low).sum()
    assert max(f[:, 2:].sum(axis=1).max() for f in flags) == 1
    for column, (low, high) in zip(np.concatenate(reals).T, plan.bounds, strict=True):
        assert low <= column.min() and column.max() <= high


def test_the_shares_of_epsilon_are_the_whole() -> None:
    assert sum(hospitals.SHARES.values()) == pytest.approx(1.0)


@pytest.mark.parametrize("where", [["--in-memory"], []], ids=["in memory", "three processes"])
def test_the_command(where: list[str], capsys: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    if not where:
        pytest.importorskip("mpc.cluster")
    monkeypatch.setattr(hospitals, "load_support2", load_breast_cancer)
    picture = tmp_path / "ages.svg"
    hospitals.main([*where, "--epsilon", "4", "--plot", str(picture)])
    printed, progress = capsys.readouterr()
    for words in (
        "Three hospitals, 29 joint figures: no hospital sees another's patients", "569 patients", "truth",
        "± standard error", "95% interval", "ε = 4 in all", "at most e^ε = 54.6 times", "δ: by how much",
        "rounds", "MB",
    ):  # fmt: skip
        assert words in printed, words
    assert [line.split("]")[0] for line in progress.splitlines() if line.startswith("[")] == [
        f"[{i}/5" for i in range(1, 6)
    ]
    assert picture.read_text().lstrip().startswith("<?xml")


def test_small_groups_are_not_printed(capsys: Any, data: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hospitals, "load_support2", lambda *_, **__: data)
    hospitals.main(["--in-memory", "--epsilon", "60"])
    printed = capsys.readouterr().out
    table = printed[printed.index("a group is shown from") :].split("by outcome")[0].splitlines()
    plan = hospitals.make_plan(data, 60)
    counts = hospitals_view.truth(data, plan)["groups"][0]
    assert (counts < plan.minimum).any() and (counts >= plan.minimum).any()  # the demonstration shows both
    for name, count in zip(plan.categories, counts, strict=True):
        row = next(line for line in table if line.strip().startswith(name))
        assert ("too small" in row) == (count < plan.minimum), row
    shown = int((counts >= plan.minimum).sum())
    assert f"of the {5 + 2 * shown + 2 * (len(plan.edges) - 1)} figures shown" in printed


@pytest.mark.parametrize("epsilon", ["0", "-1", "nan", "inf", "129", "1e-9", "much"])
def test_a_bad_epsilon_fails_in_one_line_before_anything_starts(
    epsilon: str, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*given: Any, **options: Any) -> Any:
        raise AssertionError("it has begun")

    monkeypatch.setattr(hospitals, "load_support2", never)
    monkeypatch.setattr(hospitals, "run", never)
    with pytest.raises(SystemExit) as caught:
        hospitals.main([f"--epsilon={epsilon}"])
    assert caught.value.code == 2
    printed, said = capsys.readouterr()
    assert printed == "" and said.count("\n") == 1
    assert "argument --epsilon: epsilon" in said
