"""What follows from released counts: accuracy, precision, recall, F1, ROC, AUC, with errors and intervals. Plaintext.

Nothing here costs anything: it is arithmetic on figures that have left by the door (release_metrics.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mpc.errors import ShapeMismatch, WrongType
from protocols.release import Released

__all__ = ["Estimate", "auc_of", "rates_of", "scores_of"]

Reals = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A figure that follows from released ones, at no further cost.

    Attributes:
        value: cut to [0, 1].
        standard_error: of the noise, to first order.
        interval95: holds the figure without noise with 95% at least.
    """

    value: float
    standard_error: float
    interval95: tuple[float, float]


def scores_of(table: Released) -> Mapping[str, Estimate]:
    """ "accuracy", "precision", "recall" and "f1" of a released 2 x 2 confusion matrix. Plain arithmetic.

    Each is a / (a + b) for sums a, b of counts. Its interval is rigorous: all its counts lie in theirs with 95%
    together, and it spans all ratios of those (each of the four by itself, not all four at once). Where a + b may be 0
    it is [0, 1], and the value what the counts say; 0, with an error of 1, if that is nothing.
    Raises WrongType at a party that is no receiver, ShapeMismatch for other matrices.
    """
    cells = _values(table, "a confusion matrix")
    if cells.shape != (2, 2):
        raise ShapeMismatch(f"scores of a matrix of shape {cells.shape}: (2, 2), of a binary classifier, is needed")
    (tn, fp), (fn, tp) = [[(i, j) for j in range(2)] for i in range(2)]

    def share(part: list[tuple[int, int]], rest: list[tuple[int, int]], weight: float = 1.0) -> Estimate:
        half = table.half_width(1 - 0.05 / (len(part) + len(rest)))
        low, high = np.maximum(cells - half, 0), np.maximum(cells + half, 0)

        def total(of: Reals, where: list[tuple[int, int]]) -> float:
            return float(sum(of[w] for w in where))

        a, b = total(cells, part), weight * total(cells, rest)
        ends = [
            (total(x, part), weight * total(y, rest)) for x, y in ((low, high), (high, low))
        ]  # the least a with the most b, and the other way round
        known = total(low, part) + weight * total(low, rest) > 0
        error = float(np.asarray(table.standard_error))
        return Estimate(
            value=_ratio(a, a + b),
            standard_error=_error(error * np.hypot(b * len(part) ** 0.5, a * weight * len(rest) ** 0.5), a + b),
            interval95=(_ratio(ends[0][0], sum(ends[0])), _ratio(ends[1][0], sum(ends[1]))) if known else (0.0, 1.0),
        )

    return {
        "accuracy": share([tp, tn], [fp, fn]),
        "precision": share([tp], [fp]),
        "recall": share([tp], [fn]),
        "f1": share([tp], [fp, fn], 0.5),
    }


def _values(released: Released, what: str) -> Reals:
    if released.values is None:
        raise WrongType(f"{what}: this party is no receiver of the release, so it has no values")
    return np.asarray(released.values, np.float64)


def _ratio(part: float, whole: float) -> float:
    return float(np.clip(part / whole, 0, 1)) if whole > 0 else 0.0


def _error(error: float, whole: float) -> float:
    return float(min(error / whole**2, 1.0)) if whole > 0 else 1.0


# -- ROC ---------------------------------------------------------------------------------------


def rates_of(histogram: Released) -> tuple[Reals, Reals]:
    """(false, true) positive rates, (T,), at each threshold, from noised counts of both classes (release_auc).

    Counts below 0 are taken as 0; rates of a class without rows are 0. The largest difference of the two is KS.
    Raises WrongType at a party that is no receiver.
    """
    cells = np.maximum(_values(histogram, "rates"), 0)
    reached = cells[:, ::-1].cumsum(axis=1)[:, ::-1]
    rates = reached[:, 1:] / np.where(reached[:, :1] > 0, reached[:, :1], 1)
    return rates[0], rates[1]


def auc_of(histogram: Released) -> Estimate:
    """AUC from noised counts of both classes by score (release_auc), ties within a bin counted half. Plain arithmetic.

    The standard error is that of the noise, to first order. The interval is rigorous, and holds the *exact* AUC, not
    only that of the bins: all counts lie in theirs with 95% together, and it spans the AUC of all such counts, with all
    pairs within a bin lost for its lower end, and won for its upper one. It is wide if bins are.
    Value 1/2, error 1/2, interval [0, 1] where a class may have no rows. Raises WrongType at a party that is no
    receiver.
    """
    cells = _values(histogram, "an AUC")
    half = histogram.half_width(1 - 0.05 / cells.size)
    low, high = np.maximum(cells - half, 0), np.maximum(cells + half, 0)
    cut = np.maximum(cells, 0)
    if not (low.sum(axis=1) > 0).all():
        return Estimate(_area(cut, 0.5) if (cut.sum(axis=1) > 0).all() else 0.5, 0.5, (0.0, 1.0))
    least, most = _extreme(low, high, 0.0), _extreme(low[:, ::-1], high[:, ::-1], 0.0)
    value = _area(cut, 0.5)
    error = float(np.asarray(histogram.standard_error))
    n, p = cut.sum(axis=1)
    below = (cut[0].cumsum() - cut[0] / 2) / n
    above = (cut[1][::-1].cumsum()[::-1] - cut[1] / 2) / p
    slope = np.hypot(np.linalg.norm((below - value) / p), np.linalg.norm((above - value) / n))
    return Estimate(value, float(min(error * slope, 0.5)), (least, 1 - most))


def _area(cells: Reals, ties: float) -> float:
    negatives, positives = cells
    before = negatives.cumsum() - negatives * (1 - ties)
    return float(positives @ before / (positives.sum() * negatives.sum()))


def _extreme(low: Reals, high: Reals, ties: float) -> float:
    """The least AUC of counts between low and high.

    For given negatives it is a mean, over positives, of what grows with the bin: the least has many positives in the
    first bins and few in the others. For given positives, many negatives in the last bins. So of each class there are
    T + 2 candidates.
    """
    bins = np.arange(low.shape[1])
    first = bins[None, :] < np.arange(low.shape[1] + 1)[:, None]
    positives = np.where(first, high[1], low[1])
    negatives = np.where(first, low[0], high[0])
    before = negatives.cumsum(axis=1) - negatives * (1 - ties)
    sizes = positives.sum(axis=1)[:, None] * negatives.sum(axis=1)[None, :]
    return float((positives @ before.T / sizes).min())
