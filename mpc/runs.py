"""What came in and what is awaited, run by run.

A *run* is one program, executed by all parties. A fast peer may be in run 5 while this party is in run 4: its
frames are kept (within the mailbox limit) until this party begins run 5. Frames of finished runs are dropped.
"""

from __future__ import annotations

import asyncio

from mpc.errors import AccordError, FrameInvalid, PeerFlooding
from mpc.mailbox import FRAME_BYTES, Mailbox
from mpc.transport import Traffic

__all__ = ["PeerRun", "Run"]


class _Partial:
    """A message of which some frames are here, and ``follow`` are still to come."""

    __slots__ = ("follow", "parts")

    def __init__(self) -> None:
        self.parts: list[memoryview] = []
        self.follow = 0


class PeerRun:
    """One peer's part in one run: its frames, kept or awaited."""

    def __init__(self, peer: int, limit: int) -> None:
        self.box = Mailbox(peer, limit)
        self.messages: dict[int, memoryview] = {}  # of MPyC, by program counter
        self.awaited: dict[int, asyncio.Future[memoryview]] = {}
        self._partial: dict[int, _Partial] = {}
        self.sent = 0  # frames; these two are for the detection of stalls
        self.received = 0
        self.ended = False

    def message(self, pc: int) -> memoryview | asyncio.Future[memoryview]:
        """MPyC asks for a message: the message, or a future of it."""
        if pc in self.messages:
            payload = self.messages.pop(pc)
            self.box.kept_bytes -= len(payload) + FRAME_BYTES
            return payload
        future: asyncio.Future[memoryview] = asyncio.get_running_loop().create_future()
        if self.box.error is not None:
            future.set_exception(self.box.error)
        else:
            self.awaited[pc] = future
        return future

    def place_message(self, pc: int, follow: int, length: int) -> memoryview:
        """Memory for a frame of a message of MPyC, ``follow`` more of which are to come.

        Raises PeerFlooding when it does not fit under the limit. What is awaited counts too while it is in pieces,
        since a peer chooses the number of them. Raises FrameInvalid for a message that is here already, or whose
        frames do not follow each other.
        """
        peer, partial = self.box.peer, self._partial.get(pc)
        if pc in self.messages:
            raise FrameInvalid(peer, f"party {peer} sent two messages for one place of the program")
        if partial is not None and partial.follow != follow + 1:
            raise FrameInvalid(peer, f"party {peer} sent the pieces of a message out of order")
        awaited = pc in self.awaited and partial is None and not follow
        if not awaited and self.box.kept_bytes + length + FRAME_BYTES > self.box.limit:
            raise PeerFlooding(
                peer,
                f"party {peer} sent more than {self.box.limit} bytes that were not asked for, or not complete yet: "
                "raise mailbox_limit if its program honestly does that",
            )
        return memoryview(bytearray(length))

    def complete_message(self, pc: int, follow: int, payload: memoryview) -> None:
        """All bytes of the frame are in the memory :meth:`place_message` gave."""
        if follow or pc in self._partial:
            partial = self._partial.setdefault(pc, _Partial())
            partial.parts.append(payload)
            partial.follow = follow
            self.box.kept_bytes += len(payload) + FRAME_BYTES
            if follow:
                return
            del self._partial[pc]
            payload = memoryview(bytearray().join(partial.parts))
            self.box.kept_bytes -= len(payload) + len(partial.parts) * FRAME_BYTES
        future = self.awaited.pop(pc, None)
        if future is None:
            self.messages[pc] = payload
            self.box.kept_bytes += len(payload) + FRAME_BYTES
        elif not future.done():
            future.set_result(payload)

    def fail(self, error: AccordError) -> None:
        """Whatever is awaited, now and later, ends in ``error``."""
        self.box.fail(error)
        self._partial.clear()
        awaited, self.awaited = self.awaited, {}
        for future in awaited.values():
            if not future.done():
                future.set_exception(error)
                future.exception()  # seen: MPyC may have dropped it


class Run:
    """All peers' parts in one run of party ``index``."""

    def __init__(self, index: int, number: int, m: int, limit: int) -> None:
        self.index = index
        self.number = number
        self.peers = [PeerRun(j, limit) for j in range(m)]
        self.traffic = Traffic()
        self.error: AccordError | None = None
        self.finishing = False
        self._waited: list[int] = []  # for whom, when it failed
        self.told = False  # this party told all peers that the run failed
        self.changed: asyncio.Future[None] | None = None

    def fail(self, error: AccordError) -> None:
        if self.error is None:
            self._waited = self.waits_for()
            self.error = error
        for peer in self.peers:
            peer.fail(self.error)
        self.wake()

    def leaves(self, peer: int, error: AccordError) -> None:
        """A peer closed its node. Whatever is still needed of it ends in ``error``; what it has sent counts."""
        if not self.peers[peer].ended:
            self.peers[peer].fail(error)
            self.wake()

    def gone(self) -> AccordError | None:
        """The error of a peer that left before it ended this run, if any did."""
        return next((p.box.error for p in self.peers if p.box.error is not None and not p.ended), None)

    def wake(self) -> None:
        if self.changed is not None and not self.changed.done():
            self.changed.set_result(None)

    def waiting(self) -> int:
        """Requests, MPyC's messages and ends of programs that are awaited."""
        count = sum(peer.box.waiting + len(peer.awaited) for peer in self.peers)
        return count + (sum(not peer.ended for peer in self.peers) - 1 if self.finishing else 0)

    def waits_for(self) -> list[int]:
        """The parties whose messages, or whose end, are awaited; of a run that failed, were awaited then."""
        if self.error is not None:
            return self._waited
        return [
            peer.box.peer
            for peer in self.peers
            if peer.box.waiting or peer.awaited or (self.finishing and not peer.ended and peer.box.peer != self.index)
        ]
