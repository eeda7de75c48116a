"""What one member's node answers the others: routes, and for each who may say what, before the node hears of it.

1. The connection's certificate is a member's by the charter in force.     (trust.peer_of)
2. The body is no larger than its route takes, and of the form it states.  (messages.py)
3. The sender goes by the charter in force.                                (trust.check_stated_charter)
4. The message is new.                                                     (envelope.ReplayGuard)
5. The node's handler is called with the member, the job and the body.

``hello``, ``charter``, ``tables``, ``models`` and ``watch`` change nothing, so they come without an envelope;
``charter`` is how a member that is behind gets the newer versions, so 3 is not asked there.

``python -m parties.calls.member_api`` prints the OpenAPI document.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Annotated, Any, Protocol, TypeVar, cast

import trio
from fastapi import Header, Query
from starlette.requests import Request
from starlette.responses import Response

from parties.calls.replies import Api, Lines, read_body, reply
from parties.errors import MessageInvalid
from parties.membership.charter import Member
from parties.membership.peers import Peers
from parties.wire.envelope import ReplayGuard
from parties.wire.lane_messages import Connected, LaneConnect, LanePrepare, Prepared
from parties.wire.log_messages import (
    AcceptanceQuery,
    AcceptancesQuery,
    Entries,
    EntriesQuery,
    KeptAcceptance,
    KeptAcceptances,
)
from parties.wire.meeting import Beat, CharterAnswer, HelloAnswer, Tables
from parties.wire.message_form import Done, Envelope, Message, Strict, read_json
from parties.wire.messages import (
    Abort,
    Accept,
    Accepted,
    Accepting,
    Decided,
    Piece,
    Prepare,
    ProgressReport,
    Promise,
    Propose,
    Ready,
    Reserve,
    Run,
    StateAnswer,
    StateQuery,
)
from parties.wire.model_messages import Offers
from parties.wire.quote_messages import Quote, Quoted

__all__ = ["BEAT", "MOST_PIECE", "Handlers", "member_api"]

BEAT = 0.25
"""Seconds between two lines of ``watch``."""

MOST_PIECE = 64 << 20
"""Bytes of one piece of shares; more of them travel as several pieces."""

_PIECE_SECONDS = 300.0

_Charter = Annotated[str, Query(pattern="^[0-9a-f]{64}$", description="Digest of the charter the caller goes by.")]
_Version = Annotated[int, Query(ge=0, le=10**6, description="Its number; 0: the one in force.")]
_Header = Annotated[str, Header(description="An envelope, as of other messages, whose body is a Piece; JSON in ASCII.")]
_BYTES = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}

M = TypeVar("M", bound=Message[Any])
A = TypeVar("A", bound=Strict)


class Handlers(Protocol):
    """What the node does with messages that were checked as above. Each may raise an AccordError, which is the answer.

    A handler is not cancelled when its caller goes away. It is when the caller's membership ends (HttpsServer.exchange)
    and when the server's time to stop has passed: what must not be half done, it shields.
    """

    async def charter(self, peer: Member, version: int) -> CharterAnswer:
        """This version, 0 for the one in force."""
        ...

    async def tables(self, peer: Member) -> Tables:
        """What this member publishes to that one."""
        ...

    async def models(self, peer: Member) -> Offers:
        """What that one's people may score with."""
        ...

    async def lane_prepare(self, peer: Member, job: str, body: LanePrepare) -> Prepared: ...
    async def lane_connect(self, peer: Member, job: str, body: LaneConnect) -> Connected: ...
    async def quote(self, peer: Member, job: str, body: Quote) -> Quoted: ...
    async def propose(self, peer: Member, job: str, body: Propose) -> Accepting: ...
    async def reserve(self, peer: Member, job: str, body: Reserve) -> Done: ...
    async def run(self, peer: Member, job: str, body: Run) -> Done: ...
    async def ready(self, peer: Member, job: str, body: Ready) -> Done: ...
    async def prepare(self, peer: Member, job: str, body: Prepare) -> Promise: ...
    async def accept(self, peer: Member, job: str, body: Accept) -> Accepted: ...
    async def decided(self, peer: Member, job: str, body: Decided) -> Done: ...
    async def state(self, peer: Member, job: str, body: StateQuery) -> StateAnswer: ...
    async def abort(self, peer: Member, job: str, body: Abort) -> Done: ...
    async def progress(self, peer: Member, job: str, body: ProgressReport) -> Done: ...
    async def entries(self, peer: Member, job: str, body: EntriesQuery) -> Entries: ...
    async def acceptances(self, peer: Member, job: str, body: AcceptancesQuery) -> KeptAcceptances: ...
    async def acceptance(self, peer: Member, job: str, body: AcceptanceQuery) -> KeptAcceptance: ...

    async def piece(self, peer: Member, job: str, piece: Piece, content: AsyncIterator[bytes]) -> Done:
        """Keep a piece of shares. It is whole, and as its digest says, when ``content`` has ended without an error."""
        ...


def member_api(
    handlers: Handlers,
    peers: Peers,
    guard: ReplayGuard,
    release: str,
    *,
    clock: Callable[[], float] = time.time,
    beat: float = BEAT,
    farthest: Callable[[], float] = lambda: 0.0,
    log: logging.Logger | None = None,
) -> Api:
    """The application for HttpsServer.

    Args:
        handlers: the node.
        peers: who may call; ``peers.admit`` is for the server.
        guard: of this start.
        release: of Accord, for hello.
        clock: Unix seconds, for hello.
        beat: seconds between lines of ``watch``.
        farthest: meeting.Beat's round_trip.
        log: for faults of this node's own.
    """
    api = Api("Accord, between members", release, __doc__ or "", log or logging.getLogger(__name__))

    def caller(request: Request) -> Member:
        return peers.peer_of(request.scope["state"]["caller"].certificate)

    def opened(peer: Member, envelope: Envelope[M], about_job: bool) -> M:
        peers.check_stated(envelope.charter)
        if bool(envelope.job) != about_job:
            raise MessageInvalid("job: " + ("its id" if about_job else "'', for this message is about none"))
        guard.check(peer.fingerprint, envelope.boot, envelope.nonce)
        return envelope.body

    def add(message: type[M], handler: Callable[[Member, str, M], Awaitable[Strict]]) -> None:
        model = Envelope[message]  # type: ignore[valid-type]

        async def endpoint(request: Request) -> Response:
            peer = caller(request)
            envelope = read_json(model, await read_body(request, message.most))
            body = opened(peer, envelope, message.about_job)
            return reply(await handler(peer, envelope.job, body))

        summary = (message.__doc__ or "").partition("\n")[0]
        name = message.path.removeprefix("/v1/").replace("/", "_")
        api.route_to("POST", message.path, endpoint, answers=message.answers, takes=model, summary=summary, name=name)

    async def hello(request: Request, charter: _Charter) -> Response:
        peer = caller(request)
        peers.check_stated(charter)
        mine = peers.charter
        answer = HelloAnswer(
            boot=guard.boot,
            seen=guard.highest(peer.fingerprint),
            charter=mine.digest,
            version=mine.version,
            release=release,
            time=clock(),
        )
        return reply(answer)

    async def watch(request: Request, charter: _Charter) -> Response:
        caller(request)
        peers.check_stated(charter)
        return Lines(_beats(peers, guard, request.scope["state"]["stopping"], beat, farthest))

    async def charter(request: Request, version: _Version = 0) -> Response:
        return reply(await handlers.charter(caller(request), version))

    async def tables(request: Request) -> Response:
        return reply(await handlers.tables(caller(request)))

    async def models(request: Request) -> Response:
        return reply(await handlers.models(caller(request)))

    async def piece(request: Request, accord_envelope: _Header) -> Response:
        peer = caller(request)
        envelope = read_json(Envelope[Piece], accord_envelope)
        body = envelope.body
        if body.size > MOST_PIECE or body.part >= body.parts:
            raise MessageInvalid(f"body.size: at most {MOST_PIECE}; body.part: below body.parts")
        peers.check_stated(envelope.charter)
        if not envelope.job:
            raise MessageInvalid("job: its id")
        guard.check(peer.fingerprint, envelope.boot, envelope.nonce)
        return reply(await handlers.piece(peer, envelope.job, body, _content(request, body)))

    api.route_to("GET", "/v1/hello", hello, answers=HelloAnswer, summary="Who is there.")
    api.route_to("GET", "/v1/charter", charter, answers=CharterAnswer, summary="A version of the charter.")
    api.route_to("GET", "/v1/watch", watch, answers=Beat, media=Lines.media_type, summary="That it lives.")
    api.route_to("GET", "/v1/tables", tables, answers=Tables, summary="The tables this member publishes.")
    api.route_to("GET", "/v1/models", models, answers=Offers, summary="The models this member offers.")
    add(LanePrepare, handlers.lane_prepare)
    add(LaneConnect, handlers.lane_connect)
    add(Quote, handlers.quote)
    add(Propose, handlers.propose)
    add(Reserve, handlers.reserve)
    add(Run, handlers.run)
    add(Ready, handlers.ready)
    add(Prepare, handlers.prepare)
    add(Accept, handlers.accept)
    add(Decided, handlers.decided)
    add(StateQuery, handlers.state)
    add(Abort, handlers.abort)
    add(ProgressReport, handlers.progress)
    add(EntriesQuery, handlers.entries)
    add(AcceptancesQuery, handlers.acceptances)
    add(AcceptanceQuery, handlers.acceptance)
    api.route_to("POST", "/v1/job/piece", piece, answers=Done, summary="A piece of shares.", openapi_extra=_BYTES)
    return api


async def _beats(
    peers: Peers, guard: ReplayGuard, stopping: trio.Event, beat: float, farthest: Callable[[], float]
) -> AsyncGenerator[Beat, None]:
    number = 0
    while True:
        leaving = stopping.is_set()
        far = min(60.0, farthest())
        yield Beat(boot=guard.boot, number=number, charter=peers.charter.digest, leaving=leaving, round_trip=far)
        if leaving:
            return
        number += 1
        with trio.move_on_after(beat):
            await stopping.wait()


async def _content(request: Request, piece: Piece) -> AsyncIterator[bytes]:
    """The bytes of a piece as they come. MessageInvalid at their end if they are not what was announced."""
    allowance = request.scope["state"]["allowance"]
    allowance.size, allowance.seconds = piece.size, _PIECE_SECONDS
    digest, size = hashlib.sha256(), 0
    while True:
        event = await request.receive()
        if event["type"] == "http.disconnect":
            raise MessageInvalid("the piece ended before it was whole: send it again")
        part = event.get("body", b"")
        digest.update(part)
        size += len(part)
        if part:
            yield part
        if not event.get("more_body", False):
            break
    if size != piece.size or digest.hexdigest() != piece.sha256:
        raise MessageInvalid("the piece is not what was announced (body.size, body.sha256): send it again")


if __name__ == "__main__":
    document = member_api(cast(Handlers, Handlers), Peers("", tuple), ReplayGuard(), "1").openapi()
    print(json.dumps(document, indent=1))
