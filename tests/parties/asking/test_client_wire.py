"""Who is at the other end is seen twice: by TLS, and by the certificate itself before a request goes out."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate

from parties.asking.client_wire import BlockingWire, Pinned, at_once
from parties.errors import NodeTimedOut, NodeUnproven, NodeUnreachable, NotOneOfThePeople
from parties.keys.identity import Identity
from parties.keys.leaf import issue
from tests.parties.people_node import ANN, NODE, STRANGER

URL = "https://127.0.0.1:8600"


class Stream:
    """After a handshake, as httpcore shows it."""

    def __init__(self, shown: Identity) -> None:
        self.der = load_pem_x509_certificate(issue(shown).certificate).public_bytes(Encoding.DER)

    def get_extra_info(self, name: str) -> Any:
        return self

    def getpeercert(self, binary_form: bool) -> bytes:
        return self.der


def pinned() -> Pinned[httpx.HTTPTransport]:
    return Pinned(URL, ANN, NODE.public, 5.0, httpx.HTTPTransport)


def test_whatever_tls_let_through_is_seen_again() -> None:
    wire = pinned()
    wire.check("connection.start_tls.complete", {"return_value": Stream(NODE)})
    assert wire.proven
    for other in (STRANGER, ANN):
        wire = pinned()
        with pytest.raises(NodeUnproven), wire.named(1.0):
            wire.check("connection.start_tls.complete", {"return_value": Stream(other)})
        assert not wire.proven


def broken(wire: Pinned[httpx.HTTPTransport], error: Exception) -> type[BaseException]:
    with pytest.raises(Exception) as caught, wire.named(1.0):
        raise error
    return caught.type


def test_connections_cut_off_three_times_before_any_answer_mean_a_refusal() -> None:
    wire, cut = pinned(), httpx.RemoteProtocolError("gone")
    assert [broken(wire, cut) for _ in range(3)] == [NodeUnreachable, NodeUnreachable, NotOneOfThePeople]
    wire = pinned()
    down = httpx.ConnectError("down")
    assert [broken(wire, e) for e in (cut, cut, down, cut, cut)] == [NodeUnreachable] * 5  # it was started anew
    wire = pinned()
    wire.answered()
    assert [broken(wire, cut) for _ in range(9)] == [NodeUnreachable] * 9


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (httpx.ConnectTimeout("x"), NodeUnreachable), (httpx.PoolTimeout("x"), NodeUnreachable),
        (httpx.ReadTimeout("x"), NodeTimedOut), (httpx.WriteTimeout("x"), NodeTimedOut),
        (httpx.ReadError("x"), NodeUnreachable),
    ],
)  # fmt: skip
def test_what_is_late_and_what_is_broken(error: Exception, kind: type[BaseException]) -> None:
    assert broken(pinned(), error) is kind


def test_a_new_leaf_makes_a_new_transport_and_all_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = pinned()
    first = wire.transport()
    assert wire.transport() is first
    monkeypatch.setattr(type(wire._leaf), "current", property(lambda leaf: issue(ANN)))
    assert wire.transport() is not first and len(wire.transports) == 2
    blocking = BlockingWire(URL, ANN, NODE.public)
    blocking._pinned.transport()
    at_once(blocking.aclose())
    assert blocking._pinned.transports == []
