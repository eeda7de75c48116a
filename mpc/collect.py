"""One run of a LocalCluster, as the parent sees it: what each worker answers, fails with, or dies of."""

from __future__ import annotations

import contextlib
import selectors
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any

from mpc.errors import AccordError, PartyFailed, PeerError, PeerLost
from mpc.launch import Launched
from mpc.outcomes import RunTimedOut, waiting_text
from mpc.pipe import thaw
from mpc.transport import Traffic

__all__ = ["ParentRun", "death", "messages"]

_GRACE = 1.0  # seconds the other parties have to end by themselves when a run failed somewhere
_PATIENCE = 5.0  # seconds they have when told to stop
_HOPELESS = 0.5  # seconds they have when the cluster is broken anyway

Message = tuple[str, list[bytearray]]


def messages(workers: Sequence[Launched], of: Collection[int], until: float | None) -> list[tuple[int, Message | None]]:
    """What these workers say next, at least one message unless ``until`` passes. None: that worker is gone."""
    found: list[tuple[int, Message | None]] = []
    with selectors.DefaultSelector() as selector:
        for i in of:
            selector.register(workers[i].pipe, selectors.EVENT_READ, i)
        wait = None if until is None else max(0.0, until - time.monotonic())
        for key, _ in selector.select(wait):
            try:
                found.append((key.data, workers[key.data].pipe.receive()))
            except (EOFError, OSError):
                found.append((key.data, None))
    return found


def death(worker: Launched, index: int, when: str) -> PeerLost:
    """The error for a worker whose pipe is closed."""
    with contextlib.suppress(Exception):
        worker.process.wait(1.0)
    code = worker.process.returncode
    how = "closed its pipe" if code is None else f"was killed by signal {-code}" if code < 0 else f"exited with {code}"
    return PeerLost(index, f"the process of party {index} {how} {when}")


class ParentRun:
    """One run.

    Attributes:
        answers: by party.
        errors: by party, in the order in which they came; -1 for the timeout.
        facts: traffic, and seconds the program took, by party.
        death: the first process found dead.
        broken: why the cluster cannot be used any more, or "".
    """

    def __init__(self, number: int, workers: Sequence[Launched], progress: Callable[[int, str], None] | None) -> None:
        self.number = number
        self.answers: dict[int, Any] = {}
        self.errors: dict[int, BaseException] = {}
        self.facts: dict[int, tuple[Traffic, float]] = {}
        self.death: PeerLost | None = None
        self.broken = ""
        self.waits: dict[int, set[int]] = {}
        self._late: list[int] = []
        self._workers = workers
        self._progress = progress

    def order(self, program: bytes, inputs: Sequence[bytes]) -> None:
        """Send the program to all, and to each its input."""
        for i, worker in enumerate(self._workers):
            try:
                worker.pipe.send("run", b"%d" % self.number, program, *inputs[i : i + 1])
            except OSError:
                self._lost(i)

    def collect(self, timeout: float | None) -> None:
        """Wait for all outcomes, see _collect; of a timeout say who waited for whom."""
        self._collect(timeout)
        if self._late:
            text = waiting_text(self.waits, self._late, len(self._workers))
            self.errors[-1] = RunTimedOut(f"run {self.number} did not end within {timeout:g} s: {text}")

    def _collect(self, timeout: float | None) -> None:
        """Wait for all outcomes; once a party failed, or the timeout passed, the others have a limited time."""
        deadline = None if timeout is None else time.monotonic() + timeout
        give_up: float | None = None
        told = False
        while missing := self._missing():
            now = time.monotonic()
            if self.errors and give_up is None:
                give_up = now + _GRACE
            if self.broken and not told:
                told, give_up = True, now + _HOPELESS
            until = min((x for x in (deadline, give_up) if x is not None), default=None)
            for i, message in messages(self._workers, missing, until):
                self._note(i, message)
            missing, now = self._missing(), time.monotonic()
            if missing and deadline is not None and now >= deadline:
                self.errors[-1] = RunTimedOut("")
                self._late = missing
                deadline, give_up = None, now
            if missing and give_up is not None and now >= give_up:
                if told:
                    self.broken = self.broken or f"parties {missing} did not stop"
                    return
                self._cancel(missing)
                told, give_up = True, now + _PATIENCE

    def _missing(self) -> list[int]:
        return [i for i in range(len(self._workers)) if i not in self.answers and i not in self.errors]

    def _cancel(self, missing: Sequence[int]) -> None:
        for i in missing:
            with contextlib.suppress(OSError):
                self._workers[i].pipe.send("cancel", b"%d" % self.number)

    def _note(self, i: int, message: Message | None) -> None:
        """A message of worker i (None: it is gone)."""
        if message is None:
            self._lost(i)
            return
        kind, parts = message
        if kind == "report":
            if self._progress is not None:
                self._progress(i, bytes(parts[0]).decode())
            return
        if kind == "waits":
            self.waits[i] = set(parts[0])
            return
        self.facts[i] = thaw(parts[1])
        if kind == "answer":
            try:
                self.answers[i] = thaw(parts[2])
            except Exception as unfit:
                detail = f"its answer cannot be unpickled here: {unfit}"
                self.errors[i] = _chained(PartyFailed(i, type(unfit).__name__, detail), unfit)
            return
        broken, name, detail_bytes, shown, frozen = parts[2:]
        failure = _failure(i, _text(name), _text(detail_bytes), _text(shown), frozen)
        self.errors[i] = failure
        if broken:
            self.broken = self.broken or str(failure).split("\n", 1)[0]

    def _lost(self, i: int) -> None:
        lost = death(self._workers[i], i, "during the run")
        self.errors[i] = lost
        self.death = self.death or lost
        self.broken = str(self.death)


def _text(part: bytearray) -> str:
    return part.decode("utf-8", "replace")


def _failure(index: int, kind: str, detail: str, shown: str, frozen: bytearray) -> BaseException:
    """What run() raises for the error of one party."""
    original: BaseException | None = None
    with contextlib.suppress(Exception):
        original = thaw(frozen) if frozen else None
    if isinstance(original, AccordError):
        if shown and not isinstance(original, (PartyFailed, PeerError)):
            original.add_note(f"--- traceback at party {index} ---\n{shown}")
        return original
    return _chained(PartyFailed(index, kind, detail, shown), original)


def _chained(error: BaseException, cause: BaseException | None) -> BaseException:
    error.__cause__ = cause
    return error
