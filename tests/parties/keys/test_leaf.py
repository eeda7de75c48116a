"""Certificates under an identity, over real TLS 1.3 handshakes: members get through, and nobody else."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ssl
from collections.abc import Callable
from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc.certificates import Authority, Credentials, fingerprint
from parties.errors import CertificateInvalid, NotAMember, PeerRefused, WrongMember
from parties.keys.leaf import BEFORE, LIFE, Leaf, anchors, contexts, issue, signer_name, utc_now
from parties.membership.charter import Charter
from parties.membership.trust import check_stated_charter, peer_of
from tests.mpc.nodes import World, started
from tests.parties.consortium import charter, identity, member

DAY = datetime.timedelta(days=1)
NOW = utc_now()
FOUR = charter(*(member(i) for i in range(4)))
THREE = charter(*(member(i) for i in range(3)), before=FOUR)  # delta, member 3, was expelled


def der(credentials: Credentials) -> bytes:
    return x509.load_pem_x509_certificate(credentials.certificate).public_bytes(serialization.Encoding.DER)


def others(charter: Charter, me: int) -> list[bytes]:
    return [one.key for one in charter.members if one.key != identity(me).public]


def handshake(listening: ssl.SSLContext, dialing: ssl.SSLContext) -> tuple[bytes | None, bytes | None]:
    """The certificates the dialer and the listener see, DER. ssl.SSLError if the handshake fails at either."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = listening.wrap_bio(up, down, server_side=True)
    client = dialing.wrap_bio(down, up)
    pending = [client, server]
    for _ in range(6):
        for end in list(pending):
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()
                pending.remove(end)
    assert not pending
    assert client.version() == "TLSv1.3"
    return client.getpeercert(binary_form=True), server.getpeercert(binary_form=True)


def meet(shown: Credentials, at: Charter = THREE, *, me: int = 0, dialed: int | None = None) -> list[str]:
    """Names of the peer as member ``me`` sees it when it shows these: once as it calls, once as it is called.

    The stranger's own side takes anybody that member ``me`` may be: only ``me``'s judgement is at stake.
    """
    mine = issue(identity(me))
    listening, dialing = contexts(mine, others(at, me))
    if dialed is not None:
        _, dialing = contexts(mine, [identity(dialed).public])
    theirs_listening, theirs_dialing = contexts(shown, [identity(me).public])
    calling = None if dialed is None else identity(dialed).fingerprint
    accepted = []
    for ends, seen, called in (((listening, theirs_dialing), 1, None), ((theirs_listening, dialing), 0, calling)):
        with contextlib.suppress(ssl.SSLError, PeerRefused):
            certificate = handshake(*ends)[seen]
            accepted.append(peer_of(certificate, at, identity(me).fingerprint, utc_now(), called).name)
    return accepted


def forged(signer: int, claims: int, **changes: bool) -> Credentials:
    """A certificate in the name of identity ``claims``, signed by ``signer``."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(signer_name(identity(claims).public))
        .issuer_name(signer_name(identity(claims).public))
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + DAY)
        .add_extension(x509.BasicConstraints(ca=changes.get("ca", False), path_length=None), critical=True)
    )
    return _pem(identity(signer).sign_certificate(builder), key)


def _pem(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Credentials:
    return Credentials(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )


def signed_by_a_leaf() -> Credentials:
    """Member 1 lets the key of its connections sign a certificate, and shows both."""
    parent, key = issue(identity(1)), ec.generate_private_key(ec.SECP256R1())
    signer = x509.load_pem_x509_certificate(parent.certificate)
    signing = serialization.load_pem_private_key(parent.key, None)
    assert isinstance(signing, ec.EllipticCurvePrivateKey)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "accord node")])
    child = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(signer.subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + DAY)
        .sign(signing, hashes.SHA256())
    )
    made = _pem(child, key)
    return Credentials(made.certificate + parent.certificate, made.key)


def test_members_know_each_other_whoever_calls() -> None:
    for i in (1, 2):
        assert meet(issue(identity(i)), dialed=i) == [member(i).name] * 2
    assert meet(issue(identity(3)), FOUR, dialed=3) == ["delta"] * 2


MATRIX: dict[str, Callable[[], Credentials]] = {
    "a stranger's": lambda: issue(identity(9)),
    "another authority's": lambda: Authority().issue(1),
    "expired": lambda: issue(identity(1), NOW - LIFE - DAY),
    "not yet valid": lambda: issue(identity(1), NOW + BEFORE + DAY),
    "this member's own": lambda: issue(identity(0)),
    "a former member's": lambda: issue(identity(3)),
    "a stranger's in a member's name": lambda: forged(signer=9, claims=1),
    "a former member's in a member's name": lambda: forged(signer=3, claims=1),
    "another member's in a member's name": lambda: forged(signer=2, claims=1),
    "one that signs others": lambda: forged(signer=1, claims=1, ca=True),
    "signed by a member's connection": signed_by_a_leaf,
}


@pytest.mark.parametrize("kind", MATRIX)
def test_nobody_else_is_accepted_by_tls_and_trust(kind: str) -> None:
    assert meet(MATRIX[kind](), dialed=1) == []


@pytest.mark.parametrize(
    ("kind", "error", "says"),
    [
        ("a stranger's", NotAMember, "version 2"),
        ("another authority's", CertificateInvalid, "no certificate of an Accord node"),
        ("expired", CertificateInvalid, "clock"),
        ("not yet valid", CertificateInvalid, "clock"),
        ("this member's own", WrongMember, "own"),
        ("a former member's", NotAMember, "former"),
        ("a stranger's in a member's name", CertificateInvalid, "not signed by it"),
        ("a former member's in a member's name", CertificateInvalid, "not signed by it"),
        ("another member's in a member's name", CertificateInvalid, "not signed by it"),
        ("one that signs others", CertificateInvalid, "signs others"),
        ("signed by a member's connection", CertificateInvalid, "no certificate of an Accord node"),
    ],
)
def test_trust_alone_refuses_them_too_by_name(kind: str, error: type[PeerRefused], says: str) -> None:
    """As if TLS had let them through."""
    with pytest.raises(error, match=says):
        peer_of(der(MATRIX[kind]()), THREE, identity(0).fingerprint, utc_now())


def test_a_member_that_answers_for_another_is_refused() -> None:
    """Another member's certificate; two addresses, or two keys, swapped in a charter."""
    assert meet(issue(identity(2)), dialed=1) == ["charlie"]  # it may call, as itself; it is not whom we called
    with pytest.raises(WrongMember, match="charlie answered where bravo was called"):
        peer_of(der(issue(identity(2))), THREE, identity(0).fingerprint, utc_now(), identity(1).fingerprint)
    swapped = charter(member(0), member(1, who=2), member(2, who=1), before=FOUR)
    called = next(one for one in swapped.members if one.name == "bravo")
    with pytest.raises(WrongMember, match="swapped"):  # at bravo's address the true bravo answers
        peer_of(der(issue(identity(1))), swapped, identity(0).fingerprint, utc_now(), called.fingerprint)


def test_a_good_member_with_an_old_charter_is_refused() -> None:
    assert meet(issue(identity(1)), dialed=1) == ["bravo"] * 2
    with pytest.raises(PeerRefused, match="version 1; version 2"):
        check_stated_charter(FOUR.digest, [FOUR, THREE])


def test_no_certificate_at_all() -> None:
    listening, _ = contexts(issue(identity(0)), others(THREE, 0))
    bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    bare.check_hostname = False
    bare.load_verify_locations(cadata=anchors([identity(0).public]).decode())
    with pytest.raises(ssl.SSLError):
        handshake(listening, bare)
    with pytest.raises(CertificateInvalid, match="no certificate"):
        peer_of(None, THREE, identity(0).fingerprint, NOW)


GOOD = der(issue(identity(1)))


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@given(at=st.integers(0, len(GOOD) - 1), junk=st.binary(max_size=3), cut=st.integers(0, 3))
@settings(max_examples=400, deadline=None)
def test_a_changed_certificate_is_refused_by_name(at: int, junk: bytes, cut: int) -> None:
    changed = GOOD[:at] + junk + GOOD[at + cut :]
    if changed != GOOD:
        with pytest.raises(PeerRefused):
            peer_of(changed, THREE, identity(0).fingerprint, NOW)


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
def test_no_flipped_bit_of_a_certificate_is_believed() -> None:
    believed = []
    for bit in range(8 * len(GOOD)):
        changed = bytearray(GOOD)
        changed[bit // 8] ^= 1 << bit % 8
        try:
            peer_of(bytes(changed), THREE, identity(0).fingerprint, NOW)
        except PeerRefused:
            continue
        believed.append(bit // 8)
    assert believed == []


async def test_nodes_of_the_engine_connect_under_identities() -> None:
    """Workers get a leaf, its key and the anchors, never an identity; the roster pins the job's leaves."""
    world = World.make(3)
    leaves = [issue(identity(i)) for i in range(3)]
    roster = tuple(
        replace(peer, fingerprint=fingerprint(leaf.certificate))
        for peer, leaf in zip(world.roster, leaves, strict=True)
    )
    under = replace(world, credentials=leaves, roster=roster)
    trusted = anchors(identity(i).public for i in range(3))
    async with started(under, authority=trusted) as nodes:
        assert len(nodes) == 3


# -- renewal -----------------------------------------------------------------------------------


def test_a_leaf_renews_itself_and_peers_need_not_be_told() -> None:
    clock = [NOW]
    leaf = Leaf(identity(1), lambda: clock[0])
    first = leaf.current
    for days in (0, 1, 7, 14):
        clock[0] = NOW + days * DAY
        assert leaf.current is first
    for days in (16, 32, 400, 3, 0):  # and when a clock that ran ahead is set right
        clock[0] = NOW + days * DAY
        fresh = leaf.current
        assert fresh is not first
        assert leaf.current is fresh
        for skew in (-1.9, 0.0, 1.9, 14.9):  # days the peer's clock is off
            peer_of(der(fresh), THREE, identity(0).fingerprint, clock[0] + skew * DAY)
    assert meet(leaf.current, dialed=1) == ["bravo"] * 2
    assert "Leaf" in repr(leaf)
    assert "PRIVATE" not in repr(leaf) + repr(leaf.current)


async def test_a_listener_takes_the_new_certificate_of_a_peer_on_loopback() -> None:
    """Real sockets: bravo comes twice, under two certificates, to a listener that was told its public key only."""
    listening, _ = contexts(issue(identity(0)), others(THREE, 0))
    seen: list[str] = []

    async def called(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        seen.append(peer_of(certificate, THREE, identity(0).fingerprint, utc_now()).name)
        writer.write(b"welcome")
        writer.close()

    server = await asyncio.start_server(called, "127.0.0.1", 0, ssl=listening)
    async with server:
        port = server.sockets[0].getsockname()[1]
        for made in (NOW - 20 * DAY, NOW):
            _, dialing = contexts(issue(identity(1), made), [identity(0).public])
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=dialing)
            assert await reader.read() == b"welcome"
            writer.close()
        _, dialing = contexts(issue(identity(3)), [identity(0).public])
        with pytest.raises((ssl.SSLError, ConnectionError)):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=dialing)
            if not await reader.read():
                raise ConnectionError
    assert seen == ["bravo", "bravo"]
