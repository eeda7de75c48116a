"""Jobs that were ended before they began, as a node's store has them: room for so many of each proposer, and an end.

Such a job is kept so that it is never taken up: its proposer's signature is good for as long as the job's deadline is
to come. A day after that nobody takes it up any more (job.check_job), so it can be forgotten. It is, after a month; or
sooner, where its proposer's others need the room. Jobs that began, and released ones, stay.
"""

from __future__ import annotations

from collections.abc import Iterable

from parties.disk.sqlite_file import SqliteFile
from parties.errors import TooManyJobs
from parties.jobs.job import LATE, Job
from parties.jobs.session import Event, Standing
from parties.running.job_records import JobRecord

__all__ = ["MOST_UNBEGUN", "RETENTION", "UnbegunJobs"]

RETENTION = 30 * 24 * 3600.0
"""Seconds for which a job that never began is kept after its end and after its deadline, whichever is later."""

MOST_UNBEGUN = 64 << 20
"""Bytes of them that are kept of one proposer."""

_ROW = 4096  # bytes counted for what is kept of a job beside its form and facts
_TABLES = ("approval", "question", "change", "signature", "acceptor", "sealed", "delivery", "fact", "unbegun")


class UnbegunJobs:
    """The part of a job_store.JobStore that forgets. Same file, same manners, same errors. Times in Unix seconds.

    Args:
        file: with job_records.SCHEMA and approvals.APPROVAL_SCHEMA.
        most: bytes kept of one proposer.
    """

    def __init__(self, file: SqliteFile, most: int = MOST_UNBEGUN) -> None:
        self._file = file
        self._most = most

    def begun(self, job_id: str, standing: Standing) -> bool:
        """Whether a job began here: where this member computes at its run, else at dealing rows to one."""
        event = Event.RUN if standing.computes else Event.RESERVE
        return self._file.one("SELECT 1 FROM change WHERE id = ? AND event = ?", job_id, event.value) is not None

    # -- within a change of job_store.JobStore -------------------------------------------------

    def ended(self, record: JobRecord, now: float) -> None:
        """Note a job that is ABORTED, if it never began here."""
        job = record.job
        if self.begun(job.id, record.standing):
            return
        facts = self._file.read("SELECT coalesce(sum(length(value)), 0) FROM fact WHERE id = ?", job.id)[0][0]
        size = len(job.canonical) + facts + _ROW
        self._file.change("INSERT OR IGNORE INTO unbegun VALUES (?, ?, ?, ?, ?)", job.id, job.proposer, size,
                          float(job.expires), now)  # fmt: skip

    def make_room(self, job: Job, now: float) -> list[str]:
        """Let go of its proposer's that nobody could take up again, if there is no room for this one; gives which.

        TooManyJobs if there is none even so.
        """
        need = len(job.canonical) + _ROW
        if self._bytes(job.proposer) + need <= self._most:
            return []
        late = self._file.read("SELECT id FROM unbegun WHERE proposer = ? AND expires <= ?", job.proposer, now - LATE)
        forgotten = self._drop(job_id for (job_id,) in late)
        kept = self._bytes(job.proposer)
        if kept + need > self._most:
            raise TooManyJobs(
                f"job {job.id}: this node keeps {kept} bytes of its proposer's jobs that ended before they began, and "
                f"{self._most} are the most: a day after the deadline of some there is room again"
            )
        return forgotten

    # -- by itself -----------------------------------------------------------------------------

    def forget(self, now: float) -> list[str]:
        """Let go of those that are old enough; gives their ids."""
        before = now - RETENTION
        with self._file.transaction():
            old = self._file.read("SELECT id FROM unbegun WHERE ended <= ? AND expires <= ?", before, before)
            return self._drop(job_id for (job_id,) in old)

    def _bytes(self, proposer: str) -> int:
        found: int = self._file.read("SELECT coalesce(sum(bytes), 0) FROM unbegun WHERE proposer = ?", proposer)[0][0]
        return found

    def _drop(self, jobs: Iterable[str]) -> list[str]:
        dropped = list(jobs)
        for job_id in dropped:
            for table in _TABLES:
                self._file.change(f"DELETE FROM {table} WHERE id = ?", job_id)
            self._file.change("DELETE FROM job WHERE id = ?", job_id)
        return dropped
