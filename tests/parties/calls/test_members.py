"""The watch over the other members: who is lost, who is there again, and over which connections."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial

import trio

from parties.calls.members import Members
from parties.membership.charter import Member
from parties.wire.messages import StateQuery
from tests.parties.consortium import charter
from tests.parties.control_plane import JOB, nodes


@dataclass
class Cable:
    """Between a member and whoever calls it. What was under way when it is cut stays open, and mute for ever."""

    port: int
    address: str = ""
    cuts: int = 0
    swallowed: dict[int, int] = field(default_factory=dict)  # bytes, by connection, since it is dead

    async def carry(self, here: trio.SocketStream) -> None:
        made, number = self.cuts, len(self.swallowed)
        self.swallowed[number] = 0
        there = await trio.open_tcp_stream("127.0.0.1", self.port)

        async def pump(come: trio.SocketStream, go: trio.SocketStream, out: bool) -> None:
            try:
                async for some in come:
                    if self.cuts == made:
                        await go.send_all(some)
                    elif out:
                        self.swallowed[number] += len(some)
                if self.cuts == made:
                    await go.send_eof()
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass

        async with trio.open_nursery() as nursery:
            nursery.start_soon(pump, here, there, True)
            nursery.start_soon(pump, there, here, False)


@asynccontextmanager
async def cable(port: int) -> AsyncGenerator[Cable]:
    one = Cable(port)
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, one.carry, 0, host="127.0.0.1"))
        one.address = f"127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        yield one
        nursery.cancel_scope.cancel()


def test_connections_from_before_a_loss_are_not_called_again() -> None:
    lost: list[str] = []
    found: list[str] = []

    async def main() -> None:
        gone = trio.Event()
        with trio.fail_after(60):
            async with nodes() as (alfa, bravo, _), cable(bravo.listener.getsockname()[1]) as one:
                there = replace(alfa.chain[-1].by_fingerprint[bravo.identity.fingerprint], address=one.address)
                alfa.chain[:] = [charter(*(there if m.name == there.name else m for m in alfa.chain[-1].members))]
                bravo.chain[:] = alfa.chain

                def is_lost(member: Member, reason: str) -> None:
                    lost.append(member.name)
                    if member.name == "bravo":
                        gone.set()

                members = Members(
                    alfa.identity.fingerprint,
                    alfa.peers,
                    alfa.leaf,
                    0.3,
                    is_lost,
                    lambda member: found.append(member.name),
                )
                async with trio.open_nursery() as nursery:
                    await nursery.start(members.attend)
                    await members.await_there(there)
                    async with trio.open_nursery() as calls:
                        for _ in range(6):  # at once, so that each leaves a connection
                            calls.start_soon(members.call, there, StateQuery(), JOB)
                    before = len(one.swallowed)
                    assert before > 3
                    one.cuts += 1
                    await gone.wait()
                    await members.await_there(there)
                    await members.call(there, StateQuery(), JOB)
                    farewells = [one.swallowed[i] for i in range(before)]
                    assert max(farewells) < 64, farewells  # the end of a TLS connection, and no request
                    nursery.cancel_scope.cancel()

    trio.run(main)
    assert found.count("bravo") == 2 and lost.count("bravo") == 1
