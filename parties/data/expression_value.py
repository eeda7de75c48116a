"""The value of an expression, of plain values of its columns: SQL's three-valued logic, in Python. Pure.

For what is public, or was released: post-processing of figures, what an expression is of NULLs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from parties.data.expression_ranges import day_of
from parties.data.row_expression import Call, Column, Expr, Literal

__all__ = ["value_of", "value_of_nulls"]

Value = int | float | str | bool | None


def value_of(expr: Expr, columns: Mapping[str, Value]) -> Value:
    """The value; None: NULL. What divides by 0, or leaves the range of a float, is NULL."""
    if isinstance(expr, Literal):
        return expr.value  # type: ignore[no-any-return]
    if isinstance(expr, Column):
        return columns[expr.name]
    return _call(expr, [value_of(arg, columns) for arg in expr.args])


def value_of_nulls(expr: Expr) -> Value:
    """What it is where all its columns are NULL."""
    if isinstance(expr, Literal):
        return expr.value  # type: ignore[no-any-return]
    if isinstance(expr, Column):
        return None
    return _call(expr, [value_of_nulls(arg) for arg in expr.args])


def _call(expr: Call, args: Sequence[Any]) -> Value:
    if expr.op in _OF_NULLS:
        return _OF_NULLS[expr.op](args)
    if any(arg is None for arg in args):
        return None
    if expr.op == "in":
        return args[0] in expr.values
    try:
        found: Value = _OPERATIONS[expr.op](*args)
    except (ArithmeticError, ValueError):
        return None
    return None if isinstance(found, float) and not math.isfinite(found) else found


def _case(args: Sequence[Any]) -> Value:
    for condition, chosen in zip(args[:-1:2], args[1:-1:2], strict=True):
        if condition is True:
            return chosen  # type: ignore[no-any-return]
    return args[-1]  # type: ignore[no-any-return]


def _and(args: Sequence[Any]) -> Value:
    if any(arg is False for arg in args):
        return False
    return None if any(arg is None for arg in args) else True


def _or(args: Sequence[Any]) -> Value:
    if any(arg is True for arg in args):
        return True
    return None if any(arg is None for arg in args) else False


def _extreme(args: Sequence[Any], of: Callable[[Sequence[Any]], Any]) -> Value:
    known = [arg for arg in args if arg is not None]
    return of(known) if known else None


def _round(x: Any) -> int:
    """Halves away from zero, as SQL does."""
    whole: int = math.floor(abs(x) + 0.5)
    return whole if x >= 0 else -whole


_OF_NULLS: Mapping[str, Callable[[Sequence[Any]], Value]] = {
    "is_null": lambda args: args[0] is None,
    "and": _and,
    "or": _or,
    "case": _case,
    "coalesce": lambda args: next((arg for arg in args if arg is not None), None),
    "nullif": lambda args: None if args[0] is not None and args[0] == args[1] else args[0],
    "greatest": lambda args: _extreme(args, max),
    "least": lambda args: _extreme(args, min),
}

_OPERATIONS: Mapping[str, Callable[..., Any]] = {
    "not": lambda x: not x,
    "=": lambda x, y: x == y,
    "<>": lambda x, y: x != y,
    "<": lambda x, y: x < y,
    "<=": lambda x, y: x <= y,
    ">": lambda x, y: x > y,
    ">=": lambda x, y: x >= y,
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
    "/": lambda x, y: x / y,
    "//": lambda x, y: (abs(x) // abs(y)) * (1 if (x < 0) == (y < 0) else -1),
    "%": lambda x, y: math.fmod(x, y) if isinstance(x, float) or isinstance(y, float) else x - y * int(x / y),
    "neg": lambda x: -x,
    "abs": abs,
    "floor": math.floor,
    "ceil": math.ceil,
    "round": _round,
    "to_real": float,
    "to_integer": int,
    "year": lambda days: day_of(days).year,
    "quarter": lambda days: (day_of(days).month + 2) // 3,
    "month": lambda days: day_of(days).month,
    "day": lambda days: day_of(days).day,
}
