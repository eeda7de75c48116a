"""The consortium's demonstration: its parts, and all of it on real nodes."""

from __future__ import annotations

import json
import math
import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from examples import consortium, consortium_questions, consortium_view
from examples.archives import CACHE
from examples.consortium_nodes import CommandFailed, Member, Running, code_in, fingerprint_in, free_ports, key_in
from examples.consortium_tables import PERSON, cut, parts, publish_arguments, study_of
from examples.datasets import SUPPORT2, load_breast_cancer, load_support2
from parties.cli import main as accord
from parties.data.published import PublishedTable
from parties.data.tables import Reading, open_table
from parties.data.tables_file import load_tables
from parties.setup.settings import read_settings
from tests.examples.running import running_in
from tests.scripts import ROOT

NAMES = consortium.NAMES


def stand_in() -> Any:
    return study_of(load_breast_cancer())


# -- tables ------------------------------------------------------------------------------------


def test_hospitals_have_all_patients_between_them_and_none_twice() -> None:
    study = stand_in()
    owned = parts(study, 3)
    people = pd.concat(owned)[PERSON]
    assert sorted(people) == list(range(study.data.n_rows))
    assert max(map(len, owned)) <= study.capacity
    assert sum(int(part["malignant"].sum()) for part in owned) == study.data.columns["malignant"].sum()


@pytest.mark.parametrize("name", ["breast cancer", "SUPPORT2"])
def test_what_is_published_is_read_as_the_truth_is(name: str, tmp_path: Path, capsys: Any) -> None:
    if name == "SUPPORT2" and not (CACHE / SUPPORT2.file).is_file():
        pytest.skip("SUPPORT2 is not in the cache; `make demo` fetches it")
    data = load_breast_cancer() if name == "breast cancer" else load_support2(download=False)
    study = study_of(replace(data, columns={key: column[:90] for key, column in data.columns.items()}))
    read = []
    for i, part in enumerate(parts(study, 3)):
        part.to_parquet(tmp_path / f"{i}.parquet", index=False)
        words = publish_arguments(study, tmp_path / f"{i}.parquet", 2.0)
        assert accord(["init", str(tmp_path / str(i))]) == 0
        assert accord([*words, "--home", str(tmp_path / str(i))]) == 0, capsys.readouterr().err
        read.append(_read(load_tables(tmp_path / str(i))["patients"], [c.name for c in study.columns]))
    true = cut(study, study.data.columns)
    together = pd.concat(read)
    assert len(together) == 90
    for column in study.columns:
        kept = true[column.name]
        if column.categories:
            kept = kept.map(column.categories.index)
        assert np.allclose(np.sort(together[column.name]), np.sort(kept.astype(float)), atol=1e-4), column.name


def _read(table: PublishedTable, names: list[str]) -> pd.DataFrame:
    with open_table(table) as opened:
        batches = [pd.DataFrame(dict(batch.columns)) for batch in opened.read(Reading(tuple(names)))]
    return pd.concat(batches)


# -- questions and figures ---------------------------------------------------------------------


def test_questions_cost_what_was_given_and_no_hospital_is_asked_for_more_than_it_allows() -> None:
    asked = consortium_questions.questions(stand_in(), NAMES, 3.0)
    spent = [question.parameters["epsilon"] for question in asked]
    assert sum(spent) == pytest.approx(3.0)
    assert max(spent) <= consortium_questions.most_epsilon(3.0) + 1e-9
    words = shlex.split(asked[-1].command)
    assert words[:3] == ["accord", "ask", "train"]
    assert json.loads(words[words.index("--parameters") + 1])["delta"] == consortium_questions.DELTA
    assert words.count("--table") == 3 and "harbour.patients" in words


def test_truth_has_the_figures_that_are_asked_for() -> None:
    study = stand_in()
    true = consortium_questions.truth(study)
    radius = np.clip(study.data.columns["mean radius"], 0, 40)
    assert true["means"].loc[0, "mean(radius)"] == pytest.approx(radius.mean())
    assert int(true["totals"].loc[0, "sum(malignant)"]) == 212
    assert list(true["groups"].index) == list(study.data.categories["radius band"])
    assert true["groups"]["count"].sum() == 569
    assert true["among"]["count"].sum() == (study.data.columns["mean texture"] >= 20).sum()


def answer(shown: bool) -> pd.DataFrame:
    value = 120.0 if shown else math.nan
    names = ("count", "count.standard_error", "count.low", "count.high")
    frame = pd.DataFrame([dict(zip(names, (value, 10.0, 100.0, 140.0), strict=True))], index=["below 11"])
    frame.index.name = "band"
    frame["shown"] = [shown]
    return frame


def test_a_figure_is_told_with_its_error_in_standard_errors() -> None:
    true = pd.DataFrame({"count": [95.0]}, index=["below 11"])
    (line,) = consortium_view.lines_of(stand_in(), answer(True), true)
    assert line.cells() == ("below 11: patients", "120", "± 10.0", "100 .. 140", "95", "+25", "+2.5")
    assert not line.held and line.ratio == 2.5
    (hidden,) = consortium_view.lines_of(stand_in(), answer(False), true)
    assert hidden.cells()[:2] == ("below 11: patients", "too small") and not hidden.shown


@pytest.mark.parametrize(("error", "digits"), [(42.4, 0), (1.0, 0), (0.21, 2), (0.031, 3), (1e-9, 4)])
def test_digits_follow_the_standard_error(error: float, digits: int) -> None:
    assert consortium_view.Line("x", True, 1.0, error, 0.0, 2.0, 1.0).digits == digits


def test_what_is_told_too_often_is_left_out() -> None:
    said: list[str] = []
    told = consortium.seldom(said.append, 3600.0)
    told("a")
    told("b")
    assert said == ["a"]


# -- nodes -------------------------------------------------------------------------------------


def test_what_commands_print_is_found() -> None:
    lines = "\n".join("0123 4567 89ab cdef" for _ in range(4))
    assert fingerprint_in(f"this member's fingerprint:\n{lines}\n") == "0123456789abcdef" * 4
    assert key_in('key = "ed25519:abc"\n') == "ed25519:abc"
    assert code_in("the code:\n\n127.0.0.1:17600/AAAA-BBBB\n") == "127.0.0.1:17600/AAAA-BBBB"
    with pytest.raises(CommandFailed, match="no code"):
        code_in("nothing")


def test_settings_are_those_of_a_node_that_serves_this_machine_only(tmp_path: Path) -> None:
    member = Member("harbour", tmp_path, 17600, 17601)
    settings = read_settings(member.settings({}), member.port)
    assert str(settings.bind) == member.address and settings.people_address.port == 17601
    assert member.url == "https://127.0.0.1:17601"


def test_ports_are_free_and_each_once() -> None:
    found = free_ports(6)
    assert len(set(found)) == 6 and max(found) < 32768
    assert free_ports(1, found[0] + 1)[0] > found[0]


def test_a_command_that_fails_shows_what_it_said_last(tmp_path: Path) -> None:
    with Running(tmp_path) as running, pytest.raises(CommandFailed) as caught:
        running.run("harbour", "serve", "--home", str(tmp_path / "nowhere"))
    assert str(caught.value).startswith("harbour failed. The last it said:\n  | ")
    assert "accord found" in str(caught.value)


def test_a_directory_with_something_in_it_is_not_taken(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "mine.txt").write_text("")
    assert consortium.main(["--keep", str(tmp_path)]) == 2
    assert "name another directory" in capsys.readouterr().err
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("words", [["--epsilon", "33"], ["--rows", "0"], ["--in-memory"]])
def test_what_cannot_be_done_is_said_before_anything_starts(
    words: list[str], capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consortium, "run", None)
    with pytest.raises(SystemExit) as caught:
        consortium.main(words)
    assert caught.value.code == 2
    assert words[0] in capsys.readouterr().err


# -- all of it ---------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.usefixtures("own_ports")
@pytest.mark.timeout(300)
def test_the_command(capsys: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """On the stand-in; the noise is small, so that every figure is near the truth."""
    monkeypatch.setattr(consortium, "load_support2", load_breast_cancer)
    kept, picture = tmp_path / "kept", tmp_path / "picture.png"
    assert consortium.main(["--epsilon", "24", "--keep", str(kept), "--plot", str(picture)]) == 0
    printed, progress = capsys.readouterr()
    for words in ("569", "± standard error", "diff / s.e.", "ε = 24 in all", "AUC on all patients", "asking "):
        assert words in printed, words
    held, shown = map(int, printed.split("Check: ")[1].split(" figures")[0].split(" of the "))
    assert shown >= 9 and held >= 0.6 * shown  # 95% each, so with a chance of 1e-5 fewer
    stages = [line[:5] for line in progress.splitlines() if line.startswith("[")]
    assert stages == [f"[{i}/5]" for i in range(1, 6)]
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert {"harbour", "lakeside", "northgate", "analyst"} <= {entry.name for entry in kept.iterdir()}
    assert running_in(kept) == []


@pytest.mark.slow
@pytest.mark.usefixtures("own_ports")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_stops_all_and_removes_all(number: int, tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    program = (
        "import sys\nfrom examples import consortium\nfrom examples.datasets import load_breast_cancer\n"
        "consortium.load_support2 = load_breast_cancer\nsys.exit(consortium.main(['--ask', '--plot', sys.argv[1]]))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "picture.png")],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("accord ask train"):
                break
        assert any(line.startswith("export ACCORD_HOME=") for line in lines), process.communicate()
        assert len(running_in(temporary)) >= 3
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0 and "the nodes are stopped" in said
    assert list(temporary.iterdir()) == []
    deadline = time.monotonic() + 10
    while running_in(temporary) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert running_in(temporary) == []
