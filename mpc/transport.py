"""How frames get from party to party: the interface, and its in-memory form for tests.

A frame is (label, stamp, depth, payload). The label names the place in the program it belongs to; the
stamp is a checksum of the operation's name and size, equal on both sides or the programs differ; the
depth is the length of the longest chain of messages that led to it, so rounds can be counted exactly.
"""

from __future__ import annotations

import asyncio
import contextvars
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

    All calls are made on the event loop's thread. ``max_frame`` is the most bytes of one payload, equal at all parties.
    """

    index: int
    m: int
    max_frame: int
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
        max_frame: most bytes of one payload.
    """

    m: int
    tap: Tap | None = None
    delay: float = 0.0
    keep: bool = False
    mailbox_limit: int = 1 << 32
    max_frame: int = 1 << 26
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
            # a context of its own, so that the task takes no place in the sender's program
            task = asyncio.get_running_loop().create_task(self._later(answer), context=contextvars.Context())
            sender = self.transports[frame.sender]
            sender.left(task)
            task.add_done_callback(sender.landed)

    async def _later(self, answer: Awaitable[list[Frame]]) -> None:
        self._deliver(await answer)

    def _deliver(self, frames: list[Frame]) -> None:
        for frame in frames:
            if self.delay:
                self.transports[frame.sender].left(frame)
                asyncio.get_running_loop().call_later(self.delay, self._land, frame)
            else:
                self._hand_over(frame)

    def _land(self, frame: Frame) -> None:
        self._hand_over(frame)
        self.transports[frame.sender].landed(frame)

    def _hand_over(self, frame: Frame) -> None:
        if self.keep:
            self.log.append(frame)
        self.transports[frame.receiver].accept(frame)


class MemoryTransport:
    """A party's end of a :class:`MemoryHub`. ``error`` is what the run failed in, if it did."""

    def __init__(self, index: int, hub: MemoryHub) -> None:
        self.index = index
        self.m = hub.m
        self.max_frame = hub.max_frame
        self.hub = hub
        self.traffic = Traffic()
        self.in_flight: dict[int, object] = {}  # frames of this party that a delay or a tap holds back
        self._boxes = [Mailbox(j, hub.mailbox_limit) for j in range(hub.m)]
        self._ended: set[int] = set()
        self._changed: asyncio.Future[None] | None = None
        self.error: AccordError | None = None

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
        """See Transport. The end comes after all frames of this party, as on a connection."""
        while self.in_flight and self.error is None:
            await self._change()
        for t in self.hub.transports:
            t.peer_ended(self.index)
        while len(self._ended) < self.m and self.error is None:
            await self._change()
        if self.error is not None:
            raise self.error
        for box in self._boxes:
            if box.leftover():
                raise ProgramDiverged(
                    f"party {box.peer} sent {box.leftover()} messages that party {self.index}'s program never "
                    "asked for: run the same operations, in the same order, at every party"
                )

    async def _change(self) -> None:
        self._changed = asyncio.get_running_loop().create_future()
        await self._changed

    def left(self, what: object) -> None:
        """A frame is on its way for a while."""
        self.in_flight[id(what)] = what

    def landed(self, what: object) -> None:
        """It arrived, or was dropped."""
        del self.in_flight[id(what)]
        self._wake()

    def peer_ended(self, peer: int) -> None:
        """A party, maybe this one, says its program is over."""
        self._boxes[peer].end()
        self._ended.add(peer)
        self._wake()

    def waits_for(self) -> set[int]:
        """The parties whose messages, or whose end, this one awaits."""
        waited = {box.peer for box in self._boxes if box.waiting}
        return waited | (set(range(self.m)) - self._ended if self._changed is not None else set())

    def _wake(self) -> None:
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)

    def abort(self, error: BaseException) -> None:
        """See Transport."""
        told = PartyFailed(self.index, type(error).__name__)
        for t in self.hub.transports:
            if t.index != self.index:
                t.fail(told)
        self.fail(told)

    def fail(self, error: AccordError) -> None:
        """End every request here in ``error``."""
        if self.error is None:
            self.error = error
        for box in self._boxes:
            box.fail(self.error)
        self._wake()
