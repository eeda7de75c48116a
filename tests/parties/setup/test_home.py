"""Where a node keeps its things, and that nobody else may put any there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from parties.disk.private_files import write_atomically
from parties.errors import FileExposed, FileMissing, FileUnusable, PassphraseNeeded, SettingsInvalid
from parties.setup.home import Home
from parties.setup.settings import default_settings
from tests.parties.consortium import identity

PASS = b"correct horse battery staple"


def test_which_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Home(environment={}).directory == tmp_path / ".accord"
    assert Home(environment={"ACCORD_HOME": "~/here"}).directory == tmp_path / "here"
    assert Home(environment={"ACCORD_HOME": ""}).directory == tmp_path / ".accord"
    assert Home(tmp_path / "there", {"ACCORD_HOME": "/else"}).directory == tmp_path / "there"
    monkeypatch.chdir(tmp_path)
    assert Home("relative").identity == tmp_path / "relative" / "identity.key"
    assert list(tmp_path.iterdir()) == []  # nothing was made


def test_made_for_this_user_alone(tmp_path: Path) -> None:
    home = Home(tmp_path / "a" / "b")
    with pytest.raises(FileMissing, match="accord join"):
        home.check()
    home.make()
    home.make()
    home.check()
    assert home.directory.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777, 0o1777])
def test_where_others_may_put_files_is_refused(tmp_path: Path, mode: int) -> None:
    home = Home(tmp_path / "n")
    home.make()
    home.directory.chmod(mode)
    with pytest.raises(FileExposed, match="chmod go-w"):
        home.check()
    home.directory.chmod(0o755)
    home.check()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives directories away")
def test_of_another_user_or_a_volume_of_roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path / "n")
    home.make()
    os.chown(home.directory, 12345, -1)
    with pytest.raises(FileExposed, match="user 12345"):
        home.check()
    os.chown(home.directory, 0, -1)
    home.directory.chmod(0o2770)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    home.check()
    home.directory.chmod(0o2772)
    with pytest.raises(FileExposed):
        home.check()


def test_what_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for home in (Home(tmp_path / "file"), Home(tmp_path / "file" / "x")):
        with pytest.raises(FileUnusable):
            home.check()


def test_settings_are_defaults_or_the_files(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert home.read_settings(7700) == default_settings(7700)
    home.settings.write_text("lanes = 4")
    assert home.read_settings().lanes == 4
    home.settings.write_text("lanes = 0")
    with pytest.raises(SettingsInvalid, match="lanes"):
        home.read_settings()


def test_the_identity_is_its_own_or_mounted(tmp_path: Path) -> None:
    home = Home(tmp_path)
    identity(1).save(home.identity)
    identity(2).save(tmp_path / "mounted", PASS)
    assert home.load_identity().public == identity(1).public
    home.settings.write_text('identity = "mounted"')
    with pytest.raises(PassphraseNeeded):
        home.load_identity()
    assert home.load_identity(passphrase=PASS).public == identity(2).public
    write_atomically(tmp_path / "pass", PASS)
    home.settings.write_text(f'identity = "{tmp_path / "mounted"}"\npassphrase_file = "pass"')
    assert home.load_identity().public == identity(2).public
