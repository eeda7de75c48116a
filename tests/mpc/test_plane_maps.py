"""Linear and bilinear maps on planes, against the same written with numpy."""

from __future__ import annotations

import numpy as np
import pytest

from mpc.plane_maps import Form, Linear
from mpc.sharing import Layout

WIDTHS = [0, 1, 63, 64, 65, 256, 300]


def words(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 1 << 64, shape, np.uint64)


def combined(planes: np.ndarray, which: np.ndarray) -> np.ndarray:
    return np.bitwise_xor.reduce(planes[..., which, :], axis=-2)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_linear_map(width: int) -> None:
    matrix = np.random.default_rng(width).integers(0, 2, (9, 13)).astype(np.bool_)
    matrix[3], matrix[4] = False, True
    x = words(width, 3, 13, width)
    out = Linear.of(matrix).of_components(x)
    assert out.shape == (3, 9, width)
    for o in range(9):
        assert np.array_equal(out[:, o], combined(x, np.flatnonzero(matrix[o])))
    assert np.array_equal(Linear.of(matrix).of_components(x[:, :, ::2]), out[:, :, ::2])


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("m", [3, 4, 5])
def test_a_bilinear_map(m: int, width: int) -> None:
    layout = Layout(m)
    left = np.array([[0, -1, -1, -1], [2, 1, -1, -1], [0, 1, 2, 4], [3, -1, -1, -1]])
    right = np.array([[5, -1, -1, -1], [0, 1, -1, -1], [2, 3, 4, 5], [1, -1, -1, -1]])
    matrix = np.array([[1, 0, 1, 0], [0, 1, 1, 1], [0, 0, 0, 0]], np.bool_)
    form = Form(left, right, Linear.of(matrix))
    x, y = words(1, layout.k, 2, 5, width), words(2, layout.k, 2, 6, width)
    for table in layout.product_table:
        out = np.full((2, 3, width), 7, np.uint64)
        form.product(x, y, table, out)
        for g in range(2):
            products = np.zeros((4, width), np.uint64)
            for a, b in np.argwhere(table):
                for q in range(4):
                    products[q] ^= combined(x[a, g], left[q][left[q] >= 0]) & combined(y[b, g], right[q][right[q] >= 0])
            for o in range(3):
                assert np.array_equal(out[g, o], combined(products, np.flatnonzero(matrix[o])))
