"""What a node lets go of while it runs: parts dealt for jobs that are over, jobs that never began, answers too old."""

from __future__ import annotations

import trio

from parties.running.board import Board
from parties.running.part_files import PartFiles

__all__ = ["drop_parts", "forget"]

_DAY = 24 * 3600.0
_FORGET = 3600.0  # seconds between looks for jobs that are to be forgotten


async def drop_parts(parts: PartFiles, board: Board) -> None:
    """Delete what was dealt for jobs that are over, whenever a job changed. For ever."""
    while True:
        changed = board.changed
        for job in await board.aside(parts.jobs):
            record = await board.find(job)
            if record is None or record.state.terminal:
                await board.aside(parts.drop, job)
        await changed.wait()
        await trio.sleep(1.0)


async def forget(board: Board, answer_days: float | None) -> None:
    """Let go of jobs that ended long ago, before they began, and of answers older than that many days. For ever."""
    while True:
        await board.forget()
        if answer_days is not None:
            await board.purge(board.clock() - answer_days * _DAY)
        await trio.sleep(_FORGET)
