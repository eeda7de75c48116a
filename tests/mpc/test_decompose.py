"""Bits of shared words and back, leading bits, look-ups, weighted sums."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc import MemoryCluster, Party, bits
from mpc.bitwise import from_bits, to_bits
from mpc.decompose import from_bits as planes_to_words
from mpc.decompose import leading_bit
from mpc.decompose import to_bits as words_to_planes
from mpc.errors import OutOfRange, ShapeMismatch
from mpc.separable import look_up, weigh
from mpc.sharing import Layout, reconstruct
from tests.mpc.helpers import PARTIES, Words, each_m, on_shares, random_values, same, shares_of

SIZES = (0, 1, 63, 64, 65, 200)


def on_components(
    m: int, f: Callable[[Party, Words], Any], values: Any, *, boolean_in: bool = False, boolean_out: bool = False
) -> Words:
    """``f(party, share)`` on a sharing whose components are all random, reconstructed."""
    layout = Layout(m)
    shares = shares_of(layout, values, np.random.default_rng(m), boolean=boolean_in)

    async def program(party: Party) -> Any:
        return await f(party, shares[party.index])

    return reconstruct(layout, dict(enumerate(MemoryCluster(m, seed=m).run(program))), boolean=boolean_out)


def words_of(planes: Words, n: int) -> Words:
    out = np.empty(n, np.uint64)
    bits.from_planes(np.ascontiguousarray(planes), out)
    return out


def planes_of(values: Words, count: int) -> Words:
    out = np.empty((count, bits.plane_words(values.size)), np.uint64)
    bits.to_planes(values, out)
    return out


@each_m
@pytest.mark.parametrize("count", [1, 2, 7, 22, 33, 63, 64])
def test_bits_of_words(m: int, count: int) -> None:
    for n in SIZES:
        values = random_values(np.random.default_rng(n), (n,), 63).view(np.uint64)
        planes = on_components(m, lambda p, x: words_to_planes(p, x, count), values, boolean_out=True)
        assert planes.shape == (count, bits.plane_words(n))
        np.testing.assert_array_equal(words_of(planes, n), values & np.uint64((1 << count) - 1))


def test_every_party_deals_bits_in_turn() -> None:
    n = 3 * 4096 + 70
    values = np.random.default_rng(0).integers(0, 1 << 64, n, np.uint64)
    planes = on_components(3, words_to_planes, values, boolean_out=True)
    np.testing.assert_array_equal(words_of(planes, n), values)


@each_m
@pytest.mark.parametrize("count", [1, 5, 9, 10, 32, 64])
def test_words_from_bits(m: int, count: int) -> None:
    for n in SIZES:
        values = np.random.default_rng(n).integers(0, 1 << 64, n, np.uint64) & np.uint64((1 << count) - 1)
        planes = planes_of(values, count)
        back = on_components(m, lambda p, b, n=n: planes_to_words(p, b, n), planes, boolean_in=True)  # type: ignore[misc]
        np.testing.assert_array_equal(back, values)


def test_words_from_bits_open_only_uniform_words() -> None:
    """What is opened for one input has every bit set about half of the time, and rows that fill up a word are 0."""
    n, layout = 2001, Layout(3)
    shares = shares_of(layout, planes_of(np.full(n, 7, np.uint64), 64), np.random.default_rng(0), boolean=True)
    cluster = MemoryCluster(3, seed=1)
    opened = []

    async def program(party: Party) -> Any:
        x = await planes_to_words(party, shares[party.index], n)
        return x

    for _ in range(2):
        answers = cluster.run(program)
        assert (reconstruct(layout, dict(enumerate(answers))) == 7).all()
        opened.append(answers[0][0] + answers[0][1])
    share = np.unpackbits(np.stack(opened).view(np.uint8)).mean()
    assert abs(share - 0.5) < 0.01
    assert not np.array_equal(opened[0], opened[1])


@each_m
def test_leading_bit(m: int) -> None:
    values = np.array([0, 1, 2, 3, 4, 7, 8, *(1 << b for b in range(5, 64)), (1 << 64) - 1, (1 << 40) + 5], np.uint64)
    place = on_components(m, leading_bit, planes_of(values, 64), boolean_in=True, boolean_out=True)
    expected = [int(v).bit_length() - 1 if v else 63 for v in values]
    np.testing.assert_array_equal(words_of(place, values.size), expected)


@each_m
@pytest.mark.parametrize(("digits", "columns"), [(1, 1), (3, 2), (4, 3)])
def test_look_up(m: int, digits: int, columns: int) -> None:
    rng = np.random.default_rng(digits)
    table = rng.integers(0, 1 << 64, (columns, 1 << digits), np.uint64)
    for n in (1, 64, 300):
        index = rng.integers(0, 1 << digits, n, np.uint64)
        found = on_components(
            m,
            lambda p, b, n=n: look_up(p, b, table, n),
            planes_of(index, digits),
            boolean_in=True,  # type: ignore[misc]
        )
        np.testing.assert_array_equal(found, table[:, index])


@each_m
def test_weighted_sums(m: int) -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(0, 1 << 64, (6, 50), np.uint64)
    total = on_components(m, lambda p, x: weigh(p, x[:, :3], x[:, 3:]), values)
    np.testing.assert_array_equal(total, (values[:3] * values[3:]).sum(axis=0, dtype=np.uint64))


@settings(max_examples=25)
@given(st.sampled_from(PARTIES), st.lists(st.integers(0, 4), max_size=3), st.sampled_from([1, 8, 20, 64]))
def test_arrays_of_bits_and_back(m: int, shape: list[int], count: int) -> None:
    values = random_values(np.random.default_rng(len(shape)), tuple(shape))
    found, back = on_shares(m, lambda x: [to_bits(x, count), from_bits(to_bits(x, count))], values)
    expected = (values[..., None] >> np.arange(count)) & 1
    same(found, expected.astype(np.bool_))
    same(back, values if count == 64 else values & ((1 << count) - 1))


def test_wrong_numbers_of_bits() -> None:
    async def program(party: Party) -> None:
        x = party.input(np.arange(3), owner=0)
        with pytest.raises(OutOfRange, match="65 bits"):
            to_bits(x, 65)
        with pytest.raises(ShapeMismatch, match="last axis"):
            from_bits(party.random_bits((2, 65)))
        await x

    MemoryCluster(3).run(program)
