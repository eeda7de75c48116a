"""From nothing to a node that is connected to all parties, sure of each, and holds its keys.

1. Rendezvous: a connection to every peer; pair keys follow from the HELLOs.
2. When all are there, every party sends every other its contributions to the component keys. That message
   also says "I am connected to everybody", so that no party starts computing while another still looks for a third.
3. The liveness threads connect.
4. All three for all peers: done. Until then a peer that leaves may come back; when the deadline passes, the
   reason why one is missing is raised.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time

from mpc.agreement import KeyAgreement
from mpc.certificates import Credentials, client_context, fingerprint, server_context
from mpc.connection import Connection
from mpc.errors import CredentialsUnusable, FrameInvalid, PeerError
from mpc.greeting import Greeting
from mpc.liveness import Liveness
from mpc.node_transport import NodeTransport
from mpc.rendezvous import Rendezvous
from mpc.settings import NodeConfig, read_pem
from mpc.wire import NO_LABEL, VERSION, Kind

__all__ = ["Startup"]


class Startup:
    """One attempt to start a node; :meth:`run` it on the node's event loop.

    Args:
        config: the node's.
        transport: gets the connections.
        liveness: the running heartbeat thread.

    Attributes:
        agreement: holds the keys when run has returned.
        done: all parties are connected; from now on a connection that is lost is a fault.
    """

    def __init__(self, config: NodeConfig, transport: NodeTransport, liveness: Liveness) -> None:
        self._config = config
        self._transport = transport
        self._liveness = liveness
        self._peers = [j for j in range(config.m) if j != config.index]
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._deadline = time.monotonic() + config.start_deadline
        self._tasks: list[asyncio.Task[None]] = []
        self._keys_sent: set[int] = set()
        self._keys_had: set[int] = set()
        self._alive: set[int] = set()
        self._been: set[int] = set()  # was connected, and left again: less suspect than who never came
        self._fatal: PeerError | None = None
        self.done = False
        self.agreement = KeyAgreement(config.index, config.m, config.t, config.session, config.fingerprints)

    @staticmethod
    def contexts(config: NodeConfig) -> tuple[ssl.SSLContext, ssl.SSLContext]:
        """TLS for the listening and for the dialing side."""
        try:
            credentials = Credentials(read_pem(config.certificate), read_pem(config.key))
            authority = read_pem(config.authority)
            own = fingerprint(credentials.certificate)
            contexts = server_context(credentials, authority), client_context(credentials, authority)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            why = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
            raise CredentialsUnusable(
                f"party {config.index} cannot use its certificate, key or authority: {why}"
            ) from None
        if own != config.fingerprints[config.index]:
            raise CredentialsUnusable(f"party {config.index}'s certificate is not the one its roster lists for it")
        return contexts

    async def run(self, server: ssl.SSLContext, client: ssl.SSLContext) -> None:
        """Connect to all and agree on keys.

        Raises, when the start deadline has passed, the reason of the first missing party: PeerMissing, or
        what was wrong with whoever tried (IdentityMismatch, PeerUntrusted, ConfigurationMismatch, ...).
        """
        config = self._config
        self._rendezvous = Rendezvous(
            Greeting(
                VERSION,
                config.index,
                config.m,
                config.t,
                config.max_frame,
                config.session,
                self.agreement.introduction,
            ),
            config.fingerprints,
            server,
            client,
            config.max_frame,
            config.rtt / 2000,
            self._deadline,
            lambda peer: peer not in self._transport.connections,
            self._connected,
            self._liveness.welcome,
        )
        listener = config.listener
        if listener is None:
            listener = _listen(config.bind, config.roster[config.index].port)
        self._transport.on_keys = self._keys_came
        self._spawn_listen(listener)
        try:
            for j in range(config.index + 1, config.m):
                self._dial(j)
            await self._everyone()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            listener.close()
        self._transport.on_keys = _no_more_keys
        self.agreement.conclude()

    def _spawn_listen(self, listener: socket.socket) -> None:
        self._tasks.append(self._loop.create_task(self._rendezvous.listen(listener)))

    def _dial(self, peer: int) -> None:
        who = self._config.roster[peer]
        self._tasks.append(self._loop.create_task(self._rendezvous.dial(peer, who.host, who.port)))

    async def _everyone(self) -> None:
        """Wait until all are connected, know it of each other, and beat."""
        connections = self._transport.connections
        while True:
            if self._fatal is not None:
                raise self._fatal
            missing = sorted((j for j in self._peers if j not in connections), key=lambda j: j in self._been)
            if not missing:
                for j in self._peers:
                    if j not in self._keys_sent:
                        self._keys_sent.add(j)
                        connections[j].send(Kind.HELLO, 0, 0, 0, NO_LABEL, self.agreement.contributions(j))
            unready = [j for j in self._peers if j not in self._keys_had or j not in self._alive]
            if not missing and not unready:
                self.done = True
                return
            try:
                async with asyncio.timeout(self._deadline - time.monotonic()):
                    await self._news.wait()
            except TimeoutError:
                raise self._rendezvous.verdict(missing, unready, self._config.start_deadline) from None
            self._news.clear()

    def _connected(self, peer: int, connection: Connection, theirs: Greeting) -> None:
        """Rendezvous: a connection stands and its other end is who it says."""
        self.agreement.introduced(peer, theirs.introduction)
        connection.sink = self._transport.sink(peer)
        self._transport.connections[peer] = connection
        self._keys_sent.discard(peer)
        self._keys_had.discard(peer)
        if peer > self._config.index:
            who = self._config.roster[peer]
            self._liveness.dial(peer, who.host, who.port, self._deadline)
        self._news.set()

    def _keys_came(self, peer: int, sealed: bytes) -> None:
        if peer in self._keys_had:
            _no_more_keys(peer, sealed)
        self.agreement.contributed(peer, sealed)
        self._keys_had.add(peer)
        self._news.set()

    def alive(self, peer: int) -> None:
        """The liveness connection to ``peer`` stands."""
        self._alive.add(peer)
        self._news.set()

    def left(self, connection: Connection) -> None:
        """A connection made before is over. The peer may come back, unless it may have begun computing already."""
        peer = connection.peer
        if self._transport.connections.get(peer) is not connection:
            return
        if connection.error is not None:
            self._rendezvous.note(peer, connection.error)
        if peer in self._keys_had and peer in self._keys_sent:
            self._fatal = connection.error  # None: it was faster than this party, and is done already
            self._alive.add(peer)
        elif connection.error is not None or connection.closed.done():
            del self._transport.connections[peer]
            self._been.add(peer)
            self._alive.discard(peer)
            if peer > self._config.index:
                self._dial(peer)
        self._news.set()


def _no_more_keys(peer: int, sealed: bytes) -> None:
    raise FrameInvalid(peer, f"party {peer} sent a HELLO twice")


def _listen(host: str, port: int) -> socket.socket:
    if not host and socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, backlog=128, dualstack_ipv6=True)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=128)
