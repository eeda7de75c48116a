"""Bits as numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mpc import MemoryCluster, Party, bits, summands
from mpc.convert import bits_to_words
from mpc.sharing import Layout, reconstruct
from tests.mpc.helpers import each_m, shares_of

ROWS = [0, 1, 63, 64, 65, 300]


@each_m
@pytest.mark.parametrize("n", ROWS)
def test_bit_injection(m: int, n: int) -> None:
    check_injection(m, n)


@pytest.mark.parametrize("n", [4095, 4096, 4097, 3 * 4096 + 7, 3 * (1 << 16) + 65])
def test_chunks_with_every_party_as_dealer(n: int) -> None:
    cluster = check_injection(3, n)
    assert max(t.rounds for t in cluster.traffic) == 2
    assert sum(t.bytes_sent for t in cluster.traffic) == 24 * n


def check_injection(m: int, n: int) -> MemoryCluster:
    """Also with rubbish in the rows that fill up the last word, which must not matter."""
    rng = np.random.default_rng(n)
    words = rng.integers(0, 1 << 64, bits.plane_words(n), np.uint64)
    shares = shares_of(Layout(m), words, rng, boolean=True)

    async def program(party: Party) -> Any:
        return await bits_to_words(party, shares[party.index], n)

    cluster = MemoryCluster(m)
    result = reconstruct(Layout(m), dict(enumerate(cluster.run(program))))
    assert np.array_equal(result, bits.unpack(words, n))
    return cluster


@each_m
@pytest.mark.parametrize(("planes", "drop"), [(64, 0), (5, 0), (6, 58), (3, 61)])
def test_summands_add_up(m: int, planes: int, drop: int) -> None:
    n = 70
    rng = np.random.default_rng(m)
    secret = rng.integers(0, 1 << 64, n, np.uint64)
    shares = shares_of(Layout(m), secret, rng)

    async def program(party: Party) -> Any:
        dealt = await summands.deal_summands(party, shares[party.index], planes, drop=drop)
        u, v = await summands.add_down_to_two(party, dealt)
        return [*dealt, u, v]

    layout = Layout(m)
    answers = MemoryCluster(m).run(program)
    opened = []
    for j in range(layout.t + 3):
        as_planes = reconstruct(layout, {i: a[j] for i, a in enumerate(answers)}, boolean=True)
        words = np.empty(n, np.uint64)
        bits.from_planes(np.ascontiguousarray(as_planes), words)
        opened.append(words)
    mask = np.uint64((1 << planes) - 1)
    *dealt, u, v = opened
    assert np.array_equal((u + v) & mask, sum(dealt, np.zeros(n, np.uint64)) & mask)
    if drop == 0:
        assert np.array_equal(sum(dealt, np.zeros(n, np.uint64)) & mask, secret & mask)
