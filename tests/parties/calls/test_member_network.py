"""What is written to a member is kept together, and an answer is read even where the request could not be written."""

from __future__ import annotations

import httpcore
import pytest
import trio

from parties.calls.member_network import _Stream


class Wire(httpcore.AsyncNetworkStream):
    """Notes what is written, and answers it; a broken one takes nothing."""

    def __init__(self, broken: bool = False) -> None:
        self.broken = broken
        self.written: list[bytes] = []

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's
        if self.broken:
            raise httpcore.WriteError
        self.written.append(buffer)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's
        return b"413"


def test_it_is_written_when_something_is_read() -> None:
    async def test() -> None:
        wire = Wire()
        stream = _Stream(wire, lambda certificate: None)
        for part in (b"head ", b"body", b""):
            await stream.write(part)
        assert wire.written == []
        assert [await stream.read(9), await stream.read(9)] == [b"413", b"413"]
        assert wire.written == [b"head body"]

    trio.run(test)


def test_a_good_deal_is_written_at_once() -> None:
    async def test() -> None:
        wire = Wire()
        stream = _Stream(wire, lambda certificate: None)
        await stream.write(b"head ")
        await stream.write(b"x" * (1 << 16))
        assert [len(data) for data in wire.written] == [5 + (1 << 16)]

    trio.run(test)


def test_an_answer_that_came_before_the_connection_broke_is_read() -> None:
    async def test() -> None:
        stream = _Stream(Wire(broken=True), lambda certificate: None)
        await stream.write(b"head")
        assert await stream.read(9) == b"413"
        with pytest.raises(httpcore.WriteError):  # httpcore goes on to read then
            await stream.write(b"x" * (1 << 16))

    trio.run(test)
