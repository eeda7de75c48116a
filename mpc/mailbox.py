"""Matches what a peer sent with what this party waits for. No sockets, no clock.

One :class:`Mailbox` a peer. A frame and the request for it meet by label, in either order. If the
request was first, the transport reads straight into the requested memory; if the frame was first,
it is kept, up to ``limit`` bytes in all, FRAME_BYTES for each frame included. The stamp (a checksum
of operation name and size) must agree on both sides: two parties that are at one place of different
programs find out here.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from mpc.errors import AccordError, FrameInvalid, PeerFlooding, ProgramDiverged

__all__ = ["FRAME_BYTES", "LABEL_BYTES", "Mailbox"]

LABEL_BYTES = 12
FRAME_BYTES = 600  # what Python takes to keep a frame, beside its payload: so empty frames fill no memory either


@dataclass(slots=True)
class _Request:
    stamp: int
    into: memoryview
    done: asyncio.Future[int]


@dataclass(slots=True)
class _Arrival:
    stamp: int
    depth: int
    payload: memoryview
    complete: bool


def _refuse(done: asyncio.Future[int], error: Exception) -> None:
    """End a request in an error; nobody need be waiting for it any more."""
    done.set_exception(error)
    done.exception()


class Mailbox:
    """Frames from one peer, requests by this party.

    Args:
        peer: index of the peer, for error messages.
        limit: most bytes of unrequested frames (payload and FRAME_BYTES each) kept before :class:`PeerFlooding`.

    Attributes:
        error: what every request ends in, once :meth:`fail` was called.
    """

    def __init__(self, peer: int, limit: int) -> None:
        self.peer = peer
        self.limit = limit
        self.kept_bytes = 0
        self._requests: dict[bytes, _Request] = {}
        self._arrivals: dict[bytes, _Arrival] = {}
        self._ended = False
        self.error: AccordError | None = None

    @property
    def waiting(self) -> int:
        """Number of requests not yet satisfied."""
        return len(self._requests)

    def request(self, label: bytes, stamp: int, into: memoryview) -> asyncio.Future[int]:
        """Ask for the frame ``label``; the future gives the frame's depth once it lies in ``into``.

        Raises, through the future: ProgramDiverged if the peer's frame has another stamp or size, or if the
        peer has ended its program; whatever :meth:`fail` was told.
        """
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        arrival = self._arrivals.get(label)
        if arrival is not None:
            del self._arrivals[label]
            self.kept_bytes -= len(arrival.payload) + FRAME_BYTES
            if arrival.stamp != stamp or len(arrival.payload) != len(into):
                _refuse(done, self._diverged(label))
            elif arrival.complete:
                into[:] = arrival.payload
                done.set_result(arrival.depth)
            else:  # its bytes are still coming in: the rest follows by complete()
                self._requests[label] = _Request(stamp, into, done)
                self._arrivals[label] = arrival
                self.kept_bytes += len(arrival.payload) + FRAME_BYTES
        elif self.error is not None:
            _refuse(done, self.error)
        elif self._ended:
            _refuse(done, self._diverged(label))
        elif label in self._requests:
            _refuse(done, ProgramDiverged(f"two requests to party {self.peer} for one label"))
        else:
            self._requests[label] = _Request(stamp, into, done)
        return done

    def place(self, label: bytes, stamp: int, depth: int, length: int) -> memoryview:
        """Memory for the payload of a frame whose header came in; follow with :meth:`complete`.

        Raises PeerFlooding when the payload was not asked for and does not fit under the limit, FrameInvalid
        when a frame of that label is here already.
        """
        if label in self._arrivals:
            raise FrameInvalid(self.peer, f"party {self.peer} sent two messages for one place of the program")
        request = self._requests.get(label)
        if request is not None and request.stamp == stamp and len(request.into) == length and not request.done.done():
            return request.into
        if self.kept_bytes + length + FRAME_BYTES > self.limit:
            raise PeerFlooding(
                self.peer,
                f"party {self.peer} sent more than {self.limit} bytes that were not asked for: "
                "raise the mailbox limit if its program is honestly that far ahead",
            )
        payload = memoryview(bytearray(length))
        self._arrivals[label] = _Arrival(stamp, depth, payload, complete=False)
        self.kept_bytes += length + FRAME_BYTES
        return payload

    def complete(self, label: bytes, stamp: int, depth: int) -> None:
        """All bytes of the frame are in the memory :meth:`place` gave."""
        request = self._requests.pop(label, None)
        arrival = self._arrivals.get(label)
        if arrival is None:
            if request is not None and not request.done.done():
                request.done.set_result(depth)
            return
        arrival.complete = True
        if request is None:
            return
        del self._arrivals[label]
        self.kept_bytes -= len(arrival.payload) + FRAME_BYTES
        if request.done.done():
            return
        if request.stamp != arrival.stamp or len(request.into) != len(arrival.payload):
            _refuse(request.done, self._diverged(label))
        else:
            request.into[:] = arrival.payload
            request.done.set_result(depth)

    def deliver(self, label: bytes, stamp: int, depth: int, payload: bytes | memoryview) -> None:
        """place, copy and complete in one: for transports that have the whole frame at hand."""
        self.place(label, stamp, depth, len(payload))[:] = payload
        self.complete(label, stamp, depth)

    def end(self) -> None:
        """The peer ended its program: whatever is still asked of it will never come."""
        self._ended = True
        requests, self._requests = self._requests, {}
        for label, request in requests.items():
            if not request.done.done():
                _refuse(request.done, self._diverged(label))

    def fail(self, error: AccordError) -> None:
        """Every request, now and later, ends in ``error`` (the first one told stays)."""
        if self.error is None:
            self.error = error
        requests, self._requests = self._requests, {}
        for request in requests.values():
            if not request.done.done():
                _refuse(request.done, self.error)

    def leftover(self) -> int:
        """Frames that came and that nobody asked for."""
        return len(self._arrivals)

    def _diverged(self, label: bytes) -> ProgramDiverged:
        return ProgramDiverged(
            f"this party waits for a message of party {self.peer} that party {self.peer} does not send "
            f"(label {label.hex()[:8]}): run the same operations, on the same shapes, in the same order at every party"
        )
