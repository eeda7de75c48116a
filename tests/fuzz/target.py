"""What a target is, one input at it, and what is a fault: an error it does not document, or memory without bound."""

from __future__ import annotations

import hashlib
import resource
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from tests.fuzz.mutations import Mutate

__all__ = ["MOST", "Fault", "Target", "attempt", "inputs"]

MOST = 256 << 20
"""Bytes by which one input may raise what this process holds at most."""


@dataclass(frozen=True)
class Target:
    """One parser.

    Attributes:
        name: of the parser.
        seeds: valid inputs; each must be taken as it is.
        mutate: how others are made of them.
        run: gives the parser one input. It may check what came out: an AssertionError is a fault.
        errors: those the parser documents; any other that comes out of ``run`` is a fault.
        share: how many inputs of each thousand are for it: fewer for what is slow.
        memory: bytes it may allocate at one time: this many, and as many times the length of the input.
    """

    name: str
    seeds: tuple[bytes, ...]
    mutate: Mutate
    run: Callable[[bytes], object]
    errors: tuple[type[Exception], ...]
    share: int = 20
    memory: tuple[int, int] = (1 << 20, 40)


@dataclass(frozen=True)
class Fault:
    """An input that a parser did not deal with."""

    target: str
    data: bytes
    what: str

    @property
    def name(self) -> str:
        """For a file of it."""
        return f"{self.target}-{hashlib.sha256(self.data).hexdigest()[:12]}"


def inputs(target: Target, count: int, seed: object) -> Iterator[bytes]:
    """``count`` inputs; the same for the same seed, whatever other targets there are."""
    random = Random(f"{target.name} {seed}")
    for _ in range(count):
        yield target.mutate(random, random.choice(target.seeds), target.seeds)


def attempt(target: Target, data: bytes) -> Fault | None:
    """Give the target this input: None if all was well."""
    held = _held()
    try:
        target.run(data)
    except target.errors as error:
        if len(str(error)) > 2000 + 8 * len(data):
            return Fault(target.name, data, f"{type(error).__name__} with a text of {len(str(error))} characters")
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        places = traceback.extract_tb(error.__traceback__)[-6:]
        where = " > ".join(f"{place.filename.rpartition('/')[2]}:{place.lineno}" for place in places)
        return Fault(target.name, data, f"{type(error).__name__}: {str(error)[:200]} at {where}")
    if (grown := _held() - held) > MOST:
        return Fault(target.name, data, f"{grown} bytes of memory for {len(data)} bytes of input")
    return None


def _held() -> int:
    """The most bytes this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
