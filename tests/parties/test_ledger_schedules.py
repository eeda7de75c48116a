"""Whenever the power goes, at whichever change of the disk: nothing is told that is not charged."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from parties.errors import StoreFailed
from parties.jobs.session import Event, State
from parties.planning.job_work import Consent
from parties.policies.budget import Charge
from parties.running.job_store import JobStore
from tests.parties.ledger_schedules import COUNT, LedgerSchedule, play
from tests.parties.made_jobs import KEY, ME, SHARE, job
from tests.parties.simulated_disk import Disk, mounted

TestLedger = LedgerSchedule.TestCase
TestLedger.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)

SCHEDULES = int(os.environ.get("ACCORD_SCHEDULES", "2000"))
JOB = job("one")


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.parametrize("part", range(4))
def test_many_more_schedules(part: int) -> None:
    """ACCORD_SCHEDULES in all; ``python -m tests.parties.ledger_schedules`` says how far it is."""
    shown, fault = play((part, SCHEDULES // 4))
    assert not fault, fault
    assert shown["schedules"] >= SCHEDULES // 4 and all(shown[what] for what in ("create", "write", "sync", "delete"))


def way(store: JobStore) -> list[Any]:
    """From a job's proposal to its release at a compute member, then an end: each is one change."""
    charge = Charge(JOB.id, 1.0, ("text",), ME, "ann", (COUNT,), (0.5, 1e-6))
    consent = Consent("d" * 64, {}, charge, store.ledger.chain.head)
    step = store.step
    return [
        lambda: store.add(JOB, b"p" * 64, True, 1.0),
        lambda: store.accept_job(JOB.id, "alfa", consent, 2.0, lambda head: b"a" * 64, {}),
        lambda: step(JOB.id, Event.RESERVE, "", 3.0, acceptances={"alfa": b"a" * 96}),
        lambda: step(JOB.id, Event.RUN, "", 4.0),
        lambda: step(JOB.id, Event.READY, "", 5.0, votes={"alfa": b"v" * 96}, share=SHARE),
        lambda: step(JOB.id, Event.DECIDE_RELEASE, "", 6.0),
        store.close,
    ]


CHARGED = {None: 0.0, State.PROPOSED: 0.0, State.ACCEPTED: 1.5, State.RESERVED: 1.5, State.RUNNING: 1.5,
           State.RELEASED: 1.5}  # fmt: skip


def played(path: Path, stop: int) -> tuple[Disk, int]:
    """The disk on which the power went at this change, and how many steps of the way were told to be done."""
    with mounted(Disk()) as there:
        there.disk.stops_at = stop
        done = 0
        try:
            store = JobStore(path, KEY, ME)
            for change in way(store):
                change()
                done += not there.disk.stopped or change is not store.close
        except StoreFailed:
            assert there.disk.stopped
        return there.disk, done


def test_the_power_goes_at_every_write_sync_truncation_creation_and_deletion_of_a_jobs_way(tmp_path: Path) -> None:
    """One after another, all there are, with three ways each in which the disk may have taken what was not synced."""
    path, seen, stop = tmp_path / "node.db", set[str](), 0
    states = [None, State.PROPOSED, State.ACCEPTED, State.RESERVED, State.RUNNING, State.RUNNING, State.RELEASED]
    while True:
        stop += 1
        disk, done = played(path, stop)
        if not disk.stopped:
            break
        seen.add(disk.stopped)
        for luck in range(3):
            with mounted(disk.after_a_stop(random.Random(luck))), JobStore(path, KEY, ME) as store:
                record = store.find(JOB.id)
                state = None if record is None else record.state
                assert state in states[min(done, 6) : min(done, 6) + 2], (stop, disk.stopped, done, state)
                recorded = sum(float(cost.promise[0]) for cost in store.ledger.book().costs(["text"]))
                assert recorded == CHARGED[state], (stop, disk.stopped)
                store.audit.chain.check()
    assert stop > 150 and seen >= {"create", "write", "sync", "delete"}, (stop, seen)


def test_the_disk_forgets_what_was_not_synced(tmp_path: Path) -> None:
    """Else nothing above would show anything."""
    lost = 0
    for luck in range(20):
        with mounted(Disk()) as there:
            store = JobStore(tmp_path / "node.db", KEY, ME)
            store._file._db.execute("PRAGMA synchronous=OFF")
            store.add(JOB, b"p" * 64, True, 1.0)
            there.disk.stopped = "between"
            store.close()
            there.disk = there.disk.after_a_stop(random.Random(luck))
            with JobStore(tmp_path / "node.db", KEY, ME) as store:
                lost += store.find(JOB.id) is None
    assert lost > 0
