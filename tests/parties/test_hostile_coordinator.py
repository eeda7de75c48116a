"""A coordinator that orders what must not be: each node checks the order by itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from parties.errors import JobRefused
from parties.jobs.session import State
from parties.wire.messages import Kept, Run
from tests.parties.test_hostile_member import play, submitted
from tests.parties.world import World


@pytest.mark.parametrize("victim", ["bravo", "charlie"])
def test_an_order_to_begin_anew_what_must_not_is_refused_and_one_with_a_checkpoint_is_taken(
    tmp_path: Path, victim: str
) -> None:
    async def scenario(world: World) -> None:
        world.long, world.anew = 1000.0, False
        job = world.job(on_loss="wait")
        await submitted(world, job)
        await trio.sleep(1)
        alfa, node = world.nodes["alfa"], world.nodes[victim]
        alfa.scope.cancel()  # what it says from now on, the test says
        alfa.alive = False
        await trio.sleep(2)
        before, hostile = len(world.orders), world._member(alfa)
        assert node.store.get(job.id).state is State.RESERVED
        world.held[victim] = [("r1", 2)]
        for made_up in (None, Kept(run="r1", step=3), Kept(run="r2", step=2)):
            with pytest.raises(JobRefused, match="must not begin anew"):
                order = Run(lane=0, epoch=9, number=1, checkpoint=made_up)
                await node.jobs.participant.run(hostile, job.id, order)
        await trio.sleep(1)
        assert node.store.get(job.id).state is State.RESERVED and len(world.orders) == before
        order = Run(lane=0, epoch=9, number=1, checkpoint=Kept(run="r1", step=2))
        await node.jobs.participant.run(hostile, job.id, order)
        await trio.sleep(1)
        assert world.orders[before:] == [(victim, order)]

    play(tmp_path, scenario)


def test_a_job_that_may_begin_anew_begins_anew(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        world.long = 1000.0
        job = world.job(on_loss="wait")
        await submitted(world, job)
        await trio.sleep(1)
        alfa, bravo = world.nodes["alfa"], world.nodes["bravo"]
        alfa.scope.cancel()
        alfa.alive = False
        await trio.sleep(1)
        await bravo.jobs.participant.run(world._member(alfa), job.id, Run(lane=0, epoch=9, number=1))
        assert bravo.store.get(job.id).state is State.RUNNING

    play(tmp_path, scenario)
