"""Real nodes killed and stopped at every stage of four kinds of jobs. test_job_node.py has every message, in memory.

A case: a kind, a victim, a signal, and a moment: when the victim's people first see the job in a state, or a part of
the time the job takes. CRASH_CASES says how many of all cases, in an order that CRASH_SEED draws, are tried, from
the one that CRASH_FROM says.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.parties.real_jobs import (
    KINDS,
    MEMBERS,
    TERMINAL,
    VICTIMS,
    Everybody,
    Fault,
    agree,
    eventually,
    everybody,
    participants_of,
)
from tests.slack import SLACK

CASES = int(os.environ.get("CRASH_CASES", "40"))
FROM = int(os.environ.get("CRASH_FROM", "0"))
SEED = int(os.environ.get("CRASH_SEED", "1"))
SILENCE = 1.0
SOON = 2.0
ANEW = 15.0  # seconds in which a lane is made anew, workers and all
MOMENTS: tuple[str | float, ...] = ("PROPOSED", "ACCEPTED", "RESERVED", "RUNNING", *(i / 12 for i in range(13)))


@dataclass(frozen=True)
class Case:
    kind: str
    fault: Fault
    moment: str | float

    def __str__(self) -> str:
        return f"{self.kind}, {self.fault}, at {self.moment}"


def all_cases() -> list[Case]:
    signals = (signal.SIGKILL, signal.SIGSTOP)
    cases = [
        Case(kind, Fault(*victim, sent), moment)
        for kind, victim, sent, moment in itertools.product(KINDS, VICTIMS, signals, MOMENTS)
    ]
    random.Random(SEED).shuffle(cases)
    return cases


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Everybody]:
    silence = SILENCE * max(1.0, SLACK)
    with everybody(tmp_path_factory.mktemp("matrix"), lanes=1, silence=silence) as nodes:
        yield nodes


@pytest.fixture(scope="module")
def durations(nodes: Everybody) -> dict[str, float]:
    """Seconds each kind takes without faults, and twice so that all is warm."""
    found = {}
    for kind in KINDS:
        for _ in range(2):
            begin = time.monotonic()
            job = nodes.ask("delta", kind)
            nodes.until_over(job, participants_of(KINDS[kind][0]), 60)
            found[kind] = time.monotonic() - begin
        assert agree(nodes, [job]) == {job: "RELEASED"}, (kind, nodes.logs())
    return found


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_whoever_dies_or_stops_whenever_all_others_end_in_time_and_all_agree(
    nodes: Everybody, durations: dict[str, float]
) -> None:
    ends: Counter[str | None] = Counter()
    late_by: defaultdict[str, list[float]] = defaultdict(list)
    for number, case in list(enumerate(all_cases()))[FROM : FROM + CASES]:
        try:
            end, late = tried(nodes, case, durations[case.kind], number)
        except BaseException as error:
            error.add_note(f"case {number}: {case}\n{nodes.logs()}")
            raise
        ends[end] += 1
        late_by[f"{case.fault.signal.name} of a {case.fault.what}, {end}"].append(late)
        print(f"case {number}: {case}: {end}, {late:.2f} s", flush=True)
    for what, times in sorted(late_by.items()):
        print(f"{what}: {len(times)}, after {statistics.median(times):.2f} s in the median, {max(times):.2f} s at most")
    print(dict(ends))
    assert CASES < 20 or {"RELEASED", "ABORTED"} <= set(ends)


def tried(nodes: Everybody, case: Case, takes: float, number: int) -> tuple[str | None, float]:
    """The job's end, and how long after the fault the last survivor had it there."""
    fault = case.fault
    job = nodes.ask(("alfa", "delta")[number % 2], case.kind)
    await_moment(nodes, case, job, takes)
    happened = time.time()
    go_on = fault.happen(nodes.consortium)
    survivors = [name for name in MEMBERS if name != fault.member or fault.what == "worker"]
    allowed = SOON * SLACK + takes + (SILENCE * max(1.0, SLACK) if fault.signal is signal.SIGSTOP else 0.0)
    time.sleep(0.3)
    last = happened
    for name in survivors:
        view = eventually(
            lambda name=name: over_or_unknown(nodes, name, job),
            allowed + ANEW,
            f"{name} at the end of {job}",
            nodes.logs,
        )
        took = (view["changed"] or happened) - happened
        last = max(last, happened + took)
        if view["state"] == "ABORTED":
            assert took < allowed, (name, took, view)
            assert fault.member in f"{view['error']} {view['cause']}", (name, view["error"], view["cause"])
        else:  # a job that nobody was lost to goes on, and may have to wait for a new lane
            assert took < allowed + (ANEW if fault.what == "worker" else 0.0), (name, took, view)
    go_on()
    nodes.await_ready()
    for name in MEMBERS:  # who was stopped, or began anew, finds out
        eventually(lambda name=name: over_or_unknown(nodes, name, job), 20.0, f"{name} at the end of {job}", nodes.logs)
    return agree(nodes, [job])[job], last - happened


def await_moment(nodes: Everybody, case: Case, job: str, takes: float) -> None:
    if isinstance(case.moment, float):
        time.sleep(case.moment * takes)
        return
    end = time.monotonic() + takes + 1.0
    order = ("PROPOSED", "ACCEPTED", "RESERVED", "RUNNING", *TERMINAL)
    while time.monotonic() < end:
        view = nodes[case.fault.member].view(job)
        if view is not None and order.index(view["state"]) >= order.index(case.moment):
            return


def over_or_unknown(nodes: Everybody, name: str, job: str) -> dict[str, object] | None:
    """The job at its end there, or as one that was never heard of; None while it is neither, or nobody answers."""
    listed = nodes[name].get("/v1/jobs?most=20", timeout=10)
    if listed is None:
        return None
    view: dict[str, object] | None = next((view for view in listed["jobs"] if view["job"] == job), None)
    if view is None:
        return {"state": None, "changed": None}
    return view if view["state"] in TERMINAL else None
