"""FROM: tables, derived tables that stay at their owners, UNION ALL, and joins by the person key. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlglot import exp

from parties.data.expression_types import Type
from parties.data.row_expression import Column, Expr, substituted
from parties.data.row_query import Total, total_type
from parties.errors import ExpressionUnfit
from parties.sql.branches import Branch
from parties.sql.joins import both, joined_on, side_of
from parties.sql.people import person_among
from parties.sql.relations import Relation, Scope, Tables, united
from parties.sql.scalar import Scalars
from parties.sql.text import Node, without_brackets

__all__ = ["From", "read_from"]

_SELECT = frozenset({"expressions", "from_", "where", "group", "having", "with_"})
_DEEPEST = 40
_AGGREGATES: Mapping[type, str] = {exp.Count: "count", exp.Sum: "sum", exp.Min: "min", exp.Max: "max", exp.Avg: "avg"}


@dataclass(frozen=True)
class From:
    """What a SELECT is over.

    Attributes:
        relations: one, or several that are joined by the person.
        left: of each, whether it is joined by LEFT JOIN.
        on: of each, a further condition of its join.
    """

    relations: tuple[Relation, ...]
    left: tuple[bool, ...]
    on: tuple[Expr | None, ...]


def read_from(tables: Tables, select: Node) -> tuple[From, Scope]:
    """The FROM of the outermost SELECT, its joins and WITH; and the names. Raises SqlUnsupported, SqlUnbound."""
    reader = _Reader(tables, {})
    reader = reader.within(select)
    first = reader.first(select)
    joins = select.args.get("joins") or []
    relations, left, wanted = [reader.item(first)], [False], []
    for join in joins:
        left.append(side_of(tables.sql, join))
        relations.append(reader.item(join.this))
        wanted.append(join)
    if len({relation.name for relation in relations}) != len(relations) and len(relations) > 1:
        raise tables.sql.unsupported(select.args["from_"], "two tables of one name", "give each an alias")
    types: list[Mapping[str, Type]] = [
        {name: replace(kind, nullable=kind.nullable or outer) for name, kind in relation.columns.items()}
        if outer else relation.columns
        for relation, outer in zip(relations, left, strict=True)
    ]  # fmt: skip
    on: list[Expr | None] = [None]
    for i, join in enumerate(wanted, 1):
        scope = Scope(tables.sql, relations[: i + 1], types[: i + 1], reader.people)
        on.append(joined_on(tables, scope, join, i))
    return From(tuple(relations), tuple(left), tuple(on)), Scope(tables.sql, relations, types, reader.people)


# -- derived tables ----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Reader:
    tables: Tables
    given: Mapping[str, Node]  # what WITH names
    depth: int = 0  # within how many derived tables this is

    def within(self, select: Node) -> _Reader:
        """With the names of a query's own WITH."""
        found = select.args.get("with_")
        if found is None:
            return self
        if found.args.get("recursive"):
            raise self.tables.sql.unsupported(found, "WITH RECURSIVE", "name each step by itself")
        given = dict(self.given)
        for cte in found.expressions:
            if cte.args["alias"].args.get("columns"):
                raise self.tables.sql.unsupported(cte, "WITH and names of columns", "name them by AS in its SELECT")
            if cte.alias.lower() in given:
                raise self.tables.sql.unsupported(cte, "WITH names this twice", "give each another name")
            given[cte.alias.lower()] = (cte.this, dict(given))
        return replace(self, given=given)

    def people(self, scope: Scope, node: Node) -> Expr:
        """A condition on the person; there a table may be named that is named elsewhere, or once more."""
        apart = replace(self, tables=replace(self.tables, named=set(), depth=self.tables.depth + 1))
        return person_among(self.tables, scope, node, apart.query)

    def first(self, select: Node) -> Node:
        found = select.args.get("from_")
        if found is None:
            raise self.tables.sql.unsupported(select, "SELECT without FROM", "name published tables: FROM member.table")
        return found.this

    def item(self, node: Node) -> Relation:
        """A table, a derived one, or one that WITH names."""
        sql = self.tables.sql
        if isinstance(node, exp.Table):
            named: Any = self.given.get(node.name.lower()) if node.args.get("db") is None else None
            if node.args.get("joins"):
                raise sql.unsupported(node, "a join within brackets", "join without them, in order")
            if named is None:
                return self.tables.relation(node)
            query, before = named
            return replace(self._deeper(node, before).query(query), name=node.alias or node.name, member="")
        if isinstance(node, exp.Subquery):
            alias = node.args.get("alias")
            if alias is not None and alias.args.get("columns"):
                raise sql.unsupported(node, "an alias with names of columns", "name them by AS in the SELECT")
            for name, value in node.args.items():
                if value and name not in ("this", "alias"):
                    raise sql.unsupported(node, f"a derived table with {name.replace('_', ' ')}", "leave that out")
            return replace(self._deeper(node, self.given).query(node.this), name=node.alias, member="")
        raise sql.unsupported(node, f"FROM {type(node).__name__.upper()}", "name published tables: FROM member.table")

    def _deeper(self, node: Node, given: Mapping[str, Node]) -> _Reader:
        if self.depth >= _DEEPEST:
            raise self.tables.sql.unsupported(node, f"derived tables more than {_DEEPEST} deep", "write some as one")
        return _Reader(self.tables, given, self.depth + 1)

    def query(self, node: Node) -> Relation:
        """A SELECT at owners, or a UNION ALL of several."""
        sql, parts = self.tables.sql, []
        reader = self.within(node)
        waiting = [node]
        while waiting:
            one = without_brackets(sql, waiting.pop())
            if isinstance(one, exp.Union):
                if one.args.get("distinct") or any(
                    value for name, value in one.args.items() if name not in ("this", "expression", "distinct", "with_")
                ):
                    raise sql.unsupported(one, "UNION but for UNION ALL alone", "UNION ALL keeps all rows")
                waiting += [one.expression, one.this]
            elif isinstance(one, exp.Select):
                parts.append((reader if one is node else reader.within(one)).select(one))
            elif isinstance(one, exp.Table):
                parts.append(reader.item(one))
            else:
                raise sql.unsupported(one, f"a {type(one).__name__.upper()} in FROM", "SELECT, or UNION ALL of several")
        return united(sql, node, parts)

    def select(self, node: Node) -> Relation:
        """A derived table: other columns of the rows wanted; or with GROUP BY of the person one row a person."""
        sql = self.tables.sql
        for name, value in node.args.items():
            if value and name not in _SELECT:
                shown = name.strip("_").upper() if name != "joins" else "JOIN"
                raise sql.unsupported(
                    node, f"{shown} within a derived table", "it stays at its owners; do that in the outermost SELECT"
                )
        relation = self.item(self.first(node))
        scope = Scope(sql, (relation,), (relation.columns,), self.people)
        where = None
        if node.args.get("where") is not None:
            where = Scalars(sql, scope.leaf).condition(node.args["where"].this)
        group = node.args.get("group")
        if group is not None:
            return self._by_person(node, relation, scope, where, group)
        if node.args.get("having") is not None:
            raise sql.unsupported(node.args["having"], "HAVING without GROUP BY of the person key", "WHERE")
        columns = dict(self._plain(node, scope))
        branches = tuple(_with(self.tables, node, branch, columns, where) for branch in relation.branches)
        return Relation("", "", branches, {name: expr.type for name, expr in columns.items()})

    def _plain(self, node: Node, scope: Scope) -> list[tuple[str, Expr]]:
        """(name, expression over the inner relation) of each column."""
        sql, found = self.tables.sql, list[tuple[str, Expr]]()
        for item in node.expressions:
            if isinstance(item, exp.Star):
                if item.args.get("except_") or item.args.get("replace") or item.args.get("rename"):
                    raise sql.unsupported(item, "* EXCEPT or REPLACE", "name the columns")
                found += [(name, Column(f"0.{name}", kind)) for name, kind in scope.types[0].items()]
                continue
            inner = item.this if isinstance(item, exp.Alias) else item
            name = item.alias or (inner.name if isinstance(inner, exp.Column) else "")
            if isinstance(inner, exp.Column) and not isinstance(inner.this, exp.Star):
                _, column = scope.find(inner)
                found.append((name if item.alias else column, Column(f"0.{column}", scope.types[0][column])))
                continue
            found.append((name or f"column{len(found) + 1}", Scalars(sql, scope.leaf).bind(inner)))
        names = [name for name, _ in found]
        if len(set(names)) != len(names):
            raise sql.unsupported(node, "two columns of one name in a derived table", "name one of them: ... AS name")
        return found

    def _by_person(self, node: Node, relation: Relation, scope: Scope, where: Expr | None, group: Node) -> Relation:
        sql, tables = self.tables.sql, self.tables
        keys = group.expressions
        named = [value for name, value in group.args.items() if value and name != "expressions"]
        column = keys[0].unnest() if len(keys) == 1 else None
        if column is None or named or not isinstance(column, exp.Column):
            raise sql.unsupported(
                group, "GROUP BY within a derived table", "there it takes the person key, and no more"
            )
        _, key = scope.find(column)
        if not all(tables.is_person(branch, key) for branch in relation.branches):
            raise sql.unsupported(
                group, f"GROUP BY {key} within a derived table", "there it takes the person key, and no more"
            )
        if len(relation.branches) != 1 or relation.branches[0].totals is not None:
            raise sql.unsupported(
                group, "GROUP BY of people who may be at several members, or once more",
                "group by person at each member, and take UNION ALL of these",
            )  # fmt: skip
        branch, totals = relation.branches[0], list[Total]()

        def leaf(one: Node) -> Expr | None:
            what = _AGGREGATES.get(type(one))
            if what is None:
                if isinstance(one, exp.Column):
                    raise sql.unsupported(one, "a column that is not aggregated", "SUM(...), MIN(...) of it")
                found = scope.leaf(one)
                return None if found is None else substituted(found, tables.inner(branch))
            return _total(tables, scope, one, what, branch, totals)

        columns: dict[str, Expr] = {}
        for item in node.expressions:
            given = item.this if isinstance(item, exp.Alias) else item
            if isinstance(given, exp.Column) and not isinstance(given.this, exp.Star) and scope.find(given)[1] == key:
                name, made = item.alias or key, branch.columns[key]
            else:
                name, made = item.alias or f"column{len(columns) + 1}", Scalars(sql, leaf).bind(given)
            if name in columns:
                raise sql.unsupported(
                    item, "two columns of one name in a derived table", "name one of them: ... AS name"
                )
            columns[name] = made
        having = node.args.get("having")
        kept = None if having is None else Scalars(sql, leaf).condition(having.this)
        filtered = both(branch.where, None if where is None else substituted(where, tables.inner(branch)))
        found = Branch(branch.place, 1, columns, filtered, tuple(totals), kept)
        return Relation("", "", (found,), {name: expr.type for name, expr in columns.items()})


def _total(tables: Tables, scope: Scope, node: Node, what: str, branch: Branch, totals: list[Total]) -> Expr:
    """A person's total as a column; those that are there already are taken again."""
    sql, given = tables.sql, node.this
    if isinstance(given, exp.Distinct) or node.args.get("expressions"):
        raise sql.unsupported(node, "DISTINCT or several arguments within a derived table", "COUNT, SUM, MIN, MAX, AVG")
    of = None
    try:
        if not isinstance(given, exp.Star):
            of = substituted(Scalars(sql, scope.leaf).bind(given), tables.inner(branch))
        kind = total_type(what, of, branch.rows)
    except ExpressionUnfit as error:
        raise sql.unsupported(node, str(error)) from None
    total = Total(what, of)
    if total not in totals:
        totals.append(total)
    return Column(f"#{totals.index(total)}", kind)


def _with(tables: Tables, node: Node, branch: Branch, columns: Mapping[str, Expr], where: Expr | None) -> Branch:
    inner = tables.inner(branch)
    try:
        made = {name: substituted(expr, inner) for name, expr in columns.items()}
        kept = None if where is None else substituted(where, inner)
    except ExpressionUnfit as error:
        raise tables.sql.unsupported(node, str(error)) from None
    if branch.totals is None:
        return replace(branch, columns=made, where=both(branch.where, kept))
    return replace(branch, columns=made, having=both(branch.having, kept))
