"""All members of a set agree on its key, nobody else can know it, and nothing else than the session decides."""

from __future__ import annotations

import itertools

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

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
