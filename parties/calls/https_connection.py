"""One TLS connection of https_server.py after its handshake: HTTP/1.1 by Hypercorn, bounded in bytes and in time.

Hypercorn's H11Protocol and HTTPStream parse and write HTTP and speak ASGI. What stands between them and the socket is
here and not Hypercorn's TCPServer, for six things that one lacks: the peer's certificate reaches the application; an
idle connection is a deadline and not a task; a write to a peer that does not read ends; a body nobody reads blocks
nothing; no exception gets past the connection it came from; and an answer goes out at once and not in three parts, each
of which would cost both ends a TLS record, a system call and a wake-up.

What is written together: all that Hypercorn makes of one message of the application's, and with it the head, which
waits for the first of them that has a body (ASGI asks for that). So an answer in one body is one write, and a line of a
stream is one, that never waits for the next.

The application finds in ``scope["state"]``: ``caller`` (Caller), ``allowance`` (Allowance) and ``stopping`` (an event
that is set when the server stops: end a stream then).
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Awaitable, Callable
from dataclasses import replace
from types import TracebackType
from typing import Any

import h11
import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.events import Body, Response
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState

from parties.calls.https_body import RequestBody
from parties.calls.https_limits import Allowance, Caller, Limits
from parties.calls.quiet_log import QuietLog, place_of

__all__ = ["Connection"]

_PIECE = 1 << 16
_QUEUE = 4  # pieces of a body that wait for the application
_LINGER = 2.0  # seconds a peer has to read an answer that came before its request was whole


class Connection:
    """One connection, from after its handshake to its end.

    Args:
        app: an ASGI application.
        stream: TLS, after the handshake.
        caller: who is there.
        limits: see Limits.
        config, context: Hypercorn's.
        stopping: set when the server stops.
        log: for what goes wrong here.
    """

    def __init__(
        self,
        app: Any,
        stream: trio.SSLStream[trio.SocketStream],
        caller: Caller,
        limits: Limits,
        config: Config,
        context: WorkerContext,
        stopping: trio.Event,
        log: QuietLog,
    ) -> None:
        self.caller = caller
        self._stream = stream
        self._limits = limits
        self._log = log
        self._state = ConnectionState({"caller": caller, "stopping": stopping})
        self._scope = trio.CancelScope()
        self._reading = trio.CancelScope()
        self._writing = trio.Lock()
        self._held = b""  # of an answer, and not written yet
        self._gone = False
        self._idle = True
        self._requests = _Requests(self)
        host, port = stream.transport_stream.socket.getsockname()[:2]
        self._protocol = _Http1(
            ASGIWrapper(app),
            config,
            context,
            self._requests,
            self._state,
            True,
            caller.address,
            (host, port),
            self._send,
        )
        self._protocol.limits = limits

    async def run(self) -> None:
        """Serve it until it ends. Raises nothing."""
        try:
            await self._serve()
        except Exception as error:  # a fault of this file's own: it ends this connection, and not the node
            self._log.note("a connection that failed", place_of(error))

    async def _serve(self) -> None:
        with self._scope:
            self._rest(True)
            async with self._requests:
                await self._read()
                if self._protocol.unread and not self._gone:
                    await self._linger()
                self._gone = True

    def close(self) -> None:
        """End it now, whatever is under way."""
        self._scope.cancel()

    def finish(self) -> None:
        """End it after the request under way, if there is one."""
        if self._idle:
            self._scope.cancel()

    async def _read(self) -> None:
        with self._reading:
            data = b"begin"
            while data:
                try:
                    data = bytes(await self._stream.receive_some(_PIECE))
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    data = b""
                await self._tell(RawData(data))
        await self._tell(Closed())

    async def _tell(self, event: Event) -> None:
        """Hand an event to the parser. Whatever a peer's bytes make it raise ends this connection alone."""
        try:
            await self._protocol.handle(event)
        except Exception as error:
            self._log.note("a request that could not be dealt with", place_of(error))
            self._gone = True
            self._scope.cancel()

    async def _send(self, event: Event) -> None:
        """What the protocol wants done."""
        if isinstance(event, RawData):
            self._held += event.data
            if not self._protocol.more:
                await self._flush()
        elif isinstance(event, Closed):
            self._reading.cancel()
        elif isinstance(event, Updated):
            self._rest(event.idle)

    def _rest(self, idle: bool) -> None:
        self._idle = idle
        self._scope.deadline = trio.current_time() + self._limits.idle if idle else math.inf

    async def _flush(self) -> None:
        """Write what was held back."""
        data, self._held = self._held, b""
        await self._write(data)

    async def _write(self, data: bytes) -> None:
        """Send it, or give the connection up: after half a TLS record nobody can write to it any more."""
        try:
            self._writing.acquire_nowait()  # nearly always; it spares a turn of trio's
        except trio.WouldBlock:
            await self._writing.acquire()
        try:
            for at in range(0, len(data), _PIECE):
                if self._gone:
                    return
                sent = False
                try:
                    with trio.move_on_after(self._limits.write):
                        await self._stream.send_all(data[at : at + _PIECE])
                        sent = True
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    pass
                finally:
                    if not sent:
                        self._gone = True
                        self._reading.cancel()
        finally:
            self._writing.release()

    async def _linger(self) -> None:
        """Let the peer read the last answer before its unread bytes make the system break the connection."""
        socket = self._stream.transport_stream
        with trio.move_on_after(_LINGER), contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async with self._writing:  # an answer to what came before may be on its way yet
                await socket.send_eof()
            while await socket.receive_some(_PIECE):
                pass


class _Http1(H11Protocol):
    """Hypercorn's HTTP/1.1, without its ways to other protocols, and with a bound on whole heads too.

    Attributes:
        limits: set them before the first byte.
        more: whether what is sent now is of an answer whose end, or flush, is still to come.
    """

    limits: Limits
    more = False

    @property
    def unread(self) -> bool:
        """Whether more of a request may be on its way than was read."""
        return self.connection.their_state in (h11.SEND_BODY, h11.ERROR)

    async def stream_send(self, event: StreamEvent) -> None:
        """Say so in an answer after which the connection ends: the caller must not use it again."""
        if isinstance(event, Response) and (self.unread or self.context.terminated.is_set()):
            event = replace(event, headers=[*event.headers, (b"connection", b"close")])
        self.more = isinstance(event, (Response, Body))
        await super().stream_send(event)

    async def _check_protocol(self, event: h11.Request) -> None:
        """Neither h2c nor HTTP/2 by prior knowledge."""

    async def _create_stream(self, request: h11.Request) -> None:
        size = len(request.target) + sum(len(name) + len(value) for name, value in request.headers)
        if request.http_version not in (b"1.0", b"1.1"):
            await self._refuse(505)
        elif size > self.limits.head_bytes or len(request.headers) > self.limits.headers:
            await self._refuse(431)
        elif any(name == b"upgrade" for name, _ in request.headers):
            await self._refuse(400)
        else:
            await super()._create_stream(request)

    async def _refuse(self, status: int) -> None:
        await self._send_error_response(status)
        await self.send(Closed())


class _Requests:
    """Runs the application for each request of a connection. In Hypercorn's terms: the task group."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._manager = trio.open_nursery()

    async def spawn_app(
        self, app: Any, config: Config, scope: Any, send: Callable[[Any], Awaitable[None]]
    ) -> Callable[[Any], Awaitable[None]]:
        """Start it; gives the function that hands it what comes in, which never blocks once nobody takes it."""
        to, of = trio.open_memory_channel[Any](_QUEUE)
        limits = self._connection._limits
        scope["state"]["allowance"] = Allowance(limits.body_bytes, limits.body)
        body = RequestBody(of, scope["state"]["allowance"])
        self._nursery.start_soon(self._run, app, scope, body, send)

        async def put(event: Any) -> None:
            if event["type"] == "http.disconnect":
                to.close()
                return
            with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):  # nobody reads it (any more)
                try:
                    to.send_nowait(event)  # as a rule; it spares a turn of trio's
                except trio.WouldBlock:
                    await to.send(event)

        return put

    async def _run(self, app: Any, scope: Any, body: RequestBody, send: Callable[[Any], Awaitable[None]]) -> None:
        connection = self._connection

        async def answer(message: Any) -> None:
            if connection._gone:
                raise OSError("the peer is gone")
            await send(message)
            if message.get("more_body"):
                await connection._flush()

        try:
            await app(scope, body.receive, answer, None, None)
            await send(None)  # an application that answered nothing: Hypercorn answers 500
        except Exception as error:
            if not connection._gone:
                connection._log.note("a request whose answer failed", place_of(error))
            await connection._tell(Closed())
            connection._reading.cancel()

    def spawn(self, func: Callable[..., Any], *args: Any) -> None:
        self._nursery.start_soon(func, *args)

    async def __aenter__(self) -> _Requests:
        self._nursery = await self._manager.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._manager.__aexit__(kind, error, trace)
