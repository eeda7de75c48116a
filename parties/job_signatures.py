"""What members sign about a job: that they propose it, accept it, are ready to release it. Pure: no files.

All three sign the job's digest, each in a context of its own, so that no signature is one for another purpose.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from parties.charter import Charter, Member
from parties.errors import JobInvalid, JobRefused, SignatureInvalid
from parties.fingerprints import verify
from parties.identity import Identity
from parties.job import Job, participants

__all__ = [
    "check_acceptance", "check_acceptances", "check_proposal", "check_vote", "check_votes", "sign_job",
    "sign_proposal", "sign_vote",
]  # fmt: skip

_PROPOSAL = "job proposal"
_ACCEPTANCE = "job"
_READY = "job ready"


def sign_proposal(job: Job, identity: Identity) -> bytes:
    """The proposer's signature, 64 bytes. JobInvalid if the identity is not the job's proposer."""
    if identity.fingerprint != job.proposer:
        raise JobInvalid(f"job {job.id}, proposer: {job.proposer[:16]}... is not this member's fingerprint")
    return identity.sign(_PROPOSAL, _message(job))


def sign_job(job: Job, identity: Identity) -> bytes:
    """This member's acceptance, 64 bytes. A node asks job.check_job and its own rules first. Deterministic."""
    return identity.sign(_ACCEPTANCE, _message(job))


def sign_vote(job: Job, identity: Identity) -> bytes:
    """This compute member's vote that it has its share of the sealed answer and will release it, 64 bytes.

    It is given away only after session.Event.READY is on the disk: from then on this node cannot abort by itself.
    """
    return identity.sign(_READY, _message(job))


def check_proposal(job: Job, charter: Charter, signature: bytes) -> Member:
    """The member that proposed the job. JobRefused if it is none, SignatureInvalid if it did not sign it."""
    proposer = charter.by_fingerprint.get(job.proposer)
    if proposer is None:
        raise JobRefused(f"job {job.id}: its proposer {job.proposer[:16]}... is no member by version {charter.version}")
    _check(_PROPOSAL, "proposal", job, proposer, signature)
    return proposer


def check_acceptance(job: Job, member: Member, signature: bytes) -> None:
    """SignatureInvalid unless this member accepted the job."""
    _check(_ACCEPTANCE, "acceptance", job, member, signature)


def check_acceptances(job: Job, charter: Charter, signatures: Mapping[str, bytes]) -> None:
    """SignatureInvalid unless every participant accepted the job, and nobody else is named.

    Args:
        signatures: 64 bytes each, by member's name.
    """
    _check_all(_ACCEPTANCE, "acceptance", job, participants(job, charter), signatures)


def check_vote(job: Job, member: Member, signature: bytes) -> None:
    """SignatureInvalid unless this member voted ready. That it is a compute member, the caller knows."""
    _check(_READY, "vote", job, member, signature)


def check_votes(job: Job, charter: Charter, votes: Mapping[str, bytes]) -> None:
    """SignatureInvalid unless every compute member voted ready, and nobody else is named: release may be proposed.

    Args:
        votes: 64 bytes each, by member's name.
    """
    _check_all(_READY, "vote", job, charter.compute, votes)


def _message(job: Job) -> bytes:
    return job.digest.encode("ascii")


def _check(context: str, what: str, job: Job, member: Member, signature: bytes) -> None:
    try:
        verify(member.key, context, _message(job), signature)
    except SignatureInvalid:
        raise SignatureInvalid(f"job {job.id}: the {what} in the name of {member.name} was not signed by it") from None


def _check_all(context: str, what: str, job: Job, members: Sequence[Member], signatures: Mapping[str, bytes]) -> None:
    missing = [member.name for member in members if member.name not in signatures]
    if missing:
        raise SignatureInvalid(f"job {job.id}: no {what} of {', '.join(missing)}")
    if len(signatures) != len(members):
        raise SignatureInvalid(f"job {job.id}: {len(signatures) - len(members)} of somebody who has no {what} to give")
    for member in members:
        _check(context, what, job, member, signatures[member.name])
