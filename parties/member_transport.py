"""Connections to one member's node: pinned to that member's key, with this member's leaf of now, errors named once.

httpx's transport is used without its client: that would follow the environment's proxies, keep the peer's cookies and
unpack what the peer compressed.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import trio

from mpc.certificates import Credentials
from parties.charter import Member
from parties.errors import PeerCallFailed, PeerRefused, PeerRefusedUs, PeerTimedOut, PeerUnproven, PeerUnreachable
from parties.leaf import Leaf, contexts
from parties.peers import Peers
from parties.transport_faults import Fault, fault_of

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
        self._limits = httpx.Limits(
            max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=_KEPT
        )
        self._credentials: Credentials | None = None
        self._transport: httpx.AsyncHTTPTransport | None = None
        self._before: httpx.AsyncHTTPTransport | None = None  # with the leaf before this one; calls may be under way

    async def aclose(self) -> None:
        """Close all connections."""
        for transport in (self._transport, self._before):
            if transport is not None:
                await transport.aclose()
        self._credentials = self._transport = self._before = None

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
    ) -> httpx.Response:
        """The answer, whose body is still to come. Use it within :meth:`named`."""
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
        except httpx.TimeoutException:
            raise PeerTimedOut(self.member.name, f"no connection within {self._connect:g} s") from None
        except httpx.HTTPError as error:
            raise self._broken(error) from None
        if scope.cancelled_caught:
            raise PeerTimedOut(self.member.name, late or f"no answer within {seconds:g} s")

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

    def _broken(self, error: httpx.HTTPError) -> PeerCallFailed:
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
