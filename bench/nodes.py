"""A consortium of real nodes for figures: homes with a signed charter, `accord serve` processes, TLS, disks; warm."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from parties.client import Client
from parties.data.published import PublishedTable
from parties.data.tables_file import save_tables
from parties.errors import NodeCallFailed
from parties.keys.identity import Identity
from parties.membership.charter import Charter, Member
from parties.membership.charter_store import CharterStore
from parties.membership.signatures import sign_charter
from parties.policies.policy_store import save_policy, sign_policy
from parties.policies.policy_terms import Limits
from parties.publishing.publish_policy import policy_of
from parties.setup.home import Home
from parties.setup.listening import Listening
from parties.setup.settings import NodeSettings
from parties.setup.settings_text import write_settings

__all__ = ["NAMES", "Nodes", "TableOf", "nodes"]

NAMES = ("alfa", "bravo", "charlie")
_START = 90.0  # seconds
_LIMITS = Limits(query=100.0)

TableOf = Callable[[str], Mapping[str, tuple[PublishedTable, pd.DataFrame]]]
"""A member's tables by name, and their rows."""


@dataclass(frozen=True)
class Nodes:
    """While they run: homes by member; the process of each; the first one's client."""

    homes: Mapping[str, Home]
    processes: tuple[subprocess.Popen[bytes], ...]
    client: Client


@contextlib.contextmanager
def nodes(
    tables: TableOf,
    rtt: float = 0.0,
    prepare: Callable[[str, Home], None] = lambda name, home: None,
    finish: Callable[[Mapping[str, Home]], None] = lambda homes: None,
) -> Iterator[Nodes]:
    """Three nodes with these tables, connected; gone, with all they kept, at the end.

    Args:
        rtt: milliseconds added between workers.
        prepare: called with each home before its node starts.
        finish: called with the homes when the nodes have stopped.
    """
    directory = Path(tempfile.mkdtemp(prefix="accord-bench-"))
    try:
        homes, urls, identities = _homes(directory, tables, rtt)
        for name, home in homes.items():
            prepare(name, home)
        with _serving(homes) as processes, Client(urls[0], identities[0]) as client:
            _await_lanes(client)
            yield Nodes(homes, tuple(processes), client)
        finish(homes)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _homes(directory: Path, tables: TableOf, rtt: float) -> tuple[dict[str, Home], list[str], list[Identity]]:
    """Homes with a charter in force; the addresses for people, and the members' identities."""
    ports = _free_ports(2 * len(NAMES))
    identities = [Identity.generate() for _ in NAMES]
    roles = frozenset(("compute", "input", "result"))
    members = tuple(
        Member(name, identity.public, roles, f"127.0.0.1:{port}")
        for name, identity, port in zip(NAMES, identities, ports[:3], strict=True)
    )
    charter = Charter("Bench", 1, None, 1, members)
    homes = {}
    for i, name in enumerate(NAMES):
        home = homes[name] = Home(directory / name)
        home.make()
        identities[i].save(home.identity)
        store = CharterStore(home)
        store.propose(charter)
        store.sign(charter.digest, identities[i])
        for other in identities:
            if other is not identities[i]:
                store.merge(sign_charter(charter, other))
        store.adopt()
        listening = Listening("127.0.0.1", ports[i]), Listening("127.0.0.1", ports[3 + i])
        home.settings.write_text(write_settings(NodeSettings(*listening, None, rtt=rtt)))
        published = {}
        for table_name, (table, rows) in tables(name).items():
            rows.to_csv(table.source, index=False)
            published[table_name] = table
            save_policy(home.directory, sign_policy(policy_of(table, _LIMITS, exact_matches=True), identities[i]))
        save_tables(home.directory, published)
    return homes, [f"https://127.0.0.1:{port}" for port in ports[3:]], identities


def _free_ports(count: int) -> list[int]:
    """Nobody listens at them now, and the system gives them to nobody who connects."""
    found: list[int] = []
    for port in range(21_000, 32_768):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            found.append(port)
        if len(found) == count:
            return found
    raise SystemExit(f"fewer than {count} free ports from 21000 to 32767")


@contextlib.contextmanager
def _serving(homes: Mapping[str, Home]) -> Iterator[list[subprocess.Popen[bytes]]]:
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "parties.cli", "serve", "--quiet", "--home", str(home.directory)],
            stdout=subprocess.DEVNULL,
        )
        for home in homes.values()
    ]
    try:
        yield processes
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()


def _await_lanes(client: Client) -> None:
    until = time.monotonic() + _START
    while time.monotonic() < until:
        with contextlib.suppress(NodeCallFailed):
            if client.status().lanes >= 2:
                return
        time.sleep(0.2)
    raise SystemExit(f"the nodes did not connect within {_START:g} s")
