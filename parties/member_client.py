"""One member's node, as this one calls it: pinned to that member's key, bounded in time and bytes, errors named once.

A call is one request on a warm TLS connection. Whoever answers at the member's address has proved to be that member: in
the handshake, by the one anchor the context has, and again by trust.peer_of before a byte of the request goes out.

httpx's transport is used without its client: that would follow the environment's proxies, keep the peer's cookies and
unpack what the peer compressed.
"""

from __future__ import annotations

import contextlib
import hashlib
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any, Literal, TypeVar, cast

import httpx
import trio

from mpc.certificates import Credentials
from parties.charter import Member
from parties.envelope import Outbox, Stamp
from parties.errors import (
    MessageInvalid,
    PeerAnswerInvalid,
    PeerCallFailed,
    PeerRefused,
    PeerRefusedUs,
    PeerTimedOut,
    PeerUnproven,
    PeerUnreachable,
)
from parties.leaf import Leaf, contexts
from parties.messages import (
    Beat,
    CharterAnswer,
    Done,
    Envelope,
    HelloAnswer,
    Message,
    Piece,
    Problem,
    Strict,
    Tables,
    read_json,
)
from parties.peers import Peers

__all__ = ["SILENCE", "MemberClient"]

SILENCE = 1.0
"""Seconds without a line of ``watch`` after which a peer counts as stopped."""

_MOST_ANSWER = 64 * 1024
_MOST_LARGE = 8 << 20
_MOST_LINE = 4096
_PIECE = 1 << 18
_KEPT = 60.0  # seconds an idle connection is kept: fewer than the server's
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
        self._leaf = leaf
        self._connect = connect
        self._timeout = timeout
        self._limits = httpx.Limits(
            max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=_KEPT
        )
        self._outbox = Outbox()
        self._greeting = trio.Lock()
        self._credentials: Credentials | None = None
        self._transport: httpx.AsyncHTTPTransport | None = None
        self._before: httpx.AsyncHTTPTransport | None = None  # with the leaf before this one; calls may be under way

    async def __aenter__(self) -> MemberClient:
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<MemberClient of {self.member.name} at {self.member.address}>"

    async def aclose(self) -> None:
        """Close its connections."""
        for transport in (self._transport, self._before):
            if transport is not None:
                await transport.aclose()
        self._credentials = self._transport = self._before = None

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
            await self._hello()  # so that megabytes are not sent in vain to a peer that started anew
            return await self._stamped(once)

    @contextlib.asynccontextmanager
    async def watch(self, silence: float = SILENCE) -> AsyncGenerator[AsyncIterator[Beat], None]:
        """An iterator of the peer's beats.

        It ends when the peer says that it leaves. It raises PeerUnreachable as soon as the peer's process dies, and
        PeerTimedOut when nothing whole came for ``silence`` seconds.
        """
        path = f"/v1/watch?charter={self._peers.charter.digest}"
        with self._named(self._connect):
            response = await self._send("GET", path, [], None)
        try:
            with self._named(self._connect):
                await self._refused(response)
            async with contextlib.aclosing(self._beats(response, silence)) as beats:
                yield beats
        finally:
            with trio.move_on_after(1, shield=True):
                await response.aclose()

    async def _beats(self, response: httpx.Response, silence: float) -> AsyncGenerator[Beat, None]:
        stream = aiter(response.stream)  # type: ignore[arg-type]
        rest = b""
        while True:
            with self._named(silence, f"nothing was heard of it for {silence:g} s: it was stopped, or is cut off"):
                while b"\n" not in rest:
                    more = await anext(stream, b"")
                    if not more:
                        raise PeerUnreachable(self.member.name, "its node ended, or broke the connection")
                    rest += more
                    if len(rest) > _MOST_LINE * 64:
                        raise PeerAnswerInvalid(self.member.name, "beats too long to be any")
            line, _, rest = rest.partition(b"\n")
            beat = self._read(Beat, line)
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
        with self._named(None):
            response = await self._send(method, path, headers or [], content)
            try:
                await self._refused(response)
                return self._read(answers, await self._all(response, most))
            finally:
                await response.aclose()

    async def _send(
        self, method: str, path: str, headers: list[tuple[str, str]], content: bytes | AsyncIterator[bytes] | None
    ) -> httpx.Response:
        if self.member.address is None:
            raise PeerUnreachable(self.member.name, "the charter states no address of it")
        transport = await self._current()
        request = httpx.Request(
            method,
            f"https://{self.member.address}{path}",
            headers=headers,
            content=content,
            extensions={"timeout": {"connect": self._connect}, "trace": self._traced},
        )
        return await transport.handle_async_request(request)

    async def _current(self) -> httpx.AsyncHTTPTransport:
        """The transport with the leaf of now. Connections made with the leaf before stay as they are."""
        credentials = self._leaf.current
        if self._transport is None or credentials is not self._credentials:
            _, context = contexts(credentials, [self.member.key])
            before, self._before = self._before, self._transport
            self._credentials = credentials
            self._transport = httpx.AsyncHTTPTransport(verify=context, trust_env=False, limits=self._limits)
            if before is not None:
                await before.aclose()
        return self._transport

    async def _traced(self, event: str, info: dict[str, Any]) -> None:
        """httpcore tells what it does: after a handshake, and before the request, see who is there."""
        if event == "connection.start_tls.complete":
            stream = info["return_value"]
            try:
                certificate = stream.get_extra_info("ssl_object").getpeercert(binary_form=True)
                self._peers.check_dialed(certificate, self.member.fingerprint)
            except BaseException:
                await stream.aclose()
                raise

    async def _refused(self, response: httpx.Response) -> None:
        """PeerRefusedUs for an answer that is none."""
        if response.status_code != 200:
            problem = self._read(Problem, await self._all(response, _MOST_ANSWER))
            raise PeerRefusedUs(self.member.name, problem.error, problem.text)

    async def _all(self, response: httpx.Response, most: int) -> bytes:
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
        return self._named(self._timeout if within is None else within)

    @contextlib.contextmanager
    def _named(self, seconds: float | None, late: str | None = None) -> Any:
        """At most so long, and foreign errors under our names."""
        try:
            with trio.move_on_after(float("inf") if seconds is None else seconds) as scope:
                yield
        except PeerCallFailed:
            raise
        except PeerRefused as error:  # trust.peer_of
            raise PeerUnproven(self.member.name, str(error)) from None
        except httpx.TimeoutException:
            raise PeerTimedOut(self.member.name, f"no connection within {self._connect:g} s") from None
        except httpx.HTTPError as error:
            raise self._broken(error) from None
        if scope.cancelled_caught:
            raise PeerTimedOut(self.member.name, late or f"no answer within {seconds:g} s")

    def _broken(self, error: BaseException) -> PeerCallFailed:
        """What a connection that failed or broke means."""
        tls = _tls_error(error)
        if tls is not None and "ALERT" in (tls.reason or ""):
            return PeerRefusedUs(
                self.member.name,
                "Handshake",
                "it does not take this member's certificate: is this charter in force there, are both clocks right?",
            )
        if isinstance(tls, ssl.SSLCertVerificationError):
            return PeerUnproven(
                self.member.name,
                f"who answers at {self.member.address} is not this member, or shows an old certificate "
                f"({tls.verify_message}): are addresses swapped in the charter, are both clocks right?",
            )
        where = f"at {self.member.address}"
        if isinstance(error, httpx.ConnectError):
            return PeerUnreachable(self.member.name, f"no connection {where}: is its node up, and the way to it open?")
        return PeerUnreachable(self.member.name, f"the connection {where} broke before the answer was there")


def _tls_error(error: BaseException | None) -> ssl.SSLError | None:
    """The TLS error that an error came from, if one did."""
    for _ in range(10):
        if error is None or isinstance(error, ssl.SSLError):
            return error
        error = error.__cause__ or error.__context__
    return None


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(content), _PIECE):
        yield content[at : at + _PIECE]
