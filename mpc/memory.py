"""m parties in one process, for tests: seeded, deterministic, with a tap on every message."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from mpc.errors import PartyFailed, UsageError
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

    Attributes:
        traffic: of every party in the last run.
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
    ) -> None:
        self.layout = Layout(parties, threshold)
        self.m = parties
        self.tap = tap
        self.delay = delay
        self.keep = keep
        self.traffic: list[Traffic] = []
        self.log: list[Any] = []
        self._seed = seed if isinstance(seed, bytes) else str(seed).encode()
        self._runs = 0

    def __enter__(self) -> MemoryCluster:
        return self

    def __exit__(self, *exc: object) -> None:
        return None

    def run(self, program: Callable[..., Coroutine[Any, Any, T]], inputs: Sequence[Any] | None = None) -> list[T]:
        """The answers of all parties to ``program(party)``, or ``program(party, inputs[party])``.

        Raises what the first party to fail raised; an error the program raised itself comes as it is, with a note
        that names the party.
        """
        return asyncio.run(self._run(program, inputs))

    async def _run(self, program: Callable[..., Coroutine[Any, Any, T]], inputs: Sequence[Any] | None) -> list[T]:
        if inputs is not None and len(inputs) != self.m:
            raise UsageError(f"{len(inputs)} inputs for {self.m} parties: give one for each, None for none")
        asyncio.get_running_loop().set_task_factory(task_factory)
        self._runs += 1
        hub = MemoryHub(self.m, tap=self.tap, delay=self.delay, keep=self.keep)
        root = b"run %d" % self._runs
        parties = [Party(self.layout, self._prss(i), hub.transports[i], root) for i in range(self.m)]

        async def one(party: Party) -> T:
            if inputs is None:
                return await party.run(lambda: program(party))
            return await party.run(lambda: program(party, inputs[party.index]))

        answers = await asyncio.gather(*(one(p) for p in parties), return_exceptions=True)
        self.traffic = [t.traffic for t in hub.transports]
        self.log = hub.log
        causes = [(i, a) for i, a in enumerate(answers) if isinstance(a, BaseException)]
        for i, error in causes:
            if not isinstance(error, PartyFailed):
                error.add_note(f"at party {i}")
                raise error
        for _, error in causes:
            raise error
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
