"""The figures of models in the README: each mark, what was reached, and the table they make."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from bench.learning import measure as measure_models
from bench.marks import Mark, put, table
from bench.trees import measure as measure_trees

__all__ = ["MARKS", "lines", "run", "write"]

_BEGIN, _END = "<!-- models -->", "<!-- /models -->"
_TREES = "trees"
_LONG = ("newton, 10^6 rows",)
"""Fitted once: minutes long, so that a second fit says little."""


def _fit(name: str, op: str, figure: str, limit: float | None, unit: str, scale: float = 1.0) -> Mark:
    return Mark(name, op, 0, 3, figure, limit, unit, scale)


def _walk(name: str, rows: int, trees: int, limit: float, unit: str, scale: float = 1.0) -> Mark:
    return Mark(name, f"{_TREES} {trees}", rows, 3, "seconds", limit, unit, scale)


MARKS: tuple[Mark, ...] = (
    _fit("logistic regression by newton, breast cancer 569 x 30", "newton, breast cancer", "seconds", 0.6, "s"),
    _fit("the same, error of standardised coefficients", "newton, breast cancer", "coefficient_error", 1e-3, ""),
    _fit("the same, 10^5 x 100", "newton", "seconds", 20, "s"),
    _fit("the same, error of standardised coefficients", "newton", "coefficient_error", 1e-3, ""),
    _fit("the same, 10^6 x 50, peak memory a party", "newton, 10^6 rows", "peak_mib_per_party", 4096, "MiB"),
    _fit("the same, 10^6 x 50", "newton, 10^6 rows", "seconds", None, "s"),
    _fit("the same by sgd, 10^5 x 100, an epoch of batches of 1,024", "sgd, one epoch", "seconds", 2, "s"),
    _fit("the same by sgd, 10^4 x 784, 78 batches of 128", "sgd, batches of 128", "seconds", 1.2, "s"),
    _fit("ridge regression, 10^5 x 100", "ridge", "seconds", None, "s"),
    _walk("a row through a tree of depth 6", 1, 1, 4, "ms", 1e3),
    _walk("a row through 100 such trees", 1, 100, 15, "ms", 1e3),
    _walk("10^4 rows through a tree", 10_000, 1, 0.4, "s"),
    _walk("1,000 rows through 100 trees", 1_000, 100, 2.5, "s"),
)


def run(repeats: int, tell: Callable[[str], None]) -> list[dict[str, Any]]:
    """Measure all marks, each figure once."""
    figures: list[dict[str, Any]] = []
    for op in dict.fromkeys(mark.op for mark in MARKS if not mark.op.startswith(_TREES)):
        tell(op)
        figures += measure_models(3, [op], repeats=1 if op in _LONG else repeats)
    jobs = tuple((mark.size, int(mark.op.split()[1])) for mark in MARKS if mark.op.startswith(_TREES))
    return figures + measure_trees(3, jobs, repeats=max(5, repeats), tell=tell)


def _found(mark: Mark, figures: list[dict[str, Any]]) -> float:
    for f in figures:
        name, size = (f"{_TREES} {f['trees']}", f["size"]) if f["op"] == _TREES else (f["op"], 0)
        if (name, size) == (mark.op, mark.size):
            return float(f[mark.figure]) * mark.scale
    raise KeyError(mark.op)


def lines(figures: list[dict[str, Any]]) -> Iterator[str]:
    """The table, in Markdown."""
    where = "Three processes on loopback over TLS 1.3"
    return table(where, "learning", ((mark, _found(mark, figures)) for mark in MARKS))


def write(figures: list[dict[str, Any]]) -> str:
    """Put the table between the README's markers; gives the table."""
    text = "\n".join(lines(figures))
    put(text, _BEGIN, _END)
    return text
