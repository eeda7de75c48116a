"""One node's part in every job: what it answers the others, what it runs, when it gives up. session.py has the rules.

 1. propose: the job is checked and, if this node's rules allow it, accepted: kept on disk, then signed.
 2. reserve: everybody's acceptances are checked and kept; a member that does not compute deals its rows now.
 3. run: the worker runs the kind's program in the lane named.
 4. The worker's answer is this node's share of the sealed figures. Share and vote are kept on disk together, then the
    vote goes to the coordinator.
 5. What is decided is kept, then the share is given to the result members (delivery.py).

A node that has not voted may give up at any moment: it keeps ABORTED, then tells the others why. One that voted is
bound, and finds out what was decided (settling.py).
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import trio

from mpc.errors import AccordError, PartyFailed, PeerError
from parties.board import Board
from parties.charter import Member
from parties.decision import Accepted, Nack, Promise, Value
from parties.errors import (
    AnswerTooLarge,
    IllegalStep,
    JobInvalid,
    JobRefused,
    JobUnknown,
    LaneInvalid,
    NodeFault,
    PeerRefusedUs,
    WorkerLost,
)
from parties.job import Job, check_job, participants, read_job
from parties.job_records import JobRecord
from parties.job_signatures import (
    check_acceptances,
    check_proposal,
    check_vote,
    check_votes,
    sign_job,
    sign_vote,
)
from parties.message_form import Done
from parties.messages import (
    Abort,
    Accept,
    Acceptance,
    Decided,
    Kept,
    Prepare,
    Propose,
    Ready,
    Reserve,
    Run,
    StateAnswer,
    StateQuery,
)
from parties.messages import Accepted as AcceptedAnswer
from parties.messages import Promise as PromiseAnswer
from parties.quiet_log import place_of
from parties.session import Event, State
from parties.settling import Settling, ballot_message, read_ballot
from parties.tasks import Tasks

__all__ = ["PUBLISHED", "Outcome", "Participant", "Work", "check_described"]

PUBLISHED = "published"
"""The fact of a job under which the descriptions of its tables are kept."""

_log = logging.getLogger("accord.node")
_CAUSE = 0.3  # seconds in which a run that broke for others waits to be told why
_UNDECIDED = 2.0  # seconds after its vote in which a node waits to be told, before it asks


@dataclass(frozen=True, slots=True)
class _Running:
    """A run under way: cancel it by ``scope``; ``over`` is set when all of it has ended, its vote or failure kept."""

    scope: trio.CancelScope
    over: trio.Event


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run gave at one compute member. ``share`` is secret; ``facts`` are public, for JSON."""

    share: bytes
    facts: Mapping[str, Any]


class Work(Protocol):
    """What is done in a job, apart from its order. All of it may raise AccordErrors, which end the job."""

    async def consent(self, job: Job, tables: Sequence[str]) -> None:
        """Whether this node's rules allow the job on these described tables; raises why not, and the way out."""
        ...

    async def deal(self, job: Job) -> None:
        """Give the compute members this member's rows, where it does not compute itself."""
        ...

    async def compute(self, job: Job, order: Run) -> Outcome:
        """Run it in this lane. Cancelled, the lane is free again, or gone, when it returns."""
        ...

    async def held(self, job: Job) -> list[tuple[str, int]]:
        """(run, step) of the checkpoints that are kept here, the newest last."""
        ...

    async def may_begin_anew(self, job: Job) -> bool:
        """Whether a job whose run was lost may begin again without a checkpoint."""
        ...


class Participant:
    """The jobs of one node.

    Args:
        board: what is kept, and whom it can reach.
        settling: its ballots.
        work: what is done.
        tasks: where runs live.
        released: called when a job is released here.
    """

    def __init__(
        self,
        board: Board,
        settling: Settling,
        work: Work,
        tasks: Tasks,
        released: Callable[[Job], Awaitable[None]],
    ) -> None:
        self._board = board
        self._settling = settling
        self._work = work
        self._tasks = tasks
        self._released = released
        self._running: dict[str, _Running] = {}
        self._votes: dict[str, dict[str, bytes]] = {}

    # -- what others ask ---------------------------------------------------------------------------

    async def propose(self, peer: Member, job_id: str, body: Propose) -> Acceptance:
        """Step 1."""
        board, charter = self._board, self._board.charter
        job = read_job(body.job.encode("utf-8"))
        _check_id(job, job_id)
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
        return Acceptance(signature=(await self.accept(job, proposal, body.tables)).hex())

    async def accept(self, job: Job, proposal: bytes, tables: Sequence[str]) -> bytes:
        """This node's own part of step 1, for a job that was checked; its signature. Again: the same again."""
        board = self._board
        record = await board.disk(board.store.add, job, proposal, board.index is not None, board.clock())
        name = board.me.name
        if record.state is State.PROPOSED:
            try:
                check_described(job, tables)
                await self._consented(job, tables)
                await board.disk(board.store.keep_facts, job.id, {PUBLISHED: list(tables)})
            except AccordError as error:
                refusal = f"{name} refuses: {type(error).__name__}: {error}"
                with contextlib.suppress(IllegalStep):
                    await board.step(job.id, Event.REFUSE, refusal)
                raise JobRefused(refusal) from None
            except Exception as error:
                fault = f"NodeFault: at {name}: {place_of(error)}"
                with contextlib.suppress(IllegalStep):
                    await board.step(job.id, Event.REFUSE, fault)
                raise JobRefused(fault) from None
            signature = sign_job(job, board.identity)
            with contextlib.suppress(IllegalStep):  # somebody was faster: what is kept then counts
                await board.step(job.id, Event.ACCEPT, "", acceptances={name: signature})
                self._tasks.start_soon(self.expire, job)
            record = await board.get(job.id)
        if record.state is State.ABORTED:
            raise JobRefused(record.cause)
        kept = await board.disk(board.store.acceptances, job.id)
        if name not in kept:
            raise JobRefused(f"job {job.id}: {name} has not accepted it")
        return kept[name]

    async def _consented(self, job: Job, tables: Sequence[str]) -> None:
        """Work.consent. A job that makes this node's own checks fail is refused."""
        try:
            await self._work.consent(job, tables)
            return
        except AccordError:
            raise
        except Exception as error:
            fault = place_of(error)
        _log.error("job %s: a fault of this node's own: %s", job.id, fault)
        raise NodeFault(f"at {self._board.me.name}: {fault}")

    async def reserve(self, peer: Member, job_id: str, body: Reserve) -> Done:
        """Step 2."""
        self._check_coordinator(peer)
        board = self._board
        record = await self._get(job_id)
        charter = board.charter_of(record.job)
        acceptances = {name: bytes.fromhex(signature) for name, signature in body.acceptances.items()}
        check_acceptances(record.job, charter, acceptances)
        if record.state is State.ACCEPTED:
            await board.step(job_id, Event.RESERVE, "", acceptances=acceptances)
            try:
                await self._work.deal(record.job)
            except AccordError as error:
                await self.give_up(record.job, f"{type(error).__name__}: {error}")
                raise
        elif record.state is not State.RESERVED:
            raise JobRefused(f"job {job_id} is {record.state.value} at {board.me.name}: {record.cause}")
        return Done()

    async def run(self, peer: Member, job_id: str, body: Run) -> Done:
        """Step 3."""
        self._check_coordinator(peer)
        record = await self._get(job_id)
        if record.state is State.RUNNING and job_id in self._running:
            return Done()
        await self.stopped(job_id)  # one that was suspended may still be ending
        await self._board.step(job_id, Event.RUN, f"lane {body.lane}")
        self._running[job_id] = running = _Running(trio.CancelScope(), trio.Event())
        self._tasks.start_soon(self._run, record.job, body, running)
        return Done()

    async def ready(self, peer: Member, job_id: str, body: Ready) -> Done:
        """A vote, for the coordinator."""
        record = await self._get(job_id)
        if not self._board.coordinates or self._board.index_of(peer.fingerprint, record.job) is None:
            raise JobRefused(f"job {job_id}: votes go from compute members to the coordinator")
        vote = bytes.fromhex(body.signature)
        check_vote(record.job, peer, vote)
        if record.state.terminal:
            return Done()
        self._votes.setdefault(job_id, {})[peer.name] = vote
        self._board.wake(job_id)
        return Done()

    async def prepare(self, peer: Member, job_id: str, body: Prepare) -> PromiseAnswer:
        """Phase 1 of somebody's ballot."""
        self._check_caster(peer, body, await self._get(job_id))
        board = self._board
        match await board.disk(board.store.prepare, job_id, read_ballot(body.ballot)):
            case Nack(promised=promised):
                return PromiseAnswer(ballot=body.ballot, outbid=ballot_message(promised))
            case Promise(accepted=accepted, value=value):
                return PromiseAnswer(
                    ballot=body.ballot,
                    accepted=None if accepted is None else ballot_message(accepted),
                    value=None if value is None else value.value,
                )

    async def accept_ballot(self, peer: Member, job_id: str, body: Accept) -> AcceptedAnswer:
        """Phase 2."""
        record = await self._get(job_id)
        self._check_caster(peer, body, record)
        board, charter = self._board, self._board.charter_of(record.job)
        votes: dict[str, bytes] = {}
        if body.value == "release":
            votes = {name: bytes.fromhex(signature) for name, signature in body.votes.items()}
            check_votes(record.job, charter, votes)
        answer = await board.disk(board.store.accept, job_id, read_ballot(body.ballot), Value(body.value), votes)
        match answer:
            case Nack(promised=promised):
                return AcceptedAnswer(ballot=body.ballot, outbid=ballot_message(promised))
            case Accepted():
                return AcceptedAnswer(ballot=body.ballot)

    async def decided(self, peer: Member, job_id: str, body: Decided) -> Done:
        """A compute member says what was decided."""
        record = await self._get(job_id)
        if self._board.index_of(peer.fingerprint, record.job) is None:
            raise JobRefused(f"job {job_id}: {peer.name} does not compute, so it decides nothing")
        if not record.state.terminal:
            event = Event.DECIDE_RELEASE if body.value == "release" else Event.DECIDE_ABORT
            await self._board.step(job_id, event, body.text)
            await self.at_its_end(record.job)
        return Done()

    async def state(self, peer: Member, job_id: str, body: StateQuery) -> StateAnswer:
        """How far this node is."""
        record = await self._board.find(job_id)
        if record is None:
            return StateAnswer(state=None)
        held = await self._work.held(record.job) if record.job.on_loss == "wait" else []
        kept = [Kept(run=run, step=step) for run, step in held]
        return StateAnswer(state=record.state.value, cause=record.cause, voted=record.standing.voted, checkpoints=kept)

    async def abort(self, peer: Member, job_id: str, body: Abort) -> Done:
        """Somebody wants it ended. The answer comes when nothing of it runs here any more."""
        if body.job is not None and body.signature is not None and await self._board.find(job_id) is None:
            await self._keep(peer, job_id, body.job, bytes.fromhex(body.signature), body.text)
        record = await self._get(job_id)
        if not self._board.takes_part(peer, record.job):
            raise JobRefused(f"job {job_id}: {peer.name} has no part in it")
        computes = self._board.index_of(peer.fingerprint, record.job) is not None
        await self._end(record, body.text, decisive=computes, tell=False)
        await self.stopped(job_id)
        return Done()

    # -- giving up ---------------------------------------------------------------------------------

    async def give_up(self, job: Job, cause: str) -> None:
        """This node wants the job ended, and says so to the others."""
        record = await self._board.find(job.id)
        if record is not None:
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
        """As :meth:`give_up`; but a job that is to wait, and has begun, waits for the member that was lost."""
        record = await self._board.find(job.id)
        if job.on_loss != "wait" or record is None or record.state not in (State.RESERVED, State.RUNNING):
            await self.give_up(job, cause)
        elif record.state is State.RUNNING:
            try:
                await self._board.step(job.id, Event.SUSPEND, cause)
            except IllegalStep:  # it voted, is over, or was suspended for somebody else meanwhile
                if await self._board.state(job.id) is State.RUNNING:
                    await self.give_up(job, cause)
            else:
                self._cancel(job.id)

    async def stopped(self, job_id: str) -> None:
        """Until the run of this job, if there is one, is over here."""
        running = self._running.get(job_id)
        if running is not None:
            await running.over.wait()

    def _cancel(self, job_id: str) -> None:
        running = self._running.get(job_id)
        if running is not None:
            running.scope.cancel()

    def votes(self, job_id: str) -> dict[str, bytes]:
        """The votes the coordinator has, by member."""
        return self._votes.get(job_id, {})

    async def at_its_end(self, job: Job) -> None:
        """What follows a terminal state: the run stops, a released share goes out. Nothing before it is there."""
        state = await self._board.state(job.id)
        if state is None or not state.terminal:
            return
        self._cancel(job.id)
        self._votes.pop(job.id, None)
        if state is State.RELEASED:
            await self._released(job)

    async def settle(self, job: Job, cause: str) -> None:
        """settling.Settling.settle, and what follows."""
        await self._settling.settle(job, cause)
        await self.at_its_end(job)

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
            for member in self._board.others(job):
                nursery.start_soon(one, member)

    async def expire(self, job: Job) -> None:
        """End it when its deadline passes."""
        board = self._board
        with trio.move_on_after(max(0.0, job.expires - board.clock())):
            await board.until(job.id)
            return
        await self.give_up(job, f"Expired: its deadline of {job.deadline} s passed")

    # -- a run -------------------------------------------------------------------------------------

    async def _run(self, job: Job, order: Run, running: _Running) -> None:
        outcome: Outcome | None = None
        failure: AccordError | None = None
        vote: bytes | None = None
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
                if _is_loss(failure) and not isinstance(failure, WorkerLost):
                    with trio.move_on_after(_CAUSE):  # who ended it says why, and knows better
                        await self._board.until(job.id)
                cause = f"{type(failure).__name__}: {self._where(failure)}"
                await (self.give_up_or_wait if _is_loss(failure) else self.give_up)(job, cause)
        finally:  # not sooner: what this run comes to must not be taken for what the next one does
            running.over.set()
            self._running.pop(job.id, None)
        if vote is None:
            return
        await self._vote(job, vote, order.epoch)
        with trio.move_on_after(_UNDECIDED):
            await self._board.until(job.id)
            return
        await self.settle(job, "Undecided: the coordinator told no decision in time")

    async def _ready(self, job: Job, outcome: Outcome) -> bytes | None:
        """Share and vote are kept; the vote. None if the job was ended meanwhile, or what it gave cannot be kept."""
        board = self._board
        vote = sign_vote(job, board.identity)
        try:
            await board.step(job.id, Event.READY, "", votes={board.me.name: vote}, share=outcome.share)
        except IllegalStep:
            return None
        except AnswerTooLarge as error:
            await self.give_up(job, f"{type(error).__name__}: {error}")
            return None
        await board.disk(board.store.keep_facts, job.id, outcome.facts)
        return vote

    def _where(self, failure: AccordError) -> str:
        """What a run failed with, and where: workers know parties by their index only, people know members."""
        text = f"at {self._board.me.name}: {failure}"
        if isinstance(failure, PeerError) and 0 <= failure.peer < len(self._board.charter.compute):
            text += f" (party {failure.peer} is {self._board.charter.compute[failure.peer].name})"
        return text

    async def _vote(self, job: Job, vote: bytes, epoch: int) -> None:
        board = self._board
        if board.coordinates:
            self._votes.setdefault(job.id, {})[board.me.name] = vote
            board.wake(job.id)
            return
        message = Ready(epoch=epoch, signature=vote.hex())
        with contextlib.suppress(AccordError):
            await board.network.call(board.coordinator(), message, job.id, within=_UNDECIDED)

    # -- checks ------------------------------------------------------------------------------------

    async def _keep(self, peer: Member, job_id: str, text: str, proposal: bytes, cause: str) -> None:
        """A job that is ended before this node was asked: known from now on, so never taken up."""
        board, job = self._board, read_job(text.encode("utf-8"))
        _check_id(job, job_id)
        charter = board.charter_of(job)
        if job.charter != charter.digest:
            raise JobRefused(f"job {job_id} was made under a charter that was never in force here")
        check_proposal(job, charter, proposal)
        if not {peer, board.me} <= set(participants(job, charter)):
            raise JobRefused(f"job {job_id}: {peer.name} or {board.me.name} has no part in it")
        await board.disk(board.store.refuse, job, proposal, board.index is not None, board.clock(), cause)

    async def _get(self, job_id: str) -> JobRecord:
        record = await self._board.find(job_id)
        if record is None:
            raise JobUnknown(f"there is no job {job_id} at {self._board.me.name}")
        return record

    def _check_coordinator(self, peer: Member) -> None:
        if peer.fingerprint != self._board.coordinator().fingerprint:
            raise JobRefused(f"{peer.name} does not coordinate: {self._board.coordinator().name} does")

    def _check_caster(self, peer: Member, body: Prepare | Accept, record: JobRecord) -> None:
        if self._board.index_of(peer.fingerprint, record.job) != body.ballot.member:
            raise JobRefused(f"{peer.name} casts a ballot that is not its own")


def _is_loss(failure: AccordError) -> bool:
    """Whether a run ended for somebody who was lost, and not by itself."""
    if isinstance(failure, PartyFailed):
        return failure.kind in ("PeerLost", "PeerSilent", "FrameTruncated", "CancelledError", "Cancelled", "WorkerLost")
    return isinstance(failure, PeerError | WorkerLost | LaneInvalid)


def check_described(job: Job, tables: Sequence[str]) -> None:
    """JobInvalid unless these are the descriptions of the job's tables whose digests it states."""
    if tuple(hashlib.sha256(text.encode()).hexdigest() for text in tables) != job.published:
        raise JobInvalid(f"job {job.id}: the tables' descriptions are not those whose digests it states")


def _check_id(job: Job, job_id: str) -> None:
    if job.id != job_id:
        raise JobInvalid(f"job {job.id} came under the id {job_id}")
