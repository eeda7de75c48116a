"""A published table, read: filtered, bounded and encoded by the engine that holds it, in batches. Nothing is sent.

1. One query looks at all rows wanted: do they fit what was published, and how many are kept?  (an aggregation)
2. Another gives them in batches, of each person so many rows as were published at most.       (a stream)
Tables whose people a query asks about are looked at by the first kind of query, each once, before these.
So a value that does not fit, or a row too many, is found before anything is shared. A table that was changed between
the two is TableChanged. One reading at a time: a second one of the same Table ends the first.

Which rows of a person are kept, if there are too many: the first by the table's ``order``, and by a hash of person and
values where that leaves a choice. The same rows of a table as it is give the same; a value that a person has in many
rows is no likelier to be kept than one in a single row.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from parties.data.batch_arrays import as_arrays, as_outputs
from parties.data.column_ranges import range_of
from parties.data.published import PublishedColumn, PublishedTable
from parties.data.query_pushdown import query_outputs, query_people, query_rows
from parties.data.row_filter import Filter, check_filter
from parties.data.row_query import Among, RowQuery
from parties.data.table_parts import WHOLE, Part, Parts
from parties.data.table_query import kept, selected, survey, together
from parties.data.table_source import OpenSource, open_source
from parties.errors import ColumnMissing, FilterInvalid, TableMissing, ValueUnfit
from protocols.errors import CapacityExceeded, ColumnUnfit, TableChanged

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["Batch", "Reading", "Table", "open_table"]

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
        query: the outputs of a query instead; then there are no columns, no filter and no sums beside it.
    """

    columns: tuple[str, ...] = ()
    where: Filter | None = None
    by_person: bool = False
    query: RowQuery | None = None

    @property
    def looked_at(self) -> tuple[str, ...]:
        """Published columns whose values are looked at."""
        return self.columns if self.query is None else self.query.columns

    @property
    def holds_people(self) -> bool:
        """Whether an engine has to hold people at once, if only as many rows of each as were published are there."""
        return self.by_person or (self.query is not None and (self.query.totals is not None or bool(self.query.among)))


@dataclass(frozen=True, repr=False)
class Batch:
    """Some rows.

    Attributes:
        columns: by name, in the order asked for, (n,): int64 (integer; days since 1970-01-01; boolean 0 and 1; category
            its place), float64 (real), or for a key an array as the joins take it, missing ones masked or None. Of a
            query see batch_arrays.as_outputs.
        rows: (n,) int64, how many rows of the person this is the sum of; all 1 unless read by person.
    """

    columns: Mapping[str, npt.NDArray[Any]]
    rows: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)


@contextlib.contextmanager
def open_table(
    published: PublishedTable, others: Iterable[PublishedTable] = (), *, memory: int = 1 << 30
) -> Iterator[Table]:
    """The table, open for reading.

    Args:
        others: tables of the same owner whose people a query may ask about.
        memory: bytes an embedded engine may use.

    Raises as table_source.open_source.
    """
    with contextlib.ExitStack() as cleanup:
        source = cleanup.enter_context(open_source(published.source, f"table {published.name}", memory=memory))
        opened: dict[str, Table] = {}
        sources = [source]
        for other in others:
            beside = open_source(other.source, f"table {other.name}", memory=memory, beside=sources)
            sources.append(cleanup.enter_context(beside))
            opened[other.name] = Table(other, sources[-1], opened)
        yield Table(published, source, opened)


@dataclass(frozen=True, repr=False)
class Table:
    """A published table and its open source; ``others``: those by name whose people may be asked about."""

    published: PublishedTable
    source: OpenSource = field(repr=False)
    others: Mapping[str, Table] = field(default_factory=dict, repr=False)
    _found: dict[RowQuery, Callable[[Part], ir.Table]] = field(default_factory=dict, repr=False, compare=False)

    def check(self, reading: Reading) -> int:
        """How many rows `read` will give; private. The first of its two queries.

        Raises ColumnMissing, ColumnUnfit, FilterInvalid, BoundsMissing (before any query), ValueUnfit,
        CapacityExceeded, SourceUnreachable, SourceUnreadable.
        """
        return self._check(self._selected(reading), reading, Parts())[0]

    def read(self, reading: Reading, *, rows: int = _BATCH) -> Iterator[Batch]:
        """The rows, in batches of at most ``rows``, without ever holding all of them. Errors: check; TableChanged."""
        before = self._state(reading)
        wanted = self._selected(reading)
        parts = Parts()
        promised, bounding = self._check(wanted, reading, parts)
        if not bounding and not reading.holds_people:
            parts = Parts()  # once is enough
        seen = 0
        for batch in parts.ask(wanted, lambda part: self.source.batches(self._kept(part, reading, bounding), rows)):
            columns = self._arrays(batch, reading)
            seen += batch.num_rows
            if seen > promised:
                break
            yield Batch(columns, np.asarray(batch.column("n").to_numpy(zero_copy_only=False), np.int64))
        if seen != promised or self._state(reading) != before:
            raise TableChanged(f"{self.source.what}: changed while it was read; read a copy that stands still")

    def sql(self, reading: Reading, *, bounding: bool = True) -> str:
        """The second query, as the engine gets it; ``bounding``: as it is where a person has too many rows."""
        return self.source.sql(self._kept(self._selected(reading)(WHOLE), reading, bounding))

    def people(self, query: RowQuery) -> Callable[[Part], ir.Table]:
        """Who the people of a query without outputs are, as an engine finds them; that its table fits is looked at now.

        Raises as check.
        """
        if query not in self._found:
            reading = Reading(query=query)
            rows = self._selected(reading)
            self._fits(rows, reading, Parts())
            # one expression wherever it is asked for: an engine then sees that it is one
            self._found[query] = functools.cache(lambda part: query_people(rows(part), self.published, query))
        return self._found[query]

    def _among(self, one: Among) -> Callable[[Part], ir.Table]:
        """Those whom a query's rows may be among, as this table's engine takes them."""
        other = self._other(one.table)
        people = other.people(one.query)
        if self.source.shares(other.source):
            return people
        lent = self.source.lent(other.source, people(WHOLE))
        return functools.cache(lambda part: part.of(lent, "q"))

    def _other(self, name: str) -> Table:
        if name not in self.others:
            raise TableMissing(f"{self.source.what}: it is asked for the people of {name}, which is not open beside it")
        return self.others[name]

    def _state(self, reading: Reading) -> tuple[Any, ...]:
        names = () if reading.query is None else reading.query.others
        return (self.source.state(), *(self._other(name).source.state() for name in names))

    def _selected(self, reading: Reading) -> Callable[[Part], ir.Table]:
        """All rows of some people, and which of them are wanted."""
        self._refuse(reading)
        can_try, source = self.source.backend.name != "postgres", self.source.table
        if (query := reading.query) is None:
            rows = selected(source, self.published, reading.columns, reading.where, can_try=can_try)
            return lambda part: part.of(rows, "p")
        people = [self._among(one) for one in query.among]

        @functools.cache  # several questions are about one part
        def of(part: Part) -> ir.Table:
            found = [one(part) for one in people]
            return part.of(query_rows(source, self.published, query, found, can_try=can_try), "p")

        of(WHOLE)  # what it raises, it raises before any question
        return of

    def _kept(self, rows: ir.Table, reading: Reading, bounding: bool) -> ir.Table:
        if reading.query is not None:
            return query_outputs(rows, self.published, reading.query, bounding=bounding)
        return kept(rows, self.published, reading.columns, bounding=bounding, by_person=reading.by_person)

    def _refuse(self, reading: Reading) -> None:
        what = self.source.what
        if reading.query is not None and (reading.columns or reading.where is not None or reading.by_person):
            raise ColumnMissing(f"{what}: a query has its own columns and conditions, and none beside it")
        if len(set(reading.columns)) != len(reading.columns):
            raise ColumnMissing(f"{what}: a column is asked for twice; name each once")
        for name in reading.looked_at:
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
            raise FilterInvalid(f"{what}: a filter of parties.data.row_filter is needed")
        check_filter(reading.where, self.published)

    def _check(self, rows: Callable[[Part], ir.Table], reading: Reading, parts: Parts) -> tuple[int, bool]:
        """(rows kept, whether anybody has more than were published)."""
        kept, most = self._fits(rows, reading, parts)
        bounding = most > self.published.rows_a_person
        if reading.query is not None and reading.query.having is not None:
            return self._number(rows, reading, parts, bounding), bounding
        return kept, bounding

    def _fits(self, rows: Callable[[Part], ir.Table], reading: Reading, parts: Parts) -> tuple[int, int]:
        """(rows kept, the most that anybody has), where the table is as it was published."""
        what, most = self.source.what, self.published.rows_a_person
        columns = reading.looked_at
        by_person = reading.by_person or (reading.query is not None and reading.query.totals is not None)
        found = together(
            parts.ask(
                rows,
                lambda part: iter([self.source.one_row(survey(part, len(columns), most, by_person=by_person))]),
            )
        )
        for name, flag in ((self.published.person, "up"), *((n, f"u{i}") for i, n in enumerate(columns))):
            if found[flag]:
                raise ValueUnfit(f"{what}, column {name}: {_unfit(self.published.columns[name])}")
        for i, name in enumerate(columns):
            if found[f"a{i}"]:
                raise ValueUnfit(
                    f"{what}, column {name}: some values are missing; publish the table anew and say what they count "
                    f"as: `accord publish` with --missing {name}=VALUE"
                )
        if found["room"] > self.published.capacity:
            raise CapacityExceeded(
                f"{what}: more rows than its capacity of {self.published.capacity}; publish it with a larger one"
            )
        return found["kept"], found["most"]

    def _number(self, rows: Callable[[Part], ir.Table], reading: Reading, parts: Parts, bounding: bool) -> int:
        """How many rows the second query gives, where a condition on a person's totals decides."""

        def number(part: ir.Table) -> Iterator[int]:
            kept = self._kept(part, reading, bounding)
            yield int(self.source.one_row(kept.aggregate(kept=kept.count().cast("int64")))["kept"])

        return sum(parts.ask(rows, number))

    def _arrays(self, batch: Any, reading: Reading) -> dict[str, npt.NDArray[Any]]:
        columns: dict[str, npt.NDArray[Any]] = {}
        if reading.query is not None:
            for i, output in enumerate(reading.query.outputs):
                columns |= as_outputs(
                    batch.column(f"e{i}"), output.name, output.type, f"{self.source.what}, {output.name}"
                )
            return columns
        for i, name in enumerate(reading.columns):
            column = self.published.columns[name]
            ends = None if column.kind == "key" else range_of(self.published, name, by_person=reading.by_person)
            columns[name] = as_arrays(batch.column(f"v{i}"), column, ends, f"{self.source.what}, column {name}")
        return columns


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
