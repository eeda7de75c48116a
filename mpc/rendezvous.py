"""How the parties find each other and make sure who is who.

1. Party i dials every larger index and is dialed by every smaller one; TLS 1.3, both show certificates.
2. The dialer says HELLO, the listener judges it and answers HELLO, the dialer judges that.
3. A connection that fails anywhere is dropped and its reason written down; the dialer tries again, the
   listener keeps listening. Nobody unwelcome can take a node down while it waits for the real one.
4. When the deadline passes, the error raised is the reason written down for a party that is missing.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import time
from collections.abc import Callable, Mapping

from mpc.certificates import fingerprint, party_name
from mpc.connection import Connection
from mpc.dialing import ALIVE_PREAMBLE, DATA_PREAMBLE, connected
from mpc.errors import (
    ConfigurationMismatch,
    FrameInvalid,
    FrameTruncated,
    IdentityMismatch,
    PeerError,
    PeerLost,
    PeerMissing,
    PeerUntrusted,
)
from mpc.greeting import Greeting, judge
from mpc.strangers import Strangers
from mpc.wire import HELLO_LIMIT, NO_LABEL, Header, Kind

__all__ = ["Rendezvous"]

_PATIENCE = 10.0  # seconds for a handshake and a HELLO
_PREAMBLE_PATIENCE = 2.0  # of these, for the first eight bytes
_log = logging.getLogger("accord.node")


class _Stranger:
    """A FrameSink that takes one HELLO. It is judged at once: the frame behind it may be in the same record."""

    def __init__(self, judge_it: Callable[[Greeting], None]) -> None:
        self.judged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._judge_it = judge_it

    def place(self, header: Header) -> memoryview:
        if header[0] != Kind.HELLO or header[6] > HELLO_LIMIT or self.judged.done():
            raise FrameInvalid(-1, "a frame before the HELLO, or two of them: no party of this release sends that")
        return memoryview(bytearray(header[6]))

    def complete(self, header: Header, payload: memoryview) -> None:
        try:
            self._judge_it(Greeting.unpack(bytes(payload)))
        except PeerError as error:
            self._fail(error)
        else:
            if not self.judged.done():
                self.judged.set_result(None)

    def lost(self, connection: Connection, error: PeerError | None) -> None:
        self._fail(error or PeerLost(-1, "the connection was closed before the HELLO"))

    def _fail(self, error: PeerError) -> None:
        if not self.judged.done():
            self.judged.set_exception(error)
            self.judged.exception()  # seen: nobody may be waiting for it yet


class Rendezvous:
    """Makes the connections of one node.

    Args:
        own: this party's HELLO.
        roster: fingerprints by index.
        server, client: TLS contexts.
        max_frame, delay: of the connections to make.
        deadline: of time.monotonic().
        is_free: called with an index: may that party connect, or is it connected already?
        on_peer: called with an index, its connection and its HELLO when all is well; the connection's sink must
            have been exchanged when it returns.
        on_alive: called with a socket whose first bytes say that it is for the liveness thread.
    """

    def __init__(
        self,
        own: Greeting,
        roster: Mapping[int, str],
        server: ssl.SSLContext,
        client: ssl.SSLContext,
        max_frame: int,
        delay: float,
        deadline: float,
        is_free: Callable[[int], bool],
        on_peer: Callable[[int, Connection, Greeting], None],
        on_alive: Callable[[socket.socket], None],
    ) -> None:
        self._own = own
        self._roster = roster
        self._server = server
        self._client = client
        self._max_frame = max_frame
        self._delay = delay
        self._deadline = deadline
        self._is_free = is_free
        self._on_peer = on_peer
        self._on_alive = on_alive
        self._loop = asyncio.get_running_loop()
        self._strangers = Strangers()
        self.reasons: dict[int, PeerError] = {}  # why a party is not connected, as far as known
        self._last_refusal: PeerError | None = None

    async def listen(self, listener: socket.socket) -> None:
        """Welcome whoever dials, until cancelled."""
        listener.setblocking(False)
        try:
            while True:
                try:
                    sock, address = await self._loop.sock_accept(listener)
                except OSError:  # the dialer is gone already, or there are no descriptors left for now
                    await asyncio.sleep(0.01)
                    continue
                sock.setblocking(False)
                self._strangers.admit(self._loop.create_task(self._welcome(sock)), address[0])
                await asyncio.sleep(0)  # whoever is being welcomed goes on, however many are in the queue
        finally:
            self._strangers.cancel()

    async def dial(self, peer: int, host: str, port: int) -> None:
        """Connect to ``peer``; retries until it is done, or cancelled."""
        while True:
            try:
                async with asyncio.timeout(_PATIENCE):
                    await self._dial_once(peer, host, port)
                return
            except (ConnectionRefusedError, TimeoutError, socket.gaierror):
                pass  # not there yet
            except (PeerError, OSError) as error:
                self.note(peer, error)
            await asyncio.sleep(0.05 if time.monotonic() < self._deadline - 2 else 0.02)

    async def _welcome(self, sock: socket.socket) -> None:
        connection, judged = self._stranger(-1, None)
        try:
            async with asyncio.timeout(_PATIENCE):
                async with asyncio.timeout(_PREAMBLE_PATIENCE):
                    preamble = await self._preamble(sock)
                if preamble == ALIVE_PREAMBLE:
                    self._on_alive(sock)
                    return
                if preamble != DATA_PREAMBLE:
                    raise FrameInvalid(-1, "someone dialed who is not a party of this release")
                try:
                    await self._loop.connect_accepted_socket(lambda: connection, sock, ssl=self._server)
                except ConnectionError:  # a dialer that refuses a certificate hangs up
                    text = "someone dialed and broke off the TLS handshake: it may not trust this party's certificate"
                    raise PeerUntrusted(-1, text) from None
                await judged
        except ConfigurationMismatch as error:  # our answer is on its way, so that the other side finds out, too
            self.note(-1, error)
            self._loop.call_later(0.5, self._drop, connection, sock)
        except TimeoutError:
            self.note(-1, PeerLost(-1, "someone dialed but did not say HELLO in time"))
            self._drop(connection, sock)
        except (PeerError, OSError) as error:
            self.note(-1, error)
            self._drop(connection, sock)
        except BaseException:
            self._drop(connection, sock)
            raise

    async def _preamble(self, sock: socket.socket) -> bytes:
        found = b""
        while len(found) < len(DATA_PREAMBLE):
            more = await self._loop.sock_recv(sock, len(DATA_PREAMBLE) - len(found))
            if not more:
                raise PeerLost(-1, "someone dialed and hung up")
            found += more
        return found

    async def _dial_once(self, peer: int, host: str, port: int) -> None:
        connection, judged = self._stranger(peer, peer)
        sock: socket.socket | None = None
        try:
            sock = await connected(self._loop, host, port)
            await self._loop.sock_sendall(sock, DATA_PREAMBLE)
            await self._loop.create_connection(
                lambda: connection, sock=sock, ssl=self._client, server_hostname=party_name(peer)
            )
            connection.send(Kind.HELLO, 0, 0, 0, NO_LABEL, self._own.pack())
            try:
                await judged
            except PeerLost as error:
                if isinstance(error, FrameTruncated):
                    raise
                # A listener that refuses a certificate can only hang up: TLS 1.3 is up for the dialer by then.
                raise PeerUntrusted(
                    peer,
                    f"party {peer} hung up without a HELLO: it does not trust this party's certificate, "
                    "or has another one on its roster",
                ) from None
        except BaseException:
            self._drop(connection, sock)
            raise

    def _stranger(self, peer: int, expected: int | None) -> tuple[Connection, asyncio.Future[None]]:
        """A connection whose other end has to introduce itself yet, and what is to come of that."""

        def judge_it(theirs: Greeting) -> None:
            certificate = fingerprint(connection.certificate())
            try:
                judge(theirs, certificate, self._own, self._roster, expected)
            except ConfigurationMismatch:
                if expected is None:
                    connection.send(Kind.HELLO, 0, 0, 0, NO_LABEL, self._own.pack())
                raise
            connection.peer = theirs.index
            if expected is None and not self._is_free(theirs.index):
                raise IdentityMismatch(
                    theirs.index,
                    f"party {theirs.index} is connected already, someone dialed as party {theirs.index} again",
                )
            if expected is None:  # answer before anything else is sent to it
                connection.send(Kind.HELLO, 0, 0, 0, NO_LABEL, self._own.pack())
            self._on_peer(theirs.index, connection, theirs)
            self.reasons.pop(theirs.index, None)

        stranger = _Stranger(judge_it)
        connection = Connection(stranger, peer, self._max_frame, self._delay)
        return connection, stranger.judged

    def note(self, peer: int, error: Exception) -> None:
        """Write down why a connection failed, or broke again."""
        if isinstance(error, PeerError):
            reason = error if error.peer >= 0 else type(error)(peer, error.text)
        elif isinstance(error, ssl.SSLError):
            why = getattr(error, "verify_message", "") or error.reason or str(error)
            who = f"party {peer}" if peer >= 0 else "someone who dialed"
            reason = PeerUntrusted(peer, f"the TLS handshake with {who} failed: {why}")
        else:
            reason = PeerLost(peer, f"the connection broke while it was made: {type(error).__name__}")
        peer = reason.peer
        if not isinstance(reason, PeerLost):
            self._last_refusal = reason
        known = self.reasons.get(peer)
        if known is None or str(known) != str(reason):
            _log.warning("refused a connection: %s", reason)
        if known is None or not isinstance(reason, PeerLost):
            self.reasons[peer] = reason

    @staticmethod
    def _drop(connection: Connection, sock: socket.socket | None) -> None:
        if not isinstance(connection.sink, _Stranger):
            return  # it is a peer's by now; only whoever waited for that was cancelled
        connection.abort()
        if sock is not None:
            sock.close()

    def verdict(self, missing: list[int], unready: list[int], seconds: float) -> PeerError:
        """The error to raise when the deadline has passed; ``missing`` in order of suspicion."""
        if not missing:
            return PeerMissing(
                unready[0], f"party {unready[0]} is connected, but not to every other party, after {seconds:g} s"
            )
        first = missing[0]
        late = f"party {first} did not connect within {seconds:g} s"
        if first in self.reasons:
            return type(self.reasons[first])(first, f"{late}: {self.reasons[first].text}")
        if self._last_refusal is not None:  # it may well have been that party, under another name
            return type(self._last_refusal)(first, f"{late}, but {self._last_refusal.text}")
        return PeerMissing(first, f"{late}: is it running?")
