"""Files of secrets: who may read them, and that they are there whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from parties.disk.private_files import make_private_directory, read_private, read_public, write_atomically
from parties.errors import FileExposed, FileMissing, FileUnusable

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


def test_what_is_written_is_read_back_and_nobody_else_may(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    old = os.umask(0)
    try:
        write_atomically(path, b"one")
    finally:
        os.umask(old)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_nlink == 1
    assert read_private(path) == b"one"
    with pytest.raises(FileExistsError):
        write_atomically(path, b"two")
    assert read_private(path) == b"one"
    write_atomically(path, b"two", replace=True)
    assert read_private(path) == b"two"
    assert [p.name for p in tmp_path.iterdir()] == ["secret"]


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o601, 0o640, 0o620, 0o610, 0o644, 0o666, 0o444])
def test_a_secret_others_can_get_at_is_refused_with_the_way_out(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "secret"
    write_atomically(path, b"one")
    path.chmod(mode)
    with pytest.raises(FileExposed, match="chmod 600"):
        read_private(path)
    assert read_public(path) == b"one"
    path.chmod(0o400)
    assert read_private(path) == b"one"


@root_only
def test_of_another_user_or_mounted_by_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret"
    write_atomically(path, b"one")
    os.chown(path, 12345, -1)
    with pytest.raises(FileExposed, match="user 12345"):
        read_private(path)
    os.chown(path, 0, -1)
    path.chmod(0o440)
    with pytest.raises(FileExposed):  # to root, its group is others
        read_private(path)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert read_private(path) == b"one"  # mounted by the orchestrator for this process's group
    for mode in (0o460, 0o444, 0o450):
        path.chmod(mode)
        with pytest.raises(FileExposed):
            read_private(path)


def test_a_directory_where_anybody_exchanges_files_is_refused_a_sticky_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "open" / "secret"
    make_private_directory(path.parent)
    assert path.parent.stat().st_mode & 0o777 == 0o700
    write_atomically(path, b"one")
    path.parent.chmod(0o777)
    with pytest.raises(FileExposed, match="chmod o-w"):
        read_private(path)
    path.parent.chmod(0o1777)
    assert read_private(path) == b"one"


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "large").write_bytes(bytes((1 << 20) + 1))
    (tmp_path / "large").chmod(0o600)
    for name, text in (("fifo", "no regular file"), (".", "no regular file"), ("large", "larger")):
        with pytest.raises(FileUnusable, match=text):
            read_private(tmp_path / name)
    with pytest.raises(FileMissing, match="no file"):
        read_private(tmp_path / "none")
    with pytest.raises(FileUnusable, match="Not a directory"):
        read_private(tmp_path / "large" / "x")
    with pytest.raises(FileUnusable, match="not written"):
        write_atomically(tmp_path / "none" / "x", b"")
    with pytest.raises(FileUnusable, match="directory"):
        make_private_directory(tmp_path / "large")


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_failing_disk_leaves_the_old_file_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    path = tmp_path / "secret"
    write_atomically(path, b"old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(FileUnusable, match="No space left"):
            write_atomically(path, b"new", replace=True)
    assert read_private(path) == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["secret"]


_CRASH = """
import os, sys
from parties.disk.private_files import write_atomically
setattr(os, sys.argv[2], lambda *_: os._exit(9))
write_atomically(sys.argv[1], b"new" * 100_000, replace=sys.argv[2] == "replace")
"""


@pytest.mark.parametrize(("call", "old"), [("replace", b"old"), ("link", None)])
def test_a_crash_before_the_name_is_taken_leaves_what_was(tmp_path: Path, call: str, old: bytes | None) -> None:
    path = tmp_path / "secret"
    if old is not None:
        write_atomically(path, old)
    done = subprocess.run(
        [sys.executable, "-c", _CRASH, str(path), call], check=False, env={**os.environ, "PYTHONPATH": "."}
    )
    assert done.returncode == 9
    assert (path.read_bytes() if path.exists() else None) == old
    assert all(p.stat().st_mode & 0o777 == 0o600 for p in tmp_path.iterdir())  # what is left over is as private
