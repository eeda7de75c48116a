"""Jobs that ended before they began: forgotten in the end, bounded until then, and never taken up again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from parties.errors import JobRefused, JobUnknown, TooManyJobs
from parties.jobs.job import LATE, Job
from parties.jobs.job_signatures import sign_proposal
from parties.jobs.session import Event, State
from parties.running.job_store import JobStore
from parties.running.unbegun_jobs import RETENTION
from parties.wire.messages import Abort, Propose
from tests.parties.consortium import identity
from tests.parties.made_jobs import KEY, ME, add, job, way
from tests.parties.test_hostile_member import HOSTILE, play, submitted
from tests.parties.world import TABLES, World, now

END = 2000.0


def ended(store: JobStore, key: str, *before: Event, computes: bool = True, **fields: Any) -> Job:
    of = job(key, **fields)
    add(store, of, computes)
    for event in before:
        store.step(of.id, event, "", 2)
    store.step(of.id, Event.DECIDE_ABORT, "", END)
    return of


def test_what_never_began_is_forgotten_a_month_after_its_end_and_its_deadline(tmp_path: Path) -> None:
    with JobStore(tmp_path / "node.db", KEY, ME) as store:
        accept, reserve, run = Event.ACCEPT, Event.RESERVE, Event.RUN
        gone = [ended(store, "1"), ended(store, "2", accept, reserve), ended(store, "3", accept, computes=False)]
        store.refuse(job("4"), sign_proposal(job("4"), identity(0)), True, END, "no")
        gone.append(job("4"))
        late = ended(store, "5", deadline=5000)
        stay = [ended(store, "6", accept, reserve, run), ended(store, "7", accept, reserve, computes=False)]
        stay += [job("8"), job("9")]
        for change in way(stay[2])[:13]:  # to its release
            change(store)
        add(store, stay[3])
        store.keep_facts(gone[0].id, {"published": ["{}"]})

        assert store.unbegun.forget(END + RETENTION - 1) == []
        assert set(store.unbegun.forget(END + RETENTION)) == {of.id for of in gone}
        assert all(store.find(of.id) is None for of in gone)
        with pytest.raises(JobUnknown):
            store.history(gone[0].id)
        assert store.unbegun.forget(late.expires + RETENTION - 1) == []
        assert store.unbegun.forget(late.expires + RETENTION) == [late.id]
        assert store.unbegun.forget(1e11) == [] and [kept.job for kept in store.jobs()] == stay[::-1]
        for table in ("change", "signature", "fact", "unbegun"):
            left = store._file.read(f"SELECT DISTINCT id FROM {table}")
            assert {id_ for (id_,) in left} <= {of.id for of in stay}, table


def test_of_one_proposer_no_more_is_kept_than_there_is_room_for(tmp_path: Path) -> None:
    size = len(job("0", deadline=1000).canonical) + 4096
    with JobStore(tmp_path / "node.db", KEY, ME, most_unbegun=3 * size) as store:
        made = [ended(store, f"{i}", deadline=1000 + i) for i in range(3)]
        more = job("3", deadline=1000)
        with pytest.raises(TooManyJobs, match="there is room again"):
            add(store, more)
        with pytest.raises(TooManyJobs):
            store.refuse(more, sign_proposal(more, identity(0)), True, END, "no")
        other = job("other", proposer=identity(1).fingerprint)
        store.add(other, b"", True, END)  # another's
        first = made[0].expires + LATE
        for wait, fits in ((first - 1, False), (first, True)):
            if fits:
                told: list[str] = []
                store.forgotten = told.append
                store.refuse(more, sign_proposal(more, identity(0)), True, wait, "no")
                assert told == [made[0].id] and store.find(made[0].id) is None
                assert store.get(more.id).state is State.ABORTED
            else:
                with pytest.raises(TooManyJobs):
                    store.refuse(more, sign_proposal(more, identity(0)), True, wait, "no")
        assert {of.id for of in (*made[1:], more, other)} == {kept.job.id for kept in store.jobs()}


def test_a_job_that_was_forgotten_is_not_taken_up_again_whoever_brings_it_back(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        bravo, hostile = world.nodes["bravo"], world._member(world.nodes[HOSTILE])
        part, of = bravo.jobs.participant, world.job(HOSTILE)
        text = of.canonical.decode()
        signature = sign_proposal(of, world.nodes[HOSTILE].identity).hex()
        proposed = Propose(job=text, signature=signature, tables=TABLES)
        aborted = Abort(text="changed my mind", job=text, signature=signature)
        await part.abort(hostile, of.id, aborted)
        assert await bravo.board.state(of.id) is State.ABORTED
        bravo.board.clock = lambda: now() + 600 + RETENTION - 1
        assert await bravo.board.forget() == 0
        bravo.board.clock = lambda: now() + 600 + RETENTION
        assert await bravo.board.forget() == 1
        assert await bravo.board.find(of.id) is None
        with pytest.raises(JobRefused, match="its deadline was"):
            await bravo.jobs.propose(hostile, of.id, proposed)
        await part.abort(hostile, of.id, aborted)  # taken, and nothing is kept of it
        assert bravo.store.jobs() == []

    play(tmp_path, scenario)


def test_a_member_that_was_away_until_all_had_forgotten_the_job_ends_it(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        of = world.job("delta")

        async def at(number: int, when: str) -> None:
            if world.log[-1][2] == "Reserve" and when == "before":
                for name in ("alfa", "bravo", HOSTILE):
                    world.sever(name)
                if "delta" not in world.died:
                    await world.kill("delta")

        world.at = at
        await submitted(world, of)
        await trio.sleep(1000)
        world.at = None
        for name in ("alfa", "bravo", HOSTILE):
            node = world.nodes[name]
            assert node.store.get(of.id).state is State.ABORTED
            node.board.clock = lambda: now() + 600 + RETENTION
            assert await node.board.forget() == 1
            world.join(name)
        await world.start("delta")
        assert world.nodes["delta"].store.get(of.id).state is State.ACCEPTED
        await trio.sleep(20)
        assert world.states(of.id) == {"delta": State.ABORTED}

    play(tmp_path, scenario)


def test_a_flood_of_refused_jobs_ends_in_the_log_too(tmp_path: Path) -> None:
    """What a member can make a node write into its log is bounded by what it can make it keep."""
    with JobStore(tmp_path / "node.db", KEY, ME, most_unbegun=20 * 6000) as store:
        heads = []
        for i in range(60):
            of = job(f"{i}")
            try:
                add(store, of)
                store.step(of.id, Event.REFUSE, "alfa refuses: PolicyDenied: " + "x" * 2000, 3.0)
            except TooManyJobs:
                pass
            heads.append(store.audit.head.number)
        assert heads[-1] == heads[40] <= 2 * 30
        size = sum(len(entry.content) for entry in store.audit.chain.entries())
        assert size < 20 * 6000 / 2
