"""Private joins over real processes and TLS, beside the same join in the open (DuckDB) and OpenMined's PSI."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bench.timing import Timing, cost, timed
from mpc import LocalCluster, Party
from protocols.join import Column, Joined, Source, join
from protocols.join_plan import How
from protocols.profiles import INTEGERS

__all__ = ["JOBS", "PSI_MOST", "Figure", "Job", "measure"]

PSI_MOST = 1 << 14  # keys a side of OpenMined's PSI, whose time is in proportion


@dataclass(frozen=True)
class Figure:
    """One line of the table. ``size``: rows of each table. ``plain_seconds``: DuckDB, the same join in the open.

    ``psi_seconds``: OpenMined's ECDH PSI, both sides in one process, the intersection opened to one of two parties.
    """

    op: str
    parties: int
    threshold: int
    size: int
    seconds: float
    ns_per_row: float
    bytes_per_party: float
    most_bytes: int
    rounds: int
    peak_mib_per_party: float
    plain_seconds: float | None
    psi_seconds: float | None


@dataclass(frozen=True)
class Job:
    """A join to be timed: how many tables, how many columns the second one brings."""

    tables: int = 2
    columns: int = 0
    how: How = "inner"
    method: str = "auto"
    parties: int = 3
    pad: tuple[float, float] | None = None
    most: int = 1 << 30


JOBS: dict[str, Job] = {
    "membership": Job(),
    "membership, padded": Job(pad=(1.0, 1e-6), most=1 << 21),
    "5 columns": Job(columns=5, most=1 << 22),
    "union of 3": Job(tables=3, how="union", most=1 << 20),
    "membership, t=2": Job(method="shuffle", parties=5, most=1 << 17),
}


def tables_of(job: Job, n: int) -> list[dict[str, np.ndarray[Any, Any]]]:
    """Tables of n distinct keys each, half of them in the next table too, in random order; values below 1000."""
    rng = np.random.default_rng(1)
    spread = rng.permutation(np.arange(job.tables * n, dtype=np.int64) * 1_000_003 + 17)
    out = []
    for i in range(job.tables):
        keys = rng.permutation(spread[i * n // 2 : i * n // 2 + n])
        columns = {f"v{c}": rng.integers(0, 1000, n) for c in range(job.columns if i == 1 else 0)}
        out.append({"id": keys, **columns})
    return out


async def _timed(party: Party, given: tuple[Job, int, int]) -> tuple[Timing, int]:
    """Also how many rows are in the result."""
    job, n, repeats = given
    mine = tables_of(job, n)[party.index] if party.index < job.tables else None
    names = [f"v{c}" for c in range(job.columns)]
    sources = [
        Source(i, {"id": INTEGERS}, {name: Column(0, 1000) for name in names} if i == 1 else {})
        for i in range(job.tables)
    ]

    async def work(_: int) -> Joined:
        joined = await join(party, sources, mine, how=job.how, method=job.method, pad=job.pad)
        await joined.present
        return joined

    timing, joined = await timed(party, repeats + 1, work)
    return timing, int(await party.reveal(joined.present.sum()))


def _plain(job: Job, n: int) -> tuple[float, int]:
    """(seconds, rows) of the same join in the open: DuckDB, on the tables as they are in memory."""
    import duckdb
    import pandas

    connection = duckdb.connect()
    for i, table in enumerate(tables_of(job, n)):
        connection.register(f"t{i}", pandas.DataFrame(table))
    names = "".join(f", sum(v{c})" for c in range(job.columns))
    query = f"SELECT count(*){names} FROM t0 JOIN t1 USING (id)"
    if job.how == "union":
        query = f"SELECT count(*) FROM ({' UNION '.join(f'SELECT id FROM t{i}' for i in range(job.tables))})"
    times, found = [], None
    for _ in range(4):
        begin = time.perf_counter()
        found = connection.execute(query).fetchone()
        times.append(time.perf_counter() - begin)
    assert found is not None
    return statistics.median(times[1:]), int(found[0])


def _psi(n: int) -> float | None:
    """Seconds of OpenMined's PSI on tables of n keys; None where it is not installed, or n too large for it."""
    if n > PSI_MOST:
        return None
    try:
        import private_set_intersection.python as psi
    except ImportError:
        return None
    server_keys, client_keys = ([str(k) for k in table["id"]] for table in tables_of(JOBS["membership"], n))
    begin = time.perf_counter()
    server, client = psi.server.CreateWithNewKey(True), psi.client.CreateWithNewKey(True)
    setup = server.CreateSetupMessage(1e-9, n, server_keys, psi.DataStructure.RAW)
    request = client.CreateRequest(client_keys)
    found = client.GetIntersection(setup, server.ProcessRequest(request))
    seconds = time.perf_counter() - begin
    assert len(found) == n - n // 2
    return seconds


def measure(
    sizes: list[int], repeats: int, tell: Callable[[str], None], *, ops: list[str] | None = None, rtt: float = 0.0
) -> list[dict[str, Any]]:
    """Figures for each job and size, as dictionaries; jobs too large for a size are left out.

    A repetition takes as long as its slowest party; the median over repetitions counts. ``bytes_per_party`` is the
    mean over parties, ``most_bytes`` the most that one sent.
    """
    figures = []
    for n in sizes:
        for op in ops or list(JOBS):
            job = JOBS[op]
            if n > job.most:
                continue
            tell(f"{op}, {n:,} rows a table")
            with LocalCluster(parties=job.parties, rtt=rtt) as cluster:
                answers = cluster.run(_timed, [(job, n, repeats)] * job.parties)
                threshold = cluster.layout.t
            plain, count = _plain(job, n)
            assert all(found == count for _, found in answers), (op, n, [found for _, found in answers], count)
            taken = cost([timing for timing, _ in answers])
            if op == "membership":
                tell(f"OpenMined's PSI, {n:,} keys a side")
            figures.append(
                Figure(
                    op=op,
                    parties=job.parties,
                    threshold=threshold,
                    size=n,
                    seconds=taken.seconds,
                    ns_per_row=taken.seconds / n * 1e9,
                    bytes_per_party=taken.bytes_per_party,
                    most_bytes=taken.most_bytes,
                    rounds=taken.rounds,
                    peak_mib_per_party=taken.peak_mib_per_party,
                    plain_seconds=plain,
                    psi_seconds=_psi(n) if op == "membership" else None,
                )
            )
    return [asdict(f) for f in figures]
