"""What an owner computes of its own rows before they come in: which rows, one row a person, expressions. Pure.

1. Rows for which ``where`` is true, of somebody; of each person at most so many as were published.
2. With ``totals`` one row a person is made of these, and those are kept for which ``having`` is true.
3. Of each row the outputs.
So a person's rows are bounded by what was published, whatever the expressions do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from parties.data.expression_types import Type
from parties.data.row_expression import CONDITIONS, Call, Column, Expr, columns_in, substituted
from parties.errors import ExpressionUnfit

__all__ = ["TOTALS", "Among", "Output", "RowQuery", "Total", "add_uses", "lean", "total_type"]

TOTALS = ("count", "sum", "min", "max", "avg")


@dataclass(frozen=True)
class Total:
    """Of a person's rows: one of TOTALS of an expression. ``count`` of None: of rows."""

    what: str
    of: Expr | None


@dataclass(frozen=True)
class Output:
    """An expression by a name; ``type`` holds its values, and may be wider: of a union it is that of all tables."""

    name: str
    of: Expr
    type: Type


@dataclass(frozen=True)
class Among:
    """Whether a row's person is among the people of another table of the same owner: a boolean column.

    Attributes:
        name: of that column: "?0", "?1", ...
        table: the other table, which may be the same one.
        query: which of its rows make somebody one of these people, or which people's totals; without outputs. Totals
            are of so many rows of a person as were published; of rows any may be the one.
    """

    name: str
    table: str
    query: RowQuery


@dataclass(frozen=True)
class RowQuery:
    """What to make of a table's rows. Columns are the published ones; after totals the n-th total is column "#n".

    Attributes:
        where: condition on rows; None: all.
        totals: one row a person; None: rows as they are.
        having: condition on what the totals are.
        outputs: each name once; of an expression that is a key the person itself.
        among: columns "?0", "?1", ... that conditions and outputs name, before totals and after them.
    """

    where: Expr | None
    totals: tuple[Total, ...] | None
    having: Expr | None
    outputs: tuple[Output, ...]
    among: tuple[Among, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Published columns that it looks at, each once, without keys."""
        exprs = [self.where, *(one.of for one in (self.outputs if self.totals is None else self.totals))]
        names = [column for expr in exprs if expr is not None for column in columns_in(expr)]
        flags = {one.name for one in self.among}
        return tuple(dict.fromkeys(c.name for c in names if c.type.kind != "key" and c.name not in flags))

    @property
    def others(self) -> tuple[str, ...]:
        """Tables of the same owner whose people it asks about, each once; itself may be one."""
        found = [name for one in self.among for name in (one.table, *one.query.others)]
        return tuple(dict.fromkeys(found))


def lean(query: RowQuery) -> RowQuery:
    """Without totals that nothing is made of: their columns need not be looked at."""
    if query.totals is None:
        return query
    exprs = [expr for expr in (query.having, *(output.of for output in query.outputs)) if expr is not None]
    named = {column.name for expr in exprs for column in columns_in(expr)}
    kept = [j for j in range(len(query.totals)) if f"#{j}" in named]
    by: dict[str, Expr] = {}
    for new, j in enumerate(kept):
        kind = next(c.type for expr in exprs for c in columns_in(expr) if c.name == f"#{j}")
        by[f"#{j}"] = Column(f"#{new}", kind)
    having = None if query.having is None else substituted(query.having, by)
    outputs = tuple(replace(output, of=substituted(output.of, by)) for output in query.outputs)
    return replace(query, totals=tuple(query.totals[j] for j in kept), having=having, outputs=outputs)


def total_type(what: str, of: Expr | None, rows: int) -> Type:
    """Of a total of a person's rows, of which there is one at least and ``rows`` at most. Raises ExpressionUnfit."""
    if of is None:
        return Type("integer", Fraction(1), Fraction(rows))
    found = of.type
    if what == "count":
        return Type("integer", Fraction(0), Fraction(rows))
    if found.kind not in ("integer", "real", "boolean") and (what not in ("min", "max") or found.kind != "date"):
        raise ExpressionUnfit(f"{what} of values of kind {found.kind}")
    if found.low is None or found.high is None:
        raise ExpressionUnfit(f"{what} of values without public bounds")
    kind = "integer" if found.kind == "boolean" else found.kind
    if what == "sum":
        low, high = min(found.low, found.low * rows), max(found.high, found.high * rows)
        if max(-low, high) >= 1 << 62:
            raise ExpressionUnfit(f"sums of {rows} rows a person could go beyond 2^62")
        return _added(Type(kind, low, high, nullable=found.nullable), rows)
    return _added(replace(found, kind="real"), rows) if what == "avg" else replace(found, kind=kind)


def _added(total: Type, rows: int) -> Type:
    """Of reals that were added up: each addition is rounded, in any order, so their total strays that much further."""
    assert total.low is not None and total.high is not None
    if total.kind != "real":
        return total
    spare = max(abs(total.low), abs(total.high)) * rows / (1 << 51)
    return replace(total, low=total.low and total.low - spare, high=total.high and total.high + spare)


def add_uses(found: dict[str, set[str]], query: RowQuery, expr: Expr, use: str) -> None:
    """Say what the published columns in an expression are used for: ``use``, or "filter" where they are asked about.

    The argument of a person's total is summed up, whatever is made of the total then. What ``among`` asks about is left
    out: it is of other tables. With totals the expression is over these, as ``having`` and outputs are.
    """
    if isinstance(expr, Column):
        if any(one.name == expr.name for one in query.among):
            return
        if query.totals is None or not expr.name.startswith("#"):
            found.setdefault(expr.name, set()).add(use)
            return
        total = query.totals[int(expr.name[1:])]
        if total.of is not None:
            rows = replace(query, totals=None)
            add_uses(found, rows, total.of, "filter" if total.what == "count" else "sum")
            if total.what != "count" and use != "sum":
                add_uses(found, rows, total.of, use)
    elif isinstance(expr, Call):
        for i, arg in enumerate(expr.args):
            asked = expr.op in CONDITIONS or (expr.op == "case" and i % 2 == 0 and i < len(expr.args) - 1)
            asked = asked or (expr.op == "nullif" and i == 1)
            add_uses(found, query, arg, "filter" if asked else use)
