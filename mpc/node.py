"""A node: MPyC's runtime for one party, on connections that can be trusted and that fail in plain words.

What differs from the stock runtime is in the modules this one ties together: startup, rendezvous, greeting (who
is who), agreement (keys), connection, runs, node_transport (frames), liveness (dead or busy), guard and stall
(nobody can go on), codec and _mpyc (no pickle; errors arrive where a result is awaited).

    node = MPyCNode(config)
    async with node:                      # start: connect to all, agree on keys
        node.adopt()                      # only if MPyC's own types are used
        await node.run_program(program())

The engine's parties use ``node.transport`` and ``node.component_keys``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from mpc import _mpyc
from mpc.agreement import derive
from mpc.barriers import Barriers
from mpc.connection import Connection
from mpc.errors import AccordError, OutOfRange, PeerError, PeerLost, PeerSilent, UsageError
from mpc.guard import StallGuard
from mpc.liveness import Liveness
from mpc.mpyc_channel import MpycChannel
from mpc.node_transport import NodeTransport
from mpc.outcomes import plain
from mpc.settings import NodeConfig, Peer
from mpc.startup import Startup

__all__ = ["MPyCNode", "NodeConfig", "Peer"]

T = TypeVar("T")
_RUNS = 1 << 20  # MPyC hashes its counters modulo 2^61 - 1: run << 40 and what follows stays below
_log = logging.getLogger("accord.node")


class MPyCNode(_mpyc.runtime.Runtime):
    """One party's runtime. Make it, and use it, on one event loop.

    Attributes:
        config: as given.
        index, m, t: this party, number of parties, threshold.
        transport: the way to the other parties, for the engine.
        component_keys: 32 bytes for every set of m - t parties this one is in, by sorted tuple.
        pair_keys: 32 bytes for every peer.
        failure: the peer error that ended this node's usefulness, or None.
        on_failure: called with that error when it happens, on the event loop.
    """

    def __init__(self, config: NodeConfig) -> None:
        self.config = config
        self.index, self.m, self.t = config.index, config.m, config.t
        self.component_keys: dict[tuple[int, ...], bytes] = {}
        self.pair_keys: dict[int, bytes] = {}
        # What Runtime.__init__ sets. It is not called: it would make a loop, and draw PRSS keys to be sent.
        self.pid = config.index
        self.parties = tuple(_mpyc.runtime.Party(p.index, p.host, p.port) for p in config.roster)
        self.options = config.mpyc_options()
        self._threshold = config.t
        self._prss_keys: dict[tuple[int, ...], bytes] = {}
        self._prfs: dict[int, dict[tuple[int, ...], Any]] = {}
        self._logging_enabled = False
        self._program_counter = [0, 0]
        self._pc_level = 0
        self.start_time: float | None = None
        self.aggregate_load = 0.0
        self._loop: asyncio.AbstractEventLoop = None  # type: ignore[assignment]  # until start

        self.transport = NodeTransport(self.index, self.m, config.max_frame, config.mailbox_limit)
        self.transport.on_failure = self._failed
        self.transport.on_error = self._run_failed
        self.transport.on_leaving = self._left
        self.transport.on_begin = self._begun
        self.on_failure: Callable[[AccordError], None] = lambda error: None
        self._watchers: set[Callable[[AccordError], None]] = set()
        self._programs: set[asyncio.Task[Any]] = set()
        self.barriers = Barriers()
        self._closing = False
        self._startup: Startup | None = None
        self._guard: StallGuard | None = None
        self._liveness: Liveness | None = None
        self._news: asyncio.Event | None = None

    @property
    def failure(self) -> AccordError | None:
        """The peer error that ended this node's usefulness, or None."""
        return self.transport.failure

    @property
    def peers(self) -> list[int]:
        """All indexes but this party's."""
        return [j for j in range(self.m) if j != self.index]

    def adopt(self) -> None:
        """Make MPyC's secure types, and its global object ``mpc``, this node. They know one per process only."""
        _mpyc.point_to(self)

    # --- start -----------------------------------------------------------------------------------

    async def start(self) -> None:
        """Connect to all parties and agree on keys.

        Raises, when the start deadline has passed, the reason of the first missing party: PeerMissing, or
        what was wrong with whoever tried (IdentityMismatch, PeerUntrusted, ConfigurationMismatch, ...).
        """
        if self._startup is not None or self._closing:
            raise UsageError("a node starts once: make a new one")
        config = self.config
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        server, client = Startup.contexts(config)
        self._liveness = Liveness(
            config.index,
            config.fingerprints,
            config.borne_silence,
            min(config.heartbeat / 2, 0.5),
            server,
            client,
            self._is_alive,
            self._is_silent,
        )
        self._startup = startup = Startup(config, self.transport, self._liveness)
        self._liveness.start()
        try:
            await startup.run(server, client)
        except BaseException:
            await self._leave()
            raise
        self.component_keys, self.pair_keys = startup.agreement.component_keys, startup.agreement.pair_keys
        self._prss_keys = {A: derive(key, b"", b"mpyc prss", 16) for A, key in self.component_keys.items()}
        for j in self.peers:
            self.parties[j].protocol = MpycChannel(self.transport, j)
        self._guard = StallGuard(self.transport, config.heartbeat, self._programs)
        self.start_time = time.time()
        _log.info("party %d: all %d parties connected", self.index, self.m)

    # --- faults ----------------------------------------------------------------------------------

    def _left(self, connection: Connection, error: PeerError | None) -> None:
        """A connection is over (error None: after a farewell), or a farewell came."""
        if not self._closing and self._startup is not None and not self._startup.done:
            self._startup.left(connection)
        elif not self._closing and error is not None:
            self.transport.fail(error)
        if self._news is not None:
            self._news.set()

    def _is_alive(self, peer: int) -> None:
        if self._startup is not None:
            self._startup.alive(peer)

    def _is_silent(self, peer: int) -> None:
        connection = self.transport.connections.get(peer)
        if self._closing or connection is None or connection.closed.done() or self._startup is None:
            return
        if self._startup.done and not connection.farewell:
            silence = self.config.borne_silence
            text = f"party {peer} is connected but gave no sign of life for {silence:g} s: it is stopped, or cut off"
            connection.fail(PeerSilent(peer, text))

    def _failed(self, error: AccordError) -> None:
        _log.warning("party %d: %s", self.index, error)
        self.on_failure(error)

    def _run_failed(self, error: AccordError) -> None:
        self.barriers.wake()
        for watcher in list(self._watchers):
            watcher(error)

    def _begun(self, run: int) -> None:
        if run >= _RUNS:
            raise OutOfRange(f"a session has fewer than {_RUNS} runs: start the nodes anew")
        if self._guard is not None:
            self._guard.begin()
        self._program_counter = [run << 40, 0]  # MPyC's labels start anew too, and never repeat

    # --- programs --------------------------------------------------------------------------------

    async def run_program(self, program: Coroutine[Any, Any, T]) -> T:
        """Await ``program``, but not beyond a failure: of a peer, or of the same program at another party.

        Raises what the program raises, after telling the peers that it did; PeerError, PartyFailed or
        ProgramDiverged if the run cannot succeed any more, even if the program awaits something else.
        """
        task = self._loop.create_task(program)
        self._programs.add(task)
        task.add_done_callback(self._programs.discard)
        over: asyncio.Future[AccordError | None] = self._loop.create_future()

        def failed(error: AccordError) -> None:
            # The program gets a moment to raise what it was awaiting, with its own traceback.
            self._loop.call_later(0.05, end, error)

        def end(error: AccordError | None) -> None:
            if not over.done():
                over.set_result(error)

        task.add_done_callback(lambda _: end(None))
        self._watchers.add(failed)
        try:
            if self.transport.current.error is not None:
                failed(self.transport.current.error)
            error = await over
            if error is not None and not task.done():
                raise error
            return task.result()
        except BaseException as raised:
            self.transport.abort(cause := plain(raised))
            if cause is raised:
                raise
            raise cause from None
        finally:
            self._watchers.discard(failed)
            if not task.done():
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await task

    def run(self, f: Any) -> Any:
        """For programs in MPyC's older manner, ``runtime.run(runtime.output(x))`` without a running event loop."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self._loop)
        if self._loop.is_running():
            raise UsageError("the event loop runs already: await it instead")
        return self._loop.run_until_complete(f)

    async def barrier(self, name: str | None = None) -> None:
        """Wait for this party's MPyC computations so far. Raises the run's error; does not spin."""
        await self.barriers.until(self._nothing_under_way)

    def _nothing_under_way(self) -> bool:
        if self._pc_level <= self._program_counter[1]:
            return True
        if self.transport.current.error is not None:
            raise self.transport.current.error
        return False

    def peek(self, x: Any, label: str = "") -> Any:
        """MPyC's debugging aid; refused, since it logs outputs and shares, unless ``unsafe_peek`` is set."""
        if not self.config.unsafe_peek:
            raise UsageError("peek logs secrets: set unsafe_peek on the node, in a test, if that is what you want")
        return super().peek(x, label)

    def prfs(self, bound: int) -> dict[tuple[int, ...], Any]:
        """See MPyC; kept with the node, not in a cache that outlives it."""
        if bound not in self._prfs:
            self._prfs[bound] = {A: _mpyc.thresha.PRF(key, bound) for A, key in self._prss_keys.items()}
        return self._prfs[bound]

    @property
    def threshold(self) -> int:
        """Threshold for MPC. Fixed: keys and shares depend on it."""
        return self._threshold

    # --- end -------------------------------------------------------------------------------------

    async def shutdown(self) -> None:
        """Say farewell, wait for the others' a limited time, close. Never hangs, raises nothing of the peers'."""
        deadline = time.monotonic() + self.config.farewell_deadline
        while self._pc_level > self._program_counter[1] and self.transport.current.error is None:
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(0.001)
        await self._leave(self.config.farewell_deadline)

    async def _leave(self, patience: float = 0.2) -> None:
        """Close all connections, the polite way for ``patience`` seconds."""
        if self._closing:
            return
        if self._guard is not None:
            self._guard.stop()
        self.transport.farewell()
        self._closing = True
        connections = list(self.transport.connections.values())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience if self.failure is None else 0.2):
                await self._farewells(connections)
        for connection in connections:
            connection.abort()
        if self._liveness is not None:
            self._liveness.stop()
        self.transport.current.fail(PeerLost(self.index, "this node is closed"))

    async def _farewells(self, connections: list[Connection]) -> None:
        """Everybody's goodbye: then all that was sent has been received."""
        for connection in connections:
            await connection.drained()
        while self._news is not None and not all(c.farewell or c.closed.done() for c in connections):
            self._news.clear()
            await self._news.wait()
        for connection in connections:
            connection.close()
        await asyncio.gather(*(asyncio.shield(c.closed) for c in connections))

    async def __aenter__(self) -> MPyCNode:
        await self.start()
        return self

    async def __aexit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        if error is not None:
            self.transport.abort(error)
            await self._leave()
        else:
            await self.shutdown()
