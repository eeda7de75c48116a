"""Free ports that stay free for a test: the system gives them to nobody, and no other test process takes them."""

from __future__ import annotations

import secrets
import socket

_FIRST, _LAST = 20_000, 32_767  # below what Linux, BSD, macOS and Windows give to whoever connects

_kept: list[socket.socket] = []  # until this process ends


def free_ports(count: int) -> list[int]:
    """Of loopback, for programs to listen at. A UDP socket at the same number says to other processes: taken."""
    found: list[int] = []
    while len(found) < count:
        port = _FIRST + secrets.randbelow(_LAST - _FIRST + 1)
        keep = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            keep.bind(("127.0.0.1", port))
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            keep.close()
            continue
        _kept.append(keep)
        found.append(port)
    return found
