"""Ready-made taps for a MemoryCluster: drop, delay, alter, count. Test code: it plays the network.

    cluster = MemoryCluster(tap=chain(seen := count(), drop(link(0, 1))))

A tap is any function from a frame to the frames to be delivered instead (transport.Tap).
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter
from collections.abc import Awaitable, Callable

from mpc.transport import Frame, Tap

__all__ = ["Count", "Match", "alter", "chain", "count", "delay", "drop", "every", "link", "nth"]

Match = Callable[[Frame], bool]


def every(frame: Frame) -> bool:
    """Matches all frames."""
    del frame
    return True


def link(sender: int | None = None, receiver: int | None = None) -> Match:
    """Matches the frames from one party, to one party, or both."""
    return lambda f: (sender is None or f.sender == sender) and (receiver is None or f.receiver == receiver)


def nth(n: int, match: Match = every) -> Match:
    """Matches only the n-th (0, 1, ...) of the frames that ``match``; counts over all runs."""
    seen = 0

    def is_it(frame: Frame) -> bool:
        nonlocal seen
        if not match(frame):
            return False
        seen += 1
        return seen == n + 1

    return is_it


def drop(match: Match) -> Tap:
    """Frames that match never arrive."""
    return lambda frame: [] if match(frame) else [frame]


def delay(match: Match, seconds: float) -> Tap:
    """Frames that match arrive later, and may be overtaken."""

    async def later(frame: Frame) -> list[Frame]:
        await asyncio.sleep(seconds)
        return [frame]

    return lambda frame: later(frame) if match(frame) else [frame]


def alter(match: Match, change: Callable[[bytes], bytes]) -> Tap:
    """The payload of frames that match is changed on the way."""

    def tap(frame: Frame) -> list[Frame]:
        return [dataclasses.replace(frame, payload=change(frame.payload))] if match(frame) else [frame]

    return tap


class Count:
    """Counts frames and payload bytes, and lets everything pass.

    Attributes:
        frames, bytes: by (sender, receiver).
    """

    def __init__(self, match: Match) -> None:
        self._match = match
        self.frames: Counter[tuple[int, int]] = Counter()
        self.bytes: Counter[tuple[int, int]] = Counter()

    def __call__(self, frame: Frame) -> list[Frame]:
        if self._match(frame):
            self.frames[frame.sender, frame.receiver] += 1
            self.bytes[frame.sender, frame.receiver] += len(frame.payload)
        return [frame]


def count(match: Match = every) -> Count:
    """A tap that counts; read its ``frames`` and ``bytes`` afterwards."""
    return Count(match)


def chain(*taps: Tap) -> Tap:
    """One after another: each sees what the ones before it deliver."""

    async def finish(awaited: Awaitable[list[Frame]], rest: tuple[Tap, ...]) -> list[Frame]:
        return await _through(await awaited, rest)

    async def _through(frames: list[Frame], rest: tuple[Tap, ...]) -> list[Frame]:
        for tap in rest:
            found: list[Frame] = []
            for frame in frames:
                answer = tap(frame)
                found += answer if isinstance(answer, list) else await answer
            frames = found
        return frames

    def through(frame: Frame) -> list[Frame] | Awaitable[list[Frame]]:
        frames = [frame]
        for k, tap in enumerate(taps):
            if len(frames) != 1:
                return frames if not frames else _through(frames, taps[k:])
            answer = tap(frames[0])
            if not isinstance(answer, list):
                return finish(answer, taps[k + 1 :])
            frames = answer
        return frames

    return through
