"""An SQLite file of a node's: one process, one change at a time, each on the disk before the call returns.

A change that cannot be kept is a StoreFailed, and leaves the file as it was. One that fails while it is committed is in
doubt: the file is closed then, and what is found when it is opened the next time is what counts.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from parties.errors import StoreFailed

__all__ = ["Row", "SqliteFile"]

Row = tuple[Any, ...]

_PRAGMAS = ("locking_mode=EXCLUSIVE", "journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", "foreign_keys=ON")
_ROOM = "make room on its disk, or see what the system's log says of it"
_RIGHTS = "let this node's user write the file, its directory and its disk"
_OTHER = "another process has it: one node at a time"
_DAMAGED = (
    "it is no such file, or it is damaged: keep it aside. Do not put an old copy in its place, which would have "
    "forgotten what this node promised; ask the other members what became of its open jobs, and begin a new file"
)


class SqliteFile:
    """WAL, synchronous=FULL, exclusive. Several threads may use it; they take turns.

    Args:
        path: the file; made with mode 0600 if it does not exist.
        schema: statements that leave a schema that is there already as it is.

    Raises StoreFailed if it cannot be opened or written, is no such file, or another process has it.
    """

    def __init__(self, path: str | Path, schema: str) -> None:
        self.path = str(path)
        self._turn = threading.RLock()
        self._closed: str | None = None
        try:
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise StoreFailed(f"{self.path} cannot be opened: {error.strerror}; {_RIGHTS}") from None
        try:
            self._db = sqlite3.connect(self.path, isolation_level=None, timeout=0.2, check_same_thread=False)
        except sqlite3.Error as error:
            raise self._failed(error) from None
        try:
            for pragma in _PRAGMAS:
                self._db.execute(f"PRAGMA {pragma}")
            self._db.executescript(f"BEGIN EXCLUSIVE;{schema}COMMIT;")
        except sqlite3.Error as error:
            self._give_up("it could not be opened")
            raise self._failed(error) from None

    def __repr__(self) -> str:
        return f"<SqliteFile {self.path}>"

    def close(self) -> None:
        """Let go of the file. Again is no error."""
        with self._turn:
            self._give_up("it was closed")

    def read(self, question: str, *values: Any) -> list[Row]:
        """All rows of a SELECT. StoreFailed if the file cannot be read."""
        with self._turn:
            return self._execute(question, values)

    def one(self, question: str, *values: Any) -> Row | None:
        """The first row, if there is one."""
        rows = self.read(question, *values)
        return rows[0] if rows else None

    def change(self, statement: str, *values: Any) -> None:
        """One statement within a :meth:`transaction`."""
        with self._turn:
            if self._closed is None and not self._db.in_transaction:
                raise RuntimeError("a change belongs into a transaction")
            self._execute(statement, values)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is changed within, on the disk when it ends; or, if anything is raised within or by it, nothing.

        Raises StoreFailed. The file stays usable, unless the text says that the change is in doubt.
        """
        with self._turn:
            self._execute("BEGIN IMMEDIATE", ())
            try:
                yield
            except BaseException:
                self._undo()
                raise
            self._commit()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """No other thread uses the file within, nor is another one's transaction under way."""
        with self._turn:
            yield

    def forget(self) -> None:
        """Overwrite what was deleted wherever the file still has it, as far as the disk does what it is told."""
        with self._turn:
            self._execute("PRAGMA wal_checkpoint(TRUNCATE)", ())

    def _execute(self, statement: str, values: Sequence[Any]) -> list[Row]:
        if self._closed is not None:
            raise StoreFailed(f"{self.path}: {self._closed}; open it again")
        try:
            return self._db.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise self._failed(error) from None

    def _undo(self) -> None:
        if self._closed is None and self._db.in_transaction:  # on a full disk SQLite has undone it by itself
            try:
                self._db.execute("ROLLBACK")
            except sqlite3.Error:
                self._give_up("a change could not be undone")

    def _commit(self) -> None:
        try:
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._undo()
            self._give_up("a change failed on its way to the disk")
            failed = self._failed(error)
            raise StoreFailed(f"{failed}. Whether the change was kept shows when it is opened again") from None

    def _give_up(self, why: str) -> None:
        self._closed = self._closed or why
        with contextlib.suppress(sqlite3.Error):
            self._db.close()

    def _failed(self, error: sqlite3.Error) -> StoreFailed:
        match getattr(error, "sqlite_errorcode", 0) & 0xFF:
            case sqlite3.SQLITE_FULL | sqlite3.SQLITE_IOERR:
                way_out = _ROOM
            case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
                way_out = _RIGHTS
            case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                way_out = _OTHER
            case sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_CORRUPT:
                way_out = _DAMAGED
            case _:
                way_out = "nothing was meant to bring this about: report it, with what the system's log says"
        return StoreFailed(f"{self.path}: {error}; {way_out}")
