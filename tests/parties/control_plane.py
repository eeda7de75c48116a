"""Members in one process, whose nodes talk over real TLS on loopback; their handlers take note of what they hear."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import trio

from parties.calls.https_limits import Limits
from parties.calls.https_server import HttpsServer, listening
from parties.calls.member_api import member_api
from parties.calls.member_client import MemberClient
from parties.keys.leaf import Leaf, contexts
from parties.membership.charter import Charter, Member
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
from parties.wire.meeting import CharterAnswer, Table, Tables
from parties.wire.message_form import Done
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
from tests.parties.consortium import charter, identity, member

JOB = "ab" * 16
SIGNATURE = "cd" * 64
ACCEPTANCE = SIGNATURE + b"{}".hex()


def bound() -> socket.socket:
    """A socket that listens at a free port of loopback."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    return listener


def address_of(listener: socket.socket) -> str:
    return f"127.0.0.1:{listener.getsockname()[1]}"


@dataclass
class Noting:
    """Handlers that keep what they were called with: (handler, peer's name, job, body)."""

    heard: list[tuple[str, str, str, Any]] = field(default_factory=list)
    error: Exception | None = None
    wait: trio.Event | None = None

    async def _note(self, handler: str, peer: Member, job: str, body: Any) -> None:
        self.heard.append((handler, peer.name, job, body))
        if self.wait is not None:
            await self.wait.wait()
        if self.error is not None:
            raise self.error

    async def charter(self, peer: Member, version: int) -> CharterAnswer:
        await self._note("charter", peer, "", version)
        return CharterAnswer(latest=2, charter="# a charter", signatures="{}")

    async def tables(self, peer: Member) -> Tables:
        await self._note("tables", peer, "", None)
        return Tables(tables=[Table(name="patients", description={"columns": []})])

    async def models(self, peer: Member) -> Offers:
        await self._note("models", peer, "", None)
        return Offers(models=[])

    async def lane_prepare(self, peer: Member, job: str, body: LanePrepare) -> Prepared:
        await self._note("lane_prepare", peer, job, body)
        return Prepared(port=7700, certificate="-----", contribution="0" * 64)

    async def lane_connect(self, peer: Member, job: str, body: LaneConnect) -> Connected:
        await self._note("lane_connect", peer, job, body)
        return Connected(session="1" * 64)

    async def quote(self, peer: Member, job: str, body: Quote) -> Quoted:
        await self._note("quote", peer, job, body)
        return Quoted(tables=[])

    async def propose(self, peer: Member, job: str, body: Propose) -> Accepting:
        await self._note("propose", peer, job, body)
        return Accepting(acceptance=ACCEPTANCE)

    async def reserve(self, peer: Member, job: str, body: Reserve) -> Done:
        await self._note("reserve", peer, job, body)
        return Done()

    async def run(self, peer: Member, job: str, body: Run) -> Done:
        await self._note("run", peer, job, body)
        return Done()

    async def ready(self, peer: Member, job: str, body: Ready) -> Done:
        await self._note("ready", peer, job, body)
        return Done()

    async def prepare(self, peer: Member, job: str, body: Prepare) -> Promise:
        await self._note("prepare", peer, job, body)
        return Promise(ballot=body.ballot)

    async def accept(self, peer: Member, job: str, body: Accept) -> Accepted:
        await self._note("accept", peer, job, body)
        return Accepted(ballot=body.ballot)

    async def decided(self, peer: Member, job: str, body: Decided) -> Done:
        await self._note("decided", peer, job, body)
        return Done()

    async def state(self, peer: Member, job: str, body: StateQuery) -> StateAnswer:
        await self._note("state", peer, job, body)
        return StateAnswer(state="RUNNING", voted=True)

    async def abort(self, peer: Member, job: str, body: Abort) -> Done:
        await self._note("abort", peer, job, body)
        return Done()

    async def progress(self, peer: Member, job: str, body: ProgressReport) -> Done:
        await self._note("progress", peer, job, body)
        return Done()

    async def entries(self, peer: Member, job: str, body: EntriesQuery) -> Entries:
        await self._note("entries", peer, job, body)
        return Entries(digests=["2" * 64])

    async def acceptances(self, peer: Member, job: str, body: AcceptancesQuery) -> KeptAcceptances:
        await self._note("acceptances", peer, job, body)
        return KeptAcceptances(digests={})

    async def acceptance(self, peer: Member, job: str, body: AcceptanceQuery) -> KeptAcceptance:
        await self._note("acceptance", peer, job, body)
        return KeptAcceptance()

    async def piece(self, peer: Member, job: str, piece: Piece, content: AsyncIterator[bytes]) -> Done:
        whole = b"".join([part async for part in content])
        await self._note("piece", peer, job, (piece, whole))
        return Done()


@dataclass
class Node:
    """Member ``i``: what it serves, and its clients of the others."""

    i: int
    chain: list[Charter]
    listener: socket.socket
    limits: Limits = field(default_factory=Limits)
    handlers: Noting = field(default_factory=Noting)
    guard: ReplayGuard = field(default_factory=ReplayGuard)
    beat: float = 0.02
    far: float = 0.0

    def __post_init__(self) -> None:
        self.identity = identity(self.i)
        self.peers = Peers(self.identity.fingerprint, lambda: self.chain)
        self.leaf = Leaf(self.identity)
        self.api = member_api(self.handlers, self.peers, self.guard, "0.1.0", beat=self.beat, farthest=lambda: self.far)
        self.server = HttpsServer(self.api, self.listening_context(), self.peers.admit, self.limits)

    def listening_context(self) -> Any:
        others = [one.key for one in self.chain[-1].members if one.fingerprint != self.identity.fingerprint]
        return contexts(self.leaf.current, others)[0]

    def client(self, i: int, **options: Any) -> MemberClient:
        called = self.chain[-1].by_fingerprint[identity(i).fingerprint]
        return MemberClient(called, self.peers, self.leaf, **options)


@contextlib.asynccontextmanager
async def nodes(
    count: int = 3, limits: Limits | None = None, chain: Sequence[Charter] | None = None
) -> AsyncGenerator[list[Node], None]:
    """Nodes of members 0, 1, ..., each listening at the address the charter states; all stop at the end."""
    listeners = [bound() for _ in range(count)]
    members = tuple(member(i, address=address_of(listener)) for i, listener in enumerate(listeners))
    first = charter(*members)
    started = [Node(i, [first], listener, limits or Limits()) for i, listener in enumerate(listeners)]
    async with trio.open_nursery() as nursery:
        for node in started:
            await nursery.start(node.server.serve, await listening(node.listener))
        yield started
        nursery.cancel_scope.cancel()


def replaced(old: Charter, *members: Member) -> Charter:
    """The next version, with these members."""
    return charter(*members, before=old)


__all__ = ["ACCEPTANCE", "JOB", "SIGNATURE", "Node", "Noting", "address_of", "bound", "nodes", "replace", "replaced"]
