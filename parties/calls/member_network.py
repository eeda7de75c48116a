"""The network under httpcore's connections to a member: a request goes out in one piece, to a peer that was looked at.

httpcore writes a request's head and its body one by one; each would be a TLS record, a system call and a wake-up at the
other end. So what is written is kept until an answer is read for, or until it is a good deal.
"""

# ruff: noqa: ASYNC109 - the signatures are httpcore's

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable, Iterable
from typing import Any

import httpcore

__all__ = ["MemberNetwork"]

_MOST_KEPT = 1 << 16  # bytes

Check = Callable[[bytes | None], None]
"""Takes the certificate (DER) shown in a handshake. What it raises ends the connection, before anything is sent."""


class MemberNetwork(httpcore.AsyncNetworkBackend):
    """Makes connections, on trio. Raises what httpcore's does, and what ``check`` does."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self._trio = httpcore.TrioBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        return _Stream(await self._trio.connect_tcp(host, port, timeout, local_address, socket_options), self._check)

    async def sleep(self, seconds: float) -> None:
        await self._trio.sleep(seconds)


class _Stream(httpcore.AsyncNetworkStream):
    def __init__(self, stream: httpcore.AsyncNetworkStream, check: Check) -> None:
        self._stream = stream
        self._check = check
        self._kept = b""
        self._timeout: float | None = None  # of the last write

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._kept:
            with contextlib.suppress(httpcore.WriteError):  # as httpcore does: there may be an answer all the same
                await self._flush()
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._kept += buffer
        self._timeout = timeout
        if len(self._kept) >= _MOST_KEPT:
            await self._flush()

    async def _flush(self) -> None:
        kept, self._kept = self._kept, b""
        await self._stream.write(kept, self._timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        stream = await self._stream.start_tls(ssl_context, server_hostname, timeout)
        try:
            self._check(stream.get_extra_info("ssl_object").getpeercert(binary_form=True))
        except BaseException:
            await stream.aclose()
            raise
        return _Stream(stream, self._check)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
