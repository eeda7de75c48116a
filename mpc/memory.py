"""m parties in one process, for tests: seeded, deterministic, with a tap on every message."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np

from mpc.errors import ProgramDiverged
from mpc.memory_guard import MemoryGuard
from mpc.outcomes import (
    RunTimedOut,
    call,
    check_inputs,
    first_cause,
    noted,
    number_of,
    only_news,
    parties,
    waiting_text,
)
from mpc.party import Party, task_factory
from mpc.prss import Prss
from mpc.sharing import Layout
from mpc.transport import MemoryHub, Tap, Traffic

__all__ = ["MemoryCluster"]

T = TypeVar("T")


class MemoryCluster:
    """The in-memory twin of LocalCluster: same ``run``, no processes, no TLS, keys from a seed.

    Never for real data: whoever knows the seed knows every mask.

    Args:
        parties: m >= 3.
        threshold: t < m/2, default (m-1)//2.
        seed: everything random follows from it and from the number of runs so far.
        tap: sees every frame, may drop, delay or alter it (transport.Tap).
        delay: seconds every frame takes.
        keep: remember all frames in ``log``.
        progress: called as ``progress(party_index, text)`` for every ``party.report(text)``.

    Attributes:
        traffic: of every party in the last run.
        seconds: the last run took.
        log: the frames of the last run, if ``keep``.
    """

    def __init__(
        self,
        parties: int = 3,
        threshold: int | None = None,
        *,
        seed: int | bytes = 0,
        tap: Tap | None = None,
        delay: float = 0.0,
        keep: bool = False,
        progress: Callable[[int, str], None] | None = None,
    ) -> None:
        parties = number_of(parties)
        self.layout = Layout(parties, threshold)
        self.m = parties
        self.tap = tap
        self.delay = delay
        self.keep = keep
        self.progress = progress
        self.seconds = 0.0
        self.traffic: list[Traffic] = []
        self.log: list[Any] = []
        self._seed = seed if isinstance(seed, bytes) else str(seed).encode()
        self._runs = 0

    def __enter__(self) -> MemoryCluster:
        return self

    def __exit__(self, *exc: object) -> None:
        return None

    def run(
        self,
        program: Callable[..., Coroutine[Any, Any, T]],
        inputs: Sequence[Any] | None = None,
        timeout: float | None = None,
    ) -> list[T]:
        """The answers of all parties to ``program(party)``, or ``program(party, inputs[party])``.

        Raises what the first party to fail raised, with a note that names the party. Here, unlike in a LocalCluster,
        an error the program raised itself comes as it is, not as PartyFailed, so that a debugger stops at it.
        Receivers of one reveal that opened different values (without a tap), and parties none of which can go on (they
        wait for each other, for a frame a tap has dropped, for a lock nobody frees), end in ProgramDiverged; a run that
        takes longer than ``timeout`` seconds in RunTimedOut.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(self._run(program, inputs, timeout))
        with ThreadPoolExecutor(1) as thread:  # in a notebook this thread has a loop already
            return thread.submit(asyncio.run, self._run(program, inputs, timeout)).result()

    async def _run(
        self, program: Callable[..., Coroutine[Any, Any, T]], inputs: Sequence[Any] | None, limit: float | None
    ) -> list[T]:
        check_inputs(inputs, self.m)
        loop = asyncio.get_running_loop()
        loop.set_task_factory(task_factory)
        loop.set_exception_handler(only_news)
        self._runs += 1
        hub = MemoryHub(self.m, tap=self.tap, delay=self.delay, keep=self.keep)
        root = b"run %d" % self._runs
        members = [Party(self.layout, self._prss(i), hub.transports[i], root) for i in range(self.m)]
        errors: dict[int, BaseException] = {}  # in the order in which they came

        opened: dict[bytes, dict[int, bytes]] = {}
        differs: list[ProgramDiverged] = []

        def compare(index: int, label: bytes, receivers: int, value: Any) -> None:
            """A difference in public values shows in what the receivers open, and, among processes, nowhere else."""
            array = np.asarray(value)
            seen = opened.setdefault(label, {})
            seen[index] = hashlib.blake2b(repr((array.shape, array.dtype)).encode() + array.tobytes()).digest()
            if len(seen) < receivers:
                return
            seen = dict(sorted(opened.pop(label).items()))
            groups = [[i for i in seen if seen[i] == one] for one in dict.fromkeys(seen.values())]
            if len(groups) > 1 and not differs:
                who = " and ".join(parties(sorted(g), self.m) for g in groups)
                differs.append(
                    ProgramDiverged(
                        f"one reveal gave different values at {who}: give the same public values to operations at "
                        "every party; what differs, or is private, goes through party.input"
                    )
                )
                for transport in hub.transports:
                    transport.fail(differs[0])

        async def one(party: Party) -> T:
            if self.progress is not None:
                party.on_report = functools.partial(self.progress, party.index)
            if self.tap is None:  # one that alters frames alters what a party opens
                party.on_reveal = functools.partial(compare, party.index)
            arguments = () if inputs is None else (inputs[party.index],)
            try:
                answer: T = await party.run(lambda: call(program, party, *arguments))
            except BaseException as error:
                errors[party.index] = error
                raise
            return answer

        late = ""

        def look() -> None:
            """Just before the timeout cancels everybody."""
            nonlocal late
            waits = {t.index: t.waits_for() for t in hub.transports}
            late = waiting_text(waits, [p.index for p in members if not p.over], self.m)

        started = time.perf_counter()
        try:
            if limit is not None:
                loop.call_later(limit, look)
            async with asyncio.timeout(limit):
                tasks = [asyncio.ensure_future(one(p)) for p in members]
                guard = MemoryGuard(hub, tasks, errors)  # not before: the timeout's timer makes no loop busy
                try:
                    answers = await asyncio.gather(*tasks, return_exceptions=True)
                finally:
                    guard.stop()
        except TimeoutError:
            raise RunTimedOut(f"the run did not end within {limit:g} s: {late}") from None
        finally:
            self.seconds = time.perf_counter() - started
            self.traffic = [t.traffic for t in hub.transports]
            self.log = hub.log
        cause = differs[0] if differs else first_cause(list(errors.values()))
        if guard.error is not None and not isinstance(cause, ProgramDiverged):
            cause = guard.error
        if cause is not None:
            raise noted(cause, {} if differs else errors, self.m)
        return answers  # type: ignore[return-value]

    def _prss(self, i: int) -> Prss:
        def key(*what: object) -> bytes:
            return hashlib.blake2b(
                repr((self._runs, *what)).encode(), key=hashlib.sha256(self._seed).digest()
            ).digest()[:32]

        return Prss(
            i,
            {a: key("component", a) for a in self.layout.held[i]},
            {j: key("pair", min(i, j), max(i, j)) for j in range(self.m) if j != i},
            key("private", i),
        )
