"""A program that differs between parties ends in ProgramDiverged, whatever it awaits; a slow one does not."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from mpc import LocalCluster, MemoryCluster, Party
from mpc.errors import PartyFailed, ProgramDiverged
from mpc.outcomes import plain
from mpc.stall import StallWatch

# -- divergences: party 0 does one operation more, and all await through something of asyncio's


def operation(party: Party) -> Awaitable[Any]:
    """What all parties do; at party 0 after one more operation, so nobody gets the messages it waits for."""
    x = party.random_integers((3,), 8)
    if party.index == 0:
        x = x * x
    return party.reveal(x)


async def asked(party: Party) -> Any:
    return await operation(party)


async def a_gathering_with_a_finished_child(party: Party) -> None:
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    done.set_result(None)
    await asyncio.gather(done, asked(party))


async def a_task_group(party: Party) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(asked(party))


async def a_wait(party: Party) -> None:
    done, _ = await asyncio.wait([asyncio.create_task(asked(party))])
    for task in done:
        task.result()


async def a_shield(party: Party) -> None:
    await asyncio.shield(asked(party))


async def a_lock(party: Party) -> None:
    lock = asyncio.Lock()

    async def holds() -> None:
        async with lock:
            await operation(party)

    holder = asyncio.create_task(holds())
    await asyncio.sleep(0)
    async with lock:
        await holder


async def an_event(party: Party) -> None:
    event = asyncio.Event()

    async def sets() -> None:
        await operation(party)
        event.set()

    setter = asyncio.create_task(sets())
    await event.wait()
    await setter


async def a_condition(party: Party) -> None:
    condition = asyncio.Condition()

    async def notifies() -> None:
        await operation(party)
        async with condition:
            condition.notify_all()

    notifier = asyncio.create_task(notifies())
    async with condition:
        await condition.wait()
    await notifier


async def a_queue(party: Party) -> None:
    queue: asyncio.Queue[Any] = asyncio.Queue()

    async def puts() -> None:
        await queue.put(await operation(party))

    putter = asyncio.create_task(puts())
    await queue.get()
    await putter


async def a_semaphore(party: Party) -> None:
    semaphore = asyncio.Semaphore(0)

    async def releases() -> None:
        await operation(party)
        semaphore.release()

    releaser = asyncio.create_task(releases())
    async with semaphore:
        await releaser


async def a_bare_future(party: Party) -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def sets() -> None:
        await operation(party)
        future.set_result(None)

    setter = asyncio.create_task(sets())
    await future
    await setter


async def a_finished_sleep_and_thread(party: Party) -> None:
    """What is over leaves no doubt: a timer, a pool's thread, a connection."""
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    await reader.read()
    writer.close()
    await writer.wait_closed()
    server.close()
    await asyncio.sleep(0.01)
    await asyncio.to_thread(time.sleep, 0.01)
    await operation(party)


async def nothing_at_one_party(party: Party) -> None:
    if party.index == 0:
        await asyncio.Event().wait()
    await party.reveal(party.random_integers((3,), 8))


DIVERGENCES = [
    asked,
    a_gathering_with_a_finished_child,
    a_task_group,
    a_wait,
    a_shield,
    a_lock,
    an_event,
    a_condition,
    a_queue,
    a_semaphore,
    a_bare_future,
    a_finished_sleep_and_thread,
    nothing_at_one_party,
]


# -- no divergences: party 0 is busy with something of its own for many looks, while the others wait for it


async def sleeps(party: Party) -> None:
    await asyncio.sleep(1.0)


async def works_in_a_thread(party: Party) -> None:
    await asyncio.to_thread(time.sleep, 1.0)


async def computes(party: Party) -> None:
    time.sleep(1.0)  # noqa: ASYNC251 - that is the point


async def runs_a_process(party: Party) -> None:
    code = "import time; time.sleep(1)"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
    await process.wait()


async def serves(party: Party) -> None:
    """A client in another process comes after a second."""
    came = asyncio.Event()

    def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()
        came.set()

    server = await asyncio.start_server(meet, "127.0.0.1", 0)
    code = f"import socket, time; time.sleep(1); socket.create_connection({server.sockets[0].getsockname()})"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
    await came.wait()
    server.close()
    await process.wait()


async def asks_a_server(party: Party) -> None:
    """A server in another process answers after a second."""
    code = """
import socket, time
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
connection, _ = listener.accept()
time.sleep(1)
connection.send(b"x")
"""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=pipe)
    assert process.stdout is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", int(await process.stdout.readline()))
    assert await reader.read(1) == b"x"
    writer.close()
    await process.wait()


LOADS = [sleeps, works_in_a_thread, computes, runs_a_process, serves, asks_a_server]


def uneven(load: Callable[[Party], Awaitable[None]]) -> Callable[[Party], Awaitable[list[int]]]:
    async def program(party: Party) -> list[int]:
        x = party.input([4], owner=1, shape=(1,))
        early = party.reveal(x * x)  # so that all have requests open
        if party.index == 0:  # in no place of the program, since the tasks asyncio starts inside would take one
            await asyncio.get_running_loop().create_task(load(party), context=contextvars.Context())  # type: ignore
        await early
        return (await party.reveal(x + x)).tolist()  # type: ignore[no-any-return]

    return program


# -- in memory


@pytest.mark.parametrize("program", DIVERGENCES, ids=lambda p: p.__name__)
def test_a_divergence_is_found_in_memory(program: Callable[..., Any]) -> None:
    with pytest.raises(ProgramDiverged) as caught:
        MemoryCluster().run(program, timeout=20)
    assert f"in {program.__name__}" in str(caught.value)  # the place at each party


@pytest.mark.parametrize("load", LOADS, ids=lambda load: load.__name__)
def test_an_uneven_load_is_no_divergence_in_memory(load: Callable[..., Any]) -> None:
    assert MemoryCluster().run(uneven(load), timeout=60) == [[8]] * 3


def test_the_place_at_each_party_is_told() -> None:
    async def program(party: Party) -> None:
        if party.index == 2:
            await asyncio.Event().wait()

    with pytest.raises(ProgramDiverged, match=r"party 0 waits for party 2 at the end of its program; party 1 waits"):
        MemoryCluster().run(program, timeout=20)
    with pytest.raises(ProgramDiverged, match=r"party 2 waits at test_stall.py:\d+ in program\. Run"):
        MemoryCluster().run(program, timeout=20)


def test_a_program_that_waits_for_ever_after_another_failed_is_ended() -> None:
    async def program(party: Party) -> None:
        if party.index == 1:
            raise KeyError("no such column")
        await asyncio.Event().wait()

    with pytest.raises(KeyError, match="no such column"):
        MemoryCluster().run(program, timeout=20)


def test_a_group_of_the_engines_errors_is_one_error_and_others_stay() -> None:
    diverged, told = ProgramDiverged("here"), PartyFailed(1, "KeyError")
    assert plain(ExceptionGroup("", [told, ExceptionGroup("", [diverged])])) is diverged  # the cause, see first_cause
    mixed = ExceptionGroup("", [told, ValueError("the program's own")])
    assert plain(mixed) is mixed and plain(mixed.exceptions[1]) is mixed.exceptions[1]


def test_a_failure_elsewhere_comes_out_of_a_task_group_as_itself() -> None:
    seen: list[BaseException] = []

    async def program(party: Party) -> None:
        if party.index == 1:
            raise KeyError("no such column")
        async with asyncio.TaskGroup() as group:
            for _ in range(2):
                group.create_task(asked(party))

    async def watched(party: Party) -> None:
        try:
            await party.run(lambda: program(party))
        except BaseException as error:
            seen.append(error)
            raise

    with pytest.raises(KeyError):
        MemoryCluster().run(watched, timeout=20)
    assert sorted(type(error).__name__ for error in seen) == ["KeyError", "PartyFailed", "PartyFailed"]


# -- processes


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(heartbeat=0.1, silence=20.0) as running:
        yield running


@pytest.mark.parametrize("program", DIVERGENCES, ids=lambda p: p.__name__)
def test_a_divergence_is_found_among_processes(cluster: LocalCluster, program: Callable[..., Any]) -> None:
    with pytest.raises(ProgramDiverged):
        cluster.run(program, timeout=30)


@pytest.mark.parametrize("load", LOADS, ids=lambda load: load.__name__)
def test_an_uneven_load_is_no_divergence_among_processes(cluster: LocalCluster, load: Callable[..., Any]) -> None:
    assert cluster.run(uneven(load), timeout=60) == [[8]] * 3


async def with_mpyc(party: Party) -> None:
    runtime = party.runtime
    x = runtime.SecInt(32)(party.index + 1)
    async with asyncio.TaskGroup() as group:
        group.create_task(waits_for_mpyc(runtime, x))


async def waits_for_mpyc(runtime: Any, x: Any) -> None:
    product = runtime.prod(runtime.input(x))
    if runtime.pid == 0:
        product = product * product
    await runtime.output(product)


async def behind_a_barrier(party: Party) -> None:
    runtime = party.runtime
    product = runtime.prod(runtime.input(runtime.SecInt(32)(party.index + 1)))
    if runtime.pid == 0:
        product = product * product
    await runtime.barrier()
    await runtime.output(product)


async def through_a_barrier(party: Party) -> int:
    runtime = party.runtime
    product = runtime.prod(runtime.input(runtime.SecInt(32)(party.index + 1)))
    await runtime.barrier()
    return int(await runtime.output(product))


async def mpyc_slowly(party: Party) -> int:
    runtime = party.runtime
    product = runtime.prod(runtime.input(runtime.SecInt(32)(party.index + 1)))
    if party.index == 0:
        await asyncio.sleep(1.0)
    return int(await runtime.output(product))


def test_mpycs_own_types(cluster: LocalCluster) -> None:
    with pytest.raises(ProgramDiverged):
        cluster.run(with_mpyc, timeout=30)
    with pytest.raises(ProgramDiverged):
        cluster.run(behind_a_barrier, timeout=30)
    assert cluster.run(through_a_barrier, timeout=60) == [6, 6, 6]
    assert cluster.run(mpyc_slowly, timeout=60) == [6, 6, 6]


# -- the argument, without clock and network


def beats(watches: list[StallWatch], counters: list[tuple[tuple[int, ...], tuple[int, ...]]]) -> bool:
    """Each beats once, all hear it; did anyone find a stall?"""
    found = False
    for i, watch in enumerate(watches):
        status = watch.beat(*counters[i])
        for j, other in enumerate(watches):
            if i != j:
                found |= other.heard(i, status)
    return found


QUIET = ((0, 0, 0), (0, 0, 0))


def test_two_rounds_of_equal_statuses_are_a_stall() -> None:
    watches = [StallWatch(i, 3) for i in range(3)]
    assert not beats(watches, [QUIET] * 3)
    assert beats(watches, [QUIET] * 3)


def test_a_frame_in_flight_or_a_party_that_moved_is_none() -> None:
    watches = [StallWatch(i, 3) for i in range(3)]
    sent = [((0, 1, 0), (0, 0, 0)), QUIET, QUIET]
    assert not any(beats(watches, sent) for _ in range(5))
    arrived = [sent[0], ((0, 0, 0), (1, 0, 0)), QUIET]
    assert not beats(watches, arrived)
    for watch in watches:
        watch.moving()
    assert not watches[1].heard(0, watches[0].beat(*arrived[0]))
