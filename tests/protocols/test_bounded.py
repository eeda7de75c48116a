"""Directions by a bound inverted once: down, never too far, and Newton's where the Hessian is not far below it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from mpc.arrays import SecretArray
from protocols.bounded import FRAC_MOVE, LOWEST, Bound
from protocols.newton import FRAC_BETA, FRAC_PENALTY, Problem, falls, newton
from protocols.progress import Course, Progress
from protocols.solve import FRAC_A
from tests.protocols.fitted import each_m, fitted


def _bound(d: int, condition: float, seed: int = 0) -> Any:
    """A matrix with a unit diagonal, nearly, and its square root."""
    r = np.random.default_rng([seed, d])
    q, _ = np.linalg.qr(r.normal(size=(d, d)))
    b = (q * np.geomspace(1, 1 / condition, d)) @ q.T
    scale = 1 / np.sqrt(np.diag(b))
    return b * scale * scale[:, None]


def _below(b: Any, ratios: Any, seed: int = 1) -> Any:
    """A Hessian whose eigenvalues relative to b are these: in directions of its own, as those of rows are."""
    root = np.linalg.cholesky(b)
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=b.shape))
    h = root @ (q * ratios) @ q.T @ root.T
    return (h + h.T) / 2


def _directions(m: int, b: Any, h: Any, g: Any, low: float) -> tuple[Any, Any]:
    async def body(B: SecretArray, H: SecretArray, G: SecretArray) -> Any:
        bound = Bound(B)
        return [bound.direction(H, G, low), bound.cautious(G)]

    delta, cautious = fitted(m, body, b, h, g, frac=36)
    return delta, cautious


def _size(h: Any, v: Any) -> float:
    return float(np.sqrt(v @ h @ v))


@each_m
@pytest.mark.parametrize("low", [0.5, 0.25, 2.0**-6, LOWEST])
def test_newtons_direction_where_the_hessian_is_not_further_below(m: int, low: float) -> None:
    b = _bound(6, 30)
    h = _below(b, np.geomspace(1, low, 6))
    g = h @ np.random.default_rng(2).normal(size=6)
    delta, cautious = _directions(m, b, h, g, low)
    exact = np.linalg.solve(h, g)
    assert _size(h, delta - exact) <= (1 / 8 + 0.02) * _size(h, exact)  # the ridges take the rest
    np.testing.assert_allclose(cautious, np.linalg.solve(b, g), atol=2e-2 * np.abs(cautious).max())


@pytest.mark.parametrize("ratios", [(1, 1, 1, 1, 1, 0), (2**-20,) * 6, (0,) * 6, (1, 0.5, 2**-6, 2**-12, 2**-18, 0)])
@pytest.mark.parametrize("condition", [30.0, 1e6])
@pytest.mark.parametrize("low", [0.25, LOWEST])
def test_down_and_never_too_far(ratios: Any, condition: float, low: float) -> None:
    """Also for Hessians that are far below the bound, or singular, and bounds that are nearly so."""
    b = _bound(6, condition)
    h = _below(b, np.array(ratios, float))
    for seed in range(3):
        g = b @ np.random.default_rng(seed).normal(size=6)
        delta, cautious = _directions(3, b, h, g, low)
        assert g @ delta > 0 and g @ cautious > 0
        assert delta @ h @ delta <= 1.02 * (g @ delta)  # no further than to the lowest point along it
        assert cautious @ b @ cautious <= 1.02 * (g @ cautious)


def test_a_hessian_a_little_above_the_bound() -> None:
    """Weights are rounded up, by 6 per cent at most."""
    b = _bound(5, 30)
    h = _below(b, np.array([1.06, 1.06, 1.0, 0.5, 0.2]))
    g = h @ np.ones(5)
    delta, _ = _directions(3, b, h, g, LOWEST)
    assert _size(h, delta - 1) <= (1 / 8 + 0.02) * _size(h, np.ones(5))


@pytest.mark.parametrize("far", [3.0, 12.0, 40.0])
def test_newton_from_far_away(far: float) -> None:
    """Where all p (1 - p) are 0 to 16 bits, Newton's own step would be thousands of times too long."""
    r = np.random.default_rng(7)
    z = np.column_stack([r.normal(size=(64, 2)), np.ones(64)])
    z[:, :2] = (z[:, :2] - z[:, :2].mean(axis=0)) / z[:, :2].std(axis=0)
    y = (r.random(64) < 1 / (1 + np.exp(-z[:, 0] - 0.5))).astype(int)
    penalty = np.array([2.0**-6, 2.0**-6, 0])

    def loss(beta: Any) -> float:
        score = z @ beta
        return float((np.logaddexp(0, score) - y * score).sum() / 64 + (penalty * beta**2).sum() / 2)

    start = np.array([-far, far, far])
    losses = [loss(start)]
    for steps in (1, 2, 4, 30):

        async def body(Z: Any, Y: Any, P: Any, B: Any, steps: int = steps) -> Any:
            problem = Problem(Z, Y, None, _with(P, FRAC_PENALTY))
            course = Course(Progress(Z.party, "fit", "step", steps), steps, None, None)
            return [(await newton(problem, _with(B, FRAC_BETA), steps, course)).beta]

        (beta,) = fitted(3, body, z, y, penalty, start)
        losses.append(loss(beta))
    assert all(after <= before + 1e-4 for before, after in pairwise(losses))
    best = np.zeros(3)
    for _ in range(30):
        p = 1 / (1 + np.exp(-z @ best))
        h = (z * (p * (1 - p))[:, None]).T @ z / 64 + np.diag(penalty)
        best -= np.linalg.solve(h, z.T @ (p - y) / 64 + penalty * best)
    np.testing.assert_allclose(beta, best, atol=2e-3)


def _with(x: SecretArray, frac: int) -> SecretArray:
    return SecretArray(x.party, x.share << np.uint64(frac - x.frac), frac)


def test_bits() -> None:
    assert FRAC_A == 40 and FRAC_MOVE == 22  # what the ranges in the module follow from


@each_m
@pytest.mark.parametrize(("drag", "expected"), [(0.0, [1, 0, 1]), (0.4, [0, 0, 1]), (-0.8, [1, 1, 1])])
def test_a_step_will_do_where_the_loss_falls_or_hardly_rises(m: int, drag: float, expected: list[int]) -> None:
    """Hardly: by less than an eighth of what it fell at the start, 0.1 here; drag counts by the step's length."""

    async def body(at_start: SecretArray, slopes: SecretArray, drag: SecretArray) -> Any:
        return falls(at_start, slopes, drag[0])

    found = fitted(m, body, np.array([0.8]), np.array([-0.05, -0.2, 0.3]), np.array([drag]), frac=30)
    np.testing.assert_array_equal(found, expected)
