"""The figures of joins and group-by in the README: each mark, what was reached, and the table they make."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from bench.group_by import measure as measure_groups
from bench.join import measure as measure_joins
from bench.marks import Mark, put, table

__all__ = ["MARKS", "lines", "run", "write"]

_BEGIN, _END = "<!-- joins -->", "<!-- /joins -->"


MARKS: tuple[Mark, ...] = (
    Mark("intersection of 2^20 with 2^20 keys, membership shared", "membership", 1 << 20, 3, "seconds", 2.5, "s"),
    Mark("the same, most bytes that a party sends", "membership", 1 << 20, 3, "most_bytes", 150, "MB", 1e-6),
    Mark("the same, number of matches hidden, epsilon 1", "membership, padded", 1 << 20, 3, "seconds", None, "s"),
    Mark("the same with 5 columns aligned", "5 columns", 1 << 20, 3, "seconds", 4, "s"),
    Mark("the same with 5 columns, most bytes of a party", "5 columns", 1 << 20, 3, "most_bytes", None, "MB", 1e-6),
    Mark("intersection of 2^24 with 2^24 keys", "membership", 1 << 24, 3, "seconds", None, "s"),
    Mark("the same, peak memory a party, its table too", "membership", 1 << 24, 3, "peak_mib_per_party", 6144, "MiB"),
    Mark("intersection of 2^16 with 2^16 keys, m = 5, t = 2", "membership, t=2", 1 << 16, 5, "seconds", None, "s"),
    Mark("distinct count over three tables of 2^18 keys", "union of 3", 1 << 18, 3, "seconds", None, "s"),
    Mark("group-by of 10^6 rows, 100 groups, counts and 4 sums", "group-by", 1_000_000, 3, "seconds", 1.5, "s"),
    Mark("plain DuckDB, join of 2^20 with 2^20, same run", "membership", 1 << 20, 3, "plain_seconds", None, "s"),
    Mark("OpenMined's PSI, 2^14 with 2^14, same run", "membership", 1 << 14, 3, "psi_seconds", None, "s"),
    Mark("intersection of 2^14 with 2^14 keys", "membership", 1 << 14, 3, "seconds", None, "s"),
)  # fmt: skip


def run(repeats: int, tell: Callable[[str], None]) -> list[dict[str, Any]]:
    """Measure all marks, each figure once."""
    figures: dict[tuple[str, int], dict[str, Any]] = {}
    for mark in MARKS:
        key = (mark.op, mark.size)
        if key in figures:
            continue
        if mark.op == "group-by":
            tell(f"group-by, {mark.size:,} rows")
            figures[key] = measure_groups(mark.parties, mark.size, 100, 4, repeats=repeats)[0]
        else:
            figures[key] = measure_joins([mark.size], repeats, tell, ops=[mark.op])[0]
    return list(figures.values())


def lines(figures: list[dict[str, Any]]) -> Iterator[str]:
    """The table, in Markdown."""
    where = "Processes on loopback over TLS 1.3, m = 3 unless said otherwise"
    return table(where, "join", ((mark, _found(mark, figures)) for mark in MARKS))


def _found(mark: Mark, figures: list[dict[str, Any]]) -> float | None:
    found = next(f for f in figures if f["op"] == mark.op and f["size"] == mark.size)[mark.figure]
    return None if found is None else float(found) * mark.scale


def write(figures: list[dict[str, Any]]) -> str:
    """Put the table between the README's markers; gives the table."""
    text = "\n".join(lines(figures))
    put(text, _BEGIN, _END)
    return text
