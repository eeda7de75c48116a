"""A disk that fails at every write, at every member: nothing is released by half, and the node says why it ends.

In memory: the n-th change fails, before it is kept or after it (SQLite cannot say which). A node whose disk failed
ends, as the daemon does; later it is started again with a disk that works.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from parties.errors import StoreFailed
from parties.jobs.session import State
from tests.parties.running.test_job_node import agrees, submitted
from tests.parties.world import NOTICED, World

FULL = "node.db: database or disk is full"


class FailingDisk:
    """Under one node's store: change number ``at`` fails, and all that follow.

    Attributes:
        changes: so far.
    """

    def __init__(self, store: Any, at: int, kept: bool) -> None:
        self.changes = 0
        self._at = at
        self._kept = kept
        self._file = store._file
        self._transaction = store._file.transaction
        store._file.transaction = self.transaction

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        self.changes += 1
        if self.changes > self._at or (self.changes == self._at and not self._kept):
            raise StoreFailed(FULL)
        with self._transaction():
            yield
        if self.changes == self._at:
            raise StoreFailed(FULL)


def changes_of(tmp_path: Path, victim: str) -> int:
    """How many a job makes there without faults."""

    async def main() -> int:
        async with World(tmp_path).running() as world:
            disk = FailingDisk(world.nodes[victim].store, 1 << 30, False)
            job = world.job()
            await submitted(world, job)
            await trio.sleep(3)
            assert set(world.states(job.id).values()) == {State.RELEASED}
            return disk.changes

    return trio.run(main, clock=MockClock(autojump_threshold=0))


def fails(tmp_path: Path, victim: str, at: int, kept: bool) -> State | None:
    async def main() -> State | None:
        with trio.fail_after(10_000):
            async with World(tmp_path).running() as world:
                node = world.nodes[victim]
                FailingDisk(node.store, at, kept)
                board = node.board
                failed: list[float] = []

                async def end_with_the_disk() -> None:
                    await board.failed.wait()
                    failed.append(trio.current_time())
                    await world.kill(victim)

                world._nursery.start_soon(end_with_the_disk)
                job = world.job()
                await submitted(world, job)
                await trio.sleep(1)
                assert failed and FULL in str(board.failure)
                ended = await world.at_their_end(job.id, 10)
                assert ended - failed[0] < NOTICED + 2.0 or ended <= 1.1
                ends = set(world.states(job.id).values())
                assert len(ends) <= 1, world.states(job.id)
                if ends == {State.ABORTED}:
                    causes = world.causes(job.id)
                    assert world.answers(job.id) == {} and all(victim in cause for cause in causes.values()), causes
                await world.start(victim)
                return await agrees(world, job)

    return trio.run(main, clock=MockClock(autojump_threshold=0))


@pytest.mark.parametrize("victim", ["alfa", "bravo", "delta"])
def test_a_disk_that_fails_at_every_write(tmp_path: Path, victim: str) -> None:
    (tmp_path / "none").mkdir()
    ends = set()
    total = changes_of(tmp_path / "none", victim)
    assert total >= 5
    for at in range(1, total + 1):
        for kept in (False, True):
            directory = tmp_path / f"{at}-{kept}"
            directory.mkdir()
            try:
                ends.add(fails(directory, victim, at, kept))
            except BaseException as error:
                error.add_note(f"change {at} of {total} at {victim}, kept: {kept}")
                raise
    assert State.ABORTED in ends
