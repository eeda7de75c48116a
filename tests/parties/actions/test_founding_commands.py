"""From nothing to a charter in force by the commands people type: `accord found`, `invite`, `join`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from parties.beginning.founding import read_founding
from parties.cli import main
from parties.keys.identity import Identity
from parties.membership.charter_store import CharterStore
from parties.setup.home import Home
from parties.setup.settings import default_settings
from tests.free_ports import free_ports

NAMES = ("alfa", "bravo", "charlie")


def found(home: Path, port: int) -> None:
    address = f"127.0.0.1:{port}"
    assert main(["found", "Banks", "--name", "alfa", "--address", address, "--home", str(home)]) == 0


def invite(home: Path, name: str, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    capsys.readouterr()
    assert main(["invite", name, "--address", f"{name}:7600", "--home", str(home), *more]) == 0
    return next(line for line in capsys.readouterr().out.splitlines() if "/" in line)


@pytest.mark.parametrize("how", ["--yes", "asked", "--fingerprint"])
def test_three_members_come_to_one_charter(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    homes = {name: tmp_path / name for name in NAMES}
    found(homes["alfa"], free_ports(1)[0])
    codes = {name: invite(homes["alfa"], name, capsys) for name in NAMES[1:]}
    asked: list[str] = []
    monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or "y")
    fingerprint = Identity.load(homes["alfa"] / "identity.key").fingerprint
    consent = {"--yes": ["--yes"], "asked": [], "--fingerprint": ["--fingerprint", fingerprint.upper()]}[how]
    done: dict[str, int] = {}

    def run(name: str, *arguments: str) -> None:
        done[name] = main([*arguments, "--home", str(homes[name])])

    threads = [threading.Thread(target=run, args=("alfa", "invite", "--wait", *([] if how == "asked" else ["--yes"])))]
    for name, code in codes.items():
        arguments = ("join", code, *consent, *(["--no-doctor"] if name == "charlie" else []))
        threads.append(threading.Thread(target=run, args=(name, *arguments)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    said = capsys.readouterr()
    assert done == dict.fromkeys(NAMES, 0), said
    stores = [CharterStore(Home(home)) for home in homes.values()]
    assert len({store.current.digest for store in stores}) == 1
    assert len(asked) == (3 if how == "asked" else 0)
    assert said.out.count("is in force; this node is") == 2
    assert said.out.count("ports: *:7600 is") == 1  # the doctor came to bravo
    for code in codes.values():
        assert code not in said.out + said.err
    assert Home(homes["bravo"]).read_settings() == default_settings(7600)
    assert "# bind" in (homes["bravo"] / "node.toml").read_text()
    for name in ("found", "invite"):
        arguments = {"found": ["X", "--name", "x", "--address", "x:1"], "invite": ["delta"]}[name]
        assert main([name, *arguments, "--home", str(homes["alfa"])]) == 2
    assert "accord charter propose" in capsys.readouterr().err


@pytest.mark.slow
def test_three_real_processes(tmp_path: Path) -> None:
    """As a script would, without a terminal; the code of one comes on standard input."""

    def accord(*arguments: str, name: str, **more: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "parties.cli", *arguments],
            env={**os.environ, "PYTHONPATH": ".", "ACCORD_HOME": str(tmp_path / name)},
            stdout=subprocess.PIPE, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more,  # type: ignore[call-overload]
        )  # fmt: skip

    def code(name: str) -> str:
        said, _ = accord("invite", name, "--address", f"{name}:7600", name="alfa").communicate()
        return next(line for line in said.splitlines() if line.startswith("127.0.0.1:"))

    begun = accord("found", "Banks", "--name", "alfa", "--address", f"127.0.0.1:{free_ports(1)[0]}", name="alfa")
    assert begun.wait() == 0
    bravo, charlie = code("bravo"), code("charlie")
    joining = [accord("join", bravo, "--yes", "--json", name="bravo"), accord("join", "-", "--yes", name="charlie")]
    stdin = joining[1].stdin
    assert stdin is not None
    stdin.write(charlie + "\n")
    stdin.flush()
    waiting = accord("invite", "--wait", "--yes", "--json", name="alfa")
    try:
        said = [one.communicate(timeout=60) for one in (*joining, waiting)]
    finally:
        for one in (*joining, waiting):
            one.kill()
    assert [one.returncode for one in (*joining, waiting)] == [0, 0, 0], said
    [digest] = {CharterStore(Home(tmp_path / name)).current.digest for name in NAMES}
    joined, waited = json.loads(said[0][0]), json.loads(said[2][0])
    assert joined["member"] == "bravo" and joined["charter"]["digest"] == waited["charter"]["digest"] == digest
    assert {"check", "verdict", "found", "way_out"} == set(joined["findings"][0])
    assert "is in force" in said[0][1] and "is in force" in said[2][1]  # for people, on standard error


def test_without_somebody_to_say_yes_nothing_is_signed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(_: str) -> str:
        raise EOFError

    monkeypatch.setattr("builtins.input", nobody)
    found(tmp_path / "alfa", free_ports(1)[0])
    codes = {name: invite(tmp_path / "alfa", name, capsys) for name in NAMES[1:]}
    done: dict[str, int] = {}

    def run(name: str, *arguments: str) -> None:
        done[name] = main([*arguments, "--home", str(tmp_path / name)])

    threads = [threading.Thread(target=run, args=("alfa", "invite", "--wait", "--yes"))]
    threads += [threading.Thread(target=run, args=(name, "join", code)) for name, code in codes.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == dict.fromkeys(NAMES, 3)
    assert capsys.readouterr().err.count("InvitationRefused") == 3
    assert not any((tmp_path / name / "charter" / "signed").exists() for name in NAMES[1:])


def test_what_cannot_be_done_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = str(tmp_path / "alfa")
    begin = ["found", "Banks", "--home", home, "--name"]
    for arguments, error in (
        ([*begin, "Alfa", "--address", "a:1"], "CharterInvalid"),
        ([*begin, "alfa"], "CharterInvalid: member alfa, address: missing"),
        ([*begin, "alfa", "--address", "a:1", "--roles", "compute,compute"], "FoundingInvalid: roles"),
        ([*begin, "alfa", "--address", "a:1", "--threshold", "0"], "CharterInvalid: threshold 0"),
        (["invite", "bravo", "--home", home], "FileMissing"),
        (["join", "x", "--home", home], "CodeInvalid"),
    ):
        assert main(arguments) == (5 if error == "FileMissing" else 2)
        assert error in capsys.readouterr().err
    assert not Path(home).exists()
    assert main([*begin, "alfa", "--roles", "input"]) == 0
    assert main(["invite", "bravo", "--address", "b:1", "--home", home]) == 2
    assert "--at" in capsys.readouterr().err
    code = invite(Path(home), "bravo", capsys, "--at", "alfa.example:7600")
    assert code.startswith("alfa.example:7600/")
    for arguments, error in (
        (["invite", "--home", home], "either NAME"),
        (["invite", "bravo", "--wait", "--home", home], "either NAME"),
        (["invite", "bravo", "--hours", "0", "--at", "a:1", "--address", "b:1", "--home", home], "--hours"),
        (["invite", "charlie", "--cancel", "--home", home], "nobody is invited as charlie"),
        (["invite", "--wait", "--bind", "192.0.2.1:7600", "--home", home], "cannot listen at 192.0.2.1:7600"),
        (["join", code, "--fingerprint", "0" * 64, "--home", str(tmp_path / "b")], "not of the founder"),
        (["found", "Banks", "--name", "a", "--roles", "input", "--home", home], "being founded"),
    ):
        assert main(arguments) == (5 if error == "FileMissing" else 2)
        assert error in capsys.readouterr().err
    assert not (tmp_path / "b").exists()
    assert main(["invite", "bravo", "--cancel", "--home", home]) == 0
    assert read_founding(Home(home)).invitations == {}


def test_a_key_with_a_passphrase(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secret = tmp_path / "pass"
    secret.write_text("correct horse battery staple")
    secret.chmod(0o600)
    home = tmp_path / "alfa"
    begin = ["found", "Banks", "--name", "alfa", "--address", "a:1", "--home", str(home)]
    assert main([*begin, "--passphrase-file", str(secret)]) == 0
    assert "ENCRYPTED" in (home / "identity.key").read_text()
    assert main(["invite", "bravo", "--address", "b:1", "--home", str(home)]) == 2
    assert "PassphraseNeeded" in capsys.readouterr().err
    invite(home, "bravo", capsys, "--passphrase-file", str(secret))
