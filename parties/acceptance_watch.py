"""Whether all members were shown the same: after a job, a node compares the acceptances it keeps with the others'.

Every acceptance states the head of a log. Whoever keeps two logs, and shows each of its peers always the same one,
would be found by nobody alone (head_watch.py); two of them that compare what they were shown find it at once, and the
signatures prove it. So a node asks every other participant of a job that is over, once, for the digests of the
acceptances it keeps; and for the acceptance itself where it is another one.

Participants have all acceptances of their jobs already: nobody learns what it had not, or should have had.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence

import trio

from parties.board import Board
from parties.charter import Member
from parties.errors import JobInvalid, PeerCallFailed, SignatureInvalid
from parties.job import Job
from parties.job_signatures import check_acceptance, stated_in
from parties.messages import AcceptancesQuery, KeptAcceptances

__all__ = ["AcceptanceWatch", "kept_acceptances"]

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
        self._asked[member.name] = frozenset(jobs)
        with trio.move_on_after(_IN_ALL):
            for job in jobs:
                try:
                    await self._compare_one(member, job)
                except PeerCallFailed as error:
                    _log.debug("job %s was not compared with %s: %s", job, member.name, type(error).__name__)
                    return
                await self._board.disk(self._board.store.heads.compared, job, member.name)

    async def _compare_one(self, member: Member, job_id: str) -> None:
        board = self._board
        record = await board.find(job_id)
        if record is None:
            return
        mine = await board.disk(board.store.acceptances, job_id)
        theirs = await board.network.call(member, AcceptancesQuery(), job_id, within=_WITHIN)
        for name, digest in theirs.digests.items():
            if name in mine and _digest(mine[name]) != digest:
                query = AcceptancesQuery(member=name)
                shown = (await board.network.call(member, query, job_id, within=_WITHIN)).acceptance
                if shown is not None:
                    await self._judge(record.job, name, mine[name], bytes.fromhex(shown), member)

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


async def kept_acceptances(board: Board, peer: Member, job_id: str, query: AcceptancesQuery) -> KeptAcceptances:
    """The answer to a participant that compares. A member that has no part in the job hears what it would of none."""
    record = await board.find(job_id)
    if record is None or not board.takes_part(peer, record.job):
        return KeptAcceptances()
    kept: Mapping[str, bytes] = await board.disk(board.store.acceptances, job_id)
    if not query.member:
        return KeptAcceptances(digests={name: _digest(one) for name, one in kept.items()})
    return KeptAcceptances(acceptance=kept[query.member].hex() if query.member in kept else None)


def _digest(acceptance: bytes) -> str:
    return hashlib.sha256(acceptance).hexdigest()
