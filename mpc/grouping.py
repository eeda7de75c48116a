"""Sums by secret group number, and what belongs to a group brought to its rows, without a one-hot matrix held whole.

A group number g = row * columns + column (minterms.Layout) is two short one-hot vectors u and v. The sum of values
y by group is the matrix product of (u_r y) and (v_c), whose inner dimension, the rows of data, costs nothing to send.
For 100 groups and 4 columns of values that is 24 + 20 words a row instead of 100.

Rows of data are worked on in chunks, so memory stays bounded; what is summed up of a chunk stays where it is computed
until all chunks are through.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from mpc import bits, ring
from mpc.arithmetic import matmul, outer, row_dots
from mpc.convert import bits_to_words
from mpc.exchange import reshare
from mpc.minterms import Layout, marks, plan
from mpc.party import Party

__all__ = ["spread", "sums"]

Words = npt.NDArray[np.uint64]

_CHUNK = 1 << 21  # words of one component of the one-hot vectors and products of a chunk


def _step(layout: Layout, width: int) -> int:
    """Rows of data in a chunk, a multiple of 64."""
    words = layout.rows * width + layout.columns + (0 if layout.split else layout.size // 64)
    return max(64, _CHUNK // words // 64 * 64)


async def _numbers(party: Party, planes: Words, here: Words | None, layout: Layout, n: int) -> tuple[Words, Words]:
    """(u (k, rows, n), v (k, columns - 1, n)) over the ring, of the planes of one chunk."""
    u, v = await marks(party, planes, here, layout)
    both = np.concatenate([u, v], axis=1)
    k, count, width = both.shape
    flags = await bits_to_words(party, both.reshape(k, -1), 64 * count * width)
    flags = flags.reshape(k, count, 64 * width)[:, :, :n]
    return flags[:, : layout.rows], flags[:, layout.rows :]


async def sums(party: Party, planes: Words, here: Words | None, columns: Words, size: int) -> Words:
    """[number of rows, sum of each column] (k, 1 + c, size) by group, of columns (k, c, n).

    Args:
        planes: bits of the group numbers, (k, bits, W), with bits = size.bit_length(), lowest first.
        here: rows that count, packed (k, W); None: all. A row with a number of size or more counts in no group.

    Rounds: for m = 3 about 11. Sends: rows * (1 + c) + columns words of 8 bytes a row of data and party (m = 3) and
    about size bits. Leaks nothing. Semi-honest, t < m/2.

    1. One-hot bits of row and column.                                              (AND gates)
    2. Into the ring: u and v, without the last of v.                               (bit injection)
    3. u_r y for all columns y.                                                     (one round)
    4. Sums over the chunk of u_r v_c and u_r y v_c, as parts, and of u_r and u_r y.  (local)
    5. Reshare the parts of all chunks together; the last column is the rest.       (one round)
    """
    k, c, n = columns.shape
    layout = plan(size, 1 + c)
    dealing = party.index in party.layout.multipliers
    part = np.zeros((layout.rows * (1 + c), layout.columns - 1), np.uint64)
    whole = np.zeros((k, len(part)), np.uint64)

    async def piece(lo: int, hi: int) -> None:
        at = slice(lo // 64, bits.plane_words(hi))
        u, v = await _numbers(party, planes[:, :, at], None if here is None else here[:, at], layout, hi - lo)
        products = (await outer(party, u, columns[:, :, lo:hi])).reshape(k, layout.rows * c, hi - lo)
        whole[:, : layout.rows] += u.sum(axis=-1, dtype=np.uint64)
        whole[:, layout.rows :] += products.sum(axis=-1, dtype=np.uint64)
        if dealing:
            _add_dots(party, u, products, v, part)

    await party.in_chunks("group", n, _step(layout, 1 + c), piece, window=6)
    total = await reshare(party, part if dealing else None, party.layout.multipliers, part.shape)
    last = whole - total.sum(axis=-1, dtype=np.uint64)
    table = np.concatenate([total, last[..., None]], axis=-1)
    counts = table[:, : layout.rows].reshape(k, 1, layout.rows * layout.columns)
    by_column = table[:, layout.rows :].reshape(k, layout.rows, c, layout.columns).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(
        np.concatenate([counts, by_column.reshape(k, c, layout.rows * layout.columns)], axis=1)[:, :, :size]
    )


def _add_dots(party: Party, u: Words, products: Words, v: Words, part: Words) -> None:
    """part += what this multiplier adds to the dot products of the rows of u, then of products, with those of v."""
    table = party.layout.product_table[party.index]
    for a in range(party.layout.k):
        slots = np.flatnonzero(table[a])
        if slots.size:
            right = np.ascontiguousarray(functools.reduce(np.add, (v[b] for b in slots)))
            ring.dots_into(np.ascontiguousarray(u[a]), right, part[: u.shape[1]], False)
            ring.dots_into(np.ascontiguousarray(products[a]), right, part[u.shape[1] :], False)


async def spread(party: Party, planes: Words, here: Words | None, values: Words, n: int) -> Words:
    """[the value of each row's group] (k, n) from one for each group, (k, size); 0 where a row counts in none.

    Rounds: for m = 3 about 9. Sends: 2 rows + columns words a row of data and party. Leaks nothing.

    1. One-hot numbers u, v, as in sums.
    2. Of every table row r the value in the column: the sum over c of v_c values[r, c].    (one round)
    3. The sum over r of u_r times that.                                                    (one round)
    """
    k, size = values.shape
    layout = plan(size, 2)
    table = np.zeros((k, layout.rows * layout.columns), np.uint64)
    table[:, :size] = values
    grid = table.reshape(k, layout.rows, layout.columns)
    last = grid[:, :, -1:]
    out = np.empty((k, n), np.uint64)

    async def piece(lo: int, hi: int) -> None:
        at = slice(lo // 64, bits.plane_words(hi))
        u, v = await _numbers(party, planes[:, :, at], None if here is None else here[:, at], layout, hi - lo)
        found = last + await matmul(party, grid[:, :, :-1] - last, v)
        out[:, lo:hi] = await row_dots(party, u.transpose(0, 2, 1), found.transpose(0, 2, 1))

    await party.in_chunks("spread", n, _step(layout, 2), piece)
    return out
