"""What a join has to find out, as everybody knows it: which rows, which partners, which values. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mpc.errors import OutOfRange
from protocols.dummies import Dummies
from protocols.exact import is_whole
from protocols.sources import Source

__all__ = ["AtLeast", "Found", "How", "Plan", "check_how", "is_union"]

Words = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class AtLeast:
    """Keys that are in at least ``tables`` of the sources."""

    tables: int


How = str | AtLeast


def is_union(how: How) -> bool:
    """Whether rows of all sources can be in the result, not those of the first only."""
    return how == "union" or isinstance(how, AtLeast)


def check_how(how: Any, sources: Sequence[Source]) -> How:
    """How, or OutOfRange."""
    if isinstance(how, AtLeast):
        if not is_whole(how.tables) or not 1 <= how.tables <= len(sources):
            raise OutOfRange(f"AtLeast({how.tables!r}) of {len(sources)} sources: 1 to {len(sources)}")
    elif how not in ("inner", "left", "union"):
        raise OutOfRange(f"how={how!r}: 'inner', 'left', 'union' or AtLeast(tables)")
    if is_union(how) and sources[0].many:
        raise OutOfRange("many=True goes with how='inner' and 'left': a union has each key once")
    return how  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Plan:
    """A join, in numbers.

    Attributes:
        rows: of each source: its rows, or what it fills up to, and its dummies.
        dummies: for every two sources that are matched; None without.
    """

    sources: tuple[Source, ...]
    how: How
    rows: tuple[int, ...]
    dummies: Dummies | None

    @staticmethod
    def pairs(sources: Sequence[Source], how: How) -> list[tuple[int, int]]:
        """The sources that are matched, (i, j) with i < j: all with the first, or, for a union, all with all."""
        first = range(len(sources) if is_union(how) else 1)
        return [(i, j) for i in first for j in range(i + 1, len(sources))]

    @staticmethod
    def spare(sources: Sequence[Source], how: How, dummies: Dummies | None, i: int) -> int:
        """How many dummies a source adds."""
        return sum(i in pair for pair in Plan.pairs(sources, how)) * dummies.size if dummies else 0

    @property
    def targets(self) -> tuple[int, ...]:
        """The sources whose rows are in the result."""
        return tuple(range(len(self.sources))) if is_union(self.how) else (0,)

    def filled(self, i: int) -> bool:
        """Whether there may be fillers among the rows of a source."""
        return self.sources[i].rows is not None or self.dummies is not None

    def wants_values(self, i: int, j: int) -> bool:
        """Whether rows of source i take the values of source j: in a union a key's row is that of its first source."""
        return i in self.targets and i < j and bool(self.sources[j].columns)

    def wants_matched(self, i: int, j: int) -> bool:
        """Whether it is to be found out which rows of source i are in source j too."""
        return i in self.targets and i != j


@dataclass(frozen=True, repr=False)
class Found:
    """For the rows of one source, for every other one: which have a partner, and its values.

    Attributes:
        matched: packed components by source, (k, ceil(rows / 64)).
        values: components by source, (k, rows, columns).
    """

    matched: dict[int, Words]
    values: dict[int, Words]
