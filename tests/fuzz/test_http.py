"""Mutated requests of a member over real sockets and TLS: the server ends that connection alone, and goes on."""

from __future__ import annotations

import contextlib

import trio

from parties.keys.leaf import contexts
from tests.fuzz.target import inputs
from tests.fuzz.targets import targets
from tests.parties.calls.test_member_api import calling
from tests.parties.control_plane import Node, nodes

COUNT = 150


async def answered(data: bytes, called: Node, caller: Node) -> bytes:
    """All that comes back for these bytes, after which the caller says no more."""
    context = contexts(caller.leaf.current, [called.identity.public])[1]
    stream = trio.SSLStream(await trio.open_tcp_stream(*called.listener.getsockname()), context, https_compatible=True)
    got = b""
    async with stream:
        with contextlib.suppress(trio.BrokenResourceError):
            await stream.send_all(data)
            await stream.transport_stream.send_eof()
            while more := await stream.receive_some():
                got += more
    return got


def test_the_server_outlives_whatever_a_member_sends() -> None:
    sent = list(inputs(targets()["http"], COUNT, 5))

    async def main() -> None:
        with trio.fail_after(100):
            async with nodes() as (alfa, bravo, _):
                for data in sent:
                    got = await answered(data, bravo, alfa)
                    assert got == b"" or got.startswith(b"HTTP/1.1 "), got[:100]
                    assert b"HTTP/1.1 500" not in got, data
                while bravo.server.open_connections:  # noqa: ASYNC110 - it depends on what the sockets' other ends do
                    await trio.sleep(0.01)
                async with calling(alfa, bravo) as client:
                    assert (await client.get(f"/v1/hello?charter={bravo.chain[-1].digest}")).status_code == 200

    trio.run(main)
