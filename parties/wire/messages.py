"""Every message between two nodes about a job: its fields, and what it is answered with. Pure.

A message has a route (its ``path``), a body (the class), and an answer (``answers``), and comes in an Envelope.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from parties.wire.lane_messages import Lane, LaneConnect, LanePrepare
from parties.wire.log_messages import AcceptanceQuery, AcceptancesQuery, EntriesQuery
from parties.wire.message_form import (
    MOST_JOB,
    Acceptance,
    Acceptances,
    Count,
    Descriptions,
    Digest,
    Done,
    JobText,
    Message,
    Name,
    Signature,
    State,
    Strict,
    Text,
    Vote,
    Votes,
)
from parties.wire.quote_messages import Quote

__all__ = [
    "MESSAGES", "Abort", "Accept", "Accepted", "Accepting", "Ballot", "Decided", "Piece", "Prepare", "ProgressReport",
    "Promise", "Propose", "Ready", "Reserve", "Run", "StateAnswer", "StateQuery",
]  # fmt: skip

Value = Literal["release", "abort"]

# -- a job, up to its run ----------------------------------------------------------------------


class Accepting(Strict):
    """The answering member's acceptance: job_signatures.py."""

    acceptance: Acceptance


class Propose(Message[Accepting]):
    """A job, and its proposer's signature.

    Attributes:
        job: canonical JSON.
        signature: the proposer's, over the job's digest.
        tables: what is published about the job's tables (description.describe), in its order, as its digests have it.
    """

    path = "/v1/job/propose"
    most = 6 * MOST_JOB
    answers = Accepting
    job: JobText
    signature: Signature
    tables: Descriptions = Field(default_factory=list)


class Reserve(Message[Done]):
    """All participants' acceptances."""

    path = "/v1/job/reserve"
    most = 4 << 20
    acceptances: Acceptances


class Kept(Strict):
    """A checkpoint of a long job: after ``step`` steps of ``run``. Members go on together from one and the same."""

    run: Annotated[str, StringConstraints(pattern=r"^[0-9a-z]{1,64}$", max_length=64)]
    step: Count


class Run(Message[Done]):
    """Run it in this lane.

    Attributes:
        number: of the run in this making of the lane: 1, 2, ...
        checkpoint: what all compute members go on from; None: from the start.
        acceptances: as in Reserve, which this stands for too, where a lane was free at once; else none.
    """

    path = "/v1/job/run"
    most = 4 << 20
    lane: Lane
    epoch: Count
    number: Annotated[int, Field(ge=1, le=10**9)]
    checkpoint: Kept | None = None
    acceptances: Acceptances = Field(default_factory=dict)


class Abort(Message[Done]):
    """The sender wants it ended, and why.

    Attributes:
        job, signature: as in Propose, for a member that was never told of the job: it must never take it up.
        lane, epoch: from the coordinator, where the job ran: to be answered with an error if that lane broke here.
    """

    path = "/v1/job/abort"
    most = 3 * MOST_JOB
    text: Text
    job: Annotated[str, StringConstraints(min_length=2, max_length=MOST_JOB)] | None = None
    signature: Signature | None = None
    lane: Lane | None = None
    epoch: Count | None = None


class StateAnswer(Strict):
    """What the answering member knows of a job.

    Attributes:
        state: None if it knows no such job, or none that the sender has a part in.
        cause: of ABORTED, else ''.
        voted: whether it voted ready.
        checkpoints: those it keeps, the newest last.
        votes: of RELEASED, every compute member's signed vote: nobody believes it without.
    """

    state: State | None
    cause: Text = ""
    voted: bool = False
    checkpoints: Annotated[list[Kept], Field(max_length=8)] = Field(default_factory=list)
    votes: Votes = Field(default_factory=dict)


class StateQuery(Message[StateAnswer]):
    """How far are you with it?"""

    path = "/v1/job/state"
    answers = StateAnswer


class ProgressReport(Message[Done]):
    """How far the sender's worker is.

    Attributes:
        operation: what it does.
        rounds: so far.
        sent: bytes so far.
        fraction: done, 0 to 1; None: not known.
    """

    path = "/v1/job/progress"
    operation: Annotated[str, StringConstraints(max_length=200)]
    rounds: Count
    sent: Count
    fraction: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None


# -- the decision ------------------------------------------------------------------------------


class Ready(Message[Done]):
    """The sender's vote: its share of the sealed answer is on its disk.

    Attributes:
        epoch: of the lane it ran in.
        vote: job_signatures.py.
    """

    path = "/v1/job/ready"
    epoch: Count
    vote: Vote


class Ballot(Strict):
    """A ballot's number: by round, then by the index of the member who runs it."""

    round: Annotated[int, Field(ge=0, le=10**9)]
    member: Annotated[int, Field(ge=0, le=999)]


class Promise(Strict):
    """An acceptor's answer to Prepare.

    Attributes:
        ballot: the one asked for.
        outbid: a higher one it has promised: the answer is no. None: it promises.
        accepted, value: what it accepted last, if anything.
        votes: for the value ``release``, every compute member's signed vote: it counts as no answer without.
    """

    ballot: Ballot
    outbid: Ballot | None = None
    accepted: Ballot | None = None
    value: Value | None = None
    votes: Votes = Field(default_factory=dict)


class Prepare(Message[Promise]):
    """Phase 1 of a ballot (Lamport 2001)."""

    path = "/v1/decision/prepare"
    answers = Promise
    ballot: Ballot


class Accepted(Strict):
    """An acceptor's answer to Accept.

    Attributes:
        ballot: the one asked for.
        outbid: a higher one it has promised: the answer is no. None: it accepts.
    """

    ballot: Ballot
    outbid: Ballot | None = None


class Accept(Message[Accepted]):
    """Phase 2 of a ballot.

    Attributes:
        votes: for ``release``, every compute member's signed vote.
    """

    path = "/v1/decision/accept"
    most = 256 * 1024
    answers = Accepted
    ballot: Ballot
    value: Value
    votes: Votes = Field(default_factory=dict)


class Decided(Message[Done]):
    """The register holds this, by a compute member's word. It is told for speed: whoever doubts it runs a ballot.

    Attributes:
        text: why, where it is abort.
        votes: for ``release``, every compute member's signed vote.
    """

    path = "/v1/decision/decided"
    most = 256 * 1024
    value: Value
    text: Text = ""
    votes: Votes = Field(default_factory=dict)


# -- shares ------------------------------------------------------------------------------------


class Piece(Strict):
    """What a stream of bytes is: one part of a member's shares. The bytes themselves follow as the request's body.

    Attributes:
        purpose: ``answer``: shares of the sealed answer, for a result member. ``input``: dealt to a compute member.
        name: of what, within the job.
        part, parts: this one, from 0, of how many.
        size: bytes.
        sha256: of the bytes.
    """

    purpose: Literal["answer", "input"]
    name: Name
    part: Annotated[int, Field(ge=0, lt=1 << 20)]
    parts: Annotated[int, Field(ge=1, le=1 << 20)]
    size: Annotated[int, Field(ge=0, le=1 << 32)]
    sha256: Digest


MESSAGES: tuple[type[Message[Any]], ...] = (
    LanePrepare, LaneConnect, Quote, Propose, Reserve, Run, Ready, Prepare, Accept, Decided, StateQuery, Abort,
    ProgressReport, EntriesQuery, AcceptancesQuery, AcceptanceQuery,
)  # fmt: skip
"""All bodies that travel in an envelope; pieces of shares apart."""
