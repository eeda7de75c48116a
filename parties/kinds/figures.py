"""Counts, sums and means by group, as jobs ask for them: what they cost, how they are sealed, how they are told.

Several figures share the job's epsilon in equal parts. With a minimum group size the noised count decides which groups
are shown, in all figures alike, so it is among the figures even if nobody asked for it; a mean has a count of its own.
What is counted are rows, and a person may have several. Dates are told as days since 1970-01-01.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from mpc.arrays import SecretArray
from mpc.party import Party
from parties.errors import ParametersInvalid
from parties.kinds.kind import Expected
from parties.kinds.parameters import read_noise, whole
from protocols.aggregate import sensitivity_of
from protocols.description import Description, Opened
from protocols.means import mean_described, seal_mean
from protocols.mechanisms import Mechanism
from protocols.minimum import MinimumGroup
from protocols.released import Released
from protocols.sealed import Sealed, described, event_for, seal

__all__ = ["FIGURE_PARAMETERS", "Figure", "Figures", "Measure", "read_figures"]

FIGURE_PARAMETERS = ("figures", "by", "epsilon", "delta", "minimum")
_MOST = 64


@dataclass(frozen=True)
class Figure:
    """A count; or the sum or the mean of a column."""

    what: str
    column: str | None = None


@dataclass(frozen=True)
class Measure:
    """A column of numbers: bounds of its values, and fractional bits."""

    low: int | float
    high: int | float
    frac: int


@dataclass(frozen=True)
class Figures:
    """What is asked, all public.

    Attributes:
        figures: in order; with a minimum a count is first.
        measures: by column.
        by: the column rows are grouped by, None: all rows are one group. groups: their names.
        rows: the most rows that one person has in what is counted.
        places: the most rows there can be.
        minimum: least noised count that is shown; None: all are.
        noise: of all figures together.
    """

    figures: tuple[Figure, ...]
    measures: Mapping[str, Measure]
    by: str | None
    groups: tuple[Any, ...]
    rows: int
    places: int
    minimum: int | None
    noise: Mechanism

    @property
    def columns(self) -> tuple[str, ...]:
        """Of the sums that are needed, each once."""
        return tuple(dict.fromkeys(f.column for f in self.figures if f.column is not None))

    @property
    def each(self) -> Mechanism:
        """The noise of one figure."""
        return self.noise.split(len(self.figures))

    def described(self) -> tuple[Description, ...]:
        """The sealed answers to come; raises what release raises of such noise. Pure."""
        shape, gated, each = (len(self.groups),), self.minimum is not None, self.each
        found = []
        for figure in self.figures:
            if figure.column is None:
                event = event_for(shape, 0, each, sensitivity_of(0, 1, rows=self.rows), self.places)
                found.append(described(shape, 0, (event,), gated=gated))
                continue
            m = self.measures[figure.column]
            if figure.what == "mean":
                found.append(mean_described(shape, m.frac, each, low=m.low, high=m.high, rows=self.rows, gated=gated))
                continue
            change = sensitivity_of(m.low, m.high, rows=self.rows)
            event = event_for(shape, m.frac, each, change, self._most(m))
            found.append(described(shape, m.frac, (event,), gated=gated))
        return tuple(found)

    def expected(self) -> list[Expected]:
        """The figures to come. A mean's error is its sum's, by the rows it is of. Pure."""
        found = []
        for figure, one in zip(self.figures, self.described(), strict=True):
            name = figure.what if figure.column is None else f"{figure.what}({figure.column})"
            found.append(Expected.of(name, one.events[0], by_rows=figure.what == "mean"))
        return found

    async def seal(self, party: Party, counts: SecretArray, sums: Mapping[str, SecretArray]) -> list[Sealed]:
        """Counts (groups,) and sums (groups,) by column, with noise. Rounds: those of one seal, after the count's."""
        minimum = None if self.minimum is None else MinimumGroup(self.minimum)
        first = None
        if self.minimum is not None:
            first = await self._count(party, counts, minimum)

        async def one(place: int, figure: Figure) -> Sealed:
            if place == 0 and first is not None:
                return first
            if figure.column is None:
                return await self._count(party, counts, minimum)
            m, total = self.measures[figure.column], sums[figure.column]
            if figure.what == "mean":
                return await seal_mean(
                    party, total, counts, self.each, low=m.low, high=m.high, rows=self.rows, minimum=minimum
                )
            change = sensitivity_of(m.low, m.high, rows=self.rows)
            return await seal(party, total, self.each, sensitivity=change, magnitude=self._most(m), hidden_as=first)

        return list(await asyncio.gather(*(one(place, figure) for place, figure in enumerate(self.figures))))

    async def _count(self, party: Party, counts: SecretArray, minimum: MinimumGroup | None) -> Sealed:
        change = sensitivity_of(0, 1, rows=self.rows)
        return await seal(party, counts, self.each, sensitivity=change, magnitude=self.places, minimum=minimum)

    def _most(self, measure: Measure) -> Fraction:
        return self.places * max(abs(Fraction(measure.low)), abs(Fraction(measure.high)))

    def told(self, opened: Sequence[Opened]) -> list[dict[str, Any]]:
        """One row a figure and group: JSON. Numbers are None where the group is not shown."""
        rows = []
        for figure, one in zip(self.figures, opened, strict=True):
            assert isinstance(one, Released) and one.values is not None and one.interval95 is not None
            errors = np.broadcast_to(np.asarray(one.standard_error), one.values.shape)
            for g, group in enumerate(self.groups):
                shown = one.shown is None or bool(one.shown[g])
                numbers = {
                    "value": one.values[g],
                    "standard_error": errors[g],
                    "low": one.interval95[0][g],
                    "high": one.interval95[1][g],
                }
                told = {name: _plain(x) if shown else None for name, x in numbers.items()}
                rows.append({"figure": figure.what, "column": figure.column, "group": group, "shown": shown, **told})
        return rows


def read_figures(
    kind: str,
    parameters: Mapping[str, Any],
    measure: Callable[[str], Measure],
    groups: Callable[[str], tuple[Any, ...]],
    *,
    rows: int,
    places: int,
) -> Figures:
    """What a job's parameters ask for.

    figures: a list of "count", {"sum": column}, {"mean": column}, each once. by: a column. epsilon, and perhaps delta:
    for all together. minimum: a whole number. ``measure`` and ``groups`` look a column up in what is published, and
    refuse it by name. Raises ParametersInvalid, EpsilonInvalid, DeltaInvalid.
    """
    asked = parameters.get("figures")
    if not isinstance(asked, (list, tuple)) or not 1 <= len(asked) <= _MOST:
        raise ParametersInvalid(f'{kind}: figures is a list of 1 to {_MOST}, such as ["count", {{"mean": "age"}}]')
    figures = [_figure(kind, one) for one in asked]
    if len(set(figures)) != len(figures):
        raise ParametersInvalid(f"{kind}: figures: each once")
    minimum = whole(kind, parameters, "minimum", 1, 1 << 40)
    if minimum is not None:
        figures = [Figure("count"), *(f for f in figures if f.column is not None)]
    by = parameters.get("by")
    if by is not None and not isinstance(by, str):
        raise ParametersInvalid(f"{kind}: by is the name of a column")
    measures = {f.column: measure(f.column) for f in figures if f.column is not None}
    for figure in figures:
        m = measures.get(figure.column or "")
        if m is not None and m.low == m.high and (figure.what == "mean" or m.low == 0):
            raise ParametersInvalid(f"{kind}: column {figure.column} has one value only by its bounds; leave it out")
    noise = read_noise(kind, parameters)
    return Figures(tuple(figures), measures, by, (None,) if by is None else groups(by), rows, places, minimum, noise)


def _figure(kind: str, one: Any) -> Figure:
    if one == "count":
        return Figure("count")
    if isinstance(one, Mapping) and len(one) == 1:
        ((what, column),) = one.items()
        if what in ("sum", "mean") and isinstance(column, str):
            return Figure(what, column)
    raise ParametersInvalid(f'{kind}: a figure is "count", {{"sum": column}} or {{"mean": column}}')


def _plain(x: Any) -> int | float | None:
    """A number for JSON; None for what is none."""
    value = x.item() if isinstance(x, np.generic) else x
    return value if math.isfinite(value) else None
