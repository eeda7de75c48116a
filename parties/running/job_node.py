"""All of a node that deals with jobs, put together; without sockets, tables or workers, which it is given.

What it does at a start: jobs that were under way before are ended, settled, or gone on with, and shares that are owed
are delivered.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from mpc.errors import AccordError
from parties.errors import ApprovalAwaited, JobRefused
from parties.jobs.job import Job
from parties.jobs.job_signatures import sign_proposal
from parties.jobs.session import State
from parties.membership.charter import Member
from parties.planning.job_work import PUBLISHED, Work
from parties.running.board import Board
from parties.running.coordinator import Coordinator, Slots
from parties.running.delivery import Delivery, Rebuild
from parties.running.job_records import JobRecord
from parties.running.participant import Participant
from parties.running.settling import Settling
from parties.running.tasks import Tasks
from parties.running.waiting import unbegun, waits_for_person
from parties.wire.messages import Accepting, Propose

__all__ = ["JobNode"]

_STEP = 10.0


class JobNode:
    """One node's jobs.

    Args:
        board: who it is, what it keeps, whom it reaches.
        work: what is done in a job.
        rebuild: makes an answer of shares.
        slots: gives lanes; None where this node does not compute.
        tasks: where all of it lives.

    Attributes:
        participant: answers the others' messages.
        delivery: takes shares.
    """

    def __init__(
        self, board: Board, work: Work, rebuild: Rebuild, slots: Slots | None, tasks: Tasks, **options: Any
    ) -> None:
        self._board = board
        self._tasks = tasks
        settling = Settling(board, tasks, **options)
        self.delivery = Delivery(board, rebuild, tasks)
        self.participant = Participant(board, settling, work, tasks, self.delivery.begin)
        self._coordinator = None if slots is None else Coordinator(board, self.participant, settling, slots)

    async def recover(self) -> None:
        """At a start: every job that is not over is taken up where its state says."""
        board = self._board
        for record in await board.disk(board.store.open_jobs):
            cause = f"Restarted: {board.me.name}'s node"
            waits = record.job.on_loss == "wait" and record.job.charter == board.charter.digest
            if waits and (unbegun(record.state) or not record.standing.bound):
                await self.participant.give_up_or_wait(record.job, cause)
                await self._go_on(record, cause)
            elif record.standing.bound:
                self._tasks.start_soon(self.participant.settle, record.job, cause)
            else:
                cause += f" was started anew while the job was {record.state.value}"
                if record.job.charter != board.charter.digest:
                    cause = f"CharterOutdated: version {board.charter.version} of the charter came in force"
                await self.participant.give_up(record.job, cause)
        for record in await board.disk(board.store.open_jobs):
            self.participant.watch(record.job)
        await self.delivery.resume()

    async def _go_on(self, record: JobRecord, cause: str) -> None:
        """With a job that waits, after a restart; waiting.py does the rest, when others are there."""
        board = self._board
        if not board.coordinates:
            self._tasks.start_soon(self._settled, record.job, cause)
        elif PUBLISHED in await board.disk(board.store.facts, record.job.id):
            self._drive(record.job, record.proposal)
        else:  # it was kept, and no more: who proposed it has no answer, and asks again
            await self.participant.give_up(record.job, f"{cause} was started anew before it took the job up")

    async def _settled(self, job: Job, cause: str) -> None:
        """At a member that is bound as it does not compute: what was decided. Before, others may not know the job."""
        kept = await self._board.until(job.id, State.RESERVED, State.RUNNING)
        if kept.standing.bound:
            await self.participant.settle(job, cause)

    async def submit(self, job: Job, tables: Sequence[str]) -> JobRecord:
        """A job of this node's own people: kept, signed, proposed. The same request again gives the one that is kept.

        Args:
            tables: what is published about the job's tables, whose digests it states.

        Raises JobRefused and what the rules of this node raise, JobConflict, PeerCallFailed; the job is ABORTED then.
        """
        board = self._board
        proposal = sign_proposal(job, board.identity)
        record = await board.disk(board.store.submit, job, proposal, board.index is not None, board.clock())
        if record.state is not State.PROPOSED:
            return record
        kept = record.job
        with contextlib.suppress(ApprovalAwaited):  # by this node's own rules: it goes on when somebody approves
            await self.participant.accept(kept, record.proposal, tables)
        if board.coordinates:
            self._drive(kept, record.proposal)
        else:
            text = kept.canonical.decode("ascii")
            message = Propose(job=text, signature=record.proposal.hex(), tables=list(tables))
            try:
                await board.network.call(board.coordinator(), message, kept.id, within=_STEP)
            except Exception as error:
                if not (isinstance(error, AccordError) and waits_for_person(error)):
                    await self.participant.give_up(kept, f"{type(error).__name__}: {error}")
                    raise
        return await board.get(kept.id)

    async def propose(self, peer: Member, job_id: str, body: Propose) -> Accepting:
        """participant.propose; the coordinator begins to drive the job, also if it waits for a person here."""
        try:
            answer = await self.participant.propose(peer, job_id, body)
        except ApprovalAwaited:
            await self._drive_where(job_id, State.PROPOSED)
            raise
        await self._drive_where(job_id, State.ACCEPTED)
        return answer

    async def approve(self, job_id: str, approved: bool, person: str) -> JobRecord:
        """A person at this node approves a job that waits for that, or denies it. ApprovalUnknown, JobUnknown."""
        board = self._board
        await board.disk(board.store.approvals.decide, job_id, approved, person, board.clock())
        board.wake(job_id)
        return await board.get(job_id)

    async def cancel(self, job_id: str, who: str) -> JobRecord:
        """One of this node's people wants a job ended; where it is then."""
        board = self._board
        record = await board.get(job_id)
        if record.job.proposer != board.identity.fingerprint:
            raise JobRefused(f"job {job_id} was proposed by another member: only its proposer's people cancel it")
        await self.participant.give_up(record.job, f"Cancelled: by {who} of {board.me.name}")
        return await board.until(job_id)

    async def end_those_of_another_charter(self) -> None:
        """A new charter is in force: jobs made under another one are not gone on with."""
        board = self._board
        for record in await board.disk(board.store.open_jobs):
            if record.job.charter != board.charter.digest:
                cause = f"CharterOutdated: version {board.charter.version} of the charter came in force"
                self._tasks.start_soon(self.participant.give_up, record.job, cause)

    async def _drive_where(self, job_id: str, state: State) -> None:
        """At the coordinator, if the job is in this state."""
        record = await self._board.get(job_id)
        if self._board.coordinates and record.state is state:
            self._drive(record.job, record.proposal)

    def _drive(self, job: Job, proposal: bytes) -> None:
        assert self._coordinator is not None
        self._tasks.start_soon(self._coordinator.drive, job, proposal)
