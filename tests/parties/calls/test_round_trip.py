"""What the kernel tells of a connection, and what nodes tell each other of it."""

from __future__ import annotations

import socket

import pytest
import trio

from parties.calls.members import Members
from parties.calls.round_trip import round_trip
from tests.parties.control_plane import nodes


def test_a_connection_tells_its_round_trip_and_nothing_else_does() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as here:
        there, _ = server.accept()
        with there:
            for _ in range(3):
                here.sendall(b"to")
                assert there.recv(2) == b"to"
                there.sendall(b"fro")
                assert here.recv(3) == b"fro"
            told = round_trip(here)
            assert told is not None and 0 < told < 60
    assert round_trip(here) is None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        assert round_trip(other) is None


@pytest.mark.parametrize("stated", [0.25, 1000.0])
def test_the_farthest_of_what_all_see_counts_while_they_are_there(stated: float) -> None:
    async def main() -> None:
        with trio.fail_after(60):
            async with nodes() as (alfa, bravo, charlie):
                bravo.far = stated
                lost = trio.Event()
                members = Members(
                    alfa.identity.fingerprint, alfa.peers, alfa.leaf, 0.3, lambda member, reason: lost.set()
                )
                async with trio.open_nursery() as nursery:
                    await nursery.start(members.attend)
                    assert members.round_trip() == 0.0
                    for node in (bravo, charlie):
                        await members.await_there(alfa.peers.charter.by_fingerprint[node.identity.fingerprint])
                    assert 0 < members.farthest() < 60  # its own, on loopback
                    assert members.round_trip() == pytest.approx(min(stated, 60.0))
                    bravo.server.stop()
                    await lost.wait()
                    assert members.round_trip() == members.farthest()
                    nursery.cancel_scope.cancel()

    trio.run(main)
