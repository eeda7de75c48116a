"""What a shell completes: a script for each, commands, options, and names that commands were told before."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from parties.cli import main
from parties.data.tables_file import save_tables
from parties.planning.kinds import KINDS
from parties.terminal.command_completion import FILE, keep_for_completion, kinds
from tests.parties.tabular import table

JOB = "0123456789abcdef" * 2


def completed(line: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What bash is given for a line, whose last word is not whole."""
    words = line.split(" ")
    with monkeypatch.context() as patched:
        patched.setenv("_ACCORD_COMPLETE", "complete_bash")
        patched.setenv("COMP_WORDS", line)
        patched.setenv("COMP_CWORD", str(len(words) - 1))
        assert main([]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    return said.out.split()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "node"
    place.mkdir(mode=0o700)
    monkeypatch.setenv("ACCORD_HOME", str(place))
    return place


@pytest.mark.parametrize(
    ("shell", "says"),
    [("bash", "complete -o default -F"), ("zsh", "#compdef accord"), ("fish", "complete --command accord")],
)
def test_a_script_for_each_shell(
    shell: str, says: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_ACCORD_COMPLETE", f"source_{shell}")
    assert main([]) == 0
    said = capsys.readouterr().out
    assert says in said and f"_ACCORD_COMPLETE=complete_{shell}" in said


def test_commands_options_and_choices(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert completed("accord pub", capsys, monkeypatch) == ["publish"]
    assert {"show", "propose", "sign"} <= set(completed("accord charter ", capsys, monkeypatch))
    assert completed("accord ask --par", capsys, monkeypatch) == ["--parameters"]
    assert completed("accord ask --on-loss ", capsys, monkeypatch) == ["abort", "wait"]
    assert completed("accord ask a", capsys, monkeypatch) == ["aggregate"]


def test_kinds_are_those_there_are() -> None:
    assert kinds() == sorted(KINDS)


def test_names_that_are_kept(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert completed("accord result ", capsys, monkeypatch) == []
    keep_for_completion(home, tables=["alfa.patients", "bravo.visits"], jobs=[JOB])
    assert (home / FILE).stat().st_mode & 0o777 == 0o600
    assert completed("accord result 01", capsys, monkeypatch) == [JOB]
    assert completed("accord cancel 1", capsys, monkeypatch) == []
    assert completed("accord ask aggregate --table al", capsys, monkeypatch) == ["alfa.patients"]
    assert completed("accord ask aggregate -t ", capsys, monkeypatch) == ["alfa.patients", "bravo.visits"]
    keep_for_completion(home, jobs=["f" * 32])
    assert completed("accord result ", capsys, monkeypatch) == ["f" * 32, JOB]
    assert completed(f"accord result --home {home}/none ", capsys, monkeypatch) == []
    keep_for_completion(home, tables=[])
    assert completed("accord ask aggregate -t ", capsys, monkeypatch) == []


def test_own_tables(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    save_tables(home, {"patients": table("a.csv")})
    assert completed("accord publish pa", capsys, monkeypatch) == ["patients"]
    (home / "tables.toml").write_bytes(b"\xff[[")
    assert completed("accord publish pa", capsys, monkeypatch) == []


def test_it_is_bounded_and_the_latest_stay(home: Path) -> None:
    for i in range(3):
        keep_for_completion(home, jobs=[f"{100 * i + k:032x}" for k in range(100)])
    said = json.loads((home / FILE).read_text())
    assert said["jobs"] == [f"{200 + k:032x}" for k in range(100)]


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{", '{"tables": 1, "jobs": {}}', '{"jobs": [1, null, "a b", "$(x)", "\\u001b[2J", ""]}', "[" * 100_000],
)
def test_a_damaged_file_offers_nothing(
    content: str, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / FILE).write_text(content)
    assert completed("accord result ", capsys, monkeypatch) == []
    keep_for_completion(home, jobs=[JOB])
    assert completed("accord result ", capsys, monkeypatch) == [JOB]


def test_nothing_is_made_where_there_is_no_home(tmp_path: Path) -> None:
    keep_for_completion(tmp_path / "none", jobs=[JOB])
    assert list(tmp_path.iterdir()) == []
    (tmp_path / FILE).mkdir()  # it cannot be replaced by a file
    keep_for_completion(tmp_path, jobs=[JOB])
    assert os.listdir(tmp_path) == [FILE]


def test_typers_options_are_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--help"])
    assert re.search(r"--install-completion +have this shell complete", capsys.readouterr().out)
