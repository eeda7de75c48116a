"""A message of MPyC leaves in as many frames as it takes, or not at all; and arrives whole, over real nodes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from mpc import LocalCluster
from mpc.errors import OutOfRange, PartyFailed
from mpc.mailbox import FRAME_BYTES
from mpc.mpyc_channel import MpycChannel
from mpc.node_transport import NodeTransport
from mpc.wire import Kind, label_of_pc

FRAME = 4096


class Wire:
    """A connection that keeps what is sent."""

    farewell = False

    def __init__(self) -> None:
        self.frames: list[tuple[Any, ...]] = []

    def send(self, *frame: Any) -> None:
        self.frames.append(frame)


def channel(limit: int) -> tuple[MpycChannel, Wire, NodeTransport]:
    transport, wire = NodeTransport(0, 3, FRAME, limit), Wire()
    transport.connections[2] = wire  # type: ignore[assignment]
    return MpycChannel(transport, 2), wire, transport


@pytest.mark.parametrize("size", [0, 1, FRAME - 1, FRAME, FRAME + 1, 10 * FRAME, 10 * FRAME + 7])
async def test_frames_of_a_message(size: int) -> None:
    sender, wire, transport = channel(1 << 20)
    payload = np.random.default_rng(size).bytes(size)
    sender.send(-77, payload)
    count = max(1, -(-size // FRAME))
    assert [frame[:5] for frame in wire.frames] == [
        (Kind.MPYC, 0, 0, follow, label_of_pc(-77)) for follow in reversed(range(count))
    ]
    assert b"".join(frame[5] for frame in wire.frames) == payload
    assert all(len(frame[5]) <= FRAME for frame in wire.frames)
    assert transport.current.peers[2].sent == transport.traffic.frames_sent == count
    assert transport.traffic.bytes_sent == sender.nbytes_sent == size


async def test_a_message_nobody_would_keep_is_not_begun() -> None:
    sender, wire, transport = channel(3 * (FRAME + FRAME_BYTES))
    sender.send(1, bytes(3 * FRAME))
    wire.frames.clear()
    with pytest.raises(OutOfRange, match="mailbox_limit"):
        sender.send(2, bytes(3 * FRAME + 1))
    assert wire.frames == [] and transport.traffic.frames_sent == 3


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """Frames of 64 KiB, so that nearly all here is larger."""
    with LocalCluster(parties=3, max_frame=1 << 16, mailbox_limit=1 << 24) as cluster:
        yield cluster


async def large(party: Any, mine: Any) -> Any:
    runtime = party.runtime
    numbers = np.arange(50_000) - 7
    there = await runtime.transfer(numbers + party.index)
    secret = runtime.input(runtime.SecInt(64).array(numbers), senders=0)
    product = await runtime.output(secret * secret)
    x = party.input(mine, owner=1)
    return there, product.tolist() == (numbers**2).tolist(), await party.reveal(x * 3)


def test_messages_and_inputs_larger_than_a_frame(cluster: LocalCluster) -> None:
    mine = np.arange(100_000).reshape(1000, 100)
    for there, same, tripled in cluster.run(large, [None, mine, None], timeout=60):
        assert [np.array_equal(there[i], np.arange(50_000) - 7 + i) for i in range(3)] == [True] * 3
        assert same
        assert np.array_equal(tripled, 3 * mine)


async def too_large(party: Any) -> Any:
    return len(await party.runtime.transfer(bytes(1 << 24), senders=0))


def test_a_message_larger_than_the_limit_is_a_named_error(cluster: LocalCluster) -> None:
    with pytest.raises((OutOfRange, PartyFailed), match=r"mailbox_limit|OutOfRange"):
        cluster.run(too_large, timeout=60)
    assert cluster.run(larger_than_default)[2] == 1 << 23  # the cluster goes on


async def larger_than_default(party: Any) -> Any:
    return len(await party.runtime.transfer(bytes(1 << 23), senders=0))
