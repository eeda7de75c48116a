"""What the engine reads of peers: frames, the HELLO, the codec that stands in for pickle, the agreement of keys."""

from __future__ import annotations

import asyncio
import contextlib
from random import Random
from typing import Any, cast

import numpy as np

from mpc import codec
from mpc._mpyc import runtime
from mpc.agreement import Introduction, KeyAgreement
from mpc.connection import Connection
from mpc.errors import FrameInvalid, NotTransferable, PeerError
from mpc.greeting import Greeting
from mpc.node_transport import NodeTransport
from mpc.stall import StallWatch
from mpc.wire import NO_LABEL, VERSION, Kind, label_of_pc, pack
from tests.fuzz.mutations import BYTES
from tests.fuzz.target import Target

__all__ = ["engine_targets"]

_LIMIT = 1 << 20
_LABELS = [bytes([i]) * 12 for i in range(4)]

# -- frames --------------------------------------------------------------------------------------


class _Socket:
    """The asyncio transport under a connection: takes all, sends nothing."""

    closed = False

    def set_write_buffer_limits(self, high: int, low: int) -> None: ...
    def write(self, data: Any) -> None: ...
    def writelines(self, data: Any) -> None: ...

    def abort(self) -> None:
        self.closed = True

    close = abort


def _frame(
    kind: Kind, payload: bytes = b"", *, run: int = 0, stamp: int = 0, depth: int = 0, label: Any = None
) -> bytes:
    return pack(kind, run, stamp, depth, NO_LABEL if label is None else label, len(payload)) + payload


def _streams() -> tuple[bytes, ...]:
    beat = StallWatch(1, 3).beat((1, 2, 3), (4, 5, 6))
    data = [_frame(Kind.DATA, bytes(64), stamp=7, depth=i, label=label) for i, label in enumerate(_LABELS)]
    whole = [_frame(Kind.MPYC, codec.dumps([1, 2, 3]), depth=0, label=label_of_pc(pc)) for pc in (0, 5, -3)]
    parts = [_frame(Kind.MPYC, b"x" * 20, depth=follow, label=label_of_pc(9)) for follow in (2, 1, 0)]
    ends = [_frame(Kind.END), _frame(Kind.FAREWELL)]
    later = [_frame(Kind.DATA, b"12345678", run=run, label=_LABELS[0]) for run in (1, 2, 16)]
    return (
        b"".join([*data, *whole, *parts, *ends]),
        b"".join([_frame(Kind.HEARTBEAT, beat), *later, _frame(Kind.ABORT, b"OutOfRange", depth=1)]),
        b"".join([_frame(Kind.HELLO, bytes(48)), _frame(Kind.DATA, bytes(5000), stamp=7, label=_LABELS[1]), *ends]),
    )


class _Loop:
    """One event loop for all inputs."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self.raised: list[Any] = []
        self._loop.set_exception_handler(lambda loop, said: self.raised.append(said))

    def run(self, data: bytes) -> None:
        self._loop.run_until_complete(self._fed(data))
        assert not self.raised, self.raised.pop()

    async def _fed(self, data: bytes) -> None:
        """Party 0 waits for some frames and messages of party 1, whose bytes come in pieces of all sizes."""
        transport = NodeTransport(0, 3, 1 << 16, _LIMIT)
        watch = StallWatch(0, 3)
        transport.on_heartbeat = lambda peer, payload: cast(None, watch.heard(peer, payload))
        connection = Connection(transport.sink(1), 1, 1 << 16)
        transport.connections = {1: connection}
        connection.connection_made(cast(Any, _Socket()))
        asked = [transport.receive(1, label, 7, memoryview(bytearray(64))) for label in _LABELS[:2]]
        asked.append(cast(Any, transport.current.peers[1].message(5)))
        random, at = Random(len(data)), 0
        while at < len(data) and connection.error is None:
            room = connection.get_buffer(-1)
            assert len(room) > 0, "no room for what comes"
            n = min(len(room), len(data) - at, 1 << random.randrange(16))
            room[:n] = data[at : at + n]
            connection.buffer_updated(n)
            at += n
        kept = transport.current.peers[1].box.kept_bytes + sum(
            r.peers[1].box.kept_bytes for r in transport._early.values()
        )
        assert 0 <= kept <= 2 * _LIMIT, f"{kept} bytes kept"
        if connection.error is None:
            connection.connection_lost(None)
        transport.begin(1)
        transport.fail(PeerError(1, "the end"))
        for future in cast(Any, asked):
            if isinstance(future, asyncio.Future) and future.done():
                future.exception()
        await asyncio.sleep(0)


# -- values --------------------------------------------------------------------------------------


def _values() -> tuple[bytes, ...]:
    fields = runtime.finfields
    field, aes = fields.GF(2**61 - 1), fields.GF(fields.gfpx.GFpX(2)("x^8+x^4+x^3+x+1"))
    values: list[Any] = [
        None, True, [1, -5, 1 << 70], ("text", b"bytes", 2.5, float("nan")), {"a": [1], 5: (2,), b"k": {}},
        list(range(40)), [1 << 64, -(1 << 90)], np.arange(12, dtype=np.uint64).reshape(3, 4), np.zeros((0, 3)),
        np.array([True, False]), np.float32(1.5), np.array([1 << 80, -3], object), field(7), field.array([1, 2, 3]),
        aes(7), aes.array([1, 2]), [[[[[[[[]]]]]]]],
        {"nested": [{"deep": ({},)}]}, "é\ud800", np.arange(5, dtype=np.int8),
    ]  # fmt: skip
    return tuple(codec.dumps(value) for value in values)


def _loaded(data: bytes) -> None:
    value = codec.loads(data)
    with contextlib.suppress(NotTransferable):  # it may hold more keys than are written
        codec.loads(codec.dumps(value))


# -- what comes before the first run --------------------------------------------------------------


def _greetings() -> tuple[bytes, ...]:
    known = Introduction(bytes(32), bytes(range(32)))
    return tuple(
        Greeting(VERSION, index, m, (m - 1) // 2, 1 << 20, session, known).pack()
        for index, m, session in ((0, 3, b""), (4, 5, b"s" * 32))
    )


class _Agreeing:
    """Two parties in the middle of an agreement; what party 1 sends is changed."""

    def __init__(self) -> None:
        prints = {i: f"{i:064x}" for i in range(5)}
        self._one, self._other = (KeyAgreement(i, 5, 2, b"session", prints) for i in (0, 1))
        self._one.introduced(1, self._other.introduction)
        self._other.introduced(0, self._one.introduction)
        self.seeds = (self._other.contributions(0),)

    def run(self, data: bytes) -> None:
        self._one.contributed(1, data)


def _introduced(data: bytes) -> None:
    greeting = Greeting.unpack(data)
    agreement = KeyAgreement(1, 3, 1, b"session", {0: "0" * 64, 1: "1" * 64, 2: "2" * 64})
    agreement.introduced(0, greeting.introduction)


def engine_targets() -> list[Target]:
    """All of them."""
    agreeing = _Agreeing()
    beats = tuple(StallWatch(1, 3).beat((1, 2, 3), (4, n, 6)) for n in (0, 1 << 40))
    return [
        Target("frames", _streams(), BYTES, _Loop().run, (), 60, (4 << 20, 8)),
        Target("codec", _values(), BYTES, _loaded, (NotTransferable,), 200, (1 << 18, 80)),
        Target("greeting", _greetings(), BYTES, Greeting.unpack, (FrameInvalid,), 60),
        Target("introduction", _greetings(), BYTES, _introduced, (FrameInvalid,), 10),
        Target("contribution", agreeing.seeds, BYTES, agreeing.run, (FrameInvalid,), 20),
        Target("stall", beats, BYTES, lambda data: StallWatch(0, 3).heard(1, data), (), 40),
    ]
