"""A filter as an engine's expression: two-valued, on values as published, and as plain as an index can use. Pure.

1. `not` is pushed down to the comparisons, each of which turns into its opposite.
2. A comparison with a value within the bounds is true of a value just if it is true of the value cut to the bounds;
   but at a bound itself it is about all values beyond as well.
3. A missing value counts as the rule says; without a rule no comparison is true of it.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from parties.data.column_pushdown import readable
from parties.data.published import PublishedColumn, PublishedTable
from parties.data.row_filter import OPPOSITES, AllOf, Compare, Filter, Not, literal

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["filter_expression", "holds"]

_COMPARE: Mapping[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def filter_expression(where: Filter, table: ir.Table, published: PublishedTable, *, can_try: bool = True) -> Any:
    """What is true of the rows the filter wants, false or NULL of all others. The filter has been checked.

    Raises ColumnMissing, ColumnUnfit.
    """

    def build(part: Filter, positive: bool) -> Any:
        if isinstance(part, Not):
            return build(part.part, not positive)
        if isinstance(part, Compare):
            compare = part if positive else Compare(part.column, OPPOSITES[part.op], part.value)
            return _comparison(compare, table, published, can_try)
        both = isinstance(part, AllOf) == positive
        return functools.reduce(operator.and_ if both else operator.or_, [build(p, positive) for p in part.parts])

    return build(where, True)


def holds(value: Any, op: str, literal: Any) -> bool:
    """A comparison of two plain values."""
    return bool(_COMPARE[op](value, literal))


def _comparison(compare: Compare, table: ir.Table, published: PublishedTable, can_try: bool) -> Any:
    import ibis

    column = published.columns[compare.column]
    read = readable(table, column, f"table {published.name}", can_try=can_try)
    sought: Any = literal(compare, column)
    if column.kind == "category":
        found = _of_category(read.value, compare.op, sought, column)
    elif column.kind == "boolean":
        found = _COMPARE[compare.op](read.value, int(sought))
    else:
        found = _of_ordered(read.value, compare.op, sought, column, ibis)
    if column.missing is not None and holds(column.missing, compare.op, sought):
        found = found.fill_null(False) | read.absent
    return found


def _of_category(value: Any, op: str, sought: Any, column: PublishedColumn) -> Any:
    if column.other is None:
        found = value == sought
        if op == "!=":
            found = (value != sought) & value.isin(list(column.categories))
        return found
    named = [category for category in column.categories if category != column.other]
    if sought == column.other:
        if not named:
            return value.notnull() if op == "==" else value.isnull() & value.notnull()
        return value.notin(named) if op == "==" else value.isin(named)
    return _COMPARE[op](value, sought)


def _of_ordered(value: Any, op: str, sought: Any, column: PublishedColumn, ibis: Any) -> Any:
    at_low, at_high = sought == column.low, sought == column.high
    if (at_low and at_high) or (at_low and op in (">=", "<")) or (at_high and op in ("<=", ">")):
        always = op in ("==", ">=", "<=")
        return value.notnull() if always else value.isnull() & value.notnull()
    if at_low:  # of values at the bound, and of those beyond, which are cut to it
        op = {"==": "<=", "!=": ">", "<=": "<=", ">": ">"}[op]
    elif at_high:
        op = {"==": ">=", "!=": "<", ">=": ">=", "<": "<"}[op]
    return _COMPARE[op](value, ibis.literal(sought))
