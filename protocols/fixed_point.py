"""Products of secrets at a chosen number of fractional bits, and sums over many rows that never leave the ring.

The operators of SecretArray cut a product to the bits of its longer operand. Fitting a model needs other cuts: a sum of
squares over 10^6 rows is divided by a power of two at once, and an inverse is kept with fewer bits than what it
multiplies. Every function states what must stay below 2^61 as a word; what is added up inside may wrap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from mpc import arithmetic
from mpc.arrays import SecretArray
from mpc.operands import broadcast, expand
from mpc.party import Party
from mpc.secret import local, operation
from mpc.separable import round_off
from protocols.columns import read_on_grid

__all__ = [
    "BLOCK",
    "blocks",
    "column_products",
    "gram",
    "matrix_product",
    "product",
    "refined_root",
    "rows_of",
    "scale_bits",
    "shifted",
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
    flat = words.reshape(words.shape[0], -1)  # round_off takes one dimension
    return (await round_off(party, flat, -by)).reshape(words.shape)


@local(SecretArray, lambda x, rows: (rows.stop - rows.start, *x.shape[1:]))
def rows_of(x: SecretArray, rows: slice) -> SecretArray:
    """A view of some rows. Local."""
    return SecretArray(x.party, x.share[:, rows], x.frac)


@operation(SecretArray, lambda x, y, frac: broadcast(x, y))
async def product(x: SecretArray, y: SecretArray, frac: int) -> SecretArray:
    """x y with ``frac`` fractional bits; |x y| < 2^(61 - frac x - frac y). Rounds: 3 (m = 3). Leaks nothing."""
    shape = broadcast(x, y)
    words = await arithmetic.mul(x.party, expand(x.share, shape), expand(y.share, shape))
    return SecretArray(x.party, await shifted(x.party, words, frac - x.frac - y.frac), frac)


def refined_root(v: SecretArray, r: SecretArray, frac: int) -> SecretArray:
    """r (3 - v r^2) / 2 with ``frac`` bits: a step of Newton's method for 1 / sqrt(v), which squares the error of r.

    Range: that of its products, v r with 30 bits, v r^2 with 26, and the result. Rounds: 9 (m = 3). Leaks nothing.
    """
    square = product(product(v, r, 30), r, 26)
    return product(r, read_on_grid(3 - square, 27), frac)


@operation(SecretArray, lambda x, y, frac, divide=0: (x.shape[0], *y.shape[1:]))
async def matrix_product(x: SecretArray, y: SecretArray, frac: int, divide: int = 0) -> SecretArray:
    """x (p, n) @ y (n, q) or (n,), by 2^divide, with ``frac`` bits; |x @ y| < 2^(61 - frac x - frac y).

    Rounds: 3 (m = 3). Sends: 13 bytes for each element of the *result*. Leaks nothing.
    """
    right = y.share if y.share.ndim == 3 else y.share[:, :, None]
    words = await arithmetic.matmul(x.party, x.share, right)
    out = await shifted(
        x.party, words.reshape(words.shape[0], x.shape[0], *y.shape[1:]), frac - x.frac - y.frac - divide
    )
    return SecretArray(x.party, out, frac)


async def _over_rows(
    party: Party, n: int, part: Callable[[slice], Any], shape: tuple[int, ...], keep_going: int = 2
) -> Words:
    """The sum of what ``part`` gives for each block of rows, as words; a few blocks under way at once."""
    total = np.zeros((party.layout.k, *shape), np.uint64)
    running: list[Any] = []
    for rows in blocks(n):
        running.append(party.launch("rows", lambda rows=rows: part(rows)))  # type: ignore[misc]
        if len(running) == keep_going:
            total += await running.pop(0).result()
    for left in running:
        total += await left.result()
    return total


@operation(SecretArray, lambda x, y, frac, divide: (x.shape[1], *y.shape[1:]))
async def column_products(x: SecretArray, y: SecretArray, frac: int, divide: int) -> SecretArray:
    """x.T @ y / 2^divide for x (n, d) and y (n,) or (n, q): sums over the rows.

    |x.T @ y| < 2^(61 - frac x - frac y). Rounds: 3 (m = 3) and 1 for every second block of rows. Sends: 8 bytes an
    element of the result and block, and 5 an element. Leaks nothing.
    """
    party = x.party
    right = y.share if y.share.ndim == 3 else y.share[:, :, None]

    async def part(rows: slice) -> Words:
        return await arithmetic.matmul(party, np.ascontiguousarray(x.share[:, rows].swapaxes(1, 2)), right[:, rows])

    words = await _over_rows(party, x.shape[0], part, (x.shape[1], right.shape[2]))
    words = words.reshape(words.shape[0], x.shape[1], *y.shape[1:])
    return SecretArray(party, await shifted(party, words, frac - x.frac - y.frac - divide), frac)


@operation(SecretArray, lambda x, weights, frac, divide: (x.shape[1], x.shape[1]))
async def gram(x: SecretArray, weights: SecretArray | None, frac: int, divide: int) -> SecretArray:
    """x.T @ diag(weights) @ x / 2^divide, for x (n, d) and weights (n,): sums over the rows.

    |result| 2^divide < 2^(61 - 2 frac x - frac weights), as |weight x| < 2^(63 - frac x - frac weights). Exactly
    symmetric, and exactly positive semidefinite before it is rounded, if the weights are not negative.

    Rounds: 3 and 2 for every second block of rows (m = 3). Sends: with weights 8 bytes an element of x. Leaks nothing.
    """
    party, d = x.party, x.shape[1]
    f = 2 * x.frac + (weights.frac if weights is not None else 0)

    async def part(rows: slice) -> Words:
        z = x.share[:, rows]
        left = np.ascontiguousarray(z.swapaxes(1, 2))
        if weights is not None:
            w = np.broadcast_to(weights.share[:, None, rows], left.shape).copy()  # read-only without
            left = await arithmetic.mul(party, left, w)
        return await arithmetic.matmul(party, left, z)

    words = await _over_rows(party, x.shape[0], part, (d, d))
    upper = np.triu_indices(d)
    half = await shifted(party, np.ascontiguousarray(words[:, upper[0], upper[1]]), frac - f - divide)
    out = np.empty((party.layout.k, d, d), np.uint64)
    out[:, upper[0], upper[1]] = half
    out[:, upper[1], upper[0]] = half
    return SecretArray(party, out, frac)
