"""Means, from two noised figures: a noised sum divided by a noised count, after both have left by the door.

release_mean is seal_mean and an opening, release_column_means is seal_column_means and one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from mpc.arrays import SecretArray
from mpc.errors import OutOfRange, ShapeMismatch, WrongType
from mpc.party import Party
from protocols.accounting import Event, check_event
from protocols.description import Description, MeanScale, Opened, Slot
from protocols.exact import check_rows
from protocols.mechanisms import Mechanism
from protocols.minimum import Gate, MinimumGroup, check_minimum
from protocols.own_rows import check_bounds
from protocols.release import Released, receivers_of
from protocols.sealed import Sealed, check_mechanism, check_stock, event_for, with_noise
from protocols.sensitivity import Sensitivity, grid_change
from protocols.stock import NoiseStock

__all__ = [
    "column_bounds", "mean_described", "mean_events", "release_column_means", "release_mean", "seal_column_means",
    "seal_mean",
]  # fmt: skip


def mean_events(mechanism: Mechanism, low: float, high: float, *, frac: int, rows: int = 1) -> tuple[Event, Event]:
    """What release_mean charges for one mean, of a sum with so many fractional bits: to reserve before.

    Raises what release_mean raises for such a mechanism, bounds and rows. Pure.
    """
    check_rows(rows)
    check_mechanism(mechanism)
    half, (_, reach) = mechanism.split(2), _centre(check_bounds(low, high), frac)
    changes = (reach, frac), (Fraction(1), 0)
    total, count = (
        check_event(Event(half, grid_change(Sensitivity(((most, rows),)), bits, 1), 1, bits)) for most, bits in changes
    )
    return total, count


async def release_mean(
    party: Party,
    sums: SecretArray,
    counts: SecretArray,
    mechanism: Mechanism,
    *,
    low: float,
    high: float,
    to: Sequence[int] | int,
    rows: int = 1,
    minimum: MinimumGroup | None = None,
    stock: NoiseStock | None = None,
) -> Released:
    """Means of values clipped to [low, high]: a noised sum over a noised count, half of epsilon (and delta) for each.

    The sum released is that of the distances from the middle of the bounds, c = (low + high)/2, which one row changes
    by (high - low)/2 only, rounded up to the grid: mean = c + (noised sum of v - c) / (noised count). What follows the
    two releases is done by the receivers with what was released, and costs nothing. A flag changes the sum by 1/2.

    Args:
        sums: of the clipped values, of each group.
        counts: how many values each sum has, integers, of the same shape; a person is in one group.
        mechanism: kind of noise, and what both together cost.
        rows: most rows a person has.
        minimum: groups whose noisy count is below its size are suppressed, count and sum alike. The count is the one
            that is released anyway, so it costs nothing; MinimumGroup(size) and nothing else.
        stock: as for release.

    The standard error is that of a quotient to first order, sqrt(e_sum^2 + (mean - c)^2 e_count^2) / count. The
    interval is rigorous: sum and count lie in their 97.5% intervals with at least 95% together, and it spans all
    quotients of those. Estimates are cut to [low, high]. Where the noisy count may be 0, the estimate is c, the
    interval [low, high], the error (high - low)/2. Where a group is not shown, values, errors and interval are NaN.
    Rounds, bytes, errors: release, for both at once. Leaks: to the receivers the noised sum and count of groups shown,
    and which are not.
    """
    receivers = receivers_of(party, to)
    sealed = await seal_mean(
        party, sums, counts, mechanism, low=low, high=high, rows=rows, minimum=minimum, stock=stock
    )
    return _released(await sealed.reveal(receivers))


async def seal_mean(
    party: Party,
    sums: SecretArray,
    counts: SecretArray,
    mechanism: Mechanism,
    *,
    low: float,
    high: float,
    rows: int = 1,
    minimum: MinimumGroup | None = None,
    stock: NoiseStock | None = None,
) -> Sealed:
    """All of release_mean but opening: arguments, what it costs, errors are those."""
    check_mechanism(mechanism)
    for what, given in (("sums", sums), ("counts", counts)):
        if not isinstance(given, SecretArray):
            raise WrongType(f"{what} of a mean: a SecretArray, not {type(given).__name__}")
        await given
    if counts.frac:
        raise WrongType(f"counts of a mean with {counts.frac} fractional bits: pool integers, such as np.ones(n, int)")
    if sums.shape != counts.shape:
        raise ShapeMismatch(f"sums of shape {sums.shape} need counts of that shape, not {counts.shape}")
    check_stock(stock)
    description = mean_described(
        sums.shape, sums.frac, mechanism, low=low, high=high, rows=rows, gated=minimum is not None
    )
    gate = _gate(minimum, counts)
    if sums.frac < description.slots[0].frac:
        sums = SecretArray(sums.party, sums.share << np.uint64(1), 1)
    centre, _ = _centre(check_bounds(low, high), sums.frac)
    return _sealed(party, description, sums - _times(counts, centre, sums.frac), counts, gate, stock)


def mean_described(
    shape: tuple[int, ...],
    frac: int,
    mechanism: Mechanism,
    *,
    low: float,
    high: float,
    rows: int = 1,
    gated: bool = False,
) -> Description:
    """What seal_mean makes of sums of this shape with so many fractional bits; raises what it raises. Pure."""
    bounds = _apart(low, high)
    check_rows(rows)
    check_mechanism(mechanism)
    if not frac and (math.floor(bounds[0]) + math.ceil(bounds[1])) % 2:  # the middle of 0 and 1 is no integer
        frac = 1
    half, (centre, reach) = mechanism.split(2), _centre(bounds, frac)
    events = (
        event_for(shape, frac, half, Sensitivity(((reach, rows),))),
        event_for(shape, 0, half, Sensitivity(((Fraction(1), rows),))),
    )
    slots = (Slot(shape, frac), Slot(shape)) + ((Slot(shape, boolean=True),) if gated else ())
    return Description("mean", slots, events, MeanScale((float(centre),), (float(low),), (float(high),)))


async def release_column_means(
    party: Party,
    sums: SecretArray,
    counts: SecretArray,
    mechanism: Mechanism,
    *,
    low: float | Sequence[float],
    high: float | Sequence[float],
    to: Sequence[int] | int,
    change: float | Fraction | None = None,
    rows: int = 1,
    stock: NoiseStock | None = None,
) -> Released:
    """Means of d columns of the same rows, from their sums and *one* count of rows: release_mean, but for a row that is
    in all columns. Half of epsilon (and delta) for all the sums together, half for the counts.

    Args:
        sums: (d,), counts: (); or by group (groups, d) and (groups,), where a row is in one group. Counts are integers.
        low, high: bounds of a row's figures, for all columns or each of them.
        change: the most by which one row changes the sum of each column's figures, each less the middle of the bounds;
            None: (high - low)/2, as it is for clipped figures that each depend on their own row only.
        rows: most rows a person has.

    Values, errors and the interval of each mean, rounds, errors: release_mean. Leaks: the noised sums and counts to the
    receivers.
    """
    receivers = receivers_of(party, to)
    sealed = await seal_column_means(
        party, sums, counts, mechanism, low=low, high=high, change=change, rows=rows, stock=stock
    )
    return _released(await sealed.reveal(receivers))


async def seal_column_means(
    party: Party,
    sums: SecretArray,
    counts: SecretArray,
    mechanism: Mechanism,
    *,
    low: float | Sequence[float],
    high: float | Sequence[float],
    change: float | Fraction | None = None,
    rows: int = 1,
    stock: NoiseStock | None = None,
) -> Sealed:
    """All of release_column_means but opening: arguments, what it costs, errors are those."""
    check_rows(rows)
    check_mechanism(mechanism)
    for what, given in (("sums", sums), ("counts", counts)):
        if not isinstance(given, SecretArray):
            raise WrongType(f"{what} of means: a SecretArray, not {type(given).__name__}")
        await given
    if counts.frac:
        raise WrongType(f"counts of means with {counts.frac} fractional bits: pool integers, such as np.ones(n, int)")
    if not sums.shape or sums.shape[:-1] != counts.shape:
        raise ShapeMismatch(f"sums of shape {sums.shape} beside counts of shape {counts.shape}: (..., d) beside (...)")
    check_stock(stock)
    ends = column_bounds(low, high, sums.shape[-1])
    middles = [_centre(pair, sums.frac) for pair in ends]
    reaches = [reach if change is None else Fraction(change) for _, reach in middles]
    half = mechanism.split(2)
    events = (
        event_for(sums.shape, sums.frac, half, Sensitivity(tuple((b, rows) for b in reaches))),
        event_for(counts.shape, 0, half, Sensitivity(((Fraction(1), rows),))),
    )
    lows, highs = (tuple(float(pair[i]) for pair in ends) for i in (0, 1))
    scale = MeanScale(tuple(float(c) for c, _ in middles), lows, highs, columns=True)
    description = Description("mean", (Slot(sums.shape, sums.frac), Slot(counts.shape)), events, scale)
    steps = np.array([int(centre * (1 << sums.frac)) for centre, _ in middles]).view(np.uint64)
    centred = sums - SecretArray(counts.party, counts.share[..., None] * steps, sums.frac)
    return _sealed(party, description, centred, counts, None, stock)


def column_bounds(low: Any, high: Any, columns: int) -> list[tuple[Fraction, Fraction]]:
    """(low, high) of each column, exact, from bounds for all or for each; OutOfRange unless low < high."""
    for bound in (low, high):
        if np.shape(bound) not in ((), (columns,)):
            raise OutOfRange(f"bounds of shape {np.shape(bound)}: one for all columns, or {columns}")
    ends = [
        check_bounds(a, b) for a, b in zip(*(np.broadcast_to(np.asarray(x), columns) for x in (low, high)), strict=True)
    ]
    if any(a == b for a, b in ends):
        raise OutOfRange(f"bounds {low!r} to {high!r}: the lower one first, and not the same")
    return ends


def _apart(low: Any, high: Any) -> tuple[Fraction, Fraction]:
    """check_bounds, and not the same."""
    bounds = check_bounds(low, high)
    if bounds[0] == bounds[1]:
        raise OutOfRange(f"bounds {low!r} to {high!r}: the lower one first, and not the same")
    return bounds


def _gate(minimum: MinimumGroup | None, counts: SecretArray) -> Gate | None:
    check_minimum(minimum)
    if minimum is None:
        return None
    if minimum.counts is not None or minimum.epsilon is not None:
        raise OutOfRange("the minimum of a mean looks at the noised count it releases: MinimumGroup(size) and no more")
    return Gate.of(minimum, counts.reshape(-1))


def _sealed(
    party: Party,
    description: Description,
    centred: SecretArray,
    counts: SecretArray,
    gate: Gate | None,
    stock: NoiseStock | None,
) -> Sealed:
    """Sums and counts with noise; with a gate, where the noised count reaches the minimum."""
    noised = [
        with_noise(party, x, event, stock) for x, event in zip((centred, counts), description.events, strict=True)
    ]
    if gate is None:
        return Sealed(party, description, tuple(noised))
    shown = gate.flags(noised[1].reshape(-1)).reshape(counts.shape)
    return Sealed(party, description, (noised[0] * shown, noised[1] * shown, shown))


def _released(opened: Opened) -> Released:
    assert isinstance(opened, Released)
    return opened


def _centre(bounds: tuple[Fraction, Fraction], frac: int) -> tuple[Fraction, Fraction]:
    """(middle of the bounds, the most a value is from it), both whole steps of the grid, values rounded to it too."""
    low, high = math.floor(bounds[0] * (1 << frac)), math.ceil(bounds[1] * (1 << frac))
    middle = round(sum(bounds) / 2 * (1 << frac))
    return Fraction(middle, 1 << frac), Fraction(max(high - middle, middle - low), 1 << frac)


def _times(counts: SecretArray, factor: Fraction, frac: int) -> SecretArray:
    """counts * factor on the grid, exact: the factor is a whole number of steps. Local."""
    steps = np.uint64(int(factor * (1 << frac)) & ((1 << 64) - 1))
    return SecretArray(counts.party, counts.share * steps, frac)
