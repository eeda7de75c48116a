"""Who asks for a job, and what for: stated by the proposer's node, in the job that all members sign."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import trio

from parties.node.catalogue import Catalogue
from parties.node.people_handlers import PeopleHandlers
from parties.running.progress_board import ProgressBoard
from parties.wire.people_messages import Submit
from tests.parties.test_hostile_member import play
from tests.parties.world import World

ASKED = Submit(kind="count", parameters={}, tables=[], results=["delta"], deadline=600, key="one", purpose="research")


def handlers_of(world: World, name: str) -> PeopleHandlers:
    node = world.nodes[name]
    nothing: Any = None
    catalogue, progress = Catalogue(node.board, nothing, dict), ProgressBoard(node.board.wake)
    return PeopleHandlers(
        node.board, node.jobs, nothing, nothing, progress, catalogue, nothing, nothing, lambda: 0, "1"
    )


def test_who_asked_is_part_of_the_job_and_in_every_members_log(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        delta = handlers_of(world, "delta")
        first = await delta.submit("ann-wood", ASKED)
        assert (first.by, first.purpose, first.proposer) == ("ann-wood", "research", "delta")
        await trio.sleep(5)
        again = await delta.submit("bob", ASKED)  # the same job, which stays hers
        assert (again.state, again.by) == ("RELEASED", "ann-wood")
        await world.kill("delta")
        await trio.sleep(1)
        await world.start("delta")
        assert [view.by for view in (await handlers_of(world, "delta").jobs("bob", 10, None)).jobs] == ["ann-wood"]
        for name in ("alfa", "bravo", "charlie"):
            assert (await handlers_of(world, name).job("eve", first.job)).by == "ann-wood"
            entries = [entry for _, entry in world.nodes[name].store.audit.entries()]
            (proposed,) = [entry for entry in entries if entry["what"] == "proposed"]
            assert (proposed["analyst"], proposed["purpose"]) == ("ann-wood", "research")
            assert proposed["proposer"] == world.nodes["delta"].identity.fingerprint

    play(tmp_path, scenario)
