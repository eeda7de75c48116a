"""Totals over everybody's rows: counts, sums, means, histograms, by group. Nothing is opened here.

Rows split between owners are pooled: each owner inputs its own, filled up with zeros to a public number of rows, so
that not even how many it has is told. Groups are public lists of categories; which row is in which group is a secret
0/1 matrix with a row of zeros for a filler. Then every total by group is one matrix product, and only totals travel.

All results are secret. To let one out, see release.py; the sensitivity to give there is said at each function, for
one person with one row: times the rows a person may have.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from mpc.arrays import SecretArray, SecretBits
from mpc.errors import OutOfRange, ShapeMismatch, WrongType
from mpc.party import Party
from mpc.relations import where
from mpc.shapes import concatenate
from protocols.accounting import is_whole
from protocols.errors import CapacityExceeded

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


# -- at the owner, on its own rows -------------------------------------------------------------


def clip_rows(values: Table, low: float, high: float, *, missing: float | None = None) -> Table:
    """Own values cut to public bounds. ``missing`` stands in for NaN; without it NaN raises OutOfRange. Plaintext.

    The bounds must be agreed beforehand: bounds read off the rows would tell about them.
    """
    _check_bounds(low, high)
    if values.dtype.kind == "f":
        unknown = np.isnan(values)
        if unknown.any():
            if missing is None:
                raise OutOfRange(f"{int(unknown.sum())} values are missing: say what stands for them (missing=)")
            values = np.where(unknown, missing, values)
    return np.asarray(np.clip(values, low, high))


def encode_categories(values: Table, domain: Sequence[Any]) -> npt.NDArray[np.int64]:
    """Own rows as a 0/1 matrix (rows, len(domain)) of a public list of categories; a value not in it is a row of zeros.

    Plaintext.
    """
    if len(set(domain)) != len(domain) or not len(domain):
        raise OutOfRange("a public list of categories must name each once, and at least one")
    return np.stack([values == category for category in domain], axis=1).astype(np.int64)


def _check_bounds(low: float, high: float) -> None:
    if not (np.isfinite(low) and np.isfinite(high) and low <= high):
        raise OutOfRange(f"bounds {low!r} to {high!r}: two finite numbers, the lower one first")


# -- into the computation ----------------------------------------------------------------------


def pool(
    party: Party,
    mine: Table | None,
    owners: Sequence[int],
    *,
    capacity: int | None = None,
    tail: tuple[int, ...] = (),
    frac: int | None = None,
) -> SecretArray:
    """The rows of several owners under one another, as one secret array.

    Args:
        mine: this party's rows, shape (rows, *tail), if it is an owner; else anything.
        owners: whose rows, in this order.
        capacity: public number of rows each owner fills up to, with zeros. None shows everybody how many rows each has.
        tail: shape of one row; needed with a capacity.
        frac: fractional bits, as for Party.input.

    Rounds: 1. Sends: as Party.input, 8 bytes a value for m = 3. Leaks: number of rows without a capacity; else nothing.
    Raises CapacityExceeded at an owner with more rows, before it sends.
    """
    if not owners or len(set(owners)) != len(owners):
        raise OutOfRange(f"owners {list(owners)}: at least one, each once")
    for owner in owners:
        party.check_index(owner, "owner")
    rows = mine
    if capacity is not None and party.index in owners:
        rows = _filled(party.index, mine, capacity, tail)
    shape = None if capacity is None else (capacity, *tail)
    parts = [party.input(rows, owner, frac=frac, shape=shape) for owner in owners]
    joined: SecretArray = concatenate(parts)
    return joined


def _filled(owner: int, mine: Table | None, capacity: int, tail: tuple[int, ...]) -> Table:
    if mine is None:
        raise WrongType(f"party {owner} is an owner, but gave no rows; an empty array says it has none")
    rows = np.asarray(mine)
    if rows.shape[1:] != tuple(tail) or not rows.ndim:
        raise ShapeMismatch(
            f"rows of party {owner}: shape {rows.shape}, but (rows, {', '.join(map(str, tail))}) is needed"
        )
    if len(rows) > capacity:
        raise CapacityExceeded(f"party {owner} has {len(rows)} rows, but {capacity} were agreed: agree on more")
    return np.concatenate([rows, np.zeros((capacity - len(rows), *tail), rows.dtype)])


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
    Sensitivity: the largest absolute value, so max(|low|, |high|) of the bounds.
    """
    values = _clipped(values, clip)
    return values.sum() if present is None else _numbers(present) @ values


def mean(values: SecretArray, *, clip: tuple[float, float] | None = None) -> SecretArray:
    """Mean over a *public* number of rows; fixed point, relative error 2^-16. To release a mean over a secret
    number of rows use release.release_mean. Sensitivity, where the number of rows n is public: (high - low) / n.
    """
    return _clipped(values, clip).mean()


def histogram(
    values: SecretArray, edges: Sequence[float], *, present: SecretArray | SecretBits | None = None
) -> SecretArray:
    """How many values lie in each bin, of the rows marked present, where given: (len(edges) - 1,).

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
    Sensitivity: the largest absolute value over all groups; the sum of that over columns.
    """
    return groups.T @ _clipped(values, clip)


def group_mean(groups: SecretArray, values: SecretArray, *, clip: tuple[float, float] | None = None) -> SecretArray:
    """Mean of the values in each group, secret, for use inside the computation; 0 for an empty group.

    One secret division (functions.divide). It has no useful sensitivity: to release means, release noised sums and
    noised counts and divide those (release.release_mean).
    """
    counts = group_count(groups)
    sums = group_sum(groups, values, clip=clip)
    return sums / where(counts < 1, 1, counts)


def sensitivity_of(low: float, high: float, *, rows: int = 1) -> Fraction:
    """What one person with up to ``rows`` rows of values within the bounds changes a sum by, at most; exact."""
    _check_bounds(low, high)
    if rows < 1:
        raise OutOfRange(f"{rows} rows a person: at least 1")
    return rows * max(abs(Fraction(low)), abs(Fraction(high)))


def _numbers(x: SecretArray | SecretBits) -> SecretArray:
    return x.to_array() if isinstance(x, SecretBits) else x


def _clipped(values: SecretArray, bounds: tuple[float, float] | None) -> SecretArray:
    if bounds is None:
        return values
    _check_bounds(*bounds)
    low, high = (int(b) if float(b).is_integer() else b for b in bounds)  # so that integers stay integers
    return values.clip(low, high)
