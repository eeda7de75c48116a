"""What a node answers to a proposal, and to the steps the coordinator orders, each checked before it is taken.

1. propose: the job is checked and, if this node's rules allow it, accepted: kept on disk, then signed.
2. reserve: everybody's acceptances are checked and kept; a member that does not compute deals its rows now.
3. run: the worker runs the kind's program in the lane named (job_run.py).
4. ready: a vote, for the coordinator.
"""

from __future__ import annotations

import contextlib
import logging
import weakref
from collections.abc import Mapping, Sequence

import trio

from mpc.errors import AccordError
from parties.calls.quiet_log import place_of
from parties.errors import ApprovalAwaited, IllegalStep, JobRefused, LedgerMoved, NodeFault
from parties.jobs.job import Job, check_id, check_job, participants, read_job
from parties.jobs.job_signatures import check_acceptances, check_proposal, check_vote
from parties.jobs.session import Event, State
from parties.membership.charter import Member
from parties.planning.job_work import PUBLISHED, Consent, Work, check_described
from parties.running.board import Board
from parties.running.ending import Ending
from parties.running.job_records import JobRecord
from parties.running.job_run import Runs
from parties.running.under_way import UnderWay
from parties.running.waiting import until_there, waits_out
from parties.wire.message_form import Done, bytes_of, signatures_of
from parties.wire.messages import Accepting, Kept, Propose, Ready, Reserve, Run, StateAnswer, StateQuery

__all__ = ["StepAnswers"]

_AGAIN = 1.0  # seconds until rows are dealt again, at least
_log = logging.getLogger("accord.node")


class StepAnswers:
    """One node's answers to the steps of a job.

    Args:
        board: what is kept, and whom it can reach.
        ending: ends what cannot go on.
        runs: begins runs.
        under_way: runs and votes there are.
        work: what is done.
    """

    def __init__(self, board: Board, ending: Ending, runs: Runs, under_way: UnderWay, work: Work) -> None:
        self._board = board
        self._ending = ending
        self._runs = runs
        self._under_way = under_way
        self._work = work
        self._turns: weakref.WeakValueDictionary[str, trio.Lock] = weakref.WeakValueDictionary()  # by job

    async def propose(self, peer: Member, job_id: str, body: Propose) -> Accepting:
        """Step 1."""
        board, charter = self._board, self._board.charter
        job = read_job(body.job.encode("utf-8"))
        check_id(job, job_id)
        check_job(job, charter, board.clock())
        proposal = bytes.fromhex(body.signature)
        proposer = check_proposal(job, charter, proposal)
        if peer.fingerprint not in (proposer.fingerprint, board.coordinator().fingerprint):
            raise JobRefused(f"job {job.id}: {peer.name} neither proposed it nor coordinates")
        if board.me not in participants(job, charter):
            raise JobRefused(f"job {job.id}: {board.me.name} has no part in it")
        for member in participants(job, charter):
            if member.address is None:
                raise JobRefused(f"job {job.id}: {member.name} has no address in the charter, so nobody can ask it")
        return Accepting(acceptance=(await self.accept(job, proposal, body.tables)).hex())

    async def accept(self, job: Job, proposal: bytes, tables: Sequence[str]) -> bytes:
        """This node's own part of step 1, for a job that was checked; its acceptance. Again: the same again.

        ApprovalAwaited, and the job stays PROPOSED, where a person has to look at it first.
        """
        async with self._turn(job.id):  # asked again meanwhile, the job would be charged by then, and be too much
            return await self._accept(job, proposal, tables)

    async def _accept(self, job: Job, proposal: bytes, tables: Sequence[str]) -> bytes:
        board = self._board
        record = await board.disk(board.store.add, job, proposal, board.index is not None, board.clock())
        name = board.me.name
        if record.state is State.PROPOSED:
            self._ending.watch(job)
            try:
                acceptance = await self._accepted(job, tables)
            except ApprovalAwaited:
                raise
            except IllegalStep:  # somebody was faster: what is kept then counts
                acceptance = None
            except AccordError as error:
                refusal = f"{name} refuses: {type(error).__name__}: {error}"
                with contextlib.suppress(IllegalStep):
                    await board.step(job.id, Event.REFUSE, refusal)
                raise JobRefused(refusal) from None
            if acceptance is not None:
                return acceptance
            record = await board.get(job.id)
        if record.state is State.ABORTED:
            raise JobRefused(record.cause)
        kept = await board.disk(board.store.acceptances, job.id)
        if name not in kept:
            raise JobRefused(f"job {job.id}: {name} has not accepted it")
        return kept[name]

    async def _accepted(self, job: Job, tables: Sequence[str]) -> bytes:
        """check_described, and Work.consent, kept. A job that makes this node's own checks fail is refused.

        Raises what these raise; ApprovalAwaited; IllegalStep.
        """
        board = self._board
        try:
            check_described(job, tables)
            while True:
                consent = await self._work.consent(job, tables)
                if consent.waits:
                    await self._approved(job, tables, consent)
                with contextlib.suppress(LedgerMoved):  # another job was charged meanwhile: look again
                    return await board.accept(job, consent, {PUBLISHED: list(tables)})
        except AccordError:
            raise
        except Exception as error:
            fault = place_of(error)
        _log.error("job %s: a fault of this node's own: %s", job.id, fault)
        raise NodeFault(f"at {self._board.me.name}: {fault}")

    async def reserve(self, peer: Member, job_id: str, body: Reserve) -> Done:
        """Step 2."""
        self._check_coordinator(peer)
        async with self._turn(job_id):
            await self._reserve(await self._board.get(job_id), body.acceptances)
        return Done()

    async def _approved(self, job: Job, tables: Sequence[str], consent: Consent) -> None:
        """approvals.Approvals.check. Asked about again and again, so what the job needs to wait is kept once."""
        board = self._board
        if await board.disk(board.store.approvals.find, job.id) is None:
            await board.disk(board.store.keep_facts, job.id, {PUBLISHED: list(tables)})
        await board.disk(board.store.approvals.check, job, consent, board.me.name, board.clock())

    async def _reserve(self, record: JobRecord, signatures: Mapping[str, str]) -> None:
        board, job_id = self._board, record.job.id
        charter = board.charter_of(record.job)
        acceptances = bytes_of(signatures)
        stated = check_acceptances(record.job, charter, acceptances)
        if record.state is State.ACCEPTED:
            heads = {name: statement.head for name, statement in stated.items()}
            told = {"heads": {name: head.fields for name, head in heads.items()}}
            await board.step(job_id, Event.RESERVE, "", acceptances=acceptances, told=told, heads=heads)
        elif record.state is not State.RESERVED:
            raise JobRefused(f"job {job_id} is {record.state.value} at {board.me.name}: {record.cause}")
        if job_id not in self._under_way.dealt:
            await self._deal(record.job)
            if not (await board.get(job_id)).state.terminal:  # else it ended meanwhile, and nothing of it is kept
                self._under_way.dealt.add(job_id)

    async def _deal(self, job: Job) -> None:
        """All of it; where a receiver was lost and the job waits, all of it again, under new seeds, once all are there.

        So does a node that ended while it dealt: every part of the dealing before is replaced.
        """
        while True:
            try:
                return await self._work.deal(job)
            except AccordError as error:
                if not waits_out(job, error):
                    await self._ending.give_up(job, f"{type(error).__name__}: {error}")
                    raise
            await until_there(self._board, job, self._board.other_computers(job), _AGAIN)

    async def run(self, peer: Member, job_id: str, body: Run) -> Done:
        """Step 3; step 2 too, where it comes with everybody's acceptances."""
        self._check_coordinator(peer)
        async with self._turn(job_id):
            record = await self._board.get(job_id)
            if record.job.charter != self._board.charter.digest:
                raise JobRefused(f"job {job_id} was made under another charter than the one in force")
            if record.state is State.ACCEPTED and body.acceptances:
                await self._reserve(record, body.acceptances)
            if record.state is not State.RUNNING or job_id not in self._under_way.running:
                await self._runs.begin(record.job, body)
        return Done()

    async def ready(self, peer: Member, job_id: str, body: Ready) -> Done:
        """Step 4."""
        board = self._board
        record = await board.get(job_id)
        if not board.coordinates or board.index_of(peer.fingerprint, record.job) is None:
            raise JobRefused(f"job {job_id}: votes go from compute members to the coordinator")
        vote = bytes.fromhex(body.vote)
        check_vote(record.job, peer, vote)
        if not record.state.terminal:
            self._under_way.keep_vote(job_id, peer.name, vote)
            board.wake(job_id)
        return Done()

    async def state(self, peer: Member, job_id: str, body: StateQuery) -> StateAnswer:
        """How far this node is; with the votes that prove it, where the job is released.

        A member that has no part in the job hears what it would hear of none.
        """
        record = await self._board.find(job_id)
        if record is None or not self._board.takes_part(peer, record.job):
            return StateAnswer(state=None)
        held = await self._work.held(record.job) if record.job.on_loss == "wait" else []
        kept = [Kept(run=run, step=step) for run, step in held]
        released = record.state is State.RELEASED
        votes = await self._board.disk(self._board.store.votes, job_id) if released else {}
        return StateAnswer(
            state=record.state.value,
            cause=record.cause,
            voted=record.standing.voted,
            checkpoints=kept,
            votes=signatures_of(votes),
        )

    def _turn(self, job_id: str) -> trio.Lock:
        """One step of a job at a time, whoever asks for it how often."""
        turn = self._turns.get(job_id)
        if turn is None:
            turn = self._turns[job_id] = trio.Lock()
        return turn

    def _check_coordinator(self, peer: Member) -> None:
        if peer.fingerprint != self._board.coordinator().fingerprint:
            raise JobRefused(f"{peer.name} does not coordinate: {self._board.coordinator().name} does")
