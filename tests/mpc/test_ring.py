"""Kernels over Z_2^64 against numpy's wrapping arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc import ring
from mpc.sharing import Layout

sizes = st.sampled_from([0, 1, 2, 63, 64, 65, 4095, 4096, 4097])


def words(seed: int, *shape: int) -> ring.Words:
    return np.random.default_rng(seed).integers(0, 1 << 64, shape, np.uint64)


@given(sizes, st.integers(0, 99))
def test_mul3(n: int, seed: int) -> None:
    x0, x1, y0, y1, plus, minus = words(seed, 6, n)
    out = np.empty(n, np.uint64)
    ring.mul3(x0, x1, y0, y1, plus, minus, out)
    assert np.array_equal(out, x0 * y0 + x0 * y1 + x1 * y0 + plus - minus)


@given(sizes, st.sampled_from([3, 4, 5]), st.integers(0, 99))
def test_product_over_a_table(n: int, m: int, seed: int) -> None:
    layout = Layout(m)
    x, y = words(seed, 2, layout.k, n)
    for table in layout.product_table:
        out = np.full(n, 7, np.uint64)
        ring.product(x, y, table, out)
        expected = sum((x[a] * y[b] for a, b in np.argwhere(table)), np.zeros(n, np.uint64))
        assert np.array_equal(out, expected)


def test_product_takes_slices_of_longer_arrays() -> None:
    layout = Layout(5)
    x, y = words(1, 2, layout.k, 100)
    table = layout.product_table[0]
    whole, part = np.empty(100, np.uint64), np.empty(30, np.uint64)
    ring.product(x, y, table, whole)
    ring.product(x[:, 20:50], y[:, 20:50], table, part)
    assert np.array_equal(part, whole[20:50])


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (1, 1), (5, 7), (3, 4097)])
def test_row_dots(shape: tuple[int, int]) -> None:
    x, y, out = words(1, *shape), words(2, *shape), words(3, shape[0])
    expected = out + (x * y).sum(axis=1, dtype=np.uint64)
    ring.row_dots_into(x, y, out)
    assert np.array_equal(out, expected)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((1, 1), (1, 1)), ((3, 5), (5, 4)), ((3, 300), (300, 7)), ((3, 513), (513, 1)), ((1, 7), (7, 9)),
        ((0, 3), (3, 2)), ((2, 0), (0, 3)), ((3, 2), (2, 0)), ((4, 2, 3), (4, 3, 2)), ((4, 2, 3), (3, 2)),
        ((2, 3), (4, 3, 1)),
        ((4, 1, 2, 3), (5, 3, 2)), ((0, 2, 3), (3, 2)),
    ],
)  # fmt: skip
def test_matmul(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    x, y = words(1, *a), words(2, *b)
    product = ring.matmul(x, y)
    expected = np.matmul(x, y)
    assert product.shape == expected.shape and product.dtype == np.uint64
    assert np.array_equal(product, expected)


def test_matmul_of_views() -> None:
    x, y = words(1, 6, 8), words(2, 8, 6)
    for a, b in [(x.T, y.T), (x[::2, ::-1], y[:, 1::2]), (x[:, ::3], y[::3]), (x, y[:, :1]), (x, y.T[::2].T)]:
        assert np.array_equal(ring.matmul(a, b), a @ b)


def test_as_words_keeps_the_bits() -> None:
    values = np.array([[-1, 2], [3, -4]])
    assert np.array_equal(ring.as_words(values.T).view(np.int64), values.T)


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (8, 512), (9, 1030), (20, 100)])
def test_upper_dots(shape: tuple[int, int]) -> None:
    x, y = words(1, *shape), words(2, *shape)
    np.testing.assert_array_equal(ring.upper_dots(x, y), np.triu(x @ y.T))


def test_vecmat() -> None:
    x, y, out = words(1, 7), words(2, 7, 5), words(3, 5)
    expected = out + x @ y
    ring.vecmat_into(x, y, out)
    np.testing.assert_array_equal(out, expected)
