"""What a query's figures cost, and how they are sealed: noise on, small groups hidden, nothing opened.

All figures share the job's epsilon in equal parts. A quantile's part is shared by its steps. ``unsafe_exact`` leaves
the noise out, so that tests can compare: an argument that only tests give, and no part of a plan.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from mpc.arrays import SecretArray, SecretBits
from mpc.encoding import FRAC
from mpc.party import Party
from parties.sql.figures import Counted, Figure, People, Ranked, Summed
from protocols.accounting import Event
from protocols.aggregate import sensitivity_of
from protocols.description import Description, Slot
from protocols.mechanisms import Mechanism
from protocols.minimum import Gate, MinimumGroup
from protocols.sealed import Sealed, described, event_for, seal_derived, seal_figures, with_noise
from protocols.sealed_quantile import search
from protocols.sensitivity import Sensitivity

__all__ = ["Priced", "Raw", "counted_for"]


@dataclass(frozen=True)
class Raw:
    """What goes into the figures, secret.

    Attributes:
        totals: of counts and sums, (groups,), by place of the figure.
        places: of quantiles, which point of its grid each row's value is, (n,).
        present: of quantiles, which rows count, (n,).
        codes: (n,) which group a row is in; None: all are one.
    """

    totals: Mapping[int, SecretArray]
    places: Mapping[int, SecretArray]
    present: Mapping[int, SecretBits]
    codes: SecretArray | None


@dataclass(frozen=True)
class Priced:
    """A query's figures, with what is public of their noise.

    Attributes:
        figures: in order; with a minimum rows are counted first.
        size: groups.
        rows: the most rows that one person has.
        places: the most rows there can be.
        minimum: least noised count that is shown; None: all are.
        noise: of all figures together.
        ends: of sums of what is computed on shares, within what each summand lies there; others by their own bounds.
    """

    figures: tuple[Figure, ...]
    size: int
    rows: int
    places: int
    minimum: int | None
    noise: Mechanism
    ends: Mapping[int, tuple[Fraction, Fraction]]

    @property
    def events(self) -> tuple[tuple[Event, ...], ...]:
        """What each figure is charged as: one event, or of a quantile one for each step. Raises what release raises."""
        each = self.noise.split(len(self.figures))
        return tuple(self._events(k, figure, each) for k, figure in enumerate(self.figures))

    def _events(self, k: int, figure: Figure, each: Mechanism) -> tuple[Event, ...]:
        shape = (self.size,)
        if isinstance(figure, Ranked):
            steps = figure.grid.steps
            change = sensitivity_of(0, 1, rows=self.rows)
            return (event_for(shape, 0, each.split(steps), change, self.places),) * steps
        if isinstance(figure, Summed):
            low, high = self.ends.get(k) or (figure.of.type.low, figure.of.type.high)
            assert low is not None and high is not None
            most = self.places * max(abs(low), abs(high))
            change = Sensitivity(((max(abs(low), abs(high)), self.rows),))
            return (event_for(shape, FRAC if figure.of.type.kind == "real" else 0, each, change, most),)
        rows = min(self.rows, self.size) if isinstance(figure, People) else self.rows  # one key is one person
        return (event_for(shape, 0, each, sensitivity_of(0, 1, rows=rows), self.places),)

    def described(self) -> tuple[Description, ...]:
        """The sealed answers to come."""
        shape, gated = (self.size,), self.minimum is not None
        found = []
        for figure, events in zip(self.figures, self.events, strict=True):
            if isinstance(figure, Ranked):
                found.append(Description("derived", (Slot(shape),), events))
            else:
                found.append(described(shape, events[0].frac, events, gated=gated))
        return tuple(found)

    async def seal(self, party: Party, raw: Raw, *, unsafe_exact: bool = False) -> list[Sealed]:
        """The sealed answers, in order. Rounds: those of noise; then those of the quantiles' searches, one by one."""
        noised: dict[int, SecretArray] = {}
        shown: SecretBits | None = None
        sealed: dict[int, Sealed] = {}
        events = self.events

        def noise(x: SecretArray, event: Event) -> SecretArray:
            return x if unsafe_exact else with_noise(party, x, event, None)

        for k, total in raw.totals.items():
            await total
            noised[k] = noise(total, events[k][0])
        if self.minimum is not None:
            shown = Gate.of(MinimumGroup(self.minimum), raw.totals[0]).flags(noised[0])
        for k, x in noised.items():
            sealed[k] = seal_figures(party, x, events[k], shown)
        for k, figure in enumerate(self.figures):
            if isinstance(figure, Ranked):
                counted = noised[counted_for(self.figures, figure)]
                found = await self._search(party, k, figure, raw, counted, events[k], unsafe_exact)
                sealed[k] = await seal_derived(party, found if shown is None else found * shown, events[k])
        return [sealed[k] for k in range(len(self.figures))]

    async def _search(
        self,
        party: Party,
        k: int,
        figure: Ranked,
        raw: Raw,
        counted: SecretArray,
        events: Sequence[Event],
        unsafe_exact: bool,
    ) -> SecretArray:
        """A minimum has more rows at or below it than noise makes of none; a maximum so many fewer above it."""
        event, steps = events[0], iter(events)
        beyond = 1 if unsafe_exact else max(1, math.ceil(event.law.half_width()))

        def noised(counts: SecretArray) -> SecretArray:
            one = next(steps)
            return counts if unsafe_exact else with_noise(party, counts, one, None)

        def reached(counts: SecretArray) -> SecretBits:
            if figure.what == "min":
                return counts >= beyond
            if figure.what == "max":
                return counts > counted - beyond
            return counts * figure.q.denominator >= counted * figure.q.numerator

        return await search(
            party, raw.places[k], raw.present[k], reached,
            points=figure.grid.points, noised=noised, codes=raw.codes, groups=self.size,
        )  # fmt: skip


def counted_for(figures: Sequence[Figure], ranked: Ranked) -> int:
    """The place of the figure that counts the rows a quantile is of."""
    return figures.index(Counted(ranked.of if ranked.of.type.nullable else None))
