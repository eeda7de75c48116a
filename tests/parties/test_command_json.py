"""--json: one JSON value on standard output, with the fields the help names, and everything else on standard error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from parties.cli import main
from parties.keys.fingerprints import show_public_key
from parties.keys.identity import Identity
from parties.membership.charter_file import write_charter
from parties.membership.charter_store import CharterStore
from parties.setup.home import Home
from tests.parties.consortium import charter, identity, member, signed
from tests.parties.terminal.test_command_help import COMMANDS

ONE = charter()
TWO = charter(*(member(i) for i in range(4)), before=ONE)


class Shell:
    """Types commands with --json; gives what was on standard output, read as JSON."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.err = ""

    def __call__(self, *words: str, status: int = 0) -> Any:
        self._capsys.readouterr()
        assert main([*words, "--json"]) == status
        out, self.err = self._capsys.readouterr()
        return json.loads(out)


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys)


@pytest.fixture
def alfa(tmp_path: Path) -> str:
    """A home with version 1 in force."""
    home = Home(tmp_path / "alfa")
    home.make()
    identity(0).save(home.identity)
    store = CharterStore(home)
    store.propose(ONE)
    store.sign(ONE.digest, identity(0))
    store.merge(signed(ONE, 0, 1, 2))
    store.adopt()
    return str(home.directory)


def test_all_commands_but_serve_have_it() -> None:
    without = [name for name, command in COMMANDS.items() if "json" not in {param.name for param in command.params}]
    assert without == ["serve"]


def test_check(shell: Shell) -> None:
    said = shell("check")
    assert said["ready"] is True and said["error"] is None and said["product_seconds"] > 0
    assert shell.err.rstrip().endswith("ready")


def test_an_identity(tmp_path: Path, shell: Shell) -> None:
    made = shell("init", str(tmp_path / "n"))
    mine = Identity.load(tmp_path / "n" / "identity.key")
    shown = {"fingerprint": mine.fingerprint, "public_key": show_public_key(mine.public)}
    assert made == {"file": str(tmp_path / "n" / "identity.key"), "encrypted": False, **shown}
    assert "What next" in shell.err
    assert shell("fingerprint", str(tmp_path / "n")) == shown and shell.err == ""


def test_founding(tmp_path: Path, shell: Shell) -> None:
    home = str(tmp_path / "n")
    said = shell("found", "Banks", "--name", "alfa", "--address", "a:7600", "--home", home)
    assert said["member"] == "alfa" and said["directory"] == home and said["public_key"].startswith("ed25519:")
    invited = shell("invite", "bravo", "--address", "b:7600", "--home", home)
    assert invited["member"] == "bravo" and invited["code"].startswith("a:7600/") and invited["expires"] > 0
    assert invited["code"] not in shell.err  # a secret is told once
    assert shell("invite", "bravo", "--cancel", "--home", home) == {"member": "bravo", "cancelled": True}


def test_charters(alfa: str, tmp_path: Path, shell: Shell) -> None:
    at = ("--home", alfa)
    shown = shell("charter", "show", *at)
    assert shown["in_force"]["digest"] == ONE.digest and shown["proposed"] == shown["came_into_force"] == []
    (tmp_path / "next.toml").write_text(write_charter(TWO))
    [proposed] = shell("charter", "propose", str(tmp_path / "next.toml"), *at)["proposed"]
    assert proposed["charter"]["digest"] == TWO.digest and proposed["signed"] is False
    assert proposed["waits_for"] == ["alfa", "bravo", "charlie", "delta"] and "delta: new" in proposed["changes"]
    [proposed] = shell("charter", "sign", "--yes", *at)["proposed"]
    assert proposed["signed"] is True and proposed["waits_for"] == ["bravo", "charlie", "delta"]
    assert "next: accord charter export" in shell.err
    file = str(tmp_path / "charters.json")
    assert shell("charter", "export", file, *at) == {"file": file, "in_force": 1, "proposed": 1}
    assert shell("charter", "export", "-", *at)["format"] == "accord charters 1"
    assert shell("charter", "merge", file, *at)["came_into_force"] == []
    [proposed] = shell("charter", "withdraw", TWO.digest[:8], *at)["proposed"]
    assert proposed["withdrawn"] is True


def test_a_no_is_json_too(alfa: str, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    CharterStore(Home(alfa)).propose(TWO)
    monkeypatch.setattr("builtins.input", lambda *_: "n")
    [proposed] = shell("charter", "sign", "--home", alfa, status=1)["proposed"]
    assert proposed["signed"] is False and "[y/N]" in shell.err and "not signed" in shell.err


def test_a_key_that_is_remembered(tmp_path: Path, shell: Shell) -> None:
    key = show_public_key(identity(3).public)
    words = ("remember", "https://127.0.0.1:8600", key, "--home", str(tmp_path / "n"))
    assert shell(*words) == {
        "url": "https://127.0.0.1:8600", "fingerprint": identity(3).fingerprint, "public_key": key,
        "replaced_another": False,
    }  # fmt: skip


def test_an_error_leaves_standard_output_empty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = str(tmp_path / "none")
    for words, status in (
        (["charter", "show", "--home", home], 2),
        (["status", "--home", home], 5),
        (["fingerprint", home], 5),
        (["publish", "t", "none.csv", "--yes", "--home", home], 2),
        (["invite", "bravo", "--home", home], 5),
        (["charter", "show", "--toml", "--home", home], 2),
    ):
        assert main([*words, "--json"]) == status
        out, err = capsys.readouterr()
        assert out == "" and err.startswith(f"accord {words[0]}") and err.count("\n") == 1
