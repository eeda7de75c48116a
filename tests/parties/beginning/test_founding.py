"""A consortium in the making: who is invited, who has come, and whom the founder admits, clause by clause."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parties.beginning.founding import Founding, Invitation, changing, founded_here, read_founding
from parties.beginning.invitation import JOIN, Code, Terms, check_proof, derive, prove, write_code
from parties.beginning.meeting_admission import admit
from parties.beginning.meeting_wire import Join
from parties.disk.private_files import write_atomically
from parties.errors import CharterInvalid, CodeInvalid, FileExposed, FoundingInvalid, InvitationRefused
from parties.keys.fingerprints import show_public_key
from parties.keys.identity import Identity
from parties.setup.home import Home
from tests.parties.consortium import charter, identity, member

ROLES = ["compute", "input", "result"]
FOUNDER = identity(0).public
BEGUN = Founding(consortium="Banks", threshold=None, name="alfa", address="alfa.example:7600", roles=ROLES)
NONCE, CERTIFICATE, NOW, LATER = "0" * 32, b"certificate", 1000.0, 5000.0


def invited(founding: Founding = BEGUN, name: str = "bravo", address: str | None = None) -> tuple[Founding, Code]:
    return founding.invite(name, address or f"{name}.example:7600", ROLES, "alfa.example:7600", FOUNDER, LATER)


def joins(code: Code, who: Identity, at: str | None = None, **changes: object) -> Join:
    """What a member sends; ``changes`` of the terms it has proved, or of the message itself."""
    terms = Terms(CERTIFICATE, FOUNDER, who.public, at, (NONCE, "1" * 32))
    proved = dataclasses.replace(terms, **{k: v for k, v in changes.items() if hasattr(terms, k) and k != "address"})
    handle, key = derive(code, FOUNDER)
    message = Join(
        invitation=handle,
        key=show_public_key(who.public),
        address=at,
        nonce="1" * 32,
        proof=prove(key, "joins", proved),
        signature=who.sign(JOIN, proved.canonical()).hex(),
    )
    return message.model_copy(update={k: v for k, v in changes.items() if not hasattr(terms, k) or k == "address"})


def admitted(founding: Founding, join: Join, now: float = NOW) -> tuple[str, Founding, str]:
    return admit(founding, join, NONCE, CERTIFICATE, FOUNDER, now)


# -- who is invited ----------------------------------------------------------------------------


def test_from_nothing_to_a_charter() -> None:
    BEGUN.check(FOUNDER)
    founding = BEGUN
    for i, name in ((1, "bravo"), (2, "charlie")):
        founding, code = invited(founding, name)
        assert founding.missing() == [name]
        with pytest.raises(FoundingInvalid, match=f"not everybody has come: {name}"):
            founding.charter(FOUNDER)
        who, founding, proof = admitted(founding, joins(code, identity(i)))
        assert who == name
        terms = Terms(CERTIFICATE, FOUNDER, identity(i).public, None, (NONCE, "1" * 32))
        assert check_proof(derive(code, FOUNDER)[1], "invites", terms, proof)
    assert founding.charter(FOUNDER) == charter(*(member(i) for i in range(3)), title="Banks")


def test_too_few_for_a_charter() -> None:
    founding, code = invited()
    _, founding, _ = admitted(founding, joins(code, identity(1)))
    with pytest.raises(CharterInvalid, match="at least 3"):
        founding.charter(FOUNDER)


def test_names_and_addresses_are_taken_once() -> None:
    founding, _ = invited()
    for name, address, text in (
        ("alfa", None, "founder itself"),
        ("charlie", "bravo.example:7600", "address of member bravo"),
        ("charlie", "alfa.example:7600", "address of member alfa"),
    ):
        with pytest.raises(FoundingInvalid, match=text):
            invited(founding, name, address)
    for name, address in (("Bravo", "b:1"), ("", "b:1"), ("charlie", "b:0"), ("charlie", "b")):
        with pytest.raises(CharterInvalid):
            invited(founding, name, address)
    with pytest.raises(CharterInvalid, match="missing"):
        founding.invite("charlie", None, ROLES, "alfa.example:7600", FOUNDER, LATER)
    with pytest.raises(CodeInvalid, match="address"):
        founding.invite("charlie", None, ["input"], "alfa.example", FOUNDER, LATER)


def test_another_code_voids_the_one_before() -> None:
    founding, old = invited()
    founding, new = invited(founding, address="b2.example:7600")
    with pytest.raises(InvitationRefused):
        admitted(founding, joins(old, identity(1)))
    _, founding, _ = admitted(founding, joins(new, identity(1)))
    with pytest.raises(FoundingInvalid, match="has come already"):
        invited(founding)
    assert founding.without("bravo") == BEGUN
    with pytest.raises(FoundingInvalid, match="there are bravo"):
        founding.without("charlie")


@pytest.mark.parametrize(
    "changes",
    [{"consortium": ""}, {"name": "Alfa"}, {"address": "alfa"}, {"roles": []}, {"address": None}, {"threshold": 0}],
)
def test_a_founder_that_fits_no_charter_is_refused_at_once(changes: dict[str, object]) -> None:
    with pytest.raises(CharterInvalid):
        BEGUN.model_copy(update=changes).check(FOUNDER)


# -- who is admitted ---------------------------------------------------------------------------

UNTOLD = {
    "an invitation nobody made": {"invitation": "f" * 32},
    "a proof that is none": {"proof": "0" * 64},
    "a proof over another connection": {"certificate": b"of somebody in between"},
    "a proof to another founder": {"founder": identity(5).public},
    "a proof for another nonce": {"nonces": ("f" * 32, "1" * 32)},
    "a proof of another key": {"member": identity(5).public},
    "a key that is none": {"key": show_public_key(bytes(32))},
    "another key": {"key": show_public_key(identity(5).public)},
    "another address": {"address": "evil.example:7600"},
}


@pytest.mark.parametrize("wrong", UNTOLD)
def test_who_does_not_prove_the_code_is_told_nothing(wrong: str) -> None:
    founding, code = invited()
    with pytest.raises(InvitationRefused) as caught:
        admitted(founding, joins(code, identity(1), **UNTOLD[wrong]))
    assert str(caught.value) == ""
    admitted(founding, joins(code, identity(1)))  # the right one is still good


def test_a_code_without_the_key_it_comes_with_is_not_enough() -> None:
    founding, code = invited()
    with pytest.raises(InvitationRefused, match="signature"):
        admitted(founding, joins(code, identity(1), signature="0" * 128))


def test_a_code_is_good_for_one_key_and_until_it_expires() -> None:
    founding, code = invited()
    with pytest.raises(InvitationRefused, match="expired"):
        admitted(founding, joins(code, identity(1)), LATER)
    _, founding, _ = admitted(founding, joins(code, identity(1)), LATER - 1)
    assert admitted(founding, joins(code, identity(1)), LATER + 1)[1] == founding  # who came in time comes again
    with pytest.raises(InvitationRefused, match="used already, under another key"):
        admitted(founding, joins(code, identity(2)))


def test_a_key_or_an_address_of_another_is_refused() -> None:
    founding, bravo = invited()
    founding, charlie = invited(founding, "charlie")
    with pytest.raises(InvitationRefused, match="another member's"):
        admitted(founding, joins(bravo, identity(0)))
    _, founding, _ = admitted(founding, joins(bravo, identity(1), "here.example:7600"))
    assert founding.invitations["bravo"].address == "here.example:7600"
    with pytest.raises(InvitationRefused, match="another member's"):
        admitted(founding, joins(charlie, identity(1)))
    for address, text in (("here.example:7600", "address of member bravo"), ("here", "host:port")):
        with pytest.raises(InvitationRefused, match=text):
            admitted(founding, joins(charlie, identity(2), address))
    with pytest.raises(InvitationRefused, match="came with the address here"):
        admitted(founding, joins(bravo, identity(1), "there.example:7600"))
    admitted(founding, joins(bravo, identity(1), "here.example:7600"))


# -- on disk -----------------------------------------------------------------------------------


def test_it_is_kept_private_and_without_the_code(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert not founded_here(home)
    with pytest.raises(FoundingInvalid, match="accord found"):
        read_founding(home)
    founding, code = invited()
    with changing(home) as write:
        write(founding)
    assert founded_here(home)
    assert read_founding(home) == founding
    text = home.founding.read_text()
    assert code.secret.hex() not in text
    assert write_code(code) not in text
    key = founding.invitations["bravo"].key
    assert key in text
    assert key not in repr(founding)
    home.founding.chmod(0o644)
    with pytest.raises(FileExposed):
        read_founding(home)


@pytest.mark.parametrize("spoil", [
    lambda text: "", lambda text: "{}", lambda text: text[:-5], lambda text: text.replace("founding 1", "founding 2"),
    lambda text: text.replace('"settled": false', '"settled": 0'), lambda text: text.replace("expires", "expire"),
])  # fmt: skip
def test_a_changed_file_is_named(tmp_path: Path, spoil: object) -> None:
    home = Home(tmp_path)
    with changing(home) as write:
        write(invited()[0])
    home.founding.write_text(spoil(home.founding.read_text()))  # type: ignore[operator]
    with pytest.raises(FoundingInvalid, match=r"founding\.json was changed"):
        read_founding(home)


def test_an_invitations_key_is_in_no_repr() -> None:
    one = Invitation(name="b", address=None, roles=["input"], expires=1.0, id="0" * 32, key="ab" * 32)
    assert "abab" not in repr(one) + str(one)


@settings(max_examples=40)
@given(st.data())
def test_any_file_is_a_founding_or_named(data: st.DataObject) -> None:
    content = bytearray(invited()[0].model_dump_json().encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        put = data.draw(st.binary(max_size=3) | st.sampled_from([rb"\ud800", b"null", b"{}", b"1e999", b"[]"]))
        content[at : at + data.draw(st.integers(0, 40))] = put
    with tempfile.TemporaryDirectory() as directory, contextlib.suppress(FoundingInvalid):
        home = Home(directory)
        write_atomically(home.founding, bytes(content))
        founding = read_founding(home)
        with contextlib.suppress(CharterInvalid):
            founding.charter(FOUNDER)
