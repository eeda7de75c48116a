"""Jobs over nodes: three `accord serve` on this machine, warm; what a trivial job takes from the call to its answer.

The job counts the rows of two members' tables, 30 each, with noise, for a third one's analyst beside it. Everything is
real: homes with a signed charter, processes, TLS, disks. Asked: 60 ms; with an injected round trip of R ms,
rounds x R + 100 ms.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from parties.charter import Charter, Member
from parties.charter_store import CharterStore
from parties.client import Client
from parties.errors import NodeCallFailed
from parties.home import Home
from parties.identity import Identity
from parties.listening import Listening
from parties.policy_store import save_policy, sign_policy
from parties.publish_policy import policy_of
from parties.published import PublishedColumn, PublishedTable
from parties.settings import NodeSettings
from parties.settings_text import write_settings
from parties.signatures import sign_charter
from parties.tables_file import save_tables

__all__ = ["Figure", "measure"]

NAMES = ("alfa", "bravo", "charlie")
_ROWS = 30
_WARMING = 5
_START = 90.0  # seconds


@dataclass(frozen=True)
class Figure:
    """One line. Seconds from the call to the answer; processor seconds of a job, of all daemons, of all workers.

    ``asked``: what the median is to be at most.
    """

    op: str
    rtt: float
    median: float
    least: float
    p95: float
    asked: float
    rounds: int
    daemons: float
    workers: float


def measure(repeats: int = 50, rtt: float = 0.0, tell: Callable[[str], None] = lambda text: None) -> list[Any]:
    """The figure of one count over warm nodes; ``rtt``: milliseconds added between workers."""
    directory = Path(tempfile.mkdtemp(prefix="accord-bench-"))
    try:
        tell("three nodes start")
        urls, identities = _homes(directory, rtt)
        with _serving(directory) as processes, Client(urls[0], identities[0]) as client:
            _await_lanes(client)
            tell("jobs")
            for _ in range(_WARMING):
                _count(client)
            pids = [process.pid for process in processes]
            before = _processor(pids)
            seconds = []
            for _ in range(repeats):
                begin = time.perf_counter()
                _count(client)
                seconds.append(time.perf_counter() - begin)
            daemons, workers = (after - b for after, b in zip(_processor(pids), before, strict=True))
        rounds = _rounds(directory / NAMES[0])
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    asked = 0.06 if not rtt else rounds * rtt / 1000 + 0.1
    figure = Figure(
        op="count of two tables",
        rtt=rtt,
        median=statistics.median(seconds),
        least=min(seconds),
        p95=sorted(seconds)[int(0.95 * len(seconds))],
        asked=asked,
        rounds=rounds,
        daemons=daemons / repeats,
        workers=workers / repeats,
    )
    return [asdict(figure)]


def _count(client: Client) -> None:
    """One job."""
    asked = {"figures": ["count"], "epsilon": 1.0}
    client.submit("aggregate", asked, ["alfa.people", "bravo.people"], ["alfa"]).result(progress=False)


def _rounds(home: Path) -> int:
    """Of the last job, as a node that has ended kept them."""
    with contextlib.closing(sqlite3.connect(Home(home).jobs)) as db:
        (found,) = db.execute("SELECT value FROM fact WHERE name = 'rounds' LIMIT 1").fetchone()
    return int(found)


def _homes(directory: Path, rtt: float) -> tuple[list[str], list[Identity]]:
    """Homes with a charter in force; the addresses for people, and the members' identities."""
    ports = _free_ports(2 * len(NAMES))
    identities = [Identity.generate() for _ in NAMES]
    roles = frozenset(("compute", "input", "result"))
    members = tuple(
        Member(name, identity.public, roles, f"127.0.0.1:{port}")
        for name, identity, port in zip(NAMES, identities, ports[:3], strict=True)
    )
    charter = Charter("Bench", 1, None, 1, members)
    for i, name in enumerate(NAMES):
        home = Home(directory / name)
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
        file = directory / f"{name}.csv"
        pd.DataFrame({"person": np.arange(_ROWS)}).to_csv(file, index=False)
        key = PublishedColumn("person", "key", uses=frozenset({"count"}), profile="integer")
        table = PublishedTable("people", str(file), "person", 1, 64, {"person": key}, counts=True, epsilon_a_job=4.0)
        save_tables(home.directory, {"people": table})
        save_policy(home.directory, sign_policy(policy_of(table), identities[i]))
    return [f"https://127.0.0.1:{port}" for port in ports[3:]], identities


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
def _serving(directory: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "parties.cli", "serve", "--quiet", "--home", str(directory / name)],
            stdout=subprocess.DEVNULL,
        )
        for name in NAMES
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


def _processor(pids: list[int]) -> tuple[float, float]:
    """Processor seconds so far of these processes, and of their children. 0 where the system has no /proc."""
    children = []
    for pid in pids:
        with contextlib.suppress(OSError):
            children += [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return sum(map(_seconds, pids)), sum(map(_seconds, children))


def _seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
