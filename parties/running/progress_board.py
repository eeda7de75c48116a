"""How far a node's jobs are, as its workers, or the coordinator's, say; for the people who wait. In memory only."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from mpc.transport import Traffic
from parties.wire.messages import ProgressReport

__all__ = ["Done", "ProgressBoard"]

_MOST = 1000
_OF = re.compile(r"\b(\d{1,9}) ?(?:/|of) ?(\d{1,9})\b")


@dataclass(frozen=True, slots=True)
class Done:
    """How far one job is.

    Attributes:
        operation: what the worker does, in words.
        rounds: so far.
        sent: bytes so far, by one member.
        fraction: done of it, 0 to 1; None: not known.
    """

    operation: str = ""
    rounds: int = 0
    sent: int = 0
    fraction: float | None = None


class ProgressBoard:
    """The latest of each job, of at most a thousand jobs.

    Args:
        changed: called with a job's id when there is something new.
    """

    def __init__(self, changed: Callable[[str], None]) -> None:
        self._changed = changed
        self._done: dict[str, Done] = {}

    def of(self, job: str) -> Done:
        """How far it is, as far as known."""
        return self._done.get(job, Done())

    def worker(self, job: str, operation: str, traffic: Traffic) -> None:
        """This node's worker says what it does; "3 of 20" or "3/20" in it is how much is done."""
        found, fraction = _OF.search(operation), self.of(job).fraction
        if found is not None and int(found[1]) <= int(found[2]) != 0:
            fraction = int(found[1]) / int(found[2])
        self._put(job, Done(operation[:200], traffic.rounds, traffic.bytes_sent, fraction))

    def member(self, job: str, report: ProgressReport) -> None:
        """The coordinator says something."""
        self._put(job, Done(report.operation, report.rounds, report.sent, report.fraction))

    def _put(self, job: str, done: Done) -> None:
        self._done.pop(job, None)
        while len(self._done) >= _MOST:
            self._done.pop(next(iter(self._done)))
        self._done[job] = done
        self._changed(job)
