"""Whether a query's figures tell how many rows there are: the table is asked for that as a whole. Pure.

A count does, a mean, a quantile. A sum does unless it is made of columns' values alone: 0 where a column is. A
constant summed up over rows is their number; beside another sum one could be taken from the other.
"""

from __future__ import annotations

from collections.abc import Callable

from parties.row_expression import CONDITIONS, Column, Expr, Literal, columns_in
from parties.sql.figures import Summed
from parties.sql.relations import Branch
from parties.sql.select import Bound

__all__ = ["counts_rows"]


def counts_rows(bound: Bound) -> bool:
    """Of any figure."""

    def read(column: Column) -> bool:
        i, name = column.name.split(".", 1)
        return any(_of_branch(branch, branch.columns[name]) for branch in bound.source.relations[int(i)].branches)

    return any(not isinstance(figure, Summed) or _constant(figure.of, read) for figure in bound.figures)


def _of_branch(branch: Branch, expr: Expr) -> bool:
    """Of a relation's column, over what its owner publishes or over a person's totals."""

    def read(column: Column) -> bool:
        if branch.totals is None or not column.name.startswith("#"):
            return False
        total = branch.totals[int(column.name[1:])]
        return total.of is None or total.what == "count" or _constant(total.of, lambda _: False)

    return _constant(expr, read)


def _constant(expr: Expr, read: Callable[[Column], bool]) -> bool:
    """Whether there may be something in its value that no column brings in."""
    if isinstance(expr, Column):
        return read(expr)
    if isinstance(expr, Literal):
        return bool(expr.value)
    found = [_constant(arg, read) for arg in expr.args]
    if expr.op in CONDITIONS:
        return True
    if expr.op == "case":
        return any([*found[1:-1:2], found[-1]])
    if expr.op == "*":
        return all(found)
    if expr.op == "nullif":
        return found[0]
    if expr.op in ("/", "//", "%") and not any(True for _ in columns_in(expr.args[1])):
        return found[0]
    return expr.op in ("/", "//", "%") or any(found)
