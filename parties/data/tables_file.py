"""``tables.toml``: the tables a member publishes, as a person reads and writes them. Pure: text in, tables out.

[tables.patients]
source = "/data/patients.parquet"   # private, as is order; all else is told to the other members
person = "patient_id"
rows_a_person = 1
capacity = 16384
uses = ["count"]
results_to = ["alfa"]               # without it, all members
epsilon_a_job = 1.0

[tables.patients.columns.patient_id]
kind = "key"
profile = "text"
uses = ["join"]

[tables.patients.columns.age]
kind = "integer"
low = 0
high = 120
missing = 0
uses = ["sum", "filter"]
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

from parties.data.published import PublishedTable
from parties.data.published_fields import read_table, table_fields
from parties.disk.private_files import read_public, write_atomically
from parties.disk.toml_text import toml_key, toml_lines
from parties.errors import FileMissing, TableInvalid

__all__ = ["TABLES_FILE", "load_tables", "read_tables", "save_tables", "write_tables"]

TABLES_FILE = "tables.toml"
_MOST = 1 << 20  # bytes


def read_tables(text: bytes | str) -> dict[str, PublishedTable]:
    """The tables in a TOML text in UTF-8, by name. Raises TableInvalid, which names table, column and field."""
    if len(text) > _MOST:
        raise TableInvalid(f"{TABLES_FILE} has more than {_MOST} bytes")
    try:
        said = tomllib.loads(text.decode("utf-8") if isinstance(text, bytes) else text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise TableInvalid(f"{TABLES_FILE} is not TOML in UTF-8: {str(error)[:200]}") from None
    except ValueError as error:  # a number with too many digits, a date that is none
        raise TableInvalid(f"{TABLES_FILE} has a value that cannot be read: {error}") from None
    tables = said.pop("tables", {})
    if said or not isinstance(tables, dict):
        raise TableInvalid(f"{TABLES_FILE}: tables [tables.NAME], and nothing else")
    return {name: read_table(name, fields) for name, fields in tables.items()}


def write_tables(tables: Mapping[str, PublishedTable]) -> str:
    """A TOML text that read_tables reads back to equal tables."""
    lines: list[str] = []
    for name, table in tables.items():
        fields = table_fields(table)
        columns = fields.pop("columns")
        lines += ["", f"[tables.{name}]", *toml_lines(fields)]
        for column, inner in columns.items():
            lines += ["", f"[tables.{name}.columns.{toml_key(column)}]", *toml_lines(inner)]
    return "\n".join(lines[1:]) + "\n" if lines else ""


def load_tables(home: Path) -> dict[str, PublishedTable]:
    """The tables published from this home; none if there is no such file. Raises FileUnusable, TableInvalid."""
    try:
        return read_tables(read_public(home / TABLES_FILE))
    except FileMissing:
        return {}


def save_tables(home: Path, tables: Mapping[str, PublishedTable]) -> None:
    """Write them whole or not at all, for this user alone. Raises FileUnusable; TableInvalid if they are too many."""
    text = write_tables(tables)
    if read_tables(text) != dict(tables):
        raise TableInvalid(f"{TABLES_FILE}: would not be read back as it was written; nothing was written")
    write_atomically(home / TABLES_FILE, text.encode(), replace=True)
