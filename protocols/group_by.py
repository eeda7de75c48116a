"""Totals by group over a public domain: which group a row is in is secret, what groups there are is not.

    groups = group_by(codes, 100, present=matched & (age >= 18))
    totals = await groups.totals([balance, limit])
    await release(party, totals.counts, DiscreteLaplace(1.0), sensitivity=1, to=0)
    await release(party, totals.sums[0], DiscreteLaplace(1.0), sensitivity=sensitivity_of(0, 5000), to=0,
                  minimum=MinimumGroup(20, totals.counts, epsilon=0.5))

Nothing is opened here; only totals travel. Group numbers are what encode_codes makes of a column, or any secret
integers; several key columns make one number, ``a * size_of_b + b`` (local). Conditions are SecretBits, joined by & | ~
and are one with ``present``.

How it is done, and what was weighed up against it, in bytes a row and party for m = 3, 100 groups and 4 sums; none of
these leaks anything. Two one-hot vectors, for the code's place in a table of 4 by 25: 373, in one stream of chunks
(mpc/grouping.py). By counting messages only: a one-hot matrix 832; sorting by the bits of the code, then running sums,
about 350, in seven passes that wait for each other and fetch rows at random places. To shuffle the rows and open their
codes would take 60, but show all parties how large each group is; so it is not done.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mpc import grouping
from mpc.arrays import SecretArray, SecretBits
from mpc.decompose import to_bits
from mpc.encoding import FRAC
from mpc.errors import OutOfRange, WrongType
from mpc.long_division import quotient
from mpc.quotients import rescale
from mpc.relations import where
from mpc.secret import operation
from mpc.shapes import stack
from protocols.columns import as_flags, as_numbers, check_columns, cut_at_point, listed, read_on_grid
from protocols.exact import is_whole
from protocols.own_rows import encode_codes
from protocols.segments import sorted_segments

__all__ = ["MOST_GROUPS", "GroupBy", "Totals", "encode_codes", "group_by", "spread"]

Words = npt.NDArray[np.uint64]

MOST_GROUPS = 1 << 16

_MOST_FRAC = 16


@dataclass(frozen=True)
class Totals:
    """Totals by group, secret.

    Attributes:
        counts: how many rows, (size,), integers. Sensitivity: the rows a person has.
        sums: of each column, (size,), with its fractional bits. Sensitivity: sensitivity_of(low, high, rows=...) of the
            column's bounds, for all groups together; of several columns in one release the sum of theirs.
    """

    counts: SecretArray
    sums: tuple[SecretArray, ...]

    def table(self) -> SecretArray:
        """(1 + columns, size), counts first: MinimumGroup(size) then needs no noise of its own. Local.

        Of columns of integers. Sensitivity: sensitivity_of(0, 1) + sensitivity_of(bounds of each column), of as many
        rows. WrongType for a column of fixed point, whose grid is not that of counts.
        """
        if any(s.frac for s in self.sums):
            raise WrongType("a table of counts and sums: of integer columns only; release fixed point by itself")
        rows: SecretArray = stack([self.counts, *self.sums])
        return rows


def group_by(codes: SecretArray | SecretBits, size: int, *, present: SecretArray | SecretBits | None = None) -> GroupBy:
    """Rows by secret group number, for totals. Starts nothing yet.

    Args:
        codes: group number of each row, (n,): integers, or bits as 0 and 1. What is counted in a group are the rows
            with numbers 0..size-1. -1 counts nowhere. *Only the lowest size.bit_length() bits of a number are looked
            at*, so another negative or a larger number must be marked as not present, or it may count in some group.
        size: how many groups, public, at most MOST_GROUPS.
        present: which rows count, (n,): bits, or integers that are 0 for a filler; None: all count.

    Raises WrongType, OutOfRange, ShapeMismatch before anything is sent; ShapeMismatch later where shapes are not known
    yet.
    """
    if not is_whole(size) or not 1 <= size <= MOST_GROUPS:
        raise OutOfRange(f"{size!r} groups: a whole number from 1 to {MOST_GROUPS}")
    check_columns(present, {"codes": codes}, whole=["codes"])
    return GroupBy(as_numbers(codes), int(size), None if present is None else as_flags(present))


async def spread(codes: SecretArray, values: SecretArray, *, present: SecretBits | None = None) -> SecretArray:
    """(n,): to each row the value of its group, of values (size,); 0 where it is not present. Codes: as for group_by.

    Rounds, bytes: those of totals. Leaks nothing.
    """
    check_columns(present, {"codes": codes}, whole=["codes"])
    found: SecretArray = await _spread(await codes, None if present is None else await present, await values)
    return found


@dataclass(frozen=True)
class GroupBy:
    """Rows by group; methods named as those of pandas. All results (size,), secret; an empty group has 0.

    Columns are SecretArrays (n,), or SecretBits as 0 and 1; where a list is given, a tuple comes back.
    """

    codes: SecretArray
    size: int
    present: SecretBits | None

    async def totals(self, columns: Sequence[SecretArray | SecretBits] = ()) -> Totals:
        """Counts, and sums of any number of columns, in one pass.

        Rounds: 15 for 100 groups (m = 3). Sends: grouping.sums: for 100 groups 44 words of 8 bytes a row and party with
        four columns, 19 without any. Memory: some MiB, beside the columns. Range: a total below 2^62 (62 - frac).
        """
        numbers = [as_numbers(c) for c in self._checked(listed("columns", columns))]
        for c in (self.codes, *numbers):
            await c
        found = await _totals(self.codes, self.present, self.size, numbers)
        return Totals(found[0], tuple(read_on_grid(found[1 + j], c.frac) for j, c in enumerate(numbers)))

    def _checked(self, columns: dict[str, Any]) -> list[Any]:
        check_columns(self.present, {"codes": self.codes, **columns}, whole=["codes"])
        return list(columns.values())

    async def count(self) -> SecretArray:
        """How many rows. Sensitivity: the rows a person has."""
        return (await self.totals()).counts

    async def sum(self, values: Any) -> Any:
        """Sum of a column, or of each of a list of columns. Sensitivity: see Totals."""
        several = isinstance(values, (list, tuple))
        found = (await self.totals(values if several else [values])).sums
        return found if several else found[0]

    async def mean(self, values: Any) -> Any:
        """Mean, fixed point, for use inside: it has no useful sensitivity. To release one: means.release_mean.

        Exact, rounded down to 16 fractional bits, or those of the column. Range: of integers the mean below 2^46, and
        fewer than 2^28 rows. Rounds: those of totals and of long_division.quotient.
        """
        several = isinstance(values, (list, tuple))
        totals = await self.totals(values if several else [values])
        by = where(totals.counts < 1, 1, totals.counts)
        means = tuple([await self._over(s, by) for s in totals.sums])
        return means if several else means[0]

    async def var(self, values: SecretArray | SecretBits, ddof: int = 1) -> SecretArray:
        """Variance within each group, by its number of rows less ddof, fixed point; 0 where that is below 1.

        For use inside: it has no useful sensitivity.

        Range: at most 16 fractional bits and 2^28 rows; the sum of (x - mean)^2 of a group below 2^62 for integers,
        2^61 for fixed point, and the variance below 2^46. Error: 2^-13; for fixed point with frac bits also 2^-frac of
        the standard deviation.

        1. Sums and counts; the mean of each group, rounded down to the values' grid.       (totals and //)
        2. Brought to the group's rows: d = x - mean, exact on the grid.                    (grouping.spread)
        3. Of integers: sums of d^2 and of d, which is what rounding down left over. Of fixed point: d is cut in two at
           the point, d = h + l, and h^2, h l, l^2 are summed, which all fit.              (truncate, a product, totals)
        4. Divided by the number of rows less ddof.
        """
        if not is_whole(ddof) or ddof < 0:
            raise OutOfRange(f"ddof={ddof!r}: a whole number, 0 or more")
        (given,) = self._checked({"values": values})
        x = await as_numbers(given)
        if x.frac > _MOST_FRAC:
            raise OutOfRange(f"variance of numbers with {x.frac} fractional bits: at most {_MOST_FRAC}; rescale them")
        totals = await self.totals([x])
        rows = where(totals.counts < 1, 1, totals.counts)
        floor = quotient(totals.sums[0], rows, self._most)
        d = await read_on_grid(x, 0) - await _spread(self.codes, self.present, floor)
        parts: list[SecretArray] = [d * d, d]
        if x.frac:
            high, low = await cut_at_point(read_on_grid(d, x.frac))
            parts = [high * high, read_on_grid(high * low, x.frac - 1), read_on_grid(low * low, 2 * x.frac)]
        found = (await self.totals(parts)).sums
        enough = totals.counts > ddof
        by = where(enough, totals.counts - ddof, 1)
        if x.frac:
            squares = [await rescale(await s, FRAC) if s.frac > FRAC else s for s in found]
            shares = [await self._over(s, by) for s in squares]
            return (shares[0] + shares[1] + shares[2]) * enough
        over = found[1] * await self._over(found[1], rows)
        return (await self._over(found[0], by) - await self._over(over, by)) * enough

    @property
    def _most(self) -> int:
        return max(1, len(self.codes))

    async def _over(self, total: SecretArray, by: SecretArray) -> SecretArray:
        """total / by with 16 fractional bits, or more if the total has more."""
        await total
        more = max(0, FRAC - total.frac)
        return read_on_grid(quotient(total, by, self._most, more), total.frac + more)

    async def min(self, values: SecretArray | SecretBits) -> SecretArray:
        """Smallest value; 0 for an empty group (count tells them apart). No useful sensitivity.

        Rounds: those of sort_by of two keys and of totals. Leaks nothing.

        1. Sort the rows that are present by group and value.                               (segments.sorted_segments)
        2. The sum over the first row of each group only.                                   (totals)
        """
        return await self._extreme(values, True)

    async def max(self, values: SecretArray | SecretBits) -> SecretArray:
        """Largest value, as min."""
        return await self._extreme(values, False)

    async def _extreme(self, values: SecretArray | SecretBits, smallest: bool) -> SecretArray:
        (x,) = self._checked({"values": values})
        ordered = await sorted_segments([self.codes, x], self.present, groups=1)
        chosen = ordered.first if smallest else ordered.last
        codes, sorted_values = ordered.keys
        extremes: SecretArray = await group_by(codes, self.size, present=chosen).sum(sorted_values)
        return extremes


@operation(SecretArray)
async def _totals(codes: SecretArray, present: SecretBits | None, size: int, columns: list[SecretArray]) -> SecretArray:
    check_columns(present, {"codes": codes, **listed("columns", columns)}, whole=["codes"])
    party, n = codes.party, codes.size
    planes = await to_bits(party, codes.share, size.bit_length())
    values = np.empty((party.layout.k, len(columns), n), np.uint64)
    for j, c in enumerate(columns):
        values[:, j] = c.share
    here = None if present is None else present.words
    return SecretArray(party, await grouping.sums(party, planes, here, values, size))


@operation(SecretArray)
async def _spread(codes: SecretArray, present: SecretBits | None, values: SecretArray) -> SecretArray:
    party, n = codes.party, codes.size
    planes = await to_bits(party, codes.share, values.size.bit_length())
    here = None if present is None else present.words
    return SecretArray(party, await grouping.spread(party, planes, here, values.share, n), values.frac)
