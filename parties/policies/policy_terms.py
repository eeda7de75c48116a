"""What an owner's policy says, what a job asks of it, and what a clause finds: the terms of policy.py. Pure."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

__all__ = [
    "CAPABILITIES", "OPENS", "TABLE", "TELLS", "Asked", "Finding", "Limits", "Models", "Policy", "Rule", "Spent",
    "Verdict", "capability",
]  # fmt: skip

CAPABILITIES = ("count", "join", "group", "filter", "sum", "train", "predict", "release")
"""``release``: figures and coefficients computed of the column may leave, with noise. ``count`` is the table's."""

TELLS = frozenset({"sum", "group", "train"})
"""Capabilities by which something of the column leaves, so that ``release`` is needed beside."""

TABLE = ""
"""The column that stands for the table as a whole."""

OPENS = ("coefficients", "metric", "loss")
"""What of a model may leave, with noise."""


def capability(use: str) -> str:
    """What a use that is published (published.USES) is called here."""
    return "predict" if use == "score" else use


class Verdict(enum.Enum):
    """What a clause says, or all of them."""

    ALLOWED = "allowed"
    ASK = "ask"
    DENIED = "denied"


@dataclass(frozen=True)
class Rule:
    """Who may do what with which columns, for what.

    Attributes:
        may: of CAPABILITIES.
        columns: their names, TABLE for the table as a whole; None: all of them, and the table.
        members: whose people may ask; None: every member's.
        purposes: for what; None: for any.
        ask: whether a person has to approve each job that needs this rule.
    """

    may: frozenset[str]
    columns: frozenset[str] | None = None
    members: frozenset[str] | None = None
    purposes: frozenset[str] | None = None
    ask: bool = False

    def covers(self, column: str, use: str, asked: Asked) -> bool:
        """Whether it lets this be done with this column."""
        return (
            use in self.may
            and (self.columns is None or column in self.columns)
            and (self.members is None or asked.member in self.members)
            and (self.purposes is None or asked.purpose in self.purposes)
        )


@dataclass(frozen=True)
class Limits:
    """How much may be told of a person of this table, in all. Every epsilon is kept together with ``delta``.

    Attributes:
        query: the most epsilon of one job.
        analyst: of all jobs of one analyst within a period; None: no limit of its own.
        period: of all jobs within a period; None: likewise.
        days: how long a period is: the days before now.
        ever: of all jobs there ever were; None: no limit, which is no protection in the long run.
        delta: at which the three are counted, and the most that one job may have.
        ask: jobs of a greater epsilon have to be approved by a person; None: none has.
    """

    query: float
    analyst: float | None = None
    period: float | None = None
    days: int = 30
    ever: float | None = None
    delta: float = 1e-5
    ask: float | None = None

    def left(self, spent: Spent) -> Spent:
        """What each limit leaves; below 0: so much is missing. None without a limit, or where nobody asked."""

        def rest(limit: float | None, told: float | None) -> float | None:
            return None if limit is None or told is None else limit - told

        return Spent(rest(self.analyst, spent.analyst), rest(self.period, spent.period), rest(self.ever, spent.ever))


@dataclass(frozen=True)
class Models:
    """What may be trained on the rows, or predict for them.

    Attributes:
        kinds: families, such as "logistic", "trees"; None: any.
        opens: of OPENS: what of a model that was trained on the rows may leave. A train job opens the coefficients, so
            without these nothing is trained on the rows.
    """

    kinds: frozenset[str] | None = None
    opens: frozenset[str] = frozenset(OPENS)


@dataclass(frozen=True)
class Policy:
    """All of it.

    Attributes:
        table: its name.
        published: digest of what is published of the table (description.digest_of): bounds of values, rows a person and
            capacity are what was signed for.
        rules: what is allowed; what no rule allows is denied.
        limits: see Limits.
        minimum: figures are told of groups of so many rows at least, by their noised count; 1: of any.
        receivers: members that may receive answers; None: all of them, but of what is told of single rows (predictions)
            only this table's owner.
        models: see Models.
        exact_matches: whether compute members may learn, on the way, exactly how many people a join finds.
    """

    table: str
    published: str
    rules: tuple[Rule, ...]
    limits: Limits
    minimum: int = 1
    receivers: frozenset[str] | None = None
    models: Models = field(default_factory=Models)
    exact_matches: bool = False


@dataclass(frozen=True)
class Spent:
    """What would be told of a person with this job and all before it: epsilon at Limits.delta; None: nobody asked."""

    analyst: float | None
    period: float | None
    ever: float | None


@dataclass(frozen=True)
class Asked:
    """What a job asks of one table.

    Attributes:
        member, analyst: whose people ask, and who of them, as that member's node says.
        purpose: what for; '' if nothing is said.
        uses: for each column, what it is used for, of CAPABILITIES.
        counts: whether rows or people are counted, as they are or for a mean or a minimum.
        receivers: who would receive the answer.
        epsilon, delta: what the job costs; 0: nothing with noise leaves.
        minimum: figures are told of groups of so many rows; None: no figures are told.
        model: family of a model that is trained or predicts; None: none.
        opens: what of it would leave.
        exact: whether compute members learn something exactly on the way (kind.Plan.exact).
        owner: whose table it is.
        of_rows: whether answers are of single rows, without noise: predictions.
        spent: see Spent.
    """

    member: str
    analyst: str
    purpose: str
    uses: Mapping[str, frozenset[str]]
    counts: bool
    receivers: frozenset[str]
    epsilon: float
    delta: float
    spent: Spent
    minimum: int | None = None
    model: str | None = None
    opens: frozenset[str] = frozenset()
    exact: bool = False
    owner: str = ""
    of_rows: bool = False

    @property
    def needed(self) -> Iterator[tuple[str, str]]:
        """(column, capability) of all that is asked, in a fixed order."""
        if self.counts:
            yield TABLE, "count"
        for name in sorted(self.uses):
            for use in sorted(self.uses[name]):
                yield name, use


@dataclass(frozen=True)
class Finding:
    """What one clause says.

    Attributes:
        clause: its name.
        column: it is about; TABLE for the table, or all of the job.
        verdict: see Verdict.
        text: what was looked at.
        remedy: the way out, where it is not allowed.
    """

    clause: str
    column: str
    verdict: Verdict
    text: str
    remedy: str = ""
