"""One process of ``python -m tests.fuzz``: bounded in memory, and in the time it gives one input."""

from __future__ import annotations

import resource
import signal
import time
import warnings
from typing import Any

from tests.fuzz.target import Fault, attempt, inputs
from tests.fuzz.targets import targets

__all__ = ["Task", "bounded", "run"]

_SECONDS = 20.0  # for one input
_MEMORY = 4 << 30  # bytes a process may take

Task = tuple[str, int, str]
"""(target, how many inputs, seed)."""


class _TooLong(BaseException):
    """One input took more than _SECONDS."""


def bounded() -> None:
    """In each process, before anything."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, _over)


def _over(*_: Any) -> None:
    raise _TooLong(f"more than {_SECONDS:g} s")


def run(task: Task) -> tuple[str, int, list[Fault], float]:
    """(target, inputs, those that are faults, seconds of the slowest)."""
    name, count, seed = task
    target, faults, longest = targets()[name], [], 0.0
    for data in inputs(target, count, seed):
        begun = time.perf_counter()
        signal.setitimer(signal.ITIMER_REAL, _SECONDS)
        fault = attempt(target, data)
        signal.setitimer(signal.ITIMER_REAL, 0)
        longest = max(longest, time.perf_counter() - begun)
        if fault is not None:
            faults.append(fault)
    return name, count, faults, longest
