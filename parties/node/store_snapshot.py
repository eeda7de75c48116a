"""A node's store as it is at one moment, for whoever only looks at it, whether the node runs or not.

A running node has its file for itself alone, so a copy is looked at, in a directory of this user's alone, and deleted
afterwards. The node's own files are read, and neither locked nor written.

The copy is whole: SQLite writes pages of the database only out of its write-ahead log, and overwrites that from its
beginning only under another header. So if the header is the same before the database is copied and after the log was,
every page that changed meanwhile is in the copy of the log too.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from parties.disk.chained_table import CHAIN_SCHEMA
from parties.disk.sqlite_file import SqliteFile
from parties.errors import FileMissing, FileUnusable, StoreFailed
from parties.running.job_records import SCHEMA

__all__ = ["snapshot"]

_HEADER = 32  # bytes of a write-ahead log's header; two random numbers in it are drawn anew whenever it begins anew
_TRIES = 50


@contextlib.contextmanager
def snapshot(path: Path) -> Iterator[SqliteFile]:
    """A copy of the store at this path, to read from.

    Not from the process of the node itself: to close a file that SQLite has open gives up its locks.

    Raises FileMissing if there is none, FileUnusable, StoreFailed if it is no such file.
    """
    if not path.exists():
        raise FileMissing(f"there is no log at {path}: no node ran here yet, or its home is elsewhere (--home)")
    with tempfile.TemporaryDirectory(prefix="accord-") as directory:
        copy = Path(directory) / path.name
        try:
            _copy(path, copy)
        except OSError as error:
            raise FileUnusable(f"{path} cannot be read: {error.strerror or error}") from None
        try:
            file = SqliteFile(copy, SCHEMA + CHAIN_SCHEMA)
        except StoreFailed as error:
            raise StoreFailed(str(error).replace(str(copy), str(path))) from None
        try:
            yield file
        finally:
            file.close()


def _copy(path: Path, copy: Path) -> None:
    for _ in range(_TRIES):
        before = _mark(path)
        shutil.copyfile(path, copy)
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(_log_of(path), _log_of(copy))
        if _mark(path) == before:
            return
        _log_of(copy).unlink(missing_ok=True)
    raise StoreFailed(f"{path} changes faster than it can be copied: try again")


def _mark(path: Path) -> tuple[bytes, int, int]:
    """What stays as long as a copy is good. Without a write-ahead log, nothing may be written to the database."""
    try:
        with _log_of(path).open("rb") as file:
            header = file.read(_HEADER)
    except FileNotFoundError:
        header = b""
    if header:
        return header, 0, 0
    status = path.stat()
    return header, status.st_mtime_ns, status.st_size


def _log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")
