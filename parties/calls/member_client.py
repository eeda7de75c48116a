"""One member's node, as this one calls it: pinned to that member's key, bounded in time and bytes, errors named once.

A call is one request on a warm TLS connection. Whoever answers at the member's address has proved to be that member: in
the handshake, by the one anchor the context has, and again by trust.peer_of before a byte of the request goes out.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any, Literal, TypeVar, cast

import httpcore
import trio

from parties.calls.member_transport import MemberTransport
from parties.calls.round_trip import round_trip
from parties.errors import MessageInvalid, PeerAnswerInvalid, PeerRefusedUs, PeerUnreachable
from parties.keys.leaf import Leaf
from parties.membership.charter import Member
from parties.membership.peers import Peers
from parties.wire.envelope import Outbox, Stamp
from parties.wire.meeting import Beat, CharterAnswer, HelloAnswer, Tables
from parties.wire.message_form import Done, Envelope, Message, Problem, Strict, read_json
from parties.wire.messages import Piece
from parties.wire.model_messages import Offers

__all__ = ["SILENCE", "MemberClient"]

SILENCE = 1.0
"""Seconds without a line of ``watch`` after which a peer counts as stopped."""

_MOST_ANSWER = 64 * 1024
_MOST_LARGE = 8 << 20
_MOST_LINE = 4096
_PIECE = 1 << 18
_MOST_IN_VAIN = 1 << 20  # bytes that are sent without asking first whether the peer is who it was
_ANEW = ("BootStale", "MessageReplayed")

A = TypeVar("A", bound=Strict)


class MemberClient:
    """Calls one member. Use it in an ``async with``, or close it; on trio, from any number of tasks at once.

    Args:
        member: with an address.
        peers: which charter is in force, and the clock.
        leaf: this member's.
        connect: seconds for a connection and its handshake.
        timeout: seconds for a whole call, where the call does not say otherwise (``within``).
        connections: at most.

    Attributes:
        round_trip: seconds to the member and back, as the connection of ``watch`` saw it; None: not known.

    All methods raise PeerCallFailed: PeerUnreachable, PeerTimedOut, PeerUnproven, PeerRefusedUs, PeerAnswerInvalid.
    """

    def __init__(
        self,
        member: Member,
        peers: Peers,
        leaf: Leaf,
        *,
        connect: float = 5.0,
        timeout: float = 30.0,
        connections: int = 16,
    ) -> None:
        self.member = member
        self._peers = peers
        self._connect = connect
        self._timeout = timeout
        self._transport = MemberTransport(member, peers, leaf, connect, connections)
        self._outbox = Outbox()
        self.round_trip: float | None = None
        self._greeting = trio.Lock()

    async def __aenter__(self) -> MemberClient:
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<MemberClient of {self.member.name} at {self.member.address}>"

    async def aclose(self) -> None:
        """Close its connections."""
        await self._transport.aclose()

    async def drop(self) -> None:
        """Break its connections, calls under way included; the next call makes new ones."""
        await self._transport.drop()

    async def call(self, message: Message[A], job: str = "", *, within: float | None = None) -> A:
        """Send a message, about a job if it is of that kind; gives the answer.

        If the peer has started anew it is greeted and the message sent once more: handlers take a message twice.
        """
        answers = cast(type[A], message.answers)

        async def once(stamp: Stamp) -> A:
            return await self._ask("POST", message.path, answers, content=self._sealed(stamp, job, message).encode())

        with self._limited(within):
            return await self._stamped(once)

    async def hello(self, *, within: float | None = None) -> HelloAnswer:
        """Who is there. Makes the peer's boot id known."""
        with self._limited(within):
            return await self._hello()

    async def charter(self, version: int = 0, *, within: float | None = None) -> CharterAnswer:
        """A version of the charter as the peer has it; 0: the one in force there."""
        with self._limited(within):
            return await self._ask("GET", f"/v1/charter?version={version}", CharterAnswer, most=_MOST_LARGE)

    async def tables(self, *, within: float | None = None) -> Tables:
        """What the member publishes."""
        with self._limited(within):
            return await self._ask("GET", "/v1/tables", Tables, most=_MOST_LARGE)

    async def models(self, *, within: float | None = None) -> Offers:
        """What the member offers this one to score with."""
        with self._limited(within):
            return await self._ask("GET", "/v1/models", Offers, most=_MOST_LARGE)

    async def send_piece(
        self,
        job: str,
        content: bytes,
        *,
        purpose: Literal["answer", "input"],
        name: str,
        part: int = 0,
        parts: int = 1,
        within: float | None = None,
    ) -> Done:
        """Send shares, at most member_api.MOST_PIECE bytes a piece. See messages.Piece."""
        piece = Piece(
            purpose=purpose,
            name=name,
            part=part,
            parts=parts,
            size=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
        )

        async def once(stamp: Stamp) -> Done:
            headers = [
                ("accord-envelope", self._sealed(stamp, job, piece)),
                ("content-type", "application/octet-stream"),
                ("content-length", str(len(content))),
            ]
            return await self._ask("POST", "/v1/job/piece", Done, headers=headers, content=_pieces(content))

        with self._limited(within):
            if len(content) > _MOST_IN_VAIN:
                await self._hello()  # the peer may have started anew, and would take none of it
            return await self._stamped(once)

    @contextlib.asynccontextmanager
    async def watch(self, silence: float = SILENCE) -> AsyncGenerator[AsyncIterator[Beat], None]:
        """An iterator of the peer's beats.

        It ends when the peer says that it leaves. It raises PeerUnreachable as soon as the peer's process dies, and
        PeerTimedOut when nothing whole came for ``silence`` seconds.
        """
        path = f"/v1/watch?charter={self._peers.charter.digest}"
        with self._transport.named(self._connect):
            response = await self._transport.send("GET", path, [], None)
        try:
            with self._transport.named(self._connect):
                await self._refused(response)
            async with contextlib.aclosing(self._beats(response, silence)) as beats:
                yield beats
        finally:
            with trio.move_on_after(1, shield=True):
                await response.aclose()

    async def _beats(self, response: httpcore.Response, silence: float) -> AsyncGenerator[Beat, None]:
        stream = aiter(response.stream)  # type: ignore[arg-type]
        network = response.extensions.get("network_stream")
        connection = None if network is None else network.get_extra_info("socket")
        rest = b""
        while True:
            with self._transport.named(
                silence, f"nothing was heard of it for {silence:g} s: it was stopped, or is cut off"
            ):
                while b"\n" not in rest:
                    more = await anext(stream, b"")
                    if not more:
                        raise PeerUnreachable(self.member.name, "its node ended, or broke the connection")
                    rest += more
                    if len(rest) > _MOST_LINE * 64:
                        raise PeerAnswerInvalid(self.member.name, "beats too long to be any")
            line, _, rest = rest.partition(b"\n")
            beat = self._read(Beat, line)
            self.round_trip = None if connection is None else round_trip(connection)
            yield beat
            if beat.leaving:
                return

    # -- how -----------------------------------------------------------------------------------

    def _sealed(self, stamp: Stamp, job: str, body: Strict) -> str:
        """In an envelope, as JSON."""
        model = cast(Any, Envelope)[type(body)]
        charter = self._peers.charter.digest
        envelope = model(charter=charter, job=job, boot=stamp.boot, nonce=stamp.nonce, body=body)
        return cast(str, envelope.model_dump_json())

    async def _stamped(self, once: Callable[[Stamp], Awaitable[A]]) -> A:
        """Send with a stamp; once more after a hello, if the peer did not take the stamp."""
        again = False
        while True:
            stamp = self._outbox.stamp()
            if stamp is None:
                async with self._greeting:
                    stamp = self._outbox.stamp()
                    if stamp is None:
                        await self._hello()
                continue
            try:
                return await once(stamp)
            except PeerRefusedUs as error:
                if again or error.error not in _ANEW:
                    raise
                again = True
                self._outbox.forget(stamp.boot)

    async def _hello(self) -> HelloAnswer:
        answer = await self._ask("GET", f"/v1/hello?charter={self._peers.charter.digest}", HelloAnswer)
        self._outbox.greeted(answer.boot, answer.seen)
        return answer

    async def _ask(
        self,
        method: str,
        path: str,
        answers: type[A],
        *,
        headers: list[tuple[str, str]] | None = None,
        content: bytes | AsyncIterator[bytes] | None = None,
        most: int = _MOST_ANSWER,
    ) -> A:
        with self._transport.named():
            response = await self._transport.send(method, path, headers or [], content)
            try:
                await self._refused(response)
                return self._read(answers, await self._all(response, most))
            finally:
                await response.aclose()

    async def _refused(self, response: httpcore.Response) -> None:
        """PeerRefusedUs for an answer that is none."""
        if response.status != 200:
            problem = self._read(Problem, await self._all(response, _MOST_ANSWER))
            raise PeerRefusedUs(self.member.name, problem.error, problem.text)

    async def _all(self, response: httpcore.Response, most: int) -> bytes:
        parts, size = [], 0
        async for part in response.stream:  # type: ignore[union-attr]
            size += len(part)
            if size > most:
                raise PeerAnswerInvalid(self.member.name, f"its answer has more than {most} bytes")
            parts.append(part)
        return b"".join(parts)

    def _read(self, model: type[A], content: bytes) -> A:
        try:
            return read_json(model, content)
        except MessageInvalid as error:
            raise PeerAnswerInvalid(self.member.name, f"its answer is no {model.__name__}: {error}") from None

    def _limited(self, within: float | None) -> contextlib.AbstractContextManager[None]:
        return self._transport.named(self._timeout if within is None else within)


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(content), _PIECE):
        yield content[at : at + _PIECE]
