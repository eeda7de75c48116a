"""One member's node, as its people's programs reach it: pinned to its key, blocking or not, errors named once.

Both wires have the same methods, all of them coroutines. Those of the blocking one never wait for an event loop: they
are run to their end by at_once, in the thread that calls. So everything above is written once.

httpx's transports are used without its clients: these would follow the environment's proxies, keep cookies and unpack
what was compressed.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from typing import Any, Generic, Protocol, TypeVar

import anyio
import httpx

from mpc.certificates import Credentials
from parties.calls.transport_faults import Fault, fault_of
from parties.errors import (
    NodeCallFailed,
    NodeTimedOut,
    NodeUnproven,
    NodeUnreachable,
    NotOneOfThePeople,
    PeerRefused,
)
from parties.keys.fingerprints import show_public_key
from parties.keys.identity import Identity
from parties.keys.leaf import Leaf, contexts, utc_now
from parties.membership.trust import person_of

__all__ = ["AsyncWire", "BlockingWire", "Pinned", "Reply", "Wire", "at_once"]

_KEPT = 60.0  # seconds an idle connection is kept: fewer than the server's
_MOST_CUT = 3
_LIMITS = httpx.Limits(max_connections=32, max_keepalive_connections=8, keepalive_expiry=_KEPT)

T = TypeVar("T")
Transport = TypeVar("Transport", httpx.HTTPTransport, httpx.AsyncHTTPTransport)


class Reply(Protocol):
    """An answer whose body is still to come."""

    status: int

    def parts(self) -> AsyncGenerator[bytes, None]:
        """Its body. Raises NodeUnreachable if it breaks off, NodeTimedOut if nothing comes."""
        ...

    async def close(self) -> None: ...


class Wire(Protocol):
    """A way to one node.

    Attributes:
        url: of the node, for messages.
        proven: whether the node ever was there, with the right key.
    """

    url: str

    @property
    def proven(self) -> bool: ...

    async def open(self, method: str, path: str, content: bytes | None, wait: float) -> Reply:
        """Send a request; ``wait`` is for how many seconds nothing may come.

        Raises NodeUnreachable, NodeTimedOut, NodeUnproven, NotOneOfThePeople.
        """
        ...

    async def pause(self, seconds: float) -> None: ...
    def clock(self) -> float: ...
    async def aclose(self) -> None: ...


def at_once(work: Awaitable[T]) -> T:
    """What a coroutine of a blocking wire's gives: it does all it does without an event loop."""
    running = work.__await__()
    try:
        next(running)
    except StopIteration as ended:
        value: T = ended.value
        return value
    raise AssertionError("this waits for an event loop, and there is none")


class Pinned(Generic[Transport]):
    """What both wires have in common: the node's key, this person's leaf of now, the names of errors.

    Args:
        url: https://host:port.
        identity: this person's.
        key: the node's public key.
        connect: seconds for a connection and its handshake.
        make: makes a transport.
    """

    def __init__(
        self, url: str, identity: Identity, key: bytes, connect: float, make: Callable[..., Transport]
    ) -> None:
        self.url = url
        self.proven = False
        self._answered = False
        self._cut = 0  # connections in a row that ended between the handshake and an answer, while there never was one
        self._identity = identity
        self._key = key
        self._connect = connect
        self._make: Callable[..., Transport] = make
        self._leaf = Leaf(identity)
        self._credentials: Credentials | None = None
        self._lock = threading.Lock()
        self.transports: list[Transport] = []  # the one in use last; with earlier leaves calls may be under way

    def transport(self) -> Transport:
        """One with the leaf of now. Connections made with an earlier leaf stay as they are."""
        with self._lock:
            credentials = self._leaf.current
            if credentials is not self._credentials:
                _, context = contexts(credentials, [self._key])
                self.transports.append(self._make(verify=context, trust_env=False, limits=_LIMITS))
                self._credentials = credentials
            return self.transports[-1]

    def request(self, method: str, path: str, content: bytes | None, wait: float, trace: Any) -> httpx.Request:
        """As the transports take it."""
        timeout = {"connect": self._connect, "pool": self._connect, "read": wait, "write": wait}
        headers = {} if content is None else {"content-type": "application/json"}
        return httpx.Request(
            method,
            f"{self.url}{path}",
            headers=headers,
            content=content,
            extensions={"timeout": timeout, "trace": trace},
        )

    def check(self, event: str, info: dict[str, Any]) -> None:
        """httpcore tells what it does: after a handshake, and before the request, see who is there."""
        if event == "connection.start_tls.complete":
            certificate = info["return_value"].get_extra_info("ssl_object").getpeercert(True)
            person_of(certificate, {"the node": self._key}, utc_now())
            self.proven = True

    def answered(self) -> None:
        """The node took this identity."""
        self._answered = True

    @contextlib.contextmanager
    def named(self, wait: float) -> Iterator[None]:
        """Foreign errors under our names."""
        try:
            yield
        except PeerRefused:  # trust's
            raise self._unproven("") from None
        except httpx.HTTPError as error:
            raise self._named(*fault_of(error), wait) from None

    def _named(self, fault: Fault, more: str, wait: float) -> NodeCallFailed | NotOneOfThePeople:
        self._cut = self._cut + 1 if fault is Fault.BROKEN and not self._answered else 0
        if fault is Fault.REFUSED or self._cut >= _MOST_CUT:
            how = (
                "refuses"
                if fault is Fault.REFUSED
                else "takes connections and breaks them, as a node does that refuses"
            )
            return NotOneOfThePeople(
                f"the node at {self.url} {how} this identity: have {show_public_key(self._identity.public)} put under "
                "[people] in its node.toml; if it is there, one of the two clocks is wrong"
            )
        if fault is Fault.UNPROVEN:
            return self._unproven(f" ({more})")
        if fault is Fault.LATE:
            return NodeTimedOut(self.url, f"nothing came for {wait:g} s: it was stopped, is overloaded, or cut off")
        if fault is Fault.NO_CONNECTION:
            return NodeUnreachable(
                self.url, "no connection: is it up, is this the address of its people, is the way open?"
            )
        return NodeUnreachable(self.url, "the connection broke before the answer was there")

    def _unproven(self, more: str) -> NodeUnproven:
        return NodeUnproven(
            self.url,
            f"what answers has not the key {show_public_key(self._key)}, or shows an old certificate{more}. Is it the "
            "right address? The node's key is what `accord fingerprint` prints there; give it as node=, or by "
            "`accord remember`; are both clocks right?",
        )


class BlockingWire:
    """Blocks the thread that calls; any number of threads may, at once. See Pinned for the arguments."""

    def __init__(self, url: str, identity: Identity, key: bytes, connect: float = 5.0) -> None:
        self.url = url
        self._pinned = Pinned(url, identity, key, connect, httpx.HTTPTransport)

    @property
    def proven(self) -> bool:
        return self._pinned.proven

    async def open(self, method: str, path: str, content: bytes | None, wait: float) -> Reply:
        with self._pinned.named(wait):
            request = self._pinned.request(method, path, content, wait, self._traced)
            response = self._pinned.transport().handle_request(request)
        self._pinned.answered()
        return _BlockingReply(self._pinned, response, wait)

    def _traced(self, event: str, info: dict[str, Any]) -> None:
        try:
            self._pinned.check(event, info)
        except BaseException:
            info["return_value"].close()
            raise

    async def pause(self, seconds: float) -> None:
        time.sleep(seconds)  # noqa: ASYNC251 - there is no loop to block

    def clock(self) -> float:
        return time.monotonic()

    async def aclose(self) -> None:
        while self._pinned.transports:
            self._pinned.transports.pop().close()


class AsyncWire:
    """For programs on trio and on asyncio; any number of tasks may use it. See Pinned for the arguments."""

    def __init__(self, url: str, identity: Identity, key: bytes, connect: float = 5.0) -> None:
        self.url = url
        self._pinned = Pinned(url, identity, key, connect, httpx.AsyncHTTPTransport)

    @property
    def proven(self) -> bool:
        return self._pinned.proven

    async def open(self, method: str, path: str, content: bytes | None, wait: float) -> Reply:
        with self._pinned.named(wait):
            request = self._pinned.request(method, path, content, wait, self._traced)
            response = await self._pinned.transport().handle_async_request(request)
        self._pinned.answered()
        return _AsyncReply(self._pinned, response, wait)

    async def _traced(self, event: str, info: dict[str, Any]) -> None:
        try:
            self._pinned.check(event, info)
        except BaseException:
            await info["return_value"].aclose()
            raise

    async def pause(self, seconds: float) -> None:
        await anyio.sleep(seconds)

    def clock(self) -> float:
        return time.monotonic()

    async def aclose(self) -> None:
        while self._pinned.transports:
            await self._pinned.transports.pop().aclose()


class _BlockingReply:
    def __init__(self, pinned: Pinned[httpx.HTTPTransport], response: httpx.Response, wait: float) -> None:
        self.status = response.status_code
        self._pinned = pinned
        self._response = response
        self._wait = wait

    async def parts(self) -> AsyncGenerator[bytes, None]:
        with self._pinned.named(self._wait):
            for part in self._response.stream:  # type: ignore[union-attr]
                yield part

    async def close(self) -> None:
        self._response.close()


class _AsyncReply:
    def __init__(self, pinned: Pinned[httpx.AsyncHTTPTransport], response: httpx.Response, wait: float) -> None:
        self.status = response.status_code
        self._pinned = pinned
        self._response = response
        self._wait = wait

    async def parts(self) -> AsyncGenerator[bytes, None]:
        with self._pinned.named(self._wait):
            async for part in self._response.stream:  # type: ignore[union-attr]
                yield part

    async def close(self) -> None:
        await self._response.aclose()
