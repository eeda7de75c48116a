"""What is done in a job, apart from its order: the part of a node that reads rows and runs programs, as jobs see it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from parties.disk.chain import Head
from parties.errors import JobInvalid
from parties.jobs.job import Job
from parties.policies.budget import Charge
from parties.wire.messages import Run

__all__ = ["PUBLISHED", "Consent", "Outcome", "Work", "check_described"]

PUBLISHED = "published"
"""The fact of a job under which the descriptions of its tables are kept."""


@dataclass(frozen=True)
class Consent:
    """What this node's rules say to a job that they allow.

    Attributes:
        plan: digest of its plan.
        policies: digests of those it was decided by, by table.
        charge: what it is charged; None: nothing of this member's people is told.
        book: head of the ledger by which it was decided: the charge is good only if it is still the head.
        told: for the log, plain data.
        waits: why a person has to approve it; '': nobody has to.
    """

    plan: str
    policies: Mapping[str, str] = field(default_factory=dict)
    charge: Charge | None = None
    book: Head | None = None
    told: Mapping[str, Any] = field(default_factory=dict)
    waits: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run gave at one compute member. ``share`` is secret; ``facts`` are public, for JSON."""

    share: bytes
    facts: Mapping[str, Any]


class Work(Protocol):
    """What is done in a job, apart from its order. All of it may raise AccordErrors, which end the job."""

    async def consent(self, job: Job, tables: Sequence[str]) -> Consent:
        """What this node's rules say to the job on these described tables; raises why not, and the way out."""
        ...

    async def deal(self, job: Job) -> None:
        """Give the compute members this member's rows, where it does not compute itself."""
        ...

    async def compute(self, job: Job, order: Run) -> Outcome:
        """Run it in this lane. Cancelled, the lane is free again, or gone, when it returns."""
        ...

    async def held(self, job: Job) -> list[tuple[str, int]]:
        """(run, step) of the checkpoints that are kept here, the newest last."""
        ...

    async def may_begin_anew(self, job: Job) -> bool:
        """Whether a job whose run was lost may begin again without a checkpoint."""
        ...


def check_described(job: Job, tables: Sequence[str]) -> None:
    """JobInvalid unless these are the descriptions of the job's tables whose digests it states."""
    if tuple(hashlib.sha256(text.encode()).hexdigest() for text in tables) != job.published:
        raise JobInvalid(f"job {job.id}: the tables' descriptions are not those whose digests it states")
