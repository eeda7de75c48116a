"""Calls between members over real TLS: what comes through, what is refused at which end, and how failures are named."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import pytest
import trio

from mpc.certificates import Credentials
from parties.calls.member_client import MemberClient
from parties.errors import (
    NotAMember,
    PeerAnswerInvalid,
    PeerCallFailed,
    PeerRefusedUs,
    PeerTimedOut,
    PeerUnproven,
    PeerUnreachable,
)
from parties.keys.leaf import Leaf, contexts, issue
from parties.membership.charter import Charter
from parties.membership.peers import Peers
from parties.wire.envelope import ReplayGuard
from parties.wire.lane_messages import LanePrepare
from parties.wire.meeting import Beat, HelloAnswer
from parties.wire.messages import Abort, Ballot, Prepare, Propose, StateAnswer, StateQuery
from tests.parties.consortium import charter, identity, member
from tests.parties.control_plane import ACCEPTANCE, JOB, SIGNATURE, Node, address_of, bound, nodes
from tests.parties.keys.test_leaf import MATRIX
from tests.parties.tls_writes import note_writes


def run(test: Callable[..., Awaitable[None]], *args: Any) -> None:
    async def main() -> None:
        with trio.fail_after(30):
            await test(*args)

    trio.run(main)


def test_messages_and_answers_come_through_with_the_members_name() -> None:
    async def test() -> None:
        async with nodes() as (alfa, bravo, charlie), alfa.client(1) as to_bravo, charlie.client(1) as also:
            ballot = Ballot(round=1, member=0)
            assert await to_bravo.call(StateQuery(), JOB) == StateAnswer(state="RUNNING", voted=True)
            assert (await to_bravo.call(Propose(job="{}", signature=SIGNATURE), JOB)).acceptance == ACCEPTANCE
            assert (await to_bravo.call(LanePrepare(lane=0, epoch=1))).port == 7700
            assert (await also.call(Prepare(ballot=ballot), JOB)).ballot == ballot
            assert (await to_bravo.charter(2)).latest == 2
            assert (await to_bravo.tables()).tables[0].name == "patients"
            said = [(handler, peer, job) for handler, peer, job, _ in bravo.handlers.heard]
            assert said == [
                ("state", "alfa", JOB),
                ("propose", "alfa", JOB),
                ("lane_prepare", "alfa", ""),
                ("prepare", "charlie", JOB),
                ("charter", "alfa", ""),
                ("tables", "alfa", ""),
            ]

    run(test)


def test_many_calls_at_once_share_connections_and_none_is_taken_for_a_replay() -> None:
    async def test() -> None:
        async with nodes() as (alfa, bravo, _), alfa.client(1, connections=4) as client:
            async with trio.open_nursery() as nursery:
                for _ in range(100):
                    nursery.start_soon(client.call, StateQuery(), JOB)
            assert len(bravo.handlers.heard) == 100
            assert bravo.server.open_connections <= 4

    run(test)


def test_pieces_of_shares_arrive_whole() -> None:
    async def test() -> None:
        async with nodes() as (alfa, bravo, _), alfa.client(1) as client:
            for content in (b"", b"x", bytes(range(256)) * 20_000):
                await client.send_piece(JOB, content, purpose="answer", name="answer")
                handler, peer, job, (piece, got) = bravo.handlers.heard[-1]
                assert (handler, peer, job, got) == ("piece", "alfa", JOB, content)
                assert (piece.size, piece.part, piece.parts) == (len(content), 0, 1)

    run(test)


def test_a_request_is_one_write_and_so_is_its_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    written = note_writes(monkeypatch)

    async def test() -> None:
        async with nodes() as (alfa, _, _), alfa.client(1) as client:
            await client.hello()
            for content in (None, b"", b"a short piece"):
                written.clear()
                if content is None:
                    await client.call(StateQuery(), JOB)
                else:
                    await client.send_piece(JOB, content, purpose="answer", name="answer")
                asked, answered = written
                assert asked.startswith(b"POST /v1/job/") and asked.endswith(content or b"")
                assert answered.startswith(b"HTTP/1.1 200 ") and answered.endswith(b"}")
            written.clear()
            await client.send_piece(JOB, b"x" * 600_000, purpose="answer", name="answer")
            *sent, _ = (len(data) for data in written)
            assert len(sent) == 3 and max(sent) < 300_000  # it is not all kept first

    run(test)


def test_after_a_restart_of_either_end_a_message_comes_through_once() -> None:
    async def test() -> None:
        async with nodes() as (alfa, bravo, _):
            async with alfa.client(1) as client:
                await client.call(StateQuery(), JOB)
                bravo.guard.boot, bravo.guard._seen = ReplayGuard().boot, {}
                await client.call(StateQuery(), JOB)
            async with alfa.client(1) as anew:
                await anew.call(StateQuery(), JOB)
            assert len(bravo.handlers.heard) == 3

    run(test)


def test_the_peers_errors_come_with_their_names() -> None:
    async def test() -> None:
        async with nodes() as (alfa, bravo, _), alfa.client(1) as client:
            bravo.handlers.error = NotAMember("not here")
            with pytest.raises(PeerRefusedUs, match="member bravo: NotAMember: not here") as caught:
                await client.call(StateQuery(), JOB)
            assert (caught.value.member, caught.value.error, caught.value.reason) == ("bravo", "NotAMember", "not here")
            bravo.handlers.error = ZeroDivisionError("a secret")
            with pytest.raises(PeerRefusedUs, match="InternalFault") as caught:
                await client.call(StateQuery(), JOB)
            assert "secret" not in str(caught.value)
            with pytest.raises(PeerRefusedUs, match="MessageInvalid: job"):
                await client.call(StateQuery())
            with pytest.raises(PeerRefusedUs, match="MessageInvalid: job"):
                await client.call(LanePrepare(lane=0, epoch=1), JOB)
            bravo.handlers.error = None
            await client.call(StateQuery(), JOB)

    run(test)


def test_a_peer_that_is_down_slow_or_gone_is_told_apart() -> None:
    async def test() -> None:
        async with nodes() as (alfa, bravo, charlie):
            async with alfa.client(1) as client:
                bravo.handlers.wait = trio.Event()
                with pytest.raises(PeerTimedOut, match=r"member bravo: no answer within 0\.2 s"):
                    await client.call(StateQuery(), JOB, within=0.2)
                bravo.handlers.wait = None
                await client.call(StateQuery(), JOB)
            async with alfa.client(2) as client:
                await client.call(StateQuery(), JOB)
                charlie.server.stop()
                with pytest.raises(PeerUnreachable):  # the connection it had
                    while True:
                        await client.call(StateQuery(), JOB)
                with pytest.raises(PeerUnreachable, match="is its node up"):
                    await client.call(StateQuery(), JOB)

    run(test)


def test_a_member_without_an_address_is_not_called() -> None:
    async def test() -> None:
        silent = charter(*(member(i) for i in range(3)), member(3, "result", address=None))
        peers = Peers(identity(0).fingerprint, lambda: [silent])
        async with MemberClient(silent.members[3], peers, Leaf(identity(0))) as client:
            with pytest.raises(PeerUnreachable, match="no address"):
                await client.call(StateQuery(), JOB)

    run(test)


# -- watch -------------------------------------------------------------------------------------


def test_watch_beats_until_the_peer_leaves() -> None:
    async def test() -> None:
        async with nodes() as (alfa, bravo, _), alfa.client(1) as client:
            got: list[Beat] = []
            async with client.watch() as beats:
                async for beat in beats:
                    got.append(beat)
                    if len(got) == 5:
                        bravo.server.stop()
            assert [beat.number for beat in got] == list(range(len(got)))
            assert {beat.boot for beat in got} == {bravo.guard.boot}
            assert [beat.leaving for beat in got] == [False] * (len(got) - 1) + [True]

    run(test)


def test_watch_names_a_death_and_a_silence() -> None:
    async def dies(stream: trio.abc.Stream) -> None:
        await stream.aclose()

    async def hangs(stream: trio.abc.Stream) -> None:
        await trio.sleep_forever()

    async def crawls(stream: trio.abc.Stream) -> None:
        while True:
            await stream.send_all(b"1\r\n \r\n")
            await trio.sleep(0.02)

    async def floods(stream: trio.abc.Stream) -> None:
        while True:
            await stream.send_all(b"10000\r\n" + b"x" * 65536 + b"\r\n")

    async def babbles(stream: trio.abc.Stream) -> None:
        await stream.send_all(b"4\r\n{}\n\n\r\n")
        await trio.sleep_forever()

    beat = Beat(boot="0" * 32, number=0, charter="0" * 64).model_dump_json().encode() + b"\n"
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(beat), beat)

    async def test(then: Callable[[trio.abc.Stream], Awaitable[None]], error: type[PeerCallFailed]) -> None:
        async def answers(stream: trio.abc.Stream) -> None:
            await stream.receive_some()
            await stream.send_all(head)
            await then(stream)

        async with liar(answers) as client:
            got = []
            with pytest.raises(error):
                async with client.watch(silence=0.2) as beats:
                    async for one in beats:
                        got.append(one)
            assert len(got) == 1

    for then, error in (
        (dies, PeerUnreachable),
        (hangs, PeerTimedOut),
        (crawls, PeerTimedOut),
        (floods, PeerAnswerInvalid),
        (babbles, PeerAnswerInvalid),
    ):
        run(test, then, error)


# -- answers of a member that lies -------------------------------------------------------------


@contextlib.asynccontextmanager
async def liar(
    answer: Callable[[trio.abc.Stream], Awaitable[None]],
    shown: Credentials | None = None,
    heard: list[bytes] | None = None,
) -> AsyncGenerator[MemberClient, None]:
    """Member 0's client of a member 1 that answers each connection with ``answer``, and shows these credentials."""
    listener = bound()
    three = charter(member(0), member(1, address=address_of(listener)), member(2))
    context = contexts(shown or issue(identity(1)), [identity(0).public])[0]

    async def serve(stream: trio.SocketStream) -> None:
        tls = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await tls.do_handshake()
            if heard is not None:
                heard.append(bytes(await tls.receive_some()))
            await answer(tls)
        await trio.aclose_forcefully(tls)

    listener.setblocking(False)
    async with trio.open_nursery() as nursery:
        socket = trio.SocketListener(trio.socket.from_stdlib_socket(listener))
        nursery.start_soon(trio.serve_listeners, serve, [socket])
        peers = Peers(identity(0).fingerprint, lambda: [three])
        async with MemberClient(three.members[1], peers, Leaf(identity(0)), timeout=2.0) as client:
            yield client
        nursery.cancel_scope.cancel()


GOOD = (
    HelloAnswer(boot="0" * 32, seen=0, charter="0" * 64, version=1, release="1", time=1.0).model_dump_json().encode()
    + b" " * 3_000_000
)
ANSWERS: dict[str, tuple[bytes, type[PeerCallFailed]]] = {
    "no HTTP": (b"hello\r\n\r\n", PeerUnreachable),
    "nothing": (b"", PeerUnreachable),
    "half a head": (b"HTTP/1.1 200 OK\r\ncontent-le", PeerUnreachable),
    "half a body": (b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{}", PeerUnreachable),
    "an endless head": (b"HTTP/1.1 200 OK\r\na: " + b"b" * 3_000_000, PeerUnreachable),
    "a good answer of too many bytes": (
        b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(GOOD), GOOD),
        PeerAnswerInvalid,
    ),
    "another form": (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]", PeerAnswerInvalid),
    "one field too many": (b'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{"more":1}', PeerAnswerInvalid),
    "packed": (b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n\x1f\x8b", PeerAnswerInvalid),
    "another place": (b"HTTP/1.1 302 Found\r\nlocation: https://x\r\ncontent-length: 0\r\n\r\n", PeerAnswerInvalid),
    "a problem of another form": (b"HTTP/1.1 400 Bad\r\ncontent-length: 2\r\n\r\n{}", PeerAnswerInvalid),
    "a switch of protocol": (b"HTTP/1.1 101 Switching\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n", PeerCallFailed),
}


@pytest.mark.parametrize(("said", "error"), ANSWERS.values(), ids=list(ANSWERS))
def test_a_lying_peers_answers_are_named(said: bytes, error: type[PeerCallFailed]) -> None:
    async def answer(stream: trio.abc.Stream) -> None:
        await stream.send_all(said)

    async def test() -> None:
        heard: list[bytes] = []
        async with liar(answer, heard=heard) as client:
            with pytest.raises(error):
                await client.hello()
        assert heard

    run(test)


# -- who is at the other end -------------------------------------------------------------------


@pytest.mark.parametrize("shown", MATRIX.values(), ids=list(MATRIX))
def test_nobody_else_is_called(shown: Callable[[], Credentials]) -> None:
    """Member 0 calls member 1's address, and finds this certificate there: not a byte of the request is sent."""

    async def answer(stream: trio.abc.Stream) -> None:
        await stream.send_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")

    async def test() -> None:
        heard: list[bytes] = []
        async with liar(answer, shown(), heard) as client:
            with pytest.raises((PeerUnproven, PeerUnreachable)):
                await client.call(Abort(text=""), JOB)
        assert not any(heard)

    run(test)


@pytest.mark.parametrize("shown", MATRIX.values(), ids=list(MATRIX))
def test_nobody_else_calls(shown: Callable[[], Credentials]) -> None:
    """With this certificate, member 0's node is called: its handlers hear of nothing."""

    async def test() -> None:
        async with nodes() as (alfa, bravo, _):
            context = contexts(shown(), [alfa.identity.public])[1]
            stream = trio.SSLStream(
                await trio.open_tcp_stream(*alfa.listener.getsockname()), context, https_compatible=True
            )
            got = b""
            with contextlib.suppress(trio.BrokenResourceError):
                await stream.send_all(b"GET /v1/tables HTTP/1.1\r\nhost: x\r\n\r\n")
                got = bytes(await stream.receive_some())
            await trio.aclose_forcefully(stream)
            assert got == b""
            assert alfa.handlers.heard == []
            async with bravo.client(0) as client:  # and who may, still does
                await client.call(StateQuery(), JOB)

    run(test)


def test_swapped_addresses_are_noticed_before_anything_is_sent() -> None:
    async def test() -> None:
        async with nodes() as (alfa, bravo, charlie):
            one, two, three = alfa.chain[-1].members
            swapped = charter(one, member(1, address=three.address), member(2, address=two.address))
            alfa.chain[:] = [swapped]
            for i in (1, 2):
                async with alfa.client(i) as client:
                    with pytest.raises(PeerUnproven, match=r"who answers at .* is not this member"):
                        await client.call(StateQuery(), JOB)
            assert bravo.handlers.heard == charlie.handlers.heard == []

    run(test)


def test_peer_of_decides_even_where_tls_lets_everybody_in(monkeypatch: pytest.MonkeyPatch) -> None:
    def lax(credentials: Credentials, peers: Any) -> tuple[ssl.SSLContext, ssl.SSLContext]:
        return contexts(credentials, [identity(i).public for i in range(4)])

    async def test() -> None:
        heard: list[bytes] = []

        async def answer(stream: trio.abc.Stream) -> None:
            raise AssertionError("it was asked")

        for who, says in ((2, "charlie answered where bravo was called"), (0, "own certificate"), (3, "no member")):
            async with liar(answer, issue(identity(who)), heard) as client:
                with pytest.raises(PeerUnproven, match=says):
                    await client.hello()
        assert not any(heard)

    monkeypatch.setattr("parties.calls.member_transport.contexts", lax)
    run(test)


def test_an_old_and_an_unknown_charter_are_refused_on_every_route() -> None:
    async def test() -> None:
        async with nodes() as (alfa, bravo, _):
            first = bravo.chain[0]
            second = charter(*first.members, before=first)
            third = charter(*second.members, before=second)
            bravo.chain.append(second)
            for chain, error in (([first], "CharterOutdated"), ([first, second, third], "CharterUnknown")):
                alfa.chain[:] = chain
                async with alfa.client(1) as client:
                    await refused(client, error)
                    alfa.chain[:] = [first, second]
                    await client.hello()
                    alfa.chain[:] = chain
                    await refused(client, error)  # and with a good stamp too
            assert bravo.handlers.heard == []
            alfa.chain[:] = [first, second]
            async with alfa.client(1) as client:
                await client.call(StateQuery(), JOB)

    async def refused(client: MemberClient, error: str) -> None:
        with pytest.raises(PeerRefusedUs, match=error):
            await client.hello()
        with pytest.raises(PeerRefusedUs, match=error):
            await client.call(StateQuery(), JOB)
        with pytest.raises(PeerRefusedUs, match=error):
            await client.call(Propose(job="{}", signature=SIGNATURE), JOB)
        with pytest.raises(PeerRefusedUs, match=error):
            await client.send_piece(JOB, b"x", purpose="answer", name="x")
        with pytest.raises(PeerRefusedUs, match=error):
            async with client.watch():
                pass

    run(test)


def test_a_former_member_is_cut_off_and_told_so_at_the_handshake() -> None:
    async def test() -> None:
        async with nodes(4) as (alfa, _, _, delta):
            four = alfa.chain[-1]
            three = charter(*four.members[:3], before=four)
            async with delta.client(0) as client:
                await client.call(StateQuery(), JOB)
                async with client.watch() as beats:
                    await anext(beats)
                    in_force(alfa, three)
                    with pytest.raises(PeerUnreachable):
                        async for _ in beats:
                            pass
                with pytest.raises((PeerRefusedUs, PeerUnreachable)):
                    await client.call(StateQuery(), JOB)
            assert len(alfa.handlers.heard) == 1

    def in_force(node: Node, newer: Charter) -> None:
        node.chain.append(newer)
        node.server.exchange(node.listening_context())

    run(test)


def test_a_renewed_leaf_is_shown_on_new_connections_and_calls_go_on() -> None:
    async def test() -> None:
        async with nodes() as (alfa, _, _), alfa.client(1) as client:
            await client.call(StateQuery(), JOB)
            for _ in range(3):
                before = alfa.leaf.current
                alfa.leaf = client._transport._leaf = Leaf(alfa.identity)
                assert alfa.leaf.current != before
                await client.call(StateQuery(), JOB)
                assert client._transport._credentials is alfa.leaf.current

    run(test)
