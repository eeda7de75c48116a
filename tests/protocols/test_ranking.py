"""ROC, AUC and KS on shared rows, against scikit-learn and scipy on the rows that are present."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics as sk

from mpc import MemoryCluster
from mpc.errors import OutOfRange, ShapeMismatch, WrongType
from protocols.ranking import ks_statistic, pair_counts, roc_auc_score, roc_curve
from tests.protocols.tables import each_m, on_rows

ULP = 2.0**-16
MOST = (1 << 62) - 1


def expected(y: Any, score: Any) -> list[float]:
    """AUC and KS; 1/2 and 0 if a class is empty."""
    if not 0 < y.sum() < len(y):
        return [0.5, 0]
    return [sk.roc_auc_score(y, score), scipy.stats.ks_2samp(score[y == 1], score[y == 0]).statistic]


@each_m
@pytest.mark.parametrize("n", [0, 1, 2, 3, 63])
@pytest.mark.parametrize("levels", [1, 5, 10**9])
def test_auc_and_ks_with_ties(m: int, n: int, levels: int) -> None:
    """One score for all, ties everywhere, none."""
    r = np.random.default_rng([m, n, levels])
    y, score, here = r.integers(0, 2, n), r.integers(0, levels, n) - levels // 2, r.integers(0, 3, n) > 0

    async def program(y: Any, s: Any, here: Any) -> Any:
        some = [await f(y, s, present=here) for f in (roc_auc_score, ks_statistic)]
        return [*some, await roc_auc_score(y != 0, s * 0.25)]

    auc, ks, every = on_rows(m, program, y, score, present=here)
    assert np.allclose([auc, ks], expected(y[here], score[here]), rtol=0, atol=2**-31)
    assert every == pytest.approx(expected(y, score)[0], abs=2**-31)


@each_m
def test_absent_rows_and_the_widest_scores(m: int) -> None:
    """An absent row among ties, first, last, changes nothing."""
    score = np.array([MOST, -MOST, 7, 7, 7, MOST, -MOST, 7, 0])
    y, here = np.array([1, 0, 1, 0, 1, 0, 1, 0, 1]), np.array([1, 1, 1, 1, 0, 0, 0, 1, 1]) > 0

    async def program(y: Any, s: Any, here: Any) -> Any:
        counts = await pair_counts(y, s, present=here)
        return [counts.wins, counts.positives, counts.negatives, counts.area(), await ks_statistic(y, s, present=here)]

    wins, positives, negatives, *found = on_rows(m, program, y, score, present=here)
    assert (wins, positives, negatives) == (12, 3, 3)  # of 18
    assert np.allclose(found, expected(y[here], score[here].astype(object)), rtol=0, atol=2**-31)


@pytest.mark.parametrize("one", [0, 1])
def test_one_class_and_no_row(one: int) -> None:
    async def program(y: Any, s: Any, here: Any) -> Any:
        none = here & ~here
        return [await f(y, s, present=p) for p in (None, here, none) for f in (roc_auc_score, ks_statistic)]

    assert on_rows(3, program, np.full(5, one), np.arange(5), present=[1, 1, 0, 1, 1]) == [0.5, 0] * 3


@each_m
@pytest.mark.parametrize("n", [0, 1, 40])
def test_roc_curve_by_public_thresholds(m: int, n: int) -> None:
    r = np.random.default_rng([m, n])
    y, score, here = r.integers(0, 2, n), r.integers(0, 9, n) / 8, r.integers(0, 3, n) > 0
    thresholds = [0, 0.25, 0.3, 1, 2]

    async def program(y: Any, s: Any, here: Any) -> Any:
        return [
            *(await roc_curve(y, s, thresholds, present=here)),
            *(await roc_curve(y, s, [0.5], sample_weight=y + 1)),
        ]

    fpr, tpr, *weighted = on_rows(m, program, y, score, present=here)
    for rate, rows in ((fpr, here & (y == 0)), (tpr, here & (y == 1))):
        exact = [(score[rows] >= t).mean() if rows.any() else 0 for t in thresholds]
        assert np.allclose(rate, exact, rtol=0, atol=ULP)
    for found, rows in zip(weighted, (y == 0, y == 1), strict=True):
        assert found == pytest.approx((score[rows] >= 0.5).mean() if rows.any() else 0, abs=2 * ULP)


def test_bad_input_is_refused_before_anything_is_sent() -> None:
    async def program(party: Any) -> Any:
        y, short = await party.input(np.arange(3), 0), await party.input(np.arange(2), 1)
        sent = party.transport.traffic.bytes_sent
        for f in (roc_auc_score, ks_statistic, pair_counts):
            with pytest.raises(ShapeMismatch, match="y_score"):
                await f(y, short)
            with pytest.raises(WrongType, match="y_score"):
                await f(y, np.arange(3))  # type: ignore[arg-type]
            with pytest.raises(ShapeMismatch, match="present"):
                await f(y, y, present=short)
        with pytest.raises(OutOfRange, match="thresholds"):
            await roc_curve(y, y, [])
        assert party.transport.traffic.bytes_sent == sent

    MemoryCluster(3, seed=0).run(program)
