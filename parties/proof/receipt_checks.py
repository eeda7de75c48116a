"""What has to hold of a receipt, check by check. Pure: nothing but the receipt and the keys in it is looked at.

Each function gives what it found, for the checks after it, and says it in words; an AccordError says why it does not
hold. receipt_verify.py has their order, and what becomes of them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from mpc.errors import AccordError
from parties.calls.quiet_log import place_of
from parties.errors import CharterInvalid, CharterNotInForce, JobInvalid, JobRefused
from parties.jobs.job import Job, check_job, participants, read_job
from parties.jobs.job_signatures import check_acceptances, check_proposal, check_share, check_votes
from parties.jobs.statement import Statement
from parties.kinds.kind import Plan
from parties.membership.charter import Charter, Member
from parties.membership.charter_file import read_charter, write_charter
from parties.membership.signatures import Signatures
from parties.membership.trust import check_signatures, missing_signers
from parties.planning.job_plans import Plans, write_answer
from parties.planning.job_work import check_described
from parties.proof.receipt import LEFT_OUT, PURGED, TOO_LARGE, Receipt, check_given
from parties.proof.receipt_facts import Facts, facts_of

__all__ = [
    "Agreed", "OtherRelease", "check_accepted", "check_answer", "check_charter", "check_pinned", "check_plan",
    "check_policies", "check_proposed", "check_result", "check_shares", "check_statement", "check_tables",
    "check_voted",
]  # fmt: skip

T = TypeVar("T")
Found: TypeAlias = tuple[T, str]
"""What a check found, and that in words."""

_WHY = {
    LEFT_OUT: "left out by who asked for the receipt: nothing in it tells the answer",
    PURGED: "none: the answer had been deleted for its age",
    TOO_LARGE: "none: they were too large to be kept",
}


class OtherRelease(Exception):
    """This program comes to something else than the one a receipt was made with, and is another one: it cannot tell."""


@dataclass(frozen=True)
class Agreed:
    """What everybody signed.

    Attributes:
        charter, job: as signed.
        statements: of every participant, by name.
    """

    charter: Charter
    job: Job
    statements: Mapping[str, Statement]


def check_charter(receipt: Receipt) -> Found[Charter]:
    """All members that the charter names signed it."""
    charter = read_charter(receipt.charter)
    if write_charter(charter).encode() != receipt.charter:
        raise CharterInvalid("its text is not in the form in which receipts have it")
    signatures = Signatures(charter.digest, receipt.signatures)
    check_signatures(charter, None, signatures)
    missing = ", ".join(member.name for member in missing_signers(charter, signatures))
    if missing:
        raise CharterNotInForce(f"not signed by {missing}")
    names = ", ".join(member.name for member in charter.members)
    return charter, f"version {charter.version} of {charter.consortium}, signed by {names}"


def check_pinned(charter: Charter, digest: str, members: Sequence[str]) -> Found[bool]:
    """It is the charter with this digest, if any is given, and has the members with these fingerprints."""
    if digest and digest != charter.digest:
        raise CharterNotInForce(f"another charter than the one you know: its digest is {charter.digest}")
    for fingerprint in members:
        if fingerprint not in charter.by_fingerprint:
            raise CharterNotInForce(f"{fingerprint[:16]}... is no member by this charter, and did not sign it")
    named = ", ".join(charter.by_fingerprint[fingerprint].name for fingerprint in members)
    known = ["it is the charter you know"] if digest else []
    if named:
        known.append(f"signed by {named}, whom you know")
    return True, "; ".join(known)


def check_proposed(receipt: Receipt, charter: Charter) -> Found[Job]:
    """The job is whole, the charter allows it, its proposer signed it."""
    job = read_job(receipt.job)
    check_job(job, charter, job.proposed)
    proposer = check_proposal(job, charter, receipt.proposal)
    return job, f"job {job.id}, signed by {proposer.name}"


def check_accepted(receipt: Receipt, charter: Charter, job: Job) -> Found[Agreed]:
    """Every participant signed that it accepts the job, and all of them the same plan."""
    found = check_acceptances(job, charter, receipt.acceptances)
    plan = next(iter(found.values())).plan
    return Agreed(charter, job, found), f"signed by {', '.join(found)}: all of plan {plan[:16]}..."


def check_tables(receipt: Receipt, job: Job) -> Found[Sequence[str]]:
    """The descriptions are those whose digests the job states."""
    check_described(job, receipt.tables)
    return receipt.tables, f"{len(job.tables)}, as the job states by their digests"


def check_plan(agreed: Agreed, tables: Sequence[str], software: str) -> Found[Plan]:
    """Made anew from job and descriptions it is the plan that all accepted. Raises OtherRelease too."""
    stated = next(iter(agreed.statements.values())).plan
    with _judged_by(software, {statement.software for statement in agreed.statements.values()}):
        _, plan = Plans(lambda: (agreed.charter,)).plan(agreed.job, tables)
        if plan.digest != stated:
            raise JobInvalid(f"made anew it is {plan.digest[:16]}..., and all accepted {stated[:16]}...")
    return plan, f"made anew it is the one all accepted, {plan.digest[:16]}..."


def check_policies(agreed: Agreed, tables: Sequence[str], plan: Plan) -> Found[Facts]:
    """Each owner states by which policy it decided about each of its tables."""
    for ask in plan.asks:
        if ask.table not in agreed.statements[ask.member].policies:
            raise JobInvalid(f"{ask.member} does not state by which policy it decided about {ask.table}")
    facts = facts_of(agreed.job, agreed.charter, tables, plan, agreed.statements)
    owners = ", ".join(dict.fromkeys(ask.member for ask in plan.asks))
    return facts, f"stated by {owners}" if owners else "none: there are no tables"


def check_voted(receipt: Receipt, charter: Charter, job: Job) -> Found[bool]:
    """Every compute member signed, with the hash of its share, that it is ready to release."""
    check_votes(job, charter, receipt.votes)
    return True, f"signed by {', '.join(member.name for member in charter.compute)}, each with the hash of its share"


def check_statement(receipt: Receipt, charter: Charter, job: Job) -> Found[Member]:
    """A result member signed what the receipt says of the answer."""
    given = receipt.given
    taking = {member.name: member for member in participants(job, charter)}
    if given.member not in job.results or given.member not in taking:
        raise JobRefused(f"{given.member} does not receive the answer of this job")
    check_given(given, job.digest, taking[given.member])
    said = "nothing of the answer" if given.answer is None else f"that the answer has the digest {given.answer}"
    return taking[given.member], f"{given.member}, who received the answer, states {said}"


def check_shares(receipt: Receipt, charter: Charter, job: Job) -> Found[Mapping[str, bytes]]:
    """Those the receipt states are there, and are those that were voted with; or none, and it says why."""
    given, computing = receipt.given, [member.name for member in charter.compute]
    if tuple(sorted(receipt.shares)) != given.shares:
        raise JobInvalid(
            f"{given.member} put in those of {', '.join(given.shares) or 'nobody'}, and here are those of "
            f"{', '.join(sorted(receipt.shares)) or 'nobody'}"
        )
    if bool(given.shares) == bool(given.why):
        raise JobInvalid("there are none, and nothing says why" if not given.shares else "they are, and are not, there")
    for name, share in receipt.shares.items():
        if name not in computing:
            raise JobInvalid(f"{name} does not compute, so it has none")
        check_share(job, name, receipt.votes[name], share)
    if given.why:
        return {}, _WHY[given.why]
    if len(given.shares) <= charter.threshold:
        raise JobInvalid(f"{len(given.shares)}, and {charter.threshold + 1} are needed")
    return receipt.shares, f"of {', '.join(given.shares)}: those they voted with"


def check_answer(receipt: Receipt, agreed: Agreed, tables: Sequence[str], software: str) -> Found[bytes]:
    """Opened from the shares the answer has the stated digest. Raises OtherRelease too."""
    given = receipt.given
    with _judged_by(software, {agreed.statements[given.member].software}):
        answer = Plans(lambda: (agreed.charter,)).answer(agreed.job, tables, receipt.shares)
        digest = "" if answer is None else hashlib.sha256(answer).hexdigest()
        if answer is None or digest != given.answer:
            raise JobInvalid(f"opened it has the digest {digest}, and {given.member} states {given.answer}")
    return answer, f"opened from the shares it has the digest {digest}"


def check_result(receipt: Receipt, job: Job, result: bytes) -> Found[bool]:
    """What the reader was given is the answer whose digest is stated. In any layout of its JSON, and as `accord ask
    --json` prints it."""
    forms = [result, result.strip()]
    with contextlib.suppress(ValueError, RecursionError):
        said = json.loads(result)
        forms.append(write_answer(said))
        if isinstance(said, dict) and set(said) == {"job", "answer"} and said["job"] == job.id:
            forms.append(write_answer(said["answer"]))
    if receipt.given.answer not in {hashlib.sha256(form).hexdigest() for form in forms}:
        raise JobInvalid(f"another one than the answer that {receipt.given.member} received")
    return True, "it is the answer"


@contextlib.contextmanager
def _judged_by(software: str, made_with: set[str]) -> Iterator[None]:
    """What goes wrong within is for another release to judge, unless this is one that the receipt was made with."""
    try:
        yield
    except Exception as error:
        if software in made_with:
            raise
        made = ", ".join(f"{digest[:16]}..." for digest in sorted(made_with))
        told = f"{type(error).__name__}: {error}" if isinstance(error, AccordError) else place_of(error)
        raise OtherRelease(
            f"made with software {made}, and this is {software[:16]}..., which comes to something else: verify it with "
            f"the release it was made with ({told})"
        ) from None
