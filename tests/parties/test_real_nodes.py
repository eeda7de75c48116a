"""Nodes as they are deployed: processes `accord serve` with workers, TLS, disks of their own; killed, stopped, ended.

The matrix in memory (test_job_node.py) goes through every message; here is what only processes show.
"""

from __future__ import annotations

import os
import re
import resource
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from parties.keys.store_key import store_key
from parties.running.job_store import JobStore
from tests.parties.real_jobs import (
    MEMBERS,
    TERMINAL,
    Everybody,
    busiest,
    eventually,
    everybody,
    is_gone,
    released,
    workers_of,
)
from tests.slack import SLACK

LONG = {"max_iter": 4_000, "learning_rate": 0.01}
SOON = 2.0 * SLACK  # seconds after a death in which every survivor has the job at its end
SILENCE = 2.0  # more than the default: the machine that tests run on may be busy


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Everybody]:
    with everybody(tmp_path_factory.mktemp("nodes"), silence=SILENCE) as nodes:
        yield nodes


@pytest.fixture
def all_there(nodes: Everybody) -> Everybody:
    nodes.await_ready()
    return nodes


def started(nodes: Everybody, who: str = "delta", **more: Any) -> str:
    """A training that takes long, once all compute it."""
    job = nodes.ask(who, "train", parameters=LONG, **more)

    def runs() -> bool:
        views = [nodes[name].view(job) for name in MEMBERS]
        ended = [view["cause"] for view in views if view and view["state"] == "ABORTED"]
        assert not ended, f"{ended}\n{nodes.logs()}"
        return all(view and view["state"] == "RUNNING" for view in views[:3])

    eventually(runs, 20, "the job runs", nodes.logs)
    return job


def aborted(nodes: Everybody, job: str, members: tuple[str, ...], killed: float, soon: float, *names: str) -> None:
    """Everywhere, in time, and every cause has the names."""
    for member, view in nodes.until_over(job, members).items():
        assert view["state"] == "ABORTED", (member, view)
        assert view["changed"] - killed < soon, (member, view["changed"] - killed, view["cause"])
        assert all(name in f"{view['error']}: {view['cause']}" for name in names), (
            member,
            view["error"],
            view["cause"],
        )


def test_a_count_over_all_members_one_of_which_does_not_compute(all_there: Everybody) -> None:
    for who in ("alfa", "delta"):
        released(all_there, who)


def test_who_wants_no_progress_hears_of_the_beginning_and_of_the_end(all_there: Everybody) -> None:
    people = all_there["delta"]
    job = people.submit("train", "ends")["job"]
    first, last = people.lines(job, True)
    assert first["state"] not in TERMINAL and last["state"] == "RELEASED" and last["answer"]
    assert people.lines(job, True) == [last] == people.lines(job, False)
    job = people.submit("train", "all")["job"]
    assert len(people.lines(job, False)) > 2


def test_two_jobs_at_once_are_both_released(all_there: Everybody) -> None:
    jobs = [all_there.ask(who, "count") for who in ("alfa", "delta", "bravo")]
    for job in jobs:
        assert {view["state"] for view in all_there.until_over(job).values()} == {"RELEASED"}


def test_a_worker_killed_in_a_job_ends_that_job_everywhere_and_nothing_else(all_there: Everybody) -> None:
    job = started(all_there)
    victim = busiest(workers_of(all_there.consortium["bravo"]))
    killed = time.time()
    os.kill(victim, signal.SIGKILL)
    released(all_there)  # in the other lane
    aborted(all_there, job, MEMBERS, killed, SOON, "bravo")
    cause = all_there["bravo"].view(job)["cause"]  # type: ignore[index]  # its own word, unless another's was here first
    assert re.search("SIGKILL|at (alfa|charlie): the connection to party 1 broke", cause), cause


@pytest.mark.parametrize("victim", ["alfa", pytest.param("bravo", marks=pytest.mark.slow)])
def test_a_node_killed_in_a_job_is_named_by_all_and_finds_out_when_it_starts_anew(
    all_there: Everybody, victim: str
) -> None:
    job = started(all_there)
    node = all_there.consortium[victim]
    its = workers_of(node)
    killed = time.time()
    node.signal(signal.SIGKILL)
    survivors = tuple(name for name in MEMBERS if name != victim)
    aborted(all_there, job, survivors, killed, SOON, victim)
    eventually(lambda: all(is_gone(pid) for pid in its), 30, "its workers ended with it")
    all_there.await_ready()
    assert {view["state"] for view in all_there.until_over(job).values()} == {"ABORTED"}
    released(all_there)


def test_a_node_stopped_in_a_job_is_named_by_all_and_finds_out_when_it_goes_on(all_there: Everybody) -> None:
    job = started(all_there)
    node = all_there.consortium["charlie"]
    stopped = time.time()
    node.signal(signal.SIGSTOP)
    try:
        aborted(all_there, job, ("alfa", "bravo", "delta"), stopped, SILENCE + SOON, "charlie")
    finally:
        node.signal(signal.SIGCONT)
    all_there.await_ready()
    assert {view["state"] for view in all_there.until_over(job).values()} == {"ABORTED"}
    released(all_there)


@pytest.mark.slow
def test_who_was_not_there_when_a_job_that_waits_was_cancelled_asks_the_others(all_there: Everybody) -> None:
    """All who could have told it started anew meanwhile."""
    job = started(all_there, on_loss="wait")
    away = all_there.consortium["bravo"]
    away.signal(signal.SIGKILL)
    present = tuple(name for name in MEMBERS if name != "bravo")
    eventually(
        lambda: {all_there.states(job, present)[name] for name in ("alfa", "charlie")} == {"RESERVED"},
        10,
        "the job waits",
        all_there.logs,
    )
    all_there["delta"]._http.post(f"/v1/jobs/{job}/cancel")
    all_there.until_over(job, present)
    for name in present:
        all_there.consortium[name].stop()
    with JobStore(away.home.jobs, store_key(away.identity, "jobs"), away.identity.fingerprint) as store:
        assert not store.get(job).state.terminal
    all_there.await_ready()
    for view in all_there.until_over(job).values():
        assert view["state"] == "ABORTED" and "Cancelled" in f"{view['error']}: {view['cause']}", view
    released(all_there)


def test_a_node_told_to_end_ends_in_good_order(all_there: Everybody) -> None:
    job = started(all_there)
    node = all_there.consortium["bravo"]
    its = workers_of(node)
    assert len(its) == 3  # two lanes, and one that stands by
    told = time.time()
    assert node.stop() == 0
    assert all(is_gone(pid) for pid in its)
    aborted(all_there, job, ("alfa", "charlie", "delta"), told, SOON, "bravo")
    with JobStore(node.home.jobs, store_key(node.identity, "jobs"), node.identity.fingerprint) as store:
        kept = store.get(job)
        assert kept.state.value in ("RUNNING", "ABORTED") and not kept.standing.voted
    leftover = [path.name for path in node.home.directory.iterdir() if path.suffix in (".tmp", ".part")]
    assert leftover == []


def test_a_node_whose_disk_takes_nothing_more_ends_and_says_why(all_there: Everybody) -> None:
    job = started(all_there)
    node = all_there.consortium["charlie"]
    assert node.process is not None
    resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, (4096, 4096))
    full = time.time()
    count = all_there.ask("alfa", "count")  # what it writes of this one is too much
    eventually(lambda: node.process is None or node.process.poll() is not None, 10, "the node ended", node.text)
    aborted(all_there, job, ("alfa", "bravo", "delta"), full, 10.0, "charlie")
    for view in all_there.until_over(count, ("alfa", "bravo")).values():
        assert view["state"] == "ABORTED" and "charlie" in view["cause"], view
    assert node.stop() == 5
    said = node.text()
    assert "accord serve: StoreFailed:" in said and "node.db" in said and "make room" in said, said
    all_there.await_ready()
    for one in (job, count):
        states = {name: state for name, state in all_there.states(one).items() if state is not None}
        assert set(states.values()) == {"ABORTED"}, states
    released(all_there)


def test_a_job_that_is_too_late_or_cancelled_leaves_its_lane_to_the_next(all_there: Everybody) -> None:
    late = all_there.ask("alfa", "train", parameters=LONG, deadline=3)
    for view in all_there.until_over(late).values():
        assert view["state"] == "ABORTED" and view["error"] == "Expired"
    job = started(all_there, "alfa")
    all_there["alfa"]._http.post(f"/v1/jobs/{job}/cancel")
    for view in all_there.until_over(job).values():
        assert view["state"] == "ABORTED" and view["error"] == "Cancelled"
    released(all_there)
    all_there.await_ready()  # on a busy machine a worker may not have stopped in its second: its lane is made anew


def test_logs_tell_of_no_fault_of_our_own(nodes: Everybody) -> None:
    for name, node in nodes.consortium.nodes.items():
        assert "Traceback" not in node.text(), (name, node.text())


def test_what_a_node_keeps_is_its_users_alone(nodes: Everybody) -> None:
    for node in nodes.consortium.nodes.values():
        for path in (node.home.directory, node.home.jobs, *node.home.parts.rglob("*")):
            assert path.stat().st_mode & 0o077 == 0, path
