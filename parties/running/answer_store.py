"""A node's shares of sealed answers, and the answers it received, encrypted on its disk; and who still waits for some.

AES-256-GCM under a key of the node's, each bound to its job and to what it is, so that none can be put in another's
place. A share is given out only of a job that is RELEASED on this disk.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Iterable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from parties.disk.sqlite_file import SqliteFile
from parties.errors import AnswerTooLarge, JobUnknown, NotReleased, StoreFailed
from parties.jobs.session import State
from parties.log.audit import AuditLog
from parties.running.job_records import VERSION

__all__ = ["ANSWER_DIGEST", "MOST_PROOF", "MOST_SHARE", "AnswerStore"]

ANSWER_DIGEST = "answer_digest"
"""The fact of a job under which the SHA-256 of the answer is kept that came here, hex."""

MOST_SHARE = 900 << 20
"""Bytes of a share or an answer: SQLite has no value of more than 10^9."""

MOST_PROOF = 4 << 20
"""Bytes of the shares that are kept beside an answer."""

_SHARE, _ANSWER, _PART, _PROOF_OF = "share", "answer", "part ", "proof"
_PROOF = "accord job store 1"


class AnswerStore:
    """The part of a job_store.JobStore that holds secrets. Same file, same manners, same errors; AnswerTooLarge, and
    nothing is changed, for a share or an answer above MOST_SHARE.

    Args:
        file: with job_records.SCHEMA.
        key: 32 bytes. StoreFailed if the file was written under another one.
        audit: the log: what leaves this node, and what comes, is told there.
    """

    def __init__(self, file: SqliteFile, key: bytes, audit: AuditLog) -> None:
        self._file = file
        self._audit = audit
        self._sealing = AESGCM(key)
        with file.transaction():
            owner = file.one("SELECT version, proof FROM owner")
            if owner is None:
                owner = (VERSION, self._sealed(_PROOF, b""))
                file.change("INSERT INTO owner VALUES (?, ?)", *owner)
        if owner[0] != VERSION:
            raise StoreFailed(f"{file.path} is a store of version {owner[0]}, and this program's is {VERSION}")
        try:
            self._sealing.decrypt(owner[1][:12], owner[1][12:], _PROOF.encode())
        except InvalidTag:
            raise StoreFailed(
                f"{file.path} was written under another identity's key; give each member its own directory"
            ) from None

    # -- within a step of job_store.JobStore ---------------------------------------------------

    def put_share(self, job_id: str, share: bytes) -> None:
        """This node's share, within a transaction."""
        self._put(job_id, _SHARE, share)

    def drop(self, job_id: str) -> None:
        """All that is sealed of a job, within a transaction."""
        self._file.change("DELETE FROM sealed WHERE id = ?", job_id)

    def owe(self, job_id: str, results: Iterable[str]) -> None:
        """From now on these members wait for this node's share, if it has one; within a transaction."""
        if self._content(job_id, _SHARE) is not None:
            for member in results:
                self._file.change("INSERT INTO delivery VALUES (?, ?, NULL)", job_id, member)

    # -- a compute member's share --------------------------------------------------------------

    def share(self, job_id: str) -> bytes:
        """This node's share of the sealed answer. NotReleased unless the job is, or if it was purged or is none."""
        self._check_released(job_id)
        share = self._get(job_id, _SHARE)
        if share is None:
            raise NotReleased(f"job {job_id}: this node has no share of it, or purged it when all had received theirs")
        return share

    def delivered(self, job_id: str, member: str, now: float) -> None:
        """This result member has kept this node's share."""
        with self._file.transaction():
            self._state(job_id)
            owed = "WHERE id = ? AND member = ? AND time IS NULL"
            if self._file.one(f"SELECT 1 FROM delivery {owed}", job_id, member) is not None:
                self._file.change(f"UPDATE delivery SET time = ? {owed}", now, job_id, member)
                self._audit.note("delivered", now, job=job_id, to=member)

    def undelivered(self) -> dict[str, list[str]]:
        """Result members that do not have this node's share yet, by released job, the oldest job first."""
        owed: dict[str, list[str]] = {}
        for job_id, member in self._file.read(
            "SELECT id, member FROM delivery JOIN job USING (id) WHERE time IS NULL ORDER BY number, member"
        ):
            owed.setdefault(job_id, []).append(member)
        return owed

    # -- a result member's answer --------------------------------------------------------------

    def keep_part(self, job_id: str, member: str, share: bytes) -> dict[str, bytes]:
        """The share that this compute member gave; one that is here stays. NotReleased unless the job is.

        Once this returns the other one may be told that it is delivered. After the answer is kept, it changes nothing.

        Gives :meth:`parts`, this one among them; none if the answer is here.
        """
        with self._file.transaction():
            self._check_released(job_id)
            if self.has_answer(job_id):
                return {}
            if self._content(job_id, _PART + member) is None:
                self._put(job_id, _PART + member, share)
        return self.parts(job_id)

    def parts(self, job_id: str) -> dict[str, bytes]:
        """Shares that were given, by compute member; none any more once the answer is kept."""
        self._state(job_id)
        rows = self._file.read("SELECT what FROM sealed WHERE id = ? AND what LIKE 'part %' ORDER BY what", job_id)
        return {what.removeprefix(_PART): self._get(job_id, what) or b"" for (what,) in rows}

    def keep_answer(self, job_id: str, answer: bytes, now: float) -> None:
        """The answer, rebuilt from the parts. NotReleased unless the job is.

        The parts are kept with it, as what proves it with the votes they were voted with, where they are MOST_PROOF
        bytes in all at most; larger ones are deleted. Its digest is kept as a fact of the job, and stays.
        """
        with self._file.transaction():
            self._check_released(job_id)
            parts = self.parts(job_id) if self._size_of_parts(job_id) <= MOST_PROOF else {}
            self._file.change("DELETE FROM sealed WHERE id = ? AND what LIKE 'part %'", job_id)
            if parts:
                proof = {member: base64.b64encode(part).decode() for member, part in parts.items()}
                self._keep(job_id, _PROOF_OF, json.dumps(proof).encode())
            self._put(job_id, _ANSWER, answer)
            digest = hashlib.sha256(answer).hexdigest()
            self._file.change("INSERT OR REPLACE INTO fact VALUES (?, ?, ?)", job_id, ANSWER_DIGEST, json.dumps(digest))
            self._audit.note("received", now, job=job_id, answer=digest)

    def proof(self, job_id: str) -> dict[str, bytes]:
        """The shares that a kept answer was rebuilt from, by compute member; none if they were too large to keep."""
        self._check_released(job_id)
        proof = self._get(job_id, _PROOF_OF)
        return {} if proof is None else {name: base64.b64decode(part) for name, part in json.loads(proof).items()}

    def _size_of_parts(self, job_id: str) -> int:
        """Bytes, as they are sealed."""
        question = "SELECT coalesce(sum(length(content)), 0) FROM sealed WHERE id = ? AND what LIKE 'part %'"
        return int((self._file.one(question, job_id) or (0,))[0])

    def has_answer(self, job_id: str) -> bool:
        """Whether the answer is here. It is not read."""
        return self._file.one("SELECT 1 FROM sealed WHERE id = ? AND what = ?", job_id, _ANSWER) is not None

    def is_here(self, job_id: str) -> bool:
        """Whether the answer of a released job came. It is not read. NotReleased if it is not, or was purged."""
        self._check_released(job_id)
        if self._file.read("SELECT 1 FROM job WHERE id = ? AND purged = 1", job_id):
            raise NotReleased(f"job {job_id}: its answer was purged; its history stays")
        return self.has_answer(job_id)

    def answer(self, job_id: str) -> bytes | None:
        """The answer; None if the job is released and it is not here yet. NotReleased if it is not, or was purged."""
        return self._get(job_id, _ANSWER) if self.is_here(job_id) else None

    def purge(self, before: float, now: float) -> int:
        """Delete shares and answers of jobs that ended before this Unix time; gives of how many.

        Kept are a share somebody still waits for, and parts of an answer that is not rebuilt. History, signatures and
        what was promised stay. What was deleted is overwritten in the file.
        """
        old = (
            "state IN ('RELEASED', 'ABORTED') AND changed < ? "
            "AND EXISTS (SELECT 1 FROM sealed WHERE sealed.id = job.id) "
            "AND NOT EXISTS (SELECT 1 FROM delivery WHERE delivery.id = job.id AND time IS NULL) "
            "AND NOT EXISTS (SELECT 1 FROM sealed WHERE sealed.id = job.id AND what LIKE 'part %')"
        )
        with self._file.transaction():
            purged = [job_id for (job_id,) in self._file.read(f"SELECT id FROM job WHERE {old}", before)]
            for job_id in purged:
                self.drop(job_id)
                self._file.change("UPDATE job SET purged = 1 WHERE id = ?", job_id)
                self._audit.note("purged", now, job=job_id)
        self._file.forget()
        return len(purged)

    # -- inside --------------------------------------------------------------------------------

    def _state(self, job_id: str) -> State:
        row = self._file.one("SELECT state FROM job WHERE id = ?", job_id)
        if row is None:
            raise JobUnknown(f"there is no job {job_id[:32]!r} at this node")
        return State(row[0])

    def _check_released(self, job_id: str) -> None:
        state = self._state(job_id)
        if state is not State.RELEASED:
            raise NotReleased(f"job {job_id} is {state.value} at this node: only a released one gives an answer")

    def _put(self, job_id: str, what: str, content: bytes) -> None:
        if len(content) > MOST_SHARE:
            raise AnswerTooLarge(
                f"job {job_id}: {len(content)} bytes of an answer, and a node keeps {MOST_SHARE} at most: ask for less"
            )
        self._keep(job_id, what, content)

    def _keep(self, job_id: str, what: str, content: bytes) -> None:
        sealed = self._sealed(_place(job_id, what), content)
        self._file.change("INSERT OR REPLACE INTO sealed VALUES (?, ?, ?)", job_id, what, sealed)
        self._file.change("UPDATE job SET purged = 0 WHERE id = ? AND purged = 1", job_id)

    def _sealed(self, place: str, content: bytes) -> bytes:
        nonce = os.urandom(12)
        return nonce + self._sealing.encrypt(nonce, content, place.encode())

    def _content(self, job_id: str, what: str) -> bytes | None:
        row = self._file.one("SELECT content FROM sealed WHERE id = ? AND what = ?", job_id, what)
        return None if row is None else row[0]

    def _get(self, job_id: str, what: str) -> bytes | None:
        content = self._content(job_id, what)
        if content is None:
            return None
        try:
            return self._sealing.decrypt(content[:12], content[12:], _place(job_id, what).encode())
        except (InvalidTag, ValueError):
            raise StoreFailed(f"{self._file.path}: the {what} of job {job_id} was changed on the disk") from None


def _place(job_id: str, what: str) -> str:
    return f"accord job {job_id} {what}"
