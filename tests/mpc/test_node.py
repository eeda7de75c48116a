"""A node among honest parties, in one process: keys, frames, runs that follow each other, mistakes that are told."""

from __future__ import annotations

import asyncio
import dataclasses
import random
import time
from typing import Any

import pytest
import uvloop

from mpc.agreement import holder_sets
from mpc.errors import (
    CredentialsUnusable,
    OutOfRange,
    PartyFailed,
    PeerLost,
    ProgramDiverged,
    ThresholdTooLarge,
    TooFewParties,
    TooManyParties,
    UnknownParty,
    UsageError,
)
from mpc.node import MPyCNode
from mpc.transport import Transport
from tests.mpc.nodes import World, get, put, started

A, B = b"label number", b"another one."


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def event_loop_policy(request: pytest.FixtureRequest) -> asyncio.AbstractEventLoopPolicy:
    return uvloop.EventLoopPolicy() if request.param == "uvloop" else asyncio.DefaultEventLoopPolicy()


def begin(nodes: list[MPyCNode], run: int = 1) -> list[Transport]:
    for node in nodes:
        node.transport.begin(run)
    return [node.transport for node in nodes]


# --- settings --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"threshold": 2}, ThresholdTooLarge),
        ({"threshold": -1}, ThresholdTooLarge),
        ({"index": 3}, UnknownParty),
        ({"index": -1}, UnknownParty),
        ({"rtt": -1.0}, OutOfRange),
        ({"heartbeat": 0.0}, OutOfRange),
        ({"session": b""}, OutOfRange),
        ({"max_frame": 4095}, OutOfRange),
        ({"max_frame": 1 << 32}, OutOfRange),
    ],
)
def test_settings_are_checked_before_anything_is_sent(change: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        dataclasses.replace(World.make(3).config(0), **change)


def test_two_parties_are_too_few() -> None:
    with pytest.raises(TooFewParties):
        World.make(2).config(0)


def test_too_many_parties_for_their_threshold() -> None:
    config = World.make(3).config(0)
    roster = tuple(dataclasses.replace(config.roster[0], index=i, fingerprint=f"{i:064x}") for i in range(10))
    with pytest.raises(TooManyParties, match="let 3 or 5"):
        dataclasses.replace(config, roster=roster)
    assert dataclasses.replace(config, roster=roster, threshold=3).t == 3


def test_a_roster_in_disorder_or_with_a_certificate_twice() -> None:
    world = World.make(3)
    with pytest.raises(UnknownParty):
        world.config(0, roster=world.roster[::-1])
    twin = dataclasses.replace(world.roster[2], fingerprint=world.roster[1].fingerprint)
    with pytest.raises(UnknownParty, match="one certificate"):
        world.config(0, roster=(*world.roster[:2], twin))


@pytest.mark.parametrize(
    "change", [{"key": b"rubbish"}, {"certificate": "/no/such/file"}, {"authority": b"rubbish"}, {"key": None}]
)
async def test_credentials_that_cannot_be_used(change: dict[str, Any]) -> None:
    world = World.make(3)
    if change == {"key": None}:
        change = {"key": world.credentials[1].key}  # another certificate's
    with pytest.raises(CredentialsUnusable, match="party 0"):
        await MPyCNode(world.config(0, **change)).start()


async def test_a_certificate_that_is_not_on_the_roster_is_noticed_at_home() -> None:
    world = World.make(3)
    other = world.credentials[1]
    with pytest.raises(CredentialsUnusable, match="roster"):
        await MPyCNode(world.config(0, certificate=other.certificate, key=other.key)).start()


def test_no_secret_in_the_repr() -> None:
    config = World.make(3).config(1)
    assert "PRIVATE" not in repr(config) and "listener" not in repr(config)


# --- keys ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("m", "t"), [(3, 1), (4, 1), (5, 2)])
async def test_all_agree_on_keys(m: int, t: int) -> None:
    async with started(World.make(m, threshold=t)) as nodes:
        for node in nodes:
            assert sorted(node.component_keys) == holder_sets(node.index, m, t) == sorted(node._prss_keys)
            for holders, key in node.component_keys.items():
                assert all(nodes[j].component_keys[holders] == key for j in holders)
                assert all(nodes[j]._prss_keys[holders] == node._prss_keys[holders] for j in holders)
                assert len(node._prss_keys[holders]) == 16 and node._prss_keys[holders] != key[:16]
            for peer, key in node.pair_keys.items():
                assert nodes[peer].pair_keys[node.index] == key


# --- the transport -----------------------------------------------------------------------------------


async def test_frames_of_all_sizes_in_any_order() -> None:
    sizes = [0, 1, 27, 28, 29, 4095, 4096, 4097, 65_508, 65_536, 262_144, 262_145, 3_000_001] + [8] * 300
    rng = random.Random(1)
    contents = [rng.randbytes(size) for size in sizes]
    labels = [b"%012d" % k for k in range(len(sizes))]
    async with started(World.make(3)) as nodes:
        transports = begin(nodes)
        requests = []
        for k in range(len(sizes)):
            if k % 2:  # half of them are asked for before they are sent
                requests += [(k, get(t, j, labels[k], sizes[k])) for t in transports for j in range(3) if j != t.index]
        tasks = [(k, asyncio.ensure_future(r)) for k, r in requests]
        await asyncio.sleep(0)
        order = list(range(len(sizes)))
        for t in transports:
            rng.shuffle(order)
            for k in order:
                for j in range(3):
                    if j != t.index:
                        put(t, j, labels[k], contents[k], depth=k)
        for k, task in tasks:
            assert await task == (k, contents[k])
        for k in range(0, len(sizes), 2):
            for t in transports:
                for j in range(3):
                    if j != t.index:
                        assert await get(t, j, labels[k], sizes[k]) == (k, contents[k])
        await asyncio.gather(*(t.finish() for t in transports))
        for t in transports:
            assert t.traffic.frames_sent == t.traffic.frames_received == 2 * len(sizes)
            assert t.traffic.bytes_sent == t.traffic.bytes_received == 2 * sum(sizes)
            assert t.traffic.rounds == len(sizes) - 1


async def test_another_operation_or_size_at_one_place_is_told() -> None:
    async with started(World.make(3)) as nodes:
        transports = begin(nodes)
        put(transports[0], 1, A, b"12345678", stamp=1)
        put(transports[0], 2, A, b"12345678", stamp=1)
        with pytest.raises(ProgramDiverged, match="party 0"):
            await get(transports[1], 0, A, 8, stamp=2)
        with pytest.raises(ProgramDiverged, match="party 0"):
            await get(transports[2], 0, A, 9, stamp=1)


async def test_a_program_that_ends_early_is_told() -> None:
    async with started(World.make(3)) as nodes:
        transports = begin(nodes)
        waiting = [asyncio.ensure_future(get(transports[i], 2, A, 8)) for i in (0, 1)]
        ending = asyncio.ensure_future(transports[2].finish())
        for task in waiting:
            with pytest.raises(ProgramDiverged, match="party 2"):
                await task
        for i in (0, 1):
            transports[i].abort(ProgramDiverged("as above"))
        with pytest.raises(PartyFailed, match="ProgramDiverged"):
            await ending


async def test_a_message_nobody_asks_for_is_told_in_the_end() -> None:
    async with started(World.make(3)) as nodes:
        transports = begin(nodes)
        put(transports[0], 1, A, b"x")
        ends = await asyncio.gather(*(t.finish() for t in transports), return_exceptions=True)
        assert ends[0] is None and ends[2] is None
        assert isinstance(ends[1], ProgramDiverged) and "party 0" in str(ends[1])


async def test_a_fast_party_may_be_a_run_ahead() -> None:
    async with started(World.make(3)) as nodes:
        transports = begin(nodes)
        await asyncio.gather(*(t.finish() for t in transports))
        transports[0].begin(2)
        put(transports[0], 1, A, b"early")
        ahead = asyncio.ensure_future(transports[0].finish())
        while not nodes[1].transport._early:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        for t in transports[1:]:
            t.begin(2)
        assert await get(transports[1], 0, A, 5) == (1, b"early")
        await asyncio.gather(ahead, *(t.finish() for t in transports[1:]))
        assert transports[1].traffic.frames_received == 1


async def test_frames_of_a_run_that_is_over_are_dropped() -> None:
    async with started(World.make(3)) as nodes:
        transports = begin(nodes)
        for t in transports[1:]:
            t.begin(2)
        put(transports[0], 1, A, b"late")
        put(transports[0], 1, B, bytes(300_000))
        transports[0].begin(2)
        put(transports[0], 1, A, b"news")
        assert await get(transports[1], 0, A, 4) == (1, b"news")
        await asyncio.gather(*(t.finish() for t in transports))


async def test_a_failure_ends_the_run_everywhere_and_the_next_one_works() -> None:
    async with started(World.make(3)) as nodes:
        transports = begin(nodes)
        waiting = [asyncio.ensure_future(get(transports[i], (i + 1) % 3, A, 8)) for i in range(3)]
        await asyncio.sleep(0)
        transports[2].abort(ZeroDivisionError("a secret: 42"))
        for task in waiting:
            with pytest.raises(PartyFailed) as caught:
                await task
            assert (caught.value.index, caught.value.kind, caught.value.detail) == (2, "ZeroDivisionError", "")
        for t in transports[:2]:
            with pytest.raises(PartyFailed):
                await t.finish()
        transports = begin(nodes, 2)
        put(transports[0], 1, A, b"works")
        assert await get(transports[1], 0, A, 5) == (1, b"works")
        await asyncio.gather(*(t.finish() for t in transports))


async def test_memory_of_a_failed_run_is_not_written_any_more() -> None:
    """A buffer may serve the next program while the rest of a frame of the last one is still coming in."""
    size = 1 << 24
    async with started(World.make(3)) as nodes:
        transports = begin(nodes)
        memory = bytearray(size)
        request = asyncio.ensure_future(transports[1].receive(0, A, 1, memoryview(memory)))
        put(transports[0], 1, A, b"\xff" * size)
        while not memory[0]:  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert not memory[-1]
        transports[1].abort(ZeroDivisionError())
        with pytest.raises(PartyFailed):
            await request
        transports = begin(nodes, 2)
        put(transports[0], 1, B, b"after")
        assert await get(transports[1], 0, B, 5) == (1, b"after")
        assert not memory[-1]
        await asyncio.gather(*(t.finish() for t in transports))


async def test_injected_round_trip_time() -> None:
    async with started(World.make(3, rtt=60.0)) as nodes:
        transports = begin(nodes)
        start = time.monotonic()
        for k in range(20):
            put(transports[0], 1, b"%012d" % k, b"x" * (1 if k % 3 else 100_000))
        for k in range(20):
            await get(transports[1], 0, b"%012d" % k, 1 if k % 3 else 100_000)
        assert time.monotonic() - start >= 0.029


async def test_leaving_is_no_death_but_who_still_needs_the_party_is_told() -> None:
    async with started(World.make(3)) as nodes:
        transports = begin(nodes)
        waiting = asyncio.ensure_future(get(transports[0], 2, A, 8))
        leaving = asyncio.ensure_future(nodes[2].shutdown())
        with pytest.raises(PeerLost, match="party 2 closed its node"):
            await waiting
        assert nodes[0].failure is None
        put(transports[0], 1, B, b"goes on")
        assert await get(transports[1], 0, B, 7) == (1, b"goes on")
        await asyncio.gather(leaving, nodes[0].shutdown(), nodes[1].shutdown())


async def leave(nodes: list[MPyCNode], leaver: int = 2) -> asyncio.Task[None]:
    """One node closes, and the others have heard of it when this returns."""
    leaving = asyncio.create_task(nodes[leaver].shutdown())
    others = [node for node in nodes if node.index != leaver]
    while not all(node.transport.connections[leaver].farewell for node in others):  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    return leaving


async def test_a_run_begun_after_a_farewell_does_not_wait_for_who_left() -> None:
    async with started(World.make(3)) as nodes, asyncio.timeout(10):
        transports = begin(nodes)
        await asyncio.gather(*(t.finish() for t in transports))
        leaving = await leave(nodes)
        for t in transports[:2]:
            t.begin(2)
        with pytest.raises(PeerLost, match="party 2 closed its node"):
            await get(transports[0], 2, A, 8)
        put(transports[0], 1, B, b"goes on")
        assert await get(transports[1], 0, B, 7) == (1, b"goes on")
        for t in transports[:2]:
            with pytest.raises(PeerLost, match="party 2 closed its node"):
                await t.finish()
        await asyncio.gather(leaving, nodes[0].shutdown(), nodes[1].shutdown())


async def test_a_run_of_mpyc_begun_after_a_farewell_does_not_wait_either() -> None:
    async with started(World.make(3)) as nodes, asyncio.timeout(10):
        transports = begin(nodes)
        await asyncio.gather(*(t.finish() for t in transports))
        leaving = await leave(nodes)
        transports[0].begin(2)
        with pytest.raises(PeerLost, match="party 2 closed its node"):
            await nodes[0].transfer(None, senders=2)
        await asyncio.gather(leaving, nodes[0].shutdown(), nodes[1].shutdown())


async def test_the_end_of_a_run_is_not_awaited_of_a_party_that_left_before() -> None:
    async with started(World.make(3)) as nodes, asyncio.timeout(10):
        transports = begin(nodes)
        leaving = await leave(nodes)
        for t in transports[:2]:
            with pytest.raises(PeerLost, match="party 2 closed its node"):
                await t.finish()
        await asyncio.gather(leaving, nodes[0].shutdown(), nodes[1].shutdown())


async def test_what_a_party_sent_before_it_left_counts() -> None:
    """It may have been a run ahead, and have ended that run too."""
    async with started(World.make(3)) as nodes, asyncio.timeout(10):
        transports = begin(nodes)
        await asyncio.gather(*(t.finish() for t in transports))
        transports[2].begin(2)
        for j in (0, 1):
            put(transports[2], j, A, b"last words")
        ending = asyncio.create_task(transports[2].finish())
        await asyncio.sleep(0)
        leaving = await leave(nodes)
        for t in transports[:2]:
            t.begin(2)
            assert await get(t, 2, A, 10) == (1, b"last words")
        await asyncio.gather(*(t.finish() for t in transports[:2]))
        await asyncio.gather(leaving, nodes[0].shutdown(), nodes[1].shutdown())
        await asyncio.gather(ending, return_exceptions=True)


@pytest.mark.parametrize("when", ["before the others begin", "after the others began"])
async def test_why_a_party_left_before_its_first_run_is_told(when: str) -> None:
    async with started(World.make(3)) as nodes, asyncio.timeout(10):
        if when == "after the others began":
            begin(nodes[:2])
        nodes[2].transport.abort(ZeroDivisionError("a secret: 42"))
        leaving = await leave(nodes)
        if when == "before the others begin":
            begin(nodes[:2])
        with pytest.raises(PeerLost, match=r"party 2 closed its node after its program failed \(ZeroDivisionError\)"):
            await get(nodes[0].transport, 2, A, 8)
        await asyncio.gather(leaving, nodes[0].shutdown(), nodes[1].shutdown())


async def test_requests_to_a_closed_node_fail() -> None:
    async with started(World.make(3)) as nodes:
        transports = begin(nodes)
    with pytest.raises(PeerLost):
        await get(transports[0], 1, A, 8)


async def test_a_node_starts_once() -> None:
    async with started(World.make(3)) as nodes:
        with pytest.raises(UsageError):
            await nodes[0].start()


# --- the barrier ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["a program failed", "a party is gone"])
async def test_a_barrier_ends_with_the_run(fault: str) -> None:
    """It waits for computations that will not end any more."""
    async with started(World.make(3)) as nodes, asyncio.timeout(10):
        begin(nodes)
        nodes[0]._pc_level = 5  # as if so many computations of MPyC were under way
        waiting = asyncio.create_task(nodes[0].barrier())
        await asyncio.sleep(0.01)
        assert not waiting.done()
        if fault == "a program failed":
            nodes[1].transport.abort(ZeroDivisionError("a secret: 42"))
            with pytest.raises(PartyFailed, match="ZeroDivisionError") as caught:
                await waiting
            assert caught.value.index == 1
        else:
            nodes[1].transport.connections[0].abort()
            with pytest.raises(PeerLost, match="party 1"):
                await waiting
        nodes[0]._pc_level = 0


async def test_a_barrier_waits_for_what_is_under_way_only() -> None:
    async with started(World.make(3)) as nodes, asyncio.timeout(10):
        begin(nodes)
        await nodes[0].barrier()
        nodes[0]._pc_level = 1
        waiting = asyncio.create_task(nodes[0].barrier("name"))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        nodes[0]._pc_level = 0
        nodes[0].barriers.wake()  # as the end of a computation does
        await waiting
