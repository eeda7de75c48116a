"""Every fault ends in a named error on every other party, in time.

The bounds: a death shows within 2 s, a stop within heartbeat + 2 s, what is wrong at the start when the start
deadline passes. Where it is simple, the same is done to stock MPyC, to show the attack or the hang.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pickle
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop

from mpc import rendezvous
from mpc._mpyc import asyncoro
from mpc._mpyc import runtime as mpyc_runtime
from mpc.agreement import Introduction
from mpc.certificates import Authority, Credentials, client_context, fingerprint, party_name, server_context
from mpc.connection import Connection
from mpc.dialing import ALIVE_PREAMBLE, DATA_PREAMBLE, connected
from mpc.errors import (
    ConfigurationMismatch,
    FrameInvalid,
    FrameOversized,
    FrameTruncated,
    IdentityMismatch,
    PartyFailed,
    PeerError,
    PeerFlooding,
    PeerLost,
    PeerMissing,
    PeerUntrusted,
)
from mpc.greeting import Greeting, judge
from mpc.node import MPyCNode, Peer
from mpc.wire import HELLO_LIMIT, NO_LABEL, VERSION, Header, Kind, pack
from tests.free_ports import free_ports
from tests.mpc.nodes import Outcome, Process, World, processes, refused, started
from tests.slack import SLACK

LABEL = b"label number"
AT_DEATH = 2.0 * SLACK  # seconds
AFTER_SILENCE = 2.0 * SLACK  # seconds beyond the heartbeat
DEADLINE = 1.5  # seconds to start, in tests of faults at the start
AFTER_DEADLINE = 1.0 * SLACK


@pytest.fixture(scope="module")
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    return uvloop.EventLoopPolicy()


# --- at the start: someone in party 1's place ------------------------------------------------------------


class Ignore:
    """A FrameSink that takes everything and does nothing."""

    def place(self, header: Header) -> memoryview:
        return memoryview(bytearray(header[6]))

    def complete(self, header: Header, payload: memoryview) -> None:
        pass

    def lost(self, connection: Connection, error: PeerError | None) -> None:
        pass


class Rogue:
    """Sits at party ``place``'s address, dials whom that party would dial, and sends ``first`` after the handshake."""

    def __init__(self, world: World, place: int, credentials: Credentials, authority: bytes, first: bytes) -> None:
        self.world, self.place, self.first = world, place, first
        self.server = server_context(credentials, authority)
        self.client = client_context(credentials, authority)

    async def __aenter__(self) -> Rogue:
        self.tasks = [asyncio.ensure_future(self.dial(p)) for p in self.world.roster[self.place + 1 :]]
        self.tasks.append(asyncio.ensure_future(self.listen()))
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def listen(self) -> None:
        loop = asyncio.get_running_loop()
        listener = self.world.listeners[self.place]
        listener.setblocking(False)
        while True:
            sock, _ = await loop.sock_accept(listener)
            preamble = await loop.sock_recv(sock, 8)
            if preamble == ALIVE_PREAMBLE:
                sock.close()
                continue
            connection = Connection(Ignore(), -1, 1 << 20)
            try:
                await loop.connect_accepted_socket(lambda c=connection: c, sock, ssl=self.server)
                connection._transport.write(self.first)  # type: ignore[union-attr]
            except OSError:
                sock.close()

    async def dial(self, peer: Peer) -> None:
        while True:
            with contextlib.suppress(OSError):
                await self.dial_once(peer)
            await asyncio.sleep(0.05)

    async def dial_once(self, peer: Peer) -> None:
        loop = asyncio.get_running_loop()
        sock = await connected(loop, peer.host, peer.port)
        await loop.sock_sendall(sock, DATA_PREAMBLE)
        connection = Connection(Ignore(), peer.index, 1 << 20)
        name = party_name(peer.index)
        await loop.create_connection(lambda: connection, sock=sock, ssl=self.client, server_hostname=name)
        if connection._transport is not None:
            connection._transport.write(self.first)
        async with asyncio.timeout(0.3):
            await connection.closed


def hello(index: int, **changes: Any) -> bytes:
    """The bytes of a HELLO frame."""
    fields: dict[str, Any] = {"version": VERSION, "m": 3, "t": 1, "max_frame": 1 << 26, "session": b"test", **changes}
    payload = Greeting(index=index, introduction=Introduction(os.urandom(32), os.urandom(32)), **fields).pack()
    return pack(Kind.HELLO, 0, 0, 0, NO_LABEL, len(payload)) + payload


def oversized() -> bytes:
    return pack(Kind.HELLO, 0, 0, 0, NO_LABEL, 0xFFFFFFFF)


OTHER_AUTHORITY = Authority("another authority")
FAULTS: dict[str, tuple[Callable[[World], tuple[Credentials, bytes]], bytes, type[PeerError]]] = {
    "another party's certificate": (lambda w: (w.credentials[2], w.authority.certificate), hello(1), IdentityMismatch),
    "a certificate not on the roster": (
        lambda w: (w.authority.issue(1), w.authority.certificate),
        hello(1),
        IdentityMismatch,
    ),
    "an unknown index": (lambda w: (w.credentials[1], w.authority.certificate), hello(7), IdentityMismatch),
    "a duplicate index": (lambda w: (w.credentials[1], w.authority.certificate), hello(0), IdentityMismatch),
    "another authority": (lambda w: (OTHER_AUTHORITY.issue(1), w.authority.certificate), hello(1), PeerUntrusted),
    "an expired certificate": (lambda w: (w.credentials[1], w.authority.certificate), hello(1), PeerUntrusted),
    "an oversized frame": (lambda w: (w.credentials[1], w.authority.certificate), oversized(), FrameOversized),
    "no HELLO": (
        lambda w: (w.credentials[1], w.authority.certificate),
        pack(Kind.DATA, 0, 0, 0, NO_LABEL, 1 << 20),
        FrameInvalid,
    ),
    "rubbish": (lambda w: (w.credentials[1], w.authority.certificate), b"GET / HTTP/1.1" + bytes(40), FrameInvalid),
    "a malformed HELLO": (
        lambda w: (w.credentials[1], w.authority.certificate),
        pack(Kind.HELLO, 0, 0, 0, NO_LABEL, 3) + b"abc",
        FrameInvalid,
    ),
    "a HELLO too large": (
        lambda w: (w.credentials[1], w.authority.certificate),
        hello(1, session=bytes(HELLO_LIMIT)),  # well-formed, so only its size is wrong
        FrameInvalid,
    ),
    "a second HELLO": (
        lambda w: (w.credentials[1], w.authority.certificate),
        hello(1) + hello(1),
        FrameInvalid,
    ),
    "another session": (
        lambda w: (w.credentials[1], w.authority.certificate),
        hello(1, session=b"other"),
        ConfigurationMismatch,
    ),
    "another threshold": (lambda w: (w.credentials[1], w.authority.certificate), hello(1, t=0), ConfigurationMismatch),
    "another number of parties": (
        lambda w: (w.credentials[1], w.authority.certificate),
        hello(1, m=5),
        ConfigurationMismatch,
    ),
    "another max_frame": (
        lambda w: (w.credentials[1], w.authority.certificate),
        hello(1, max_frame=1 << 20),
        ConfigurationMismatch,
    ),
    "another release": (
        lambda w: (w.credentials[1], w.authority.certificate),
        hello(1, version=VERSION + 1),
        ConfigurationMismatch,
    ),
}


def world_with(fault: str) -> World:
    world = World.make(3, start_deadline=DEADLINE)
    if fault == "an expired certificate":
        world.credentials[1] = world.authority.issue(1, days=1e-2)  # began an hour ago
        marks = [fingerprint(c.certificate) for c in world.credentials]
        world.roster = tuple(Peer(p.index, p.host, p.port, marks[p.index]) for p in world.roster)
    return world


@pytest.mark.parametrize("fault", FAULTS)
async def test_fault_at_the_start_is_named_by_every_other_party(fault: str) -> None:
    world = world_with(fault)
    credentials, first, error = FAULTS[fault][0](world), *FAULTS[fault][1:]
    async with Rogue(world, 1, *credentials, first):
        start = time.monotonic()
        found = await asyncio.gather(*(refused(MPyCNode(world.config(i))) for i in (0, 2)))
        assert time.monotonic() - start < DEADLINE + AFTER_DEADLINE
    for one in found:
        assert type(one) is error, one
        assert isinstance(one, PeerError) and one.peer == 1, one


@pytest.mark.parametrize("fault", FAULTS)
async def test_fault_at_the_start_does_not_keep_the_real_party_out(fault: str) -> None:
    """The rogue dials party 2 all the time; party 1 comes later; the three nodes start."""
    world = world_with(fault)
    if fault == "an expired certificate":
        world.settings["start_deadline"] = 0.0  # not this one: it is party 1's own
        return
    world.settings["start_deadline"] = 20.0
    credentials, first = FAULTS[fault][0](world), FAULTS[fault][1]
    rogue = Rogue(world, 1, *credentials, first)
    nodes = [MPyCNode(world.config(i)) for i in range(3)]
    early = [asyncio.ensure_future(nodes[i].start()) for i in (0, 2)]
    flood = [asyncio.ensure_future(rogue.dial(world.roster[2])) for _ in range(5)]
    await asyncio.sleep(0.3)
    await asyncio.gather(*early, nodes[1].start())
    for task in flood:
        task.cancel()
    await asyncio.gather(*flood, return_exceptions=True)
    for node in nodes:
        node.transport.begin(1)
    await asyncio.gather(*(node.transport.finish() for node in nodes))
    await asyncio.gather(*(node.shutdown() for node in nodes))


async def test_a_party_that_speaks_tls_1_2_only_is_refused() -> None:
    world = World.make(3, start_deadline=DEADLINE)
    rogue = Rogue(world, 1, world.credentials[1], world.authority.certificate, hello(1))
    for context in (rogue.server, rogue.client):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    async with rogue:
        found = await asyncio.gather(*(refused(MPyCNode(world.config(i))) for i in (0, 2)))
    assert all(isinstance(one, PeerError) and one.peer == 1 for one in found), found
    assert type(found[0]) in (PeerUntrusted, PeerLost), found  # who is dialed may hang up without a word
    assert type(found[1]) is PeerUntrusted, found


@pytest.mark.parametrize("until", ["the preamble", "the handshake", "the HELLO"])
async def test_who_dials_has_limited_time(until: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """For every step: who stops there is sent away long before the deadline of the start."""
    monkeypatch.setattr(rendezvous, "_PATIENCE", 0.4)
    monkeypatch.setattr(rendezvous, "_PREAMBLE_PATIENCE", 0.2)
    world = World.make(3, start_deadline=60.0)
    node = MPyCNode(world.config(2))
    starting = asyncio.create_task(node.start())
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", world.roster[2].port)
        if until != "the preamble":
            writer.write(DATA_PREAMBLE)
        if until == "the HELLO":
            tls = client_context(world.credentials[1], world.authority.certificate)
            await writer.start_tls(tls, server_hostname=party_name(2))
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
    writer.transport.abort()
    assert not starting.done()
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)


async def test_keys_that_come_twice_during_the_start_are_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    send, sealed_bytes = Connection.send, 16  # three parties have nothing to contribute: it is the seal alone

    def twice(connection: Connection, kind: Kind, *rest: Any) -> None:
        for _ in range(2 if kind is Kind.HELLO and len(rest[-1]) == sealed_bytes else 1):
            send(connection, kind, *rest)

    monkeypatch.setattr(Connection, "send", twice)
    world = World.make(3, start_deadline=3.0)
    found = await asyncio.gather(*(refused(MPyCNode(world.config(i))) for i in range(3)))
    assert any(type(one) is FrameInvalid and "HELLO twice" in str(one) for one in found), found
    assert all(isinstance(one, PeerError) for one in found), found


async def test_a_hello_after_the_start_is_a_fault() -> None:
    async with started(World.make(3)) as nodes, asyncio.timeout(10):
        transports = [node.transport for node in nodes]
        for transport in transports:
            transport.begin(1)
        again = nodes[2]._startup.agreement.contributions(0)  # type: ignore[union-attr]  # what it sent before
        transports[2].connections[0].send(Kind.HELLO, 0, 0, 0, NO_LABEL, again)
        with pytest.raises(FrameInvalid, match="party 2") as caught:
            await transports[0].receive(2, LABEL, 1, memoryview(bytearray(1)))
        assert caught.value.peer == 2 and nodes[0].failure is caught.value
        with pytest.raises(PartyFailed, match="FrameInvalid"):
            await transports[1].receive(2, LABEL, 1, memoryview(bytearray(1)))


async def test_a_party_with_the_wrong_authority_finds_out_itself() -> None:
    world = World.make(3, start_deadline=DEADLINE)
    nodes = [MPyCNode(world.config(i)) for i in (0, 2)]
    wrong = MPyCNode(world.config(1, authority=OTHER_AUTHORITY.certificate))
    found = await asyncio.gather(*(refused(node) for node in (*nodes, wrong)))
    assert [type(one) for one in found] == [PeerUntrusted] * 3, found
    assert [one.peer for one in found[:2]] == [1, 1]


@pytest.mark.parametrize("first", [b"", DATA_PREAMBLE, ALIVE_PREAMBLE], ids=["nothing", "data", "heartbeat"])
async def test_dialers_that_say_nothing_more_are_no_obstacle(first: bytes) -> None:
    """More of them than there is room for, all dialing again whenever they are sent away."""
    world = World.make(3)
    address = "127.0.0.1", world.roster[2].port

    async def mute() -> None:
        while True:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection(*address)
                try:
                    writer.write(first)
                    await reader.read(1)
                finally:
                    writer.transport.abort()

    crowd = [asyncio.create_task(mute()) for _ in range(300)]
    await asyncio.sleep(0.2)
    async with started(world):
        for task in crowd:
            task.cancel()
        await asyncio.gather(*crowd, return_exceptions=True)


async def test_a_party_connected_already_cannot_be_impersonated_or_replaced() -> None:
    world = World.make(3, start_deadline=DEADLINE)
    nodes = [MPyCNode(world.config(i)) for i in (1, 2)]
    rogue = Rogue(world, 1, world.credentials[1], world.authority.certificate, hello(1))
    starting = [asyncio.ensure_future(refused(node)) for node in nodes]
    while 1 not in nodes[1].transport.connections:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    real = nodes[1].transport.connections[1]
    for _ in range(3):
        await rogue.dial_once(world.roster[2])  # even with party 1's own key
        assert nodes[1].transport.connections[1] is real
    found = await asyncio.gather(*starting)
    assert [type(one) for one in found] == [PeerMissing, IdentityMismatch]  # who tried may have been party 0
    assert [one.peer for one in found] == [0, 0]


@pytest.mark.parametrize("absent", [0, 1, 2])
async def test_a_party_that_never_comes(absent: int) -> None:
    world = World.make(3, start_deadline=DEADLINE)
    world.listeners[absent].close()
    start = time.monotonic()
    found = await asyncio.gather(*(refused(MPyCNode(world.config(i))) for i in range(3) if i != absent))
    assert DEADLINE <= time.monotonic() - start < DEADLINE + AFTER_DEADLINE
    for one in found:
        assert type(one) is PeerMissing and one.peer == absent and f"party {absent} did not connect" in str(one)


def test_the_judgement_clause_by_clause() -> None:
    introduction = Introduction(bytes(32), bytes(32))
    roster = {0: "a", 1: "b", 2: "c"}
    own = Greeting(VERSION, 1, 3, 1, 1 << 20, b"s", introduction)
    judge(Greeting(VERSION, 0, 3, 1, 1 << 20, b"s", introduction), "a", own, roster, None)
    judge(Greeting(VERSION, 2, 3, 1, 1 << 20, b"s", introduction), "c", own, roster, 2)
    for index, certificate, expected in [
        (0, "b", None),  # this party's own certificate
        (0, "c", None),
        (0, "z", None),
        (1, "b", None),
        (2, "c", None),  # a larger index does not dial
        (3, "z", None),
        (0, "a", 2),  # answers at another's address
        (2, "a", 2),
    ]:
        with pytest.raises(IdentityMismatch):
            judge(Greeting(VERSION, index, 3, 1, 1 << 20, b"s", introduction), certificate, own, roster, expected)


def test_stock_believes_any_index() -> None:
    """Stock MPyC takes the first two bytes for the index; it never looks at the certificate, nor at who is here."""

    class Runtime:
        options = type("Options", (), {"no_prss": True})

        def __init__(self) -> None:
            self.known: list[int] = []

        def set_protocol(self, peer: int, protocol: object) -> None:
            self.known.append(peer)

    runtime = Runtime()
    for claim in (1, 1, 7):
        exchanger = asyncoro.MessageExchanger(runtime)
        exchanger.connection_made(None)  # a transport it asks nothing
        exchanger.data_received(claim.to_bytes(2, "little"))
    assert runtime.known == [1, 1, 7]


# --- in a program -----------------------------------------------------------------------------------------


async def meet(node: MPyCNode) -> None:
    """When this returns all parties have started, have begun run 1, and have told the test so."""
    node.transport.begin(1)
    await exchange_a_byte(node, b"let us meet.")
    node.say("ready")
    await exchange_a_byte(node, b"all said so.")


async def exchange_a_byte(node: MPyCNode, label: bytes) -> None:
    own, theirs = memoryview(bytes(1)), memoryview(bytearray(node.m))
    for j in node.peers:
        node.transport.send(j, label, 1, 1, own)
    await asyncio.gather(*(node.transport.receive(j, label, 1, theirs[j : j + 1]) for j in node.peers))


def ends(running: list[Process], since: float, within: float) -> list[Outcome]:
    """All end in an error, in time."""
    outcomes = [process.outcome() for process in running]
    for outcome in outcomes:
        assert outcome.error, outcome
        assert outcome.when - since < within, (outcome, outcome.when - since)
    return outcomes


async def waits_for_engine(node: MPyCNode) -> None:
    await meet(node)
    memory = memoryview(bytearray(8))
    await asyncio.gather(*(node.transport.receive(j, LABEL, 1, memory) for j in node.peers))


async def waits_for_output(node: MPyCNode) -> None:
    x = node.input(node.SecInt(32)(node.pid))
    await node.output(x)
    node.say("ready")
    if node.pid == 2:
        await asyncio.sleep(60)
    while True:
        x = [a * b for a, b in zip(x, x, strict=True)]
        await node.output(x)
        await asyncio.sleep(0.001)


async def waits_in_barrier(node: MPyCNode) -> None:
    x = node.input(node.SecInt(32)(node.pid))
    await node.output(x)
    node.say("ready")
    if node.pid == 2:
        await asyncio.sleep(60)
    node.prod(x)
    await node.barrier()
    await asyncio.sleep(60)


async def waits_for_the_end(node: MPyCNode) -> None:
    await meet(node)
    if node.index == 2:
        await asyncio.sleep(60)
    await node.transport.finish()


async def waits_for_something_else(node: MPyCNode) -> None:
    node.say("ready")
    await asyncio.sleep(60)


async def sends_without_end(node: MPyCNode) -> None:
    await meet(node)
    payload = memoryview(bytes(1 << 20))
    for k in range(10**6):
        for j in node.peers:
            node.transport.send(j, b"%012d" % k, 1, 1, payload)
        memory = [memoryview(bytearray(1 << 20)) for _ in node.peers]
        await asyncio.gather(
            *(node.transport.receive(j, b"%012d" % k, 1, m) for j, m in zip(node.peers, memory, strict=True))
        )


PROGRAMS = [
    waits_for_engine,
    waits_for_output,
    waits_in_barrier,
    waits_for_the_end,
    waits_for_something_else,
    sends_without_end,
]


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_party_killed_while_others_wait(program: Callable[..., Awaitable[None]]) -> None:
    with processes(World.make(3), [program] * 3) as running:
        for process in running:
            process.wait_for("ready")
        killed = running[2].signal(signal.SIGKILL)
        for outcome in ends(running[:2], killed, AT_DEATH):
            # the first to notice tells the other, who may hear that before the connection breaks
            assert outcome.error in ("PeerLost", "FrameTruncated", "PartyFailed"), outcome
            assert outcome.peer == 2 or "PeerLost" in outcome.text or "FrameTruncated" in outcome.text


def test_a_party_killed_among_five() -> None:
    with processes(World.make(5), [waits_for_engine] * 5) as running:
        for process in running:
            process.wait_for("ready")
        killed = running[4].signal(signal.SIGKILL)
        assert len(ends(running[:4], killed, AT_DEATH)) == 4


@pytest.mark.parametrize("program", [waits_for_engine, waits_for_output, sends_without_end])
def test_a_party_stopped(program: Callable[..., Awaitable[None]]) -> None:
    heartbeat = 1.0
    with processes(World.make(3, heartbeat=heartbeat), [program] * 3) as running:
        for process in running:
            process.wait_for("ready")
        stopped = running[2].signal(signal.SIGSTOP)
        for outcome in ends(running[:2], stopped, heartbeat + AFTER_SILENCE):
            assert outcome.error in ("PeerSilent", "PartyFailed")
            assert outcome.peer == 2 or "PeerSilent" in outcome.text
        running[2].signal(signal.SIGCONT)
        assert running[2].outcome().error in ("PeerLost", "FrameTruncated", "PartyFailed")


async def computes_for_long(node: MPyCNode) -> str:
    node.transport.begin(1)
    memory = memoryview(bytearray(8))
    if node.index == 2:
        time.sleep(3.0)  # noqa: ASYNC251  # as a long kernel: the event loop is blocked, the interpreter is free
        for j in node.peers:
            node.transport.send(j, LABEL, 1, 1, memory)
    else:
        await node.transport.receive(2, LABEL, 1, memory)
    await node.transport.finish()
    return "fine"


def test_a_busy_party_is_not_called_dead() -> None:
    with processes(World.make(3, heartbeat=0.3, silence=1.0), [computes_for_long] * 3) as running:
        assert [process.outcome().answer for process in running] == ["fine"] * 3


async def sends_an_oversized_frame(node: MPyCNode) -> None:
    await meet(node)
    if node.index == 2:
        node.transport.connections[0]._transport.write(pack(Kind.DATA, 1, 1, 1, LABEL, 0xFFFFFFFF))
    await node.transport.receive((node.index + 1) % 3, LABEL, 1, memoryview(bytearray(8)))


async def sends_an_unknown_kind(node: MPyCNode) -> None:
    await meet(node)
    if node.index == 2:
        node.transport.connections[0]._transport.write(pack(99, 1, 1, 1, LABEL, 0))
    await node.transport.receive((node.index + 1) % 3, LABEL, 1, memoryview(bytearray(8)))


async def sends_too_much(node: MPyCNode) -> None:
    await meet(node)
    if node.index == 2:
        for k in range(100):
            node.transport.send(0, b"%012d" % k, 1, 1, memoryview(bytes(1 << 16)))
    await node.transport.receive((node.index + 1) % 3, LABEL, 1, memoryview(bytearray(8)))


async def sends_half_a_frame(node: MPyCNode) -> None:
    await meet(node)
    if node.index == 2:
        for j in node.peers:
            node.transport.connections[j]._transport.write(pack(Kind.DATA, 1, 1, 1, LABEL, 1000) + bytes(500))
        await asyncio.sleep(0.5)  # until it has arrived
        os._exit(0)
    await node.transport.receive((node.index + 1) % 3, LABEL, 1, memoryview(bytearray(1000)))


async def sends_one_message_twice(node: MPyCNode) -> None:
    await meet(node)
    if node.index == 2:
        for _ in range(2):
            node.transport.send(0, LABEL, 1, 1, memoryview(bytes(8)))
    await node.transport.receive((node.index + 1) % 3, b"another one.", 1, memoryview(bytearray(8)))


@pytest.mark.parametrize(
    ("program", "error"),
    [
        (sends_an_oversized_frame, FrameOversized),
        (sends_an_unknown_kind, FrameInvalid),
        (sends_too_much, PeerFlooding),
        (sends_one_message_twice, FrameInvalid),
    ],
)
def test_a_party_that_sends_what_it_may_not(program: Callable[..., Awaitable[None]], error: type[PeerError]) -> None:
    with processes(World.make(3, mailbox_limit=1 << 20), [program] * 3) as running:
        for process in running:
            process.wait_for("ready")
        first, second = ends(running[:2], time.monotonic(), AT_DEATH)
        assert (first.error, first.peer) == (error.__name__, 2)
        # party 0 drops party 2 and says why; party 2 says that it was dropped: either may be heard first
        assert second.error == "PartyFailed" and (error.__name__ in second.text or "at party 2" in second.text)


def test_a_frame_that_breaks_off() -> None:
    with processes(World.make(3), [sends_half_a_frame] * 3) as running:
        for process in running:
            process.wait_for("ready")
        outcomes = ends(running[:2], time.monotonic() + 0.5, AT_DEATH)
        assert {o.error for o in outcomes} <= {FrameTruncated.__name__, "PartyFailed"}
        assert any((o.error, o.peer) == (FrameTruncated.__name__, 2) for o in outcomes)
    assert issubclass(FrameTruncated, PeerLost)


async def test_an_oversized_frame_is_refused_before_memory_is_taken() -> None:
    class Strict(Ignore):
        def place(self, header: Header) -> memoryview:
            raise AssertionError("asked for memory")

    for length in (1 << 20) + 1, 0xFFFFFFFF:
        connection = Connection(Strict(), 2, 1 << 20)
        header = pack(Kind.DATA, 1, 0, 0, NO_LABEL, length)
        connection.get_buffer(-1)[: len(header)] = header
        connection.buffer_updated(len(header))
        assert type(connection.error) is FrameOversized and connection.error.peer == 2


# --- code from a peer ---------------------------------------------------------------------------------------


class Bomb:
    """Unpickled, makes a directory named after the process it runs in."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return eval, (f"__import__('os').mkdir({self.path!r} + str(__import__('os').getpid()))",)


async def sends_code(node: MPyCNode, path: str) -> Any:
    if node.index == 2:
        mpyc_runtime.pickle.dumps = lambda value: pickle.dumps(Bomb(path))
    await meet(node)
    return await node.transfer(node.index, senders=2)


def test_code_from_a_peer_does_not_run(tmp_path: Path) -> None:
    with processes(World.make(3), [sends_code] * 3, str(tmp_path / "ours")) as running:
        for process in running:
            process.wait_for("ready")
        for outcome in ends(running[:2], time.monotonic(), AT_DEATH):
            assert outcome.error in ("NotTransferable", "PartyFailed") and outcome.peer == -1
            assert "NotTransferable" in outcome.error + outcome.text
    assert list(tmp_path.iterdir()) == []


STOCK = """
import asyncio, os, pickle, sys
from mpyc.runtime import mpc
import mpyc.runtime
class Bomb:
    def __reduce__(self):
        return eval, ("__import__('os').mkdir(%r + str(__import__('os').getpid()))" % os.environ["BOMB"],)
def sent():
    return [party.protocol.nbytes_sent for party in mpc.parties if party.pid != mpc.pid]
async def main():
    await mpc.start()
    if "BOMB" in os.environ:
        print("ready", flush=True)
        await mpc.transfer(Bomb() if mpc.pid == 2 else None, senders=2)
    else:
        x = mpc.input(mpc.SecInt(32)(mpc.pid))
        await mpc.gather(x)
        if mpc.pid == 2:
            print("ready", flush=True)
            await asyncio.sleep(60)
        if os.environ["WHEN"] == "before it sends":
            print("ready", flush=True)
            while mpc.parties[2].protocol is not None:
                await asyncio.sleep(0.01)
        before = sent()
        product = mpc.prod(x)
        if os.environ["WHEN"] == "after it sent":
            while any(now == then for now, then in zip(sent(), before)):
                await asyncio.sleep(0.01)
            print("ready", flush=True)
        await mpc.output(product)
    print("done", flush=True)
    await mpc.shutdown()
mpc.run(main())
"""


def stock(path: Path, **environment: str) -> list[subprocess.Popen[str]]:
    """Three parties of stock MPyC."""
    script = path / "stock.py"
    script.write_text(STOCK)
    addresses = [a for port in free_ports(3) for a in ("-P", f"localhost:{port}")]
    running = []
    for i in range(3):
        with (path / f"errors of party {i}").open("w") as errors:
            running.append(
                subprocess.Popen(
                    [sys.executable, str(script), *addresses, "-I", str(i), "--no-log"],
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    text=True,
                    env={**os.environ, **environment},
                )
            )
    for process in running:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    return running


def finish(running: list[subprocess.Popen[str]]) -> None:
    for process in running:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def test_stock_runs_a_peers_code(tmp_path: Path) -> None:
    bombs = tmp_path / "bombs"
    bombs.mkdir()
    running = stock(tmp_path, BOMB=str(bombs / "party"))
    try:
        for process in running[:2]:
            process.wait(20)
        names = {path.name for path in bombs.iterdir()}
        assert {f"party{process.pid}" for process in running[:2]} <= names
    finally:
        finish(running)


def test_stock_hangs_when_a_party_is_killed(tmp_path: Path) -> None:
    """The others have sent what they had to, and wait for what the dead party owes them."""
    running = stock(tmp_path, WHEN="after it sent")
    try:
        running[2].kill()
        running[2].wait()
        time.sleep(3.0)
        assert [process.poll() for process in running[:2]] == [None, None]
    finally:
        finish(running)


def test_stock_names_nobody_when_it_has_yet_to_send_to_a_party_that_was_killed(tmp_path: Path) -> None:
    running = stock(tmp_path, WHEN="before it sends")
    try:
        running[2].kill()
        for i, process in enumerate(running[:2]):
            assert process.wait(20) == 1
            assert "'NoneType' object has no attribute" in (tmp_path / f"errors of party {i}").read_text()
    finally:
        finish(running)
