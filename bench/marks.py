"""The figures of the README: each mark we set ourselves, what was reached, and the table they make."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.machine import describe
from bench.plot import draw
from bench.primitives import measure

__all__ = ["MARKS", "Mark", "lines", "put", "run", "table", "write"]

_ROOT = Path(__file__).resolve().parent.parent
_BEGIN, _END = "<!-- figures -->", "<!-- /figures -->"
_MILLION = 1 << 20
_HEAD = ("", "| | asked | reached | |", "|---|---:|---:|---|")


def _number(value: float) -> str:
    """To two or three digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2g}"


@dataclass(frozen=True)
class Mark:
    """One line: what is measured, at which size, and at most (or at least) how much of which figure, or none."""

    name: str
    op: str
    size: int
    parties: int
    figure: str
    limit: float | None
    unit: str
    scale: float = 1.0
    at_least: bool = False

    def met(self, value: float) -> bool:
        """Whether the value reached is good enough."""
        if self.limit is None:
            return True
        return value >= self.limit if self.at_least else value <= self.limit

    def line(self, value: float | None) -> str:
        """A row of the table, in Markdown; None for what could not be measured here."""
        asked = "" if self.limit is None else f"{'>=' if self.at_least else '<='} {self.limit:g} {self.unit}"
        if value is None:
            return f"| {self.name} | {asked} | not installed | |"
        verdict = "" if self.met(value) else "missed"
        return f"| {self.name} | {asked} | {_number(value)} {self.unit} | {verdict} |"


def _ns(name: str, op: str, limit: float) -> Mark:
    return Mark(name, op, _MILLION, 3, "ns_per_element", limit, "ns an element")


def _seconds(name: str, op: str, limit: float, size: int = _MILLION) -> Mark:
    return Mark(name, op, size, 3, "seconds", limit, "s")


MARKS: tuple[Mark, ...] = (
    _ns("product", "mul", 60),
    _ns("truncation", "truncation", 120),
    _ns("less-than, 64 bits", "less-than", 350),
    _ns("equality, 64 bits", "equality", 250),
    _ns("bit injection", "bit injection", 80),
    _seconds("matrix product 1000x1000 by 1000x100, fixed point", "matmul", 0.35),
    _seconds("100,000 x 100 by a vector, fixed point", "matvec", 0.1),
    _seconds("shuffle of 2^20 rows", "shuffle", 0.4),
    _seconds("sort of 2^16 64-bit keys", "sort", 0.8, 1 << 16),
    _seconds("sort of 2^20 64-bit keys", "sort", 14),
    _seconds("sigmoid of 2^20 to 1e-3", "sigmoid", 2.5),
    Mark("a dependent product, one round", "round", _MILLION, 3, "ns_per_element", 0.3, "ms", 1e-6),
    Mark("product, times faster than stock MPyC", "mul", _MILLION, 3, "speedup", 60, "x", at_least=True),
    Mark("less-than, times faster than stock MPyC", "less-than", _MILLION, 3, "speedup", 1000, "x", at_least=True),
    Mark("product, bytes a party", "mul", _MILLION, 3, "bytes_per_element", 8, "bytes"),
    Mark("less-than, injected, bytes a party", "less-than + injection", _MILLION, 3, "bytes_per_element", 45, "bytes"),
    Mark("less-than on 2^24, peak memory a party", "less-than", 1 << 24, 3, "peak_mib_per_party", 2048, "MiB"),
    Mark("product, m = 5 over m = 3", "mul", _MILLION, 5, "ratio", 8, "x"),
)  # fmt: skip


def run(repeats: int, tell: Callable[[str], None]) -> list[dict[str, Any]]:
    """Measure all marks; each figure once, with stock MPyC beside it in the same run where a mark compares."""
    taken: dict[tuple[str, int, int], dict[str, Any]] = {}
    for mark in MARKS:
        for op in mark.op.replace("injection", "bit injection").split(" + ") if " + " in mark.op else [mark.op]:
            key = (op, mark.size, mark.parties)
            if key not in taken:
                tell(f"{op}, size {mark.size:,}, {mark.parties} parties")
                compare = mark.parties == 3 and mark.size == _MILLION
                taken[key] = measure([op], mark.parties, mark.size, repeats=repeats, baseline=compare)[0]
    return [*taken.values()]


def _value(mark: Mark, figures: list[dict[str, Any]]) -> float:
    def find(op: str, parties: int) -> dict[str, Any]:
        exact = [f for f in figures if f["op"] == op and f["parties"] == parties and f["size"] == mark.size]
        return exact[0] if exact else next(f for f in figures if f["op"] == op and f["parties"] == parties)

    if mark.figure == "ratio":
        return float(find(mark.op, mark.parties)["seconds"] / find(mark.op, 3)["seconds"])
    if " + " in mark.op:
        both = [find("less-than", 3), find("bit injection", 3)]
        return float(sum(f["bytes_per_party"] / f["size"] for f in both))
    found = find(mark.op, mark.parties)
    if mark.figure == "bytes_per_element":
        return float(found["bytes_per_party"] / found["size"])
    return float(found[mark.figure]) * mark.scale


def lines(figures: list[dict[str, Any]]) -> Iterator[str]:
    """The table, in Markdown."""
    where = "Three processes on loopback over TLS 1.3, 2^20 elements unless said otherwise"
    return table(where, "marks", ((mark, _value(mark, figures)) for mark in MARKS))


def table(where: str, command: str, reached: Iterable[tuple[Mark, float | None]]) -> Iterator[str]:
    """Marks and what was reached, in Markdown, measured by ``python -m bench command --write``."""
    yield f"{where}. {describe()}."
    yield f"Medians; `python -m bench {command} --write` makes this table."
    yield from _HEAD
    for mark, value in reached:
        yield mark.line(value)


def put(text: str, begin: str, end: str, readme: Path = _ROOT / "README.md") -> None:
    """Replace what stands between two markers of the README."""
    before, rest = readme.read_text().split(begin)
    after = rest.split(end)[1]
    readme.write_text(f"{before}{begin}\n{text}\n{end}{after}")


def write(figures: list[dict[str, Any]], readme: Path = _ROOT / "README.md") -> str:
    """Put the table between the README's markers; gives the table."""
    text = "\n".join(lines(figures))
    put(text, _BEGIN, _END, readme)
    (_ROOT / "docs" / "figures.json").write_text(json.dumps(figures, indent=1) + "\n")
    large = [f for f in figures if f["parties"] == 3 and f["baseline_ns_per_element"] is not None]
    draw(large, str(_ROOT / "docs" / "primitives.svg"), describe())
    return text
