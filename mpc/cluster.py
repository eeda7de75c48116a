"""LocalCluster: m parties as processes on this machine, over loopback TLS, for notebooks, tests and demos.

What is real: processes, connections, mutual TLS, key agreement, deadlines. What is not: one user owns all parties
and can read all their memory, so nothing is hidden from whoever calls ``run``. In production every member runs
its own node (parties/).

Certificates and their authority are made in memory and live as long as the cluster; a worker gets its own private
key only, and its own input only.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
import weakref
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, TypeVar

from mpc import _mpyc  # noqa: F401 - first: a script's own import of MPyC would read its arguments, and start processes
from mpc.collect import ParentRun
from mpc.conversation import Conversation
from mpc.crew import Crew, sees_stops
from mpc.errors import NotTransferable, PartyFailed, PeerLost, PeerMissing, UsageError, WrongType
from mpc.launch import launch
from mpc.options import node_settings, seconds
from mpc.outcomes import ClusterBroken, check_inputs, first_cause, named, noted, number_of
from mpc.pipe import Frozen, freeze, thaw
from mpc.sharing import Layout
from mpc.transport import Traffic

__all__ = ["LocalCluster"]

T = TypeVar("T")

_FAREWELL = 5.0
_MUTE = 60.0  # seconds the nodes bear a peer's silence
_MUTE_TOO_LONG = 10.0  # the same where the parent is not told of stops


class LocalCluster:
    """m processes that run programs together. A context manager; or call start() and close().

    Args:
        parties: m >= 3.
        threshold: t < m/2, default (m-1)//2.
        rtt: round-trip time in milliseconds to inject between the parties, to see what rounds cost.
        start_deadline: seconds in which all parties must be up and connected.
        heartbeat: seconds between checks whether all parties wait for each other (two or three are needed).
        silence: seconds a process may be stopped before it is given up. A long computation is not silence, whatever it
            holds; a death is noticed at once.
        progress: called in ``run`` as ``progress(party_index, text)`` for every ``party.report(text)``.
        settings: further settings of the nodes, see mpc.settings.NodeConfig: farewell_deadline, max_frame,
            mailbox_limit, sec_param, unsafe_peek.

    Raises WrongType, OutOfRange, TooFewParties, ThresholdTooLarge, or UsageError for a setting that does not exist; no
    process is started by then.

    Attributes:
        traffic: of every party in the last run.
        seconds: the last run took, from the first operation to the common end, at the slowest party; starting the
            cluster, and bringing the program and inputs to the processes and the answers back, are not in it.
    """

    def __init__(
        self,
        parties: int = 3,
        threshold: int | None = None,
        *,
        rtt: float = 0.0,
        start_deadline: float = 60.0,
        heartbeat: float = 0.5,
        silence: float = 1.0,
        progress: Callable[[int, str], None] | None = None,
        **settings: Any,
    ) -> None:
        parties = number_of(parties)
        self.layout = Layout(parties, threshold)
        self.m = parties
        if progress is not None and not callable(progress):
            raise WrongType(f"progress={progress!r}: a function, called as progress(party_index, text)")
        self._start_deadline = seconds("start_deadline", start_deadline)
        self._silence = seconds("silence", silence)
        self.progress = progress
        self.traffic: list[Traffic] = []
        self.seconds = 0.0
        self._settings = {
            "threshold": self.layout.t,
            "rtt": seconds("rtt", rtt, or_zero=True),
            "start_deadline": self._start_deadline,
            "heartbeat": seconds("heartbeat", heartbeat),
            # It is the parent that tells who was stopped. Nodes that see only that a peer is mute would take a kernel
            # that holds the interpreter for a stop: to them silence is the last resort.
            "silence": max(self._silence, _MUTE if sees_stops() else _MUTE_TOO_LONG),
            **node_settings(settings),
        }
        self._crew: Crew | None = None
        self._cleanup: weakref.finalize[Any, Any] | None = None
        self._runs = 0
        self._why_not = "it was not started"
        self._busy = threading.Lock()
        self._talk: Conversation | None = None

    def __repr__(self) -> str:
        state = "ready" if self._crew else self._why_not
        return f"<LocalCluster of {self.m} parties, t={self.layout.t}: {state}>"

    @property
    def processes(self) -> list[int]:
        """Process ids, by party; empty when the cluster is not running."""
        return [w.process.pid for w in self._crew.workers] if self._crew else []

    # --- life ------------------------------------------------------------------------------------

    def start(self) -> LocalCluster:
        """Start the processes and wait until all are connected.

        Raises PeerMissing when the start deadline passes, PeerLost when a process ends, whatever a node raised.
        """
        if self._crew is not None:
            raise UsageError("this cluster is running already")
        session = secrets.token_bytes(16)
        crew = Crew(launch(self.m, {**self._settings, "session": session}), self._silence)
        self._crew = crew
        self._cleanup = weakref.finalize(self, _forsaken, os.getpid(), crew)
        self._runs = 0
        try:
            self._await_ready(crew, time.monotonic() + self._start_deadline + 1.0)
        except BaseException as error:
            self._end(f"it did not start: {error}", 0.0)
            raise
        return self

    def close(self) -> None:
        """Stop an open conversation, let the parties say farewell, end their processes. Nothing the second time."""
        if self._talk is not None:
            self._talk.close()
        if self._crew is not None:
            for i in range(self.m):
                self._crew.tell(i, "close")
            self._end("it is closed", _FAREWELL)

    def __enter__(self) -> LocalCluster:
        return self if self._crew is not None else self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if kind is None:
            self.close()
        elif self._crew is not None:
            self._end("it is closed", 0.0)

    def _end(self, why: str, patience: float) -> None:
        crew, self._crew = self._crew, None
        if crew is not None:
            self._why_not = why
            crew.stop(patience)
        if self._cleanup is not None:
            self._cleanup.detach()

    def _await_ready(self, crew: Crew, deadline: float) -> None:
        missing = set(range(self.m))
        failures: dict[int, BaseException] = {}
        while missing:
            for i, news in crew.hear(deadline):
                missing.discard(i)
                if isinstance(news, PeerLost):
                    failures.setdefault(i, news)  # after it told why, its end is no news
                elif news.kind == "failed":
                    told = thaw(news.bodies[0])
                    failures[i] = told or PartyFailed(i, "Exception", news.fields[0])
            if failures:
                # a death is the reason why the others miss someone
                i = min(failures, key=lambda i: failures[i] is not crew.lost.get(i))
                raise named(failures[i], i)
            if missing and time.monotonic() >= deadline:
                first = min(missing)
                raise PeerMissing(first, f"party {first} was not ready within {self._start_deadline:g} s")
        crew.when = "during the run"

    # --- runs ------------------------------------------------------------------------------------

    def run(
        self, program: Callable[..., Awaitable[T]], inputs: Sequence[Any] | None = None, timeout: float | None = None
    ) -> list[T]:
        """The answers of all parties to ``await program(party)``, or ``await program(party, inputs[party.index])``.

        Program and inputs may be anything cloudpickle takes: functions of a script or a notebook, lambdas, closures.
        What a program prints appears as it is; what it reports goes to ``progress``.

        Args:
            program: an async function, run by every party in its own process.
            inputs: one for each party; each is sent to its party only. None: the program takes the party alone.
            timeout: seconds the whole may take; None: as long as it takes.

        Raises:
            PartyFailed: an exception in the program; names the party, shows the traceback there, and has the exception
                itself as ``__cause__`` if it can be pickled.
            AccordError: what the engine raised comes as itself (ProgramDiverged, OutOfRange, ...), with a note that
                names the party.
            PeerLost: a process died; PeerSilent, which is one, if it was stopped for too long.
            RunTimedOut: the timeout passed.
            NotTransferable: program, input or answer cannot be pickled.
            ClusterBroken: the cluster is closed, or lost a party before.

        After an error in the program the cluster can be used again. After the loss of a party, and after
        KeyboardInterrupt, it is broken: its processes are ended, and it can be started anew.
        """
        if timeout is not None:
            timeout = seconds("timeout", timeout, or_zero=True)
        run = self._order(program, inputs, None)
        if timeout is not None:
            run.limit(timeout)
        return self._through(run)

    def open(
        self,
        program: Callable[..., Awaitable[Any]],
        inputs: Sequence[Any] | None = None,
        *,
        heard: Callable[[int, Any], None],
    ) -> Conversation:
        """Start ``program(party, line)``, or ``program(party, line, inputs[party.index])``, and talk with it: mpc.line.

        Args:
            program, inputs: as in ``run``.
            heard: called as heard(i, value) for every value a party says, in the conversation's thread, as ``progress``
                is meanwhile; it should be quick. What it raises breaks the cluster.

        The conversation ends by its ``finish`` or ``close``; until then nothing else runs here. Raises what ``run``
        raises before anything runs.
        """
        if not callable(heard):
            raise WrongType(f"heard={heard!r}: a function, called as heard(party_index, value)")
        run = self._order(program, inputs, heard)
        assert self._crew is not None
        self._talk = Conversation(run, self._crew, self._through)
        return self._talk

    def _order(self, program: Any, inputs: Sequence[Any] | None, heard: Callable[[int, Any], None] | None) -> ParentRun:
        """Send a program to all parties. From here on the cluster is busy."""
        check_inputs(inputs, self.m)
        if not self._busy.acquire(blocking=False):
            raise UsageError("this cluster runs a program already: runs follow one another")
        try:
            if self._crew is None:
                raise ClusterBroken(f"nothing can run on this cluster, {self._why_not}: start() it anew")
            frozen = _frozen(program, "the program")
            mine = [] if inputs is None else [_frozen(x, f"the input of party {i}") for i, x in enumerate(inputs)]
            self._runs += 1
            run = ParentRun(self._runs, self._crew, self.progress, heard)
            run.order(frozen, mine)
        except BaseException as error:
            if not isinstance(error, Exception):  # half of it may be sent
                self._end(f"run {self._runs} was cut short by {type(error).__name__}", 0.0)
            self._busy.release()
            raise
        return run

    def _through(self, run: ParentRun) -> list[Any]:
        """The answers to what was ordered, or what ``run`` raises. The cluster is free again."""
        try:
            return self._outcome(run)
        finally:
            self._busy.release()

    def _outcome(self, run: ParentRun) -> list[Any]:
        try:
            run.collect()
        except BaseException as error:
            self._end(f"run {run.number} was cut short by {type(error).__name__}", 0.0)
            raise
        self.traffic = [run.facts[i][0] if i in run.facts else Traffic() for i in range(self.m)]
        self.seconds = max((seconds for _, seconds in run.facts.values()), default=0.0)
        if run.broken:
            self._end(f"run {run.number} failed: {run.broken}", 0.0)
        cause = run.death or first_cause(list(run.errors.values()))
        if cause is not None:
            raise noted(cause, run.errors, self.m)
        return [run.answers[i] for i in range(self.m)]


def _forsaken(owner: int, crew: Crew) -> None:
    """The cluster was dropped, or the interpreter ends; in a forked copy of it the workers are not ours."""
    if os.getpid() == owner:
        crew.stop(0.0)


def _frozen(value: object, what: str) -> Frozen:
    try:
        return freeze(value)
    except Exception as error:
        raise NotTransferable(
            f"{what} cannot be sent to a party's process ({type(error).__name__}: {error}): "
            "let it refer only to what cloudpickle takes"
        ) from error
