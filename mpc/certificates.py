"""Certificates of the parties: a throw-away authority for tests and demos, fingerprints, TLS contexts.

A consortium brings its own certificates. What counts is the fingerprint (SHA-256 of the DER form): the
roster binds each party index to exactly one, so neither host names nor the authority's good sense matter
for who is who; the authority, and the dates, are checked by TLS all the same.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import os
import ssl
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = ["Authority", "Credentials", "client_context", "fingerprint", "key_usage", "party_name", "server_context"]

_USES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
    "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Credentials:
    """A certificate and its private key, both PEM. The repr shows no key."""

    certificate: bytes
    key: bytes

    def __repr__(self) -> str:
        return f"Credentials(fingerprint={fingerprint(self.certificate)})"


def party_name(index: int) -> str:
    """The host name in party ``index``'s certificate."""
    return f"party-{index}.accord"


def fingerprint(certificate: bytes) -> str:
    """SHA-256 of the DER form, in hex; takes PEM or DER."""
    if certificate.lstrip().startswith(b"-----BEGIN"):
        certificate = x509.load_pem_x509_certificate(certificate).public_bytes(serialization.Encoding.DER)
    return hashlib.sha256(certificate).hexdigest()


class Authority:
    """A certificate authority that lives in memory as long as this object: for one cluster, one test.

    Attributes:
        certificate: its own certificate, PEM; every node of the cluster trusts it.
    """

    def __init__(self, name: str = "accord throw-away authority", days: float = 30.0) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
        certificate = (
            self._builder(self._name, self._key.public_key(), start, start + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(key_usage("digital_signature", "key_cert_sign", "crl_sign"), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.certificate: bytes = certificate.public_bytes(serialization.Encoding.PEM)

    def issue(self, index: int, days: float = 30.0, start: datetime.datetime | None = None) -> Credentials:
        """A certificate for party ``index``, valid ``days`` days from ``start`` (an hour ago if None)."""
        if start is None:
            start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, party_name(index))])
        purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        certificate = (
            self._builder(name, key.public_key(), start, start + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(key_usage("digital_signature"), critical=True)
            .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(party_name(index))]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return Credentials(
            certificate.public_bytes(serialization.Encoding.PEM),
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ),
        )

    def _builder(
        self,
        subject: x509.Name,
        public: ec.EllipticCurvePublicKey,
        start: datetime.datetime,
        end: datetime.datetime,
    ) -> x509.CertificateBuilder:
        own = x509.SubjectKeyIdentifier.from_public_key(public)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(end)
            .add_extension(own, critical=False)
            .add_extension(issuer, critical=False)
        )


def key_usage(*allowed: str) -> x509.KeyUsage:
    """The extension that allows a certificate's key these uses, by x509.KeyUsage's names, and no others."""
    return x509.KeyUsage(**{use: use in allowed for use in _USES})


def server_context(credentials: Credentials, authority: bytes) -> ssl.SSLContext:
    """TLS 1.3 for the listening side: the dialer must show a certificate of ``authority`` (PEM)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.num_tickets = 0  # no resumption: every connection proves the certificate anew
    return _common(context, credentials, authority)


def client_context(credentials: Credentials, authority: bytes) -> ssl.SSLContext:
    """TLS 1.3 for the dialing side. Host names are not compared: the caller pins the fingerprint instead."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    return _common(context, credentials, authority)


def _common(context: ssl.SSLContext, credentials: Credentials, authority: bytes) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=authority.decode("ascii"))
    with _as_file(credentials.certificate + b"\n" + credentials.key) as path:
        context.load_cert_chain(path)
    return context


@contextlib.contextmanager
def _as_file(secret: bytes) -> Iterator[str]:
    """A path that OpenSSL can read ``secret`` from; it never touches a disk where the system can avoid it."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("accord")
        try:
            os.write(descriptor, secret)
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
    else:
        with tempfile.NamedTemporaryFile() as file:
            file.write(secret)
            file.flush()
            yield file.name
