"""A published table as plain fields and back: what TOML and JSON both hold. Pure, strict."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from parties.data.published import PublishedColumn, PublishedTable
from parties.errors import TableInvalid

__all__ = ["column_fields", "read_table", "table_fields"]

_TABLE = ("source", "person", "rows_a_person", "capacity", "uses", "results_to", "epsilon_a_job", "order", "columns")
_COLUMN = ("kind", "uses", "low", "high", "categories", "missing", "other", "profile", "region")
_PRIVATE = ("source", "order", "region")
_NAMED: Mapping[type, str] = {str: "a text", int: "a whole number", list: "a list", dict: "fields by name"}


def read_table(name: str, fields: Any, *, public: bool = False) -> PublishedTable:
    """The table of these fields; ``public``: as another member tells of it, without its private ones.

    Raises TableInvalid, which names table, column and field: one that is missing, unknown, of another type, or breaks
    a rule of published.py.
    """
    what = f"table {name!r}"
    _check_fields(what, fields, [f for f in _TABLE if not public or f not in _PRIVATE])
    columns = {}
    for column, given in _take(what, fields, "columns", dict).items():
        _check_fields(f"{what}, column {column!r}", given, [f for f in _COLUMN if not public or f not in _PRIVATE])
        try:
            columns[column] = _read_column(column, given)
        except TableInvalid as error:
            raise TableInvalid(f"{what}, {error}") from None
    uses = _texts(what, fields, "uses") if "uses" in fields else frozenset()
    if uses - {"count"}:
        raise TableInvalid(f"{what}, uses: only count is of a table as a whole; all others are of a column")
    return PublishedTable(
        name=name,
        source="" if public else _take(what, fields, "source", str),
        person=_take(what, fields, "person", str),
        rows_a_person=_take(what, fields, "rows_a_person", int),
        capacity=_take(what, fields, "capacity", int),
        columns=columns,
        counts="count" in uses,
        results_to=_texts(what, fields, "results_to") if "results_to" in fields else None,
        epsilon_a_job=_number(what, fields, "epsilon_a_job"),
        order=_take(what, fields, "order", str) if "order" in fields else None,
    )


def table_fields(table: PublishedTable, *, public: bool = False) -> dict[str, Any]:
    """The fields that read_table reads back to an equal table (if ``public``: to what others know of it)."""
    fields: dict[str, Any] = {} if public else {"source": table.source}
    fields |= {"person": table.person, "rows_a_person": table.rows_a_person, "capacity": table.capacity}
    fields["uses"] = ["count"] if table.counts else []
    if table.results_to is not None:
        fields["results_to"] = sorted(table.results_to)
    fields["epsilon_a_job"] = table.epsilon_a_job
    if table.order is not None and not public:
        fields["order"] = table.order
    fields["columns"] = {name: column_fields(column, public=public) for name, column in table.columns.items()}
    return fields


def column_fields(column: PublishedColumn, *, public: bool = False) -> dict[str, Any]:
    """The fields of one column, those it has."""
    fields: dict[str, Any] = {"kind": column.kind, "uses": sorted(column.uses)}
    for name in ("low", "high", "missing", "other", "profile", "region"):
        value = getattr(column, name)
        if value is not None and not (public and name in _PRIVATE):
            fields[name] = value
    if column.categories:
        fields["categories"] = list(column.categories)
    return fields


def _read_column(name: str, fields: Mapping[str, Any]) -> PublishedColumn:
    what = f"column {name}"
    kind = _take(what, fields, "kind", str)
    categories = tuple(_take(what, fields, "categories", list)) if "categories" in fields else ()
    if any(type(category) not in (str, int) for category in categories):
        raise TableInvalid(f"{what}, categories: all texts, or all whole numbers")
    return PublishedColumn(
        name=name,
        kind=kind,
        uses=_texts(what, fields, "uses") if "uses" in fields else frozenset(),
        low=_scalar(what, fields, "low", kind),
        high=_scalar(what, fields, "high", kind),
        categories=categories,
        missing=_scalar(what, fields, "missing", kind),
        other=_scalar(what, fields, "other", kind),
        profile=_take(what, fields, "profile", str) if "profile" in fields else None,
        region=_take(what, fields, "region", str) if "region" in fields else None,
    )


def _scalar(what: str, fields: Mapping[str, Any], field: str, kind: str) -> Any:
    """As the kind has it: a whole number is a real one, and a date may be written as text (JSON has no dates)."""
    value = fields.get(field)
    if kind == "real" and type(value) is int and abs(value) < 1 << 62:
        return float(value)
    if kind == "date" and type(value) is str:
        try:
            return datetime.date.fromisoformat(value)
        except ValueError:
            raise TableInvalid(f"{what}, {field}: a date, YYYY-MM-DD") from None
    return value


def _number(what: str, fields: Mapping[str, Any], field: str) -> float:
    value: Any = fields.get(field)
    if type(value) not in (int, float) or abs(value) >= 1 << 62:
        raise TableInvalid(f"{what}, {field}: {'missing' if value is None else 'a number'}")
    return float(value)


def _texts(what: str, fields: Mapping[str, Any], field: str) -> frozenset[str]:
    value = _take(what, fields, field, list)
    if not all(isinstance(text, str) for text in value) or len(set(value)) != len(value):
        raise TableInvalid(f"{what}, {field}: a list of texts, each once at most")
    return frozenset(value)


def _take(what: str, fields: Mapping[str, Any], field: str, kind: type) -> Any:
    value = fields.get(field)
    if value is None:
        raise TableInvalid(f"{what}, {field}: missing")
    if type(value) is not kind:  # not isinstance: true is no number here
        raise TableInvalid(f"{what}, {field}: {_NAMED[kind]}, not {type(value).__name__}")
    if isinstance(value, int) and value.bit_length() > 63:  # as long a one, in hex say, cannot even be told of
        raise TableInvalid(f"{what}, {field}: a whole number of at most 63 bits")
    return value


def _check_fields(what: str, fields: Any, known: list[str]) -> None:
    if not isinstance(fields, dict):
        raise TableInvalid(f"{what}: fields {', '.join(known)}")
    for field in fields:
        if field not in known:
            raise TableInvalid(f"{what}: unknown field {field!r}; there are {', '.join(known)}")
