"""The heartbeats, against a peer made by hand: who counts as it, and how often its silence is told."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable

import pytest

from mpc.certificates import Credentials, client_context, party_name, server_context
from mpc.dialing import ALIVE_PREAMBLE
from mpc.liveness import Liveness
from tests.mpc.nodes import World

SILENCE, BEAT = 0.2, 0.05
PATIENCE = 20.0


class News:
    """What the heartbeats told the node: peers that were ready, and peers that were silent."""

    def __init__(self) -> None:
        self.ready: list[int] = []
        self.silent: list[int] = []

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def watched(world: World, index: int) -> AsyncIterator[tuple[Liveness, News]]:
    """The heartbeats of party ``index``, listening at its port."""
    own, news = world.credentials[index], News()
    liveness = Liveness(
        index,
        world.config(index).fingerprints,
        SILENCE,
        BEAT,
        server_context(own, world.authority.certificate),
        client_context(own, world.authority.certificate),
        news.ready.append,
        news.silent.append,
    )
    loop, listener = asyncio.get_running_loop(), world.listeners[index]
    listener.setblocking(False)

    async def listen() -> None:
        while True:
            sock, _ = await loop.sock_accept(listener)
            assert await loop.sock_recv(sock, 8) == ALIVE_PREAMBLE
            liveness.welcome(sock)

    listening = asyncio.create_task(listen())
    liveness.start()
    try:
        yield liveness, news
    finally:
        listening.cancel()
        liveness.stop()


async def dialed(world: World, to: int, credentials: Credentials, claim: bytes) -> asyncio.StreamWriter:
    """A heartbeat connection by hand."""
    _, writer = await asyncio.open_connection("127.0.0.1", world.roster[to].port)
    writer.write(ALIVE_PREAMBLE)
    await writer.drain()
    await writer.start_tls(client_context(credentials, world.authority.certificate), server_hostname=party_name(to))
    writer.write(claim)
    return writer


async def test_silence_is_told_again_after_the_peer_was_heard_in_between() -> None:
    """The node cannot act on it while it starts: a peer that was stopped then is watched all the same."""
    world = World.make(3)
    async with watched(world, 1) as (_, news):
        writer = await dialed(world, 1, world.credentials[0], b"\0\0")
        await news.until(lambda: news.ready == [0])
        for _ in range(2):
            news.silent.clear()
            await news.until(lambda: len(news.silent) >= 3)  # at every beat while it lasts
            told = time.monotonic()
            while time.monotonic() < told + 3 * SILENCE:
                writer.write(b".")
                await asyncio.sleep(BEAT / 5)
        assert set(news.silent) == {0}
        writer.transport.abort()


@pytest.mark.parametrize(
    ("who", "claim", "counts"),
    [("own", 0, True), ("another party's", 0, False), ("nobody's", 0, False), ("own", 2, False), ("own", 1, False)],
)
async def test_only_the_certificate_on_the_roster_beats_for_a_party(who: str, claim: int, counts: bool) -> None:
    world = World.make(3)
    credentials = {"own": world.credentials[0], "another party's": world.credentials[2]}
    certificate = credentials.get(who) or world.authority.issue(0)  # of the same authority, and the same name
    async with watched(world, 1) as (_, news):
        writer = await dialed(world, 1, certificate, claim.to_bytes(2, "little"))
        if counts:
            await news.until(lambda: news.ready == [0])
        else:
            async with asyncio.timeout(PATIENCE):
                await writer.wait_closed()
            assert news.ready == []
        writer.transport.abort()


@pytest.mark.parametrize("who", ["own", "another party's", "nobody's"])
async def test_only_the_certificate_on_the_roster_is_believed_when_dialed(who: str) -> None:
    world = World.make(3)
    credentials = {"own": world.credentials[1], "another party's": world.credentials[2]}
    server = credentials.get(who) or world.authority.issue(1)
    loop, dials = asyncio.get_running_loop(), 0
    world.listeners[1].setblocking(False)

    async def answer() -> None:
        nonlocal dials
        while True:
            sock, _ = await loop.sock_accept(world.listeners[1])
            assert await loop.sock_recv(sock, 8) == ALIVE_PREAMBLE
            reader = asyncio.StreamReader()
            protocol = asyncio.StreamReaderProtocol(reader)
            tls = server_context(server, world.authority.certificate)
            transport, _ = await loop.connect_accepted_socket(lambda p=protocol: p, sock, ssl=tls)  # type: ignore[misc]
            transport.write(b".")
            dials += 1

    async with watched(world, 0) as (liveness, news):
        answering = asyncio.create_task(answer())
        liveness.dial(1, "127.0.0.1", world.roster[1].port, time.monotonic() + PATIENCE)
        if who == "own":
            await news.until(lambda: news.ready == [1])
        else:
            await news.until(lambda: dials == 3)  # it tried again, so it did not take the others for party 1
            assert news.ready == []
        answering.cancel()


async def test_a_peer_is_dialed_once_at_a_time() -> None:
    """A party that comes and goes during the start would be dialed more and more often otherwise."""
    world = World.make(3)
    loop, seen = asyncio.get_running_loop(), []
    world.listeners[1].setblocking(False)

    async def answer() -> None:
        while True:
            sock, _ = await loop.sock_accept(world.listeners[1])
            seen.append(time.monotonic())
            sock.close()

    async with watched(world, 0) as (liveness, news):
        answering = asyncio.create_task(answer())
        for _ in range(50):
            liveness.dial(1, "127.0.0.1", world.roster[1].port, time.monotonic() + PATIENCE)
        await news.until(lambda: len(seen) >= 1)
        seen.clear()
        begun = time.monotonic()
        await news.until(lambda: len(seen) >= 5)
        assert time.monotonic() - begun > 0.2  # one dial every tenth of a second, not fifty
        assert len(liveness._tasks) <= 3
        answering.cancel()


async def test_mute_strangers_keep_no_heartbeat_out() -> None:
    world = World.make(3)
    async with watched(world, 1) as (_, news):
        mute = []
        for _ in range(300):
            mute.append(await asyncio.open_connection("127.0.0.1", world.roster[1].port))
            mute[-1][1].write(ALIVE_PREAMBLE)
            await asyncio.sleep(0)
        writer = await dialed(world, 1, world.credentials[0], b"\0\0")
        await news.until(lambda: news.ready == [0])
        gone = [asyncio.create_task(reader.read()) for reader, _ in mute]
        async with asyncio.timeout(PATIENCE):
            await asyncio.wait(gone, return_when=asyncio.FIRST_COMPLETED)  # the oldest had to go
        for one in (*[w for _, w in mute], writer):
            one.transport.abort()
        await asyncio.gather(*gone, return_exceptions=True)
