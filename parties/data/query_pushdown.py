"""A RowQuery as the queries an engine gets, over values as published: cut to bounds, missing as the rule says. Pure.

Names as in table_query.py: p the person, k its key as it is, v0, v1, ... the published columns, u0, ... whether one is
unfit, a0, ... never, as what is missing is NULL here; m0, ... whether the person is among the people of another table,
whose people are q; t0, ... totals of a person's rows; e0, e1, ... the outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from parties.data.column_pushdown import encoded, key_identity, readable
from parties.data.expression_pushdown import digit, holding, pushed
from parties.data.published import PublishedColumn, PublishedTable
from parties.data.row_query import RowQuery, Total
from parties.data.table_query import bounded
from parties.errors import ColumnMissing

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["query_outputs", "query_people", "query_rows"]


def query_rows(
    table: ir.Table, published: PublishedTable, query: RowQuery, people: Sequence[ir.Table] = (), *, can_try: bool
) -> ir.Table:
    """p, up, k, w, v, u, a, m, and o if there is an order, of all rows that have a person. w: whether ``where`` holds.

    Args:
        people: of each of ``query.among`` who they are, as query_people gives them.
        can_try: as for column_pushdown.readable.

    Raises ColumnMissing, ColumnUnfit.
    """
    import ibis

    what = f"table {published.name}"
    person = published.columns[published.person]
    read = readable(table, person, what, can_try=can_try)
    named: dict[str, Any] = {"p": key_identity(read.value, person.profile), "up": read.unfit, "k": read.value}
    for i, name in enumerate(query.columns):
        value, unfit = _column(table, published.columns[name], what, can_try)
        named |= {f"v{i}": value, f"u{i}": unfit, f"a{i}": ibis.literal(False)}
    if published.order is not None:
        if published.order not in table.columns:
            raise ColumnMissing(f"{what}, order: its source has no such column; publish the table anew")
        named["o"] = table[published.order]
    rows = table.select(**named)
    for i, found in enumerate(people):  # a join, as not every engine takes IN of a query where it is no filter
        joined = rows.left_join(found, rows.p == found.q)
        rows = joined.select(*(joined[name] for name in rows.columns), **{f"m{i}": joined.q.notnull()})
    wanted = ibis.literal(True)
    if query.where is not None:
        wanted = holding(query.where, _row_columns(rows, published, query)).fill_null(False)
    rows = rows.mutate(w=wanted)
    return rows.filter(rows.p.notnull() | rows.up)


def query_outputs(rows: ir.Table, published: PublishedTable, query: RowQuery, *, bounding: bool) -> ir.Table:
    """e0, e1, ... of the rows of query_rows, and n (1). ``bounding``: as for table_query.kept."""
    import ibis

    rows = _kept(rows, published, query, bounding=bounding)
    columns, key = _columns(rows, published, query), rows.k
    if query.totals is not None and published.columns[published.person].profile in ("raw", "integer"):
        key = rows.p
    outputs = {}
    for i, output in enumerate(query.outputs):
        kind = output.of.type.kind
        outputs[f"e{i}"] = key if kind == "key" else _plain(pushed(output.of, columns), kind)
    return rows.select(**outputs, n=ibis.literal(1, "int64"))


def query_people(rows: ir.Table, published: PublishedTable, query: RowQuery) -> ir.Table:
    """q: the people, each once, of the rows of query_rows that the query keeps, or whose totals it keeps."""
    kept = _kept(rows, published, query, bounding=query.totals is not None)
    return kept.filter(kept.p.notnull()).select(q=kept.p).distinct()


def _kept(rows: ir.Table, published: PublishedTable, query: RowQuery, *, bounding: bool) -> ir.Table:
    """Rows of query_rows that are wanted, of each person so many as were published; or totals t0, t1, ... of people."""
    rows = rows.filter(rows.w)
    if bounding:
        rows = bounded(rows, published, [f"v{i}" for i in range(len(query.columns))])
    if query.totals is None:
        return rows
    columns = _row_columns(rows, published, query)
    named = {f"t{j}": _total(total, rows, columns) for j, total in enumerate(query.totals)}
    named |= {f"m{i}": rows[f"m{i}"].any() for i in range(len(query.among))}  # the same in all rows of a person
    rows = rows.group_by("p").aggregate(k=rows.k.min(), n=rows.count(), **named)  # one of the ways it is written
    if query.having is None:
        return rows
    return rows.filter(holding(query.having, _columns(rows, published, query)))


def _columns(rows: ir.Table, published: PublishedTable, query: RowQuery) -> dict[str, Any]:
    """Of what _kept gives, by name: what conditions after it, and outputs, are over."""
    if query.totals is None:
        return _row_columns(rows, published, query)
    return {f"#{j}": rows[f"t{j}"] for j in range(len(query.totals))} | _memberships(rows, query)


def _memberships(rows: ir.Table, query: RowQuery) -> dict[str, Any]:
    return {one.name: rows[f"m{i}"] for i, one in enumerate(query.among)}


def _row_columns(rows: ir.Table, published: PublishedTable, query: RowQuery) -> dict[str, Any]:
    """By name, as expressions take them: a boolean's digit is whether it is 1."""
    found = _memberships(rows, query)
    for i, name in enumerate(query.columns):
        value = rows[f"v{i}"]
        found[name] = value == 1 if published.columns[name].kind == "boolean" else value
    return found


def _column(table: ir.Table, column: PublishedColumn, what: str, can_try: bool) -> tuple[Any, Any]:
    """(value, whether it is unfit): of numbers and dates without bounds, which are only compared, as they are."""
    if column.low is not None or column.kind not in ("integer", "real", "date"):
        made = encoded(table, column, what, can_try=can_try)
        return made.value, made.unfit
    import ibis

    read = readable(table, column, what, can_try=can_try)
    value = read.value if column.missing is None else read.value.fill_null(column.missing)
    if column.kind == "date":
        return value.delta(ibis.date("1970-01-01"), unit="day").cast("int64"), read.unfit
    return value.cast("int64" if column.kind == "integer" else "float64"), read.unfit


def _total(total: Total, rows: ir.Table, columns: dict[str, Any]) -> Any:
    if total.of is None:
        return rows.count().cast("int64")
    value, kind = _plain(pushed(total.of, columns), total.of.type.kind), total.of.type.kind
    if total.what == "count":
        return value.count().cast("int64")
    dtype = "float64" if total.what == "avg" or kind == "real" else "int64"
    if total.what == "avg":
        value = value.cast("float64")  # of integers PostgreSQL makes a decimal
    made = {"sum": value.sum, "min": value.min, "max": value.max, "avg": value.mean}[total.what]()
    return made.cast(dtype)


def _plain(value: Any, kind: str) -> Any:
    """A boolean as 1, 0 or NULL: not every engine casts one."""
    import ibis

    if kind == "boolean":
        return digit(value)
    if kind == "null":
        return ibis.null("int64")
    return value.cast({"integer": "int64", "real": "float64", "date": "int64"}[kind]) if kind != "category" else value
