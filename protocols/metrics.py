"""Metrics of classifiers on shared labels and shared predictions: what scikit-learn gives on the pooled rows.

    hits = await accuracy_score(y, score >= 0.5, present=matched)          # secret, to choose a model by
    told = await release_accuracy(party, y, score >= 0.5, DiscreteLaplace(1.0), to=0)     # release_metrics.py

Names and arguments are scikit-learn's; functions are awaited, figures are secret, nothing is opened. ``present`` says
which rows count (SecretBits, or integers that are 0 for a filler; None: all). ``sample_weight``: a secret column,
not negative. Binary labels ``y_true`` are SecretBits, or numbers of which all but 0 are the positive class. A ratio
without rows is 0, as with zero_division=0: whether there are any is secret.

Losses and regression: losses.py. ROC, AUC, KS: ranking.py. Calibration: calibration_bins.py. What leaves does so by
release_metrics.py, or by release with the sensitivity said at each function for one row a person, without weights.
Ratios have no useful one: counts are released, and divided in the open.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mpc.arrays import SecretArray, SecretBits
from mpc.errors import OutOfRange
from mpc.shapes import concatenate, stack
from protocols.averages import Average, Column, Present, Rows, average, ratio, rows_of
from protocols.columns import as_flags, as_numbers
from protocols.exact import as_exact, is_whole
from protocols.group_by import MOST_GROUPS, group_by

__all__ = [
    "accuracy_average",
    "accuracy_score",
    "both_classes",
    "class_counts_reaching",
    "class_histogram",
    "confusion_matrix",
    "confusion_matrix_at_thresholds",
    "f1_score",
    "precision_score",
    "recall_score",
    "rising",
]

_BLOCK = 1 << 22  # comparisons at once, so that memory stays bounded

# -- predicted classes -------------------------------------------------------------------------


async def accuracy_average(
    y_true: Column, y_pred: Column, *, sample_weight: Column | None = None, present: Present = None
) -> Average:
    """Rows whose class was predicted, and rows: the parts of accuracy_score. Sensitivity of each: 1.

    Any number of classes, any numbers. Rounds: 6 + 2 + 1 (m = 3). Sends: 29 bytes a row and party, of bits 16. Leaks
    nothing.
    """
    rows = await rows_of({"y_true": y_true, "y_pred": y_pred}, present, sample_weight)
    y, p = rows.columns
    if isinstance(y, SecretBits) and isinstance(p, SecretBits):
        return average((y == p).to_array(), rows)
    return average((as_numbers(y) == as_numbers(p)).to_array(), rows)


async def accuracy_score(
    y_true: Column, y_pred: Column, *, sample_weight: Column | None = None, present: Present = None
) -> SecretArray:
    """The share of rows whose class was predicted, (), fixed point. To release it: release_metrics.release_accuracy.

    Rounds: accuracy_average, and averages.ratio. Leaks nothing.
    """
    return await (await accuracy_average(y_true, y_pred, sample_weight=sample_weight, present=present)).value()


async def confusion_matrix(
    y_true: Column, y_pred: Column, *, n_classes: int = 2, present: Present = None
) -> SecretArray:
    """How many rows of class i were predicted as class j, (n_classes, n_classes), integers.

    Args:
        y_true, y_pred: classes 0..n_classes-1, integers or bits. Rows with any other number count nowhere, as those
            of labels that scikit-learn's ``labels`` does not name.
        n_classes: public, 2 to 256.

    Sensitivity: 1 over the whole matrix: a row is in one cell. Rounds: 8 and those of group_by, about 20. Sends: for
    two classes 98 bytes a row and party, of bits 50; else 65 and group_by of n_classes^2 groups. Leaks nothing.
    """
    if not is_whole(n_classes) or not 2 <= n_classes * n_classes <= MOST_GROUPS:
        raise OutOfRange(f"{n_classes!r} classes: a whole number from 2 to 256")
    rows = await rows_of({"y_true": y_true, "y_pred": y_pred}, present, whole=["y_true", "y_pred"])
    here = rows.present
    for x in rows.columns:
        if isinstance(x, SecretArray):
            inside = (x >= 0) & (x < n_classes)
            here = inside if here is None else here & inside
    y, p = (as_numbers(x) for x in rows.columns)
    counts = await group_by(y * n_classes + p, n_classes * n_classes, present=here).count()
    return counts.reshape((n_classes, n_classes))


async def _hits(
    y_true: Column, y_pred: Column, sample_weight: Column | None, present: Present
) -> tuple[SecretArray, SecretArray, SecretArray, int | None]:
    """Totals of: hits of the positive class, rows it was predicted for, rows that are of it; and their bound.

    Rounds: 12 at most for labels that are no bits. Sends: 32 bytes a row and party, 13 more for each column
    that is no bits.
    """
    rows = await rows_of({"y_true": y_true, "y_pred": y_pred}, present, sample_weight)
    y, p = (as_flags(x) for x in rows.columns)
    parts = [average(x.to_array(), rows) for x in (y & p, p, y)]
    return parts[0].total, parts[1].total, parts[2].total, parts[0].most


async def precision_score(
    y_true: Column, y_pred: Column, *, sample_weight: Column | None = None, present: Present = None
) -> SecretArray:
    """The share of the positive class among rows predicted so, (); 0 if there are none.

    Sensitivity: none of use; release the confusion matrix (release_metrics.release_confusion, scores_of). Rounds:
    12 and averages.ratio. Leaks nothing.
    """
    hits, predicted, _, most = await _hits(y_true, y_pred, sample_weight, present)
    return await ratio(hits, predicted, most)


async def recall_score(
    y_true: Column, y_pred: Column, *, sample_weight: Column | None = None, present: Present = None
) -> SecretArray:
    """The share predicted so among rows of the positive class, (); 0 if there are none. Else as precision_score."""
    hits, _, positive, most = await _hits(y_true, y_pred, sample_weight, present)
    return await ratio(hits, positive, most)


async def f1_score(
    y_true: Column, y_pred: Column, *, sample_weight: Column | None = None, present: Present = None
) -> SecretArray:
    """The harmonic mean of precision and recall, (); 0 without a positive row, true or predicted. Else as
    precision_score."""
    hits, predicted, positive, most = await _hits(y_true, y_pred, sample_weight, present)
    return await ratio(hits * 2, predicted + positive, None if most is None else 2 * most)


# -- scores by public thresholds ---------------------------------------------------------------


async def class_histogram(
    y_true: Column,
    y_score: SecretArray,
    thresholds: Sequence[float],
    *,
    sample_weight: Column | None = None,
    present: Present = None,
) -> SecretArray:
    """Rows of each class by score, (2, T + 1): negatives first. Column j has those with j thresholds at or below it.

    Counts, or sums of weights. Confusion matrices at all thresholds, the ROC curve and an estimate of AUC come from it
    in the open, so it is what to release.

    Args:
        thresholds: T public finite numbers, rising, at least one.

    Sensitivity: 1 over the whole histogram: a row is in one cell. Rounds: 6 + 2 + 1 for each 2^22 comparisons (m = 3).
    Sends: 24 bytes a row, threshold and party, and 16 a row. Leaks nothing.

    1. Compare every score with every threshold.                                          (6 rounds)
    2. Rows of each class at or above each: a matrix product.                             (2 + 1 rounds)
    3. Differences of neighbours.                                                         (local)
    """
    reached, of_class, _ = await class_counts_reaching(y_true, y_score, thresholds, sample_weight, present)
    at_least: SecretArray = concatenate([of_class.reshape(2, 1), reached], axis=1)
    above: SecretArray = concatenate([reached, reached[:, :1] * 0], axis=1)
    return at_least - above


async def confusion_matrix_at_thresholds(
    y_true: Column,
    y_score: SecretArray,
    thresholds: Sequence[float],
    *,
    sample_weight: Column | None = None,
    present: Present = None,
) -> tuple[SecretArray, SecretArray, SecretArray, SecretArray]:
    """(tns, fps, fns, tps), each (T,): rows by class where a score at or above a public threshold is positive.

    scikit-learn's thresholds are the scores, falling; here they are public, rising. Sensitivity: T over all, as a row
    changes one count at each; release class_histogram instead, whose sensitivity is 1. Rounds, bytes, leaks:
    class_histogram.
    """
    reached, of_class, _ = await class_counts_reaching(y_true, y_score, thresholds, sample_weight, present)
    missed = of_class.reshape(2, 1) - reached
    return missed[0], reached[0], missed[1], reached[1]


async def class_counts_reaching(
    y_true: Column, y_score: Any, thresholds: Any, sample_weight: Column | None, present: Present
) -> tuple[SecretArray, SecretArray, int | None]:
    """(rows of each class at or above each threshold, (2, T); rows of each class, (2,); bound on a count, if none has a
    weight)."""
    points = rising(thresholds)
    rows = await rows_of({"y_true": y_true, "y_score": y_score}, present, sample_weight)
    classes = await both_classes(rows)
    score = as_numbers(rows.columns[1]).reshape(-1, 1)
    step = max(1, _BLOCK // max(1, rows.n))
    parts = [
        await (classes @ (score >= points[lo : lo + step]).to_array()) for lo in range(0, len(points), step)
    ]  # one after the other
    return concatenate(parts, axis=1), classes.sum(axis=1), max(1, rows.n) if rows.whole else None


async def both_classes(rows: Rows) -> SecretArray:
    """(2, n): 1, or the row's weight, where a row present is of the negative, of the positive class of the first
    column."""
    y = await as_flags(rows.columns[0])
    if rows.weights is None:
        positive = y.to_array()
        both: SecretArray = stack([1 - positive, positive])
        return both
    positive = rows.weights * y.to_array() if rows.present is None or not rows.whole else (y & rows.present).to_array()
    both = stack([rows.weights - positive, positive])
    return both


def rising(thresholds: Any) -> np.ndarray[Any, np.dtype[Any]]:
    """Public thresholds as an array; OutOfRange unless they are finite numbers, rising, at least one."""
    points = list(thresholds) if np.ndim(thresholds) == 1 else []
    if not points or any(as_exact(p) is None for p in points) or not (np.diff(np.asarray(points)) > 0).all():
        raise OutOfRange("thresholds: at least one finite number, rising")
    return np.asarray(points)
