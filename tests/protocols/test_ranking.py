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
@pytest.mark.parametrize(
    "n", [0, pytest.param(1, marks=pytest.mark.slow), 2, pytest.param(3, marks=pytest.mark.slow), 63]
)
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


def weighted_ks(y: Any, score: Any, weight: Any) -> float:
    steps = [[weight[(y == c) & (score <= s)].sum() / weight[y == c].sum() for s in score] for c in (0, 1)]
    return float(np.abs(np.subtract(*steps)).max())


@each_m
@pytest.mark.parametrize("unit", [1, 1 / 8, 2.0**-16])
def test_weights(m: int, unit: float) -> None:
    """Integers, and others on a grid the sum has room for; rows of weight 0 are none."""
    r = np.random.default_rng(m)
    n = 60
    y, score, here = r.integers(0, 2, n), r.integers(0, 9, n), r.integers(0, 4, n) > 0
    weight = r.integers(0, 9, n) if unit == 1 else np.round(r.uniform(0, 2, n) / unit) * unit

    async def program(y: Any, s: Any, w: Any, here: Any) -> Any:
        some = [await f(y, s, sample_weight=w, present=here) for f in (roc_auc_score, ks_statistic)]
        return [*some, await roc_auc_score(y, s, sample_weight=w)]

    auc, ks, every = on_rows(m, program, y, score, weight, present=here)
    w = weight * here
    assert auc == pytest.approx(sk.roc_auc_score(y, score, sample_weight=w), abs=2**-31)
    assert ks == pytest.approx(weighted_ks(y, score, w), abs=2**-31)
    assert every == pytest.approx(sk.roc_auc_score(y, score, sample_weight=weight), abs=2**-31)


def test_weights_of_many_rows_are_rounded() -> None:
    r = np.random.default_rng(0)
    n = 1500
    y, weight = r.integers(0, 2, n), np.round(r.uniform(0, 2, n) * 65536) / 65536
    score = r.integers(0, 50, n) + y

    async def program(y: Any, s: Any, w: Any, here: Any) -> Any:
        return [await roc_auc_score(y, s, sample_weight=w)]

    (auc,) = on_rows(3, program, y, score, weight)
    assert auc == pytest.approx(sk.roc_auc_score(y, score, sample_weight=weight), abs=2**-15)


def test_many_heavy_weights() -> None:
    """Of a sum just below 2^27, where products have their last bits."""
    y, score = np.array([0, 1, 0, 1]), np.array([1, 2, 3, 4])
    weight = np.array([2**26 - 5, 2**26 - 7, 3, 8])

    async def program(y: Any, s: Any, w: Any, here: Any) -> Any:
        return [await f(y, s, sample_weight=w) for f in (roc_auc_score, ks_statistic)]

    auc, ks = on_rows(3, program, y, score, weight)
    assert auc == pytest.approx(sk.roc_auc_score(y, score, sample_weight=weight), abs=2**-31)
    assert ks == pytest.approx(weighted_ks(y, score, weight), abs=2**-31)


@each_m
@pytest.mark.parametrize("average", ["macro", "weighted"])
def test_each_class_against_the_rest(m: int, average: str) -> None:
    r = np.random.default_rng(m)
    labels = [5, -1, 2]
    y, here = r.choice(labels, 50), r.integers(0, 4, 50) > 0
    p = r.multinomial(64, [0.3, 0.3, 0.4], 50) / 64
    w = r.integers(1, 9, 50)

    async def program(y: Any, p: Any, w: Any, here: Any) -> Any:
        options = {"multi_class": "ovr", "labels": labels, "average": average}
        some = await roc_auc_score(y, p, present=here, **options)
        return [some, await roc_auc_score(y, p, sample_weight=w, **options)]

    some, weighted = on_rows(m, program, y, p, w, present=here)
    order = np.argsort(labels)  # scikit-learn's classes rise
    ours = {"multi_class": "ovr", "average": average}
    assert some == pytest.approx(sk.roc_auc_score(y[here], p[here][:, order], **ours), abs=2**-30)
    assert weighted == pytest.approx(sk.roc_auc_score(y, p[:, order], sample_weight=w, **ours), abs=2**-30)


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
        three = await party.input(np.zeros((3, 3)), 2)
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
        with pytest.raises(ShapeMismatch, match="labels"):
            await roc_auc_score(y, y, labels=[0, 1])
        for options in ({}, {"multi_class": "ovo"}, {"multi_class": "ovr", "average": "micro"}):
            with pytest.raises(OutOfRange, match="ovr"):
                await roc_auc_score(y, three, **options)
        with pytest.raises(OutOfRange, match="labels"):
            await roc_auc_score(y, three, multi_class="ovr", labels=[0, 1])
        with pytest.raises(ShapeMismatch, match="y_score"):
            await roc_auc_score(short, three, multi_class="ovr")
        assert party.transport.traffic.bytes_sent == sent

    MemoryCluster(3, seed=0).run(program)
