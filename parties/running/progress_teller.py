"""How far a job is, told to the node that asked for it where its member does not compute: by the coordinator."""

from __future__ import annotations

import contextlib

import trio

from mpc.errors import AccordError
from mpc.transport import Traffic
from parties.running.board import Board
from parties.running.progress_board import ProgressBoard
from parties.running.tasks import Tasks
from parties.wire.messages import ProgressReport

__all__ = ["ProgressTeller"]

_EVERY = 0.25  # seconds between two reports on one job
_WITHIN = 2.0


class ProgressTeller:
    """Keeps what this node's worker says, and passes it on now and then.

    Args:
        board: the node's jobs.
        progress: where it is kept.
        tasks: where the reports live.
    """

    def __init__(self, board: Board, progress: ProgressBoard, tasks: Tasks) -> None:
        self._board = board
        self._progress = progress
        self._tasks = tasks
        self._telling: set[str] = set()

    def worker(self, job: str, operation: str, traffic: Traffic) -> None:
        """See ProgressBoard.worker."""
        self._progress.worker(job, operation, traffic)
        if self._board.coordinates and job not in self._telling:
            self._telling.add(job)
            self._tasks.start_soon(self._tell, job)

    async def _tell(self, job: str) -> None:
        """What is known now; what comes within the next moment is told together."""
        board = self._board
        try:
            record = await board.find(job)
            if record is None or record.state.terminal or board.index_of(record.job.proposer) is not None:
                return
            proposer = board.charter.by_fingerprint.get(record.job.proposer)
            if proposer is None:
                return
            done = self._progress.of(job)
            report = ProgressReport(
                operation=done.operation, rounds=done.rounds, sent=done.sent, fraction=done.fraction
            )
            with contextlib.suppress(AccordError):
                await board.network.call(proposer, report, job, within=_WITHIN)
            await trio.sleep(_EVERY)
        finally:
            self._telling.discard(job)
