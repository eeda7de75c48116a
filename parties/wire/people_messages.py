"""What a member's own people say to its node, and hear from it: fields and bounds. Pure."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from parties.wire.meeting import Table
from parties.wire.message_form import (
    Count,
    Digest,
    Fingerprint,
    JobId,
    MemberName,
    Object,
    Purpose,
    State,
    Strict,
    Text,
    Word,
)

__all__ = [
    "MOST_APPROVE",
    "MOST_SUBMIT",
    "Approval",
    "Approvals",
    "Approve",
    "Consortium",
    "ForkView",
    "JobList",
    "JobProgress",
    "JobView",
    "MemberTables",
    "MemberView",
    "NodeStatus",
    "Submit",
    "TableChoice",
]

MOST_SUBMIT = 1 << 20
"""Bytes of a Submit."""

MOST_APPROVE = 1 << 10
"""Bytes of an Approve."""

Kind = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_.-]{0,63}$", min_length=1, max_length=64)]
TableName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$", min_length=1, max_length=64)]
UnixTime = Annotated[float, Field(ge=0, le=1e11, allow_inf_nan=False)]


class TableChoice(Strict):
    """One member's table."""

    member: MemberName
    table: TableName


class Submit(Strict):
    """What somebody asks the consortium to compute.

    Attributes:
        kind: names the program.
        parameters: a JSON object; what they mean, the kind knows.
        tables: in the order the kind wants.
        results: names of the members that receive the answer.
        deadline: seconds it may take: 1 to 30 days.
        on_loss: what becomes of it when a member is lost.
        purpose: what for, as the owners' policies have it.
        key: of the client's choice, drawn at random say. The same key again is the same job, not another one.
        fresh: False: an identical question that was answered before gives that job, and costs nothing (replays.py).
    """

    kind: Kind
    parameters: Object
    tables: Annotated[list[TableChoice], Field(max_length=1000)]
    results: Annotated[list[MemberName], Field(min_length=1, max_length=1000)]
    deadline: Annotated[int, Field(ge=1, le=30 * 24 * 3600)]
    on_loss: Literal["abort", "wait"] = "abort"
    purpose: Purpose | Literal[""] = ""
    key: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    fresh: bool = False


class JobView(Strict):
    """One job, as this node has it.

    Attributes:
        proposer: name of the member whose node made it; '' if it is a member no longer.
        by: who of the proposer's people asked for it, as its node says; '' if it does not.
        purpose: what for, as they said.
        proposed, changed: Unix seconds.
        error, cause: of ABORTED: the class of the error, and its text; else ''.
        answer: whether its answer is here.
        replayed: in the answer to a Submit: whether it was asked for before, and is given for an identical question.
    """

    job: JobId
    kind: Kind
    state: State
    proposer: MemberName | Literal[""]
    by: Annotated[str, StringConstraints(max_length=64)] = ""
    purpose: Purpose | Literal[""] = ""
    proposed: UnixTime
    changed: UnixTime
    deadline: Annotated[int, Field(ge=1, le=30 * 24 * 3600)]
    error: Word | Literal[""] = ""
    cause: Text = ""
    answer: bool = False
    replayed: bool = False


class Approval(Strict):
    """A job that waits for a person at this node.

    Attributes:
        since: Unix seconds.
        why: the clauses that ask for one.
        asks: what the job asks of this member, as the log tells it.
        parameters: of the job.
        before: id of the job most like it that was approved here; '' if none was.
        differences: what it asks otherwise than that one, line by line.
    """

    job: JobId
    since: UnixTime
    why: Text
    asks: Object
    parameters: Object = Field(default_factory=dict)
    before: JobId | Literal[""] = ""
    differences: Annotated[list[Text], Field(max_length=10_000)] = Field(default_factory=list)


class Approvals(Strict):
    """Those that wait, the oldest first."""

    waiting: list[Approval]


class Approve(Strict):
    """What a person says.

    Attributes:
        approved: whether the job may go on.
    """

    approved: bool


class JobList(Strict):
    """Jobs, the latest first.

    Attributes:
        before: give it back to get those before; None: there are none.
    """

    jobs: Annotated[list[JobView], Field(max_length=1000)]
    before: Count | None = None


class JobProgress(Strict):
    """A line of a job's progress. The last one has the state RELEASED, and answer true, or ABORTED.

    Attributes:
        operation: what the workers do.
        rounds, sent: so far; bytes.
        fraction: done, 0 to 1; None: not known.
        error, cause, answer: as in JobView.
    """

    state: State
    operation: Annotated[str, StringConstraints(max_length=200)] = ""
    rounds: Count = 0
    sent: Count = 0
    fraction: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    error: Word | Literal[""] = ""
    cause: Text = ""
    answer: bool = False


class MemberTables(Strict):
    """What one member publishes; ``error`` if its node could not be asked, and what it published last, if anything."""

    member: MemberName
    tables: Annotated[list[Table], Field(max_length=1000)]
    error: Text = ""


class Consortium(Strict):
    """What all members publish."""

    members: Annotated[list[MemberTables], Field(max_length=1000)]


class MemberView(Strict):
    """How another member looks from here.

    Attributes:
        up: whether its node is heard.
        since: Unix seconds; 0 if it was never heard.
        cause: why it is not.
    """

    member: MemberName
    up: bool
    since: UnixTime
    cause: Text = ""


class ForkView(Strict):
    """Two heads of a member's log of which none goes on from the other: it shows, or showed, two logs.

    Attributes:
        found: Unix seconds.
        entries: numbers of the two entries.
        digests: theirs.
    """

    member: MemberName
    found: UnixTime
    entries: Annotated[list[Count], Field(min_length=2, max_length=2)]
    digests: Annotated[list[Digest], Field(min_length=2, max_length=2)]


class NodeStatus(Strict):
    """This node.

    Attributes:
        lanes: how many are connected.
        open_jobs: how many are not over.
        forked: logs of other members that do not go on; the latest, at most 1,000.
    """

    member: MemberName
    fingerprint: Fingerprint
    release: Annotated[str, StringConstraints(max_length=32)]
    consortium: Annotated[str, StringConstraints(max_length=64)]
    charter: Digest
    version: Annotated[int, Field(ge=1, le=10**6)]
    time: UnixTime
    started: UnixTime
    lanes: Count
    open_jobs: Count
    members: Annotated[list[MemberView], Field(max_length=1000)]
    forked: Annotated[list[ForkView], Field(max_length=1000)] = Field(default_factory=list)
