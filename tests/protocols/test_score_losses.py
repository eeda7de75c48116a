"""Log losses of rows from their scores."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sklearn.metrics as sk

from protocols.score_losses import log_sum_exp, row_losses
from tests.protocols.fitted import each_m, fitted

ULP = 2.0**-16


@each_m
@pytest.mark.parametrize("classes", [1, 2, 3, 5, 8])
def test_log_sum_exp(m: int, classes: int) -> None:
    x = np.random.default_rng(classes).normal(size=(30, classes)) * np.geomspace(0.1, 1e5, 30)[:, None]
    x = np.rint(x * 65536) / 65536

    async def body(X: Any) -> Any:
        return [await log_sum_exp(X)]

    (found,) = fitted(m, body, x)
    levels = int(np.ceil(np.log2(classes)))
    np.testing.assert_allclose(found, np.logaddexp.reduce(x, axis=1), rtol=0, atol=2 * levels * ULP)


@each_m
@pytest.mark.parametrize("classes", [2, 3])
def test_losses_are_scikit_learns(m: int, classes: int) -> None:
    """Also of confident mistakes, where a probability of 16 bits would be 0."""
    r = np.random.default_rng(m)
    z = np.rint(r.normal(size=(40, 3)) * 256) / 256
    beta = r.normal(size=(3, classes - (classes == 2))) * (8 if classes == 2 else 4)
    y = r.integers(0, classes, 40)
    marks = np.eye(classes, dtype=int)[y] if classes > 2 else y

    async def body(Z: Any, Y: Any, B: Any) -> Any:
        return [await row_losses(Z, Y, B if classes > 2 else B[:, 0])]

    (found,) = fitted(m, body, z, marks, beta)
    score = z @ (np.rint(beta * 65536) / 65536)
    score = np.column_stack([0 * score, score]) if classes == 2 else score
    p = np.exp(score - score.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found, -np.log(p[np.arange(40), y]), rtol=0, atol=8 * ULP)
    assert found.max() > 11.1
    assert found.mean() == pytest.approx(sk.log_loss(y, p, labels=range(classes)), abs=4 * ULP)
