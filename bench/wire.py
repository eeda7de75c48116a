"""How fast one connection is: ``python -m bench.wire`` prints GB/s and microseconds a round trip.

Two processes on loopback, TLS 1.3 with mutual authentication, the node's own connection class.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import socket
import time

import uvloop

from mpc.certificates import Authority, Credentials, client_context, party_name, server_context
from mpc.connection import Connection
from mpc.errors import PeerError
from mpc.wire import NO_LABEL, Header, Kind

_FRAMES = 2000


class _Counter:
    """Takes frames into one reused buffer; answers every tiny one if told to."""

    def __init__(self, echo: bool) -> None:
        self.echo = echo
        self.connection: Connection | None = None
        self.memory = memoryview(bytearray(1 << 26))
        self.bytes = 0
        self.frames = 0
        self.target = 0
        self.reached: asyncio.Future[None] | None = None

    def place(self, header: Header) -> memoryview:
        return self.memory[: header[6]]

    def complete(self, header: Header, payload: memoryview) -> None:
        self.bytes += len(payload)
        self.frames += 1
        if self.echo and header[2] == 1 and self.connection is not None:
            self.connection.send(Kind.DATA, 1, 0, 0, NO_LABEL, payload)
        if self.reached is not None and self.frames >= self.target and not self.reached.done():
            self.reached.set_result(None)

    def lost(self, connection: Connection, error: PeerError | None) -> None:
        if self.reached is not None and not self.reached.done():
            self.reached.set_result(None)

    async def frames_reach(self, target: int) -> None:
        self.target = target
        if self.frames < target:
            self.reached = asyncio.get_running_loop().create_future()
            await self.reached


async def _serve(listener: socket.socket, own: Credentials, authority: bytes, both: bool, size: int) -> None:
    sink = _Counter(echo=True)
    made: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()

    class Accepted(Connection):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            made.set_result(self)

    context = server_context(own, authority)
    server = await asyncio.get_running_loop().create_server(
        lambda: Accepted(sink, 0, 1 << 26), sock=listener, ssl=context
    )
    sink.connection = await made
    await sink.frames_reach(_FRAMES)
    if both:
        payload = memoryview(bytes(size))
        for _ in range(max(1, (1 << 30) // size)):
            sink.connection.send(Kind.DATA, 0, 0, 0, NO_LABEL, payload)
    await sink.connection.closed
    server.close()


def _child(listener: socket.socket, own: Credentials, authority: bytes, both: bool, size: int) -> None:
    uvloop.run(_serve(listener, own, authority, both, size))


async def _measure(port: int, own: Credentials, authority: bytes, both: bool, size: int) -> None:
    loop = asyncio.get_running_loop()
    sink = _Counter(echo=False)
    _, connection = await loop.create_connection(
        lambda: Connection(sink, 1, 1 << 26),
        "127.0.0.1",
        port,
        ssl=client_context(own, authority),
        server_hostname=party_name(1),
    )
    tls = connection._transport.get_extra_info("ssl_object")  # type: ignore[union-attr]
    tiny = memoryview(bytes(8))
    start = time.perf_counter()
    for i in range(_FRAMES):
        connection.send(Kind.DATA, 1, 0, 0, NO_LABEL, tiny)
        await sink.frames_reach(i + 1)
    trip = (time.perf_counter() - start) / _FRAMES
    count = max(1, (1 << 30) // size)
    payload = memoryview(bytes(size))
    answers = sink.frames
    start = time.perf_counter()
    for _ in range(count):
        connection.send(Kind.DATA, 0, 0, 0, NO_LABEL, payload)
    connection.send(Kind.DATA, 1, 0, 0, NO_LABEL, tiny)
    await sink.frames_reach(answers + 1 + (count if both else 0))
    seconds = time.perf_counter() - start
    what = "each way at once" if both else "one way"
    print(f"{tls.cipher()[0]}: round trip {trip * 1e6:.1f} us; frames of {size} bytes {what}: "
          f"{count * size / seconds / 1e9:.2f} GB/s")  # fmt: skip
    connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=1 << 20)
    parser.add_argument("--both", action="store_true", help="both sides send at once")
    options = parser.parse_args()
    authority = Authority()
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    arguments = (listener, authority.issue(1), authority.certificate, options.both, options.size)
    child = multiprocessing.get_context("spawn").Process(target=_child, args=arguments)
    child.start()
    uvloop.run(_measure(port, authority.issue(0), authority.certificate, options.both, options.size))
    child.join()


if __name__ == "__main__":
    main()
