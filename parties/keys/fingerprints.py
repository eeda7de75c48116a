"""Who a member is: the fingerprint of its Ed25519 public key, and how people compare it."""

from __future__ import annotations

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from parties.errors import KeyInvalid, SignatureInvalid

__all__ = ["check_public_key", "fingerprint_of", "read_public_key", "show_fingerprint", "show_public_key", "verify"]

_KIND = "ed25519:"
_P = 2**255 - 19
_Y8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7  # of two points of order 8
_SMALL_ORDER = frozenset({0, 1, _P - 1, _Y8, _P - _Y8})


def fingerprint_of(public: bytes) -> str:
    """SHA-256 of the 32 bytes of a public key, in 64 hex digits: what a member is called internally, in full."""
    return hashlib.sha256(public).hexdigest()


def show_fingerprint(fingerprint: str) -> str:
    """Four lines of four groups of four digits, to read aloud and compare. All of them count."""
    groups = [fingerprint[i : i + 4] for i in range(0, len(fingerprint), 4)]
    return "\n".join(" ".join(groups[i : i + 4]) for i in range(0, len(groups), 4))


def show_public_key(public: bytes) -> str:
    """As a charter has it: ``ed25519:`` and 64 hex digits."""
    return _KIND + public.hex()


def read_public_key(text: str) -> bytes:
    """The other way round; exactly that form. Raises KeyInvalid."""
    digits = text.removeprefix(_KIND)
    if not text.startswith(_KIND) or len(digits) != 64 or set(digits) - set("0123456789abcdef"):
        raise KeyInvalid("a public key is written ed25519: and 64 digits of 0-9a-f, as `accord fingerprint` prints it")
    public = bytes.fromhex(digits)
    check_public_key(public)
    return public


def check_public_key(public: bytes) -> None:
    """KeyInvalid unless these are 32 bytes of a point on the curve, in its one form, and not of small order.

    Under a key of small order anybody can make signatures that verify (RFC 8032, section 8.8's concern; OpenSSL takes
    such keys), so that a member with one could deny whatever it signed.
    """
    y = int.from_bytes(public, "little") & ~(1 << 255)
    if len(public) != 32 or y >= _P or y in _SMALL_ORDER or not _on_curve(y):
        raise KeyInvalid("this is no Ed25519 public key that one person alone could sign for: ask for it again")


def verify(public: bytes, context: str, message: bytes, signature: bytes) -> None:
    """SignatureInvalid unless identity.Identity.sign made ``signature`` with these three. Deterministic, local."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, framed(context, message))
    except (InvalidSignature, ValueError):
        raise SignatureInvalid(
            f"a signature for {context!r} was not made by the key with fingerprint {fingerprint_of(public)[:16]}..."
        ) from None


def framed(context: str, message: bytes) -> bytes:
    """The bytes that are signed: no message signed for one purpose is one for another, nor a certificate's body.

    A tag (a certificate's body begins with the byte 0x30, so not with it), the context's length, the context, the
    message.
    """
    name = context.encode("ascii")
    if not 0 < len(name) < 256:
        raise ValueError("a context has 1 to 255 characters")
    return b"accord signature 1\0" + bytes([len(name)]) + name + message


def _on_curve(y: int) -> bool:
    """Whether x^2 = (y^2 - 1) / (d y^2 + 1) has a solution modulo p (RFC 8032, 5.1.3)."""
    d = -121665 * pow(121666, -1, _P)
    square = (y * y - 1) * pow(d * y * y + 1, -1, _P) % _P
    return pow(square, (_P - 1) // 2, _P) == 1
