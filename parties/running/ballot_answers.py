"""What a node answers to others' ballots, and to who says what was decided. decision.py has the rules."""

from __future__ import annotations

from parties.errors import JobRefused
from parties.jobs.decision import Accepted, Nack, Promise, Value
from parties.jobs.job_signatures import check_votes
from parties.membership.charter import Member
from parties.running.board import Board
from parties.running.ending import Ending
from parties.running.job_records import JobRecord
from parties.running.settling import ballot_message, read_ballot
from parties.wire.message_form import Done, bytes_of, signatures_of
from parties.wire.messages import Accept, Decided, Prepare
from parties.wire.messages import Accepted as AcceptedAnswer
from parties.wire.messages import Promise as PromiseAnswer

__all__ = ["BallotAnswers"]


class BallotAnswers:
    """One node as an acceptor of ballots.

    Args:
        board: what is kept.
        ending: does what follows from a decision.
    """

    def __init__(self, board: Board, ending: Ending) -> None:
        self._board = board
        self._ending = ending

    async def prepare(self, peer: Member, job_id: str, body: Prepare) -> PromiseAnswer:
        """Phase 1 of somebody's ballot."""
        self._check_caster(peer, body, await self._board.get(job_id))
        board = self._board
        match await board.disk(board.store.ballots.prepare, job_id, read_ballot(body.ballot)):
            case Nack(promised=promised):
                return PromiseAnswer(ballot=body.ballot, outbid=ballot_message(promised))
            case Promise(accepted=accepted, value=value):
                votes = await board.disk(board.store.votes, job_id) if value is Value.RELEASE else {}
                return PromiseAnswer(
                    ballot=body.ballot,
                    accepted=None if accepted is None else ballot_message(accepted),
                    value=None if value is None else value.value,
                    votes=signatures_of(votes),
                )

    async def accept_ballot(self, peer: Member, job_id: str, body: Accept) -> AcceptedAnswer:
        """Phase 2."""
        record = await self._board.get(job_id)
        self._check_caster(peer, body, record)
        board, charter = self._board, self._board.charter_of(record.job)
        votes: dict[str, bytes] = {}
        if body.value == "release":
            votes = bytes_of(body.votes)
            check_votes(record.job, charter, votes)
        answer = await board.disk(
            board.store.ballots.accept, job_id, read_ballot(body.ballot), Value(body.value), votes
        )
        match answer:
            case Nack(promised=promised):
                return AcceptedAnswer(ballot=body.ballot, outbid=ballot_message(promised))
            case Accepted():
                return AcceptedAnswer(ballot=body.ballot)

    async def decided(self, peer: Member, job_id: str, body: Decided) -> Done:
        """A compute member says what was decided.

        A release is taken with all compute members' votes only: SignatureInvalid without, and nothing changes. An abort
        is believed: whoever lies about one denies this node its part in the answer, and does nothing else; so it can by
        not voting.
        """
        board = self._board
        record = await board.get(job_id)
        if board.index_of(peer.fingerprint, record.job) is None:
            raise JobRefused(f"job {job_id}: {peer.name} does not compute, so it decides nothing")
        if not record.state.terminal:
            await board.decide(record.job, Value(body.value), bytes_of(body.votes), body.text)
            await self._ending.at_its_end(record.job)
        return Done()

    def _check_caster(self, peer: Member, body: Prepare | Accept, record: JobRecord) -> None:
        if self._board.index_of(peer.fingerprint, record.job) != body.ballot.member:
            raise JobRefused(f"{peer.name} casts a ballot that is not its own")
