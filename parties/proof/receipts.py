"""A released job's receipt, at a result member's node: made, whenever it is asked for, of what is kept anyway.

The same job has the same receipt every time at one member, as long as its answer is kept. Tells nobody anything: what
is in it was signed by members for members, and the answer is this member's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from parties.errors import JobRefused, NotReleased, ReceiptIncomplete
from parties.jobs.job import Job, participants
from parties.jobs.session import State
from parties.membership.charter_bundle import SignedCharter
from parties.planning.job_work import PUBLISHED
from parties.proof.receipt import LEFT_OUT, PURGED, TOO_LARGE, Given, Receipt, charter_parts, sign_given, write_receipt
from parties.running.answer_store import ANSWER_DIGEST
from parties.running.board import Board
from parties.running.job_records import JobRecord

__all__ = ["Receipts"]


class Receipts:
    """Makes them, at one node.

    Args:
        board: its jobs.
        signed: gives the charters that were in force here, with their signatures.
    """

    def __init__(self, board: Board, signed: Callable[[], Sequence[SignedCharter]]) -> None:
        self._board = board
        self._signed = signed

    async def receipt(self, job_id: str, without_result: bool) -> bytes:
        """The receipt of a job whose answer came here, or was here until it was purged.

        Args:
            without_result: leave out all that tells of the answer: its digest too, by which it could be guessed.

        Raises JobUnknown; JobRefused if the answer is not for this member; NotReleased if there is none;
        ReceiptIncomplete.
        """
        return await self._board.disk(self._made, job_id, without_result)

    def _made(self, job_id: str, without_result: bool) -> bytes:
        store, identity = self._board.store, self._board.identity
        record = store.get(job_id)  # not as the board remembers it: it may have been purged since
        job = record.job
        charter = self._charter(job)
        me = charter.charter.by_fingerprint.get(identity.fingerprint)  # as it was called when the job was made
        if me is None or me.name not in job.results:
            raise JobRefused(f"job {job_id}: who receives its answer has its receipt: {', '.join(job.results)}")
        if record.state is not State.RELEASED:
            raise NotReleased(f"job {job_id} is {record.state.value} at this node: only a released one has a receipt")
        text, signatures = charter_parts(charter)
        given, shares = self._given(record, me.name, without_result)
        receipt = Receipt(
            charter=text,
            signatures=signatures,
            job=job.canonical,
            proposal=record.proposal,
            tables=tuple(store.facts(job_id).get(PUBLISHED, ())),
            acceptances=store.acceptances(job_id),
            votes=store.votes(job_id),
            given=sign_given(given, job.digest, identity),
            shares=shares,
        )
        _check_whole(job, charter, receipt)
        return write_receipt(receipt)

    def _given(self, record: JobRecord, me: str, without_result: bool) -> tuple[Given, dict[str, bytes]]:
        """What this node states of the answer, and the shares that prove it."""
        store, job_id = self._board.store, record.job.id
        if not record.purged and not store.answers.has_answer(job_id):
            raise NotReleased(f"job {job_id}: its answer is not here yet")
        if without_result:
            return Given(me, None, (), LEFT_OUT), {}
        digest = store.facts(job_id).get(ANSWER_DIGEST)
        if record.purged:
            return Given(me, digest, (), PURGED), {}
        if digest is None:  # it was kept by a release that did not note it
            digest = hashlib.sha256(store.answers.answer(job_id) or b"").hexdigest()
        shares = store.answers.proof(job_id)
        return Given(me, digest, tuple(sorted(shares)), "" if shares else TOO_LARGE), shares

    def _charter(self, job: Job) -> SignedCharter:
        for one in self._signed():
            if one.charter.digest == job.charter:
                return one
        raise ReceiptIncomplete(f"job {job.id} was made under a charter that was never in force here")


def _check_whole(job: Job, signed: SignedCharter, receipt: Receipt) -> None:
    """ReceiptIncomplete unless everything is there: a coordinator that follows the protocol sees to it that it is."""
    taking = [member.name for member in participants(job, signed.charter)]
    missing = [f"the acceptance of {name}" for name in taking if name not in receipt.acceptances]
    missing += [f"the vote of {member.name}" for member in signed.charter.compute if member.name not in receipt.votes]
    if len(receipt.tables) != len(job.tables):
        missing.append("the descriptions of its tables")
    if missing:
        raise ReceiptIncomplete(f"job {job.id}: not kept at this node: {', '.join(missing)[:500]}")
