"""The figures of joins and group-by in the README: each mark, what was reached, and the table they make."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from bench.group_by import measure as measure_groups
from bench.join import measure as measure_joins
from bench.machine import describe
from bench.marks import number, put

__all__ = ["MARKS", "lines", "run", "write"]

_BEGIN, _END = "<!-- joins -->", "<!-- /joins -->"


@dataclass(frozen=True)
class Mark:
    """One line. ``limit`` is None where a figure is only reported."""

    name: str
    op: str
    size: int
    figure: str
    limit: float | None
    unit: str
    scale: float = 1.0


MARKS: tuple[Mark, ...] = (
    Mark("intersection of 2^20 with 2^20 keys, membership shared", "membership", 1 << 20, "seconds", 2.5, "s"),
    Mark("the same, most bytes that a party sends", "membership", 1 << 20, "most_bytes", 150, "MB", 1e-6),
    Mark("the same, number of matches hidden, epsilon 1", "membership, padded", 1 << 20, "seconds", None, "s"),
    Mark("the same with 5 columns aligned", "5 columns", 1 << 20, "seconds", 4, "s"),
    Mark("the same with 5 columns, most bytes of a party", "5 columns", 1 << 20, "most_bytes", None, "MB", 1e-6),
    Mark("intersection of 2^24 with 2^24 keys", "membership", 1 << 24, "seconds", None, "s"),
    Mark("the same, peak memory a party, its table included", "membership", 1 << 24, "peak_mib_per_party", 6144, "MiB"),
    Mark("intersection of 2^16 with 2^16 keys, m = 5, t = 2", "membership, t=2", 1 << 16, "seconds", None, "s"),
    Mark("distinct count over three tables of 2^18 keys", "union of 3", 1 << 18, "seconds", None, "s"),
    Mark("group-by of 10^6 rows, 100 groups, counts and 4 sums", "groupby", 1_000_000, "seconds", 1.5, "s"),
    Mark("plain DuckDB, join of 2^20 with 2^20, same run", "membership", 1 << 20, "plain_seconds", None, "s"),
    Mark("OpenMined's PSI, 2^14 with 2^14, same run", "membership", 1 << 14, "psi_seconds", None, "s"),
    Mark("intersection of 2^14 with 2^14 keys", "membership", 1 << 14, "seconds", None, "s"),
)  # fmt: skip


def run(repeats: int, tell: Callable[[str], None]) -> list[dict[str, Any]]:
    """Measure all marks, each figure once."""
    figures: dict[tuple[str, int], dict[str, Any]] = {}
    for mark in MARKS:
        key = (mark.op, mark.size)
        if key in figures:
            continue
        if mark.op == "groupby":
            tell(f"group-by, {mark.size:,} rows")
            figures[key] = {**measure_groups(3, mark.size, 100, 4, repeats=repeats)[0], "op": "groupby"}
        else:
            figures[key] = measure_joins([mark.size], repeats, tell, ops=[mark.op])[0]
    return list(figures.values())


def lines(figures: list[dict[str, Any]]) -> Iterator[str]:
    """The table, in Markdown."""
    yield f"Processes on loopback over TLS 1.3, m = 3 unless said otherwise. {describe()}."
    yield "Medians; `python -m bench join --write` makes this table."
    yield ""
    yield "| | asked | reached | |"
    yield "|---|---:|---:|---|"
    for mark in MARKS:
        found = next(f for f in figures if f["op"] == mark.op and f["size"] == mark.size)[mark.figure]
        asked = "" if mark.limit is None else f"<= {mark.limit:g} {mark.unit}"
        reached = "not installed" if found is None else f"{number(found * mark.scale)} {mark.unit}"
        missed = found is not None and mark.limit is not None and found * mark.scale > mark.limit
        yield f"| {mark.name} | {asked} | {reached} | {'missed' if missed else ''} |"


def write(figures: list[dict[str, Any]]) -> str:
    """Put the table between the README's markers; gives the table."""
    table = "\n".join(lines(figures))
    put(table, _BEGIN, _END)
    return table
