"""Figures with noise, and the aggregates that are made of them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from parties.data.expression_types import Type
from parties.data.row_expression import Expr

__all__ = ["Aggregate", "Counted", "Figure", "Grid", "People", "Ranked", "Summed"]


@dataclass(frozen=True)
class Counted:
    """How many rows; or how many in which ``of`` is not NULL."""

    of: Expr | None


@dataclass(frozen=True)
class Summed:
    """The sum over the rows in which it is not NULL."""

    of: Expr


@dataclass(frozen=True)
class People:
    """How many different people."""


@dataclass(frozen=True)
class Grid:
    """Points low, low + step, ...: ``points`` of them, on which a quantile is searched."""

    low: Fraction
    step: Fraction
    points: int

    @property
    def steps(self) -> int:
        """Noised counts that the search takes."""
        return (self.points - 1).bit_length()


@dataclass(frozen=True)
class Ranked:
    """The least point of the grid with enough rows at or below it: "min", "max", or of a share ``q`` of them."""

    of: Expr
    what: str
    q: Fraction
    grid: Grid


Figure = Counted | Summed | People | Ranked


@dataclass(frozen=True)
class Aggregate:
    """What is shown of figures.

    Attributes:
        what: count, sum, avg, var_pop, var_samp, stddev_pop, stddev_samp, rank.
        figures: their places: of a mean sum and count; of a variance sum, count and sum of squares; of a rank itself
            and its count.
        centre: what was taken from every value before it was summed up.
        shift: what is still to be taken from every value that was summed up as it is.
        type: kind and bounds of the result.
    """

    what: str
    figures: tuple[int, ...]
    centre: Fraction
    shift: Fraction
    type: Type
