"""Keys for what a node keeps encrypted on its disk, made from its identity: no second secret to look after."""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from parties.errors import IdentityDamaged, SignatureInvalid
from parties.keys.fingerprints import verify
from parties.keys.identity import Identity

__all__ = ["store_key"]

_CONTEXT = "store key"
_MESSAGE = b"accord store key 1"


def store_key(identity: Identity, purpose: str) -> bytes:
    """32 bytes for AES-256-GCM that whoever has the identity's key can make again, and nobody else.

    HKDF-SHA-256 (RFC 5869) of the identity's signature of a fixed message. Local; nothing is sent.

    Why that is sound:
     1. An Ed25519 signature is a function of key and message (RFC 8032, 5.1.6: the nonce is a hash of both), so the
        same identity has the same key after every restart, and on every machine.
     2. Who does not have the private key can make no signature of a message the identity has not signed for him; one
        he cannot make he cannot guess, so HKDF's input is unpredictable, and its output looks random.
     3. Hence this one signature is a secret. It never leaves this function; its context, "store key", is signed nowhere
        else, and contexts are constants in this package that no peer, person or file chooses.
    The signature is verified before it is used: a fault of the machine would make a key nobody could make again.

    Args:
        purpose: what is encrypted: 1 to 64 characters of ASCII. Another purpose has an independent key.

    Raises ValueError for another purpose; IdentityDamaged if the identity's signature does not verify.
    """
    if not 1 <= len(purpose) <= 64 or not purpose.isascii():
        raise ValueError("a purpose has 1 to 64 characters of ASCII")
    signature = identity.sign(_CONTEXT, _MESSAGE)
    try:
        verify(identity.public, _CONTEXT, _MESSAGE, signature)
    except SignatureInvalid:
        raise IdentityDamaged(
            "this machine made a wrong signature: no key was derived from it; check the machine"
        ) from None
    derivation = HKDF(hashes.SHA256(), 32, salt=b"accord store key 1", info=purpose.encode("ascii"))
    return derivation.derive(signature)
