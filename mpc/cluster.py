"""LocalCluster: m parties as processes on this machine, over loopback TLS, for notebooks, tests and demos.

What is real: processes, connections, mutual TLS, key agreement, deadlines. What is not: one user owns all parties
and can read all their memory, so nothing is hidden from whoever calls ``run``. In production every member runs
its own node (parties/).

Certificates and their authority are made in memory and live as long as the cluster; a worker gets its own private
key only, and its own input only.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import selectors
import threading
import time
import weakref
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, TypeVar

from mpc.errors import AccordError, NotTransferable, OutOfRange, PartyFailed, PeerError, PeerLost, PeerMissing, UsageError
from mpc.launch import Launched, launch, stop
from mpc.outcomes import ClusterBroken, RunTimedOut, check_inputs, first_cause, named
from mpc.pipe import freeze, thaw
from mpc.sharing import Layout
from mpc.transport import Traffic

__all__ = ["LocalCluster"]

T = TypeVar("T")

_GRACE = 3.0  # seconds the other parties have to end a run that failed somewhere, before and after being told to
_FAREWELL = 5.0


@dataclass
class _Run:
    """What is known of a run so far."""

    number: int
    answers: dict[int, Any] = field(default_factory=dict)
    errors: dict[int, BaseException] = field(default_factory=dict)  # in the order in which they came
    facts: dict[int, tuple[Traffic, float]] = field(default_factory=dict)
    broken: str = ""
    death: PeerLost | None = None

    def missing(self, m: int) -> list[int]:
        return [i for i in range(m) if i not in self.answers and i not in self.errors]


class LocalCluster:
    """m processes that run programs together. A context manager; or call start() and close().

    Args:
        parties: m >= 3.
        threshold: t < m/2, default (m-1)//2.
        rtt: round-trip time in milliseconds to inject between the parties, to see what rounds cost.
        start_deadline: seconds in which all parties must be up and connected.
        heartbeat: seconds between checks whether all parties wait for each other (two or three are needed).
        silence: seconds without a sign of life after which a stopped party is given up. A dead one is noticed at once.
        progress: called in ``run`` as ``progress(party_index, text)`` for every ``party.report(text)``.
        settings: further settings of the nodes, see mpc.settings.NodeConfig.

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
        silence: float = 10.0,
        progress: Callable[[int, str], None] | None = None,
        **settings: Any,
    ) -> None:
        self.layout = Layout(parties, threshold)
        self.m = parties
        if rtt < 0 or min(start_deadline, heartbeat, silence) <= 0:
            raise OutOfRange("rtt must not be negative, deadlines must be positive")
        self.progress = progress
        self.traffic: list[Traffic] = []
        self.seconds = 0.0
        self._settings = {
            "threshold": self.layout.t,
            "rtt": rtt,
            "start_deadline": start_deadline,
            "heartbeat": heartbeat,
            "silence": silence,
            **settings,
        }
        self._start_deadline = start_deadline
        self._workers: list[Launched] = []
        self._cleanup: weakref.finalize[Any, Any] | None = None
        self._runs = 0
        self._why_not = "it was not started"
        self._busy = threading.Lock()

    def __repr__(self) -> str:
        state = "ready" if self._workers else self._why_not
        return f"<LocalCluster of {self.m} parties, t={self.layout.t}: {state}>"

    @property
    def processes(self) -> list[int]:
        """Process ids, by party; empty when the cluster is not running."""
        return [w.process.pid for w in self._workers]

    # --- life ------------------------------------------------------------------------------------

    def start(self) -> LocalCluster:
        """Start the processes and wait until all are connected.

        Raises PeerMissing when the start deadline passes, PeerLost when a process ends, whatever a node raised.
        """
        if self._workers:
            raise UsageError("this cluster is running already")
        session = secrets.token_bytes(16)
        self._workers = launch(self.m, {**self._settings, "session": session})
        self._cleanup = weakref.finalize(self, _forsaken, os.getpid(), list(self._workers))
        self._runs = 0
        try:
            self._await_ready(time.monotonic() + self._start_deadline + 1.0)
        except BaseException as error:
            self._end(f"it did not start: {error}", 0.0)
            raise
        return self

    def close(self) -> None:
        """Let the parties say farewell, and end their processes. Does nothing the second time."""
        if self._workers:
            for worker in self._workers:
                with contextlib.suppress(OSError):
                    worker.pipe.send("close")
            self._end("it is closed", _FAREWELL)

    def __enter__(self) -> LocalCluster:
        return self if self._workers else self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if kind is None:
            self.close()
        elif self._workers:
            self._end("it is closed", 0.0)

    def _end(self, why: str, patience: float) -> None:
        workers, self._workers = self._workers, []
        self._why_not = why
        stop(workers, patience)
        if self._cleanup is not None:
            self._cleanup.detach()

    def _await_ready(self, deadline: float) -> None:
        missing = set(range(self.m))
        failures: dict[int, BaseException] = {}
        while missing:
            for i, message in self._messages(missing, min(deadline, time.monotonic() + 1.0)):
                missing.discard(i)
                if message is None:
                    failures[i] = self._death(i, "while the cluster was starting; what it wrote to stderr says more")
                elif message[0] == "failed":
                    told = thaw(message[1][0])
                    failures[i] = told or PartyFailed(i, "Exception", bytes(message[1][1]).decode())
            if failures:
                # the first to die is the reason why others are missing
                dead = [e for e in failures.values() if isinstance(e, PeerLost)]
                i, error = next((i, e) for i, e in failures.items() if not dead or e is dead[0])
                raise named(error, i)
            if missing and time.monotonic() >= deadline:
                first = min(missing)
                raise PeerMissing(first, f"party {first} was not ready within {self._start_deadline:g} s")

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
            timeout: seconds the whole may take.

        Raises:
            PartyFailed: an exception in the program; names the party, shows the traceback there, and has the exception
                itself as ``__cause__`` if it can be pickled.
            AccordError: what the engine raised comes as itself (ProgramDiverged, OutOfRange, ...), with a note that
                names the party.
            PeerLost: a process died.
            RunTimedOut: the timeout passed.
            NotTransferable: program, input or answer cannot be pickled.
            ClusterBroken: the cluster is closed, or lost a party before.

        After an error in the program the cluster can be used again. After the loss of a party, and after
        KeyboardInterrupt, it is broken: its processes are ended, and it can be started anew.
        """
        check_inputs(inputs, self.m)
        if not self._busy.acquire(blocking=False):
            raise UsageError("this cluster runs a program already: runs follow one another")
        try:
            if not self._workers:
                raise ClusterBroken(f"nothing can run on this cluster, {self._why_not}: start() it anew")
            frozen = _frozen(program, "the program")
            mine = [] if inputs is None else [_frozen(x, f"the input of party {i}") for i, x in enumerate(inputs)]
            self._runs += 1
            run = _Run(self._runs)
            try:
                self._order(run, frozen, mine)
                self._collect(run, None if timeout is None else time.monotonic() + timeout, timeout)
            except BaseException as error:
                self._end(f"run {run.number} was cut short by {type(error).__name__}", 0.0)
                raise
        finally:
            self._busy.release()
        self.traffic = [run.facts[i][0] if i in run.facts else Traffic() for i in range(self.m)]
        self.seconds = max((seconds for _, seconds in run.facts.values()), default=0.0)
        if run.broken:
            self._end(f"run {run.number} failed: {run.broken}", 0.0)
        cause = run.death or first_cause(list(run.errors.values()))
        if cause is not None:
            raise cause
        return [run.answers[i] for i in range(self.m)]

    def _order(self, run: _Run, program: bytes, inputs: list[bytes]) -> None:
        """Send the program to all."""
        for i, worker in enumerate(self._workers):
            try:
                worker.pipe.send("run", b"%d" % run.number, program, *inputs[i : i + 1])
            except OSError:
                self._lost(run, i)

    def _collect(self, run: _Run, deadline: float | None, timeout: float | None) -> None:
        """Wait for all outcomes; once a party failed the others have a limited time."""
        told = False
        give_up: float | None = None
        while missing := run.missing(self.m):
            if run.errors and give_up is None:
                give_up = time.monotonic() + _GRACE
            until = min((x for x in (deadline, give_up) if x is not None), default=None)
            for i, message in self._messages(set(missing), until):
                self._note(run, i, message)
            now = time.monotonic()
            if give_up is not None and now >= give_up:
                if told:
                    run.broken = f"parties {run.missing(self.m)} did not stop"
                    return
                self._cancel(run)
                told, give_up = True, now + _GRACE
            elif deadline is not None and now >= deadline:
                late = run.missing(self.m)
                if late:
                    text = f"run {run.number} did not end within {timeout:g} s: parties {late} still compute or wait"
                    run.errors[-1] = RunTimedOut(text)
                self._cancel(run)
                told, deadline, give_up = True, None, now + _GRACE

    def _cancel(self, run: _Run) -> None:
        for i in run.missing(self.m):
            with contextlib.suppress(OSError):
                self._workers[i].pipe.send("cancel", b"%d" % run.number)

    def _note(self, run: _Run, i: int, message: tuple[str, list[bytearray]] | None) -> None:
        """A message of worker i (None: it is gone)."""
        if message is None:
            self._lost(run, i)
            return
        kind, parts = message
        if kind == "report":
            if self.progress is not None:
                self.progress(i, bytes(parts[0]).decode())
            return
        if int(parts[0]) != run.number:
            return  # the late outcome of a run that was given up
        run.facts[i] = thaw(parts[1])
        if kind == "answer":
            try:
                run.answers[i] = thaw(parts[2])
            except Exception as error:
                run.errors[i] = _chained(PartyFailed(i, type(error).__name__, "its answer cannot be unpickled here"), error)
        else:
            broken, name, detail, shown, frozen = parts[2:]
            error = _error_of(i, bytes(name).decode(), bytes(detail).decode(), bytes(shown).decode(), frozen)
            run.errors[i] = error
            if broken:
                run.broken = run.broken or str(error).split("\n")[0]

    def _lost(self, run: _Run, i: int) -> None:
        run.errors[i] = error = self._death(i, "during the run")
        run.death = run.death or error
        run.broken = run.broken or str(error).split("\n")[0]

    def _death(self, i: int, when: str) -> PeerLost:
        process = self._workers[i].process
        with contextlib.suppress(Exception):
            process.wait(1.0)
        code = process.returncode
        how = "closed its pipe" if code is None else f"was killed by signal {-code}" if code < 0 else f"exited with {code}"
        return PeerLost(i, f"the process of party {i} {how} {when}")

    def _messages(
        self, of: set[int], until: float | None
    ) -> list[tuple[int, tuple[str, list[bytearray]] | None]]:
        """What these workers say next: at least one message, unless ``until`` passes. None: that worker is gone."""
        found: list[tuple[int, tuple[str, list[bytearray]] | None]] = []
        with selectors.DefaultSelector() as selector:
            for i in of:
                selector.register(self._workers[i].pipe, selectors.EVENT_READ, i)
            wait = None if until is None else max(0.0, until - time.monotonic())
            for key, _ in selector.select(wait):
                try:
                    found.append((key.data, self._workers[key.data].pipe.receive()))
                except (EOFError, OSError):
                    found.append((key.data, None))
        return found


def _forsaken(owner: int, workers: list[Launched]) -> None:
    """The cluster was dropped, or the interpreter ends; in a forked copy of it the workers are not ours."""
    if os.getpid() == owner:
        stop(workers, 0.0)


def _frozen(value: object, what: str) -> bytes:
    try:
        return freeze(value)
    except Exception as error:
        raise NotTransferable(
            f"{what} cannot be sent to a party's process ({type(error).__name__}: {error}): "
            "let it refer only to what cloudpickle takes"
        ) from error


def _error_of(index: int, kind: str, detail: str, shown: str, frozen: bytearray) -> BaseException:
    """What run() raises for the error of one party."""
    original: BaseException | None = None
    with contextlib.suppress(Exception):
        original = thaw(frozen) if frozen else None
    if isinstance(original, AccordError):
        named(original, index)
        if shown and not isinstance(original, (PartyFailed, PeerError)):
            original.add_note(f"--- traceback at party {index} ---\n{shown}")
        return original
    return _chained(PartyFailed(index, kind, detail, shown), original)


def _chained(error: BaseException, cause: BaseException | None) -> BaseException:
    error.__cause__ = cause
    return error
