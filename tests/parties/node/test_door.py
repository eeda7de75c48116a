"""A node's doors: who may come in is looked up as it is now, and an address that is taken is named."""

from __future__ import annotations

import contextlib

import pytest
import trio

from parties.errors import AddressTaken
from parties.keys.leaf import Leaf, contexts, issue, utc_now
from parties.membership.trust import peer_of
from parties.node.door import Door
from parties.setup.listening import Listening
from tests.parties.calls.test_https_server import FOUR, GET, ME, THREE, App, asked
from tests.parties.consortium import identity


class Charter:
    """What the door is told of who is a member: it changes."""

    def __init__(self) -> None:
        self.now = FOUR

    def keys(self) -> list[bytes]:
        return [one.key for one in self.now.members if one.key != ME.public]

    def admit(self, certificate: bytes | None) -> str:
        return peer_of(certificate, self.now, ME.fingerprint, utc_now()).fingerprint


def door(charter: Charter, port: int) -> Door:
    where = Listening("127.0.0.1", port)
    return Door("members", where, "bind", App(), charter.keys, charter.admit, Leaf(ME))


async def free_port() -> int:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port: int = listeners[0].socket.getsockname()[1]
    await listeners[0].aclose()
    return port


async def connected(port: int, who: int) -> trio.SSLStream[trio.SocketStream]:
    context = contexts(issue(identity(who)), [ME.public])[1]
    return trio.SSLStream(await trio.open_tcp_stream("127.0.0.1", port), context, https_compatible=True)


def test_whoever_may_not_come_in_any_more_is_put_out_and_stays_out() -> None:
    async def main() -> None:
        charter, port = Charter(), await free_port()
        members = door(charter, port)
        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                await members.open(nursery)
                async with await connected(port, 3) as former, await connected(port, 1) as stays:
                    assert b"200" in await asked(former, GET) and b"200" in await asked(stays, GET)
                    charter.now = THREE
                    members.renew()
                    assert await asked(former, GET) == b""
                    assert b"200" in await asked(stays, GET)
                    with contextlib.suppress(trio.BrokenResourceError):
                        assert await asked(await connected(port, 3), GET) == b""
                members.shut()
                await members.until_shut()

    trio.run(main)


def test_an_address_that_is_taken_is_named_with_the_field_that_says_so() -> None:
    async def main() -> None:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listeners[0].socket.getsockname()[1]
        async with listeners[0], trio.open_nursery() as nursery:
            with pytest.raises(AddressTaken, match=f"for members, 127.0.0.1:{port}.*`bind`"):
                await door(Charter(), port).open(nursery)

    trio.run(main)
