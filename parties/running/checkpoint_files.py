"""The newest checkpoints of this node's long jobs, on its disk; their content is encrypted already (checkpoints.py).

Two of each job are kept: while the newest is being made, some members have it and some do not, and all have the one
before.
"""

from __future__ import annotations

import re
from pathlib import Path

from parties.disk.private_files import make_private_directory, remove, write_atomically
from parties.errors import FileUnusable, PartsMissing
from parties.running.part_files import CHECKPOINTS

__all__ = ["CheckpointFiles"]

_NAME = re.compile(r"(\d{8})-([0-9a-z]{1,64})-(\d{1,15})")
_JOB = re.compile(r"[0-9a-f]{32}")
_KEPT = 2


class CheckpointFiles:
    """Of all jobs of one node. Calls block.

    Args:
        directory: that of PartFiles, with whose files of a job these are deleted.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def put(self, job: str, run: str, step: int, data: bytes) -> None:
        """Keep it as the newest. Raises FileUnusable where the disk fails; what was kept stays then."""
        where = self._place(job)
        make_private_directory(where.parent)
        make_private_directory(where)
        there = self._files(job)
        number = int(there[-1][0].name[:8]) + 1 if there else 0
        write_atomically(where / f"{number:08d}-{run}-{step}", data)
        for path, _, _ in there[: len(there) + 1 - _KEPT]:
            remove(path)

    def held(self, job: str) -> list[tuple[str, int]]:
        """(run, step) of those kept, the newest last."""
        return [(run, step) for _, run, step in self._files(job)]

    def read(self, job: str, run: str, step: int) -> bytes:
        """Its data. PartsMissing if it is not here."""
        for path, *which in self._files(job):
            if which == [run, step]:
                try:
                    return path.read_bytes()
                except OSError as error:
                    raise FileUnusable(f"{path} cannot be read: {error.strerror or error}") from None
        raise PartsMissing(f"job {job}: the checkpoint after step {step} of run {run} is not here")

    def _files(self, job: str) -> list[tuple[Path, str, int]]:
        where = self._place(job)
        found = []
        for path in sorted(where.iterdir()) if where.is_dir() else []:
            match = _NAME.fullmatch(path.name)
            if match is not None:
                found.append((path, match[2], int(match[3])))
        return found

    def _place(self, job: str) -> Path:
        if not _JOB.fullmatch(job):
            raise PartsMissing("a job's id has 32 hex digits")
        return self._directory / job / CHECKPOINTS
