"""When a node gives a job up, ends it because somebody wants that, and what follows from a job's end.

A node that has not voted may give up at any moment: it keeps ABORTED, then tells the others why. One that voted is
bound, and finds out what was decided (settling.py).
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable

import trio

from mpc.errors import AccordError
from parties.errors import IllegalStep, JobRefused, PeerRefusedUs
from parties.jobs.job import LATE, Job, check_id, participants, read_job
from parties.jobs.job_signatures import check_proposal
from parties.jobs.session import Event, State
from parties.membership.charter import Member
from parties.running.board import Board
from parties.running.job_records import JobRecord
from parties.running.settling import Settling
from parties.running.tasks import Tasks
from parties.running.under_way import UnderWay
from parties.wire.message_form import Done
from parties.wire.messages import Abort

__all__ = ["Ending"]


class Ending:
    """The ends of one node's jobs.

    Args:
        board: what is kept, and whom it can reach.
        settling: its ballots.
        under_way: its runs.
        tasks: where what is told lives.
        released: called when a job is released here.
    """

    def __init__(
        self,
        board: Board,
        settling: Settling,
        under_way: UnderWay,
        tasks: Tasks,
        released: Callable[[Job], Awaitable[None]],
    ) -> None:
        self._board = board
        self._settling = settling
        self._under_way = under_way
        self._tasks = tasks
        self._released = released
        self._watched: set[str] = set()  # jobs whose deadline is waited for

    # -- somebody else wants it --------------------------------------------------------------------

    async def abort(self, peer: Member, job_id: str, body: Abort) -> Done:
        """Somebody wants it ended. The answer comes when nothing of it runs here any more.

        One that is not here is kept as ended, unless nobody can take it up any more. TooManyJobs if there is no room.
        """
        board = self._board
        if body.job is not None and body.signature is not None and await board.find(job_id) is None:
            proposal, now = bytes.fromhex(body.signature), board.clock()
            job = self._check_whole(peer, job_id, body.job, proposal)
            if now >= job.expires + LATE:
                return Done()
            await board.disk(board.store.refuse, job, proposal, board.index is not None, now, body.text)
        record = await board.get(job_id)
        if not board.takes_part(peer, record.job):
            raise JobRefused(f"job {job_id}: {peer.name} has no part in it")
        computes = board.index_of(peer.fingerprint, record.job) is not None
        await self._end(record, body.text, decisive=computes, tell=False)
        await self._under_way.stopped(job_id)
        return Done()

    def _check_whole(self, peer: Member, job_id: str, text: str, proposal: bytes) -> Job:
        """A job that is ended before this node was asked: it was proposed, and both members have a part in it."""
        board, job = self._board, read_job(text.encode("utf-8"))
        check_id(job, job_id)
        charter = board.charter_of(job)
        if job.charter != charter.digest:
            raise JobRefused(f"job {job_id} was made under a charter that was never in force here")
        check_proposal(job, charter, proposal)
        if not {peer, board.me} <= set(participants(job, charter)):
            raise JobRefused(f"job {job_id}: {peer.name} or {board.me.name} has no part in it")
        return job

    # -- this node gives up ------------------------------------------------------------------------

    async def give_up(self, job: Job, cause: str) -> None:
        """This node wants the job ended, and says so to the others.

        The coordinator says so of one that ended here already, too: if its own people denied it, nobody else knows.
        """
        record = await self._board.find(job.id)
        if record is not None and record.state is State.ABORTED and self._board.coordinates:
            self._tasks.start_soon(self._tell, job, record.cause)
        elif record is not None:
            await self._end(record, cause, decisive=False, tell=True)

    async def lost(self, member: Member, reason: str) -> None:
        """A member's node is gone: jobs that need it end, those that may have been decided are settled."""
        board = self._board
        for record in await board.disk(board.store.open_jobs):
            if not board.takes_part(member, record.job):
                continue
            computes = board.index_of(member.fingerprint, record.job) is not None
            inputs = {owner for owner, _ in record.job.tables}
            if computes or (member.name in inputs and record.state not in (State.RESERVED, State.RUNNING)):
                cause = f"MemberLost: {member.name} was lost: {reason}"
                self._tasks.start_soon(self.give_up_or_wait, record.job, cause)

    async def give_up_or_wait(self, job: Job, cause: str) -> None:
        """As :meth:`give_up`; but a job that is to wait for who was lost stays, or is suspended if it was running."""
        record = await self._board.find(job.id)
        if job.on_loss != "wait" or record is None or record.state.terminal:
            await self.give_up(job, cause)
        elif record.state is State.RUNNING:
            try:
                await self._board.step(job.id, Event.SUSPEND, cause)
            except IllegalStep:  # it voted, is over, or was suspended for somebody else meanwhile
                if await self._board.state(job.id) is State.RUNNING:
                    await self.give_up(job, cause)
            else:
                self._under_way.cancel(job.id)

    def watch(self, job: Job) -> None:
        """End it when its deadline passes, whatever it waits for. Once for each job."""
        if job.id not in self._watched:
            self._watched.add(job.id)
            self._tasks.start_soon(self._expire, job)

    async def _expire(self, job: Job) -> None:
        board = self._board
        try:
            with trio.move_on_after(max(0.0, job.expires - board.clock())):
                await board.until(job.id)
                return
            await self.give_up(job, f"Expired: its deadline of {job.deadline} s passed")
        finally:
            self._watched.discard(job.id)

    # -- the end -----------------------------------------------------------------------------------

    async def settle(self, job: Job, cause: str) -> None:
        """settling.Settling.settle, and what follows."""
        await self._settling.settle(job, cause)
        await self.at_its_end(job)

    async def at_its_end(self, job: Job) -> None:
        """What follows a terminal state: the run stops, a released share goes out. Nothing before it is there."""
        state = await self._board.state(job.id)
        if state is None or not state.terminal:
            return
        self._under_way.cancel(job.id)
        self._under_way.votes.pop(job.id, None)
        self._under_way.dealt.discard(job.id)
        if state is State.RELEASED:
            await self._released(job)

    async def _end(self, record: JobRecord, cause: str, *, decisive: bool, tell: bool) -> None:
        job, board = record.job, self._board
        if record.state.terminal:
            return
        try:
            await board.step(job.id, Event.DECIDE_ABORT if decisive else Event.ABORT, cause)
        except IllegalStep:  # bound, or at its end meanwhile
            if tell and not record.standing.computes:  # those who compute may be free to end it
                self._tasks.start_soon(self._tell, job, cause)
            self._tasks.start_soon(self.settle, job, cause)
            return
        await self.at_its_end(job)
        if tell:
            self._tasks.start_soon(self._tell, job, cause)

    async def _tell(self, job: Job, cause: str) -> None:
        board = self._board
        record = await board.get(job.id)
        short = Abort(text=cause[:2000])
        whole = Abort(text=cause[:2000], job=job.canonical.decode("ascii"), signature=record.proposal.hex())

        async def one(member: Member) -> None:
            with contextlib.suppress(AccordError):
                try:
                    await board.tell(member, job, short)
                except PeerRefusedUs as error:
                    if error.error == "JobUnknown":
                        await board.tell(member, job, whole)

        async with trio.open_nursery() as nursery:
            for member in board.others(job):
                nursery.start_soon(one, member)
