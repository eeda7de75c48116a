"""A job's quote, before anything of it runs: what members answer each other, and the plan card made of it. Pure.

The card is what a person looks at before the job is asked for: figures and their errors, every owner's verdict, clause
by clause, what is spent and what is left, how long it takes. A quote changes nothing and reserves nothing.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from parties.wire.message_form import (
    MOST_JOB,
    Descriptions,
    Digest,
    JobId,
    JobText,
    MemberName,
    Message,
    Object,
    Purpose,
    Strict,
    Text,
    Word,
)
from parties.wire.people_messages import Kind, TableName

__all__ = [
    "MOST_CARD",
    "Clause",
    "Cost",
    "Figure",
    "Left",
    "ModelView",
    "OwnerView",
    "PlanCard",
    "Quote",
    "Quoted",
    "TableView",
]

MOST_CARD = 4 << 20
"""Bytes of a plan card."""

_Column = Annotated[str, StringConstraints(max_length=256)]
_Verdict = Literal["allowed", "ask", "denied"]
_Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Left = Annotated[float, Field(allow_inf_nan=False)]


class Clause(Strict):
    """What one clause of a policy says: policy_terms.Finding.

    Attributes:
        column: '' for the table as a whole.
    """

    clause: Word
    column: _Column
    verdict: _Verdict
    text: Text
    remedy: Text = ""


class Left(Strict):
    """What may still be told of a person of a table after the job: epsilon at ``delta``; None: without limit.

    Below 0: so much is missing, 10^12 or more where it is that. ``days``: of the period.
    """

    delta: _Amount
    days: Annotated[int, Field(ge=1, le=10**6)]
    analyst: _Left | None
    period: _Left | None
    ever: _Left | None


class TableView(Strict):
    """What a job asks of one table, and what its owner's policy says.

    Attributes:
        policy: digest; '' if the owner signed none.
        columns: by name, what each is used for.
        counts: whether rows or people are counted.
        left: None where nothing is spent.
    """

    table: TableName
    policy: Digest | Literal[""]
    verdict: _Verdict
    columns: dict[_Column, list[Word]]
    counts: bool
    clauses: Annotated[list[Clause], Field(max_length=10_000)]
    left: Left | None = None


class ModelView(Strict):
    """What the rules of a model say to a job that would score with it. ``model``: its name and version."""

    model: Annotated[str, StringConstraints(max_length=80)]
    verdict: _Verdict
    clauses: Annotated[list[Clause], Field(max_length=1000)]


class Quoted(Strict):
    """What the policies of the answering member's tables, and the rules of its model, say to a job."""

    tables: Annotated[list[TableView], Field(max_length=1000)]
    models: list[ModelView] = Field(default_factory=list, max_length=1)


class Quote(Message[Quoted]):
    """What would your policies say to this job? Of the asking member's own. Nothing is kept.

    Attributes:
        job, tables: as in Propose.
    """

    path = "/v1/job/quote"
    most = 6 * MOST_JOB
    answers = Quoted
    job: JobText
    tables: Descriptions


class OwnerView(Strict):
    """One owner: its tables and its model, or why its node could not say."""

    member: MemberName
    tables: Annotated[list[TableView], Field(max_length=1000)]
    models: list[ModelView] = Field(default_factory=list, max_length=1)
    error: Text = ""


class Figure(Strict):
    """A figure that would be told.

    Attributes:
        name: such as SUM(age).
        error: standard deviation of its noise; None: not known beforehand, or none.
        by_rows: whether the error is this, divided by how many rows there are.
    """

    name: Text
    error: _Amount | None
    by_rows: bool = False


class Cost(Strict):
    """What a job takes on the nodes' machines, as foretold. See costs.py.

    Attributes:
        seconds: from the call to the answer.
        megabytes: MB (10^6 bytes) that all compute members send together.
        rounds: of the computation.
        round_trip: seconds of one between the compute members farthest apart, as they measure it; it is in ``seconds``.
    """

    seconds: _Amount
    megabytes: _Amount
    rounds: _Amount = 0.0
    round_trip: _Amount = 0.0


class PlanCard(Strict):
    """A job before it is asked for.

    Attributes:
        verdict: of all owners: one that denies ends the job; ``ask``: a person has to approve it. An owner whose node
            could not say counts as one who denies.
        plan: digest.
        tables: member.table, in the job's order.
        epsilon, delta: the job's.
        groups: figures are told of so many.
        minimum: of rows in a group that is shown, by its noised count; None: no figures.
        leaks: what compute members learn on the way.
        replays: id of a job that answered the same before, which would be given, free; '' if there is none.
        explained: what each owner runs and what runs on shares, line by line; '' where the kind does not say.
    """

    verdict: _Verdict
    kind: Kind
    parameters: Object
    purpose: Purpose | Literal[""]
    by: Annotated[str, StringConstraints(max_length=64)]
    results: Annotated[list[MemberName], Field(max_length=1000)]
    tables: Annotated[list[Annotated[str, StringConstraints(max_length=128)]], Field(max_length=1000)]
    plan: Digest
    epsilon: _Amount
    delta: _Amount
    groups: Annotated[int, Field(ge=1, le=1 << 40)]
    minimum: Annotated[int, Field(ge=1, le=1 << 40)] | None
    figures: Annotated[list[Figure], Field(max_length=10_000)]
    leaks: Annotated[list[Text], Field(max_length=100)]
    explained: Annotated[str, StringConstraints(max_length=1 << 20)]
    owners: Annotated[list[OwnerView], Field(max_length=1000)]
    cost: Cost
    replays: JobId | Literal[""] = ""
