"""What is handed to TLS in this process, each write by itself: each is a record of its own, and wakes the other end."""

from __future__ import annotations

from typing import Any

import pytest
import trio

__all__ = ["note_writes"]


def note_writes(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """A list that grows with every write, of both ends of all connections."""
    every: list[bytes] = []
    send_all = trio.SSLStream.send_all

    async def noting(stream: Any, data: bytes) -> None:
        every.append(bytes(data))
        await send_all(stream, data)

    monkeypatch.setattr(trio.SSLStream, "send_all", noting)
    return every
