"""Totals over everybody's rows: counts, sums, means, histograms, by group. Nothing is opened here.

Rows split between owners are pooled: each owner inputs its own, filled up with zeros to a public number of rows, so
that not even how many it has is told. Groups are public lists of categories; which row is in which group is a secret
0/1 matrix with a row of zeros for a filler. Then every total by group is one matrix product, and only totals travel.

All results are secret. To let one out, see release.py; the sensitivity to give there is said at each function, for
one person with one row: times the rows a person may have. For bounded values sensitivity_of makes it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mpc.arrays import SecretArray, SecretBits
from mpc.encoding import as_array
from mpc.errors import OutOfRange, ShapeMismatch, WrongType
from mpc.party import Party
from mpc.relations import where
from mpc.shapes import concatenate
from protocols.errors import CapacityExceeded
from protocols.exact import check_rows, is_whole
from protocols.own_rows import check_bounds, clip_rows, encode_categories
from protocols.sensitivity import Sensitivity

__all__ = [
    "clip_rows",
    "count",
    "encode_categories",
    "group_count",
    "group_mean",
    "group_sum",
    "histogram",
    "in_bins",
    "mean",
    "one_hot",
    "pool",
    "sensitivity_of",
    "total",
]

Table = npt.NDArray[Any]

_log = logging.getLogger(__name__)


# -- into the computation ----------------------------------------------------------------------


def pool(
    party: Party,
    mine: Table | None,
    owners: Sequence[int],
    *,
    capacity: int | None = None,
    tail: tuple[int, ...] = (),
    frac: int | None = None,
    drop_overflow: bool = False,
    what: str = "rows",
) -> SecretArray:
    """The rows of several owners under one another, as one secret array.

    With a capacity, *rows of zeros stand among the real ones*. They add nothing to sums, but minima, means, histograms
    and all else take them for rows: pool ones beside the values, ``present = await pool(party, np.ones(len(mine), int),
    ...)``, then ``present.sum()`` counts the real rows and ``histogram(..., present=present)`` leaves the others out.

    Args:
        mine: this party's rows, shape (rows, *tail), if it is an owner; else anything.
        owners: whose rows, in this order.
        capacity: public number of rows each owner fills up to, with zeros. None shows everybody how many rows each has.
        tail: shape of one row; needed with a capacity.
        frac: fractional bits, as for Party.input.
        drop_overflow: an owner with more rows than the capacity shares the first ``capacity`` of them, and only its own
            log says so. A person more then may push another's row out, so sensitivities double: one person changes
            what two rows, or twice the rows a person may have, change.
        what: name of the rows, for errors.

    Rounds: 1. Sends: as Party.input, 8 bytes a value for m = 3. Leaks: number of rows without a capacity.
    Raises at an owner, before it sends: CapacityExceeded for more rows than the capacity (not with drop_overflow),
    OutOfRange for a value that is missing, infinite or too large. *Either error ends the run at every party, so it
    tells everybody one bit about that owner's rows, exact and without noise, which no epsilon accounts for.* Rows from
    clip_rows with ``missing``, and drop_overflow, cannot fail so.
    """
    if not isinstance(owners, Sequence) or not owners or len(set(owners)) != len(owners):  # type: ignore[redundant-expr]
        raise OutOfRange(f"owners {owners!r}: a list of at least one, each once")
    for owner in owners:
        party.check_index(owner, "owner")
    if capacity is None and drop_overflow:
        raise OutOfRange("drop_overflow: needs a capacity, the number of rows to keep")
    if capacity is not None and (not is_whole(capacity) or capacity < 1):
        raise OutOfRange(f"capacity {capacity!r}: a positive whole number of rows")
    rows = mine
    if party.index in owners:
        rows = _own(mine, f"{what} of party {party.index}")
        if capacity is not None:
            rows = _filled(rows, capacity, tail, drop_overflow, f"{what} of party {party.index}")
    shape = None if capacity is None else (capacity, *tail)
    parts = [_shared(party, rows, owner, frac, shape, what) for owner in owners]
    joined: SecretArray = concatenate(parts)
    return joined


def _own(mine: Table | None, what: str) -> Table:
    if mine is None:
        raise WrongType(f"{what}: none given by an owner; an empty array says it has none")
    try:
        return as_array(mine, what)
    except (OutOfRange, WrongType):
        raise WrongType(
            f"{what}: not an array of numbers, or some are missing; clip_rows and encode_categories make one"
        ) from None


def _filled(rows: Table, capacity: int, tail: tuple[int, ...], drop: bool, what: str) -> Table:
    if not rows.ndim or rows.shape[1:] != tuple(tail):
        needed = ", ".join(map(str, ("rows", *tail)))
        raise ShapeMismatch(f"{what}: shape ({', '.join(map(str, ('rows', *rows.shape[1:])))}), but ({needed}) needed")
    if len(rows) > capacity:
        if not drop:
            raise CapacityExceeded(
                f"{what}: more than the capacity of {capacity}; agree on a larger one, or give drop_overflow=True"
            )
        _log.warning("%s: more than the capacity of %d; the first %d are shared, the others not", what, *[capacity] * 2)
        rows = rows[:capacity]
    return np.concatenate([rows, np.zeros((capacity - len(rows), *tail), rows.dtype)])


def _shared(
    party: Party, rows: Table | None, owner: int, frac: int | None, shape: tuple[int, ...] | None, what: str
) -> SecretArray:
    """Party.input, but that an error at the owner carries no value and no place of one."""
    try:
        return party.input(rows, owner, frac=frac, shape=shape)
    except OutOfRange:
        bits = "" if frac is None else f" for {frac} fractional bits"
        raise OutOfRange(
            f"{what} of party {owner}: a value is missing, infinite or too large{bits}; "
            "clip_rows with bounds and missing= makes them fit"
        ) from None


def one_hot(codes: SecretArray, size: int) -> SecretArray:
    """Secret codes (n,) as a 0/1 matrix (n, size): column c says code = c. A code outside 0..size-1 is a row of zeros.

    Rounds: 8 for m = 3. Sends: 21 bytes a row, category and party. Leaks nothing. Owners who know the codes of their
    own rows use encode_categories and share that.
    """
    if not is_whole(size) or size < 1:
        raise OutOfRange(f"{size!r} categories: a positive number")
    return (codes.reshape(-1, 1) == np.arange(size)).to_array()


def in_bins(values: SecretArray, edges: Sequence[float]) -> SecretArray:
    """Secret values (n,) as a 0/1 matrix (n, len(edges) - 1): column j says edges[j] <= value < edges[j+1].

    As numpy.histogram, the last bin has its upper edge; values outside are rows of zeros. Edges are rounded to the
    values' grid as the values were.

    Rounds: 8 for m = 3. Sends: 24 bytes a row, edge and party. Leaks nothing.
    1. Compare every value with every edge; all comparisons share their rounds.             (6 rounds)
    2. Take the answers into the ring.                                                      (2 rounds)
    3. In bin j: not below its lower edge, less not below its upper one.                    (local)
    """
    steps = np.asarray(edges)
    if steps.ndim != 1 or len(steps) < 2 or not (np.diff(steps) > 0).all() or not np.isfinite(steps).all():
        raise OutOfRange(f"edges {list(edges)}: at least two finite numbers, rising")
    column = values.reshape(-1, 1)
    below = (column < steps[:-1]).to_array()
    above = (column > steps[-1:]).to_array()
    reached = concatenate([1 - below, above], axis=1)
    return reached[:, :-1] - reached[:, 1:]  # type: ignore[no-any-return]


# -- totals ------------------------------------------------------------------------------------


def count(present: SecretArray | SecretBits) -> SecretArray:
    """How many rows have a 1. Local. Sensitivity: 1."""
    return present.sum()


def total(
    values: SecretArray, *, clip: tuple[float, float] | None = None, present: SecretArray | SecretBits | None = None
) -> SecretArray:
    """Sum of the values, of the rows marked present, where given.

    Local without options; ``present`` costs 1 round and 8 bytes in all, ``clip`` two comparisons a value. Clipping
    lifts the zeros of filler rows to the lower bound, so with fillers give ``present`` too.
    Sensitivity: sensitivity_of(low, high) of the bounds, the largest absolute value.
    """
    values = _clipped(values, clip)
    return values.sum() if present is None else _numbers(present) @ values


def mean(values: SecretArray, *, clip: tuple[float, float] | None = None) -> SecretArray:
    """Mean over a *public* number of rows, fillers among them; fixed point, relative error 2^-24. For use inside.

    Not for release: release the sum and divide in the open. The division rounds the total to the grid, so a person can
    change the mean by more than (high - low) / n, and no sensitivity is stated. Over a secret number of rows:
    means.release_mean.
    """
    return _clipped(values, clip).mean()


def histogram(
    values: SecretArray, edges: Sequence[float], *, present: SecretArray | SecretBits | None = None
) -> SecretArray:
    """How many values lie in each bin, of the rows marked present, where given: (len(edges) - 1,).

    Fillers (pool) count as zeros if ``present`` does not leave them out.

    Rounds, bytes: in_bins, and with ``present`` one round more. Sensitivity: 1, over the whole histogram, for a
    person more or less; 2 for a person who changes.
    """
    bins = in_bins(values, edges)
    return bins.sum(axis=0) if present is None else _numbers(present) @ bins


def group_count(groups: SecretArray) -> SecretArray:
    """How many rows each group has: (G,) from a 0/1 matrix (n, G). Local. Sensitivity: 1 over all groups."""
    return groups.sum(axis=0)


def group_sum(groups: SecretArray, values: SecretArray, *, clip: tuple[float, float] | None = None) -> SecretArray:
    """Sum of the values in each group: (G,) from values (n,), or (G, c) from c columns (n, c) at once.

    Rounds: 1. Sends: 8 bytes a total and party for m = 3, whatever the number of rows. Leaks nothing.
    Sensitivity: sensitivity_of(low, high) over all groups together; of several columns the sum of theirs.
    """
    return groups.T @ _clipped(values, clip)


def group_mean(groups: SecretArray, values: SecretArray, *, clip: tuple[float, float] | None = None) -> SecretArray:
    """Mean of the values in each group, secret, for use inside the computation; 0 for an empty group.

    One secret division (functions.divide). Not for release: it has no useful sensitivity; release noised sums and
    noised counts and divide those (means.release_mean).
    """
    counts = group_count(groups)
    sums = group_sum(groups, values, clip=clip)
    return sums / where(counts < 1, 1, counts)


def sensitivity_of(low: float, high: float, *, rows: int = 1) -> Sensitivity:
    """What one person with up to ``rows`` rows of values within the bounds changes a sum by, at most.

    For release(sensitivity=...), which rounds each value's bound up to the figures' grid, then counts rows. For
    several columns released together add them: sensitivity_of(0, 1) + sensitivity_of(0, 90).
    Raises OutOfRange for bad bounds or rows.
    """
    bound = max(map(abs, check_bounds(low, high)))
    check_rows(rows)
    return Sensitivity(((bound, rows),))


def _numbers(x: SecretArray | SecretBits) -> SecretArray:
    return x.to_array() if isinstance(x, SecretBits) else x


def _clipped(values: SecretArray, bounds: tuple[float, float] | None) -> SecretArray:
    if bounds is None:
        return values
    check_bounds(*bounds)
    low, high = (int(b) if float(b).is_integer() else b for b in bounds)  # so that integers stay integers
    return values.clip(low, high)
