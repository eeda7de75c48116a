"""What each owner brings in of its rows: columns of numbers, made of the outputs of its own query. Plaintext.

| kind | a row's number |
|---|---|
| value | the value, 0 where it is NULL |
| there | 1 where it is not NULL |
| code | which group it is in, of the product of several domains |
| place | the point of a public grid that the value is rounded up to |
| key | half of a digest of its person, 62 bits; two of them tell people apart |
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from mpc.encoding import FRAC, LIMIT
from parties.data.expression_types import Type
from parties.data.published import profile_of
from parties.data.row_expression import Expr
from parties.data.row_query import Output, RowQuery, Total
from parties.errors import ExpressionUnfit, RowsUnfit
from parties.kinds.kind import Owned, Rows
from parties.sql.figures import Grid
from protocols.errors import KeyInvalid
from protocols.join import Column
from protocols.keys import digests

__all__ = ["Input", "Outputs", "check_parts", "column_of", "frac_of", "made_inputs"]

_SALT = b"accord people of a query"  # digests stay shares, and are never opened
_KEY_BITS = 62
_MOST_CONDITIONS = 32
_MOST_PARTS = 16_000  # of all that one table is asked for, written out; an engine takes half a millisecond for each


@dataclass(frozen=True)
class Input:
    """One column.

    Attributes:
        name: within its table.
        kind: see above.
        outputs: of the owner's query that it is made of, with the types they have.
        grid: of a place.
        half: of a key, 0 or 1.
    """

    name: str
    kind: str
    outputs: tuple[tuple[str, Type], ...]
    grid: Grid | None = None
    half: int = 0


class Outputs:
    """What is read of one table, by name; the same expression once."""

    def __init__(self) -> None:
        self._made: dict[tuple[Expr, Type], str] = {}

    def read(self, of: Expr, kind: Type) -> tuple[str, Type]:
        """(its name, its type)."""
        return self._made.setdefault((of, kind), f"x{len(self._made)}"), kind

    def query(self, where: Expr | None, totals: tuple[Total, ...] | None, having: Expr | None) -> RowQuery:
        """The owner's query with these outputs."""
        return RowQuery(where, totals, having, tuple(Output(name, of, kind) for (of, kind), name in self._made.items()))


def check_parts(query: RowQuery) -> None:
    """ExpressionUnfit if it is too much for an engine to take."""
    if _parts(query) > _MOST_PARTS:
        raise ExpressionUnfit(f"expressions of more than {_MOST_PARTS} parts in all; ask in several queries")
    if _conditions(query) > _MOST_CONDITIONS:
        raise ExpressionUnfit(
            f"more than {_MOST_CONDITIONS} conditions on people, each counted wherever another asks about it; ask in "
            "several queries"
        )


def _conditions(query: RowQuery) -> int:
    return sum(1 + _conditions(one.query) for one in query.among)


def _parts(query: RowQuery) -> int:
    exprs = [query.where, query.having, *(total.of for total in query.totals or ()), *(o.of for o in query.outputs)]
    return sum(expr.size for expr in exprs if expr is not None) + sum(_parts(one.query) for one in query.among)


def frac_of(one: Input) -> int:
    """Fractional bits of a column."""
    return FRAC if one.kind == "value" and one.outputs[0][1].kind == "real" else 0


def column_of(one: Input) -> Column:
    """The column as joins take it, with its bounds."""
    low, high = _ends(one)
    return Column(low, high, frac_of(one))


def _ends(one: Input) -> tuple[Any, Any]:
    kind = one.outputs[0][1]
    if one.kind == "there":
        return 0, 1
    if one.kind == "code":
        return 0, math.prod(output.size for _, output in one.outputs) - 1
    if one.kind == "place":
        assert one.grid is not None
        return 0, one.grid.points - 1
    if one.kind == "key":
        return 0, LIMIT - 1
    if kind.kind == "category":
        return 0, len(kind.values) - 1
    assert kind.low is not None and kind.high is not None
    low, high = kind.low, kind.high
    if kind.nullable:  # NULL comes in as 0
        low, high = min(low, Fraction(0)), max(high, Fraction(0))
    if kind.kind != "real":
        return math.ceil(low), math.floor(high)
    if max(-low, high) >= LIMIT >> FRAC:
        raise ExpressionUnfit("reals from -2^46 to 2^46 can be shared, and by its public bounds it could go beyond")
    return float(low), float(high)


def made_inputs(inputs: Sequence[Input], rows: Rows, table: Owned) -> dict[str, npt.NDArray[Any]]:
    """The columns by name, of an owner's rows as they were read. Raises RowsUnfit, that tells no value."""
    found: dict[str, npt.NDArray[Any]] = {}
    keys: npt.NDArray[np.uint64] | None = None
    for one in inputs:
        what = f"{table.name}, {one.name}"
        if one.kind == "key":
            keys = _digests(one, rows, table) if keys is None else keys
            found[one.name] = (keys[:, one.half] >> np.uint64(64 - _KEY_BITS)).astype(np.int64)
            continue
        found[one.name] = made = _made(one, rows, what)
        low, high = _ends(one)
        if made.size and not (low <= made.min() and made.max() <= high):  # NaN too
            raise RowsUnfit(f"{what}: a value outside of the bounds that follow from what is published")
    return found


def _made(one: Input, rows: Rows, what: str) -> npt.NDArray[Any]:
    columns = [_read(name, kind, rows, what) for name, kind in one.outputs]
    values, there = columns[0]
    if one.kind == "there":
        return there
    if one.kind == "place":
        return _places(one.grid, values, there)
    if one.kind == "code":
        codes = np.zeros(len(values), np.int64)
        for (_, kind), (place, known) in zip(one.outputs, columns, strict=True):
            codes = codes * kind.size + np.where(known == 1, place - kind.first, kind.size - 1 if kind.nullable else 0)
        return codes
    return values


def _read(name: str, kind: Type, rows: Rows, what: str) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """(values, 1 where there is one)."""
    if name not in rows or f"{name}?" not in rows:
        raise RowsUnfit(f"{what}: not among the columns that were read")
    values, there = np.asarray(rows[name]), np.asarray(rows[f"{name}?"])
    dtype = np.float64 if kind.kind == "real" else np.int64
    if values.ndim != 1 or values.shape != there.shape or values.dtype != dtype or there.dtype != np.int64:
        raise RowsUnfit(f"{what}: not numbers of the type that its expression has")
    if there.size and not (there.min() >= 0 and there.max() <= 1):
        raise RowsUnfit(f"{what}: a flag that is neither 0 nor 1")
    if not kind.nullable and there.size and there.min() == 0:
        raise RowsUnfit(f"{what}: a value is missing where none can be by what is published")
    return np.where(there == 1, values, 0).astype(dtype), there


def _places(grid: Grid | None, values: npt.NDArray[Any], there: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The least point that is not below the value; a digit beyond a point is still that point."""
    assert grid is not None
    if values.dtype == np.int64:
        places = -((int(grid.low) - values) // int(grid.step))
    else:
        places = np.ceil((values - float(grid.low)) / float(grid.step) - 1e-9).astype(np.int64)
    return np.where(there == 1, np.clip(places, 0, grid.points - 1), 0)


def _digests(one: Input, rows: Rows, table: Owned) -> npt.NDArray[np.uint64]:
    name, facts = one.outputs[0][0], table.facts
    if name not in rows:
        raise RowsUnfit(f"{table.name}, {facts.person}: not among the columns that were read")
    if not len(rows[name]):
        return np.zeros((0, 2), np.uint64)
    tags = None
    try:
        tags, _ = digests([rows[name]], [profile_of(facts.columns[facts.person])], _SALT, what=table.name)
    except KeyInvalid:
        tags = None
    if tags is None:
        raise RowsUnfit(f"{table.name}, {facts.person}: keys that do not fit their profile")
    return tags
