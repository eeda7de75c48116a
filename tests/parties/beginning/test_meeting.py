"""Founder and members meet over real TLS on loopback: one charter at all of them, and nothing for anybody else."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from mpc.certificates import client_context, server_context
from mpc.errors import AccordError
from parties.beginning.founding import Founding, changing, read_founding
from parties.beginning.invitation import Code
from parties.beginning.meeting_guest import Guest
from parties.beginning.meeting_host import Host
from parties.beginning.meeting_wire import (
    FIRST,
    Ack,
    Answer,
    Declined,
    Draft,
    Hello,
    InForce,
    Join,
    Message,
    Pipe,
    Progress,
    Refused,
    Welcome,
)
from parties.errors import FounderUnreachable, InvitationRefused, MeetingBroken
from parties.keys.attempts import Attempts
from parties.keys.fingerprints import show_public_key
from parties.keys.identity import Identity
from parties.keys.leaf import anchors, issue
from parties.membership.charter import Charter, Member
from parties.membership.charter_file import read_charter, write_charter
from parties.membership.charter_store import CharterStore
from parties.setup.home import Home
from tests.parties.consortium import identity

NAMES = ("alfa", "bravo", "charlie")
ROLES = ["compute", "input", "result"]
PATIENCE = 20.0


async def yes(*_: object) -> bool:
    return True


async def no(*_: object) -> bool:
    return False


@dataclass
class World:
    """A founder, two invited members, and where they keep their things."""

    directory: Path
    port: int = 0
    codes: dict[str, Code] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    now: float = 1000.0
    attempts: Attempts = field(default_factory=lambda: Attempts(lambda: 0.0))

    def home(self, name: str) -> Home:
        home = Home(self.directory / name)
        home.make()
        return home

    def store(self, name: str) -> CharterStore:
        return CharterStore(self.home(name))

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[list[trio.SocketListener]]:
        """Where the founder waits; the codes say so. The same port when it comes back."""
        listeners = await trio.open_tcp_listeners(self.port, host="127.0.0.1")
        if not self.port:
            self.port = int(listeners[0].socket.getsockname()[1])
            founding = Founding(consortium="Banks", threshold=None, name="alfa", address="alfa:1", roles=ROLES)
            for name in NAMES[1:]:
                founding, self.codes[name] = founding.invite(
                    name, f"{name}:1", ROLES, f"127.0.0.1:{self.port}", identity(0).public, 2000.0
                )
            with changing(self.home("alfa")) as write:
                write(founding)
        try:
            yield listeners
        finally:
            for listener in listeners:
                await listener.aclose()

    def host(self, confirm: Callable[[Charter], Awaitable[bool]] = yes) -> Host:
        return Host(
            self.home("alfa"),
            identity(0),
            self.store("alfa"),
            confirm,
            self.said.append,
            lambda: self.now,
            self.attempts,
        )

    def guest(
        self,
        name: str,
        confirm: Callable[[bytes, Charter, Member], Awaitable[bool]] = yes,
        *,
        who: Identity | None = None,
        code: Code | None = None,
        address: str | None = None,
    ) -> Guest:
        i = NAMES.index(name)
        return Guest(code or self.codes[name], who or identity(i), self.store(name), confirm, self.said.append, address)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def outcome(into: dict[str, object], name: str, work: Awaitable[Charter]) -> None:
    try:
        into[name] = await work
    except AccordError as error:
        into[name] = error


async def meet(world: World, host: Host | None = None, guests: dict[str, Guest] | None = None) -> dict[str, object]:
    """What comes out at each."""
    came: dict[str, object] = {}
    async with world.listening() as listeners:
        guests = guests or {name: world.guest(name) for name in NAMES[1:]}
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(outcome, came, "alfa", (host or world.host()).run(listeners))
                for name, guest in guests.items():
                    nursery.start_soon(outcome, came, name, guest.run(0))
    return came


def test_one_charter_comes_into_force_at_all_three(world: World) -> None:
    shown: list[tuple[str, str]] = []

    async def seen_by_alfa(charter: Charter) -> bool:
        shown.append(("alfa", charter.digest))
        return True

    async def seen_by_bravo(founder: bytes, charter: Charter, me: Member) -> bool:
        assert (founder, me.name, me.key) == (identity(0).public, "bravo", identity(1).public)
        shown.append(("bravo", charter.digest))
        return True

    async def go() -> dict[str, object]:
        async with world.listening():
            pass
        guests = {
            "bravo": world.guest("bravo", seen_by_bravo, address="here.example:7600"),
            "charlie": world.guest("charlie"),
        }
        return await meet(world, world.host(seen_by_alfa), guests)

    came = trio.run(go)
    charter = world.store("alfa").current
    assert came == dict.fromkeys(NAMES, charter)
    assert [world.store(name).chain for name in NAMES] == [(charter,)] * 3
    assert [(one.name, one.key) for one in charter.members] == [(n, identity(i).public) for i, n in enumerate(NAMES)]
    assert [one.address for one in charter.members] == ["alfa:1", "here.example:7600", "charlie:1"]
    assert (charter.threshold, charter.consortium) == (1, "Banks")
    assert sorted(shown) == [("alfa", charter.digest), ("bravo", charter.digest)]
    assert trio.run(meet, world) == came  # all of it again: no question, no other charter


def test_a_founder_that_is_stopped_goes_on_where_it_was(world: World) -> None:
    """Stopped when one has come; when a member has signed; when all have, and one does not know it."""

    async def stopped_when(said: str, *names: str) -> None:
        async with world.listening() as listeners:
            with trio.fail_after(60):
                async with trio.open_nursery() as nursery:

                    def listen(line: str) -> None:
                        if said in line:
                            nursery.cancel_scope.cancel()

                    host = world.host()
                    host._say = listen  # type: ignore[method-assign]
                    came: dict[str, object] = {}
                    nursery.start_soon(host.run, listeners)
                    for name in names:
                        nursery.start_soon(outcome, came, name, world.guest(name).run(0))

    trio.run(stopped_when, "bravo has come", "bravo")
    assert read_founding(world.home("alfa")).missing() == ["charlie"]
    trio.run(stopped_when, "has signed", "bravo", "charlie")
    assert (world.home("alfa").charter / "signed").exists()
    trio.run(stopped_when, "in force at", "bravo", "charlie")
    came = trio.run(meet, world)
    assert came == dict.fromkeys(NAMES, world.store("alfa").current)


def test_a_member_comes_before_the_founder_waits(world: World) -> None:
    async def go() -> object:
        async with world.listening():
            pass
        came: dict[str, object] = {}
        tried = trio.Event()

        def say(line: str) -> None:
            if "nobody answers" in line:
                tried.set()

        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                early = world.guest("bravo")
                early._say = say  # type: ignore[method-assign]
                nursery.start_soon(outcome, came, "bravo", early.run(PATIENCE))
                await tried.wait()
                async with world.listening() as listeners:
                    nursery.start_soon(outcome, came, "charlie", world.guest("charlie").run(0))
                    await world.host().run(listeners)
        return came

    charter = trio.run(go)
    assert charter == dict.fromkeys(NAMES[1:], world.store("alfa").current)


def test_nobody_there_is_said_with_the_way_out(world: World) -> None:
    async def go() -> None:
        async with world.listening():
            pass
        with pytest.raises(FounderUnreachable, match="accord invite --wait"):
            await world.guest("bravo").run(0)

    trio.run(go)


@pytest.mark.parametrize("who", ["alfa", "bravo"])
def test_whoever_declines_all_are_told_and_nothing_is_in_force(world: World, who: str) -> None:
    async def go() -> dict[str, object]:
        async with world.listening():
            pass
        guests = {"bravo": world.guest("bravo", no if who == "bravo" else yes), "charlie": world.guest("charlie")}
        return await meet(world, world.host(no if who == "alfa" else yes), guests)

    came = trio.run(go)
    assert all(isinstance(came[name], InvitationRefused) for name in NAMES), came
    assert who in str(came["charlie"])
    assert all(world.store(name).chain == () for name in NAMES)
    assert not any(p.signed for p in world.store(who).proposals)


# -- nobody else -------------------------------------------------------------------------------


async def refused(world: World, guest: Guest) -> str:
    """With the founder waiting, and bravo there already."""
    async with world.listening() as listeners, trio.open_nursery() as nursery:
        nursery.start_soon(world.host().run, listeners)
        with pytest.raises((InvitationRefused, FounderUnreachable)) as caught, trio.fail_after(60):
            await guest.run(0)
        nursery.cancel_scope.cancel()
    return str(caught.value)


def prepared(world: World, *joined: str) -> None:
    async def go() -> None:
        async with world.listening() as listeners:
            for name in joined:
                with trio.fail_after(60):
                    async with trio.open_nursery() as nursery:
                        host, guest = world.host(), world.guest(name)
                        guest._say = lambda _, scope=nursery.cancel_scope: scope.cancel()  # type: ignore[method-assign]
                        nursery.start_soon(host.run, listeners)
                        nursery.start_soon(guest.run, 0)
            world.said.clear()

    trio.run(go)


def test_a_code_that_was_used_expired_or_replaced(world: World) -> None:
    prepared(world, "bravo")
    assert "used already" in trio.run(refused, world, world.guest("bravo", who=identity(5)))
    world.now = 3000.0
    assert "expired" in trio.run(refused, world, world.guest("charlie"))
    changed = Code(world.codes["charlie"].address, world.codes["charlie"].pin, bytes(16))
    assert "does not know this code" in trio.run(refused, world, world.guest("charlie", code=changed))
    assert world.said == []
    assert read_founding(world.home("alfa")).missing() == ["charlie"]


def test_another_than_the_code_pins_gets_nothing(world: World) -> None:
    """A founder with another key; the code of another's."""
    prepared(world)
    changed = Code(world.codes["bravo"].address, identity(5).fingerprint.encode()[:16], world.codes["bravo"].secret)
    assert "not who made the code" in trio.run(refused, world, world.guest("bravo", code=changed))


@pytest.mark.parametrize("says", ["its own key", "the founder's key"])
def test_somebody_in_between_gets_no_proof(world: World, says: str) -> None:
    """A proxy that ends TLS with its own certificate, and says hello in its own name or in the founder's."""
    prepared(world)
    evil = identity(9)
    received = bytearray()

    async def proxy(stream: trio.SocketStream) -> None:
        context = server_context(issue(evil), anchors([evil.public]))
        context.verify_mode = ssl.CERT_NONE
        tls = trio.SSLStream(stream, context, server_side=True)
        try:
            key = evil.public if says == "its own key" else identity(0).public
            await Pipe(tls).send(Hello(key=show_public_key(key), nonce="0" * 32))
            while some := await tls.receive_some(4096):
                received.extend(some)
        except (trio.BrokenResourceError, MeetingBroken):
            pass
        finally:
            await trio.aclose_forcefully(tls)

    async def go() -> None:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = int(listeners[0].socket.getsockname()[1])
        right = world.codes["bravo"]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, proxy, listeners)
            guest = world.guest("bravo", code=Code(f"127.0.0.1:{port}", right.pin, right.secret))
            with pytest.raises((InvitationRefused, FounderUnreachable), match=r"not who made|not the founder"):
                await guest.run(0)
            nursery.cancel_scope.cancel()

    trio.run(go)
    assert received == b""


def test_a_proof_carried_to_another_connection_is_refused(world: World) -> None:
    """Somebody who got hold of a whole Join, and sends it to the founder himself."""
    prepared(world)
    caught: list[Join] = []

    class Careless(Guest):
        async def _introduce(self, pipe: Pipe, founder: bytes, certificate: bytes | None) -> object:  # type: ignore[override]
            async def keep(message: Message, deadline: float = 30.0) -> None:
                assert isinstance(message, Join)
                caught.append(message)
                raise InvitationRefused("kept")

            pipe.send = keep  # type: ignore[method-assign]
            return await super()._introduce(pipe, founder, certificate)

    careless = Careless(world.codes["bravo"], identity(1), world.store("bravo"), yes, world.said.append)

    async def go() -> None:
        async with world.listening() as listeners, trio.open_nursery() as nursery:
            nursery.start_soon(world.host().run, listeners)
            with pytest.raises(InvitationRefused, match="kept"):
                await careless.run(0)
            async with stranger(world) as pipe:
                await pipe.receive(Hello, most=FIRST)
                await pipe.send(caught[0])
                answer = await raw(pipe)
            nursery.cancel_scope.cancel()
        assert answer == b'{"kind":"refused","reason":""}'

    trio.run(go)
    assert read_founding(world.home("alfa")).missing() == ["bravo", "charlie"]


async def raw(pipe: Pipe) -> bytes:
    """The next frame, whatever it is."""
    return await pipe._take(int.from_bytes(await pipe._take(4), "big"))


@contextlib.asynccontextmanager
async def stranger(world: World) -> AsyncIterator[Pipe]:
    """A connection of somebody without a code."""
    context = client_context(issue(identity(8)), anchors([identity(0).public]))
    tls = trio.SSLStream(await trio.open_tcp_stream("127.0.0.1", world.port), context)
    try:
        yield Pipe(tls)
    finally:
        await trio.aclose_forcefully(tls)


RUBBISH = [
    b"", b"\0", b"\0\0\0\0", b"\0\0\0\2{}", b"\xff\xff\xff\xff", b"\0\0\x10\x01" + b"x" * 4097, b"\0\0\0\5[[[[[",
    b'\0\0\0\x10{"kind":"hello"}', b'\0\0\0\x0e{"kind":"ack"}', b"GET / HTTP/1.1\r\n\r\n", b"\0\0\0\x02\xff\xfe",
]  # fmt: skip


def test_strangers_learn_the_key_and_nothing_else_and_cannot_stop_it(world: World) -> None:
    async def rubbish(content: bytes) -> bytes:
        async with stranger(world) as pipe:
            learnt = await raw(pipe)
            with contextlib.suppress(trio.BrokenResourceError):
                await pipe._stream.send_all(content)
                if not content:
                    return learnt
                if content[:4] in (b"\0", b"GET "):  # it waits for more: let it
                    return learnt
                with pytest.raises(MeetingBroken):
                    await pipe.receive(Progress, most=FIRST)
            return learnt

    async def go() -> object:
        came: dict[str, object] = {}
        async with world.listening() as listeners, trio.open_nursery() as nursery:
            nursery.start_soon(outcome, came, "alfa", world.host().run(listeners))
            for content in RUBBISH:
                learnt = await rubbish(content)
                hello = Hello.model_validate_json(learnt)
                assert hello.key == show_public_key(identity(0).public)
                assert set(hello.model_dump()) == {"kind", "format", "key", "nonce"}
            plain = await trio.open_tcp_stream("127.0.0.1", world.port)
            await plain.send_all(b"not TLS")
            await plain.receive_some()
            await plain.aclose()
            for name in NAMES[1:]:
                nursery.start_soon(outcome, came, name, world.guest(name).run(0))
        return came

    assert trio.run(go) == dict.fromkeys(NAMES, world.store("alfa").current)


def test_after_some_failures_nobody_from_there_is_listened_to(world: World) -> None:
    now = [0.0]
    world.attempts = Attempts(lambda: now[0], most=3)
    prepared(world)
    wrong = Code(world.codes["bravo"].address, world.codes["bravo"].pin, bytes(16))
    for _ in range(3):
        assert "does not know" in trio.run(refused, world, world.guest("bravo", code=wrong))

    async def hung_up() -> None:
        async with world.listening() as listeners, trio.open_nursery() as nursery:
            nursery.start_soon(world.host().run, listeners)
            with pytest.raises(FounderUnreachable):
                await world.guest("bravo").run(0)
            now[0] = 61.0
            assert "does not know" in str(await error_of(world.guest("bravo", code=wrong)))
            nursery.cancel_scope.cancel()

    trio.run(hung_up)


async def error_of(guest: Guest) -> InvitationRefused:
    with pytest.raises(InvitationRefused) as caught:
        await guest.run(0)
    return caught.value


# -- a founder that cheats ---------------------------------------------------------------------

CHEATS: dict[str, Callable[[str], str]] = {
    "another name for this member": lambda text: text.replace("[members.bravo]", "[members.bravado]"),
    "another key for it": lambda text: text.replace(identity(1).public.hex(), identity(7).public.hex()),
    "another role": lambda text: text.replace('"input", ', ""),
    "another address": lambda text: text.replace("bravo:1", "bravo:2"),
    "a later version": lambda text: text.replace("version = 1", f'version = 2\nprevious = "{"0" * 64}"'),
    "another title": lambda text: text.replace("Banks", "Tanks"),
    "without itself": lambda text: text.replace(identity(0).public.hex(), identity(7).public.hex()),
}


@pytest.mark.parametrize("cheat", CHEATS)
def test_a_member_signs_only_what_it_was_invited_to(world: World, cheat: str, monkeypatch: pytest.MonkeyPatch) -> None:
    send = Pipe.send

    async def cheating(self: Pipe, message: Message, deadline: float = 30.0) -> None:
        if isinstance(message, Draft):
            text = CHEATS[cheat](message.charter)
            assert write_charter(read_charter(text)) != message.charter
            message = message.model_copy(update={"charter": text})
        await send(self, message, deadline)

    monkeypatch.setattr(Pipe, "send", cheating)

    async def go() -> object:
        async with world.listening() as listeners, trio.open_nursery() as nursery:
            came: dict[str, object] = {}
            nursery.start_soon(outcome, {}, "alfa", world.host().run(listeners))
            nursery.start_soon(outcome, {}, "charlie", world.guest("charlie").run(0))
            with trio.fail_after(60):
                await outcome(came, "bravo", world.guest("bravo").run(0))
            nursery.cancel_scope.cancel()
        return came["bravo"]

    error = trio.run(go)
    assert type(error).__name__ in ("InvitationRefused", "CharterNotInForce", "CharterInvalid", "SignatureInvalid"), (
        error
    )
    assert not (world.home("bravo").charter / "signed").exists()


def test_a_founder_that_does_not_know_the_code_is_noticed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared(world)
    send = Pipe.send

    async def unproved(self: Pipe, message: Message, deadline: float = 30.0) -> None:
        if isinstance(message, Welcome):
            message = message.model_copy(update={"proof": "0" * 64})
        await send(self, message, deadline)

    monkeypatch.setattr(Pipe, "send", unproved)
    assert "did not prove" in trio.run(refused, world, world.guest("bravo"))


def test_a_frame_is_bounded_and_of_the_kind_that_was_asked_for() -> None:
    async def go() -> None:
        a, b = trio.testing.memory_stream_pair()
        await a.send_all((FIRST + 1).to_bytes(4, "big"))
        with pytest.raises(MeetingBroken, match=f"{FIRST} are allowed"):
            await Pipe(b).receive(Hello, most=FIRST)
        a, b = trio.testing.memory_stream_pair()
        await Pipe(a).send(Progress(stage="joining", missing=[]))
        with pytest.raises(MeetingBroken, match="no message Hello or Join"):
            await Pipe(b).receive(Hello, Join, most=FIRST)
        with pytest.raises(MeetingBroken, match="in time"):
            await Pipe(b).receive(Hello, most=FIRST, deadline=0)
        await a.aclose()
        with pytest.raises(MeetingBroken, match="closed"):
            await Pipe(b).receive(Hello, most=FIRST)

    trio.run(go)


MESSAGES = (Hello, Join, Refused, Welcome, Progress, Draft, Answer, Declined, InForce, Ack)
FRAMES = [
    Hello(key=show_public_key(bytes(32)), nonce="0" * 32),
    Join(invitation="0" * 32, key=show_public_key(bytes(32)), address="a:1", nonce="1" * 32, proof="2" * 64,
         signature="3" * 128),
    Welcome(proof="0" * 64, consortium="B", founder="a", name="b", address=None, roles=["input"]),
    Progress(stage="signing", missing=["a"]),
    Answer(signatures="{}"),
]  # fmt: skip


@given(st.sampled_from(FRAMES), st.data())
def test_any_frame_is_a_message_or_named(message: Message, data: st.DataObject) -> None:
    """A good message with bytes changed, put in or cut off, or any bytes at all."""
    content = bytearray(message.model_dump_json().encode())
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 2))] = data.draw(
            st.binary(max_size=3) | st.sampled_from([rb"\ud800", b'"', b"{", b"[", b"null", b"1e999", b"\xff"])
        )
    frame = data.draw(st.sampled_from([len(content).to_bytes(4, "big") + content, bytes(content)]))

    async def go() -> None:
        a, b = trio.testing.memory_stream_pair()
        await a.send_all(frame)
        await a.aclose()
        with contextlib.suppress(MeetingBroken):
            taken = await Pipe(b).receive(*MESSAGES, most=FIRST)
            assert type(taken).model_validate_json(taken.model_dump_json()) == taken
            for field in taken.model_dump().values():
                str(field).encode()  # nothing that could not be sent on

    trio.run(go)
