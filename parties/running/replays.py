"""Questions this node's people asked before: an identical one gets the answer that was paid for, and costs nothing.

Identical: of one kind, with the same parameters, about the same tables as published then, for the same receivers and
the same purpose. Noise is not drawn again, so nothing more is told of anybody. The rows may have changed since; who
wants to know asks afresh, and pays again.
"""

from __future__ import annotations

import hashlib
import json

from parties.disk.sqlite_file import SqliteFile
from parties.jobs.job import Job

__all__ = ["Replays", "question_of"]


class Replays:
    """In the file of a node's jobs.

    Args:
        file: with job_records.SCHEMA.
    """

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    def note(self, job: Job) -> None:
        """This node's people ask it; within the transaction that keeps it."""
        self._file.change("INSERT INTO question VALUES (?, ?)", question_of(job), job.id)

    def find(self, job: Job) -> str | None:
        """Id of the latest released one that asked the same, whose answer is still kept by whom it was for."""
        row = self._file.one(
            "SELECT job.id FROM question JOIN job USING (id) "
            "WHERE digest = ? AND state = 'RELEASED' AND purged = 0 ORDER BY number DESC LIMIT 1",
            question_of(job),
        )
        return None if row is None else str(row[0])


def question_of(job: Job) -> str:
    """SHA-256, hex, of all that makes two questions one. Pure."""
    asked = {
        "kind": job.kind,
        "parameters": job.parameters,
        "tables": [list(pair) for pair in job.tables],
        "published": list(job.published),
        "results": list(job.results),
        "purpose": job.purpose,
        "proposer": job.proposer,
    }
    return hashlib.sha256(json.dumps(asked, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
