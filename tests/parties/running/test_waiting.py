"""Jobs that wait for whoever was lost, over a network in memory: before they began, for a person, and as they run.

What has to hold: nothing but its deadline, a person, or a vote that was cast ends such a job; what one node knows of
its end all know once they are there; what is drawn, asked or charged once stays so.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio

from parties.errors import BudgetExhausted, NodeFault, PeerUnreachable
from parties.jobs.job import Job
from parties.jobs.session import State
from parties.membership.charter import Member
from parties.planning.job_work import Consent
from parties.policies.budget import Charge
from parties.wire.messages import Abort, Reserve, Run, StateQuery
from tests.parties.running.test_job_node import MEMBERS, agrees, messages, play, submitted
from tests.parties.world import TABLES, FakeWork, World, now

ASKED = "table patients, query: epsilon 2 of 4 a job"


async def moment(change: Callable[[str], None], name: str) -> None:
    change(name)


async def begun_anew(world: World, work: type[FakeWork]) -> None:
    """All nodes, with other work."""
    world.work_of = lambda node: work(world, node)  # type: ignore[method-assign]
    for name, node in world.nodes.items():
        await world.kill(name)
        await node.over.wait()
        await world.start(name)
    await trio.sleep(2)
    world.died.clear()


def intercept(world: World, act: Callable[[str, Member, Any], Awaitable[None]]) -> None:
    """``act`` comes before each message: sender's name, receiver, message."""
    bring = world.bring

    async def other(sender: Any, member: Member, message: Any, job: str, within: float | None) -> Any:
        await act(sender.name, member, message)
        return await bring(sender, member, message, job, within)

    world.bring = other  # type: ignore[method-assign]


@pytest.mark.parametrize("victim", MEMBERS)
@pytest.mark.parametrize("fault", ("killed", "cut off"))
@pytest.mark.parametrize("asked", ("alfa", "bravo", "delta"))
def test_a_job_that_waits_for_a_person_and_for_who_was_lost_outlives_a_restart(
    tmp_path: Path, asked: str, fault: str, victim: str
) -> None:
    """Whoever is asked, whoever is lost meanwhile: it is asked for once, approved once, released everywhere."""

    async def scenario(world: World) -> None:
        world.waits[asked] = ASKED
        job = world.job(on_loss="wait")
        await submitted(world, job)
        await trio.sleep(5)
        await (world.kill(victim) if fault == "killed" else moment(world.sever, victim))
        await trio.sleep(20)
        assert all(not state.terminal for state in world.states(job.id).values()), world.causes(job.id)
        await (world.start(victim) if fault == "killed" else moment(world.join, victim))
        await trio.sleep(5)
        node = world.nodes[asked]
        (waiting,) = node.store.approvals.waiting()
        assert waiting.job == job.id
        await node.jobs.approve(job.id, True, "ann")
        await world.at_their_end(job.id, 10.0)
        assert await agrees(world, job) is State.RELEASED
        assert [entry["what"] for _, entry in node.store.audit.entries()].count("waits") == 1

    play(tmp_path, scenario)


@pytest.mark.parametrize("cancelled", (False, True))
def test_what_became_of_a_job_that_waits_is_found_out_by_who_was_not_there(tmp_path: Path, cancelled: bool) -> None:
    """Bravo is away; the job ends; who knows of it starts anew, so that nobody is left to tell bravo."""

    async def scenario(world: World) -> None:
        world.waits["charlie"] = ASKED
        job = world.job(on_loss="wait", deadline=3000 if cancelled else 60)
        await submitted(world, job)
        await trio.sleep(5)
        await world.kill("bravo")
        await trio.sleep(5)
        if cancelled:
            await world.nodes["delta"].jobs.cancel(job.id, "ann")
        else:
            await trio.sleep(70)
        for name in ("alfa", "charlie", "delta"):
            await world.kill(name)
            await trio.sleep(1)
            await world.start(name)
        await world.start("bravo")
        await trio.sleep(10)
        assert set(world.states(job.id).values()) == {State.ABORTED}
        said = "Cancelled" if cancelled else "Expired"
        assert said in world.causes(job.id)["delta"] and said in world.causes(job.id)["bravo"]

    play(tmp_path, scenario)


@pytest.mark.parametrize("far", (0.0, 0.05))
@pytest.mark.parametrize("victim", MEMBERS)
@pytest.mark.parametrize("fault", ("killed", "cut off"))
def test_whoever_is_lost_at_some_message_of_a_job_that_waits_all_agree_in_the_end(
    tmp_path: Path, fault: str, victim: str, far: float
) -> None:
    ends = waited_out(tmp_path, fault, victim, 1 + 2 * MEMBERS.index(victim), 9, far)
    assert State.RELEASED in ends


@pytest.mark.slow
@pytest.mark.parametrize("far", (0.0, 0.05))
@pytest.mark.parametrize("victim", MEMBERS)
@pytest.mark.parametrize("fault", ("killed", "cut off"))
def test_whoever_is_lost_at_any_message_of_a_job_that_waits_all_agree_in_the_end(
    tmp_path: Path, fault: str, victim: str, far: float
) -> None:
    ends = waited_out(tmp_path, fault, victim, 1, 1, far)
    assert ends.count(State.RELEASED) > 0.6 * len(ends)  # else somebody had voted, or dealt a part


def waited_out(tmp_path: Path, fault: str, victim: str, first: int, step: int, far: float) -> list[State | None]:
    """Lost at message ``first``, ``first + step``, ... and there again five seconds later."""
    (tmp_path / "none").mkdir()
    ends = []
    for number in range(first, messages(tmp_path / "none", False) + 1, step):
        for when in ("before", "after"):
            directory = tmp_path / f"{number}-{when}"
            directory.mkdir()
            ends.append(lost_and_back(directory, fault, victim, number, when, far))
    return ends


def lost_and_back(tmp_path: Path, fault: str, victim: str, number: int, when: str, far: float) -> State | None:
    async def scenario(world: World) -> State | None:
        await trio.sleep(1)  # all have found each other
        world.count, world.far = 0, far
        job = world.job(on_loss="wait")

        async def at(n: int, place: str) -> None:
            if (n, place) == (number, when):
                await (world.kill(victim) if fault == "killed" else moment(world.sever, victim))

        world.at = at
        await submitted(world, job)
        await trio.sleep(5)
        if victim in world.died:
            await (world.start(victim) if fault == "killed" else moment(world.join, victim))
        return await agrees(world, job)

    return play(tmp_path, scenario)


# -- what a reviewer found ---------------------------------------------------------------------


def test_a_job_whose_coordinator_died_while_it_told_that_all_accepted_is_told_again(tmp_path: Path) -> None:
    """Also the one that deals, which is far: nobody runs before it dealt."""

    async def scenario(world: World) -> None:
        async def act(sender: str, member: Member, message: Any) -> None:
            if member.name == "delta":
                await trio.sleep(0.1)

        await trio.sleep(1)
        intercept(world, act)
        job = world.job(on_loss="wait")
        await submitted(world, job)
        while any(world.states(job.id).get(name) is not State.RESERVED for name in ("bravo", "charlie")):  # noqa: ASYNC110
            await trio.sleep(0.005)
        await world.kill("alfa")
        assert world.states(job.id)["delta"] is State.ACCEPTED and "delta" not in world.dealt
        await trio.sleep(5)
        await world.start("alfa")
        assert await agrees(world, job) is State.RELEASED and "delta" in world.dealt

    play(tmp_path, scenario)


def test_a_job_that_does_not_wait_ends_with_a_member_that_only_receives_its_answer(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        world.waits["delta"] = ASKED
        job = world.job("alfa", tables=(("bravo", "patients"),), published=(world.job().published[0],))
        world.nodes["alfa"].nursery.start_soon(world.nodes["alfa"].jobs.submit, job, TABLES[:1])
        await trio.sleep(5)
        await world.kill("delta")
        await trio.sleep(2)
        assert set(world.states(job.id).values()) == {State.ABORTED}
        assert all("delta" in cause for cause in world.causes(job.id).values())

    play(tmp_path, scenario)


@pytest.mark.parametrize("gone", ("the coordinator", "who is asked"))
def test_its_deadline_ends_a_job_that_waits_at_every_node_whoever_is_gone(tmp_path: Path, gone: str) -> None:
    async def scenario(world: World) -> None:
        for name in MEMBERS if gone == "the coordinator" else ("charlie",):
            world.waits[name] = ASKED
        job = world.job(on_loss="wait", deadline=60)
        await submitted(world, job)
        await trio.sleep(5)
        await (world.kill("alfa") if gone == "the coordinator" else moment(world.sever, "charlie"))
        await trio.sleep(70)
        assert set(world.states(job.id).values()) == {State.ABORTED}
        assert all("Expired" in cause for cause in world.causes(job.id).values())
        assert all(not node.store.approvals.waiting() for node in world.nodes.values() if node.alive)

    play(tmp_path, scenario)


def test_who_cancels_a_job_and_dies_before_it_said_so_is_asked(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        world.waits["charlie"] = ASKED
        job = world.job("bravo", on_loss="wait", deadline=3000)
        await submitted(world, job, "bravo")
        await trio.sleep(5)

        async def act(sender: str, member: Member, message: Any) -> None:
            if isinstance(message, Abort) and sender == "bravo" and not world.died:
                await world.kill("bravo")
                await trio.sleep(60)

        intercept(world, act)
        world.nodes["bravo"].nursery.start_soon(world.nodes["bravo"].jobs.cancel, job.id, "ann")
        await trio.sleep(5)
        assert set(world.states(job.id).values()) == {State.ACCEPTED, State.PROPOSED}
        await world.start("bravo")
        await trio.sleep(5)
        assert set(world.states(job.id).values()) == {State.ABORTED}
        assert all("Cancelled: by ann" in cause for cause in world.causes(job.id).values())

    play(tmp_path, scenario)


def test_who_was_cut_off_while_a_job_ended_asks_when_it_is_there_again(tmp_path: Path) -> None:
    """Without starting anew; and who could tell it did."""

    async def scenario(world: World) -> None:
        world.waits["charlie"] = ASKED
        job = world.job(on_loss="wait", deadline=3000)
        await submitted(world, job)
        await trio.sleep(5)
        world.sever("bravo")
        await trio.sleep(5)
        await world.nodes["delta"].jobs.cancel(job.id, "ann")
        for name in ("alfa", "charlie", "delta"):
            await world.kill(name)
            await trio.sleep(1)
            await world.start(name)
        assert world.states(job.id)["bravo"] is State.ACCEPTED
        world.join("bravo")
        await trio.sleep(5)
        assert set(world.states(job.id).values()) == {State.ABORTED}

    play(tmp_path, scenario)


class Slow(FakeWork):
    """Bravo thinks for long, and charges what it consents to; what is charged already is too much."""

    at_once = most = 0

    async def consent(self, job: Job, tables: Sequence[str]) -> Consent:
        if self.node.name != "bravo":
            return await super().consent(job, tables)
        store = self.node.store
        head, book = store.ledger.chain.head, store.ledger.book()
        Slow.at_once += 1
        Slow.most = max(Slow.most, Slow.at_once)
        await trio.sleep(25)
        Slow.at_once -= 1
        if book.is_open(job.id):
            raise BudgetExhausted("epsilon 1 of 1 is used up")
        return Consent("d" * 64, charge=Charge(job.id, now(), ("p",), job.proposer, "", ()), book=head)


def test_who_is_asked_again_while_it_thinks_thinks_and_charges_once(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        Slow.at_once = Slow.most = 0
        await begun_anew(world, Slow)
        job = world.job(on_loss="wait")
        await submitted(world, job)
        await trio.sleep(1)
        await world.kill("alfa")
        await trio.sleep(1)
        await world.start("alfa")
        await trio.sleep(60)
        assert await agrees(world, job) is State.RELEASED and Slow.most == 1

    play(tmp_path, scenario)


class Deals(FakeWork):
    """Delta deals to all who compute, a second each; how often it began."""

    begun = 0

    async def deal(self, job: Job) -> None:
        board = self.node.board
        if self.node.name == "delta":
            Deals.begun += 1
            for member in board.charter.compute:
                await board.network.call(member, StateQuery(), job.id, within=30.0)
                await trio.sleep(1)
        await super().deal(job)


@pytest.mark.parametrize("victim", ("bravo", "delta"))
def test_rows_are_dealt_again_where_a_receiver_or_the_dealer_died(tmp_path: Path, victim: str) -> None:
    async def scenario(world: World) -> None:
        Deals.begun = 0
        await begun_anew(world, Deals)

        async def act(sender: str, member: Member, message: Any) -> None:
            if isinstance(message, Reserve) and member.name == "bravo" and victim not in world.died:
                await trio.sleep(0.5)
                await world.kill(victim)

        intercept(world, act)
        job = world.job(on_loss="wait")
        await submitted(world, job)
        await trio.sleep(10)
        assert victim in world.died and "delta" not in world.dealt
        await world.start(victim)
        await trio.sleep(10)
        assert await agrees(world, job) is State.RELEASED and "delta" in world.dealt and Deals.begun == 2

    play(tmp_path, scenario)


def test_one_fault_of_who_is_asked_about_a_job_does_not_end_it(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        world.waits["charlie"] = ASKED
        job = world.job(on_loss="wait", deadline=3000)
        await submitted(world, job)
        await trio.sleep(5)
        await world.kill("bravo")
        await trio.sleep(2)
        failed: list[str] = []

        async def act(sender: str, member: Member, message: Any) -> None:
            if isinstance(message, StateQuery) and (sender, member.name) == ("bravo", "alfa") and not failed:
                failed.append(member.name)
                raise NodeFault("x")

        intercept(world, act)
        await world.start("bravo")
        await trio.sleep(20)
        assert failed and set(world.states(job.id).values()) == {State.ACCEPTED, State.PROPOSED}
        await world.nodes["charlie"].jobs.approve(job.id, True, "ann")
        assert await agrees(world, job) is State.RELEASED

    play(tmp_path, scenario)


def test_a_member_that_breaks_off_every_run_breaks_few_lanes_and_ends_the_job(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        @asynccontextmanager
        async def slot() -> AsyncIterator[Run]:
            async with world.slots:
                world.epoch += 1
                epoch = world.epoch
                try:
                    yield Run(lane=0, epoch=epoch, number=1)
                except BaseException:
                    world.disorder += 1
                    for (_, made, _), lane in list(world.lanes.items()):
                        if made == epoch:  # as lane_keeper.slot ends its workers
                            lane.fail("a job ended in disorder")
                    raise

        async def act(sender: str, member: Member, message: Any) -> None:
            if isinstance(message, Run) and member.name == "bravo":
                await trio.sleep(0.001)
                raise PeerUnreachable("bravo", "broke the connection")

        world.slot = slot  # type: ignore[method-assign]
        intercept(world, act)
        job = world.job(on_loss="wait", deadline=3000)
        await submitted(world, job)
        await trio.sleep(1000)
        assert set(world.states(job.id).values()) == {State.ABORTED} and world.disorder < 10
        assert all("bravo" in cause for cause in world.causes(job.id).values())

    play(tmp_path, scenario)


@pytest.mark.parametrize("reserved", (False, True))
def test_a_job_of_a_charter_before_ends_when_its_nodes_start_under_another(tmp_path: Path, reserved: bool) -> None:
    async def scenario(world: World) -> None:
        if reserved:
            world.says_free = False
            for holder in "xy":
                await world.slots.acquire_on_behalf_of(holder)
        else:
            world.waits["charlie"] = ASKED
        job = world.job(on_loss="wait")
        await submitted(world, job)
        await trio.sleep(5)
        assert (State.RESERVED in world.states(job.id).values()) is reserved
        for name in MEMBERS:
            await world.kill(name)
        await trio.sleep(2)
        world.change(replace(world.charter, version=2, previous=world.charter.digest))
        if reserved:
            for holder in "xy":
                world.slots.release_on_behalf_of(holder)
        for name in MEMBERS:
            await world.start(name)
        await trio.sleep(60)
        assert set(world.states(job.id).values()) == {State.ABORTED} and not world.orders
        assert all("CharterOutdated" in cause for cause in world.causes(job.id).values()), world.causes(job.id)

    play(tmp_path, scenario)
