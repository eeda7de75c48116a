"""The only door: noise, the minimum group size, then opening to the result parties; and one without noise, deliver.

What comes out of a release is the value with noise that no party knows, its standard error and an interval. It is
charged at the epsilon and delta of its mechanism. Charges of several releases add up (total_epsilon); tighter is the
account of their events (total_cost).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from mpc.arrays import SecretArray, SecretBits
from mpc.encoding import LIMIT
from mpc.errors import OutOfRange, ShapePending, UnknownParty, WrongType
from mpc.party import Party
from mpc.secret import Secret
from protocols.accounting import Event, check_event
from protocols.errors import GridOverflow
from protocols.exact import as_exact, round_up
from protocols.law import Law
from protocols.mechanisms import Mechanism
from protocols.minimum import Gate, MinimumGroup, check_minimum
from protocols.noise import sample
from protocols.sensitivity import Sensitivity, grid_change
from protocols.stock import NoiseStock

__all__ = [
    "Charged",
    "MinimumGroup",
    "Released",
    "check_mechanism",
    "deliver",
    "event_of",
    "interval",
    "noise_of",
    "open_derived",
    "open_noised",
    "receivers_of",
    "release",
    "total_cost",
    "total_epsilon",
    "with_noise",
]

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
    return round_up(_charge([event for r in released for event in r.events])[0])


def total_cost(*released: Charged, delta: float) -> float:
    """The epsilon that several releases keep together at this delta, by their exact privacy loss: below their sum.

    See composition.composed_epsilon. Raises DeltaInvalid.
    """
    from protocols.composition import composed_epsilon

    return composed_epsilon((event for r in released for event in r.events), delta)


def _charge(events: Sequence[Event]) -> tuple[Fraction, Fraction]:
    """(epsilon, delta) summed up; a delta is what is promised, or what finite precision makes of it if that is more."""
    epsilon = sum((event.promise[0] for event in events), Fraction(0))
    return epsilon, sum((max(event.promise[1], event.delta) for event in events), Fraction(0))


# -- the door ----------------------------------------------------------------------------------


async def release(
    party: Party,
    figures: Secret,
    mechanism: Mechanism,
    *,
    sensitivity: float | Fraction | Sensitivity,
    to: Sequence[int] | int,
    minimum: MinimumGroup | None = None,
    magnitude: float | Fraction | None = None,
    stock: NoiseStock | None = None,
) -> Released:
    """Open figures with noise to the result parties.

    Args:
        figures: integers or fixed point; the grid of the noise is theirs.
        mechanism: kind of noise and how much it protects, for all the figures together.
        sensitivity: L1, in the figures' unit: the most by which one person can change all of them together (sum of the
            absolute changes). It is a promise of the caller: clip first. A plain number is rounded up to the grid once,
            as is right for counts and for one value; for several rows or columns of reals give
            aggregate.sensitivity_of, which rounds each value up, and whose columns Gaussian noise takes one by one
            (its sensitivity is the root of the sum of squares). Both hold for sums of clipped values and for products
            with 0/1 only: a figure that was divided, or is a product of reals, was rounded as a whole.
        to: the result parties.
        minimum: suppress small groups.
        magnitude: public bound on the absolute figures, if known: the check that value and noise fit is then exact.
        stock: noise drawn beforehand; where it has not enough of the law, noise is drawn now.

    Rounds: noise.sample (while the figures are still computed, if shape and type are known), 0 from stock; opening 1; a
    minimum adds 9. Sends: noise.sample, and t elements a figure to each receiver. Leaks: to the receivers the noised
    figures; with a minimum, which groups fell below it, under noise. To others nothing. Nobody learns the noise, or the
    noisy count of a suppressed group.
    Raises EpsilonInvalid, DeltaInvalid, SigmaInvalid, SensitivityInvalid, MechanismUnfit, GridOverflow,
    PrecisionTooLow, UnknownParty, OutOfRange, ShapeMismatch before any noise is drawn.

    1. Find the law on the figures' grid, its exact delta; refuse.                          (local)
    2. Sample the noise, or take it from stock, and add it.                                 (9 rounds for Laplace, or 0)
    3. With a minimum: compare the noisy counts, and multiply by the answer.                (6 + 2 + 1 rounds)
    4. Open to the receivers.                                                               (1 round)
    """
    if not isinstance(figures, SecretArray):
        way = "; totals of bits are .sum(), each by itself .to_array()" if isinstance(figures, SecretBits) else ""
        raise WrongType(f"release takes a SecretArray, not {type(figures).__name__}{way}")
    check_mechanism(mechanism)
    check_minimum(minimum)
    if stock is not None and not isinstance(stock, NoiseStock):
        raise WrongType(f"stock {stock!r}: what NoiseStock.open gives, not the store")
    receivers = receivers_of(party, to)
    event = await event_of(figures, mechanism, sensitivity, magnitude)
    if minimum is not None and minimum.counts is not None:
        await minimum.counts
    gate = None if minimum is None else Gate.of(minimum, figures)

    noised = with_noise(party, figures, event, stock)
    shown: SecretBits | None = None
    if gate is not None:
        own = None if gate.counts is None or gate.event is None else with_noise(party, gate.counts, gate.event, stock)
        shown = gate.flags(noised if own is None else own)
    events = (event,) if gate is None or gate.event is None else (event, gate.event)
    return await open_noised(party, noised, events, receivers, shown)


async def deliver(party: Party, values: Secret, *, to: int) -> npt.NDArray[Any] | None:
    """Open values to one party as they are, WITHOUT noise: predictions to whom they are for. None at the others.

    No release: it has no epsilon and is charged nowhere, so nothing bounds what many of them tell, of a model or of
    rows. Who may receive what, and how much, has to be agreed by name beforehand (inquiry.Terms). A number that was
    truncated tells its receiver how it was rounded, too (docs/leakage.md).

    Rounds: 1. Sends: t elements to the receiver. Leaks: the values, to it. Raises WrongType, UnknownParty before
    anything is sent.
    """
    if not isinstance(values, Secret):
        raise WrongType(f"deliver takes secrets, not {type(values).__name__}")
    opened: npt.NDArray[Any] | None = await party.reveal(values, party.check_index(to, "receiver"))
    return opened


# The steps of the door, for those who need several figures to go through it together (means.py).


async def event_of(
    figures: SecretArray,
    mechanism: Mechanism,
    sensitivity: float | Fraction | Sensitivity,
    magnitude: float | Fraction | None = None,
) -> Event:
    """What releasing these figures is charged as; refuses what release refuses. Nothing is drawn yet."""
    try:
        _ = figures.shape, figures.frac
    except ShapePending:
        await figures
    frac, size = figures.frac, max(1, figures.size)
    event = check_event(Event(mechanism, grid_change(sensitivity, frac, size), size, frac))
    _check_room(event.law, magnitude, frac)
    return event


def with_noise(party: Party, figures: SecretArray, event: Event, stock: NoiseStock | None) -> SecretArray:
    """[figures + noise], from stock if it has enough."""
    return figures + noise_of(party, event, figures.shape, stock)


def noise_of(party: Party, event: Event, shape: tuple[int, ...], stock: NoiseStock | None) -> SecretArray:
    """Samples of an event's law on its grid, from stock if it has enough."""
    if stock is not None and stock.left(event.law) >= math.prod(shape):
        return stock.take(event.law, shape, frac=event.frac)
    return sample(party, event.law, shape, frac=event.frac)


async def open_derived(party: Party, derived: Secret, to: Sequence[int] | int) -> Reals | None:
    """Open what was computed of noised figures and public numbers alone; None at others. What the noise cost is all.

    Post-processing: that nothing else went in is the caller's promise.
    """
    opened: Reals | None = await party.reveal(derived, receivers_of(party, to))
    return opened


async def open_noised(
    party: Party, noised: SecretArray, events: tuple[Event, ...], receivers: list[int], shown: SecretBits | None
) -> Released:
    """Open what has its noise, 0 where not shown. ``events``: that of the noise first, then what else it cost."""
    opened = party.reveal(noised if shown is None else noised * shown, receivers)
    flags = None if shown is None else party.reveal(shown, receivers)
    values = await opened
    seen = None if flags is None else await flags
    epsilon, delta = _charge(events)
    law, step = events[0].law, 1.0 / (1 << events[0].frac)
    return Released(
        values=values,
        standard_error=law.standard_deviation * step,
        interval95=None if values is None else interval(values, law.half_width() * step, seen),
        shown=seen,
        epsilon=round_up(epsilon),
        delta=round_up(delta),
        sensitivity=events[0].change.l1 * step,
        events=events,
    )


def check_mechanism(mechanism: Any) -> None:
    """WrongType unless it is a mechanism."""
    if not isinstance(mechanism, Mechanism):
        raise WrongType(f"mechanism {mechanism!r}: must be one of protocols.mechanisms, such as DiscreteLaplace(1.0)")


def receivers_of(party: Party, to: Any) -> list[int]:
    """The result parties as a sorted list, or UnknownParty."""
    receivers = list(to) if isinstance(to, Iterable) else [to]
    if not receivers:
        raise UnknownParty("a release needs at least one result party")
    return sorted({party.check_index(int(r) if isinstance(r, np.integer) else r, "result party") for r in receivers})


def _check_room(law: Law, magnitude: float | Fraction | None, frac: int) -> None:
    """GridOverflow if value and noise could leave the ring's range."""
    room = LIMIT - law.reach
    if magnitude is None:
        return  # the law itself leaves room for 2^61 steps
    most = as_exact(magnitude)
    if most is None or most < 0:
        raise OutOfRange(f"magnitude {magnitude!r}: a finite number, not negative")
    if math.ceil(most * (1 << frac)) >= room:
        raise GridOverflow(
            f"figures up to {magnitude} with noise up to {law.reach / (1 << frac):g} leave the range of "
            f"{frac} fractional bits: use fewer of them, or a larger epsilon"
        )


def interval(values: Reals, half: float, shown: npt.NDArray[np.bool_] | None = None) -> tuple[Reals, Reals]:
    """values - half and values + half; NaN where not shown."""
    centre = values if shown is None else np.where(shown, values, np.nan)
    return centre - half, centre + half
