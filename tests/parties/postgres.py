"""A PostgreSQL of the tests' own: a new cluster in a directory, by an unprivileged user, on a socket and a port."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.free_ports import free_ports

__all__ = ["Cluster", "cluster", "missing"]

PASSWORD = "pw-of-the-tests"


@dataclass(frozen=True)
class Cluster:
    """Where it listens; its superuser is tester, who needs a password over TCP and none over the socket."""

    directory: Path
    port: int

    def connect(self) -> Any:
        """A connection as its owner, by the socket."""
        import psycopg

        return psycopg.connect(
            host=str(self.directory), port=self.port, user="tester", dbname="postgres", autocommit=True
        )


def _binaries() -> Path | None:
    found = shutil.which("initdb") or next(map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb")), None)
    return Path(found).resolve().parent if found else None


def missing() -> str:
    """Why there can be no cluster; "" if there can."""
    if _binaries() is None:
        return "no initdb here: Debian's package postgresql has it"
    return ""


@contextlib.contextmanager
def cluster() -> Iterator[Cluster]:
    """One that runs until the end of the block."""
    binaries = _binaries()
    assert binaries is not None
    with tempfile.TemporaryDirectory(prefix="pg-") as made:  # a socket's path must be short
        directory = Path(made)
        user: dict[str, Any] = {}
        if os.geteuid() == 0:  # which PostgreSQL refuses to run as
            nobody = pwd.getpwnam("nobody")
            os.chown(directory, nobody.pw_uid, nobody.pw_gid)
            user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        (directory / "password").write_text(PASSWORD)
        (directory / "password").chmod(0o644)
        port = free_ports(1)[0]

        def run(*words: Any) -> None:
            log = directory / "commands.log"  # no pipe: the server would keep it open
            with log.open("ab") as said:
                subprocess.run(words, check=True, stdout=said, stderr=said, cwd=directory, **user)

        data = directory / "data"
        run(
            *(binaries / "initdb", "--pgdata", data, "--username", "tester", "--pwfile", directory / "password"),
            *("--auth-local", "trust", "--auth-host", "scram-sha-256"),
            *("--encoding", "UTF8", "--no-locale", "--no-sync"),
        )
        options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={directory} -c fsync=off"
        control = [binaries / "pg_ctl", "--pgdata", data, "--wait"]
        run(*control, "--options", options, "--log", directory / "log", "start")
        try:
            yield Cluster(directory, port)
        finally:
            run(*control, "--mode", "immediate", "stop")
