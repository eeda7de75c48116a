"""JOIN ... USING and ON: tables meet by the person key, and by nothing else. Pure."""

from __future__ import annotations

from sqlglot import exp

from parties.data.row_expression import Expr, call, parts_of
from parties.sql.relations import Scope, Tables, found_name
from parties.sql.scalar import Scalars
from parties.sql.text import Node, Sql

__all__ = ["both", "joined_on", "side_of"]


def both(a: Expr | None, b: Expr | None) -> Expr | None:
    """One condition and the other."""
    if a is None or b is None:
        return b if a is None else a
    return call("and", *parts_of(a), *parts_of(b))


def side_of(sql: Sql, join: Node) -> bool:
    """Whether it is a LEFT JOIN; SqlUnsupported for other kinds, and for a join without a key."""
    for name, value in join.args.items():
        if value and name not in ("this", "side", "kind", "using", "on"):
            raise sql.unsupported(join, f"JOIN with {name}", "JOIN ... USING (key) joins by the person")
    side, kind = str(join.args.get("side") or "").upper(), str(join.args.get("kind") or "").upper()
    if side not in ("", "LEFT") or kind not in ("", "INNER", "OUTER"):
        raise sql.unsupported(
            join,
            f"{' '.join((side, kind)).strip()} JOIN",
            "JOIN and LEFT JOIN, with the table that is kept whole first",
        )
    if join.args.get("using") is None and join.args.get("on") is None:
        raise sql.unsupported(join, "a join without a key", "JOIN ... USING (key) joins by the person")
    return side == "LEFT"


def joined_on(tables: Tables, scope: Scope, join: Node, place: int) -> Expr | None:
    """Checks that tables meet by the person; gives what ON asks beyond that."""
    using = join.args.get("using")
    if using is not None:
        names = [node for node in using if isinstance(node, (exp.Identifier, exp.Column))]
        keys = [(i, found_name(node if isinstance(node, exp.Identifier) else node.this, list(r.columns)))
                for node in names for i, r in enumerate(scope.relations)]  # fmt: skip
        mine = next((name for i, name in keys if i == place), None)
        others = [(i, name) for i, name in keys if i < place and name is not None]
        if len(names) != 1 or mine is None or not others:
            raise tables.sql.unsupported(join, "USING takes the one key that both sides have", "USING (person)")
        _check_person(tables, scope, join, place, mine)
        _check_person(tables, scope, join, *others[0])
        return None
    found, more = False, []
    for part in (
        join.args["on"].unnest().flatten() if isinstance(join.args["on"].unnest(), exp.And) else [join.args["on"]]
    ):
        part = part.unnest()
        sides = [part.this, part.expression] if isinstance(part, exp.EQ) else []
        if len(sides) == 2 and all(isinstance(side, exp.Column) for side in sides):
            (i, a), (j, b) = (scope.find(side) for side in sides)
            if scope.types[i][a].kind == scope.types[j][b].kind == "key" and place in (i, j) and i != j:
                _check_person(tables, scope, part, i, a)
                _check_person(tables, scope, part, j, b)
                found = True
                continue
        more.append(part)
    if not found:
        raise tables.sql.unsupported(join, "ON without the person keys of both sides", "ON a.person = b.person")
    binder = Scalars(tables.sql, scope.leaf)
    on: Expr | None = None
    for part in more:
        made = binder.condition(part)
        on = both(on, made)
    return on


def _check_person(tables: Tables, scope: Scope, node: Node, i: int, name: str) -> None:
    for branch in scope.relations[i].branches:
        if not tables.is_person(branch, name):
            owned = tables.tables[branch.place]
            raise tables.sql.unsupported(
                node, f"a join by {name}, which is not what tells people apart in {owned.name}",
                f"join by {owned.facts.person}",
            )  # fmt: skip
