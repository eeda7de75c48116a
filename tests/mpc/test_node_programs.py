"""Programs of the engine and of MPyC on nodes in a process each: who waits, who differs, what a program gets."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest

from mpc.errors import LabelReused, UsageError
from mpc.node import MPyCNode, NodeConfig
from tests.mpc.nodes import World, forked, get, processes, put

A, B = b"label number", b"another one."


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
    ours, theirs = forked.Pipe()
    running = [forked.Process(target=older_manner, args=(world.config(i), theirs)) for i in range(3)]
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
