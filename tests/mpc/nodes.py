"""Nodes for the tests: in this process, or one process each, over loopback TLS with throw-away certificates."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import multiprocessing
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import uvloop

from mpc.certificates import Authority, Credentials, fingerprint
from mpc.node import MPyCNode, NodeConfig, Peer
from mpc.transport import Transport

forked = multiprocessing.get_context("forkserver")
"""Each process is forked off one that has imported what tests of nodes need, and done nothing else."""

forked.set_forkserver_preload(["tests.mpc.test_node_faults", "tests.mpc.test_node_programs"])


@dataclass
class World:
    """Certificates, ports and settings of m parties."""

    authority: Authority
    credentials: list[Credentials]
    listeners: list[socket.socket]
    roster: tuple[Peer, ...]
    settings: dict[str, Any]

    @classmethod
    def make(cls, m: int = 3, **settings: Any) -> World:
        authority = Authority()
        credentials = [authority.issue(i) for i in range(m)]
        listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(m)]
        roster = tuple(
            Peer(i, "127.0.0.1", listeners[i].getsockname()[1], fingerprint(credentials[i].certificate))
            for i in range(m)
        )
        settings = {"session": b"test", "start_deadline": 20.0, **settings}
        return cls(authority, credentials, listeners, roster, settings)

    def config(self, index: int, **changes: Any) -> NodeConfig:
        own = self.credentials[index]
        config = NodeConfig(
            index=index,
            roster=self.roster,
            certificate=own.certificate,
            key=own.key,
            authority=self.authority.certificate,
            listener=self.listeners[index],
            **self.settings,
        )
        return dataclasses.replace(config, **changes)


@contextlib.asynccontextmanager
async def started(world: World, **changes: Any) -> AsyncIterator[list[MPyCNode]]:
    """All nodes of ``world``, in this process, started; closed in the end."""
    nodes = [MPyCNode(world.config(i, **changes)) for i in range(len(world.roster))]
    await asyncio.gather(*(node.start() for node in nodes))
    try:
        yield nodes
    finally:
        await asyncio.gather(*(node.shutdown() for node in nodes))


async def refused(node: MPyCNode) -> BaseException:
    """The error a node's start ends in."""
    try:
        await node.start()
    except Exception as error:
        return error
    await node.shutdown()
    raise AssertionError(f"party {node.index} started")


async def get(transport: Transport, peer: int, label: bytes, size: int, stamp: int = 1) -> tuple[int, bytes]:
    """A message of that many bytes from a peer, and its depth."""
    memory = bytearray(size)
    depth = await transport.receive(peer, label, stamp, memoryview(memory))
    return depth, bytes(memory)


def put(transport: Transport, peer: int, label: bytes, payload: bytes, depth: int = 1, stamp: int = 1) -> None:
    """Send one."""
    transport.send(peer, label, stamp, depth, memoryview(payload))


# --- one process each ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """What became of a party: its answer or its error, and when (time.monotonic, one clock for all processes)."""

    answer: Any
    error: str  # class name, '' if there is an answer
    text: str
    peer: int
    when: float


class Process:
    """A party in a process of its own, running ``program(node, *arguments)``."""

    def __init__(
        self, config: NodeConfig, program: Callable[..., Awaitable[Any]], arguments: tuple[Any, ...] = ()
    ) -> None:
        self._ours, theirs = forked.Pipe()
        self.process = forked.Process(target=_serve, args=(config, program, arguments, theirs), daemon=True)
        self.process.start()
        theirs.close()

    def wait_for(self, what: str, seconds: float = 60.0) -> None:
        """Until the program said ``what`` by node.say."""
        assert self._receive(seconds) == what

    def outcome(self, seconds: float = 60.0) -> Outcome:
        """How it ended."""
        found = self._receive(seconds)
        assert isinstance(found, Outcome), found
        return found

    def _receive(self, seconds: float) -> Any:
        if not self._ours.poll(seconds):
            raise AssertionError(f"a party neither answered nor failed within {seconds} s: it hangs")
        return self._ours.recv()

    def signal(self, number: int) -> float:
        """Send it a signal; the time of that."""
        assert self.process.pid is not None
        os.kill(self.process.pid, number)
        return time.monotonic()

    def end(self) -> None:
        self.process.kill()  # nothing, if it ended by itself
        self.process.join(10)
        self._ours.close()


@contextlib.contextmanager
def processes(
    world: World, programs: list[Callable[..., Awaitable[Any]] | None], *arguments: Any, **changes: Any
) -> Iterator[list[Process]]:
    """A process for every party that has a program; all are ended in the end."""
    running: list[Process] = []
    try:
        for index, program in enumerate(programs):
            if program is not None:
                running.append(Process(world.config(index, **changes), program, arguments))
        yield running
    finally:
        for one in running:
            one.end()


def _serve(config: NodeConfig, program: Callable[..., Awaitable[Any]], arguments: tuple[Any, ...], pipe: Any) -> None:
    uvloop.run(_run(config, program, arguments, pipe))


async def _run(
    config: NodeConfig, program: Callable[..., Awaitable[Any]], arguments: tuple[Any, ...], pipe: Any
) -> None:
    try:
        async with MPyCNode(config) as node:
            node.adopt()
            node.say = pipe.send
            answer = await node.run_program(program(node, *arguments))
            outcome = Outcome(answer, "", "", -1, time.monotonic())
    except Exception as error:
        outcome = Outcome(None, type(error).__name__, str(error), getattr(error, "peer", -1), time.monotonic())
    pipe.send(outcome)
