"""A party's end of a conversation between a program under way and whoever opened it: values in, values out.

    async def program(party, line, mine):
        async for value in line:
            line.send(value + 1)

See LocalCluster.open. Nothing of it goes to other parties.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Self

from mpc.errors import UsageError
from mpc.idle import LoopWatch

__all__ = ["Line"]


class Line:
    """Iterate over what comes; the iteration ends when the caller said that nothing more does.

    A party that waits here is not blocked, for however long: so while one does, a program that differs between the
    parties is not found out by the engine. Give answers a deadline.

    Args:
        say: takes a value to the caller.
        thaw: the value of what :meth:`put` was given.
    """

    def __init__(self, say: Callable[[Any], None], thaw: Callable[[Any], Any] = lambda value: value) -> None:
        self._say = say
        self._thaw = thaw
        self._kept: deque[Any] = deque()
        self._over = False
        self._news: asyncio.Future[None] | None = None
        self._watch = LoopWatch.on(asyncio.get_running_loop())

    def send(self, value: Any) -> None:
        """To the caller: plain data, that must not change afterwards. NotTransferable for a secret."""
        self._say(value)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        while not self._kept:
            if self._over:
                raise StopAsyncIteration
            if self._news is not None and not self._news.done():
                raise UsageError("two tasks wait for this line: let one take what comes, and hand it on")
            self._news = asyncio.get_running_loop().create_future()
            with self._watch.expecting():
                await self._news
        return self._thaw(self._kept.popleft())

    # -- for who holds the other end --

    def put(self, value: Any) -> None:
        """A value came."""
        self._kept.append(value)
        self._wake()

    def end(self) -> None:
        """No more come."""
        self._over = True
        self._wake()

    def close(self) -> None:
        """The program is over."""
        self._watch.release()

    def _wake(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)
