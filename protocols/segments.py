"""Totals by a secret key whose values nobody knows: rows are sorted by key, and equal neighbours are a group.

    by_city = await group_by_key(city, present=adult, sums=[balance], maxima=[age])
    top = nlargest(by_city, by_city.counts, 10)

The result is a secret table of as many rows as came in, the groups first, in ascending order of their keys; ``present``
says in how many rows there is one. So the number of groups is secret, too. Nothing is opened.

What may be released: figures over all groups, such as their number (distinct_count), with noise. The keys themselves
may not: noise on a count hides who is in a group, not that the group is there. Where keys are public, use group_by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mpc.arrays import SecretArray, SecretBits
from mpc.errors import OutOfRange, ShapeMismatch
from mpc.relations import where
from mpc.secret import Secret
from mpc.shapes import concatenate
from mpc.sorting import sort_by
from protocols.columns import all_set, as_flags, as_numbers, check_columns, listed
from protocols.exact import is_whole

__all__ = ["KeyedTotals", "Segments", "distinct_count", "group_by_key", "nlargest", "sorted_segments"]


# -- sorted rows -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Segments:
    """Rows sorted by keys, those present first; ``first`` and ``last`` mark the first and last row of each group.

    All secret, (n,). Of rows that are not present keys and columns are some row's, in no order that matters.
    """

    keys: tuple[SecretArray, ...]
    columns: tuple[SecretArray, ...]
    present: SecretBits
    first: SecretBits
    last: SecretBits


async def sorted_segments(
    keys: SecretArray | SecretBits | Sequence[SecretArray | SecretBits],
    present: SecretArray | SecretBits | None = None,
    columns: Sequence[SecretArray | SecretBits] = (),
    *,
    groups: int | None = None,
) -> Segments:
    """Rows in order of the keys, the first key most significant; equal rows keep their order.

    Args:
        keys: columns (n,), |value| < 2^62.
        present: 1 for a row that counts, 0 for a filler; None: all count.
        columns: further columns, carried along.
        groups: how many of the keys, from the first, make a group; None: all.

    Rounds: those of sort_by, 6 for equality of neighbours, and up to 1 + log2 of the number of keys. Leaks nothing.
    """
    named = {**listed("keys", _list(keys)), **listed("columns", columns)}
    if not _list(keys):
        raise ShapeMismatch("no keys: give at least one")
    check_columns(present, named)
    everything = [await as_numbers(x) for x in named.values()]
    here = None if present is None else await as_flags(present)
    check_columns(here, dict(zip(named, everything, strict=True)))
    own, carried = everything[: len(_list(keys))], everything[len(_list(keys)) :]
    if here is None:
        here = all_set(own[0])
        ordered, moved = sort_by(own, carried)
    else:
        (absent, *ordered), moved = sort_by([~here, *own], carried)
        here = ~absent
    ordered, moved = tuple(ordered), tuple(moved)
    n = len(here)
    if n < 2:
        return Segments(ordered, moved, here, here, here)
    same = here[1:]
    for key in ordered[:groups]:
        same = same & (key[1:] == key[:-1])
    return Segments(
        ordered, moved, here,
        first=concatenate([here[:1], here[1:] ^ same]),
        last=concatenate([here[:-1] ^ same, here[-1:]]),
    )  # fmt: skip


def _list(keys: Any) -> Any:
    return [keys] if isinstance(keys, Secret) else keys


# -- totals ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class KeyedTotals:
    """One row for each group, in ascending order of keys (nlargest: of a figure), then rows of zeros. Secret, (n,).

    Attributes:
        keys: of each group, a tuple of as many columns as there were keys.
        counts: rows in each group.
        sums, minima, maxima: of the columns given for each.
        present: whether there is a group in this row.
    """

    keys: tuple[SecretArray, ...]
    counts: SecretArray
    sums: tuple[SecretArray, ...]
    minima: tuple[SecretArray, ...]
    maxima: tuple[SecretArray, ...]
    present: SecretBits

    def means(self) -> tuple[SecretArray, ...]:
        """Of the columns that were summed, fixed point; 0 where there is no group.

        Error: 2^-15 and (t + 1) 2^-19 of the result. Range: a sum below 2^40, a mean below 2^27 (functions.divide).
        """
        by = where(self.counts < 1, 1, self.counts)
        return tuple(s / by for s in self.sums)


async def group_by_key(
    keys: SecretArray | SecretBits | Sequence[SecretArray | SecretBits],
    *,
    present: SecretArray | SecretBits | None = None,
    sums: Sequence[SecretArray | SecretBits] = (),
    minima: Sequence[SecretArray | SecretBits] = (),
    maxima: Sequence[SecretArray | SecretBits] = (),
) -> KeyedTotals:
    """Counts, sums, minima, maxima by key.

    Args:
        keys: a column (n,), or several that make a key together.
        present: 1 for a row that counts, 0 for a filler; None: all count.
        sums, minima, maxima: columns (n,) to sum up, and to take the smallest and the largest of.

    Range: |value| < 2^62, and the running sum of a column over all groups below 2^62 (fixed point: 2^(62 - frac)).
    Rounds: those of sort_by; 9 log2 n for minima and maxima; 6 for a partition. Leaks nothing.
    Raises WrongType, ShapeMismatch before anything is sent.

    1. Sort by key; find the last row of each group.                               (sorted_segments)
    2. Running sums over the rows present.                                         (one product; sums are local)
    3. Running minima and maxima that start anew with each group.                  (log2 n comparisons a row)
    4. The last row of each group to the front; they keep their order.             (a sort by one bit)
    5. A group's total is its running sum less that of the group before.           (local)
    6. Rows without a group become zeros.                                          (one product)
    """
    parts = [listed(name, given) for name, given in (("sums", sums), ("minima", minima), ("maxima", maxima))]
    check_columns(present, {name: x for part in (listed("keys", _list(keys)), *parts) for name, x in part.items()})
    rows = await sorted_segments(keys, present, [x for part in parts for x in part.values()])
    columns = iter(rows.columns)
    summed, least, most = ([next(columns) for _ in part] for part in parts)
    there = rows.present.to_array()
    running = [there.cumsum(), *((x * there).cumsum() for x in summed)]
    extremes = [-await _running_maximum(-x, rows.first) for x in least]
    extremes += [await _running_maximum(x, rows.first) for x in most]
    rest, moved = sort_by(~rows.last, [*rows.keys, *extremes, *running])
    here = ~rest
    there = here.to_array()
    own, moved = moved[: len(rows.keys)], moved[len(rows.keys) :]
    picked, running = moved[: len(extremes)], moved[len(extremes) :]
    totals = [x if len(x) < 2 else concatenate([x[:1], x[1:] - x[:-1]]) for x in running]
    counts, *others = (x * there for x in totals)
    picked = tuple(x * there for x in picked)
    return KeyedTotals(
        keys=tuple(x * there for x in own),
        counts=counts,
        sums=tuple(others),
        minima=picked[: len(least)],
        maxima=picked[len(least) :],
        present=here,
    )


async def _running_maximum(values: SecretArray, first: SecretBits) -> SecretArray:
    """The largest value from the first row of the segment to each row. Rounds: 9 for each of log2 n steps (m = 3).

    After the step of distance d a row has the largest of its own and the 2 d - 1 before it, as far as its segment goes
    (Hillis and Steele 1986).
    """
    inside = ~first
    d = 1
    while d < len(values):
        here, before = values[d:], values[:-d]
        better = inside[d:] & (before > here)
        values = await concatenate([values[:d], where(better, before, here)])
        inside = await concatenate([inside[:d], inside[d:] & inside[:-d]])
        d *= 2
    return values


async def distinct_count(
    keys: SecretArray | SecretBits | Sequence[SecretArray | SecretBits],
    *,
    present: SecretArray | SecretBits | None = None,
) -> SecretArray:
    """How many different keys the rows present have; an integer, no dimensions.

    Sensitivity: the rows a person may have, 1 for one row: each can add a key of its own.
    Rounds, leaks: sorted_segments.
    """
    return (await sorted_segments(keys, present)).last.sum()


def nlargest(table: KeyedTotals, by: SecretArray, k: int) -> KeyedTotals:
    """The k groups with the largest ``by``, largest first; of equal ones the smaller key first, as pandas' nlargest.

    Args:
        table: from group_by_key.
        by: a figure of each group, (n,): table.counts, one of table.sums.
        k: public, at least 1. With fewer rows in the table, so many; with fewer groups, the last rows are zeros.

    Rounds, bytes: sort_by with two keys, of all n rows. Leaks nothing.
    """
    if not is_whole(k) or k < 1:
        raise OutOfRange(f"the {k!r} largest: a whole number, at least 1")
    check_columns(table.present, {"counts": table.counts, "by": by})
    groups = (*table.keys, table.counts, *table.sums, *table.minima, *table.maxima)
    (here, _), moved = sort_by([table.present, by], list(groups), descending=True)
    rest = iter([x[:k] for x in moved])

    def as_many(columns: Sequence[SecretArray]) -> tuple[SecretArray, ...]:
        return tuple(next(rest) for _ in columns)

    return KeyedTotals(
        as_many(table.keys), next(rest), as_many(table.sums), as_many(table.minima), as_many(table.maxima), here[:k]
    )
