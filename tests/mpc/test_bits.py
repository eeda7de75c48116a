"""Planes and packed bits: what goes in comes out, for every number of rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc import bits
from mpc.sharing import Layout

ROWS = [0, 1, 2, 63, 64, 65, 127, 128, 200, 4096 * 64 // 32 + 1]
rows = pytest.mark.parametrize("n", ROWS)


def words(seed: int, *shape: int) -> bits.Words:
    return np.random.default_rng(seed).integers(0, 1 << 64, shape, np.uint64)


@rows
@pytest.mark.parametrize("count", [1, 3, 63, 64])
def test_planes_are_the_bits_of_the_rows(n: int, count: int) -> None:
    values = words(n, n)
    planes = np.full((count, bits.plane_words(n)), 7, np.uint64)
    bits.to_planes(values, planes)
    for b in range(count):
        assert np.array_equal(bits.unpack(planes[b], n), (values >> np.uint64(b)) & np.uint64(1) == 1)
    back = np.empty(n, np.uint64)
    bits.from_planes(planes, back)
    assert np.array_equal(back, values & np.uint64((1 << count) - 1))


@rows
def test_rows_that_fill_up_the_last_word_are_zero(n: int) -> None:
    planes = np.full((64, bits.plane_words(n)), 7, np.uint64)
    bits.to_planes(np.full(n, (1 << 64) - 1, np.uint64), planes)
    packed = bits.pack(np.ones(n, np.bool_))
    assert bits.plane_words(n) == packed.size == -(-n // 64)
    for word in (*planes, packed):
        assert sum(int(w).bit_count() for w in word) == n


@given(st.lists(st.booleans(), max_size=200))
def test_pack_and_unpack(flags: list[bool]) -> None:
    array = np.array(flags, np.bool_)
    assert np.array_equal(bits.unpack(bits.pack(array), array.size), array)
    assert np.array_equal(bits.pack(array[::-1]), bits.pack(array[::-1].copy()))


@rows
def test_and3_is_the_product_of_components(n: int) -> None:
    x0, x1, y0, y1 = words(n, 4, n)
    out = np.empty(n, np.uint64)
    bits.and3(x0, x1, y0, y1, out)
    assert np.array_equal(out, (x0 & y0) ^ (x0 & y1) ^ (x1 & y0))


@rows
@pytest.mark.parametrize("m", [4, 5])
def test_and_over_a_table(n: int, m: int) -> None:
    layout = Layout(m)
    x, y = words(n, 2, layout.k, n)
    for table in layout.product_table:
        out = np.full(n, 7, np.uint64)
        bits.and_table(x, y, table, out)
        expected = np.zeros(n, np.uint64)
        for a, b in np.argwhere(table):
            expected ^= x[a] & y[b]
        assert np.array_equal(out, expected)
