"""How well shared scores tell two classes apart: ROC by public thresholds; AUC and KS, exact, by a secret sort.

Arguments and ``present``: metrics.py. All figures are secret. Scores are any numbers in range.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mpc.arrays import SecretArray, SecretBits
from mpc.long_division import quotient
from mpc.reductions import maximum
from mpc.relations import where
from mpc.shapes import concatenate
from mpc.sorting import sort_by
from protocols.averages import Column, Present, ratio, rows_of
from protocols.columns import all_set, as_numbers, constant, read_on_grid
from protocols.metrics import both_classes, class_counts_reaching

__all__ = ["PairCounts", "ks_statistic", "pair_counts", "roc_auc_score", "roc_curve"]

_BITS = 32


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
    """Rows by rising score. Negatives and positives up to each row, (n,), and whether it is the last of its score."""

    negatives: SecretArray
    positives: SecretArray
    last: SecretBits


async def _ordered(y_true: Column, y_score: SecretArray, present: Present) -> _Ordered:
    """Absent rows are of neither class, so they may stand anywhere. Rounds, bytes: sort_by; 8 more rounds."""
    rows = await rows_of({"y_true": y_true, "y_score": y_score}, present)
    classes = await both_classes(rows)
    score, moved = sort_by(as_numbers(rows.columns[1]), [classes[0], classes[1]])
    last = all_set(await score)
    if rows.n > 1:
        last = concatenate([score[1:] != score[:-1], last[-1:]])
    return _Ordered(moved[0].cumsum(), moved[1].cumsum(), last)


@dataclass(frozen=True)
class PairCounts:
    """What AUC is made of, secret integers, ().

    Attributes:
        wins: twice the number of pairs of a positive and a negative row in which the positive one scores higher, and
            once those with equal scores.
        positives, negatives: rows of each class.
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


async def pair_counts(y_true: Column, y_score: SecretArray, *, present: Present = None) -> PairCounts:
    """Pairs of rows of both classes by which scores higher, ties counted half; see roc_auc_score.

    Sensitivity of wins: twice the larger class, which is secret: none. Of positives, negatives together: 1.

    1. Sort by score, with the class of each row; running counts of both classes.               (sort_by; local)
    2. The last row of each score to the front, in order.                                       (a sort by one bit)
    3. With the rows of each score: its positives times the negatives before it, twice, and among it. (2 rounds)
    """
    by_score = await _ordered(y_true, y_score, present)
    n = len(by_score.negatives)
    all_negatives, all_positives = (x[-1] if n else x.sum() for x in (by_score.negatives, by_score.positives))
    rest, (negatives, positives) = sort_by(~by_score.last, [by_score.negatives, by_score.positives])
    before = [concatenate([x[:1] * 0, x[:-1]]) if n else x for x in (negatives, positives)]
    own = (positives - before[1]) * (~rest).to_array()
    return PairCounts(own @ (negatives + before[0]), all_positives, all_negatives, max(1, n))


async def roc_auc_score(y_true: Column, y_score: SecretArray, *, present: Present = None) -> SecretArray:
    """The area under the ROC curve, (): the chance that a positive row scores above a negative one, ties half.

    Exact, rounded down to 32 fractional bits. *1/2 if a class is empty*, where scikit-learn's is not defined;
    pair_counts tells.

    Sensitivity: 1 over the smaller class, which is secret, so none better than 1. For an approximation with noise:
    release_metrics.release_auc, from counts by public thresholds.
    Rounds: those of sort_by, about 20 more and area. Sends: sort_by of one key and two columns, 185 bytes a row and
    party more. Leaks nothing.
    """
    return (await pair_counts(y_true, y_score, present=present)).area()


async def ks_statistic(y_true: Column, y_score: SecretArray, *, present: Present = None) -> SecretArray:
    """The largest distance between the distributions of the two classes' scores, (): scipy's ks_2samp, two-sided.

    Exact, rounded down to 32 fractional bits; 0 if a class is empty. Fewer than 2^27 rows.
    Sensitivity: 1 over the smaller class, so none better than 1; an approximation comes from released counts by public
    thresholds (release_metrics.release_auc gives them), as the largest difference of the rates.
    Rounds: those of sort_by, 9 log2 n, about 380. Sends: sort_by, 225 bytes a row and party more. Leaks nothing.

    1. Sort, running counts, the last row of each score, as for AUC.
    2. There, P(row) N - N(row) P for the totals P, N; the largest and the smallest of it.  (2 products; log2 n maxima)
    3. Over P and N.
    """
    by_score = await _ordered(y_true, y_score, present)
    n = len(by_score.negatives)
    if not n:
        return read_on_grid(constant(by_score.negatives, 0, 0), _BITS)
    negatives, positives = by_score.negatives[-1], by_score.positives[-1]
    apart = by_score.positives * negatives - by_score.negatives * positives
    apart = apart * by_score.last.to_array()
    farthest = maximum(apart.max(), (-apart).max())
    p, q = (where(x < 1, 1, x) for x in (positives, negatives))
    return read_on_grid(quotient(quotient(farthest, p, n, _BITS), q, n), _BITS)
