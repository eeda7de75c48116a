"""Which of a member's people asked for a job: kept and shown at their own node, and told to no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from parties.errors import JobConflict
from parties.job_store import JobStore
from parties.people_handlers import PeopleHandlers
from parties.people_messages import Submit
from parties.progress_board import ProgressBoard
from parties.session import State
from tests.parties.consortium import identity
from tests.parties.jobs import KEY, ME, job
from tests.parties.test_hostile_member import play
from tests.parties.world import World

ASKED = Submit(kind="count", parameters={}, tables=[], results=["delta"], deadline=600, key="one")


def handlers_of(world: World, name: str) -> PeopleHandlers:
    node = world.nodes[name]
    members: Any = None
    return PeopleHandlers(node.board, node.jobs, members, ProgressBoard(node.board.wake), dict, lambda: 0, "1")


def test_who_asked_is_shown_at_home_after_a_restart_too_and_told_to_nobody(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        told: list[Any] = []
        bring = world.bring

        async def heard(sender: Any, member: Any, message: Any, *rest: Any) -> Any:
            answer = await bring(sender, member, message, *rest)
            told.append((message, answer))
            return answer

        world.bring = heard  # type: ignore[method-assign]
        delta = handlers_of(world, "delta")
        first = await delta.submit("ann-wood", ASKED)
        assert first.by == "ann-wood" and first.proposer == "delta"
        await trio.sleep(5)
        again = await delta.submit("bob", ASKED)  # the same job, which stays hers
        assert (again.state, again.by) == ("RELEASED", "ann-wood")
        await world.kill("delta")
        await trio.sleep(1)
        await world.start("delta")
        delta = handlers_of(world, "delta")
        assert (await delta.job("bob", first.job)).by == "ann-wood"
        assert [view.by for view in (await delta.jobs("bob", 10, None)).jobs] == ["ann-wood"]
        for name in ("alfa", "bravo", "charlie"):
            assert world.states(first.job)[name] is State.RELEASED
            assert (await handlers_of(world, name).job("eve", first.job)).by == ""
        assert len(told) > 10 and "ann-wood" not in repr(told)

    play(tmp_path, scenario)


def test_it_is_kept_with_the_job_or_not_at_all(tmp_path: Path) -> None:
    with JobStore(tmp_path / "node.db", KEY, ME) as store:
        of = job(proposer=identity(0).fingerprint)
        assert store.submit(of, b"", True, 1, "ann").by == "ann"
        with pytest.raises(JobConflict):
            store.submit(job(kind="sum"), b"", True, 2, "bob")
        assert store.submit(of, b"", True, 2, "bob").by == "ann" == store.get(of.id).by
        other = job("other")
        assert store.add(other, b"", True, 3).by == "" == store.open_jobs()[1].by
