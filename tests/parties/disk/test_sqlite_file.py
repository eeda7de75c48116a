"""A file in SQLite: changes are whole and on the disk, or named failures that changed nothing."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from parties.disk.sqlite_file import SqliteFile
from parties.errors import StoreFailed

SCHEMA = "CREATE TABLE IF NOT EXISTS thing (x INTEGER UNIQUE, content BLOB) STRICT;"


Opening = Callable[[], SqliteFile]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opening]:
    """Opens file.db, and closes it after the test."""
    files = []

    def opening() -> SqliteFile:
        files.append(SqliteFile(tmp_path / "file.db", SCHEMA))
        return files[-1]

    yield opening
    for file in files:
        file.close()


def put(file: SqliteFile, x: int, content: bytes = b"") -> None:
    with file.transaction():
        file.change("INSERT INTO thing VALUES (?, ?)", x, content)


def kept(file: SqliteFile) -> list[int]:
    return [x for (x,) in file.read("SELECT x FROM thing ORDER BY x")]


def test_what_is_raised_within_undoes_all_of_it(opened: Opening) -> None:
    file = opened()
    put(file, 1)
    with pytest.raises(KeyError), file.transaction():
        file.change("INSERT INTO thing VALUES (2, x'')")
        assert kept(file) == [1, 2]
        raise KeyError
    with pytest.raises(StoreFailed, match="UNIQUE"), file.transaction():
        file.change("INSERT INTO thing VALUES (3, x'')")
        file.change("INSERT INTO thing VALUES (1, x'')")
    put(file, 4)
    file.close()
    assert kept(opened()) == [1, 4]


def test_a_change_is_in_a_transaction(opened: Opening) -> None:
    file = opened()
    with pytest.raises(RuntimeError, match="transaction"):
        file.change("INSERT INTO thing VALUES (1, x'')")
    assert file.one("SELECT x FROM thing") is None


def test_it_is_on_the_disk_in_full(tmp_path: Path, opened: Opening) -> None:
    file = opened()
    assert file.one("PRAGMA synchronous") == (2,)
    assert file.one("PRAGMA journal_mode") == ("wal",)
    assert file.one("PRAGMA foreign_keys") == (1,)
    assert (tmp_path / "file.db").stat().st_mode & 0o777 == 0o600
    put(file, 1)
    assert all(path.stat().st_mode & 0o077 == 0 for path in tmp_path.iterdir())


def test_one_process_at_a_time_and_again_after_it_is_closed(opened: Opening) -> None:
    file = opened()
    with pytest.raises(StoreFailed, match="another process"):
        opened()
    file.close()
    file.close()
    with pytest.raises(StoreFailed, match=r"was closed; open it again"):
        put(file, 1)
    with pytest.raises(StoreFailed, match=r"was closed"):
        kept(file)
    assert kept(opened()) == []


def test_what_is_no_such_file_is_named(tmp_path: Path, opened: Opening) -> None:
    for nowhere in (tmp_path, tmp_path / "none" / "file.db"):
        with pytest.raises(StoreFailed, match="directory; let this node's user write"):
            SqliteFile(nowhere, SCHEMA)
    (tmp_path / "file.db").write_text("this is no database, but long enough to be taken for one, if nobody looks" * 9)
    with pytest.raises(StoreFailed, match=r"file\.db: .*keep it aside"):
        opened()
    with pytest.raises(StoreFailed, match="syntax"):
        SqliteFile(tmp_path / "other.db", "CREATE NONSENSE;")


def test_a_file_that_may_not_be_written(tmp_path: Path, opened: Opening) -> None:
    file = opened()
    put(file, 1)
    file._db.execute("PRAGMA query_only=ON")
    with pytest.raises(StoreFailed, match="let this node's user write"):
        put(file, 2)
    assert kept(file) == [1]
    file._db.execute("PRAGMA query_only=OFF")
    put(file, 3)  # nothing was in doubt, so it goes on
    file.close()
    os.chmod(tmp_path / "file.db", 0o400)
    if os.geteuid():
        with pytest.raises(StoreFailed, match="Permission denied; let this node's user write"):
            opened()


def test_a_full_disk_changes_nothing_and_room_lets_it_go_on(opened: Opening) -> None:
    file = opened()
    put(file, 1)
    (pages,) = file.one("PRAGMA page_count") or (0,)
    file._db.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(StoreFailed, match="full; make room"):
        put(file, 2, bytes(100_000))
    assert kept(file) == [1]
    put(file, 3)
    file._db.execute(f"PRAGMA max_page_count = {pages + 100}")
    put(file, 2, bytes(100_000))
    file.close()
    assert kept(opened()) == [1, 2, 3]


class Failing:
    """A connection whose COMMIT fails, before or after it happened: what a disk does that fails in an fsync."""

    def __init__(self, db: sqlite3.Connection, happened: bool) -> None:
        self.db, self.happened = db, happened

    def execute(self, statement: str, *values: object) -> sqlite3.Cursor:
        if statement == "COMMIT":
            if self.happened:
                self.db.execute(statement)
            raise sqlite3.OperationalError("disk I/O error")
        return self.db.execute(statement, *values)  # type: ignore[arg-type]

    def __getattr__(self, name: str) -> object:
        return getattr(self.db, name)


@pytest.mark.parametrize("happened", [False, True])
def test_a_change_in_doubt_closes_the_file(opened: Opening, happened: bool) -> None:
    file = opened()
    put(file, 1)
    file._db = Failing(file._db, happened)  # type: ignore[assignment]
    with pytest.raises(StoreFailed, match="Whether the change was kept shows when it is opened again"):
        put(file, 2)
    for use in (lambda: kept(file), lambda: put(file, 3), file.forget):
        with pytest.raises(StoreFailed, match="failed on its way to the disk; open it again"):
            use()
    assert kept(opened()) == ([1, 2] if happened else [1])


def test_threads_take_turns(opened: Opening) -> None:
    file = opened()

    def work(start: int) -> None:
        for x in range(start, start + 20):
            put(file, x)
            assert x in kept(file)

    threads = [threading.Thread(target=work, args=(100 * i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kept(file)) == 80


def test_what_is_deleted_is_overwritten(tmp_path: Path, opened: Opening) -> None:
    file = opened()
    secret = b"nobody else may read this at any time" * 50
    put(file, 1, secret)
    with file.transaction():
        file.change("DELETE FROM thing")
    assert any(secret[:37] in path.read_bytes() for path in tmp_path.iterdir())
    file.forget()
    assert not any(secret[:37] in path.read_bytes() for path in tmp_path.iterdir())


KILLED = """
import os, signal, sys
from parties.disk.sqlite_file import SqliteFile
file = SqliteFile(sys.argv[1], sys.argv[2])
for x in range(9):
    with file.transaction():
        file.change("INSERT INTO thing VALUES (?, x'')", x)
file._db.execute("BEGIN IMMEDIATE")
file.change("INSERT INTO thing VALUES (99, x'')")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_was_acknowledged_is_there_when_the_process_is_killed(tmp_path: Path, opened: Opening) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "file.db"), SCHEMA], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert kept(opened()) == list(range(9))
