"""Mean, minimum, maximum, their positions, clip, abs, all: what needs comparisons or divisions over an axis."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mpc.arrays import SecretArray, SecretBits
from mpc.errors import OutOfRange, ShapeMismatch
from mpc.operands import broadcast
from mpc.relations import where
from mpc.secret import Shape, operation
from mpc.shapes import _dummy, _reduced, concatenate

__all__ = [
    "absolute",
    "all_",
    "argmax",
    "argmin",
    "clip",
    "maximum",
    "maximum_of",
    "mean",
    "minimum",
    "minimum_of",
]


@operation(SecretArray, _reduced)
async def mean(x: SecretArray, axis: Any, keepdims: bool) -> SecretArray:
    """Sum over the axes by their public length, with the error and the range of a public division."""
    total = x.sum(axis, keepdims)
    results = math.prod(_reduced(x, axis, keepdims))
    count = math.prod(x.shape) // results if results else 1
    if count == 0:
        raise OutOfRange(f"mean of an empty axis, shape {x.shape}")
    return total / count


def _shape(x: Any, *_: Any) -> Shape:
    return x.shape  # type: ignore[no-any-return]


@operation(SecretArray, _shape)
async def absolute(x: SecretArray) -> SecretArray:
    """|x| = x - 2 x [x < 0]. 9 rounds."""
    negative = (x < 0).to_array()
    return x - (x * negative) * 2


def minimum(x: Any, y: Any) -> SecretArray:
    """The smaller of two, elementwise."""
    return where(x < y, x, y)


def maximum(x: Any, y: Any) -> SecretArray:
    """The larger of two, elementwise."""
    return where(x < y, y, x)


def _clipped(x: Any, low: Any, high: Any) -> Shape:
    return broadcast(*(o for o in (x, low, high) if o is not None))


@operation(SecretArray, _clipped)
async def clip(x: SecretArray, low: Any, high: Any) -> SecretArray:
    """As numpy.clip for low <= high; both comparisons share their rounds."""
    if low is None and high is None:
        return x
    if low is None:
        return where(x > high, high, x)
    if high is None:
        return where(x < low, low, x)
    below, above = x < low, x > high
    return where(above, high, where(below, low, x))


def _without(x: Any, axis: int | None) -> Shape:
    if axis is None:
        return ()
    if not -len(x.shape) <= axis < len(x.shape):
        raise ShapeMismatch(f"axis {axis} of an array of shape {x.shape}")
    return tuple(_dummy(x.shape).sum(axis=axis).shape)


def _last(x: Any, axis: int | None) -> Any:
    """The axis to reduce as the last one."""
    if axis is None:
        return x.ravel()
    order = [a for a in range(x.ndim) if a != axis % x.ndim]
    return x.transpose(*order, axis % x.ndim)


async def _tournament(x: SecretArray, axis: int | None, largest: bool) -> tuple[SecretArray, SecretArray]:
    """(values, positions) of the winners along an axis, halving it each time: ceil(log2 length) comparisons deep.

    Of equal ones the first wins, as in numpy.
    """
    values = _last(x, axis)
    length = values.shape[-1]
    if length == 0:
        raise OutOfRange(f"minimum, maximum of an empty axis, shape {x.shape}")
    places = np.broadcast_to(np.arange(length), values.shape)
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


@operation(SecretArray, _without)
async def minimum_of(x: SecretArray, axis: int | None) -> SecretArray:
    """See SecretArray.min."""
    return (await _tournament(x, axis, largest=False))[0]


@operation(SecretArray, _without)
async def maximum_of(x: SecretArray, axis: int | None) -> SecretArray:
    """See SecretArray.max."""
    return (await _tournament(x, axis, largest=True))[0]


@operation(SecretArray, _without)
async def argmin(x: SecretArray, axis: int | None) -> SecretArray:
    """Position of the first minimum."""
    return (await _tournament(x, axis, largest=False))[1]


@operation(SecretArray, _without)
async def argmax(x: SecretArray, axis: int | None) -> SecretArray:
    """Position of the first maximum."""
    return (await _tournament(x, axis, largest=True))[1]


@operation(SecretBits, _without)
async def all_(x: SecretBits, axis: int | None) -> Any:
    """See SecretBits.all."""
    flags = _last(x, axis)
    if flags.shape[-1] == 0:
        shape = flags.shape[:-1]
        return SecretBits.packed(x.party, np.zeros((x.party.layout.k, *shape), np.bool_)) ^ np.ones(shape, np.bool_)
    while flags.shape[-1] > 1:
        half = flags.shape[-1] // 2
        joined = flags[..., :half] & flags[..., half : 2 * half]
        flags = concatenate([joined, flags[..., 2 * half :]], axis=-1)
        await flags
    return flags[..., 0]
