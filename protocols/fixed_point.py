"""Products of secrets at a chosen number of fractional bits, and sums over many rows that never leave the ring.

The operators of SecretArray cut a product to the bits of its longer operand. Fitting a model needs other cuts: a sum of
squares over 10^6 rows is divided by a power of two at once, and an inverse is kept with fewer bits than what it
multiplies. Every function states what must stay below 2^61 as a word; what is added up inside may wrap.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from mpc import arithmetic, ring
from mpc.arrays import SecretArray
from mpc.exchange import reshare
from mpc.operands import broadcast, expand
from mpc.party import Party
from mpc.secret import local, operation
from mpc.truncate import round_off, sum_and_round

__all__ = [
    "BLOCK",
    "blocks",
    "column_part",
    "column_products",
    "gram",
    "matrix_product",
    "mirrored",
    "product",
    "rows_of",
    "scale_bits",
    "shifted",
    "shifted_product",
    "shifted_sum",
]

Words = npt.NDArray[np.uint64]

BLOCK = 1 << 15
"""Rows worked on at once, so that copies of a wide table stay small."""


def scale_bits(n: int) -> int:
    """k with 2^k >= n: sums over n rows are divided by 2^k."""
    return max(1, (n - 1).bit_length())


def blocks(n: int) -> Iterator[slice]:
    """The rows, BLOCK at a time."""
    for low in range(0, n, BLOCK):
        yield slice(low, min(n, low + BLOCK))


async def shifted(party: Party, words: Words, by: int) -> Words:
    """[x 2^by]: exact to the left; to the right rounded, error (t + 1) / 2 in the last place (2 rounds, m = 3)."""
    if by >= 0:
        return words << np.uint64(by)
    return await round_off(party, words, -by)


async def shifted_sum(party: Party, part: Words | None, shape: tuple[int, ...], by: int) -> Words:
    """As shifted, of the sum of a part at each multiplier (arithmetic.part_of). Rounds: 1, to the right 2 (m = 3)."""
    if by >= 0:
        return await reshare(party, part, party.layout.multipliers, shape) << np.uint64(by)
    return await sum_and_round(party, part, shape, -by)


@local(SecretArray, lambda x, rows: (rows.stop - rows.start, *x.shape[1:]))
def rows_of(x: SecretArray, rows: slice) -> SecretArray:
    """A view of some rows. Local."""
    return SecretArray(x.party, x.share[:, rows], x.frac)


@operation(SecretArray, lambda x, y, frac: broadcast(x, y))
async def product(x: SecretArray, y: SecretArray, frac: int) -> SecretArray:
    """x y with ``frac`` fractional bits; |x y| < 2^(61 - frac x - frac y). Rounds: 2 (m = 3). Leaks nothing."""
    party, shape = x.party, broadcast(x, y)
    return SecretArray(party, await shifted_product(party, x.share, y.share, shape, frac - x.frac - y.frac), frac)


async def shifted_product(party: Party, x: Words, y: Words, shape: tuple[int, ...], by: int) -> Words:
    """[x y 2^by] elementwise, of operands (k, ...) that broadcast to this shape. Rounds: as shifted_sum."""
    part = None
    if party.index in party.layout.multipliers:
        part = np.empty(math.prod(shape), np.uint64)
        table = party.layout.product_table[party.index]
        left, right = (np.require(expand(o, shape).reshape(len(o), -1), None, ["W"]) for o in (x, y))
        ring.product(left, right, table, part)
    return await shifted_sum(party, part, shape, by)


@operation(SecretArray, lambda x, y, frac, divide=0: (x.shape[0], *y.shape[1:]))
async def matrix_product(x: SecretArray, y: SecretArray, frac: int, divide: int = 0) -> SecretArray:
    """x (p, n) @ y (n, q) or (n,), by 2^divide, with ``frac`` bits; |x @ y| < 2^(61 - frac x - frac y).

    Rounds: 2 (m = 3), 1 if ``frac`` is all there are. Sends: 12 bytes for each element of the *result*. Leaks nothing.
    """
    right = y.share if y.share.ndim == 3 else y.share[:, :, None]
    wide = x.shape[0], right.shape[2]
    part = arithmetic.part_of(x.party, x.share, right, wide, ring.matmul)
    out = await shifted_sum(x.party, part, wide, frac - x.frac - y.frac - divide)
    return SecretArray(x.party, out.reshape(out.shape[0], x.shape[0], *y.shape[1:]), frac)


@operation(SecretArray, lambda x, y, frac, divide: (x.shape[1], *y.shape[1:]))
async def column_products(x: SecretArray, y: SecretArray, frac: int, divide: int) -> SecretArray:
    """x.T @ y / 2^divide for x (n, d) and y (n,) or (n, q): sums over the rows.

    |x.T @ y| < 2^(61 - frac x - frac y). Rounds: 2 (m = 3). Sends: 12 bytes an element of the *result*. Leaks nothing.
    """
    shape = x.shape[1], *y.shape[1:]
    part = column_part(x.party, x.share, y.share)
    return SecretArray(x.party, await shifted_sum(x.party, part, shape, frac - x.frac - y.frac - divide), frac)


def column_part(party: Party, x: Words, y: Words) -> Words | None:
    """This party's summand of x.T @ y, (d,) or (d, q), for words x (k, n, d) and y (k, n) or (k, n, q). Local."""
    right = y if y.ndim == 3 else y[:, :, None]
    part = arithmetic.part_of(party, x, right, (x.shape[2], right.shape[2]), _down)
    return None if part is None else part.reshape(x.shape[2], *y.shape[2:])


def _down(x: Words, y: Words) -> Words:
    """x.T @ y, blocks of rows at a time."""
    total = np.zeros((x.shape[1], y.shape[1]), np.uint64)
    for rows in blocks(x.shape[0]):
        if y.shape[1] == 1:
            left, right = (np.require(o[rows], None, ["C", "W"]) for o in (y[:, 0], x))
            ring.vecmat_into(left, right, total[:, 0])
        else:
            total += ring.matmul(np.ascontiguousarray(x[rows].T), y[rows])
    return total


@operation(SecretArray, lambda x, weights, frac, divide: (x.shape[1], x.shape[1]))
async def gram(x: SecretArray, weights: SecretArray | None, frac: int, divide: int) -> SecretArray:
    """x.T @ diag(weights) @ x / 2^divide, for x (n, d) and weights (n,): sums over the rows.

    |result| 2^divide < 2^(61 - 2 frac x - frac weights), as |weight x| < 2^(63 - frac x - frac weights). Exactly
    symmetric, and exactly positive semidefinite before it is rounded, if the weights are not negative.

    Rounds: 2, with weights 1 for every second block of rows more (m = 3). Sends: with weights 8 bytes an element of x.
    Leaks nothing.
    """
    party, d = x.party, x.shape[1]
    f = 2 * x.frac + (weights.frac if weights is not None else 0)

    async def weighted(z: Words, rows: slice) -> tuple[Words, Words]:
        if weights is None:
            return z, z
        w = np.broadcast_to(weights.share[:, None, rows], z.shape).copy()  # read-only without
        return await arithmetic.mul(party, z, w), z

    def start(rows: slice) -> Any:
        across = np.ascontiguousarray(x.share[:, rows].swapaxes(1, 2))
        return party.launch("rows", lambda: weighted(across, rows))

    upper = np.triu_indices(d)
    total = np.zeros(d * (d + 1) // 2, np.uint64)
    todo = list(blocks(x.shape[0]))
    running = [start(rows) for rows in todo[:2]]
    for at in range(len(todo)):
        left, right = await running.pop(0).result()
        if at + 2 < len(todo):
            running.append(start(todo[at + 2]))
        part = arithmetic.part_of(party, left, right, (d, d), ring.upper_dots)
        if part is not None:
            total += part[upper]
    mine = total if party.index in party.layout.multipliers else None
    half = await shifted_sum(party, mine, total.shape, frac - f - divide)
    return SecretArray(party, mirrored(half, d), frac)


def mirrored(upper: Words, d: int) -> Words:
    """The symmetric (k, d, d) with this upper triangle (k, d (d + 1) / 2)."""
    above, right = np.triu_indices(d)
    out = np.empty((upper.shape[0], d, d), np.uint64)
    out[:, above, right] = upper
    out[:, right, above] = upper
    return out
