"""Keys two or more parties share, agreed afresh for every session and never sent in the clear.

1. Every party draws an X25519 key and a nonce; both go to every peer in the HELLO, inside TLS.   (1 round)
2. Pair key (i, j): HKDF-SHA256 over the X25519 secret, salted with the session id, bound to both
   parties' indexes, certificate fingerprints, nonces and public keys.                             (local)
3. Component key of each set A of m - t holders: for |A| = 2 derived from the pair key; else every member
   draws 32 bytes and sends them to the other members, encrypted with AES-GCM under the pair keys, and
   the key is HKDF over all contributions in index order, bound to A.                              (1 round)

No party alone chooses a component key, and a party outside A learns nothing about it: so pseudorandom
components are as good as ones dealt by an honest dealer, against any t parties.
"""

from __future__ import annotations

import itertools
import secrets
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from mpc.errors import FrameInvalid

__all__ = ["KEY_BYTES", "Introduction", "KeyAgreement", "derive", "holder_sets"]

KEY_BYTES = 32
NONCE_BYTES = 32


def derive(secret: bytes, salt: bytes, info: bytes, length: int = KEY_BYTES) -> bytes:
    """HKDF-SHA256 (RFC 5869)."""
    return HKDF(hashes.SHA256(), length, salt, info).derive(secret)


def holder_sets(index: int, m: int, t: int) -> list[tuple[int, ...]]:
    """The sets of m - t parties that party ``index`` is in, sorted."""
    return [A for A in itertools.combinations(range(m), m - t) if index in A]


@dataclass(frozen=True, slots=True)
class Introduction:
    """What one party tells every other to agree on keys: all of it may be public."""

    nonce: bytes
    public: bytes

    def __post_init__(self) -> None:
        sizes = (self.nonce, NONCE_BYTES), (self.public, 32)
        if any(type(value) is not bytes or len(value) != size for value, size in sizes):
            raise ValueError("a nonce and a public key have 32 bytes each")


@dataclass
class KeyAgreement:
    """One party's side of the agreement.

    Args:
        index: this party.
        m, t: number of parties, threshold.
        session: id of the session, equal at all parties; keys of different sessions are independent.
        fingerprints: SHA-256 of every party's certificate, hex, by index.
    """

    index: int
    m: int
    t: int
    session: bytes
    fingerprints: Mapping[int, str]
    pair_keys: dict[int, bytes] = field(default_factory=dict, init=False, repr=False)
    component_keys: dict[tuple[int, ...], bytes] = field(default_factory=dict, init=False, repr=False)
    introduction: Introduction = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._private = X25519PrivateKey.generate()
        self.introduction = Introduction(
            secrets.token_bytes(NONCE_BYTES), self._private.public_key().public_bytes_raw()
        )
        self._sets = holder_sets(self.index, self.m, self.t)
        self._contributed: dict[tuple[int, ...], dict[int, bytes]] = {A: {} for A in self._sets}
        if self.m - self.t > 2:
            for A in self._sets:
                self._contributed[A][self.index] = secrets.token_bytes(KEY_BYTES)

    def introduced(self, peer: int, theirs: Introduction) -> None:
        """Step 2: the pair key with ``peer``. Raises FrameInvalid for a public key that is no point of use."""
        try:
            secret = self._private.exchange(X25519PublicKey.from_public_bytes(theirs.public))
        except ValueError:
            raise FrameInvalid(peer, f"party {peer} sent an unusable X25519 key") from None
        info = b"accord pair key"
        for i, who in sorted(((self.index, self.introduction), (peer, theirs))):
            info += struct.pack("<H", i) + bytes.fromhex(self.fingerprints[i]) + who.nonce + who.public
        self.pair_keys[peer] = derive(secret, self.session, info)

    def contributions(self, peer: int) -> bytes:
        """Step 3, sending: this party's random bytes for every set it is in with ``peer``, encrypted."""
        mine = [self._contributed[A][self.index] for A in self._common(peer)]
        return AESGCM(self._sealing(self.index, peer)).encrypt(bytes(12), b"".join(mine), self.session)

    def contributed(self, peer: int, sealed: bytes) -> None:
        """Step 3, receiving. Raises FrameInvalid if it was not made by ``peer`` for this session."""
        try:
            opened = AESGCM(self._sealing(peer, self.index)).decrypt(bytes(12), sealed, self.session)
        except InvalidTag:
            raise FrameInvalid(peer, f"party {peer}'s part of the key agreement does not decrypt") from None
        common = self._common(peer)
        if len(opened) != KEY_BYTES * len(common):
            raise FrameInvalid(peer, f"party {peer}'s part of the key agreement has the wrong length")
        for k, A in enumerate(common):
            self._contributed[A][peer] = opened[k * KEY_BYTES : (k + 1) * KEY_BYTES]

    def conclude(self) -> None:
        """All peers have introduced themselves and contributed: fill ``component_keys``, forget the rest."""
        for A in self._sets:
            info = b"accord component key" + struct.pack(f"<{len(A)}H", *A)
            if len(A) == 2:
                secret = self.pair_keys[A[0] + A[1] - self.index]
            else:
                secret = b"".join(self._contributed[A][j] for j in A)
            self.component_keys[A] = derive(secret, self.session, info)
        del self._private
        self._contributed.clear()

    def _common(self, peer: int) -> list[tuple[int, ...]]:
        return [A for A in self._sets if peer in A] if self.m - self.t > 2 else []

    def _sealing(self, sender: int, receiver: int) -> bytes:
        """A key for one message in one direction: so the all-zero nonce is used once with it."""
        info = b"accord sealing" + struct.pack("<HH", sender, receiver)
        return derive(self.pair_keys[receiver + sender - self.index], self.session, info)
