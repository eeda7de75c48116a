"""A compute member that tells a release that was not voted: nobody believes it, whichever way it tells."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import trio

from parties.errors import PeerUnreachable, SignatureInvalid
from parties.jobs.job import Job
from parties.jobs.job_signatures import sign_vote
from parties.jobs.session import State
from parties.membership.charter import Member
from parties.wire.message_form import signatures_of
from parties.wire.messages import Accept, Ballot, Decided, Prepare, Promise, StateAnswer, StateQuery
from tests.parties.made_jobs import accepted
from tests.parties.test_hostile_member import HOSTILE, play, submitted, voted_alone
from tests.parties.world import World

COMPUTE = ("alfa", "bravo", HOSTILE)


def votes_of(world: World, job: Job, *names: str) -> dict[str, bytes]:
    return {name: sign_vote(job, world.nodes[name].identity, b"share of %b" % name.encode()) for name in names}


def unproved(world: World, job: Job) -> list[dict[str, bytes]]:
    """What somebody may show who has not all votes."""
    two = votes_of(world, job, "alfa", HOSTILE)
    other = world.job(key="another")
    return [
        {},
        two,
        {**two, "bravo": two[HOSTILE]},
        {**two, "bravo": accepted(job, world.nodes["bravo"].identity)[:96]},
        {**two, "bravo": sign_vote(other, world.nodes["bravo"].identity, b"share of bravo")},
        {**votes_of(world, job, *COMPUTE), "delta": sign_vote(job, world.nodes["delta"].identity, b"")},
    ]


async def running(world: World) -> Job:
    """A job that runs, and of which nobody has voted."""
    world.long = 1000.0
    job = world.job(results=("bravo", "delta"))
    await submitted(world, job)
    await trio.sleep(1)
    assert world.states(job.id)["bravo"] is State.RUNNING and world.states(job.id)["delta"] is State.RESERVED
    return job


def kept(world: World, name: str, job: Job) -> Any:
    store = world.nodes[name].store
    return store.get(job.id), store.votes(job.id), store.answers.parts(job.id)


@pytest.mark.parametrize("victim", ["alfa", "bravo", "delta"])
def test_a_release_that_is_told_without_all_votes_is_an_error_and_changes_nothing(tmp_path: Path, victim: str) -> None:
    async def scenario(world: World) -> None:
        job, hostile = await running(world), world._member(world.nodes[HOSTILE])
        node = world.nodes[victim]
        before = kept(world, victim, job)
        for votes in unproved(world, job):
            with pytest.raises(SignatureInvalid):
                body = Decided(value="release", votes=signatures_of(votes))
                await node.jobs.participant.decided(hostile, job.id, body)
            assert kept(world, victim, job) == before

    play(tmp_path, scenario)


@pytest.mark.parametrize("voted", [False, True])
def test_a_node_that_has_voted_or_has_no_vote_steps_to_released_with_all_votes_and_keeps_them(
    tmp_path: Path, voted: bool
) -> None:
    async def scenario(world: World) -> None:
        job = await (voted_alone(world) if voted else running(world))
        node, hostile = world.nodes["bravo" if voted else "delta"], world._member(world.nodes[HOSTILE])
        votes = votes_of(world, job, *COMPUTE)
        await node.jobs.participant.decided(hostile, job.id, Decided(value="release", votes=signatures_of(votes)))
        assert node.store.get(job.id).state is State.RELEASED and node.store.votes(job.id) == votes
        answer = await node.jobs.participant.state(world._member(world.nodes["alfa"]), job.id, StateQuery())
        assert answer.votes == signatures_of(votes)  # and proves it to others

    play(tmp_path, scenario)


@pytest.mark.parametrize("victim", ["bravo", "delta"])
@pytest.mark.parametrize("parts", [1, 2])
def test_a_share_of_a_job_that_was_not_voted_is_an_error_and_is_not_kept(
    tmp_path: Path, victim: str, parts: int
) -> None:
    async def scenario(world: World) -> None:
        job, node = await running(world), world.nodes[victim]
        before = kept(world, victim, job)
        for votes in unproved(world, job):
            answers(world, state=StateAnswer(state="RELEASED", voted=True, votes=signatures_of(votes)))
            for part in range(parts - 1):
                await node.jobs.delivery.take_part(world._member(world.nodes[HOSTILE]), job.id, part, parts, b"share")
            with pytest.raises(SignatureInvalid):
                await node.jobs.delivery.take_part(
                    world._member(world.nodes[HOSTILE]), job.id, parts - 1, parts, b"share"
                )
            assert kept(world, victim, job) == before

    play(tmp_path, scenario)


def test_who_asks_where_a_job_is_believes_no_release_without_all_votes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(world: World) -> None:
        job = await voted_alone(world)
        mute(world)
        bravo = world.nodes["bravo"]
        for votes in unproved(world, job):
            answers(world, state=StateAnswer(state="RELEASED", voted=True, votes=signatures_of(votes)))
            answers(world, prepare=Promise(ballot=Ballot(round=1, member=1), outbid=Ballot(round=10**8, member=2)))
            world.join(HOSTILE)
            await trio.sleep(5)
            assert bravo.store.get(job.id).state is State.RUNNING
        assert caplog.text.count("does not prove") == 2  # once at bravo, once at delta

    play(tmp_path, scenario)


def test_a_promise_that_tells_of_a_release_without_all_votes_counts_for_nothing(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        job = await voted_alone(world)
        mute(world)
        bravo, charlie = world.nodes["bravo"], world.nodes[HOSTILE]
        votes: Mapping[str, bytes] = {}

        async def promises(peer: Any, job_id: str, body: Prepare) -> Promise:
            fast = Ballot(round=0, member=0)
            return Promise(ballot=body.ballot, accepted=fast, value="release", votes=signatures_of(votes))

        async def accepts(peer: Any, job_id: str, body: Accept) -> Any:
            return type(body).answers(ballot=body.ballot)

        charlie.jobs.participant.prepare, charlie.jobs.participant.accept_ballot = promises, accepts
        answers(world, state=StateAnswer(state="RUNNING", voted=True))
        world.join(HOSTILE)
        for votes in unproved(world, job):  # noqa: B007 - promises reads it
            await trio.sleep(2)
            assert bravo.store.get(job.id).state is State.RUNNING
            assert bravo.store.ballots.acceptor(job.id).value is None
        votes = votes_of(world, job, *COMPUTE)
        await trio.sleep(2)
        assert bravo.store.get(job.id).state is State.RELEASED and bravo.store.votes(job.id) == votes

    play(tmp_path, scenario)


def mute(world: World) -> None:
    """alfa, who might say what is true, stays away; the hostile member says only what the test lets it."""

    async def never(member: Member, *_: Any, **__: Any) -> Any:
        raise PeerUnreachable(member.name, "it is not called")

    world.nodes["alfa"].scope.cancel()
    world.nodes["alfa"].alive = False
    world.nodes[HOSTILE].board.network.call = never


def answers(world: World, **given: Any) -> None:
    """From now on the hostile member answers this to everybody."""
    for name, answer in given.items():

        def constant(answer: Any = answer) -> Callable[..., Awaitable[Any]]:
            async def one(*_: Any) -> Any:
                return answer

            return one

        setattr(world.nodes[HOSTILE].jobs.participant, name, constant())
