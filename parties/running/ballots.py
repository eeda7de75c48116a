"""Ballots of a node's jobs, as its store has them: what it promised and accepted is on the disk before it is told.

decision.py has the rules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from parties.disk.sqlite_file import Row, SqliteFile
from parties.errors import BallotInvalid
from parties.jobs.decision import Accepted, Acceptor, Ballot, Nack, Promise, Proposal, Value, begin
from parties.running.job_records import JobRecord
from parties.running.kept_signatures import VOTE, Signatures

__all__ = ["Ballots"]

_COLUMNS = "promised_round, promised_member, accepted_round, accepted_member, value"


class Ballots:
    """A part of a job_store.JobStore, in the same manners.

    Args:
        file: with job_records.SCHEMA.
        signatures: where votes are.
        get: gives a job, or raises JobUnknown; so does every method.
    """

    def __init__(self, file: SqliteFile, signatures: Signatures, get: Callable[[str], JobRecord]) -> None:
        self._file = file
        self._signatures = signatures
        self._get = get

    def acceptor(self, job_id: str) -> Acceptor:
        """What this node promised and accepted."""
        self._get(job_id)
        return _read(self._file.one(f"SELECT {_COLUMNS} FROM acceptor WHERE id = ?", job_id))

    def prepare(self, job_id: str, ballot: Ballot) -> Promise | Nack:
        """decision.Acceptor.prepare; what it promises is on the disk. Raises BallotInvalid."""
        with self._file.transaction():
            before = self.acceptor(job_id)
            after, answer = before.prepare(ballot)
            self._keep(job_id, before, after)
        return answer

    def accept(
        self, job_id: str, ballot: Ballot, value: Value, votes: Mapping[str, bytes] | None = None
    ) -> Accepted | Nack:
        """decision.Acceptor.accept; what it accepts is on the disk, with the votes shown for it, which were checked.

        Raises BallotInvalid, also for release where this node has not voted.
        """
        with self._file.transaction():
            before = self.acceptor(job_id)
            if value is Value.RELEASE and not self._get(job_id).standing.voted:
                raise BallotInvalid(f"job {job_id}: release is proposed, but this node has not voted for it")
            after, answer = before.accept(ballot, value)
            self._keep(job_id, before, after)
            self._signatures.keep(job_id, VOTE, votes or {})
        return answer

    def propose(self, job_id: str, me: int, m: int, wish: Value, above: Ballot | None = None) -> Proposal:
        """decision.begin for this node, compute member ``me`` of ``m``: its own promise is on the disk.

        Raises BallotInvalid if it wishes release and not all m votes are kept here.
        """
        with self._file.transaction():
            before = self.acceptor(job_id)
            if wish is Value.RELEASE and len(self._signatures.of(job_id, VOTE)) != m:
                raise BallotInvalid(f"job {job_id}: release needs the votes of all {m} compute members")
            after, proposal = begin(before, me, m, wish, above)
            self._keep(job_id, before, after)
        return proposal

    def _keep(self, job_id: str, before: Acceptor, after: Acceptor) -> None:
        if after != before:
            values = _write(after)
            self._file.change("INSERT OR REPLACE INTO acceptor VALUES (?, ?, ?, ?, ?, ?)", job_id, *values)


def _read(row: Row | None) -> Acceptor:
    """From _COLUMNS; None is one that never promised anything."""
    if row is None:
        return Acceptor()
    promised_round, promised_member, accepted_round, accepted_member, value = row
    promised = Ballot(promised_round, promised_member)
    if value is None:
        return Acceptor(promised)
    return Acceptor(promised, Ballot(accepted_round, accepted_member), Value(value))


def _write(acceptor: Acceptor) -> tuple[int | str | None, ...]:
    """The other way round."""
    if acceptor.promised is None:
        raise ValueError("an acceptor that promised nothing is not kept")
    accepted, value = acceptor.accepted, acceptor.value
    return (
        acceptor.promised.round,
        acceptor.promised.member,
        None if accepted is None else accepted.round,
        None if accepted is None else accepted.member,
        None if value is None else value.value,
    )
