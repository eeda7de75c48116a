"""The picture of the consortium's demonstration: groups and shares with their intervals, and the model's ROC curve."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from examples.consortium_questions import Answer, Fitted
from examples.consortium_tables import Study

__all__ = ["draw"]

OURS, TRUE, GREY = "#0072B2", "#D55E00", "#666666"
"""Of Okabe and Ito's palette, which readers with any colour vision can tell apart."""
SMALL = 9.0


def draw(
    study: Study,
    answers: Mapping[str, Answer],
    truths: Mapping[str, pd.DataFrame],
    pair: tuple[Fitted, Fitted],
    epsilon: float,
    file: Path,
) -> None:
    """Write the picture; the format follows from the file's ending."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (counts, shares, roc) = plt.subplots(1, 3, figsize=(16, 6), width_ratios=(1.1, 1.1, 0.95))
    groups: pd.DataFrame = answers["groups"].result
    share = f"mean({study.outcome})"
    order = groups[groups["shown"]].sort_values(share).index
    _counts(counts, study, order, groups, answers["among"].result, truths)
    _shares(shares, study, order, groups, truths["groups"], share)
    _roc(roc, *pair)
    for axes in (counts, shares, roc):
        axes.spines[["top", "right"]].set_visible(False)
        axes.title.set(fontsize=12)
        axes.title.set_horizontalalignment("left")
        axes.title.set_x(0.0)
        axes.legend(frameon=False, fontsize=SMALL, loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=3)
    title = "Three hospitals answer together; no patient's row left any of them"
    figure.suptitle(title, fontsize=15, fontweight="bold", x=0.01, ha="left")
    figure.text(
        0.01, 0.01,
        f"{study.data.name}: {study.data.source}. Released with ε = {epsilon:g} in all. Thin lines: 95% intervals of "
        "the noise.\nThe truth is drawn because this is a demonstration: it has all hospitals' files.",
        fontsize=SMALL, color=GREY,
    )  # fmt: skip
    figure.tight_layout(rect=(0, 0.06, 1, 0.99), w_pad=2.5)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=110)
    plt.close(figure)


def _counts(
    axes: Any, study: Study, order: Any, groups: pd.DataFrame, among: pd.DataFrame, truths: Mapping[str, pd.DataFrame]
) -> None:
    """Two bars a group: all patients, and those the second table is of, where they are enough."""
    column, least = study.among
    places, some = np.arange(len(order)), f"{study.label(column)} from {least:g}"
    for frame, name, shift, colour, label in (
        (groups, "groups", 0.2, OURS, "all patients"),
        (among, "among", -0.2, "#56B4E9", some),
    ):
        table, true = frame.loc[order], truths[name].loc[order, "count"]
        seen = table["shown"].to_numpy(bool)
        value = table["count"].to_numpy(float)
        ends = np.abs(table[["count.low", "count.high"]].to_numpy(float).T - value)
        axes.barh(places[seen] + shift, value[seen], 0.36, xerr=ends[:, seen], color=colour, label=label,
                  error_kw={"capsize": 2.5, "elinewidth": 1, "ecolor": "#222222"})  # fmt: skip
        axes.plot(true[seen], places[seen] + shift, "|", color=TRUE, markersize=13, markeredgewidth=2)
        for place in places[~seen]:
            axes.text(0, place + shift, f" fewer than {study.minimum}: not shown", va="center", fontsize=7, color=GREY)
    axes.plot([], [], "|", color=TRUE, markersize=10, markeredgewidth=2, label="truth")
    axes.set_yticks(places, [str(name) for name in order])
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set(xlabel="patients")
    axes.set_title(f"Patients by {study.label(study.group)}")


def _shares(axes: Any, study: Study, order: Any, groups: pd.DataFrame, true: pd.DataFrame, share: str) -> None:
    table, places = groups.loc[order], np.arange(len(order))
    value = table[share].to_numpy(float)
    ends = np.abs(table[[f"{share}.low", f"{share}.high"]].to_numpy(float).T - value)
    axes.errorbar(100 * value, places, xerr=100 * ends, fmt="o", color=OURS, markersize=7, capsize=3, label="released")
    axes.plot(100 * true.loc[order, share], places, "|", color=TRUE, markersize=18, markeredgewidth=2, label="truth")
    axes.set_yticks(places, [str(name) for name in order])
    axes.grid(axis="x", color="#dddddd", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.set(xlabel="%", ylim=(-0.6, len(order) - 0.4))
    axes.set_title(f"Share {study.label(study.outcome)}")


def _roc(axes: Any, ours: Fitted, free: Fitted) -> None:
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=":")
    axes.plot(*ours.curve, color=OURS, linewidth=3.0, label=f"released: AUC {ours.auc:.3f}")
    axes.plot(*free.curve, color=TRUE, linewidth=1.2, linestyle="--", label=f"fitted in the open: AUC {free.auc:.3f}")
    axes.set(xlabel="false positive rate", ylabel="true positive rate", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.set_title("The model on all patients")
