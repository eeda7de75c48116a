"""Metrics of classifiers on shared rows, against scikit-learn on the rows that are present."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as sk

from mpc import MemoryCluster
from mpc.errors import OutOfRange, ShapeMismatch, WrongType
from protocols.metrics import (
    accuracy_score,
    class_histogram,
    confusion_matrix,
    confusion_matrix_at_thresholds,
    f1_score,
    precision_score,
    recall_score,
)
from tests.protocols.tables import each_m, on_rows

ULP = 2.0**-16
BINARY = (accuracy_score, precision_score, recall_score, f1_score)
THRESHOLDS = [-0.5, 0.25, 0.5, 7.0]


def expected(y: Any, p: Any, weight: Any = None) -> list[float]:
    """0 of no rows, and 0 for a ratio without any."""
    if not len(y):
        return [0.0] * 4
    w = {"sample_weight": weight}
    others = (sk.precision_score, sk.recall_score, sk.f1_score)
    return [sk.accuracy_score(y, p, **w), *(f(y, p, zero_division=0, **w) for f in others)]


@each_m
@pytest.mark.parametrize("n", [0, 1, 63])
def test_scores_of_classes_are_scikit_learns(m: int, n: int) -> None:
    r = np.random.default_rng([m, n])
    y, p, here = r.integers(0, 2, n), r.integers(0, 2, n), r.integers(0, 3, n) > 0

    async def program(y: Any, p: Any, here: Any) -> Any:
        some = [await f(y, p, present=here) for f in BINARY]
        return [*some, await confusion_matrix(y, p, present=here), *[await f(y != 0, p != 0) for f in BINARY]]

    *found, matrix, a, b, c, d = on_rows(m, program, y, p, present=here)
    assert np.allclose(found, expected(y[here], p[here]), rtol=0, atol=ULP)
    assert np.allclose([a, b, c, d], expected(y, p), rtol=0, atol=ULP)
    same = sk.confusion_matrix(y[here], p[here], labels=[0, 1]) if here.any() else np.zeros((2, 2))
    assert matrix.tolist() == same.tolist()


@pytest.mark.parametrize("one", [0, 1])
@pytest.mark.parametrize("other", [0, 1])
def test_one_class_only(one: int, other: int) -> None:
    y, p = np.full(5, one), np.full(5, other)

    async def program(y: Any, p: Any, here: Any) -> Any:
        return [await f(y, p) for f in BINARY]

    assert np.allclose(on_rows(3, program, y, p), expected(y, p), rtol=0, atol=ULP)


@each_m
def test_weights(m: int) -> None:
    r = np.random.default_rng(m)
    y, p, here = r.integers(0, 2, 41), r.integers(0, 2, 41), r.integers(0, 3, 41) > 0
    weight, score = r.integers(0, 64, 41) / 16, r.integers(0, 9, 41) / 8

    async def program(y: Any, p: Any, w: Any, s: Any, here: Any) -> Any:
        scores = [await f(y, p, sample_weight=w, present=here) for f in BINARY]
        return [*scores, *(await confusion_matrix_at_thresholds(y, s, [0.5], sample_weight=w, present=here))]

    found = on_rows(m, program, y, p, weight, score, present=here)
    assert np.allclose(found[:4], expected(y[here], p[here], weight[here]), rtol=0, atol=4 * ULP)
    table = sk.confusion_matrix(y[here], score[here] >= 0.5, sample_weight=weight[here])
    assert np.array(found[4:]).reshape(2, 2).tolist() == table.tolist()


@pytest.mark.parametrize("scale", [2.0**-14, 2.0**38, 2.0**42, 2**42])
def test_weights_of_any_size(scale: float) -> None:
    y, p, weight = np.array([1, 0, 1, 0]), np.array([1, 1, 0, 0]), np.array([4, 2, 1, 1])

    async def program(y: Any, p: Any, w: Any, here: Any) -> Any:
        return [await f(y, p, sample_weight=w) for f in BINARY]

    assert np.allclose(on_rows(3, program, y, p, weight * scale), expected(y, p, weight), rtol=0, atol=2 * ULP)


@each_m
def test_confusion_of_several_classes_leaves_out_other_labels(m: int) -> None:
    r = np.random.default_rng(m)
    y, p, here = r.integers(-2, 6, 90), r.integers(-1, 5, 90), r.integers(0, 3, 90) > 0
    y[:3] = [1 << 61, 3, -(1 << 61)]

    async def program(y: Any, p: Any, here: Any) -> Any:
        return await confusion_matrix(y, p, n_classes=3, present=here), await confusion_matrix(y, p, n_classes=3)

    some, every = on_rows(m, program, y, p, present=here)
    assert some.tolist() == sk.confusion_matrix(y[here], p[here], labels=[0, 1, 2]).tolist()
    assert every.tolist() == sk.confusion_matrix(y, p, labels=[0, 1, 2]).tolist()


@each_m
@pytest.mark.parametrize("n", [0, 1, 63])
def test_counts_by_threshold(m: int, n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores that lie on a threshold are at it; labels are anything that is not 0; in blocks, too."""
    monkeypatch.setattr("protocols.metrics._BLOCK", 3 * max(1, n))
    r = np.random.default_rng([m, n])
    y, score, here = r.integers(0, 3, n), r.integers(-4, 9, n) / 8, r.integers(0, 3, n) > 0

    async def program(y: Any, s: Any, here: Any) -> Any:
        counts = await confusion_matrix_at_thresholds(y, s, THRESHOLDS, present=here)
        return [*counts, await class_histogram(y, s, THRESHOLDS, present=here), await class_histogram(y, s, [0])]

    *counts, histogram, halves = on_rows(m, program, y, score, present=here)
    for j, threshold in enumerate(THRESHOLDS):
        table = np.zeros((2, 2), int)
        np.add.at(table, ((y[here] != 0).astype(int), (score[here] >= threshold).astype(int)), 1)
        assert [c[j] for c in counts] == table.ravel().tolist()
    for of_class, rows in ((0, y == 0), (1, y != 0)):
        edges = [-np.inf, *THRESHOLDS, np.inf]
        assert histogram[of_class].tolist() == np.histogram(score[here & rows], edges)[0].tolist()
        assert halves[of_class].tolist() == [(score[rows] < 0).sum(), (score[rows] >= 0).sum()]


def test_bad_input_is_refused_before_anything_is_sent() -> None:
    async def program(party: Any) -> Any:
        y, short = await party.input(np.arange(3), 0), await party.input(np.arange(2), 1)
        real = await party.input(np.arange(3) / 2, 0)
        sent = party.transport.traffic.bytes_sent
        for f in (*BINARY, confusion_matrix):
            with pytest.raises(ShapeMismatch, match="y_pred"):
                await f(y, short)
            with pytest.raises(WrongType, match="y_true"):
                await f(np.arange(3), y)  # type: ignore[arg-type]
            with pytest.raises(ShapeMismatch, match="present"):
                await f(y, y, present=short)
        with pytest.raises(ShapeMismatch, match="sample_weight"):
            await accuracy_score(y, y, sample_weight=short)
        with pytest.raises(WrongType, match="y_pred"):
            await confusion_matrix(y, real)
        for k in (1, 257, 2.0, True):
            with pytest.raises(OutOfRange, match="classes"):
                await confusion_matrix(y, y, n_classes=k)  # type: ignore[arg-type]
        for bad in ([], [0.5, 0.5], [1, 0], [0, np.nan], 0.5, [[1, 2]], ["a"]):
            with pytest.raises(OutOfRange, match="thresholds"):
                await class_histogram(y, real, bad)  # type: ignore[arg-type]
        assert party.transport.traffic.bytes_sent == sent

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MemoryCluster(3, seed=0).run(program)


def test_too_many_rows_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("protocols.averages.MOST", 8)

    async def program(y: Any, p: Any, here: Any) -> Any:
        return await accuracy_score(y, p)

    assert on_rows(3, program, np.ones(3, int), np.ones(3, int)) == 1
    with pytest.raises(OutOfRange, match="2\\^27"):
        on_rows(3, program, np.ones(4, int), np.ones(4, int))
