"""A job: what one member asks the consortium to compute, in the very bytes all participants sign. Pure: no files.

A job says who computes on which tables for whom, and until when. What its parameters mean, its kind knows.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from parties.errors import JobInvalid, JobRefused
from parties.membership.charter import Charter, Member

__all__ = [
    "LATE", "MOST_JOB_BYTES", "ON_LOSS", "Job", "check_id", "check_job", "coordinator", "job_id", "participants",
    "read_job",
]  # fmt: skip

MOST_JOB_BYTES = 1 << 19
"""Of the canonical form: room for the parameters of a model, and in base64 within one request of 1 MiB."""

LATE = 24 * 3600
"""Seconds after its deadline from which nobody takes a job up any more, as far as members' clocks may be apart."""

ON_LOSS = ("abort", "wait")
"""What becomes of a running job when a member is lost: it ends, or waits and goes on from a checkpoint."""

_DIGEST = re.compile(r"[0-9a-f]{64}")
_ID = re.compile(r"[0-9a-f]{32}")
_KIND = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
_MEMBER = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
_TABLE = re.compile(r"[a-z0-9]([a-z0-9_-]{0,30}[a-z0-9])?")  # as tables are published
_MOST_NAMES = 1000
_MOST_DEPTH = 32
_LONGEST = 30 * 24 * 3600  # seconds
_SKEW = 300  # seconds a proposer's clock may be ahead
_FORMAT = "accord job 2"
_PURPOSE = re.compile(r"([a-z0-9]([a-z0-9 _-]{0,62}[a-z0-9])?)?")
_MOST_ANALYST = 64


@dataclass(frozen=True, eq=False, repr=False)
class Job:
    """One job, as its proposer made it. Equal jobs, and only they, have equal canonical bytes.

    Attributes:
        charter: digest of the charter it was made under.
        id: 32 hex digits, by :func:`job_id`.
        kind: names the program: 1 to 64 of a-z, 0-9, ``_ . -``, a letter first.
        parameters: a JSON object, copied, its names sorted: texts, whole numbers of 64 bits, finite floats, true,
            false, null, lists and objects, nested 32 deep at most. No secret among participants. Do not change it.
        tables: (member, table) pairs in the order the kind wants; none twice.
        published: for each, the digest of what its member publishes about it (description.digest_of).
        results: names of the members that receive the answer, one or more; sorted, whatever order they are given in.
        proposer: fingerprint of the member whose node made it.
        proposed: when, in whole seconds of Unix time.
        deadline: how many seconds from then on it may take: 1 to 30 days.
        on_loss: one of ON_LOSS.
        analyst: who of the proposer's people asks, as its node knows them; up to 64 printable characters, '' unsaid.
        purpose: what for, as policies have it: up to 64 of a-z, 0-9, blank, ``_`` and ``-``; '' unsaid.

    Raises JobInvalid, which names the field.
    """

    charter: str
    id: str
    kind: str
    parameters: Mapping[str, Any]
    tables: tuple[tuple[str, str], ...]
    published: tuple[str, ...]
    results: tuple[str, ...]
    proposer: str
    proposed: int
    deadline: int
    on_loss: str = "abort"
    analyst: str = ""
    purpose: str = ""

    def __post_init__(self) -> None:
        _check(_is(_DIGEST, self.charter), "charter: the 64 hex digits of the digest of the charter in force")
        _check(_is(_ID, self.id), "id: 32 hex digits")
        _check(_is(_KIND, self.kind), "kind: 1 to 64 of a-z, 0-9, _ . -, a letter first")
        _check(_is(_DIGEST, self.proposer), "proposer: the 64 hex digits of its fingerprint")
        _check(type(self.proposed) is int and 0 <= self.proposed < 1 << 40, "proposed: whole seconds of Unix time")
        _check(
            type(self.deadline) is int and 1 <= self.deadline <= _LONGEST, f"deadline: 1 to {_LONGEST} whole seconds"
        )
        _check(self.on_loss in ON_LOSS, f"on_loss: one of {', '.join(ON_LOSS)}")
        said = _is_text(self.analyst) and len(self.analyst) <= _MOST_ANALYST and self.analyst.isprintable()
        _check(said, f"analyst: up to {_MOST_ANALYST} printable characters")
        _check(_is(_PURPOSE, self.purpose), "purpose: up to 64 of a-z, 0-9, blank, _ and -, no blank at its ends")
        _check_names(self.tables, self.results)
        good = len(self.published) == len(self.tables) and all(_is(_DIGEST, digest) for digest in self.published)
        _check(good, "published: for each table the 64 hex digits of the digest of its description")
        object.__setattr__(self, "results", tuple(sorted(self.results)))
        _check(isinstance(self.parameters, Mapping), "parameters: an object, of names and values")
        object.__setattr__(self, "parameters", _copied(self.parameters, "parameters", 1))
        size = len(self.canonical)
        _check(size <= MOST_JOB_BYTES, f"parameters: the job has {size} bytes, and {MOST_JOB_BYTES} are the most")

    @property
    def expires(self) -> int:
        """Unix time of its deadline."""
        return self.proposed + self.deadline

    @functools.cached_property
    def canonical(self) -> bytes:
        """JSON in ASCII, keys sorted, no spaces."""
        found = {
            "analyst": self.analyst,
            "charter": self.charter,
            "format": _FORMAT,
            "proposed": self.proposed,
            "published": list(self.published),
        }
        return _json({**self._asked(), **found})

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical bytes, hex: what acceptances and votes are signatures of."""
        return hashlib.sha256(self.canonical).hexdigest()

    def asks_the_same(self, other: Job) -> bool:
        """Whether both are one request, whoever of the proposer's people made it, however long ago, and of whatever
        tables' publishing: a client submits again."""
        return self._asked() == other._asked()

    def _asked(self) -> dict[str, Any]:
        return {
            "deadline": self.deadline,
            "id": self.id,
            "kind": self.kind,
            "on_loss": self.on_loss,
            "parameters": self.parameters,
            "proposer": self.proposer,
            "purpose": self.purpose,
            "results": list(self.results),
            "tables": [list(pair) for pair in self.tables],
        }

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Job) and self.canonical == other.canonical

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.kind}>"


def job_id(proposer: str, client_key: str) -> str:
    """The id of what a client asks for under a key of its choice: the same key twice is the same job.

    Args:
        proposer: the member's fingerprint, 64 hex digits.
        client_key: 1 to 200 characters; a client that has none draws a random one.

    Raises JobInvalid.
    """
    _check(_is(_DIGEST, proposer), "proposer: the 64 hex digits of its fingerprint")
    _check(_is_text(client_key) and 1 <= len(client_key) <= 200, "the client's key: 1 to 200 characters")
    return hashlib.sha256(b"accord job id 1\0" + proposer.encode() + client_key.encode()).hexdigest()[:32]


def read_job(content: bytes) -> Job:
    """The job with these canonical bytes; JobInvalid for any others. Local, bounded."""
    if len(content) > MOST_JOB_BYTES:
        raise JobInvalid(f"a job of {len(content)} bytes: {MOST_JOB_BYTES} are the most")
    try:
        said = json.loads(content.decode("ascii"))
        job = Job(
            charter=said["charter"],
            id=said["id"],
            kind=said["kind"],
            parameters=said["parameters"],
            tables=tuple(tuple(pair) for pair in said["tables"]),
            published=tuple(said["published"]),
            results=tuple(said["results"]),
            proposer=said["proposer"],
            proposed=said["proposed"],
            deadline=said["deadline"],
            on_loss=said["on_loss"],
            analyst=said["analyst"],
            purpose=said["purpose"],
        )
        same = job.canonical == content
    except (ValueError, KeyError, TypeError, RecursionError):
        raise JobInvalid("this is no job: JSON with a job's fields, as its proposer wrote it, was expected") from None
    if not same:
        raise JobInvalid(
            "a job in another form than the canonical one: other fields, order, spaces, or not this format"
        )
    return job


def coordinator(charter: Charter) -> Member:
    """Who orders a job's steps: the compute party with index 0. Nobody believes it more than others."""
    return charter.compute[0]


def participants(job: Job, charter: Charter) -> tuple[Member, ...]:
    """Whose acceptance the job needs, by name: compute members, owners of its tables, who receives it, who proposed it.

    Raises JobRefused if it names somebody who is no member.
    """
    named = {member.name: member for member in charter.members}
    proposer = charter.by_fingerprint.get(job.proposer)
    if proposer is None:
        raise JobRefused(f"job {job.id}: its proposer {job.proposer[:16]}... is no member by version {charter.version}")
    taking = {proposer.name, *(member.name for member in charter.compute)}
    for name in (*(owner for owner, _ in job.tables), *job.results):
        if name not in named:
            raise JobRefused(f"job {job.id}: {name} is no member by version {charter.version} of the charter")
        taking.add(name)
    return tuple(member for member in charter.members if member.name in taking)


def check_job(job: Job, charter: Charter, now: float) -> None:
    """JobRefused unless the job may be taken up by the charter in force, at ``now`` in Unix time. Pure, local.

    1. It was made under the charter in force.
    2. Its deadline is to come, and it was not proposed more than 5 minutes from now.
    3. Whom it names are members.
    4. Who has a table has the role input; who receives the answer has the role result.
    """
    if job.charter != charter.digest:
        raise JobRefused(
            f"job {job.id} was made under charter {job.charter[:16]}..., and version {charter.version}, "
            f"{charter.digest[:16]}..., is in force: submit it again under another key"
        )
    if now >= job.expires:
        raise JobRefused(
            f"job {job.id}: its deadline was {now - job.expires:.0f} s ago: submit it again, or for longer"
        )
    if job.proposed > now + _SKEW:
        raise JobRefused(f"job {job.id} was proposed {job.proposed - now:.0f} s from now: a member's clock is wrong")
    taking = {member.name: member for member in participants(job, charter)}
    for owner, table in job.tables:
        if "input" not in taking[owner].roles:
            raise JobRefused(f"job {job.id}, table {table} of {owner}: by the charter {owner} has not the role input")
    for name in job.results:
        if "result" not in taking[name].roles:
            raise JobRefused(f"job {job.id}, results: by the charter {name} has not the role result")


def check_id(job: Job, job_id: str) -> None:
    """JobInvalid unless the job came under its own id."""
    if job.id != job_id:
        raise JobInvalid(f"job {job.id} came under the id {job_id}")


def _check(good: bool, otherwise: str) -> None:
    if not good:
        raise JobInvalid(otherwise)


def _is(pattern: re.Pattern[str], text: object) -> bool:
    return isinstance(text, str) and pattern.fullmatch(text) is not None


def _check_names(tables: Any, results: Any) -> None:
    _check(isinstance(tables, tuple) and len(tables) <= _MOST_NAMES, f"tables: {_MOST_NAMES} (member, table) at most")
    for pair in tables:
        good = isinstance(pair, tuple) and len(pair) == 2 and _is(_MEMBER, pair[0]) and _is(_TABLE, pair[1])
        _check(good, "tables: pairs of a member's name and a table's (1 to 32 of a-z, 0-9 and, within, _ and -)")
    _check(len(set(tables)) == len(tables), "tables: each one once")
    _check(
        isinstance(results, tuple) and 1 <= len(results) <= _MOST_NAMES, f"results: 1 to {_MOST_NAMES} members' names"
    )
    _check(all(_is(_MEMBER, name) for name in results), "results: names of members")
    _check(len(set(results)) == len(results), "results: each member once")


def _copied(value: Any, where: str, depth: int) -> Any:
    """The value in lists, dicts and plain types, names sorted: who made the job has it as those who read it do."""
    _check(depth <= _MOST_DEPTH, f"parameters: nested more than {_MOST_DEPTH} deep")
    if isinstance(value, Mapping):
        for key in value:
            _check(_is_text(key), f"{where}: names are texts, without halves of surrogate pairs")
        return {key: _copied(value[key], f"{where}.{key[:40]}", depth + 1) for key in sorted(value)}
    if isinstance(value, list | tuple):
        return [_copied(item, where, depth + 1) for item in value]
    if type(value) is int:
        _check(-(1 << 63) <= value < 1 << 63, f"{where}: a whole number of more than 64 bits")
    elif type(value) is float:
        _check(math.isfinite(value), f"{where}: a number that is not finite")
    elif type(value) is str:
        _check(_is_text(value), f"{where}: half of a surrogate pair")
    else:
        _check(value is None or type(value) is bool, f"{where}: {type(value).__name__} is no JSON value")
    return value


def _is_text(value: object) -> bool:
    return type(value) is str and not any("\ud800" <= c <= "\udfff" for c in value)


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode("ascii")
