"""What the demonstration of the consortium prints: what was asked, released figures, the truth beside them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from rich.console import Console

from examples.consortium_questions import DELTA, Answer, Fitted, Question
from examples.consortium_tables import Study
from examples.view import add_columns, empty_table

__all__ = ["Line", "figures", "introduce", "lines_of", "show", "show_end", "show_model"]


@dataclass(frozen=True)
class Line:
    """One figure: ``name``, and what was released and is true. Not ``shown``: its group is too small."""

    name: str
    shown: bool
    value: float
    standard_error: float
    low: float
    high: float
    truth: float

    @property
    def ratio(self) -> float:
        """Its error in standard errors."""
        return (self.value - self.truth) / self.standard_error

    @property
    def held(self) -> bool:
        """Whether the 95% interval has the truth."""
        return self.low <= self.truth <= self.high

    @property
    def digits(self) -> int:
        """To show: what the standard error says about."""
        return min(4, max(0, 1 - math.floor(math.log10(self.standard_error)))) if self.standard_error < 1 else 0

    def cells(self) -> tuple[str, ...]:
        """As printed."""
        if not self.shown:
            return self.name, "too small", "", "", f"{self.truth:,.0f}", "", ""
        d = self.digits
        return (
            self.name,
            f"{self.value:,.{d}f}",
            f"± {self.standard_error:,.{d or 1}f}",
            f"{self.low:,.{d}f} .. {self.high:,.{d}f}",
            f"{self.truth:,.{d}f}",
            f"{self.value - self.truth:+,.{d}f}",
            f"{self.ratio:+.1f}",
        )


def figures(frame: pd.DataFrame) -> list[str]:
    """Which figures a frame has: "count", "mean(age)"."""
    return [str(name) for name in frame.columns if name != "shown" and "." not in str(name)]


def lines_of(study: Study, answer: pd.DataFrame, truth: pd.DataFrame) -> list[Line]:
    """All figures of an answer."""
    found = []
    for name in figures(answer):
        for group in answer.index:
            row = answer.loc[group]
            words = _words(study, name)
            title = words if answer.index.name is None else f"{group}: {words}"
            numbers = [row[name], *(row[f"{name}.{part}"] for part in ("standard_error", "low", "high"))]
            found.append(Line(title, bool(row["shown"]), *map(float, numbers), float(truth.loc[group, name])))
    return found


def _words(study: Study, figure: str) -> str:
    what, _, column = figure.rstrip(")").partition("(")
    if what == "count":
        return "patients"
    label = study.label(column)
    if column == study.outcome:
        return label if what == "sum" else "share"
    return f"{what} {label}"


def introduce(out: Console, study: Study, members: Sequence[str]) -> None:
    """What is about to happen, with which data."""
    out.print("\n[bold]Three hospitals found a consortium, each with a node of its own; an analyst asks.[/bold]")
    out.print(
        f"Data: {study.data.name}, {study.data.n_rows:,} patients dealt at random to {', '.join(members)}\n"
        f"      (from {study.data.source}). No hospital sees another's rows, or how many it has.\n"
    )


def show(out: Console, question: Question, answer: Answer, lines: Sequence[Line]) -> None:
    """A table of figures, with the truth beside."""
    table = empty_table(out, question.title, _cost(question, answer))
    add_columns(table, "figure", "released", "± standard error", "95% interval", "truth", "diff", "diff / s.e.")
    table.columns[-1].style = "dim"
    for line in lines:
        table.add_row(*line.cells())
    out.print(table)


def show_model(out: Console, study: Study, question: Question, answer: Answer, pair: tuple[Fitted, Fitted]) -> None:
    """The released coefficients, and how well they tell patients apart."""
    ours, free = pair
    table = empty_table(out, question.title, _cost(question, answer))
    add_columns(table, "on one scale", "released", "truth: fitted in the open")
    for j, term in enumerate(ours.terms):
        name = study.label(term) if term in study.features else term
        table.add_row(name, f"{ours.coefficients[j]:+.2f}", f"{free.coefficients[j]:+.2f}")
    table.add_row("AUC on all patients", f"{ours.auc:.3f}", f"{free.auc:.3f}", end_section=True)
    out.print(table)


def _cost(question: Question, answer: Answer) -> str:
    epsilon = f"ε = {question.parameters['epsilon']:g}" + (f", δ = {DELTA:g}" if question.kind == "train" else "")
    work = f", {answer.rounds} rounds, {answer.sent / 1e6:.1f} MB sent by a node" if answer.rounds else ""
    return f"\n[dim]{question.kind}, {epsilon}; {answer.seconds:.1f} s{work}[/dim]"


def show_end(out: Console, lines: Sequence[Line], asked: Sequence[Question], seconds: Mapping[str, float]) -> None:
    """The check of all figures, what they cost together, and how long everything took."""
    shown = [line for line in lines if line.shown]
    mean = math.sqrt(sum(line.ratio**2 for line in shown) / len(shown))
    epsilon = sum(question.parameters["epsilon"] for question in asked)
    took: Any = ", ".join(f"{name} {spent:.1f} s" for name, spent in seconds.items())
    out.print(
        f"[bold]Check[/bold]: {sum(line.held for line in shown)} of the {len(shown)} figures shown have the truth in "
        f"their 95% interval; their errors are {mean:.2f} standard errors, in root mean square.\n"
        f"[bold]Privacy[/bold]: ε = {epsilon:g} in all, δ = {DELTA:g}. Protected is one patient more or less, "
        "with a row at every hospital even.\n"
        f"[bold]Time[/bold]: {took}.\n"
        "The columns truth and diff exist in this demonstration only: it has all hospitals' files."
    )
