"""A member's ledger beside a model of a few lines, under random schedules of jobs, on a disk whose power goes anywhere.

``python -m tests.parties.ledger_schedules --count 100000`` plays so many on all cores, and says how often the power
went at which kind of change. A schedule that breaks the rule is told, shrunk, and it ends with 1.

The rule: at every moment, the epsilon that the ledger records is what was told, or more; and what is more belongs to
jobs under way.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import ClassVar

import hypothesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from parties.disk.chain import Head
from parties.errors import LedgerMoved, StoreFailed
from parties.jobs.session import Event, State
from parties.planning.job_work import Consent
from parties.policies.budget import Charge
from parties.running.job_store import JobStore
from protocols.accounting import Event as Release
from protocols.mechanisms import DiscreteLaplace
from protocols.sensitivity import Change
from tests.parties.made_jobs import KEY, ME, SHARE, job
from tests.parties.simulated_disk import Disk, mounted

__all__ = ["LedgerSchedule", "play"]

COUNT, SMALL = (Release(DiscreteLaplace(epsilon), Change((1,), False)) for epsilon in (1.0, 0.25))
STEPS = 20
JOBS = [job(f"k{i}") for i in range(4)]
POWER = st.integers(0, (1 << 20) - 1)
"""When the power goes, and what it leaves: at the change of the disk with this number modulo 160, counted within a
rule, of which most have 20 to 60."""

WHERE = ("create", "write", "truncate", "sync", "delete", "between")
SHOWN: Counter[str] = Counter()
"""Schedules, and at which kinds of change the power went, in this process."""

_CHUNK = 1000


class Model:
    """What was told, by the steps of jobs: of a run from its start on, of figures from this node's vote on.

    A vote may be all the others wait for, so it counts as if they had told; an abort that is decided takes it back.
    """

    STEPS: ClassVar = {
        ("computes", "accepted", Event.RESERVE): "reserved", ("computes", "reserved", Event.RUN): "run",
        ("computes", "run", Event.SUSPEND): "waits", ("computes", "waits", Event.RUN): "run",
        ("computes", "run", Event.READY): "voted", ("computes", "voted", Event.DECIDE_RELEASE): "released",
        ("has rows", "accepted", Event.RESERVE): "run", ("has rows", "run", Event.DECIDE_RELEASE): "released",
        ("has rows", "accepted", Event.DECIDE_RELEASE): "released",
        **{("computes", state, Event.ABORT): "aborted" for state in ("accepted", "reserved")},
        **{("computes", state, Event.ABORT): "aborted late" for state in ("run", "waits")},
        **{(who, state, Event.DECIDE_ABORT): "aborted" for who, state in
           (("computes", "accepted"), ("computes", "reserved"), ("has rows", "accepted"))},
        **{(who, state, Event.DECIDE_ABORT): "aborted late" for who, state in
           (("computes", "run"), ("computes", "waits"), ("computes", "voted"), ("has rows", "run"))},
    }  # fmt: skip

    def __init__(self) -> None:
        self.states: dict[str, str] = {}
        self.charges: dict[str, Charge] = {}

    def told(self) -> Fraction:
        total = Fraction(0)
        for name, state in self.states.items():
            if state in ("voted", "released"):
                total += sum((event.promise[0] for event in self.charges[name].figures), Fraction(0))
            if state not in ("accepted", "reserved", "aborted"):
                total += Fraction((self.charges[name].run or (0.0, 0.0))[0])
        return total

    def all_of(self, states: set[str]) -> Fraction:
        """What was charged of those in these states."""
        charges = (self.charges[name] for name, state in self.states.items() if state in states)
        return sum((cost.promise[0] for charge in charges for cost in charge.costs), Fraction(0))


OPEN = {"accepted", "reserved", "run", "waits", "voted"}


class LedgerSchedule(RuleBasedStateMachine):
    """One member's store, job by job, beside the model."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(dir=_memory()))
        self.power = mounted(Disk())
        self.there = self.power.__enter__()
        self.model = Model()
        self.role: dict[str, str] = {}
        self.store: JobStore | None = None

    def teardown(self) -> None:
        SHOWN["schedules"] += 1
        if self.store is not None:
            self.store.audit.chain.check()
            whats = Counter(entry["what"] for _, entry in self.store.audit.entries())
            states = Counter(self.model.states.values())
            assert whats["accepted"] == states.total() and whats["released"] == states["released"]
            self.store.close()
        self.power.__exit__(None, None, None)
        shutil.rmtree(self.directory)

    # -- the disk

    def start(self) -> None:
        self.store = JobStore(self.directory / "node.db", KEY, ME)

    def tried(self, change: Callable[[], object], power: int) -> bool:
        """Whether the change was told to be done; the power may go within, and the node starts again then."""
        disk, done = self.there.disk, False
        disk.stops_at = power % 160 or None
        try:
            change()
            done = True
        except StoreFailed:
            assert disk.stopped, "a disk that works"
        finally:
            disk.stops_at = None
        if disk.stopped:
            self.back(power)
        return done

    def back(self, power: int) -> None:
        disk = self.there.disk
        assert disk.stopped in WHERE, disk.stopped
        SHOWN[disk.stopped] += 1
        if self.store is not None:
            self.store.close()
        self.there.disk = disk.after_a_stop(random.Random(power))
        self.start()

    @initialize(power=POWER)
    def first(self, power: int) -> None:
        """The file is made."""
        self.tried(self.start, power)

    @rule(power=POWER)
    def end_and_start(self, power: int) -> None:
        """In order; or the power goes as it ends or starts, or before."""
        assert self.store is not None
        disk = self.there.disk
        if power % 60 == 0:
            disk.stopped = "between"
        disk.stops_at = power % 60 or None
        self.store.close()
        if disk.stopped:
            self.back(power)
        else:
            self.tried(self.start, power)

    # -- jobs

    @precondition(lambda self: len(self.role) < len(JOBS))
    @rule(large=st.booleans(), run=st.booleans(), computes=st.booleans(), power=POWER)
    def accept(self, large: bool, run: bool, computes: bool, power: int) -> None:
        number, store = len(self.role), self.store
        assert store is not None
        of, at = JOBS[number], float(number)
        self.role[of.id] = "computes" if computes else "has rows"
        stale = power % 9 == 1
        charge = Charge(of.id, at, ("text",), ME, "ann", (COUNT if large else SMALL,), (0.5, 1e-6) if run else None)
        self.model.charges[of.id] = charge
        book = store.ledger.chain.head
        consent = Consent("d" * 64, {}, charge, Head(book.log, book.number + 1, book.digest) if stale else book)

        def change() -> None:
            store.add(of, b"p" * 64, computes, at)
            store.accept_job(of.id, "alfa", consent, at, lambda head: b"a" * 64, {})

        try:
            done = self.tried(change, power)
        except LedgerMoved:
            assert stale
            return
        assert not (stale and done)
        self.look(of.id, done, "", "accepted")

    @rule(which=st.integers(0, 99), power=POWER)
    def step(self, which: int, power: int) -> None:
        """Something happens to a job, of all that can happen to one."""
        store = self.store
        assert store is not None
        possible = [
            (name, before, event, then)
            for name, before in self.model.states.items()
            for (role, state, event), then in Model.STEPS.items()
            if (role, state) == (self.role[name], before)
        ]
        if possible:
            name, before, event, then = possible[which % len(possible)]
            voted = {"votes": {"alfa": b"v" * 96}, "share": SHARE} if event is Event.READY else {}
            done = self.tried(lambda: store.step(name, event, "", 3.0, **voted), power)
            self.look(name, done, before, then)

    def look(self, name: str, done: bool, before: str, then: str) -> None:
        """What was told to be done is; what was not is done or not, by what the disk says."""
        assert self.store is not None
        record = self.store.find(name)
        late = before in ("run", "waits", "voted")
        found = "" if record is None or record.state is State.PROPOSED else {
            State.ACCEPTED: "accepted", State.RUNNING: "voted" if record.standing.voted else "run",
            State.RESERVED: "run" if not record.standing.computes else "waits" if late else "reserved",
            State.RELEASED: "released", State.ABORTED: "aborted late" if late else "aborted",
        }[record.state]  # fmt: skip
        assert found == then or (not done and found == before), (before, then, found, done)
        if found:
            self.model.states[name] = found

    # -- the rule

    @invariant()
    def nothing_is_told_that_is_not_charged(self) -> None:
        if self.store is None:
            return
        book = self.store.ledger.book()
        recorded = sum((cost.promise[0] for cost in book.costs(["text"])), Fraction(0))
        assert recorded >= self.model.told()
        assert set(book.open_jobs) == {name for name, state in self.model.states.items() if state in OPEN}
        settled = recorded - self.model.all_of(OPEN)
        told = Model.told(self.over())
        assert settled == told, "and nothing stays charged that nobody was told"

    def over(self) -> Model:
        """The model, of jobs that are over."""
        model = Model()
        model.charges = self.model.charges
        model.states = {name: state for name, state in self.model.states.items() if state not in OPEN}
        return model


def _memory() -> str | None:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def play(given: tuple[int, int]) -> tuple[Counter[str], str]:
    """(seed, how many schedules) -> what was shown, and how one broke the rule, if one did."""
    seed, count = given
    SHOWN.clear()
    how = settings(
        max_examples=count, stateful_step_count=STEPS, deadline=None, database=None, derandomize=False,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    try:
        run_state_machine_as_test(hypothesis.seed(seed)(type(f"Schedule{seed}", (LedgerSchedule,), {})), settings=how)
    except Exception as error:
        return Counter(SHOWN), "\n".join([f"{type(error).__name__}: {error}", *getattr(error, "__notes__", [])])
    return Counter(SHOWN), ""


def main(arguments: list[str] | None = None) -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=100_000, help="schedules in all (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="the same again gives the same schedules (%(default)s)")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args(arguments)
    tasks = [
        (asked.seed * 1_000_000 + i, min(_CHUNK, asked.count - at))
        for i, at in enumerate(range(0, asked.count, _CHUNK))
    ]
    shown, faults, begun = Counter[str](), 0, time.monotonic()
    with multiprocessing.get_context("spawn").Pool(asked.processes) as pool:
        for found, fault in pool.imap_unordered(play, tasks):
            shown += found
            faults += bool(fault)
            took = time.monotonic() - begun
            power = ", ".join(f"{what} {shown[what]:,}" for what in WHERE)
            print(f"{shown['schedules']:,} schedules in {took:.0f} s; the power went at: {power}", flush=True)
            if fault:
                print(fault, flush=True)
    print(f"{shown['schedules']:,} schedules, {faults} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
