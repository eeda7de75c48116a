"""What rows come from: published tables, bound by name; unions of them; and columns by name within a query. Pure.

A relation is a list of branches, one a table, each with its columns as expressions over what the table publishes. So a
derived table is only other expressions, and each owner still reads its own table once.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from parties.data.expression_types import Type, merged, type_of
from parties.data.row_expression import Column, Expr, retyped
from parties.errors import ExpressionUnfit
from parties.kinds.kind import Owned
from parties.sql.branches import Branch, Membership, columns_at
from parties.sql.text import Node, Sql

__all__ = ["Relation", "Scope", "Tables", "found_name", "table_nodes", "united"]


@dataclass(frozen=True)
class Relation:
    """Rows by a name.

    Attributes:
        name: how its columns are qualified: the alias, or the table's name.
        member: a further qualifier before it, where a table of one member was named; "" else.
        branches: at least one; the rows are those of all.
        columns: by name, as they are in all branches.
    """

    name: str
    member: str
    branches: tuple[Branch, ...]
    columns: Mapping[str, Type]


def found_name(node: Node, known: Sequence[str]) -> str | None:
    """A name as it is published: what is not quoted may be written in any case, unless two differ by that only."""
    said = node.name if isinstance(node, exp.Expression) else str(node)
    if said in known:
        return str(said)
    if getattr(node, "quoted", False):
        return None
    alike = [name for name in known if name.lower() == said.lower()]
    return alike[0] if len(alike) == 1 else None


def table_nodes(sql: Sql) -> list[Node]:
    """Tables in the order in which the text mentions them, without names that WITH gives."""
    given = {cte.alias.lower() for cte in sql.tree.find_all(exp.CTE)}
    nodes = [node for node in sql.tree.find_all(exp.Table) if node.args.get("db") or node.name.lower() not in given]
    return sorted(nodes, key=lambda node: min((p.meta["start"] for p in node.walk() if "start" in p.meta), default=0))


@dataclass
class Tables:
    """The published tables of a job, each to be named once.

    Attributes:
        sql: the text.
        tables: in the job's order.
        named: places that were named so far.
        memberships: what is asked about people in other tables, as far as it was read.
        asked: a condition on people, each time it was read: names of WITH could multiply them.
        depth: within how many such conditions this is.
    """

    sql: Sql
    tables: Sequence[Owned]
    named: set[int] = field(default_factory=set)
    memberships: list[Membership] = field(default_factory=list)
    asked: list[Node] = field(default_factory=list)
    depth: int = 0

    def places(self, node: Node) -> tuple[int, ...]:
        """Of a name member.table, or of all tables of a name. Raises SqlUnbound, SqlUnsupported."""
        for name, value in node.args.items():
            if value and name not in ("this", "db", "alias"):
                raise self.sql.unsupported(node, f"a table with {name.replace('_', ' ')}", "leave that out")
        db = node.args.get("db")
        if not isinstance(node.this, exp.Identifier) or not isinstance(db, exp.Identifier | None):
            raise self.sql.unsupported(node, "no table", "name a published one: member.table")
        members = list(dict.fromkeys(table.member for table in self.tables))
        if db is not None:
            member = found_name(db, members)
            if member is None:
                raise self.sql.unbound(node, f"no member {db.name!r} publishes a table", db.name, members)
            names = [table.facts.name for table in self.tables if table.member == member]
        else:
            member, names = None, [table.facts.name for table in self.tables]
        name = found_name(node.this, list(dict.fromkeys(names)))
        if name is None:
            raise self.sql.unbound(node, f"no table {node.name!r} is published", node.name, names)
        return tuple(
            i for i, table in enumerate(self.tables)
            if table.facts.name == name and (member is None or table.member == member)
        )  # fmt: skip

    def relation(self, node: Node) -> Relation:
        """The table, or the union of the tables, that a name stands for."""
        places = self.places(node)
        for place in places:
            if place in self.named:
                raise self.sql.unsupported(
                    node, f"{self.tables[place].name} is named twice", "one WHERE with OR, or CASE, says both at once"
                )
        self.named.update(places)
        alias = node.alias or node.name
        parts = [self._part(place) for place in places]
        if len(parts) > 1:  # columns that only some have cannot be asked for
            names = [name for name in parts[0].columns if all(name in part.columns for part in parts)]
            kept = [{name: part.columns[name] for name in names} for part in parts]
            parts = [
                Relation("", "", (_only(part.branches[0], names),), columns)
                for part, columns in zip(parts, kept, strict=True)
            ]
        found = united(self.sql, node, parts)
        member = self.tables[places[0]].member if node.args.get("db") is not None and not node.alias else ""
        return Relation(alias, member, found.branches, found.columns)

    def _part(self, place: int) -> Relation:
        facts = self.tables[place].facts
        columns = {name: type_of(column) for name, column in facts.columns.items()}
        branch = Branch(place, facts.rows_a_person, {name: Column(name, kind) for name, kind in columns.items()})
        return Relation("", "", (branch,), columns)

    def among(self, branch: Branch) -> str:
        """The name of the column that says whether a person is among those of a branch; the same for the same."""
        for one in self.memberships:
            if one.branch == branch:
                return one.name
        taken = {name for table in self.tables for name in table.facts.columns}
        taken |= {one.name for one in self.memberships}
        name = next(name for k in itertools.count() if (name := f"?{k}") not in taken)
        self.memberships.append(Membership(name, branch))
        return name

    def inner(self, branch: Branch) -> dict[str, Expr]:
        """See columns_at; of the only relation."""
        return columns_at(branch, 0, self.memberships)

    def is_person(self, branch: Branch, name: str) -> bool:
        """Whether a relation's column is what tells people apart in the branch's table."""
        found = branch.columns.get(name)
        return isinstance(found, Column) and found.name == self.tables[branch.place].facts.person


def _only(branch: Branch, names: Sequence[str]) -> Branch:
    columns = {name: branch.columns[name] for name in names}
    return Branch(branch.place, branch.rows, columns, branch.where, branch.totals, branch.having)


def united(sql: Sql, node: Node, parts: Sequence[Relation]) -> Relation:
    """Relations under one another, column by column; named as in the first. Bounds are those that hold all."""
    first = parts[0]
    if len(parts) == 1:
        return first
    names = list(first.columns)
    columns: dict[str, Type] = {}
    for part in parts:
        if len(part.columns) != len(names):
            raise sql.unsupported(node, "UNION ALL of different numbers of columns", "name as many in each SELECT")
    for name, kinds in zip(names, zip(*(part.columns.values() for part in parts), strict=True), strict=True):
        try:
            columns[name] = Type("key") if all(kind.kind == "key" for kind in kinds) else merged(kinds)
        except ExpressionUnfit as error:
            raise sql.unsupported(node, f"column {name}: {error}", "tables of a union publish a column alike") from None
    branches = []
    for part in parts:
        own = list(part.columns)
        for branch in part.branches:
            made = {
                name: retyped(branch.columns[old], columns[name].kind) for name, old in zip(names, own, strict=True)
            }
            branches.append(Branch(branch.place, branch.rows, made, branch.where, branch.totals, branch.having))
    return Relation(first.name, first.member, tuple(branches), columns)


@dataclass(frozen=True)
class Scope:
    """Names of columns within one SELECT. A column of relation i is called "i.name".

    Attributes:
        sql: the text.
        relations: what is joined, in order.
        types: of each, with what a join makes of NULL.
        people: what IN (SELECT ...) and EXISTS (SELECT ...) are as a column.
    """

    sql: Sql
    relations: Sequence[Relation]
    types: Sequence[Mapping[str, Type]]
    people: Callable[[Scope, Node], Expr]

    def find(self, node: Node) -> tuple[int, str]:
        """(which relation, its column) of a name. Raises SqlUnbound, SqlUnsupported."""
        if node.args.get("catalog") is not None or isinstance(node.this, exp.Star):
            raise self.sql.unsupported(node, "no column", "name one as column, alias.column or member.table.column")
        having = []
        for i, relation in enumerate(self.relations):
            if self._qualifies(node, relation):
                name = found_name(node.this, list(relation.columns))
                having += [] if name is None else [(i, name)]
        if len(having) == 1:
            return having[0]
        known = [name for r in self.relations if self._qualifies(node, r) for name in r.columns]
        if having:
            named = ", ".join(f"{self.relations[i].name}.{name}" for i, name in having)
            raise self.sql.unsupported(node, "several tables have this column", f"write one of {named}")
        if not known:
            names = [relation.name for relation in self.relations]
            raise self.sql.unbound(node, f"no table {node.table!r} in FROM", node.table, names)
        raise self.sql.unbound(node, f"no column {node.name!r} is published", node.name, known)

    def _qualifies(self, node: Node, relation: Relation) -> bool:
        table, db = node.args.get("table"), node.args.get("db")
        if table is None:
            return True
        member = [relation.member] if relation.member else []
        return found_name(table, [relation.name]) is not None and (db is None or found_name(db, member) is not None)

    def leaf(self, node: Node) -> Expr | None:
        """A column as an expression; None for what is no column. Keys, aggregates and windows are refused."""
        if isinstance(node, exp.Column):
            i, name = self.find(node)
            return self.column(node, i, name)
        refused: Any = (exp.AggFunc, exp.Window, exp.Filter, exp.WithinGroup)
        if isinstance(node, refused):
            way = "aggregates stand in SELECT, HAVING and ORDER BY"
            raise self.sql.unsupported(node, f"{type(node).__name__.upper()} of rows one by one", way)
        if isinstance(node, exp.Exists) or (isinstance(node, exp.In) and node.args.get("query") is not None):
            return self.people(self, node)
        if isinstance(node, (exp.Subquery, exp.Select)):
            raise self.sql.unsupported(
                node, "a SELECT within an expression", "a derived table in FROM gives a person's totals"
            )
        return None

    def column(self, node: Node, i: int, name: str) -> Expr:
        """A column of values; SqlUnsupported for a key."""
        kind = self.types[i][name]
        if kind.kind == "key":
            raise self.sql.unsupported(
                node, f"{name} is a key, and would single out a person", "COUNT(DISTINCT ...) and JOIN USING take it"
            )
        return Column(f"{i}.{name}", kind)
