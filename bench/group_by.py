"""Counts and sums by secret group over real processes and TLS, beside duckdb in the clear in the same run."""

from __future__ import annotations

import statistics
import time
from dataclasses import asdict, dataclass
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.timing import Timing, cost, timed
from mpc import LocalCluster, Party
from protocols.group_by import Totals, group_by

__all__ = ["Figure", "measure"]

_VALUES = 1000


@dataclass(frozen=True)
class Figure:
    """One line. ``plaintext_seconds``: duckdb on the same table, in one process of this machine."""

    op: str
    parties: int
    size: int
    groups: int
    sums: int
    seconds: float
    ns_per_row: float
    bytes_per_party: float
    rounds: int
    peak_mib_per_party: float
    plaintext_seconds: float
    times_plaintext: float


def _table(rows: int, groups: int, sums: int) -> tuple[Any, Any, Any]:
    """(codes, present, columns (sums, rows)): seven rows of eight are present."""
    r = np.random.default_rng(1)
    return r.integers(0, groups, rows), r.integers(0, 8, rows) > 0, r.integers(-_VALUES, _VALUES, (sums, rows))


async def _timed(party: Party, job: tuple[int, int, int, int]) -> tuple[Timing, npt.NDArray[Any]]:
    rows, groups, sums, repeats = job
    codes, present, columns = _table(rows, groups, sums) if party.index < 3 else (None, None, [None] * sums)
    own = await party.input(codes, owner=0)
    here = await (await party.input(None if present is None else present.astype(int), owner=1) != 0)
    values = [await party.input(column, owner=2) for column in columns]

    async def work(_: int) -> Totals:
        totals = await group_by(own, groups, present=here).totals(values)
        for figure in (totals.counts, *totals.sums):
            await figure
        return totals

    timing, totals = await timed(party, repeats + 1, work)
    return timing, await party.reveal(totals.table())


def _plaintext(rows: int, groups: int, sums: int, repeats: int) -> tuple[float, npt.NDArray[Any]]:
    """(seconds of duckdb, median; its totals, as Totals.table)."""
    codes, present, columns = _table(rows, groups, sums)
    frame = pd.DataFrame({"g": codes, "here": present, **{f"v{j}": c for j, c in enumerate(columns)}})
    asked = "".join(f", sum(v{j})::bigint" for j in range(sums))
    with duckdb.connect() as connection:
        connection.register("frame", frame)
        connection.execute("create table data as select * from frame")
        seconds, found = [], {}
        for _ in range(repeats + 1):
            begin = time.perf_counter()
            answer = connection.execute(f"select g, count(*){asked} from data where here group by g").fetchall()
            seconds.append(time.perf_counter() - begin)
            found = {row[0]: row[1:] for row in answer}
    table = np.array([found.get(g, (0,) * (1 + sums)) for g in range(groups)], np.int64).T
    return statistics.median(seconds[1:]), table


def measure(
    parties: int, rows: int, groups: int, sums: int, *, repeats: int = 3, rtt: float = 0.0
) -> list[dict[str, Any]]:
    """One figure, as a dictionary. A repetition takes as long as its slowest party; the median is reported.

    The totals must be duckdb's, else AssertionError.
    """
    with LocalCluster(parties=parties, rtt=rtt) as cluster:
        answers = cluster.run(_timed, [(rows, groups, sums, repeats)] * parties)
    plain, expected = _plaintext(rows, groups, sums, repeats)
    np.testing.assert_array_equal(answers[0][1], expected)
    taken = cost([timing for timing, _ in answers])
    figure = Figure(
        op="group-by",
        parties=parties,
        size=rows,
        groups=groups,
        sums=sums,
        seconds=taken.seconds,
        ns_per_row=taken.seconds / max(1, rows) * 1e9,
        bytes_per_party=taken.bytes_per_party,
        rounds=taken.rounds,
        peak_mib_per_party=taken.peak_mib_per_party,
        plaintext_seconds=plain,
        times_plaintext=taken.seconds / plain,
    )
    return [asdict(figure)]
