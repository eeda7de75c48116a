"""A receipt: what proves afterwards who asked what, who agreed by which rules, and what came out. One document. Pure.

    {"format": "accord receipt 1",
     "charter": {"text": as consortium.toml, "signatures": {fingerprint: hex}},
     "job": {"text": its canonical bytes, "signature": of its proposer},
     "tables": [what is published of each of its tables],
     "acceptances": {member: {"text": its statement, "signature": hex}},
     "votes": {member: {"share": SHA-256 of its share, "signature": hex}},
     "shares": {member: base64},
     "given": {"member": who gives the receipt, "answer": SHA-256, "shares": [members], "why": "", "signature": hex}}

JSON in one form only, to the byte. It holds parts that members signed and nothing made of them, so nothing in it has to
be believed: receipt_checks.py judges the parts. Who has the shares in it has the answer.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from parties.disk.chain import canonical
from parties.errors import MessageInvalid, ReceiptUnreadable, SignatureInvalid
from parties.jobs.job import MOST_JOB_BYTES
from parties.jobs.statement import MOST_STATEMENT
from parties.keys.fingerprints import verify
from parties.keys.identity import Identity
from parties.membership.charter import Member
from parties.membership.charter_bundle import SignedCharter
from parties.membership.charter_file import write_charter
from parties.wire.message_form import (
    Digest,
    Fingerprint,
    MemberName,
    Signature,
    Strict,
    bytes_of,
    read_json,
    signatures_of,
)

__all__ = [
    "LEFT_OUT", "MOST_RECEIPT", "PURGED", "TOO_LARGE", "Given", "Receipt", "charter_parts", "check_given",
    "read_receipt", "sign_given", "write_receipt",
]  # fmt: skip

MOST_RECEIPT = 64 << 20
"""Bytes of a receipt."""

LEFT_OUT, PURGED, TOO_LARGE = "left out", "purged", "too large"
"""Why a receipt has no shares: whoever asked for it wanted none; the answer was deleted for its age; the shares were
more than a node keeps beside an answer."""

_FORMAT = "accord receipt 1"
_CONTEXT = "job receipt"
_SIGNATURE = 64
_MOST_TEXT = 1 << 20
_MOST_MEMBERS = 1000


@dataclass(frozen=True)
class Given:
    """What the result member that gives a receipt signs.

    Attributes:
        member: its name.
        answer: SHA-256 of the answer it has, hex; None: it tells nothing of it, as it could be guessed by its hash.
        shares: whose shares are in the receipt, sorted.
        why: why there are none, LEFT_OUT, PURGED or TOO_LARGE; '' where there are.
        signature: its.
    """

    member: str
    answer: str | None
    shares: tuple[str, ...]
    why: str
    signature: bytes = b""

    def content(self, job: str) -> bytes:
        """What is signed, of the job with this digest."""
        said = {"answer": self.answer, "format": _FORMAT, "job": job, "member": self.member, "why": self.why}
        return canonical({**said, "shares": list(self.shares)})


@dataclass(frozen=True)
class Receipt:
    """The parts, as bytes. None of them was looked at.

    Attributes:
        charter: in force for the job, TOML; signatures: of it, by fingerprint.
        job: canonical bytes; proposal: its proposer's signature.
        tables: what is published of each of its tables.
        acceptances, votes: as job_signatures.py has them, by member.
        shares: those the answer was opened from, by member; none where ``given.why`` says why.
        given: see above.
    """

    charter: bytes
    signatures: Mapping[str, bytes]
    job: bytes
    proposal: bytes
    tables: tuple[str, ...]
    acceptances: Mapping[str, bytes]
    votes: Mapping[str, bytes]
    given: Given
    shares: Mapping[str, bytes] = field(default_factory=dict, repr=False)


def charter_parts(signed: SignedCharter) -> tuple[bytes, dict[str, bytes]]:
    """A charter as a receipt has it: its text, and the signatures of those it names."""
    named = signed.charter.by_fingerprint
    return write_charter(signed.charter).encode(), {who: s for who, s in signed.signatures.by.items() if who in named}


def sign_given(given: Given, job: str, identity: Identity) -> Given:
    """The same, signed for the job with this digest. Deterministic."""
    signature = identity.sign(_CONTEXT, given.content(job))
    return Given(given.member, given.answer, given.shares, given.why, signature)


def check_given(given: Given, job: str, member: Member) -> None:
    """SignatureInvalid unless this member signed it for the job with this digest."""
    try:
        verify(member.key, _CONTEXT, given.content(job), given.signature)
    except SignatureInvalid:
        raise SignatureInvalid(f"what is stated in the name of {member.name} was not signed by it") from None


def write_receipt(receipt: Receipt) -> bytes:
    """The document."""
    given = receipt.given
    said: dict[str, Any] = {
        "format": _FORMAT,
        "charter": {"text": receipt.charter.decode("utf-8"), "signatures": signatures_of(receipt.signatures)},
        "job": {"text": receipt.job.decode("utf-8"), "signature": receipt.proposal.hex()},
        "tables": list(receipt.tables),
        "acceptances": {
            name: {"text": signed[_SIGNATURE:].decode("utf-8"), "signature": signed[:_SIGNATURE].hex()}
            for name, signed in receipt.acceptances.items()
        },
        "votes": {
            name: {"share": vote[_SIGNATURE:].hex(), "signature": vote[:_SIGNATURE].hex()}
            for name, vote in receipt.votes.items()
        },
        "shares": {name: base64.b64encode(share).decode("ascii") for name, share in receipt.shares.items()},
        "given": {
            "member": given.member,
            "answer": given.answer,
            "shares": list(given.shares),
            "why": given.why,
            "signature": given.signature.hex(),
        },
    }
    return json.dumps(said, sort_keys=True, indent=1, ensure_ascii=True).encode("ascii") + b"\n"


def read_receipt(content: bytes) -> Receipt:
    """The other way round; ReceiptUnreadable for anything write_receipt would not have written, to the byte.

    The bytes may be hostile. What they say is not judged here. Local, bounded by their length.
    """
    if len(content) > MOST_RECEIPT:
        raise ReceiptUnreadable(f"more than {MOST_RECEIPT} bytes: no receipt has as many")
    try:
        said = read_json(_Document, content)
        made = _receipt_of(said)
    except (MessageInvalid, ValueError) as error:  # ValueError: of base64
        raise ReceiptUnreadable(f"this is no receipt as `accord receipt` writes one: {error}") from None
    if write_receipt(made) != content:
        raise ReceiptUnreadable(
            "a receipt that was written anew or changed since `accord receipt` wrote it: its parts may be good, but "
            "take the file as it was, to the byte"
        )
    return made


# -- the form --------------------------------------------------------------------------------------


class _Charter(Strict):
    text: Annotated[str, StringConstraints(max_length=_MOST_TEXT)]
    signatures: Annotated[dict[Fingerprint, Signature], Field(max_length=_MOST_MEMBERS)]


class _Job(Strict):
    text: Annotated[str, StringConstraints(max_length=MOST_JOB_BYTES)]
    signature: Signature


class _Acceptance(Strict):
    text: Annotated[str, StringConstraints(max_length=MOST_STATEMENT)]
    signature: Signature


class _Vote(Strict):
    share: Digest
    signature: Signature


class _Given(Strict):
    member: MemberName
    answer: Digest | None
    shares: Annotated[list[MemberName], Field(max_length=_MOST_MEMBERS)]
    why: Literal["", "left out", "purged", "too large"]
    signature: Signature


class _Document(Strict):
    format: Literal["accord receipt 1"]
    charter: _Charter
    job: _Job
    tables: Annotated[list[Annotated[str, StringConstraints(max_length=_MOST_TEXT)]], Field(max_length=1000)]
    acceptances: Annotated[dict[MemberName, _Acceptance], Field(max_length=_MOST_MEMBERS)]
    votes: Annotated[dict[MemberName, _Vote], Field(max_length=_MOST_MEMBERS)]
    shares: Annotated[dict[MemberName, str], Field(max_length=_MOST_MEMBERS)]
    given: _Given


def _receipt_of(said: _Document) -> Receipt:
    given = said.given
    return Receipt(
        charter=said.charter.text.encode(),
        signatures=bytes_of(said.charter.signatures),
        job=said.job.text.encode(),
        proposal=bytes.fromhex(said.job.signature),
        tables=tuple(said.tables),
        acceptances={n: bytes.fromhex(one.signature) + one.text.encode() for n, one in said.acceptances.items()},
        votes={n: bytes.fromhex(one.signature) + bytes.fromhex(one.share) for n, one in said.votes.items()},
        shares={name: base64.b64decode(share, validate=True) for name, share in said.shares.items()},
        given=Given(given.member, given.answer, tuple(given.shares), given.why, bytes.fromhex(given.signature)),
    )
