"""A node among honest parties: programs of the engine and of MPyC run, runs follow each other, mistakes are told."""

from __future__ import annotations

import asyncio
import dataclasses
import multiprocessing
import random
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest
import uvloop

from mpc.agreement import holder_sets
from mpc.errors import (
    CredentialsUnusable,
    LabelReused,
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
from mpc.node import MPyCNode, NodeConfig
from mpc.transport import Transport
from tests.mpc.nodes import World, processes, started

A, B = b"label number", b"another one."


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def event_loop_policy(request: pytest.FixtureRequest) -> asyncio.AbstractEventLoopPolicy:
    return uvloop.EventLoopPolicy() if request.param == "uvloop" else asyncio.DefaultEventLoopPolicy()


def begin(nodes: list[MPyCNode], run: int = 1) -> list[Transport]:
    for node in nodes:
        node.transport.begin(run)
    return [node.transport for node in nodes]


async def get(transport: Transport, peer: int, label: bytes, size: int, stamp: int = 1) -> tuple[int, bytes]:
    memory = bytearray(size)
    depth = await transport.receive(peer, label, stamp, memoryview(memory))
    return depth, bytes(memory)


def put(transport: Transport, peer: int, label: bytes, payload: bytes, depth: int = 1, stamp: int = 1) -> None:
    transport.send(peer, label, stamp, depth, memoryview(payload))


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


# --- all wait for each other -------------------------------------------------------------------------


async def circular(node: MPyCNode) -> None:
    node.transport.begin(1)
    await get(node.transport, (node.index + 1) % 3, b"%012d" % node.index, 8)


def test_parties_that_wait_for_each_other_are_told() -> None:
    with processes(World.make(3, heartbeat=0.2), [circular] * 3) as running:
        errors = [process.outcome().error for process in running]
    assert set(errors) <= {"ProgramDiverged", "PartyFailed"} and "ProgramDiverged" in errors


async def differing(runtime: MPyCNode) -> None:
    x = runtime.input(runtime.SecInt(32)(7), senders=0)
    if runtime.pid == 1:
        x = x * x
    await runtime.transfer(x is None)


def test_a_differing_mpyc_program_is_told() -> None:
    with processes(World.make(3, heartbeat=0.2), [differing] * 3) as running:
        errors = [process.outcome().error for process in running]
    assert set(errors) <= {"ProgramDiverged", "PartyFailed"} and "ProgramDiverged" in errors


async def distracted(node: MPyCNode, wait: str) -> None:
    """All have requests open and are idle, for many heartbeats; but party 0 will go on by itself."""

    async def go_on() -> None:
        if wait == "sleep":
            await asyncio.sleep(1.0)
        elif wait == "thread":
            await asyncio.to_thread(time.sleep, 1.0)
        elif wait == "kernel":
            time.sleep(1.0)  # noqa: ASYNC251
        else:
            process = await asyncio.create_subprocess_exec("sleep", "1")
            await process.wait()
        put(node.transport, 1, A, b"x")

    node.transport.begin(1)
    if node.index == 0:
        beside = asyncio.ensure_future(go_on())
        await get(node.transport, 1, B, 1)
        await beside
        await get(node.transport, 2, A, 1)
    else:
        await get(node.transport, node.index - 1, A, 1)
        put(node.transport, (node.index + 1) % 3, A, b"x")
        if node.index == 1:
            put(node.transport, 0, B, b"x")
    await node.transport.finish()


@pytest.mark.parametrize("wait", ["sleep", "thread", "kernel", "subprocess"])
def test_a_party_that_waits_for_something_else_is_no_stall(wait: str) -> None:
    with processes(World.make(3, heartbeat=0.05, silence=5.0), [distracted] * 3, wait) as running:
        assert [process.outcome().text for process in running] == ["", "", ""]


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


# --- programs of MPyC ----------------------------------------------------------------------------------


async def ordinary(runtime: MPyCNode) -> list[Any]:
    secint, secfxp, secfld = runtime.SecInt(32), runtime.SecFxp(32, 16), runtime.SecFld(2**8)
    xs = runtime.input(secint(10 * runtime.pid - 5))
    prices = runtime.input(secfxp.array(np.array([1.5, 2.25, -3.0])), senders=0)
    octets = runtime.input(secfld.array(np.array([3, 7, 200])), senders=1)
    bits = runtime.random_bits(secint, 20)
    return [
        int(await runtime.output(runtime.sum(xs))),
        int(await runtime.output(runtime.prod(xs))),
        [int(b) for b in await runtime.output([xs[0] < xs[1], xs[1] < xs[0], xs[2] == 15])],
        (await runtime.output(prices * prices)).tolist(),
        [int(v) for v in await runtime.output(octets * octets)],
        await runtime.transfer({"party": runtime.pid, "data": np.arange(runtime.pid)}) and "transferred",
        {int(b) for b in await runtime.output(bits)} <= {0, 1},
        await runtime.output(secint(7), receivers=[1]) is not None,
        (await runtime.output(runtime.np_sort(runtime.input(secint.array(np.array([3, 1, 2])), senders=2)))).tolist(),
    ]


def test_an_ordinary_mpyc_program() -> None:
    with processes(World.make(3), [ordinary] * 3) as running:
        for i, outcome in enumerate(process.outcome() for process in running):
            assert outcome.error == "", outcome.text
            expected = [15, -5 * 5 * 15, [1, 0, 1], [2.25, 5.0625, 9.0], [5, 21, 113], "transferred", True, i == 1]
            assert outcome.answer == [*expected, [1, 2, 3]]


def older_manner(config: NodeConfig, pipe: Any) -> None:
    runtime = MPyCNode(config)
    runtime.adopt()
    runtime.run(runtime.start())
    x = runtime.input(runtime.SecInt(32)(runtime.pid + 1))
    pipe.send(int(runtime.run(runtime.output(runtime.prod(x)))))
    runtime.run(runtime.shutdown())


def test_a_program_in_mpycs_older_manner() -> None:
    world = World.make(3)
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    running = [spawn.Process(target=older_manner, args=(world.config(i), theirs)) for i in range(3)]
    for process in running:
        process.start()
    assert [ours.poll(30) and ours.recv() for _ in running] == [6, 6, 6]
    for process in running:
        process.join(20)
        assert process.exitcode == 0


async def failing(runtime: MPyCNode) -> Any:
    @runtime.coroutine
    async def divide(x):  # type: ignore[no-untyped-def]  # MPyC reads a return annotation as a declaration
        await runtime.returnType(type(x))
        x = await runtime.gather(x)
        return x / (x - x)

    x = runtime.input(runtime.SecInt(32)(7), senders=0)
    return int(await runtime.output(divide(x) * x + 1))


def test_an_error_in_an_mpyc_coroutine_arrives_where_its_result_is_awaited() -> None:
    with processes(World.make(3), [failing] * 3) as running:
        for outcome in [process.outcome() for process in running]:
            assert outcome.error == "ZeroDivisionError" or "ZeroDivisionError" in outcome.text


async def peeking(runtime: MPyCNode) -> None:
    x = runtime.input(runtime.SecInt(32)(7), senders=0)
    with pytest.raises(UsageError, match="unsafe_peek"):
        runtime.peek(x)
    await runtime.output(x)


def test_peek_is_refused() -> None:
    with processes(World.make(3), [peeking] * 3) as running:
        assert [process.outcome().text for process in running] == ["", "", ""]


def test_options_are_those_of_a_node() -> None:
    node = MPyCNode(World.make(3).config(0))
    assert node.options.sec_param == 40 and node.threshold == 1 and not node.options.no_prss
    assert not issubclass(LabelReused, UsageError)  # the two families are apart


def test_importing_mpyc_through_us_leaves_the_process_alone() -> None:
    code = """
import asyncio, logging, sys
sys.argv = ['program', '-M3', '-I1', '--help', '--unknown']
before = (list(sys.argv), logging.getLogger().handlers[:], logging.getLogger().level, asyncio.get_event_loop_policy())
import mpc.node
after = (list(sys.argv), logging.getLogger().handlers[:], logging.getLogger().level, asyncio.get_event_loop_policy())
assert before == after, (before, after)
async def inside():
    asyncio.get_running_loop().set_exception_handler(handler := lambda loop, context: None)
    for name in [n for n in sys.modules if n.startswith(('mpyc', 'mpc._mpyc'))]:
        del sys.modules[name]
    import mpc._mpyc
    assert asyncio.get_running_loop().get_exception_handler() is handler
asyncio.run(inside())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
