"""The other members' nodes over the network: a client and a watch for each. See network.py.

A watch is a stream of beats that a node gives each other node; its end is how a death is noticed, its silence how a
stop is. Every member with an address is watched, for as long as this node runs.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import trio

from mpc.errors import AccordError
from parties.calls.member_client import MemberClient
from parties.calls.network import MOST_PARTS, Lost
from parties.errors import PeerCallFailed, PeerRefusedUs, PeerUnreachable
from parties.keys.leaf import Leaf
from parties.membership.charter import Member
from parties.membership.peers import Peers
from parties.wire.message_form import Message, Strict

__all__ = ["Members"]

_AGAIN = (0.05, 0.1, 0.2, 0.5, 1.0)  # seconds until a member that is not there is called again

_LOOK = 0.1  # seconds between looks how long a member is silent

A = TypeVar("A", bound=Strict)


class Members:
    """All other members with an address. A network.Network.

    Args:
        me: this member's fingerprint.
        peers: who is who.
        leaf: this member's.
        silence: seconds without a beat after which a member counts as stopped.
        lost, found: called when a member is lost, with the reason; and when it is there (again).
        outdated: called when a member goes by a newer charter than this node.
    """

    def __init__(
        self,
        me: str,
        peers: Peers,
        leaf: Leaf,
        silence: float,
        lost: Lost,
        found: Callable[[Member], None] = lambda member: None,
        outdated: Callable[[], None] = lambda: None,
    ) -> None:
        self._me = me
        self._peers = peers
        self._leaf = leaf
        self._silence = silence
        self._lost = lost
        self._found = found
        self._outdated = outdated
        self._clients: dict[str, MemberClient] = {}
        self._there: dict[str, trio.Event] = {}
        self._why: dict[str, str] = {}
        self._since: dict[str, float] = {}
        self._stated: dict[str, float] = {}  # seconds, as their beats have it
        self._gone: set[str] = set()  # those who were there, and are not
        self._calls: dict[str, set[trio.CancelScope]] = {}

    async def attend(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Watch all: a task of the daemon."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                self.renew()
                task_status.started()
                await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True), trio.move_on_after(1.0):
                for client in self._clients.values():
                    await client.aclose()

    def renew(self) -> None:
        """A charter came in force: watch who is new. Who left is refused by its certificate."""
        for member in self._peers.charter.members:
            who = member.fingerprint
            if who == self._me or member.address is None:
                continue
            if who in self._clients and self._clients[who].member == member:
                continue
            self._clients[who] = client = MemberClient(member, self._peers, self._leaf)
            self._there.setdefault(who, trio.Event())
            self._nursery.start_soon(self._watch, member, client)

    # -- network.Network -----------------------------------------------------------------------

    async def call(self, member: Member, message: Message[A], job: str = "", *, within: float | None = None) -> A:
        """See network.Network; ends at once when the member is lost meanwhile."""
        client = self._client(member)
        with self._unless_lost(member):
            return await client.call(message, job, within=within)

    async def send_part(
        self, member: Member, job: str, purpose: str, name: str, part: int, content: bytes, parts: int = MOST_PARTS
    ) -> None:
        """One part, of member_api.MOST_PIECE bytes at most."""
        client = self._client(member)
        with self._unless_lost(member):
            await client.send_piece(job, content, purpose=purpose, name=name, part=part, parts=parts)  # type: ignore[arg-type]

    def calls(self, member: Member) -> bool:
        """Whether it has an address and is another one than this member."""
        return member.fingerprint in self._clients

    def client(self, member: Member) -> MemberClient:
        """The client of a member. PeerUnreachable if it has no address."""
        return self._client(member)

    def is_there(self, member: Member) -> bool:
        """Whether its beats come in."""
        event = self._there.get(member.fingerprint)
        return event is not None and event.is_set()

    async def await_there(self, member: Member) -> None:
        """Until they do. For ever, of a member without an address."""
        await self._there.setdefault(member.fingerprint, trio.Event()).wait()

    def since(self, member: Member) -> float | None:
        """Unix time since when it is there, or is not; None: never heard."""
        return self._since.get(member.fingerprint)

    def why(self, member: Member) -> str:
        """Why it is not there, as far as known."""
        return self._why.get(member.fingerprint, "")

    def farthest(self) -> float:
        """Seconds to the farthest compute member and back, as far as known; 0 where this member does not compute."""
        compute = self._peers.charter.compute
        if all(member.fingerprint != self._me for member in compute):
            return 0.0
        clients = (self._clients.get(member.fingerprint) for member in compute if self.is_there(member))
        return max((client.round_trip or 0.0 for client in clients if client is not None), default=0.0)

    def round_trip(self) -> float:
        """Seconds of a round trip between the two compute members that are farthest apart, as far as they are there.

        Each says what it sees, and is believed: only what a job is foretold to take depends on it.
        """
        there = (m.fingerprint for m in self._peers.charter.compute if m.fingerprint != self._me and self.is_there(m))
        return max([self.farthest(), *(self._stated.get(who, 0.0) for who in there)])

    @contextlib.contextmanager
    def _unless_lost(self, member: Member) -> Iterator[None]:
        """PeerUnreachable if the member is known to be lost, or is lost within: a stopped node would let us wait."""
        who = member.fingerprint
        if who not in self._gone:
            scope = trio.CancelScope()
            calls = self._calls.setdefault(who, set())
            calls.add(scope)
            try:
                with scope:
                    yield
            finally:
                calls.discard(scope)
            if not scope.cancelled_caught:
                return
        raise PeerUnreachable(member.name, self._why.get(who, "it was lost"))

    def _client(self, member: Member) -> MemberClient:
        client = self._clients.get(member.fingerprint)
        if client is None:
            raise PeerUnreachable(member.name, "the charter has no address of it")
        return client

    # -- the watch -----------------------------------------------------------------------------

    async def _watch(self, member: Member, client: MemberClient) -> None:
        who, tries = member.fingerprint, 0
        while self._clients.get(who) is client and who in self._peers.charter.by_fingerprint:
            reason = await self._listen(member, client)
            self._why[who] = reason
            if self._there[who].is_set():
                tries = 0
                self._there[who] = trio.Event()
                self._since[who] = time.time()
                self._gone.add(who)
                for scope in self._calls.get(who, set()):
                    scope.cancel()
                self._lost(member, reason)
            await client.drop()
            await trio.sleep(_AGAIN[min(tries, len(_AGAIN) - 1)])
            tries += 1
        if self._clients.get(who) is client:  # it left, and may come again
            del self._clients[who]
        await client.aclose()

    async def _listen(self, member: Member, client: MemberClient) -> str:
        """To its beats, as long as they come; why they do not any more."""
        reason = ""
        async with trio.open_nursery() as nursery:
            heard = [0.0]  # seconds since the last beat

            async def judge() -> None:
                """Time in which this node itself did not look does not count against the member."""
                nonlocal reason
                while heard[0] < self._silence:
                    begin = trio.current_time()
                    await trio.sleep(_LOOK)
                    heard[0] += min(trio.current_time() - begin, 2 * _LOOK)
                reason = f"nothing was heard of it for {self._silence:g} s: it was stopped, or is cut off"
                nursery.cancel_scope.cancel()

            try:
                async with client.watch(math.inf) as beats:
                    nursery.start_soon(judge)
                    async for beat in beats:
                        heard[0] = 0.0
                        self._stated[member.fingerprint] = beat.round_trip
                        self._is_there(member)
                reason = reason or "it left in good order"
            except PeerCallFailed as error:
                reason = reason or error.text
                if isinstance(error, PeerRefusedUs) and error.error == "CharterOutdated":
                    self._outdated()
            except AccordError as error:
                reason = reason or f"{type(error).__name__}: {error}"
            nursery.cancel_scope.cancel()
        return reason

    def _is_there(self, member: Member) -> None:
        who = member.fingerprint
        if not self._there[who].is_set():
            self._there[who].set()
            self._gone.discard(who)
            self._why.pop(who, None)
            self._since[who] = time.time()
            self._found(member)
