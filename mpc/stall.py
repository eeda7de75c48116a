"""Finds out that all parties are blocked: then nobody ever goes on.

Never a false alarm, by this argument. A party says *blocked* when its program is under way, nothing came or
went since its last beat, and its event loop is idle for good (:mod:`mpc.idle`): only a frame of a peer makes it
run again. Statuses carry the counters of all frames sent and received, and echo the number of the last beat heard
from each peer. If this party was blocked at its beat k, every peer's status before k and one that answers k say
blocked with equal counters, and all counters match pairwise, then at the moment of beat k all parties were blocked
at once with nothing in flight. From there no party can move.
"""

from __future__ import annotations

from dataclasses import dataclass

from mpc import codec
from mpc.errors import NotTransferable

__all__ = ["StallWatch"]


@dataclass(frozen=True, slots=True)
class _Status:
    beat: int
    echo: tuple[int, ...]
    sent: tuple[int, ...]
    received: tuple[int, ...]


@dataclass(slots=True)
class _Suspicion:
    """All were blocked, as far as known, when this party's ``beat`` went out."""

    beat: int
    counters: dict[int, tuple[tuple[int, ...], tuple[int, ...]]]
    confirmed: set[int]


class StallWatch:
    """One party's view of who is blocked, in one run. No clock, no sockets."""

    def __init__(self, index: int, m: int) -> None:
        self._index = index
        self._m = m
        self._beat = 0
        self._heard: dict[int, _Status] = {}
        self._suspicion: _Suspicion | None = None

    def beat(self, sent: tuple[int, ...], received: tuple[int, ...]) -> bytes:
        """This party is blocked: the status to send to every peer."""
        self._beat += 1
        echo = tuple(self._heard[j].beat if j in self._heard else 0 for j in range(self._m))
        own = _Status(self._beat, echo, sent, received)
        now = {j: (s.sent, s.received) for j, s in {**self._heard, self._index: own}.items()}
        if self._suspicion is None or self._suspicion.counters != now:
            self._suspicion = _Suspicion(self._beat, now, {self._index}) if self._settled(now) else None
        return codec.dumps((own.beat, own.echo, own.sent, own.received))

    def moving(self) -> None:
        """This party is not blocked."""
        self._suspicion = None

    def heard(self, peer: int, payload: bytes) -> bool:
        """A status of ``peer``; True if all parties wait for each other (provided this one is still blocked)."""
        status = self._read(payload)
        if status is None:
            return False
        self._heard[peer] = status
        suspicion = self._suspicion
        if suspicion is None:
            return False
        if suspicion.counters[peer] != (status.sent, status.received):
            self._suspicion = None
            return False
        if status.echo[self._index] >= suspicion.beat:
            suspicion.confirmed.add(peer)
        return len(suspicion.confirmed) == self._m

    def _settled(self, counters: dict[int, tuple[tuple[int, ...], tuple[int, ...]]]) -> bool:
        """Everybody has spoken, and whatever was sent was received."""
        everyone = range(self._m)
        return len(counters) == self._m and all(
            counters[i][0][j] == counters[j][1][i] for i in everyone for j in everyone if i != j
        )

    def _read(self, payload: bytes) -> _Status | None:
        try:
            beat, echo, sent, received = codec.loads(payload)
            if isinstance(beat, int) and all(_counts(x, self._m) for x in (echo, sent, received)):
                return _Status(beat, echo, sent, received)
        except (NotTransferable, TypeError, ValueError):
            pass
        return None


def _counts(value: object, m: int) -> bool:
    return isinstance(value, tuple) and len(value) == m and all(isinstance(x, int) for x in value)
