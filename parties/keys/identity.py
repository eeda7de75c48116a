"""A member's identity: one Ed25519 key. Whoever has it is this member, so it stays in one file and one process.

It signs charters, jobs and the certificates of this member's connections (leaf.py), each under a context of its own.
"""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Any, NoReturn

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from parties.disk.private_files import read_private, write_atomically
from parties.errors import (
    FileMissing,
    FileUnusable,
    IdentityDamaged,
    IdentityExists,
    IdentityMissing,
    KeyInvalid,
    PassphraseNeeded,
    PassphraseTooShort,
    PassphraseWrong,
)
from parties.keys.fingerprints import fingerprint_of, framed, read_public_key, show_public_key

__all__ = ["Identity", "read_passphrase", "stated_public_key"]

_SHORTEST = 12
_HEADER = re.compile(rb"accord identity (ed25519:[0-9a-f]{64})\n")
_BEGIN = b"-----BEGIN "


class Identity:
    """An Ed25519 key and what it signs. Neither copied nor pickled; a repr shows the fingerprint only.

    Attributes:
        public: the public key, 32 bytes.
        fingerprint: its SHA-256, 64 hex digits: the member's name among all others.
    """

    __slots__ = ("_key", "fingerprint", "public")

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public: bytes = key.public_key().public_bytes_raw()
        self.fingerprint: str = fingerprint_of(self.public)

    @classmethod
    def generate(cls) -> Identity:
        """A new one, from the operating system's randomness."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, path: str | Path, passphrase: bytes | None = None) -> Identity:
        """From a file :meth:`save` wrote, or any PEM file (PKCS8) with an Ed25519 key, such as a mounted secret.

        A passphrase for a file that is not encrypted is not an error: the orchestrator's may be for others.

        Raises IdentityMissing, FileExposed, FileUnusable, PassphraseNeeded, PassphraseWrong, IdentityDamaged,
        KeyInvalid.
        """
        path = Path(path)
        stated, pem = _split(path)
        encrypted = pem.startswith(b"-----BEGIN ENCRYPTED")
        if encrypted and not passphrase:
            raise PassphraseNeeded(f"the identity in {path} is encrypted: give its passphrase")
        key = _parse(path, pem, passphrase if encrypted else None)
        if not isinstance(key, Ed25519PrivateKey):
            raise KeyInvalid(f"{path} holds a key of another kind than Ed25519: `accord init` makes the right one")
        identity = cls(key)
        if stated is not None and identity.public != stated:
            raise IdentityDamaged(f"{path} was changed: its key is not the one its first line states. {_RESTORE}")
        return identity

    def save(self, path: str | Path, passphrase: bytes | None = None) -> None:
        """Write it with mode 0600, whole or not at all, and never over another file.

        A first line states the public key, so that it can be told without the passphrase, and damage from a passphrase
        that is wrong. With a passphrase of 12 bytes or more the key is encrypted (PKCS8, PBKDF2 and AES-256-CBC as
        ``cryptography`` has them: few rounds, so take six words nobody could guess).

        Raises IdentityExists, PassphraseTooShort, FileUnusable.
        """
        if passphrase is not None:
            check_passphrase(passphrase)
        protection: serialization.KeySerializationEncryption = (
            serialization.NoEncryption() if passphrase is None else serialization.BestAvailableEncryption(passphrase)
        )
        pem = self._key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection)
        header = f"accord identity {show_public_key(self.public)}\n".encode()
        try:
            write_atomically(path, header + pem)
        except FileExistsError:
            raise IdentityExists(
                f"{path} exists, and an identity is never overwritten: all other members know this one by it. "
                "Give another directory for a second identity"
            ) from None

    def sign(self, context: str, message: bytes) -> bytes:
        """64 bytes that fingerprints.verify takes for this context and message, and for no other."""
        return self._key.sign(framed(context, message))

    def sign_certificate(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        """A certificate signed by this identity. Its body is never taken for a message :meth:`sign` signed."""
        return builder.sign(self._key, None)

    def __repr__(self) -> str:
        return f"<Identity {self.fingerprint[:16]}...>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an identity does not leave its process: give the other one a certificate (leaf.issue)")

    def __copy__(self) -> Identity:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Identity:
        return self


def stated_public_key(path: str | Path) -> bytes:
    """The public key an identity's file states in its first line, without opening the key: no passphrase is needed.

    Raises IdentityMissing, FileExposed, FileUnusable, IdentityDamaged; PassphraseNeeded if it states none.
    """
    path = Path(path)
    stated, _ = _split(path)
    if stated is None:
        raise PassphraseNeeded(f"{path} does not state its public key, and was not opened: give its passphrase, if any")
    return stated


def check_passphrase(passphrase: bytes) -> None:
    """PassphraseTooShort for fewer than 12 bytes."""
    if len(passphrase) < _SHORTEST:
        raise PassphraseTooShort(f"a passphrase has at least {_SHORTEST} bytes: six words nobody could guess, say")


def read_passphrase(path: str | Path) -> bytes:
    """The first line of a file, which nobody else may read. Raises FileExposed, FileUnusable, PassphraseTooShort."""
    lines = read_private(path).splitlines()
    if len(lines) > 1:
        raise FileUnusable(f"{path} has {len(lines)} lines: a passphrase is one line")
    passphrase = lines[0] if lines else b""
    check_passphrase(passphrase)
    return passphrase


_RESTORE = "Restore it from a backup; without one, make a new identity and have the members sign a charter with it"


def _split(path: Path) -> tuple[bytes | None, bytes]:
    """The public key stated before the PEM text, if any, and the PEM text."""
    try:
        content = read_private(path)
    except FileMissing:
        raise IdentityMissing(f"there is no identity at {path}: `accord init` makes one") from None
    at = content.find(_BEGIN)
    if at < 0:
        raise IdentityDamaged(f"{path} holds no private key in PEM. {_RESTORE}")
    if at == 0:
        return None, content
    header = _HEADER.fullmatch(content[:at])
    if header is None:
        raise IdentityDamaged(f"{path} was changed: its first line does not state a public key. {_RESTORE}")
    try:
        return read_public_key(header[1].decode()), content[at:]
    except KeyInvalid:
        raise IdentityDamaged(f"{path} was changed: its first line states an impossible key. {_RESTORE}") from None


def _parse(path: Path, pem: bytes, passphrase: bytes | None) -> Any:
    with contextlib.suppress(Exception):  # a foreign parser's error may quote what it parsed: it is not even chained
        return serialization.load_pem_private_key(pem, passphrase)
    if passphrase is None:
        raise IdentityDamaged(f"{path} holds no private key that can be read. {_RESTORE}")
    raise PassphraseWrong(
        f"the identity in {path} does not open with this passphrase: check it for what an editor or an orchestrator "
        "added. If it is the right one, the file was changed: restore it from a backup"
    )
