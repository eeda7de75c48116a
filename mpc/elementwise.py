"""Sums and products of arrays: + - * @ and powers. Secret with secret or with public operands."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from mpc import arithmetic, encoding, publics, ring
from mpc.arrays import SecretArray
from mpc.errors import OutOfRange, ShapeMismatch
from mpc.operands import admit, broadcast, expand, linear, numbers, shape_of
from mpc.party import Party
from mpc.scaling import pieces_of, times
from mpc.secret import Shape, local, operation
from mpc.truncate import truncate

__all__ = ["add", "dot", "matmul", "multiply", "negative", "power", "subtract"]

Words = npt.NDArray[np.uint64]

_MOST_FRAC = 60


def add(x: Any, y: Any) -> SecretArray:
    """x + y. Local."""
    return _add(*admit(broadcast, x, y))


def subtract(x: Any, y: Any) -> SecretArray:
    """x - y. Local."""
    return _subtract(*admit(broadcast, x, y))


@local(SecretArray, broadcast)
def _add(x: Any, y: Any) -> SecretArray:
    return linear(x, y, +1)


@local(SecretArray, broadcast)
def _subtract(x: Any, y: Any) -> SecretArray:
    return linear(x, y, -1)


@local(SecretArray, shape_of)
def negative(x: SecretArray) -> SecretArray:
    """-x. Local."""
    return SecretArray(x.party, np.uint64(0) - x.share, x.frac)


def multiply(x: Any, y: Any) -> SecretArray:
    """x * y elementwise.

    Secret with secret: 1 round, 8 bytes an element and party (m = 3); two fixed-point operands are truncated
    to the larger number of fractional bits (truncate.py, 2 more rounds). The product must fit before that:
    |x y| < 2^(62 - frac x - frac y), 2^30 for two of 16 bits. By public integers: local. By public reals: wherever the
    product is in range, relative error 2^-24 (scaling.py).
    """
    return _multiply(*admit(broadcast, x, y))


@operation(SecretArray, broadcast)
async def _multiply(x: Any, y: Any) -> SecretArray:
    if not isinstance(y, SecretArray):
        return await _scale(x, y)
    if not isinstance(x, SecretArray):
        return await _scale(y, x)
    _check_fits(x, y)
    shape = broadcast(x, y)
    product = await arithmetic.mul(x.party, expand(x.share, shape), expand(y.share, shape))
    return await _cut(x.party, product, x.frac, y.frac)


def _check_fits(x: SecretArray, y: SecretArray) -> None:
    """OutOfRange, before anything is sent, if no product of such numbers could be cut."""
    if x.frac + y.frac > _MOST_FRAC:
        raise OutOfRange(
            f"a product of numbers with {x.frac} and {y.frac} fractional bits: at most {_MOST_FRAC} in all; rescale one"
        )


async def _cut(party: Party, product: Words, f: int, g: int) -> SecretArray:
    """A product of operands with f and g fractional bits, cut to the larger of the two."""
    if f and g:
        product = await truncate(party, product, min(f, g))
    return SecretArray(party, product, max(f, g))


async def _scale(x: SecretArray, by: Any) -> SecretArray:
    """Secret times public: by integers local, by reals scaling.py."""
    by, frac = _factor(by, x.frac)
    share = expand(x.share, broadcast(x, by))
    if by.dtype.kind != "f":
        return SecretArray(x.party, share * encoding.encode(by, 0, what="public factor")[0], frac)
    product = await times(x.party, share, pieces_of(by), frac - x.frac, np.multiply)
    return SecretArray(x.party, product, frac)


def _factor(by: Any, frac: int) -> tuple[npt.NDArray[Any], int]:
    """A public factor of a secret with so many fractional bits, and the fractional bits of the product.

    OutOfRange for factors that would bring any secret but 0 out of range.
    """
    by = publics.public_array(by, "public factor")
    gain = encoding.FRAC if by.dtype.kind == "f" and not frac else 0
    return publics.within(by, 62 - gain, "public factor"), frac + gain


def matmul(x: Any, y: Any) -> SecretArray:
    """x @ y, as numpy.matmul for one and more dimensions. 1 round, 8 bytes a party for each element of the *result*."""
    return _matmul(*admit(_product_shape, x, y))


def _product_shape(x: Any, y: Any) -> Shape:
    a, b = shape_of(x), shape_of(y)
    try:
        return (np.broadcast_to(np.uint8(0), a) @ np.broadcast_to(np.uint8(0), b)).shape if 0 in (*a, *b) else _mm(a, b)
    except ValueError as error:
        raise ShapeMismatch(f"shapes {a} and {b} do not fit a matrix product") from error


def _mm(a: Shape, b: Shape) -> Shape:
    if not a or not b:
        raise ValueError("no dimensions")
    left, right = (1, *a) if len(a) == 1 else a, (*b, 1) if len(b) == 1 else b
    if left[-1] != right[-2]:
        raise ValueError("inner dimensions")
    lead = np.broadcast_shapes(left[:-2], right[:-2])
    return (*lead, *(() if len(a) == 1 else (left[-2],)), *(() if len(b) == 1 else (right[-1],)))


@operation(SecretArray, _product_shape)
async def _matmul(x: Any, y: Any) -> SecretArray:
    shape = _product_shape(x, y)
    if isinstance(x, SecretArray) and isinstance(y, SecretArray):
        _check_fits(x, y)
        product = await arithmetic.matmul(x.party, _matrix(x.share, True), _matrix(y.share, False))
        return await _cut(x.party, product.reshape(x.party.layout.k, *shape), x.frac, y.frac)
    secret, left = (x, True) if isinstance(x, SecretArray) else (y, False)
    public, frac = _factor(y if left else x, secret.frac)
    share = _matrix(secret.share, left)

    def product_of(components: Words, words: Words) -> Words:
        other = _matrix(words[None], not left)[0]
        return np.stack([ring.matmul(c, other) if left else ring.matmul(other, c) for c in components])

    if public.dtype.kind == "f":
        inner = share.shape[-1 if left else -2]
        product = await times(secret.party, share, pieces_of(public), frac - secret.frac, product_of, max(1, inner))
    else:
        product = product_of(share, encoding.encode(public, 0, what="public factor")[0])
    return SecretArray(secret.party, product.reshape(secret.party.layout.k, *shape), frac)


def dot(x: Any, y: Any) -> SecretArray:
    """As numpy.dot: sums over the last axis of x and the last but one of y, or its only one; a number multiplies.

    The result has the other axes of x, then those of y. Costs: as matmul, of a number as multiply.
    """
    return _dot(*admit(_dot_shape, x, y))


def _dot_shape(x: Any, y: Any) -> Shape:
    a, b = shape_of(x), shape_of(y)
    if not a or not b:
        return a or b
    if a[-1] != b[-2:][0]:
        raise ShapeMismatch(
            f"dot of shapes {a} and {b}: the last of the first and the last but one of the second must be equal"
        )
    return (*a[:-1], *b[:-2], *b[-1:]) if len(b) > 1 else a[:-1]


@operation(SecretArray, _dot_shape)
async def _dot(x: Any, y: Any) -> SecretArray:
    shape = _dot_shape(x, y)
    if not shape_of(x) or not shape_of(y):
        return multiply(x, y)
    if len(shape_of(y)) < 3:
        return matmul(x, y)
    y = y if isinstance(y, SecretArray) else encoding.as_array(y, "public factor")
    *lead, inner, last = range(y.ndim)
    columns = y.transpose(inner, *lead, last).reshape(y.shape[inner], math.prod(y.shape[a] for a in (*lead, last)))
    return matmul(x, columns).reshape(shape)


def _matrix(share: Words, left: bool) -> Words:
    """Components (k, l) of a vector as a matrix: one row on the left, one column on the right."""
    if share.ndim != 2:
        return share
    return share[:, None, :] if left else share[:, :, None]


def power(x: Any, exponent: Any) -> SecretArray:
    """x ** exponent for a public non-negative integer, by squaring. Rounds: those of 2 log2(exponent) products."""
    if isinstance(exponent, bool) or not isinstance(exponent, (int, np.integer)) or exponent < 0:
        raise OutOfRange(f"exponent {exponent!r}: a non-negative integer")
    result: SecretArray | None = None
    square = x = numbers(x)
    while exponent:
        if exponent & 1:
            result = square if result is None else result * square
        exponent >>= 1
        if exponent:
            square = square * square
    return x * 0 + 1 if result is None else result
