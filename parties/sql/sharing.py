"""Which part of a query each owner computes of its own rows, and which is left for shares. Pure.

Of one table, or a union, owners compute all of a row: conditions, groups, what is summed up. Of a join they compute all
that is of their own table alone; what is of several is computed on shares, of the parts that come in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from parties.data.expression_types import Type
from parties.data.expression_value import value_of_nulls
from parties.data.row_expression import (
    CONDITIONS,
    Call,
    Column,
    Expr,
    Literal,
    columns_in,
    parts_of,
    retyped,
    substituted,
)
from parties.data.row_query import RowQuery, add_uses, lean
from parties.errors import ExpressionUnfit
from parties.kinds.kind import Owned
from parties.sql.beside import Beside, condition_uses, stated
from parties.sql.branches import Branch, columns_at, relation_of
from parties.sql.figures import Counted, Grid, People, Ranked, Summed
from parties.sql.inputs import Input, Outputs, check_parts, column_of
from parties.sql.joins import both
from parties.sql.on_shares import check_shared
from parties.sql.select import Bound

__all__ = ["Leaf", "Part", "Shared", "share_out"]


@dataclass(frozen=True)
class Leaf:
    """A part of an expression on shares, as it comes in.

    Attributes:
        relation: whose part it is.
        value, there: names of its inputs; there None: it is always there, where its row is.
    """

    relation: int
    value: str
    there: str | None


@dataclass(frozen=True)
class Part:
    """One table's: what its owner computes, what comes in.

    Attributes:
        place: of the table in the job.
        relation: which of the joined; 0 for all tables of a union.
        query: of its owner.
        inputs: made of the query's outputs.
        uses: what published columns are used for.
    """

    place: int
    relation: int
    query: RowQuery
    inputs: tuple[Input, ...]
    uses: Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class Shared:
    """A query as owners and shares have it.

    Attributes:
        parts: in the order of their tables in FROM.
        joins: whether tables are joined; else they lie under one another.
        where: on shares, which of the joined rows count.
        groups: on shares, what rows are grouped by; of a union they come in as one code.
        figures: on shares, (value, whether it is there) of each; of a union names of inputs in Columns.
        leaves: parts of those expressions, by the names of their columns.
        places, keys: names of the inputs of ranked figures; of digests of people.
        beside: what their owners look at tables for as they read others: by place, uses by column.
    """

    parts: tuple[Part, ...]
    joins: bool
    where: Expr | None
    groups: tuple[Expr, ...]
    figures: tuple[Expr | None, ...]
    leaves: Mapping[str, Leaf]
    places: Mapping[int, str]
    keys: tuple[str, str] | None
    beside: Mapping[int, Mapping[str, frozenset[str]]]


def share_out(bound: Bound, tables: Sequence[Owned]) -> Shared:
    """Raises ExpressionUnfit for what owners cannot compute and shares do not."""
    return _Sharing(bound, tables).shared()


@dataclass
class _Made:
    """Of one relation: what is wanted of its rows, of all branches alike."""

    wanted: dict[tuple[Any, ...], Input] = field(default_factory=dict)
    exprs: dict[str, tuple[tuple[Expr, Type], ...]] = field(default_factory=dict)
    uses: dict[str, set[str]] = field(default_factory=dict)


class _Sharing:
    def __init__(self, bound: Bound, tables: Sequence[Owned]) -> None:
        self._bound = bound
        self._tables = tables
        self._joins = len(bound.source.relations) > 1
        self._made = [_Made() for _ in bound.source.relations]
        self._pushed: list[Expr | None] = [None for _ in bound.source.relations]
        self._leaves: dict[str, Leaf] = {}
        self._beside = Beside(bound.memberships, tables)

    def shared(self) -> Shared:
        bound, left = self._bound, self._bound.source.left
        kept: Expr | None = None
        for part in [] if bound.where is None else parts_of(bound.where):
            relation = self._only(part)
            if relation is not None and not left[relation]:
                self._pushed[relation] = both(self._pushed[relation], part)
            else:
                kept = both(kept, part)
        for i, on in enumerate(bound.source.on):
            for part in [] if on is None else parts_of(on):
                relation = self._only(part)
                if relation == i or (relation is not None and not left[i] and not left[relation]):
                    self._pushed[relation] = both(self._pushed[relation], part)
                elif left[i]:
                    raise ExpressionUnfit("ON of a LEFT JOIN with a condition on other tables than the joined one")
                else:
                    kept = both(kept, part)
        groups = self._groups()
        figures, places = self._figures()
        keys = None
        if any(isinstance(figure, People) for figure in bound.figures):
            keys = self._key(0), self._key(1)
        where = None if kept is None else self._split(kept, kept.type, {"filter"})
        parts = [part for i in range(len(self._made)) for part in self._parts(i)]
        beside = {i: stated(uses) for i, uses in self._beside.uses.items()}
        found = Shared(tuple(parts), self._joins, where, groups, figures, dict(self._leaves), places, keys, beside)
        self._check(found)
        return found

    # -- what is wanted of rows --------------------------------------------------------------------

    def _groups(self) -> tuple[Expr, ...]:
        groups = self._bound.groups
        if self._joins:
            return tuple(self._split(group, group.type, {"group"}) for group in groups)
        if groups:
            self._want(0, "code", tuple((group, group.type) for group in groups), {"group"})
        return ()

    def _figures(self) -> tuple[tuple[Expr | None, ...], dict[int, str]]:
        found, places = list[Expr | None](), dict[int, str]()
        for k, figure in enumerate(self._bound.figures):
            found.append(None)
            if isinstance(figure, Summed):
                found[-1] = self._read(figure.of, "value", {"sum"})
            elif isinstance(figure, Counted) and figure.of is not None:
                found[-1] = self._read(figure.of, "there", self._counted(k))
            elif isinstance(figure, Ranked):
                relation = self._only(figure.of)
                if relation is None:
                    raise ExpressionUnfit("a quantile of an expression over several tables; take columns of one")
                if self._bound.source.left[relation]:
                    raise ExpressionUnfit("a quantile of a table that is joined by LEFT JOIN; JOIN it")
                places[k] = self._want(relation, "place", ((figure.of, figure.of.type),), {"sum"}, figure.grid)
        return tuple(found), places

    def _read(self, of: Expr, kind: str, use: set[str]) -> Expr:
        if self._joins:
            return self._split(of, of.type, use)
        return Column(self._want(0, kind, ((of, of.type),), use), of.type if kind == "value" else Type("integer"))

    def _counted(self, k: int) -> set[str]:
        """What the count of values that are there is for: COUNT asks whether there is one, a mean measures them."""
        what = {one.what for one in self._bound.aggregates if k in one.figures}
        return ({"filter"} if "count" in what else set()) | ({"sum"} if what - {"count"} else set())

    def _key(self, half: int) -> str:
        branch = self._bound.source.relations[0].branches[0]
        person = self._tables[branch.place].facts.person
        key = Column(person, Type("key"))
        return self._want(0, "key", ((key, key.type),), {"count"}, None, half)

    def _want(
        self,
        relation: int,
        kind: str,
        exprs: tuple[tuple[Expr, Type], ...],
        use: set[str],
        grid: Grid | None = None,
        half: int = 0,
    ) -> str:
        """The name of an input."""
        made, what = self._made[relation], (kind, exprs, grid, half)
        if what not in made.wanted:
            name = f"{relation}c{len(made.wanted)}"
            made.wanted[what] = Input(name, kind, (), grid, half)
            made.exprs[name], made.uses[name] = exprs, set()
        found = made.wanted[what].name
        made.uses[found] |= use
        return found

    # -- joins: parts of expressions ---------------------------------------------------------------

    def _only(self, expr: Expr) -> int | None:
        """The one relation whose columns it has; the first one for a constant."""
        found = {relation_of(column.name)[0] for column in columns_in(expr)}
        return found.pop() if len(found) == 1 else None if found else 0

    def _split(self, expr: Expr, want: Type, use: set[str]) -> Expr:
        """What is of one table alone becomes a column that comes in; ``want``: the type it shall come in as."""
        if isinstance(expr, Literal):
            return Literal(expr.value, want if expr.value is not None and want.kind == "category" else expr.type)
        relation = self._only(expr)
        if relation is not None and self._whole(expr, relation):
            given = retyped(expr, want.kind)
            value = self._want(relation, "value", ((given, want),), use)
            there = self._want(relation, "there", ((given, want),), use) if want.nullable else None
            self._leaves[value] = Leaf(relation, value, there)
            return Column(value, want)
        if isinstance(expr, Column):
            raise ExpressionUnfit("a constant is not computed on shares")
        args = tuple(self._split(arg, kind, one) for arg, kind, one in _wanted(expr, want, use))
        made = Call(expr.op, args, want, expr.values, expr.size, expr.depth)
        return made

    def _whole(self, expr: Expr, relation: int) -> bool:
        """Whether its owner may compute all of it: of a LEFT JOIN only what is NULL where there is no row."""
        if not any(True for _ in columns_in(expr)):
            return False
        return not self._bound.source.left[relation] or value_of_nulls(expr) is None

    # -- owners' queries ---------------------------------------------------------------------------

    def _parts(self, i: int) -> list[Part]:
        return [self._part(i, branch) for branch in self._bound.source.relations[i].branches]

    def _part(self, i: int, branch: Branch) -> Part:
        inner = columns_at(branch, i, self._bound.memberships)
        facts, outputs, inputs = self._tables[branch.place].facts, Outputs(), []
        pushed = self._pushed[i]
        more = None if pushed is None else substituted(pushed, inner)
        where, having = branch.where, branch.having
        if branch.totals is None:
            where = both(where, more)
        else:
            having = both(having, more)
        query = RowQuery(where, branch.totals, having, (), self._beside.all)
        uses = condition_uses(query)
        if branch.totals is not None:  # one row a person: counting rows counts people
            uses.setdefault(facts.person, set()).add("count")
        if self._joins:
            key = outputs.read(Column(facts.person, Type("key")), Type("key"))
            uses.setdefault(facts.person, set()).add("join")
            assert key[0] == "x0"
        for one in self._made[i].wanted.values():
            read = []
            for of, kind in self._made[i].exprs[one.name]:
                own = Column(facts.person, Type("key")) if one.kind == "key" else substituted(of, inner)
                read.append(outputs.read(own, kind))
                for use in sorted(self._made[i].uses[one.name]):
                    add_uses(uses, query, own, use)
            inputs.append(replace(one, outputs=tuple(read)))
        for one in inputs:
            column_of(one)  # refuses what cannot be shared
        made, looks = self._beside.added(lean(outputs.query(where, branch.totals, having)))
        check_parts(made)
        if looks:
            uses.setdefault(facts.person, set()).add("join")
        return Part(branch.place, i, made, tuple(inputs), stated(uses))

    def _check(self, shared: Shared) -> None:
        if not self._joins:
            return
        for expr in (shared.where, *shared.groups, *shared.figures):
            if expr is not None:
                check_shared(expr)


def _wanted(expr: Call, want: Type, use: set[str]) -> list[tuple[Expr, Type, set[str]]]:
    """Of each operand: what type it shall come in as, and what for."""
    found: list[tuple[Expr, Type, set[str]]] = []
    compared = expr.op in ("=", "<>", "nullif") and expr.args[0].type.kind == "category"
    values = tuple(dict.fromkeys(value for arg in expr.args for value in arg.type.values)) if compared else ()
    for i, arg in enumerate(expr.args):
        kind, one = arg.type, use
        condition = expr.op == "case" and i % 2 == 0 and i < len(expr.args) - 1
        if compared and expr.op != "nullif":
            kind = replace(kind, values=values)
        elif expr.op in ("case", "coalesce", "greatest", "least", "nullif") and not condition and kind.kind != "null":
            kind = replace(want, nullable=kind.nullable) if want.kind in ("category", "real") else kind
        if condition or expr.op in CONDITIONS or (expr.op == "nullif" and i):
            one = {"filter"}
        found.append((arg, kind, one))
    return found
