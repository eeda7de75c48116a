"""The body of a request to https_connection.py, as its application takes it: bounded in bytes, pieces and time."""

from __future__ import annotations

import math
from typing import Any

import trio

from parties.calls.https_limits import Allowance
from parties.errors import BodyTooLarge, BodyTooSlow

__all__ = ["RequestBody"]


class RequestBody:
    """A request's body as the application takes it, no more of it and no longer than allowed."""

    def __init__(self, channel: trio.MemoryReceiveChannel[Any], allowance: Allowance) -> None:
        self._channel = channel
        self._allowance = allowance
        self._end = math.inf
        self._size = 0
        self._pieces = 0
        self._whole = False

    async def receive(self) -> Any:
        """ASGI's. BodyTooLarge (pieces of a few bytes too, for their number), BodyTooSlow."""
        if self._whole:
            return await self._next()
        now = trio.current_time()
        if not self._pieces:
            self._end = now + self._allowance.seconds
        event = self._here() if now < self._end else None
        if event is None:
            with trio.move_on_at(self._end):
                event = await self._next()
        if event is None:
            raise BodyTooSlow(f"the body was not whole within {self._allowance.seconds:g} s")
        self._whole = not event.get("more_body")
        self._size += len(event.get("body", b""))
        self._pieces += 1
        if self._size > self._allowance.size or self._pieces > 64 + self._allowance.size // 256:
            raise BodyTooLarge(f"the body has more than {self._allowance.size} bytes, or comes in crumbs")
        return event

    def _here(self) -> Any:
        """What comes next, if it is here already: most often it is, and costs no turn of trio's then. Else None."""
        try:
            return self._channel.receive_nowait()
        except trio.WouldBlock:
            return None
        except trio.EndOfChannel:
            return {"type": "http.disconnect"}

    async def _next(self) -> Any:
        try:
            return await self._channel.receive()
        except trio.EndOfChannel:
            return {"type": "http.disconnect"}
