"""This member's own rows as jobs read them: read once while neither table, filter nor source changes.

What is kept is plaintext of this member's own, in its own process, up to a limit; the least lately read goes first. A
source that cannot say whether it changed (a database) is read every time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

from parties.data.description import digest_of
from parties.data.published import PublishedTable
from parties.data.row_filter import read_filter
from parties.data.row_query import RowQuery
from parties.data.table_source import source_state
from parties.data.tables import Reading, open_table
from parties.kinds.kind import PRESENT, Rows, TableAsk

__all__ = ["OwnRows", "reading_of"]

_DTYPES: dict[str, Any] = {"real": np.float64, "key": object}
_MOST = 256 << 20  # bytes


class OwnRows:
    """Reads published tables for jobs. Calls block; from any thread.

    Args:
        most: bytes kept.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._kept: dict[Any, tuple[Any, Rows, int]] = {}
        self._order = threading.Lock()

    def __repr__(self) -> str:
        return f"<own rows of {len(self._kept)} readings>"

    def batches(
        self, table: PublishedTable, reading: Reading, others: tuple[PublishedTable, ...] = ()
    ) -> Iterator[Rows]:
        """Rows in batches; at least one, which may be empty. Without columns a column of ones. Errors: Table.read.

        ``others``: tables whose people a query asks about.
        """
        if reading.query is not None:
            empty = empty_outputs(reading.query)
        else:
            empty = {name: np.zeros(0, _DTYPES.get(table.columns[name].kind, np.int64)) for name in reading.columns}
        yield empty or {PRESENT: np.zeros(0, np.int64)}
        with open_table(table, others) as opened:
            for batch in opened.read(reading):
                yield dict(batch.columns) or {PRESENT: np.ones(len(batch), np.int64)}

    def all(self, table: PublishedTable, reading: Reading, others: tuple[PublishedTable, ...] = ()) -> Rows:
        """All rows at once, not to be changed; see batches."""
        read = (table, *others)
        key = (tuple((digest_of(one), one.source, one.order) for one in read), reading)
        state = _state(read)
        with self._order:
            known = self._kept.pop(key, None)
            if known is not None and state and known[0] == state:
                self._kept[key] = known
                return known[1]
        batches = list(self.batches(table, reading, others))
        rows = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
        if state and state == _state(read):
            self._keep(key, state, rows)
        return rows

    def _keep(self, key: Any, state: Any, rows: Rows) -> None:
        size = sum(column.nbytes if column.dtype != object else 100 * len(column) for column in rows.values())
        if size > self._most:
            return
        with self._order:
            self._kept[key] = state, rows, size
            while sum(kept[2] for kept in self._kept.values()) > self._most:
                self._kept.pop(next(iter(self._kept)))


def reading_of(ask: TableAsk) -> Reading:
    """What its owner reads for what a job asks of a table. Raises FilterInvalid."""
    if ask.query is not None:
        return Reading(query=ask.query)
    return Reading(tuple(ask.uses), None if ask.where is None else read_filter(ask.where))


def _state(tables: tuple[PublishedTable, ...]) -> tuple[Any, ...]:
    """Of all of them; empty where one cannot tell."""
    found = tuple(source_state(table.source, f"table {table.name}") for table in tables)
    return found if all(found) else ()


def empty_outputs(query: RowQuery) -> dict[str, Any]:
    """The outputs of no rows, as batch_arrays.as_outputs gives them."""
    found: dict[str, Any] = {}
    for output in query.outputs:
        found[output.name] = np.zeros(0, _DTYPES.get(output.type.kind, np.int64))
        if output.type.kind != "key":
            found[f"{output.name}?"] = np.zeros(0, np.int64)
    return found
