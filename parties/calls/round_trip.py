"""How long bytes take to a peer and back, as this machine's kernel saw on a connection. Nothing is sent for it."""

from __future__ import annotations

import socket
import struct

__all__ = ["round_trip"]

_SIZE = 152  # bytes of struct tcp_info, linux/tcp.h, up to and with tcpi_min_rtt
_LEAST = 148  # where that is: microseconds, unsigned 32 bits
_NONE = 2**32 - 1


def round_trip(connection: socket.socket) -> float | None:
    """The least that was seen within the last minutes, in seconds; None if the kernel does not say. Does not block.

    It knows the network only: neither TLS nor the peer's program is in it.
    """
    try:
        told = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _SIZE)
    except (OSError, AttributeError):  # closed; or another system than Linux
        return None
    if len(told) < _SIZE:
        return None
    (least,) = struct.unpack_from("=I", told, _LEAST)
    return None if least == _NONE else least / 1e6
