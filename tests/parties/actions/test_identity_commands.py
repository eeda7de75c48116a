"""``accord init`` and ``accord fingerprint``, as a person or a container's start types them."""

from __future__ import annotations

import getpass
from pathlib import Path

import pytest

from parties.actions.identity_commands import IDENTITY_FILE
from parties.cli import main
from parties.disk.private_files import write_atomically
from parties.keys.fingerprints import show_public_key
from parties.keys.identity import Identity
from tests.parties.consortium import identity

PASS = "correct horse battery staple"


def test_init_makes_an_identity_once_and_says_what_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = tmp_path / "a" / "node"
    assert main(["init", str(home)]) == 0
    said = capsys.readouterr()
    mine = Identity.load(home / IDENTITY_FILE)
    assert home.stat().st_mode & 0o777 == 0o700
    assert show_public_key(mine.public) in said.out
    assert mine.fingerprint in said.out.replace(" ", "").replace("\n", "").replace("fingerprint", "")
    assert "consortium.toml" in said.out
    assert said.err == ""

    assert main(["init", str(home)]) == 5
    said = capsys.readouterr()
    assert said.out == ""
    assert "IdentityExists" in said.err
    assert Identity.load(home / IDENTITY_FILE).fingerprint == mine.fingerprint

    assert main(["fingerprint", str(home)]) == 0
    assert show_public_key(mine.public) in capsys.readouterr().out


def test_where_it_is_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("ACCORD_HOME", raising=False)
    assert main(["fingerprint"]) == 5
    assert "`accord init`" in capsys.readouterr().err
    assert main(["init"]) == 0
    assert (tmp_path / "home" / ".accord" / IDENTITY_FILE).exists()
    monkeypatch.setenv("ACCORD_HOME", str(tmp_path / "elsewhere"))
    assert main(["init"]) == 0
    assert (tmp_path / "elsewhere" / IDENTITY_FILE).exists()


def test_a_passphrase_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_atomically(tmp_path / "pass", PASS.encode() + b"\n")
    assert main(["init", str(tmp_path / "n"), "--passphrase-file", str(tmp_path / "pass")]) == 0
    mine = Identity.load(tmp_path / "n" / IDENTITY_FILE, PASS.encode())
    said = capsys.readouterr()
    assert PASS not in said.out + said.err
    assert main(["fingerprint", str(tmp_path / "n")]) == 0  # without the passphrase
    assert show_public_key(mine.public) in capsys.readouterr().out
    (tmp_path / "pass").chmod(0o644)
    for file, error in (("pass", "FileExposed"), ("none", "FileMissing")):
        assert main(["init", str(tmp_path / "other"), "--passphrase-file", str(tmp_path / file)]) == 5
        assert error in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


def test_a_passphrase_that_is_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for typed, error in (([PASS, PASS + "."], "PassphraseWrong"), (["short"], "PassphraseTooShort")):
        answers = iter(typed)
        monkeypatch.setattr(getpass, "getpass", lambda _, answers=answers: next(answers))
        assert main(["init", str(tmp_path / "n"), "--passphrase"]) == 2
        assert error in capsys.readouterr().err
        assert not (tmp_path / "n").exists()
    monkeypatch.setattr(getpass, "getpass", lambda _: PASS)
    assert main(["init", str(tmp_path / "n"), "--passphrase"]) == 0
    Identity.load(tmp_path / "n" / IDENTITY_FILE, PASS.encode())


def test_the_fingerprint_of_a_mounted_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_atomically(tmp_path / "pass", PASS.encode())
    write_atomically(tmp_path / "wrong", PASS.encode() + b"r")
    identity(1).save(tmp_path / "full", PASS.encode())
    full = (tmp_path / "full").read_bytes()
    write_atomically(tmp_path / "mounted", full[full.index(b"-----BEGIN") :])
    shown = show_public_key(identity(1).public)
    assert main(["fingerprint", str(tmp_path / "mounted"), "--passphrase-file", str(tmp_path / "pass")]) == 0
    assert shown in capsys.readouterr().out
    assert main(["fingerprint", str(tmp_path / "mounted")]) == 2
    assert "PassphraseNeeded" in capsys.readouterr().err
    for file in ("mounted", "full"):
        assert main(["fingerprint", str(tmp_path / file), "--passphrase-file", str(tmp_path / "wrong")]) == 2
        assert "PassphraseWrong" in capsys.readouterr().err


def test_what_cannot_be_done_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert main(["init", str(tmp_path / "file")]) == 5
    assert "FileUnusable" in capsys.readouterr().err
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    assert main(["init", str(tmp_path / "open")]) == 5
    assert "chmod o-w" in capsys.readouterr().err
    assert list((tmp_path / "open").iterdir()) == []
    assert main(["init", str(tmp_path / "n"), "--passphrase", "--passphrase-file", "x"]) == 2
    assert "give one of them" in capsys.readouterr().err and not (tmp_path / "n").exists()
