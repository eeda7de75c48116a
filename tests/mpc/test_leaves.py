"""Thermometers and look-up, for all pairs of four-bit blocks and for whole words."""

from __future__ import annotations

import numpy as np
import pytest

from mpc import bits, leaves


def looked_up(u: np.ndarray, v: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(G, P) of each block of the rows, (16, n) each, from two XOR-components of the thermometers."""
    n = u.size
    width = bits.plane_words(n)
    planes_u, planes_v = np.empty((2, 64, width), np.uint64)
    bits.to_planes(u, planes_u)
    bits.to_planes(v, planes_v)
    table = np.empty((leaves.THERMOMETER, width), np.uint64)
    leaves.thermometers(planes_u, table)
    mask = rng.integers(0, 1 << 64, table.shape, np.uint64)
    found = np.empty((2, 2 * leaves.BLOCKS, width), np.uint64)
    leaves.look_up(table ^ mask, planes_v, True, found[0])
    leaves.look_up(mask, planes_v, False, found[1])
    both = np.stack([bits.unpack(row, n) for row in found[0] ^ found[1]])
    return both[: leaves.BLOCKS], both[leaves.BLOCKS :]


def blocks(x: np.ndarray) -> np.ndarray:
    shifts = 4 * np.arange(leaves.BLOCKS, dtype=np.uint64)[:, None]
    return (x >> shifts) & np.uint64(15)


@pytest.mark.parametrize("block", range(leaves.BLOCKS))
def test_every_pair_of_blocks(block: int) -> None:
    u, v = (x.reshape(-1).astype(np.uint64) for x in np.mgrid[:16, :16])
    shift = np.uint64(4 * block)
    g, p = looked_up(u << shift, v << shift, np.random.default_rng(block))
    assert np.array_equal(g[block], u + v >= 16)
    assert np.array_equal(p[block], u + v == 15)


@pytest.mark.parametrize("n", [1, 63, 64, 65, 1000])
def test_whole_words(n: int) -> None:
    rng = np.random.default_rng(n)
    u, v = rng.integers(0, 1 << 64, (2, n), np.uint64)
    g, p = looked_up(u, v, rng)
    assert np.array_equal(g, blocks(u) + blocks(v) >= 16)
    assert np.array_equal(p, blocks(u) + blocks(v) == 15)


def test_thermometers_stand_for_at_least() -> None:
    u = np.arange(16, dtype=np.uint64)
    planes = np.empty((64, 1), np.uint64)
    bits.to_planes(u, planes)
    table = np.empty((leaves.THERMOMETER, 1), np.uint64)
    leaves.thermometers(planes, table)
    for j in range(1, 16):
        assert np.array_equal(bits.unpack(table[j - 1], 16), u >= j)
