"""What other members dealt to this node for jobs, on its disk: encrypted, bounded, gone with the job.

Each piece that comes is a sealed file (sealed_file.py), bound to its job, name and number. So a piece that comes again
replaces itself, and none can be put in another's place. A worker reads them itself, one after another.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from parties.disk.private_files import make_private_directory
from parties.disk.sealed_file import SealedFile
from parties.errors import PartsMissing, PartsTooLarge

__all__ = ["CHECKPOINTS", "PartFiles", "Pieces"]

CHECKPOINTS = "checkpoints"
"""Beside a job's parts: what checkpoint_files.py keeps. It is this node's own, not counted, and deleted with them."""

_PAGE = 4096
_JOB = re.compile(r"[0-9a-f]{32}")
_NAME = re.compile(r"[a-z0-9]([a-z0-9_-]{0,62}[a-z0-9])?")


@dataclass(frozen=True)
class Pieces:
    """All pieces of one part, in order; iterating gives their bytes. For a worker of this node's."""

    files: tuple[SealedFile, ...]

    def __iter__(self) -> Iterator[bytes]:
        for file in self.files:
            yield from file


class PartFiles:
    """The pieces of all jobs of one node. Calls block; from any thread.

    Args:
        directory: made if it does not exist.
        key: 32 bytes.
        most: bytes of all jobs together.

    Raises FileUnusable where the disk fails.
    """

    def __init__(self, directory: Path, key: bytes, most: int) -> None:
        self._directory = directory
        self._key = key
        self._most = most
        self._order = threading.Lock()
        make_private_directory(directory)
        self._kept = sum(map(_room, directory.glob("*/*/*")))

    def __repr__(self) -> str:
        return f"<PartFiles {self._directory}: {self._kept} bytes>"

    def put(self, job: str, name: str, part: int, content: bytes) -> None:
        """Keep a piece. PartsTooLarge if it does not fit under the limit."""
        with self._order:
            where = self._place(job, name)
            if self._kept + max(_PAGE, len(content)) > self._most:
                raise PartsTooLarge(
                    f"this node keeps {self._most} bytes that others dealt to it at most, and has {self._kept}: wait "
                    "for other jobs to end, or let its operator raise limits.dealt_bytes in node.toml"
                )
            make_private_directory(where.parent)
            make_private_directory(where)
            file = self._file(job, name, part)
            before = _room(file.path)
            file.store([content])
            self._kept += _room(file.path) - before

    def read(self, job: str, name: str) -> Pieces:
        """All pieces in order. PartsMissing if there are none, or one between them is not here."""
        where = self._place(job, name)
        numbers = sorted(int(path.name) for path in where.glob("[0-9]*")) if where.is_dir() else []
        if not numbers:
            raise PartsMissing(f"job {job}: nothing was dealt to this node as {name}")
        if numbers != list(range(len(numbers))):
            raise PartsMissing(f"job {job}: a piece of {name} did not come to this node")
        return Pieces(tuple(self._file(job, name, part) for part in numbers))

    def drop(self, job: str) -> None:
        """Delete all of a job. Nothing the second time."""
        with self._order:
            where = self._directory / job
            if _JOB.fullmatch(job) and where.is_dir():
                before = sum(map(_room, where.glob("*/*")))
                with contextlib.suppress(OSError):
                    shutil.rmtree(where)
                self._kept -= before - sum(map(_room, where.glob("*/*")))

    def jobs(self) -> list[str]:
        """Of which there are pieces."""
        return [path.name for path in self._directory.iterdir() if _JOB.fullmatch(path.name)]

    def _file(self, job: str, name: str, part: int) -> SealedFile:
        context = f"accord part {job} {name} {part}".encode()
        return SealedFile(self._place(job, name) / f"{part:08d}", self._key, context)

    def _place(self, job: str, name: str) -> Path:
        if not _JOB.fullmatch(job) or not _NAME.fullmatch(name) or name == CHECKPOINTS:
            raise PartsMissing("a job's id has 32 hex digits, a part's name 1 to 64 of a-z, 0-9, - and _")
        return self._directory / job / name


def _room(path: Path) -> int:
    """Bytes that a piece counts for: a page at least, for no number of empty pieces is free. 0 for what is none."""
    return max(_PAGE, path.stat().st_size) if path.is_file() and path.parent.name != CHECKPOINTS else 0
