"""Shuffle, permute, take, put: against numpy, uniform, masked, and the same messages whatever the values."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2

from mpc import exchange, mixing, permutation
from mpc.arrays import SecretArray
from mpc.errors import FrameInvalid, NotAPermutation, OutOfRange, ShapeMismatch, UnknownParty, WrongType
from mpc.memory import MemoryCluster
from mpc.shuffle import permute, put, shuffle, take
from mpc.transport import Frame
from tests.mpc.helpers import EACH

EDGE = (1 << 62) - 1


def unlikely(counts: Sequence[int]) -> float:
    """The chance that as many or more uneven counts come from a uniform distribution."""
    expected = sum(counts) / len(counts)
    statistic = sum((c - expected) ** 2 / expected for c in counts)
    return float(chi2.sf(statistic, len(counts) - 1))


def words_from(seed: int) -> Any:
    rng = np.random.default_rng(seed)
    return lambda attempt, count: rng.integers(0, 1 << 64, count, dtype=np.uint64)


def revealed(parties: int, program: Any, seed: int = 0) -> Any:
    """What party 0 sees revealed of the secrets the program returns; all parties must see the same."""

    async def run(party: Any) -> list[Any]:
        return [await party.reveal(x) for x in await program(party)]

    answers = MemoryCluster(parties, seed=seed).run(run)
    for other in answers[1:]:
        for mine, theirs in zip(answers[0], other, strict=True):
            np.testing.assert_array_equal(mine, theirs)
    return answers[0]


# -- permutations --------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "lanes"), [(0, 1), (1, 1), (2, 1), (1000, 1), (1000, 10), (30, 30)])
def test_uniform_gives_permutations_of_each_lane(n: int, lanes: int) -> None:
    p = permutation.uniform(words_from(0), n, lanes)
    for lane in range(lanes):
        block = slice(lane * n // lanes, (lane + 1) * n // lanes)
        assert sorted(p[block]) == list(range(block.start, block.stop))


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_every_permutation_is_as_likely(n: int) -> None:
    lanes = 500 * math.factorial(n)
    p = permutation.uniform(words_from(n), n * lanes, lanes).reshape(lanes, n)
    seen = Counter(map(tuple, (p - n * np.arange(lanes)[:, None]).tolist()))
    assert unlikely([seen[q] for q in itertools.permutations(range(n))]) > 1e-4


def test_words_that_would_bias_are_thrown_away_and_more_are_drawn() -> None:
    attempts: list[int] = []

    def draw(attempt: int, count: int) -> Any:
        attempts.append(attempt)  # the word 0 must be rejected for three places: 2^32 is not a multiple of 3
        return np.zeros(count, np.uint64) if attempt < 3 else words_from(1)(attempt, count)

    assert sorted(permutation.uniform(draw, 3)) == [0, 1, 2]
    assert attempts == [0, 1, 2, 3]


def test_compose_inverse_and_check() -> None:
    rng = np.random.default_rng(5)
    p, q = (rng.permutation(50).astype(np.int32) for _ in range(2))
    x = rng.integers(0, 100, 50)
    np.testing.assert_array_equal(x[permutation.compose(p, q)], x[p][q])
    np.testing.assert_array_equal(permutation.compose(p, permutation.inverse(p)), np.arange(50))
    assert permutation.is_permutation(p)
    for wrong in ([0, 0], [1, 2], [-1, 0], [0, 1, 3]):
        assert not permutation.is_permutation(np.array(wrong))
    with pytest.raises(OutOfRange):
        permutation.uniform(words_from(0), 1 << 31)


# -- shuffle -------------------------------------------------------------------------------


@pytest.mark.parametrize("parties", EACH)
@pytest.mark.parametrize("n", [0, 1, 2, 70])
def test_rows_stay_together(parties: int, n: int) -> None:
    rng = np.random.default_rng(n)
    a = rng.choice([-EDGE, EDGE, 0, 1, -1, 7], n)
    b = rng.normal(size=(n, 2, 3)).round(2)

    async def program(party: Any) -> Any:
        x = party.input(a if party.index == 0 else None, owner=0)
        y = party.input(b if party.index == 1 else None, owner=1)
        return shuffle(x, y, x < 0, y < 0)

    x, y, f, g = revealed(parties, program)
    b = np.rint(b * 65536) / 65536
    assert x.shape == a.shape and y.shape == b.shape and g.shape == b.shape
    assert x.dtype == np.int64 and y.dtype == np.float64
    rows = sorted(zip(x.tolist(), y.reshape(n, 6).tolist(), strict=True))
    assert rows == sorted(zip(a.tolist(), b.reshape(n, 6).tolist(), strict=True))
    np.testing.assert_array_equal(f, x < 0)
    np.testing.assert_array_equal(g, y < 0)


@pytest.mark.parametrize("parties", [3, 5])
def test_a_shuffle_is_uniform_and_its_inverse_undoes_it(parties: int) -> None:
    n, lanes = 4, 3000
    values = np.tile(np.arange(n, dtype=np.uint64), lanes)[:, None]

    async def program(party: Any) -> Any:
        share = exchange.public_share(party, values)
        by = mixing.draw(party, n * lanes, lanes)
        (there,) = await mixing.mix(party, [share], by)
        (back,) = await mixing.mix(party, [there], by.inverse())
        assert not np.array_equal(there, share)
        return [SecretArray(party, there), SecretArray(party, back)]

    there, back = revealed(parties, program)
    np.testing.assert_array_equal(back.view(np.uint64), values)
    seen = Counter(map(tuple, there.reshape(lanes, n).tolist()))
    assert unlikely([seen[q] for q in itertools.permutations(range(n))]) > 1e-4


def frames(program: Any, seed: int, parties: int = 3) -> list[Any]:
    cluster = MemoryCluster(parties, seed=seed, keep=True)
    cluster.run(program)
    return cluster.log


async def _moved(party: Any, values: Any, how: str) -> None:
    x = SecretArray(party, exchange.public_share(party, values.view(np.uint64)))
    flags = x < 0 if how == "bits" else None
    if how == "shuffle":
        await shuffle(x)[0]
    elif flags is not None:
        await flags
        await shuffle(flags)[0]
    else:
        await permute(x, np.arange(len(x)) if party.index == 1 else None, 1)


@pytest.mark.parametrize("parties", [3, 5])
@pytest.mark.parametrize("how", ["shuffle", "permute", "bits"])
def test_messages_do_not_depend_on_values(how: str, parties: int) -> None:
    def sizes(values: Any) -> Any:
        log = frames(lambda party: _moved(party, values, how), 3, parties)
        return sorted((f.sender, f.receiver, f.label, f.depth, len(f.payload)) for f in log)

    rng = np.random.default_rng(0)
    assert sizes(np.zeros(100, np.int64)) == sizes(rng.integers(-EDGE, EDGE, 100))


@pytest.mark.parametrize("parties", [3, 5])
@pytest.mark.parametrize("how", ["shuffle", "permute"])
def test_every_message_is_masked(how: str, parties: int) -> None:
    n = 20_000
    for f in frames(lambda party: _moved(party, np.full(n, 5), how), 1, parties):
        if len(f.payload) >= 8 * n:  # not the indexes of permute, which are a permutation
            assert unlikely(np.bincount(np.frombuffer(f.payload, np.uint8), minlength=256).tolist()) > 1e-6
        else:
            assert how == "permute" and sorted(np.frombuffer(f.payload, np.int32)) == list(range(n))


def test_the_index_message_of_permute_is_uniform() -> None:
    """The party that gets it learns nothing of the owner's permutation."""
    seen: Counter[tuple[int, ...]] = Counter()
    for seed in range(480):
        for f in frames(lambda party: _moved(party, np.arange(3), "permute"), seed):
            if len(f.payload) == 12:
                seen[tuple(np.frombuffer(f.payload, np.int32).tolist())] += 1
    assert sum(seen.values()) == 480
    assert unlikely([seen[q] for q in itertools.permutations(range(3))]) > 1e-4


def test_costs_of_three_parties() -> None:
    n = 1000

    def cost(program: Any) -> tuple[int, int]:
        cluster = MemoryCluster(3)
        cluster.run(program)
        return cluster.traffic[0].rounds, sum(t.bytes_sent for t in cluster.traffic)

    values = np.arange(n)
    assert cost(lambda party: _moved(party, values, "shuffle")) == (2, 4 * 8 * n)
    rounds, sent = cost(lambda party: _moved(party, values, "permute"))
    assert rounds == 2 and sent == 3 * 8 * n + 4 * n


# -- permute, take, put --------------------------------------------------------------------


@pytest.mark.parametrize("parties", EACH)
@pytest.mark.parametrize("n", [0, 1, 40])
def test_permute_take_and_put(parties: int, n: int) -> None:
    rng = np.random.default_rng(n)
    a, b, p = rng.integers(-EDGE, EDGE, n), rng.integers(-9, 9, (n, 2)), rng.permutation(n)
    owner = parties - 1

    async def program(party: Any) -> Any:
        x = party.input(a if party.index == 0 else None, owner=0)
        y = party.input(b if party.index == 1 else None, owner=1)
        s = party.input(p if party.index == 1 else None, owner=1)
        moved = permute((x, y, y < 0), p if party.index == owner else None, owner)
        alone = permute(y, p if party.index == owner else None, owner)
        taken, back = take(y, s), put([y, y < 0], s)
        return [*moved, alone, taken, *back, put(taken, s)]

    x, y, f, alone, taken, back, flags, same = revealed(parties, program)
    np.testing.assert_array_equal(x, a[p])
    np.testing.assert_array_equal(y, b[p])
    np.testing.assert_array_equal(f, b[p] < 0)
    np.testing.assert_array_equal(alone, b[p])
    np.testing.assert_array_equal(taken, b[p])
    np.testing.assert_array_equal(back, b[np.argsort(p)])
    np.testing.assert_array_equal(flags, b[np.argsort(p)] < 0)
    np.testing.assert_array_equal(same, b)


def test_permute_shares_afresh() -> None:
    async def program(party: Any) -> None:
        x = exchange.random_share(party, (50,))
        moved = await permute(SecretArray(party, x), np.arange(50) if party.index == 0 else None, 0)
        assert not (moved.share == x).any()

    MemoryCluster(3).run(program)


@pytest.mark.parametrize("parties", [3, 4])
@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ([0, 1, 1], NotAPermutation),
        ([0, 1, 3], NotAPermutation),
        ([-1, 0, 1], NotAPermutation),
        ([0, 1], ShapeMismatch),
        ([[0, 1, 2]], ShapeMismatch),
        ([0.0, 1.0, 2.0], WrongType),
        ([[1], [1, 2]], WrongType),
        ({0, 1, 2}, WrongType),
        ("abc", WrongType),
        (None, WrongType),
    ],
)
def test_a_bad_permutation_is_refused_at_the_owner_before_anything_is_sent(
    parties: int, wrong: Any, error: type[Exception]
) -> None:
    async def program(party: Any) -> None:
        x = SecretArray(party, exchange.random_share(party, (3,)))
        await permute(x, wrong if party.index == 2 else None, 2)

    cluster = MemoryCluster(parties)
    with pytest.raises(error):
        cluster.run(program)
    assert cluster.traffic[2].frames_sent == 0


def test_bad_arguments() -> None:
    async def program(party: Any) -> None:
        x = SecretArray(party, exchange.random_share(party, (3,)))
        y = SecretArray(party, exchange.random_share(party, (4,)))
        for call, error in [
            (lambda: shuffle(x, y), ShapeMismatch),
            (lambda: shuffle(x, x.sum()), ShapeMismatch),
            (lambda: shuffle(x, np.arange(3)), WrongType),
            (lambda: permute(x, np.arange(3), 3), UnknownParty),
            (lambda: take(x, y), ShapeMismatch),
            (lambda: take(x, np.arange(3)), WrongType),
            (lambda: put(x, x.astype(float)), WrongType),
            *(
                (lambda f=f, a=a: f(a, x), WrongType)
                for f in (take, put)
                for a in (3, None, "ab", np.arange(3), [x, 3])
            ),
            *((lambda a=a: permute(a, [0, 1, 2], 0), WrongType) for a in (3, None, np.arange(3), [x, 3])),
            (lambda: permute([], [0], 0), ShapeMismatch),
            (lambda: take([], x), ShapeMismatch),
        ]:
            with pytest.raises(error):
                await call()
        assert shuffle() == ()

    MemoryCluster(3).run(program)


def test_the_first_few_in_a_secret_order() -> None:
    values, order = np.array([[5, 6], [7, 8], [9, 1], [0, 2]]), np.array([2, 0, 3, 1])

    async def program(party: Any) -> Any:
        x = party.input(values, owner=0, shape=(4, 2))
        s = party.input(order, owner=1, shape=(4,))
        with pytest.raises(ShapeMismatch, match=r"take all rows, then slice: take\(x, order\)\[:3\]"):
            take(x, s[:3])
        with pytest.raises(WrongType, match=r"x\[indices\]"):
            take(x, order)
        return [take(x, s)[:3]]

    (found,) = revealed(3, program)
    np.testing.assert_array_equal(found, values[order][:3])


@pytest.mark.parametrize("parties", [3, 4])
def test_secret_indexes_that_are_no_permutation(parties: int) -> None:
    async def program(party: Any) -> None:
        x = party.input(np.array([0, 1, 1]) if party.index == 0 else None, owner=0)
        await take(x, x)

    with pytest.raises(NotAPermutation):
        MemoryCluster(parties).run(program)


@pytest.mark.parametrize("parties", [4, 5, 7])
def test_wrong_row_numbers_opened_to_the_owner_of_a_permutation(parties: int) -> None:
    """They index memory: numbers of any size are refused."""
    rng = np.random.default_rng(0)
    started: list[int] = []

    def tap(frame: Frame) -> list[Frame]:
        wrong = started and frame.receiver == 0 and frame.sender == 1
        return [replace(frame, payload=rng.bytes(len(frame.payload))) if wrong else frame]

    async def program(party: Any) -> None:
        x = await party.input(np.arange(1000), owner=0, shape=(1000,))
        started.append(party.index)
        await permute(x, np.arange(1000) if party.index == 0 else None, 0)

    with pytest.raises(FrameInvalid, match="no order of 1000 rows") as caught:
        MemoryCluster(parties, seed=1, tap=tap).run(program)
    assert caught.value.peer == -1


@pytest.mark.parametrize("how", ["shuffle", "permute"])
def test_large_tables_travel_in_pieces(how: str) -> None:
    n = 150_000
    values = np.arange(n)

    async def program(party: Any) -> Any:
        x = SecretArray(party, exchange.public_share(party, values.view(np.uint64)))
        return [shuffle(x)[0] if how == "shuffle" else permute(x, values[::-1] if party.index == 0 else None, 0)]

    (out,) = revealed(3, program)
    np.testing.assert_array_equal(np.sort(out) if how == "shuffle" else out[::-1], values)
