"""Secret linear systems against numpy: well and badly conditioned, singular, of any scale."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mpc.errors import ShapeMismatch
from protocols.solve import LEAST, invert, schedule, solve
from tests.protocols.fitted import each_m, fitted


def matrix(d: int, condition: float, seed: int = 0) -> Any:
    r = np.random.default_rng([seed, d])
    q, _ = np.linalg.qr(r.normal(size=(d, d)))
    a = (q * np.geomspace(1, 1 / condition, d)) @ q.T
    return (a + a.T) / 2


async def solution(a: Any, b: Any) -> Any:
    return [solve(a, b)]


@each_m
@pytest.mark.parametrize(("d", "condition", "error"), [(1, 1, 1e-6), (3, 10, 1e-6), (10, 1e3, 1e-5), (20, 1e4, 3e-4)])
def test_solution(m: int, d: int, condition: float, error: float) -> None:
    a = matrix(d, condition)
    x = np.random.default_rng(1).normal(size=d)
    (found,) = fitted(m, solution, a, a @ x, frac=30)
    np.testing.assert_allclose(found, np.linalg.solve(np.rint(a * 2**30) / 2**30, a @ x), rtol=0, atol=error)


def test_columns_of_very_different_scale() -> None:
    scale = np.array([2.0**-9, 1, 2.0**-4, 1.5, 2.0**-7])
    a = matrix(5, 20) * scale[:, None] * scale
    x = np.random.default_rng(2).normal(size=5) / scale
    (found,) = fitted(3, solution, a, a @ x, frac=36)
    np.testing.assert_allclose(found * scale, x * scale, rtol=0, atol=1e-4)


def test_singular_gives_the_least_solution() -> None:
    v = np.random.default_rng(3).normal(size=(4, 40))
    v[3] = v[1]
    v /= np.linalg.norm(v, axis=1)[:, None]
    a = v @ v.T
    b = a @ np.array([1.0, 2.0, -1.0, 0.5])
    (found,) = fitted(3, solution, a, b, frac=30)
    np.testing.assert_allclose(found, np.linalg.pinv(a) @ b, rtol=0, atol=1e-3)


def test_a_row_of_zeros_gives_zero() -> None:
    a = matrix(4, 5)
    a[2], a[:, 2] = 0, 0
    b = np.array([0.3, -0.2, 0.0, 0.7])
    (found,) = fitted(3, solution, a, b, frac=30)
    np.testing.assert_allclose(found, np.linalg.pinv(a) @ b, rtol=0, atol=1e-5)


def test_diagonal_of_the_inverse() -> None:
    a = matrix(6, 50)

    async def body(a: Any) -> Any:
        return [invert(a).diagonal()]

    (found,) = fitted(3, body, a, frac=30)
    np.testing.assert_allclose(found, np.diag(np.linalg.inv(a)), rtol=1e-4)


@pytest.mark.parametrize("low", [LEAST / 1.1 / d for d in (1, 2, 10, 30, 100, 1000)])
def test_schedule_brings_all_eigenvalues_near_one(low: float) -> None:
    z = np.geomspace(low, 1, 10_000)
    most = 0.0
    for stretch in schedule(low):
        z = stretch * z * (2 - z)
        most = max(most, z.max())
    assert np.abs(z - 1).max() <= 2.0**-6
    assert most <= 2
    assert len(schedule(low)) <= 14


def test_refuses_what_is_not_square() -> None:
    async def body(a: Any) -> Any:
        return [invert(a).x]

    with pytest.raises(ShapeMismatch, match="square"):
        fitted(3, body, np.zeros((2, 3)))
