"""One table in a query: its columns as the query names them, and whether its people are among others'. Pure.

Within a SELECT a column of relation i is called "i.name", and a membership "i?k", which no column can be.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from parties.data.expression_types import Type
from parties.data.row_expression import Column, Expr
from parties.data.row_query import Total

__all__ = ["MEMBER", "Branch", "Membership", "columns_at", "is_membership", "relation_of"]

MEMBER = Type("boolean", Fraction(0), Fraction(1))
"""Of a membership, where there is a person."""


@dataclass(frozen=True)
class Branch:
    """A table in a relation.

    Attributes:
        place: of the table in the job.
        rows: the most rows a person has here.
        columns: the relation's columns, as expressions over the table's, or over the totals ("#0", "#1", ...).
        where, totals, having: as of RowQuery.
    """

    place: int
    rows: int
    columns: Mapping[str, Expr]
    where: Expr | None = None
    totals: tuple[Total, ...] | None = None
    having: Expr | None = None


@dataclass(frozen=True)
class Membership:
    """Whether a person is among those of a branch of another table of the same owner.

    Attributes:
        name: of the column that says so, where its owner reads rows: "?0", "?1", ..., as no table publishes any.
        branch: whose people; its columns do not matter.
    """

    name: str
    branch: Branch


def relation_of(name: str) -> tuple[int, str]:
    """(which relation, its column) of a scope's column "i.name"; of a membership "i?k" its own name, "?k"."""
    digits = re.match(r"[0-9]+", name)
    assert digits is not None
    rest = name[digits.end() :]
    return int(digits[0]), rest.removeprefix(".")


def is_membership(name: str) -> bool:
    """Whether a scope's column is "i?k", and none of a relation's own."""
    return "." not in name


def columns_at(branch: Branch, i: int, memberships: Sequence[Membership]) -> dict[str, Expr]:
    """What columns "i.name" of relation i are at a branch of it, and memberships "i?k", which no column can be."""
    found = {f"{i}.{name}": expr for name, expr in branch.columns.items()}
    return found | {f"{i}{one.name}": Column(one.name, MEMBER) for one in memberships}
