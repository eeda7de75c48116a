"""Reading a job's parameters: strict, bounded, every refusal names the field and what may stand there. Pure."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from parties.data.published import PublishedColumn
from parties.errors import ParametersInvalid, TableUnfit
from parties.kinds.kind import Owned
from protocols.exact import as_exact, check_epsilon, is_whole
from protocols.mechanisms import DiscreteGaussian, DiscreteLaplace, Mechanism

__all__ = [
    "bounds", "check_known", "check_same", "check_tables", "columns_asked", "number", "published", "read_noise",
    "texts", "whole",
]  # fmt: skip

_MOST_TEXTS = 256
_LARGEST = int(sys.float_info.max)
_EPOCH = datetime.date(1970, 1, 1)


def check_known(kind: str, parameters: Mapping[str, Any], known: Collection[str], needed: Collection[str] = ()) -> None:
    """ParametersInvalid for a field that is unknown, or missing: null says nothing either."""
    for field in parameters:
        if field not in known:
            raise ParametersInvalid(f"{kind}: unknown parameter {field!r}; there are {', '.join(sorted(known))}")
    for field in needed:
        if parameters.get(field) is None:
            raise ParametersInvalid(f"{kind}: parameter {field!r} is missing")


def check_tables(kind: str, tables: Sequence[Owned], least: int, most: int) -> None:
    """ParametersInvalid for too few or too many tables."""
    if not least <= len(tables) <= most:
        wanted = str(least) if least == most else f"{least} to {most}"
        raise ParametersInvalid(f"{kind}: a job on {len(tables)} tables; it takes {wanted}")


def whole(kind: str, parameters: Mapping[str, Any], field: str, least: int, most: int, default: Any = None) -> Any:
    """A whole number, or the default."""
    value = parameters.get(field)
    if value is None:
        return default
    if not is_whole(value) or not least <= value <= most:
        raise ParametersInvalid(f"{kind}: {field} is a whole number from {least} to {most}")
    return value


def number(kind: str, parameters: Mapping[str, Any], field: str, default: Any = None) -> Any:
    """A finite number, which a double can come close to, or the default."""
    value = parameters.get(field)
    if value is None:
        return default
    exact = as_exact(value)
    if exact is None or abs(exact) > _LARGEST:
        raise ParametersInvalid(f"{kind}: {field} is a finite number")
    return value


def texts(kind: str, field: str, value: Any, *, least: int = 1) -> tuple[str, ...]:
    """A list of texts, each once."""
    if not isinstance(value, (list, tuple)) or not least <= len(value) <= _MOST_TEXTS:
        raise ParametersInvalid(f"{kind}: {field} is a list of {least} to {_MOST_TEXTS} texts")
    if any(not isinstance(text, str) for text in value) or len(set(value)) != len(value):
        raise ParametersInvalid(f"{kind}: {field} is a list of texts, each once")
    return tuple(value)


def read_noise(kind: str, parameters: Mapping[str, Any]) -> Mechanism:
    """Laplace noise of ``epsilon``, or with a ``delta`` Gaussian noise of both: what all figures cost together."""
    epsilon, delta = number(kind, parameters, "epsilon"), number(kind, parameters, "delta")
    if epsilon is None:
        raise ParametersInvalid(
            f"{kind}: parameter 'epsilon' is missing: how much all the figures may tell of a person"
        )
    check_epsilon(epsilon)
    return DiscreteLaplace(epsilon) if delta is None else DiscreteGaussian(epsilon, delta)


def published(table: Owned, column: str, kinds: Collection[str], what: str) -> PublishedColumn:
    """A published column of one of these kinds, or TableUnfit."""
    found = table.facts.columns.get(column)
    if found is None:
        raise TableUnfit(f"{table.name}, column {column!r}: not published; there are {', '.join(table.facts.columns)}")
    if found.kind not in kinds:
        raise TableUnfit(
            f"{table.name}, column {column}: of kind {found.kind}, {what} takes one of {', '.join(sorted(kinds))}"
        )
    if found.kind in ("integer", "real", "date") and found.low is None:
        raise TableUnfit(
            f"{table.name}, column {column}: {what} needs public bounds; its member publishes low and high"
        )
    return found


def check_same(tables: Sequence[Owned], columns: Collection[str]) -> None:
    """TableUnfit unless the tables publish these columns alike: a union is of tables of one shape."""
    for table in tables[1:]:
        for name in columns:
            first, other = tables[0].facts.columns[name], table.facts.columns.get(name)
            for field in ("kind", "low", "high", "categories"):
                if other is None or getattr(first, field) != getattr(other, field):
                    raise TableUnfit(
                        f"column {name}: {tables[0].name} and {table.name} differ in {field}; their members publish it "
                        "alike, or the job takes one of them"
                    )


def columns_asked(uses: Collection[tuple[str, str]]) -> dict[str, frozenset[str]]:
    """(column, use) pairs as what is asked of each column."""
    return {name: frozenset(use for column, use in uses if column == name) for name, _ in uses}


def bounds(column: PublishedColumn) -> tuple[int | float, int | float]:
    """Within what the numbers lie that a column is encoded as: a date's days since 1970-01-01, a category's places."""
    low: Any
    high: Any
    low, high = column.low, column.high
    if column.kind == "boolean":
        return 0, 1
    if column.kind == "category":
        return 0, len(column.categories) - 1
    if isinstance(low, datetime.date):
        return (low - _EPOCH).days, (high - _EPOCH).days
    return low, high
