"""Tells a peer that is dead from one that is busy.

A party may compute for seconds in one kernel, and its event loop, so its connections, are mute meanwhile. A
party that was stopped is mute as well. So heartbeats do not come from the event loop: every node has one
daemon thread, with an event loop of its own, that keeps one small connection to every peer (mutual TLS, the
same certificates, the same check of the fingerprint) and sends a byte on it several times a second. Kernels
in numpy and numba release the interpreter, and Python code is interrupted every few milliseconds, so the
thread of a busy process beats; that of a stopped process does not. (C code that holds the interpreter for
longer than the allowed silence looks dead: give the nodes a longer ``silence`` then.)

If this process itself was held up, the peers' silence is not counted for that time.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from mpc.certificates import fingerprint, party_name
from mpc.dialing import ALIVE_PREAMBLE, connected
from mpc.strangers import Strangers
from mpc.wakers import ENGINE_THREAD

__all__ = ["Liveness"]

_CLAIM = struct.Struct("<H")
_HANDSHAKE = 10.0


class Liveness:
    """The heartbeat thread of a node.

    Args:
        index: this party.
        fingerprints: of every party's certificate, by index.
        silence: seconds without a beat after which a peer is called silent.
        beat: seconds between beats.
        server, client: TLS contexts.
        on_ready, on_silent: called on the node's loop with a peer's index, once its connection stands, and at
            every beat while it has been silent too long.
    """

    def __init__(
        self,
        index: int,
        fingerprints: Mapping[int, str],
        silence: float,
        beat: float,
        server: ssl.SSLContext,
        client: ssl.SSLContext,
        on_ready: Callable[[int], None],
        on_silent: Callable[[int], None],
    ) -> None:
        self._index = index
        self._fingerprints = fingerprints
        self._silence = silence
        self._beat = beat
        self._server = server
        self._client = client
        self._on_ready = on_ready
        self._on_silent = on_silent
        self._writers: dict[int, asyncio.StreamWriter] = {}
        self._heard: dict[int, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._strangers = Strangers()
        self._dials: dict[int, asyncio.Task[None]] = {}
        self._home = asyncio.get_running_loop()
        self._loop = asyncio.SelectorEventLoop()
        self._thread = threading.Thread(target=self._run, name=f"{ENGINE_THREAD}liveness {index}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; peers may be silent from now on."""
        if self._thread.is_alive():
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(2.0)

    def welcome(self, sock: socket.socket) -> None:
        """A peer dialed, and its first bytes were ALIVE_PREAMBLE."""
        try:
            address = sock.getpeername()[0]
        except OSError:  # it is gone already
            sock.close()
        else:
            self._spawn(lambda: self._accept(sock), lambda task: self._strangers.admit(task, address))

    def dial(self, peer: int, host: str, port: int, deadline: float) -> None:
        """Connect to a peer, retrying until ``deadline`` (of time.monotonic), instead of what was dialed before."""

        def instead(task: asyncio.Task[None]) -> None:
            if peer in self._dials:
                self._dials[peer].cancel()
            self._dials[peer] = task

        self._spawn(lambda: self._dial(peer, host, port, deadline), instead)

    # --- in the thread ---------------------------------------------------------------------------

    def _spawn(
        self,
        make: Callable[[], Coroutine[Any, Any, None]],
        register: Callable[[asyncio.Task[None]], None],
    ) -> None:
        """Start a task in the thread, and register it there."""

        def begin() -> None:
            task = self._loop.create_task(make())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            register(task)

        with contextlib.suppress(RuntimeError):  # stopped
            self._loop.call_soon_threadsafe(begin)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.set_exception_handler(lambda loop, context: None)  # a broken connection is no news here
        pulse = self._loop.create_task(self._pulse())
        self._tasks.add(pulse)
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(self._end())
            self._loop.close()

    async def _end(self) -> None:
        for writer in self._writers.values():
            writer.transport.abort()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for _ in range(3):  # what abort has scheduled
            await asyncio.sleep(0)

    def _tell(self, call: Callable[[int], None], peer: int) -> None:
        with contextlib.suppress(RuntimeError):  # the node's loop is closed
            self._home.call_soon_threadsafe(call, peer)

    async def _pulse(self) -> None:
        """Beat, and listen for who does not."""
        last = time.monotonic()
        while True:
            await asyncio.sleep(self._beat)
            now = time.monotonic()
            held_up = now - last - self._beat
            last = now
            for writer in self._writers.values():
                if writer.transport.get_write_buffer_size() < 1024:  # a stopped peer does not read
                    writer.write(b".")
            if held_up > self._beat:
                for peer in self._heard:
                    self._heard[peer] += held_up
            await asyncio.sleep(0)  # read first what came in meanwhile
            for peer, heard in self._heard.items():
                if time.monotonic() - heard > self._silence:
                    self._tell(self._on_silent, peer)

    async def _accept(self, sock: socket.socket) -> None:
        reader = asyncio.StreamReader(limit=1024)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport: asyncio.BaseTransport | None = None
        try:
            transport, _ = await self._loop.connect_accepted_socket(
                lambda: protocol, sock, ssl=self._server, ssl_handshake_timeout=_HANDSHAKE
            )
            writer = asyncio.StreamWriter(transport, protocol, reader, self._loop)
            claim = await asyncio.wait_for(reader.readexactly(_CLAIM.size), _HANDSHAKE)
            peer: int = _CLAIM.unpack(claim)[0]
            if self._is(peer, writer):
                self._strangers.release(asyncio.current_task())
                writer.write(b".")
                await self._listen(peer, reader, writer)
        except (TimeoutError, OSError, asyncio.IncompleteReadError):
            pass
        finally:
            if isinstance(transport, asyncio.WriteTransport):
                transport.abort()
            else:
                sock.close()

    async def _dial(self, peer: int, host: str, port: int, deadline: float) -> None:
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError, asyncio.TimeoutError):
                sock = await asyncio.wait_for(connected(self._loop, host, port), _HANDSHAKE)
                await self._loop.sock_sendall(sock, ALIVE_PREAMBLE)
                reader, writer = await asyncio.open_connection(
                    sock=sock,
                    ssl=self._client,
                    server_hostname=party_name(peer),
                    ssl_handshake_timeout=_HANDSHAKE,
                    limit=1024,
                )
                try:
                    if self._is(peer, writer):
                        writer.write(_CLAIM.pack(self._index))
                        if await asyncio.wait_for(reader.read(1), _HANDSHAKE):
                            await self._listen(peer, reader, writer)
                            return
                finally:
                    writer.transport.abort()
            await asyncio.sleep(0.1)

    def _is(self, peer: int, writer: asyncio.StreamWriter) -> bool:
        tls: ssl.SSLObject = writer.get_extra_info("ssl_object")
        certificate = tls.getpeercert(binary_form=True) or b""
        return peer != self._index and self._fingerprints.get(peer) == fingerprint(certificate)

    async def _listen(self, peer: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Every byte is a beat. If the connection breaks, silence follows, and is noticed."""
        if (older := self._writers.get(peer)) is not None:
            older.transport.abort()
        self._writers[peer] = writer
        self._heard[peer] = time.monotonic()
        self._tell(self._on_ready, peer)
        try:
            with contextlib.suppress(OSError):
                while await reader.read(256):
                    self._heard[peer] = max(self._heard[peer], time.monotonic())
        finally:
            if self._writers.get(peer) is writer:
                del self._writers[peer]
