"""Certificates of a member's connections: P-256, short-lived, signed by its identity, made anew by itself.

There is no authority: from every other member's public key, which the charter states, a node makes that member's
*anchor*, and TLS trusts anchors only. So OpenSSL checks each handshake as it always does, dates included, and a
certificate of any other signer never gets past it. The identity's key takes no part in a handshake: a worker process
gets a leaf and its key, which are worth little a month later, and never the identity.

Dates are no trap: a leaf is valid from two days before it was made to thirty days after, and a node makes a new one at
every start and when fifteen days are left. So clocks may differ by two days, and a machine that slept for a year comes
back with a fresh certificate, which nobody has to be told of.
"""

from __future__ import annotations

import datetime
import secrets
import ssl
from collections.abc import Callable, Iterable

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mpc.certificates import Credentials, client_context, key_usage, server_context
from parties.keys.fingerprints import fingerprint_of
from parties.keys.identity import Identity

__all__ = ["BEFORE", "LIFE", "Leaf", "anchors", "contexts", "issue", "signer_name", "utc_now"]

BEFORE = datetime.timedelta(days=2)
LIFE = datetime.timedelta(days=30)
_START, _END = datetime.datetime(2000, 1, 1), datetime.datetime(9999, 12, 31, 23, 59, 59)  # RFC 5280: no end
_DAY = datetime.timedelta(days=1)


def utc_now() -> datetime.datetime:
    """The clock of this machine."""
    return datetime.datetime.now(datetime.UTC)


def issue(identity: Identity, now: datetime.datetime | None = None) -> Credentials:
    """A new certificate of this identity's, valid from ``now`` - 2 days to ``now`` + 30 days, and its new key."""
    now = utc_now() if now is None else now
    key = ec.generate_private_key(ec.SECP256R1())
    public = Ed25519PublicKey.from_public_bytes(identity.public)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "accord node")]))
        .issuer_name(signer_name(identity.public))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BEFORE)
        .not_valid_after(now + LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(key_usage("digital_signature"), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
    )
    certificate = identity.sign_certificate(builder)
    return Credentials(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )


def signer_name(public: bytes) -> x509.Name:
    """The issuer's name in certificates of this identity: its fingerprint."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, fingerprint_of(public))])


def anchors(keys: Iterable[bytes]) -> bytes:
    """Trust anchors (PEM) for these members' public keys, made here from nothing but the keys.

    An anchor carries a key and the right to sign leaves. Its own signature, by a key thrown away at once, says nothing
    and is not looked at: that it is in this node's store is what makes it trusted.
    """
    return b"".join(_anchor(public) for public in keys)


def contexts(credentials: Credentials, peers: Iterable[bytes]) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """TLS 1.3 for listening and for dialing, both ends with certificates, among members with these public keys.

    Leave this member's own key out: then nobody can talk to it with its own certificate. To dial one member give its
    key alone. Who it is that called, trust.peer_of says afterwards.
    """
    trusted = anchors(peers)
    return server_context(credentials, trusted), client_context(credentials, trusted)


class Leaf:
    """The certificate in use now, renewed by itself.

    Args:
        identity: the signer.
        clock: what time it is, in UTC.
    """

    def __init__(self, identity: Identity, clock: Callable[[], datetime.datetime] = utc_now) -> None:
        self._identity = identity
        self._clock = clock
        self._made = clock()
        self._credentials = issue(identity, self._made)

    @property
    def current(self) -> Credentials:
        """Credentials with 15 days left at least; made anew too if the clock was set back by more than a day.

        Ask for it where a connection or a worker starts. Connections that are open stay as they are.
        """
        now = self._clock()
        if not self._made - _DAY <= now <= self._made + LIFE / 2:
            self._made, self._credentials = now, issue(self._identity, now)
        return self._credentials

    def __repr__(self) -> str:
        return f"<Leaf of {self._identity.fingerprint[:16]}..., made {self._made:%Y-%m-%d}>"


def _anchor(public: bytes) -> bytes:
    key = Ed25519PublicKey.from_public_bytes(public)
    return (
        x509.CertificateBuilder()
        .subject_name(signer_name(public))
        .issuer_name(signer_name(public))
        .public_key(key)
        .serial_number(1 + secrets.randbits(64))
        .not_valid_before(_START)
        .not_valid_after(_END)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage("key_cert_sign"), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .sign(Ed25519PrivateKey.generate(), None)
        .public_bytes(serialization.Encoding.PEM)
    )
