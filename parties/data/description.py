"""What other members may know of a table: everything published but its source, as canonical JSON. Pure."""

from __future__ import annotations

import datetime
import hashlib
import json
from typing import Any

from parties.data.published import PublishedTable
from parties.data.published_fields import read_table, table_fields
from parties.errors import TableInvalid

__all__ = ["describe", "digest_of", "read_description"]

_MOST = 1 << 20  # bytes


def describe(table: PublishedTable) -> bytes:
    """JSON in ASCII, keys sorted but columns in their order; equal for equal public tables, and only for them.

    It holds no source, no order, no region, and no number of rows.
    """
    fields = table_fields(table, public=True)
    columns = [{"name": name, **inner} for name, inner in fields.pop("columns").items()]
    said = {"format": "accord table 1", "name": table.name, **fields, "columns": columns}
    return json.dumps(
        said, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False, default=_date
    ).encode()


def digest_of(table: PublishedTable) -> str:
    """SHA-256 of the description, hex: what a job can state, so that a table published anew is another one."""
    return hashlib.sha256(describe(table)).hexdigest()


def read_description(text: bytes) -> PublishedTable:
    """Another member's table, with an empty source. Its bytes may be hostile: anything odd raises TableInvalid."""
    if len(text) > _MOST:
        raise TableInvalid(f"the description of a table has more than {_MOST} bytes")
    try:
        said = json.loads(text.decode("ascii"), object_pairs_hook=_once, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise TableInvalid("the description of a table is not JSON in ASCII, each name once") from None
    if not isinstance(said, dict) or said.pop("format", None) != "accord table 1":
        raise TableInvalid("the description of a table: format is 'accord table 1'")
    name, columns = said.pop("name", None), said.pop("columns", None)
    if not isinstance(name, str) or not isinstance(columns, list):
        raise TableInvalid("the description of a table: a name, and a list of columns")
    named: dict[str, Any] = {}
    for column in columns:
        key = column.pop("name", None) if isinstance(column, dict) else None
        if not isinstance(key, str) or key in named:
            raise TableInvalid("the description of a table: each column has a name, and its own")
        named[key] = column
    return read_table(name, {**said, "columns": named}, public=True)


def _date(value: Any) -> str:
    if not isinstance(value, datetime.date):
        raise TypeError(type(value).__name__)
    return value.isoformat()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name twice")
    return made


def _refuse(_: str) -> Any:
    raise ValueError("no number")
