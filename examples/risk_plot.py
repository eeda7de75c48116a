"""The picture of an example of a model: ROC, calibration, coefficients with intervals; beside a fit in the open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from examples.risk import Answer, Plan
from examples.risk_pooled import Pooled, half_widths
from examples.risk_view import About, beside
from protocols.release import Released
from protocols.scores import auc_of, rates_of

__all__ = ["draw"]

OURS, POOLED, OTHER, GREY = "#0072B2", "#D55E00", "#009E73", "#666666"
"""Of Okabe and Ito's palette, which readers with any colour vision can tell apart."""
LEAST_ROWS = 20
"""A bin of the calibration is drawn where the interval of its count says there are as many."""
SMALL = 8.5


def draw(about: About, plan: Plan, answer: Answer, pooled: Pooled, file: Path) -> None:
    """Write the picture; the format follows from the file's ending."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (roc, calibration, effects) = plt.subplots(1, 3, figsize=(16.5, 6.6), width_ratios=(1, 1, 1.05))
    _roc(roc, about, answer, pooled)
    _calibration(calibration, plan, answer, pooled)
    _effects(effects, plan, answer, pooled)
    for axes in (roc, calibration, effects):
        axes.spines[["top", "right"]].set_visible(False)
        axes.title.set(fontsize=11.5)
        axes.legend(frameon=False, fontsize=SMALL, loc="upper center", bbox_to_anchor=(0.5, -0.1))
    for axes in (roc, calibration):
        axes.set(xlim=(-0.02, 1.03), ylim=(-0.02, 1.03))
        axes.set_box_aspect(1)
        axes.set_anchor("N")
    figure.suptitle(about.title, fontsize=14, fontweight="bold", x=0.01, ha="left")
    rows = "same rows" if pooled.same_rows else "rows split in another way"
    figure.text(
        0.01, 0.01,
        f"{about.source}\nReleased: ε = {plan.epsilon:g} in all, for rows of the test part. Pooled plaintext: "
        f"scikit-learn on everybody's rows in one table, {rows}; only a demonstration has that.{_compared_to(plan)}",
        fontsize=SMALL, color=GREY,
    )  # fmt: skip
    figure.tight_layout(rect=(0, 0.06, 1, 0.99), w_pad=2.5)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=110)
    plt.close(figure)
    print(f"Picture: {file}")


def _compared_to(plan: Plan) -> str:
    """The categories without a column."""
    of = [names[0] for _, names in plan.categories]
    return f" Categories are compared to: {', '.join(of)}." if of else ""


def _roc(axes: Any, about: About, answer: Answer, pooled: Pooled) -> None:
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=":")
    axes.plot(*pooled.curve, color=POOLED, linewidth=1.4, label=f"pooled plaintext: AUC {pooled.auc:.3f}")
    shown = [("newton", "released", OURS, "o", 5.0)]
    for name, (words, _) in beside(answer, pooled, about).items():
        shown.append((name, f"{words}, released", OTHER, "s", 4.0))
    for name, label, colour, marker, size in shown:
        auc, (fpr, tpr) = auc_of(answer.released[name]), rates_of(answer.released[name])
        axes.plot(
            [1, *fpr, 0], [1, *tpr, 0], marker, color=colour, markersize=size,
            label=f"{label}: AUC {auc.value:.3f}, standard error of the noise {auc.standard_error:.3f}",
        )  # fmt: skip
    axes.set(xlabel="false positive rate", ylabel="true positive rate")
    axes.set_title("ROC, from noised counts at public thresholds")


def _calibration(axes: Any, plan: Plan, answer: Answer, pooled: Pooled) -> None:
    observed, above = answer.released["observed"], answer.released["predicted"]
    assert observed.values is not None and above.values is not None
    assert observed.parts[1].interval95 is not None
    seen = observed.parts[1].interval95[0] >= LEAST_ROWS
    predicted = above.values + np.arange(plan.bins) / plan.bins
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=":")
    axes.plot(*pooled.calibration, "D", color=POOLED, markersize=8, markerfacecolor="none", label="pooled plaintext")
    left = int((~seen).sum())
    note = f"; {left} of {plan.bins} bins too small" if left else ""
    axes.errorbar(
        predicted[seen], observed.values[seen], yerr=_bars(observed)[:, seen], xerr=_bars(above)[:, seen],
        fmt="o", color=OURS, markersize=5, capsize=2, elinewidth=1, label=f"released, 95% interval of the noise{note}",
    )  # fmt: skip
    axes.set(xlabel=f"predicted chance of {plan.outcome}", ylabel="share observed")
    axes.set_title("Calibration: does it happen as often as predicted?")


def _bars(figure: Released) -> Any:
    """(2, bins): how far the interval reaches down and up."""
    assert figure.interval95 is not None
    low, high = figure.interval95
    return np.stack([figure.values - low, high - figure.values])


def _effects(axes: Any, plan: Plan, answer: Answer, pooled: Pooled) -> None:
    order = np.argsort(np.abs(pooled.coefficients))
    rows = np.arange(len(order))
    axes.axvline(0, color=GREY, linewidth=0.8, linestyle=":")
    if answer.opened:
        ours, errors = answer.opened["newton coefficients"][order], answer.opened["errors"][order]
        axes.errorbar(
            ours, rows + 0.16, xerr=half_widths(errors), fmt="o", color=OURS, markersize=4, elinewidth=1.2,
            label="fitted on shares (opened for the demonstration, unsafe)",
        )  # fmt: skip
    axes.errorbar(
        pooled.coefficients[order], rows - 0.16 * bool(answer.opened), xerr=half_widths(pooled.errors[order]), fmt="D",
        color=POOLED, markersize=4, markerfacecolor="none", elinewidth=1.2, label="pooled plaintext",
    )  # fmt: skip
    axes.set_yticks(rows, [plan.columns[j] for j in order], fontsize=SMALL if len(order) < 24 else 7.5)
    axes.set_ylim(-0.8, len(order) - 0.2)
    axes.set_xlabel("log odds by one standard deviation, with 95% interval")
    axes.set_title(
        "Coefficients, on shares and in the open" if answer.opened else "Coefficients: those on shares stay secret"
    )
