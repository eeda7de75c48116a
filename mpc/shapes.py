"""Everything that only moves components: indexing, reshape, concatenate; and axes. All local."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from mpc import bits, publics
from mpc.arrays import SecretArray, SecretBits
from mpc.errors import ShapeMismatch, WrongType
from mpc.exchange import public_share
from mpc.numpy_array import NumpyArray
from mpc.operands import common_frac, share_of
from mpc.secret import Secret, Shape, local

__all__ = [
    "axes_of",
    "broadcast_to",
    "check_axes",
    "concatenate",
    "expand_dims",
    "last_axis",
    "one_axis",
    "reduced",
    "reshape",
    "squeeze",
    "stack",
    "swapaxes",
    "take_along",
    "take_items",
    "transpose",
]

N = TypeVar("N", bound=NumpyArray)


def _dummy(shape: Shape) -> npt.NDArray[np.uint8]:
    """An array of this shape that takes no memory."""
    return np.broadcast_to(np.uint8(0), shape)


# -- axes ------------------------------------------------------------------------------------


def axes_of(shape: Shape, axis: Any) -> tuple[int, ...]:
    """The axes meant, from 0, in the order given; all for None. ShapeMismatch for what is none, or one twice."""
    if axis is None:
        return tuple(range(len(shape)))
    try:
        given = [operator.index(a) for a in (axis if isinstance(axis, (tuple, list)) else (axis,))]
    except TypeError:
        raise ShapeMismatch(f"axis {axis!r}: an integer, a tuple of integers or None") from None
    if any(not -len(shape) <= a < len(shape) for a in given):
        raise ShapeMismatch(f"axis {axis} of an array of shape {shape}")
    found = tuple(a % len(shape) for a in given)
    if len(set(found)) < len(found):
        raise ShapeMismatch(f"axis {axis} of an array of shape {shape} names one axis twice")
    return found


def one_axis(name: str, axis: Any) -> None:
    """ShapeMismatch for several axes where one, or None, is needed."""
    if isinstance(axis, (tuple, list)):
        raise ShapeMismatch(f"{name}: one axis or None, not {axis}")


def reduced(x: Any, axis: Any, keepdims: bool = False) -> Shape:
    """The shape that is left when these axes are reduced."""
    gone = axes_of(x.shape, axis)
    if keepdims:
        return tuple(1 if a in gone else d for a, d in enumerate(x.shape))
    return tuple(d for a, d in enumerate(x.shape) if a not in gone)


def check_axes(x: Secret, axis: Any) -> None:
    """ShapeMismatch for impossible axes, at once if the shape is known here."""
    if x._shape is not None:
        axes_of(x._shape, axis)


# -- moves -----------------------------------------------------------------------------------


def _move(name: str, move: Callable[..., Any]) -> Callable[..., Any]:
    """A function of a secret and public arguments from one of a component and the same arguments."""

    def shape(x: Any, *args: Any) -> Shape:
        try:
            return tuple(move(_dummy(x.shape), *args).shape)
        except (ValueError, TypeError) as error:
            if name == "[]":
                raise
            raise ShapeMismatch(f"{name} of an array of shape {x.shape}: {error}") from None

    # each component is moved alone: with an axis in front advanced indexes would move
    @local(SecretArray, shape)
    def of_numbers(x: SecretArray, *args: Any) -> SecretArray:
        return SecretArray(x.party, np.stack([move(c, *args) for c in x.share]), x.frac)

    @local(SecretBits, shape)
    def of_bits(x: SecretBits, *args: Any) -> SecretBits:
        return SecretBits.packed(x.party, np.stack([move(c, *args) for c in x.unpacked()]))

    def call(x: Any, *args: Any) -> Any:
        if not isinstance(x, Secret):
            raise WrongType(f"{name}: a SecretArray or SecretBits is needed, not {type(x).__name__}")
        return of_bits(x, *args) if isinstance(x, SecretBits) else of_numbers(x, *args)

    return call


_items = _move("[]", lambda c, key: c[key])
_broadcast = _move("broadcast_to", np.broadcast_to)
_expand_dims = _move("expand_dims", np.expand_dims)
_squeeze = _move("squeeze", np.squeeze)
_swapaxes = _move("swapaxes", np.swapaxes)
_take = _move("take", np.take)


def take_items(x: N, key: Any) -> N:
    """x[key] for public keys: integers, slices, None, ..., integer or boolean arrays."""
    return _items(x, key)  # type: ignore[no-any-return]


def take_along(x: N, indices: Any, axis: int | None) -> N:
    """See NumpyArray.take."""
    return _take(x, indices, axis)  # type: ignore[no-any-return]


def broadcast_to(x: N, shape: Any) -> N:
    """As numpy.broadcast_to. Local."""
    return _broadcast(x, shape)  # type: ignore[no-any-return]


def expand_dims(x: N, axis: Any) -> N:
    """As numpy.expand_dims. Local."""
    return _expand_dims(x, axis)  # type: ignore[no-any-return]


def squeeze(x: N, axis: Any) -> N:
    """See NumpyArray.squeeze."""
    return _squeeze(x, axis)  # type: ignore[no-any-return]


def swapaxes(x: N, axis1: int, axis2: int) -> N:
    """See NumpyArray.swapaxes."""
    return _swapaxes(x, axis1, axis2)  # type: ignore[no-any-return]


def _reshaped(x: Any, shape: Any) -> Shape:
    try:
        return tuple(_dummy(x.shape).reshape(shape).shape)
    except (ValueError, TypeError) as error:
        raise ShapeMismatch(f"{x.shape} cannot be reshaped to {shape}: the number of elements differs") from error


@local(SecretArray, _reshaped)
def _reshape_numbers(x: SecretArray, shape: Any) -> SecretArray:
    return SecretArray(x.party, x.share.reshape(x.party.layout.k, *_reshaped(x, shape)), x.frac)


@local(SecretBits, _reshaped)
def _reshape_bits(x: SecretBits, shape: Any) -> SecretBits:
    return SecretBits(x.party, x.words, _reshaped(x, shape))


def reshape(x: N, shape: Any) -> N:
    """See NumpyArray.reshape. Needs no copy."""
    return (_reshape_bits if isinstance(x, SecretBits) else _reshape_numbers)(x, shape)  # type: ignore[return-value]


def _order(x: Any, given: tuple[Any, ...]) -> tuple[int, ...]:
    """The axes of x in the order transpose's arguments say: none, or None, reverses; else each, or all in one."""
    axes = given[0] if len(given) == 1 else given or None
    if axes is None:
        return tuple(reversed(range(len(x.shape))))
    order = axes_of(x.shape, tuple(axes) if isinstance(axes, np.ndarray) and axes.ndim else axes)
    if len(order) != len(x.shape):
        raise ShapeMismatch(f"transpose: {len(order)} axes given for an array of shape {x.shape}")
    return order


def _transposed(x: Any, axes: Any) -> Shape:
    return tuple(x.shape[a] for a in _order(x, axes))


@local(SecretArray, _transposed)
def _transpose_numbers(x: SecretArray, axes: Any) -> SecretArray:
    return SecretArray(x.party, x.share.transpose(0, *(a + 1 for a in _order(x, axes))), x.frac)


@local(SecretBits, _transposed)
def _transpose_bits(x: SecretBits, axes: Any) -> SecretBits:
    return SecretBits.packed(x.party, x.unpacked().transpose(0, *(a + 1 for a in _order(x, axes))))


def transpose(x: N, axes: Any) -> N:
    """See NumpyArray.transpose. Of numbers it needs no copy."""
    move = _transpose_bits if isinstance(x, SecretBits) else _transpose_numbers
    return move(x, axes)  # type: ignore[return-value]


def last_axis(x: N, axis: Any) -> N:
    """The axes to reduce as one, the last. Local."""
    gone = axes_of(x.shape, axis)
    kept = [a for a in range(x.ndim) if a not in gone]
    moved = x.transpose(tuple(kept + sorted(gone)))
    return moved.reshape((*(x.shape[a] for a in kept), math.prod(x.shape[a] for a in gone)))


# -- joins -----------------------------------------------------------------------------------


def concatenate(parts: Sequence[Any], axis: int | None = 0) -> Any:
    """As numpy.concatenate, of SecretArrays (fractional bits are aligned) or of SecretBits. Local, leaks nothing.

    Public arrays among them become shares: numbers beside a SecretArray, booleans beside SecretBits.
    """
    parts, kind = _parts(parts, "concatenate")
    return _join(parts, axis, "concatenate", kind)


def stack(parts: Sequence[Any], axis: int = 0) -> Any:
    """As numpy.stack, of what concatenate takes. Local, leaks nothing."""
    parts, kind = _parts(parts, "stack")
    return _join(parts, axis, "stack", kind)


def _parts(parts: Any, name: str) -> tuple[list[Any], type[Any]]:
    """The parts, public ones as numpy arrays, and the kind of the secret ones."""
    parts = list(parts)
    if not parts:
        raise ShapeMismatch(f"{name} of no arrays: give at least one")
    kinds = {type(p) for p in parts if isinstance(p, Secret)}
    if not kinds:
        raise WrongType(f"{name}: no secret among the arrays: use numpy.{name}")
    if len(kinds) > 1:
        raise ShapeMismatch("arrays and bits cannot be joined: use .to_array() on the bits")
    kind = kinds.pop()
    parts = [p if isinstance(p, Secret) else publics.within(p, 62, f"public part of {name}") for p in parts]
    for p in parts:
        if not isinstance(p, Secret) and kind is SecretBits and p.dtype != np.bool_:
            raise WrongType(f"{name}: bits and public {p.dtype} cannot be joined: use .to_array() on the bits")
    return parts, kind


def _planes(party: Any, part: Any) -> npt.NDArray[np.bool_]:
    """Components of bits, or of public booleans, as booleans (k, *shape)."""
    if not isinstance(part, SecretBits):
        part = SecretBits(party, public_share(party, bits.pack(part)), part.shape)
    planes: npt.NDArray[np.bool_] = part.unpacked()
    return planes


def _join(parts: list[Any], axis: int | None, how: str, kind: type[Any]) -> Any:
    join = getattr(np, how)

    def shape(parts: list[Any], axis: int | None) -> Shape:
        try:
            return join([_dummy(p.shape) for p in parts], axis=axis).shape  # type: ignore[no-any-return]
        except (ValueError, TypeError) as error:
            raise ShapeMismatch(f"{how} of shapes {[p.shape for p in parts]} along axis {axis}: {error}") from error

    @local(kind, shape)
    def joined(parts: list[Any], axis: int | None) -> Any:
        party = next(p.party for p in parts if isinstance(p, Secret))
        k = party.layout.k
        if kind is SecretBits:
            planes = [_planes(party, p) for p in parts]
            return SecretBits.packed(party, np.stack([join([p[c] for p in planes], axis=axis) for c in range(k)]))
        frac = common_frac(*parts)
        shares = [share_of(party, p, frac) for p in parts]
        return SecretArray(party, np.stack([join([s[c] for s in shares], axis=axis) for c in range(k)]), frac)

    return joined(parts, axis)
