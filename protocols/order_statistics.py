"""Smallest, largest and values at a rank, of the rows that are present; and quantiles under noise.

Exact ones are secret and stay inside: one person can move a minimum, a maximum or a quantile as far as values go, so
none of them has a useful sensitivity. What can be released is noisy_quantile, which asks for counts only.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from mpc.arrays import SecretArray, SecretBits
from mpc.encoding import LIMIT
from mpc.errors import OutOfRange
from mpc.party import Party
from mpc.relations import where
from mpc.shapes import stack
from mpc.sorting import sort_by
from protocols.columns import as_flags, as_numbers, check_columns, constant
from protocols.exact import as_exact, check_rows, round_up
from protocols.mechanisms import Mechanism
from protocols.release import Released, check_mechanism, release, total_epsilon

__all__ = ["NoisyQuantile", "maximum", "minimum", "noisy_quantile", "quantile"]

Present = SecretArray | SecretBits | None


async def minimum(values: SecretArray | SecretBits, present: Present = None) -> SecretArray:
    """The smallest value of the rows present, (); 0 if there is none. Of no rows at all too.

    Rounds: 3, those of SecretArray.min (9 log2 n), and 3. Sends: about 40 bytes a row and party (m = 3). Leaks nothing.
    """
    check_columns(present, {"values": values})
    return -await maximum(-as_numbers(values), present)


async def maximum(values: SecretArray | SecretBits, present: Present = None) -> SecretArray:
    """The largest value of the rows present, as minimum."""
    x, here = await _rows(values, present)
    if not len(x):
        return x.sum()
    if here is None:
        return x.max()
    lowest = constant(x, np.full(x.shape, 1 - LIMIT), x.frac)
    return where(here.any(), where(here, x, lowest).max(), constant(x, 0, x.frac))


async def _rows(values: Any, present: Any) -> tuple[SecretArray, SecretBits | None]:
    check_columns(present, {"values": values})
    x = await as_numbers(values)
    here = None if present is None else await as_flags(present)
    check_columns(here, {"values": x})
    return x, here


# -- at a rank ---------------------------------------------------------------------------------


async def quantile(
    values: SecretArray | SecretBits, q: float | Sequence[float], present: Present = None, *, method: str = "lower"
) -> SecretArray:
    """The value at rank q (N - 1) of the N rows present, from 0, exact and secret; 0 if there is none.

    Args:
        values: (n,), |value| < 2^62; with "linear" below 2^45, of f fractional bits 2^(45 - f).
        q: from 0 to 1, one or several; a float stands for the decimal it is written as, 0.1 for a tenth.
        present: which rows there are; None: all.
        method: "lower" or "higher": which neighbour where the rank is no whole number; with "linear" the point between
            them, fixed point with 16 bits (or those of the values): as numpy.quantile.

    Shape: that of q. "lower" and "higher" keep the values' type. Sensitivity: none of use; see noisy_quantile.
    Rounds: those of sort_by; of a division by a public number; 6 + 2 + 1. Leaks nothing.

    1. Sort, rows that are present first.
    2. The rank: a public fraction of the secret N - 1, rounded down.
    3. The sum of the values where the place is the rank.             (one equality a row and q)
    """
    ranks = [_fraction(p) for p in (q if np.ndim(q) else [q])]  # type: ignore[union-attr]
    if method not in ("lower", "higher", "linear"):
        raise OutOfRange(f'method {method!r}: "lower", "higher" or "linear"')
    x, here = await _rows(values, present)
    if not len(x) or not ranks:
        return constant(x, np.zeros(np.shape(q), np.int64), x.frac)
    if here is None:
        ordered, most = x.sort(), constant(x, len(x) - 1, 0)
    else:
        (absent, ordered), _ = sort_by([~here, x])
        ordered, most = ordered * ~absent, here.sum() - 1
    both = [_rank(most, p, method) for p in ranks]
    chosen: SecretArray = stack([low for low, _ in both])
    lower = _at(ordered, chosen)
    if method != "linear":
        return lower if np.ndim(q) else lower[0]
    higher = _at(ordered, where(chosen < most, chosen + 1, chosen))
    result: SecretArray = lower + (higher - lower) * stack([part for _, part in both])
    return result if np.ndim(q) else result[0]


def _fraction(q: Any) -> Fraction:
    exact = as_exact(q)
    if exact is None or not 0 <= exact <= 1:
        raise OutOfRange(f"quantile {q!r}: from 0 to 1")
    exact = exact if isinstance(q, Fraction) else Fraction(repr(float(q)))
    if exact.denominator >= 1 << 20:
        raise OutOfRange(f"quantile {q!r}: a fraction with a denominator below 2^20, such as 0.25 or Fraction(1, 3)")
    return exact


def _rank(most: SecretArray, q: Fraction, method: str) -> tuple[SecretArray, SecretArray]:
    """(q * most rounded down, or up for "higher"; the rest as fixed point)."""
    steps = most * q.numerator
    if method == "higher":
        steps = steps + (q.denominator - 1)
    rank = steps // q.denominator
    return rank, (steps - rank * q.denominator) / q.denominator if method == "linear" else rank


def _at(ordered: SecretArray, ranks: SecretArray) -> SecretArray:
    """Values at secret places (r,); 0 for a place that is none."""
    places = np.arange(len(ordered))
    marks = (ranks.reshape(-1, 1) == places).to_array()
    return marks @ ordered


# -- under noise -------------------------------------------------------------------------------


@dataclass(frozen=True)
class NoisyQuantile:
    """A quantile found by noisy counts.

    Attributes:
        value: a point of the public grid.
        epsilon, delta: charged for all counts together, by simple composition.
        parts: the releases it is made of: the number of rows, if ``present`` was given, then one count a step.
    """

    value: float
    epsilon: float
    delta: float
    parts: tuple[Released, ...]


async def noisy_quantile(
    party: Party,
    values: SecretArray | SecretBits,
    q: float,
    mechanism: Mechanism,
    *,
    grid: Sequence[float],
    present: Present = None,
    rows: int = 1,
) -> NoisyQuantile:
    """The least point of a public grid with at least a share q of the rows at or below it, by noisy counts.

    Binary search: at each step the rows at or below the point in the middle are counted, the count is released with
    noise to all parties, since all must know where to go on, and compared with q times the noisy number of rows. How
    many steps there are is public, ceil(log2 len(grid)), whatever comes out.

    Args:
        mechanism: kind of noise and what all counts together cost; each gets an equal part of it.
        grid: at least two rising finite numbers, agreed without looking at the rows; the answer is one of them. It
            should reach beyond all values: the last is the answer where too few rows are below the others.
        rows: most rows a person has, which is how much one person changes each count.

    Raises OutOfRange, WrongType, ShapeMismatch before anything is sent, and what release raises.
    Rounds: release and a comparison, for each step. Leaks: to all parties the noisy counts, which are accounted for.
    """
    points = [as_exact(point) for point in grid]
    if len(points) < 2 or any(p is None for p in points) or any(not a < b for a, b in itertools.pairwise(grid)):
        raise OutOfRange("grid: at least two finite numbers, rising")
    share = _fraction(q)
    check_rows(rows)
    check_mechanism(mechanism)
    steps = math.ceil(math.log2(len(points)))
    x, here = await _rows(values, present)
    each = mechanism.split(steps + (here is not None))
    everyone = range(party.m)

    async def counted(flags: SecretBits) -> Released:
        return await release(party, flags.sum(), each, sensitivity=rows, to=everyone)

    parts = [] if here is None else [await counted(here)]
    wanted = share * (len(x) if here is None else int(np.asarray(parts[0].values)))
    low, high = 0, len(points) - 1
    for _ in range(steps):
        middle = (low + high) // 2
        below = x <= grid[middle] if here is None else here & (x <= grid[middle])
        parts.append(await counted(below))
        if int(np.asarray(parts[-1].values)) >= wanted:
            high = middle
        else:
            low = min(middle + 1, high)
    delta = round_up(sum((Fraction(part.delta) for part in parts), Fraction(0)))
    return NoisyQuantile(float(grid[low]), total_epsilon(*parts), delta, tuple(parts))
