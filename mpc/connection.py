"""One TLS connection to a peer: bytes to frames and back, as fast as Python can.

Reading: small frames are parsed out of one scratch buffer, many at a time; the payload of a large frame
is decrypted straight into the memory its receiver asked for. Writing: a large payload is handed to TLS in
slices that stay in the processor's cache, and only as fast as the socket drains; small frames that
follow each other within one turn of the event loop leave as one record.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from typing import Protocol, cast

from mpc.errors import FrameTruncated, PeerError, PeerLost, PeerUntrusted
from mpc.wire import HEADER_BYTES, Header, Kind, check, pack, unpack

__all__ = ["Connection", "FrameSink"]

_SCRATCH_BYTES = 1 << 16
_SLICE_BYTES = 1 << 18
_SMALL_BYTES = 1 << 12


class FrameSink(Protocol):
    """Whom a connection hands its frames to. All calls come from the event loop's thread."""

    def place(self, header: Header) -> memoryview | None:
        """Memory of exactly the frame's length; None to skip the frame, complete is then not called.

        May raise PeerError: the connection is then dropped.
        """

    def complete(self, header: Header, payload: memoryview) -> None:
        """The payload lies in the memory that place gave. May raise PeerError."""

    def lost(self, connection: Connection, error: PeerError | None) -> None:
        """The connection is over; None if this side, or the peer's farewell, said so before."""


class Connection(asyncio.BufferedProtocol):
    """Frames to and from one peer.

    Args:
        sink: receives the frames; may be exchanged (:attr:`sink`) once the peer is known.
        peer: the peer's index, -1 while it is not known; for error messages.
        max_frame: most payload bytes of one frame.
        delay: seconds every outgoing frame is held back (an injected one-way latency).
    """

    def __init__(self, sink: FrameSink, peer: int, max_frame: int, delay: float = 0.0) -> None:
        self.sink = sink
        self.peer = peer
        self.max_frame = max_frame
        self.farewell = False  # the peer said it is about to close
        self.closing = False  # this side is closing
        self.error: PeerError | None = None
        self._delay = delay
        self._transport: asyncio.Transport | None = None
        # reading
        self._scratch = memoryview(bytearray(_SCRATCH_BYTES))
        self._fill = 0
        self._header: Header | None = None
        self._payload: memoryview | None = None  # None while a payload is skipped, too
        self._missing = 0  # bytes of the payload still to come
        # writing
        self._outbox: deque[memoryview | bytes] = deque()
        self._paused = False
        self._cork: list[bytes] | None = None
        self._delayed: deque[tuple[float, bytes, memoryview | bytes]] = deque()
        self._drained: asyncio.Future[None] | None = None
        self._loop = asyncio.get_running_loop()
        self.closed: asyncio.Future[None] = self._loop.create_future()

    # --- writing ---------------------------------------------------------------------------------

    def send(self, kind: Kind, run: int, stamp: int, depth: int, label: bytes, payload: memoryview | bytes) -> None:
        """Queue a frame. ``payload`` must be contiguous bytes and must not change until it is written."""
        header = pack(kind, run, stamp, depth, label, len(payload))
        if self._delay:
            self._delayed.append((self._loop.time() + self._delay, header, payload))
            if len(self._delayed) == 1:
                self._loop.call_later(self._delay, self._release)
        else:
            self._write(header, payload)

    def _release(self) -> None:
        """Write the frames whose injected latency is over."""
        now = self._loop.time() + 5e-4  # the loop's clock ticks in milliseconds
        while self._delayed and self._delayed[0][0] <= now:
            _, header, payload = self._delayed.popleft()
            self._write(header, payload)
        if self._delayed:
            self._loop.call_later(max(0.0, self._delayed[0][0] - self._loop.time()), self._release)
        elif self._drained is not None:
            self._wake_drained()

    def _write(self, header: bytes, payload: memoryview | bytes) -> None:
        transport = self._transport
        if transport is None or self.closing:
            return
        if len(payload) <= _SMALL_BYTES:
            frame = b"".join((header, payload))
            if self._cork is not None:  # another frame went out in this turn already
                self._cork.append(frame)
            elif self._paused or self._outbox:
                self._outbox.append(frame)
            else:
                self._cork = []
                self._loop.call_soon(self._uncork)
                transport.write(frame)
            return
        if self._cork:
            self._outbox.append(b"".join(self._cork))
            self._cork.clear()
        whole = memoryview(payload)
        self._outbox.append(header)
        for start in range(0, len(whole), _SLICE_BYTES):
            self._outbox.append(whole[start : start + _SLICE_BYTES])
        if not self._paused:
            self._flush()

    def _uncork(self) -> None:
        frames, self._cork = self._cork, None
        if frames:
            self._outbox.append(b"".join(frames))
            if not self._paused:
                self._flush()

    def _flush(self) -> None:
        """Write from the outbox until it is empty or the socket is full."""
        outbox, transport = self._outbox, self._transport
        if transport is None:
            return
        while outbox and not self._paused:
            first = outbox.popleft()
            if outbox and len(first) <= HEADER_BYTES:  # a header: in one system call with what follows
                transport.writelines((first, outbox.popleft()))
            else:
                transport.write(first)
        if not outbox and self._drained is not None:
            self._wake_drained()

    def pause_writing(self) -> None:
        """The socket is full (called by the event loop)."""
        self._paused = True

    def resume_writing(self) -> None:
        """The socket has room again (called by the event loop)."""
        self._paused = False
        self._flush()

    @property
    def unwritten(self) -> bool:
        """True while frames wait here for the socket or for their injected latency."""
        return bool(self._outbox or self._cork or self._delayed)

    async def drained(self) -> None:
        """Wait until everything queued was handed to the socket."""
        while self.unwritten and not self.closed.done():
            self._drained = self._loop.create_future()
            await self._drained

    def _wake_drained(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    # --- reading ---------------------------------------------------------------------------------

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes go (called by the event loop)."""
        if not self._missing:
            return self._scratch[self._fill :]
        if self._payload is None:
            return self._scratch[: self._missing]
        return self._payload[-self._missing :]

    def buffer_updated(self, nbytes: int) -> None:
        """``nbytes`` came in (called by the event loop)."""
        if self.error is not None:
            return
        try:
            if not self._missing:
                self._fill += nbytes
                self._parse()
                return
            self._missing -= nbytes
            if not self._missing:
                header, payload = self._header, self._payload
                self._header = self._payload = None
                if header is not None and payload is not None:
                    self.sink.complete(header, payload)
        except PeerError as error:
            self.fail(error)

    def _parse(self) -> None:
        """Take all whole frames out of the scratch buffer, and the beginning of a longer one."""
        data, start, end = self._scratch, 0, self._fill
        while end - start >= HEADER_BYTES:
            header = unpack(data, start)
            check(header, self.peer, self.max_frame)
            length, start = header[6], start + HEADER_BYTES
            memory = self.sink.place(header)
            here = min(length, end - start)
            if memory is not None:
                memory[:here] = data[start : start + here]
            start += here
            if here < length:
                self._header, self._payload, self._missing = header, memory, length - here
            elif memory is not None:
                self.sink.complete(header, memory)
                if self.error is not None:
                    return
        if start < end:
            data[: end - start] = data[start:end]
        self._fill = end - start

    def discard(self) -> None:
        """Nobody wants the payload that is coming in any more: its memory is not written from now on."""
        self._payload = None

    @property
    def receiving(self) -> Header | None:
        """Header of the frame whose payload is coming in, if any."""
        return self._header if self._missing else None

    # --- life ------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """TLS is up (called by the event loop)."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=1, low=0)  # pause as soon as the socket is full

    def certificate(self) -> bytes:
        """The peer's certificate in DER form, b'' if there is none."""
        if self._transport is None:
            return b""
        tls: ssl.SSLObject | None = self._transport.get_extra_info("ssl_object")
        return (tls.getpeercert(binary_form=True) or b"") if tls is not None else b""

    def fail(self, error: PeerError) -> None:
        """The peer is at fault: drop the connection at once, the sink hears of ``error``."""
        if self.error is None and not self.closing:
            self.error = error
            self._abandon()
            self.sink.lost(self, error)

    def close(self) -> None:
        """Close on purpose, after what is queued was written."""
        if not self.closing:
            if not self._paused:
                self._uncork()
            self.closing = True
            if self._transport is not None:
                self._transport.close()

    def abort(self) -> None:
        """Close on purpose, at once."""
        self.closing = True
        self._abandon()

    def _abandon(self) -> None:
        self._outbox.clear()
        self._delayed.clear()
        self._payload = self._header = None
        if self._transport is not None:
            self._transport.abort()

    def eof_received(self) -> bool | None:
        """The peer closed its side (called by the event loop)."""
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is over (called by the event loop)."""
        self._transport = None
        self._outbox.clear()
        self._delayed.clear()
        self._wake_drained()
        if not self.closed.done():
            self.closed.set_result(None)
        if self.closing or self.error is not None:
            return
        if isinstance(exc, ssl.SSLError):
            self.error = PeerUntrusted(
                self.peer, f"party {self.peer} and this party do not trust each other: {exc.reason or exc}"
            )
        elif self._fill or self._missing:
            self.error = FrameTruncated(
                self.peer,
                f"the stream of party {self.peer} ended in the middle of a frame: it died, or the network did",
            )
        elif not self.farewell:
            reason = f" ({exc})" if exc is not None else ""
            self.error = PeerLost(
                self.peer,
                f"the connection to party {self.peer} broke without a farewell{reason}: it died, or the network did",
            )
        self._payload = self._header = None
        self.sink.lost(self, self.error)
