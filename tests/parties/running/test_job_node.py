"""Jobs from their proposal to their answer at every member; at every message somebody dies or is cut off.

What has to hold whatever happens: every survivor comes to an end in time and knows why; nothing is released at one node
and aborted at another; an answer that is released arrives where it is owed; a restart finds out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from mpc.errors import AccordError, OutOfRange, PartyFailed
from parties.errors import ApprovalUnknown, JobConflict, JobInvalid, JobRefused, LaneLost, SignatureInvalid, WorkerLost
from parties.jobs.job import Job
from parties.jobs.job_signatures import sign_proposal
from parties.jobs.session import State
from parties.membership.charter import Member
from parties.planning.costs import EXCHANGES
from parties.wire.message_form import Done
from parties.wire.messages import Abort, Propose
from tests.parties.world import NOTICED, TABLES, World

MEMBERS = ("alfa", "bravo", "charlie", "delta")


def play(tmp_path: Path, scenario: Callable[[World], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        with trio.fail_after(10_000):
            async with World(tmp_path).running() as world:
                return await scenario(world)

    return trio.run(main, clock=MockClock(autojump_threshold=0))


async def submitted(world: World, job: Job, at: str = "delta") -> None:
    """Submit as a client would, whose node may die under it."""
    node = world.nodes[at]

    async def submit() -> None:
        try:
            await node.jobs.submit(job, TABLES)
        except Exception as error:
            world.log.append((at, "client", type(error).__name__))

    node.nursery.start_soon(submit)


# -- without faults ----------------------------------------------------------------------------


@pytest.mark.parametrize("proposer", MEMBERS)
def test_a_job_is_released_everywhere_and_its_answer_arrives(tmp_path: Path, proposer: str) -> None:
    async def scenario(world: World) -> None:
        job = world.job(proposer)
        await world.nodes[proposer].jobs.submit(job, TABLES)
        await world.at_their_end(job.id, 1.0)
        assert world.states(job.id) == dict.fromkeys(MEMBERS, State.RELEASED)
        await trio.sleep(1)
        assert world.answers(job.id) == {"alfa": b"the answer", "delta": b"the answer"}
        assert world.dealt == set(MEMBERS)
        for name in ("alfa", "bravo", "charlie"):
            store = world.nodes[name].store
            assert set(store.acceptances(job.id)) == set(MEMBERS)
            assert store.facts(job.id)["rounds"] == 7 and not store.answers.undelivered()

    play(tmp_path, scenario)


def test_jobs_at_the_same_time_do_not_disturb_each_other(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        jobs = [world.job(name, key=f"{i}") for i, name in enumerate(MEMBERS * 3)]
        for name, job in zip(MEMBERS * 3, jobs, strict=True):
            await submitted(world, job, name)
        await trio.sleep(5)
        for job in jobs:
            assert set(world.states(job.id).values()) == {State.RELEASED} and len(world.answers(job.id)) == 2

    play(tmp_path, scenario)


def test_the_same_request_again_is_the_same_job_and_another_under_its_key_is_refused(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        job = world.job()
        jobs = world.nodes["delta"].jobs
        await jobs.submit(job, TABLES)
        await trio.sleep(3)
        messages = world.count
        again = await jobs.submit(world.job(), TABLES)
        assert again.state is State.RELEASED and world.count == messages
        with pytest.raises(JobConflict):
            await jobs.submit(world.job(kind="sum"), TABLES)

    play(tmp_path, scenario)


@pytest.mark.parametrize("free", (True, False))
@pytest.mark.parametrize("proposer", ("alfa", "delta"))
def test_as_many_exchanges_follow_each_other_around_a_job_as_its_cost_says(
    tmp_path: Path, proposer: str, free: bool
) -> None:
    """Who coordinates has none to the coordinator."""

    async def scenario(world: World) -> int:
        world.says_free, world.far, world.long = free, 100.0, 0.0
        job = world.job(proposer)
        begin = trio.current_time()
        world.nodes[proposer].nursery.start_soon(world.nodes[proposer].jobs.submit, job, TABLES)
        while proposer not in world.answers(job.id):  # noqa: ASYNC110 - a world's clock jumps
            await trio.sleep(1.0)
        return round((trio.current_time() - begin) / 100)

    assert play(tmp_path, scenario) == EXCHANGES - (proposer == "alfa")


# -- refusals and failures ---------------------------------------------------------------------


@pytest.mark.parametrize("refuser", MEMBERS)
def test_one_refusal_ends_the_job_everywhere_with_its_reason(tmp_path: Path, refuser: str) -> None:
    async def scenario(world: World) -> None:
        world.refusals[refuser] = OutOfRange("epsilon 9: at most 1")
        job = world.job()
        await submitted(world, job)
        await trio.sleep(0.5)
        await world.at_their_end(job.id, 1.0)
        assert set(world.states(job.id).values()) == {State.ABORTED}
        assert all(refuser in cause and "epsilon 9" in cause for cause in world.causes(job.id).values())
        assert world.answers(job.id) == {}

    play(tmp_path, scenario)


@pytest.mark.parametrize("refuser", ("alfa", "charlie", "delta"))
def test_a_fault_in_a_nodes_rules_is_a_refusal_that_tells_nothing(tmp_path: Path, refuser: str) -> None:
    async def scenario(world: World) -> None:
        world.refusals[refuser] = ValueError("a patient's name")  # type: ignore[assignment]
        job = world.job()
        await submitted(world, job)
        await trio.sleep(0.5)
        await world.at_their_end(job.id, 1.0)
        causes = world.causes(job.id).values()
        assert all("NodeFault" in cause and "ValueError" in cause and "patient" not in cause for cause in causes)

    play(tmp_path, scenario)


@pytest.mark.parametrize("failing", ("alfa", "bravo", "charlie"))
def test_a_run_that_fails_anywhere_ends_the_job_everywhere(tmp_path: Path, failing: str) -> None:
    async def scenario(world: World) -> None:
        world.failing[failing] = OutOfRange("column age")
        job = world.job()
        await submitted(world, job)
        await trio.sleep(0.5)
        await world.at_their_end(job.id, 1.0)
        assert set(world.states(job.id).values()) == {State.ABORTED} and len(world.states(job.id)) == 4
        assert "column age" in world.causes(job.id)[failing]
        world.failing.clear()
        after = world.job(key="after")
        await submitted(world, after)
        await trio.sleep(2)
        assert set(world.states(after.id).values()) == {State.RELEASED}

    play(tmp_path, scenario)


def causes_of(tmp_path: Path, failing: Mapping[str, AccordError], **after: float) -> list[str]:
    """Why a job ended, as all members have it, whose run failed so; ``after``: seconds, by member."""

    async def scenario(world: World) -> list[str]:
        world.failing |= failing
        world.fails_after |= after
        job = world.job()
        await submitted(world, job)
        await trio.sleep(0.5 + max(after.values(), default=0.0))
        await world.at_their_end(job.id, 1.0)
        return list(world.causes(job.id).values())

    causes: list[str] = play(tmp_path, scenario)
    assert len(causes) == len(MEMBERS)
    return causes


def test_who_lost_a_peer_says_which(tmp_path: Path) -> None:
    """Where nobody knows better."""
    lost = LaneLost("the connection to party 2 broke", 2)
    causes = causes_of(tmp_path, dict.fromkeys(MEMBERS[:3], lost))
    assert all("party 2 is charlie" in cause for cause in causes), causes


def test_who_has_a_lane_made_anew_under_it_leaves_the_cause_to_who_knows_it(tmp_path: Path) -> None:
    """Alfa's order to make it is faster than its abort."""
    causes = causes_of(
        tmp_path, {"alfa": WorkerLost("worker 7 was stopped"), "bravo": LaneLost("the lane is made anew")}
    )
    assert all("at alfa: worker 7" in cause for cause in causes), causes


@pytest.mark.parametrize("busy", (0.0, 0.8))
@pytest.mark.parametrize("heard", (PartyFailed(0, "PeerLost"), LaneLost("the lane is made anew, as alfa asked")))
def test_who_hears_that_somebody_was_lost_leaves_the_cause_to_who_knows_whom(
    tmp_path: Path, heard: AccordError, busy: float
) -> None:
    """However busy the machine of who lost it is, within a second."""
    lost = LaneLost("the connection to party 2 broke", 2)
    causes = causes_of(tmp_path, {"alfa": lost, "bravo": heard}, alfa=busy)
    assert all("at alfa" in cause and "party 2 is charlie" in cause for cause in causes), causes


@pytest.mark.parametrize("failing", ("alfa", "bravo"))
def test_a_fault_of_a_nodes_own_ends_one_job_and_tells_nothing_of_what_it_had(tmp_path: Path, failing: str) -> None:
    async def scenario(world: World) -> None:
        world.failing[failing] = KeyError("a patient's name")  # type: ignore[assignment]
        job = world.job()
        await submitted(world, job)
        await trio.sleep(0.5)
        await world.at_their_end(job.id, 1.0)
        assert set(world.states(job.id).values()) == {State.ABORTED}
        causes = world.causes(job.id)
        assert "NodeFault" in causes[failing] and "KeyError" in causes[failing]
        assert not any("patient" in cause for cause in causes.values())
        world.failing.clear()
        after = world.job(key="after")
        await submitted(world, after)
        await trio.sleep(2)
        assert set(world.states(after.id).values()) == {State.RELEASED}

    play(tmp_path, scenario)


def test_a_deadline_ends_a_job_that_waits_for_a_lane(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        world.slots.total_tokens = 1
        async with world.slot():
            job = world.job(deadline=30)
            await submitted(world, job)
            await trio.sleep(29)
            assert State.RESERVED in world.states(job.id).values()
            await world.at_their_end(job.id, 3.0)
        assert set(world.states(job.id).values()) == {State.ABORTED}
        assert all("Expired" in cause for cause in world.causes(job.id).values())

    play(tmp_path, scenario)


@pytest.mark.parametrize(("hears", "obeys"), [(True, True), (True, False), (False, True)])
def test_a_lane_is_used_again_only_if_nobody_is_at_the_job_before_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hears: bool, obeys: bool
) -> None:
    """Bravo's node is stopped while the job is given up: its worker is at it still, and would break the next one's.
    Or its worker does not stop, and is ended: the lane is gone, which the coordinator's own worker learns later."""

    async def scenario(world: World) -> None:
        world.long = 5.0
        bravo = world.nodes["bravo"].jobs.participant
        abort = bravo.abort

        async def ended(peer: Member, job_id: str, body: Abort) -> Done:
            await abort(peer, job_id, body)
            if body.lane is not None and not obeys:
                assert body.epoch == world.epoch
                raise WorkerLost("it did not stop when it was told to")
            return Done()

        monkeypatch.setattr(bravo, "abort", ended)
        job = world.job()
        await submitted(world, job)
        await trio.sleep(1.0)
        assert set(world.states(job.id).values()) >= {State.RUNNING}
        if not hears:
            world.sever("bravo")
        await world.nodes["delta"].jobs.cancel(job.id, "ann")
        await trio.sleep(4.0)
        assert world.states(job.id)["alfa"] is State.ABORTED
        assert world.disorder == (0 if hears and obeys else 1)
        world.join("bravo")
        await world.at_their_end(job.id, 5.0)

    play(tmp_path, scenario)


def test_who_proposed_a_job_cancels_it_and_nobody_else(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        world.slots.total_tokens = 1
        async with world.slot():
            job = world.job()
            await submitted(world, job)
            await trio.sleep(1)
            with pytest.raises(JobRefused, match="proposed by another"):
                await world.nodes["bravo"].jobs.cancel(job.id, "ann")
            record = await world.nodes["delta"].jobs.cancel(job.id, "ann")
            assert record.state is State.ABORTED and "ann of delta" in record.cause
            await world.at_their_end(job.id, 1.0)
        assert set(world.states(job.id).values()) == {State.ABORTED}

    play(tmp_path, scenario)


def test_a_job_whose_proposer_forged_it_or_is_none_is_refused(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        bravo, alfa = world.nodes["bravo"], world._member(world.nodes["alfa"])
        job = world.job("delta")
        other = world.job("delta", key="other")
        good = sign_proposal(job, world.nodes["delta"].identity).hex()
        for text, signature, id_ in (
            (job.canonical.decode(), sign_proposal(other, world.nodes["delta"].identity).hex(), job.id),
            (other.canonical.decode(), good, other.id),
            (job.canonical.decode(), good, other.id),
            (job.canonical.decode() + " ", good, job.id),
        ):
            with pytest.raises((SignatureInvalid, JobInvalid)):
                await bravo.jobs.propose(alfa, id_, Propose(job=text, signature=signature, tables=TABLES))
        with pytest.raises(JobRefused, match="neither proposed"):
            body = Propose(job=job.canonical.decode(), signature=good, tables=TABLES)
            await bravo.jobs.propose(world._member(world.nodes["charlie"]), job.id, body)
        assert world.states(job.id) == {}

    play(tmp_path, scenario)


# -- jobs that wait for who was lost -----------------------------------------------------------


@pytest.mark.parametrize("victim", ("alfa", "bravo", "charlie"))
@pytest.mark.parametrize("fault", ("killed", "cut off"))
def test_a_job_that_waits_goes_on_from_the_newest_checkpoint_all_have(tmp_path: Path, victim: str, fault: str) -> None:
    async def scenario(world: World) -> None:
        world.long = 100.0
        job = world.job(on_loss="wait")
        await submitted(world, job)
        await trio.sleep(5)
        assert State.RUNNING in world.states(job.id).values(), world.causes(job.id)
        old, new, own = ("r1", 1), ("r1", 2), ("r1", 3)
        world.held = {"alfa": [old, new], "bravo": [new, own], "charlie": [old, new]}
        before = len(world.orders)
        if fault == "killed":
            await world.kill(victim)
        else:
            world.sever(victim)
        await trio.sleep(5)
        left = {name: state for name, state in world.states(job.id).items() if name in MEMBERS[:3] and name != victim}
        assert set(left.values()) == {State.RESERVED}, (left, world.causes(job.id))
        assert all(victim in world.causes(job.id)[name] for name in left)
        world.long = 0.01
        if fault == "killed":
            await world.start(victim)
        else:
            world.join(victim)
        await trio.sleep(30)
        assert set(world.states(job.id).values()) == {State.RELEASED}, (world.states(job.id), world.causes(job.id))
        again = world.orders[before:]
        assert sorted({name for name, _ in again}) == sorted(MEMBERS[:3])
        assert {(order.checkpoint.run, order.checkpoint.step) for _, order in again if order.checkpoint} == {new}
        assert world.answers(job.id) == {"alfa": b"the answer", "delta": b"the answer"}

    play(tmp_path, scenario)


def test_without_a_common_checkpoint_it_begins_anew_and_its_deadline_counts(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        world.long = 100.0
        job, late = world.job(on_loss="wait"), world.job(key="late", on_loss="wait", deadline=60)
        await submitted(world, job)
        await submitted(world, late)
        await trio.sleep(5)
        world.held = {"alfa": [("r1", 2)], "bravo": [("r1", 3)]}
        before = len(world.orders)
        await world.kill("charlie")
        await trio.sleep(70)
        assert world.states(late.id)["alfa"] is State.ABORTED and "Expired" in world.causes(late.id)["alfa"]
        world.long = 0.01
        await world.start("charlie")
        await trio.sleep(30)
        assert set(world.states(job.id).values()) == {State.RELEASED}
        assert all(order.checkpoint is None for _, order in world.orders[before:])
        assert set(world.states(late.id).values()) == {State.ABORTED}

    play(tmp_path, scenario)


def test_a_job_that_must_not_begin_anew_ends_where_no_checkpoint_is_common(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        world.long, world.anew = 100.0, False
        job = world.job(on_loss="wait")
        await submitted(world, job)
        await trio.sleep(5)
        await world.kill("bravo")
        await trio.sleep(5)
        await world.start("bravo")
        await trio.sleep(30)
        assert set(world.states(job.id).values()) == {State.ABORTED}
        assert all("must not begin anew" in cause for cause in world.causes(job.id).values())

    play(tmp_path, scenario)


# -- the crash matrix --------------------------------------------------------------------------


def messages(tmp_path: Path, free: bool) -> int:
    """How many a job takes without faults; ``free``: a lane is free at once, so that members reserve with the run."""

    async def scenario(world: World) -> int:
        world.says_free = free
        job = world.job()
        await submitted(world, job)
        await trio.sleep(3)
        assert set(world.states(job.id).values()) == {State.RELEASED}
        return world.count

    return int(play(tmp_path, scenario))


async def agrees(world: World, job: Job) -> State | None:
    """After all came back: one end everywhere; an answer only of a released job, and then at all it is for."""
    await trio.sleep(30)
    states = world.states(job.id)
    ends = set(states.values())
    assert len(ends) <= 1 and all(state.terminal for state in ends), (states, world.causes(job.id), world.log)
    end = next(iter(ends), None)
    expected = {"alfa": b"the answer", "delta": b"the answer"} if end is State.RELEASED else {}
    assert world.answers(job.id) == expected, (states, world.answers(job.id))
    return end


def crash(tmp_path: Path, victim: str, number: int, when: str, free: bool) -> State | None:
    async def scenario(world: World) -> State | None:
        world.says_free = free
        job = world.job()

        async def at(n: int, place: str) -> None:
            if (n, place) == (number, when):
                await world.kill(victim)

        world.at = at
        await submitted(world, job)
        await trio.sleep(1)
        if victim in world.died:
            ended = await world.at_their_end(job.id, 10)
            assert ended - world.died[victim] < NOTICED + 2.0 or ended <= 1.1
            answers = world.answers(job.id)
            released = [name for name, state in world.states(job.id).items() if state is State.RELEASED]
            assert not answers or len(released) == len(world.states(job.id))
            causes = [c for c in world.causes(job.id).values() if c]
            if set(world.states(job.id).values()) == {State.ABORTED}:
                assert all(victim in cause for cause in causes), causes
            await world.start(victim)
        return await agrees(world, job)

    return play(tmp_path, scenario)


def cut_off(tmp_path: Path, victim: str, number: int, when: str, free: bool) -> State | None:
    async def scenario(world: World) -> State | None:
        world.says_free = free
        job = world.job()

        async def at(n: int, place: str) -> None:
            if (n, place) == (number, when):
                world.sever(victim)

        world.at = at
        await submitted(world, job)
        await trio.sleep(1)  # without a fault it is over by then
        if victim in world.died:
            await trio.sleep(max(0.0, world.died[victim] + NOTICED + 2.0 - trio.current_time()))
            survivors = {name: state for name, state in world.states(job.id).items() if name != victim}
            assert all(state.terminal for state in survivors.values()), (survivors, world.causes(job.id))
        world.join(victim)
        return await agrees(world, job)

    return play(tmp_path, scenario)


def through(
    tmp_path: Path, victim: str, fault: Callable[..., State | None], free: bool, first: int, step: int
) -> set[State | None]:
    """The ends of jobs in which somebody is lost at message ``first``, ``first + step``, ..., before and after it."""
    (tmp_path / "none").mkdir()
    total = messages(tmp_path / "none", free)
    assert total > (16 if free else 20)
    ends = set()
    for number in range(first, total + 1, step):
        for when in ("before", "after"):
            directory = tmp_path / f"{number}-{when}"
            directory.mkdir()
            ends.add(fault(directory, victim, number, when, free))
    return ends


FREE = pytest.mark.parametrize("free", [True, False], ids=["lane free", "no lane"])


@FREE
@pytest.mark.parametrize("victim", MEMBERS)
@pytest.mark.parametrize("fault", [crash, cut_off])
def test_somebody_is_lost_at_some_messages(
    tmp_path: Path, victim: str, fault: Callable[..., State | None], free: bool
) -> None:
    assert State.ABORTED in through(tmp_path, victim, fault, free, 1 + MEMBERS.index(victim), 6)


@pytest.mark.slow
@FREE
@pytest.mark.parametrize("victim", MEMBERS)
@pytest.mark.parametrize("fault", [crash, cut_off])
def test_somebody_is_lost_at_every_message(
    tmp_path: Path, victim: str, fault: Callable[..., State | None], free: bool
) -> None:
    ends = through(tmp_path, victim, fault, free, 1, 1)
    assert {State.RELEASED, State.ABORTED} <= ends  # both happen: the matrix goes through the decision


# -- a person is asked -----------------------------------------------------------------------------


@pytest.mark.parametrize("asked", ("alfa", "bravo", "delta"))
@pytest.mark.parametrize("proposer", ("alfa", "delta"))
@pytest.mark.parametrize("approved", (True, False, None))
def test_a_job_that_waits_for_a_person_goes_on_ends_or_expires(
    tmp_path: Path, asked: str, proposer: str, approved: bool | None
) -> None:
    """At the coordinator, at another compute member, at one that only has rows; whoever of them proposed it."""

    async def scenario(world: World) -> None:
        world.waits[asked] = "table patients, query: epsilon 2 of 4 a job"
        job = world.job(proposer=proposer, deadline=30)
        await submitted(world, job, proposer)
        await trio.sleep(5)
        node = world.nodes[asked]
        (waiting,) = node.store.approvals.waiting()
        assert waiting.job == job.id and "epsilon 2 of 4" in waiting.why
        assert State.RESERVED not in world.states(job.id).values()
        if approved is not None:
            await node.jobs.approve(job.id, approved, "ann")
            with pytest.raises(ApprovalUnknown):
                await node.jobs.approve(job.id, approved, "bob")
        await world.at_their_end(job.id, 5.0 if approved is not None else 35.0)
        await trio.sleep(2)
        expected = State.RELEASED if approved else State.ABORTED
        assert set(world.states(job.id).values()) == {expected}
        whats = [entry["what"] for _, entry in node.store.audit.entries()]
        assert whats.count("waits") == 1
        assert [what for what in whats if what in ("approved", "denied")] == {
            True: ["approved"], False: ["denied"], None: [],
        }[approved]  # fmt: skip
        if approved is False:
            assert all("ann of" in cause for cause in world.causes(job.id).values()), world.causes(job.id)

    play(tmp_path, scenario)
