"""The only door: noise, the minimum group size, then opening to the result parties; and one without noise, deliver.

What comes out of a release is the value with noise that no party knows, its standard error and an interval. It is
charged at the epsilon and delta of its mechanism. Charges of several releases add up (total_epsilon); tighter is the
account of their events (total_cost).

A release is a seal (sealed.py), which puts the noise on, and an opening; a sealed answer can be opened elsewhere, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from mpc.errors import UnknownParty
from mpc.party import Party
from mpc.secret import Secret
from protocols.description import Opened
from protocols.mechanisms import Mechanism
from protocols.minimum import MinimumGroup
from protocols.released import Charged, Reals, Released, total_cost, total_epsilon
from protocols.sealed import check_mechanism, seal, seal_delivery, seal_derived
from protocols.sensitivity import Sensitivity
from protocols.stock import NoiseStock

__all__ = [
    "Charged",
    "MinimumGroup",
    "Released",
    "check_mechanism",
    "deliver",
    "open_derived",
    "receivers_of",
    "release",
    "total_cost",
    "total_epsilon",
]


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
    receivers = receivers_of(party, to)
    sealed = await seal(
        party, figures, mechanism, sensitivity=sensitivity, minimum=minimum, magnitude=magnitude, stock=stock
    )
    opened = await sealed.reveal(receivers)
    assert isinstance(opened, Released)
    return opened


async def deliver(party: Party, values: Secret, *, to: int) -> npt.NDArray[Any] | None:
    """Open values to one party as they are, WITHOUT noise: predictions to whom they are for. None at the others.

    No release: it has no epsilon and is charged nowhere, so nothing bounds what many of them tell, of a model or of
    rows. Who may receive what, and how much, has to be agreed by name beforehand (inquiry.Terms). A number that was
    truncated tells its receiver how it was rounded, too (docs/leakage.md).

    Rounds: 1. Sends: t elements to the receiver. Leaks: the values, to it. Raises WrongType, UnknownParty before
    anything is sent.
    """
    receiver = party.check_index(to, "receiver")
    return _values(await (await seal_delivery(party, values)).reveal([receiver]))


async def open_derived(party: Party, derived: Secret, to: Sequence[int] | int) -> Reals | None:
    """Open what was computed of noised figures and public numbers alone; None at others. What the noise cost is all.

    Post-processing: that nothing else went in is the caller's promise.
    """
    receivers = receivers_of(party, to)
    return _values(await (await seal_derived(party, derived)).reveal(receivers))


def _values(opened: Opened) -> Reals | None:
    assert not isinstance(opened, Released)
    return opened


def receivers_of(party: Party, to: Any) -> list[int]:
    """The result parties as a sorted list, or UnknownParty."""
    receivers = list(to) if isinstance(to, Iterable) else [to]
    if not receivers:
        raise UnknownParty("a release needs at least one result party")
    return sorted({party.check_index(int(r) if isinstance(r, np.integer) else r, "result party") for r in receivers})
