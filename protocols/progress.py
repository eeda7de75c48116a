"""What accompanies a fit: how far it is, what is watched, and which step's coefficients are kept."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from mpc.arrays import SecretArray
from mpc.party import Operation, Party
from protocols.early_stop import EarlyStop
from protocols.release import Released
from protocols.watch import LossWatch

__all__ = ["Course", "Progress"]

_QUIET = 1.0  # seconds


class Progress:
    """Says how far something is, by Party.report: after each step, and inside a long one once a second.

    Only public numbers are said, each party to whoever watches it; nothing is sent to the other parties.

    Args:
        what, unit: words, as in "LogisticRegression: epoch 3 of 10".
        total: how many there are.
        clock: seconds, for how long nothing was said.
    """

    def __init__(
        self, party: Party, what: str, unit: str, total: int, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.party, self._what, self._unit, self._total, self._clock = party, what, unit, total, clock
        self._said = clock()

    def say(self, step: int, more: str = "") -> None:
        """So many steps are done."""
        self._said = self._clock()
        self.party.report(f"{self._what}: {self._unit} {step} of {self._total}{more}")

    def tell(self, step: int, what: str) -> None:
        """Something that was learnt of a step that is done."""
        self.party.report(f"{self._what}: after {self._unit} {step} {what}")

    def within(self, step: int, share: float) -> None:
        """So many steps are done, and a share of the next; said if nothing was for a second."""
        if self._clock() - self._said >= _QUIET:
            self.say(step, f", and {share:.0%} of the next")


class Course:
    """The steps of a descent are told to this, as they are done.

    Args:
        progress: says so.
        total: steps.
        stop: keeps coefficients.
        watch: releases the loss of the rows held out; needs ``stop``.
    """

    def __init__(self, progress: Progress, total: int, stop: EarlyStop | None, watch: LossWatch | None) -> None:
        self._party, self._progress, self._total = progress.party, progress, total
        self._stop, self._watch = stop, watch
        self._released: list[Operation[Released]] = []

    def within(self, done: int, share: float) -> None:
        """So many steps are done, and a share of the next."""
        self._progress.within(done, share)

    def after(self, step: int, beta: SecretArray) -> None:
        """A step, 1, 2, ..., is done. Returns at once: what follows from it goes on beside the next ones."""
        self._progress.say(step)
        if self._stop is None:
            return
        losses = self._stop.rows.losses(beta)
        self._stop.look(step, beta, losses)
        if self._watch is not None and self._watch.due(step, self._total):
            watch = self._watch
            self._released.append(self._party.launch("watch", lambda: self._tell(watch, step, losses), hold=True))

    async def _tell(self, watch: LossWatch, step: int, losses: SecretArray) -> Released:
        assert self._stop is not None
        here = self._stop.rows.here
        told = await watch.release(self._party, losses, here)
        if told.values is not None and np.isfinite(told.values):
            self._progress.tell(step, f"log loss {float(told.values):.4f}, noise of about {told.standard_error:.1g}")
        return told

    async def end(self) -> tuple[tuple[SecretArray, SecretArray] | None, list[Released]]:
        """(what EarlyStop.kept gives, or None; what was released)."""
        kept = None if self._stop is None else await self._stop.kept()
        return kept, [await r.result() for r in self._released]
