"""Plain TCP, before TLS: opening a connection, and the first bytes that say what it is for."""

from __future__ import annotations

import asyncio
import socket

__all__ = ["ALIVE_PREAMBLE", "DATA_PREAMBLE", "connected"]

# A node listens on one port; these tell the frames of programs from the heartbeats, which belong to different
# event loops (see mpc.liveness). They are claims only: both kinds of connection then prove who they are by TLS.
DATA_PREAMBLE = b"accord1d"
ALIVE_PREAMBLE = b"accord1a"


async def connected(loop: asyncio.AbstractEventLoop, host: str, port: int) -> socket.socket:
    """A plain TCP connection."""
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    problem: OSError = OSError(f"no address for {host}")
    for family, kind, protocol, _, address in found:
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            await loop.sock_connect(sock, address)
        except OSError as error:
            problem = error
            sock.close()
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise problem
