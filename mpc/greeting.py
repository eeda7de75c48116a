"""The HELLO, and the decision whether to believe it: clause by clause, no sockets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mpc import codec
from mpc.agreement import Introduction
from mpc.errors import ConfigurationMismatch, FrameInvalid, IdentityMismatch, NotTransferable

__all__ = ["Greeting", "judge"]


@dataclass(frozen=True, slots=True)
class Greeting:
    """The content of a HELLO."""

    version: int
    index: int
    m: int
    t: int
    max_frame: int
    session: bytes
    introduction: Introduction

    def pack(self) -> bytes:
        """As the payload of a frame."""
        fields = (self.version, self.index, self.m, self.t, self.max_frame, self.session)
        return codec.dumps((*fields, self.introduction.nonce, self.introduction.public))

    @staticmethod
    def unpack(payload: bytes) -> Greeting:
        """The inverse. Raises FrameInvalid."""
        try:
            version, index, m, t, max_frame, session, nonce, public = codec.loads(payload)
            numbers = version, index, m, t, max_frame
            if all(type(x) is int and 0 <= x < 1 << 32 for x in numbers) and type(session) is bytes:
                return Greeting(version, index, m, t, max_frame, session, Introduction(nonce, public))
        except (NotTransferable, TypeError, ValueError):
            pass
        raise FrameInvalid(-1, "a HELLO that is none: no party of this release sent it")


def judge(theirs: Greeting, certificate: str, own: Greeting, roster: Mapping[int, str], expected: int | None) -> None:
    """Decide whether a HELLO is to be believed; returns if so.

    Args:
        theirs: what the other side claims.
        certificate: fingerprint of the certificate it proved to hold the key of.
        own: what this party says itself.
        roster: fingerprints by index.
        expected: the index this party dialed; None if it was dialed.

    Raises IdentityMismatch if the index is not this certificate's, ConfigurationMismatch if it is but the
    other party computes something else.
    """
    claim = theirs.index
    holder = next((i for i, known in roster.items() if known == certificate), -1)
    if expected is not None and claim != expected:
        raise IdentityMismatch(
            expected,
            f"who answered at party {expected}'s address says it is party {claim}: check the roster's addresses",
        )
    if claim not in roster:
        raise IdentityMismatch(holder, f"someone claims to be party {claim}, which is not on the roster")
    if claim == own.index:
        raise IdentityMismatch(holder, f"someone claims to be party {claim}, which is this party itself")
    if roster[claim] != certificate:
        whose = f"party {holder}'s certificate" if holder >= 0 else "a certificate that is not on the roster"
        raise IdentityMismatch(claim, f"someone claims to be party {claim} with {whose}")
    if expected is None and claim > own.index:
        raise IdentityMismatch(claim, f"party {claim} dialed party {own.index}: the smaller index dials")
    for name, ours, other in (
        ("wire version", own.version, theirs.version),
        ("number of parties", own.m, theirs.m),
        ("threshold", own.t, theirs.t),
        ("max_frame", own.max_frame, theirs.max_frame),
    ):
        if ours != other:
            raise ConfigurationMismatch(claim, f"party {claim} has {name} {other}, party {own.index} has {ours}")
    if own.session != theirs.session:
        raise ConfigurationMismatch(claim, f"party {claim} is in another session than party {own.index}")
