"""Jobs that a person has to approve, as a node's store has them: which wait, why, and what was said.

A person's word never goes beyond the policy: what a clause denies stays denied. Same file as the jobs, same manners.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from parties.disk.sqlite_file import SqliteFile
from parties.errors import ApprovalAwaited, ApprovalUnknown, PolicyDenied
from parties.jobs.job import Job
from parties.log.audit import AuditLog
from parties.planning.job_work import Consent

__all__ = ["APPROVAL_SCHEMA", "Approvals", "Waiting"]

APPROVAL_SCHEMA = """
CREATE TABLE IF NOT EXISTS approval (
    id TEXT PRIMARY KEY REFERENCES job (id), since REAL NOT NULL, why TEXT NOT NULL, told TEXT NOT NULL,
    approved INTEGER, person TEXT, at REAL) STRICT, WITHOUT ROWID;
"""

_COLUMNS = "id, since, why, told, approved, person, at"


@dataclass(frozen=True)
class Waiting:
    """A job that waits, or waited, for a person.

    Attributes:
        job: its id.
        since: Unix time in seconds.
        why: which clauses ask for a person.
        told: what the job asks of this member, as the log has it.
        approved: True or False once somebody decided; None before.
        person: who did.
        at: when.
    """

    job: str
    since: float
    why: str
    told: dict[str, Any]
    approved: bool | None
    person: str | None
    at: float | None


class Approvals:
    """The part of a job_store.JobStore that asks people.

    Args:
        file: with job_records.SCHEMA and APPROVAL_SCHEMA.
        audit: the log.
    """

    def __init__(self, file: SqliteFile, audit: AuditLog) -> None:
        self._file = file
        self._audit = audit

    def check(self, job: Job, consent: Consent, member: str, now: float) -> None:
        """Nothing if a person approved the job. Else it waits, from now on: ApprovalAwaited; or PolicyDenied.

        What was approved, or is looked at, is what the policy asked a person about: if it asks about something else by
        now, the job waits anew.
        """
        found = self.find(job.id)
        if found is not None and found.approved is not False and found.why != consent.waits:
            found = None
        if found is None:
            with self._file.transaction():
                self._file.change(
                    "INSERT OR REPLACE INTO approval (id, since, why, told) VALUES (?, ?, ?, ?)",
                    job.id, now, consent.waits, json.dumps(consent.told),
                )  # fmt: skip
                self._audit.note("waits", now, job=job.id, why=consent.waits, **consent.told)
        if found is None or found.approved is None:
            raise ApprovalAwaited(f"job {job.id} waits for a person at {member}: {consent.waits}")
        if not found.approved:
            raise PolicyDenied(f"job {job.id}: {found.person} of {member} looked at it and denied it")

    def find(self, job_id: str) -> Waiting | None:
        """What there is of a job."""
        row = self._file.one(f"SELECT {_COLUMNS} FROM approval WHERE id = ?", job_id)
        return None if row is None else _read(row)

    def waiting(self) -> list[Waiting]:
        """Jobs that are PROPOSED here and wait, the oldest first."""
        rows = self._file.read(
            f"SELECT {_COLUMNS} FROM approval JOIN job USING (id) WHERE approved IS NULL AND state = 'PROPOSED' "
            "ORDER BY since"
        )
        return [_read(row) for row in rows]

    def approved(self, most: int = 100) -> list[Waiting]:
        """Those that somebody approved, the latest first."""
        rows = self._file.read(f"SELECT {_COLUMNS} FROM approval WHERE approved = 1 ORDER BY at DESC LIMIT ?", most)
        return [_read(row) for row in rows]

    def decide(self, job_id: str, approved: bool, person: str, now: float) -> None:
        """A person's word. ApprovalUnknown for a job that does not wait here (any more)."""
        found = self.find(job_id)
        if found is None or found.approved is not None:
            waiting = ", ".join(one.job for one in self.waiting()) or "none"
            raise ApprovalUnknown(f"job {job_id[:32]}: it does not wait for a person here; jobs that do: {waiting}")
        with self._file.transaction():
            self._file.change(
                "UPDATE approval SET approved = ?, person = ?, at = ? WHERE id = ?", approved, person, now, job_id
            )
            self._audit.note("approved" if approved else "denied", now, job=job_id, person=person)


def _read(row: Any) -> Waiting:
    job, since, why, told, approved, person, at = row
    return Waiting(job, since, why, json.loads(told), None if approved is None else bool(approved), person, at)
