"""Everything that only moves or adds components: indexing, reshape, concatenate, sums. All local."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mpc.arrays import SecretArray, SecretBits
from mpc.errors import ShapeMismatch
from mpc.secret import Shape, local

__all__ = [
    "broadcast_to",
    "concatenate",
    "cumsum",
    "reshape",
    "reshape_bits",
    "stack",
    "sum_",
    "take_bits",
    "take_items",
    "transpose",
    "transpose_bits",
]


def _dummy(shape: Shape) -> npt.NDArray[np.uint8]:
    """An array of this shape that takes no memory."""
    return np.broadcast_to(np.uint8(0), shape)


def _behind(key: Any) -> tuple[Any, ...]:
    """The index for an array with the component axis in front."""
    return (slice(None), *key) if isinstance(key, tuple) else (slice(None), key)


def _index_shape(x: Any, key: Any) -> Shape:
    return tuple(_dummy(x.shape)[key].shape)


@local(SecretArray, _index_shape)
def take_items(x: SecretArray, key: Any) -> SecretArray:
    """x[key] for public keys: integers, slices, None, ..., integer or boolean arrays."""
    # a broadcast axis in front keeps advanced indexes in their place, as each component is indexed alone
    return SecretArray(x.party, np.stack([c[key] for c in x.share]), x.frac)


@local(SecretBits, _index_shape)
def take_bits(x: SecretBits, key: Any) -> SecretBits:
    """x[key] for public keys."""
    return SecretBits.packed(x.party, np.stack([c[key] for c in x.unpacked()]))


def _reshaped(x: Any, shape: Any) -> Shape:
    try:
        return tuple(_dummy(x.shape).reshape(shape).shape)
    except ValueError as error:
        raise ShapeMismatch(f"{x.shape} cannot be reshaped to {shape}: the number of elements differs") from error


@local(SecretArray, _reshaped)
def reshape(x: SecretArray, shape: Any) -> SecretArray:
    """See SecretArray.reshape."""
    return SecretArray(x.party, x.share.reshape(x.party.layout.k, *_reshaped(x, shape)), x.frac)


@local(SecretBits, _reshaped)
def reshape_bits(x: SecretBits, shape: Any) -> SecretBits:
    """See SecretBits.reshape."""
    return SecretBits(x.party, x.words, _reshaped(x, shape))


def _axes(x: Any, axes: Sequence[int] | None) -> tuple[int, ...]:
    if axes is None:
        return tuple(reversed(range(len(x.shape))))
    if len(axes) == 1 and isinstance(axes[0], (tuple, list)):
        axes = axes[0]
    return tuple(a % len(x.shape) for a in axes)


def _transposed(x: Any, axes: Sequence[int] | None) -> Shape:
    return tuple(x.shape[a] for a in _axes(x, axes))


@local(SecretArray, _transposed)
def transpose(x: SecretArray, axes: Sequence[int] | None) -> SecretArray:
    """See SecretArray.transpose."""
    return SecretArray(x.party, x.share.transpose(0, *(a + 1 for a in _axes(x, axes))), x.frac)


@local(SecretBits, _transposed)
def transpose_bits(x: SecretBits, axes: Sequence[int] | None) -> SecretBits:
    """See SecretBits.transpose."""
    return SecretBits.packed(x.party, x.unpacked().transpose(0, *(a + 1 for a in _axes(x, axes))))


def _broadcasted(x: Any, shape: Shape) -> Shape:
    try:
        return np.broadcast_to(_dummy(x.shape), shape).shape
    except ValueError as error:
        raise ShapeMismatch(f"{x.shape} cannot be broadcast to {shape}") from error


@local(SecretArray, _broadcasted)
def broadcast_to(x: SecretArray, shape: Shape) -> SecretArray:
    """As numpy.broadcast_to."""
    return SecretArray(x.party, np.stack([np.broadcast_to(c, shape) for c in x.share]), x.frac)


def _reduced(x: Any, axis: Any, keepdims: bool) -> Shape:
    return tuple(_dummy(x.shape).sum(axis=axis, keepdims=keepdims).shape)


@local(SecretArray, _reduced)
def sum_(x: SecretArray, axis: Any, keepdims: bool) -> SecretArray:
    """See SecretArray.sum."""
    return SecretArray(
        x.party,
        np.stack([np.asarray(c.sum(axis=axis, keepdims=keepdims, dtype=np.uint64)) for c in x.share]),
        x.frac,
    )


@local(SecretArray, lambda x, axis: x.shape if axis is not None else (x.size,))
def cumsum(x: SecretArray, axis: int | None) -> SecretArray:
    """See SecretArray.cumsum."""
    return SecretArray(x.party, np.stack([c.cumsum(axis=axis, dtype=np.uint64) for c in x.share]), x.frac)


def _same_kind(parts: Sequence[Any]) -> None:
    if len({type(p) for p in parts}) != 1:
        raise ShapeMismatch("arrays and bits cannot be joined: use .to_array() on the bits")


def concatenate(parts: Sequence[Any], axis: int = 0) -> Any:
    """As numpy.concatenate, of SecretArrays (fractional bits are aligned) or of SecretBits. Local."""
    _same_kind(parts)
    return _join(list(parts), axis, "concatenate", type(parts[0]))


def stack(parts: Sequence[Any], axis: int = 0) -> Any:
    """As numpy.stack. Local."""
    _same_kind(parts)
    return _join(list(parts), axis, "stack", type(parts[0]))


def _join(parts: list[Any], axis: int, how: str, kind: type[Any]) -> Any:
    join = getattr(np, how)

    def shape(parts: list[Any], axis: int) -> Shape:
        try:
            return join([_dummy(p.shape) for p in parts], axis=axis).shape  # type: ignore[no-any-return]
        except ValueError as error:
            raise ShapeMismatch(f"{how} of shapes {[p.shape for p in parts]} along axis {axis}: {error}") from error

    @local(kind, shape)
    def joined(parts: list[Any], axis: int) -> Any:
        party, k = parts[0].party, parts[0].party.layout.k
        if kind is SecretBits:
            planes = [p.unpacked() for p in parts]
            return SecretBits.packed(party, np.stack([join([p[c] for p in planes], axis=axis) for c in range(k)]))
        frac = max(p.frac for p in parts)
        shares = [p.share << np.uint64(frac - p.frac) for p in parts]
        return SecretArray(party, np.stack([join([s[c] for s in shares], axis=axis) for c in range(k)]), frac)

    return joined(parts, axis)
