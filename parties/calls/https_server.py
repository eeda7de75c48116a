"""An ASGI application over mutual TLS on trio, for callers that prove who they are before a byte of HTTP is read.

Hypercorn makes its TLS context from files, once, and keeps the peer's certificate to itself; so the sockets are
accepted here, with a context made by leaf.contexts that can be exchanged while running, and Hypercorn's HTTP/1.1 runs
on each connection (https_connection.py).

A stranger gets as far as the handshake: so many at a time, so many of one address, for so long; what it does is counted
in the log, not written line by line.
"""

from __future__ import annotations

import functools
import ipaddress
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import trio
from hypercorn.config import Config
from hypercorn.trio.worker_context import WorkerContext

from mpc.errors import AccordError
from parties.calls.https_connection import Connection
from parties.calls.https_limits import Caller, Limits
from parties.calls.quiet_log import QuietLog, place_of

__all__ = ["HttpsServer", "listening"]

Admit = Callable[[bytes | None], str]
"""Gives the fingerprint of the identity a certificate (DER) is of; raises PeerRefused if it is not dealt with."""


async def listening(where: str | socket.socket) -> list[trio.SocketListener]:
    """Listeners at ``host:port`` or ``[v6]:port`` (port 0: any), or on a socket that listens already.

    Raises OSError if the address cannot be had.
    """
    if isinstance(where, socket.socket):
        where.setblocking(False)
        return [trio.SocketListener(trio.socket.from_stdlib_socket(where))]
    host, _, port = where.rpartition(":")
    return list(await trio.open_tcp_listeners(int(port), host=host.strip("[]"), backlog=1024))


class HttpsServer:
    """One application, served to whoever ``admit`` lets in.

    Args:
        app: ASGI; no lifespan events, no web sockets. See https_connection.py for what its scope has.
        context: for listening, from leaf.contexts.
        admit: see Admit. Asked after each handshake, and about every open connection at ``exchange``.
        limits: see Limits.
        log: where a line may go now and then.
    """

    def __init__(
        self,
        app: Any,
        context: ssl.SSLContext,
        admit: Admit,
        limits: Limits | None = None,
        log: logging.Logger | None = None,
    ) -> None:
        self._app = app
        self._context = context
        self._admit = admit
        self._limits = Limits() if limits is None else limits
        self._log = QuietLog(log or logging.getLogger(__name__), trio.current_time)
        self._config = _config(self._limits)
        self._worker = WorkerContext(None)
        self._stopping = trio.Event()
        self._strangers: Counter[str] = Counter()  # connections before the end of their handshake, by address
        self._callers: Counter[str] = Counter()  # and after it, by identity
        self._open: set[Connection] = set()

    @property
    def open_connections(self) -> int:
        """How many there are, with those that have not shown a certificate yet."""
        return len(self._open) + self._strangers.total()

    async def serve(
        self,
        listeners: Sequence[trio.SocketListener],
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve until ``stop``, then until requests under way are answered, or ``limits.grace`` has passed.

        Listeners are closed at the end. Cancel it to end everything at once.
        """
        async with trio.open_nursery() as connections:
            accept: Callable[[], Any] = functools.partial(
                trio.serve_listeners, self._meet, list(listeners), handler_nursery=connections
            )
            async with trio.open_nursery() as accepting:
                accepting.start_soon(accept)
                task_status.started()
                await self._stopping.wait()
                accepting.cancel_scope.cancel()
            connections.cancel_scope.deadline = trio.current_time() + self._limits.grace
            await self._worker.terminated.set()
            for connection in list(self._open):
                connection.finish()

    def stop(self) -> None:
        """Take no more connections, let requests under way finish. ``serve`` returns when they have."""
        self._stopping.set()

    def exchange(self, context: ssl.SSLContext) -> None:
        """New connections get this context. Open ones stay, if ``admit`` still takes their certificate.

        For a new leaf, and for a new charter, after which ``admit`` must go by it.
        """
        self._context = context
        for connection in list(self._open):
            if self._asked(connection.caller.certificate) != connection.caller.who:
                connection.close()

    async def _meet(self, stream: trio.SocketStream) -> None:
        """One connection, from its beginning to its end. Raises nothing."""
        try:
            caller = await self._greet(stream)
            if caller is not None:
                await self._talk(*caller)
        finally:
            await trio.aclose_forcefully(stream)

    async def _greet(self, stream: trio.SocketStream) -> tuple[trio.SSLStream[trio.SocketStream], Caller] | None:
        """The handshake, and who it was with; None if there is nobody to talk to."""
        try:
            host, port = stream.socket.getpeername()[:2]
        except OSError:
            return None
        limits, place = self._limits, _place(host)
        if self._strangers.total() >= limits.handshakes or self._strangers[place] >= limits.per_address:
            self._log.note("connections beyond what is borne before a certificate is shown", f"from {host}")
            return None
        self._strangers[place] += 1
        tls = trio.SSLStream(stream, self._context, server_side=True, https_compatible=True)
        try:
            with trio.move_on_after(limits.handshake):
                await tls.do_handshake()
                certificate = tls.getpeercert(binary_form=True)
                who = self._asked(certificate)
                if who is not None:
                    return tls, Caller(certificate, who, (host, port))
            self._log.note("connections without a certificate of anybody known here", f"from {host}")
        except (trio.BrokenResourceError, trio.ClosedResourceError, OSError):
            self._log.note("connections whose TLS handshake failed", f"from {host}")
        finally:
            self._strangers[place] -= 1
            if not self._strangers[place]:
                del self._strangers[place]
        return None

    async def _talk(self, tls: trio.SSLStream[trio.SocketStream], caller: Caller) -> None:
        if self._stopping.is_set():
            return
        if len(self._open) >= self._limits.connections or self._callers[caller.who] >= self._limits.per_caller:
            self._log.note("connections beyond what is borne of one identity", f"{caller.who[:16]}...")
            return
        connection = Connection(
            self._app, tls, caller, self._limits, self._config, self._worker, self._stopping, self._log
        )
        self._open.add(connection)
        self._callers[caller.who] += 1
        try:
            await connection.run()
        finally:
            self._open.discard(connection)
            self._callers[caller.who] -= 1
            if not self._callers[caller.who]:
                del self._callers[caller.who]

    def _asked(self, certificate: bytes | None) -> str | None:
        """Who that is; None if it is not dealt with, or its certificate makes ``admit`` fail."""
        try:
            return self._admit(certificate)
        except Exception as error:
            self._log.note("callers who are refused", str(error) if isinstance(error, AccordError) else place_of(error))
            return None


def _place(host: str) -> str:
    """What counts as one address: of IPv6 the network of 64 bits, which one machine may have whole."""
    address = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(address, ipaddress.IPv4Address):
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((address, 64), strict=False))


def _config(limits: Limits) -> Config:
    """Hypercorn's settings: nothing is logged by it, and a connection may be used for as long as it lasts."""
    config = Config()
    config.accesslog = config.errorlog = None
    config.include_server_header = False
    config.h11_max_incomplete_size = limits.head_bytes
    config.keep_alive_max_requests = 1 << 62
    return config
