"""What founder and joining member send each other: bounded frames of JSON over TLS, and nothing else is taken.

A frame is its length in four bytes, the highest first, and a JSON object whose ``kind`` says which message it is.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Annotated, Literal, TypeVar

import trio
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from parties.beginning.founding import Role
from parties.errors import MeetingBroken

__all__ = [
    "BEAT", "FIRST", "FOUNDERS", "MEMBERS", "Ack", "Answer", "Declined", "Draft", "Hello", "InForce", "Join",
    "Message", "Pipe", "Progress", "Refused", "Welcome",
]  # fmt: skip

FIRST = 1 << 12
"""Bytes a stranger may send."""
MEMBERS = 1 << 16
"""Bytes in a frame of a member that has proved its code."""
FOUNDERS = 1 << 20
"""Bytes in a frame of the founder: a charter of 1,000 members and their signatures are shorter."""
BEAT = 5.0
"""Seconds after which the founder says something, whatever happens."""

_Hex32 = Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
_Hex64 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
_Key = Annotated[str, Field(pattern="^ed25519:[0-9a-f]{64}$")]
_Short = Annotated[str, Field(max_length=300)]
_Names = Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=1000)]


class Message(BaseModel):
    """Exactly the fields it has, of exactly these types."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)


class Hello(Message):
    """The founder, to anybody: its public key and a nonce."""

    kind: Literal["hello"] = "hello"
    format: Literal["accord meeting 1"] = "accord meeting 1"
    key: _Key
    nonce: _Hex32


class Join(Message):
    """The member: which invitation it comes by, who it is, and the proofs of both (invitation.py)."""

    kind: Literal["join"] = "join"
    invitation: _Hex32
    key: _Key
    address: _Short | None
    nonce: _Hex32
    proof: _Hex64
    signature: Annotated[str, Field(pattern="^[0-9a-f]{128}$")]


class Refused(Message):
    """The founder does not deal with it. Who has no good proof is not told why."""

    kind: Literal["refused"] = "refused"
    reason: _Short = ""


class Welcome(Message):
    """The founder's proof, and what the member is invited to as what."""

    kind: Literal["welcome"] = "welcome"
    proof: _Hex64
    consortium: _Short
    founder: _Short
    name: _Short
    address: _Short | None
    roles: list[Role]


class Progress(Message):
    """Whom all wait for. Sent again every few seconds, so that silence means that the founder is gone."""

    kind: Literal["progress"] = "progress"
    stage: Literal["joining", "signing"]
    missing: _Names


class Draft(Message):
    """The charter with everybody in it, and the founder's signature: to look at and to sign."""

    kind: Literal["draft"] = "draft"
    charter: Annotated[str, Field(max_length=FOUNDERS)]
    signatures: Annotated[str, Field(max_length=FOUNDERS)]


class Answer(Message):
    """The member's signature of it."""

    kind: Literal["answer"] = "answer"
    signatures: Annotated[str, Field(max_length=1000)]


class Declined(Message):
    """Somebody, the founder or a member, does not sign."""

    kind: Literal["declined"] = "declined"
    who: _Short


class InForce(Message):
    """Everybody's signatures."""

    kind: Literal["in force"] = "in force"
    signatures: Annotated[str, Field(max_length=FOUNDERS)]


class Ack(Message):
    """The member has it in force, on its disk."""

    kind: Literal["ack"] = "ack"


M = TypeVar("M", bound=Message)


class Pipe:
    """Messages over one stream. Many tasks may send, one receives.

    Every method raises MeetingBroken if the other end is gone, sends what has no place there, or is too slow.
    """

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._received = bytearray()
        self._sending = trio.Lock()

    async def send(self, message: Message, deadline: float = 30.0) -> None:
        """Send one, within ``deadline`` seconds."""
        content = message.model_dump_json().encode()
        with _broken(), trio.fail_after(deadline):
            async with self._sending:
                await self._stream.send_all(len(content).to_bytes(4, "big") + content)

    async def receive(self, *kinds: type[M], most: int, deadline: float = float("inf")) -> M:
        """The next one: of one of these kinds, ``most`` bytes long, within ``deadline`` seconds."""
        with _broken(), trio.fail_after(deadline) if deadline < float("inf") else trio.CancelScope():
            size = int.from_bytes(await self._take(4), "big")
            if size > most:
                raise MeetingBroken(f"the other end announced a message of {size} bytes, {most} are allowed here")
            content = await self._take(size)
        for kind in kinds:
            try:
                return kind.model_validate_json(content)
            except (ValidationError, ValueError):
                continue
        raise MeetingBroken(f"the other end sent no message {' or '.join(kind.__name__ for kind in kinds)}")

    async def _take(self, count: int) -> bytes:
        while len(self._received) < count:
            some = await self._stream.receive_some(1 << 16)
            if not some:
                raise MeetingBroken("the other end closed the connection")
            self._received += some
        taken = bytes(self._received[:count])
        del self._received[:count]
        return taken


@contextlib.contextmanager
def _broken() -> Iterator[None]:
    """Foreign errors of a connection, mapped once."""
    try:
        yield
    except trio.TooSlowError:
        raise MeetingBroken("the other end did not answer in time") from None
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        raise MeetingBroken("the connection broke off") from None
