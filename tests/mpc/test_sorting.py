"""Sort, argsort, sort_by: against numpy; and what the comparisons in the open show does not depend on the values."""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mpc import exchange, lexicographic, ordering, row_sort
from mpc.arrays import SecretArray
from mpc.errors import AccordError, OutOfRange, ShapeMismatch, WrongType
from mpc.memory import MemoryCluster
from mpc.sorting import sort_by
from mpc.transport import Frame
from tests.mpc.helpers import EACH
from tests.mpc.test_shuffle import EDGE, revealed, unlikely


def inputs(party: Any, *values: Any) -> list[Any]:
    return [party.input(v if party.index == 0 else None, owner=0, shape=np.shape(v)) for v in values]


def sorted_by(parties: int, values: Any, axis: int | None = -1, seed: int = 0) -> Any:
    async def program(party: Any) -> Any:
        (x,) = inputs(party, values)
        return [x.sort(axis), x.argsort(axis)]

    return revealed(parties, program, seed)


def check(parties: int, values: Any, axis: int | None = -1) -> None:
    found, places = sorted_by(parties, values, axis)
    np.testing.assert_array_equal(found, np.sort(values, axis))
    np.testing.assert_array_equal(places, np.argsort(values, axis, kind="stable"))


# -- against numpy -------------------------------------------------------------------------


@pytest.mark.parametrize("parties", EACH)
@pytest.mark.parametrize("n", [0, 1, 2, 3, 65])
def test_values_with_ties_and_edges(parties: int, n: int) -> None:
    rng = np.random.default_rng(n)
    check(parties, rng.choice([-EDGE, -1, 0, 1, 2, EDGE], n))


@pytest.mark.parametrize("n", [100, 1000, 5000])
def test_longer(n: int) -> None:
    check(3, np.random.default_rng(n).integers(-EDGE, EDGE, n))
    check(3, np.random.default_rng(n).integers(-3, 3, n))


@pytest.mark.parametrize("values", [np.arange(300), np.arange(300)[::-1].copy(), np.full(300, -7)])
def test_sorted_reversed_and_all_equal(values: Any) -> None:
    check(3, values)


def test_fixed_point() -> None:
    check(3, np.random.default_rng(0).integers(-1000, 1000, 200) / 16)


@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ((4, 5, 6), 0), ((4, 5, 6), 1), ((4, 5, 6), -1), ((4, 5, 6), None),
        ((3, 0), 1), ((0, 3), 1), ((7, 1), 1), ((300, 4), 0), ((), None),
    ],
)  # fmt: skip
def test_axes_as_numpy(shape: tuple[int, ...], axis: int | None) -> None:
    check(3, np.random.default_rng(1).integers(-9, 9, shape), axis)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    hnp.arrays(
        np.int64, hnp.array_shapes(max_dims=3, max_side=6), elements=st.integers(-EDGE, EDGE) | st.integers(-1, 1)
    ),
    st.data(),
)
def test_random_arrays(values: Any, data: Any) -> None:
    check(3, values, data.draw(st.sampled_from([None, *range(-values.ndim, values.ndim)])))


@pytest.mark.parametrize("parties", EACH)
@pytest.mark.parametrize("n", [0, 1, 30])
def test_several_keys_and_payload(parties: int, n: int) -> None:
    rng = np.random.default_rng(n)
    group, flag, real = rng.integers(-2, 3, n), rng.integers(0, 2, n), rng.integers(-40, 40, n) / 8
    wide = rng.integers(-EDGE, EDGE, (n, 2))

    async def program(party: Any) -> Any:
        g, f, r, w = inputs(party, group, flag, real, wide)
        down = [False, True, True]
        keys, payload = sort_by([g, f > 0, r], [w, w > 0, g], descending=down, bits=[2, None, 4])
        return [*keys, *payload]

    g, f, r, w, s, g2 = revealed(parties, program)
    place = np.lexsort((np.arange(n), -real, -flag, group))
    for found, expected in [(g, group), (f, flag > 0), (r, real), (w, wide), (s, wide > 0), (g2, group)]:
        np.testing.assert_array_equal(found, expected[place])
        assert found.dtype == expected.dtype


@pytest.mark.parametrize("parties", EACH)
@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_descending(parties: int, axis: int | None) -> None:
    values = np.random.default_rng(3).choice([-EDGE, -1, 0, 1, 7, EDGE], (5, 6))

    async def program(party: Any) -> Any:
        (x,) = inputs(party, values)
        return [x.sort(axis, descending=True), x.argsort(axis, descending=np.True_), x.sort(axis, "stable")]

    found, places, up = revealed(parties, program)
    np.testing.assert_array_equal(found, -np.sort(-values, axis))
    np.testing.assert_array_equal(places, np.argsort(-values, axis, kind="stable"))
    np.testing.assert_array_equal(up, np.sort(values, axis))


@pytest.mark.parametrize("parties", [3, 5])
@pytest.mark.parametrize("shape", [(0,), (1,), (70,), (3, 5), (4, 0), (2, 3, 4)])
@pytest.mark.parametrize("down", [False, True])
def test_bits_sorted_are_bits(parties: int, shape: tuple[int, ...], down: bool) -> None:
    flags = np.random.default_rng(4).random(shape) < 0.4
    sign = -1 if down else 1
    for axis in (None, *range(-len(shape), len(shape))):

        async def program(party: Any, axis: int | None = axis) -> Any:
            (x,) = inputs(party, flags.astype(int))
            p = x > 0
            return [
                p.sort(axis, descending=down),
                p.argsort(axis, descending=down),
                np.sort(p, axis),
                np.argsort(p, axis),
            ]

        found, places, up, up_places = revealed(parties, program)
        assert found.dtype == up.dtype == np.bool_
        np.testing.assert_array_equal(found, np.sort(sign * flags.astype(int), axis) == sign)
        np.testing.assert_array_equal(places, np.argsort(sign * flags.astype(int), axis, kind="stable"))
        np.testing.assert_array_equal(up, np.sort(flags, axis))
        np.testing.assert_array_equal(up_places, np.argsort(flags, axis, kind="stable"))


def test_one_array_as_keys_or_payload_is_one() -> None:
    key, square = np.array([3, 1, 2]), np.arange(9).reshape(3, 3)

    async def program(party: Any) -> Any:
        k, s = inputs(party, key, square)
        one, rows = sort_by(k, s, descending=[True])
        (same,), none = sort_by([k])
        assert none == ()
        flag, (again,) = sort_by(k > 1, (s,), descending=np.True_)
        return [one, rows, same, flag, again]

    one, rows, same, flag, again = revealed(3, program)
    np.testing.assert_array_equal(one, [3, 2, 1])
    np.testing.assert_array_equal(rows, square[[0, 2, 1]])
    np.testing.assert_array_equal(same, [1, 2, 3])
    np.testing.assert_array_equal(flag, [True, True, False])
    np.testing.assert_array_equal(again, square[[0, 2, 1]])


@pytest.mark.parametrize("down", [False, True])
def test_equal_keys_keep_their_order(down: bool) -> None:
    key = np.random.default_rng(2).integers(0, 4, 200)

    async def program(party: Any) -> Any:
        k, row = inputs(party, key, np.arange(200))
        return sort_by([k], [row], descending=down, bits=2)[1]

    (rows,) = revealed(3, program)
    np.testing.assert_array_equal(rows, np.argsort(-key if down else key, kind="stable"))


@pytest.mark.parametrize("parties", EACH)
@pytest.mark.parametrize("n", [0, 1, 70])
@pytest.mark.parametrize("keys", [1, 3, 9])
def test_bits_as_keys(parties: int, n: int, keys: int) -> None:
    """Up to eight by partitions, more by comparing."""
    rng = np.random.default_rng(n)
    flags, values = rng.integers(0, 2, (keys, n)), rng.integers(-EDGE, EDGE, n)

    async def program(party: Any) -> Any:
        *f, v = inputs(party, *flags, values)
        moved, payload = sort_by([x > 0 for x in f], [v, f[0] > 0], descending=[True, False, True, *[False] * 6][:keys])
        return [*moved, *payload]

    *moved, v, again = revealed(parties, program)
    signed = flags * np.array([-1, 1, -1, *[1] * 6])[:keys, None]
    place = np.lexsort((np.arange(n), *signed[::-1]))
    np.testing.assert_array_equal(moved, flags[:, place] > 0)
    np.testing.assert_array_equal(v, values[place])
    np.testing.assert_array_equal(again, flags[0, place] > 0)


@pytest.mark.parametrize("parties", EACH)
@pytest.mark.parametrize("widths", [(62,), (62, 62), (1, 5), (62, 1, 20, 9)])
def test_lexicographic_less(parties: int, widths: tuple[int, ...]) -> None:
    n = 130
    rng = np.random.default_rng(len(widths))
    diffs = [rng.choice([-(2 ** (w + 1)) + 2, -1, 0, 0, 1, 2 ** (w + 1) - 2], n) for w in widths]
    expected, equal = np.zeros(n, np.bool_), np.ones(n, np.bool_)
    for d in diffs:
        expected |= equal & (d < 0)
        equal &= d == 0

    async def program(party: Any) -> Any:
        dealt = [(d - (j + 1 < len(diffs))).view(np.uint64) for j, d in enumerate(diffs)]
        mask = exchange.random_share(party, (n,))
        shares = [await exchange.deal(party, d if party.index == 0 else None, 0, (n,)) + mask - mask for d in dealt]
        words = await lexicographic.less(party, np.stack(shares), [lexicographic.blocks_for(w) for w in widths], 1)
        opened = await exchange.reveal(party, words, boolean=True)
        return np.unpackbits(opened.view(np.uint8), bitorder="little")[:n]

    for found in MemoryCluster(parties).run(program):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("length", [1, 2, 3, 64, 1000, 1 << 16, 1 << 20])
@pytest.mark.parametrize("lanes", [1, 50])
def test_the_plan(length: int, lanes: int) -> None:
    sizes = ordering.plan(length, lanes)
    assert list(sizes) == sorted(set(sizes)) and sizes[-1] == length
    assert all(s & (s + 1) == 0 for s in sizes[:-1])  # balanced trees
    for height in range(1, 20):
        assert sum(ordering.steps(height, length)[1]) == height


# -- what is revealed ----------------------------------------------------------------------


def transcript(monkeypatch: pytest.MonkeyPatch, values: Any, seed: int, lanes: int = 1) -> tuple[list[bytes], Any, Any]:
    """(revealed comparisons, places found after the shuffle, sizes of all messages) of one sort."""
    opened: list[bytes] = []
    places: list[Any] = []
    true_reveal, true_order = exchange.reveal, row_sort.order

    async def reveal(party: Any, share: Any, *args: Any, **options: Any) -> Any:
        found = await true_reveal(party, share, *args, **options)
        if party.index == 0:
            opened.append(found.tobytes())
        return found

    async def order(party: Any, *args: Any) -> Any:
        found = await true_order(party, *args)
        if party.index == 0:
            places.append(found)
        return found

    async def program(party: Any) -> None:
        share = exchange.public_share(party, np.ascontiguousarray(values).view(np.uint64))
        await SecretArray(party, share.reshape(share.shape[0], lanes, -1)).sort()

    with monkeypatch.context() as patch:
        patch.setattr(row_sort, "reveal", reveal)
        patch.setattr(row_sort, "order", order)
        cluster = MemoryCluster(3, seed=seed, keep=True)
        cluster.run(program)
    return opened, places[0], sorted((f.sender, f.receiver, f.depth, len(f.payload)) for f in cluster.log)


@pytest.mark.parametrize("n", [50, 400])
def test_equal_and_distinct_rows_look_the_same(monkeypatch: pytest.MonkeyPatch, n: int) -> None:
    """Rows that are equal are told apart by their original order: so with the same randomness, all equal ones give the
    very transcript of ascending ones, bit by bit."""
    for seed in range(3):
        equal = transcript(monkeypatch, np.zeros(n, np.int64), seed)
        distinct = transcript(monkeypatch, np.arange(n) * 1000 - EDGE, seed)
        assert equal[0] == distinct[0] and equal[2] == distinct[2]
        np.testing.assert_array_equal(equal[1], distinct[1])


def order_counts(monkeypatch: pytest.MonkeyPatch, lane: list[int], seed: int) -> list[int]:
    """How often each order of a lane of four rows was found, over many lanes of the same values."""
    lanes = 2400
    places = transcript(monkeypatch, np.tile(lane, lanes), seed, lanes)[1].reshape(lanes, 4)
    seen = Counter(map(tuple, (places - 4 * np.arange(lanes)[:, None]).tolist()))
    return [seen[q] for q in itertools.permutations(range(4))]


@pytest.mark.parametrize("lane", [[5, 5, 5, 5], [1, 2, 3, 4], [9, -9, 9, 0], [EDGE, EDGE, -EDGE, -EDGE]])
def test_the_revealed_order_is_uniform(monkeypatch: pytest.MonkeyPatch, lane: list[int]) -> None:
    assert unlikely(order_counts(monkeypatch, lane, 7)) > 1e-4


def test_a_planted_leak_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ties broken by the public place after the shuffle, a mistake easily made, show which rows are equal."""
    true_order = row_sort.order

    async def leaky(party: Any, keys: Any, widths: Any, lanes: int = 1) -> Any:
        n = keys.shape[2]
        keys = keys.copy()
        keys[-1] = exchange.public_share(party, np.tile(np.arange(n // lanes, dtype=np.uint64), lanes))
        return await true_order(party, keys, widths, lanes)

    monkeypatch.setattr(row_sort, "order", leaky)
    assert unlikely(order_counts(monkeypatch, [1, 2, 3, 4], 7)) > 1e-4
    assert unlikely(order_counts(monkeypatch, [5, 5, 5, 5], 7)) < 1e-12
    assert unlikely(order_counts(monkeypatch, [9, -9, 9, 0], 7)) < 1e-12


# -- comparisons that are no order ---------------------------------------------------------


def rows_after(monkeypatch: pytest.MonkeyPatch, n: int, lanes: int, answer: Any) -> Any:
    """The values 0, 1, ... of every lane, sorted by comparisons whose results are ``answer(words)``."""

    async def program(party: Any) -> Any:
        async def reveal(party: Any, share: Any, **options: Any) -> Any:
            await exchange.reveal(party, share, **options)
            return answer(share.shape[1])

        monkeypatch.setattr(row_sort, "reveal", reveal)
        (x,) = inputs(party, np.tile(np.arange(n), (lanes, 1)))
        return [x.sort(), x.argsort()]

    return revealed(3, program)


@pytest.mark.parametrize(("n", "lanes"), [(2, 1), (30, 1), (1000, 1), (6000, 1), (5, 50), (200, 3)])
@pytest.mark.parametrize("kind", ["random", "never", "always"])
def test_any_results_of_comparisons_end_in_a_permutation(
    monkeypatch: pytest.MonkeyPatch, n: int, lanes: int, kind: str
) -> None:
    """What a peer sends can make the order wrong; it cannot lose a row or leave the arrays."""
    rng = np.random.default_rng(n)
    full = np.uint64(0xFFFFFFFFFFFFFFFF)
    noise = rng.integers(0, 1 << 64, 1 << 20, np.uint64)
    answer = {
        "random": lambda words: noise[:words].copy(),
        "never": lambda words: np.zeros(words, np.uint64),
        "always": lambda words: np.full(words, full),
    }[kind]
    values, places = rows_after(monkeypatch, n, lanes, answer)
    for found in (values, places):
        np.testing.assert_array_equal(np.sort(found), np.tile(np.arange(n), (lanes, 1)))


@pytest.mark.parametrize("n", [10, 50, 2000])
@pytest.mark.parametrize("parties", [3, 4])
def test_keys_beyond_their_width_come_out_in_some_order(n: int, parties: int) -> None:
    async def program(party: Any) -> Any:
        (x,) = inputs(party, np.arange(n) * 7)
        (key,), (value,) = sort_by([x], [x], bits=2)
        return [key, value]

    key, value = revealed(parties, program)
    np.testing.assert_array_equal(np.sort(key), np.arange(n) * 7)
    np.testing.assert_array_equal(key, value)
    again = revealed(parties, program)
    np.testing.assert_array_equal(key, again[0])


def test_keys_beyond_the_range_come_out_in_some_order() -> None:
    values = np.random.default_rng(1).integers(-(1 << 61), 1 << 61, 50)

    async def program(party: Any) -> Any:
        (x,) = inputs(party, values)
        return [(x * 4).sort(), (x * 4).argsort()]

    for seed in range(5):
        found, places = revealed(3, program, seed)
        np.testing.assert_array_equal(np.sort(found), np.sort(values * 4))
        np.testing.assert_array_equal(np.sort(places), np.arange(50))


def test_wrong_numbers_of_a_peer_end_in_a_wrong_order_or_a_named_error() -> None:
    rng = np.random.default_rng(0)
    for parties in (3, 5):
        for seed in range(3):
            started: list[int] = []

            def tap(frame: Frame, started: list[int] = started) -> list[Frame]:
                wrong = started and (frame.sender, frame.receiver) == (1, 0) and len(frame.payload) >= 8
                return [replace(frame, payload=rng.bytes(len(frame.payload))) if wrong else frame]

            async def program(party: Any, started: list[int] = started) -> Any:
                x = await party.input(np.arange(200), owner=0, shape=(200,))
                started.append(party.index)
                return await party.reveal(x.sort())

            with contextlib.suppress(AccordError):
                assert MemoryCluster(parties, seed=seed, tap=tap).run(program)[0].shape == (200,)


def test_few_rows_meet_in_a_gap_and_many_are_not_all_compared() -> None:
    for known, new, lanes in [(0, 63, 1), (7, 30, 40), (127, 1920, 1), (2047, 14336, 1)]:
        most = ordering.reach(known, new, lanes)
        starts = np.array([0, *np.cumsum([new] * lanes)], np.int64)  # all in one gap
        a, b = ordering.meetings(starts, most)
        assert (b > a).all() and (b - a).max() == most <= new - 1
        assert a.size == lanes * sum(min(most, new - 1 - i) for i in range(new))
        assert known or most == new - 1
        rng = np.random.default_rng(new)
        for _ in range(20):  # in random order nothing is left out
            gaps = np.bincount(np.searchsorted(np.sort(rng.random(known)), rng.random(new)), minlength=known + 1)
            assert gaps.max() <= most + 1


# -- bad input -----------------------------------------------------------------------------


def test_bad_arguments() -> None:
    async def program(party: Any) -> None:
        x = SecretArray(party, exchange.random_share(party, (3,)))
        y = SecretArray(party, exchange.random_share(party, (2, 3)))
        for call, error in [
            (lambda: x.sort(1), ShapeMismatch),
            (lambda: y.argsort(-3), ShapeMismatch),
            (lambda: sort_by([]), ShapeMismatch),
            (lambda: sort_by([y]), ShapeMismatch),
            (lambda: sort_by([x], [y]), ShapeMismatch),
            (lambda: sort_by([x], descending=[True, False]), ShapeMismatch),
            (lambda: sort_by([x], bits=[1, 2]), ShapeMismatch),
            (lambda: sort_by([x], bits=63), OutOfRange),
            (lambda: sort_by([x], bits=0), OutOfRange),
            (lambda: sort_by([x], bits=[2.5]), OutOfRange),
            (lambda: sort_by([np.arange(3)]), WrongType),
            (lambda: sort_by([x], [np.arange(3)]), WrongType),
            *((lambda b=b: sort_by([x], bits=b), OutOfRange) for b in (2.0, True, "2", [True])),
            *((lambda d=d: sort_by([x], descending=d), WrongType) for d in (1, None, "no", ["no"], [1], x)),
            *((lambda d=d: x.sort(descending=d), WrongType) for d in (1, None, "no")),
            (lambda: x.argsort(descending=0), WrongType),
            (lambda: (x > 0).sort(descending=1), WrongType),
            (lambda: x.sort((0,)), ShapeMismatch),
            (lambda: x.sort("a"), ShapeMismatch),
            (lambda: x.argsort(1.5), ShapeMismatch),
            *((lambda k=k: sort_by(k), WrongType) for k in (None, 3, np.arange(3), "ab", iter([x]))),
            *((lambda p=p: sort_by([x], p), WrongType) for p in (None, 3, np.arange(3), "ab")),
            (lambda: sort_by(y), ShapeMismatch),
            (lambda: sort_by(x, y), ShapeMismatch),
        ]:
            with pytest.raises(error):
                call()

    MemoryCluster(3).run(program)
