"""A node's jobs on its disk: kept whole, by the state machine's rules, whatever the disk does."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mpc.errors import WrongType
from parties.errors import BallotInvalid, IllegalStep, JobConflict, JobUnknown, StoreFailed
from parties.jobs.decision import FAST, Accept, Accepted, Ballot, Nack, Prepare, Promise, Value
from parties.jobs.job import Job
from parties.jobs.job_signatures import sign_proposal
from parties.jobs.session import Event, Standing, State
from parties.running.job_records import Change
from parties.running.job_store import JobStore
from tests.parties.consortium import identity
from tests.parties.made_jobs import ANSWER, KEY, ME, SHARE, accept, acceptances, add, job, seen, votes, way

JOB = job()


def walked(store: JobStore, steps: int, of: Job = JOB) -> None:
    for change in way(of)[:steps]:
        change(store)


def test_all_of_a_job_is_there_after_a_restart(tmp_path: Path) -> None:
    for steps in range(len(way(JOB)) + 1):
        path = tmp_path / f"{steps}.db"
        with JobStore(path, KEY, ME) as store:
            walked(store, steps)
            before = seen(store, JOB)
        with JobStore(path, KEY, ME) as store:
            assert seen(store, JOB) == before


def test_the_way_of_a_job_is_kept_with_time_and_cause(tmp_path: Path) -> None:
    with JobStore(tmp_path / "node.db", KEY, ME) as store:
        walked(store, 13)
        kept = store.get(JOB.id)
        assert kept.job == JOB and kept.proposal == sign_proposal(JOB, identity(0))
        assert kept.standing == Standing(State.RELEASED, True, True) and kept.state is State.RELEASED
        assert (kept.added, kept.changed, kept.cause, kept.purged) == (1, 8, "a majority", False)
        assert store.acceptances(JOB.id) == acceptances(JOB) and store.votes(JOB.id) == votes(JOB)
        assert store.facts(JOB.id) == {"published": ["{}"], "rounds": 12, "bytes": 3456}
        history = store.history(JOB.id)
        assert history[0] == Change(1, None, State.PROPOSED, "proposed")
        assert history[5] == Change(6, Event.RUN, State.RUNNING, "lane 1")
        assert [change.state for change in history] == [
            State.PROPOSED, State.ACCEPTED, State.RESERVED, State.RUNNING, State.RESERVED, State.RUNNING,
            State.RUNNING, State.RELEASED,
        ]  # fmt: skip
        assert "bounds" not in repr(kept) and "bounds" not in repr(store)


def test_the_same_job_again_is_the_one_that_is_kept(tmp_path: Path) -> None:
    proposal = sign_proposal(JOB, identity(0))
    later = job(proposed=1500)
    with JobStore(tmp_path / "node.db", KEY, ME) as store:
        first = store.submit(JOB, proposal, True, 1)
        store.step(JOB.id, Event.ACCEPT, "", 2)
        again = store.submit(later, sign_proposal(later, identity(0)), True, 1500)
        assert again.job == JOB and again.number == first.number and again.state is State.ACCEPTED
        assert store.add(JOB, proposal, True, 3) == again
        for other in (later, job(kind="sum")):
            with pytest.raises(JobConflict, match="another key"):
                store.add(other, sign_proposal(other, identity(0)), True, 3)
        with pytest.raises(JobConflict, match="another key"):
            store.submit(job(kind="sum"), proposal, True, 3)
        assert len(store.jobs()) == 1 and len(store.history(JOB.id)) == 2


def test_what_the_state_machine_refuses_changes_nothing(tmp_path: Path) -> None:
    with JobStore(tmp_path / "node.db", KEY, ME) as store:
        walked(store, 8)
        before = seen(store, JOB)
        for event in (Event.ABORT, Event.EXPIRE, Event.SUSPEND, Event.RUN):
            with pytest.raises(IllegalStep, match="voted"):
                store.step(JOB.id, event, "", 9, acceptances={"x": b""}, votes={"x": b""})
        with pytest.raises(IllegalStep, match="voted"):
            store.step(JOB.id, Event.READY, "", 9, share=b"another", votes=votes(JOB))
        assert seen(store, JOB) == before
        store.step(JOB.id, Event.DECIDE_ABORT, "a majority", 9)
        ended = seen(store, JOB)
        for event in (Event.ABORT, Event.EXPIRE, Event.DECIDE_ABORT):  # again, which is no error and no history
            assert store.step(JOB.id, event, "late", 10) == Standing(State.ABORTED, True, True)
        assert seen(store, JOB) == ended


def test_ready_comes_with_the_share_and_the_vote(tmp_path: Path) -> None:
    with JobStore(tmp_path / "node.db", KEY, ME) as store:
        walked(store, 7)
        for wrong in ({}, {"share": SHARE}, {"votes": votes(JOB)}):
            with pytest.raises(WrongType, match="share and vote"):
                store.step(JOB.id, Event.READY, "", 9, **wrong)  # type: ignore[arg-type]
        with pytest.raises(WrongType, match="share and vote"):
            store.step(JOB.id, Event.ABORT, "", 9, share=SHARE)
        assert store.get(JOB.id).standing == Standing(State.RUNNING, True, False)


def test_what_was_signed_first_stays(tmp_path: Path) -> None:
    with JobStore(tmp_path / "node.db", KEY, ME) as store:
        add(store, JOB)
        mine = accept(store, JOB)
        store.step(JOB.id, Event.RESERVE, "", 3, acceptances={"alfa": b"3", "bravo": b"2", "charlie": b"4"})
        store.step(JOB.id, Event.RUN, "", 4, votes={"alfa": b"5"})
        assert store.acceptances(JOB.id) == {"alfa": mine, "bravo": b"2", "charlie": b"4"}
        assert store.votes(JOB.id) == {"alfa": b"5"}


def test_jobs_are_listed_the_newest_first(tmp_path: Path) -> None:
    made = [job(str(i)) for i in range(7)]
    with JobStore(tmp_path / "node.db", KEY, ME) as store:
        for each in made:
            add(store, each)
        store.step(made[2].id, Event.REFUSE, "not allowed", 2)
        walked(store, 15, made[4])
        first = store.jobs(limit=3)
        assert [kept.job for kept in first] == made[:3:-1]
        rest = store.jobs(before=first[-1].number)
        assert [kept.job for kept in rest] == made[3::-1]
        assert store.jobs(before=rest[-1].number) == []
        assert [kept.job for kept in store.open_jobs()] == [made[i] for i in (0, 1, 3, 5, 6)]


def test_what_was_promised_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "node.db"
    with JobStore(path, KEY, ME) as store:
        walked(store, 8)
        assert store.ballots.prepare(JOB.id, Ballot(2, 1)) == Promise(Ballot(2, 1))
    with JobStore(path, KEY, ME) as store:
        assert store.ballots.accept(JOB.id, FAST, Value.RELEASE, votes(JOB)) == Nack(FAST, Ballot(2, 1))
        assert store.ballots.accept(JOB.id, Ballot(2, 1), Value.RELEASE, votes(JOB)) == Accepted(Ballot(2, 1))
        proposal = store.ballots.propose(JOB.id, 0, 3, Value.ABORT, above=Ballot(4, 2))
        assert proposal.message == Prepare(Ballot(5, 0))
    with JobStore(path, KEY, ME) as store:
        assert store.ballots.prepare(JOB.id, Ballot(4, 2)) == Nack(Ballot(4, 2), Ballot(5, 0))
        again = store.ballots.propose(JOB.id, 0, 3, Value.ABORT)
        assert again.ballot == Ballot(6, 0)  # not the one that was cast before the restart
        again.take(1, Promise(Ballot(6, 0)))
        assert again.message == Accept(Ballot(6, 0), Value.RELEASE)  # its own acceptor told of it
        assert store.votes(JOB.id) == votes(JOB)


def test_release_needs_the_votes(tmp_path: Path) -> None:
    with JobStore(tmp_path / "node.db", KEY, ME) as store:
        walked(store, 7)
        with pytest.raises(BallotInvalid, match="has not voted"):
            store.ballots.accept(JOB.id, FAST, Value.RELEASE, votes(JOB))
        store.step(JOB.id, Event.READY, "", 7, votes={"alfa": votes(JOB)["alfa"]}, share=SHARE)
        with pytest.raises(BallotInvalid, match="votes of all 3"):
            store.ballots.propose(JOB.id, 0, 3, Value.RELEASE)
        assert store.ballots.accept(JOB.id, FAST, Value.RELEASE, votes(JOB)) == Accepted(FAST)
        assert store.ballots.propose(JOB.id, 0, 3, Value.RELEASE).ballot == Ballot(1, 0)


def test_a_job_that_is_not_here(tmp_path: Path) -> None:
    with JobStore(tmp_path / "node.db", KEY, ME) as store:
        assert store.find(JOB.id) is None
        for use in (
            lambda: store.get(JOB.id),
            lambda: store.history(JOB.id),
            lambda: store.step(JOB.id, Event.ACCEPT, "", 1),
            lambda: store.keep_facts(JOB.id, {"a": 1}),
            lambda: store.ballots.acceptor(JOB.id),
            lambda: store.ballots.prepare(JOB.id, Ballot(1, 1)),
            lambda: store.ballots.accept(JOB.id, Ballot(1, 1), Value.ABORT),
            lambda: store.ballots.propose(JOB.id, 0, 3, Value.ABORT),
            lambda: store.answers.share(JOB.id),
            lambda: store.answers.answer(JOB.id),
            lambda: store.answers.parts(JOB.id),
            lambda: store.answers.keep_part(JOB.id, "alfa", SHARE),
            lambda: store.answers.keep_answer(JOB.id, ANSWER, 10),
            lambda: store.answers.delivered(JOB.id, "alfa", 1),
        ):
            with pytest.raises(JobUnknown, match=JOB.id):
                use()


def test_another_key_is_found_when_it_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "node.db"
    JobStore(path, KEY, ME).close()
    with pytest.raises(StoreFailed, match="another identity's key"):
        JobStore(path, bytes(32), ME)
    for key in (b"", bytes(31), "0" * 32, None):
        with pytest.raises(WrongType, match="32 bytes"):
            JobStore(path, key, ME)  # type: ignore[arg-type]
    with JobStore(path, KEY, ME) as store, store._file.transaction():
        store._file.change("UPDATE owner SET version = 3")
    with pytest.raises(StoreFailed, match="version 3"):
        JobStore(path, KEY, ME)


# -- disks that fail -------------------------------------------------------------------------------

FAILING = """
import json, resource, sys
from pathlib import Path
from parties.errors import StoreFailed
from parties.running.job_store import JobStore
from tests.parties.made_jobs import KEY, ME, job, seen, way

JOB, directory = job(), Path(sys.argv[1])
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
steps, good = way(JOB), [None]
with JobStore(directory / "good.db", KEY, ME) as store:
    for change in steps:
        change(store)
        good.append(seen(store, JOB))
told = []
for limit in range(0, 400_000, 1030):  # four to a page: each write fails at each of its quarters
    path = directory / f"{limit}.db"
    store, done = JobStore(path, KEY, ME), 0
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        for change in steps:
            change(store)
            done += 1
    except StoreFailed as error:
        told.append([done, str(error)])
        assert str(path) in str(error), error
    finally:
        store.close()
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    failed = done < len(steps)
    with JobStore(path, KEY, ME) as store:
        now = seen(store, JOB)
        assert now in good[done : done + 2], (limit, done, "lost, or kept halfway")
        for change in steps[good.index(now, done):]:
            change(store)
        assert seen(store, JOB) == good[-1], limit
    if not failed:
        break
else:
    raise AssertionError("the highest limit is too low")
print(json.dumps(told))
"""


def test_every_write_fails_in_its_turn(tmp_path: Path) -> None:
    """Nothing that was acknowledged is lost, nothing is kept halfway, and with room again the job goes its way."""
    run = subprocess.run([sys.executable, "-c", FAILING, str(tmp_path)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)
    assert {done for done, _ in told} == set(range(len(way(JOB))))
    assert all("make room on its disk" in error for _, error in told)


FULL = """
import os, sys
from pathlib import Path
from parties.errors import StoreFailed
from parties.running.job_store import JobStore
from tests.parties.made_jobs import KEY, ME, job, seen, way

JOB, directory = job(), Path(sys.argv[1])
room = os.statvfs(directory)
assert room.f_blocks * room.f_frsize < 1 << 21, "this is not the small disk"
with JobStore(directory / "node.db", KEY, ME) as store:
    for change in way(JOB)[:8]:
        change(store)
    before = seen(store, JOB)
    with open(directory / "ballast", "wb", buffering=0) as ballast:
        try:
            while ballast.write(bytes(4096)):
                pass
        except OSError:
            pass
    try:
        for _ in range(500):
            store.keep_facts(JOB.id, {"a": "x" * 5000})
        raise AssertionError("the disk is not full")
    except StoreFailed as error:
        assert "make room on its disk" in str(error), error
os.unlink(directory / "ballast")
with JobStore(directory / "node.db", KEY, ME) as store:
    assert seen(store, JOB)[:4] == before[:4]
    for change in way(JOB)[8:]:
        change(store)
    assert store.get(JOB.id).purged
print("went on")
"""


@pytest.mark.skipif(shutil.which("unshare") is None, reason="no unshare, to mount a small disk with")
def test_a_disk_that_is_full_in_truth(tmp_path: Path) -> None:
    mount = f'mount -t tmpfs -o size=1m none "{tmp_path}" && exec "$0" -c "$1" "{tmp_path}"'
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    if subprocess.run([*command, f'mount -t tmpfs none "{tmp_path}"'], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount a small disk")
    run = subprocess.run([*command, mount, sys.executable, FULL], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (0, "went on\n"), run.stderr
