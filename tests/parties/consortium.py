"""Members with known identities, and charters of theirs."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from parties.keys.identity import Identity
from parties.membership.charter import Charter, Member
from parties.membership.signatures import Signatures, sign_charter

NAMES = ("alfa", "bravo", "charlie", "delta", "echo", "foxtrot")


def identity(i: int) -> Identity:
    return Identity(Ed25519PrivateKey.from_private_bytes(bytes([i]) * 32))


def member(i: int, *roles: str, address: str | None = "", who: int | None = None) -> Member:
    """Member i, under the identity ``who``, by default i."""
    key = identity(i if who is None else who).public
    place = f"{NAMES[i]}.example:7600" if address == "" else address
    return Member(NAMES[i], key, frozenset(roles or ("compute", "input", "result")), place)


def charter(*members: Member, before: Charter | None = None, threshold: int = 1, title: str = "Banks") -> Charter:
    return Charter(
        title,
        1 if before is None else before.version + 1,
        None if before is None else before.digest,
        threshold,
        members or tuple(member(i) for i in range(3)),
    )


def signed(by: Charter, *signers: int) -> Signatures:
    signatures = Signatures(by.digest)
    for i in signers:
        signatures = signatures.merged(sign_charter(by, identity(i)))
    return signatures
