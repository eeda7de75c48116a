"""The private pipe between a LocalCluster and a process it started: messages, and the objects they carry.

This is the only place of the engine where pickle is allowed. What comes out of such a pipe was put in by the same
user, on the same machine, in a process that the other end started itself; nobody else can open it. Between parties
nothing is ever unpickled (codec.py).

A message is a kind, a few plain fields, and frozen objects. On the wire:

    length of the head u64 | head: pickle of (kind, fields, lengths of the pieces) | the pieces

A frozen object is a pickle and, apart from it, the large buffers it refers to (arrays, data frames). These are
neither copied when sent nor when thawed: what was received is the memory of the array.

The parent's end, :class:`ParentEnd`, never blocks: one loop serves all workers (crew.py). The worker's end,
:class:`WorkerEnd`, writes in a thread, so that its event loop goes on while a slow parent reads.
"""

from __future__ import annotations

import pickle
import queue
import select
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from typing import Any, NamedTuple

import cloudpickle
import numpy as np

__all__ = ["Frozen", "Message", "ParentEnd", "WorkerEnd", "freeze", "thaw"]

Buffer = bytes | memoryview
Frozen = Sequence[Buffer]

_LENGTH = struct.Struct("<Q")
_LARGE = 1 << 12  # buffers from this size on are kept out of the pickle
_TURN = 1 << 22  # bytes read from, or written to, one worker before the others have their turn
_CALL = 1 << 20  # of these, in one system call
_MOST_UNSENT = 256  # messages of a worker that wait for the parent; from then on the program waits, too


class Message(NamedTuple):
    """What one end tells the other."""

    kind: str
    fields: tuple[Any, ...]
    bodies: list[Frozen]


def freeze(value: object) -> Frozen:
    """Any object as bytes: functions of the main module and closures too. Raises whatever pickling it raises.

    Refers to the memory of large arrays in ``value``: they must not change until it is sent.
    """
    large: list[Buffer] = []

    def stays_inside(buffer: pickle.PickleBuffer) -> bool:
        try:
            raw = buffer.raw()
        except BufferError:  # not contiguous
            return True
        if raw.nbytes >= _LARGE:
            large.append(raw)
        return raw.nbytes < _LARGE

    data: bytes = cloudpickle.dumps(value, protocol=5, buffer_callback=stays_inside)
    return [data, *large]


def thaw(frozen: Frozen) -> Any:
    """The object again. Only for what came through a pipe, or is about to go."""
    return pickle.loads(frozen[0], buffers=frozen[1:])  # noqa: S301 - see above: from this user's own process only


def _pieces(kind: str, fields: tuple[Any, ...], bodies: Sequence[Frozen]) -> list[memoryview]:
    lengths = [[memoryview(piece).nbytes for piece in body] for body in bodies]
    head = pickle.dumps((kind, fields, lengths), protocol=5)
    pieces = [_LENGTH.pack(len(head)) + head, *(piece for body in bodies for piece in body)]
    return [view for view in (memoryview(piece).cast("B") for piece in pieces) if view]


def _space(n: int) -> memoryview:
    return np.empty(n, np.uint8).data  # bytearray would write zeros first


def _assemble() -> Generator[memoryview, None, Message]:
    """One message: gives memory to be filled, piece after piece."""
    length = _space(_LENGTH.size)
    yield length
    head = _space(_LENGTH.unpack(length)[0])
    yield head
    kind, fields, lengths = pickle.loads(head)  # noqa: S301 - see above: from this user's own process only
    bodies: list[Frozen] = [[_space(n) for n in of_one] for of_one in lengths]
    for body in bodies:
        for piece in body:
            if piece:
                yield memoryview(piece)
    return Message(kind, fields, bodies)


class _Incoming:
    """The messages in a stream of bytes, as they come in.

    Attributes:
        space: where the next bytes go.
        midway: part of a message is here, the rest is not.
    """

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._assembly = _assemble()
        self.space = next(self._assembly)
        self.midway = False

    def filled(self, n: int) -> Message | None:
        """The first n bytes of ``space`` came in; the message, if that was the last of it."""
        self.midway = True
        self.space = self.space[n:]
        if self.space:
            return None
        try:
            self.space = next(self._assembly)
        except StopIteration as whole:
            self._begin()
            message: Message = whole.value
            return message
        return None


class ParentEnd:
    """The parent's end. No call waits for the worker.

    Args:
        sock: a connected stream socket; it is made non-blocking.
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._outgoing: deque[memoryview] = deque()
        self._incoming = _Incoming()

    def fileno(self) -> int:
        """For selectors."""
        return self._sock.fileno()

    @property
    def unsent(self) -> bool:
        """Something waits to be written."""
        return bool(self._outgoing)

    @property
    def midway(self) -> bool:
        """Part of a message came in, the rest did not."""
        return self._incoming.midway

    def put(self, kind: str, *fields: Any, bodies: Sequence[Frozen] = ()) -> None:
        """Queue a message, and write what goes at once."""
        self._outgoing += _pieces(kind, fields, bodies)
        self.write()

    def write(self) -> int:
        """Write what goes at once, at most a few megabytes; how many bytes that were.

        If the worker does not listen any more what is queued is dropped: its death is found elsewhere.
        """
        written = 0
        while self._outgoing and written < _TURN:
            try:
                n = self._sock.send(self._outgoing[0][:_CALL])
            except BlockingIOError:
                break
            except OSError:
                self._outgoing.clear()
                break
            written += n
            rest = self._outgoing.popleft()[n:]
            if rest:
                self._outgoing.appendleft(rest)
        return written

    def read(self) -> tuple[list[Message], int, bool]:
        """What is there, at most a few megabytes: whole messages, the number of bytes, and is that the end?"""
        messages: list[Message] = []
        taken = 0
        while taken < _TURN:
            try:
                n = self._sock.recv_into(self._incoming.space[:_CALL])
            except BlockingIOError:
                return messages, taken, False
            except OSError:
                n = 0
            if not n:
                return messages, taken, True
            taken += n
            message = self._incoming.filled(n)
            if message is not None:
                messages.append(message)
        return messages, taken, False

    def close(self) -> None:
        """Close this end."""
        self._sock.close()


class WorkerEnd:
    """The worker's end. Sending from any thread, receiving from one.

    Args:
        sock: a connected stream socket; it is made blocking.
        on_gone: called in the thread that writes when the parent does not listen any more.
    """

    def __init__(self, sock: socket.socket, on_gone: Callable[[], object]) -> None:
        sock.setblocking(True)
        self._sock = sock
        self._on_gone = on_gone
        self._incoming = _Incoming()
        self._outgoing: queue.Queue[list[memoryview]] = queue.Queue(_MOST_UNSENT)
        threading.Thread(target=self._write, name="accord pipe out", daemon=True).start()

    def send(self, kind: str, *fields: Any, bodies: Sequence[Frozen] = ()) -> None:
        """Queue a message. Waits only if the parent has not read hundreds of them."""
        self._outgoing.put(_pieces(kind, fields, bodies))

    def flush(self) -> None:
        """Wait until all is written."""
        self._outgoing.join()

    def receive(self, idle: Callable[[], object] = lambda: None, every: float = 2.0) -> Message:
        """The next message. ``idle`` is called each ``every`` seconds in which nothing came.

        Raises EOFError when the parent is gone.
        """
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        while True:
            if not poll.poll(every * 1000):
                idle()
                continue
            try:
                n = self._sock.recv_into(self._incoming.space[:_CALL])
            except ConnectionError:
                n = 0
            if not n:
                raise EOFError("the parent's end of the pipe is closed")
            message = self._incoming.filled(n)
            if message is not None:
                return message

    def _write(self) -> None:
        while True:
            for piece in self._outgoing.get():
                try:
                    self._sock.sendall(piece)
                except OSError:
                    self._on_gone()
                    return
            self._outgoing.task_done()
