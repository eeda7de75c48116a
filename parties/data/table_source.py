"""Where a table is: files under an embedded DuckDB, PostgreSQL, or Spark; each opened by Ibis. Nothing is sent.

| source | engine | extra |
|---|---|---|
| `/data/a.csv`, .parquet, .json, .jsonl, .ndjson; a glob; a directory | DuckDB, in this process | - |
| `postgres://user@host:port/db?table=schema.table` | PostgreSQL | accord[postgres] |
| `spark:/data/a.parquet` (or .csv, .json), `spark:catalog.table` | Spark, as it is configured | accord[spark] |

A password is never part of a source: libpq takes it from PGPASSFILE or ~/.pgpass, or `&password_env=NAME` names an
environment variable. Other parameters of a postgres:// source go to libpq; without `sslmode` the server of another
machine must show a certificate that fits its name (verify-full).

A CSV file has a line of names, and its values are text until their kind is known, so that 007 stays 007; JSON alike.
No error has a text of an engine's in it: those quote values.
"""

from __future__ import annotations

import contextlib
import glob
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parties.data.postgres_source import open_postgres, place_of
from parties.data.source_faults import guarded
from parties.errors import ExtraMissing, SourceApart, SourceUnreadable, TableInvalid, TableMissing

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa

__all__ = ["FILE_KINDS", "OpenSource", "check_beside", "files_of", "load_engine", "open_source", "source_state"]

FILE_KINDS = {".csv": "csv", ".parquet": "parquet", ".json": "json", ".jsonl": "json", ".ndjson": "json"}
_POSTGRES = ("postgres://", "postgresql://")
_MEMORY = 1 << 30  # bytes
_LENT = 1 << 16  # rows that are taken over from another engine at a time


@dataclass(frozen=True)
class OpenSource:
    """A source as Ibis sees it.

    Attributes:
        table: the expression of all of it.
        backend: Ibis's connection.
        what: its table's name, for errors.
        texts: whether columns are texts whose kind is only known from what is published.
        state: tells a changed source from the same: sizes and times of files; empty where the engine keeps a snapshot.
        place: of a database, which one, and as whom; "" else.
    """

    table: ir.Table
    backend: Any
    what: str
    texts: bool
    state: Callable[[], tuple[Any, ...]]
    place: str = ""

    def shares(self, other: OpenSource) -> bool:
        """Whether one engine has both."""
        return other.backend is self.backend

    def lent(self, other: OpenSource, people: ir.Table) -> ir.Table:
        """What another source's engine finds, read, and given to this one's. Raises as check_beside, and one_row."""
        if self.backend.name == "postgres":
            raise _apart(self.what, other.what)
        import ibis
        import pyarrow as pa

        schema = people.schema().to_pyarrow()
        return ibis.memtable(pa.Table.from_batches(other.batches(people, _LENT), schema))

    def sql(self, expression: ir.Expr) -> str:
        """What the engine is asked."""
        return guarded(self.what, lambda: str(self.backend.compile(expression)))

    def one_row(self, expression: ir.Table) -> dict[str, Any]:
        """The only row of a result. Raises SourceUnreachable, SourceUnreadable."""
        rows = guarded(self.what, lambda: self.backend.to_pyarrow(expression).to_pylist())
        return dict(rows[0])

    def batches(self, expression: ir.Table, rows: int) -> Iterator[pa.RecordBatch]:
        """The result, at most so many rows at a time, without ever holding all of it. Raises as one_row."""
        stream = guarded(self.what, lambda: _stream(self.backend, expression, rows))
        while (batch := guarded(self.what, lambda: next(stream, None))) is not None:
            for start in range(0, batch.num_rows, rows):
                yield batch.slice(start, rows)


def check_beside(source: str, what: str, other: str, other_what: str) -> None:
    """SourceApart where people of another source cannot be asked about: PostgreSQL, opened read only, takes none in."""
    if source.startswith(_POSTGRES) and not (other.startswith(_POSTGRES) and place_of(source) == place_of(other)):
        raise _apart(what, other_what)


def _apart(what: str, other: str) -> SourceApart:
    return SourceApart(
        f"{what}: its database is read only, and cannot be given people of {other}, which is elsewhere; have both in "
        "one database, or publish a copy of this table in a file"
    )


@contextlib.contextmanager
def open_source(
    source: str, what: str, *, memory: int = _MEMORY, typed: bool = False, beside: Sequence[OpenSource] = ()
) -> Iterator[OpenSource]:
    """Open a source, for reading only.

    Args:
        source: see above; a relative path is from the current directory.
        what: the table's name, for errors.
        memory: bytes DuckDB may use; what does not fit raises SourceTooLarge, and nothing goes to disk.
        typed: CSV and JSON get types from a sample of their values: to propose kinds, not to read.
        beside: others that are open; the engine of one of them is taken where it can have both.

    Raises TableInvalid (a source that is none), TableMissing, SourceUnreachable, SourceUnreadable, ExtraMissing.
    """
    with contextlib.ExitStack() as cleanup:
        if source.startswith(_POSTGRES):
            same = next((one.backend for one in beside if one.place == place_of(source)), None)
            backend, table = open_postgres(source, what, cleanup, same)
            yield OpenSource(table, backend, what, False, tuple, place_of(source))
        elif source.startswith("spark:"):
            spark = next((one.backend for one in beside if one.backend.name == "pyspark"), None)
            yield _open_spark(source.removeprefix("spark:"), what, typed, spark)
        else:
            duckdb = next((one.backend for one in beside if one.backend.name == "duckdb"), None)
            yield _open_files(source, what, typed, duckdb or _duckdb(memory, cleanup))


def load_engine() -> None:
    """Load Ibis and DuckDB, and make both do something once: seconds of work, done when nobody waits for it. Local."""
    import ibis

    backend = ibis.duckdb.connect()
    backend.to_pyarrow(ibis.memtable({"one": [1]}))
    backend.disconnect()


def files_of(source: str, what: str) -> tuple[str, list[str]]:
    """(csv, parquet or json; the files) of a path, a glob, or a directory. Raises TableInvalid, TableMissing."""
    if "://" in source:
        raise TableInvalid(f"{what}, source: a path, postgres:// or spark:, and no other kind of address")
    path = Path(source)
    if path.is_dir():
        files = sorted(str(file) for file in path.iterdir() if file.suffix.lower() in FILE_KINDS)
    elif any(sign in source for sign in "*?[") and not path.exists():
        files = sorted(glob.glob(source))
    else:
        files = [source] if path.is_file() else []
    if not files:
        raise TableMissing(f"{what}: there is no file where its source is; mount it, or publish it anew from elsewhere")
    kinds = {FILE_KINDS.get(Path(file).suffix.lower()) for file in files}
    kind = kinds.pop()
    if kinds or kind is None:
        raise TableInvalid(f"{what}, source: files of one kind, named {', '.join(FILE_KINDS)}")
    return kind, files


def _duckdb(memory: int, cleanup: contextlib.ExitStack) -> Any:
    import ibis

    backend: Any = ibis.duckdb.connect(
        memory_limit=f"{memory >> 10}KiB",
        temp_directory="",  # nothing of a table goes to disk: see table_parts.py
        preserve_insertion_order=False,
        autoinstall_known_extensions=False,
        autoload_known_extensions=False,
    )
    cleanup.callback(backend.disconnect)
    return backend


def _open_files(source: str, what: str, typed: bool, backend: Any) -> OpenSource:
    kind, files = files_of(source, what)
    names = [glob.escape(file) for file in files]
    table = guarded(what, lambda: _duckdb_table(backend, kind, names, typed), SourceUnreadable)
    return OpenSource(table, backend, what, kind != "parquet", lambda: _state(files))


def _duckdb_table(backend: Any, kind: str, files: list[str], typed: bool) -> Any:
    if kind == "parquet":
        return backend.read_parquet(files, union_by_name=True)
    if kind == "csv":
        return backend.read_csv(files, header=True, union_by_name=True, all_varchar=not typed)
    table = backend.read_json(files, union_by_name=True, sample_size=-1)
    return table if typed else backend.read_json(files, columns=dict.fromkeys(table.columns, "VARCHAR"))


def source_state(source: str, what: str) -> tuple[Any, ...]:
    """Sizes and times of a source's files: the same as long as they are; empty where a source cannot tell."""
    if source.startswith((*_POSTGRES, "spark:")):
        return ()
    return _state(files_of(source, what)[1])


def _state(files: list[str]) -> tuple[Any, ...]:
    try:
        return tuple((s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns) for s in map(os.stat, files))
    except OSError:
        return ()


def _open_spark(place: str, what: str, typed: bool, spark: Any) -> OpenSource:
    try:
        import ibis
        import pyspark  # noqa: F401
    except ImportError:
        raise ExtraMissing(f"{what}: its source needs PySpark: pip install 'accord[spark]'") from None
    kind = FILE_KINDS.get(Path(place).suffix.lower())

    def opened() -> tuple[Any, Any]:
        backend: Any = ibis.pyspark.connect() if spark is None else spark
        if kind == "parquet":
            return backend, backend.read_parquet(place)
        if kind == "csv":
            return backend, backend.read_csv(place, header=True, inferSchema=typed)
        return backend, backend.read_json(place) if kind == "json" else backend.table(place)

    if kind is not None and "://" not in place:
        files_of(place, what)
    backend, table = guarded(what, opened)
    return OpenSource(table, backend, what, kind == "csv", tuple)


def _stream(backend: Any, expression: ir.Table, rows: int) -> Iterator[pa.RecordBatch]:
    if backend.name == "postgres":
        return iter(backend.to_pyarrow_batches(expression, chunk_size=rows))
    if backend.name == "pyspark":  # Ibis would collect all rows first
        return _spark_stream(backend, expression, rows)
    reader = backend.con.sql(backend.compile(expression)).to_arrow_reader(rows)  # Ibis calls what DuckDB 2 has not
    schema = expression.schema().to_pyarrow()
    return (batch.cast(schema) for batch in reader)


def _spark_stream(backend: Any, expression: ir.Table, rows: int) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    schema = expression.schema().to_pyarrow()
    found = backend._session.sql(backend.compile(expression)).toLocalIterator()  # one partition at a time
    while chunk := list(itertools.islice(found, rows)):
        columns = [pa.array(c, type=f.type) for c, f in zip(zip(*chunk, strict=True), schema, strict=True)]
        yield pa.RecordBatch.from_arrays(columns, schema=schema)
