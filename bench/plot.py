"""A picture of the primitives: nanoseconds an element, ours and stock MPyC's, on a logarithmic scale."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl

__all__ = ["draw"]


def draw(figures: list[dict[str, Any]], path: str, machine: str) -> None:
    """Write the picture; the format follows from the file's ending."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    names = [f["op"] for f in figures]
    ours = [f["ns_per_element"] for f in figures]
    stock = [f["baseline_ns_per_element"] for f in figures]
    rows = range(len(figures))
    figure, axes = plt.subplots(figsize=(9, 0.55 * len(figures) + 1.8))
    axes.barh([r + 0.2 for r in rows], ours, height=0.38, color="#1f5f8b", label="Accord")
    known = [(r - 0.2, s) for r, s in zip(rows, stock, strict=True) if s is not None]
    if known:
        axes.barh([r for r, _ in known], [s for _, s in known], height=0.38, color="#c9c9c9", label="stock MPyC")
    for r, f in zip(rows, figures, strict=True):
        value = f["ns_per_element"]
        note = (f"{value:,.0f}" if value >= 100 else f"{value:.3g}") + (
            f"  ({f['speedup']:,.0f}x)" if f["speedup"] else ""
        )
        axes.text(f["ns_per_element"], r + 0.2, f" {note}", va="center", fontsize=8)
    axes.set_yticks(list(rows), names)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlim(right=max([*ours, *(s for s in stock if s is not None)]) * 6)
    axes.set_xlabel(f"ns an element, {figures[0]['parties']} processes over TLS on loopback (lower is better)")
    axes.set_title(machine, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="upper right")
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)
