"""All members of a set agree on its key, nobody else can know it, and nothing else than the session decides."""

from __future__ import annotations

import itertools
import struct

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mpc.agreement import Introduction, KeyAgreement, derive, holder_sets
from mpc.errors import FrameInvalid


def parties(m: int, t: int, session: bytes = b"s") -> list[KeyAgreement]:
    fingerprints = {i: derive(b"certificate", b"", bytes([i])).hex() for i in range(m)}
    return [KeyAgreement(i, m, t, session, fingerprints) for i in range(m)]


def agree(everyone: list[KeyAgreement]) -> list[KeyAgreement]:
    for one, other in itertools.permutations(everyone, 2):
        one.introduced(other.index, other.introduction)
    for one, other in itertools.permutations(everyone, 2):
        other.contributed(one.index, one.contributions(other.index))
    for one in everyone:
        one.conclude()
    return everyone


@pytest.mark.parametrize(("m", "t"), [(3, 1), (4, 1), (5, 2), (7, 3), (5, 1), (3, 0)])
def test_members_agree_and_all_keys_differ(m: int, t: int) -> None:
    everyone = agree(parties(m, t))
    keys: dict[tuple[int, ...], bytes] = {}
    for one in everyone:
        assert sorted(one.component_keys) == holder_sets(one.index, m, t)
        for holders, key in one.component_keys.items():
            assert len(key) == 32
            assert keys.setdefault(holders, key) == key
        for peer, key in one.pair_keys.items():
            assert everyone[peer].pair_keys[one.index] == key
    pairs = {key for one in everyone for key in one.pair_keys.values()}
    assert len(set(keys.values())) == len(keys) and len(pairs) == m * (m - 1) // 2
    assert not pairs & set(keys.values())


def test_a_session_has_keys_of_its_own() -> None:
    first, second = agree(parties(3, 1)), agree(parties(3, 1))
    assert first[0].component_keys != second[0].component_keys
    assert first[0].pair_keys != second[0].pair_keys


def test_the_pair_key_depends_on_session_fingerprint_and_nonce() -> None:
    for change in ("session", "fingerprints", "nonce"):
        one, other = parties(3, 1)[:2]
        theirs = one.introduction
        if change == "session":
            other.session = b"another"
        elif change == "fingerprints":
            other.fingerprints = {**other.fingerprints, 0: other.fingerprints[2]}
        else:
            theirs = Introduction(bytes(32), theirs.public)
        one.introduced(1, other.introduction)
        other.introduced(0, theirs)
        assert one.pair_keys[1] != other.pair_keys[0]


def test_who_sees_both_introductions_does_not_know_the_pair_key() -> None:
    """The key is what X25519 gives to who has one of the private keys, and nothing that is public gives it."""
    one, other, outsider = parties(3, 1)
    private = other._private
    one.introduced(1, other.introduction)
    other.introduced(0, one.introduction)
    introductions = one.introduction, other.introduction
    info = b"accord pair key"
    for i, shown in enumerate(introductions):
        info += struct.pack("<H", i) + bytes.fromhex(one.fingerprints[i]) + shown.nonce + shown.public
    secret = private.exchange(X25519PublicKey.from_public_bytes(one.introduction.public))
    assert one.pair_keys[1] == other.pair_keys[0] == derive(secret, b"s", info)
    public = [piece for shown in introductions for piece in (shown.nonce, shown.public)]
    guesses = [b"".join(pieces) for n in range(5) for pieces in itertools.permutations(public, n)]
    assert one.pair_keys[1] not in {derive(guess, b"s", info) for guess in guesses}
    for i, shown in enumerate(introductions):  # nor does who has a key of their own
        outsider.introduced(i, shown)
        assert outsider.pair_keys[i] != one.pair_keys[1]


@pytest.mark.parametrize(("m", "t"), [(3, 1), (4, 1), (5, 2), (5, 1)])
def test_a_component_key_is_known_exactly_to_its_holders(m: int, t: int) -> None:
    """Nobody else has it, nor was sent what it is made of; and every holder has a part in it."""
    everyone = parties(m, t)
    for one, other in itertools.permutations(everyone, 2):
        one.introduced(other.index, other.introduction)
    sent = {(i, j): everyone[i].contributions(j) for i, j in itertools.permutations(range(m), 2)}
    drawn = {(A, i): everyone[i]._contributed[A].get(i) for i in range(m) for A in everyone[i]._sets}
    for (i, j), sealed in sent.items():
        opened = AESGCM(everyone[j]._sealing(i, j)).decrypt(bytes(12), sealed, b"s")
        for (holders, k), secret in drawn.items():
            if secret is not None:
                assert (secret in opened) == (k == i and j in holders)
        everyone[j].contributed(i, sealed)
    for one in everyone:
        one.conclude()
    for A in itertools.combinations(range(m), m - t):
        key = everyone[A[0]].component_keys[A]
        for one in everyone:
            known = {*one.component_keys.values(), *one.pair_keys.values()}
            assert (key in known) == (one.index in A)


def test_no_holder_chooses_a_component_key_alone() -> None:
    for changed in range(3):
        keys = []
        for draw in (bytes(32), bytes(31) + b"x"):
            one = parties(5, 2)[0]
            one._contributed = {A: {j: bytes(32) for j in A} for A in one._sets}
            one._contributed[(0, 1, 2)][changed] = draw
            one.conclude()
            keys.append(one.component_keys)
        assert [A for A in keys[0] if keys[0][A] != keys[1][A]] == [(0, 1, 2)]


def test_contributions_are_sealed_for_one_reader() -> None:
    everyone = parties(5, 2)
    for one, other in itertools.permutations(everyone, 2):
        one.introduced(other.index, other.introduction)
    sealed = everyone[0].contributions(1)
    with pytest.raises(FrameInvalid, match="party 0"):
        everyone[2].contributed(0, sealed)  # misrouted
    with pytest.raises(FrameInvalid, match="party 1"):
        everyone[0].contributed(1, sealed)  # sent back
    with pytest.raises(FrameInvalid):
        everyone[1].contributed(0, sealed[:-1] + bytes([sealed[-1] ^ 1]))  # altered
    everyone[1].contributed(0, sealed)
    drawn = everyone[0]._contributed[(0, 1, 2)][0]
    assert drawn not in sealed and everyone[1]._contributed[(0, 1, 2)][0] == drawn


def test_a_useless_public_key_is_refused() -> None:
    one = parties(3, 1)[0]
    with pytest.raises(FrameInvalid, match="party 1"):
        one.introduced(1, Introduction(bytes(32), bytes(32)))  # the point of order 1


def test_an_introduction_has_a_fixed_size() -> None:
    with pytest.raises(ValueError):
        Introduction(b"", X25519PrivateKey.generate().public_key().public_bytes_raw())


def test_known_answer() -> None:
    """RFC 5869, test case 1, so that another implementation can join."""
    key = derive(b"\x0b" * 22, bytes(range(13)), bytes(range(0xF0, 0xFA)), 42)
    assert key.hex().startswith("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf")


def test_repr_shows_no_key() -> None:
    one = agree(parties(3, 1))[0]
    assert all(key.hex() not in repr(one) and str(key) not in repr(one) for key in one.pair_keys.values())
