"""Losses of probabilities and metrics of regressions on shared rows, against scikit-learn."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as sk

from mpc import MemoryCluster
from mpc.errors import OutOfRange, ShapeMismatch, WrongType
from protocols.averages import sum_of_products
from protocols.losses import (
    brier_average,
    brier_score_loss,
    log_loss,
    log_loss_average,
    mean_absolute_error,
    mean_squared_error,
    most_log_loss,
    r2_score,
    root_mean_squared_error,
)
from tests.protocols.tables import each_m, on_rows

ULP = 2.0**-16


def on_grid(x: Any) -> Any:
    return np.round(np.asarray(x) * 65536) / 65536


@each_m
@pytest.mark.parametrize("n", [0, 1, 63])
def test_losses_of_probabilities_are_scikit_learns(m: int, n: int) -> None:
    r = np.random.default_rng([m, n])
    y, p, here = r.integers(0, 2, n), on_grid(r.random(n)), r.integers(0, 3, n) > 0
    p[:2] = [0, 1][: len(p)]
    weight = r.integers(0, 9, n) / 4

    async def program(y: Any, p: Any, w: Any, here: Any) -> Any:
        one = [await f(y, p, present=here) for f in (log_loss, brier_score_loss)]
        two = [await f(y != 0, p, sample_weight=w) for f in (log_loss, brier_score_loss)]
        return [*one, *two, await log_loss(y, p, clip=0.1)]

    log, brier, log_weighted, brier_weighted, clipped = on_rows(m, program, y, p, weight, present=here)
    if not here.any():
        assert (log, brier) == (0, 0)
    else:
        inside = np.clip(p, ULP, 1 - ULP)
        assert log == pytest.approx(sk.log_loss(y[here], inside[here], labels=[0, 1]), abs=4 * ULP)
        assert brier == pytest.approx(sk.brier_score_loss(y[here], p[here], labels=[0, 1]), abs=ULP)
        assert clipped == pytest.approx(-np.log(np.maximum(np.where(y, p, 1 - p), 0.1)).mean(), abs=4 * ULP)
        if weight.any():
            w = {"sample_weight": weight, "labels": [0, 1]}
            assert log_weighted == pytest.approx(sk.log_loss(y, inside, **w), rel=2**-15, abs=8 * ULP)
            assert brier_weighted == pytest.approx(sk.brier_score_loss(y, p, **w), rel=2**-15, abs=8 * ULP)


@each_m
@pytest.mark.parametrize("n", [0, 1, 40])
def test_log_loss_of_several_classes(m: int, n: int) -> None:
    r = np.random.default_rng([m, n])
    labels = [7, -2, 3]
    y, p, here = r.choice(labels, n), on_grid(r.dirichlet(np.ones(3), n)), r.integers(0, 3, n) > 0
    weight = r.integers(0, 9, n) / 4

    async def program(y: Any, p: Any, w: Any, here: Any) -> Any:
        some = await log_loss(y, p, labels=labels, present=here)
        other = await log_loss_average(y + 100, p, labels=labels, clip=0.01)
        return [some, await log_loss(y, p, labels=labels, sample_weight=w), other.total]

    some, weighted, other = on_rows(m, program, y, p, weight, present=here)
    lost = -np.log(np.maximum(p[np.arange(n), [labels.index(v) for v in y]], ULP)) if n else np.zeros(0)
    assert some == pytest.approx(lost[here].mean() if here.any() else 0, abs=4 * ULP)
    if weight.any():
        assert weighted == pytest.approx(np.average(lost, weights=weight), rel=2**-15, abs=8 * ULP)
    assert other == pytest.approx(n * most_log_loss(0.01))  # labels of no class


@each_m
def test_no_row_costs_more_than_its_bound_whatever_is_predicted(m: int) -> None:
    """Sensitivities rest on this: also for what is no probability, and for the widest numbers."""
    p = np.array([-5.0, 7.0, 0.0, 1.0, 2.0**45, -(2.0**45), 0.001, 0.999, 2.0**39, ULP, 1 - ULP])
    most = most_log_loss(0.01)

    async def program(y: Any, p: Any, here: Any) -> Any:
        found = []
        for j in range(len(p)):
            for label in (y, 1 - y):
                parts = await log_loss_average(label[j : j + 1], p[j : j + 1], clip=0.01)
                square = await brier_average(label[j : j + 1], p[j : j + 1])
                found.append([parts.total, parts.count, square.total])
        return found

    losses, counts, squares = np.array(on_rows(m, program, np.ones(len(p), int), p)).T
    assert (losses.min(), losses.max(), most) == (0, most, pytest.approx(-math.log(0.01), abs=ULP))
    assert (squares.min(), squares.max()) == (0, 1)
    assert set(counts) == {1}
    assert losses[2 * 6] == most and losses[2 * 6 + 1] < 0.01  # 0.001 given to the class, and to the other


@each_m
@pytest.mark.parametrize("n", [0, 1, 63])
@pytest.mark.parametrize(("centre", "width"), [(0, 100), (-5000, 1), (3e6, 4e4)])
def test_regressions_are_scikit_learns(m: int, n: int, centre: float, width: float) -> None:
    r = np.random.default_rng([m, n])
    t = on_grid(centre + r.normal(0, width, n))
    u, here = on_grid(t + r.normal(0, width / 3, n)), r.integers(0, 3, n) > 0

    async def program(t: Any, u: Any, here: Any) -> Any:
        some = [await f(t, u, present=here) for f in (mean_squared_error, mean_absolute_error, r2_score)]
        return [*some, await root_mean_squared_error(t, u, present=here), await r2_score(t, u)]

    square, absolute, r2, root, every = on_rows(m, program, t, u, present=here)
    if not here.any():
        assert (square, absolute) == (0, 0)
        assert root == pytest.approx(0, abs=ULP)  # of 0 the root is exact for t = 1 only
        return
    assert square == pytest.approx(sk.mean_squared_error(t[here], u[here]), abs=2 * ULP)
    assert absolute == pytest.approx(sk.mean_absolute_error(t[here], u[here]), abs=ULP)
    assert root == pytest.approx(sk.root_mean_squared_error(t[here], u[here]), rel=2**-17, abs=4 * ULP)
    if here.sum() > 1:
        assert r2 == pytest.approx(sk.r2_score(t[here], u[here]), abs=2e-4)
        assert every == pytest.approx(sk.r2_score(t, u), abs=2e-4)


@each_m
def test_weighted_regression_and_integers(m: int) -> None:
    r = np.random.default_rng(m)
    t, u, w = r.integers(-50, 50, 33), r.integers(-50, 50, 33), r.integers(0, 16, 33) / 8

    async def program(t: Any, u: Any, w: Any, here: Any) -> Any:
        plain = [await f(t, u) for f in (mean_squared_error, mean_absolute_error, r2_score)]
        losses = [await f(t, u, sample_weight=w) for f in (mean_squared_error, mean_absolute_error)]
        return [
            *plain,
            *losses,
            await r2_score(t, u, sample_weight=w),
            await r2_score(t + 70_000, u + 70_000, sample_weight=w),
        ]

    found = on_rows(m, program, t, u, w)
    exact = [sk.mean_squared_error(t, u), sk.mean_absolute_error(t, u), sk.r2_score(t, u)]
    assert np.allclose(found[:3], exact, rtol=0, atol=4 * ULP)
    weighted = [f(t, u, sample_weight=w) for f in (sk.mean_squared_error, sk.mean_absolute_error)]
    assert np.allclose(found[3:5], weighted, rtol=2**-15, atol=8 * ULP)
    assert np.allclose(found[5:], sk.r2_score(t, u, sample_weight=w), rtol=0, atol=2e-4)


@pytest.mark.parametrize("bits", [8, 20, 30])
def test_weights_with_other_fractional_bits(bits: int) -> None:
    r = np.random.default_rng(bits)
    y, p, w = r.integers(0, 2, 40), on_grid(r.random(40)), np.rint(r.exponential(1, 40) * 2.0**bits) / 2.0**bits

    async def program(y: Any, p: Any, w: Any, here: Any) -> Any:
        return [await f(y, p, sample_weight=w) for f in (brier_score_loss, mean_squared_error, mean_absolute_error)]

    exact = [f(y, p, sample_weight=w) for f in (sk.brier_score_loss, sk.mean_squared_error, sk.mean_absolute_error)]
    assert np.allclose(on_rows(3, program, y, p, w, frac=[None, None, bits]), exact, rtol=0, atol=4 * ULP)


@pytest.mark.parametrize("most", [2e4, 5e5, 2**22])
def test_large_errors_weighted_and_not(most: float) -> None:
    """Squares whose mean is above 2^27, and above 2^40; as prices of houses are."""
    t, u, w = np.array([0, most, 7, most / 4]), np.array([1.0, 0, 0, 2]), np.array([1.0, 0.5, 1, 2])

    async def program(t: Any, u: Any, w: Any, here: Any) -> Any:
        plain = [await f(t, u) for f in (mean_squared_error, root_mean_squared_error)]
        weighted = [
            f(t, u, sample_weight=w) for f in (mean_squared_error, root_mean_squared_error, mean_absolute_error)
        ]
        return [*plain, *[await x for x in weighted]]

    found = on_rows(3, program, t, u, w)
    exact = [sk.mean_squared_error(t, u), sk.root_mean_squared_error(t, u)]
    of_weighted = (sk.mean_squared_error, sk.root_mean_squared_error, sk.mean_absolute_error)
    assert np.allclose(found, [*exact, *[f(t, u, sample_weight=w) for f in of_weighted]], rtol=2**-17, atol=ULP)


@each_m
def test_r2_of_constants_and_of_the_worst(m: int) -> None:
    flat, other, far = np.full(4, 3.25), np.array([3.25, 3.25, 3.25, 4]), np.array([0.0, 0, 0, 2**21])
    tiny = np.array([0, 0, 0, 2**-7])

    async def program(flat: Any, other: Any, far: Any, tiny: Any, here: Any) -> Any:
        pairs = ((flat, flat), (flat, other), (flat, far), (tiny, far), (other, far), (far, flat), (tiny, tiny))
        return [await r2_score(t, u) for t, u in pairs]

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        expected = [sk.r2_score(flat, flat), sk.r2_score(flat, other), 0, -1023, -1023, sk.r2_score(far, flat), 1]
    assert np.allclose(on_rows(m, program, flat, other, far, tiny), expected, rtol=0, atol=4 * ULP)


@each_m
def test_sum_of_products_is_exact_and_rounded_down(m: int) -> None:
    r = np.random.default_rng(m)
    x, y = r.integers(-(2**35), 2**35, 50), r.integers(-(2**35), 2**35, 50)

    async def program(x: Any, y: Any, here: Any) -> Any:
        return await sum_of_products(x, y), await sum_of_products(x, x), await sum_of_products(y[:0], y[:0])

    different, same, none = on_rows(m, program, x / 65536, y / 65536)
    assert different * 65536 == sum(int(a) * int(b) for a, b in zip(x, y, strict=True)) >> 16
    assert same * 65536 == sum(int(a) ** 2 for a in x) >> 16
    assert none == 0


def test_bad_input_is_refused_before_anything_is_sent() -> None:
    async def program(party: Any) -> Any:
        y, short = await party.input(np.arange(3), 0), await party.input(np.arange(2), 1)
        three = await party.input(np.zeros((3, 3)), 2)
        sent = party.transport.traffic.bytes_sent
        for f in (
            log_loss,
            brier_score_loss,
            mean_squared_error,
            root_mean_squared_error,
            mean_absolute_error,
            r2_score,
        ):
            with pytest.raises(ShapeMismatch, match="y_pr"):
                await f(y, short)
            with pytest.raises(WrongType, match="y_true"):
                await f([1, 0, 1], y)  # type: ignore[arg-type]
        for clip in (0, 2**-17, 0.5, math.nan, True, "a"):
            with pytest.raises(OutOfRange, match="clip"):
                await log_loss(y, y, clip=clip)  # type: ignore[arg-type]
        for labels in ([0, 1], [0, 1, 1], [0, 1, 2.5]):
            with pytest.raises(OutOfRange, match="labels"):
                await log_loss(y, three, labels=labels)  # type: ignore[arg-type]
        with pytest.raises(ShapeMismatch, match="labels"):
            await log_loss(y, y, labels=[0, 1])
        with pytest.raises(ShapeMismatch, match="y_proba"):
            await log_loss(y, three[:2])
        assert party.transport.traffic.bytes_sent == sent

    MemoryCluster(3, seed=0).run(program)
