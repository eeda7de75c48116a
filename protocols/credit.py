"""How a conversion is shared out among the exposures before it: the rules of attribution, on shares.

A *path* says for every row that is d places behind another whether it is a conversion for which that other, an
exposure, counts. Its arrays have an entry for each row but the first d: entry i is about rows i + d and i.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from mpc import concatenate, exp, reciprocal
from mpc.arrays import SecretArray, SecretBits
from mpc.errors import OutOfRange
from protocols.aggregate import one_hot
from protocols.columns import read_on_grid
from protocols.exact import as_exact

__all__ = ["Even", "LastTouch", "Path", "Rule", "TimeDecay", "UShaped", "shared_out"]

_FRAC = 16


@dataclass(frozen=True)
class LastTouch:
    """All to the latest exposure."""


@dataclass(frozen=True)
class Even:
    """To all exposures alike."""


@dataclass(frozen=True)
class UShaped:
    """``ends`` each to the first and the last exposure, the rest to those between alike; of two each has half."""

    ends: float = 0.4

    def __post_init__(self) -> None:
        exact = as_exact(self.ends)
        if exact is None or not 0 < exact <= Fraction(1, 2):
            raise OutOfRange(f"ends={self.ends!r} of a U-shaped credit: above 0, at most 0.5")


@dataclass(frozen=True)
class TimeDecay:
    """In proportion to 2^(-age / half_life), in the unit of the times."""

    half_life: float

    def __post_init__(self) -> None:
        exact = as_exact(self.half_life)
        if exact is None or not Fraction(1, 10) <= exact <= 1 << 60:
            raise OutOfRange(f"half_life={self.half_life!r}: from 0.1 to 2^60, in the unit of the times")


Rule = LastTouch | Even | UShaped | TimeDecay


@dataclass(frozen=True, repr=False)
class Path:
    """Exposures ``distance`` rows before conversions.

    Attributes:
        counts: (n - distance,) whether it counts.
        age: twice the time between, (n - distance,); of rows that do not count anything.
    """

    distance: int
    counts: SecretBits
    age: SecretArray


async def shared_out(
    rule: Rule, paths: Sequence[Path], value: SecretArray | None
) -> tuple[SecretArray, SecretArray | None]:
    """What every row gets, (n,): parts of conversions, and the same parts of their values, if there are any.

    ``paths`` for distances 1, 2, ..., in this order; at least one row.

    1. The part of each exposure that counts is a product of 0/1 and a number that its conversion has.
    2. So the value is multiplied once for each conversion; then the parts are moved to their exposures and summed up.
    """
    if isinstance(rule, LastTouch):
        latest, _ = _nearest(paths)
        return await _summed([(f, p.distance) for f, p in zip(latest, paths, strict=True)], None, value)
    if isinstance(rule, TimeDecay):
        return await _decayed(rule, paths, value)
    all_paths = [(p.counts, p.distance) for p in paths]
    kinds = one_hot(_at_later([(f.to_array(), d) for f, d in all_paths]), len(paths) + 1)
    if isinstance(rule, Even):
        return await _summed(all_paths, _weights(kinds, [0, *(_part(1, k) for k in range(1, len(paths) + 1))]), value)
    ends, between = _u_shape(rule, len(paths))
    latest, _ = _nearest(paths)
    earliest = _nearest(paths[::-1])[0][::-1]
    tips = [(f, p.distance) for flags in (latest, earliest) for f, p in zip(flags, paths, strict=True)]
    first = await _summed(all_paths, _weights(kinds, between), value)
    second = await _summed(tips, _weights(kinds, ends), value)
    return first[0] + second[0], None if first[1] is None or second[1] is None else first[1] + second[1]


def _part(numerator: Fraction | int, k: int) -> int:
    """numerator / k in units of 2^-16, rounded down: the parts never make more than the whole."""
    return math.floor(Fraction(numerator) * (1 << _FRAC) / k)


def _u_shape(rule: UShaped, most: int) -> tuple[list[int], list[int]]:
    """What the two ends get beyond what all get, and what all get, for 0, 1, ... exposures; one alone is both ends."""
    tip = as_exact(rule.ends)
    assert tip is not None
    between = [0, 0, 0, *(_part(1 - 2 * tip, k - 2) for k in range(3, most + 1))][: most + 1]
    ends = [0, _part(1, 2), _part(1, 2), *(_part(tip, 1) - b for b in between[3:])][: most + 1]
    return ends, between


def _weights(kinds: SecretArray, weights: Sequence[int]) -> SecretArray:
    """The weight of each row, by its number of exposures (one-hot). Local."""
    return read_on_grid(kinds @ np.array(weights), _FRAC)


def _nearest(paths: Sequence[Path]) -> tuple[list[SecretBits], SecretBits]:
    """For each path whether it is the first in this order to count for its conversion; whether any does, (n,)."""
    found, any_so_far = [], None
    for path in paths:
        d, flags = path.distance, path.counts
        found.append(flags if any_so_far is None else flags & ~any_so_far[d:])
        here = concatenate([np.zeros(d, np.bool_), flags])
        any_so_far = here if any_so_far is None else any_so_far | here
    assert any_so_far is not None
    return found, any_so_far


def _at_later(parts: Sequence[tuple[SecretArray, int]]) -> SecretArray:
    """The sum over paths at the later of the two rows, (n,). Local."""
    return _sum([concatenate([np.zeros(d, np.int64), x]) for x, d in parts])


def _at_earlier(parts: Sequence[tuple[SecretArray, int]]) -> SecretArray:
    """The sum over paths at the earlier of the two rows, (n,). Local."""
    return _sum([concatenate([x, np.zeros(d, np.int64)]) for x, d in parts])


def _sum(columns: Sequence[SecretArray]) -> SecretArray:
    return functools.reduce(operator.add, columns)


async def _summed(
    flags: Sequence[tuple[SecretBits, int]], weight: SecretArray | None, value: SecretArray | None
) -> tuple[SecretArray, SecretArray | None]:
    """What each earlier row gets: for every path that counts the weight of its conversion, and times its value."""
    numbers = [(f.to_array(), d) for f, d in flags]
    credits = _at_earlier([(x if weight is None else x * weight[d:], d) for x, d in numbers])
    if value is None:
        return credits, None
    worth = value if weight is None else value * weight
    return credits, _at_earlier([(x * worth[d:], d) for x, d in numbers])


async def _decayed(
    rule: TimeDecay, paths: Sequence[Path], value: SecretArray | None
) -> tuple[SecretArray, SecretArray | None]:
    """In proportion to 2^(-age / half_life), ages counted from the latest exposure, so that its own weight is 1.

    Without that, old exposures alone would have weights near the grid's last place.
    """
    latest, any_counts = _nearest(paths)
    newest = _at_later([(f * p.age, p.distance) for f, p in zip(latest, paths, strict=True)])
    rate = -math.log(2) / (2 * rule.half_life)
    parts = [(p.counts * exp((p.age - newest[p.distance :]) * rate), p.distance) for p in paths]
    whole = _at_later(parts) + (1 - any_counts.to_array())
    scale = reciprocal(whole)
    credits = _at_earlier([(x * scale[d:], d) for x, d in parts])
    if value is None:
        return credits, None
    worth = value * scale
    return credits, _at_earlier([(x * worth[d:], d) for x, d in parts])
