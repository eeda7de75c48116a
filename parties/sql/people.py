"""Conditions on people: ``person IN (SELECT person FROM member.other WHERE ...)``, and EXISTS that says the same. Pure.

What other rows a person has at the same owner decides about that person's rows, and nobody else's. So one person more
or less changes what it changed before, and the owner finds it out by itself, as it reads its rows. A condition on what
is not the person key would let rows of others decide; what is at another owner takes a private join.

Rows without a key are nobody's, here as everywhere: NOT IN of a table that has some is not NULL. Over a LEFT JOIN the
person of a row without a partner is NULL, and among no people: IN and NOT IN of it are NULL, whoever the people are.
Without GROUP BY any row of a person counts; with it, as everywhere, only as many as were published.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from sqlglot import exp

from parties.data.row_expression import Column, Expr, call, literal
from parties.sql.branches import MEMBER, Branch
from parties.sql.relations import Relation, Scope, Tables
from parties.sql.text import Node, without_brackets

__all__ = ["person_among"]

_OTHERS = "it would let rows of others decide about a person's row"
_TAKES = (
    "IN takes a list of literals, or of the person key a SELECT of the person key: person IN (SELECT person FROM ...)"
)
_EXISTS = "EXISTS (SELECT 1 FROM ... x WHERE x.person = its.person AND ...), both keys named by their table"
_MOST = 24  # that differ
_DEEPEST = 4
_MOST_READ = 256
_PLAIN = ("from_", "where", "with_")


def person_among(tables: Tables, scope: Scope, node: Node, read: Callable[[Node], Relation]) -> Expr:
    """Whether a row's person is among those of a SELECT, as a column of the row's relation. SqlUnsupported, SqlUnbound.

    Args:
        scope: where the row's columns are.
        node: IN with a query, or EXISTS.
        read: what a derived table is.
    """
    if tables.depth >= _DEEPEST:
        raise tables.sql.unsupported(node, f"conditions on people more than {_DEEPEST} deep", "join them by AND")
    tables.asked.append(node)
    if len(tables.asked) > _MOST_READ:
        raise tables.sql.unsupported(node, f"conditions on people that are read more than {_MOST_READ} times")
    given, select = _exists(tables, scope, node) if isinstance(node, exp.Exists) else (node.this, node.args["query"])
    given = given.unnest()
    if not isinstance(given, exp.Column):
        raise tables.sql.unsupported(node, _OTHERS, _TAKES)
    i, name = scope.find(given)
    relation = scope.relations[i]
    if scope.types[i][name].kind != "key":
        raise tables.sql.unsupported(node, f"{name} is not what tells people apart; {_OTHERS}", _TAKES)
    mine = _person(tables, node, relation, name)
    theirs = _people(tables, node, read(_each_once(tables, select)))
    own, other = tables.tables[mine.place], tables.tables[theirs.place]
    if own.member != other.member:
        raise tables.sql.unsupported(
            node, f"{own.name} and {other.name} are at two members",
            "JOIN ... USING (person) finds who is in both, and nobody learns who",
        )  # fmt: skip
    profiles = [table.facts.columns[table.facts.person].profile for table in (own, other)]
    if len(set(profiles)) > 1:
        raise tables.sql.unsupported(
            node,
            f"people of {own.name} are told apart by profile {profiles[0]}, those of {other.name} by {profiles[1]}",
            "take tables whose keys have one profile",
        )  # fmt: skip
    column, nullable = tables.among(theirs), scope.types[i][name].nullable
    if len(tables.memberships) > _MOST:
        raise tables.sql.unsupported(node, f"more than {_MOST} conditions on people", "ask in several queries")
    found = Column(f"{i}{column}", replace(MEMBER, nullable=nullable))
    if nullable and isinstance(node, exp.Exists):  # of no row there is none that equals its key
        return call("coalesce", found, literal(False, "boolean"))
    return found


def _person(tables: Tables, node: Node, relation: Relation, name: str) -> Branch:
    """The one branch whose person key a column is."""
    if len(relation.branches) != 1:
        raise tables.sql.unsupported(
            node, "people who may be at several members",
            "name one member's table, or ask each owner in a SELECT of its own under UNION ALL",
        )  # fmt: skip
    branch = relation.branches[0]
    if not tables.is_person(branch, name):
        owned = tables.tables[branch.place]
        raise tables.sql.unsupported(
            node, f"{name} is not what tells people apart in {owned.name}", f"take {owned.facts.person}"
        )
    return branch


def _each_once(tables: Tables, select: Node) -> Node:
    """Without DISTINCT: people are who they are, however often they are named."""
    select = without_brackets(tables.sql, select)
    if isinstance(select, exp.Select) and select.args.get("distinct") and not select.args["distinct"].args.get("on"):
        made = select.copy()
        made.set("distinct", None)
        made.parent = select.parent
        return made
    return select


def _people(tables: Tables, node: Node, relation: Relation) -> Branch:
    """Of a SELECT of nothing but the person key: its rows, whatever else they have."""
    if len(relation.columns) != 1:
        raise tables.sql.unsupported(
            node, f"a SELECT of {len(relation.columns)} columns", "SELECT the person key alone"
        )
    if len(relation.branches) > 1:
        raise tables.sql.unsupported(
            node, "people of several tables", "name one member's table, or write person IN (...) OR person IN (...)"
        )
    (name,) = relation.columns
    branch = _person(tables, node, relation, name)
    return Branch(branch.place, 1, {name: branch.columns[name]}, branch.where, branch.totals, branch.having)


def _exists(tables: Tables, scope: Scope, node: Node) -> tuple[Node, Node]:
    """(the outer key, SELECT of the inner one) of EXISTS (SELECT ... WHERE inner.key = outer.key AND ...)."""
    select = _each_once(tables, node.this)
    known = isinstance(select, exp.Select) and all(
        name in _PLAIN for name, value in select.args.items() if value and name != "expressions"
    )
    if not known or not (select.args.get("from_") and select.args.get("where")):
        raise tables.sql.unsupported(node, "EXISTS of anything but SELECT ... FROM ... WHERE", _EXISTS)
    inside = select.args["from_"].this.alias_or_name.lower()
    parts = list(_conjuncts(select.args["where"].this))
    for k, part in enumerate(parts):
        sides = (part.this, part.expression) if isinstance(part, exp.EQ) else ()
        outer = [one for one in sides if isinstance(one, exp.Column) and one.table and one.table.lower() != inside]
        inner = [one for one in sides if isinstance(one, exp.Column) and one not in outer]
        if len(outer) == len(inner) == 1 and _is_key(scope, outer[0]):
            for item in select.expressions:
                if not isinstance(item.unalias(), (exp.Star, exp.Literal, exp.Null, exp.Boolean)):
                    raise tables.sql.unsupported(item, "what EXISTS selects does not matter", "SELECT 1")
            made = select.copy()
            made.set("expressions", [inner[0].copy()])
            rest = [one.copy() for one in (*parts[:k], *parts[k + 1 :])]
            made.set("where", exp.Where(this=exp.and_(*rest, copy=False)) if rest else None)
            made.parent = node
            return outer[0], made
    raise tables.sql.unsupported(node, f"EXISTS that is not about the person; {_OTHERS}", _EXISTS)


def _conjuncts(node: Node) -> Iterator[Node]:
    node = node.unnest()
    if isinstance(node, exp.And):
        for part in node.flatten():
            yield from _conjuncts(part)
    else:
        yield node


def _is_key(scope: Scope, node: Node) -> bool:
    i, name = scope.find(node)
    return scope.types[i][name].kind == "key"
