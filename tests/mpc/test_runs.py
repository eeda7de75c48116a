"""Messages of MPyC as they come in: in one frame or many, asked for before or after, within a limit."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.errors import FrameInvalid, PeerFlooding, PeerLost
from mpc.mailbox import FRAME_BYTES
from mpc.runs import PeerRun

LIMIT = 10 * (FRAME_BYTES + 100)


def comes(part: PeerRun, pc: int, follow: int, payload: bytes) -> None:
    """One frame."""
    memory = part.place_message(pc, follow, len(payload))
    memory[:] = payload
    part.complete_message(pc, follow, memory)


async def got(part: PeerRun, pc: int) -> bytes:
    message = part.message(pc)
    return bytes(message if isinstance(message, memoryview) else await message)


@given(
    st.lists(st.lists(st.binary(max_size=5), min_size=1, max_size=4), min_size=1, max_size=5),
    st.data(),
)
async def test_pieces_are_put_together_whenever_they_are_asked_for(
    messages: list[list[bytes]], data: st.DataObject
) -> None:
    """The frames of one message follow each other, those of others may come between."""
    part = PeerRun(1, 1 << 20)
    steps = [(pc, "frame") for pc, pieces in enumerate(messages) for _ in pieces]
    steps += [(pc, "asked") for pc in range(len(messages))]
    asked: dict[int, asyncio.Task[bytes]] = {}
    left = [list(pieces) for pieces in messages]
    for pc, what in data.draw(st.permutations(steps)):
        if what == "asked":
            asked[pc] = asyncio.ensure_future(got(part, pc))
            await asyncio.sleep(0)
        else:
            piece = left[pc].pop(0)
            comes(part, pc, len(left[pc]), piece)
    for pc, pieces in enumerate(messages):
        assert await asked[pc] == b"".join(pieces)
    assert part.box.kept_bytes == 0 and not part.messages and not part.awaited


@pytest.mark.parametrize("awaited", [False, True])
def test_pieces_that_are_here_count_until_the_message_is_whole(awaited: bool) -> None:
    async def program() -> None:
        part = PeerRun(3, LIMIT)
        if awaited:
            part.message(7)
        kept = 0
        with pytest.raises(PeerFlooding, match="party 3") as caught:
            for follow in itertools.count(1000, -1):
                comes(part, 7, follow, bytes(100))
                kept += 1
        assert caught.value.peer == 3 and kept == 10

    asyncio.run(program())


async def test_a_message_in_pieces_makes_room_once_it_is_taken() -> None:
    part = PeerRun(3, LIMIT)
    for pc in range(50):
        for follow in range(7, -1, -1):
            comes(part, pc, follow, bytes(100))
        assert await got(part, pc) == bytes(800)
    assert part.box.kept_bytes == 0


@pytest.mark.parametrize("second", [3, 1, 0, 4])
def test_pieces_out_of_order(second: int) -> None:
    part = PeerRun(2, LIMIT)
    comes(part, 7, 3, b"x")
    with pytest.raises(FrameInvalid, match="party 2"):
        part.place_message(7, second, 1)


@pytest.mark.parametrize("follow", [0, 1])
def test_a_second_message_for_one_place(follow: int) -> None:
    part = PeerRun(2, LIMIT)
    comes(part, 7, 1, b"x")
    comes(part, 7, 0, b"x")
    with pytest.raises(FrameInvalid, match="party 2"):
        part.place_message(7, follow, 1)


async def test_pieces_of_a_run_that_failed_are_forgotten() -> None:
    part = PeerRun(2, LIMIT)
    comes(part, 7, 1, b"x")
    waiting = part.message(7)
    part.fail(PeerLost(2, "gone"))
    with pytest.raises(PeerLost):
        await waiting  # type: ignore[misc]
    with pytest.raises(PeerLost):
        await part.message(8)  # type: ignore[misc]
    assert not part._partial
