"""Mean, minimum, maximum, their positions, clip, abs, all: what needs comparisons or divisions over an axis."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mpc.arrays import SecretArray, SecretBits
from mpc.errors import OutOfRange, ShapeMismatch, WrongType
from mpc.operands import broadcast, numbers
from mpc.relations import less, where
from mpc.secret import Secret, Shape, operation
from mpc.shapes import axes_of, concatenate, reduced

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


@operation(SecretArray, reduced)
async def mean(x: SecretArray, axis: Any, keepdims: bool) -> SecretArray:
    """Sum over the axes by their public length, with the error and the range of a public division.

    |mean| < 2^26 for 16 bits. Rounds: at most 4 (m = 3). Leaks nothing.
    """
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


def _one_secret(name: str, *operands: Any) -> None:
    if not any(isinstance(o, Secret) for o in operands):
        raise WrongType(f"{name}: no secret among the operands: use numpy.{name}")


def minimum(x: Any, y: Any) -> Any:
    """The smaller of two, elementwise; one of them may be public. Rounds: 9 (m = 3). Leaks nothing."""
    _one_secret("minimum", x, y)
    return where(less(x, y), numbers(x), numbers(y))


def maximum(x: Any, y: Any) -> Any:
    """The larger of two, elementwise; one of them may be public. Rounds: 9 (m = 3). Leaks nothing."""
    _one_secret("maximum", x, y)
    return where(less(x, y), numbers(y), numbers(x))


def _clipped(x: Any, low: Any, high: Any) -> Shape:
    return broadcast(*(o for o in (x, low, high) if o is not None))


@operation(SecretArray, _clipped)
async def clip(x: SecretArray, low: Any, high: Any) -> SecretArray:
    """As numpy.clip for low <= high, which may be secret; None is no bound. Leaks nothing.

    Rounds: 11 for two bounds, whose comparisons share their rounds, 9 for one (m = 3).
    """
    if low is None and high is None:
        return x
    if low is None:
        return where(x > high, high, x)
    if high is None:
        return where(x < low, low, x)
    below, above = x < low, x > high
    return where(above, high, where(below, low, x))


# -- over axes -------------------------------------------------------------------------------


def _one_left(x: Any, axis: Any) -> Shape:
    if isinstance(axis, (tuple, list)):
        raise ShapeMismatch(f"argmin, argmax: one axis or None, not {axis}")
    return reduced(x, axis)


def _last(x: Any, axis: Any) -> Any:
    """The axes to reduce as one, the last."""
    gone = axes_of(x.shape, axis)
    kept = [a for a in range(x.ndim) if a not in gone]
    moved = x.transpose(tuple(kept + sorted(gone)))
    return moved.reshape((*(x.shape[a] for a in kept), math.prod(x.shape[a] for a in gone)))


async def _tournament(x: SecretArray, axis: Any, largest: bool) -> tuple[SecretArray, SecretArray]:
    """(values, positions) of the winners along axes, halving them each time: ceil(log2 length) comparisons deep.

    Of equal ones the first wins, as in numpy. Rounds: 9 for each halving (m = 3). Leaks nothing.
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


@operation(SecretArray, reduced)
async def minimum_of(x: SecretArray, axis: Any, keepdims: bool = False) -> SecretArray:
    """The smallest over axes. Rounds: at most 9 for each of ceil(log2 length) halvings (m = 3). Leaks nothing."""
    return (await _tournament(x, axis, largest=False))[0].reshape(reduced(x, axis, keepdims))


@operation(SecretArray, reduced)
async def maximum_of(x: SecretArray, axis: Any, keepdims: bool = False) -> SecretArray:
    """The largest over axes, as minimum_of."""
    return (await _tournament(x, axis, largest=True))[0].reshape(reduced(x, axis, keepdims))


@operation(SecretArray, _one_left)
async def argmin(x: SecretArray, axis: int | None) -> SecretArray:
    """Position of the first minimum, in the rounds of minimum_of."""
    return (await _tournament(x, axis, largest=False))[1]


@operation(SecretArray, _one_left)
async def argmax(x: SecretArray, axis: int | None) -> SecretArray:
    """Position of the first maximum, in the rounds of minimum_of."""
    return (await _tournament(x, axis, largest=True))[1]


@operation(SecretBits, reduced)
async def all_(x: SecretBits, axis: Any, keepdims: bool = False) -> Any:
    """See SecretBits.all."""
    flags = _last(x, axis)
    left = reduced(x, axis, keepdims)
    if flags.shape[-1] == 0:
        return SecretBits.packed(x.party, np.zeros((x.party.layout.k, *left), np.bool_)) ^ np.ones(left, np.bool_)
    while flags.shape[-1] > 1:
        half = flags.shape[-1] // 2
        joined = flags[..., :half] & flags[..., half : 2 * half]
        flags = concatenate([joined, flags[..., 2 * half :]], axis=-1)
        await flags
    return flags[..., 0].reshape(left)
