"""A sealed answer: figures with their noise on them, still shared. Who opens them, and whether, is decided later.

    sealed = await seal(party, totals.counts, DiscreteLaplace(1.0), sensitivity=1, minimum=MinimumGroup(20))
    await sealed.reveal([0])                 # in this run: what release does
    share = await sealed.share()             # or: plain arrays, for a member who may not compute at all

Whatever is sealed has its noise, or is computed of what has; but for seal_delivery, the twin of release.deliver. So the
shares of t + 1 parties open what a release would have opened, and no more: sealed_share.open_sealed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from mpc.arrays import SecretArray, SecretBits
from mpc.encoding import LIMIT
from mpc.errors import OutOfRange, ShapeMismatch, ShapePending, WrongType
from mpc.exchange import refresh
from mpc.party import Party
from mpc.secret import Secret
from mpc.shapes import broadcast_to
from protocols.accounting import Event, check_event
from protocols.description import Description, Opened, Slot
from protocols.errors import GridOverflow
from protocols.exact import as_exact
from protocols.law import Law
from protocols.mechanisms import Mechanism
from protocols.minimum import Gate, MinimumGroup, check_minimum
from protocols.noise import sample
from protocols.sealed_share import SealedShare, Words
from protocols.sensitivity import Sensitivity, grid_change
from protocols.stock import NoiseStock

__all__ = [
    "Sealed", "check_mechanism", "check_stock", "described", "event_for", "event_of", "noise_of", "seal",
    "seal_delivery", "seal_derived", "seal_figures", "with_noise",
]  # fmt: skip


@dataclass(frozen=True, repr=False)
class Sealed:
    """One party's part of an answer. Made by the ``seal`` functions only: they put the noise on.

    Attributes:
        description: all that is public of it.
        secrets: the arrays of its slots.
    """

    party: Party
    description: Description
    secrets: tuple[Secret, ...]

    def __repr__(self) -> str:
        return f"<Sealed {self.description.kind}, party {self.party.index}>"

    @property
    def shown(self) -> SecretBits | None:
        """Which figures are shown; None without a minimum."""
        last = self.secrets[-1]
        gated = self.description.kind in ("figures", "mean")
        return last if gated and isinstance(last, SecretBits) else None

    async def reveal(self, receivers: Sequence[int]) -> Opened:
        """Open it in this run, to the parties given. Rounds: 1. Sends: t elements a figure to each receiver."""
        opening = [self.party.reveal(x, receivers) for x in self.secrets]
        return self.description.read([await x for x in opening])

    async def share(self) -> SealedShare:
        """What this party holds of it, as plain arrays, to be given to whoever shall open it; all parties call it.

        The components are drawn afresh: who gets those of all parties learns what a reveal would have told, and
        nothing of how it was computed. Rounds: 1. Sends: t + 1 dealers m-t-1 elements a figure. Leaks nothing.
        """
        for x in self.secrets:
            await x
        party, parts = self.party, []
        for x in self.secrets:
            boolean = isinstance(x, SecretBits)
            words = _tidy(x) if isinstance(x, SecretBits) else x.share  # type: ignore[attr-defined]
            fresh = party.launch("seal", lambda w=words, b=boolean: refresh(party, w, boolean=b))  # type: ignore[misc]
            parts.append(fresh)
        arrays = tuple([(await part.result()).reshape(party.layout.k, -1) for part in parts])
        return SealedShare(party.m, party.t, party.index, self.description.digest, arrays)


def _tidy(x: SecretBits) -> Words:
    """Packed components whose bits beyond the last one are 0."""
    words = x.words.copy()
    if x.size % 64:
        words[:, -1] &= np.uint64((1 << (x.size % 64)) - 1)
    return words


async def seal(
    party: Party,
    figures: Secret,
    mechanism: Mechanism,
    *,
    sensitivity: float | Fraction | Sensitivity,
    minimum: MinimumGroup | None = None,
    hidden_as: Sealed | None = None,
    magnitude: float | Fraction | None = None,
    stock: NoiseStock | None = None,
) -> Sealed:
    """Figures with noise and, with a minimum, which of them are shown; the others become 0. All of release but opening.

    Args:
        hidden_as: noised figures by group, sealed with a minimum: the groups that it hides, on the last axis, are
            hidden here too. It costs nothing, as what decides is noised already. Not beside ``minimum``.
        others: as for release.

    Rounds, sends: release, less the opening. Leaks nothing. Raises what release raises, UnknownParty excepted.

    1. Find the law on the figures' grid, its exact delta; refuse.                          (local)
    2. Sample the noise, or take it from stock, and add it.                                 (9 rounds for Laplace, or 0)
    3. With a minimum: compare the noisy counts, and multiply by the answer.                (6 + 2 + 1 rounds)
    """
    if not isinstance(figures, SecretArray):
        way = "; totals of bits are .sum(), each by itself .to_array()" if isinstance(figures, SecretBits) else ""
        raise WrongType(f"release takes a SecretArray, not {type(figures).__name__}{way}")
    check_mechanism(mechanism)
    check_minimum(minimum)
    check_stock(stock)
    event = await event_of(figures, mechanism, sensitivity, magnitude)
    if minimum is not None and minimum.counts is not None:
        await minimum.counts
    gate = None if minimum is None else Gate.of(minimum, figures)
    flags = None if hidden_as is None else _flags_of(hidden_as, figures, minimum)

    noised = with_noise(party, figures, event, stock)
    if gate is not None:
        own = None if gate.counts is None or gate.event is None else with_noise(party, gate.counts, gate.event, stock)
        flags = gate.flags(noised if own is None else own)
    events = (event,) if gate is None or gate.event is None else (event, gate.event)
    return seal_figures(party, noised, events, flags)


def _flags_of(other: Sealed, figures: SecretArray, minimum: MinimumGroup | None) -> SecretBits:
    given: Any = other
    shown = other.shown if isinstance(given, Sealed) else None
    if shown is None or minimum is not None:
        raise WrongType("hidden_as: noised figures that were sealed with a minimum, and no other minimum beside it")
    if shown.ndim != 1 or shown.shape != figures.shape[-1:]:
        raise ShapeMismatch(f"hidden_as: flags of shape {shown.shape} for figures of shape {figures.shape}")
    flags: SecretBits = shown if figures.ndim == 1 else broadcast_to(shown, figures.shape)
    return flags


async def seal_derived(party: Party, derived: Secret, events: Sequence[Event] = ()) -> Sealed:
    """What was computed of noised figures and public numbers alone. That nothing else went in is the caller's promise.

    Args:
        events: what the noise in it is charged as, where it is not charged with another answer.
    """
    await derived
    return Sealed(party, Description("derived", (_slot(derived),), tuple(events)), (derived,))


async def seal_delivery(party: Party, values: Secret) -> Sealed:
    """Values as they are, WITHOUT noise, for one member: see release.deliver, whose warning holds here too."""
    if not isinstance(values, Secret):
        raise WrongType(f"a delivery takes secrets, not {type(values).__name__}")
    await values
    return Sealed(party, Description("delivery", (_slot(values),)), (values,))


# The steps, for those who need several figures to go through the door together (means.py).


def seal_figures(
    party: Party, noised: SecretArray, events: tuple[Event, ...], shown: SecretBits | None = None
) -> Sealed:
    """What has its noise, 0 where not shown. ``events``: that of the noise first, then what else it cost."""
    description = described(noised.shape, events[0].frac, events, gated=shown is not None)
    return Sealed(party, description, (noised,) if shown is None else (noised * shown, shown))


def described(shape: tuple[int, ...], frac: int, events: tuple[Event, ...], *, gated: bool) -> Description:
    """Of figures of this shape on this grid; ``gated``: with flags that say which are shown. Pure."""
    flags = (Slot(shape, boolean=True),) if gated else ()
    return Description("figures", (Slot(shape, frac), *flags), events)


def event_for(
    shape: tuple[int, ...],
    frac: int,
    mechanism: Mechanism,
    sensitivity: float | Fraction | Sensitivity,
    magnitude: float | Fraction | None = None,
) -> Event:
    """What releasing figures of this shape on this grid is charged as; refuses what release refuses. Pure."""
    size = max(1, math.prod(shape))
    event = check_event(Event(mechanism, grid_change(sensitivity, frac, size), size, frac))
    _check_room(event.law, magnitude, frac)
    return event


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
    return event_for(figures.shape, figures.frac, mechanism, sensitivity, magnitude)


def with_noise(party: Party, figures: SecretArray, event: Event, stock: NoiseStock | None) -> SecretArray:
    """[figures + noise], from stock if it has enough."""
    return figures + noise_of(party, event, figures.shape, stock)


def noise_of(party: Party, event: Event, shape: tuple[int, ...], stock: NoiseStock | None) -> SecretArray:
    """Samples of an event's law on its grid, from stock if it has enough."""
    if stock is not None and stock.left(event.law) >= math.prod(shape):
        return stock.take(event.law, shape, frac=event.frac)
    return sample(party, event.law, shape, frac=event.frac)


def check_mechanism(mechanism: Any) -> None:
    """WrongType unless it is a mechanism."""
    if not isinstance(mechanism, Mechanism):
        raise WrongType(f"mechanism {mechanism!r}: must be one of protocols.mechanisms, such as DiscreteLaplace(1.0)")


def check_stock(stock: Any) -> None:
    """WrongType unless it is None or an open stock."""
    if stock is not None and not isinstance(stock, NoiseStock):
        raise WrongType(f"stock {stock!r}: what NoiseStock.open gives, not the store")


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


def _slot(x: Secret) -> Slot:
    return Slot(x.shape, boolean=True) if isinstance(x, SecretBits) else Slot(x.shape, getattr(x, "frac", 0))
