"""How well shared scores tell two classes apart: ROC by public thresholds; AUC and KS, exact, by a secret sort.

Arguments and ``present``: metrics.py. All figures are secret. Scores are any numbers in range.

AUC and KS take ``sample_weight`` in units that the product of two classes' totals has room for: integers as they are,
of a sum below 2^27; others, of a sum below 2 n, rounded to min(16, 26 - log2 n) fractional bits. With weights the
divisions take about 280 rounds more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mpc.arrays import SecretArray, SecretBits
from mpc.errors import OutOfRange, ShapeMismatch
from mpc.long_division import quotient
from mpc.quotients import rescale
from mpc.reductions import maximum
from mpc.relations import where
from mpc.shapes import concatenate, stack
from mpc.sorting import sort_by
from protocols.averages import Column, Present, Rows, ratio, rows_of, settled
from protocols.columns import all_set, as_numbers, check_columns, constant, read_on_grid
from protocols.fixed_point import scale_bits
from protocols.losses import class_labels
from protocols.metrics import both_classes, class_counts_reaching

__all__ = ["PairCounts", "ks_statistic", "pair_counts", "roc_auc_score", "roc_curve"]

_BITS = 32
_MOST_UNITS = (1 << 27) - 1


async def roc_curve(
    y_true: Column,
    y_score: SecretArray,
    thresholds: Sequence[float],
    *,
    sample_weight: Column | None = None,
    present: Present = None,
) -> tuple[SecretArray, SecretArray]:
    """(false, true) positive rate, each (T,), where a score at or above a public threshold is positive; rates of an
    empty class are 0.

    Sensitivity: none of use; release metrics.class_histogram, and divide in the open (release_metrics.release_auc does
    so, with the curve). Rounds, bytes: class_histogram, and averages.ratio. Leaks nothing.
    """
    reached, of_class, most = await class_counts_reaching(y_true, y_score, thresholds, sample_weight, present)
    both = await ratio(reached, of_class.reshape(2, 1) + reached * 0, most)
    return both[0], both[1]


# -- by a sort ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Ordered:
    """Rows by rising score. Negatives and positives up to each row, (n,), and whether it is the last of its score;
    ``most``, public: bound on all of them."""

    negatives: SecretArray
    positives: SecretArray
    last: SecretBits
    most: int


async def _ordered(y_true: Column, y_score: SecretArray, weight: Column | None, present: Present) -> _Ordered:
    """Absent rows are of neither class, so they may stand anywhere. Rounds, bytes: sort_by; 8 more rounds, with weights
    two more."""
    rows, most = await _in_units(await rows_of({"y_true": y_true, "y_score": y_score}, present, weight))
    classes = await both_classes(rows)
    score, moved = sort_by(as_numbers(rows.columns[1]), [classes[0], classes[1]])
    last = all_set(await score)
    if rows.n > 1:
        last = concatenate([score[1:] != score[:-1], last[-1:]])
    return _Ordered(moved[0].cumsum(), moved[1].cumsum(), last, most)


async def _in_units(rows: Rows) -> tuple[Rows, int]:
    """(rows with weights that are integers, a bound on their sum)."""
    if rows.whole or rows.weights is None:
        return rows, max(1, rows.n)
    weights = await rows.weights
    if weights.frac:
        bits = max(0, min(16, weights.frac, 26 - scale_bits(rows.n)))
        weights = read_on_grid(await rescale(weights, bits), 0)
    return replace(rows, weights=weights), _MOST_UNITS


@dataclass(frozen=True)
class PairCounts:
    """What AUC is made of, secret integers, ().

    Attributes:
        wins: twice the number of pairs of a positive and a negative row in which the positive one scores higher, and
            once those with equal scores.
        positives, negatives: rows of each class, or units of their weights.
        most: public bound on either.
    """

    wins: SecretArray
    positives: SecretArray
    negatives: SecretArray
    most: int

    def area(self) -> SecretArray:
        """wins / (2 positives negatives), exact, rounded down to 32 fractional bits; 1/2 if a class is empty.

        Rounds: about 380 (m = 3), of few bytes. Leaks nothing.
        """
        p, n = (where(x < 1, 1, x) for x in (self.positives, self.negatives))
        share = quotient(quotient(self.wins, p, self.most, _BITS), n * 2, 2 * self.most)
        both = (self.positives > 0) & (self.negatives > 0)
        return read_on_grid(where(both, share, 1 << (_BITS - 1)), _BITS)


async def pair_counts(
    y_true: Column, y_score: SecretArray, *, sample_weight: Column | None = None, present: Present = None
) -> PairCounts:
    """Pairs of rows of both classes by which scores higher, ties counted half; see roc_auc_score.

    Sensitivity of wins: twice the larger class, which is secret: none. Of positives, negatives together: 1.

    1. Sort by score, with the class of each row; running counts of both classes.               (sort_by; local)
    2. The last row of each score to the front, in order.                                       (a sort by one bit)
    3. With the rows of each score: its positives times the negatives before it, twice, and among it. (2 rounds)
    """
    by_score = await _ordered(y_true, y_score, sample_weight, present)
    n = len(by_score.negatives)
    all_negatives, all_positives = (x[-1] if n else x.sum() for x in (by_score.negatives, by_score.positives))
    rest, (negatives, positives) = sort_by(~by_score.last, [by_score.negatives, by_score.positives])
    before = [concatenate([x[:1] * 0, x[:-1]]) if n else x for x in (negatives, positives)]
    own = (positives - before[1]) * (~rest).to_array()
    return PairCounts(own @ (negatives + before[0]), all_positives, all_negatives, by_score.most)


async def roc_auc_score(
    y_true: Column,
    y_score: SecretArray,
    *,
    multi_class: str = "raise",
    labels: Sequence[int] | None = None,
    average: str = "macro",
    sample_weight: Column | None = None,
    present: Present = None,
) -> SecretArray:
    """The area under the ROC curve, (): the chance that a positive row scores above a negative one, ties half.

    Exact, rounded down to 32 fractional bits. *1/2 if a class is empty*, where scikit-learn's is not defined;
    pair_counts tells.

    Args:
        y_score: (n,); or of K classes, (n, K), for ``multi_class="ovr"``: each class against all others.
        labels: of K classes: public integers, in the order of y_score, by default 0 to K - 1.
        average: of K classes: "macro", the mean, or "weighted" by their rows (weights).

    Sensitivity: 1 over the smaller class, which is secret, so none better than 1. For an approximation with noise:
    release_metrics.release_auc, from counts by public thresholds.
    Rounds: those of sort_by, about 20 more and area; of K classes 60 more. Sends: sort_by of one key and two columns,
    185 bytes a row and party more, for each class. Leaks nothing.
    """
    score = await settled(y_score)
    if np.ndim(score) != 2:
        if labels is not None:
            raise ShapeMismatch("labels: of y_score of shape (n, K); with (n,) the positive class is that of 1")
        return (await pair_counts(y_true, score, sample_weight=sample_weight, present=present)).area()
    if multi_class != "ovr" or average not in ("macro", "weighted"):
        raise OutOfRange(f'multi_class={multi_class!r}, average={average!r}: "ovr"; "macro" or "weighted"')
    names = class_labels(labels, score.shape[1])
    check_columns(present, {"y_true": y_true, "y_score": score[:, 0]}, whole=["y_true"])
    y = as_numbers(y_true)
    running = [
        score.party.launch(
            "class", lambda k=k: pair_counts(y == names[k], score[:, k], sample_weight=sample_weight, present=present)
        )
        for k in range(len(names))
    ]
    counts = [await r.result() for r in running]
    wins, positives, negatives = (
        stack(x) for x in zip(*((c.wins, c.positives, c.negatives) for c in counts), strict=True)
    )
    areas = await PairCounts(wins, positives, negatives, counts[0].most).area()
    if average == "macro":
        total, by, most = areas.sum(), constant(areas, len(names), 0), len(names)
    else:
        rows = positives.sum()
        total, by, most = read_on_grid(areas, 0) @ positives, where(rows < 1, 1, rows), counts[0].most
    return read_on_grid(quotient(read_on_grid(total, 0), by, most), _BITS)


async def ks_statistic(
    y_true: Column, y_score: SecretArray, *, sample_weight: Column | None = None, present: Present = None
) -> SecretArray:
    """The largest distance between the distributions of the two classes' scores, (): scipy's ks_2samp, two-sided.

    Exact, rounded down to 32 fractional bits; 0 if a class is empty. Fewer than 2^27 rows.
    Sensitivity: 1 over the smaller class, so none better than 1; an approximation comes from released counts by public
    thresholds (release_metrics.release_auc gives them), as the largest difference of the rates.
    Rounds: those of sort_by, 9 log2 n, about 380. Sends: sort_by, 225 bytes a row and party more. Leaks nothing.

    1. Sort, running counts, the last row of each score, as for AUC.
    2. There, P(row) N - N(row) P for the totals P, N; the largest and the smallest of it.  (2 products; log2 n maxima)
    3. Over P and N.
    """
    by_score = await _ordered(y_true, y_score, sample_weight, present)
    n = len(by_score.negatives)
    if not n:
        return read_on_grid(constant(by_score.negatives, 0, 0), _BITS)
    negatives, positives = by_score.negatives[-1], by_score.positives[-1]
    apart = by_score.positives * negatives - by_score.negatives * positives
    apart = apart * by_score.last.to_array()
    farthest = maximum(apart.max(), (-apart).max())
    p, q = (where(x < 1, 1, x) for x in (positives, negatives))
    return read_on_grid(quotient(quotient(farthest, p, by_score.most, _BITS), q, by_score.most), _BITS)
