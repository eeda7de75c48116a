"""Products and matrix products of words, over every size around a chunk."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc import MemoryCluster, Party, arithmetic
from mpc.sharing import Layout, reconstruct
from tests.mpc.helpers import PARTIES, each_m, shares_of


def words(rng: np.random.Generator, *shape: int) -> Any:
    return rng.integers(0, 1 << 64, shape, np.uint64)


def on_words(m: int, f: Any, *secrets: Any) -> tuple[Any, MemoryCluster]:
    """The secret that ``f(party, *shares)`` gives a share of; holders of a component must agree on it."""
    rng = np.random.default_rng(m)
    shares = [shares_of(Layout(m), s, rng) for s in secrets]

    async def program(party: Party) -> Any:
        given = [s[party.index] for s in shares]
        before = [s.copy() for s in given]
        result = await f(party, *given)
        assert all(np.array_equal(a, b) for a, b in zip(given, before, strict=True)), "an operand was changed"
        return result

    cluster = MemoryCluster(m)
    return reconstruct(Layout(m), dict(enumerate(cluster.run(program)))), cluster


@settings(max_examples=40)
@given(st.sampled_from(PARTIES), st.lists(st.integers(0, 5), max_size=3), st.integers(0, 9))
def test_mul(m: int, shape: list[int], seed: int) -> None:
    x, y = (np.asarray(w) for w in words(np.random.default_rng(seed), 2, *shape))
    product, _ = on_words(m, arithmetic.mul, x, y)
    assert product.shape == tuple(shape) and np.array_equal(
        product, np.multiply(x.reshape(-1), y.reshape(-1)).reshape(shape)
    )


@each_m
@pytest.mark.parametrize("n", [arithmetic.CHUNK - 1, arithmetic.CHUNK, arithmetic.CHUNK + 1, 3 * arithmetic.CHUNK + 5])
def test_mul_in_chunks(m: int, n: int) -> None:
    n = n if m == 3 else n // 4
    x, y = words(np.random.default_rng(n), 2, n)
    product, cluster = on_words(m, arithmetic.mul, x, y)
    assert np.array_equal(product, x * y)
    layout = cluster.layout
    each = 8 * n * (m - layout.t - 1)
    assert [t.bytes_sent for t in cluster.traffic] == [each if i in layout.multipliers else 0 for i in range(m)]


@each_m
def test_mul_of_views(m: int) -> None:
    x, y = words(np.random.default_rng(m), 2, 6, 4)

    async def transposed(party: Party, a: Any, b: Any) -> Any:
        return await arithmetic.mul(party, a.transpose(0, 2, 1), b[:, ::-1].transpose(0, 2, 1))

    product, _ = on_words(m, transposed, x, y)
    assert np.array_equal(product, (x * y[::-1]).T)


@each_m
@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((1, 1), (1, 1)), ((2, 3), (3, 4)), ((3, 4, 2), (2, 5)), ((2, 1, 2, 3), (4, 3, 1)), ((0, 2), (2, 3)),
        ((2, 0), (0, 3)),
    ],
)  # fmt: skip
def test_matmul(m: int, a: tuple[int, ...], b: tuple[int, ...]) -> None:
    rng = np.random.default_rng(m)
    x, y = words(rng, *a), words(rng, *b)
    product, cluster = on_words(m, arithmetic.matmul, x, y)
    assert np.array_equal(product, x @ y) and product.shape == (x @ y).shape
    layout = cluster.layout
    assert sum(t.bytes_sent for t in cluster.traffic) == product.nbytes * (m - layout.t - 1) * len(layout.multipliers)


@each_m
def test_matmul_sends_nothing_for_the_inner_dimension(m: int) -> None:
    rng = np.random.default_rng(m)
    narrow = on_words(m, arithmetic.matmul, words(rng, 2, 1), words(rng, 1, 2))[1]
    wide = on_words(m, arithmetic.matmul, words(rng, 2, 700), words(rng, 700, 2))[1]
    assert narrow.traffic == wide.traffic
