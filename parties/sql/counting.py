"""Whether a query's figures tell how many rows there are: the table is asked for that as a whole. Pure.

A count does, a mean, a quantile. A sum does unless it is made of columns' values alone: 0 where a column is. A
constant summed up over rows is their number; beside another sum one could be taken from the other. So is a value that
was made small and rounded to a whole: CEIL(age / 1000) is 1.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from parties.data.row_expression import CONDITIONS, Call, Column, Expr, Literal, columns_in, literal
from parties.sql.branches import Branch, is_membership, relation_of
from parties.sql.figures import Summed
from parties.sql.select import Bound

__all__ = ["counts_rows"]


def counts_rows(bound: Bound) -> bool:
    """Of any figure."""

    def of_relation(column: Column) -> list[_Made]:
        i, name = relation_of(column.name)
        if is_membership(column.name):
            return [_ONE]
        return [_Made(b.columns[name], _of_branch(b, memberships)) for b in bound.source.relations[i].branches]

    memberships = {one.name for one in bound.memberships}
    figures = bound.figures
    return any(not isinstance(figure, Summed) or _constant(_Made(figure.of, of_relation)) for figure in figures)


@dataclass(frozen=True)
class _Made:
    """An expression, and what its columns are made of: one for each table of a union; none of what is published."""

    expr: Expr
    of: Callable[[Column], list[_Made]]

    def args(self) -> list[_Made]:
        """Its operands."""
        return [_Made(arg, self.of) for arg in self.expr.args] if isinstance(self.expr, Call) else []


_ONE = _Made(literal(1, "integer"), lambda _: [])


def _of_branch(branch: Branch, memberships: Collection[str]) -> Callable[[Column], list[_Made]]:
    """Of a relation's column, over what is published, memberships, or a person's totals.

    A count is a constant added up; so is whether somebody is among some people, whatever a row's values are.
    """

    def read(column: Column) -> list[_Made]:
        if column.name in memberships:
            return [_ONE]
        if branch.totals is None or not column.name.startswith("#"):
            return []
        total = branch.totals[int(column.name[1:])]
        if total.what == "count" or total.of is None:
            return [_ONE]
        return [_Made(total.of, lambda one: [_ONE] if one.name in memberships else [])]

    return read


def _constant(made: _Made) -> bool:
    """Whether there may be something in its value that no column brings in."""
    expr = made.expr
    if isinstance(expr, Column):
        return any(map(_constant, made.of(expr)))
    if isinstance(expr, Literal):
        return bool(expr.value)
    found = [_constant(arg) for arg in made.args()]
    if expr.op in CONDITIONS:
        return True
    if expr.op == "case":
        return any([*found[1:-1:2], found[-1]])
    if expr.op == "*":
        return all(found)
    if expr.op == "nullif":
        return found[0]
    if expr.op in ("ceil", "round", "floor") and _shrinks(made):
        return True
    if expr.op in ("/", "//", "%") and not any(True for _ in columns_in(expr.args[1])):
        return found[0]
    return expr.op in ("/", "//", "%") or any(found)


def _shrinks(made: _Made) -> bool:
    """Whether something in it may make a value smaller: a quotient, a factor that is no whole number."""
    expr = made.expr
    if isinstance(expr, Literal):
        return isinstance(expr.value, float) and not expr.value.is_integer()
    if isinstance(expr, Column):
        return any(map(_shrinks, made.of(expr)))
    return expr.op == "/" or any(map(_shrinks, made.args()))
