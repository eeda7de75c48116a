"""Compute member 0 orders the steps of every job. It decides nothing alone, and nobody believes it: each node checks
what it is asked, and what is released follows from a majority's promises (decision.py).

1. Propose the job to all participants; all must accept.
2. Show everybody all acceptances; those who do not compute deal their rows meanwhile. Compute members see them with the
   order of step 3, if there is a lane for the job at once.
3. Wait for a lane; let all compute members run.
4. With all votes: ballot 0, release. Tell what was decided.
5. Anything that fails on the way ends the job, with its cause.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

import trio

from mpc.errors import AccordError
from parties.calls.quiet_log import place_of
from parties.calls.together import everywhere
from parties.errors import JobRefused, PeerCallFailed
from parties.jobs.decision import FAST, Proposal, Value
from parties.jobs.job import Job, participants
from parties.jobs.job_signatures import check_acceptance
from parties.jobs.session import State
from parties.membership.charter import Member
from parties.planning.job_work import PUBLISHED
from parties.running.board import Board
from parties.running.participant import Participant
from parties.running.settling import Settling
from parties.running.waiting import until_there, waits_for_person, waits_out
from parties.wire.message_form import signatures_of
from parties.wire.messages import Abort, Kept, Propose, Reserve, Run, StateAnswer, StateQuery

__all__ = ["Coordinator", "Slots"]

_log = logging.getLogger("accord.node")
_STEP = 10.0  # seconds for a step that computes nothing
_PERSON = 1.0  # seconds between looks whether a person approved a job
_OBEYS = 3.0  # seconds for a run to end that was told to
_LONG = 24 * 3600.0
_PAUSES = (0.2, 1.0, 5.0, 15.0, 60.0, 60.0, 60.0, 60.0)  # seconds after orders to run that not all took
_AGAIN = 0.2  # seconds between looks whether all wait for a job


class Slots(Protocol):
    """The lanes, for jobs."""

    @property
    def any_free(self) -> bool:
        """Whether one is free now."""
        ...

    def slot(self) -> AbstractAsyncContextManager[Run]:
        """A lane, when one is free, as the order to run in it; free again at the end."""
        ...


class Coordinator:
    """Drives jobs, at compute member 0.

    Args:
        board: its jobs.
        participant: this node's own part in them.
        settling: its ballots.
        slots: gives lanes.
    """

    def __init__(self, board: Board, participant: Participant, settling: Settling, slots: Slots) -> None:
        self._board = board
        self._participant = participant
        self._settling = settling
        self._slots = slots
        self._driven: set[str] = set()

    async def drive(self, job: Job, proposal: bytes) -> None:
        """All steps, to the job's end here. Twice at once does nothing the second time."""
        if job.id in self._driven:
            return
        self._driven.add(job.id)
        try:
            await self._steps(job, proposal)
        except AccordError as error:
            await self._participant.give_up(job, f"{type(error).__name__}: {error}")
        except Exception as error:
            _log.error("job %s: a fault of this node's own: %s", job.id, place_of(error))
            await self._participant.give_up(job, f"NodeFault: at {self._board.me.name}: {place_of(error)}")
        finally:
            self._driven.discard(job.id)
        await self._board.until(job.id)

    async def _steps(self, job: Job, proposal: bytes) -> None:
        board = self._board
        if await board.state(job.id) is not State.RESERVED:
            acceptances = await self._propose(job, proposal)
            if acceptances:
                await self._run(job, None, acceptances)
        elif not await board.begun(job.id):  # gone on with, after a restart: some may not know that all accepted
            await self._reserve(job, await board.disk(board.store.acceptances, job.id), self._taking(job))
        failed = 0
        while not (await board.until(job.id, State.RESERVED)).state.terminal:
            checkpoint = None
            if job.on_loss == "wait":
                checkpoint = await board.unless_over(job.id, lambda: self._common(job))
                if checkpoint is None and not await self._participant.may_begin(job):
                    raise JobRefused(
                        f"job {job.id} had begun, has no checkpoint that all have, and must not begin anew"
                    )
            try:
                await self._run(job, checkpoint, {})
            except PeerCallFailed as error:
                if not waits_out(job, error) or failed == len(_PAUSES):
                    raise
                with trio.move_on_after(_PAUSES[failed]):
                    await board.until(job.id)
                failed += 1

    def _taking(self, job: Job) -> list[Member]:
        return list(participants(job, self._board.charter))

    async def _run(self, job: Job, checkpoint: Kept | None, acceptances: dict[str, bytes]) -> None:
        """Steps 3 and 4; it ends without a decision where the job is suspended."""
        async with self._slots.slot() as free:
            waits = State.ACCEPTED if acceptances else State.RESERVED
            if await self._board.state(job.id) is not waits:  # it ended meanwhile
                return
            order = free.model_copy(update={"checkpoint": checkpoint, "acceptances": signatures_of(acceptances)})
            await everywhere(
                self._board.charter.compute, lambda member: self._ask(member, order, job, self._participant.run)
            )
            votes = await self._votes(job)
            if votes is not None:
                await self._decide(job, votes)
            await self._participant.stopped(job.id)
            record = await self._board.get(job.id)
            if record.state is State.ABORTED:
                await self._stopped_everywhere(job, record.cause, order)

    async def _stopped_everywhere(self, job: Job, cause: str, order: Run) -> None:
        """Until no compute member is at the job any more: its lane is the next one's.

        PeerCallFailed, and the lane is not used again, where one does not say so: it may have been stopped, or cut off,
        or had to end its worker, as that did not stop. The next job would fail for that, which is none of its faults.
        """
        message = Abort(text=cause[:2000], lane=order.lane, epoch=order.epoch)
        others = self._board.other_computers(job)
        await everywhere(others, lambda member: self._board.network.call(member, message, job.id, within=_OBEYS))

    async def _common(self, job: Job) -> Kept | None:
        """Once all compute members are there and wait for the job: the newest checkpoint they all have; None: none."""
        board = self._board
        while True:
            for member in board.other_computers(job):
                await board.network.await_there(member)
            try:
                answers = await everywhere(board.charter.compute, lambda member: self._state(member, job))
            except PeerCallFailed:
                answers = []
            if answers and all(answer.state == "RESERVED" for answer in answers):
                mine = answers[0].checkpoints
                common = [kept for kept in mine if all(kept in answer.checkpoints for answer in answers)]
                return common[-1] if common else None
            await trio.sleep(_AGAIN)

    async def _state(self, member: Member, job: Job) -> StateAnswer:
        if member == self._board.me:
            return await self._participant.state(member, job.id, StateQuery())
        return await self._board.network.call(member, StateQuery(), job.id, within=_STEP)

    async def _propose(self, job: Job, proposal: bytes) -> dict[str, bytes]:
        """Steps 1 and 2. Gives the acceptances that compute members have still to be shown; else none."""
        board, charter = self._board, self._board.charter
        tables = (await board.disk(board.store.facts, job.id))[PUBLISHED]
        message = Propose(job=job.canonical.decode("ascii"), signature=proposal.hex(), tables=tables)
        acceptances: dict[str, bytes] = {}

        async def accepted(member: Member) -> None:
            while True:
                try:
                    acceptances[member.name] = await asked(member)
                    return
                except AccordError as error:
                    if not (waits_for_person(error) or waits_out(job, error)):
                        raise
                await self._still_wanted(job, member)

        async def asked(member: Member) -> bytes:
            if member == board.me:
                return await self._participant.accept(job, proposal, tables)
            answer = await board.network.call(member, message, job.id, within=_STEP)
            acceptance = bytes.fromhex(answer.acceptance)
            check_acceptance(job, member, acceptance)
            return acceptance

        taking = self._taking(job)
        await everywhere(taking, accepted)
        at_once = self._slots.any_free and job.on_loss != "wait"  # one that is to wait does so in RESERVED
        first = [member for member in taking if not at_once or member not in charter.compute]
        await self._reserve(job, acceptances, first)
        return acceptances if at_once else {}

    async def _reserve(self, job: Job, acceptances: Mapping[str, bytes], members: Sequence[Member]) -> None:
        """Step 2, of these members."""
        shown, own = Reserve(acceptances=signatures_of(acceptances)), self._participant.reserve

        async def reserved(member: Member) -> None:
            while True:
                try:
                    return await self._ask(member, shown, job, own, within=_LONG)
                except AccordError as error:
                    if not waits_out(job, error):
                        raise
                await self._still_wanted(job, member)

        await everywhere(members, reserved)

    async def _still_wanted(self, job: Job, member: Member) -> None:
        """Wait a moment for a person at a member, and for its node, where it is lost and the job waits for it.

        JobRefused if the job ended meanwhile.
        """
        await until_there(self._board, job, [member] if job.on_loss == "wait" else [], _PERSON)

    async def _votes(self, job: Job) -> dict[str, bytes] | None:
        """All votes, once they are here; None if the job ended before."""
        board = self._board
        while True:
            news = board.news(job.id)
            votes = self._participant.votes(job.id)
            if len(votes) == len(board.charter_of(job).compute):
                return dict(votes)  # kept when this node accepts the ballot they are shown for
            if await board.state(job.id) is not State.RUNNING:  # over, or suspended
                return None
            await news.wait()

    async def _decide(self, job: Job, votes: dict[str, bytes]) -> None:
        """Step 4; by a ballot like others if the first one fails."""
        proposal = Proposal(len(self._board.charter_of(job).compute), FAST, Value.RELEASE)
        await self._settling.ask(job, proposal, votes)
        if proposal.decision is None:
            await self._participant.settle(job, "Undecided: too few compute members answered")
            return
        await self._settling.conclude(job, proposal.decision, "", votes)
        await self._participant.at_its_end(job)

    async def _ask(
        self,
        member: Member,
        message: Any,
        job: Job,
        own: Callable[[Member, str, Any], Awaitable[Any]],
        within: float = _STEP,
    ) -> None:
        if member == self._board.me:
            await own(member, job.id, message)
        else:
            await self._board.network.call(member, message, job.id, within=within)
