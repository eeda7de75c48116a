"""The two queries a table is read by, as expressions of Ibis: filter, projection, bound and totals pushed down. Pure.

Columns have places for names, as a source's own could be any: p the person, v0, v1, ... the values, u0, ... whether one
is unfit, a0, ... whether one is absent, o what a person's rows are ordered by, n how many, w which are wanted.

Whether a table fits what was published, in values and capacity, is decided over all its rows, whichever are wanted: a
job that failed by those alone that a filter picks would tell, exactly and for nothing, whether there are such rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from parties.data.column_pushdown import Pushed, encoded, key_identity, readable
from parties.data.filter_pushdown import filter_expression
from parties.data.published import PublishedTable
from parties.data.row_filter import Filter
from parties.errors import ColumnMissing

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["bounded", "kept", "selected", "survey", "together"]


def selected(
    table: ir.Table, published: PublishedTable, columns: tuple[str, ...], where: Filter | None, *, can_try: bool
) -> ir.Table:
    """p, up, w, v, u, a, and o if there is an order: of all rows that have a person.

    ``can_try``: as for column_pushdown.readable. Raises ColumnMissing, ColumnUnfit, BoundsMissing.
    """
    import ibis

    what = f"table {published.name}"
    wanted = ibis.literal(True)
    if where is not None:
        wanted = filter_expression(where, table, published, can_try=can_try).fill_null(False)
    person = published.columns[published.person]
    read = readable(table, person, what, can_try=can_try)
    named: dict[str, Any] = {"p": key_identity(read.value, person.profile), "up": read.unfit, "w": wanted}
    for i, name in enumerate(columns):
        pushed: Pushed = encoded(table, published.columns[name], what, can_try=can_try)
        named |= {f"v{i}": pushed.value, f"u{i}": pushed.unfit, f"a{i}": pushed.absent}
    if published.order is not None:
        if published.order not in table.columns:
            raise ColumnMissing(f"{what}, order: its source has no such column; publish the table anew")
        named["o"] = table[published.order]
    rows = table.select(**named)
    return rows.filter(rows.p.notnull() | rows.up)


def survey(rows: ir.Table, columns: int, rows_a_person: int, *, by_person: bool) -> ir.Table:
    """One row: kept (rows the other query gives), most (wanted rows of one person), room (what the table would take if
    all were wanted), whether any row is up, u0, a0, u1, ..."""
    import ibis

    flags = ["up", *(f"{flag}{i}" for i in range(columns) for flag in "ua")]
    people = rows.group_by("p").aggregate(
        n=rows.w.sum(), all=rows.count(), **{flag: rows[flag].fill_null(False).any() for flag in flags}
    )
    counts = {"kept": people.n, "room": people.all}
    if by_person:
        numbers = {name: (n > 0).sum() for name, n in counts.items()}
    else:
        numbers = {name: ibis.least(n, rows_a_person).sum() for name, n in counts.items()}
    return people.aggregate(
        most=people.n.max(),
        **{name: number.cast("int64") for name, number in numbers.items()},
        **{flag: people[flag].any() for flag in flags},
    )


def together(surveys: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Surveys of parts of the people as one of all of them; without people there are NULLs for 0 and false."""
    found: dict[str, Any] = {"kept": 0, "room": 0, "most": 0}
    for one in surveys:
        for name, value in one.items():
            before = found.get(name, False)
            if name in ("kept", "room"):
                found[name] = before + (value or 0)
            else:
                found[name] = max(before, value or before)
    return found


def kept(
    rows: ir.Table, published: PublishedTable, columns: tuple[str, ...], *, bounding: bool, by_person: bool
) -> ir.Table:
    """v0, v1, ... and n, of wanted rows. ``bounding``: some person has more than were published; the first are kept."""
    import ibis

    values = [f"v{i}" for i in range(len(columns))]
    rows = rows.filter(rows.w)
    if bounding:
        rows = bounded(rows, published, values)
    if not by_person:
        return rows.select(*values, n=ibis.literal(1, "int64"))
    totals = {}
    for value, name in zip(values, columns, strict=True):
        column = rows[value]
        if name != published.person:
            totals[value] = column.sum().cast(column.type())
        elif published.columns[name].profile not in ("raw", "integer"):
            totals[value] = column.min()  # one of the ways it is written
    people = rows.group_by("p").aggregate(n=rows.count(), **totals)
    return people.select(**{v: people[v] if v in totals else people.p for v in values}, n=people.n)


def bounded(rows: ir.Table, published: PublishedTable, values: list[str]) -> ir.Table:
    """Of each person p so many rows as were published: the first by the order, then by a hash of p and ``values``."""
    import ibis

    order = [rows.o] if published.order is not None else []
    order += [_hash(rows, ["p", *values]), *(rows[value] for value in values)]
    rows = rows.mutate(r=ibis.row_number().over(group_by=rows.p, order_by=order))
    return rows.filter(rows.r < published.rows_a_person)


def _hash(table: ir.Table, names: list[str]) -> Any:
    """Of a row's values, the same at every reading; bytes are left out, no engine agrees with another on their text."""
    import ibis

    def md5(text: str) -> str:  # every engine has it by this name
        raise NotImplementedError

    texts = [table[name].cast("string").fill_null("") for name in names if not table[name].type().is_binary()]
    return ibis.udf.scalar.builtin(md5)(ibis.literal("|").join(texts)) if texts else ibis.literal("")
