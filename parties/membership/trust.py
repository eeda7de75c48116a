"""Whom a node believes: every such decision, clause by clause. Pure: no files, no sockets, no clock of its own.

A member is a key. Nobody is bound by a charter it did not sign, and a charter is in force when everybody it names has
signed it. What is not allowed by a clause here is refused.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.x509.oid import SignatureAlgorithmOID

from parties.errors import (
    CertificateInvalid,
    CharterNotInForce,
    CharterOutdated,
    CharterUnknown,
    NotAMember,
    NotOneOfThePeople,
    SignatureInvalid,
    WrongMember,
)
from parties.keys.fingerprints import verify
from parties.keys.leaf import signer_name
from parties.membership.charter import Charter, Member
from parties.membership.signatures import CHARTER, Signatures

__all__ = [
    "check_in_force", "check_signatures", "check_stated_charter", "check_succession", "is_in_force", "may_sign",
    "missing_signers", "peer_of", "person_of",
]  # fmt: skip


# -- charters ----------------------------------------------------------------------------------


def check_succession(charter: Charter, before: Charter | None) -> None:
    """CharterNotInForce unless ``charter`` follows on ``before``; None: it is the first.

    1. The first is version 1. Every other adds 1 to the version before, and states the digest of that very text.
    2. The consortium's title stays.
    3. More than half of the members before stay, by key: two different successors then have a signer in common, who
       signed both, and whom the two signatures convict.
    """
    if before is None:
        if charter.version != 1:
            raise CharterNotInForce(f"version {charter.version} follows on a version that is not here: get that first")
        return
    if charter.version != before.version + 1:
        raise CharterNotInForce(
            f"version {charter.version} does not follow on version {before.version}: the next is {before.version + 1}"
        )
    if charter.previous != before.digest:
        raise CharterNotInForce(
            f"version {charter.version} follows on another version {before.version} than the one here: its `previous` "
            f"must be {before.digest}"
        )
    if charter.consortium != before.consortium:
        raise CharterNotInForce(f"the consortium is {before.consortium!r}: another title is another consortium")
    staying = charter.by_fingerprint.keys() & before.by_fingerprint.keys()
    if 2 * len(staying) <= len(before.members):
        raise CharterNotInForce(
            f"only {len(staying)} of {len(before.members)} members stay: more than half must. Change fewer at a time, "
            "or found a new consortium"
        )


def check_signatures(charter: Charter, before: Charter | None, signatures: Signatures) -> None:
    """SignatureInvalid unless every signature is one of this charter's text.

    1. They say they are of this charter.
    2. Each signer is named by it, or was by the version before (who leaves may sign, and need not).
    3. Each signature verifies under the signer's key.
    """
    if signatures.digest != charter.digest:
        raise SignatureInvalid(
            f"the signatures are of charter {signatures.digest[:16]}..., this is {charter.digest[:16]}...: one of the "
            "two files was changed, or is of another version"
        )
    known = {**(before.by_fingerprint if before else {}), **charter.by_fingerprint}
    for signer, signature in signatures.by.items():
        if signer not in known:
            raise SignatureInvalid(f"a signature of {signer[:16]}..., who is no member: take it out")
        try:
            verify(known[signer].key, CHARTER, charter.canonical, signature)
        except SignatureInvalid:
            raise SignatureInvalid(
                f"the signature of member {known[signer].name} is not of this charter: have it signed again"
            ) from None


def missing_signers(charter: Charter, signatures: Signatures) -> list[Member]:
    """Members the charter names who have not signed it. Who is no longer named is not bound by it, so not asked."""
    return [member for member in charter.members if member.fingerprint not in signatures.by]


def check_in_force(charter: Charter, before: Charter | None, signatures: Signatures) -> None:
    """The charter may be acted on: it follows on ``before``, all signatures are good, and nobody's is missing.

    Raises CharterNotInForce, SignatureInvalid.
    """
    check_succession(charter, before)
    check_signatures(charter, before, signatures)
    missing = missing_signers(charter, signatures)
    if missing:
        names = ", ".join(member.name for member in missing)
        raise CharterNotInForce(f"version {charter.version} is not in force: not signed by {names}")


def is_in_force(charter: Charter, before: Charter | None, signatures: Signatures) -> bool:
    """Whether check_in_force raises nothing."""
    try:
        check_in_force(charter, before, signatures)
    except (CharterNotInForce, SignatureInvalid):
        return False
    return True


def may_sign(
    charter: Charter, before: Charter | None, me: str, signed: Sequence[Charter], withdrawn: Collection[str] = ()
) -> None:
    """CharterNotInForce unless the member with fingerprint ``me`` may sign: never two successors of one version.

    Args:
        signed: every charter it has signed so far, from its disk.
        withdrawn: digests of those it takes for dead. A signature cannot be taken back, so its node must never act
            on one of them, even where all signatures turn up: keep them on disk too.

    1. It follows on the version in force here.
    2. It names me, or leaves me out and I agree to that.
    3. I have signed no other charter of this version, unless I withdrew from it.
    """
    check_succession(charter, before)
    if me not in charter.by_fingerprint and (before is None or me not in before.by_fingerprint):
        raise CharterNotInForce(f"this member, {me[:16]}..., is not named by version {charter.version}: add its key")
    for other in signed:
        same = other.version == charter.version and other.previous == charter.previous
        if same and other.digest not in (charter.digest, *withdrawn):
            raise CharterNotInForce(
                f"another version {charter.version}, {other.digest[:16]}..., was signed here already: two of them "
                "could split the consortium. Withdraw from that one first"
            )


def check_stated_charter(digest: str, chain: Sequence[Charter]) -> None:
    """A peer says it goes by the charter with this digest.

    Args:
        chain: charters that were in force here, the one in force last.

    1. It is the one in force.
    Else CharterOutdated for one that was, CharterUnknown for any other.
    """
    if chain and digest == chain[-1].digest:
        return
    for old in chain[:-1]:
        if digest == old.digest:
            raise CharterOutdated(
                f"the peer goes by version {old.version}; version {chain[-1].version} is in force: it needs the newer "
                "ones, with their signatures"
            )
    raise CharterUnknown(
        f"the peer goes by charter {digest[:16]!r}..., which was never in force here: a newer version (get it with its "
        "signatures), another consortium's, or a changed one"
    )


# -- connections -------------------------------------------------------------------------------


def peer_of(
    certificate: bytes | None,
    charter: Charter,
    me: str,
    now: datetime.datetime,
    dialed: str | None = None,
) -> Member:
    """Which member is at the other end of a TLS connection, after its handshake.

    Args:
        certificate: the peer's, DER, as TLS gives it; the peer has proved that it has its key.
        charter: in force here.
        me: this member's fingerprint.
        now: the time, UTC.
        dialed: fingerprint of the member that was called; None where the peer called.

    1. There is a certificate, it can be read, and it was signed as identities sign.
    2. The signer it names is a member of the charter in force.               (else NotAMember)
    3. That member's identity did sign it.
    4. It is a connection's certificate: it may sign no other.
    5. It is within its dates.
    6. It is not this member's own.                                          (else WrongMember)
    7. It is the one that was called, if anybody was.                        (else WrongMember)
    Raises CertificateInvalid for 1, 3, 4, 5. All but 7 hold after a handshake with leaf.contexts; they are checked
    again so that no setting of TLS decides alone who is believed.
    """
    shown = _read(certificate)
    member = next((one for one in charter.members if signer_name(one.key).public_bytes() == shown.issuer), None)
    if member is None:
        raise NotAMember(
            f"the peer is no member by version {charter.version} of the charter: a stranger, a former member, or one "
            "that a newer version names"
        )
    _check(shown, member.key, f"member {member.name}", now)
    if member.fingerprint == me:
        raise WrongMember(
            "the peer showed this member's own certificate: is an address in the charter this node's own?"
        )
    if dialed is not None and member.fingerprint != dialed:
        called = charter.by_fingerprint.get(dialed)
        raise WrongMember(
            f"member {member.name} answered where {called.name if called else dialed[:16]} was called: are two "
            "addresses or keys swapped in the charter?"
        )
    return member


def person_of(certificate: bytes | None, people: Mapping[str, bytes], now: datetime.datetime) -> str:
    """Which of the people this node serves is at the other end of a TLS connection, after its handshake: the name.

    Args:
        certificate: see peer_of.
        people: public keys by name, from this node's own settings.
        now: the time, UTC.

    1. As clause 1 of peer_of.
    2. The signer it names is one of the people.                             (else NotOneOfThePeople)
    3. to 5. As those of peer_of.
    """
    shown = _read(certificate)
    name = next((one for one, key in people.items() if signer_name(key).public_bytes() == shown.issuer), None)
    if name is None:
        raise NotOneOfThePeople(
            "the caller is not among the people this node serves: add the key that `accord fingerprint` prints to "
            "[people] in node.toml"
        )
    _check(shown, people[name], name, now)
    return name


@dataclass(frozen=True, slots=True)
class _Shown:
    """What a certificate says, before anything of it is believed."""

    issuer: bytes
    body: bytes
    signature: bytes
    signs_others: bool
    begin: datetime.datetime
    end: datetime.datetime


def _read(certificate: bytes | None) -> _Shown:
    """Clause 1."""
    if certificate is None:
        raise CertificateInvalid("the peer showed no certificate")
    try:
        leaf = x509.load_der_x509_certificate(certificate)
        if leaf.signature_algorithm_oid != SignatureAlgorithmOID.ED25519 or not certificate.endswith(
            b"\x03\x41\0" + leaf.signature  # the one way to write these 512 bits
        ):
            raise ValueError
        return _Shown(
            leaf.issuer.public_bytes(),
            leaf.tbs_certificate_bytes,
            leaf.signature,
            leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca,
            leaf.not_valid_before_utc,
            leaf.not_valid_after_utc,
        )
    except Exception:  # a foreign parser, given a stranger's bytes: whatever it raises, it is no certificate
        raise CertificateInvalid("the peer showed no certificate of an Accord node") from None


def _check(shown: _Shown, key: bytes, who: str, now: datetime.datetime) -> None:
    """Clauses 3 to 5."""
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(shown.signature, shown.body)
    except InvalidSignature:
        raise CertificateInvalid(f"a certificate in the name of {who}, not signed by it") from None
    if shown.signs_others:
        raise CertificateInvalid(f"{who} showed a certificate that signs others, not a connection's")
    if not shown.begin <= now <= shown.end:
        raise CertificateInvalid(
            f"{who}'s certificate is good from {shown.begin:%Y-%m-%d %H:%M} to {shown.end:%Y-%m-%d %H:%M} UTC, "
            f"and here it is {now:%Y-%m-%d %H:%M}: a clock is wrong, or its node renews nothing"
        )
