"""Sealed answers: opened later from shares they are what a release gives; nothing else gets in, or out."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc import MemoryCluster
from mpc.arrays import SecretArray, SecretBits
from mpc.errors import ShapeMismatch, WrongType
from mpc.exchange import public_share
from mpc.sharing import Layout
from protocols.accounting import Event
from protocols.description import Description, MeanScale, Slot
from protocols.errors import DescriptionInvalid, ShareInvalid, SharesDisagree, SharesMissing
from protocols.means import mean_described, seal_column_means, seal_mean
from protocols.mechanisms import DiscreteGaussian, DiscreteLaplace
from protocols.release import MinimumGroup, Released
from protocols.sealed import described, event_for, seal, seal_delivery, seal_derived
from protocols.sealed_share import SealedShare, open_sealed
from protocols.sensitivity import Sensitivity

PARTIES = [(3, 1), (4, 1), (5, 2)]
LAPLACE = DiscreteLaplace(0.7)


def opened_both_ways(m: int, t: int, make: Any, seed: int = 1) -> tuple[Any, Description, dict[int, SealedShare]]:
    """(what a reveal to party 1 gives there, the description, the shares) of what ``await make(party)`` seals."""

    async def program(party: Any) -> Any:
        sealed = await make(party)
        share = await sealed.share()
        return await sealed.reveal([1]), sealed.description, share

    answers = MemoryCluster(m, t, seed=seed).run(program)
    assert len({description.json for _, description, _ in answers}) == 1
    return answers[1][0], answers[0][1], {i: share for i, (_, _, share) in enumerate(answers)}


def same(a: Any, b: Any) -> None:
    """Equal in every attribute, NaN included, and of the same types."""
    if isinstance(a, Released):
        for f in dataclasses.fields(a):
            same(getattr(a, f.name), getattr(b, f.name))
    elif isinstance(a, tuple):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            same(x, y)
    elif isinstance(a, (np.ndarray, np.generic)):
        assert type(a) is type(b) and a.dtype == b.dtype and a.shape == b.shape
        np.testing.assert_array_equal(a, b)
    else:
        assert type(a) is type(b) and a == b


async def figures(party: Any) -> Any:
    return await seal(party, party.input([[1.5, 2.25]], 0, frac=6), LAPLACE, sensitivity=0.3)


async def gated(party: Any) -> Any:
    counts = party.input([100, 3, 60, 0], 2)
    return await seal(party, counts, DiscreteLaplace(60), sensitivity=1, minimum=MinimumGroup(50))


async def gated_by_others(party: Any) -> Any:
    counts, sums = party.input([100, 49, 50], 0), party.input([5.5, 6.5, 7.5], 1, frac=8)
    minimum = MinimumGroup(50, counts, 60.0)
    return await seal(party, sums, DiscreteLaplace(70), sensitivity=0.5, minimum=minimum)


async def mean(party: Any) -> Any:
    return await seal_mean(party, party.input(41, 0), party.input(20, 1), LAPLACE, low=0, high=3)


async def gated_mean(party: Any) -> Any:
    sums, counts = party.input([50.5, 2.0], 0, frac=8), party.input([90, 2], 1)
    return await seal_mean(party, sums, counts, DiscreteLaplace(50), low=-1, high=2.5, minimum=MinimumGroup(40))


async def column_means(party: Any) -> Any:
    sums, counts = party.input([[50.5, 20.0], [1.0, 2.0]], 0, frac=8), party.input([90, 2], 1)
    return await seal_column_means(party, sums, counts, LAPLACE, low=[0, -1], high=[1, 2.5], rows=2)


async def derived(party: Any) -> Any:
    noised = await seal(party, party.input([7, 9], 0), LAPLACE, sensitivity=1)
    return await seal_derived(party, noised.secrets[0] * 3 + 1, noised.description.events)


async def delivered(party: Any) -> Any:
    return await seal_delivery(party, party.input([1.5, -2.0], 2))


async def delivered_bits(party: Any) -> Any:
    return await seal_delivery(party, party.input(np.arange(70), 2) % 3 == 0)


MAKERS = [figures, gated, gated_by_others, mean, gated_mean, column_means, derived, delivered, delivered_bits]


@pytest.mark.parametrize(("m", "t"), PARTIES)
@pytest.mark.parametrize("make", MAKERS)
def test_any_parties_that_hold_all_open_what_a_receiver_in_the_run_gets(m: int, t: int, make: Any) -> None:
    at_once, description, shares = opened_both_ways(m, t, make)
    read = Description.from_json(description.json)
    assert read == description
    for some in itertools.combinations(range(m), t + 1):
        parts = {i: SealedShare.from_bytes(shares[i].to_bytes(), read) for i in some}
        same(open_sealed(read, parts, m, t), at_once)
    for few in itertools.combinations(range(m), t):
        with pytest.raises(SharesMissing, match=f"any {t + 1} of {m}"):
            open_sealed(read, {i: shares[i] for i in few}, m, t)


def test_what_is_delivered_is_as_it_is() -> None:
    _, description, shares = opened_both_ways(3, 1, delivered_bits)
    assert open_sealed(description, shares, 3, 1).tolist() == (np.arange(70) % 3 == 0).tolist()
    assert description.events == () and description.kind == "delivery"


@pytest.mark.parametrize("make", [figures, gated, gated_by_others, mean, gated_mean, column_means, derived])
def test_only_deliveries_are_without_noise(make: Any) -> None:
    assert opened_both_ways(3, 1, make)[1].events


def test_the_description_is_known_before_there_are_figures() -> None:
    event = event_for((1, 2), 6, LAPLACE, 0.3)
    assert described((1, 2), 6, (event,), gated=False) == opened_both_ways(3, 1, figures)[1]
    assert mean_described((), 0, LAPLACE, low=0, high=3) == opened_both_ways(3, 1, mean)[1]
    asked = mean_described((2,), 8, DiscreteLaplace(50), low=-1, high=2.5, gated=True)
    assert asked == opened_both_ways(3, 1, gated_mean)[1]


@pytest.mark.parametrize(("m", "t"), PARTIES)
def test_the_shares_handed_out_show_nothing_of_how_it_was_computed(m: int, t: int) -> None:
    """Public numbers, and numbers that were shifted, have components that anybody recognises; not when they leave."""
    values = np.arange(200)

    async def program(party: Any) -> Any:
        known = SecretArray(party, public_share(party, (values << 8).view(np.uint64)), 0)
        before, (after,) = known.share, (await (await seal_delivery(party, known)).share()).arrays
        return {a: (before[s], after[s]) for s, a in enumerate(party.layout.held[party.index])}

    seen: dict[Any, Any] = {}
    for held in MemoryCluster(m, t, seed=4).run(program):
        for a, (before, after) in held.items():
            assert np.array_equal(seen.setdefault(a, (before, after))[1], after)
    total = sum(after for _, after in seen.values())
    assert np.array_equal(total.view(np.int64), values << 8)
    for _, after in seen.values():
        assert len(set((after & np.uint64(255)).tolist())) > 80  # of 256, in 200 draws
    assert len({after.tobytes() for _, after in seen.values()}) == len(seen)


def test_bits_behind_the_last_one_do_not_leave() -> None:
    """Operations leave there whatever they like."""

    async def program(party: Any) -> Any:
        words = public_share(party, np.array([0b1011_0101], np.uint64))
        return (await (await seal_delivery(party, SecretBits(party, words, (3,)))).share()).arrays[0]

    seen: dict[Any, Any] = {}
    for i, array in enumerate(MemoryCluster(3).run(program)):
        seen |= {a: array[s] for s, a in enumerate(Layout(3, 1).held[i])}
    (total,) = seen[0, 1] ^ seen[0, 2] ^ seen[1, 2]
    assert total == 0b101


def test_groups_hidden_in_one_answer_are_hidden_in_another_at_no_cost() -> None:
    async def program(party: Any) -> Any:
        counts, sums = party.input([90, 10], 0), party.input([[5.0, 6.0], [7.0, 8.0]], 1, frac=8)
        by = await seal(party, counts, DiscreteLaplace(60), sensitivity=1, minimum=MinimumGroup(50))
        told = await seal(party, sums, DiscreteLaplace(60), sensitivity=1.0, hidden_as=by)
        one = await seal(party, sums[0], DiscreteLaplace(60), sensitivity=1.0, hidden_as=by)
        with pytest.raises(WrongType, match="sealed with a minimum"):
            await seal(party, sums, DiscreteLaplace(60), sensitivity=1.0, hidden_as=await figures(party))
        with pytest.raises(WrongType, match="no other minimum"):
            await seal(party, counts, DiscreteLaplace(60), sensitivity=1, hidden_as=by, minimum=MinimumGroup(2))
        with pytest.raises(ShapeMismatch):
            await seal(party, sums.T[:1, :1], DiscreteLaplace(60), sensitivity=1.0, hidden_as=by)
        return await told.reveal([0]), await one.reveal([0])

    told, one = MemoryCluster(3, seed=2).run(program)[0]
    assert told.shown.tolist() == [[True, False], [True, False]] and one.shown.tolist() == [True, False]
    assert np.allclose(told.values, [[5, 0], [7, 0]], atol=0.3) and told.values[:, 1].tolist() == [0, 0]
    assert len(told.events) == 1 and told.epsilon == 60.0


# -- who is at fault -----------------------------------------------------------------------------


def spoilt(share: SealedShare, components: Any) -> SealedShare:
    """With one word changed in these components."""
    arrays = tuple(x.copy() for x in share.arrays)
    for s in components:
        arrays[0][s, 0] += np.uint64(1)
    return dataclasses.replace(share, arrays=arrays)


@pytest.mark.parametrize(("m", "t"), PARTIES)
def test_whoever_gives_wrong_copies_is_named(m: int, t: int) -> None:
    _, description, shares = opened_both_ways(m, t, figures)
    for liar in range(m):
        k = len(shares[liar].arrays[0])
        wrong = {**shares, liar: spoilt(shares[liar], range(k))}
        with pytest.raises(SharesDisagree, match="ask for the shares again") as raised:
            open_sealed(description, wrong, m, t)
        assert raised.value.parties == (liar,)


def test_where_two_may_be_at_fault_both_are_named() -> None:
    _, description, shares = opened_both_ways(3, 1, figures)
    wrong = {**shares, 0: spoilt(shares[0], [0])}  # of parties 0 and 1: one word against another
    with pytest.raises(SharesDisagree, match="or another of them") as raised:
        open_sealed(description, wrong, 3, 1)
    assert raised.value.parties == (0, 1)


def test_two_liars_are_named_together_where_two_may_lie_and_else_everybody_is() -> None:
    for m, t, named in [(5, 2, (1, 3)), (3, 1, (0, 1, 2))]:
        _, description, shares = opened_both_ways(m, t, figures)
        wrong = dict(shares)
        for liar in named[:2]:
            k = len(shares[liar].arrays[0])
            wrong[liar] = (
                spoilt(spoilt(shares[liar], range(k)), range(k)) if liar == 1 else spoilt(shares[liar], range(k))
            )
        with pytest.raises(SharesDisagree) as raised:
            open_sealed(description, wrong, m, t)
        assert raised.value.parties == named


def test_many_parties_are_compared_in_time() -> None:
    """50 of them, most of which lie: as many sets of liars as there are must not be gone through."""
    m, t = 50, 1
    layout, description = Layout(m, t), Description("delivery", (Slot((2,)),))
    words = np.zeros((layout.k, 2), np.uint64)
    shares = {i: SealedShare(m, t, i, description.digest, (words + np.uint64(i % 40),)) for i in range(m)}
    with pytest.raises(SharesDisagree) as raised:
        open_sealed(description, shares, m, t)
    assert len(raised.value.parties) == m


def test_flags_are_compared_too() -> None:
    _, description, shares = opened_both_ways(3, 1, gated)
    arrays = shares[2].arrays
    wrong = dataclasses.replace(shares[2], arrays=(arrays[0], arrays[1] ^ np.uint64(1)))
    with pytest.raises(SharesDisagree) as raised:
        open_sealed(description, {**shares, 2: wrong}, 3, 1)
    assert raised.value.parties == (2,)


def test_a_share_of_something_else_is_refused() -> None:
    _, description, shares = opened_both_ways(3, 1, figures)
    _, other, _ = opened_both_ways(3, 1, mean)
    with pytest.raises(ShareInvalid, match="one of party 1"):
        open_sealed(description, {0: shares[0], 1: shares[2]}, 3, 1)
    with pytest.raises(ShareInvalid, match="one of party 0 of 4"):
        open_sealed(description, shares, 4, 1)
    with pytest.raises(ShareInvalid, match="another answer"):
        open_sealed(other, shares, 3, 1)
    with pytest.raises(ShareInvalid, match="another answer"):
        SealedShare.from_bytes(shares[0].to_bytes(), other)


# -- bytes and text ------------------------------------------------------------------------------

_, DESCRIPTION, SHARES = opened_both_ways(5, 2, gated_mean)
DATA = SHARES[3].to_bytes()


def test_no_share_is_in_a_repr() -> None:
    assert repr(SHARES[3]) == "<SealedShare of party 3 of 5, t=2>"


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_changed_bytes_are_a_share_of_the_same_shape_or_refused(data: Any) -> None:
    raw = bytearray(DATA)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.one_of(st.just(len(raw)), st.integers(0, len(raw))))
    more = data.draw(st.binary(max_size=3))
    try:
        share = SealedShare.from_bytes(bytes(raw[:cut]) + more, DESCRIPTION)
    except ShareInvalid:
        return
    assert share.digest == DESCRIPTION.digest
    assert [x.shape[1] for x in share.arrays] == [slot.words for slot in DESCRIPTION.slots]


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(raw: bytes) -> None:
    for tail in (raw, DATA[:22] + raw):
        with pytest.raises(ShareInvalid):
            SealedShare.from_bytes(tail, DESCRIPTION)


def test_bytes_beyond_what_the_answer_can_have_are_not_looked_at() -> None:
    with pytest.raises(ShareInvalid, match="more than this answer can have"):
        SealedShare.from_bytes(DATA + bytes(1 << 20), DESCRIPTION)


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(0, 4), max_size=3), st.integers(0, 12), st.booleans(), st.floats(0.1, 8), st.floats(0.1, 8))
def test_descriptions_are_what_they_were_written_as(
    shape: list[int], frac: int, flags: bool, epsilon: float, change: float
) -> None:
    event = event_for(tuple(shape), frac, DiscreteLaplace(epsilon), Sensitivity(((Fraction(change), 1),)))
    one = described(tuple(shape), frac, (event,), gated=flags)
    assert Description.from_json(one.json) == one
    other = Description(
        "derived", (Slot(tuple(shape), frac),), (event, Event(DiscreteGaussian(1.0, 1e-6), event.change))
    )
    assert Description.from_json(other.json) == other and other.digest != one.digest


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_changed_text_is_a_description_written_so_or_refused(data: Any) -> None:
    said = json.loads(DESCRIPTION.json)
    where = data.draw(st.sampled_from(["kind", "slots", "events", "scale", "format", "text"]))
    anything = st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4), st.just("mean")),
        lambda inner: st.lists(inner, max_size=4),
        max_leaves=8,
    )
    if where == "text":
        text = DESCRIPTION.json
        at = data.draw(st.integers(0, len(text)))
        text = text[:at] + data.draw(st.text(max_size=2)) + text[at + data.draw(st.integers(0, 2)) :]
    else:
        said[where] = data.draw(anything)
        text = json.dumps(said, sort_keys=True, separators=(",", ":"))
    with contextlib.suppress(DescriptionInvalid):
        assert Description.from_json(text).json == text


@pytest.mark.parametrize(
    ("kind", "slots", "events", "scale"),
    [
        ("figures", (Slot((2,)),), 0, None),  # without noise
        ("figures", (Slot((2,)),), 3, None),
        ("figures", (Slot((2,)), Slot((2,))), 1, None),  # flags that are numbers
        ("figures", (Slot((2,)), Slot((3,), boolean=True)), 1, None),
        ("figures", (Slot((2,), 3),), 1, None),  # noise of another grid
        ("mean", (Slot((2,)), Slot((2,))), 2, None),
        ("mean", (Slot((2,)), Slot((3,))), 2, MeanScale((0.0,), (-1.0,), (1.0,))),
        ("delivery", (Slot((2,)),), 1, None),
        ("anything", (Slot((2,)),), 1, None),
    ],
)
def test_what_does_not_fit_together_is_no_description(kind: str, slots: Any, events: int, scale: Any) -> None:
    event = event_for((2,), 0, LAPLACE, 1)
    with pytest.raises(Exception, match=r"sealed answer|noised figures"):
        Description(kind, slots, (event,) * events, scale)
