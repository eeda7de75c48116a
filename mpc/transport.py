"""How frames get from party to party: the interface, and its in-memory form for tests.

A frame is (label, stamp, depth, payload). The label names the place in the program it belongs to; the
stamp is a checksum of the operation's name and size, equal on both sides or the programs differ; the
depth is the length of the longest chain of messages that led to it, so rounds can be counted exactly.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from mpc.errors import AccordError, PartyFailed, ProgramDiverged
from mpc.mailbox import Mailbox

__all__ = ["Frame", "MemoryHub", "MemoryTransport", "Tap", "Traffic", "Transport"]


@dataclass(slots=True)
class Traffic:
    """What one party sent and received, payload bytes without headers; ``rounds`` is the deepest message chain."""

    frames_sent: int = 0
    bytes_sent: int = 0
    frames_received: int = 0
    bytes_received: int = 0
    rounds: int = 0

    def copy(self) -> Traffic:
        return Traffic(self.frames_sent, self.bytes_sent, self.frames_received, self.bytes_received, self.rounds)


class Transport(Protocol):
    """What a Party needs of the network. Implementations: MemoryTransport, and MPyCNode's.

    All calls are made on the event loop's thread.
    """

    index: int
    m: int
    traffic: Traffic

    def begin(self, run: int) -> None:
        """Start run number ``run`` (1, 2, ...). Frames of older runs are dropped from now on."""

    def send(self, peer: int, label: bytes, stamp: int, depth: int, payload: memoryview) -> None:
        """Queue one frame and return at once. ``payload`` (contiguous bytes) must not change afterwards."""

    def receive(self, peer: int, label: bytes, stamp: int, into: memoryview) -> Awaitable[int]:
        """Ask for one frame; the awaitable gives its depth when all of it lies in ``into`` (writable, contiguous)."""

    async def finish(self) -> None:
        """End of the program: say so to all peers, wait for all to say so.

        Raises ProgramDiverged if a peer sent what this party never asked for, PeerError if one is gone,
        PartyFailed if a program failed elsewhere.
        """

    def abort(self, error: BaseException) -> None:
        """This party's program failed: tell all peers (the class name only), and fail every request here."""


@dataclass(slots=True)
class Frame:
    """One message in flight, as a tap sees it."""

    sender: int
    receiver: int
    label: bytes
    stamp: int
    depth: int
    payload: bytes


# A tap sees every frame and answers what is to be delivered instead: itself, altered ones, several, none;
# or an awaitable of that, to delay. Test code: it sees what the network would, before TLS.
Tap = Callable[[Frame], "list[Frame] | Awaitable[list[Frame]]"]


@dataclass
class MemoryHub:
    """m mailless transports in one process and one event loop, with a tap on every message.

    Args:
        m: number of parties.
        tap: called with every frame; see :data:`Tap`. None delivers everything.
        delay: seconds every frame takes (an injected one-way latency).
        keep: remember every delivered frame in ``log``.
    """

    m: int
    tap: Tap | None = None
    delay: float = 0.0
    keep: bool = False
    mailbox_limit: int = 1 << 32
    log: list[Frame] = field(default_factory=list)
    transports: list[MemoryTransport] = field(init=False)

    def __post_init__(self) -> None:
        self.transports = [MemoryTransport(i, self) for i in range(self.m)]

    def carry(self, frame: Frame) -> None:
        """Deliver through the tap."""
        if self.tap is None:
            self._deliver([frame])
            return
        answer = self.tap(frame)
        if isinstance(answer, list):
            self._deliver(answer)
        else:
            task = asyncio.ensure_future(self._later(answer))
            self.transports[frame.sender].background.add(task)
            task.add_done_callback(self.transports[frame.sender].background.discard)

    async def _later(self, answer: Awaitable[list[Frame]]) -> None:
        self._deliver(await answer)

    def _deliver(self, frames: list[Frame]) -> None:
        for frame in frames:
            if self.delay:
                asyncio.get_running_loop().call_later(self.delay, self._hand_over, frame)
            else:
                self._hand_over(frame)

    def _hand_over(self, frame: Frame) -> None:
        if self.keep:
            self.log.append(frame)
        self.transports[frame.receiver].accept(frame)


class MemoryTransport:
    """A party's end of a :class:`MemoryHub`."""

    def __init__(self, index: int, hub: MemoryHub) -> None:
        self.index = index
        self.m = hub.m
        self.hub = hub
        self.traffic = Traffic()
        self.background: set[asyncio.Future[None]] = set()
        self._boxes = [Mailbox(j, hub.mailbox_limit) for j in range(hub.m)]
        self._ended = [asyncio.Event() for _ in range(hub.m)]
        self._error: AccordError | None = None

    def begin(self, run: int) -> None:
        """See Transport. The hub is made anew for every run."""

    def send(self, peer: int, label: bytes, stamp: int, depth: int, payload: memoryview) -> None:
        """See Transport."""
        self.traffic.frames_sent += 1
        self.traffic.bytes_sent += len(payload)
        self.hub.carry(Frame(self.index, peer, label, stamp, depth, bytes(payload)))

    def receive(self, peer: int, label: bytes, stamp: int, into: memoryview) -> Awaitable[int]:
        """See Transport."""
        return self._boxes[peer].request(label, stamp, into)

    def accept(self, frame: Frame) -> None:
        """A frame comes in."""
        self.traffic.frames_received += 1
        self.traffic.bytes_received += len(frame.payload)
        self.traffic.rounds = max(self.traffic.rounds, frame.depth)
        self._boxes[frame.sender].deliver(frame.label, frame.stamp, frame.depth, frame.payload)

    async def finish(self) -> None:
        """See Transport."""
        peers = [t for t in self.hub.transports if t.index != self.index]
        for t in peers:
            t.peer_ended(self.index)
        for t in peers:
            await self._ended[t.index].wait()
            if self._error is not None:
                raise self._error
        while self.background:
            await asyncio.gather(*self.background)
        for box in self._boxes:
            if box.leftover():
                raise ProgramDiverged(
                    f"party {box.peer} sent {box.leftover()} messages that party {self.index}'s program never "
                    "asked for: run the same operations, in the same order, at every party"
                )

    def peer_ended(self, peer: int) -> None:
        """Peer says its program is over."""
        self._boxes[peer].end()
        self._ended[peer].set()

    def abort(self, error: BaseException) -> None:
        """See Transport."""
        told = PartyFailed(self.index, type(error).__name__)
        for t in self.hub.transports:
            if t.index != self.index:
                t.fail(told)
        self.fail(told)

    def fail(self, error: AccordError) -> None:
        """End every request here in ``error``."""
        if self._error is None:
            self._error = error
        for box in self._boxes:
            box.fail(self._error)
        for ended in self._ended:
            ended.set()
