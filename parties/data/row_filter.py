"""Which rows a job is about: comparisons of columns with literals, and / or / not. Pure; the engine of a table does it.

A filter is about values as published: cut to their bounds, what is missing counted as the rule says. So it can tell
nothing that the bounds hide. A value that is missing and has no rule, or fits no kind, satisfies no comparison.

As JSON: {"column": "age", "is": ">=", "value": 18}, {"all": [...]}, {"any": [...]}, {"not": ...}; dates as YYYY-MM-DD.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from parties.data.published import PublishedColumn, PublishedTable, Scalar
from parties.errors import FilterInvalid

__all__ = [
    "OPPOSITES",
    "AllOf",
    "AnyOf",
    "Compare",
    "Filter",
    "Not",
    "check_filter",
    "columns_of",
    "literal",
    "read_filter",
]

OPPOSITES: Mapping[str, str] = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
"""Comparisons, and which one says the contrary of a value that is there."""

_MOST_COMPARISONS = 256
_DEEPEST = 16


@dataclass(frozen=True, slots=True)
class Compare:
    """A column, one of OPPOSITES, and a value of the column's kind."""

    column: str
    op: str
    value: Scalar


@dataclass(frozen=True, slots=True)
class AllOf:
    """All of them, of one at least."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of them."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Not that one."""

    part: Filter


Filter = Compare | AllOf | AnyOf | Not


def columns_of(where: Filter | None) -> frozenset[str]:
    """The columns a filter looks at."""
    return frozenset() if where is None else frozenset(c.column for c in _comparisons(where))


def check_filter(where: Filter | None, table: PublishedTable) -> None:
    """Nothing, or FilterInvalid, which names table and column. Whether a column *may* be filtered: policies/policy.py.

    A value lies within its column's bounds, or is one of its categories: any other comparison has one answer for all
    rows, and most likely is a mistake.
    """
    if where is None:
        return
    _check_size(where)
    for compare in _comparisons(where):
        what = f"table {table.name}, filter on column {compare.column!r}"
        column = table.columns.get(compare.column)
        if column is None:
            raise FilterInvalid(f"{what}: no such column is published; there are {', '.join(table.columns)}")
        _check_compare(compare, column, what)


def read_filter(said: Any) -> Filter:
    """A filter from JSON's objects, from anywhere. Raises FilterInvalid. Dates stay text; `literal` reads them."""
    return _read(said, _DEEPEST)


def _read(said: Any, depth: int) -> Filter:
    if depth < 0 or not isinstance(said, dict):
        raise FilterInvalid(f"a filter: an object with column, is and value, or with all, any or not, {_DEEPEST} deep")
    names = set(said)
    if names == {"column", "is", "value"}:
        column, op, value = said["column"], said["is"], said["value"]
        if not isinstance(column, str) or not isinstance(op, str) or type(value) not in (int, float, str, bool):
            raise FilterInvalid("a comparison in a filter: column and is are texts, value a text, number or boolean")
        return Compare(column, op, value)
    if names == {"not"}:
        return Not(_read(said["not"], depth - 1))
    if names in ({"all"}, {"any"}):
        (name,) = names
        if not isinstance(said[name], list) or len(said[name]) > _MOST_COMPARISONS:
            raise FilterInvalid(f"{name} in a filter: a list of 1 to {_MOST_COMPARISONS} filters")
        parts = tuple(_read(part, depth - 1) for part in said[name])
        return AllOf(parts) if name == "all" else AnyOf(parts)
    raise FilterInvalid("a filter has column, is and value, or one of all, any, not, and nothing else")


def _comparisons(where: Filter) -> Iterator[Compare]:
    if isinstance(where, Compare):
        yield where
    elif isinstance(where, Not):
        yield from _comparisons(where.part)
    else:
        for part in where.parts:
            yield from _comparisons(part)


def _check_size(where: Filter) -> None:
    level: list[Filter] = [where]
    total = 0
    for _ in range(_DEEPEST + 1):
        below: list[Filter] = []
        for one in level:
            if isinstance(one, Not):
                below.append(one.part)
            elif not isinstance(one, Compare):
                if not one.parts:
                    raise FilterInvalid("a filter with all or any of nothing: leave it out")
                below += one.parts
        total += len(level)
        if total > 2 * _MOST_COMPARISONS:
            break
        if not below:
            return
        level = below
    raise FilterInvalid(f"a filter of more than {_MOST_COMPARISONS} comparisons, or more than {_DEEPEST} deep")


def _check_compare(compare: Compare, column: PublishedColumn, what: str) -> None:
    if compare.op not in OPPOSITES:
        raise FilterInvalid(f"{what}: {compare.op!r} is none of {', '.join(OPPOSITES)}")
    value: Any = literal(compare, column)
    if column.kind == "key":
        raise FilterInvalid(f"{what}: a key would single out a person; filter by something else")
    if column.kind in ("category", "boolean") and compare.op not in ("==", "!="):
        raise FilterInvalid(f"{what}: a column of kind {column.kind} is == or != something, it has no order")
    kinds = {"integer": (int,), "real": (float,), "date": (datetime.date,), "boolean": (bool,), "category": (str, int)}
    if type(value) not in kinds[column.kind] or value != value:
        raise FilterInvalid(f"{what}: a value of kind {column.kind} is needed")
    if column.kind == "category" and not any(type(c) is type(value) and c == value for c in column.categories):
        raise FilterInvalid(f"{what}: a value that is none of the published categories")
    low: Any = column.low
    high: Any = column.high
    if column.kind in ("integer", "real") and not abs(value) < 1 << 62:
        raise FilterInvalid(f"{what}: a value between -2^62 and 2^62 is needed")
    if low is not None and not low <= value <= high:
        raise FilterInvalid(f"{what}: a value within the published bounds, {low} to {high}, is needed")


def literal(compare: Compare, column: PublishedColumn) -> Scalar:
    """The value as its column's kind has it: a whole number for a real, text YYYY-MM-DD for a date."""
    value = compare.value
    if column.kind == "real" and type(value) is int and abs(value) < 1 << 62:
        return float(value)
    if column.kind == "date" and isinstance(value, str):
        try:
            return datetime.date.fromisoformat(value)
        except ValueError:
            return value
    return value
