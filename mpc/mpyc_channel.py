"""A connection as MPyC's runtime knows it: messages by program counter, cut into frames where they are large."""

from __future__ import annotations

import asyncio

from mpc.errors import OutOfRange
from mpc.framing import pieces
from mpc.mailbox import FRAME_BYTES
from mpc.node_transport import NodeTransport
from mpc.wire import Kind, label_of_pc

__all__ = ["MpycChannel"]


class MpycChannel:
    """The protocol attribute of one of a node's MPyC parties."""

    def __init__(self, transport: NodeTransport, peer: int) -> None:
        self._transport = transport
        self._peer = peer
        self.nbytes_sent = 0

    def send(self, pc: int, payload: bytes) -> None:
        """Send a message, labelled by MPyC's program counter.

        All its frames have the same label; their depth says how many follow. Raises OutOfRange, before anything is
        sent, for a message of several frames that a receiver with this party's mailbox_limit would not keep.
        """
        transport = self._transport
        parts = pieces(memoryview(payload), transport.max_frame)
        if len(parts) > 1 and len(payload) + len(parts) * FRAME_BYTES > transport.limit:
            raise OutOfRange(
                f"a message of {len(payload)} bytes to party {self._peer}, but mailbox_limit is {transport.limit}: "
                "raise it on all parties, or send less at once"
            )
        run, label = transport.current, label_of_pc(pc)
        run.peers[self._peer].sent += len(parts)
        run.traffic.frames_sent += len(parts)
        run.traffic.bytes_sent += len(payload)
        self.nbytes_sent += len(payload)
        connection = transport.connections[self._peer]
        for follow, part in zip(reversed(range(len(parts))), parts, strict=True):
            connection.send(Kind.MPYC, run.number, 0, follow, label, part)

    def receive(self, pc: int) -> memoryview | asyncio.Future[memoryview]:
        """The message with that label, or a future of it."""
        return self._transport.current.peers[self._peer].message(pc)

    def close_connection(self) -> None:
        """Close, after what is queued was written."""
        self._transport.connections[self._peer].close()
