"""Metrics that leave: noised counts and totals, by the door, and what follows from them (scores.py).

    told = await release_accuracy(party, y, score >= 0.5, DiscreteLaplace(1.0), to=0, present=matched)
    table = await release_confusion(party, y, score >= 0.5, DiscreteLaplace(1.0), to=0, present=matched)
    scores_of(table)["f1"].values

Each takes what its metric takes (metrics.py, losses.py, ranking.py), and of release.py: ``mechanism``, what all of it
costs together; ``to``, the result parties; ``stock``. ``rows`` is the most rows a person has. Weights are not taken:
one row's weight would have to be bounded. Raises what both raise: mechanism, receivers, rows, columns before anything
is sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from mpc.arrays import SecretArray
from mpc.party import Party
from protocols.averages import Average, Column, Present
from protocols.exact import check_rows
from protocols.losses import brier_average, log_loss_average, most_log_loss
from protocols.means import release_mean
from protocols.mechanisms import Mechanism
from protocols.metrics import accuracy_average, class_histogram, confusion_matrix
from protocols.minimum import MinimumGroup, check_minimum
from protocols.release import Released, check_mechanism, receivers_of, release
from protocols.sensitivity import Sensitivity
from protocols.stock import NoiseStock

__all__ = [
    "check_request", "release_accuracy", "release_auc", "release_brier", "release_confusion", "release_log_loss",
]  # fmt: skip

# -- averages ----------------------------------------------------------------------------------


async def release_accuracy(
    party: Party,
    y_true: Column,
    y_pred: Column,
    mechanism: Mechanism,
    *,
    to: Sequence[int] | int,
    present: Present = None,
    rows: int = 1,
    minimum: MinimumGroup | None = None,
    stock: NoiseStock | None = None,
) -> Released:
    """Accuracy with noise: hits and rows, half of epsilon each (means.release_mean, whose error, interval and
    ``minimum`` these are).

    Rounds, bytes: metrics.accuracy_average, then release_mean. Leaks: the noised count of hits, and of rows, to the
    receivers.
    """
    check_request(party, mechanism, to, rows, minimum)
    parts = await accuracy_average(y_true, y_pred, present=present)
    return await _average(party, parts, mechanism, 1.0, to, rows, minimum, stock)


async def release_log_loss(
    party: Party,
    y_true: Column,
    y_proba: SecretArray,
    mechanism: Mechanism,
    *,
    to: Sequence[int] | int,
    labels: Sequence[int] | None = None,
    clip: float = 0.01,
    present: Present = None,
    rows: int = 1,
    minimum: MinimumGroup | None = None,
    stock: NoiseStock | None = None,
) -> Released:
    """Mean log loss with noise, of two or more classes, of probabilities not counted below ``clip``: a row changes the
    total by -log(clip) at most, so the larger clip, the less noise, and the less a confident mistake is seen to cost.
    Else as release_accuracy."""
    check_request(party, mechanism, to, rows, minimum)
    most = most_log_loss(clip)
    parts = await log_loss_average(y_true, y_proba, labels=labels, clip=clip, present=present)
    return await _average(party, parts, mechanism, most, to, rows, minimum, stock)


async def release_brier(
    party: Party,
    y_true: Column,
    y_proba: SecretArray,
    mechanism: Mechanism,
    *,
    to: Sequence[int] | int,
    present: Present = None,
    rows: int = 1,
    minimum: MinimumGroup | None = None,
    stock: NoiseStock | None = None,
) -> Released:
    """Brier score with noise: the total of squares, of which a row adds at most 1, and the rows. Else as
    release_accuracy."""
    check_request(party, mechanism, to, rows, minimum)
    parts = await brier_average(y_true, y_proba, present=present)
    return await _average(party, parts, mechanism, 1.0, to, rows, minimum, stock)


def check_request(party: Party, mechanism: Any, to: Any, rows: Any, minimum: Any = None) -> None:
    """What all of these refuse before anything is sent."""
    check_mechanism(mechanism)
    check_minimum(minimum)
    receivers_of(party, to)
    check_rows(rows)


async def _average(
    party: Party,
    parts: Average,
    mechanism: Mechanism,
    high: float,
    to: Sequence[int] | int,
    rows: int,
    minimum: MinimumGroup | None,
    stock: NoiseStock | None,
) -> Released:
    return await release_mean(
        party, parts.total, parts.count, mechanism,
        low=0.0, high=high, to=to, rows=rows, minimum=minimum, stock=stock,
    )  # fmt: skip


# -- counts ------------------------------------------------------------------------------------


async def release_confusion(
    party: Party,
    y_true: Column,
    y_pred: Column,
    mechanism: Mechanism,
    *,
    to: Sequence[int] | int,
    n_classes: int = 2,
    present: Present = None,
    rows: int = 1,
    stock: NoiseStock | None = None,
) -> Released:
    """The confusion matrix with noise, (n_classes, n_classes): integers, some perhaps negative. Accuracy, precision,
    recall and F1 of it, with intervals: scores.scores_of.

    Sensitivity: ``rows``, over the whole matrix. Rounds, bytes: metrics.confusion_matrix, then release. Leaks: the
    noised counts to the receivers.
    """
    check_request(party, mechanism, to, rows)
    counts = await confusion_matrix(y_true, y_pred, n_classes=n_classes, present=present)
    return await release(party, counts, mechanism, sensitivity=_cells(rows), to=to, stock=stock)


def _cells(rows: int) -> Sensitivity:
    return Sensitivity(((Fraction(1), rows),))


async def release_auc(
    party: Party,
    y_true: Column,
    y_score: SecretArray,
    mechanism: Mechanism,
    *,
    thresholds: Sequence[float],
    to: Sequence[int] | int,
    present: Present = None,
    rows: int = 1,
    stock: NoiseStock | None = None,
) -> Released:
    """Counts of both classes by public score bins with noise, (2, T + 1): metrics.class_histogram.

    From them follow, at the receivers and at no cost, AUC with error and interval (scores.auc_of) and the ROC curve
    (scores.rates_of). The exact AUC has no sensitivity of use: with few rows of a class one row changes it by up to 1.

    Args:
        thresholds: public, rising; some 20 that cut the scores into parts of like size. More make the bins finer, and
            add noise.

    Sensitivity: ``rows``, over all counts. Rounds, bytes: class_histogram, then release. Leaks: the noised counts to
    the receivers.
    """
    check_request(party, mechanism, to, rows)
    counts = await class_histogram(y_true, y_score, thresholds, present=present)
    return await release(party, counts, mechanism, sensitivity=_cells(rows), to=to, stock=stock)
