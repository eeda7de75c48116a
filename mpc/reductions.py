"""Sums, mean, minimum, maximum, their positions, any, all over axes; clip, abs."""

from __future__ import annotations

import math
from typing import Any, TypeVar

import numpy as np

from mpc.arrays import SecretArray, SecretBits
from mpc.errors import OutOfRange, WrongType
from mpc.numpy_array import NumpyArray
from mpc.operands import admit, are_bits, as_numbers, broadcast, common_frac, one_secret, share_of
from mpc.relations import invert, invert_public, less, logical_and, where
from mpc.secret import Secret, Shape, local, operation
from mpc.shapes import axes_of, check_axes, concatenate, last_axis, one_axis, reduced

__all__ = [
    "absolute",
    "all_",
    "any_",
    "argmax",
    "argmin",
    "clip",
    "cumsum",
    "maximum",
    "maximum_of",
    "mean",
    "minimum",
    "minimum_of",
    "sum_",
]

N = TypeVar("N", bound=NumpyArray)


# -- sums ------------------------------------------------------------------------------------


def sum_(x: Any, axis: Any, keepdims: bool) -> SecretArray:
    """See SecretArray.sum."""
    return _sum(*as_numbers(reduced, x, axis, keepdims))


@local(SecretArray, reduced)
def _sum(x: SecretArray, axis: Any, keepdims: bool) -> SecretArray:
    axes = axes_of(x.shape, axis)
    return SecretArray(
        x.party,
        np.stack([np.asarray(c.sum(axis=axes, keepdims=keepdims, dtype=np.uint64)) for c in x.share]),
        x.frac,
    )


def _running(x: Any, axis: int | None) -> Shape:
    axes_of(x.shape, axis)
    return x.shape if axis is not None else (math.prod(x.shape),)


def cumsum(x: Any, axis: int | None) -> SecretArray:
    """See SecretArray.cumsum."""
    one_axis("cumsum", axis)
    return _cumsum(*as_numbers(_running, x, axis))


@local(SecretArray, _running)
def _cumsum(x: SecretArray, axis: int | None) -> SecretArray:
    return SecretArray(x.party, np.stack([c.cumsum(axis=axis, dtype=np.uint64) for c in x.share]), x.frac)


def mean(x: Any, axis: Any, keepdims: bool) -> SecretArray:
    """Sum over the axes by their public length, with the error and the range of a public division.

    |sum| < 2^46 for 16 bits. Rounds: at most 4 (m = 3). Leaks nothing.
    """
    return _mean(*as_numbers(reduced, x, axis, keepdims))


@operation(SecretArray, reduced)
async def _mean(x: SecretArray, axis: Any, keepdims: bool) -> SecretArray:
    total = x.sum(axis, keepdims)
    results = math.prod(reduced(x, axis, keepdims))
    count = math.prod(x.shape) // results if results else 1
    if count == 0:
        raise OutOfRange(f"mean of an empty axis, shape {x.shape}")
    return total / count


def _shape(x: Any, *_: Any) -> Shape:
    return x.shape  # type: ignore[no-any-return]


@operation(SecretArray, _shape)
async def absolute(x: SecretArray) -> SecretArray:
    """|x| = x - 2 x [x < 0]. Rounds: 9 (m = 3). Leaks nothing."""
    negative = (x < 0).to_array()
    return x - (x * negative) * 2


def minimum(x: Any, y: Any) -> Any:
    """The smaller of two, elementwise; one of them may be public. Rounds: 9 (m = 3). Leaks nothing.

    Of SecretBits and public booleans: bits, x & y. Rounds: 1.
    """
    one_secret("minimum", x, y)
    if are_bits(x, y):
        return logical_and(x, y)
    return _extreme_of_two(*admit(broadcast, x, y), False)


def maximum(x: Any, y: Any) -> Any:
    """The larger of two, elementwise, as minimum; of bits x | y."""
    one_secret("maximum", x, y)
    if are_bits(x, y):
        return invert(logical_and(invert_public(x), invert_public(y)))
    return _extreme_of_two(*admit(broadcast, x, y), True)


@operation(SecretArray, lambda x, y, larger: broadcast(x, y))
async def _extreme_of_two(x: Any, y: Any, larger: bool) -> SecretArray:
    a, b = _encoded(x, y)
    chosen: SecretArray = where(less(x, y), b, a) if larger else where(less(x, y), a, b)
    return chosen


def _encoded(*operands: Any) -> list[Any]:
    """The operands, public ones as shares of what they are rounded to: out of range they raise before a comparison."""
    party = next(o.party for o in operands if isinstance(o, Secret))
    frac = common_frac(*operands)
    return [o if isinstance(o, Secret) else SecretArray(party, share_of(party, o, frac), frac) for o in operands]


def clip(x: Any, low: Any, high: Any, least: Any = None, most: Any = None) -> SecretArray:
    """As numpy.clip for low <= high, which may be secret; None is no bound; least and most are low and high again.

    Rounds: 11 for two bounds, whose comparisons share their rounds, 9 for one (m = 3). Leaks nothing.
    """
    if (low is not None and least is not None) or (high is not None and most is not None):
        raise WrongType("clip: a bound given twice; min is another name for low, max for high")
    return _clip(*admit(_clipped, x, least if low is None else low, most if high is None else high))


def _clipped(x: Any, low: Any, high: Any) -> Shape:
    return broadcast(*(o for o in (x, low, high) if o is not None))


@operation(SecretArray, _clipped)
async def _clip(x: SecretArray, low: Any, high: Any) -> SecretArray:
    if low is None and high is None:
        return x
    if low is None:
        most = _encoded(x, high)[1]
        return where(x > high, most, x)
    if high is None:
        least = _encoded(x, low)[1]
        return where(x < low, least, x)
    _, least, most = _encoded(x, low, high)
    below, above = x < low, x > high
    return where(above, most, where(below, least, x))


# -- over axes -------------------------------------------------------------------------------


def _filled(x: Any, axis: Any) -> Any:
    """As last_axis; OutOfRange for an empty axis, which has no smallest or largest."""
    values = last_axis(x, axis)
    if values.shape[-1] == 0:
        raise OutOfRange(f"minimum, maximum of an empty axis, shape {x.shape}")
    return values


async def _tournament(x: SecretArray, axis: Any, largest: bool) -> tuple[SecretArray, SecretArray]:
    """(values, positions) of the winners along axes, halving them each time: ceil(log2 length) comparisons deep.

    Of equal ones the first wins, as in numpy. Rounds: 9 for each halving (m = 3). Leaks nothing.
    """
    values = _filled(x, axis)
    places = np.broadcast_to(np.arange(values.shape[-1]), values.shape)
    positions = values * 0 + places if values.frac == 0 else SecretArray(x.party, values.share * np.uint64(0)) + places
    while values.shape[-1] > 1:
        half = values.shape[-1] // 2
        a, b, rest = values[..., 0 : 2 * half : 2], values[..., 1 : 2 * half : 2], values[..., 2 * half :]
        p, q, left = (
            positions[..., 0 : 2 * half : 2],
            positions[..., 1 : 2 * half : 2],
            positions[..., 2 * half :],
        )
        second = (a < b) if largest else (b < a)
        better = second.to_array()
        values = concatenate([a + better * (b - a), rest], axis=-1)
        positions = concatenate([p + better * (q - p), left], axis=-1)
        await values
        await positions
    return values[..., 0], positions[..., 0]


def minimum_of(x: N, axis: Any, keepdims: bool = False) -> N:
    """The smallest over axes. Rounds: at most 9 for each of ceil(log2 length) halvings (m = 3). Leaks nothing.

    Of SecretBits: bits, as all. OutOfRange for an empty axis.
    """
    if isinstance(x, SecretBits):
        return _all_filled(x, axis, keepdims)  # type: ignore[return-value]
    return _extreme(x, axis, keepdims, False)  # type: ignore[return-value]


def maximum_of(x: N, axis: Any, keepdims: bool = False) -> N:
    """The largest over axes, as minimum_of."""
    if isinstance(x, SecretBits):
        return ~_all_filled(~x, axis, keepdims)  # type: ignore[return-value]
    return _extreme(x, axis, keepdims, True)  # type: ignore[return-value]


@operation(SecretArray, lambda x, axis, keepdims, largest: reduced(x, axis, keepdims))
async def _extreme(x: SecretArray, axis: Any, keepdims: bool, largest: bool) -> SecretArray:
    return (await _tournament(x, axis, largest))[0].reshape(reduced(x, axis, keepdims))


def argmin(x: Any, axis: int | None, keepdims: bool = False) -> SecretArray:
    """Position of the first minimum, in the rounds of minimum_of; of SecretBits see _first_set."""
    one_axis("argmin", axis)
    return _first_set(~x, axis, keepdims) if isinstance(x, SecretBits) else _place(x, axis, keepdims, False)


def argmax(x: Any, axis: int | None, keepdims: bool = False) -> SecretArray:
    """Position of the first maximum, as argmin."""
    one_axis("argmax", axis)
    return _first_set(x, axis, keepdims) if isinstance(x, SecretBits) else _place(x, axis, keepdims, True)


@operation(SecretArray, lambda x, axis, keepdims, largest: reduced(x, axis, keepdims))
async def _place(x: SecretArray, axis: int | None, keepdims: bool, largest: bool) -> SecretArray:
    return (await _tournament(x, axis, largest))[1].reshape(reduced(x, axis, keepdims))


# -- bits over axes --------------------------------------------------------------------------


def all_(x: Any, axis: Any, keepdims: bool = False) -> SecretBits:
    """See SecretArray.all."""
    check_axes(x, axis)
    return _all(x if isinstance(x, SecretBits) else x != 0, axis, keepdims)


def any_(x: Any, axis: Any, keepdims: bool = False) -> SecretBits:
    """See SecretArray.any."""
    check_axes(x, axis)
    return ~_all(~x if isinstance(x, SecretBits) else x == 0, axis, keepdims)


@operation(SecretBits, reduced)
async def _all(x: SecretBits, axis: Any, keepdims: bool) -> SecretBits:
    """ANDs of halves, ceil(log2 length) deep."""
    flags = last_axis(x, axis)
    left = reduced(x, axis, keepdims)
    if flags.shape[-1] == 0:
        return SecretBits.packed(x.party, np.zeros((x.party.layout.k, *left), np.bool_)) ^ np.ones(left, np.bool_)
    while flags.shape[-1] > 1:
        half = flags.shape[-1] // 2
        joined = flags[..., :half] & flags[..., half : 2 * half]
        flags = await concatenate([joined, flags[..., 2 * half :]], axis=-1)
    return flags[..., 0].reshape(left)


@operation(SecretBits, reduced)
async def _all_filled(x: SecretBits, axis: Any, keepdims: bool) -> SecretBits:
    _filled(x, axis)
    return _all(x, axis, keepdims)


@operation(SecretArray, reduced)
async def _first_set(x: SecretBits, axis: int | None, keepdims: bool) -> SecretArray:
    """Position of the first bit that is set, 0 if none is. Rounds: ceil(log2 length) + 2 (m = 3). Leaks nothing.

    Neighbours are joined two by two. A block has a flag, whether any is set in it, and the place of the first in bits,
    0 without one. Of blocks (f, p) and (g, q) come f | g and, by f, p or q, with one more bit on top, g & ~f.
    """
    blocks = _filled(x, axis)[None]
    while (length := blocks.shape[-1]) > 1:
        if length % 2:
            blocks = concatenate([blocks, np.zeros((*blocks.shape[:-1], 1), np.bool_)], axis=-1)
        first, second = blocks[..., 0::2], blocks[..., 1::2]
        f, p, g, q = first[:1], first[1:], second[:1], second[1:]
        both = f & concatenate([g, p ^ q])
        top = g ^ both[:1]
        blocks = await concatenate([f ^ top, q ^ both[1:], top])
    place: SecretArray = blocks[1:, ..., 0].to_array()
    weights = (1 << np.arange(place.shape[0])).reshape(-1, *(1,) * (place.ndim - 1))
    return (place * weights).sum(0).reshape(reduced(x, axis, keepdims))
