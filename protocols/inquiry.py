"""What a serving session may be asked, and one request: public, and judged alike by every party for itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mpc.errors import OutOfRange, WrongType
from mpc.party import Party
from protocols.errors import RequestRefused
from protocols.exact import is_whole

__all__ = ["Answer", "Book", "Kind", "Request", "Terms"]

Kind = Literal["predict", "predict_proba", "decision_function"]


@dataclass(frozen=True)
class Terms:
    """What a session may be asked, agreed by all parties when it opens.

    Predictions leave without noise, each to one party, and enough of them tell a model; so who receives which kind is
    said here by name, and a kind that is not named is refused.

    Attributes:
        owners: the parties whose rows may be predicted.
        to: for each kind of answer allowed, the party that receives it.
        most_rows: of one request.
        allowance: rows of all requests together; None: no limit.
        at_once: requests worked on at the same time.
    """

    owners: tuple[int, ...]
    to: Mapping[Kind, int]
    most_rows: int = 1 << 14
    allowance: int | None = None
    at_once: int = 8

    def check(self, party: Party, kinds: tuple[Kind, ...]) -> None:
        """Raises UnknownParty, OutOfRange, WrongType (for a kind the model does not answer)."""
        for owner in self.owners:
            party.check_index(owner, "owner of rows")
        for kind, receiver in self.to.items():
            if kind not in kinds:
                raise WrongType(f"to={kind!r}: this model answers {', '.join(kinds)}")
            party.check_index(receiver, f"receiver of {kind}")
        if not self.owners or not self.to:
            raise OutOfRange("terms without an owner of rows, or without a receiver: name at least one of each")
        for name, value in (("most_rows", self.most_rows), ("at_once", self.at_once), ("allowance", self.allowance)):
            if value is not None and (not is_whole(value) or value < 1):
                raise OutOfRange(f"{name}={value!r}: a whole number, 1 or more")

    def __str__(self) -> str:
        to = ", ".join(f"{kind} to party {i}" for kind, i in sorted(self.to.items()))
        return f"rows of parties {sorted(self.owners)}; {to}; {self.most_rows}, {self.allowance}, {self.at_once}"


@dataclass(frozen=True)
class Request:
    """One question. All but ``values`` is public, and the same at all parties.

    Attributes:
        number: rising from request to request, from 1.
        kind: of answer.
        rows: how many.
        owner: whose rows.
        values: at the owner (rows, features); None elsewhere.
    """

    number: int
    kind: Kind
    rows: int
    owner: int
    values: Any = field(default=None, repr=False)


@dataclass(frozen=True)
class Answer:
    """What became of a request at one party.

    Attributes:
        number: of the request.
        values: at the receiver; None elsewhere.
        error: RequestRefused or RowsRefused, if it was not answered.
        seconds: it took at this party, from when it was let in; 0 if it was not.
    """

    number: int
    values: Any = field(default=None, repr=False)
    error: RequestRefused | None = None
    seconds: float = 0.0


class Book:
    """The requests so far, as every party keeps it for itself.

    Attributes:
        rows: predicted, or let in to be.
    """

    def __init__(self, terms: Terms) -> None:
        self.rows = 0
        self._terms = terms
        self._last = 0

    def enter(self, request: Request) -> None:
        """Let a request in, and charge its rows; RequestRefused, the same at all parties, if the terms forbid it."""
        terms, n = self._terms, request.rows
        if not is_whole(request.number) or request.number <= self._last:
            raise RequestRefused(f"request {request.number!r} after request {self._last}: numbers rise")
        self._last = request.number
        if request.kind not in tuple(terms.to):  # not in the mapping: what is no text may have no hash
            raise RequestRefused(f"{request.kind!r}: this session was opened for {', '.join(sorted(terms.to))}")
        if isinstance(request.owner, bool) or request.owner not in terms.owners:
            raise RequestRefused(f"rows of party {request.owner!r}: this session takes those of {sorted(terms.owners)}")
        if not is_whole(n) or not 1 <= n <= terms.most_rows:
            raise RequestRefused(f"{n!r} rows in one request: 1 to {terms.most_rows}; give them in parts")
        if terms.allowance is not None and self.rows + n > terms.allowance:
            left = terms.allowance - self.rows
            raise RequestRefused(f"{n} rows, but {left} of the {terms.allowance} allowed are left: open a new session")
        self.rows += n
