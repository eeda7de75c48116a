"""Whether shared probabilities are what they say: by public bins, how often it happened and what was predicted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mpc.arrays import SecretArray
from mpc.errors import OutOfRange
from mpc.shapes import concatenate
from protocols.averages import Column, Present, fixed, ratio, rows_of
from protocols.exact import is_whole
from protocols.metrics import both_classes

__all__ = ["CalibrationBins", "calibration_curve"]


@dataclass(frozen=True)
class CalibrationBins:
    """By bin of the predicted probability, secret, (n_bins,).

    Attributes:
        counts: rows. Sensitivity: 1 over all bins.
        positives: rows of the positive class. Sensitivity: 1 over all bins; with counts in one release 2.
        predicted: sum of the probabilities, cut to [0, 1]. Sensitivity: sensitivity_of(0, 1) over all bins.
        most: public bound on a count.
    """

    counts: SecretArray
    positives: SecretArray
    predicted: SecretArray
    most: int

    async def observed_mean(self) -> SecretArray:
        """Share of the positive class, scikit-learn's prob_true; 0 in an empty bin. To release: means.release_mean."""
        return await ratio(self.positives, self.counts, self.most)

    async def predicted_mean(self) -> SecretArray:
        """Mean probability, scikit-learn's prob_pred; 0 in an empty bin. To release: means.release_mean."""
        return await ratio(self.predicted, self.counts, self.most)


async def calibration_curve(
    y_true: Column, y_prob: SecretArray, *, n_bins: int = 5, present: Present = None
) -> CalibrationBins:
    """Counts, positives and sums of probabilities in bins of equal width; arguments, present: metrics.py.

    Bins as scikit-learn's (strategy="uniform"): above j/n_bins and at most (j+1)/n_bins, the first with 0. scikit-learn
    leaves out empty bins; here they are secret, and have zeros. Probabilities are taken at 16 fractional bits
    and cut to [0, 1].

    Rounds: about 20 (m = 3). Sends: 32 bytes a row, inner edge and party, and 80 a row. Leaks nothing.

    1. Compare every probability with the inner edges; a bin is what is above one and not above the next.
    2. Rows present, of the positive class, and probabilities by bin: a matrix product.
    """
    if not is_whole(n_bins) or not 1 <= n_bins <= 1 << 16:
        raise OutOfRange(f"n_bins={n_bins!r}: a whole number from 1 to 2^16")
    rows = await rows_of({"y_true": y_true, "y_prob": y_prob}, present)
    p = await (await fixed(rows.columns[1])).clip(0, 1)
    classes = await both_classes(rows)
    here = classes.sum(axis=0)
    edges = np.linspace(0, 1, n_bins + 1)[1:-1]
    above = [here.reshape(1, -1)]
    if n_bins > 1:
        above.append((p > edges.reshape(-1, 1)).to_array() * here)
    reached = concatenate([*above, above[0] * 0])
    members = reached[:-1] - reached[1:]
    return CalibrationBins(members.sum(axis=1), members @ classes[1], members @ p, max(1, rows.n))
