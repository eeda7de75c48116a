"""The picture of docs/noise.md: samples beside the exact law, what noise is worth, what a sample costs."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np

from bench.noise import JOBS, sampled
from protocols.accounting import Event
from protocols.sensitivity import Change

__all__ = ["draw"]

_SHOWN = (("discrete Laplace, epsilon 1", "#1f5f8b"), ("binomial, epsilon 1", "#b0651d"))
_SAMPLES = 1_000_000


def draw(figures: list[dict[str, Any]], path: str, machine: str) -> None:
    """Write the picture; the format follows from the file's ending."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (law, worth, cost) = plt.subplots(1, 3, figsize=(15, 5), width_ratios=(1.3, 1, 1.3))
    for name, colour in _SHOWN:
        _law(law, name, colour)
    law.set_yscale("log")
    law.set_ylim(1e-6, 1)
    law.set_xlabel("noise added to a count")
    law.set_title(f"{_SAMPLES:,} samples (points), exact law (lines)", fontsize=10)
    law.legend(frameon=False, fontsize=8)
    names = list(JOBS)
    _worth(worth, [f for f in figures if f["how"] == "batch"], names)
    _cost(cost, figures, names)
    figure.suptitle(f"{figures[0]['parties']} processes over TLS on loopback. {machine}", fontsize=9, y=0.995)
    for axes in (law, worth, cost):
        axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)


def _law(axes: Any, name: str, colour: str) -> None:
    pmf = Event(JOBS[name].mechanism, Change((1,), False), _SAMPLES).law.pmf()
    assert pmf is not None
    exact = np.array([n / (1 << pmf.bits) for n in pmf.numerators])
    counts = np.bincount(sampled(name, _SAMPLES) - pmf.low, minlength=len(exact))
    x = np.arange(len(exact)) + pmf.low
    near = (np.abs(x) <= 24) & (exact > 0)
    axes.plot(x[near], exact[near], color=colour, linewidth=1)
    axes.plot(x[near], counts[near] / _SAMPLES, ".", color=colour, label=name)


def _worth(axes: Any, figures: list[dict[str, Any]], names: list[str]) -> None:
    rows = np.arange(len(figures))
    axes.barh(rows + 0.2, [f["utility"] for f in figures], height=0.38, color="#1f5f8b", label="Accord")
    partial = [f["utility_partial"] for f in figures]
    axes.barh(rows - 0.2, partial, height=0.38, color="#c9c9c9", label="a part from every party")
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_yticks(rows, names, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(0.9, 1.3)
    axes.set_title("standard deviation, 1 = a trusted curator's", fontsize=10)
    axes.legend(frameon=False, fontsize=8, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.08))


def _cost(axes: Any, figures: list[dict[str, Any]], names: list[str]) -> None:
    shades = {"cold": "#b0651d", "batch": "#1f5f8b", "stock": "#7fb07f"}
    labels = {"cold": "one, drawn now", "batch": "of 100,000, drawn now", "stock": "of 100,000, from stock"}
    for at, how in enumerate(shades):
        chosen = [f for f in figures if f["how"] == how and (how == "cold") == (f["size"] == 1)]
        values = [f["ns_per_element"] / 1000 for f in chosen]
        rows = np.arange(len(chosen)) + 0.27 * (at - 1)
        axes.barh(rows, values, height=0.25, color=shades[how], label=labels[how])
        for r, v in zip(rows, values, strict=True):
            axes.text(v, r, f" {v:,.0f}" if v >= 100 else f" {v:.2g}", va="center", fontsize=7)
    axes.set_yticks(np.arange(len(names)), names, fontsize=8)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlim(right=axes.get_xlim()[1] * 8)
    axes.set_title("microseconds a sample", fontsize=10)
    axes.legend(frameon=False, fontsize=8, ncols=3, loc="upper center", bbox_to_anchor=(0.4, -0.08))
