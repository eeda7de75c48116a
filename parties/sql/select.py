"""The outermost SELECT, bound: groups with public domains, aggregates, what the receiver does with figures. Pure."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from mpc.errors import AccordError
from parties.data.expression_types import Type
from parties.data.row_expression import Column, Expr
from parties.kinds.kind import Owned
from parties.sql.aggregates import Aggregates, has_aggregate
from parties.sql.branches import Membership
from parties.sql.figures import Aggregate, Figure
from parties.sql.relations import Tables, found_name
from parties.sql.scalar import Scalars, number_in
from parties.sql.sources import From, read_from
from parties.sql.text import Node, Sql
from protocols.group_by import MOST_GROUPS

__all__ = ["Bound", "Order", "bind"]

_SELECT = frozenset({"expressions", "from_", "joins", "where", "group", "having", "order", "limit", "offset", "with_"})
_MOST_AGGREGATES = 64
_MOST_ITEMS = 256


@dataclass(frozen=True)
class Order:
    """One of the keys that rows of the answer are ordered by."""

    key: Expr
    descending: bool
    nulls_first: bool


@dataclass(frozen=True)
class Bound:
    """A query in terms of what is published.

    Attributes:
        source: what rows come from.
        where: which rows, over columns "i.name" of the scope.
        groups: what rows are grouped by, each with a public domain; what is shown calls them "g0", "g1", ...
        figures: with noise, in order; with a minimum rows are counted first.
        aggregates: made of figures; what is shown calls them "a0", "a1", ...
        items: (name, expression) of each column of the answer.
        having, order, limit, offset: what is done with the groups' rows then.
        memberships: what is asked about people in other tables of their owner.
    """

    source: From
    where: Expr | None
    groups: tuple[Expr, ...]
    figures: tuple[Figure, ...]
    aggregates: tuple[Aggregate, ...]
    items: tuple[tuple[str, Expr], ...]
    having: Expr | None
    order: tuple[Order, ...]
    limit: int | None
    offset: int
    memberships: tuple[Membership, ...] = ()

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many groups each key makes."""
        return tuple(group.type.size for group in self.groups)

    @property
    def size(self) -> int:
        """How many groups there are."""
        return math.prod(self.sizes)


def bind(sql: Sql, tables: Sequence[Owned], *, counted: bool) -> Bound:
    """The query on these tables. ``counted``: rows of each group are counted whether asked for or not.

    Raises SqlUnsupported, SqlUnbound.
    """
    select = sql.tree
    if not isinstance(select, exp.Select):
        raise sql.unsupported(
            select, "a union of answers", "UNION ALL goes into FROM: FROM (SELECT ... UNION ALL ...) t"
        )
    for name, value in select.args.items():
        if value and name not in _SELECT:
            way = {"distinct": "GROUP BY shows each group once", "windows": "GROUP BY"}.get(name, "leave that out")
            node = value[0] if isinstance(value, list) else value
            raise sql.unsupported(node if isinstance(node, exp.Expression) else select, name.strip("_").upper(), way)
    return _Binder(sql, Tables(sql, tables), select).bound(counted)


class _Binder:
    def __init__(self, sql: Sql, tables: Tables, select: Node) -> None:
        self._sql = sql
        self._tables = tables
        self._select = select
        self._source, self._scope = read_from(tables, select)
        self._aggregates = Aggregates(tables, self._scope)
        self._groups: list[Expr] = []
        self._named: dict[str, Node] = {}

    def bound(self, counted: bool) -> Bound:
        select, sql = self._select, self._sql
        items = self._items()
        where = select.args.get("where")
        kept = None if where is None else Scalars(sql, self._scope.leaf).condition(where.this)
        self._group(items)
        shown = Scalars(sql, self._shown, loose=True)
        made = [(name, shown.bind(node)) for name, node in items]
        having = select.args.get("having")
        wanted = None if having is None else Scalars(sql, self._shown_or_item, loose=True).condition(having.this)
        order = self._order(items)
        if not self._aggregates.asked and not self._groups:
            raise sql.unsupported(
                select, "rows one by one", "only figures over rows leave: aggregate, or GROUP BY what has categories"
            )
        if len(self._aggregates.asked) > _MOST_AGGREGATES:
            raise sql.unsupported(select, f"more than {_MOST_AGGREGATES} aggregates", "ask in several queries")
        figures, aggregates = self._aggregates.made(counted=counted or not self._aggregates.asked)
        limit, offset = self._number("limit"), self._number("offset")
        return Bound(
            self._source, kept, tuple(self._groups), figures, aggregates, tuple(made), wanted, order, limit,
            offset or 0, tuple(self._tables.memberships),
        )  # fmt: skip

    def _items(self) -> list[tuple[str, Node]]:
        """(name, node) of each column of the answer; names are told apart by a number."""
        sql, found = self._sql, list[tuple[str, Node]]()
        if len(self._select.expressions) > _MOST_ITEMS:
            raise sql.unsupported(self._select, f"more than {_MOST_ITEMS} columns", "ask in several queries")
        for item in self._select.expressions:
            inner = item.this if isinstance(item, exp.Alias) else item
            if isinstance(inner, exp.Star) or (isinstance(inner, exp.Column) and isinstance(inner.this, exp.Star)):
                raise sql.unsupported(item, "rows one by one", "name aggregates, and the columns of GROUP BY")
            name = item.alias or (inner.name if isinstance(inner, exp.Column) else _written(inner))
            if item.alias:
                self._named.setdefault(item.alias.lower(), inner)
            taken = {one for one, _ in found}
            unique = (
                name if name not in taken else next(f"{name}_{k}" for k in range(1, 999) if f"{name}_{k}" not in taken)
            )
            found.append((unique, inner))
        return found

    # -- groups ------------------------------------------------------------------------------------

    def _group(self, items: Sequence[tuple[str, Node]]) -> None:
        sql, group = self._sql, self._select.args.get("group")
        if group is None:
            return
        for name, value in group.args.items():
            if value and name != "expressions":
                raise sql.unsupported(group, f"GROUP BY with {name}", "name each column to group by")
        for node in group.expressions:
            found = self._key(node, items)
            if found not in self._groups:
                self._groups.append(found)
        if math.prod(one.type.size for one in self._groups) > MOST_GROUPS:
            raise sql.unsupported(
                group, f"more than {MOST_GROUPS} groups", "group by fewer columns, or by ranges: FLOOR(... / 10)"
            )

    def _key(self, node: Node, items: Sequence[tuple[str, Node]]) -> Expr:
        sql, given = self._sql, node
        place = number_in(node)
        if place is not None:
            if not 1 <= place <= len(items):
                raise sql.unsupported(node, f"GROUP BY {place}: there are {len(items)} columns", "count from 1")
            given = items[place - 1][1]
        elif isinstance(node, exp.Column) and not node.args.get("table") and not self._is_column(node):
            given = self._named.get(node.name.lower(), node)
        if has_aggregate(given):
            raise sql.unsupported(node, "GROUP BY of an aggregate", "HAVING and ORDER BY take aggregates")
        found = Scalars(sql, self._scope.leaf).bind(given)
        if not found.type.size:
            raise sql.unsupported(
                node, f"GROUP BY of values of kind {found.type.kind}, of which there is no public list",
                "FLOOR(... / 10) of what has public bounds, CASE WHEN ... THEN 'low' ELSE 'high' END, a condition",
            )  # fmt: skip
        return found

    def _is_column(self, node: Node) -> bool:
        return any(found_name(node.this, list(one.columns)) is not None for one in self._scope.relations)

    # -- what is shown -----------------------------------------------------------------------------

    def _shown(self, node: Node) -> Expr | None:
        """A figure, or a column that rows are grouped by; None: look into the node."""
        aggregate = self._aggregates.leaf(node)
        if aggregate is not None:
            return aggregate
        if isinstance(node, (exp.Literal, exp.Boolean, exp.Null)):
            return None
        if self._groups and not has_aggregate(node):
            found: Expr | None = None
            with contextlib.suppress(AccordError):
                found = Scalars(self._sql, self._scope.leaf).bind(node)
            if found is not None and found in self._groups:
                place = self._groups.index(found)
                kind = found.type
                return Column(f"g{place}", Type(kind.kind, kind.low, kind.high, kind.values, kind.nullable))
        if isinstance(node, exp.Column):
            i, name = self._scope.find(node)
            self._scope.column(node, i, name)
            raise self._sql.unsupported(
                node, f"{name} is neither aggregated nor grouped by", "aggregate it, or add it to GROUP BY"
            )
        if isinstance(node, (exp.Subquery, exp.Select, exp.Exists, exp.Window)):
            raise self._sql.unsupported(node, f"a {type(node).__name__.upper()} here", "derived tables stand in FROM")
        return None

    def _shown_or_item(self, node: Node) -> Expr | None:
        """As _shown; a name may be that of a column of the answer too."""
        named = isinstance(node, exp.Column) and not node.args.get("table") and not self._is_column(node)
        if named and (item := self._named.get(node.name.lower())) is not None:
            return Scalars(self._sql, self._shown, loose=True).bind(item)
        return self._shown(node)

    def _order(self, items: Sequence[tuple[str, Node]]) -> tuple[Order, ...]:
        found, order = list[Order](), self._select.args.get("order")
        for one in () if order is None else order.expressions:
            place, key = number_in(one.this), one.this
            if place is not None:
                if not 1 <= place <= len(items):
                    raise self._sql.unsupported(
                        one, f"ORDER BY {place}: there are {len(items)} columns", "count from 1"
                    )
                key = items[place - 1][1]
            if one.args.get("with_fill"):
                raise self._sql.unsupported(one, "ORDER BY with fill", "leave that out")
            bound = Scalars(self._sql, self._shown_or_item, loose=True).bind(key)
            found.append(Order(bound, bool(one.args.get("desc")), bool(one.args.get("nulls_first"))))
        return tuple(found)

    def _number(self, name: str) -> int | None:
        given: Any = self._select.args.get(name)
        if given is None:
            return None
        found = number_in(given.expression)
        if found is None or any(value for key, value in given.args.items() if value and key != "expression"):
            raise self._sql.unsupported(given, f"{name.upper()} takes a literal whole number", f"{name.upper()} 10")
        return found


def _written(node: Node) -> str:
    try:
        text = " ".join(str(node.sql(dialect="duckdb", comments=False)).split())
    except Exception:
        text = type(node).__name__
    return text.lower()[:64]
