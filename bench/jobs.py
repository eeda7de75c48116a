"""Jobs over nodes: three `accord serve` on this machine, warm; what a trivial job takes from the call to its answer.

The job counts the rows of two members' tables, 30 each, with noise, for a third one's analyst beside it. Everything is
real: homes with a signed charter, processes, TLS, disks. Asked: 60 ms; with an injected round trip of R ms,
rounds x R + 100 ms.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.nodes import NAMES, nodes
from parties.client import Client
from parties.data.published import PublishedColumn, PublishedTable
from parties.setup.home import Home

__all__ = ["Figure", "measure"]

_ROWS = 30
_WARMING = 5


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
    rounds: list[int] = []

    def finish(homes: Mapping[str, Home]) -> None:
        rounds.append(_rounds(homes[NAMES[0]]))

    tell("three nodes start")
    with tempfile.TemporaryDirectory(prefix="accord-bench-") as directory:

        def people(member: str) -> dict[str, tuple[PublishedTable, pd.DataFrame]]:
            return {"people": (_table(Path(directory) / f"{member}.csv"), pd.DataFrame({"person": np.arange(_ROWS)}))}

        with nodes(people, rtt, finish=finish) as running:
            tell("jobs")
            for _ in range(_WARMING):
                _count(running.client)
            pids = [process.pid for process in running.processes]
            before = _processor(pids)
            seconds = []
            for _ in range(repeats):
                begin = time.perf_counter()
                _count(running.client)
                seconds.append(time.perf_counter() - begin)
            daemons, workers = (after - b for after, b in zip(_processor(pids), before, strict=True))
    figure = Figure(
        op="count of two tables",
        rtt=rtt,
        median=statistics.median(seconds),
        least=min(seconds),
        p95=sorted(seconds)[int(0.95 * len(seconds))],
        asked=0.06 if not rtt else rounds[0] * rtt / 1000 + 0.1,
        rounds=rounds[0],
        daemons=daemons / repeats,
        workers=workers / repeats,
    )
    return [asdict(figure)]


def _table(source: Path) -> PublishedTable:
    key = PublishedColumn("person", "key", uses=frozenset({"count"}), profile="integer")
    return PublishedTable("people", str(source), "person", 1, 64, {"person": key}, counts=True, epsilon_a_job=4.0)


def _count(client: Client) -> None:
    """One job."""
    asked = {"figures": ["count"], "epsilon": 1.0}
    client.submit("aggregate", asked, ["alfa.people", "bravo.people"], ["alfa"], fresh=True).result(progress=False)


def _rounds(home: Home) -> int:
    """Of the last job, as a node that has ended kept them."""
    with contextlib.closing(sqlite3.connect(home.jobs)) as db:
        (found,) = db.execute("SELECT value FROM fact WHERE name = 'rounds' LIMIT 1").fetchone()
    return int(found)


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
