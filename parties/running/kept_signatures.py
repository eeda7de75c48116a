"""What members signed of a node's jobs, as its store has it. Checked before it comes here."""

from __future__ import annotations

from collections.abc import Mapping

from parties.disk.sqlite_file import SqliteFile

__all__ = ["ACCEPTANCE", "VOTE", "Signatures"]

ACCEPTANCE, VOTE = "acceptance", "vote"


class Signatures:
    """A part of a job_store.JobStore; ``file`` with job_records.SCHEMA."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    def keep(self, job_id: str, what: str, signatures: Mapping[str, bytes]) -> None:
        """By member, within a transaction; of one that is here already, the first stays."""
        for member, signature in signatures.items():
            self._file.change("INSERT OR IGNORE INTO signature VALUES (?, ?, ?, ?)", job_id, what, member, signature)

    def of(self, job_id: str, what: str) -> dict[str, bytes]:
        """Those kept, by member."""
        question = "SELECT member, signature FROM signature WHERE id = ? AND what = ? ORDER BY member"
        return dict(self._file.read(question, job_id, what))
