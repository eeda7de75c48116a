"""Codes of invitations: slips are noticed, and a proof is good for one meeting of two keys only."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parties.beginning.invitation import Code, Terms, check_proof, derive, new_code, prove, read_code, write_code
from parties.errors import CodeInvalid
from tests.parties.consortium import identity

FOUNDER = identity(0).public
ADDRESS = "alfa.example:7600"
TERMS = Terms(b"certificate", FOUNDER, identity(1).public, None, ("0" * 32, "1" * 32))

addresses = st.sampled_from([ADDRESS, "10.0.0.1:1", "[::1]:65535", "node_1:7600"])
codes = st.builds(Code, addresses, st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16))


def test_a_code_pins_the_founder_and_has_a_secret_of_its_own() -> None:
    one, other = new_code(ADDRESS, FOUNDER), new_code(ADDRESS, FOUNDER)
    assert one.pins(FOUNDER)
    assert not one.pins(identity(1).public)
    assert one.secret != other.secret
    assert len(one.secret) == len(one.pin) == 16
    for shown in (repr(one), str(one)):
        assert one.secret.hex() not in shown
        assert str(one.secret) not in shown


@given(codes)
def test_what_is_written_is_read_back(code: Code) -> None:
    text = write_code(code)
    assert read_code(text) == code
    address, _, digits = text.rpartition("/")
    assert [len(group) for group in digits.split("-")] == [4] * 14
    for slip in (digits.lower(), digits.replace("-", " "), digits.replace("-", ""), digits.replace("0", "O")):
        assert read_code(f" {address}/{slip.replace('1', 'l')}\n") == code


@given(codes, st.data())
def test_a_slip_is_noticed(code: Code, data: st.DataObject) -> None:
    """The checksum is of 24 bits: a wrong digit gets past it once in 2^24."""
    text = write_code(code)
    at = data.draw(st.sampled_from([i for i, c in enumerate(text) if i > text.rindex("/") and c != "-"]))
    digit = data.draw(st.sampled_from([d for d in "0123456789ABCDEFGHJKMNPQRSTVWXYZ" if d != text[at]]))
    with pytest.raises(CodeInvalid, match="slip"):
        read_code(text[:at] + digit + text[at + 1 :])


def test_another_address_is_noticed() -> None:
    text = write_code(new_code(ADDRESS, FOUNDER))
    with pytest.raises(CodeInvalid, match="slip"):
        read_code(text.replace("alfa", "evil"))


@pytest.mark.parametrize("spoil", [
    lambda text: "", lambda text: text[:-1], lambda text: text + "0", lambda text: text.replace("/", ""),
    lambda text: text.replace("alfa.example:7600", ""), lambda text: text.replace(":7600", ""),
    lambda text: text.replace(":7600", ":0"), lambda text: text[:-1] + "U", lambda text: text + " " * 500,
])  # fmt: skip
def test_what_is_no_code_is_refused_and_not_repeated(spoil: object) -> None:
    text = write_code(new_code(ADDRESS, FOUNDER))
    with pytest.raises(CodeInvalid) as caught:
        read_code(spoil(text))  # type: ignore[operator]
    assert text[-20:] not in str(caught.value)


@given(st.text(max_size=100) | st.text("0123456789ABCDEFO-/: .", max_size=100))
def test_any_text_is_a_code_or_refused(text: str) -> None:
    with contextlib.suppress(CodeInvalid):
        read_code(text)


def test_what_a_code_stands_for_is_the_founders_alone() -> None:
    code = new_code(ADDRESS, FOUNDER)
    handle, key = derive(code, FOUNDER)
    assert (len(handle), len(key)) == (32, 32)
    assert derive(code, FOUNDER) == (handle, key)
    assert derive(code, identity(1).public)[1] != key
    assert handle not in key.hex()
    assert code.secret not in key


OTHERS = [
    dataclasses.replace(TERMS, certificate=b"another"),
    dataclasses.replace(TERMS, founder=identity(2).public),
    dataclasses.replace(TERMS, member=identity(2).public),
    dataclasses.replace(TERMS, founder=TERMS.member, member=TERMS.founder),
    dataclasses.replace(TERMS, address="bravo.example:7600"),
    dataclasses.replace(TERMS, nonces=("1" * 32, "0" * 32)),
    dataclasses.replace(TERMS, nonces=("0" * 32, "2" * 32)),
]


def test_a_proof_is_of_these_terms_and_this_side_only() -> None:
    key = derive(new_code(ADDRESS, FOUNDER), FOUNDER)[1]
    proof = prove(key, "joins", TERMS)
    assert check_proof(key, "joins", TERMS, proof)
    assert not check_proof(key, "invites", TERMS, proof)  # not to be sent back
    assert not check_proof(bytes(32), "joins", TERMS, proof)
    for other in OTHERS:
        assert not check_proof(key, "joins", other, proof)
    for wrong in ("", proof[:-1], proof.upper(), "é"):
        assert wrong == proof or not check_proof(key, "joins", TERMS, wrong)
    assert len({terms.canonical() for terms in (TERMS, *OTHERS)}) == 1 + len(OTHERS)
    assert all(a.canonical() != b.canonical() for a, b in itertools.combinations(OTHERS, 2))
