"""What a node keeps of a job, as it is read from its disk, and the tables it lies in."""

from __future__ import annotations

from dataclasses import dataclass, field

from parties.disk.sqlite_file import Row
from parties.jobs.job import Job, read_job
from parties.jobs.session import Event, Standing, State

__all__ = [
    "COLUMNS",
    "SCHEMA",
    "VERSION",
    "Change",
    "JobRecord",
    "read_record",
]

VERSION = 2

SCHEMA = """
CREATE TABLE IF NOT EXISTS owner (version INTEGER NOT NULL, proof BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS job (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, canonical BLOB NOT NULL, proposal BLOB NOT NULL,
    state TEXT NOT NULL, computes INTEGER NOT NULL, voted INTEGER NOT NULL, purged INTEGER NOT NULL DEFAULT 0,
    added REAL NOT NULL, changed REAL NOT NULL, cause TEXT NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS open_job ON job (number) WHERE state NOT IN ('RELEASED', 'ABORTED');
CREATE TABLE IF NOT EXISTS change (
    id TEXT NOT NULL REFERENCES job (id), time REAL NOT NULL, event TEXT NOT NULL, state TEXT NOT NULL,
    cause TEXT NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS change_of ON change (id);
CREATE TABLE IF NOT EXISTS signature (
    id TEXT NOT NULL REFERENCES job (id), what TEXT NOT NULL, member TEXT NOT NULL, signature BLOB NOT NULL,
    PRIMARY KEY (id, what, member)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS acceptor (
    id TEXT PRIMARY KEY REFERENCES job (id), promised_round INTEGER NOT NULL, promised_member INTEGER NOT NULL,
    accepted_round INTEGER, accepted_member INTEGER, value TEXT) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sealed (
    id TEXT NOT NULL REFERENCES job (id), what TEXT NOT NULL, content BLOB NOT NULL, PRIMARY KEY (id, what)) STRICT;
CREATE TABLE IF NOT EXISTS delivery (
    id TEXT NOT NULL REFERENCES job (id), member TEXT NOT NULL, time REAL,
    PRIMARY KEY (id, member)) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS undelivered ON delivery (id) WHERE time IS NULL;
CREATE TABLE IF NOT EXISTS fact (
    id TEXT NOT NULL REFERENCES job (id), name TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (id, name)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS unbegun (
    id TEXT PRIMARY KEY REFERENCES job (id), proposer TEXT NOT NULL, bytes INTEGER NOT NULL, expires REAL NOT NULL,
    ended REAL NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS question (
    digest TEXT NOT NULL, id TEXT NOT NULL REFERENCES job (id), PRIMARY KEY (digest, id)) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS unbegun_of ON unbegun (proposer);
"""

COLUMNS = "number, canonical, proposal, state, computes, voted, purged, added, changed, cause"


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A job as this node has it.

    Attributes:
        number: counts this node's jobs, in the order they came.
        job: what is computed.
        proposal: the proposer's signature.
        standing: its state here.
        purged: whether its share and answer were deleted for their age.
        added, changed: Unix time in seconds: when it came, and of its last step.
        cause: of the last step, in words for people.
    """

    number: int
    job: Job
    proposal: bytes = field(repr=False)
    standing: Standing
    purged: bool
    added: float
    changed: float
    cause: str

    @property
    def state(self) -> State:
        """``standing.state``."""
        return self.standing.state


@dataclass(frozen=True, slots=True)
class Change:
    """One step in a job's history. The first, with no event, is its coming here."""

    time: float
    event: Event | None
    state: State
    cause: str


def read_record(row: Row) -> JobRecord:
    """From COLUMNS."""
    number, canonical, proposal, state, computes, voted, purged, added, changed, cause = row
    standing = Standing(State(state), bool(computes), bool(voted))
    return JobRecord(number, read_job(canonical), proposal, standing, bool(purged), added, changed, cause)
