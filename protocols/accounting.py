"""What a release costs: the exact divergence of the noise as it is sampled. Pure.

Every node finds it for itself before it takes part.

An :class:`Event` is one release: which noise, what a person can change, how many figures. It is a frozen value that can
be stored, read back and composed with others (composition.py).
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Any

from mpc.errors import UsageError
from protocols import mechanisms
from protocols.errors import DeltaInvalid, EventInvalid, PrecisionTooLow
from protocols.exact import check_epsilon, is_whole
from protocols.law import Law
from protocols.mechanisms import Mechanism
from protocols.sensitivity import Change

__all__ = ["DELTA_LIMIT", "Event", "Promise", "check_event", "delta_at"]

DELTA_LIMIT = Fraction(1, 1 << 40)
"""The most by which one release may miss what its mechanism promises."""

_KINDS = ("Binomial", "DiscreteGaussian", "DiscreteLaplace", "RoundedGaussian")
_MOST = 1 << 96  # steps of the grid, or figures: far above what the ring has; of more a law takes for ever to find
_MOST_COLUMNS = 1 << 16


@dataclass(frozen=True)
class Event:
    """One release.

    Attributes:
        mechanism: kind of noise, and how much.
        change: all one person can change, in steps of the grid.
        coordinates: how many figures.
        frac: fractional bits of their grid. numpy's integers become Python's, which are exact and can be stored.
    """

    mechanism: Mechanism
    change: Change
    coordinates: int = 1
    frac: int = 0

    def __post_init__(self) -> None:
        for name in ("coordinates", "frac"):
            object.__setattr__(self, name, int(getattr(self, name)))

    @functools.cached_property
    def law(self) -> Law:
        """The law of the noise on each figure."""
        return self.mechanism.law(self.change, self.coordinates, self.frac)

    @property
    def standard_error(self) -> float:
        """Standard deviation of the noise on each figure, in the figures' unit."""
        return self.law.standard_deviation / (1 << self.frac)

    def half_width(self, confidence: float = 0.95) -> float:
        """The noise on a figure lies within plus or minus this, in the figures' unit."""
        return self.law.half_width(confidence) / (1 << self.frac)

    @functools.cached_property
    def promise(self) -> tuple[Fraction, Fraction]:
        """(epsilon, delta) as asked, or as follows from sigma."""
        return self.mechanism.promise(self.change, self.coordinates, self.frac)

    @property
    def delta(self) -> Fraction:
        """At most the delta at the promise's epsilon, finite precision and all."""
        return delta_at(self, self.promise[0])

    @property
    def distance(self) -> Fraction:
        """How far all the noise together is from its ideal law, at most."""
        return self.coordinates * self.law.distance

    def to_json(self) -> str:
        """As text. What is stored is what was asked, and a fingerprint of the law it led to."""
        m = self.mechanism
        return json.dumps(
            {
                "mechanism": type(m).__name__,
                **{f.name: getattr(m, f.name) for f in fields(m)},  # type: ignore[arg-type]
                "columns": list(self.change.columns),
                "spread": self.change.spread,
                "coordinates": self.coordinates,
                "frac": self.frac,
                "law": self.law.digest(),
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Event:
        """The event stored, or EventInvalid if it is none, or if its law would be another one today."""
        try:
            event, digest = cls._read(json.loads(text))
            found = event.law.digest()
        except EventInvalid:
            raise
        except (ArithmeticError, AttributeError, KeyError, RecursionError, TypeError, ValueError, UsageError) as error:
            raise EventInvalid(f"not an event: {type(error).__name__}") from None
        if found != digest:
            raise EventInvalid(f"{event!r}: its noise would be drawn by another law today; charge what was stored then")
        return event

    @classmethod
    def _read(cls, stored: dict[str, Any]) -> tuple[Event, str]:
        kind, digest = stored.pop("mechanism"), stored.pop("law")
        columns, spread = tuple(stored.pop("columns")), stored.pop("spread")
        coordinates, frac = stored.pop("coordinates"), stored.pop("frac")
        whole = all(is_whole(c) and 0 < c < _MOST for c in (*columns, coordinates))
        whole = whole and len(columns) <= _MOST_COLUMNS and is_whole(frac) and 0 <= frac <= 40
        if kind not in _KINDS or not columns or not whole or not isinstance(spread, bool):
            raise EventInvalid(f"not an event: mechanism {str(kind)[:40]!r}, {len(columns)} columns")
        return cls(getattr(mechanisms, kind)(**stored), Change(columns, spread), coordinates, frac), digest


@dataclass(frozen=True)
class Promise:
    """Something that keeps (epsilon, delta), and of which nothing else is known: dummies in a join.

    Raises EpsilonInvalid, DeltaInvalid.
    """

    epsilon: float
    within: float

    def __post_init__(self) -> None:
        check_epsilon(self.epsilon)
        if not 0 <= self.within < 1:  # NaN too; 0, and below 2^-40, is what pure noise of finite precision has
            raise DeltaInvalid(f"delta {self.within!r}: a number from 0 to below 1")

    @property
    def promise(self) -> tuple[Fraction, Fraction]:
        """(epsilon, delta), exactly."""
        return Fraction(self.epsilon), Fraction(self.within)

    @property
    def delta(self) -> Fraction:
        """At the promise's epsilon."""
        return Fraction(self.within)


@functools.lru_cache(1024)  # the same release is made again and again
def delta_at(event: Event, epsilon: Fraction) -> Fraction:
    """At most the delta of this release at an epsilon from the promised one up, finite precision and all."""
    return event.mechanism.delta_at(event.law, event.change, event.coordinates, event.frac, epsilon)


def check_event(event: Event) -> Event:
    """The event, or PrecisionTooLow where what is sampled misses what is promised by more than 2^-40 in delta."""
    epsilon, promised = event.promise
    excess = event.delta - promised
    if excess > DELTA_LIMIT:
        raise PrecisionTooLow(
            f"{event.mechanism!r} in {event.coordinates} figures, as it would be sampled, has a delta of "
            f"{float(event.delta):.4g} at epsilon {float(epsilon):g}, {float(excess):.3g} too much; the limit is "
            "2^-40: ask for fewer figures at once, or for a smaller epsilon"
        )
    return event
