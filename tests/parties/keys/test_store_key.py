"""Keys derived from an identity."""

from __future__ import annotations

import hmac
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from parties.errors import IdentityDamaged
from parties.keys.identity import Identity
from parties.keys.store_key import store_key
from tests.parties.consortium import identity


def test_the_same_identity_has_the_same_keys_after_a_restart(tmp_path: Path) -> None:
    made = Identity.generate()
    made.save(tmp_path / "identity.key")
    assert store_key(Identity.load(tmp_path / "identity.key"), "jobs") == store_key(made, "jobs")


def test_keys_of_identities_and_purposes_differ() -> None:
    keys = {store_key(identity(i), purpose) for i in range(5) for purpose in ("jobs", "noise", "jobs ")}
    assert len(keys) == 15 and {len(key) for key in keys} == {32}


def test_the_key_stays_what_it_is() -> None:
    """What one version encrypted the next must open. RFC 5869 by hand, over the bytes that are signed."""
    signed = b"accord signature 1\0\x09store key" + b"accord store key 1"
    signature = Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32).sign(signed)
    extracted = hmac.digest(b"accord store key 1", signature, "sha256")
    assert store_key(identity(1), "jobs") == hmac.digest(extracted, b"jobs\x01", "sha256")


def test_no_signature_of_another_context_gives_it() -> None:
    key = store_key(identity(1), "jobs")
    for context in ("charter", "job", "job proposal", "job ready"):
        assert key not in identity(1).sign(context, b"accord store key 1")


def test_a_signature_that_went_wrong_makes_no_key() -> None:
    class Faulty(Identity):
        __slots__ = ()

        def sign(self, context: str, message: bytes) -> bytes:
            good = super().sign(context, message)
            return good[:40] + bytes([good[40] ^ 1]) + good[41:]

    with pytest.raises(IdentityDamaged, match="wrong signature"):
        store_key(Faulty(Ed25519PrivateKey.generate()), "jobs")


def test_a_purpose_is_short_ascii() -> None:
    for purpose in ("", "x" * 65, "ä"):
        with pytest.raises(ValueError, match="purpose"):
            store_key(identity(0), purpose)
