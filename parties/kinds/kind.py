"""What every kind of job has: a check in the open, a program on shares, an answer made of what is opened. Pure types.

    plan = kind.check(job.parameters, tables, charter)          at every participant, before anything is sent
    outcome = await kind.program(party, line, work)             at every compute member, in its worker
    kind.answer(plan, opened)                                   at the result members

A plan follows from the job and from what is published, so all participants have the same; it says who is asked for
which columns and how much epsilon, and how the sealed answers will look, to the last bit that is public.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from mpc.party import Party
from mpc.scope import checksum, current_scope
from parties.data.published import PublishedTable
from parties.data.row_query import RowQuery
from parties.membership.charter import Charter
from protocols.accounting import Event
from protocols.description import Description, Opened
from protocols.exact import round_up
from protocols.released import charge
from protocols.sealed import Sealed

__all__ = [
    "PRESENT", "Expected", "Kind", "ModelAsk", "Outcome", "Owned", "Plan", "Rows", "TableAsk", "TableInput",
    "TableShape", "Talk", "Work", "outcome_of",
]  # fmt: skip

Rows = Mapping[str, npt.NDArray[Any]]
"""An owner's rows as they were read: columns of one length, cut to their bounds. int64 (integers, booleans, places of
categories, days since 1970-01-01), float64 (reals), and keys as they are, before their profile. Under the name PRESENT
there may be a column of ones, by which rows are known where no other column is asked for."""

PRESENT = ""


@dataclass(frozen=True)
class Owned:
    """A table and whose it is."""

    member: str
    facts: PublishedTable

    @property
    def name(self) -> str:
        """For messages."""
        return f"table {self.facts.name} of {self.member}"


@dataclass(frozen=True)
class TableAsk:
    """What a job asks of one table's owner, for its consent.

    Attributes:
        member, table: whose, and which.
        uses: for each column what it is for: "sum", "group", "filter", "join", "train", "score".
        counts: whether its rows are counted.
        where: which rows, as the job states it (JSON); the owner's node applies it as it reads the table. None: all.
        query: what its owner makes of its rows as it reads them, instead of ``where`` and the columns of ``uses``.
        beside: whether its owner only looks at it as it reads another table: nothing of it comes in.
    """

    member: str
    table: str
    uses: Mapping[str, frozenset[str]]
    counts: bool = False
    where: Any = None
    query: RowQuery | None = None
    beside: bool = False


@dataclass(frozen=True)
class TableShape:
    """How a table comes in: columns of words, filled up to its capacity.

    Attributes:
        rows: the public capacity.
        columns: (name, fractional bits) of each; none of a table that its owner only looks at.
    """

    rows: int
    columns: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class ModelAsk:
    """A model that its owner offers, as the job states it; the owner's node compares that with its own, and decides.

    Attributes:
        version, id: which content, see model_assets.py.
        answer: what of it is asked for: "predict", "predict_proba", "decision_function".
        facts: what is public of it, a model_facts.ModelFacts.
    """

    owner: str
    name: str
    version: int
    id: str
    answer: str
    facts: Any


@dataclass(frozen=True)
class Plan:
    """A job that was checked. Equal at all participants.

    Attributes:
        kind: its name.
        asks: what is asked of each table's owner, in the order of the job's tables.
        shapes: how each table comes in; empty where tables come in otherwise (a join).
        answers: the sealed answers, in order.
        spent: what the job spends beside the answers' noise, as (epsilon, delta).
        leaks: what the compute members learn on the way, in words; empty: nothing.
        receivers: the only members that may receive the answer; None: whom the job names.
        anew: whether a run that was lost may begin anew: not where what it leaks has noise, which would be drawn twice.
        model: a model that a compute member brings in, Work.extra there; None: none.
        minimum: figures are told of groups of so many rows at least, by their noised count; 1: of any; None: no figures
            are told.
        family: of a model that is trained or predicts, such as "logistic"; None: none.
        opens: what of it leaves, of policy_terms.OPENS.
        details: for the kind's program.
        text: all else that decides the program, in one form of writing; "" where there is no more.
    """

    kind: str
    asks: tuple[TableAsk, ...]
    shapes: tuple[TableShape, ...]
    answers: tuple[Description, ...]
    details: Any = field(repr=False)
    spent: tuple[float, float] = (0.0, 0.0)
    leaks: tuple[str, ...] = ()
    receivers: tuple[str, ...] | None = None
    model: ModelAsk | None = None
    anew: bool = True
    minimum: int | None = None
    family: str | None = None
    opens: frozenset[str] = frozenset()
    text: str = ""

    def agree(self) -> None:
        """At the start of a program: parties whose plans differ end in ProgramDiverged. Local."""
        current_scope().note(checksum(self._said))

    @property
    def digest(self) -> str:
        """SHA-256 of all that decides what is computed and told, hex: what members state that they accept."""
        return hashlib.sha256(self._said.encode()).hexdigest()

    @property
    def _said(self) -> str:
        asks = [
            (
                a.member,
                a.table,
                sorted((c, sorted(u)) for c, u in a.uses.items()),
                a.counts,
                repr(a.where),
                repr(a.query),
            )
            for a in self.asks
        ]
        answers = [answer.json for answer in self.answers]
        told = (self.spent, self.leaks, self.receivers, self.model, self.minimum, self.family, sorted(self.opens))
        return repr((self.kind, asks, self.shapes, answers, *told, self.text))

    @property
    def events(self) -> tuple[Event, ...]:
        """What the answers' noise is charged as, for the ledger."""
        return tuple(event for answer in self.answers for event in answer.events)

    @property
    def exact(self) -> bool:
        """Whether what it leaks has no noise."""
        return bool(self.leaks) and self.spent[0] == 0

    @property
    def epsilon(self) -> float:
        """All the job spends, rounded up: what each owner is asked for."""
        return round_up(charge(self.events)[0] + Fraction(self.spent[0]))

    @property
    def delta(self) -> float:
        """Likewise."""
        return round_up(charge(self.events)[1] + Fraction(self.spent[1]))


# -- in a worker -----------------------------------------------------------------------------------


class Talk(Protocol):
    """What a program needs of mpc.line.Line."""

    def send(self, value: Any) -> None: ...


@dataclass(frozen=True, repr=False)
class TableInput:
    """One table, as a compute member has it.

    Attributes:
        owner: index of the compute party that brings it in; None: it was dealt (dealing.py).
        rows: at the owner its rows.
        dealt: where it was dealt, the part this party got, in pieces.
        context: likewise, what it was dealt for.
    """

    owner: int | None
    rows: Rows | None = None
    dealt: Iterable[bytes] | None = None
    context: bytes = b""


@dataclass(frozen=True, repr=False)
class Work:
    """What a worker is given for a job.

    Attributes:
        plan: the same at all.
        tables: as in the job.
        extra: what else the kind takes at this member: a model, a checkpoint.
    """

    plan: Plan
    tables: tuple[TableInput, ...]
    extra: Any = None


@dataclass(frozen=True, repr=False)
class Outcome:
    """What a program gives at one compute member: plain data.

    Attributes:
        descriptions: of the sealed answers, JSON; the same at all, and as planned.
        shares: this member's share of each, bytes. Secret: t + 1 members' open the answers.
        facts: public.
    """

    descriptions: tuple[str, ...]
    shares: tuple[bytes, ...]
    facts: Mapping[str, Any]


async def outcome_of(plan: Plan, sealed: Sequence[Sealed], facts: Mapping[str, Any] | None = None) -> Outcome:
    """The outcome of a program that sealed its answers; every party calls it. Rounds: 1."""
    assert tuple(one.description for one in sealed) == plan.answers, "a program that seals what it did not announce"
    shares = [await one.share() for one in sealed]
    told = {"epsilon": plan.epsilon, "delta": plan.delta, "standard_errors": _errors(plan), **(facts or {})}
    return Outcome(tuple(answer.json for answer in plan.answers), tuple(share.to_bytes() for share in shares), told)


def _errors(plan: Plan) -> list[float | None]:
    """Of each answer: the standard deviation of its noise; None where it depends on the answer, or there is none."""
    return [answer.events[0].standard_error if answer.kind == "figures" else None for answer in plan.answers]


@dataclass(frozen=True)
class Expected:
    """A figure that a job would tell.

    Attributes:
        error: standard deviation of its noise; None: not known beforehand, or there is none.
        by_rows: whether the error is that, divided by how many rows there are.
    """

    name: str
    error: float | None
    by_rows: bool = False

    @classmethod
    def of(cls, name: str, event: Event, by_rows: bool = False) -> Expected:
        """A figure with the noise of this event."""
        return cls(name, event.standard_error, by_rows)


@dataclass(frozen=True)
class Kind:
    """A kind of job.

    Attributes:
        name: as in Job.kind.
        check: (parameters, tables in the job's order, charter) -> Plan. Raises JobUnfit and what its parts raise, each
            with the way out; pure.
        encode: (plan, place of the table, some of its owner's rows) -> words (columns, rows). Plaintext, at the owner.
            None where rows come in otherwise.
        program: (party, line, work) -> Outcome; sent to workers by reference.
        answer: (plan, what each sealed answer was opened to) -> plain data for JSON.
        keeps: whether its program keeps checkpoints, and goes on from one: Work.extra is a Checkpointing then.
        tables: of a kind whose parameters say which tables they are about: (parameters, all that are published) -> (the
            job's tables, as (member, table); whether they depend on nothing but these members' tables). None: whoever
            asks names them.
        free: whether its answers cost nothing: an identical question is computed anew, of the rows as they are then.
        expects: what a plan's figures would be, for who looks at it before.
        explain: a plan in words, line by line; None: there is no more to say than its fields do.
    """

    name: str
    check: Callable[[Mapping[str, Any], Sequence[Owned], Charter], Plan]
    encode: Callable[[Plan, int, Rows], npt.NDArray[np.uint64]] | None
    program: Callable[[Party, Talk, Work], Awaitable[Outcome]]
    answer: Callable[[Plan, Sequence[Opened]], dict[str, Any]]
    keeps: bool = False
    tables: Callable[[Mapping[str, Any], Sequence[Owned]], tuple[tuple[tuple[str, str], ...], bool]] | None = None
    free: bool = False
    expects: Callable[[Plan], Sequence[Expected]] = lambda plan: ()
    explain: Callable[[Plan], str] | None = None
