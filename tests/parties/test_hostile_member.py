"""One member that lies about everything but its numbers: no node crashes, hangs, fills up or runs what it must not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from parties.errors import JobRefused, JobUnknown, LaneInvalid, TooManyJobs, WorkerLost
from parties.jobs.job import Job
from parties.jobs.job_signatures import sign_proposal, sign_vote
from parties.jobs.session import State
from parties.membership.charter import Charter
from parties.node.member_handlers import MemberHandlers
from parties.running import delivery
from parties.running.answer_store import MOST_SHARE
from parties.wire.messages import Abort, Ballot, Piece, Prepare, Propose, StateAnswer, StateQuery
from tests.parties.consortium import charter, member
from tests.parties.world import CHARTER, TABLES, World

HOSTILE = "charlie"


def play(tmp_path: Path, scenario: Callable[[World], Awaitable[Any]], members: Charter = CHARTER) -> None:
    async def main() -> None:
        with trio.fail_after(10_000):
            async with World(tmp_path, members).running() as world:
                await scenario(world)

    trio.run(main, clock=MockClock(autojump_threshold=0))


async def submitted(world: World, job: Job, at: str = "delta") -> None:
    world.nodes[at].nursery.start_soon(world.nodes[at].jobs.submit, job, TABLES)


async def voted_alone(world: World) -> Job:
    """A job of which bravo has voted, and is cut off from the other compute members before any of them knows it."""
    job = world.job(results=("bravo", "delta"))

    async def at(number: int, when: str) -> None:
        if world.log[-1] == ("bravo", "alfa", "Ready"):
            world.sever("alfa")
            world.sever(HOSTILE)

    world.at = at
    await submitted(world, job)
    await trio.sleep(0.5)
    record = world.nodes["bravo"].store.get(job.id)
    assert record.standing.voted and not record.state.terminal and {"alfa", HOSTILE} <= set(world.died)
    return job


def test_the_highest_ballot_there_is_does_not_stop_a_node_from_finding_out_what_was_decided(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(world: World) -> None:
        job = await voted_alone(world)
        bravo = world.nodes["bravo"]
        hostile = world._member(world.nodes[HOSTILE])
        answer = await bravo.jobs.participant.prepare(hostile, job.id, Prepare(ballot=Ballot(round=10**9, member=2)))
        assert answer.outbid is None
        await trio.sleep(10)
        assert bravo.store.get(job.id).state is State.RUNNING  # nobody there to decide with
        world.join("alfa")
        await trio.sleep(10)  # alfa's ballots are below, and bravo has none above
        assert not bravo.store.get(job.id).state.terminal
        world.join(HOSTILE)
        await world.at_their_end(job.id, 60)
        assert len(set(world.states(job.id).values())) == 1
        assert "fault of its own" not in caplog.text

    play(tmp_path, scenario)


def test_no_ballots_are_cast_where_no_majority_hears_them(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        job = await voted_alone(world)
        await trio.sleep(100)
        promised = world.nodes["bravo"].store.ballots.acceptor(job.id).promised
        assert promised is None or promised.round < 5

    play(tmp_path, scenario)


def test_a_share_of_an_answer_that_is_not_awaited_is_refused_before_a_byte_of_it_is_read(tmp_path: Path) -> None:
    async def never() -> AsyncIterator[bytes]:
        raise AssertionError("it was read")
        yield b""

    async def scenario(world: World) -> None:
        job = world.job()
        await world.nodes["delta"].jobs.submit(job, TABLES)
        await world.at_their_end(job.id, 5)
        for name, id_ in (("bravo", job.id), ("alfa", "0" * 32)):  # bravo receives no answer
            node = world.nodes[name]
            handlers: Any = MemberHandlers(node.board, node.jobs, *[None] * 7)  # type: ignore[arg-type]
            piece = Piece(purpose="answer", name="answer", part=0, parts=2, size=1 << 26, sha256="0" * 64)
            with pytest.raises(JobRefused, match="awaited"):
                await handlers.piece(world._member(world.nodes[HOSTILE]), id_, piece, never())

    play(tmp_path, scenario)


def test_the_coordinator_hears_that_a_jobs_lane_broke_and_nobody_else_may_ask(tmp_path: Path) -> None:
    class Lanes:
        def lane(self, number: int, epoch: int) -> None:
            assert (number, epoch) == (2, 9)
            raise WorkerLost("it did not stop when it was told to")

    async def scenario(world: World) -> None:
        job = world.job()
        await world.nodes["delta"].jobs.submit(job, TABLES)
        await world.at_their_end(job.id, 5)
        node = world.nodes["bravo"]
        handlers: Any = MemberHandlers(node.board, node.jobs, None, None, Lanes(), *[None] * 4)  # type: ignore[arg-type]
        coordinator = node.board.coordinator()
        await handlers.abort(coordinator, job.id, Abort(text="x"))
        with pytest.raises(WorkerLost, match="did not stop"):
            await handlers.abort(coordinator, job.id, Abort(text="x", lane=2, epoch=9))
        with pytest.raises(LaneInvalid, match="the coordinator does"):
            await handlers.abort(world._member(world.nodes["charlie"]), job.id, Abort(text="x", lane=2, epoch=9))

    play(tmp_path, scenario)


def test_of_one_member_one_share_is_half_here_at_a_time_and_none_is_larger_than_a_store_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MOST_SHARE < 10**9  # SQLite's own limit, beyond which the store would fail, and the node with it

    async def scenario(world: World) -> None:
        world.long = 1000.0
        jobs = [world.job(key=key, results=("alfa",)) for key in "ab"]
        for job in jobs:
            await submitted(world, job)
        await trio.sleep(1)
        take = world.nodes["alfa"].jobs.delivery.take_part
        hostile = world._member(world.nodes[HOSTILE])
        await take(hostile, jobs[0].id, 0, 3, b"x")
        await take(hostile, jobs[1].id, 0, 3, b"x")
        assert len(world.nodes["alfa"].jobs.delivery._parts) == 1
        with pytest.raises(JobRefused, match="out of order"):
            await take(hostile, jobs[0].id, 1, 3, b"x")
        monkeypatch.setattr(delivery, "MOST_SHARE", 10)
        await take(hostile, jobs[1].id, 0, 3, b"x" * 6)
        with pytest.raises(JobRefused, match="beyond 10 bytes"):
            await take(hostile, jobs[1].id, 1, 3, b"x" * 6)

    play(tmp_path, scenario)


def test_a_job_of_a_charter_nobody_knows_or_of_others_is_not_kept_because_somebody_aborts_it(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        bravo, hostile = world.nodes["bravo"], world._member(world.nodes[HOSTILE])
        mine = world.nodes[HOSTILE].identity
        alien = world.job(HOSTILE, charter="f" * 64, results=("zulu",))
        for job in (alien, world.job(HOSTILE, key="b", results=("zulu",))):
            body = Abort(text="x", job=job.canonical.decode(), signature=sign_proposal(job, mine).hex())
            with pytest.raises(JobRefused):
                await bravo.jobs.participant.abort(hostile, job.id, body)
            assert bravo.store.find(job.id) is None
        with pytest.raises(JobUnknown):
            await bravo.jobs.participant.abort(hostile, alien.id, Abort(text="x"))
        assert (await bravo.jobs.participant.state(hostile, alien.id, StateQuery())).state is None
        good = world.job(HOSTILE, key="c")
        body = Abort(text="changed my mind", job=good.canonical.decode(), signature=sign_proposal(good, mine).hex())
        await bravo.jobs.participant.abort(hostile, good.id, body)
        assert bravo.store.get(good.id).state is State.ABORTED

    play(tmp_path, scenario)


def test_who_has_no_part_in_a_job_hears_of_it_what_it_would_hear_of_none(tmp_path: Path) -> None:
    five = charter(*(member(i) for i in range(3)), *(member(i, "input", "result") for i in (3, 4)))

    async def scenario(world: World) -> None:
        job = world.job()
        await submitted(world, job)
        for wait, state in ((0.0, State.PROPOSED), (5.0, State.RELEASED)):
            await trio.sleep(wait)
            for name in ("alfa", "bravo", HOSTILE, "delta"):
                part = world.nodes[name].jobs.participant
                for peer in ("alfa", "bravo", HOSTILE, "delta", "echo"):
                    answer = await part.state(world._member(world.nodes[peer]), job.id, StateQuery())
                    if peer == "echo":
                        assert answer == StateAnswer(state=None)
                    elif state is State.RELEASED:
                        assert answer.state == "RELEASED"

    play(tmp_path, scenario, five)


def test_a_member_that_proposes_without_end_leaves_room_for_others(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        bravo = world.nodes["bravo"]
        bravo.store._most_open = 8

        async def propose(name: str, key: str) -> None:
            job = world.job(name, key=key)
            body = Propose(
                job=job.canonical.decode(),
                signature=sign_proposal(job, world.nodes[name].identity).hex(),
                tables=TABLES,
            )
            await bravo.jobs.propose(world._member(world.nodes[name]), job.id, body)

        for i in range(4):
            await propose(HOSTILE, f"{i}")
        await propose(HOSTILE, "0")  # one that is here takes no room
        with pytest.raises(TooManyJobs, match="half of them of one"):
            await propose(HOSTILE, "more")
        for i in range(4):
            await propose("delta", f"{i}")
        with pytest.raises(TooManyJobs, match="raise limits"):
            await propose("alfa", "one")
        assert len(bravo.store.open_jobs()) == 8

    play(tmp_path, scenario)


# -- who leaves --------------------------------------------------------------------------------


def test_jobs_that_name_a_member_who_left_end_and_take_no_node_along(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        world.long = 1000.0
        job = world.job("alfa")
        await submitted(world, job, "alfa")
        await trio.sleep(1)
        assert world.states(job.id)["bravo"] is State.RUNNING
        world.change(charter(*(member(i) for i in range(3)), before=CHARTER))
        for name in ("alfa", "bravo", "charlie"):
            node = world.nodes[name]
            node.nursery.start_soon(node.jobs.participant.lost, CHARTER.members[3], "it left")
            node.nursery.start_soon(node.jobs.end_those_of_another_charter)
        await trio.sleep(20)
        states = world.states(job.id)
        assert {states[name] for name in ("alfa", "bravo", "charlie")} == {State.ABORTED}

    play(tmp_path, scenario)


def test_who_may_decide_about_a_job_stays_who_computed_it_whatever_charter_comes(tmp_path: Path) -> None:
    five = charter(*(member(i) for i in range(5)), member(5, "input", "result"))

    async def scenario(world: World) -> None:
        job = world.job("alfa", tables=(("bravo", "patients"), ("foxtrot", "patients")), results=("alfa",))

        async def at(number: int, when: str) -> None:
            if world.log[-1][2] == "Decided" and when == "before":
                for name in ("delta", "echo", "foxtrot"):
                    world.sever(name)

        world.at = at
        await submitted(world, job, "alfa")
        await trio.sleep(3)
        states = world.states(job.id)
        assert {states[name] for name in ("alfa", "bravo", "charlie")} == {State.RELEASED}
        for name in ("alfa", "bravo", "charlie"):
            await world.kill(name)
        world.change(charter(member(0), member(3), member(4), before=five))
        world.at = None
        for name in ("delta", "echo"):
            world.join(name)
            node = world.nodes[name]
            node.nursery.start_soon(node.jobs.end_those_of_another_charter)
        await trio.sleep(20)  # two of three by the new charter, and two of five by the job's
        states = world.states(job.id)
        assert State.ABORTED not in (states["delta"], states["echo"]), world.causes(job.id)
        await world.start("bravo")
        await trio.sleep(20)
        states = world.states(job.id)
        assert states["delta"] is states["echo"] is State.RELEASED

    play(tmp_path, scenario, five)


# -- what stays behind -------------------------------------------------------------------------


def test_a_node_remembers_nothing_of_jobs_that_are_over_but_on_its_disk(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await trio.sleep(1)  # all have found each other
        before = {name: len(node.nursery.child_tasks) for name, node in world.nodes.items()}
        for i in range(5):
            job = world.job(key=f"{i}", deadline=30)
            await submitted(world, job)
        await trio.sleep(5)
        await world.kill("charlie")
        await submitted(world, world.job(key="fails", deadline=30))
        await trio.sleep(100)
        for name in ("alfa", "bravo", "delta"):
            node = world.nodes[name]
            part = node.jobs.participant
            assert (len(node.board._news), part.under_way.running, part.under_way.votes) == (0, {}, {}), name
            assert part.under_way.dealt == set()
            assert len(node.nursery.child_tasks) == before[name], node.nursery.child_tasks

    play(tmp_path, scenario)


def test_a_computer_that_learns_of_the_release_by_anothers_share_gives_its_own(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        job = world.job(results=("bravo", "delta"))

        async def at(number: int, when: str) -> None:
            if world.log[-1][2] == "Accept" and when == "before":
                await trio.sleep(1)

        world.at = at
        await submitted(world, job)
        await trio.sleep(0.5)
        bravo = world.nodes["bravo"]
        assert bravo.store.get(job.id).standing.voted
        computers = [world.nodes[name] for name in ("alfa", "bravo", HOSTILE)]
        votes = {node.name: sign_vote(job, node.identity, b"share of %b" % node.name.encode()) for node in computers}
        await world.nodes[HOSTILE].board.release(job, votes, "told before bravo was")
        await bravo.jobs.delivery.take(world._member(world.nodes[HOSTILE]), job.id, b"share of %b" % HOSTILE.encode())
        assert bravo.store.get(job.id).state is State.RELEASED
        await trio.sleep(0.1)
        assert bravo.store.answers.undelivered() == {}

    play(tmp_path, scenario)
