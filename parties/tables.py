"""A published table, read: filtered, bounded and encoded by the engine that holds it, in batches. Nothing is sent.

1. One query looks at all rows wanted: do they fit what was published, and how many are kept?  (an aggregation)
2. Another gives them in batches, of each person so many rows as were published at most.       (a stream)
So a value that does not fit, or a row too many, is found before anything is shared. A table that was changed between
the two is TableChanged.

Which rows of a person are kept, if there are too many: the first by the table's ``order``, and by a hash of person and
values where that leaves a choice. The same rows of a table as it is give the same; a value that a person has in many
rows is no likelier to be kept than one in a single row.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mpc.encoding import FRAC, LIMIT
from mpc.errors import OutOfRange
from parties.batch_arrays import as_arrays
from parties.column_pushdown import Pushed, encoded, key_identity, readable
from parties.errors import ColumnMissing, FilterInvalid, ValueUnfit
from parties.filter_pushdown import filter_expression
from parties.published import PublishedColumn, PublishedTable
from parties.row_filter import Filter, check_filter
from parties.table_source import OpenSource, open_source
from protocols.errors import CapacityExceeded, ColumnUnfit, TableChanged

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["Batch", "Reading", "Table", "open_table", "range_of"]

_BATCH = 1 << 16  # rows
_SUMMED = ("integer", "real", "boolean")


@dataclass(frozen=True)
class Reading:
    """What is to be read of a table.

    Attributes:
        columns: which, each once, of the published ones.
        where: of which rows; None: all.
        by_person: one row a person: the sum of each column over the person's kept rows, and how many these are. Columns
            are then of kind integer, real or boolean, or the person itself.
    """

    columns: tuple[str, ...]
    where: Filter | None = None
    by_person: bool = False


@dataclass(frozen=True, repr=False)
class Batch:
    """Some rows.

    Attributes:
        columns: by name, in the order asked for, (n,): int64 (integer; days since 1970-01-01; boolean 0 and 1; category
            its place), float64 (real), or for a key an array as the joins take it, missing ones masked or None.
        rows: (n,) int64, how many rows of the person this is the sum of; all 1 unless read by person.
    """

    columns: Mapping[str, npt.NDArray[Any]]
    rows: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)


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


@contextlib.contextmanager
def open_table(published: PublishedTable, *, memory: int = 1 << 30) -> Iterator[Table]:
    """The table, open for reading. ``memory``: bytes an embedded engine may use. Raises as table_source.open_source."""
    with open_source(published.source, f"table {published.name}", memory=memory) as source:
        yield Table(published, source)


@dataclass(frozen=True, repr=False)
class Table:
    """A published table and its open source."""

    published: PublishedTable
    source: OpenSource = field(repr=False)

    def check(self, reading: Reading) -> int:
        """How many rows `read` will give; private. The first of its two queries.

        Raises ColumnMissing, ColumnUnfit, FilterInvalid, BoundsMissing (before any query), ValueUnfit,
        CapacityExceeded, SourceUnreachable, SourceUnreadable.
        """
        kept, _ = self._check(self._select(reading), reading)
        return kept

    def read(self, reading: Reading, *, rows: int = _BATCH) -> Iterator[Batch]:
        """The rows, in batches of at most ``rows``, without ever holding all of them. Errors: check; TableChanged."""
        before = self.source.state()
        selected = self._select(reading)
        kept, most = self._check(selected, reading)
        seen = 0
        for batch in self.source.batches(self._kept(selected, reading, most), rows):
            columns = self._arrays(batch, reading)
            seen += batch.num_rows
            if seen > kept:
                break
            yield Batch(columns, np.asarray(batch.column("n").to_numpy(zero_copy_only=False), np.int64))
        if seen != kept or self.source.state() != before:
            raise TableChanged(f"{self.source.what}: changed while it was read; read a copy that stands still")

    def sql(self, reading: Reading, *, bounding: bool = True) -> str:
        """The second query, as the engine gets it; ``bounding``: as it is where a person has too many rows."""
        most = self.published.rows_a_person + (1 if bounding else 0)
        return self.source.sql(self._kept(self._select(reading), reading, most))

    def _select(self, reading: Reading) -> ir.Table:
        """Columns p (the person), v0, v1, ... (values), u0, ... (unfit), a0, ... (absent), o (order, if there is)."""
        self._refuse(reading)
        table, what = self.source.table, self.source.what
        can_try = self.source.backend.name != "postgres"
        if reading.where is not None:
            table = table.filter(filter_expression(reading.where, table, self.published, can_try=can_try))
        person = self.published.columns[self.published.person]
        read = readable(table, person, what, can_try=can_try)
        named: dict[str, Any] = {"p": key_identity(read.value, person.profile), "up": read.unfit}
        for i, name in enumerate(reading.columns):
            pushed: Pushed = encoded(table, self.published.columns[name], what, can_try=can_try)
            named |= {f"v{i}": pushed.value, f"u{i}": pushed.unfit, f"a{i}": pushed.absent}
        if self.published.order is not None:
            if self.published.order not in table.columns:
                raise ColumnMissing(f"{what}, order: its source has no such column; publish the table anew")
            named["o"] = table[self.published.order]
        selected = table.select(**named)
        return selected.filter(selected.p.notnull() | selected.up)

    def _refuse(self, reading: Reading) -> None:
        what = self.source.what
        if len(set(reading.columns)) != len(reading.columns):
            raise ColumnMissing(f"{what}: a column is asked for twice; name each once")
        for name in reading.columns:
            column = self.published.columns.get(name)
            if column is None:
                raise ColumnMissing(
                    f"{what}, column {name!r}: not published; there are {', '.join(self.published.columns)}"
                )
            if reading.by_person and name != self.published.person:
                if column.kind not in _SUMMED:
                    raise ColumnUnfit(f"{what}, column {name}: a column of kind {column.kind} has no sum by person")
                range_of(self.published, name, by_person=True)
        if not isinstance(reading.where, Filter | None):
            raise FilterInvalid(f"{what}: a filter of parties.row_filter is needed")
        check_filter(reading.where, self.published)

    def _check(self, selected: ir.Table, reading: Reading) -> tuple[int, int]:
        """(rows kept, the most rows a person has)."""
        flags = ["up", *(f"{flag}{i}" for i in range(len(reading.columns)) for flag in "ua")]
        people = selected.group_by("p").aggregate(
            n=selected.count(), **{flag: selected[flag].fill_null(False).any() for flag in flags}
        )
        import ibis

        kept = people.n.count() if reading.by_person else ibis.least(people.n, self.published.rows_a_person).sum()
        found = self.source.one_row(
            people.aggregate(kept=kept.cast("int64"), most=people.n.max(), **{f: people[f].any() for f in flags})
        )
        what = self.source.what
        for name, flag in ((self.published.person, "up"), *((n, f"u{i}") for i, n in enumerate(reading.columns))):
            if found[flag]:
                raise ValueUnfit(f"{what}, column {name}: {_unfit(self.published.columns[name])}")
        for i, name in enumerate(reading.columns):
            if found[f"a{i}"]:
                raise ValueUnfit(
                    f"{what}, column {name}: some values are missing; publish the table anew and say what they count "
                    f"as: `accord publish` with --missing {name}=VALUE"
                )
        if (found["kept"] or 0) > self.published.capacity:
            raise CapacityExceeded(
                f"{what}: more rows than its capacity of {self.published.capacity}; publish it with a larger one"
            )
        return found["kept"] or 0, found["most"] or 0

    def _kept(self, selected: ir.Table, reading: Reading, most: int) -> ir.Table:
        """Columns v0, v1, ... and n, of each person no more rows than were published."""
        import ibis

        values = [f"v{i}" for i in range(len(reading.columns))]
        if most > self.published.rows_a_person:
            order = [selected.o] if self.published.order is not None else []
            number = ibis.row_number().over(group_by=selected.p, order_by=[*order, _hash(selected, ["p", *values])])
            selected = selected.mutate(r=number)
            selected = selected.filter(selected.r < self.published.rows_a_person)
        if not reading.by_person:
            return selected.select(*values, n=ibis.literal(1, "int64"))
        totals = {}
        for value, name in zip(values, reading.columns, strict=True):
            column = selected[value]
            if name != self.published.person:
                totals[value] = column.sum().cast(column.type())
            elif self.published.columns[name].profile not in ("raw", "integer"):
                totals[value] = column.min()
        people = selected.group_by("p").aggregate(n=selected.count(), **totals)
        return people.select(**{v: people[v] if v in totals else people.p for v in values}, n=people.n)

    def _arrays(self, batch: Any, reading: Reading) -> dict[str, npt.NDArray[Any]]:
        columns = {}
        for i, name in enumerate(reading.columns):
            column = self.published.columns[name]
            ends = None if column.kind == "key" else range_of(self.published, name, by_person=reading.by_person)
            columns[name] = as_arrays(batch.column(f"v{i}"), column, ends, f"{self.source.what}, column {name}")
        return columns


def _hash(table: ir.Table, names: list[str]) -> Any:
    """A hash of a row's values that is the same at every reading."""
    import ibis

    @ibis.udf.scalar.builtin(name="md5")
    def md5(text: str) -> str: ...  # type: ignore[empty-body]

    texts = [table[name].cast("string").fill_null("") for name in names if not table[name].type().is_binary()]
    return md5(ibis.literal("|").join(texts)) if texts else ibis.literal("")


def _unfit(column: PublishedColumn) -> str:
    kinds = {
        "integer": "some values are no whole numbers",
        "real": "some values are no numbers",
        "date": "some values are no dates (YYYY-MM-DD)",
        "boolean": "some values are neither true nor false",
        "category": "some values are none of its categories; list them, or name the one that stands for others (other)",
        "key": f"some keys do not fit the profile {column.profile}",
    }
    return f"{kinds[column.kind]}; publish the column as another kind, or mend its source"


def _days(date: Any) -> int:
    from parties.column_pushdown import EPOCH

    return int((date - EPOCH).days)
