"""How a node that voted finds out what was decided, whoever is gone: by a ballot of its own (decision.py).

1. Ask the other compute members where the job is with them. RELEASED, with all votes, or ABORTED at any one is what
   was decided.
2. Else begin a ballot above all that are known: for release if all votes are here, for abort if not.
3. Ask for promises, then for acceptance; a majority decides.
4. Outbid, or too few there: wait a random time, and again from 1. It ends as soon as a majority is there.

A member that does not compute only asks (1), until it is told. A compute member that does not know the job has not
accepted it, and is asked never to.

One that says RELEASED, or promises with the value release, and does not show every compute member's vote, is heard as
if it had not answered. One that says ABORTED is believed: if it lies, this node goes without the answer, no more.
"""

from __future__ import annotations

import contextlib
import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import trio

from mpc.errors import AccordError
from parties.errors import BallotInvalid, IllegalStep, JobUnknown, SignatureInvalid
from parties.jobs.decision import Accept, Accepted, Ballot, Nack, Prepare, Promise, Proposal, Value
from parties.jobs.job import Job
from parties.jobs.job_signatures import check_votes
from parties.membership.charter import Member
from parties.running.board import Board
from parties.running.tasks import Tasks
from parties.wire.message_form import bytes_of, signatures_of
from parties.wire.messages import Abort, Decided, StateQuery
from parties.wire.messages import Accept as AcceptMessage
from parties.wire.messages import Ballot as BallotMessage
from parties.wire.messages import Prepare as PrepareMessage

__all__ = ["Settling", "ballot_message", "read_ballot"]

_log = logging.getLogger("accord.node")
_WITHIN = 1.0  # seconds for one call
_PAUSE = (0.05, 0.3)  # seconds between two tries, drawn anew each time
_LONGEST = 2.0  # seconds between two questions of a member that only asks: the job may wait for days


@dataclass(frozen=True, slots=True)
class _Decision:
    """What was decided, why, and for release the votes that prove it."""

    value: Value
    cause: str
    votes: Mapping[str, bytes] = field(default_factory=dict)


class Settling:
    """The ballots of one node.

    Args:
        board: its jobs.
        tasks: where what is told lives.
        pause: how long to wait after a try that failed; tests give their own.
    """

    def __init__(self, board: Board, tasks: Tasks, pause: Callable[[], float] | None = None) -> None:
        self._board = board
        self._tasks = tasks
        self._pause = pause or (lambda: random.uniform(*_PAUSE))
        self._under_way: set[str] = set()

    async def settle(self, job: Job, cause: str) -> None:
        """Until the job is at its end here. Twice at once does nothing the second time.

        Args:
            cause: why it would be aborted, for people.
        """
        if job.id in self._under_way:
            return
        self._under_way.add(job.id)
        try:
            above: Ballot | None = None
            warned, patience = False, 1.0
            doubted: set[str] = set()
            while True:
                record = await self._board.find(job.id)
                if record is None or record.state.terminal:
                    return
                silent: set[str] = set()
                decided = await self._asked(job, cause, doubted, silent)
                if decided is None and record.standing.computes:
                    why = f"{cause}; no answer of {', '.join(sorted(silent))}" if silent else cause
                    try:
                        decided, above = await self._ballot(job, above, why)
                    except BallotInvalid as error:  # somebody cast what nobody may, or the last ballot there is
                        if not warned:
                            _log.warning("job %s cannot be decided now: %s", job.id, error)
                        warned = True
                if decided is not None:
                    await self.conclude(job, decided.value, decided.cause or cause, decided.votes)
                    return
                news = self._board.news(job.id)
                if not record.standing.computes:
                    patience = min(1.5 * patience, _LONGEST / _PAUSE[0])
                with trio.move_on_after(min(patience * self._pause(), _LONGEST)):
                    await news.wait()
        finally:
            self._under_way.discard(job.id)

    async def conclude(self, job: Job, decided: Value, cause: str, votes: Mapping[str, bytes]) -> None:
        """Keep a decision here; a compute member tells the others, whenever they are there.

        Args:
            votes: of all compute members, where it is release: SignatureInvalid otherwise.
        """
        try:
            await self._board.decide(job, decided, votes, cause)
        except (IllegalStep, JobUnknown):
            return
        if self._board.index_of(self._board.identity.fingerprint, job) is not None:
            proof = signatures_of(votes) if decided is Value.RELEASE else {}
            message = Decided(value=decided.value, text=cause[:2000], votes=proof)
            for member in self._board.others(job):
                self._tasks.start_soon(self._tell, member, job, message)

    async def _tell(self, member: Member, job: Job, message: Decided) -> None:
        with contextlib.suppress(AccordError):
            await self._board.tell(member, job, message)

    async def _asked(self, job: Job, cause: str, doubted: set[str], silent: set[str]) -> _Decision | None:
        """Step 1. Who does not answer is added to those that are silent; who tells a release without its proof to those
        that are doubted: logged once.
        """
        found: list[_Decision] = []
        computes = self._board.index_of(self._board.identity.fingerprint, job) is not None

        async def one(member: Member, scope: trio.CancelScope) -> None:
            try:
                answer = await self._board.network.call(member, StateQuery(), job.id, within=_WITHIN)
            except AccordError:
                silent.add(member.name)
                return
            if answer.state is None and not computes:
                with contextlib.suppress(AccordError):
                    if await self._never(job, member, cause):
                        found.append(_Decision(Value.ABORT, cause))
            elif answer.state == "RELEASED":
                votes = bytes_of(answer.votes)
                try:
                    check_votes(job, self._board.charter_of(job), votes)
                except SignatureInvalid as error:
                    if member.name not in doubted:
                        _log.warning("%s tells a release it does not prove: %s", member.name, error)
                    doubted.add(member.name)
                else:
                    found.append(_Decision(Value.RELEASE, f"told by {member.name}", votes))
            elif answer.state == "ABORTED":
                found.append(_Decision(Value.ABORT, answer.cause))
            if found:
                scope.cancel()

        async with trio.open_nursery() as nursery:
            for member in self._board.other_computers(job):
                nursery.start_soon(one, member, nursery.cancel_scope)
        return found[0] if found else None

    async def _never(self, job: Job, member: Member, cause: str) -> bool:
        """A compute member that was not told of the job is, as of one that ended: so it never accepts it.

        Whether it has forgotten it, or keeps it no more as it is too late for anybody to take it up: then nobody voted.
        """
        record = await self._board.get(job.id)
        ended = Abort(text=cause[:2000], job=job.canonical.decode("ascii"), signature=record.proposal.hex())
        await self._board.network.call(member, ended, job.id, within=_WITHIN)
        answer = await self._board.network.call(member, StateQuery(), job.id, within=_WITHIN)
        return answer.state is None

    async def _ballot(self, job: Job, above: Ballot | None, cause: str) -> tuple[_Decision | None, Ballot | None]:
        """Steps 2 and 3: what was decided, and the highest ballot heard of. Nothing where no majority is there."""
        board, m = self._board, len(self._board.charter_of(job).compute)
        me = board.index_of(board.identity.fingerprint, job)
        assert me is not None
        if 2 * (1 + sum(map(board.network.is_there, board.other_computers(job)))) <= m:
            return None, above
        votes = await board.disk(board.store.votes, job.id)
        wish = Value.RELEASE if len(votes) == m else Value.ABORT
        proposal = await board.disk(board.store.ballots.propose, job.id, me, m, wish, above)
        while proposal.message is not None:
            asked = proposal.message
            if isinstance(asked, Accept) and asked.value is Value.RELEASE and len(votes) != m:
                break  # this node accepted it just now, and looks for the votes again
            await self.ask(job, proposal, votes)
            if proposal.message is asked:
                break
        if proposal.decision is None:
            return None, proposal.outbid
        return _Decision(proposal.decision, cause, votes), proposal.outbid

    async def ask(self, job: Job, proposal: Proposal, votes: dict[str, bytes]) -> None:
        """A proposal's message of now to all acceptors, this node's own too; until it has another, or all answered.

        Votes that a promise of release comes with are checked and added to ``votes``.
        """
        asked = proposal.message
        assert asked is not None
        async with trio.open_nursery() as nursery:

            async def one(i: int, member: Member) -> None:
                try:
                    answer = await self._answer(job, member, asked, votes)
                except AccordError:
                    return
                proposal.take(i, answer)
                if proposal.message is not asked:
                    nursery.cancel_scope.cancel()

            for i, member in enumerate(self._board.charter_of(job).compute):
                nursery.start_soon(one, i, member)

    async def _answer(
        self, job: Job, member: Member, asked: Prepare | Accept, votes: dict[str, bytes]
    ) -> Promise | Accepted | Nack:
        board = self._board
        if member.fingerprint == board.identity.fingerprint:
            if isinstance(asked, Prepare):
                return await board.disk(board.store.ballots.prepare, job.id, asked.ballot)
            return await board.disk(board.store.ballots.accept, job.id, asked.ballot, asked.value, votes)
        ballot = ballot_message(asked.ballot)
        if isinstance(asked, Prepare):
            promise = await board.network.call(member, PrepareMessage(ballot=ballot), job.id, within=_WITHIN)
            if promise.outbid is not None:
                return Nack(asked.ballot, read_ballot(promise.outbid))
            accepted = None if promise.accepted is None else read_ballot(promise.accepted)
            value = None if promise.value is None else Value(promise.value)
            if value is Value.RELEASE:
                shown = bytes_of(promise.votes)
                check_votes(job, board.charter_of(job), shown)
                votes.update(shown)
            return Promise(read_ballot(promise.ballot), accepted, value)
        proof = signatures_of(votes) if asked.value is Value.RELEASE else {}
        message = AcceptMessage(ballot=ballot, value=asked.value.value, votes=proof)
        answer = await board.network.call(member, message, job.id, within=_WITHIN)
        if answer.outbid is not None:
            return Nack(asked.ballot, read_ballot(answer.outbid))
        return Accepted(read_ballot(answer.ballot))


def ballot_message(ballot: Ballot) -> BallotMessage:
    """As it travels."""
    return BallotMessage(round=ballot.round, member=ballot.member)


def read_ballot(message: BallotMessage) -> Ballot:
    """The other way round. BallotInvalid."""
    return Ballot(message.round, message.member)
