"""What a receipt says in words: who asked what, for what, under which noise. Made of its signed parts alone. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from parties.consent.rules import uses_of
from parties.data.description import read_description
from parties.jobs.job import Job
from parties.jobs.statement import Statement
from parties.kinds.kind import Plan
from parties.membership.charter import Charter
from protocols.accounting import Event

__all__ = ["Facts", "facts_of"]


@dataclass(frozen=True)
class Facts:
    """See above; plain data, for JSON.

    Attributes:
        job, kind, purpose: as the job has them; analyst: as the proposer's node knows them.
        proposer: name of the member whose people asked; proposed: when, by its clock, Unix time in seconds.
        results: members that receive the answer.
        parameters: of the kind; of a query its SQL and what it may tell.
        tables: of each its member, its name, what each column is used for, whether rows are counted, and the digest of
            the policy its owner decided by.
        mechanisms: of each part of the noise its kind and parameters, how many figures, and its standard deviation in
            the figures' unit.
        epsilon, delta: all the job spends; beside: what of that is no noise on figures, as [epsilon, delta].
        minimum: least rows, by their noised count, of a group that is told; None: no figures are told.
        leaks: what compute members learn on the way.
        plan: its digest.
        software: digests of the programs that members ran, by name; log: number of the entry of each one's audit log.
    """

    job: str
    kind: str
    proposer: str
    analyst: str
    purpose: str
    proposed: int
    results: Sequence[str]
    parameters: Mapping[str, Any]
    tables: Sequence[Mapping[str, Any]]
    mechanisms: Sequence[Mapping[str, Any]]
    epsilon: float
    delta: float
    beside: Sequence[float]
    minimum: int | None
    leaks: Sequence[str]
    plan: str
    software: Mapping[str, str]
    log: Mapping[str, int]

    @property
    def fields(self) -> dict[str, Any]:
        """By name."""
        return dataclasses.asdict(self)


def facts_of(
    job: Job, charter: Charter, tables: Sequence[str], plan: Plan, statements: Mapping[str, Statement]
) -> Facts:
    """Of a job, what is published of its tables, the plan made of both, and what its participants state.

    Raises FilterInvalid for a filter that a table cannot be asked with.
    """
    asked = []
    for ask, text in zip(plan.asks, tables, strict=True):
        uses = uses_of(plan, ask, read_description(text.encode()))
        asked.append(
            {
                "member": ask.member,
                "table": ask.table,
                "columns": {name: sorted(uses[name]) for name in sorted(uses)},
                "counts": ask.counts,
                "policy": statements[ask.member].policies.get(ask.table),
            }
        )
    return Facts(
        job=job.id,
        kind=job.kind,
        proposer=charter.by_fingerprint[job.proposer].name,
        analyst=job.analyst,
        purpose=job.purpose,
        proposed=job.proposed,
        results=list(job.results),
        parameters=dict(job.parameters),
        tables=asked,
        mechanisms=[_mechanism(event) for event in plan.events],
        epsilon=plan.epsilon,
        delta=plan.delta,
        beside=list(plan.spent),
        minimum=plan.minimum,
        leaks=list(plan.leaks),
        plan=plan.digest,
        software={name: statement.software for name, statement in statements.items()},
        log={name: statement.head.number for name, statement in statements.items()},
    )


def _mechanism(event: Event) -> dict[str, Any]:
    mechanism = event.mechanism
    parameters = {f.name: getattr(mechanism, f.name) for f in dataclasses.fields(mechanism)}  # type: ignore[arg-type]
    return {
        "noise": type(mechanism).__name__,
        "parameters": parameters,
        "figures": event.coordinates,
        "standard_deviation": event.standard_error,
    }
