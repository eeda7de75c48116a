"""A loop is idle when nothing but a peer could wake it: whatever it awaits, and whichever loop it is."""

from __future__ import annotations

import asyncio
import concurrent.futures
import signal
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import uvloop

from mpc.idle import LoopWatch

LOOPS = {"asyncio": asyncio.SelectorEventLoop, "uvloop": uvloop.new_event_loop}
each_loop = pytest.mark.parametrize("make", LOOPS.values(), ids=LOOPS)
Make = Callable[[], asyncio.AbstractEventLoop]


async def is_idle(watch: LoopWatch) -> bool:
    """One look, while this coroutine waits for nothing but its outcome."""
    answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    watch.look(answer.set_result)
    return await answer


async def soon(watch: LoopWatch, wanted: bool) -> None:
    """Look until the answer is the wanted one."""
    until = time.monotonic() + 20  # not asyncio's timeout, which is a timer
    while await is_idle(watch) is not wanted:
        assert time.monotonic() < until
        await asyncio.sleep(0.01)


def run(make: Make, test: Callable[[LoopWatch], Coroutine[Any, Any, None]]) -> None:
    async def watched() -> None:
        watch = LoopWatch.on(asyncio.get_running_loop())
        try:
            await test(watch)
        finally:
            watch.release()

    with asyncio.Runner(loop_factory=make) as runner:
        runner.run(watched())


# -- what cannot go on by itself


async def a_bare_future() -> None:
    await asyncio.get_running_loop().create_future()


async def a_gathering_with_a_finished_child() -> None:
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    done.set_result(None)
    await asyncio.gather(done, asyncio.Event().wait())


async def a_task_group() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.Event().wait())


async def a_wait() -> None:
    await asyncio.wait([asyncio.ensure_future(a_bare_future())])


async def a_shield() -> None:
    await asyncio.shield(a_bare_future())


async def a_lock() -> None:
    lock = asyncio.Lock()
    await lock.acquire()
    await lock.acquire()


async def a_condition() -> None:
    async with (condition := asyncio.Condition()):
        await condition.wait()


async def a_queue() -> None:
    await asyncio.Queue[int]().get()


async def a_semaphore() -> None:
    await asyncio.Semaphore(0).acquire()


WAITS = [
    a_bare_future,
    a_gathering_with_a_finished_child,
    a_task_group,
    a_wait,
    a_shield,
    a_lock,
    a_condition,
    a_queue,
    a_semaphore,
]


@each_loop
@pytest.mark.parametrize("wait", WAITS, ids=lambda wait: wait.__name__)
def test_idle_whatever_is_awaited(make: Make, wait: Callable[[], Awaitable[None]]) -> None:
    async def test(watch: LoopWatch) -> None:
        task = asyncio.ensure_future(wait())
        await asyncio.sleep(0)
        await soon(watch, True)
        assert await is_idle(watch) and not task.done()
        task.cancel()

    run(make, test)


# -- what can: while the context is open, and not after


@asynccontextmanager
async def a_sleep(watch: LoopWatch) -> AsyncIterator[None]:
    task = asyncio.create_task(asyncio.sleep(30))
    await asyncio.sleep(0)
    yield
    task.cancel()


@asynccontextmanager
async def a_timeout(watch: LoopWatch) -> AsyncIterator[None]:
    async with asyncio.timeout(30):
        yield


@asynccontextmanager
async def equal_timers(watch: LoopWatch) -> AsyncIterator[None]:
    loop = asyncio.get_running_loop()
    when = loop.time() + 30
    one, two = loop.call_at(when, print), loop.call_at(when, print)
    one.cancel()
    yield
    two.cancel()


@asynccontextmanager
async def a_loop_that_spins(watch: LoopWatch) -> AsyncIterator[None]:
    async def spin() -> None:
        for _ in range(1_000_000):
            await asyncio.sleep(0)

    task = asyncio.create_task(spin())
    yield
    task.cancel()


@asynccontextmanager
async def a_thread(watch: LoopWatch) -> AsyncIterator[None]:
    go = threading.Event()
    job = asyncio.create_task(asyncio.to_thread(go.wait))
    await asyncio.sleep(0)
    yield
    go.set()
    await job


@asynccontextmanager
async def a_pool_of_the_programs_own(watch: LoopWatch) -> AsyncIterator[None]:
    go = threading.Event()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        job = asyncio.wrap_future(pool.submit(go.wait))
        yield
        go.set()
        await job
        await soon(watch, True)  # its thread is idle now, and still there


@asynccontextmanager
async def a_bare_thread(watch: LoopWatch) -> AsyncIterator[None]:
    loop, go = asyncio.get_running_loop(), threading.Event()
    done = loop.create_future()

    def work() -> None:
        go.wait()
        loop.call_soon_threadsafe(done.set_result, None)

    thread = threading.Thread(target=work)
    thread.start()
    yield
    go.set()
    await done
    thread.join()


@asynccontextmanager
async def a_server(watch: LoopWatch) -> AsyncIterator[None]:
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    yield
    server.close()
    await server.wait_closed()


@asynccontextmanager
async def a_client(watch: LoopWatch) -> AsyncIterator[None]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        _, writer = await asyncio.open_connection(*listener.getsockname())
        yield
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def a_connection_a_closed_server_accepted(watch: LoopWatch) -> AsyncIterator[None]:
    accepted: asyncio.Future[asyncio.BaseTransport] = asyncio.get_running_loop().create_future()

    class Keeps(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            accepted.set_result(transport)

    server = await asyncio.get_running_loop().create_server(Keeps, "127.0.0.1", 0)
    with socket.create_connection(server.sockets[0].getsockname()):
        transport = await accepted
        server.close()
        yield
        transport.close()


@asynccontextmanager
async def a_datagram_socket(watch: LoopWatch) -> AsyncIterator[None]:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0)
    )
    yield
    transport.close()


@asynccontextmanager
async def a_socket_that_is_read(watch: LoopWatch) -> AsyncIterator[None]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        job = asyncio.create_task(asyncio.get_running_loop().sock_recv(ours, 1))
        await asyncio.sleep(0)
        yield
        theirs.send(b"x")
        await job


@asynccontextmanager
async def a_descriptor_that_is_heeded(watch: LoopWatch) -> AsyncIterator[None]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        asyncio.get_running_loop().add_reader(ours, lambda: None)
        yield
        asyncio.get_running_loop().remove_reader(ours)


@asynccontextmanager
async def a_signal(watch: LoopWatch) -> AsyncIterator[None]:
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, lambda: None)
    yield
    asyncio.get_running_loop().remove_signal_handler(signal.SIGUSR1)


@asynccontextmanager
async def a_process(watch: LoopWatch) -> AsyncIterator[None]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", "input()", stdin=pipe, stdout=pipe)
    yield
    await process.communicate(b"\n")


WAKERS = [
    a_sleep,
    a_timeout,
    equal_timers,
    a_loop_that_spins,
    a_thread,
    a_pool_of_the_programs_own,
    a_bare_thread,
    a_server,
    a_client,
    a_connection_a_closed_server_accepted,
    a_datagram_socket,
    a_socket_that_is_read,
    a_descriptor_that_is_heeded,
    a_signal,
    a_process,
]


@each_loop
@pytest.mark.parametrize("waker", WAKERS, ids=lambda waker: waker.__name__)
def test_not_idle_while_something_of_the_programs_own_may_wake_it(make: Make, waker: Callable[..., Any]) -> None:
    async def test(watch: LoopWatch) -> None:
        await soon(watch, True)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(waker(watch))
            for _ in range(20):
                assert not await is_idle(watch)
        del stack
        await soon(watch, True)

    run(make, test)


@each_loop
def test_a_timer_of_the_engine_makes_no_loop_busy(make: Make) -> None:
    async def test(watch: LoopWatch) -> None:
        handle = watch.call_later(30, print)
        await soon(watch, True)
        handle.cancel()

    run(make, test)


@each_loop
def test_watches_share_a_loop_and_give_it_back(make: Make) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        watch = LoopWatch.on(loop)
        assert LoopWatch.on(loop) is watch
        answers: list[asyncio.Future[bool]] = [loop.create_future() for _ in range(3)]
        for answer in answers:
            watch.look(answer.set_result)
        assert await asyncio.gather(*answers) == [True] * 3  # one look does not disturb another
        watch.release()
        assert "call_later" in vars(loop)
        watch.look(lambda idle: None)
        watch.release()
        await asyncio.sleep(0)
        assert not {"call_soon", "call_later", "create_server"} & set(vars(loop))

    with asyncio.Runner(loop_factory=make) as runner:
        runner.run(main())


def test_bystanders_may_do_as_they_please() -> None:
    async def main() -> bool:
        bystanders = frozenset(thread.ident or 0 for thread in threading.enumerate())
        watch = LoopWatch.on(asyncio.get_running_loop(), bystanders)
        try:
            return await is_idle(watch)
        finally:
            watch.release()

    go = threading.Event()
    thread = threading.Thread(target=go.wait)
    thread.start()
    try:
        assert asyncio.run(main())
    finally:
        go.set()
        thread.join()


@each_loop
def test_what_is_expected_from_outside_keeps_a_loop_awake(make: Make) -> None:
    async def test(watch: LoopWatch) -> None:
        await soon(watch, True)
        with watch.expecting():
            await soon(watch, False)
            with watch.expecting():
                pass
            assert not await is_idle(watch)
        await soon(watch, True)

    run(make, test)
