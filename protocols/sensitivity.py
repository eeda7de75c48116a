"""By how much one person can change what is released, in whole steps of the figures' grid. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from protocols.errors import SensitivityInvalid
from protocols.exact import as_exact, is_whole

__all__ = ["Change", "Sensitivity", "grid_change", "grid_sensitivity"]


@dataclass(frozen=True)
class Sensitivity:
    """The most by which one person changes sums of bounded values. ``a + b`` is that of figures released together.

    Values go to the grid one by one, each by its own rounding, so the bound of one value is rounded up to the grid
    first, then multiplied: 50 rows of up to 0.13 on a grid of quarters change a sum by 50 steps, not ceil(26).

    Attributes:
        terms: for each sum, or sum by group (the most one value's magnitude can be, in the figure's unit; the most
            rows a person has). One row is in one group. Terms are of *different* figures: what one person adds to one
            and the same figure by two ways is one term, of the sum of both bounds.
    """

    terms: tuple[tuple[Fraction, int], ...]

    def __post_init__(self) -> None:
        exact = []
        for bound, rows in self.terms:
            value = as_exact(bound)
            if value is None or value < 0 or not is_whole(rows) or rows < 1:
                raise SensitivityInvalid(f"bound {bound!r}, {rows!r} rows: a finite bound, and at least one row")
            exact.append((value, int(rows)))
        object.__setattr__(self, "terms", tuple(exact))

    def __add__(self, other: Sensitivity) -> Sensitivity:
        return Sensitivity(self.terms + other.terms)

    def steps(self, frac: int) -> int:
        """L1, in steps of the grid 2^-frac: rows * ceil(bound 2^frac), summed."""
        return sum(self.columns(frac))

    def columns(self, frac: int) -> tuple[int, ...]:
        """L1 of each sum by itself, in steps of the grid."""
        return tuple(rows * math.ceil(bound * (1 << frac)) for bound, rows in self.terms)


@dataclass(frozen=True)
class Change:
    """All the ways in which one person can change a vector of figures, in steps of their grid.

    Attributes:
        columns: the L1 bound of the changes in each column; for Gaussian noise, which asks no more, an L2 bound.
        spread: whether a column's change may be spread over several figures. If not, each column changes at one
            figure only, and noise of any law can be accounted coordinate by coordinate.

    numpy's integers become Python's: their squares would wrap, and too little noise be drawn.
    """

    columns: tuple[int, ...]
    spread: bool

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", tuple(int(c) for c in self.columns))

    @property
    def l1(self) -> int:
        """The most the absolute changes sum up to."""
        return sum(self.columns)

    @property
    def l2_squared(self) -> int:
        """The most their squares sum up to."""
        return sum(c * c for c in self.columns)


def grid_sensitivity(sensitivity: float | Fraction | Sensitivity, frac: int = 0) -> int:
    """The L1 sensitivity in steps of the grid 2^-frac, rounded up, or SensitivityInvalid.

    If a value lies in [-b, b] then its rounding to the grid lies within ceil(b 2^frac) steps of zero. A plain number is
    b for *one* value: for several rows or columns give a Sensitivity, which rounds each up before it adds.
    """
    return grid_change(sensitivity, frac, 1).l1


def grid_change(sensitivity: Any, frac: int, coordinates: int) -> Change:
    """What one person can change among so many figures on the grid 2^-frac, or SensitivityInvalid.

    A change of one step is never spread, nor is one of a single figure, nor that of a person with one row. More columns
    than figures are taken as one, the sum of them all, spread.
    """
    if isinstance(sensitivity, Sensitivity):
        columns = tuple(c for c in sensitivity.columns(frac) if c)
        spread = any(
            rows > 1 and c > 1 for c, (_, rows) in zip(sensitivity.columns(frac), sensitivity.terms, strict=True)
        )
    else:
        bound = as_exact(sensitivity)
        columns = () if bound is None or bound <= 0 else (math.ceil(bound * (1 << frac)),)
        spread = columns > (1,)
    if not columns:
        raise SensitivityInvalid(
            f"sensitivity {sensitivity!r}: a number above 0, the most by which one person can change the figures "
            "(the sum of the changes, where there are several), or aggregate.sensitivity_of; clip the values to get one"
        )
    if len(columns) > coordinates:  # so what changes two columns may change one figure twice
        columns, spread = (sum(columns),), True
    if coordinates == 1:
        spread = False
    return Change(columns, spread)
