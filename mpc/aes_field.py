"""The linear and bilinear maps AES consists of, derived from FIPS 197 and a tower of fields. Pure; no parties.

A byte of AES is an element of GF(2)[x]/(x^8 + x^4 + x^3 + x + 1). Here it is also a vector over a basis that is normal
at each step of GF(2) < GF(4) < GF(16) < GF(256): products of one of (w, w^2), one of (z, z^4), one of (y, y^16), where
w + w^2 = z + z^4 = y + y^16 = 1. Norms lead down the tower, so inverting costs products in small fields only:

    1/x = x^16 / a,    a = x^17 in GF(16),    1/a = a^4 / b,    b = a^5 in GF(4),    1/b = b^2, which is linear.

Satoh, Morioka, Takano, Munetoh (ASIACRYPT 2001); Canright (CHES 2005), for the normal bases.

Bit p of a block is bit p % 8 of its byte p // 8, in FIPS's order of bytes, lowest bit first; coordinates likewise.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from mpc.plane_maps import Form, Linear

__all__ = [
    "block_from_tower",
    "block_to_tower",
    "constant",
    "final_layer",
    "forms",
    "key_layer",
    "multiply",
    "power",
    "round_layer",
]

Bools = npt.NDArray[np.bool_]

AFFINE_CONSTANT = 0x63
_MIX = (2, 3, 1, 1)


def multiply(a: int, b: int) -> int:
    """The product of two bytes."""
    product = 0
    for j in range(8):
        product ^= (b >> j & 1) * (a << j)
    for j in range(14, 7, -1):
        product ^= (product >> j & 1) * (0x11B << (j - 8))
    return product


def power(a: int, exponent: int) -> int:
    """a^exponent, exponent >= 0."""
    result = 1
    for digit in f"{exponent:b}":
        result = multiply(result, result)
        if digit == "1":
            result = multiply(result, a)
    return result


# -- the tower -----------------------------------------------------------------------------------


def _trace_one(order: int) -> int:
    """The least e with e + e^order = 1 that is in the field of order^2 elements."""
    return next(e for e in range(256) if e ^ power(e, order) == 1 and power(e, order**2) == e)


@functools.cache
def basis(count: int) -> tuple[int, ...]:
    """The basis of the field of 2^count elements, count = 1, 2, 4, 8: the one below times e, and then times e^q."""
    if count == 1:
        return (1,)
    below, order = basis(count // 2), 1 << count // 2
    e = _trace_one(order)
    return tuple(multiply(factor, b) for factor in (e, power(e, order)) for b in below)


@functools.cache
def _elements(count: int) -> tuple[int, ...]:
    """The byte of every vector of coordinates."""
    return tuple(
        functools.reduce(int.__xor__, (b for j, b in enumerate(basis(count)) if v >> j & 1), 0)
        for v in range(1 << count)
    )


def _coordinates(count: int, byte: int) -> int:
    return _elements(count).index(byte)


def _matrix(f: Callable[[int], int]) -> Bools:
    """The matrix of a linear map of bytes."""
    return np.array([[f(1 << j) >> i & 1 for j in range(8)] for i in range(8)], np.bool_)


@functools.cache
def _from_tower() -> Bools:
    return _matrix(lambda v: _elements(8)[v])


@functools.cache
def _to_tower() -> Bools:
    return _matrix(lambda byte: _coordinates(8, byte))


def _times(*matrices: Bools) -> Bools:
    return functools.reduce(lambda a, b: (a.astype(np.int64) @ b % 2).astype(np.bool_), matrices)


# -- inverting -----------------------------------------------------------------------------------


def _karatsuba(count: int) -> list[int]:
    """Masks of the sums of coordinates whose products are enough for a product in the field of 2^count elements."""
    if count == 1:
        return [1]
    half = count // 2
    below = _karatsuba(half)
    return [*below, *(m << half for m in below), *(m | m << half for m in below)]


def _solve(products: Bools, outputs: Bools) -> Bools:
    """The matrix b with b @ products = outputs; ValueError if there is none."""
    unknown = len(products)
    system = np.concatenate([products, outputs]).T.copy()
    row, pivots = 0, []
    for column in range(unknown):
        found = np.flatnonzero(system[row:, column])
        if found.size:
            system[[row, row + found[0]]] = system[[row + found[0], row]]
            others = system[:, column].copy()
            others[row] = False
            system[others] ^= system[row]
            pivots.append(column)
            row += 1
    if system[row:, unknown:].any():
        raise ValueError("these products are not enough")
    solution = np.zeros((len(outputs), unknown), np.bool_)
    solution[:, pivots] = system[:row, unknown:].T
    return solution


def _form(
    left: Sequence[int], right: Sequence[int], points: Sequence[tuple[int, int]], outputs: Sequence[int], count: int
) -> Form:
    """The form with these factors that has these outputs, of ``count`` bits, at these points."""

    def sums(masks: Sequence[int], vectors: list[int]) -> Bools:
        return np.array([[(m & v).bit_count() & 1 for v in vectors] for m in masks], np.bool_)

    products = sums(left, [u for u, _ in points]) & sums(right, [v for _, v in points])
    back = _solve(products, sums([1 << o for o in range(count)], list(outputs)))
    return Form(_planes(left), _planes(right), Linear.of(back))


def _planes(masks: Sequence[int]) -> npt.NDArray[np.int64]:
    planes = np.full((len(masks), 4), -1, np.int64)
    for row, mask in zip(planes, masks, strict=True):
        row[: mask.bit_count()] = [j for j in range(8) if mask >> j & 1]
    return planes


def _norm(count: int, exponent: int = 1) -> Form:
    """x^(q+1), of x in the field of q^2 = 2^count elements, to a power that is linear.

    A product of the halves of x, and squares, which are linear too.
    """
    half = count // 2
    masks = _karatsuba(half)
    sums = [1 << j | 1 << j + half for j in range(half)]
    vectors = range(1 << count)
    outputs = [_coordinates(half, power(_elements(count)[v], exponent * ((1 << half) + 1))) for v in vectors]
    return _form([*masks, *sums], [*(m << half for m in masks), *sums], [(v, v) for v in vectors], outputs, half)


def _quotient(count: int) -> Form:
    """s x^q, of s in the field of q elements and x in that of q^2 = 2^count: two products in the smaller field."""
    half = count // 2
    masks = _karatsuba(half)
    pairs = [(s, x) for s in range(half) for x in range(count)]  # of the bases: enough for a map that is bilinear
    outputs = [_coordinates(count, multiply(basis(half)[s], power(basis(count)[x], 1 << half))) for s, x in pairs]
    points = [(1 << s, 1 << x) for s, x in pairs]
    return _form([*masks, *masks], [*masks, *(m << half for m in masks)], points, outputs, count)


@functools.cache
def forms() -> tuple[Form, Form, Form, Form]:
    """The four products that lead from x to x^-1 (0 to 0), in coordinates.

    a = forms[0](x, x), 1/b = forms[1](a, a), 1/a = forms[2](1/b, a), 1/x = forms[3](1/a, x). They have 9, 3, 6 and 18
    ANDs (and 4 and 2 of a bit with itself) and give 4, 2, 4 and 8 bits.
    """
    return _norm(8), _norm(4, 2), _quotient(4), _quotient(8)


# -- the linear layers ---------------------------------------------------------------------------


def _affine() -> Bools:
    """The linear part of the S-box behind the inverse."""
    return np.array([[(j - i) % 8 in (0, 4, 5, 6, 7) for j in range(8)] for i in range(8)], np.bool_)


def _blocks(count: int, blocks: dict[tuple[int, int], Bools]) -> Linear:
    """The map of ``count`` bytes that has these matrices from byte to byte: {(to, from): matrix}."""
    whole = np.zeros((count, 8, count, 8), np.bool_)
    for (to, source), matrix in blocks.items():
        whole[to, :, source] = matrix
    return Linear.of(whole.reshape(8 * count, 8 * count))


@functools.cache
def round_layer() -> Linear:
    """From the inverses to the state after SubBytes less its constant, ShiftRows, MixColumns; in coordinates."""
    mix = {
        c: _times(_to_tower(), _matrix(lambda a, c=c: multiply(a, c)), _affine(), _from_tower())  # type: ignore[misc]
        for c in set(_MIX)
    }
    return _blocks(
        16,
        {
            (row + 4 * column, source + 4 * ((column + source) % 4)): mix[_MIX[(source - row) % 4]]
            for column in range(4)
            for row in range(4)
            for source in range(4)
        },
    )


@functools.cache
def final_layer() -> Linear:
    """From the inverses, in coordinates, to the bits after SubBytes less its constant, and ShiftRows."""
    matrix = _times(_affine(), _from_tower())
    return _blocks(16, {(r + 4 * c, r + 4 * ((c + r) % 4)): matrix for c in range(4) for r in range(4)})


@functools.cache
def key_layer() -> Linear:
    """From the inverses of four bytes to their S-box less its constant, in coordinates."""
    matrix = _times(_to_tower(), _affine(), _from_tower())
    return _blocks(4, {(i, i): matrix for i in range(4)})


@functools.cache
def block_to_tower() -> Linear:
    """From the bits of 16 bytes to their coordinates."""
    return _blocks(16, {(i, i): _to_tower() for i in range(16)})


@functools.cache
def block_from_tower() -> Linear:
    """From the coordinates of 16 bytes to their bits."""
    return _blocks(16, {(i, i): _from_tower() for i in range(16)})


def constant(byte: int) -> Bools:
    """The coordinates of a byte."""
    v = _coordinates(8, byte)
    return np.array([v >> j & 1 for j in range(8)], np.bool_)
