"""Identities: on disk and back, and what a changed file, a wrong passphrase or another kind of key is called."""

from __future__ import annotations

import copy
import logging
import pickle
import traceback
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpc.errors import AccordError
from parties.disk.private_files import write_atomically
from parties.errors import (
    FileExposed,
    FileUnusable,
    IdentityDamaged,
    IdentityExists,
    IdentityMissing,
    KeyInvalid,
    PassphraseNeeded,
    PassphraseTooShort,
    PassphraseWrong,
    SignatureInvalid,
)
from parties.keys.fingerprints import (
    check_public_key,
    fingerprint_of,
    read_public_key,
    show_fingerprint,
    show_public_key,
    verify,
)
from parties.keys.identity import Identity, read_passphrase, stated_public_key
from tests.parties.consortium import identity

PASS = b"correct horse battery staple"
slow_disk = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(passphrase=st.none() | st.binary(min_size=12, max_size=40), seed=st.integers(0, 255))
@slow_disk
def test_a_key_saved_and_loaded_is_the_same_member(tmp_path: Path, passphrase: bytes | None, seed: int) -> None:
    path = tmp_path / f"{fingerprint_of(repr((passphrase, seed)).encode())}.key"
    path.unlink(missing_ok=True)
    mine = identity(seed)
    mine.save(path, passphrase)
    assert path.stat().st_mode & 0o777 == 0o600
    loaded = Identity.load(path, passphrase)
    assert loaded.fingerprint == mine.fingerprint == fingerprint_of(stated_public_key(path))
    assert loaded.sign("a", b"b") == mine.sign("a", b"b")


def test_an_identity_is_never_overwritten(tmp_path: Path) -> None:
    identity(1).save(tmp_path / "k")
    with pytest.raises(IdentityExists, match="never overwritten"):
        identity(2).save(tmp_path / "k")
    assert Identity.load(tmp_path / "k").fingerprint == identity(1).fingerprint


def test_every_fault_has_its_name(tmp_path: Path) -> None:
    path = tmp_path / "k"
    with pytest.raises(IdentityMissing, match="accord init"):
        Identity.load(path)
    with pytest.raises(PassphraseTooShort):
        identity(1).save(path, b"short")
    assert not path.exists()
    identity(1).save(path, PASS)
    with pytest.raises(PassphraseNeeded):
        Identity.load(path)
    for wrong in (b"x", PASS + b"\n", PASS[:-1]):
        with pytest.raises(PassphraseWrong, match="editor"):
            Identity.load(path, wrong)
    path.chmod(0o640)
    for read in (Identity.load, stated_public_key):
        with pytest.raises(FileExposed, match="chmod 600"):
            read(path)
    for content in (b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"):
        write_atomically(path, content, replace=True)
        with pytest.raises(IdentityDamaged, match="backup"):
            Identity.load(path)


def test_a_passphrase_that_opens_by_chance_of_padding_is_wrong_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "k"
    identity(1).save(path, PASS)
    for i in range(300):  # one wrong passphrase in 256 leaves a valid padding
        with pytest.raises(PassphraseWrong):
            Identity.load(path, b"wrong %d" % i)


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP256R1()),
        rsa.generate_private_key(65537, 2048),
        x25519.X25519PrivateKey.generate(),
    ],
    ids=["P-256", "RSA", "X25519"],
)
def test_another_kind_of_key_is_refused(tmp_path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write_atomically(tmp_path / "k", pem)
    with pytest.raises(KeyInvalid, match="Ed25519"):
        Identity.load(tmp_path / "k")


def test_a_mounted_key_made_elsewhere_is_taken(tmp_path: Path) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write_atomically(tmp_path / "mounted", pem)
    (tmp_path / "k").symlink_to("mounted")  # as Kubernetes does
    assert Identity.load(tmp_path / "k", PASS).public == key.public_key().public_bytes_raw()
    with pytest.raises(PassphraseNeeded, match="does not state"):
        stated_public_key(tmp_path / "k")


@pytest.mark.parametrize("passphrase", [None, PASS], ids=["plain", "encrypted"])
def test_no_flipped_bit_makes_it_another_member(tmp_path: Path, passphrase: bytes | None) -> None:
    mine = identity(1)
    mine.save(tmp_path / "k", passphrase)
    good = (tmp_path / "k").read_bytes()
    header = good.index(b"-----BEGIN")
    bits = range(8 * len(good)) if passphrase is None else range(3, 8 * len(good), 7)
    taken = 0
    for bit in bits:
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        (tmp_path / "k").write_bytes(bad)
        try:
            loaded = Identity.load(tmp_path / "k", passphrase)
        except AccordError:
            continue
        assert loaded.fingerprint == mine.fingerprint  # a bit outside of the key: whitespace, unused base64 bits
        assert bit // 8 >= header
        taken += 1
    assert taken < len(bits) / 50


def test_no_secret_in_a_repr_log_pickle_or_exception(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    mine = identity(7)
    seed = bytes([7]) * 32
    mine.save(tmp_path / "k", PASS)
    texts = [repr(mine), str(mine), f"{mine}"]
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("accord").debug("%r %s", mine, [mine])
        for wrong in (None, b"another passphrase"):
            try:
                Identity.load(tmp_path / "k", wrong)
            except AccordError as error:
                assert error.__context__ is None
                texts.append("".join(traceback.TracebackException.from_exception(error, capture_locals=False).format()))
    texts.append(caplog.text)
    for text in texts:
        for secret in (repr(seed)[2:-1], seed.hex(), PASS.decode(), "another passphrase"):
            assert secret not in text
    with pytest.raises(TypeError, match="does not leave"):
        pickle.dumps(mine)
    assert copy.deepcopy(mine) is mine
    assert seed not in (tmp_path / "k").read_bytes()


def test_passphrases_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "p"
    for content in (PASS, PASS + b"\n", PASS + b"\r\n"):
        write_atomically(path, content, replace=True)
        assert read_passphrase(path) == PASS
    for content, error in ((b"", PassphraseTooShort), (b"short\n", PassphraseTooShort), (PASS + b"\nx", FileUnusable)):
        write_atomically(path, content, replace=True)
        with pytest.raises(error):
            read_passphrase(path)
    path.chmod(0o644)
    with pytest.raises(FileExposed):
        read_passphrase(path)


# -- signatures and fingerprints ---------------------------------------------------------------


@given(context=st.text("abc", min_size=1, max_size=3), message=st.binary(max_size=8), bit=st.integers(0, 511))
@settings(max_examples=100, deadline=None)
def test_a_signature_is_for_one_key_context_and_message(context: str, message: bytes, bit: int) -> None:
    signature = identity(1).sign(context, message)
    verify(identity(1).public, context, message, signature)
    bad = bytearray(signature)
    bad[bit // 8] ^= 1 << bit % 8
    others = [
        (identity(2).public, context, message, signature),
        (identity(1).public, context + "a", message, signature),
        (identity(1).public, context + "a", message[1:], signature),
        (identity(1).public, context, message + b"\0", signature),
        (identity(1).public, context, message, bytes(bad)),
        (identity(1).public, context, message, signature[:-1]),
        (identity(1).public, context, message, b""),
    ]
    for other in others:
        with pytest.raises(SignatureInvalid):
            verify(*other)


def test_known_answers() -> None:
    """SHA-256 of RFC 8032's first public key, and the signature of framed bytes by plain Ed25519."""
    public = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    key = ed25519.Ed25519PrivateKey.from_private_bytes(
        bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    )
    mine = Identity(key)
    assert mine.public == public
    assert mine.fingerprint == "21fe31dfa154a261626bf854046fd2271b7bed4b6abe45aa58877ef47f9721b9"
    assert show_fingerprint(mine.fingerprint).splitlines()[0] == "21fe 31df a154 a261"
    assert "".join(show_fingerprint(mine.fingerprint).split()) == mine.fingerprint
    assert mine.sign("job", b"x") == key.sign(b"accord signature 1\0\x03jobx")


def test_keys_anybody_can_sign_for_are_refused() -> None:
    p = 2**255 - 19
    small = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        (p - 1).to_bytes(32, "little").hex(),
        p.to_bytes(32, "little").hex(),  # 0, written in another way
        (p + 1).to_bytes(32, "little").hex(),
        "02" + "00" * 31,  # not on the curve
    ]
    forged = bytes([1]) + bytes(63)
    verify(bytes.fromhex(small[2]), "charter", b"whatever", forged)  # OpenSSL takes it: that is why
    for public in small:
        with pytest.raises(KeyInvalid):
            check_public_key(bytes.fromhex(public))
    for i in range(200):
        check_public_key(identity(i).public)
    for wrong in (b"", bytes(31), identity(1).public + b"\0"):
        with pytest.raises(KeyInvalid):
            check_public_key(wrong)


def test_a_public_key_is_written_in_one_way() -> None:
    text = show_public_key(identity(1).public)
    assert read_public_key(text) == identity(1).public
    for wrong in (text.upper(), text[8:], text + "0", text[:-1], text[:-1] + "A", " " + text, "x25519:" + text[8:], ""):
        with pytest.raises(KeyInvalid):
            read_public_key(wrong)
