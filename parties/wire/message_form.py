"""The form of all that comes from another node or a person: what a field may be, and the envelope around. Pure.

What does not fit to the letter is refused before anybody looks at it: no field too many, no type converted, every text
and list bounded. Messages themselves are in messages.py.

    {"charter": digest, "job": id or "", "boot": of the receiver, "nonce": 1.., "body": {...}}

Who sent it, the connection's certificate says (trust.peer_of), never the message.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, StringConstraints, ValidationError

from parties.errors import MessageInvalid
from parties.jobs.job_signatures import MOST_ACCEPTANCE, VOTE
from parties.wire.envelope import LAST_NONCE

__all__ = [
    "MOST_JOB",
    "Acceptance",
    "Acceptances",
    "Boot",
    "Bytes32",
    "Count",
    "Descriptions",
    "Digest",
    "Done",
    "Envelope",
    "Fingerprint",
    "JobId",
    "JobText",
    "MemberName",
    "Message",
    "Name",
    "Object",
    "Problem",
    "Purpose",
    "Signature",
    "State",
    "Strict",
    "Text",
    "Vote",
    "Votes",
    "Word",
    "bytes_of",
    "read_json",
    "signatures_of",
]

_CONFIG = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


def _hex(digits: int) -> Any:
    return StringConstraints(pattern=rf"^[0-9a-f]{{{digits}}}$", min_length=digits, max_length=digits)


def _finite(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """ValueError for NaN and infinities within: pydantic's parser takes them, and JSON has none."""
    left: list[JsonValue] = [value]
    while left:
        inner = left.pop()
        if isinstance(inner, dict):
            left += inner.values()
        elif isinstance(inner, list):
            left += inner
        elif isinstance(inner, float) and not math.isfinite(inner):
            raise ValueError("numbers are finite")
    return value


Boot = Annotated[str, _hex(32)]
Digest = Annotated[str, _hex(64)]
Fingerprint = Annotated[str, _hex(64)]
JobId = Annotated[str, _hex(32)]
Signature = Annotated[str, _hex(128)]
Vote = Annotated[str, _hex(2 * VOTE)]
Acceptance = Annotated[
    str, StringConstraints(pattern=r"^([0-9a-f]{2})*$", min_length=128, max_length=2 * MOST_ACCEPTANCE)
]
Bytes32 = Annotated[str, _hex(64)]
Purpose = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9 _-]{0,62}[a-z0-9])?$", max_length=64)]
Text = Annotated[str, StringConstraints(max_length=2000)]
Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", min_length=1, max_length=64)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9_.-]{0,62}[a-z0-9])?$", min_length=1, max_length=64)]
MOST_JOB = 1 << 19
JobText = Annotated[str, StringConstraints(pattern=r"^[ -~]*$", min_length=2, max_length=MOST_JOB)]
Descriptions = Annotated[
    list[Annotated[str, StringConstraints(pattern=r"^[ -~]*$", max_length=MOST_JOB)]], Field(max_length=1000)
]
Count = Annotated[int, Field(ge=0, le=LAST_NONCE)]
State = Literal["PROPOSED", "ACCEPTED", "RESERVED", "RUNNING", "RELEASED", "ABORTED"]
MemberName = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$", min_length=1, max_length=32)
]
Votes = Annotated[dict[MemberName, Vote], Field(max_length=1000)]
"""By the signer's name in the charter the envelope states; job_signatures.py says what is in them."""

Acceptances = Annotated[dict[MemberName, Acceptance], Field(max_length=1000)]
"""Likewise."""


def signatures_of(kept: Mapping[str, bytes]) -> dict[str, str]:
    """As they travel."""
    return {name: signature.hex() for name, signature in kept.items()}


def bytes_of(signatures: Mapping[str, str]) -> dict[str, bytes]:
    """The other way round."""
    return {name: bytes.fromhex(signature) for name, signature in signatures.items()}


Object = Annotated[dict[Annotated[str, StringConstraints(max_length=256)], JsonValue], AfterValidator(_finite)]
"""Any JSON object; what is in it, who reads it checks."""

_MOST_FAULTS = 100


class Strict(BaseModel):
    """Nothing unknown, nothing converted, nothing changed afterwards; errors do not quote what was sent."""

    model_config = _CONFIG


S = TypeVar("S", bound=Strict)
A = TypeVar("A", bound=Strict)


class Problem(Strict):
    """The answer to a message that is refused.

    Attributes:
        error: class name of the error.
        text: what is wrong, and the way out.
    """

    error: Word
    text: Text


class Done(Strict):
    """The message was taken, and there is nothing else to say."""


class Message(Strict, Generic[A]):
    """A body, to be sent in an envelope.

    Attributes:
        path: its route.
        answers: what it is answered with.
        about_job: whether the envelope names a job.
        most: bytes of the whole envelope.
    """

    path: ClassVar[str]
    answers: ClassVar[type[Strict]] = Done
    about_job: ClassVar[bool] = True
    most: ClassVar[int] = 16 * 1024


B = TypeVar("B", bound=Strict)


class Envelope(Strict, Generic[B]):
    """What every message comes in.

    Attributes:
        charter: digest of the charter the sender goes by.
        job: the job it is about; '' for none.
        boot, nonce: see envelope.py.
        body: the message.
    """

    charter: Digest
    job: JobId | Literal[""]
    boot: Boot
    nonce: Annotated[int, Field(ge=1, le=LAST_NONCE)]
    body: B


def read_json(model: type[S], content: bytes | str) -> S:
    """Bytes from a peer, as this model has it. MessageInvalid names the place, and quotes nothing that was sent."""
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        if error.error_count() > _MOST_FAULTS:  # to tell them all would take longer than to read them
            raise MessageInvalid(
                f"the body: it differs from what its route takes in {error.error_count()} places"
            ) from None
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part)[:64] for part in first["loc"][:8]) or "the body"
        raise MessageInvalid(f"{where}: {first['msg'][:200]}") from None
    except (ValueError, RecursionError):  # pragma: no cover - the parser is documented to raise ValidationError only
        raise MessageInvalid("the body: no JSON that can be read") from None
