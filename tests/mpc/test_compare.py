"""Sign and zero test of words, and bits as numbers (test_convert.py), over every size around a chunk."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc import MemoryCluster, Party, bits, boolean, compare
from mpc.sharing import Layout, reconstruct
from tests.mpc.helpers import PARTIES, each_m, shares_of

SPECIAL = [
    0,
    1,
    2,
    (1 << 63) - 1,
    1 << 63,
    (1 << 63) + 1,
    (1 << 64) - 1,
    (1 << 64) - 2,
    1 << 62,
    0x0F0F0F0F0F0F0F0F,
    15,
    16,
]


def packed_result(m: int, f: Any, values: Any, seed: int = 0, *, xor: bool = False) -> tuple[Any, MemoryCluster]:
    """The bits that ``f(party, share)`` gives a share of."""
    layout = Layout(m)
    shares = shares_of(layout, values, np.random.default_rng(seed), boolean=xor)

    async def program(party: Party) -> Any:
        return await f(party, shares[party.index])

    cluster = MemoryCluster(m, seed=seed)
    words = reconstruct(layout, dict(enumerate(cluster.run(program))), boolean=True)
    n = values.shape[-1]
    unused = bits.unpack(words, 64 * words.size)[n:]
    assert xor or not unused.any(), "the rows that fill up the last word are not zero"
    return bits.unpack(words, n), cluster


def values_of(n: int, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 1 << 64, n, np.uint64) >> rng.integers(0, 64, n, np.uint64)
    return np.where(rng.integers(0, 3, n) == 0, rng.choice(np.array(SPECIAL, np.uint64), n), values)


@settings(max_examples=40)
@given(st.sampled_from(PARTIES), st.sampled_from([0, 1, 2, 63, 64, 65, 200]), st.integers(0, 99))
def test_sign_and_zero(m: int, n: int, seed: int) -> None:
    values = values_of(n, seed)
    assert np.array_equal(packed_result(m, compare.sign_bit, values, seed)[0], values >= 1 << 63)
    assert np.array_equal(packed_result(m, compare.is_zero, values, seed)[0], values == 0)


@each_m
def test_special_words(m: int) -> None:
    values = np.array(SPECIAL * 10, np.uint64)
    assert np.array_equal(packed_result(m, compare.sign_bit, values)[0], values >= 1 << 63)
    assert np.array_equal(packed_result(m, compare.is_zero, values)[0], values == 0)


@pytest.mark.parametrize("n", [4096, 4097, 2 * 4096 + 64, 3 * 4096, 3 * 4096 + 1, 3 * (1 << 16) + 70])
def test_chunks_with_every_party_as_dealer(n: int) -> None:
    values = values_of(n, n)
    assert np.array_equal(packed_result(3, compare.sign_bit, values)[0], values >= 1 << 63)
    assert np.array_equal(packed_result(3, compare.is_zero, values)[0], values == 0)


def test_what_is_sent_for_three_parties() -> None:
    n = 3 * 4096
    for f, bits_an_element in ((compare.sign_bit, 241 + 64 + 3 * (2 * 15 - 4)), (compare.is_zero, 241 + 32 + 3 * 15)):
        _, cluster = packed_result(3, f, values_of(n, 1))
        assert max(t.rounds for t in cluster.traffic) == 6
        sent = [t.bytes_sent for t in cluster.traffic]
        assert max(sent) == min(sent) and sum(sent) <= bits_an_element * n / 8
        assert sum(sent) / n / 3 <= (16.1 if f is compare.sign_bit else 13.25)


def planes(m: int, count: int, seed: int) -> tuple[Any, list[Any]]:
    """Random planes (count, 3) and their sharing."""
    rng = np.random.default_rng(seed)
    secret = rng.integers(0, 1 << 64, (count, 3), np.uint64)
    return secret, shares_of(Layout(m), secret, rng, boolean=True)


@each_m
@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 16, 63])
def test_circuits(m: int, count: int) -> None:
    x, x_shares = planes(m, count, 1)
    y, y_shares = planes(m, count, 2)

    async def program(party: Party) -> Any:
        a, b = x_shares[party.index], y_shares[party.index]
        before = a.copy(), b.copy()
        results = (
            await boolean.and_(party, a, b), await boolean.and_all(party, a), await boolean.carry_out(party, a, b),
        )  # fmt: skip
        assert np.array_equal(a, before[0]) and np.array_equal(b, before[1])
        return results

    answers = MemoryCluster(m).run(program)
    both, every, carry = (
        reconstruct(Layout(m), dict(enumerate(a[j] for a in answers)), boolean=True) for j in range(3)
    )
    assert np.array_equal(both, x & y)
    assert np.array_equal(every, np.bitwise_and.reduce(x, axis=0))
    expected = np.zeros(3, np.uint64)
    for g, p in zip(x, y, strict=True):
        expected = g ^ (p & expected)
    assert np.array_equal(carry, expected)
