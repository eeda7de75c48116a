"""One run of a LocalCluster, as the parent sees it: what each worker answers, fails with, or dies of."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any

from mpc.crew import Crew
from mpc.errors import AccordError, PartyFailed, PeerError, PeerLost
from mpc.outcomes import RunTimedOut, waiting_text
from mpc.pipe import Frozen, Message, thaw
from mpc.transport import Traffic

__all__ = ["ParentRun"]

_GRACE = 1.0  # seconds the other parties have to end by themselves when a run failed somewhere
_PATIENCE = 5.0  # seconds they have when told to stop
_HOPELESS = 0.3  # seconds they have when the cluster is broken anyway, but no process is known to be gone


class ParentRun:
    """One run.

    Attributes:
        answers: by party.
        errors: by party, in the order in which they came; -1 for the timeout.
        facts: traffic, and seconds the program took, by party.
        death: the first process found dead, or stopped for too long.
        broken: why the cluster cannot be used any more, or "".
    """

    def __init__(
        self,
        number: int,
        crew: Crew,
        progress: Callable[[int, str], None] | None,
        heard: Callable[[int, Any], None] | None = None,
    ) -> None:
        self.number = number
        self.answers: dict[int, Any] = {}
        self.errors: dict[int, BaseException] = {}
        self.facts: dict[int, tuple[Traffic, float]] = {}
        self.death: PeerLost | None = None
        self.broken = ""
        self.waits: dict[int, set[int]] = {}
        self._late: list[int] = []
        self._crew = crew
        self._all = range(len(crew.workers))
        self._progress = progress
        self._heard = heard
        self._timeout = 0.0
        self._deadline: float | None = None

    def order(self, program: Frozen, inputs: Sequence[Frozen]) -> None:
        """Send the program to all, and to each its input: begin to, :meth:`collect` goes on with it."""
        for i in self._all:
            kind = "run" if self._heard is None else "open"
            self._crew.tell(i, kind, self.number, bodies=[program, *inputs[i : i + 1]])

    def limit(self, timeout: float) -> None:
        """From now on it may take so many seconds. From any thread, before :meth:`collect` or meanwhile."""
        self._timeout, self._deadline = timeout, time.monotonic() + timeout
        self._crew.wake()

    def collect(self) -> None:
        """Wait for all outcomes, see _collect; of a timeout say who waited for whom."""
        self._collect()
        if self._late:
            text = waiting_text(self.waits, self._late, len(self._all))
            self.errors[-1] = RunTimedOut(f"run {self.number} did not end within {self._timeout:g} s: {text}")

    def _collect(self) -> None:
        """Wait for all outcomes; once a party failed, or the timeout passed, the others have a limited time."""
        give_up: float | None = None
        told = False
        while missing := self._missing():
            now = time.monotonic()
            if self.errors and give_up is None:
                give_up = now + _GRACE
            if self.broken and not told:
                told, give_up = True, now + _HOPELESS
            deadline = None if self._late else self._deadline
            until = min((x for x in (deadline, give_up) if x is not None), default=None)
            for i, news in self._crew.hear(until):
                if isinstance(news, PeerLost):
                    self._lost(i, news)
                else:
                    self._note(i, news)
            if self.death is not None:
                return  # what the others make of it is no news
            missing, now = self._missing(), time.monotonic()
            if missing and deadline is not None and now >= deadline:
                self.errors[-1] = RunTimedOut("")
                self._late, give_up = missing, now
            if missing and give_up is not None and now >= give_up:
                if told:
                    self.broken = self.broken or f"parties {missing} did not stop"
                    return
                self._cancel(missing)
                told, give_up = True, now + _PATIENCE

    def _missing(self) -> list[int]:
        return [i for i in self._all if i not in self.answers and i not in self.errors]

    def _cancel(self, missing: Sequence[int]) -> None:
        for i in missing:
            self._crew.tell(i, "cancel", self.number)

    def _note(self, i: int, message: Message) -> None:
        """A message of worker i."""
        kind, fields, bodies = message
        if kind == "report":
            if self._progress is not None:
                self._progress(i, fields[0])
            return
        if kind == "says":
            if self._heard is not None:
                self._heard(i, thaw(bodies[0]))
            return
        if kind == "waits":
            self.waits[i] = set(fields[0])
            return
        if kind == "lost":
            return  # the run of this worker says the same, and what became of it
        traffic, seconds, *failed = fields
        self.facts[i] = traffic, seconds
        if kind == "answer":
            try:
                self.answers[i] = thaw(bodies[0])
            except Exception as unfit:
                detail = f"its answer cannot be unpickled here: {unfit}"
                self.errors[i] = _chained(PartyFailed(i, type(unfit).__name__, detail), unfit)
            return
        broken, name, detail, shown, waited = failed
        self.waits.setdefault(i, set(waited))
        failure = _failure(i, name, detail, shown, bodies)
        self.errors[i] = failure
        if broken:
            self.broken = self.broken or str(failure).split("\n", 1)[0]

    def _lost(self, i: int, lost: PeerLost) -> None:
        self.errors[i] = lost
        self.death = self.death or lost
        self.broken = str(self.death)


def _failure(index: int, kind: str, detail: str, shown: str, frozen: Sequence[Frozen]) -> BaseException:
    """What run() raises for the error of one party."""
    original: BaseException | None = None
    with contextlib.suppress(Exception):
        original = thaw(frozen[0]) if frozen else None
    if isinstance(original, AccordError):
        if shown and not isinstance(original, (PartyFailed, PeerError)):
            original.add_note(f"--- traceback at party {index} ---\n{shown}")
        return original
    return _chained(PartyFailed(index, kind, detail, shown), original)


def _chained(error: BaseException, cause: BaseException | None) -> BaseException:
    error.__cause__ = cause
    return error
