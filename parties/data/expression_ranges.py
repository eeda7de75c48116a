"""Interval arithmetic: within what the result of an operation lies, from what is public of its operands. Pure.

Engines compute reals as doubles, each operation rounded to the nearest. Its ends are rounded alike, so they hold what
an engine makes of a row and not only what is exact: a divisor that cannot be 0 is none, an integer made of a real fits
64 bits. Ends are then rounded outwards to multiples of 2^-64, so that they stay short whatever they are made of.
"""

from __future__ import annotations

import datetime
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

from parties.data.expression_types import Type, as_double
from parties.errors import ExpressionUnfit

__all__ = ["Ends", "combined", "day_of", "spread_of"]

Ends = tuple[Fraction | None, Fraction | None]

_EPOCH = datetime.date(1970, 1, 1)
_GRID = 1 << 64


def combined(op: str, types: Sequence[Type], *, real: bool = False) -> Ends:
    """Of an operation on operands that all have bounds. ``real``: its result is a double, and so are its operands.

    Raises ExpressionUnfit where none follow.
    """
    pairs = [(one.low, one.high) for one in types]
    if any(low is None or high is None for low, high in pairs):
        if op in ("quarter", "month", "day"):
            return Fraction(1), Fraction({"quarter": 4, "month": 12, "day": 31}[op])
        if types[0].kind == "null":
            return None, None
        raise ExpressionUnfit(f"{op} of a date without public bounds; its member publishes low and high")
    ends = [(low, high) for low, high in pairs if low is not None and high is not None]
    if real:
        ends = [(as_double(low), as_double(high)) for low, high in ends]
    if op == "round" and types[0].kind == "integer":
        op = "to_integer"
    low, high = _ENDS[op](ends[0]) if op in _ENDS else _by_corners(op, *ends)
    if real:
        low, high = as_double(low), as_double(high)
    return Fraction(math.floor(low * _GRID), _GRID), Fraction(math.ceil(high * _GRID), _GRID)


def spread_of(op: str, types: Sequence[Type], nullable: bool) -> Ends:
    """Of greatest and least; operands that are NULL are passed over, so then each of them may be the result."""
    if not types or any(one.low is None for one in types):
        return None, None
    lows = [one.low for one in types if one.low is not None]
    highs = [one.high for one in types if one.high is not None]
    if any(one.kind == "real" for one in types):
        lows, highs = [as_double(low) for low in lows], [as_double(high) for high in highs]
    if nullable:
        return min(lows), max(highs)
    return (max(lows), max(highs)) if op == "greatest" else (min(lows), min(highs))


def day_of(days: int) -> datetime.date:
    """The date of so many days since 1970-01-01; ExpressionUnfit outside of the years 1 to 9999."""
    try:
        return _EPOCH + datetime.timedelta(days)
    except OverflowError:
        raise ExpressionUnfit("a date outside of the years 1 to 9999") from None


_Ends = tuple[Fraction, Fraction]


def _by_corners(op: str, x: _Ends, y: _Ends) -> _Ends:
    """Of what is monotonous in each operand."""
    if op in ("/", "//", "%") and y[0] <= 0 <= y[1]:
        raise ExpressionUnfit("by its public bounds the divisor could be 0; GREATEST(..., 1) makes it one that cannot")
    if op in ("//", "%"):
        if x[0] < 0 or y[0] < 0:
            raise ExpressionUnfit(f"{op} of what could be negative by its public bounds; FLOOR(a / b) rounds down")
        if x[1] >= 1 << 53:
            raise ExpressionUnfit(f"{op} of what could be 2^53 or more by its public bounds")
        if op == "%":
            return Fraction(0), min(x[1], y[1] - 1)
    corners = [_apply(op, a, b) for a, b in itertools.product(x, y)]
    return min(corners), max(corners)


def _apply(op: str, a: Fraction, b: Fraction) -> Fraction:
    if op == "+":
        return a + b
    if op == "-":
        return a - b
    if op == "*":
        return a * b
    return a / b if op == "/" else Fraction(a // b)


def _absolute(x: _Ends) -> _Ends:
    low = Fraction(0) if x[0] <= 0 <= x[1] else min(abs(x[0]), abs(x[1]))
    return low, max(abs(x[0]), abs(x[1]))


def _half_away(x: Fraction) -> Fraction:
    whole = math.floor(as_double(abs(x) + Fraction(1, 2)))
    return Fraction(whole if x >= 0 else -whole)


def _part(name: str, x: _Ends) -> _Ends:
    first, last = (day_of(int(end)) for end in x)
    if name == "year":
        return Fraction(first.year), Fraction(last.year)
    return Fraction(1), Fraction({"quarter": 4, "month": 12, "day": 31}[name])


_ENDS: Mapping[str, Callable[[_Ends], _Ends]] = {
    "neg": lambda x: (-x[1], -x[0]),
    "abs": _absolute,
    "floor": lambda x: (Fraction(math.floor(x[0])), Fraction(math.floor(x[1]))),
    "ceil": lambda x: (Fraction(math.ceil(x[0])), Fraction(math.ceil(x[1]))),
    "round": lambda x: (_half_away(x[0]), _half_away(x[1])),
    "to_real": lambda x: x,
    "to_integer": lambda x: x,
    "year": lambda x: _part("year", x),
    "quarter": lambda x: _part("quarter", x),
    "month": lambda x: _part("month", x),
    "day": lambda x: _part("day", x),
}
