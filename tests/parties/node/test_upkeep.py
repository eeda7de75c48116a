"""What a node lets go of while it runs, and what it keeps."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from parties.errors import NotReleased
from parties.jobs.session import State
from parties.node.upkeep import drop_parts, forget
from parties.running.part_files import PartFiles
from tests.parties.test_hostile_member import play, submitted
from tests.parties.world import World

STRANGE = "f" * 32


def test_parts_are_kept_while_their_job_runs_and_no_longer(tmp_path: Path) -> None:
    parts = PartFiles(tmp_path / "parts", bytes(32), 1 << 20)

    async def scenario(world: World) -> None:
        node, job = world.nodes["alfa"], world.job()
        await submitted(world, job)
        while node.store.find(job.id) is None:
            await node.board.changed.wait()
        for name in (job.id, STRANGE):
            parts.put(name, "table-0", 0, b"rows")
        node.nursery.start_soon(drop_parts, parts, node.board)
        await node.board.until(job.id, State.RUNNING)
        assert job.id in parts.jobs()
        await world.at_their_end(job.id, 60)
        await trio.sleep(2.0)
        assert parts.jobs() == []

    play(tmp_path, scenario)


@pytest.mark.parametrize("hours", [1.5, None])
def test_answers_are_deleted_when_they_are_too_old_and_only_then(tmp_path: Path, hours: float | None) -> None:
    async def scenario(world: World) -> None:
        node, job = world.nodes["delta"], world.job()
        await submitted(world, job)
        await world.at_their_end(job.id, 60)
        await trio.sleep(10)
        node.nursery.start_soon(forget, node.board, None if hours is None else hours / 24)
        await trio.sleep(3700)
        assert node.store.answers.answer(job.id)
        await trio.sleep(3600)
        if hours is None:
            assert node.store.answers.answer(job.id)
        else:
            with pytest.raises(NotReleased, match="purged"):
                node.store.answers.answer(job.id)

    play(tmp_path, scenario)
