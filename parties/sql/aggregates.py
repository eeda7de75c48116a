"""Aggregates of a query, read from its text, and the figures with noise that they are made of. Pure.

Several share a figure where they can. A mean is a sum over a count, a variance follows from the sums of distances from
the middle of the bounds, and of their squares. A sum that is asked for anyway serves a mean too. Minimum, maximum and
quantiles are searched on a public grid.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from sqlglot import exp

from parties.data.expression_types import Type
from parties.data.row_expression import NULL, Column, Expr, Literal, call, literal
from parties.errors import ExpressionUnfit
from parties.sql.figures import Aggregate, Counted, Figure, Grid, People, Ranked, Summed
from parties.sql.relations import Scope, Tables
from parties.sql.scalar import Scalars
from parties.sql.text import Node

__all__ = ["Aggregates", "has_aggregate", "is_aggregate"]

_NO = Fraction(0)
_MOST_POINTS = 1 << 12  # of a grid of reals
_MOST_STEPS = 1 << 16  # of a grid of whole numbers
_VARIANCES = {
    exp.Variance: "var_samp", exp.VariancePop: "var_pop", exp.Stddev: "stddev_samp", exp.StddevSamp: "stddev_samp",
    exp.StddevPop: "stddev_pop",
}  # fmt: skip
_QUANTILES = (exp.PercentileCont, exp.PercentileDisc, exp.Quantile, exp.Median)
_KNOWN: Any = (
    exp.Count, exp.CountIf, exp.Sum, exp.Avg, exp.Min, exp.Max, exp.Filter, exp.WithinGroup, *_VARIANCES, *_QUANTILES,
)  # fmt: skip
_WHAT = "there are COUNT, SUM, AVG, VARIANCE, STDDEV, MIN, MAX, MEDIAN and QUANTILE_DISC"


def is_aggregate(node: Node) -> bool:
    """Whether a node is an aggregate by itself."""
    return isinstance(node, (exp.AggFunc, *_KNOWN)) or _named(node) is not None


def has_aggregate(node: Node) -> bool:
    """Whether there is one in it, but for what a SELECT within it has."""
    return any(map(is_aggregate, node.walk(prune=lambda part: isinstance(part, (exp.Select, exp.SetOperation)))))


def _named(node: Node) -> str | None:
    named = str(node.this).lower() if isinstance(node, exp.Anonymous) else None
    return named if named in ("percentile", "quantile") else None


@dataclass
class Aggregates:
    """Those of one query, as they are met; each once.

    Attributes:
        tables: for names and refusals.
        scope: of rows.
        asked, nodes: what was met, (what, of what, q) and where.
    """

    tables: Tables
    scope: Scope
    asked: list[tuple[str, Expr | None, Fraction]] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)

    def leaf(self, node: Node) -> Expr | None:
        """An aggregate as a column "a0", "a1", ... of what is shown; None for anything else."""
        if not is_aggregate(node):
            return None
        one = self._read(node, None)
        if one not in self.asked:
            self.asked.append(one)
            self.nodes.append(node)
        return Column(f"a{self.asked.index(one)}", _shown_type(one))

    # -- from nodes --------------------------------------------------------------------------------

    def _read(self, node: Node, only: Expr | None) -> tuple[str, Expr | None, Fraction]:
        """(what, of what, q). ``only``: the condition of a FILTER."""
        sql = self.tables.sql
        if isinstance(node, exp.Filter):
            if only is not None:
                raise sql.unsupported(node, "FILTER twice", "join the conditions by AND")
            return self._read(node.this, Scalars(sql, self.scope.leaf).condition(node.expression.this))
        if isinstance(node, exp.WithinGroup):
            ordered = node.expression.expressions
            if len(ordered) != 1 or not isinstance(node.this, (exp.PercentileCont, exp.PercentileDisc)):
                raise sql.unsupported(node, "WITHIN GROUP but for PERCENTILE_CONT and one ORDER BY", "MEDIAN(x)")
            if ordered[0].args.get("desc"):
                raise sql.unsupported(node, "ORDER BY ... DESC of a percentile", "take 1 less the share")
            return self._quantile(node, ordered[0].this, node.this.this, only)
        if not isinstance(node, _KNOWN) and _named(node) is None:
            raise sql.unsupported(node, f"{type(node).__name__.upper()} is none of the aggregates", _WHAT)
        for name, value in node.args.items():
            known = ("this", "expression", "quantile", "big_int", "expressions")
            if name not in known and value not in (None, False, []):
                raise sql.unsupported(node, f"{type(node).__name__.upper()} with {name}", "leave that out")
        given = node.this
        if isinstance(node, exp.Count):
            return self._count(node, given, only)
        if isinstance(given, exp.Distinct):
            raise sql.unsupported(node, "DISTINCT but for COUNT(DISTINCT person key)", "leave it out")
        if isinstance(node, exp.CountIf):
            asked = Scalars(sql, self.scope.leaf).condition(given)
            return "count", self._only(node, literal(1, "integer"), _and(asked, only)), Fraction(0)
        if isinstance(node, _QUANTILES) or _named(node) is not None:
            share: Any = exp.Literal.number("0.5")
            if _named(node) is not None:
                if len(node.expressions) != 2:
                    raise sql.unsupported(node, "a quantile takes a column and a share", "QUANTILE_DISC(x, 0.25)")
                given, share = node.expressions
            elif not isinstance(node, exp.Median):
                share = node.args.get("expression") or node.args.get("quantile")
            return self._quantile(node, given, share, only)
        what = {exp.Sum: "sum", exp.Avg: "avg", exp.Min: "min", exp.Max: "max", **_VARIANCES}.get(type(node))
        if what is None or node.args.get("expressions"):
            raise sql.unsupported(node, f"{type(node).__name__.upper()} is none of the aggregates", _WHAT)
        return what, self._only(node, self._measured(node, given, what in ("min", "max")), only), Fraction(0)

    def _count(self, node: Node, given: Node, only: Expr | None) -> tuple[str, Expr | None, Fraction]:
        sql = self.tables.sql
        if isinstance(given, exp.Distinct):
            columns = given.expressions
            if len(columns) != 1 or not isinstance(columns[0], exp.Column):
                raise sql.unsupported(node, "COUNT(DISTINCT ...) takes one person key", "COUNT(DISTINCT person)")
            i, name = self.scope.find(columns[0])
            if not all(self.tables.is_person(branch, name) for branch in self.scope.relations[i].branches):
                raise sql.unsupported(
                    node, f"COUNT(DISTINCT {name}): it is not what tells people apart", "GROUP BY shows categories"
                )
            if only is not None:
                raise sql.unsupported(node, "COUNT(DISTINCT ...) with FILTER", "put the condition into WHERE")
            if i != 0:
                raise sql.unsupported(node, "COUNT(DISTINCT key of a joined table)", "take the key of the first table")
            return "people", None, Fraction(0)
        if isinstance(given, exp.Star) or (isinstance(given, exp.Literal) and not given.is_string):
            return "count", None if only is None else self._only(node, literal(1, "integer"), only), Fraction(0)
        if (
            isinstance(given, exp.Column)
            and self.scope.types[self.scope.find(given)[0]][self.scope.find(given)[1]].kind == "key"
        ):
            i, name = self.scope.find(given)
            if i == 0 and self.tables.is_person(self.scope.relations[0].branches[0], name):
                return "count", None if only is None else self._only(node, literal(1, "integer"), only), Fraction(0)
        of = Scalars(sql, self.scope.leaf).bind(given)
        made = self._only(node, of, only)
        return "count", made if made.type.nullable else None, Fraction(0)

    def _quantile(self, node: Node, given: Node, share: Node, only: Expr | None) -> tuple[str, Expr | None, Fraction]:
        sql = self.tables.sql
        value: Expr | None = None
        if isinstance(share, exp.Literal) and not share.is_string:
            value = Scalars(sql, self.scope.leaf).bind(share)
        q = Fraction(str(share.this)) if isinstance(value, Literal) and len(str(share.this)) <= 12 else Fraction(-1)
        if not 0 <= q <= 1 or q.denominator >= 1 << 20:
            raise sql.unsupported(node, "a quantile takes a literal share from 0 to 1", "QUANTILE_DISC(x, 0.25)")
        return "rank", self._only(node, self._measured(node, given, True), only), q

    def _measured(self, node: Node, given: Node, dates: bool) -> Expr:
        """An argument that is a number within public bounds."""
        sql = self.tables.sql
        found = Scalars(sql, self.scope.leaf).bind(given)
        try:
            if found.type.kind == "boolean":
                found = call("to_integer", found)
            if found.type.kind not in ("integer", "real", *(("date",) if dates else ())):
                raise ExpressionUnfit(f"of a value of kind {found.type.kind}, which is no number")
            if found.type.low is None:
                raise ExpressionUnfit("of a value without public bounds; its member publishes low and high")
        except ExpressionUnfit as error:
            raise sql.unsupported(node, str(error), "COUNT counts values of any kind") from None
        return found

    def _only(self, node: Node, of: Expr, only: Expr | None) -> Expr:
        if only is None:
            return of
        try:
            return call("case", only, of, NULL)
        except ExpressionUnfit as error:
            raise self.tables.sql.unsupported(node, str(error)) from None

    # -- to figures --------------------------------------------------------------------------------

    def made(self, *, counted: bool) -> tuple[tuple[Figure, ...], tuple[Aggregate, ...]]:
        """The figures, each once; the aggregates made of them. ``counted``: rows are counted first, for a minimum.

        Raises SqlUnsupported.
        """
        figures: list[Figure] = [Counted(None)] if counted else []
        sums = {of for what, of, _ in self.asked if what == "sum"}

        aggregates = []
        for one, node in zip(self.asked, self.nodes, strict=True):
            try:
                aggregates.append(_made(one, figures, sums))
            except ExpressionUnfit as error:
                raise self.tables.sql.unsupported(node, str(error)) from None
        return tuple(figures), tuple(aggregates)


def _made(asked: tuple[str, Expr | None, Fraction], figures: list[Figure], sums: set[Expr | None]) -> Aggregate:
    """One aggregate, of figures that are there or are added."""
    what, of, q = asked

    def place(figure: Figure) -> int:
        if figure not in figures:
            figures.append(figure)
        return figures.index(figure)

    kind = _shown_type(asked)
    if of is None:
        return Aggregate("count", (place(People() if what == "people" else Counted(None)),), _NO, _NO, kind)
    if what == "sum":
        return Aggregate(what, (place(_checked(Summed(of))),), _NO, _NO, kind)
    count = place(Counted(of if of.type.nullable else None))
    if what == "count":
        return Aggregate(what, (count,), _NO, _NO, kind)
    if what in ("min", "max", "rank"):
        ranked = Ranked(of, {"min": "min", "max": "max"}.get(what, "share"), q, _grid(of))
        return Aggregate("rank", (place(ranked), count), _NO, _NO, kind)
    centre = _centre(of)
    summed = Summed(of) if of in sums else _checked(Summed(_less(of, centre)))
    if what == "avg":
        return Aggregate(what, (place(summed), count), _NO if of in sums else centre, _NO, kind)
    squares = _checked(Summed(call("*", _less(of, centre), _less(of, centre))))
    return Aggregate(what, (place(summed), count, place(squares)), centre, centre if of in sums else _NO, kind)


def _and(a: Expr, b: Expr | None) -> Expr:
    return a if b is None else call("and", a, b)


def _shown_type(asked: tuple[str, Expr | None, Fraction]) -> Type:
    what, of, _ = asked
    if what in ("count", "people"):
        return Type("integer")
    assert of is not None
    if what == "sum":
        return Type(of.type.kind, nullable=True)
    if what in ("min", "max", "rank"):
        return Type(of.type.kind, of.type.low, of.type.high, nullable=True)
    if what == "avg":
        return Type("real", of.type.low, of.type.high, nullable=True)
    return Type("real", nullable=True)


def _ends(of: Expr) -> tuple[Fraction, Fraction]:
    assert of.type.low is not None and of.type.high is not None
    return of.type.low, of.type.high


def _checked(figure: Summed) -> Summed:
    if figure.of.type.low == figure.of.type.high == 0:
        raise ExpressionUnfit("an aggregate of what is one value only by its public bounds; leave it out")
    return figure


def _centre(of: Expr) -> Fraction:
    """The middle of the bounds, on the values' grid; 0 where that makes nothing less."""
    low, high = _ends(of)
    whole = of.type.kind == "integer"
    middle = Fraction(math.floor((low + high) / 2)) if whole else Fraction(round((low + high) / 2 * 65536), 65536)
    if low == high:
        return _NO
    return middle if max(high - middle, middle - low) < max(abs(low), abs(high)) else Fraction(0)


def _less(of: Expr, centre: Fraction) -> Expr:
    if not centre:
        return of
    value: int | float = int(centre) if of.type.kind == "integer" else float(centre)
    return call("-", of, literal(value, of.type.kind))


def _grid(of: Expr) -> Grid:
    low, high = _ends(of)
    if low == high:
        raise ExpressionUnfit("a quantile of what is one value only by its public bounds; leave it out")
    if of.type.kind == "real":
        return Grid(low, (high - low) / (_MOST_POINTS - 1), _MOST_POINTS)
    first, last = math.floor(low), math.ceil(high)
    step = -(-(last - first + 1) // _MOST_STEPS)
    return Grid(Fraction(first), Fraction(step), -(-(last - first) // step) + 1)
