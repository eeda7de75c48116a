"""The private pipe between a LocalCluster and the processes it started: messages of a few byte strings.

This is the only place of the engine where pickle is allowed. What comes out of such a pipe was put in by the same
user, on the same machine, in a process that the other end started itself; nobody else can open it. Between parties
nothing is ever unpickled (codec.py).
"""

from __future__ import annotations

import pickle
import socket
import struct
import threading
from collections.abc import Callable
from typing import Any

import cloudpickle

__all__ = ["Pipe", "freeze", "thaw"]

Bytes = bytes | bytearray | memoryview

_COUNT = struct.Struct("<I")
_LENGTH = struct.Struct("<Q")
_MOST_PARTS = 16


def freeze(value: object) -> bytes:
    """Any object as bytes: functions of the main module and closures too. Raises whatever pickling it raises."""
    data: bytes = cloudpickle.dumps(value, protocol=5)
    return data


def thaw(data: Bytes) -> Any:
    """The object again. Only for bytes that came through a :class:`Pipe`."""
    return pickle.loads(data)  # noqa: S301 - see above: from this user's own process only


class Pipe:
    """One end. Whole messages in order; sending may be done from any thread, receiving from one.

    Args:
        sock: a connected stream socket. If it has a timeout, that is the longest the other end may take no bytes, or
            give none in the middle of a message, before TimeoutError.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._sending = threading.Lock()

    def fileno(self) -> int:
        """For selectors."""
        return self.sock.fileno()

    def send(self, kind: str, *parts: Bytes) -> None:
        """Send one message. Raises OSError when the other end is gone."""
        whole = [kind.encode("ascii"), *parts]
        head = _COUNT.pack(len(whole)) + b"".join(_LENGTH.pack(len(p)) for p in whole)
        with self._sending:
            for piece in (head, *whole):
                view = memoryview(piece).cast("B")
                while view:
                    view = view[self.sock.send(view[: 1 << 22]) :]

    def receive(self, idle: Callable[[], None] | None = None) -> tuple[str, list[bytearray]]:
        """The next message: its kind and the other parts.

        Args:
            idle: called whenever the socket's timeout passes; without it TimeoutError is raised.

        Raises EOFError when the other end is gone.
        """
        count = _COUNT.unpack(self._exactly(_COUNT.size, idle))[0]
        if not 1 <= count <= _MOST_PARTS:
            raise EOFError("the pipe carries something else than messages")
        lengths = [_LENGTH.unpack(self._exactly(_LENGTH.size, idle))[0] for _ in range(count)]
        kind, *parts = [self._exactly(n, idle) for n in lengths]
        return kind.decode("ascii"), parts

    def close(self) -> None:
        """Close this end."""
        self.sock.close()

    def _exactly(self, n: int, idle: Callable[[], None] | None) -> bytearray:
        data = bytearray(n)
        view = memoryview(data)
        while view:
            try:
                got = self.sock.recv_into(view[: 1 << 22])
            except TimeoutError:
                if idle is None:
                    raise
                idle()
                continue
            except ConnectionError:
                got = 0
            if not got:
                raise EOFError("the other end of the pipe is gone")
            view = view[got:]
        return data
