"""What comes out of a release: figures with their noise, how far off they may be, and what they cost. Pure.

Made of what was opened and of what is public alone, so whoever holds the opened words makes the same of them: a
receiver in the run (release.py), or a member who rebuilt them from sealed shares later (sealed_share.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from mpc.errors import OutOfRange, WrongType
from protocols.accounting import Event
from protocols.exact import round_up
from protocols.law import Law
from protocols.mechanisms import Mechanism

__all__ = ["Charged", "Reals", "Released", "charge", "interval", "noised", "quotient", "total_cost", "total_epsilon"]

Reals = npt.NDArray[Any]


@dataclass(frozen=True)
class Released:
    """What one release gave. At parties that are not receivers ``values``, ``interval95`` and ``shown`` are None.

    Attributes:
        values: the noised figures, in the figures' unit; 0 where not shown.
        standard_error: of each figure's noise: exact standard deviation of the law sampled, or, for a mean,
            estimated from the values released. The clipping of the values before is not in it.
        interval95: lower and upper ends that hold the figure without noise with a probability of 95% each; NaN where
            not shown. With a minimum that looks at the figure itself, those just above it are rather too high: the 95%
            are of all, before some are hidden.
        shown: False where the group was too small; None without a minimum.
        epsilon: charged for this release, the minimum's part included; rounded up to a float.
        delta: likewise; for discrete Laplace noise what finite precision costs, below 2^-40 for each part.
        sensitivity: L1, as it holds on the grid, in the figures' unit.
        events: what is charged, exactly: one for each part of the noise, that on the figures first. To be stored.
        parts: for a figure made of other releases, those.
    """

    values: Reals | None
    standard_error: float | Reals | None
    interval95: tuple[Reals, Reals] | None
    shown: npt.NDArray[np.bool_] | None
    epsilon: float
    delta: float
    sensitivity: float
    events: tuple[Event, ...] = field(repr=False)
    parts: tuple[Released, ...] = ()

    @property
    def mechanism(self) -> tuple[Mechanism, ...]:
        """Of each part of the noise."""
        return tuple(event.mechanism for event in self.events)

    @property
    def law(self) -> Law | None:
        """The exact law of the noise on the figures, in steps of their grid; None for a figure of several releases."""
        return None if self.parts else self.events[0].law

    def half_width(self, confidence: float = 0.95) -> float:
        """The noise on each figure lies within plus or minus this with the probability given; 0 < confidence < 1."""
        if self.law is None:
            raise WrongType("a figure made of several releases has no single law: ask its parts")
        if not 0 < confidence < 1:
            raise OutOfRange(f"confidence {confidence!r}: between 0 and 1")
        return self.law.half_width(confidence) / (1 << self.events[0].frac)


class Charged(Protocol):
    """What was released, and what it is charged as."""

    @property
    def events(self) -> tuple[Event, ...]: ...


def total_epsilon(*released: Charged) -> float:
    """What several releases cost together by simple composition: the sum, exact, then rounded up to a float."""
    return round_up(charge([event for r in released for event in r.events])[0])


def total_cost(*released: Charged, delta: float) -> float:
    """The epsilon that several releases keep together at this delta, by their exact privacy loss: below their sum.

    See composition.composed_epsilon. Raises DeltaInvalid.
    """
    from protocols.composition import composed_epsilon

    return composed_epsilon((event for r in released for event in r.events), delta)


def charge(events: Sequence[Event]) -> tuple[Fraction, Fraction]:
    """(epsilon, delta) summed up; a delta is what is promised, or what finite precision makes of it if that is more."""
    epsilon = sum((event.promise[0] for event in events), Fraction(0))
    return epsilon, sum((max(event.promise[1], event.delta) for event in events), Fraction(0))


def noised(events: tuple[Event, ...], values: Reals | None, shown: npt.NDArray[np.bool_] | None) -> Released:
    """Of figures as they were opened, 0 where not shown; None elsewhere. ``events``: of their noise, then the rest."""
    epsilon, delta = charge(events)
    event = events[0]
    return Released(
        values=values,
        standard_error=event.standard_error,
        interval95=None if values is None else interval(values, event.half_width(), shown),
        shown=shown,
        epsilon=round_up(epsilon),
        delta=round_up(delta),
        sensitivity=event.change.l1 / (1 << event.frac),
        events=events,
    )


def interval(values: Reals, half: float, shown: npt.NDArray[np.bool_] | None = None) -> tuple[Reals, Reals]:
    """values - half and values + half; NaN where not shown."""
    centre = values if shown is None else np.where(shown, values, np.nan)
    return centre - half, centre + half


def quotient(
    total: Released, count: Released, centre: Any, low: Any, high: Any, over: tuple[Any, ...] = ()
) -> Released:
    """Means, from totals of distances from ``centre`` and counts: what means.release_mean says of them.

    ``over``: how a count is indexed to stand beside its totals. Bounds and centre: numbers, or one a column.
    """
    common: dict[str, Any] = {
        "shown": count.shown,
        "epsilon": total_epsilon(total, count),
        "delta": round_up(Fraction(total.delta) + Fraction(count.delta)),
        "sensitivity": total.sensitivity,
        "events": total.events + count.events,
        "parts": (total, count),
    }
    if total.values is None or count.values is None:
        return Released(values=None, standard_error=None, interval95=None, **common)
    seen = np.bool_(True) if count.shown is None else count.shown
    s_low, s_high = interval(total.values, total.half_width(0.975))
    counted = np.asarray(count.values)[over]
    n_low, n_high = interval(counted, count.half_width(0.975))
    known = n_low > 0
    n = np.where(known, counted, 1).astype(np.float64)
    shift = total.values / n
    errors = np.hypot(np.asarray(total.standard_error), shift * np.asarray(count.standard_error)) / n
    ends_low = centre + np.minimum(s_low / np.where(known, n_low, 1), s_low / np.where(known, n_high, 1))
    ends_high = centre + np.maximum(s_high / np.where(known, n_low, 1), s_high / np.where(known, n_high, 1))

    def of(where_known: Any, elsewhere: Any) -> Any:
        return np.where(seen, np.where(known, where_known, elsewhere), np.nan)

    return Released(
        values=of(np.clip(centre + shift, low, high), centre),
        standard_error=of(np.minimum(errors, (high - low) / 2), (high - low) / 2),
        interval95=(of(np.clip(ends_low, low, high), low), of(np.clip(ends_high, low, high), high)),
        **common,
    )
