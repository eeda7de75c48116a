"""An expression as an engine's own, of Ibis: NULL in, NULL out, as SQL has it. Pure.

Dates are days since 1970-01-01 here too, and become dates only where a part of one is asked for. A number is written as
a text that is cast: left alone engines take 9 for 32 bits and 0.1 for a decimal, and fail at rows where those overflow.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from parties.data.row_expression import Call, Column, Expr, Literal

__all__ = ["digit", "holding", "pushed"]

_DTYPES = {"integer": "int64", "real": "float64", "boolean": "boolean", "date": "int64", "null": "int64"}


def pushed(expr: Expr, columns: Mapping[str, Any]) -> Any:
    """The expression over these expressions of Ibis: int64 (integers, dates), float64, boolean, texts."""
    import ibis

    if isinstance(expr, Column):
        return columns[expr.name]
    if isinstance(expr, Literal):
        if expr.value is None:
            return ibis.null("int64")
        if isinstance(expr.value, bool | str):
            return ibis.literal(expr.value, _DTYPES.get(expr.type.kind, "string"))
        return ibis.literal(repr(expr.value)).cast(_DTYPES.get(expr.type.kind, "int64"))
    args = [pushed(arg, columns) for arg in expr.args]
    if expr.op == "is_null":
        return args[0].isnull() if expr.args[0].type.nullable else ibis.literal(False)
    if expr.op == "in":
        return _among(args[0], expr.values)
    if expr.op in _CHOICES:
        return _CHOICES[expr.op](_alike(expr, args))
    if any(arg.type.kind == "null" for arg in expr.args) and expr.op not in ("and", "or"):
        return ibis.null(_DTYPES.get(expr.type.kind, "string"))
    if expr.op in ("and", "or"):
        return functools.reduce(operator.and_ if expr.op == "and" else operator.or_, [_boolean(arg) for arg in args])
    return _OPERATIONS[expr.op](*args)


def holding(condition: Expr, columns: Mapping[str, Any]) -> Any:
    """Whether a condition is true: false where it is NULL."""
    return _boolean(pushed(condition, columns)).fill_null(False)


def _boolean(arg: Any) -> Any:
    return arg if arg.type().is_boolean() else arg.cast("boolean")


def _not(x: Any) -> Any:
    """Ibis writes NOT without brackets, so that NOT (x) IS NULL would be read as NOT (x IS NULL)."""
    import ibis

    return _boolean(x) == ibis.literal(False)


def digit(truth: Any) -> Any:
    """1, 0 or NULL: not every engine casts a boolean."""
    import ibis

    return ibis.cases((truth, 1), (_not(truth), 0)).cast("int64")


def _among(value: Any, values: Sequence[Any]) -> Any:
    """Of a value that is NULL, NULL; an empty list is true of nothing."""
    import ibis

    if values:
        return value.isin(list(values))
    return value.isnull().ifelse(ibis.null("boolean"), ibis.literal(False))


def _alike(expr: Call, args: Sequence[Any]) -> list[Any]:
    """What one is chosen of, all of one type: integers become reals where one is real, NULL what the others are."""
    kind = expr.args[0].type.kind if expr.op == "nullif" else expr.type.kind
    dtype = _DTYPES.get(kind)
    if kind == "category":
        types = [one.type for one in expr.args if one.type.kind == "category"]
        dtype = "string" if any(isinstance(value, str) for one in types for value in one.values) else "int64"
    chosen = range(len(args)) if expr.op != "case" else {*range(1, len(args), 2), len(args) - 1}
    if expr.op == "nullif" and kind in ("integer", "real"):
        chosen = range(0)
    return [arg.cast(dtype) if i in chosen and dtype is not None else arg for i, arg in enumerate(args)]


def _case(args: Sequence[Any]) -> Any:
    import ibis

    branches = [(_boolean(c), v) for c, v in zip(args[:-1:2], args[1:-1:2], strict=True)]
    return ibis.cases(*branches, else_=args[-1])


def _coalesce(args: Sequence[Any]) -> Any:
    import ibis

    return ibis.coalesce(*args)


def _extreme(greatest: bool, args: Sequence[Any]) -> Any:
    """Passing NULLs over, which not every engine's function does: another of the operands stands for one."""
    import ibis

    held = [arg if len(args) == 1 else ibis.coalesce(arg, *args[:i], *args[i + 1 :]) for i, arg in enumerate(args)]
    return ibis.greatest(*held) if greatest else ibis.least(*held)


def _whole(x: Any, how: Callable[[Any], Any]) -> Any:
    return x if x.type().is_integer() else how(x).cast("int64")


def _round(x: Any) -> Any:
    """Halves away from zero, whatever the engine's own rounding does with them."""
    return (x.abs() + 0.5).floor() * x.sign()


def _date(days: Any) -> Any:
    import ibis

    return ibis.date("1970-01-01") + days.as_interval("D")


_CHOICES: Mapping[str, Callable[[Sequence[Any]], Any]] = {
    "case": _case,
    "coalesce": _coalesce,
    "nullif": lambda args: args[0].nullif(args[1]),
    "greatest": lambda args: _extreme(True, args),
    "least": lambda args: _extreme(False, args),
}

_OPERATIONS: Mapping[str, Callable[..., Any]] = {
    "not": _not,
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": lambda x, y: x.cast("float64") / y.cast("float64"),
    "//": lambda x, y: ((x - x % y) / y).cast("int64"),
    "%": operator.mod,
    "neg": operator.neg,
    "abs": lambda x: x.abs(),
    "floor": lambda x: _whole(x, lambda v: v.floor()),
    "ceil": lambda x: _whole(x, lambda v: v.ceil()),
    "round": lambda x: _whole(x, _round),
    "to_real": lambda x: x.cast("float64"),
    "to_integer": digit,
    "year": lambda d: _date(d).year().cast("int64"),
    "quarter": lambda d: _date(d).quarter().cast("int64"),
    "month": lambda d: _date(d).month().cast("int64"),
    "day": lambda d: _date(d).day().cast("int64"),
}
