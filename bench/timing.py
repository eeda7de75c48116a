"""How work is timed: in a party's process, each repetition from a barrier on; and what all parties' timings say."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mpc import Party
from mpc.party import current_scope

__all__ = ["Cost", "Timing", "cost", "everyone", "timed"]


@dataclass(frozen=True)
class Timing:
    """What one party saw.

    Attributes:
        seconds: of each repetition.
        sent: bytes it sent in the last one.
        depth: rounds before the last one and after it.
        peak: its process's peak memory, MiB.
    """

    seconds: list[float]
    sent: int
    depth: tuple[int, int]
    peak: float


@dataclass(frozen=True)
class Cost:
    """What the work takes. A repetition takes as long as its slowest party; the median of them counts."""

    seconds: float
    bytes_per_party: float
    most_bytes: int
    rounds: int
    peak_mib_per_party: float


async def everyone(party: Party) -> None:
    """A barrier: nobody goes on before all have come here."""
    await party.reveal(party.input(0, owner=0))
    await party.reveal(party.input(0, owner=1))


async def timed(party: Party, repeats: int, work: Callable[[int], Awaitable[Any]]) -> tuple[Timing, Any]:
    """``await work(i)`` for i = 0, 1, ... below ``repeats``: its timing, and what the last one gave."""
    seconds: list[float] = []
    found: Any = None
    sent = before = 0
    for i in range(repeats):
        found = None  # so that two results are never held at once
        await everyone(party)
        before, sent = current_scope().depth, party.transport.traffic.bytes_sent
        begin = time.perf_counter()
        found = await work(i)
        seconds.append(time.perf_counter() - begin)
        sent = party.transport.traffic.bytes_sent - sent
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Timing(seconds, sent, (before, current_scope().depth), peak), found


def cost(timings: Sequence[Timing], *, warming: int = 1) -> Cost:
    """What the work took, without the first ``warming`` repetitions, which warm up."""
    slowest = [max(times) for times in zip(*(t.seconds for t in timings), strict=True)]
    return Cost(
        seconds=statistics.median(slowest[warming:]),
        bytes_per_party=statistics.mean(t.sent for t in timings),
        most_bytes=max(t.sent for t in timings),
        rounds=max(t.depth[1] for t in timings) - max(t.depth[0] for t in timings),
        peak_mib_per_party=max(t.peak for t in timings),
    )
