"""Every clause of trust: which charter is in force, who must sign it, and which one a peer may go by."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc.errors import AccordError
from parties.errors import (
    CharterInvalid,
    CharterNotInForce,
    CharterOutdated,
    CharterUnknown,
    SignatureInvalid,
)
from parties.keys.fingerprints import verify
from parties.membership.charter_file import read_charter, write_charter
from parties.membership.signatures import CHARTER, Signatures, read_signatures, sign_charter, write_signatures
from parties.membership.trust import (
    check_in_force,
    check_signatures,
    check_stated_charter,
    check_succession,
    is_in_force,
    may_sign,
    missing_signers,
)
from tests.parties.consortium import charter, identity, member, signed

FIRST = charter()


def test_in_force_when_the_last_has_signed() -> None:
    for signers in ((), (0,), (0, 1), (1, 2), (0, 2)):
        assert not is_in_force(FIRST, None, signed(FIRST, *signers))
    with pytest.raises(CharterNotInForce, match="not signed by bravo"):
        check_in_force(FIRST, None, signed(FIRST, 0, 2))
    assert [one.name for one in missing_signers(FIRST, signed(FIRST, 1))] == ["alfa", "charlie"]
    assert is_in_force(FIRST, None, signed(FIRST, 0, 1, 2))


def test_members_who_do_not_compute_sign_too() -> None:
    four = charter(*(member(i) for i in range(3)), member(3, "result", address=None))
    assert not is_in_force(four, None, signed(four, 0, 1, 2))
    assert is_in_force(four, None, signed(four, 0, 1, 2, 3))


@given(bit=st.integers(0, 8 * len(FIRST.canonical) - 1), signer=st.integers(0, 2), at=st.integers(0, 511))
@settings(max_examples=200, deadline=None)
def test_a_signature_covers_every_bit(bit: int, signer: int, at: int) -> None:
    good = signed(FIRST, 0, 1, 2)
    bad = bytearray(FIRST.canonical)
    bad[bit // 8] ^= 1 << bit % 8
    who = identity(signer)
    with pytest.raises(SignatureInvalid):
        verify(who.public, CHARTER, bytes(bad), good.by[who.fingerprint])
    flipped = bytearray(good.by[who.fingerprint])
    flipped[at // 8] ^= 1 << at % 8
    assert not is_in_force(FIRST, None, Signatures(good.digest, {**good.by, who.fingerprint: bytes(flipped)}))


def test_no_flipped_bit_of_the_charters_file_is_believed() -> None:
    signatures = signed(FIRST, 0, 1, 2)
    good = write_charter(FIRST).encode()
    believed = 0
    for bit in range(8 * len(good)):
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        try:
            changed = read_charter(bytes(bad))
        except CharterInvalid:
            continue
        if is_in_force(changed, None, signatures):
            assert changed == FIRST  # a blank that became a tab says the same
            believed += 1
    assert believed < 100


def test_no_flipped_bit_of_the_signatures_file_is_believed() -> None:
    good = write_signatures(signed(FIRST, 0, 1, 2))
    assert is_in_force(FIRST, None, read_signatures(good))
    for bit in range(8 * len(good)):
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        try:
            signatures = read_signatures(bytes(bad))
        except CharterInvalid:
            continue
        assert not is_in_force(FIRST, None, signatures)


@given(rubbish=st.binary(max_size=60), at=st.integers(0, 900), cut=st.integers(0, 40))
@settings(max_examples=200, deadline=None)
def test_rubbish_for_signatures_is_refused_by_name(rubbish: bytes, at: int, cut: int) -> None:
    good = write_signatures(signed(FIRST, 0, 1, 2))
    changed = good[:at] + rubbish + good[at + cut :]
    for content in (rubbish, changed):
        if content != good:
            with pytest.raises(AccordError):
                check_in_force(FIRST, None, read_signatures(content))


def test_signatures_by_others_or_for_another_purpose_are_refused() -> None:
    good = signed(FIRST, 0, 1, 2)
    stranger = signed(FIRST, 0, 1, 2, 4)
    with pytest.raises(SignatureInvalid, match="no member"):
        check_signatures(FIRST, None, stranger)
    swapped = {
        identity(0).fingerprint: good.by[identity(1).fingerprint],
        identity(1).fingerprint: good.by[identity(0).fingerprint],
    }
    with pytest.raises(SignatureInvalid, match="member alfa"):
        check_signatures(FIRST, None, Signatures(FIRST.digest, {**good.by, **swapped}))
    for_a_job = {identity(0).fingerprint: identity(0).sign("job", FIRST.canonical)}
    with pytest.raises(SignatureInvalid, match="member alfa"):
        check_signatures(FIRST, None, Signatures(FIRST.digest, {**good.by, **for_a_job}))
    other = charter(title="Other banks")
    with pytest.raises(SignatureInvalid, match="two files"):
        check_signatures(other, None, good)
    with pytest.raises(SignatureInvalid, match="member alfa"):
        check_signatures(other, None, replace(good, digest=other.digest))


def test_signatures_come_in_one_by_one_in_any_order() -> None:
    merged = sign_charter(FIRST, identity(2)).merged(signed(FIRST, 1, 0)).merged(signed(FIRST, 0))
    assert write_signatures(merged) == write_signatures(signed(FIRST, 0, 1, 2))
    with pytest.raises(CharterInvalid, match="two charters"):
        merged.merged(signed(charter(title="Other"), 0))
    with pytest.raises(CharterInvalid, match="two different"):
        merged.merged(Signatures(FIRST.digest, {identity(0).fingerprint: bytes(64)}))


# -- from one version to the next --------------------------------------------------------------


def test_a_new_member_and_all_before_it_sign() -> None:
    second = charter(*(member(i) for i in range(4)), before=FIRST)
    for signers in ((0, 1, 2), (1, 2, 3), (3,)):
        assert not is_in_force(second, FIRST, signed(second, *signers))
    assert is_in_force(second, FIRST, signed(second, 0, 1, 2, 3))


def test_who_leaves_or_is_expelled_need_not_sign_and_may() -> None:
    four = charter(*(member(i) for i in range(4)))
    three = charter(*(member(i) for i in range(3)), before=four)
    assert is_in_force(three, four, signed(three, 0, 1, 2))
    assert is_in_force(three, four, signed(three, 0, 1, 2, 3))
    assert not is_in_force(three, four, signed(three, 0, 1, 3))


def test_half_of_the_members_cannot_expel_the_other_half() -> None:
    six = charter(*(member(i) for i in range(6)))
    half = charter(*(member(i) for i in range(3)), before=six)
    with pytest.raises(CharterNotInForce, match="only 3 of 6"):
        check_in_force(half, six, signed(half, 0, 1, 2))
    renamed = charter(member(0), member(1, who=5), member(2, who=4), before=FIRST)  # the same names, other keys
    with pytest.raises(CharterNotInForce, match="only 1 of 3"):
        check_in_force(renamed, FIRST, signed(renamed, 0, 4, 5))
    new_key = charter(member(0), member(1), member(2, who=5), before=FIRST)
    assert is_in_force(new_key, FIRST, signed(new_key, 0, 1, 5))


@given(stay=st.sets(st.integers(0, 5), min_size=3), others=st.sets(st.integers(0, 5), min_size=3))
@settings(max_examples=60, deadline=None)
def test_two_successors_always_have_a_signer_in_common(stay: set[int], others: set[int]) -> None:
    six = charter(*(member(i) for i in range(6)))
    both = [charter(*(member(i) for i in who), before=six) for who in (stay, others)]
    if all(is_in_force(one, six, signed(one, *who)) for one, who in zip(both, (stay, others), strict=True)):
        assert stay & others


def test_versions_follow_one_by_one_in_one_consortium() -> None:
    second = charter(before=FIRST)
    third = charter(before=second)
    check_succession(second, FIRST)
    check_succession(third, second)
    other_first = charter(member(0), member(1), member(2, "compute"))
    for wrong, before, says in (
        (third, FIRST, "the next is 2"),
        (FIRST, FIRST, "the next is 2"),
        (FIRST, second, "the next is 3"),
        (second, None, "get that first"),
        (second, other_first, "another version 1"),
        (charter(before=FIRST, title="Other"), FIRST, "another title"),
    ):
        with pytest.raises(CharterNotInForce, match=says):
            check_succession(wrong, before)
        assert not is_in_force(wrong, before, signed(wrong, 0, 1, 2))


def test_nobody_signs_two_successors_of_one_version() -> None:
    me = identity(0).fingerprint
    one = charter(*(member(i) for i in range(4)), before=FIRST)
    other = charter(*(member(i) for i in (0, 1, 2, 4)), before=FIRST)
    may_sign(one, FIRST, me, [FIRST])
    may_sign(one, FIRST, me, [FIRST, one])  # again
    with pytest.raises(CharterNotInForce, match="signed here already"):
        may_sign(other, FIRST, me, [FIRST, one])
    may_sign(other, FIRST, me, [FIRST, one], {one.digest})
    may_sign(charter(before=one), one, me, [FIRST, one])
    with pytest.raises(CharterNotInForce, match="not named"):
        may_sign(one, FIRST, identity(5).fingerprint, [])
    with pytest.raises(CharterNotInForce, match="the next is"):
        may_sign(charter(before=one), FIRST, me, [])
    may_sign(charter(*(member(i) for i in (0, 1, 2)), before=one), one, identity(3).fingerprint, [])  # it leaves


def test_a_peers_charter_is_the_one_in_force() -> None:
    second = charter(before=FIRST)
    third = charter(before=second)
    check_stated_charter(third.digest, [FIRST, second, third])
    for old, says in ((FIRST, "version 1; version 3"), (second, "version 2; version 3")):
        with pytest.raises(CharterOutdated, match=says):
            check_stated_charter(old.digest, [FIRST, second, third])
    for unknown in (third.digest, "", "0" * 64, third.digest.upper()):
        with pytest.raises(CharterUnknown):
            check_stated_charter(unknown, [FIRST, second])
    with pytest.raises(CharterUnknown):
        check_stated_charter(FIRST.digest, [])
