"""Smallest, largest and quantiles of the rows present, against numpy; noisy quantiles; histograms with fillers."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from mpc import MemoryCluster
from mpc.errors import OutOfRange, ShapeMismatch, WrongType
from protocols.aggregate import histogram
from protocols.mechanisms import DiscreteLaplace
from protocols.order_statistics import maximum, minimum, noisy_quantile, quantile
from tests.protocols.tables import SIZES, each_m, on_rows

MOST = (1 << 62) - 1


@each_m
@pytest.mark.parametrize("n", SIZES)
def test_extremes_are_numpys(m: int, n: int) -> None:
    r = np.random.default_rng([m, n])
    values, present = r.integers(-(10**12), 10**12, n), r.integers(0, 2, n).astype(bool)
    real = r.integers(-1000, 1000, n) / 8

    async def program(v: Any, x: Any, here: Any) -> Any:
        return (
            await minimum(v, here), await maximum(v, here), await minimum(x, here), await maximum(x, here),
            await minimum(v), await maximum(x),
        )  # fmt: skip

    found = on_rows(m, program, values, real, present=present)
    v, x = values[present], real[present]
    expected = [v.min(), v.max(), x.min(), x.max()] if v.size else [0] * 4
    assert found[:4] == expected
    assert found[4:] == ([values.min(), real.max()] if n else [0, 0])


@each_m
def test_extremes_at_the_edges_of_the_range(m: int) -> None:
    async def program(v: Any, here: Any) -> Any:
        return await minimum(v, here), await maximum(v, here), await quantile(v, [0, 0.5, 1], here)

    least, most, some = on_rows(m, program, np.array([MOST, 3, -MOST, 5]), present=[1, 1, 1, 0])
    assert (least, most, some.tolist()) == (-MOST, MOST, [-MOST, 3, MOST])


def expected_quantile(values: Any, q: Fraction, method: str) -> float:
    """By exact fractions; 0 of no values."""
    if not len(values):
        return 0
    rank = q * (len(values) - 1)
    ordered = np.sort(values)
    low, high = float(ordered[math.floor(rank)]), float(ordered[math.ceil(rank)])
    return {"lower": low, "higher": high, "linear": low + float(rank - math.floor(rank)) * (high - low)}[method]


@each_m
@pytest.mark.parametrize("n", [0, 1, 2, 64, 101])
@pytest.mark.parametrize("method", ["lower", "higher", "linear"])
def test_quantiles_are_numpys(m: int, n: int, method: str) -> None:
    r = np.random.default_rng([m, n])
    values, present = r.integers(-500, 500, n) / 4, r.integers(0, 3, n) > 0
    wanted = [0.0, 0.1, 0.25, 0.5, 0.9, 1.0, Fraction(1, 3)]

    async def program(v: Any, here: Any) -> Any:
        return (
            await quantile(v, wanted, here, method=method), await quantile(v, 0.5, here, method=method),
            await quantile(v, wanted, method=method),
        )  # fmt: skip

    some, half, every = on_rows(m, program, values, present=present)
    exact = [q if isinstance(q, Fraction) else Fraction(str(q)) for q in wanted]
    tolerance = 0.02 if method == "linear" else 0
    assert np.allclose(some, [expected_quantile(values[present], q, method) for q in exact], rtol=0, atol=tolerance)
    assert np.allclose(every, [expected_quantile(values, q, method) for q in exact], rtol=0, atol=tolerance)
    assert np.shape(half) == ()
    assert abs(half - some[3]) <= tolerance
    if present.any():
        assert np.allclose(some[:6], np.quantile(values[present], wanted[:6], method=method), atol=tolerance)  # type: ignore[call-overload]


def test_quantiles_of_integers_stay_integers() -> None:
    async def program(v: Any, _: Any) -> Any:
        return await quantile(v, [0.5])

    (found,) = on_rows(3, program, np.array([10**15, 1, 7]))
    assert found == 7
    assert found.dtype == np.int64


@each_m
def test_histogram_of_rows_present(m: int) -> None:
    r = np.random.default_rng(m)
    values, present, edges = r.integers(-5, 25, 101), r.integers(0, 2, 101).astype(bool), [0, 5, 10, 20]

    async def program(v: Any, here: Any) -> Any:
        return histogram(v, edges, present=here), histogram(v, edges, present=here & ~here)

    some, none = on_rows(m, program, values, present=present)
    assert some.tolist() == np.histogram(values[present], edges)[0].tolist()
    assert none.tolist() == [0, 0, 0]


@pytest.mark.parametrize("q", [0.0, 0.25, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("some", [True, False])
def test_noisy_quantile_is_near_and_charged_in_full(q: float, some: bool) -> None:
    r = np.random.default_rng(3)
    values, present = r.integers(0, 100, 400), r.integers(0, 2, 400).astype(bool)
    grid = list(range(0, 128, 4))
    mechanism = DiscreteLaplace(60.0)

    async def program(party: Any) -> Any:
        v, here = party.input(values, 0), (await party.input(present.astype(int), 1)) != 0
        return await noisy_quantile(party, v, q, mechanism, grid=grid, present=here if some else None)

    answers = MemoryCluster(3, seed=4).run(program)
    assert len({a.value for a in answers}) == 1
    found = answers[0]
    here = values[present] if some else values
    wanted = next(g for g in grid if (here <= g).sum() >= q * here.size)
    assert abs(found.value - wanted) <= 8
    assert len(found.parts) == 5 + some
    assert found.epsilon == pytest.approx(60.0)
    assert 0 < found.delta < 2**-36
    assert all(part.sensitivity == 1 for part in found.parts)


def test_bad_input_is_refused_before_anything_is_sent() -> None:
    async def program(party: Any) -> Any:
        x, short = await party.input(np.arange(3), 0), await party.input(np.arange(2), 1)
        noise = DiscreteLaplace(1.0)
        sent = party.transport.traffic.bytes_sent
        for q in (-0.1, 1.5, math.nan, "a", True, [0.5, 2]):
            with pytest.raises(OutOfRange, match="quantile"):
                await quantile(x, q)  # type: ignore[arg-type]
        with pytest.raises(OutOfRange, match="method"):
            await quantile(x, 0.5, method="nearest")
        with pytest.raises(ShapeMismatch, match="present"):
            await minimum(x, short)
        with pytest.raises(WrongType, match="present"):
            await maximum(x, np.ones(3, bool))  # type: ignore[arg-type]
        with pytest.raises(WrongType, match="values"):
            await maximum(np.arange(3))  # type: ignore[arg-type]
        for grid in ([1], [1, 1], [2, 1], [0, math.inf]):
            with pytest.raises(OutOfRange, match="grid"):
                await noisy_quantile(party, x, 0.5, noise, grid=grid)
        with pytest.raises(WrongType, match="mechanism"):
            await noisy_quantile(party, x, 0.5, 1.0, grid=[0, 1])  # type: ignore[arg-type]
        with pytest.raises(OutOfRange, match="rows"):
            await noisy_quantile(party, x, 0.5, noise, grid=[0, 1], rows=0)
        assert party.transport.traffic.bytes_sent == sent

    MemoryCluster(3, seed=0).run(program)
