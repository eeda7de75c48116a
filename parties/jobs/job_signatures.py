"""What members sign about a job: that they propose it, accept it, are ready to release it. Pure: no files.

Each in a context of its own, so that no signature is one for another purpose.

    proposal     64 bytes: a signature of the job's digest
    acceptance   a signature, 64 bytes, and what it is of: a statement (statement.py)
    vote         a signature, 64 bytes, of the job's digest and the SHA-256 of the member's share, and that hash
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from parties.errors import JobInvalid, JobRefused, SignatureInvalid
from parties.jobs.job import Job, participants
from parties.jobs.statement import MOST_STATEMENT, Statement, check_statement, read_statement
from parties.keys.fingerprints import verify
from parties.keys.identity import Identity
from parties.membership.charter import Charter, Member

__all__ = [
    "MOST_ACCEPTANCE", "VOTE", "check_acceptance", "check_acceptances", "check_proposal", "check_share", "check_vote",
    "check_votes", "sign_acceptance", "sign_proposal", "sign_vote", "stated_in",
]  # fmt: skip

_SIGNATURE = 64
_DIGEST = 32

MOST_ACCEPTANCE = _SIGNATURE + MOST_STATEMENT
"""Bytes of an acceptance."""

VOTE = _SIGNATURE + _DIGEST
"""Bytes of a vote."""

_PROPOSAL = "job proposal"
_ACCEPTANCE = "job acceptance"
_READY = "job ready"


def sign_proposal(job: Job, identity: Identity) -> bytes:
    """The proposer's signature, 64 bytes. JobInvalid if the identity is not the job's proposer."""
    if identity.fingerprint != job.proposer:
        raise JobInvalid(f"job {job.id}, proposer: {job.proposer[:16]}... is not this member's fingerprint")
    return identity.sign(_PROPOSAL, _message(job))


def sign_acceptance(statement: Statement, identity: Identity) -> bytes:
    """This member's acceptance. A node asks job.check_job and its own rules first. Deterministic."""
    content = statement.content
    return identity.sign(_ACCEPTANCE, content) + content


def sign_vote(job: Job, identity: Identity, share: bytes) -> bytes:
    """This compute member's vote that it has this share of the sealed answer and will release it.

    It is given away only after session.Event.READY is on the disk: from then on this node cannot abort by itself. Of
    the share it tells a hash; a share is fresh randomness, so that tells nothing.
    """
    digest = hashlib.sha256(share).digest()
    return identity.sign(_READY, _ready(job, digest)) + digest


def check_proposal(job: Job, charter: Charter, signature: bytes) -> Member:
    """The member that proposed the job. JobRefused if it is none, SignatureInvalid if it did not sign it."""
    proposer = charter.by_fingerprint.get(job.proposer)
    if proposer is None:
        raise JobRefused(f"job {job.id}: its proposer {job.proposer[:16]}... is no member by version {charter.version}")
    _check(_PROPOSAL, "proposal", job, proposer, _message(job), signature)
    return proposer


def check_acceptance(job: Job, member: Member, acceptance: bytes) -> Statement:
    """What this member states. SignatureInvalid unless it signed it, JobInvalid unless it is about this job."""
    signature, content = acceptance[:_SIGNATURE], acceptance[_SIGNATURE:]
    if len(acceptance) > MOST_ACCEPTANCE:
        raise JobInvalid(f"job {job.id}: an acceptance of {len(acceptance)} bytes; {MOST_ACCEPTANCE} are the most")
    _check(_ACCEPTANCE, "acceptance", job, member, content, signature)
    statement = read_statement(content)
    check_statement(statement, job.digest, member.fingerprint)
    return statement


def stated_in(acceptance: bytes) -> Statement:
    """What an acceptance states, whose signature was checked when it came. JobInvalid for what is none."""
    return read_statement(acceptance[_SIGNATURE:])


def check_acceptances(job: Job, charter: Charter, acceptances: Mapping[str, bytes]) -> dict[str, Statement]:
    """What every participant states, by name; all of one plan.

    SignatureInvalid unless each signed it, and nobody else is named; JobInvalid for a statement about another job;
    JobRefused if two members made different plans of the job, which names them.
    """
    taking = participants(job, charter)
    _check_all("acceptance", job, taking, acceptances)
    found = {member.name: check_acceptance(job, member, acceptances[member.name]) for member in taking}
    for name, statement in found.items():
        if statement.plan != found[taking[0].name].plan:
            raise JobRefused(
                f"job {job.id}: {name} and {taking[0].name} make different plans of it: their releases differ; update "
                "the older one"
            )
    return found


def check_vote(job: Job, member: Member, vote: bytes) -> None:
    """SignatureInvalid unless this member voted ready. That it is a compute member, the caller knows."""
    digest = vote[_SIGNATURE:]
    if len(vote) != VOTE:
        raise SignatureInvalid(f"job {job.id}: the vote in the name of {member.name} has {len(vote)} bytes, not {VOTE}")
    _check(_READY, "vote", job, member, _ready(job, digest), vote[:_SIGNATURE])


def check_votes(job: Job, charter: Charter, votes: Mapping[str, bytes]) -> None:
    """SignatureInvalid unless every compute member voted ready, and nobody else is named: release may be proposed.

    Args:
        votes: VOTE bytes each, by member's name.
    """
    _check_all("vote", job, charter.compute, votes)
    for member in charter.compute:
        check_vote(job, member, votes[member.name])


def check_share(job: Job, name: str, vote: bytes, share: bytes) -> None:
    """SignatureInvalid unless this is the share the member voted with; the vote was checked."""
    if hashlib.sha256(share).digest() != vote[_SIGNATURE:]:
        raise SignatureInvalid(f"job {job.id}: the share of {name} is another than the one it voted with")


def _message(job: Job) -> bytes:
    return job.digest.encode("ascii")


def _ready(job: Job, share: bytes) -> bytes:
    return _message(job) + share


def _check(context: str, what: str, job: Job, member: Member, message: bytes, signature: bytes) -> None:
    try:
        verify(member.key, context, message, signature)
    except SignatureInvalid:
        raise SignatureInvalid(f"job {job.id}: the {what} in the name of {member.name} was not signed by it") from None


def _check_all(what: str, job: Job, members: Sequence[Member], signed: Mapping[str, bytes]) -> None:
    missing = [member.name for member in members if member.name not in signed]
    if missing:
        raise SignatureInvalid(f"job {job.id}: no {what} of {', '.join(missing)}")
    if len(signed) != len(members):
        raise SignatureInvalid(f"job {job.id}: {len(signed) - len(members)} of somebody who has no {what} to give")
