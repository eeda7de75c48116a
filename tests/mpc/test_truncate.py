"""Truncation: at most the documented error, never the huge one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc import MemoryCluster, Party, arithmetic
from mpc.errors import OutOfRange
from mpc.sharing import Layout, reconstruct
from mpc.truncate import sum_and_round, truncate
from tests.mpc.helpers import EDGES, PARTIES, each_m, random_values, shares_of


def errors(m: int, t: int | None, values: Any, f: int, seed: int = 0, cluster: MemoryCluster | None = None) -> Any:
    """Exact quotient minus the one computed, from components that are all random."""
    layout = Layout(m, t)
    shares = shares_of(layout, values, np.random.default_rng(seed))

    async def program(party: Party) -> Any:
        return await truncate(party, shares[party.index], f)

    answers = (cluster or MemoryCluster(m, t, seed=seed)).run(program)
    quotient = reconstruct(layout, dict(enumerate(answers))).view(np.int64)
    assert quotient.shape == values.shape
    return (values >> f) - quotient


@pytest.mark.parametrize("f", [1, 2, 15, 16, 17, 31, 32, 33, 40, 61, 62])
@each_m
def test_every_number_of_bits_and_every_size_of_number(m: int, f: int) -> None:
    rng = np.random.default_rng(f)
    values = np.concatenate([random_values(rng, (400,)), np.array(EDGES), [1 << f >> 1, -(1 << f >> 1)]])
    off = errors(m, None, values, f)
    assert off.min() >= 0 and off.max() <= Layout(m).t


@pytest.mark.parametrize(("m", "t"), [(5, 1), (6, 2), (7, 1), (7, 2), (8, 3), (9, 4)])
def test_other_thresholds(m: int, t: int) -> None:
    off = errors(m, t, random_values(np.random.default_rng(m), (200,)), 16)
    assert off.min() >= 0 and off.max() <= t


@settings(max_examples=25)
@given(st.sampled_from(PARTIES), st.lists(st.integers(0, 4), max_size=3), st.integers(1, 62), st.integers(0, 99))
def test_every_shape(m: int, shape: list[int], f: int, seed: int) -> None:
    off = errors(m, None, random_values(np.random.default_rng(seed), tuple(shape)), f, seed)
    assert not off.size or (off.min() >= 0 and off.max() <= Layout(m).t)


@pytest.mark.parametrize("n", [4095, 4096, 4097, 3 * 4096, 3 * 4096 + 1, (1 << 16) * 3 + 5])
def test_chunks_with_every_party_as_dealer(n: int) -> None:
    off = errors(3, None, random_values(np.random.default_rng(n), (n,)), 16)
    assert off.min() >= 0 and off.max() <= 1


@pytest.mark.parametrize("f", [0, 63, -1])
def test_other_numbers_of_bits_are_refused(f: int) -> None:
    with pytest.raises(OutOfRange, match="1 to 62"):
        errors(3, None, np.zeros(3, np.int64), f)


def test_ten_million_truncations_without_one_large_error() -> None:
    """The local truncation of ABY3 would fail here about half of all times for numbers of 62 bits."""
    cluster = MemoryCluster(3, seed=7)
    rng = np.random.default_rng(7)
    n = 1 << 20
    for run in range(10):
        magnitude = rng.integers(0, 1 << 62, n, np.int64) >> (rng.integers(0, 62, n) if run % 2 else 0)
        values = np.where(rng.integers(0, 2, n) == 1, magnitude, -magnitude)
        off = errors(3, None, values, (16, 20, 32, 16, 40)[run % 5], run, cluster)
        assert off.min() >= 0 and off.max() <= 1


def products(m: int, x: Any, y: Any, f: int, cluster: MemoryCluster | None = None) -> Any:
    layout, rng = Layout(m), np.random.default_rng(f)
    left, right = shares_of(layout, x, rng), shares_of(layout, y, rng)

    async def program(party: Party) -> Any:
        part = arithmetic.part_of(party, left[party.index], right[party.index], x.shape)
        return await sum_and_round(party, part, x.shape, f)

    answers = (cluster or MemoryCluster(m, seed=f)).run(program)
    return reconstruct(layout, dict(enumerate(answers))).view(np.int64)


@pytest.mark.parametrize("f", [1, 16, 33, 60])
@each_m
def test_products_are_rounded_to_nearest_or_beside(m: int, f: int) -> None:
    rng = np.random.default_rng(f)
    t = Layout(m).t
    x, y = rng.integers(-(1 << 30), 1 << 30, (40, 10)), rng.integers(-(1 << 30), 1 << 30, (40, 10))
    x[0], y[0] = 1 << 31, (1 << 30) - 1  # a product near 2^61
    off = products(m, x, y, f) - (x * y) / 2.0**f
    assert np.abs(off).max() <= (t + 1) / 2 + 2.0 ** (60 - f - 52)


def test_products_in_pieces_with_every_party_as_dealer() -> None:
    x, y = np.random.default_rng(1).integers(-(1 << 30), 1 << 30, (2, 3 * 4096 + 5))
    assert np.abs(products(3, x, y, 20) - x * y / 2.0**20).max() <= 1.01


def test_what_a_product_sends() -> None:
    x = np.arange(1000)
    for f, narrow in ((16, 2), (32, 4), (62, 8)):
        cluster = MemoryCluster(3)
        products(3, x, x, f, cluster)
        assert sum(t.bytes_sent for t in cluster.traffic) == 1000 * (24 + 3 * narrow)
        assert max(t.rounds for t in cluster.traffic) == 2


@each_m
def test_what_is_sent(m: int) -> None:
    if m == 3:
        for f, narrow in ((16, 2), (32, 4), (62, 8)):
            cluster = MemoryCluster(3)
            errors(3, None, np.zeros(1000, np.int64), f, cluster=cluster)
            assert sum(t.bytes_sent for t in cluster.traffic) == 1000 * (8 + 3 * narrow)
            assert max(t.rounds for t in cluster.traffic) == 2
    else:
        cluster = MemoryCluster(m)
        errors(m, None, np.zeros(10, np.int64), 16, cluster=cluster)
        assert max(t.rounds for t in cluster.traffic) == {4: 8, 5: 12, 7: 16}[m]
