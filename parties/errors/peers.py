"""Somebody at the other end of a connection between nodes: who it is, what it says, what it answers."""

from __future__ import annotations

from typing import Any

from mpc.errors import AccordError

__all__ = [
    "BodyTooLarge",
    "BodyTooSlow",
    "BootStale",
    "CertificateInvalid",
    "CharterOutdated",
    "CharterUnknown",
    "MessageInvalid",
    "MessageReplayed",
    "NotAMember",
    "NotOneOfThePeople",
    "PeerAnswerInvalid",
    "PeerCallFailed",
    "PeerRefused",
    "PeerRefusedUs",
    "PeerTimedOut",
    "PeerUnproven",
    "PeerUnreachable",
    "RouteUnknown",
    "WrongMember",
]


class PeerRefused(AccordError):
    """Somebody at the other end of a connection is not dealt with."""


class CertificateInvalid(PeerRefused):
    """A certificate that cannot be read, is outside of its dates, was signed by another key than it says."""


class NotAMember(PeerRefused):
    """A good certificate of an identity the charter in force does not name: a stranger, or a former member."""


class WrongMember(PeerRefused):
    """A member, but another one than was called, or this member itself."""


class CharterOutdated(PeerRefused):
    """The peer goes by a charter that was in force here once. It needs the newer ones."""


class CharterUnknown(PeerRefused):
    """The peer goes by a charter that was never in force here: a newer one, another consortium's, or a changed one."""


class NotOneOfThePeople(PeerRefused):
    """A good certificate, of an identity that is not among the people this node serves."""


class MessageInvalid(PeerRefused):
    """A message that does not have the form its route states: a field missing, unknown, of another type or too long."""


class BodyTooLarge(MessageInvalid):
    """A body of more bytes than its route takes. The rest of it was not read."""


class BodyTooSlow(MessageInvalid):
    """A body that did not come whole within the time allowed."""


class RouteUnknown(MessageInvalid):
    """There is no such path, or not with this method. You get it from a node of another release, too."""


class BootStale(PeerRefused):
    """The message is meant for an earlier start of the node: say hello, and send it anew."""


class MessageReplayed(PeerRefused):
    """The message was taken before, or is older than what is remembered: nothing is taken twice."""


class PeerCallFailed(AccordError):
    """A call of another node did not come to its answer. What the peer did of it is not known, unless it refused.

    Attributes:
        member: name of the member that was called.
        text: what happened.
    """

    def __init__(self, member: str, text: str) -> None:
        self.member = member
        self.text = text
        super().__init__(f"member {member}: {text}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.member, self.text)


class PeerUnreachable(PeerCallFailed):
    """No connection, no TLS handshake, or it broke before the answer: the node is down, or the network is."""


class PeerTimedOut(PeerCallFailed):
    """The peer is connected, or may be, and does not answer: it was stopped, is overloaded, or cut off."""


class PeerUnproven(PeerCallFailed):
    """What answered at the peer's address did not prove to be that member. Nothing was sent to it."""


class PeerAnswerInvalid(PeerCallFailed):
    """The peer's answer is too long, or not of the form agreed. Nothing of it was used."""


class PeerRefusedUs(PeerCallFailed):
    """The peer answered that it does not do this.

    Attributes:
        error: class name of the peer's error, such as ``CharterOutdated``; ``Handshake`` if TLS was refused.
        reason: the peer's text. It is the peer's: show it, believe nothing of it.
    """

    def __init__(self, member: str, error: str, reason: str) -> None:
        self.error = error
        self.reason = reason
        super().__init__(member, f"{error}: {reason}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.member, self.error, self.reason)
