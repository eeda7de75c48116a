"""A node's doors: who may come in is looked up as it is now, and an address that is taken is named."""

from __future__ import annotations

import pytest
import trio

from parties.calls.https_limits import Limits
from parties.errors import AddressTaken
from parties.keys.leaf import Leaf
from parties.node.door import Door
from parties.setup.listening import Listening
from tests.free_ports import free_ports
from tests.parties.calls.test_https_server import GET, ME, THREE, World, asked


def door(made: World, port: int) -> Door:
    """For the members of ``made.charter``, as it is now."""
    made.address = "127.0.0.1", port
    return Door("members", Listening(*made.address), "bind", made.app, made.keys, made.admit, Leaf(ME))


def test_whoever_may_not_come_in_any_more_is_put_out_and_stays_out() -> None:
    async def main() -> None:
        made = World(Limits())
        members = door(made, free_ports(1)[0])
        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                await members.open(nursery)
                async with await made.tls(3) as former, await made.tls(1) as stays:
                    assert b"200" in await asked(former, GET) and b"200" in await asked(stays, GET)
                    made.charter = THREE
                    members.renew()
                    assert await asked(former, GET) == b""
                    assert b"200" in await asked(stays, GET)
                    assert await made.ask(GET, who=3) == b""
                members.shut()
                await members.until_shut()

    trio.run(main)


def test_an_address_that_is_taken_is_named_with_the_field_that_says_so() -> None:
    async def main() -> None:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listeners[0].socket.getsockname()[1]
        async with listeners[0], trio.open_nursery() as nursery:
            with pytest.raises(AddressTaken, match=f"for members, 127.0.0.1:{port}.*`bind`"):
                await door(World(Limits()), port).open(nursery)

    trio.run(main)
