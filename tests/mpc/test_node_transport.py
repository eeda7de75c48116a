"""What frames of a peer may do to a node's memory, without sockets: limits for each peer, and who is named."""

from __future__ import annotations

import asyncio

import pytest

from mpc.errors import PeerFlooding
from mpc.mailbox import FRAME_BYTES
from mpc.node_transport import NodeTransport
from mpc.wire import Kind, label_of_pc, pack, unpack

LIMIT = 100 * FRAME_BYTES


def comes(transport: NodeTransport, peer: int, kind: Kind, run: int, place: int, payload: bytes = b"") -> None:
    """A frame of ``peer`` comes in."""
    header = unpack(pack(kind, run, 1, 0, label_of_pc(place), len(payload)))
    memory = transport.place(peer, header)
    if memory is not None:
        memory[:] = payload
        transport.complete(peer, header, memory)


def node(run: int = 1) -> NodeTransport:
    transport = NodeTransport(0, 3, 1 << 20, LIMIT)
    transport.begin(run)
    return transport


@pytest.mark.parametrize("kind", [Kind.DATA, Kind.MPYC])
@pytest.mark.parametrize("runs", [(1,), (2,), (2, 3, 4, 17)])
@pytest.mark.parametrize("size", [0, 1, 10 * FRAME_BYTES])
async def test_unasked_frames_of_one_peer_are_limited_and_those_of_another_are_kept(
    kind: Kind, runs: tuple[int, ...], size: int
) -> None:
    """In the current run, and in all runs to come together."""
    transport = node()
    honest = runs[0]
    comes(transport, 2, kind, honest, 7, b"honest")
    kept = 0
    with pytest.raises(PeerFlooding, match="party 1") as caught:
        while True:
            comes(transport, 1, kind, runs[kept % len(runs)], kept, bytes(size))
            kept += 1
    assert caught.value.peer == 1
    assert kept == LIMIT // (size + FRAME_BYTES)
    comes(transport, 2, kind, honest, 8, b"honest")  # the flood takes nothing from another peer
    if honest != 1:
        transport.begin(honest)
    for place in (7, 8):
        memory = bytearray(6)
        if kind is Kind.DATA:
            await transport.receive(2, label_of_pc(place), 1, memoryview(memory))
        else:
            message = transport.current.peers[2].message(place)
            assert not isinstance(message, asyncio.Future)
            memory[:] = message
        assert memory == b"honest"


@pytest.mark.parametrize("first", [2, 3, 1000])
async def test_a_peer_that_opens_many_runs_takes_none_from_another(first: int) -> None:
    transport = node()
    with pytest.raises(PeerFlooding, match="party 1") as caught:
        for run in range(first, first + 20):
            comes(transport, 1, Kind.DATA, run, 0)
    assert caught.value.peer == 1
    comes(transport, 2, Kind.DATA, 2, 0, b"honest")
    comes(transport, 2, Kind.DATA, 17, 0, b"honest")
    assert len(transport._early) <= 16


@pytest.mark.parametrize("now", [40_000, 65_535])
async def test_runs_to_come_are_told_from_runs_that_are_over_across_the_wrap(now: int) -> None:
    transport = node(now)
    comes(transport, 1, Kind.DATA, now - 1, 0, b"over")
    assert not transport._early
    comes(transport, 1, Kind.DATA, (now + 1) % (1 << 16), 0, b"news")
    transport.begin(now + 1)
    memory = bytearray(4)
    assert await transport.receive(1, label_of_pc(0), 1, memoryview(memory)) == 0
    assert memory == b"news"


async def test_frames_that_were_taken_make_room() -> None:
    transport = node()
    for k in range(1000):
        comes(transport, 1, Kind.MPYC, 1, k, b"x")
        transport.current.peers[1].message(k)
        comes(transport, 1, Kind.DATA, 1, k, b"x")
        await transport.receive(1, label_of_pc(k), 1, memoryview(bytearray(1)))
    assert transport.current.peers[1].box.kept_bytes == 0
