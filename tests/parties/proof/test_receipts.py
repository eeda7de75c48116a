"""Who gets a receipt of what, at real nodes in memory: result members, once the job is released and its answer came."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from parties.errors import JobRefused, JobUnknown, NotReleased, ReceiptIncomplete
from parties.jobs.session import State
from parties.node.catalogue import Catalogue
from parties.node.people_handlers import PeopleHandlers
from parties.proof.receipt import read_receipt
from parties.running.progress_board import ProgressBoard
from tests.parties.consortium import charter, member
from tests.parties.receipts import MEMBERS, receipts_of
from tests.parties.running.test_job_node import play, submitted
from tests.parties.world import CHARTER, TABLES, World, now


def handlers_of(world: World, name: str) -> PeopleHandlers:
    node = world.nodes[name]
    nothing: Any = None
    receipts, progress = receipts_of(world, name), ProgressBoard(node.board.wake)
    catalogue = Catalogue(node.board, nothing, dict)
    return PeopleHandlers(
        node.board, node.jobs, nothing, receipts, progress, catalogue, nothing, nothing, lambda: 0, "1"
    )


async def released(world: World) -> str:
    job = world.job()
    await submitted(world, job)
    await trio.sleep(5)
    assert set(world.states(job.id).values()) == {State.RELEASED}
    return job.id


def scenario_with(tmp_path: Path, scenario: Callable[[World, str], Awaitable[None]]) -> None:
    async def begun(world: World) -> None:
        await scenario(world, await released(world))

    play(tmp_path, begun)


def test_result_members_have_all_of_it_whether_they_compute_or_not(tmp_path: Path) -> None:
    async def scenario(world: World, job: str) -> None:
        for name in ("alfa", "delta"):
            content = await receipts_of(world, name).receipt(job, False)
            receipt = read_receipt(content)
            assert set(receipt.acceptances) == set(MEMBERS)
            assert set(receipt.votes) == {"alfa", "bravo", "charlie"} and len(receipt.shares) >= 2
            assert list(receipt.tables) == TABLES and receipt.given.member == name
            assert await receipts_of(world, name).receipt(job, False) == content, "the same every time"

    scenario_with(tmp_path, scenario)


def test_others_have_none(tmp_path: Path) -> None:
    async def scenario(world: World, job: str) -> None:
        for name in ("bravo", "charlie"):
            with pytest.raises(JobRefused, match="alfa, delta"):
                await receipts_of(world, name).receipt(job, False)
            with pytest.raises(JobRefused, match="alfa, delta"):
                await handlers_of(world, name).receipt("ann", job, False)
        with pytest.raises(JobUnknown):
            await receipts_of(world, "alfa").receipt("0" * 32, False)

    scenario_with(tmp_path, scenario)


def test_a_job_that_was_not_released_has_none(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        world.slots.total_tokens = 1
        async with world.slot():
            job = world.job()
            await submitted(world, job)
            await trio.sleep(1)
            for way in (receipts_of(world, "delta").receipt, lambda *a: handlers_of(world, "delta").receipt("ann", *a)):
                with pytest.raises(NotReleased, match="RESERVED"):
                    await way(job.id, False)

    play(tmp_path, scenario)


def test_who_asks_before_the_answer_is_there_waits_for_it(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        job = world.job()
        found: list[bytes] = []

        async def cut_off(number: int, when: str) -> None:
            if world.log[-1][2] == "tuple" and world.log[-1][1] == "delta" and not found:
                await trio.sleep(20)  # shares are on their way for so long

        world.at = cut_off
        await submitted(world, job)
        await trio.sleep(5)
        assert world.states(job.id)["delta"] is State.RELEASED
        with pytest.raises(NotReleased, match="not here yet"):
            await receipts_of(world, "delta").receipt(job.id, False)

        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                found.append(await handlers_of(world, "delta").receipt("ann", job.id, False))

            nursery.start_soon(ask)
            await trio.sleep(5)
            assert not found
        assert read_receipt(found[0]).given.member == "delta"

    play(tmp_path, scenario)


def test_a_purged_answer_has_a_receipt_and_handlers_give_it(tmp_path: Path) -> None:
    async def scenario(world: World, job: str) -> None:
        store = world.nodes["delta"].store
        digest = read_receipt(await receipts_of(world, "delta").receipt(job, False)).given.answer
        assert store.answers.purge(now() + 100, now()) == 1
        given = read_receipt(await handlers_of(world, "delta").receipt("ann", job, False)).given
        assert (given.answer, given.shares, given.why) == (digest, (), "purged")
        given = read_receipt(await handlers_of(world, "delta").receipt("ann", job, True)).given
        assert (given.answer, given.shares, given.why) == (None, (), "left out")
        with pytest.raises(NotReleased, match="purged"):
            await handlers_of(world, "delta").answer("ann", job)

    scenario_with(tmp_path, scenario)


def test_a_job_of_a_charter_before_has_one_with_that_charter(tmp_path: Path) -> None:
    async def scenario(world: World, job: str) -> None:
        world.change(charter(*(member(i) for i in range(3)), before=CHARTER))  # delta has left
        for name in ("alfa", "delta"):
            assert CHARTER.digest.encode() in await receipts_of(world, name).receipt(job, False)

    scenario_with(tmp_path, scenario)


@pytest.mark.parametrize(
    ("lost", "named"),
    [
        ("DELETE FROM signature WHERE what = 'acceptance' AND member = 'bravo'", "the acceptance of bravo"),
        ("DELETE FROM signature WHERE what = 'vote' AND member = 'charlie'", "the vote of charlie"),
        ("DELETE FROM fact WHERE name = 'published'", "descriptions"),
    ],
)
def test_what_a_node_has_not_kept_is_named(tmp_path: Path, lost: str, named: str) -> None:
    async def scenario(world: World, job: str) -> None:
        file = world.nodes["alfa"].store._file
        with file.transaction():
            file.change(lost)
        with pytest.raises(ReceiptIncomplete, match=named):
            await receipts_of(world, "alfa").receipt(job, False)

    scenario_with(tmp_path, scenario)
