"""Heads of other members' logs on a node's disk: those they showed with their acceptances, and which were checked.

Same file as the jobs, same manners. A head is kept in the transaction that keeps the acceptances; when its job is over
it is checked once, against the one checked last (head_watch.py). Of those that were checked only that one stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from parties.disk.chain import Head
from parties.disk.sqlite_file import SqliteFile
from parties.log.audit import AuditLog

__all__ = ["HEAD_SCHEMA", "Fork", "Heads", "KeptHead"]

HEAD_SCHEMA = """
CREATE TABLE IF NOT EXISTS head (
    shown INTEGER PRIMARY KEY AUTOINCREMENT, job TEXT NOT NULL, member TEXT NOT NULL, log TEXT NOT NULL,
    number INTEGER NOT NULL, digest TEXT NOT NULL, checked INTEGER NOT NULL DEFAULT 0,
    UNIQUE (log, number, digest)) STRICT;
CREATE TABLE IF NOT EXISTS fork (
    log TEXT NOT NULL, member TEXT NOT NULL, at REAL NOT NULL, number INTEGER NOT NULL, digest TEXT NOT NULL,
    later_number INTEGER NOT NULL, later_digest TEXT NOT NULL,
    PRIMARY KEY (log, number, digest, later_number, later_digest)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS to_compare (
    job TEXT NOT NULL, member TEXT NOT NULL, PRIMARY KEY (job, member)) STRICT, WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class KeptHead:
    """One.

    Attributes:
        shown: counts heads in the order in which they were shown here.
        member: name of the member whose log it is.
        head: of it.
        checked: whether it is the one that was checked last.
    """

    shown: int
    member: str
    head: Head
    checked: bool


@dataclass(frozen=True, slots=True)
class Fork:
    """Two heads a member showed, of which none goes on from the other.

    Attributes:
        member: its name.
        at: when that was found, Unix seconds.
        one, other: the heads, that with the lower number first.
    """

    member: str
    at: float
    one: Head
    other: Head


class Heads:
    """The part of a job_store.JobStore that keeps heads.

    Args:
        file: with job_records.SCHEMA and HEAD_SCHEMA.
        audit: the log; heads of this member's own are not kept here.
    """

    def __init__(self, file: SqliteFile, audit: AuditLog) -> None:
        self._file = file
        self._audit = audit

    def keep(self, job: str, heads: Mapping[str, Head]) -> None:
        """Those that members showed when they accepted a job, by name; within a transaction."""
        for member, head in heads.items():
            if head.log != self._audit.chain.log:
                self._file.change(
                    "INSERT OR IGNORE INTO head (job, member, log, number, digest) VALUES (?, ?, ?, ?, ?)",
                    job, member, head.log, head.number, head.digest,
                )  # fmt: skip
                self._file.change("INSERT OR IGNORE INTO to_compare VALUES (?, ?)", job, member)

    def unchecked(self) -> list[list[KeptHead]]:
        """For each log of which there are such of jobs that are over: they, and the one that was checked last."""
        rows = self._file.read(
            "SELECT shown, head.member, log, head.number, digest, checked FROM head LEFT JOIN job ON job.id = head.job "
            "WHERE checked = 1 OR job.id IS NULL OR state IN ('RELEASED', 'ABORTED') ORDER BY shown"
        )
        found: dict[str, list[KeptHead]] = {}
        for shown, member, log, number, digest, checked in rows:
            found.setdefault(log, []).append(KeptHead(shown, member, Head(log, number, digest), bool(checked)))
        return [heads for heads in found.values() if not all(one.checked for one in heads)]

    def checked(
        self, heads: Iterable[KeptHead], last: KeptHead, forks: Iterable[tuple[Head, Head]], now: float
    ) -> None:
        """These were; ``last`` is what later ones have to go on from. What does not fit together is in the log.

        Args:
            heads: of one log; last among them.
            forks: of them, the lower number first.
        """
        with self._file.transaction():
            for one in heads:
                if one is not last:
                    self._file.change("DELETE FROM head WHERE shown = ?", one.shown)
            self._file.change("UPDATE head SET checked = 1 WHERE shown = ?", last.shown)
            for earlier, later in forks:
                self._fork(last.member, earlier, later, now)

    def to_compare(self) -> dict[str, list[str]]:
        """Jobs that are over, by members with whom it was not compared yet what they were shown of them."""
        found: dict[str, list[str]] = {}
        for job, member in self._file.read(
            "SELECT job, member FROM to_compare LEFT JOIN job ON job.id = job "
            "WHERE job.id IS NULL OR state IN ('RELEASED', 'ABORTED') ORDER BY job.number"
        ):
            found.setdefault(member, []).append(job)
        return found

    def compared(self, jobs: Iterable[str], member: str) -> None:
        """They were."""
        with self._file.transaction():
            for job in jobs:
                self._file.change("DELETE FROM to_compare WHERE job = ? AND member = ?", job, member)

    def forked(self, member: str, one: Head, other: Head, now: float) -> None:
        """A member showed two heads that do not fit together. Again, nothing is noted."""
        with self._file.transaction():
            first, second = sorted((one, other), key=lambda head: (head.number, head.digest))
            self._fork(member, first, second, now)

    def _fork(self, member: str, one: Head, other: Head, now: float) -> None:
        values = (one.log, one.number, one.digest, other.number, other.digest)
        if self._file.one(
            "SELECT 1 FROM fork WHERE log = ? AND number = ? AND digest = ? AND later_number = ? AND later_digest = ?",
            *values,
        ):
            return
        self._file.change("INSERT INTO fork VALUES (?, ?, ?, ?, ?, ?, ?)", one.log, member, now, *values[1:])
        self._audit.note("forked", now, member=member, heads=[one.fields, other.fields])

    def forks(self) -> list[Fork]:
        """All that were found, the first first."""
        rows = self._file.read(
            "SELECT log, member, at, number, digest, later_number, later_digest FROM fork ORDER BY at, log, number"
        )
        return [Fork(row[1], row[2], Head(row[0], *row[3:5]), Head(row[0], *row[5:])) for row in rows]
