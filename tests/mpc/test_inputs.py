"""Input and reveal, and everything bad that can be put in: a named error before anything is sent, and nothing lost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mpc import MemoryCluster, Party, taps
from mpc.errors import (
    OutOfRange,
    PartyFailed,
    ShapeMismatch,
    ThresholdTooLarge,
    TooFewParties,
    UnknownParty,
    UsageError,
    WrongType,
)
from tests.mpc.helpers import EDGES, each_m, same

VALUES: list[Any] = [
    0, -5, True, 2.5, [], [[]], [1, 2], [[1.5, -2.5]], [True, False], np.array(EDGES),
    np.arange(6, dtype=np.uint8).reshape(2, 3).T,
    np.zeros((0, 3)), np.zeros((1,) * 8), np.arange(10)[::-3], np.float32([0.5]),
    np.broadcast_to(np.int16(7), (3, 2)),
]  # fmt: skip


@each_m
@pytest.mark.parametrize("values", VALUES, ids=lambda v: f"{np.asarray(v).dtype}{np.shape(v)}")
def test_what_goes_in_comes_out(m: int, values: Any) -> None:
    array = np.asarray(values)
    expected = array.astype(np.float64 if array.dtype.kind == "f" else np.int64)
    for owner in range(m):

        async def program(party: Party, owner: int = owner) -> Any:
            x = party.input(values if party.index == owner else "ignored", owner=owner)
            return await party.reveal(x), (await x).shape, x.dtype

        for opened, shape, dtype in MemoryCluster(m).run(program):
            same(np.asarray(opened), expected)
            assert (shape, dtype) == (expected.shape, expected.dtype)


@each_m
def test_an_input_is_one_round_of_one_masked_array(m: int) -> None:
    async def program(party: Party) -> None:
        await party.input(np.arange(100), owner=1)

    cluster = MemoryCluster(m, keep=True)
    cluster.run(program)
    data = [f for f in cluster.log if len(f.payload) == 800]
    assert [f.sender for f in data] == [1] * (m - cluster.layout.t - 1)
    assert max(t.rounds for t in cluster.traffic) == 1
    assert all(t.frames_sent == 0 for i, t in enumerate(cluster.traffic) if i != 1)


def test_the_owner_may_change_its_array_afterwards() -> None:
    async def program(party: Party) -> Any:
        mine = np.arange(4)
        x = party.input(mine, owner=0)
        mine[:] = 99
        return await party.reveal(x)

    for answer in MemoryCluster(3).run(program):
        same(answer, np.arange(4))


def test_a_revealed_array_is_the_callers_own() -> None:
    async def program(party: Party) -> Any:
        x = await party.input([1, 2], owner=0)
        first = await party.reveal(x)
        first[:] = 99
        return await party.reveal(x)

    for answer in MemoryCluster(3).run(program):
        same(answer, [1, 2])


@each_m
def test_reveal_to_some(m: int) -> None:
    async def program(party: Party) -> list[Any]:
        x = await party.input([7], owner=0)
        return [await party.reveal(s, to=to) for s in (x, x > 0) for to in (m - 1, [0, m - 1, 0], [], np.int64(1), {2})]

    for i, answers in enumerate(MemoryCluster(m).run(program)):
        who = [{m - 1}, {0, m - 1}, set(), {1}, {2}] * 2
        assert [a is not None for a in answers] == [i in w for w in who]


def test_reals_keep_the_fractional_bits_that_were_asked_for() -> None:
    async def program(party: Party) -> Any:
        x = await party.input([1 / 3], owner=0, frac=30)
        return x.frac, await party.reveal(x)

    for frac, value in MemoryCluster(3).run(program):
        assert frac == 30 and abs(value[0] - 1 / 3) <= 2.0**-31


# -- bad input: a named error, nothing sent, nothing lost -----------------------------------------

BAD_VALUES: list[tuple[Any, type[UsageError]]] = [
    (np.nan, OutOfRange), ([1.0, np.nan], OutOfRange), ([np.inf], OutOfRange), (-np.inf, OutOfRange),
    (1 << 62, OutOfRange),
    (-(1 << 62), OutOfRange), (np.array([1 << 63], np.uint64), OutOfRange), ([2.0**46], OutOfRange),
    (1 << 70, WrongType),
    (None, WrongType), ([None], WrongType), ("text", WrongType), (["a", "b"], WrongType), (b"bytes", WrongType),
    (1j, WrongType),
    (np.array([1, "a"], object), WrongType), (np.array(["2020-01-01"], "M8[D]"), WrongType), ({"a": 1}, WrongType),
    ([[1], [1, 2]], WrongType), ([1, [2, 3]], WrongType), (np.ma.array([1, 2], mask=[0, 1]), OutOfRange),
    (np.zeros((1,) * 9), ShapeMismatch),
]  # fmt: skip


@each_m
@pytest.mark.parametrize(("values", "error"), BAD_VALUES, ids=lambda v: repr(v)[:30])
def test_bad_values_raise_before_anything_is_sent_and_can_be_mended(
    m: int, values: Any, error: type[UsageError]
) -> None:
    """The place in the program is not taken either: the owner puts in something better, and all go on."""

    async def program(party: Party) -> Any:
        if party.index == 1:
            with pytest.raises(error, match="party 1"):
                party.input(values, owner=1)
            assert party.transport.traffic.frames_sent == 0
        return await party.reveal(party.input([5], owner=1))

    for answer in MemoryCluster(m).run(program):
        same(answer, [5])


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"owner": 3}, UnknownParty), ({"owner": -1}, UnknownParty), ({"owner": True}, UnknownParty),
        ({"owner": "0"}, UnknownParty),
        ({"owner": None}, UnknownParty), ({"owner": 0.0}, UnknownParty), ({"owner": 0, "frac": -1}, OutOfRange),
        ({"owner": 0, "frac": 41}, OutOfRange), ({"owner": 0, "frac": True}, OutOfRange),
        ({"owner": 0, "frac": 1.5}, OutOfRange),
        ({"owner": 0, "shape": (-1,)}, ShapeMismatch), ({"owner": 0, "shape": "ab"}, ShapeMismatch),
        ({"owner": 0, "shape": 1.5}, ShapeMismatch), ({"owner": 0, "shape": (2, None)}, ShapeMismatch),
    ],
)  # fmt: skip
def test_bad_options_raise_at_every_party(options: dict[str, Any], error: type[UsageError]) -> None:
    async def program(party: Party) -> Any:
        with pytest.raises(error):
            party.input([1, 2], **options)
        assert party.transport.traffic.frames_sent == 0
        return await party.reveal(party.input([5], owner=1, shape=1))  # type: ignore[arg-type]

    for answer in MemoryCluster(3).run(program):
        same(answer, [5])


@pytest.mark.parametrize("to", [3, -1, True, [0, 3], [True], "0", "01", 1.0, [0.0], [None], [[0]]])
def test_receivers_that_do_not_exist(to: Any) -> None:
    async def program(party: Party) -> Any:
        x = await party.input([1], owner=0)
        sent = party.transport.traffic.frames_sent
        with pytest.raises(UnknownParty, match="receiver"):
            party.reveal(x, to=to)
        assert party.transport.traffic.frames_sent == sent
        return await party.reveal(x)

    for answer in MemoryCluster(3).run(program):
        same(answer, [1])


@pytest.mark.parametrize("what", [3, None, np.arange(3), "x", [1, 2]])
def test_only_secrets_are_revealed(what: Any) -> None:
    async def program(party: Party) -> None:
        with pytest.raises(WrongType, match="reveal takes"):
            party.reveal(what)

    MemoryCluster(3).run(program)


def test_an_owners_shape_that_is_not_the_agreed_one_raises_before_anything_is_sent() -> None:
    async def program(party: Party) -> Any:
        if party.index == 0:
            with pytest.raises(ShapeMismatch, match=r"\(2,\).*\(3,\)"):
                party.input([1, 2], owner=0, shape=(3,))
            assert party.transport.traffic.frames_sent == 0
        return await party.reveal(party.input([1, 2, 3], owner=0, shape=(3,)))

    for answer in MemoryCluster(3).run(program):
        same(answer, [1, 2, 3])


@pytest.mark.parametrize("expected", [(3,), (2, 1), ()])
def test_parties_that_expect_another_shape_find_out(expected: tuple[int, ...]) -> None:
    cluster = MemoryCluster(3)
    sent: dict[int, int] = {}

    async def program(party: Party) -> Any:
        try:
            await party.input([1, 2], owner=0, shape=(2,) if party.index == 0 else expected)
        finally:
            sent[party.index] = party.transport.traffic.frames_sent

    with pytest.raises(ShapeMismatch, match=r"party 0 announced an input of shape \(2,\)"):
        cluster.run(program)
    assert sent[1] == sent[2] == 0
    works(cluster)


def test_parties_that_expect_another_type_find_out() -> None:
    cluster = MemoryCluster(3)

    async def program(party: Party) -> Any:
        await party.input([1.5], owner=0, frac=8 if party.index == 0 else 16)

    with pytest.raises(WrongType, match="8 fractional bits, but party"):
        cluster.run(program)
    works(cluster)


@pytest.mark.parametrize("shape", [(-1,), (1 << 31,), (1 << 62, 4), (0, 1 << 62)])
def test_an_announced_shape_that_is_none_ends_in_a_named_error(shape: tuple[int, ...]) -> None:
    """Nobody makes memory for it."""

    def announce(payload: bytes) -> bytes:
        notice = np.frombuffer(payload, np.int64).copy()
        notice[0], notice[2 : 2 + len(shape)] = len(shape), shape
        return notice.tobytes()

    cluster = MemoryCluster(3, tap=taps.alter(taps.nth(0), announce))

    async def program(party: Party) -> Any:
        return await party.reveal(party.input([1], owner=0))

    with pytest.raises((ShapeMismatch, OutOfRange), match="party 0 announced"):
        cluster.run(program)


def works(cluster: MemoryCluster) -> None:
    """The cluster is usable for the next run."""

    async def program(party: Party) -> Any:
        x = party.input([2, 3], owner=0)
        return await party.reveal(x * x > 5)

    for answer in cluster.run(program):
        same(answer, [False, True])


@pytest.mark.parametrize(
    ("values", "error"), [(np.nan, OutOfRange), ("a", WrongType), ([[1], [1, 2]], WrongType)], ids=str
)
def test_bad_input_nobody_catches_ends_the_run_and_names_the_party(values: Any, error: type[UsageError]) -> None:
    cluster = MemoryCluster(3)
    told: list[Any] = []

    async def program(party: Party) -> Any:
        x = party.input(values, owner=2)
        try:
            return await party.reveal(x)
        except PartyFailed as failed:
            told.append((failed.index, failed.kind))
            raise

    with pytest.raises(error, match="party 2"):
        cluster.run(program)
    assert told == [(2, error.__name__)] * 2
    assert all(t.frames_sent == 0 for t in cluster.traffic)
    works(cluster)


@pytest.mark.parametrize(
    ("m", "t", "error"),
    [
        (2, None, TooFewParties), (1, None, TooFewParties), (0, 0, TooFewParties),
        (3, 2, ThresholdTooLarge), (5, 3, ThresholdTooLarge),
    ],
)  # fmt: skip
def test_clusters_without_an_honest_majority(m: int, t: int | None, error: type[UsageError]) -> None:
    with pytest.raises(error):
        MemoryCluster(m, t)


def test_one_input_for_each_party() -> None:
    async def program(party: Party, mine: Any) -> None:
        return None

    cluster = MemoryCluster(3)
    for inputs in ([], [1], [1, 2, 3, 4]):
        with pytest.raises(UsageError, match="for 3 parties"):
            cluster.run(program, inputs)


# -- randomness ----------------------------------------------------------------------------------


@each_m
@pytest.mark.parametrize("shape", [(), (0,), (5,), (2, 3), (64,), (65,)])
def test_random_bits_and_integers(m: int, shape: tuple[int, ...]) -> None:
    async def program(party: Party) -> Any:
        flags, numbers = party.random_bits(shape), party.random_integers(shape, 5)
        again = party.random_integers((40,), 62)
        return [await party.reveal(s) for s in (flags, numbers, again, flags.sum())]

    answers = MemoryCluster(m).run(program)
    for flags, numbers, again, count in answers:
        assert flags.shape == numbers.shape == shape and flags.dtype == np.bool_
        assert count == np.sum(flags)
        assert np.all((numbers >= 0) & (numbers < 32))
        assert len(set(again.tolist())) == 40 and again.min() >= 0 and again.max() < 1 << 62
        assert again.max() > 1 << 59
    assert all(np.array_equal(a, b) for answer in answers for a, b in zip(answers[0], answer, strict=True))


@pytest.mark.parametrize("bits", [0, 63, -1, 1.5, True, "8"])
def test_random_integers_of_impossible_size(bits: Any) -> None:
    async def program(party: Party) -> None:
        with pytest.raises(OutOfRange, match="1 to 62"):
            party.random_integers((2,), bits)
        with pytest.raises(ShapeMismatch):
            party.random_bits((-1,))

    MemoryCluster(3).run(program)
