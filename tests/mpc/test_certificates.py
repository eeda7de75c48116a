"""The TLS that nodes speak, without sockets: TLS 1.3 only, a certificate of the authority on both sides."""

from __future__ import annotations

import contextlib
import datetime
import ssl

import pytest

from mpc.certificates import Authority, Credentials, client_context, fingerprint, party_name, server_context

AUTHORITY = Authority()
LISTENER, DIALER = AUTHORITY.issue(0), AUTHORITY.issue(1)


def shake(server: ssl.SSLContext, client: ssl.SSLContext) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """A handshake and a byte each way, in memory. Raises ssl.SSLError where either side refuses the other."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        server.wrap_bio(to_server, to_client, server_side=True),
        client.wrap_bio(to_client, to_server, server_hostname=party_name(0)),
    ]
    pending = list(ends)
    for _ in range(10):
        for end in list(pending):
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()
                pending.remove(end)
    for one, other in (ends, reversed(ends)):
        one.write(b"x")
        assert other.read(1) == b"x"
    return ends[0], ends[1]


def contexts(listener: Credentials = LISTENER, dialer: Credentials = DIALER) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    return server_context(listener, AUTHORITY.certificate), client_context(dialer, AUTHORITY.certificate)


def test_both_ends_see_the_others_certificate_over_tls_1_3() -> None:
    server, client = shake(*contexts())
    assert server.version() == client.version() == "TLSv1.3"
    assert fingerprint(server.getpeercert(binary_form=True) or b"") == fingerprint(DIALER.certificate)
    assert fingerprint(client.getpeercert(binary_form=True) or b"") == fingerprint(LISTENER.certificate)


@pytest.mark.parametrize("side", [0, 1], ids=["server", "client"])
def test_tls_1_2_is_refused(side: int) -> None:
    """By an honest node, whoever of the two the other one is."""
    old = contexts()[side]
    old.minimum_version = ssl.TLSVersion.TLSv1_2
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    pair = list(contexts())
    pair[side] = old
    with pytest.raises(ssl.SSLError):
        shake(*pair)


def test_a_dialer_without_a_certificate_is_refused() -> None:
    nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    nobody.check_hostname = False
    nobody.load_verify_locations(cadata=AUTHORITY.certificate.decode())
    with pytest.raises(ssl.SSLError):
        shake(contexts()[0], nobody)


@pytest.mark.parametrize("side", [0, 1], ids=["server", "client"])
@pytest.mark.parametrize("fault", ["another authority", "expired", "not valid yet"])
def test_a_certificate_that_is_no_good_is_refused(side: int, fault: str) -> None:
    tomorrow = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)
    bad = {
        "another authority": lambda: Authority().issue(side),
        "expired": lambda: AUTHORITY.issue(side, days=1e-2),  # began an hour ago
        "not valid yet": lambda: AUTHORITY.issue(side, start=tomorrow),
    }[fault]()
    with pytest.raises(ssl.SSLError):
        shake(*(contexts(listener=bad) if side == 0 else contexts(dialer=bad)))


def test_the_repr_shows_no_key() -> None:
    assert "PRIVATE" not in repr(DIALER) and fingerprint(DIALER.certificate) in repr(DIALER)
