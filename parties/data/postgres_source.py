"""A table in PostgreSQL: how it is dialled. One transaction, read only, that sees one state of the database."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import urllib.parse
from typing import TYPE_CHECKING, Any

from parties.data.source_faults import guarded
from parties.errors import ExtraMissing, SourceUnreachable, TableInvalid, TableMissing

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["open_postgres", "place_of"]

_SNAPSHOT = "-c default_transaction_read_only=on -c default_transaction_isolation=repeatable\\ read"
_OURS = ("table", "password_env")
_LIBPQ = ("host", "sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "connect_timeout", "target_session_attrs")


def place_of(source: str) -> str:
    """An address without its table: sources of one place are tables of one database, for one user."""
    try:
        parts = urllib.parse.urlsplit(source)
    except ValueError:  # no address: opening it says so
        return source
    asked = [(name, value) for name, value in urllib.parse.parse_qsl(parts.query) if name != "table"]
    return urllib.parse.urlunsplit(parts._replace(scheme="postgres", query=urllib.parse.urlencode(sorted(asked))))


def open_postgres(source: str, what: str, cleanup: contextlib.ExitStack, backend: Any = None) -> tuple[Any, ir.Table]:
    """(Ibis's connection, the table). ``cleanup`` closes it. ``backend``: one that is open to the same place.

    Raises TableInvalid (no such address, or one with a password in it), ExtraMissing, SourceUnreachable, TableMissing.
    """
    schema, table, given = _read(source, what)
    try:
        import ibis
        import psycopg
    except ImportError:
        raise ExtraMissing(f"{what}: its source needs psycopg: pip install 'accord[postgres]'") from None
    if backend is None:
        backend = guarded(what, lambda: ibis.postgres.connect(**given, autocommit=False, options=_SNAPSHOT))
        cleanup.callback(backend.disconnect)
    guarded(what, lambda: backend.con.execute("SELECT 1"))  # from here on all is one transaction

    def found() -> ir.Table | None:
        try:
            return backend.table(table, database=schema)
        except (
            psycopg.errors.UndefinedTable,
            psycopg.errors.InsufficientPrivilege,
            ibis.common.exceptions.TableNotFound,
        ):
            return None

    opened = guarded(what, found)
    if opened is None:
        raise TableMissing(f"{what}: no table {schema or ''}{'.' if schema else ''}{table} its user may see")
    return backend, opened


def _read(source: str, what: str) -> tuple[str | None, str, dict[str, Any]]:
    """(schema, table, arguments of the connection)."""
    try:
        parts = urllib.parse.urlsplit(source)
        asked = dict(urllib.parse.parse_qsl(parts.query, strict_parsing=bool(parts.query)))
        port, host = parts.port or 5432, parts.hostname
    except ValueError:
        asked, port, host, parts = {}, 0, None, urllib.parse.urlsplit("")
    if parts.password is not None or "password" in asked:
        raise TableInvalid(
            f"{what}, source: no password in it; keep it in ~/.pgpass (PGPASSFILE), or in an environment variable "
            "that &password_env= names"
        )
    if not asked.get("table") or set(asked) - {*_OURS, *_LIBPQ} or len(parts.path) < 2 or parts.fragment:
        raise TableInvalid(
            f"{what}, source: write postgres://user@host:port/database?table=schema.table, and after it, if needed, "
            f"&{', &'.join((*_OURS[1:], *_LIBPQ))}"
        )
    schema, _, table = asked.pop("table").rpartition(".")
    given: dict[str, Any] = {
        "host": host and urllib.parse.unquote(host),
        "port": port,
        "user": urllib.parse.unquote(parts.username) if parts.username else None,
        "database": urllib.parse.unquote(parts.path[1:]),
        "connect_timeout": 10,
    }
    variable = asked.pop("password_env", None)
    given |= asked
    if variable is not None:
        if variable not in os.environ:
            raise SourceUnreachable(f"{what}: its password is to be in the environment variable {variable}: set it")
        given["password"] = os.environ[variable]
    if "sslmode" not in asked and not _is_here(given["host"]):
        given["sslmode"] = "verify-full"
    return schema or None, table, given


def _is_here(host: str | None) -> bool:
    """Whether the server is on this machine: a socket, or loopback."""
    if not host or host.startswith("/") or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
