"""Connections to one member's node: pinned to that member's key, with this member's leaf of now, errors named once.

httpcore's pool is used as it is. It knows nothing of the environment's proxies, of cookies, of redirects and of
compression; httpx above it would, and makes an object of every header.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import AsyncIterator, Iterator

import httpcore
import trio

from mpc.certificates import Credentials
from parties.calls.member_network import MemberNetwork
from parties.calls.transport_faults import FAULTS, Fault, fault_of
from parties.errors import PeerCallFailed, PeerRefused, PeerRefusedUs, PeerTimedOut, PeerUnproven, PeerUnreachable
from parties.keys.leaf import Leaf, contexts
from parties.membership.charter import Member
from parties.membership.peers import Peers

__all__ = ["MemberTransport"]

_KEPT = 60.0  # seconds an idle connection is kept: fewer than the server's


class MemberTransport:
    """Sends requests to one member.

    Args:
        member: with an address.
        peers: which charter is in force, and the clock.
        leaf: this member's.
        connect: seconds for a connection and its handshake.
        connections: at most.
    """

    def __init__(self, member: Member, peers: Peers, leaf: Leaf, connect: float, connections: int) -> None:
        self.member = member
        self._peers = peers
        self._leaf = leaf
        self._connect = connect
        self._connections = connections
        self._credentials: Credentials | None = None
        self._pool: httpcore.AsyncConnectionPool | None = None
        self._before: httpcore.AsyncConnectionPool | None = None  # with the leaf before; calls may be under way

    async def aclose(self) -> None:
        """Close all connections."""
        for pool in (self._pool, self._before):
            if pool is not None:
                await pool.aclose()
        self._credentials = self._pool = self._before = None

    async def drop(self) -> None:
        """Break all connections; the next call makes a new one. For a member that is lost: what it had may be dead.

        A member that was cut off the network leaves connections that look idle, and are not: each would keep a call
        until that is too late.
        """
        with trio.move_on_after(1.0, shield=True):
            await self.aclose()

    async def send(
        self,
        method: str,
        path: str,
        headers: list[tuple[str, str]],
        content: bytes | AsyncIterator[bytes] | None,
    ) -> httpcore.Response:
        """The answer, whose body is still to come. Use it within :meth:`named`.

        Content that is an iterator needs its content-length among the headers.
        """
        if self.member.address is None:
            raise PeerUnreachable(self.member.name, "the charter states no address of it")
        headers = [("host", self.member.address), *headers]
        if isinstance(content, bytes):
            headers.append(("content-length", str(len(content))))
        host, _, port = self.member.address.rpartition(":")
        pool = await self._current()
        request = httpcore.Request(
            method,
            httpcore.URL(scheme="https", host=host.strip("[]"), port=int(port), target=path),
            headers=headers,
            content=content,
            extensions={"timeout": {"connect": self._connect}},
        )
        return await pool.handle_async_request(request)

    @contextlib.contextmanager
    def named(self, seconds: float | None = None, late: str | None = None) -> Iterator[None]:
        """At most so long, and whatever goes wrong under our names. ``late`` is the text of PeerTimedOut."""
        try:
            with trio.move_on_after(math.inf if seconds is None else seconds) as scope:
                yield
        except PeerCallFailed:
            raise
        except PeerRefused as error:  # trust.peer_of
            raise PeerUnproven(self.member.name, str(error)) from None
        except httpcore.TimeoutException:
            raise PeerTimedOut(self.member.name, f"no connection within {self._connect:g} s") from None
        except FAULTS as error:
            raise self._broken(error) from None
        if scope.cancelled_caught:
            raise PeerTimedOut(self.member.name, late or f"no answer within {seconds:g} s")

    async def _current(self) -> httpcore.AsyncConnectionPool:
        """The pool with the leaf of now. Connections made with the leaf before stay as they are."""
        credentials = self._leaf.current
        if self._pool is None or credentials is not self._credentials:
            _, context = contexts(credentials, [self.member.key])
            before, self._before = self._before, self._pool
            self._credentials = credentials
            self._pool = httpcore.AsyncConnectionPool(
                context,
                max_connections=self._connections,
                keepalive_expiry=_KEPT,
                network_backend=MemberNetwork(self._see),
            )
            if before is not None:
                await before.aclose()
        return self._pool

    def _see(self, certificate: bytes | None) -> None:
        """After a handshake, and before the request: who is there."""
        self._peers.check_dialed(certificate, self.member.fingerprint)

    def _broken(self, error: Exception) -> PeerCallFailed:
        """What a connection that failed or broke means."""
        name, address = self.member.name, self.member.address
        fault, told = fault_of(error)
        if fault is Fault.REFUSED:
            return PeerRefusedUs(
                name,
                "Handshake",
                "it does not take this member's certificate: is this charter in force there, are both clocks right?",
            )
        if fault is Fault.UNPROVEN:
            return PeerUnproven(
                name,
                f"who answers at {address} is not this member, or shows an old certificate ({told}): "
                "are addresses swapped in the charter, are both clocks right?",
            )
        if fault is Fault.NO_CONNECTION:
            return PeerUnreachable(name, f"no connection to {address}: is its node up, and the way to it open?")
        return PeerUnreachable(name, f"the connection to {address} broke before the answer was there")
