"""Whether all members were shown the same: after a job, a node compares the acceptances it keeps with the others'.

Every acceptance states the head of a log. Whoever keeps two logs, and shows each of its peers always the same one,
would be found by nobody alone (head_watch.py); two of them that compare what they were shown find it at once, and the
signatures prove it. So a node asks every other participant of jobs that are over, once, for a digest of the acceptances
it keeps of each; where that is another one, for the acceptances themselves.

Participants have all acceptances of their jobs already: nobody learns what it had not, or should have had.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence

import trio

from parties.errors import JobInvalid, PeerCallFailed, SignatureInvalid
from parties.jobs.job import Job
from parties.jobs.job_signatures import check_acceptance, stated_in
from parties.membership.charter import Member
from parties.running.board import Board
from parties.wire.log_messages import MOST_JOBS, AcceptanceQuery, AcceptancesQuery, KeptAcceptance, KeptAcceptances

__all__ = ["AcceptanceWatch", "digest_of", "kept_acceptance", "kept_acceptances"]

_WITHIN = 10.0  # seconds for one question
_IN_ALL = 300.0  # seconds for all of one member's
_log = logging.getLogger("accord.node")


class AcceptanceWatch:
    """One node's.

    Args:
        board: whom it reaches, and what it keeps.
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        self._asked: dict[str, frozenset[str]] = {}  # by member: its jobs when it did not answer

    async def look(self) -> None:
        """Compare what can be compared now."""
        board = self._board
        members = {member.name: member for member in board.charter.members}
        async with trio.open_nursery() as nursery:
            for name, jobs in (await board.disk(board.store.heads.to_compare)).items():
                member = members.get(name)
                if member is not None and board.network.is_there(member) and self._asked.get(name) != frozenset(jobs):
                    nursery.start_soon(self._compare, member, jobs)

    async def _compare(self, member: Member, jobs: Sequence[str]) -> None:
        """All jobs of one member's, until it does not answer."""
        board = self._board
        self._asked[member.name] = frozenset(jobs)
        with trio.move_on_after(_IN_ALL):
            for at in range(0, len(jobs), MOST_JOBS):
                page = jobs[at : at + MOST_JOBS]
                try:
                    query = AcceptancesQuery(jobs=list(page))
                    answer = await board.network.call(member, query, within=_WITHIN)
                    for job, digest in answer.digests.items():
                        mine = await board.disk(board.store.acceptances, job) if job in page else {}
                        if mine and digest_of(mine) != digest:
                            await self._compare_one(member, job, mine)
                except PeerCallFailed as error:
                    _log.debug("acceptances were not compared with %s: %s", member.name, type(error).__name__)
                    return
                await board.disk(board.store.heads.compared, page, member.name)

    async def _compare_one(self, member: Member, job_id: str, mine: Mapping[str, bytes]) -> None:
        """It has others, more or fewer of them."""
        board = self._board
        record = await board.find(job_id)
        if record is None:
            return
        for name, own in mine.items():
            answer = await board.network.call(member, AcceptanceQuery(member=name), job_id, within=_WITHIN)
            if answer.acceptance is not None:
                await self._judge(record.job, name, own, bytes.fromhex(answer.acceptance), member)

    async def _judge(self, job: Job, name: str, mine: bytes, shown: bytes, by: Member) -> None:
        """Two acceptances of one member's for one job: a proof against it, if it signed both."""
        board = self._board
        signer = next((one for one in board.charter_of(job).members if one.name == name), None)
        if signer is None or shown == mine:
            return
        try:
            other = check_acceptance(job, signer, shown)
        except (JobInvalid, SignatureInvalid):
            _log.warning("job %s: %s shows an acceptance of %s that it did not sign", job.id, by.name, name)
            return
        _log.warning(
            "job %s: %s accepted it twice, with another statement at %s: it keeps two logs, or two programs have its "
            "key", job.id, name, by.name,
        )  # fmt: skip
        await board.disk(board.store.heads.forked, name, stated_in(mine).head, other.head, board.clock())


async def kept_acceptances(board: Board, peer: Member, query: AcceptancesQuery) -> KeptAcceptances:
    """The answer to a member that compares: about jobs in which it has a part."""
    found = {}
    for job in query.jobs:
        record = await board.find(job)
        if record is not None and board.takes_part(peer, record.job):
            found[job] = digest_of(await board.disk(board.store.acceptances, job))
    return KeptAcceptances(digests=found)


async def kept_acceptance(board: Board, peer: Member, job: str, query: AcceptanceQuery) -> KeptAcceptance:
    """The answer to a participant that was shown another one, or asks."""
    record = await board.find(job)
    if record is None or not board.takes_part(peer, record.job):
        return KeptAcceptance()
    kept = (await board.disk(board.store.acceptances, job)).get(query.member)
    return KeptAcceptance(acceptance=None if kept is None else kept.hex())


def digest_of(acceptances: Mapping[str, bytes]) -> str:
    """SHA-256 of all of them, hex."""
    said = hashlib.sha256(b"accord acceptances 1\0")
    for name in sorted(acceptances):
        for part in (name.encode(), acceptances[name]):
            said.update(len(part).to_bytes(4, "big") + part)
    return said.hexdigest()
