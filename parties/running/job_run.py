"""A run at one compute member, from the coordinator's order to this node's vote.

The worker's answer is this node's share of the sealed figures. Share and vote are kept on disk together, then the vote
goes to the coordinator; a node that is told no decision soon finds out by itself (settling.py).
"""

from __future__ import annotations

import contextlib
import logging

import trio

from mpc.errors import AccordError, PartyFailed, PeerError
from parties.calls.quiet_log import place_of
from parties.errors import AnswerTooLarge, IllegalStep, JobRefused, LaneInvalid, LaneLost, NodeFault, WorkerLost
from parties.jobs.job import Job
from parties.jobs.job_signatures import sign_vote
from parties.jobs.session import Event
from parties.planning.job_work import Outcome, Work
from parties.running.board import Board
from parties.running.ending import Ending
from parties.running.tasks import Tasks
from parties.running.under_way import Running, UnderWay
from parties.wire.messages import Ready, Run

__all__ = ["Runs"]

_log = logging.getLogger("accord.node")
_CAUSE = 0.3  # seconds in which a run that lost somebody waits to be told why
_HEARSAY = 1.2  # the same, where somebody was lost, and this node does not know who
_UNDECIDED = 2.0  # seconds after its vote in which a node waits to be told, before it asks


class Runs:
    """The runs of one node.

    Args:
        board: what is kept, and whom it can reach.
        ending: ends the jobs of runs that fail.
        under_way: where runs are known by job.
        work: what is done.
        tasks: where runs live.
    """

    def __init__(self, board: Board, ending: Ending, under_way: UnderWay, work: Work, tasks: Tasks) -> None:
        self._board = board
        self._ending = ending
        self._under_way = under_way
        self._work = work
        self._tasks = tasks

    async def may_begin(self, job: Job) -> bool:
        """Whether the job may run here from its beginning: always the first time, then as Work.may_begin_anew says."""
        return not await self._board.begun(job.id) or await self._work.may_begin_anew(job)

    async def begin(self, job: Job, order: Run) -> None:
        """The job is RUNNING when this returns, and goes on by itself. IllegalStep if it must not.

        JobRefused, and it stays where it is, if it is to begin anew and must not, as the noise in what a run leaks
        would be drawn twice: each node sees to that by itself, whatever the coordinator orders. A checkpoint that is
        not kept here is none.
        """
        await self._under_way.stopped(job.id)  # one that was suspended may still be ending
        if job.on_loss == "wait":  # another one never runs twice
            kept = order.checkpoint
            goes_on = kept is not None and (kept.run, kept.step) in await self._work.held(job)
            if not goes_on and not await self.may_begin(job):
                name = self._board.me.name
                raise JobRefused(
                    f"job {job.id} had begun at {name}, which has no such checkpoint, and must not begin anew"
                )
        await self._board.step(job.id, Event.RUN, f"lane {order.lane}")
        self._under_way.running[job.id] = running = Running(trio.CancelScope(), trio.Event())
        self._tasks.start_soon(self._run, job, order, running)

    async def _run(self, job: Job, order: Run, running: Running) -> None:
        outcome: Outcome | None = None
        failure: AccordError | None = None
        vote: bytes | None = None
        ending = self._ending
        try:
            with running.scope:
                try:
                    outcome = await self._work.compute(job, order)
                except AccordError as error:
                    failure = error
                except Exception as error:
                    failure = NodeFault(place_of(error))
                    _log.error("job %s: a fault of this node's own: %s", job.id, place_of(error))
            if outcome is not None:
                vote = await self._ready(job, outcome)
            elif failure is not None:
                if _is_loss(failure) and type(failure) is not WorkerLost:
                    within = _CAUSE if _named(failure) else _HEARSAY
                    with trio.move_on_after(within):  # who ended it says why, and knows better
                        await self._board.until(job.id)
                cause = f"{type(failure).__name__}: {self._where(failure)}"
                await (ending.give_up_or_wait if _is_loss(failure) else ending.give_up)(job, cause)
        finally:  # not sooner: what this run comes to must not be taken for what the next one does
            running.over.set()
            self._under_way.running.pop(job.id, None)
        if vote is None:
            return
        await self._vote(job, vote, order.epoch)
        with trio.move_on_after(_UNDECIDED):
            await self._board.until(job.id)
            return
        await ending.settle(job, "Undecided: the coordinator told no decision in time")

    async def _ready(self, job: Job, outcome: Outcome) -> bytes | None:
        """Share and vote are kept; the vote. None if the job was ended meanwhile, or what it gave cannot be kept."""
        board = self._board
        vote = sign_vote(job, board.identity, outcome.share)
        try:
            await board.step(
                job.id, Event.READY, "", votes={board.me.name: vote}, share=outcome.share, facts=outcome.facts
            )
        except IllegalStep:
            return None
        except AnswerTooLarge as error:
            await self._ending.give_up(job, f"{type(error).__name__}: {error}")
            return None
        return vote

    def _where(self, failure: AccordError) -> str:
        """What a run failed with, and where: workers know parties by their index only, people know members."""
        text = f"at {self._board.me.name}: {failure}"
        if isinstance(failure, PeerError | LaneLost) and 0 <= failure.peer < len(self._board.charter.compute):
            text += f" (party {failure.peer} is {self._board.charter.compute[failure.peer].name})"
        return text

    async def _vote(self, job: Job, vote: bytes, epoch: int) -> None:
        board = self._board
        if board.coordinates:
            self._under_way.keep_vote(job.id, board.me.name, vote)
            board.wake(job.id)
            return
        message = Ready(epoch=epoch, vote=vote.hex())
        with contextlib.suppress(AccordError):
            await board.network.call(board.coordinator(), message, job.id, within=_UNDECIDED)


def _named(failure: AccordError) -> bool:
    """Whether a failure says which party was lost."""
    return isinstance(failure, PeerError | LaneLost) and failure.peer >= 0


def _is_loss(failure: AccordError) -> bool:
    """Whether a run ended for somebody who was lost, and not by itself."""
    if isinstance(failure, PartyFailed):
        return failure.kind in ("PeerLost", "PeerSilent", "FrameTruncated", "CancelledError", "Cancelled", "WorkerLost")
    return isinstance(failure, PeerError | WorkerLost | LaneInvalid)
