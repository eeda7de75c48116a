"""What the hospitals' demonstration prints and draws. Plaintext truth is computed here, for comparison only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from rich.console import Console

from examples.datasets import Columns, Dataset, is_missing
from examples.view import add_columns, console, empty_table, print_run
from protocols.aggregate import clip_rows
from protocols.release import Released, total_epsilon

if TYPE_CHECKING:
    from examples.hospitals import Plan

__all__ = ["introduce", "plot", "show", "truth"]

LABELS = {
    "age": "age (years)",
    "slos": "stay (days)",
    "charges": "charges (dollars)",
    "hospdead": "died in hospital",
    "dzgroup": "disease group",
}
OPPOSITES = {"hospdead": "left alive", "malignant": "benign"}


def _label(column: str) -> str:
    return LABELS.get(column, column)


def _opposite(column: str) -> str:
    return OPPOSITES.get(column, "others")


# -- truth -------------------------------------------------------------------------------------


def truth(data: Dataset, plan: Plan) -> dict[str, npt.NDArray[Any]]:
    """The same figures in plaintext over all rows, clipped alike, without noise."""
    c: Columns = data.columns
    flag = c[plan.outcome].astype(np.int64)
    inside = [(c[plan.group] == g) & (c[plan.among[0]] >= plan.among[1]) for g in plan.categories]
    cut = [
        clip_rows(c[name], *b, missing=0.0) for name, b in zip((*plan.measures, plan.amount), plan.bounds, strict=True)
    ]
    bins = [np.histogram(cut[0][flag == outcome], plan.edges)[0] for outcome in (0, 1)]
    return {
        "patients": np.array(data.n_rows),
        "outcomes": flag.sum(),
        "groups": np.array([[i.sum() for i in inside], [flag[i].sum() for i in inside]]),
        "mean 0": cut[0].mean(),
        "mean 1": cut[1].mean(),
        "total": cut[2].sum(),
        "histogram": np.stack(bins),
    }


# -- print -------------------------------------------------------------------------------------


def introduce(data: Dataset, plan: Plan) -> None:
    """What is about to happen, with which data."""
    out = console()
    figures = 5 + 2 * len(plan.categories) + 2 * (len(plan.edges) - 1)
    out.print(f"\n[bold]Three hospitals, {figures} joint figures: no hospital sees another's patients.[/bold]")
    out.print(
        f"Data: {data.name}, {data.n_rows:,} patients dealt at random to three hospitals\n"
        f"      (from {data.source}).\n"
        "Each hospital's process reads its own rows, shares them in random pieces, and the three compute on pieces.\n"
        "Only the figures below are opened, each with discrete Laplace noise drawn inside the computation: nobody\n"
        f"knows it. Each hospital fills up to {plan.capacity:,} rows, so its number of patients stays hidden too."
    )
    for name, (low, high) in zip((*plan.measures, plan.amount), plan.bounds, strict=True):
        column = data.columns[name]
        outside = int(((column < low) | (column > high)).sum())
        missing = int(is_missing(column).sum())
        note = f"; {missing} missing count as 0" if missing else ""
        agreed = f"{_label(name)} cut to {low:,g} .. {high:,g} (agreed beforehand)"
        out.print(f"  {agreed}: {outside:,} lie outside{note}")
    out.print()


def show(data: Dataset, plan: Plan, answer: dict[str, Released], cluster: Any) -> None:
    """All figures, beside the truth, and what the run cost."""
    out, true = console(), truth(data, plan)
    _totals(out, plan, answer, true)
    _groups(out, plan, answer["groups"], true["groups"])
    _bins(out, plan, answer["histogram"], true["histogram"])
    epsilon = total_epsilon(*answer.values())
    hits = np.concatenate([_held(figure, true[name]) for name, figure in answer.items()])
    print_run(out, cluster, [f"hospital {i}" for i in range(len(cluster.traffic))])
    out.print(
        f"[bold]Privacy[/bold]: ε = {epsilon:.6g} in all, the sum of the tables' ε. Protected is one patient more or "
        "less.\n"
        f"  ε, for a patient: among the rows, any answer is at most e^ε = {np.exp(epsilon):.3g} times as likely, "
        "or as unlikely.\n"
        "  δ: by how much more a probability may differ, as coins are of finite precision: below 2^-40 a release.\n"
        f"[bold]Check[/bold]: {hits.sum()} of the {hits.size} figures shown have the truth in their 95% interval.\n"
        "The columns truth and diff exist in this demonstration only."
    )


def _held(figure: Released, true: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Of the figures shown: whether the 95% interval holds the truth; one axis."""
    assert figure.interval95 is not None
    low, high = figure.interval95
    held = (low <= true) & (true <= high)
    return np.ravel(held if figure.shown is None else held[figure.shown])


def _totals(out: Console, plan: Plan, answer: dict[str, Released], true: dict[str, npt.NDArray[Any]]) -> None:
    names = {
        "patients": ("patients", 0),
        "outcomes": (_label(plan.outcome), 0),
        "mean 0": (f"mean {_label(plan.measures[0])}", 2),
        "mean 1": (f"mean {_label(plan.measures[1])}", 2),
        "total": (f"total {_label(plan.amount)}", 0),
    }
    table = empty_table(out, "All three hospitals together")
    add_columns(table, "figure", "released", "± standard error", "95% interval", "ε", "truth")
    for key, (name, digits) in names.items():
        figure = answer[key]
        assert figure.interval95 is not None
        value, error = float(np.asarray(figure.values)), float(np.asarray(figure.standard_error))
        low, high = (float(end) for end in figure.interval95)
        table.add_row(
            name,
            f"{value:,.{digits}f}",
            f"± {error:,.{digits or 1 if error < 1000 else 0}f}",
            f"{low:,.{digits}f} .. {high:,.{digits}f}",
            f"{figure.epsilon:.4g}",
            f"{float(true[key]):,.{digits}f}",
        )
    out.print(table)


def _errors(figure: Released) -> str:
    """Of a table of figures with one law: its epsilon, and how far each is from the truth."""
    return (
        f": ε = {figure.epsilon:.4g} for the whole table;\n"
        f"each figure: standard error {figure.standard_error:.1f}, 95% interval ± {figure.half_width():g}"
    )


def _groups(out: Console, plan: Plan, figure: Released, true: npt.NDArray[Any]) -> None:
    assert figure.values is not None and figure.shown is not None
    table = empty_table(
        out,
        f"By {_label(plan.group)}, of patients with {_label(plan.among[0])} from {plan.among[1]:g}",
        f"{_errors(figure)};\na group is shown from {plan.minimum} patients, noise included",
    )
    add_columns(table, _label(plan.group), "patients", "truth", "diff", _label(plan.outcome), "truth", "diff")
    for j, name in enumerate(plan.categories):
        cells = []
        for row in range(2):
            value, real = figure.values[row, j], true[row, j]
            seen = figure.shown[row, j]
            cells += [f"{value:,}", f"{real:,}", f"{value - real:+,}"] if seen else ["too small", f"{real:,}", ""]
        table.add_row(name, *cells)
    out.print(table)


def _bins(out: Console, plan: Plan, figure: Released, true: npt.NDArray[Any]) -> None:
    assert figure.values is not None
    table = empty_table(
        out,
        f"{_label(plan.measures[0])} by outcome",
        _errors(figure),
    )
    add_columns(
        table,
        "from .. to",
        _opposite(plan.outcome),
        "truth",
        "diff",
        _label(plan.outcome),
        "truth",
        "diff",
        "share",
    )
    for j in range(len(plan.edges) - 1):
        cells = []
        for row in range(2):
            value, real = figure.values[row, j], true[row, j]
            cells += [f"{value:,}", f"{real:,}", f"{value - real:+,}"]
        both = max(1, int(figure.values[:, j].sum()))
        share = min(1.0, max(0.0, figure.values[1, j] / both))
        table.add_row(f"{plan.edges[j]:g} .. {plan.edges[j + 1]:g}", *cells, f"{share:4.0%} " + "▇" * round(10 * share))
    table.columns[-1].justify = "left"
    out.print(table)


# -- draw --------------------------------------------------------------------------------------


def plot(plan: Plan, answer: dict[str, Released], file: str) -> None:
    """The histogram with 95% intervals, as the receivers know it: without the truth."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    figure = answer["histogram"]
    assert figure.values is not None
    edges = np.asarray(plan.edges)
    widths = np.diff(edges) / 2
    chart, axes = pyplot.subplots(figsize=(8, 4.5))
    for row, (name, colour) in enumerate(((_opposite(plan.outcome), "#7aa6c2"), (_label(plan.outcome), "#b5483a"))):
        axes.bar(
            edges[:-1] + (row + 0.5) * widths, figure.values[row], 0.92 * widths, yerr=figure.half_width(), capsize=3,
            label=name, color=colour, ecolor="#333333",
        )  # fmt: skip
    axes.set_xlabel(_label(plan.measures[0]))
    axes.set_ylabel("patients (noised)")
    axes.set_title(f"Released by three hospitals, ε = {figure.epsilon:.3g}, bars: 95%")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    chart.tight_layout()
    chart.savefig(file)
    pyplot.close(chart)
