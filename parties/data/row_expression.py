"""Expressions over the columns of a row, with what is public of their values: kind, bounds, categories. Pure.

They are made by ``call`` only, which finds the type of the result by interval arithmetic, and refuses what has none.
One form serves an engine's query (expression_pushdown.py), plain values (expression_value.py), and shares (sql/).
SQL's logic holds: NULL in, NULL out, but for and, or, is_null, case, coalesce, greatest and least.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from parties.data.expression_ranges import Ends, combined, spread_of
from parties.data.expression_types import COMPARISONS, Type, merged, numeric
from parties.errors import ExpressionUnfit

__all__ = [
    "CONDITIONS", "NULL", "Call", "Column", "Expr", "Literal", "call", "case", "columns_in", "literal", "parts_of",
    "retyped", "substituted", "truth",
]  # fmt: skip

CONDITIONS = frozenset({*COMPARISONS, "in", "is_null", "and", "or", "not"})
"""Operations that give true, false or NULL: what a column is only asked about."""

_MOST_NODES = 4000
_MOST_DEEP = 200
_RESULTS: Mapping[str, str] = {
    "year": "integer", "quarter": "integer", "month": "integer", "day": "integer", "floor": "integer",
    "ceil": "integer", "round": "integer", "to_integer": "integer", "to_real": "real", "/": "real",
}  # fmt: skip


@dataclass(frozen=True)
class Column:
    """A column by a name that is unique where the expression is used."""

    name: str
    type: Type
    size: int = 1
    depth: int = 1


@dataclass(frozen=True)
class Literal:
    """A value: an int (integers, days of dates), a float, a str, a bool, or None."""

    value: Any
    type: Type
    size: int = 1
    depth: int = 1


@dataclass(frozen=True)
class Call:
    """An operation. ``values``: of ``in`` the categories it is true of.

    Operations: + - * / // % neg abs floor ceil round to_real to_integer; = <> < <= > >= in is_null; and or not;
    case (condition, value, ..., else), coalesce, nullif, greatest, least; year, quarter, month, day of a date's days.
    """

    op: str
    args: tuple[Expr, ...]
    type: Type
    values: tuple[Any, ...] = ()
    size: int = field(default=1, compare=False)
    depth: int = field(default=1, compare=False)


Expr = Column | Literal | Call

NULL = Literal(None, Type("null", nullable=True))


def literal(value: Any, kind: str) -> Literal:
    """A constant of a kind. Raises ExpressionUnfit for a number beyond 2^62."""
    if kind in ("integer", "date", "real"):
        exact = Fraction(value)
        if abs(exact) >= 1 << 62:
            raise ExpressionUnfit("a number beyond 2^62")
        return Literal(value, Type(kind, exact, exact))
    if kind == "boolean":
        return Literal(value, Type("boolean", Fraction(int(value)), Fraction(int(value))))
    return Literal(value, Type("category", values=(value,)))


def call(op: str, *args: Expr, values: tuple[Any, ...] = (), loose: bool = False) -> Expr:
    """An operation on expressions.

    Args:
        loose: operands may have no bounds: figures with noise, of which there are none.

    Raises ExpressionUnfit, which says what is wrong with the operands, without naming them.
    """
    made = _typed(op, args, loose)
    size, depth = _extent(op, args)
    if not loose and made.kind in ("integer", "real", "date") and made.low is not None:
        assert made.high is not None
        if max(-made.low, made.high) >= 1 << 62:
            raise ExpressionUnfit("by the public bounds of its columns its values could go beyond 2^62")
    return Call(op, args, made, values, size, depth)


def case(*args: Expr, loose: bool = False) -> Expr:
    """CASE WHEN args[0] THEN args[1] ... ELSE args[-1]."""
    return call("case", *args, loose=loose)


def truth(expr: Expr) -> Expr:
    """A condition that is a boolean or NULL; ExpressionUnfit for anything else."""
    if expr.type.kind not in ("boolean", "null"):
        raise ExpressionUnfit(f"a condition is needed, which is true or false, not a value of kind {expr.type.kind}")
    return expr


def columns_in(expr: Expr) -> Iterator[Column]:
    """Its columns, as often as they are in it."""
    if isinstance(expr, Column):
        yield expr
    elif isinstance(expr, Call):
        for arg in expr.args:
            yield from columns_in(arg)


def parts_of(expr: Expr) -> tuple[Expr, ...]:
    """What a conjunction is made of."""
    if isinstance(expr, Call) and expr.op == "and":
        return tuple(part for arg in expr.args for part in parts_of(arg))
    return (expr,)


def substituted(expr: Expr, by: Mapping[str, Expr]) -> Expr:
    """Columns replaced by expressions of their own kind; types found for the whole stay. ExpressionUnfit: too large."""
    if isinstance(expr, Column):
        return by.get(expr.name, expr)
    if isinstance(expr, Literal):
        return expr
    args = tuple(substituted(arg, by) for arg in expr.args)
    size, depth = _extent(expr.op, args)
    return Call(expr.op, args, expr.type, expr.values, size, depth)


def _extent(op: str, args: tuple[Expr, ...]) -> tuple[int, int]:
    """(parts, depth) as an engine gets it, where some operations name an operand several times. ExpressionUnfit."""
    times = 2 if op in ("round", "//", "to_integer") else len(args) if op in ("greatest", "least") else 1
    size, depth = 1 + times * sum(arg.size for arg in args), 1 + max((arg.depth for arg in args), default=0)
    if size > _MOST_NODES or depth > _MOST_DEEP:
        raise ExpressionUnfit(f"an expression of more than {_MOST_NODES} parts, or more than {_MOST_DEEP} deep")
    return size, depth


def retyped(expr: Expr, kind: str) -> Expr:
    """As a real where an integer stands for one; else as it is."""
    return call("to_real", expr, loose=True) if kind == "real" and expr.type.kind == "integer" else expr


# -- types of results --------------------------------------------------------------------------


def _typed(op: str, args: tuple[Expr, ...], loose: bool) -> Type:
    types = [arg.type for arg in args]
    nullable = any(one.nullable for one in types)
    if op == "is_null":
        return Type("boolean", Fraction(0), Fraction(1))
    if op in ("and", "or", "not"):
        for arg in args:
            truth(arg)
        return Type("boolean", Fraction(0), Fraction(1), nullable=nullable)
    if op == "in":
        return Type("boolean", Fraction(0), Fraction(1), nullable=nullable)
    if op in COMPARISONS:
        _check_compared(op, types)
        return Type("boolean", Fraction(0), Fraction(1), nullable=nullable)
    if op == "case":
        for arg in args[:-1:2]:
            truth(arg)
        chosen = [*types[1:-1:2], types[-1]]
        return replace(merged(chosen), nullable=any(one.nullable for one in chosen))
    if op == "coalesce":
        return replace(merged(types), nullable=all(one.nullable for one in types))
    if op in ("greatest", "least"):
        found = merged(types)
        if found.kind not in ("integer", "real", "date", "null"):
            raise ExpressionUnfit(f"{op} of values of kind {found.kind}, which have no order")
        ends = spread_of(op, [one for one in types if one.kind != "null"], any(one.nullable for one in types))
        return replace(found, low=ends[0], high=ends[1], nullable=all(one.nullable for one in types))
    if op == "nullif":
        _check_compared("=", types)
        return replace(_without(types[0], args[1]), nullable=True)
    if op in ("year", "quarter", "month", "day"):
        if types[0].kind not in ("date", "null"):
            raise ExpressionUnfit(f"{op} of a value of kind {types[0].kind}; it is part of a date")
        return Type("integer", *combined(op, types), nullable=nullable)
    return _arithmetic(op, types, nullable, loose)


def _arithmetic(op: str, types: list[Type], nullable: bool, loose: bool) -> Type:
    kinds = [one.kind for one in types]
    if "null" in kinds:
        return Type("null", nullable=True)
    if op in ("+", "-") and kinds[0] == "date" and kinds[1] in ("integer", "date"):
        if op == "+" and kinds[1] == "date":
            raise ExpressionUnfit("two dates cannot be added; one can be taken from the other, which gives days")
        result = "integer" if kinds[1] == "date" else "date"
    elif op == "+" and kinds == ["integer", "date"]:
        result = "date"
    elif op == "to_integer" and kinds == ["boolean"]:
        return Type("integer", types[0].low, types[0].high, nullable=nullable)
    else:
        for one in types:
            numeric(one, op)
        result = _RESULTS.get(op) or ("real" if "real" in kinds else "integer")
    if op in ("//", "%") and "real" in kinds:
        raise ExpressionUnfit(f"{op} of reals; FLOOR(a / b) divides them and rounds down")
    if any(one.low is None for one in types):
        if not loose:
            raise ExpressionUnfit(
                "a column in it has no public bounds, so nothing follows for the result; its member publishes low and "
                "high"
            )
        return Type(result, nullable=nullable or op in ("/", "//", "%"))
    ends: Ends = combined(op, types, real=result == "real")
    return Type(result, *ends, nullable=nullable)


def _check_compared(op: str, types: list[Type]) -> None:
    kinds = {one.kind for one in types} - {"null"}
    if len(kinds) > 1 and not kinds <= {"integer", "real"}:
        raise ExpressionUnfit(f"values of kind {' and '.join(sorted(kinds))} cannot be compared")
    if op not in ("=", "<>") and kinds & {"boolean", "category"}:
        raise ExpressionUnfit(f"values of kind {kinds.pop()} are = or <> something, they have no order")
    if kinds & {"category"} and len({type(value) for one in types for value in one.values}) > 1:
        raise ExpressionUnfit("categories that are texts and others that are numbers cannot be compared")
    if kinds & {"key"}:
        raise ExpressionUnfit("a key would single out a person; compare something else")


def _without(left: Type, right: Expr) -> Type:
    """NULLIF(x, 0) of whole numbers from 0 up is 1 or more."""
    if left.kind == "integer" and isinstance(right, Literal) and left.low is not None and left.high is not None:
        if left.low == right.value < left.high:
            return replace(left, low=left.low + 1)
        if left.high == right.value > left.low:
            return replace(left, high=left.high - 1)
    return left
