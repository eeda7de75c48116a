"""What is public of an expression's values: their kind, and within what they lie. Pure."""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from parties.data.published import PublishedColumn
from parties.errors import ExpressionUnfit

__all__ = ["COMPARISONS", "Type", "as_double", "merged", "numeric", "type_of"]

_EPOCH = datetime.date(1970, 1, 1)
COMPARISONS = ("=", "<>", "<", "<=", ">", ">=")


@dataclass(frozen=True)
class Type:
    """Of an expression.

    Attributes:
        kind: "integer", "real", "boolean", "date" (days since 1970-01-01), "category" (texts, or whole numbers), "key",
            or "null" of what is always NULL.
        low, high: of integers, reals, dates and booleans, exact; None: not known.
        values: of a category all it can be.
        nullable: whether it can be NULL.
    """

    kind: str
    low: Fraction | None = None
    high: Fraction | None = None
    values: tuple[Any, ...] = ()
    nullable: bool = False

    @property
    def size(self) -> int:
        """How many values it can be, NULL among them: of categories, booleans, and integers and dates with bounds.
        Others have no list of them, and 0."""
        if self.kind == "category":
            found = len(self.values)
        elif self.kind in ("boolean", "integer", "date") and self.low is not None and self.high is not None:
            found = max(0, math.floor(self.high) - self.first + 1)
        else:
            return 0
        return found + self.nullable

    @property
    def first(self) -> int:
        """The least of the whole numbers, or days, that it can be; 0 of a category, whose places are counted from 0."""
        return 0 if self.low is None else math.ceil(self.low)

    def at(self, place: int) -> Any:
        """What it is at a place of that list: values in their order, NULL last."""
        if self.nullable and place == self.size - 1:
            return None
        if self.kind == "category":
            return self.values[place]
        return bool(place) if self.kind == "boolean" else self.first + place


def type_of(column: PublishedColumn) -> Type:
    """Of a published column: without a rule for missing values it can be NULL."""
    if column.kind == "key":
        return Type("key")
    if column.kind == "category":
        return Type("category", values=tuple(column.categories), nullable=column.missing is None)
    low: Fraction | None = None
    high: Fraction | None = None
    if column.kind == "boolean":
        low, high = Fraction(0), Fraction(1)
    elif column.low is not None and column.high is not None:
        low, high = _number(column.low), _number(column.high)
    return Type(column.kind, low, high, nullable=column.missing is None)


def _number(end: Any) -> Fraction:
    return Fraction((end - _EPOCH).days if isinstance(end, datetime.date) else end)


def merged(types: Sequence[Type]) -> Type:
    """Of what is one of several: reals hold integers too. ExpressionUnfit for kinds that do not go together."""
    named = [one for one in types if one.kind != "null"]
    if not named:
        return Type("null", nullable=True)
    kinds = list(dict.fromkeys(one.kind for one in named))
    if len(kinds) > 1 and set(kinds) != {"integer", "real"}:
        raise ExpressionUnfit(f"values of kind {' and '.join(sorted(kinds))} cannot stand for one another")
    if kinds[0] == "key":
        raise ExpressionUnfit("a key cannot be part of an expression: it would single out a person")
    values = tuple(dict.fromkeys(value for one in named for value in one.values))
    if len({type(value) for value in values}) > 1:
        raise ExpressionUnfit("categories that are texts and others that are numbers cannot stand for one another")
    low: Fraction | None = None
    high: Fraction | None = None
    if all(one.low is not None and one.high is not None for one in named):
        low = min(one.low for one in named if one.low is not None)
        high = max(one.high for one in named if one.high is not None)
    kind = "real" if "real" in kinds else kinds[0]
    if kind == "real" and low is not None and high is not None:
        low, high = as_double(low), as_double(high)
    return Type(kind, low, high, values, any(one.nullable for one in types))


def as_double(end: Fraction) -> Fraction:
    """The double next to it. Rounding keeps order: what is within ends is, once rounded, within the rounded ends."""
    return Fraction(float(end))


def numeric(one: Type, op: str) -> None:
    """ExpressionUnfit unless it is a number."""
    if one.kind not in ("integer", "real"):
        more = "; CAST(... AS INTEGER) counts true as 1" if one.kind == "boolean" else ""
        raise ExpressionUnfit(f"{op} of a value of kind {one.kind}, which is no number{more}")
