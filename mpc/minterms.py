"""Secret numbers of a few bits as one-hot bits: plane c says that the number is c."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mpc.boolean import and_
from mpc.exchange import public_share
from mpc.party import Party

__all__ = ["Layout", "marks", "minterms", "plan"]

Words = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Layout:
    """The numbers 0..size-1 in a table of rows and columns: number = row * columns + column.

    A number is known by two one-hot vectors, of rows + columns entries in all instead of rows * columns.

    Attributes:
        size: how many numbers.
        rows: rows of the table.
        columns: columns of the table; the last row may not be full.
        split: columns is a power of two, so that rows and columns each have bits of their own.
    """

    size: int
    rows: int
    columns: int
    split: bool

    @property
    def bits(self) -> int:
        """Bits that are looked at: one number, the one with all of them set, is never below size."""
        return max(1, self.size.bit_length())


def plan(size: int, width: int) -> Layout:
    """The cheapest table for numbers below size whose rows are multiplied by ``width`` - 1 columns of values.

    An entry of a row costs ``width`` words a row of data, one of a column 1, an AND 1/64.
    """

    def cost(layout: Layout) -> float:
        ands = layout.columns + layout.rows if layout.split else size
        return layout.rows * width + layout.columns - 1 + ands / 64

    tables = [Layout(size, rows, -(-size // rows), False) for rows in range(1, math.isqrt(size) + 2)]
    tables += [Layout(size, -(-size >> b), 1 << b, True) for b in range(size.bit_length())]
    return min(tables, key=cost)


async def minterms(party: Party, planes: Words) -> Words:
    """[one-hot] (k, 2^b, W) of the numbers whose bits are these planes (k, b, W), lowest first.

    Rounds: log2 b. AND gates: about 2^b. Leaks nothing. Bits that only fill up the last word are no zeros.
    """
    b = planes.shape[1]
    ones = public_share(party, np.full((1, planes.shape[2]), ~np.uint64(0)))
    if b == 0:
        return ones
    if b == 1:
        return np.concatenate([planes ^ ones, planes], axis=1)
    low, high = await minterms(party, planes[:, : b // 2]), await minterms(party, planes[:, b // 2 :])
    return await _outer(party, high, low, 1 << b)


async def _outer(party: Party, high: Words, low: Words, size: int) -> Words:
    """The first ``size`` of all products high[i] & low[j], j running first."""
    count = low.shape[1]
    rows = -(-size // count)
    left = np.repeat(high[:, :rows], count, axis=1)[:, :size]
    right = np.tile(low, (1, rows, 1))[:, :size]
    return await and_(party, left, right)


async def marks(party: Party, planes: Words, here: Words | None, layout: Layout) -> tuple[Words, Words]:
    """([row] (k, rows, W), [column] (k, columns - 1, W)), one-hot, of the numbers in these planes (k, layout.bits, W).

    ``here`` (k, W): where it is not set, and where the number has no place in the table, no row is set; the columns
    then say nothing. With layout.split the places behind layout.size, in the last row, are places too. The last column
    is left out: it is 1 less the sum of the others.

    Rounds: about log2 bits + 2. AND gates: about size, or rows + columns with layout.split. Leaks nothing.
    """
    half = layout.columns.bit_length() - 1 if layout.split else layout.bits // 2
    low, high = await minterms(party, planes[:, :half]), await minterms(party, planes[:, half:])
    if layout.split:
        high = high[:, : layout.rows]
    if here is not None:
        high = await and_(party, high, np.repeat(here[:, None], high.shape[1], axis=1))
    if layout.split:
        return high, low[:, :-1]
    each = await _outer(party, high, low, layout.size)
    k, _, width = each.shape
    table = np.zeros((k, layout.rows * layout.columns, width), np.uint64)
    table[:, : layout.size] = each
    grid = table.reshape(k, layout.rows, layout.columns, width)
    row: Words = np.bitwise_xor.reduce(grid, axis=2)
    column: Words = np.bitwise_xor.reduce(grid, axis=1)
    return row, column[:, :-1]
