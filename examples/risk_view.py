"""What the examples of models print: released figures beside a fit in the open, how far the two are apart, the cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rich.console import Console

from examples.risk import Answer, Plan
from examples.risk_pooled import MARKS, Pooled, differences
from examples.view import add_columns, console, empty_table, print_privacy, print_run
from protocols.inference import p_values
from protocols.scores import Estimate, auc_of, scores_of

__all__ = ["About", "beside", "show"]

MOST_LINES = 8
"""Coefficients that are printed; the picture has all."""


@dataclass(frozen=True)
class About:
    """What a run is about, in words.

    Attributes:
        title: of the picture.
        data: which, how many rows, from where; a sentence or several.
        source: for the picture's foot.
        names: of the three parties.
        protected: by epsilon.
        trees: AUC of a model of trees on the test rows of the fit in the open, and the name of its owner.
        notes: more on privacy.
    """

    title: str
    data: str
    source: str
    names: Sequence[str]
    protected: str
    trees: tuple[float, str] | None = None
    notes: Sequence[str] = field(default_factory=tuple)


def show(about: About, plan: Plan, answer: Answer, pooled: Pooled, cluster: Any) -> None:
    """All figures, beside those of the fit in the open, and what the run cost."""
    out = console()
    out.print(
        f"\nData: {about.data}.\nModel: {plan.outcome} by {len(plan.columns)} standardised columns, logistic "
        f"regression with C = {plan.C:g}, {plan.steps} steps of Newton's method.\n"
        "A quarter of the rows, drawn by a shuffle nobody knows, is kept for the figures below.\n"
    )
    _released(out, answer, pooled, about)
    if answer.opened:
        _coefficients(out, plan, answer.opened, pooled)
        _marks(out, answer.opened, pooled, about)
    print_run(out, cluster, about.names)
    print_privacy(out, answer.released.values(), about.protected)
    out.print(
        "  What a row of the training part does to the model, and so to all scores, is not bounded by this ε: the\n"
        "  model is fitted without noise, and stays secret."
    )
    for note in about.notes:
        out.print(f"  {note}")
    if answer.opened:
        out.print(
            "[bold]Unsafe[/bold]: --compare opened to all parties, exact and without noise, the coefficients, exact "
            "figures and which rows\n  were trained on. The ε above protects nobody then. For demonstrations only."
        )
    else:
        out.print("  The coefficients are not opened. In a demonstration, --compare does (unsafe), and compares them.")


def _released(out: Console, answer: Answer, pooled: Pooled, about: About) -> None:
    told = {"AUC": auc_of(answer.released["newton"])}
    plain = {"AUC": pooled.auc}
    for name, (words, auc) in beside(answer, pooled, about).items():
        told[f"AUC of {words}"], plain[f"AUC of {words}"] = auc_of(answer.released[name]), auc
    (_, fp), (fn, tp) = pooled.confusion
    told |= scores_of(answer.released["confusion"])
    plain |= {
        "accuracy": pooled.accuracy,
        "precision": tp / max(1, tp + fp),
        "recall": tp / max(1, tp + fn),
        "f1": 2 * tp / max(1, 2 * tp + fp + fn),
    }
    table = empty_table(out, f"Released, of {_rows(pooled.test)} test rows")
    column = "pooled plaintext" + ("" if pooled.same_rows else ", other split")
    add_columns(table, "figure", "released", "± standard error", "95% interval", f"truth*: {column}")
    for name, figure in told.items():
        table.add_row(name.replace("f1", "F1"), *_cells(figure), f"{plain[name]:.4f}")
    out.print(table)
    rows = "fitted to and tested on the same rows" if pooled.same_rows else "with a split of its own, so not alike"
    out.print(
        f"* scikit-learn on everybody's rows in one table, {rows}: only possible as\n  this is a demonstration, with "
        "the data in one place. Errors and intervals: of the noise, not of drawing so few rows.\n"
    )


def beside(answer: Answer, pooled: Pooled, about: About) -> dict[str, tuple[str, float]]:
    """The released models beside newton's: what they are called, and the AUC of their like in the open."""
    found = {}
    if "sgd" in answer.released:
        found["sgd"] = ("mini-batches (sgd)", pooled.auc)
    if about.trees is not None:
        found["trees"] = (f"the {about.trees[1]}'s trees", about.trees[0])
    return found


def _rows(test: Any) -> str:
    return f"about {round(len(test), -2):,}" if len(test) >= 1000 else f"about {len(test)}"


def _cells(figure: Estimate) -> tuple[str, ...]:
    low, high = figure.interval95
    return f"{figure.value:.4f}", f"± {figure.standard_error:.4f}", f"{low:.3f} .. {high:.3f}"


def _coefficients(out: Console, plan: Plan, opened: Mapping[str, Any], pooled: Pooled) -> None:
    """The largest by their standard errors."""
    ours, errors = opened["newton coefficients"], opened["errors"]
    p = p_values(ours, errors)
    order = np.argsort(-np.abs(ours / errors))
    table = empty_table(out, f"Coefficients, by standard deviation: {MOST_LINES} of {len(ours)} (opened, unsafe)")
    add_columns(table, "column", "on shares", "± standard error", "p", "truth: pooled", "diff")
    for j in order[:MOST_LINES]:
        value, true = ours[j], pooled.coefficients[j]
        small = "< 0.001" if p[j] < 0.001 else f"{p[j]:.3f}"
        table.add_row(
            plan.columns[j], f"{value:+.4f}", f"± {errors[j]:.4f}", small, f"{true:+.4f}", f"{value - true:+.5f}"
        )
    out.print(table)


def _marks(out: Console, opened: Mapping[str, Any], pooled: Pooled, about: About) -> None:
    """How far the computation is from the fit in the open, and how far it may be."""
    apart, n = differences(opened, pooled), len(pooled.test)
    lines = [
        ("newton: largest difference of a coefficient", apart["coefficient"], MARKS["coefficient"], "{:.5f}"),
        ("newton: difference of AUC", apart["AUC"], MARKS["AUC"], "{:.6f}"),
        ("sgd: difference of accuracy, points", apart["accuracy"], MARKS["accuracy"], "{:.2f}"),
        ("newton: difference of accuracy, points", apart["newton accuracy"], None, "{:.2f}"),
        ("newton: largest relative difference of a standard error", apart["standard error"], None, "{:.4f}"),
        ("sgd: difference of AUC", apart["sgd AUC"], None, "{:.5f}"),
    ]
    if about.trees is not None:
        lines.append(("trees: difference of AUC", abs(float(opened["trees AUC"]) - about.trees[0]), None, "{:.6f}"))
    table = empty_table(out, f"On shares and pooled plaintext, the same rows ({n:,} test rows; opened, unsafe)")
    add_columns(table, "difference", "is", "may be", "")
    for name, value, most, form in lines:
        verdict = "" if most is None else "within" if value <= most else "MISSED"
        table.add_row(name, form.format(value), "" if most is None else f"{most:g}", verdict)
    out.print(table)
    if not opened["newton converged"]:
        out.print("  Newton's method had not converged, or a column is out of range.")
    if apart["accuracy"] > MARKS["accuracy"] and round(apart["accuracy"] * n / 100) <= 1:
        out.print(f"  One test row is {100 / n:.2f} points.")
