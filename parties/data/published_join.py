"""A published table as a source of a join: its key, its bounds and its capacity, as all parties know them. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from mpc.encoding import FRAC
from mpc.errors import OutOfRange
from parties.data.column_ranges import range_of
from parties.data.published import PublishedTable, profile_of
from parties.errors import NotPublished
from protocols.sources import Column, Source

__all__ = ["join_source"]


def join_source(
    table: PublishedTable, owner: int, key: Sequence[str], columns: Sequence[str], *, by_person: bool = False
) -> Source:
    """What protocols.join takes for rows that tables.read gives.

    Args:
        owner: index of the party whose table it is.
        key: its key columns, in the order all members have theirs. With ``by_person`` the person alone.
        columns: that go along.
        by_person: rows are read by person, so each key has one.

    A table with several rows a person has ``many``, which only the first source of a join may have. Raises NotPublished
    for a column that is not there, TableInvalid for a key that is none; OutOfRange, ColumnUnfit as tables.range_of.
    """
    for name in (*key, *columns):
        if name not in table.columns:
            raise NotPublished(f"table {table.name}, column {name!r}: not published")
    if by_person and list(key) != [table.person]:
        raise OutOfRange(f"table {table.name}: read by person, its key is {table.person!r} and nothing else")
    bounds = {}
    for name in columns:
        low, high = range_of(table, name, by_person=by_person)
        bounds[name] = Column(low, high, frac=FRAC if table.columns[name].kind == "real" else 0)
    return Source(
        owner=owner,
        key={name: profile_of(table.columns[name]) for name in key},
        columns=bounds,
        rows=table.capacity,
        many=table.rows_a_person > 1 and not by_person,
    )
