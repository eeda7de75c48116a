"""Losses of predicted probabilities, and metrics of regressions, on shared rows. Names are scikit-learn's.

Arguments, ``present``, ``sample_weight``: metrics.py. Each metric is an average; ``*_average`` gives its total and its
count, which is what may be released where a row's figure is bounded (release_metrics.py). Numbers are taken at 16
fractional bits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mpc.arrays import SecretArray
from mpc.errors import OutOfRange, ShapeMismatch
from mpc.functions import log, sqrt
from mpc.quotients import floor_shift
from mpc.relations import where
from protocols.averages import (
    Average,
    Column,
    Present,
    Rows,
    average,
    count_of,
    fixed,
    real_ratio,
    rows_of,
    settled,
    sum_of_products,
)
from protocols.columns import as_flags, as_numbers, read_on_grid
from protocols.exact import as_exact, is_whole

__all__ = [
    "LEAST_PROBABILITY",
    "brier_average",
    "brier_score_loss",
    "class_labels",
    "log_loss",
    "log_loss_average",
    "mean_absolute_error",
    "mean_squared_error",
    "most_log_loss",
    "r2_score",
    "root_mean_squared_error",
]

LEAST_PROBABILITY = 2.0**-16


# -- probabilities -----------------------------------------------------------------------------


def most_log_loss(clip: float) -> float:
    """-log(clip) on the grid of 16 bits, the most a row can lose; OutOfRange for a clip below 2^-16, or from 1/2 on."""
    exact = as_exact(clip)
    if exact is None or not LEAST_PROBABILITY <= exact < 0.5:
        raise OutOfRange(f"clip={clip!r}: the least probability counted, from 2^-16 to below 1/2")
    return round(-math.log(exact) * 65536) / 65536


def class_labels(labels: Sequence[int] | None, classes: int) -> list[int]:
    """The public labels of so many classes, by default 0, 1, ...; OutOfRange unless they are as many integers, all
    different."""
    names = list(range(classes) if labels is None else labels)
    if len(names) != classes or len(set(names)) != classes or not all(is_whole(name) for name in names):
        raise OutOfRange(f"labels={labels!r} for {classes} classes: as many integers, all different")
    return names


async def log_loss_average(
    y_true: Column,
    y_proba: SecretArray,
    *,
    labels: Sequence[int] | None = None,
    clip: float = LEAST_PROBABILITY,
    sample_weight: Column | None = None,
    present: Present = None,
) -> Average:
    """The total of -log(probability given to the row's class), each cut to [0, -log(clip)], and the count.

    Args:
        y_proba: of the positive class, (n,); or of K classes, (n, K). One out of [0, 1] costs the row 0 or -log(clip).
        labels: of K classes: public integers, in the order of y_proba, by default 0 to K - 1. A row with any other
            label costs -log(clip).
        clip: public; a smaller probability counts as this.

    Sensitivity of the total: sensitivity_of(0, most_log_loss(clip)), whatever y_proba holds; of the count: 1.
    Error: 1.1 ulp of 2^-16 a row (t = 1; functions.log). Rounds: about 40 (m = 3). Sends: 305 bytes a row and party,
    of K classes 280 and 29 K. Leaks nothing.
    """
    most = most_log_loss(clip)
    proba = await settled(y_proba)
    if np.ndim(proba) != 2:
        if labels is not None:
            raise ShapeMismatch("labels: of y_proba of shape (n, K); with (n,) the positive class is that of 1")
        rows = await rows_of({"y_true": y_true, "y_proba": proba}, present, sample_weight)
        p = await fixed(rows.columns[1])
        given = where(as_flags(rows.columns[0]), p, 1 - p)
    else:
        names = class_labels(labels, proba.shape[1])
        columns = {f"y_proba[:, {k}]": proba[:, k] for k in range(len(names))}
        rows = await rows_of({"y_true": y_true, **columns}, present, sample_weight, whole=["y_true"])
        marks = as_numbers(as_numbers(rows.columns[0]).reshape(-1, 1) == np.asarray(names))
        given = (marks * await fixed(proba)).sum(axis=1)
    return average((-log(given)).clip(0, most), rows)


async def log_loss(
    y_true: Column,
    y_proba: SecretArray,
    *,
    labels: Sequence[int] | None = None,
    clip: float = LEAST_PROBABILITY,
    sample_weight: Column | None = None,
    present: Present = None,
) -> SecretArray:
    """Mean log loss of a classifier, (), fixed point; 0 of no rows. scikit-learn's clip is 2^-52, here 2^-16.

    Arguments, rounds, bytes, errors: log_loss_average, and averages.ratio. From scores, without a clip:
    score_losses.row_losses. To release it: release_metrics.release_log_loss.
    """
    parts = await log_loss_average(
        y_true, y_proba, labels=labels, clip=clip, sample_weight=sample_weight, present=present
    )
    return await parts.value()


async def brier_average(
    y_true: Column, y_proba: SecretArray, *, sample_weight: Column | None = None, present: Present = None
) -> Average:
    """The total of (probability - class)^2, probabilities cut to [0, 1], and the count. Sensitivity of each: 1.

    The total is exact, rounded down to 16 bits; with weights that are no integers each weighted difference is rounded.
    Range: those differences below 2^(46 - the weights' fractional bits).
    Rounds: about 25 (m = 3). Sends: 92 bytes a row and party. Leaks nothing.
    """
    rows = await rows_of({"y_true": y_true, "y_proba": y_proba}, present, sample_weight)
    p = (await fixed(rows.columns[1])).clip(0, 1)
    return await _squares(await (p - as_flags(rows.columns[0]).to_array()), rows)


async def brier_score_loss(
    y_true: Column, y_proba: SecretArray, *, sample_weight: Column | None = None, present: Present = None
) -> SecretArray:
    """Mean of (probability - class)^2, (), fixed point; 0 of no rows. To release it: release_metrics.release_brier."""
    return await (await brier_average(y_true, y_proba, sample_weight=sample_weight, present=present)).value()


async def _squares(d: SecretArray, rows: Rows) -> Average:
    if rows.weights is None:
        total = await sum_of_products(d, d)
    else:
        weighted = await fixed(d * rows.weights)
        total = await sum_of_products(weighted, weighted if rows.whole else d)
    return Average(total, count_of(d, rows), max(1, rows.n) if rows.whole else None)


# -- regression --------------------------------------------------------------------------------


async def _differences(
    y_true: Column, y_pred: Column, present: Present, weight: Column | None
) -> tuple[Rows, SecretArray]:
    rows = await rows_of({"y_true": y_true, "y_pred": y_pred}, present, weight)
    y, p = rows.columns
    return rows, await (await fixed(y) - await fixed(p))


async def mean_squared_error(
    y_true: Column, y_pred: Column, *, sample_weight: Column | None = None, present: Present = None
) -> SecretArray:
    """Mean of (y_true - y_pred)^2, (), fixed point; 0 of no rows.

    Range: the sum of the (weighted) squares below 2^45, and each weighted difference below 2^(46 - the weights'
    fractional bits). Exact but for 2^-15; with weights that are no integers each weighted difference is rounded to 16
    bits, and the quotient is averages.real_ratio's. Sensitivity: none where values are not bounded; where both are
    clipped to [low, high], a row changes the sum of squares by (high - low)^2 at most: release_mean of that sum and the
    count.
    Rounds: 20 and averages.ratio (m = 3). Sends: 5 bytes a row and party, 21 with ``present``. Leaks nothing.
    """
    rows, d = await _differences(y_true, y_pred, present, sample_weight)
    return await (await _squares(d, rows)).value()


async def root_mean_squared_error(
    y_true: Column, y_pred: Column, *, sample_weight: Column | None = None, present: Present = None
) -> SecretArray:
    """The root of mean_squared_error, (). Range: as there. Error: 1.1 ulp + 2^-20 of it, and that of the mean under
    the root. Sensitivity: none; release the mean of squares, and take the root in the open."""
    mean = await mean_squared_error(y_true, y_pred, sample_weight=sample_weight, present=present)
    large = mean >= 2.0**38
    root = sqrt(where(large, await _over(mean, 256), mean))
    return await where(large, root * 16, root)


async def mean_absolute_error(
    y_true: Column, y_pred: Column, *, sample_weight: Column | None = None, present: Present = None
) -> SecretArray:
    """Mean of |y_true - y_pred|, (), fixed point; 0 of no rows.

    Range: the sum below 2^45. Exact but for 2^-16, without weights. Sensitivity: as mean_squared_error, of the sum
    high - low. Rounds: 10 and averages.ratio (m = 3). Sends: 32 bytes a row and party, 40 with ``present``. Leaks
    nothing.
    """
    rows, d = await _differences(y_true, y_pred, present, sample_weight)
    return await average(abs(d), rows).value()


_WORST = 1024


async def r2_score(
    y_true: Column, y_pred: Column, *, sample_weight: Column | None = None, present: Present = None
) -> SecretArray:
    """1 - (sum of squared errors) / (sum of squared distances from the mean), (), fixed point.

    As scikit-learn's where y_true is constant: 1 if all predictions are right, else 0. Also with one row, or none,
    where scikit-learn's is not defined, and where the squared distances from the mean sum up to less than 2^-16. *A
    value below -1023 is given as -1023.*
    Range: both sums below 2^45, each weighted difference and the sum of weighted y below 2^30. Error: 2^-15, (t + 1)
    2^-19 of 1 - R2, and 2^-15 + n 2^-32 over the sum of squared distances; with weights that are no integers each
    weighted difference is rounded.
    Sensitivity: none. To release an approximation release the sums it is made of, of clipped values.
    Rounds: about 225, with weights 130 (m = 3). Sends: 33 bytes a row and party, with weights 80. Leaks nothing.

    1. The sum of squared errors.                                                              (sum_of_products)
    2. The mean, on the grid, exact (with weights in two steps); the sum of squared distances. (quotient, again)
    3. Their quotient.                                                                         (real_ratio)
    """
    rows, difference = await _differences(y_true, y_pred, present, sample_weight)
    y = await fixed(rows.columns[0])
    mean = await average(y, rows).value()
    if not rows.whole:
        mean = await (mean + await average(await (y - mean), rows).value())
    residual, spread = [(await _squares(x, rows)).total for x in (difference, await (y - mean))]
    hopeless = await _over(residual, _WORST) > spread
    share = where(hopeless, float(_WORST), await real_ratio(residual, spread))
    return 1 - where(spread == 0, as_numbers(residual > 0), share)


async def _over(x: SecretArray, power_of_two: int) -> SecretArray:
    """x over a power of two, rounded down on its grid."""
    return read_on_grid(await floor_shift(read_on_grid(await x, 0), power_of_two.bit_length() - 1), x.frac)
