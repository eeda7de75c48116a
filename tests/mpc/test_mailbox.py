"""A frame and the request for it meet in any order, and everything that does not fit is told."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.errors import FrameInvalid, PeerFlooding, PeerLost, ProgramDiverged
from mpc.mailbox import FRAME_BYTES, Mailbox

A, B = b"label number", b"another one."


def memory(size: int) -> memoryview:
    return memoryview(bytearray(size))


async def test_request_first_is_read_in_place() -> None:
    box, into = Mailbox(1, 0), memory(3)
    done = box.request(A, 7, into)
    place = box.place(A, 7, 5, 3)
    place[:] = b"abc"
    assert bytes(into) == b"abc" and not done.done()
    box.complete(A, 7, 5)
    assert await done == 5 and box.leftover() == box.waiting == 0


async def test_frame_first_is_kept() -> None:
    box, into = Mailbox(1, 3 + FRAME_BYTES), memory(3)
    box.deliver(A, 7, 5, b"abc")
    assert box.leftover() == 1 and box.kept_bytes == 3 + FRAME_BYTES
    assert await box.request(A, 7, into) == 5
    assert bytes(into) == b"abc" and box.leftover() == box.kept_bytes == 0


async def test_request_in_the_middle_of_a_frame() -> None:
    box, into = Mailbox(1, 3 + FRAME_BYTES), memory(3)
    place = box.place(A, 7, 5, 3)
    place[:2] = b"ab"
    done = box.request(A, 7, into)
    place[2:] = b"c"
    box.complete(A, 7, 5)
    assert await done == 5 and bytes(into) == b"abc" and box.leftover() == box.kept_bytes == 0


@pytest.mark.parametrize(("stamp", "size"), [(8, 3), (7, 4), (7, 2)])
@pytest.mark.parametrize("order", ["request", "frame", "middle"])
async def test_another_stamp_or_size(stamp: int, size: int, order: str) -> None:
    box = Mailbox(1, 10 + FRAME_BYTES)
    if order == "request":
        done = box.request(A, 7, memory(3))
        box.deliver(A, stamp, 5, bytes(size))
    elif order == "frame":
        box.deliver(A, stamp, 5, bytes(size))
        done = box.request(A, 7, memory(3))
    else:
        box.place(A, stamp, 5, size)
        done = box.request(A, 7, memory(3))
        box.complete(A, stamp, 5)
    with pytest.raises(ProgramDiverged, match="party 1"):
        await done
    assert box.kept_bytes == 0


async def test_unrequested_payload_is_limited() -> None:
    box = Mailbox(4, 10 + FRAME_BYTES)
    box.deliver(A, 7, 1, bytes(10))
    with pytest.raises(PeerFlooding, match="party 4"):
        box.place(B, 7, 1, 1)
    await box.request(A, 7, memory(10))
    box.place(B, 7, 1, 10)


async def test_empty_frames_take_memory_too() -> None:
    box = Mailbox(4, 10 * FRAME_BYTES)
    for k in range(10):
        box.deliver(b"%012d" % k, 7, 1, b"")
    with pytest.raises(PeerFlooding, match="party 4"):
        box.place(A, 7, 1, 0)


async def test_what_is_counted_is_what_it_takes() -> None:
    box, labels = Mailbox(4, 1 << 30), [b"%012d" % k for k in range(20_000)]
    tracemalloc.start()
    try:
        for label in labels:
            box.deliver(label, 7, 1, b"")
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert taken < box.kept_bytes


async def test_requested_payload_is_not_limited() -> None:
    box = Mailbox(4, 0)
    box.request(A, 7, memory(100))
    box.deliver(A, 7, 1, bytes(100))


async def test_one_label_twice() -> None:
    box = Mailbox(1, 10 + FRAME_BYTES)
    box.deliver(A, 7, 1, b"x")
    with pytest.raises(FrameInvalid, match="party 1"):
        box.place(A, 7, 1, 1)
    first = box.request(B, 7, memory(1))
    with pytest.raises(ProgramDiverged):
        await box.request(B, 7, memory(1))
    box.deliver(B, 7, 1, b"y")
    await first


async def test_the_end_of_the_peers_program() -> None:
    box = Mailbox(1, 10 + FRAME_BYTES)
    kept = memory(1)
    box.deliver(A, 7, 1, b"x")
    open_request = box.request(B, 7, memory(1))
    box.end()
    with pytest.raises(ProgramDiverged):
        await open_request
    with pytest.raises(ProgramDiverged):
        await box.request(b"never to com", 7, memory(1))
    assert await box.request(A, 7, kept) == 1  # what came before the end counts


async def test_failure_ends_all_requests_and_the_first_reason_stays() -> None:
    box = Mailbox(1, 10 + FRAME_BYTES)
    before = box.request(A, 7, memory(1))
    box.fail(PeerLost(1, "first"))
    box.fail(PeerLost(1, "second"))
    for request in (before, box.request(B, 7, memory(1))):
        with pytest.raises(PeerLost, match="first"):
            await request


async def test_a_cancelled_request_is_not_written_to() -> None:
    box, into = Mailbox(1, 10 + FRAME_BYTES), memory(1)
    request = box.request(A, 7, into)
    request.cancel()
    box.deliver(A, 7, 1, b"x")
    assert bytes(into) == b"\0" and box.kept_bytes == box.leftover() == 0


@given(st.data())
async def test_any_order_of_frames_and_requests(data: Any) -> None:
    """Frames come one after the other, each in two halves; requests come at any time."""
    count = data.draw(st.integers(1, 8))
    frames = [(b"%012d" % k, k + 1, data.draw(st.binary(max_size=4))) for k in range(count)]
    steps = [("place", k) for k in range(count)] + [("complete", k) for k in range(count)]
    steps.sort(key=lambda step: step[1])
    for k in data.draw(st.permutations(range(count))):
        steps.insert(data.draw(st.integers(0, len(steps))), ("request", k))
    box = Mailbox(1, 100 + count * FRAME_BYTES)
    asked, places = {}, {}
    for what, k in steps:
        label, depth, payload = frames[k]
        if what == "request":
            into = memory(len(payload))
            asked[k] = into, box.request(label, 7, into)
        elif what == "place":
            places[k] = box.place(label, 7, depth, len(payload))
        else:
            places[k][:] = payload
            box.complete(label, 7, depth)
    for k, (into, request) in asked.items():
        assert await request == frames[k][1] and bytes(into) == frames[k][2]
    assert box.kept_bytes == box.leftover() == box.waiting == 0
