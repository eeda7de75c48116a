"""Within what the numbers of a published column lie: what sensitivities are made of. Pure."""

from __future__ import annotations

from typing import Any

from mpc.encoding import FRAC, LIMIT
from mpc.errors import OutOfRange
from parties.data.column_pushdown import EPOCH
from parties.data.published import PublishedTable
from protocols.errors import ColumnUnfit

__all__ = ["range_of"]


def range_of(table: PublishedTable, column: str, *, by_person: bool = False) -> tuple[int | float, int | float]:
    """Within what the numbers of a column lie: of one row, or of the sum over a person's rows (none among them).

    This is what sensitivities are made of. A category has its places, a date its days. Raises OutOfRange if sums could
    leave the range of the encoding; ColumnUnfit for a key, or a column without bounds.
    """
    c = table.columns[column]
    low: Any
    high: Any
    if c.kind == "boolean":
        low, high = 0, 1
    elif c.kind == "category":
        low, high = 0, len(c.categories) - 1
    elif c.low is None or c.high is None:
        raise ColumnUnfit(f"table {table.name}, column {column}: no numbers within published bounds")
    else:
        low, high = (_days(end) if c.kind == "date" else end for end in (c.low, c.high))
    if not by_person:
        return low, high
    low, high = min(low * table.rows_a_person, 0), max(high * table.rows_a_person, 0)
    if max(-low, high) >= (LIMIT >> FRAC if c.kind == "real" else LIMIT):
        raise OutOfRange(
            f"table {table.name}, column {column}: sums of {table.rows_a_person} rows a person could leave the range "
            "of the encoding; publish narrower bounds, or fewer rows a person"
        )
    return low, high


def _days(date: Any) -> int:
    return int((date - EPOCH).days)
