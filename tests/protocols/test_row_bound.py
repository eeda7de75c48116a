"""Rows of bounded length: what an owner makes of its rows, and what the computation keeps, to the last step."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc import MemoryCluster
from mpc.arrays import SecretArray
from mpc.errors import OutOfRange, ShapeMismatch, WrongType
from protocols.columns import read_on_grid
from protocols.row_bound import RowBound, bounded_rows, kept_rows

# -- at the owner ----------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    d=st.integers(1, 40),
    bound=st.floats(0.02, 50),
    spread=st.floats(0.01, 1000),
)
def test_no_row_is_longer_than_the_bound(seed: int, d: int, bound: float, spread: float) -> None:
    r = np.random.default_rng(seed)
    low = r.normal(size=d) * 100
    high = low + np.exp(r.normal(size=d) * 3)
    x = low + (high - low) * r.uniform(-0.5, 1.5, (20, d))
    x[0], x[1], x[2] = low, high, 1e300
    out = bounded_rows(x, low, high, bound=bound, spread=spread)
    words = [[int(v) for v in row] for row in out * 2.0**16]
    assert np.array_equal(words, out * 2.0**16)  # whole steps
    most = Fraction(bound) ** 2 * 2**32
    assert all(sum(w * w for w in row) <= most for row in words)
    if spread > 1.01 and bound > 0.5 and d < 10:  # and rows at a corner are cut to it, not to less
        assert math.sqrt(sum(w * w for w in words[1])) > bound * 2**16 - 2 * math.sqrt(d)


def test_values_go_to_their_place_between_the_bounds() -> None:
    x = [[0.0, 10.0], [5.0, 15.0], [2.5, 20.0], [-99.0, 99.0]]
    out = bounded_rows(x, [0, 10], [10, 20], bound=4.0, spread=1.0)
    far = 4.0 / math.sqrt(2)
    expected = [[-far, -far], [0, 0], [-far / 2, far], [-far, far]]
    np.testing.assert_allclose(out, expected, rtol=0, atol=2**-16)


def test_a_row_does_not_depend_on_others() -> None:
    x = np.random.default_rng(1).normal(size=(9, 4))
    bounds = [-2.0] * 4, [2.0] * 4
    whole = bounded_rows(x, *bounds, spread=4.0)
    for i in range(9):
        np.testing.assert_array_equal(whole[i], bounded_rows(x[i : i + 1], *bounds, spread=4.0)[0])


@pytest.mark.parametrize(
    ("x", "low", "high", "options", "error"),
    [
        ([[1.0, math.nan]], [0, 0], [1, 1], {}, OutOfRange),
        ([[1.0, 2.0]], [0, 1], [1, 1], {}, OutOfRange),
        ([[1.0, 2.0]], [0, 2], [1, 1], {}, OutOfRange),
        ([[1.0, 2.0]], [0, -math.inf], [1, 1], {}, OutOfRange),
        ([[1.0, 2.0]], [0], [1], {}, ShapeMismatch),
        ([1.0, 2.0], [0, 0], [1, 1], {}, ShapeMismatch),
        ([["a", "b"]], [0, 0], [1, 1], {}, WrongType),
        ([[1.0, 2.0]], [0, 0], [1, 1], {"bound": 0.0}, OutOfRange),
        ([[1.0, 2.0]], [0, 0], [1, 1], {"bound": math.nan}, OutOfRange),
        ([[1.0, 2.0]], [0, 0], [1, 1], {"spread": 0.0}, OutOfRange),
    ],
)
def test_what_is_refused(x: Any, low: Any, high: Any, options: Any, error: Any) -> None:
    with pytest.raises(error):
        bounded_rows(x, low, high, **options)


@pytest.mark.parametrize(("bound", "level", "d"), [(0.01, 0, 1), (1e9, 0, 1), (1000.0, 0, 1 << 12), (1.0, -1, 1)])
def test_bounds_out_of_range(bound: float, level: float, d: int) -> None:
    with pytest.raises(OutOfRange):
        RowBound.of(bound, level, d)


# -- in the computation ----------------------------------------------------------------------------


def kept(m: int, words: Any, bound: RowBound, present: Any = None) -> Any:
    """The words that are kept, of rows of any words: halves are put in and added up, as an input is below 2^62."""
    words = np.array(words, dtype=object)
    halves = [np.array([[int(v) // 4 for v in row] for row in words], np.int64)]
    halves.append(np.array([[int(v) % 4 for v in row] for row in words], np.int64))

    async def program(party: Any) -> Any:
        high, low = [await party.input(h, 0, frac=0) for h in halves]
        X = SecretArray(party, high.share * np.uint64(4) + low.share, 16)
        here = None if present is None else await party.input(present, 1)
        out = await kept_rows(X, here, bound)
        assert out.frac == 16
        return await party.reveal(read_on_grid(out, 0))

    return MemoryCluster(m, seed=3).run(program)[0]


def expected(words: Any, bound: RowBound, present: Any = None) -> Any:
    """In Python's integers, which do not wrap."""
    out = []
    for i, row in enumerate(words):
        keep = sum(int(v) ** 2 for v in row) <= bound.most and (present is None or present[i] != 0)
        out.append([int(v) if keep else 0 for v in row] + ([bound.level * keep] if bound.level else []))
    return np.array(out, np.int64)


def adversarial(bound: RowBound, d: int, seed: int) -> list[list[int]]:
    """Rows at the bound, one step beyond it, and rows whose squares wrap around to something small."""
    r = np.random.default_rng(seed)
    box = bound.box
    rows = [[s * box] + [0] * (d - 1) for s in (1, -1)]
    rows += [[s * (box + 1)] + [0] * (d - 1) for s in (1, -1)]
    rows += [[box] + [1] + [0] * (d - 2)] if d > 1 else []
    for v in (
        1 << 32,
        1 << 33,
        (1 << 32) + 1,
        1 << 61,
        (1 << 62) - 1,
        1 << 62,
        (1 << 63) - 1,
        -(1 << 63),
        1 - (1 << 63),
    ):
        rows += [[v] + [0] * (d - 1), [0] * (d - 1) + [-v if v > -(1 << 63) else v], [v] * d]
    for _ in range(40):  # around the bound, in all directions
        x = r.normal(size=d)
        length = bound.box * r.choice([0.5, 0.999999, 1.0, 1.000001, 2.0])
        rows.append([int(v) for v in x / np.linalg.norm(x) * length])
    return rows


@pytest.mark.parametrize("m", [3, 5])
@pytest.mark.parametrize(("length", "level", "d"), [(1.0, 0.5, 3), (1.0, 0.0, 1), (100.0, 7.0, 8), (0.1, 0.05, 2)])
def test_rows_that_are_too_long_are_zeros(m: int, length: float, level: float, d: int) -> None:
    bound = RowBound.of(length, level, d)
    rows = adversarial(bound, d, seed=d)
    present = np.random.default_rng(d).integers(0, 3, len(rows))  # 2 counts once, too
    for here in (None, present):
        found = kept(m, rows, bound, here)
        np.testing.assert_array_equal(found, expected(rows, bound, here))
        assert sum(map(any, found.tolist())) > 10


@settings(max_examples=100, deadline=None)
@given(length=st.floats(0.02, 1000), level=st.floats(0, 1000), factor=st.integers(1, 1 << 20))
def test_lengths_are_rounded_to_the_safe_side(length: float, level: float, factor: int) -> None:
    bound = RowBound.of(length, level, 4)
    assert bound.most <= Fraction(length) ** 2 * 2**32 < bound.most + 1
    steps = bound.times(factor)
    assert (steps - 1) ** 2 < bound.squared * factor**2 <= steps**2
