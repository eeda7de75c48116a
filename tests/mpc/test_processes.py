"""The operators over real processes and TLS, three and five of them, against numpy: as in memory, to the last bit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from mpc import LocalCluster, MemoryCluster, concatenate, stack, where
from mpc.functions import sigmoid
from mpc.sorting import sort_by

EDGE = (1 << 62) - 1


@pytest.fixture(scope="module", params=[3, 5])
def cluster(request: pytest.FixtureRequest) -> Iterator[LocalCluster]:
    with LocalCluster(parties=request.param) as running:
        yield running


async def on_integers(party: Any, mine: Any) -> list[Any]:
    x, y = (party.input(mine, owner=i) for i in (0, 1))
    open_ = [
        x + y, x - y, -x, x * 3, (x // 8) * 2, x < y, x == y, (x < y) & (x > 0), ~(x < 0), (x >= y) ^ (y < 5),
        x.sum(axis=0), x.max(axis=1), x.argmin(axis=0), abs(y), x.T[::-1, 1:], concatenate([x, y], axis=1),
        stack([x, y]), where(x < y, x, y), x.sort(axis=1), y.argsort(axis=0), (x > 0).all(axis=0), (x == 0).any(),
        sort_by([x[:, 0]], [y[:, 1]])[1][0], x[0:0], x.cumsum(axis=1),
    ]  # fmt: skip
    revealed = [party.reveal(o) for o in open_]
    return [await r for r in revealed]


def integers_in_numpy(x: Any, y: Any) -> list[Any]:
    return [
        x + y, x - y, -x, x * 3, (x // 8) * 2, x < y, x == y, (x < y) & (x > 0), ~(x < 0), (x >= y) ^ (y < 5),
        x.sum(axis=0), x.max(axis=1), x.argmin(axis=0), abs(y), x.T[::-1, 1:], np.concatenate([x, y], axis=1),
        np.stack([x, y]), np.where(x < y, x, y), np.sort(x, axis=1), np.argsort(y, axis=0, kind="stable"),
        (x > 0).all(axis=0), (x == 0).any(), y[np.argsort(x[:, 0], kind="stable"), 1], x[0:0], np.cumsum(x, axis=1),
    ]  # fmt: skip


def test_integers(cluster: LocalCluster) -> None:
    rng = np.random.default_rng(11)
    x, y = (rng.integers(-(1 << 40), 1 << 40, (37, 5)) for _ in range(2))
    y[::3] = x[::3]
    for answer in cluster.run(on_integers, [x, y] + [None] * (cluster.m - 2)):
        for got, expected in zip(answer, integers_in_numpy(x, y), strict=True):
            assert got.shape == expected.shape
            assert got.dtype == expected.dtype
            assert np.array_equal(got, expected)


async def at_the_edges(party: Any, mine: Any) -> list[Any]:
    x, y = (party.input(mine, owner=i) for i in (0, 1))
    return [await party.reveal(o) for o in (x < y, x == y, x.min(), y.max(), x.sort())]


def test_edges_of_the_range(cluster: LocalCluster) -> None:
    x = np.array([EDGE, -EDGE, 0, 1, -1, EDGE, -EDGE])
    y = np.array([-EDGE, EDGE, 0, -1, 1, EDGE, -EDGE])
    for less, equal, least, most, ordered in cluster.run(at_the_edges, [x, y] + [None] * (cluster.m - 2)):
        assert np.array_equal(less, x < y)
        assert np.array_equal(equal, x == y)
        assert (least, most) == (-EDGE, EDGE)
        assert np.array_equal(ordered, np.sort(x))


async def on_reals(party: Any, mine: Any) -> list[Any]:
    x, y = (party.input(mine, owner=i) for i in (0, 1))
    return [await party.reveal(o) for o in (x * y, x @ y.T, x / (y * y + 1), x * 0.001, x.mean(axis=0), sigmoid(x))]


def test_reals(cluster: LocalCluster) -> None:
    rng = np.random.default_rng(12)
    x, y = (rng.uniform(-50, 50, (400, 4)) for _ in range(2))
    exact = [x * y, x @ y.T, x / (y * y + 1), x * 0.001, x.mean(axis=0), 1 / (1 + np.exp(-x))]
    for answer in cluster.run(on_reals, [x, y] + [None] * (cluster.m - 2)):
        for got, expected in zip(answer, exact, strict=True):
            # inputs are rounded to 2^-17; a product takes that times 50, a sum of four of them four times that
            assert np.abs(got - expected).max() <= 450 * 2.0**-16


def test_chunks_in_flight_equal_the_twin_in_memory(cluster: LocalCluster) -> None:
    """Arrays of many chunks, every party dealing: bit for bit what the same program gives in memory."""
    x = np.random.default_rng(13).integers(-(1 << 50), 1 << 50, 150_001)

    async def program(party: Any, mine: Any) -> list[Any]:
        a = party.input(mine, owner=2)
        flags = a < 12345
        return [await party.reveal(o) for o in (flags, flags.to_array() * a, a[::-7] * 3, (a == a[0]).sum())]

    inputs = [None, None, x] + [None] * (cluster.m - 3)
    here = cluster.run(program, inputs)[0]
    there = MemoryCluster(cluster.m).run(program, inputs)[0]
    for got, twin in zip(here, there, strict=True):
        assert np.array_equal(got, twin)
    assert np.array_equal(here[1], np.where(x < 12345, x, 0))
