"""Bytes that other members sent for a job before it runs, on this node's disk: encrypted, bounded, gone with the job.

Each piece is a file of its own, AES-256-GCM under a key of the node's, bound to its job, name and number. So a piece
that comes again replaces itself, and none can be put in another's place.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from parties.errors import FileUnusable, PartsMissing, PartsTooLarge
from parties.private_files import make_private_directory, write_atomically

__all__ = ["PartFiles"]

_JOB = re.compile(r"[0-9a-f]{32}")
_NAME = re.compile(r"[a-z0-9]([a-z0-9_-]{0,62}[a-z0-9])?")
_OVERHEAD = 28


class PartFiles:
    """The pieces of all jobs of one node. Calls block.

    Args:
        directory: made if it does not exist.
        key: 32 bytes.
        most: bytes of all jobs together.

    Raises FileUnusable where the disk fails.
    """

    def __init__(self, directory: Path, key: bytes, most: int) -> None:
        self._directory = directory
        self._sealing = AESGCM(key)
        self._most = most
        make_private_directory(directory)
        self._kept = sum(file.stat().st_size for file in directory.glob("*/*/*") if file.is_file())

    def __repr__(self) -> str:
        return f"<PartFiles {self._directory}: {self._kept} bytes>"

    def put(self, job: str, name: str, part: int, content: bytes) -> None:
        """Keep a piece. PartsTooLarge if it does not fit under the limit."""
        where = self._place(job, name)
        if self._kept + len(content) + _OVERHEAD > self._most:
            raise PartsTooLarge(
                f"this node keeps {self._most} bytes that others dealt to it at most, and has {self._kept}: wait for "
                "other jobs to end, or let its operator raise limits.dealt_bytes in node.toml"
            )
        make_private_directory(where.parent)
        make_private_directory(where)
        nonce = os.urandom(12)
        sealed = nonce + self._sealing.encrypt(nonce, content, _bound(job, name, part))
        file = where / f"{part:08d}"
        before = file.stat().st_size if file.exists() else 0
        write_atomically(file, sealed, replace=True)
        self._kept += len(sealed) - before

    def read(self, job: str, name: str) -> Iterator[bytes]:
        """All pieces in order. PartsMissing if there are none, or one between them is not here; or was changed."""
        where = self._place(job, name)
        files = sorted(where.glob("[0-9]*")) if where.is_dir() else []
        if not files:
            raise PartsMissing(f"job {job}: nothing was dealt to this node as {name}")
        for part, file in enumerate(files):
            try:
                if int(file.name) != part:
                    raise PartsMissing(f"job {job}: piece {part} of {name} did not come to this node")
                sealed = file.read_bytes()
                yield self._sealing.decrypt(sealed[:12], sealed[12:], _bound(job, name, part))
            except OSError as error:
                raise FileUnusable(f"{file} cannot be read: {error.strerror or error}") from None
            except (InvalidTag, ValueError):
                raise PartsMissing(f"job {job}: piece {part} of {name} was changed on this node's disk") from None

    def drop(self, job: str) -> None:
        """Delete all of a job. Nothing the second time."""
        if not _JOB.fullmatch(job):
            return
        where = self._directory / job
        if where.is_dir():
            self._kept -= sum(file.stat().st_size for file in where.glob("*/*") if file.is_file())
            with contextlib.suppress(OSError):
                shutil.rmtree(where)

    def jobs(self) -> list[str]:
        """Of which there are pieces."""
        return [path.name for path in self._directory.iterdir() if _JOB.fullmatch(path.name)]

    def _place(self, job: str, name: str) -> Path:
        if not _JOB.fullmatch(job) or not _NAME.fullmatch(name):
            raise PartsMissing("a job's id has 32 hex digits, a part's name 1 to 64 of a-z, 0-9, - and _")
        return self._directory / job / name


def _bound(job: str, name: str, part: int) -> bytes:
    return f"accord part {job} {name} {part}".encode()
