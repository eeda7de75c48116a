"""What the examples print: a progress line, released figures beside the plaintext truth, what a run cost."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from protocols.release import Released, total_epsilon

__all__ = ["Figure", "Stages", "add_columns", "console", "empty_table", "print_figures", "print_privacy", "print_run"]

WIDTH = 118
STAGES = 5


def console() -> Console:
    """Standard output, of a known width where it is no terminal."""
    return Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False)


class Stages:
    """A progress line on stderr: the stage under way, and how many of all.

    Called with (party, "2/5 text") where a stage begins, and with any other text, as fits report it, within one.
    """

    def __init__(self) -> None:
        console = Console(stderr=True, highlight=False)
        columns = (BarColumn(20), TextColumn("{task.completed}/{task.total}"), TextColumn("{task.description}"))
        self._bar = Progress(*columns, TimeElapsedColumn(), console=console) if console.is_terminal else None
        self._task: Any = None if self._bar is None else self._bar.add_task("", total=STAGES)

    def __enter__(self) -> Stages:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._bar is not None:
            if kind is None:
                self._bar.update(self._task, completed=STAGES, description="done")
            self._bar.stop()

    def note(self, text: str) -> None:
        """A line that stays."""
        if self._bar is None:
            print(f"      {text}", file=sys.stderr, flush=True)
        else:
            self._bar.console.print(text, style="dim", markup=False)

    def __call__(self, party: int, text: str) -> None:
        """A stage begins, or goes on; party 0 speaks for all."""
        if party != 0:
            return
        begins = re.fullmatch(r"((\d+)/\d+) (.*)", text, re.DOTALL)
        if self._bar is None:
            print(f"[{begins[1]}] {begins[3]}" if begins else f"      {text}", file=sys.stderr, flush=True)
        elif begins:
            self._bar.update(self._task, completed=int(begins[2]) - 1, description=begins[3])
        else:
            self._bar.update(self._task, description=text)


def empty_table(out: Console, title: str, note: str = "") -> Table:
    """A table to be filled and printed; its title is printed now."""
    out.print(f"[bold]{title}[/bold]{note}")
    return Table(box=box.SIMPLE_HEAD)


def add_columns(table: Table, *names: str) -> None:
    """Columns of numbers after one of names; those that exist in a demonstration only are dim."""
    for i, name in enumerate(names):
        style = "dim" if name.startswith(("truth", "diff")) else ""
        table.add_column(name, justify="left" if i == 0 else "right", style=style)


@dataclass(frozen=True)
class Figure:
    """What is printed of one release.

    Attributes:
        name: of the figure, or of the row of figures.
        released: the release, to a receiver; figures () or (groups,), or (rows, groups) with ``row``.
        truth: the same without noise, in plaintext: one array for each column of truth; NaN where there is none.
        groups: names of the figures in an array.
        row: which row of a release of several.
        digits: after the point.
        chosen: (groups,) which groups to print; None: all.
    """

    name: str
    released: Released
    truth: Mapping[str, Any]
    groups: Sequence[str] = ()
    row: int | None = None
    digits: int = 0
    chosen: npt.NDArray[np.bool_] | None = None

    def only(self, chosen: npt.NDArray[np.bool_]) -> Figure:
        """The same with these groups only."""
        return replace(self, chosen=chosen)

    def _rows(self) -> list[tuple[int, tuple[Any, ...]]]:
        """Of each figure to print: its place, and (value, error, low, high, whether it is shown)."""
        r = self.released
        assert r.values is not None and r.interval95 is not None
        shape = np.shape(r.values)
        seen = True if r.shown is None else r.shown
        parts = [np.broadcast_to(np.asarray(p), shape) for p in (r.values, r.standard_error, *r.interval95, seen)]
        own = [np.atleast_1d(p if self.row is None else p[self.row]) for p in parts]
        rows = enumerate(zip(*own, strict=True))
        return [(j, row) for j, row in rows if self.chosen is None or self.chosen[j]]

    def lines(self) -> list[tuple[str, ...]]:
        """The rows of the table: name, released, standard error, interval, epsilon, truths."""
        truths = [np.atleast_1d(t) for t in self.truth.values()]
        epsilon = "as above" if self.row else f"{self.released.epsilon:.4g}"
        found = [(self.name, "", "", "", epsilon, *("" for _ in truths))] if self.groups else []
        d = self.digits
        for j, (value, error, low, high, seen) in self._rows():
            cells = ("too small", "", "")
            if seen:
                ends = f"{low:,.{d}f} .. {high:,.{d}f}"
                cells = (f"{value:,.{d}f}", f"± {error:,.{d or (1 if error < 1000 else 0)}f}", ends)
            name, own = (f"  {self.groups[j]}", "") if self.groups else (self.name, epsilon)
            found.append((name, *cells, own, *("none" if np.isnan(t[j]) else f"{t[j]:,.{d}f}" for t in truths)))
        return found

    def held(self) -> list[bool]:
        """Of the figures shown that have a truth: whether the 95% interval holds it, the first of several."""
        true = np.atleast_1d(next(iter(self.truth.values())))
        return [
            bool(low <= true[j] <= high)
            for j, (_, _, low, high, seen) in self._rows()
            if seen and not np.isnan(true[j])
        ]


def print_figures(out: Console, title: str, figures: Sequence[Figure], note: str = "") -> None:
    """A table of figures, all with the same columns of truth."""
    table = empty_table(out, title, note)
    add_columns(table, "figure", "released", "± standard error", "95% interval", "ε", *figures[0].truth)
    for figure in figures:
        for line in figure.lines():
            table.add_row(*line)
    out.print(table)
    held = [inside for figure in figures for inside in figure.held()]
    out.print(
        f"[bold]Check[/bold]: {sum(held)} of the {len(held)} figures shown have the truth in their 95% interval.\n"
        "Truth is computed from everybody's rows, cut alike; it exists in this demonstration only."
    )


def print_run(out: Console, cluster: Any, names: Sequence[str]) -> None:
    """Rounds, bytes and seconds."""
    rounds = max(t.rounds for t in cluster.traffic)
    sent = [t.bytes_sent / 1e6 for t in cluster.traffic]
    by = ", ".join(f"{name} {s:.1f}" for name, s in zip(names, sent, strict=True))
    out.print(
        f"[bold]Run[/bold]: {rounds} rounds, {sum(sent):.1f} MB sent in all ({by}), {cluster.seconds:.2f} s from "
        "reading the rows to the opened figures."
    )


def print_privacy(out: Console, released: Iterable[Released], neighbour: str) -> None:
    """What the releases cost together."""
    epsilon = total_epsilon(*released)
    out.print(
        f"[bold]Privacy[/bold]: ε = {epsilon:.6g} in all, the sum of the figures' ε; δ below 2^-40 a release.\n"
        f"  Protected is {neighbour}."
    )
