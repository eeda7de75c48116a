"""Means, variances and standardised rows of a secret table, blocks of rows at a time, so that a wide one fits memory.

Sums are divided by 2^k >= n, not by the number of rows that count, which is secret; that division comes last.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

import mpc
from mpc import arithmetic
from mpc.arrays import SecretArray, SecretBits
from mpc.encoding import FRAC
from mpc.exchange import public_share
from mpc.functions import precise_inverse_sqrt
from mpc.quotients import rescale
from mpc.secret import operation
from mpc.truncate import truncate
from protocols.columns import all_set, constant, read_on_grid
from protocols.fixed_point import blocks, column_products, product, scale_bits, shifted, shifted_product

__all__ = ["FRAC_ROOT", "Moments", "as_they_are", "moments", "penalties", "scaled_rows"]

Words = npt.NDArray[np.uint64]

FRAC_ROOT = 28
_FRAC_INVERSE = 20
_FRAC_VARIANCE = 22
_LEAST = -14
CONSTANT = 2.0**_LEAST
"""A variance below this, a deviation below 2^-7, is that of a constant column: its scale is 1."""


@dataclass(frozen=True)
class Moments:
    """Of the rows that count, by their weights.

    Attributes:
        mean: (d,), 16 fractional bits.
        variance: (d,), by the number of rows, 22 bits.
        scale: (d,), the square root of it, 20 bits; 1 for a constant column.
        root: 1 / scale, 28 bits.
        in_range: (), set if every deviation is below 2^8, not set if one is from 2^8.5 to 2^18.
    """

    mean: SecretArray
    variance: SecretArray
    scale: SecretArray
    root: SecretArray
    in_range: SecretBits


def as_they_are(X: SecretArray) -> Moments:
    """Mean 0 and scale 1 for each column: for rows that somebody standardised. Local."""
    one = np.ones(X.shape[1], np.int64)
    return Moments(
        constant(X, 0 * one, FRAC),
        constant(X, one << _FRAC_VARIANCE, _FRAC_VARIANCE),
        constant(X, one << 20, 20),
        constant(X, one << FRAC_ROOT, FRAC_ROOT),
        all_set(X[0, 0]),
    )


async def moments(
    X: SecretArray,
    here: SecretArray | None = None,
    weights: SecretArray | None = None,
    *,
    centre: bool = True,
) -> Moments:
    """Mean, variance, scale of the columns of X (n, d) of 16 fractional bits.

    Args:
        here: (n,), 0 or 1, integers: which rows count. weights: what each counts; 0 where not ``here``.
        centre: whether squares are taken about the mean; else about 0, and the mean is said to be 0.

    Range: deviations from 2^-6 to 2^8, or below 2^-7 (a constant column); |x - mean| < 2^(43 - log2 n) and 2^29; the
    sum of |x| below 2^45, with weights 2^(45 - their bits); at least n / 256 rows count. Error: mean 2 ulp of 2^-16;
    scale 2^-11 of it at 2^-6, 2^-15 from 1/4 on. Rounds: about 35, with weights 70 (m = 3). Sends: 5 bytes an element
    of X, and 8 more with each of ``here`` and ``weights``. Leaks nothing.
    """
    n, d = X.shape
    k = scale_bits(n)
    counts = weights if weights is not None else here
    inverse = None if counts is None else _inverse(counts, k)
    if not centre:
        mean = constant(X, np.zeros(d, np.int64), FRAC)
    elif counts is None or inverse is None:
        mean = X.sum(axis=0) / n
    else:
        mean = product(column_products(X, counts, 24, k), inverse, FRAC)
    squares = _squares(X, mean, here if weights is None else None, weights, k)
    if inverse is None:
        variance = rescale(squares * (2.0**k / n), _FRAC_VARIANCE)
    else:
        variance = product(squares, inverse, _FRAC_VARIANCE)
    flat = (variance < CONSTANT).to_array()
    of_others = precise_inverse_sqrt(variance, FRAC_ROOT, _LEAST)  # 0 for a constant column
    root = of_others + flat
    scale = product(variance, of_others, 20) + flat
    in_range = ((squares < 2.0**17) & (squares > -1)).all()  # a row counts 2 at most on average
    return Moments(await mean, await variance, await scale, await root, await in_range)


async def penalties(root: SecretArray, by: float, frac: int, most: float) -> SecretArray:
    """by root^2, (d,): a penalty of ``by`` on coefficients in their own units, in terms of standardised ones.

    Of more than ``most``, below 2^16, it is ``most``: there coefficients are 1 / most or less, however much more it is.
    Range: 2^-9 < root <= 2^7. Error: 2^-24 sqrt(most) of its square root. Rounds: about 6, where some root may be too
    large 9 more (m = 3). Leaks nothing.
    """
    limit = math.sqrt(most)
    factor = min(math.sqrt(by), limit * 2.0**9)
    half = root * factor
    if factor * 129 > limit:
        half = half.clip(0, limit)
    half = rescale(half, 24 if most <= 2**10 else 22)
    return await product(half, half, frac)


def _inverse(counts: SecretArray, k: int) -> SecretArray:
    """2^k / sum(counts) with 20 bits, for a sum from 2^(k-8) to 2^(k+1)."""
    words = counts.sum()
    # read on a longer grid, the sum is divided by 2^k
    share = read_on_grid(words, min(40, counts.frac + k))
    part = rescale(share, 24)
    first = rescale(mpc.reciprocal(part), _FRAC_INVERSE)
    rest = 2 - product(part, first, 24)
    return product(first, rest, _FRAC_INVERSE)


@operation(SecretArray, lambda X, mean, here, weights, k: (X.shape[1],))
async def _squares(
    X: SecretArray, mean: SecretArray, here: SecretArray | None, weights: SecretArray | None, k: int
) -> SecretArray:
    """Sums of (x - mean)^2 over the rows that count, by 2^k, with 24 bits.

    A square need not fit a word, its parts do: x - mean = high 2^h + low, and both sums of parts stay below 2^61.
    """
    party, (n, d) = X.party, X.shape
    h = (60 - k) // 2 - party.t
    half = public_share(party, np.full(1, (party.t + 1) << (h - 1), np.uint64))

    async def halves(words: Words) -> tuple[Words, Words]:
        flat = words.reshape(words.shape[0], -1)
        high = (await truncate(party, flat + half, h)).reshape(words.shape)
        return high, words - (high << np.uint64(h))

    async def part(rows: slice) -> Words:
        apart = np.ascontiguousarray((X.share[:, rows] - mean.share[:, None, :]).swapaxes(1, 2))
        if here is not None:
            apart = await arithmetic.mul(party, apart, _wide(here.share[:, None, rows], apart))
        high, low = await halves(apart)
        if weights is None:
            other = high, low
        else:
            by = weights.share[:, None, rows]
            other = await halves(await shifted_product(party, apart, by, apart.shape[1:], -weights.frac))
        pairs = ((high, other[0]), (high, other[1]), (low, other[0]), (low, other[1]))
        running = [party.launch("part", lambda p=p: arithmetic.row_dots(party, *p)) for p in pairs]  # type: ignore[misc]
        return np.stack([await r.result() for r in running], axis=1)

    total = np.zeros((party.layout.k, 4, d), np.uint64)
    for rows in blocks(n):
        total += await party.launch("rows", lambda rows=rows: part(rows)).result()  # type: ignore[misc]
    cross = total[:, 1] + total[:, 2]
    cut = 24 - 2 * FRAC - k
    sums = [(total[:, 0], 2 * h + cut), (cross, h + cut), (total[:, 3], cut)]
    parts = [await shifted(party, np.ascontiguousarray(words), by) for words, by in sums]
    return SecretArray(party, parts[0] + parts[1] + parts[2], 24)


def _wide(column: Words, like: Words) -> Words:
    return np.broadcast_to(column, like.shape).copy()


@operation(SecretArray, lambda X, mean, root, here=None, level=False: (X.shape[0], X.shape[1] + level))
async def scaled_rows(
    X: SecretArray, mean: SecretArray, root: SecretArray, here: SecretArray | None = None, level: bool = False
) -> SecretArray:
    """(x - mean) root with 16 bits, and 0 in rows that are not ``here``; |result| < 2^17.

    ``level`` appends a column of ones, for an intercept. Rounds: 2 a block of 2^15 rows, 3 with ``here`` (m = 3).
    Sends: 12 bytes an element, 20 with ``here``. Leaks nothing.
    """
    party, (n, d) = X.party, X.shape
    out = np.empty((party.layout.k, n, d + level), np.uint64)
    if level:
        out[:, :, d] = public_share(party, np.full(1, 1 << FRAC, np.uint64))

    async def part(rows: slice) -> None:
        apart = X.share[:, rows] - mean.share[:, None, :]
        if here is not None:
            apart = await arithmetic.mul(party, apart, _wide(here.share[:, rows, None], apart))
        out[:, rows, :d] = await shifted_product(party, apart, root.share[:, None, :], apart.shape[1:], -root.frac)

    for rows in blocks(n):
        await party.launch("rows", lambda rows=rows: part(rows)).result()  # type: ignore[misc]
    return SecretArray(party, out, FRAC)
