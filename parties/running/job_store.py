"""A node's jobs on its disk: where each is, who signed what, what was promised, and this node's share of its answer.

Every change is one transaction, on the disk before the call returns: what a node says to others it has kept. Calls
block: from trio or asyncio, make them in a thread. Time is an argument, Unix time in seconds. What is secret, shares
and answers, is in ``answers`` (answer_store.py).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mpc.errors import WrongType
from parties.consent.approvals import APPROVAL_SCHEMA, Approvals
from parties.consent.in_force import IN_FORCE_SCHEMA, InForce
from parties.disk.chain import Head
from parties.disk.chained_table import CHAIN_SCHEMA
from parties.disk.sqlite_file import SqliteFile
from parties.errors import JobConflict, JobUnknown, LedgerMoved, TooManyJobs
from parties.jobs.job import Job
from parties.jobs.session import Event, Standing, State, step
from parties.log.audit import STEPS, AuditLog
from parties.planning.job_work import Consent
from parties.policies.budget import ALL, NOTHING, RUN
from parties.policies.ledger import Ledger
from parties.running.answer_store import AnswerStore
from parties.running.ballots import Ballots
from parties.running.head_store import HEAD_SCHEMA, Heads
from parties.running.job_records import COLUMNS, SCHEMA, Change, JobRecord, read_record
from parties.running.kept_signatures import ACCEPTANCE, VOTE, Signatures
from parties.running.replays import Replays
from parties.running.unbegun_jobs import MOST_UNBEGUN, UnbegunJobs

__all__ = ["JobStore"]

_MOST_CAUSE = 500  # characters
_LISTED = 100  # tables, and result members, of a job in the log


class JobStore:
    """The jobs of one node, in a file that one process has open at a time. Use it in a ``with``, or close it.

    Args:
        path: the file; made with mode 0600 if it does not exist.
        key: 32 bytes; store_key.store_key(identity, "jobs").
        member: whose it is, its fingerprint.
        most_open: how many jobs that are not over it takes; None: as many as come. Once there is half of that, one
            proposer has half at most.
        most_unbegun: bytes of jobs that ended before they began it keeps of one proposer.

    Attributes:
        answers: shares and answers of these jobs.
        ballots: what this node promised and accepted of them, once a run is over.
        unbegun: those that ended before they began, and are forgotten some day.
        audit: the log; every change of a job's state is an entry of it, in the same transaction.
        ledger: what they were charged.
        approvals: those that wait for a person.
        replays: which of them asked the same.
        in_force: what its node goes by, as the log has it.
        heads: of other members' logs.
        forgotten: called with the id of each job that was let go of to make room for another.

    Every method raises StoreFailed where the disk fails (sqlite_file.py: whether the store can still be used), and
    JobUnknown for a job that is not here. Raises WrongType for a key that is not 32 bytes, StoreFailed for another key,
    LogBroken if log or ledger are not what was written.
    """

    def __init__(
        self,
        path: str | Path,
        key: bytes,
        member: str,
        most_open: int | None = None,
        most_unbegun: int = MOST_UNBEGUN,
    ) -> None:
        _check_key(key)
        self._most_open = most_open
        self._file = SqliteFile(path, SCHEMA + APPROVAL_SCHEMA + CHAIN_SCHEMA + IN_FORCE_SCHEMA + HEAD_SCHEMA)
        self._signatures = Signatures(self._file)
        self.ballots = Ballots(self._file, self._signatures, self.get)
        self.unbegun = UnbegunJobs(self._file, most_unbegun)
        self.forgotten: Callable[[str], object] = str
        try:
            self.audit, self.ledger = AuditLog(self._file, member), Ledger(self._file, member)
            self.approvals = Approvals(self._file, self.audit)
            self.replays = Replays(self._file)
            self.in_force, self.heads = InForce(self._file, self.audit), Heads(self._file, self.audit)
            self.answers = AnswerStore(self._file, key, self.audit)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> JobStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<JobStore {self._file.path}>"

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    # -- jobs ----------------------------------------------------------------------------------

    def add(self, job: Job, proposal: bytes, computes: bool, now: float) -> JobRecord:
        """Keep a job as PROPOSED, with its proposer's signature, both checked; ``computes``: whether this member does.

        The very same job again gives what is kept. JobConflict if another one has its id; TooManyJobs.
        """
        return self._add(job, proposal, computes, now, own=False)

    def submit(self, job: Job, proposal: bytes, computes: bool, now: float) -> JobRecord:
        """:meth:`add` for this node's own people: a request that is here already, made at another time, gives that one.

        So a client that got no answer asks again, under its key. JobConflict if it asks for something else;
        TooManyJobs.
        """
        return self._add(job, proposal, computes, now, own=True)

    def find(self, job_id: str) -> JobRecord | None:
        """The job, if it is here."""
        row = self._file.one(f"SELECT {COLUMNS} FROM job WHERE id = ?", job_id)
        return None if row is None else read_record(row)

    def get(self, job_id: str) -> JobRecord:
        """The job."""
        kept = self.find(job_id)
        if kept is None:
            raise JobUnknown(f"there is no job {job_id[:32]!r} at this node")
        return kept

    def jobs(self, limit: int = 100, before: int | None = None) -> list[JobRecord]:
        """The newest first, at most ``limit``; with ``before`` those with a lower number: the next page."""
        top = 1 << 62 if before is None else before
        return self._records("WHERE number < ? ORDER BY number DESC LIMIT ?", top, limit)

    def open_jobs(self) -> list[JobRecord]:
        """Those not yet RELEASED or ABORTED, the oldest first: what a node that starts goes through."""
        return self._records("WHERE state NOT IN ('RELEASED', 'ABORTED') ORDER BY number")

    def history(self, job_id: str) -> list[Change]:
        """All steps, the first first."""
        self.get(job_id)
        rows = self._file.read("SELECT time, event, state, cause FROM change WHERE id = ? ORDER BY rowid", job_id)
        return [Change(t, Event(event) if event else None, State(state), cause) for t, event, state, cause in rows]

    def refuse(self, job: Job, proposal: bytes, computes: bool, now: float, cause: str) -> None:
        """Keep a job that is not here as ABORTED, so that it is never taken up. Nothing if it is here. TooManyJobs."""
        with self._file.transaction():
            if self.find(job.id) is None:
                self._make_room(job, now)
                self._insert(job, proposal, computes, now, Event.REFUSE, State.ABORTED, cause[:_MOST_CAUSE])
                self.unbegun.ended(self.get(job.id), now)

    def accept_job(
        self,
        job_id: str,
        name: str,
        consent: Consent,
        now: float,
        sign: Callable[[Head], bytes],
        facts: Mapping[str, Any],
    ) -> bytes:
        """This member accepts a job: the step, what it is charged, its entry in the log and what it signs, as one.

        Args:
            name: this member's.
            sign: makes its acceptance, of the log's head with this entry.
            facts: as :meth:`keep_facts` has them.

        Raises session's IllegalStep; LedgerMoved if the ledger is not what it was decided by. Nothing is changed then.
        """
        with self._file.transaction():
            if consent.charge is not None:
                if self.ledger.chain.head != consent.book:
                    raise LedgerMoved(f"job {job_id}: another one was charged meanwhile")
                self.ledger.reserve(consent.charge)
            told = {"plan": consent.plan, "policies": dict(consent.policies), **consent.told}
            self._step(job_id, Event.ACCEPT, "", now, told)
            acceptance = sign(self.audit.head)
            self._signatures.keep(job_id, ACCEPTANCE, {name: acceptance})
            self._note(job_id, facts)
        return acceptance

    def step(
        self,
        job_id: str,
        event: Event,
        cause: str,
        now: float,
        *,
        acceptances: Mapping[str, bytes] | None = None,
        votes: Mapping[str, bytes] | None = None,
        share: bytes | None = None,
        facts: Mapping[str, Any] | None = None,
        told: Mapping[str, Any] | None = None,
        heads: Mapping[str, Head] | None = None,
    ) -> Standing:
        """An event happens to a job: session.step, and what comes with it, in one transaction.

        Args:
            cause: in words for people, without anything secret; cut at 500 characters.
            acceptances: checked ones to keep, by member: all with RESERVE.
            votes: checked ones to keep, by member; this node's own with READY, which needs it.
            share: this node's share of the sealed answer; it belongs to READY, which needs it.
            facts: as :meth:`keep_facts` has them.
            told: what the log tells of the step beside the job and the cause.
            heads: that the acceptances show, by member.

        Raises session's IllegalStep, and nothing is changed. The share of a job that is aborted is deleted; what it was
        charged is settled when it ends.
        """
        if (event is Event.READY) != (share is not None) or (event is Event.READY and not votes):
            raise WrongType("READY comes with this node's share and vote, and nothing else comes with a share")
        with self._file.transaction():
            before = self.get(job_id).standing
            after = self._step(job_id, event, cause, now, told or {})
            if after == before:
                return after
            self._signatures.keep(job_id, ACCEPTANCE, acceptances or {})
            self._signatures.keep(job_id, VOTE, votes or {})
            self._note(job_id, facts or {})
            self.heads.keep(job_id, heads or {})
            if share is not None:
                self.answers.put_share(job_id, share)
            if after.state is State.ABORTED:
                self.answers.drop(job_id)
                self.unbegun.ended(self.get(job_id), now)
            if after.state is State.RELEASED:
                self.answers.owe(job_id, self.get(job_id).job.results)
        return after

    def _step(self, job_id: str, event: Event, cause: str, now: float, told: Mapping[str, Any]) -> Standing:
        """Within a transaction: the state, its history, the log, and what it was charged."""
        before = self.get(job_id).standing
        after = step(before, event)
        if after == before:
            return after
        cause = cause[:_MOST_CAUSE]
        self._file.change(
            "UPDATE job SET state = ?, voted = ?, changed = ?, cause = ? WHERE id = ?",
            after.state.value, after.voted, now, cause, job_id,
        )  # fmt: skip
        self._file.change(
            "INSERT INTO change VALUES (?, ?, ?, ?, ?)", job_id, now, event.value, after.state.value, cause
        )
        if after.state.terminal:
            self.ledger.settle(job_id, self._kept(job_id, after), now)
        self.audit.note(STEPS[event], now, job=job_id, **({"cause": cause} if cause else {}), **told)
        return after

    def _kept(self, job_id: str, after: Standing) -> str:
        """What of a job's charge stays at its end here."""
        if after.state is State.RELEASED:
            return ALL
        return RUN if self.unbegun.begun(job_id, after) else NOTHING

    # -- signatures and facts ------------------------------------------------------------------

    def acceptances(self, job_id: str) -> dict[str, bytes]:
        """Those kept, by member."""
        return self._signatures.of(job_id, ACCEPTANCE)

    def votes(self, job_id: str) -> dict[str, bytes]:
        """Those kept, by member: what is shown with the value release."""
        return self._signatures.of(job_id, VOTE)

    def keep_facts(self, job_id: str, facts: Mapping[str, Any]) -> None:
        """What a run took, rounds and bytes say: JSON values by name, in the clear. The same name again replaces it."""
        with self._file.transaction():
            self.get(job_id)
            self._note(job_id, facts)

    def _note(self, job_id: str, facts: Mapping[str, Any]) -> None:
        for name, value in facts.items():
            self._file.change("INSERT OR REPLACE INTO fact VALUES (?, ?, ?)", job_id, name, json.dumps(value))

    def facts(self, job_id: str) -> dict[str, Any]:
        """Those kept, by name."""
        rows = self._file.read("SELECT name, value FROM fact WHERE id = ? ORDER BY name", job_id)
        return {name: json.loads(value) for name, value in rows}

    # -- inside --------------------------------------------------------------------------------

    def _add(self, job: Job, proposal: bytes, computes: bool, now: float, *, own: bool) -> JobRecord:
        with self._file.transaction():
            kept = self.find(job.id)
            if kept is None:
                self._check_room(job)
                self._make_room(job, now)
                self._insert(job, proposal, computes, now)
                if own:
                    self.replays.note(job)
                kept = self.get(job.id)
        if not (kept.job.asks_the_same(job) if own else kept.job == job):
            raise JobConflict(f"job {job.id}: another job has this id here: submit under another key")
        return kept

    def _insert(
        self,
        job: Job,
        proposal: bytes,
        computes: bool,
        now: float,
        event: Event | None = None,
        state: State = State.PROPOSED,
        cause: str = "proposed",
    ) -> None:
        values = (job.id, job.canonical, proposal, state.value, computes, now, now, cause)
        self._file.change(
            "INSERT INTO job (id, canonical, proposal, state, computes, voted, added, changed, cause) "
            "VALUES (?, ?, ?, ?, ?, 0, ?, ?, ?)",
            *values,
        )
        said = "" if event is None else event.value
        self._file.change("INSERT INTO change VALUES (?, ?, ?, ?, ?)", job.id, now, said, state.value, cause)
        asked = {"job": job.id, "digest": job.digest, "kind": job.kind, "proposer": job.proposer, "cause": cause}
        self.audit.note(
            "proposed" if event is None else STEPS[event], now, **asked, analyst=job.analyst, purpose=job.purpose,
            tables=[list(pair) for pair in job.tables[:_LISTED]], results=list(job.results[:_LISTED]),
        )  # fmt: skip

    def _check_room(self, job: Job) -> None:
        if self._most_open is None:
            return
        most, proposers = self._most_open, [record.job.proposer for record in self.open_jobs()]
        own = proposers.count(job.proposer)
        if len(proposers) >= most or (2 * len(proposers) >= most and 2 * own >= most):
            raise TooManyJobs(
                f"job {job.id}: this node has {len(proposers)} jobs that are not over, {own} of them of its proposer, "
                f"and takes {most}, half of them of one: wait, or let its operator raise limits.jobs in node.toml"
            )

    def _make_room(self, job: Job, now: float) -> None:
        for job_id in self.unbegun.make_room(job, now):
            self.forgotten(job_id)

    def _records(self, which: str, *values: Any) -> list[JobRecord]:
        return [read_record(row) for row in self._file.read(f"SELECT {COLUMNS} FROM job {which}", *values)]


def _check_key(key: Any) -> None:
    if not isinstance(key, bytes) or len(key) != 32:
        raise WrongType("the key of a store of jobs: 32 bytes")
