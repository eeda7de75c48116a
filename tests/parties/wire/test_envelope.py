"""Stamps: whatever arrives, in whatever order, nothing is taken twice; and what is new and in time is taken."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parties.errors import BootStale, MessageReplayed, PeerRefused
from parties.wire.envelope import LAST_NONCE, WINDOW, Outbox, ReplayGuard, Stamp

ALFA, BRAVO = "a" * 64, "b" * 64
NONCES = st.one_of(st.integers(1, 3 * WINDOW), st.integers(1, 12), st.integers(LAST_NONCE - 3, LAST_NONCE))


def taken(guard: ReplayGuard, sender: str, boot: str, nonce: int) -> bool:
    try:
        guard.check(sender, boot, nonce)
    except PeerRefused:
        return False
    return True


@given(st.lists(st.tuples(st.sampled_from([ALFA, BRAVO]), NONCES, st.booleans()), max_size=150))
@settings(max_examples=150, deadline=None)
def test_nothing_is_taken_twice_in_any_order_with_restarts(arrivals: list[tuple[str, int, bool]]) -> None:
    guard = ReplayGuard()
    sent: list[tuple[str, str, int]] = []
    count: Counter[tuple[str, str, int]] = Counter()
    for sender, nonce, restarts in arrivals:
        if restarts:
            guard = ReplayGuard()
        sent.append((sender, guard.boot, nonce))
        for message in sent:  # everything that was ever recorded is tried again
            count[message] += taken(guard, *message)
    assert not count or max(count.values()) == 1


@given(st.permutations(range(1, 41)), st.integers(0, LAST_NONCE - 41))
@settings(max_examples=60, deadline=None)
def test_what_comes_within_the_window_is_taken_once_in_any_order(order: list[int], start: int) -> None:
    guard = ReplayGuard()
    assert all(taken(guard, ALFA, guard.boot, start + i) for i in order)
    assert not any(taken(guard, ALFA, guard.boot, start + i) for i in order)
    assert guard.highest(ALFA) == start + 40
    assert guard.highest(BRAVO) == 0


def test_the_window_ends_where_it_says() -> None:
    guard = ReplayGuard()
    guard.check(ALFA, guard.boot, 5000)
    guard.check(ALFA, guard.boot, 5000 - WINDOW + 1)
    with pytest.raises(MessageReplayed, match="too old"):
        guard.check(ALFA, guard.boot, 5000 - WINDOW)
    guard.check(ALFA, guard.boot, 5001)
    for old in (5000, 5001, 5000 - WINDOW + 1, 0, -1):
        with pytest.raises(MessageReplayed):
            guard.check(ALFA, guard.boot, old)
    for never in (0, -1):
        with pytest.raises(MessageReplayed):
            guard.check(BRAVO, guard.boot, never)
    guard.check(BRAVO, guard.boot, 5000)  # every sender has numbers of its own


def test_another_start_is_another_boot_id() -> None:
    first, second = ReplayGuard(), ReplayGuard()
    assert first.boot != second.boot
    with pytest.raises(BootStale, match="hello"):
        second.check(ALFA, first.boot, 1)
    second.check(ALFA, second.boot, 1)


def test_memory_is_bounded_and_forgetting_takes_nothing_twice() -> None:
    guard = ReplayGuard()
    boot = guard.boot
    for i in range(4096):
        guard.check(f"{i:064x}", boot, 1)
    with pytest.raises(BootStale):
        guard.check("f" * 64, boot, 1)
    assert guard.boot != boot
    assert not any(taken(guard, f"{i:064x}", boot, nonce) for i in range(10) for nonce in (1, 2))
    guard.check("f" * 64, guard.boot, 1)
    assert len(guard._seen) == 1


def test_numbers_as_large_as_they_come_take_no_more_room() -> None:
    guard = ReplayGuard()
    for nonce in range(1, 3000):
        guard.check(ALFA, guard.boot, nonce)
    guard.check(ALFA, guard.boot, LAST_NONCE)
    assert all(bits.bit_length() <= WINDOW for _, bits in guard._seen.values())


def test_an_outbox_says_hello_first_and_goes_on_above_what_was_seen() -> None:
    guard, outbox = ReplayGuard(), Outbox()
    assert outbox.stamp() is None
    outbox.greeted(guard.boot, guard.highest(ALFA))
    assert [outbox.stamp() for _ in range(2)] == [Stamp(guard.boot, 1), Stamp(guard.boot, 2)]
    guard.check(ALFA, guard.boot, 2)

    anew = Outbox()  # the sender restarts, the receiver does not
    anew.greeted(guard.boot, guard.highest(ALFA))
    assert anew.stamp() == Stamp(guard.boot, 3)

    restarted = ReplayGuard()  # the receiver restarts
    outbox.forget(guard.boot)
    assert outbox.stamp() is None
    outbox.greeted(restarted.boot, 0)
    assert outbox.stamp() == Stamp(restarted.boot, 1)
    outbox.forget(guard.boot)  # a late refusal of the boot before
    assert outbox.stamp() == Stamp(restarted.boot, 2)


def test_a_second_hello_never_gives_a_number_out_again() -> None:
    outbox = Outbox()
    outbox.greeted("0" * 32, 0)
    given_out = [outbox.stamp() for _ in range(5)]
    outbox.forget("0" * 32)
    outbox.greeted("0" * 32, 2)  # only two of the five had arrived when it was asked
    assert outbox.stamp() not in given_out


@given(st.lists(st.sampled_from(["send", "lose", "restart sender", "restart receiver"]), max_size=40))
@settings(max_examples=100, deadline=None)
def test_whatever_restarts_a_hello_brings_a_message_through(events: list[str]) -> None:
    guard, outbox = ReplayGuard(), Outbox()
    for event in events:
        if event == "restart sender":
            outbox = Outbox()
        elif event == "restart receiver":
            guard = ReplayGuard()
        stamp = outbox.stamp()
        if stamp is None or (event != "lose" and not taken(guard, ALFA, stamp.boot, stamp.nonce)):
            if stamp is not None:
                outbox.forget(stamp.boot)
            outbox.greeted(guard.boot, guard.highest(ALFA))
            again = outbox.stamp()
            assert again is not None
            guard.check(ALFA, again.boot, again.nonce)
