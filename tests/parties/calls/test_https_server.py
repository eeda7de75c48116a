"""The server under strangers, bad HTTP, slow peers and new charters, over real sockets and TLS."""

from __future__ import annotations

import contextlib
import logging
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from parties.calls.https_limits import Limits
from parties.calls.https_server import HttpsServer, _place, listening
from parties.errors import NotAMember
from parties.keys.leaf import contexts, issue, utc_now
from parties.membership.trust import peer_of
from tests.parties.consortium import charter, identity, member
from tests.parties.tls_writes import note_writes

FOUR = charter(*(member(i) for i in range(4)))
THREE = charter(*(member(i) for i in range(3)), before=FOUR)
ME = identity(0)
QUICK = Limits(  # for tests that wait until one is reached: a caller that is only slow may reach it too
    handshake=0.2, idle=0.3, body=0.3, write=0.3, grace=0.3
)
GET = b"GET /who HTTP/1.1\r\nhost: x\r\n\r\n"


class App:
    """Answers who called and how long the body was; ``/stream`` streams for ever, ``/fails`` raises, ``/deaf`` reads
    nothing, ``/deaf/stream`` neither, ``/waits`` waits for an event, ``/lines`` before its second line, ``/none`` after
    an empty part."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.ended: list[str] = []
        self.go = trio.Event()
        self.waiting = trio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope["path"]
        self.calls.append(path)
        try:
            await self._answer(path, scope, receive, send)
        finally:
            self.ended.append(path)

    async def _answer(self, path: str, scope: Any, receive: Any, send: Any) -> None:
        size = 0
        if path == "/fails":
            raise ValueError("a secret")
        if path == "/waits":
            self.waiting.set()
            await self.go.wait()
        while not path.startswith("/deaf"):
            event = await receive()
            size += len(event.get("body", b""))
            if not event.get("more_body"):
                break
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while path.endswith("/stream"):
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
        if path in ("/lines", "/none"):
            await send({"type": "http.response.body", "body": b"" if path == "/none" else b"one\n", "more_body": True})
            await self.go.wait()
            await send({"type": "http.response.body", "body": b"two\n", "more_body": True})
        await send({"type": "http.response.body", "body": f"{scope['state']['caller'].who[:8]} {size}".encode()})


class World:
    """Member 0's server under ``chain``'s last charter, and ways to call it."""

    def __init__(self, limits: Limits) -> None:
        self.charter = FOUR
        self.app = App()
        self.server = HttpsServer(self.app, self.context(), self.admit, limits)
        self.address: tuple[str, int] = ("", 0)

    def keys(self) -> list[bytes]:
        return [one.key for one in self.charter.members if one.key != ME.public]

    def context(self) -> ssl.SSLContext:
        return contexts(issue(ME), self.keys())[0]

    def admit(self, certificate: bytes | None) -> str:
        return peer_of(certificate, self.charter, ME.fingerprint, utc_now()).fingerprint

    async def tcp(self) -> trio.SocketStream:
        return await trio.open_tcp_stream(*self.address)

    async def tls(self, who: int = 1) -> trio.SSLStream[trio.SocketStream]:
        context = contexts(issue(identity(who)), [ME.public])[1]
        return trio.SSLStream(await self.tcp(), context, https_compatible=True)

    async def ask(self, data: bytes, who: int = 1) -> bytes:
        """All that comes back for these bytes until the server ends the connection, or has answered ``/who``."""
        async with await self.tls(who) as stream:
            return await asked(stream, data)


async def asked(stream: trio.abc.Stream, data: bytes, until: bytes = b"\r\n\r\n") -> bytes:
    got = b""
    with contextlib.suppress(trio.BrokenResourceError):
        with contextlib.suppress(trio.BrokenResourceError):
            await stream.send_all(data)
        while more := await stream.receive_some():
            got += more
            if until and whole(got):
                break
    return got


def whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    return bool(end) and (b"content-length: 0" in head.lower() or body.endswith(b"0\r\n\r\n"))


@contextlib.asynccontextmanager
async def world(limits: Limits = QUICK) -> AsyncGenerator[World, None]:
    made = World(limits)
    listeners = await listening("127.0.0.1:0")
    made.address = listeners[0].socket.getsockname()
    async with trio.open_nursery() as nursery:
        await nursery.start(made.server.serve, listeners)
        yield made
        made.server._limits = Limits()  # whoever is only slow is not cut off
        assert await made.ask(GET) != b"", "the server must still answer after all this"
        nursery.cancel_scope.cancel()


def in_world(test: Callable[[World], Awaitable[None]], limits: Limits = QUICK) -> None:
    async def main() -> None:
        with trio.fail_after(20):
            async with world(limits) as made:
                await test(made)

    trio.run(main)


async def emptied(server: HttpsServer) -> None:
    """Wait until it has no connection any more."""
    while server.open_connections:  # noqa: ASYNC110 - it depends on what the sockets' other ends do
        await trio.sleep(0.01)


def test_the_callers_identity_reaches_the_application() -> None:
    async def test(made: World) -> None:
        for i in (1, 2, 3):
            answer = await made.ask(GET, who=i)
            assert answer.startswith(b"HTTP/1.1 200") and f"{identity(i).fingerprint[:8]} 0".encode() in answer
        async with await made.tls() as stream:  # one connection, many requests
            for _ in range(5):
                assert b" 0" in await asked(stream, GET)
            posted = b"POST /who HTTP/1.1\r\nhost: x\r\ncontent-length: 7\r\n\r\n1234567"
            assert b" 7" in await asked(stream, posted)
            chunked = (
                b"POST /who HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
            )
            assert b" 5" in await asked(stream, chunked)

    in_world(test, Limits())


def test_strangers_do_not_reach_the_application_nor_stay() -> None:
    async def test(made: World) -> None:
        for data in (
            b"",
            b"GET / HTTP/1.1\r\n\r\n",
            b"\x16\x03\x01",
            b"\0" * 5000,
            b"\x16\x03\x01\xff\xff" + b"a" * 70000,
        ):
            async with await made.tcp() as stream:
                await asked(stream, data, until=b"")  # until the server ends it
        for who in (0, 9):  # its own certificate, and nobody's
            async with await made.tls(who) as stream:
                assert await asked(stream, GET, until=b"") == b""
        no_certificate = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        no_certificate.check_hostname, no_certificate.verify_mode = False, ssl.CERT_NONE
        async with trio.SSLStream(await made.tcp(), no_certificate, https_compatible=True) as stream:
            assert await asked(stream, GET, until=b"") == b""
        assert made.app.calls == []
        await emptied(made.server)

    in_world(test)


def test_one_addresss_connections_are_bounded_before_the_handshake() -> None:
    limits = replace(Limits(), per_address=5)

    async def test(made: World) -> None:
        streams = [await made.tcp() for _ in range(40)]
        ended = 0
        for stream in streams[5:]:  # those beyond the limit are ended at once, long before the handshake's deadline
            with contextlib.suppress(trio.BrokenResourceError):
                assert await stream.receive_some() == b""
            ended += 1
        assert ended == 35
        assert made.server.open_connections == 5
        for stream in streams:
            await stream.aclose()
        await emptied(made.server)

    in_world(test, limits)


def test_one_address_does_not_keep_another_out() -> None:
    limits = replace(Limits(), per_address=2)

    async def test(made: World) -> None:
        streams = [await trio.open_tcp_stream(*made.address, local_address="127.0.0.2") for _ in range(10)]
        assert await made.ask(GET) != b""
        for stream in streams:
            await stream.aclose()

    in_world(test, limits)


def test_what_counts_as_one_address() -> None:
    assert _place("192.0.2.1") == _place("::ffff:192.0.2.1") != _place("192.0.2.2")
    assert _place("2001:db8::1") == _place("2001:db8::ffff:1") != _place("2001:db8:0:1::1")
    assert _place("fe80::1%eth0") == _place("fe80::2")


def test_a_thousand_connections_leave_nothing_behind() -> None:
    async def test(made: World) -> None:
        for _ in range(20):
            streams = [await made.tcp() for _ in range(50)]
            for stream in streams:
                await stream.aclose()
        await emptied(made.server)
        assert made.app.calls == []

    in_world(test, Limits())


def test_one_members_connections_are_bounded_and_do_not_keep_others_out() -> None:
    limits = replace(Limits(), per_caller=3)

    async def test(made: World) -> None:
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(3):
                stream = await stack.enter_async_context(await made.tls(2))
                assert await asked(stream, GET)
            assert await made.ask(GET, who=2) == b""
            assert await made.ask(GET, who=3) != b""

    in_world(test, limits)


BAD_REQUESTS: dict[str, bytes] = {
    "no HTTP": b"\0\1\2\3" * 10 + b"\r\n\r\n",
    "HTTP/2 by prior knowledge": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9),
    "an upgrade to h2c": b"GET /who HTTP/1.1\r\nhost: x\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n"
    b"connection: upgrade, http2-settings\r\n\r\n",
    "a web socket": b"GET /who HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    "a head too large at once": b"GET /who HTTP/1.1\r\nhost: x\r\nlong: " + b"a" * 20000 + b"\r\n\r\n",
    "an endless head": b"GET /who HTTP/1.1\r\nhost: x\r\nlong: " + b"a" * 3_000_000,
    "too many headers": b"GET /who HTTP/1.1\r\nhost: x\r\n" + b"a: b\r\n" * 65 + b"\r\n",
    "a target too long": b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\nhost: x\r\n\r\n",
    "two lengths": b"POST /who HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\naa",
    "a length of a thousand digits": b"POST /who HTTP/1.1\r\nhost: x\r\ncontent-length: " + b"9" * 1000 + b"\r\n\r\n",
    "a bad chunk": b"POST /who HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    "an endless chunk's head": b"POST /who HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1;"
    + b"a" * 3_000_000,
    "half a head": b"GET /who HTTP/1.1\r\nhost",
    "half a body": b"POST /who HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n12345",
    "half a chunk": b"POST /who HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\n12",
    "nothing": b"",
    "no end of requests": b"GET /fails HTTP/1.1\r\nhost: x\r\n\r\n" * 500,
}


@pytest.mark.parametrize("data", BAD_REQUESTS.values(), ids=list(BAD_REQUESTS))
def test_a_members_bad_requests_end_that_connection_alone(data: bytes) -> None:
    async def test(made: World) -> None:
        async with await made.tls(2) as good:
            answer = await made.ask(data)
            assert answer == b"" or answer[:10] in (b"HTTP/1.1 4", b"HTTP/1.1 5")
            await asked(good, GET)
        await emptied(made.server)
        assert len(made.app.ended) == len(made.app.calls)

    in_world(test)


LARGE_BODIES: dict[str, bytes] = {
    "a body too large": b"POST /who HTTP/1.1\r\nhost: x\r\ncontent-length: 2000000\r\n\r\n" + b"a" * 2_000_000,
    "a chunked body too large": b"POST /who HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
    + (b"10000\r\n" + b"a" * 65536 + b"\r\n") * 30,
    "a body in crumbs": b"POST /who HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 9000,
}


@pytest.mark.parametrize("data", LARGE_BODIES.values(), ids=list(LARGE_BODIES))
def test_a_body_is_bounded_while_it_is_read(data: bytes) -> None:
    async def test(made: World) -> None:
        async with await made.tls() as stream:
            assert await asked(stream, data) == b""  # this application does not answer it
        await emptied(made.server)
        assert made.app.ended == ["/who"]

    in_world(test, Limits())


def test_whatever_the_parser_raises_ends_that_connection_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(made: World) -> None:
        async def fails(*_: Any) -> None:
            raise RuntimeError("a fault of its own")

        with monkeypatch.context() as patch:
            patch.setattr("parties.calls.https_connection._Http1._create_stream", fails)
            assert await made.ask(GET) == b""
        await emptied(made.server)

    in_world(test, Limits())


@given(data=st.binary(max_size=300), at=st.integers(0, 40), cut=st.integers(0, 30))
@settings(max_examples=40, deadline=None)
def test_whatever_a_member_sends_the_server_lives(data: bytes, at: int, cut: int) -> None:
    good = b"POST /who HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"

    async def test(made: World) -> None:
        async with await made.tls() as stream:
            with contextlib.suppress(trio.BrokenResourceError):
                await stream.send_all(good[:at] + data + good[at + cut :])
                await stream.transport_stream.send_eof()
                while await stream.receive_some():
                    pass
        await emptied(made.server)

    in_world(test)


def test_a_body_nobody_reads_blocks_nothing() -> None:
    async def test(made: World) -> None:
        head = b"POST /deaf HTTP/1.1\r\nhost: x\r\ncontent-length: 3000000\r\n\r\n"
        assert b" 200 " in await made.ask(head + b"a" * 3_000_000)
        await emptied(made.server)
        assert made.app.ended == ["/deaf"]

    in_world(test, Limits())


def test_a_caller_that_does_not_read_its_answer_is_given_up() -> None:
    async def test(made: World) -> None:
        async with await made.tls() as stream:
            await stream.send_all(b"GET /stream HTTP/1.1\r\nhost: x\r\n\r\n")
            await emptied(made.server)  # though the caller keeps the connection
        assert made.app.ended == ["/stream"]

    in_world(test)


def test_a_caller_that_stops_in_the_middle_of_its_request_while_it_is_answered_ends_that_connection_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def test(made: World) -> None:
        async with await made.tls() as stream:
            await stream.send_all(b"POST /deaf/stream HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n1234")
            await trio.testing.wait_all_tasks_blocked()  # the server writes, and nobody reads
            await stream.transport_stream.send_eof()
            await emptied(made.server)
        assert made.app.ended == ["/deaf/stream"]

    with caplog.at_level(logging.DEBUG):
        in_world(test)
    assert caplog.text == ""


def test_a_fault_of_a_connections_own_ends_it_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(made: World) -> None:
        async def fails(*_: Any) -> None:
            raise ValueError("a secret")

        with monkeypatch.context() as patch:
            patch.setattr("parties.calls.https_connection.Connection._read", fails)
            assert await made.ask(GET) == b""
        await emptied(made.server)

    with caplog.at_level(logging.DEBUG):
        in_world(test, Limits())
    assert "a connection that failed: ValueError in fails" in caplog.text and "secret" not in caplog.text


def test_a_stream_ends_when_its_caller_goes() -> None:
    async def test(made: World) -> None:
        async with await made.tls() as stream:
            await stream.send_all(b"GET /stream HTTP/1.1\r\nhost: x\r\n\r\n")
            assert await stream.receive_some()
        await emptied(made.server)
        assert made.app.ended == ["/stream"]

    in_world(test, Limits())


def test_a_short_answer_is_written_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    written = note_writes(monkeypatch)

    async def test(made: World) -> None:
        async with await made.tls() as stream:
            for _ in range(2):
                written.clear()
                got = await asked(stream, GET)
                assert written == [GET, got] and got.endswith(b" 0\r\n0\r\n\r\n")
        for bad in (b"?\r\n\r\n", GET.replace(b"1.1", b"1.7")):
            written.clear()
            assert written == [bad, await made.ask(bad)]

    in_world(test, Limits())


def test_a_streams_lines_do_not_wait_for_what_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    written = note_writes(monkeypatch)

    async def test(made: World) -> None:
        for path, first in (b"/lines", b"\r\n\r\n4\r\none\n\r\n"), (b"/none", b"\r\n\r\n"):
            made.app.go = trio.Event()
            async with await made.tls() as stream:
                written.clear()
                await stream.send_all(GET.replace(b"/who", path))
                got = await stream.receive_some()
                assert got.startswith(b"HTTP/1.1 200 ") and got.endswith(first)
                made.app.go.set()
                while not got.endswith(b"\r\n0\r\n\r\n"):
                    got += await stream.receive_some()
                assert written[2] == b"4\r\ntwo\n\r\n" and len(written) == 4

    in_world(test, Limits())


def test_stopping_lets_requests_finish_and_takes_no_more() -> None:
    async def main() -> None:
        with trio.fail_after(20):
            made = World(Limits())
            listeners = await listening("127.0.0.1:0")
            made.address = listeners[0].socket.getsockname()
            async with trio.open_nursery() as nursery:
                await nursery.start(made.server.serve, listeners)
                idle, busy = await made.tls(), await made.tls(2)
                await asked(idle, GET)
                await busy.send_all(b"GET /waits HTTP/1.1\r\nhost: x\r\n\r\n")
                await made.app.waiting.wait()
                made.server.stop()
                assert await idle.receive_some() == b""
                with pytest.raises(OSError):
                    await made.tcp()
                made.app.go.set()
                assert b" 200 " in await asked(busy, b"")
            assert made.server.open_connections == 0  # serve has returned

    trio.run(main)


def test_stopping_does_not_wait_for_ever() -> None:
    async def main() -> None:
        with trio.fail_after(20):
            made = World(QUICK)
            listeners = await listening("127.0.0.1:0")
            made.address = listeners[0].socket.getsockname()
            async with trio.open_nursery() as nursery:
                await nursery.start(made.server.serve, listeners)
                stream = await made.tls()
                await stream.send_all(b"GET /waits HTTP/1.1\r\nhost: x\r\n\r\n")
                await made.app.waiting.wait()
                made.server.stop()
            assert made.app.ended == ["/waits"]

    trio.run(main)


def test_stopping_does_not_wait_for_a_caller_that_does_not_read() -> None:
    async def main() -> None:
        with trio.fail_after(20):
            made = World(replace(QUICK, write=1000.0))
            listeners = await listening("127.0.0.1:0")
            made.address = listeners[0].socket.getsockname()
            async with trio.open_nursery() as nursery:
                await nursery.start(made.server.serve, listeners)
                stream = await made.tls()
                await stream.send_all(b"GET /stream HTTP/1.1\r\nhost: x\r\n\r\n")
                assert await stream.receive_some()
                made.server.stop()
            assert made.app.ended == ["/stream"]

    trio.run(main)


def test_a_new_charter_ends_the_connections_of_who_left_and_of_nobody_else() -> None:
    async def test(made: World) -> None:
        async with await made.tls(1) as stays, await made.tls(3) as leaves:
            assert await asked(stays, GET)
            assert await asked(leaves, GET)
            made.charter = THREE
            made.server.exchange(made.context())
            assert await asked(leaves, b"", until=b"") == b""
            assert await asked(stays, GET)
            assert await made.ask(GET, who=3) == b""
            assert await made.ask(GET, who=2) != b""

    in_world(test, Limits())


def test_a_renewed_leaf_is_shown_to_who_connects_next() -> None:
    async def test(made: World) -> None:
        async with await made.tls() as before:
            await asked(before, GET)
            first = before.getpeercert(binary_form=True)
            made.server.exchange(made.context())
            assert await asked(before, GET)
            async with await made.tls() as after:
                await asked(after, GET)
                assert after.getpeercert(binary_form=True) != first

    in_world(test, Limits())


def test_what_admit_refuses_is_refused_whatever_tls_says() -> None:
    async def test(made: World) -> None:
        def refuse(certificate: bytes | None) -> str:
            raise (NotAMember("no") if len(asked_of) < 2 else ZeroDivisionError)

        asked_of: list[int] = []
        good, made.server._admit = made.server._admit, refuse
        for _ in range(3):
            assert await made.ask(GET) == b""
            asked_of.append(1)
        made.server._admit = good
        assert made.app.calls == []

    in_world(test, Limits())


def test_the_log_is_not_flooded_and_quotes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def test(made: World) -> None:
        for _ in range(30):
            async with await made.tcp() as stream:
                await asked(stream, b"top secret\r\n\r\n", until=b"")
            await made.ask(b"GET /fails HTTP/1.1\r\nhost: x\r\n\r\n")

    with caplog.at_level(logging.DEBUG):
        in_world(test, Limits())
    assert len(caplog.records) <= 4
    assert "TLS handshake failed" in caplog.text and "ValueError in _answer" in caplog.text
    assert "secret" not in caplog.text and "Traceback" not in caplog.text
