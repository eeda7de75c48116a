"""The Transport of a node, over its connections.

A fault of a peer (lost, silent, sent rubbish) is for good: this run and every later one end in its error.
A program that failed somewhere ends that run only, in PartyFailed; the connections go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from mpc.connection import Connection
from mpc.errors import AccordError, PartyFailed, PeerError, PeerFlooding, PeerLost, ProgramDiverged
from mpc.mailbox import FRAME_BYTES
from mpc.outcomes import stall_text
from mpc.runs import Run
from mpc.wire import NO_LABEL, Header, Kind, pc_of_label

__all__ = ["NodeTransport"]

_RUNS = 1 << 16  # run numbers on the wire are taken modulo this
_AHEAD = 16  # a peer may be this many runs ahead
_KIND_BYTES = 64  # longest name of an exception's class that is told

NOTHING = memoryview(b"")


class NodeTransport:
    """See :class:`mpc.transport.Transport`; one for the life of a node.

    Args:
        index, m: this party, number of parties.
        max_frame: most payload bytes of one frame, equal at all parties.
        limit: most bytes kept of one peer that nobody asked for, in the current run; as many in all runs to come.

    Attributes:
        index, m, max_frame, limit: as given.
        failure: the peer error that ended this node's usefulness, if any.
        on_begin, on_failure, on_error, on_heartbeat, on_keys, on_leaving: called by it; the node sets them.
    """

    def __init__(self, index: int, m: int, max_frame: int, limit: int) -> None:
        self.index = index
        self.m = m
        self.max_frame = max_frame
        self.limit = limit
        self.connections: dict[int, Connection] = {}
        self.failure: AccordError | None = None
        self.on_failure: Callable[[AccordError], None] = lambda error: None
        self.on_error: Callable[[AccordError], None] = lambda error: None
        self.on_heartbeat: Callable[[int, bytes], None] = lambda peer, payload: None
        self.on_keys: Callable[[int, bytes], None] = lambda peer, payload: None
        self.on_leaving: Callable[[Connection, PeerError | None], None] = lambda connection, error: None
        self.on_begin: Callable[[int], None] = lambda run: None
        self._early: dict[int, Run] = {}
        self._told: dict[int, tuple[int, str]] = {}  # the last run a peer's program failed in, and with what
        self.current = Run(index, 0, m, limit)
        self.traffic = self.current.traffic

    # --- Transport -------------------------------------------------------------------------------

    def begin(self, run: int) -> None:
        """See Transport. Run 0 is what happens before the first begin."""
        self.on_begin(run)
        number = run % _RUNS
        self._stop_placing()
        early = self._early.pop(number, None)
        self.current = Run(self.index, number, self.m, self.limit) if early is None else early
        self.traffic = self.current.traffic
        for old in [r for r in self._early if not 0 < self._ahead(r) <= _AHEAD]:
            del self._early[old]
        for peer, connection in self.connections.items():
            if connection.farewell:
                self.current.leaves(peer, self._gone(peer))
        if self.failure is not None:
            self.current.fail(self.failure)
        if self.current.error is not None:
            self.on_error(self.current.error)

    def send(self, peer: int, label: bytes, stamp: int, depth: int, payload: memoryview) -> None:
        """See Transport."""
        current = self.current
        current.peers[peer].sent += 1
        current.traffic.frames_sent += 1
        current.traffic.bytes_sent += len(payload)
        self.connections[peer].send(Kind.DATA, current.number, stamp, depth, label, payload)

    def receive(self, peer: int, label: bytes, stamp: int, into: memoryview) -> Awaitable[int]:
        """See Transport."""
        return self.current.peers[peer].box.request(label, stamp, into)

    async def finish(self) -> None:
        """See Transport. Messages of MPyC that nobody asked for are no divergence: it is lazy."""
        run = self.current
        own = run.peers[self.index]
        self._tell_all(Kind.END, NOTHING)
        run.finishing = True
        while run.error is None and run.gone() is None and not all(p.ended for p in run.peers if p is not own):
            run.changed = asyncio.get_running_loop().create_future()
            await run.changed
        run.finishing = False
        if (error := run.error or run.gone()) is not None:
            raise error
        for peer in run.peers:
            if peer.box.leftover():
                raise ProgramDiverged(
                    f"party {peer.box.peer} sent {peer.box.leftover()} messages that party {self.index}'s program "
                    "never asked for: run the same operations, in the same order, at every party"
                )

    def abort(self, error: BaseException) -> None:
        """See Transport."""
        self._tell_failure(error)
        self._fail_run(self.current, PartyFailed(self.index, _class_of(error)))

    # --- what connections bring (FrameSink, one for each peer: see sink) --------------------------

    def sink(self, peer: int) -> _PeerSink:
        """The receiver of ``peer``'s frames."""
        return _PeerSink(self, peer)

    def place(self, peer: int, header: Header) -> memoryview | None:
        """Memory for a frame of ``peer``; see FrameSink."""
        kind, _, number, stamp, depth, label, length = header
        run = self.current if number == self.current.number else self._run(peer, number)
        if run is None or run.error is not None:
            return None if kind in (Kind.DATA, Kind.MPYC, Kind.END) else memoryview(bytearray(length))
        if run is not self.current:
            kept = sum(early.peers[peer].box.kept_bytes for early in self._early.values())
            if kept + length + FRAME_BYTES > self.limit:
                raise PeerFlooding(peer, f"party {peer} sent more than {self.limit} bytes for programs still to come")
        if kind == Kind.DATA:
            return run.peers[peer].box.place(label, stamp, depth, length)
        if kind == Kind.MPYC:
            return run.peers[peer].place_message(pc_of_label(label), depth, length)
        return memoryview(bytearray(length))

    def complete(self, peer: int, header: Header, payload: memoryview) -> None:
        """A frame of ``peer`` has come in whole; see FrameSink."""
        kind, _, number, stamp, depth, label, length = header
        if kind == Kind.HEARTBEAT:
            if number == self.current.number:
                self.on_heartbeat(peer, bytes(payload))
            return
        if kind == Kind.FAREWELL:
            self._leaves(peer)
            return
        if kind == Kind.HELLO:
            self.on_keys(peer, bytes(payload))
            return
        if kind == Kind.ABORT and depth == peer:
            self._told[peer] = number, _class_name(payload)
        run = self.current if number == self.current.number else self._run(peer, number)
        if run is None:
            return
        part = run.peers[peer]
        part.received += 1
        if kind == Kind.ABORT:
            self._fail_run(run, PartyFailed(depth if depth < self.m else peer, _class_name(payload)))
            return
        if kind == Kind.END:
            part.ended = True
            part.box.end()
            run.wake()
            return
        traffic = run.traffic
        traffic.frames_received += 1
        traffic.bytes_received += length
        if kind == Kind.DATA:
            if depth > traffic.rounds:
                traffic.rounds = depth
            part.box.complete(label, stamp, depth)
        else:
            part.complete_message(pc_of_label(label), depth, payload)

    def fail(self, error: PeerError) -> None:
        """A peer is at fault, for good: every run ends in ``error``; the other peers hear that this party failed."""
        if self.failure is not None:
            return
        self.failure = error
        self._tell_failure(error)
        self._stop_placing()
        for run in [self.current, *self._early.values()]:
            run.fail(error)
        self.on_failure(error)
        self.on_error(error)

    def stalled(self, where: str) -> None:
        """No party can go on: end the run. ``where`` is what this party waits for, for the error's text."""
        error = ProgramDiverged(stall_text([where]))
        self._tell_failure(error)
        self._fail_run(self.current, error)

    def heartbeat(self, status: bytes) -> None:
        """Send a status of the stall watch to all peers."""
        for connection in self.connections.values():
            connection.send(Kind.HEARTBEAT, self.current.number, 0, 0, NO_LABEL, status)

    def farewell(self) -> None:
        """Tell all peers that this party is about to close."""
        self._tell_all(Kind.FAREWELL, NOTHING)

    # --- inside ----------------------------------------------------------------------------------

    def _tell_all(self, kind: Kind, payload: memoryview, depth: int = 0) -> None:
        for peer, connection in self.connections.items():
            self.current.peers[peer].sent += kind is Kind.END
            connection.send(kind, self.current.number, 0, depth, NO_LABEL, payload)

    def _tell_failure(self, error: BaseException) -> None:
        """The class name only: the text could hold a secret."""
        if self.current.told:
            return
        self.current.told = True
        where, kind = self.index, _class_of(error)
        if isinstance(error, PartyFailed):  # passed on: a farewell from here may arrive before the news from there
            where, kind = error.index, error.kind
        self._tell_all(Kind.ABORT, memoryview(kind.encode("ascii", "replace")[:_KIND_BYTES]), where)

    def _ahead(self, number: int) -> int:
        """How many runs after the current one; negative if it is over."""
        return (number - self.current.number + _RUNS // 2) % _RUNS - _RUNS // 2

    def _run(self, peer: int, number: int) -> Run | None:
        """A run that is not the current one: kept if it is to come, None if it is over."""
        ahead = self._ahead(number)
        if ahead < 0:
            return None
        if ahead > _AHEAD:
            raise PeerFlooding(peer, f"party {peer} is more than {_AHEAD} programs ahead")
        if number not in self._early:
            self._early[number] = Run(self.index, number, self.m, self.limit)
        return self._early[number]

    def _fail_run(self, run: Run, error: AccordError) -> None:
        if run.error is None:
            if run is self.current:
                self._stop_placing()
            run.fail(error)
            if run is self.current:
                self.on_error(error)

    def _stop_placing(self) -> None:
        """The memory of this run's requests is the program's again: what is coming in must not go there."""
        for connection in self.connections.values():
            header = connection.receiving
            if header is not None and header[0] == Kind.DATA and header[2] == self.current.number:
                connection.discard()

    def _leaves(self, peer: int) -> None:
        self.connections[peer].farewell = True
        for run in [self.current, *self._early.values()]:
            run.leaves(peer, self._gone(peer))
        self.on_leaving(self.connections[peer], None)

    def _gone(self, peer: int) -> PeerLost:
        """The error of whoever needs a peer that said farewell."""
        why = ""
        if peer in self._told:
            run, kind = self._told[peer]
            if self._ahead(run) >= -1:
                why = f" after its program failed ({kind})"
        return PeerLost(peer, f"party {peer} closed its node{why} while this party's program still needs it")


class _PeerSink:
    """A FrameSink that knows whose frames it gets."""

    __slots__ = ("_owner", "_peer")

    def __init__(self, owner: NodeTransport, peer: int) -> None:
        self._owner = owner
        self._peer = peer

    def place(self, header: Header) -> memoryview | None:
        return self._owner.place(self._peer, header)

    def complete(self, header: Header, payload: memoryview) -> None:
        self._owner.complete(self._peer, header, payload)

    def lost(self, connection: Connection, error: PeerError | None) -> None:
        self._owner.on_leaving(connection, error)


def _class_of(error: BaseException) -> str:
    return type(error).__name__.encode("ascii", "replace")[:_KIND_BYTES].decode()


def _class_name(payload: memoryview) -> str:
    """What a peer says went wrong there: letters and digits only, whatever it sent."""
    name = bytes(payload[:_KIND_BYTES]).decode("ascii", "replace")
    return name if name.isidentifier() else "Exception"
