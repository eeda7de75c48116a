"""sort, argsort and sort_by of secret arrays, in the open after a shuffle (row_sort.py) or by partitions (radix.py).

All are stable. What they show: see row_sort.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from mpc import radix
from mpc.arrays import SecretArray, SecretBits
from mpc.errors import OutOfRange, ShapeMismatch, WrongType
from mpc.mixing import Rows
from mpc.numpy_array import NumpyArray
from mpc.operands import as_numbers
from mpc.party import Party
from mpc.relations import less
from mpc.row_sort import sort_rows
from mpc.secret import Secret, Shape, operation
from mpc.shapes import axes_of, one_axis
from mpc.shuffle import arrays_of, as_given, from_table, launch_many, to_table

__all__ = ["argsort", "sort", "sort_by"]

Words = npt.NDArray[np.uint64]

N = TypeVar("N", bound=NumpyArray)

_WIDEST = 62


# -- along an axis -------------------------------------------------------------------------


def sort(x: N, axis: int | None = -1, descending: bool = False) -> N:
    """A sorted copy along an axis; None: of all elements. All lanes share the batches of row_sort.sort_rows.

    Of SecretBits: bits, by counting. Rounds: 8 (m = 3). Leaks nothing.
    """
    one_axis("sort", axis)
    return (_sort_bits if isinstance(x, SecretBits) else _sort)(x, axis, _flag(descending))  # type: ignore[return-value]


def argsort(x: Any, axis: int | None = -1, descending: bool = False) -> SecretArray:
    """The positions that sort, as numpy.argsort(kind="stable"), descending too; see row_sort.sort_rows."""
    one_axis("sort", axis)
    width = 1 if isinstance(x, SecretBits) else _WIDEST
    return _argsort(*as_numbers(_sorted_shape, x, axis, _flag(descending), width))


def _flag(descending: Any) -> bool:
    if not isinstance(descending, (bool, np.bool_)):
        raise WrongType(f"descending={descending!r}: True or False; for sort_by also a list of one for each key")
    return bool(descending)


def _sorted_shape(x: Any, axis: int | None, *_: Any) -> Shape:
    axes_of(x.shape, axis)
    return x.shape if axis is not None else (x.size,)


async def _along(x: SecretArray, axis: int | None, descending: bool, width: int) -> tuple[Words, Words]:
    """Sorted values and original positions along an axis, components (k, *shape); |value| < 2^width."""
    shape = _sorted_shape(x, axis)
    k = x.party.layout.k
    at = -1 if axis is None else axes_of(shape, axis)[0] + 1
    moved = np.moveaxis(x.share.reshape(k, *shape), at, -1)
    if not moved.size:
        return x.share.reshape(k, *shape).copy(), x.share.reshape(k, *shape).copy()
    keys = np.ascontiguousarray(moved).reshape(1, k, -1)
    sign = np.int64(-1 if descending else 1).view(np.uint64)
    values, _, rows = await sort_rows(x.party, keys * sign, (width,), (), keys.shape[2] // moved.shape[-1])
    return (
        np.ascontiguousarray(np.moveaxis((values * sign).reshape(moved.shape), -1, at)),
        np.ascontiguousarray(np.moveaxis(rows.reshape(moved.shape), -1, at)),
    )


@operation(SecretArray, _sorted_shape)
async def _sort(x: SecretArray, axis: int | None, descending: bool) -> SecretArray:
    return SecretArray(x.party, (await _along(x, axis, descending, _WIDEST))[0], x.frac)


@operation(SecretArray, _sorted_shape)
async def _argsort(x: SecretArray, axis: int | None, descending: bool, width: int) -> SecretArray:
    return SecretArray(x.party, (await _along(x, axis, descending, width))[1])


@operation(SecretBits, _sorted_shape)
async def _sort_bits(x: SecretBits, axis: int | None, descending: bool) -> SecretBits:
    """How many come first is counted, and every place compared with it."""
    flags = x.ravel() if axis is None else x
    at = axes_of(flags.shape, -1 if axis is None else axis)[0]
    count = (flags if descending else ~flags).sum(at, keepdims=True)
    places = np.arange(flags.shape[at]).reshape(-1, *(1,) * (flags.ndim - 1 - at))
    first = less(np.broadcast_to(places, flags.shape), count)
    return first if descending else ~first


# -- rows by keys --------------------------------------------------------------------------


def sort_by(
    keys: Secret | Sequence[Secret],
    payload: Secret | Sequence[Secret] = (),
    *,
    descending: bool | Sequence[bool] = False,
    bits: int | Sequence[int | None] | None = None,
) -> tuple[Any, Any]:
    """(keys, payload) with their rows in stable order of the keys, the first key most significant.

    Args:
        keys: arrays of one dimension and one length, or one such array; SecretBits count as 0 and 1.
        payload: arrays whose first axis has that length, or one such array. What is one array comes back as one.
        descending: for all keys, or for each. Rows with equal keys keep their order in any case.
        bits: for all keys, or for each: b with |value| < 2^b, which makes comparing cheaper. With a value beyond it
            the order is wrong, and the comparisons may then show something of it.

    Rounds, bytes, leaks: see row_sort.sort_rows; if all keys are SecretBits, and not too many, radix.rows_by_bits.
    """
    own_keys, carried_along = arrays_of("keys of sort_by", keys), arrays_of("payload of sort_by", payload)
    if not own_keys:
        raise ShapeMismatch("sort_by without a key: give at least one")
    down = [_flag(d) for d in _for_each(descending, len(own_keys), "descending")]
    most = _for_each(bits, len(own_keys), "bits")
    for b in most:
        if b is not None and (isinstance(b, bool) or not isinstance(b, (int, np.integer)) or not 1 <= b <= _WIDEST):
            raise OutOfRange(f"bits={b!r}: a whole number from 1 to {_WIDEST}, or None")
    everything = (*own_keys, *carried_along)
    party = everything[0].party

    async def body(*settled: Any) -> list[Any]:
        own, carried = settled[: len(own_keys)], settled[len(own_keys) :]
        _check_rows(own, carried)
        flags = [x for x in own if isinstance(x, SecretBits)]  # come out as bits, not as the numbers compared
        tables = [to_table(x) for x in (*flags, *carried)]
        values: Words = np.empty((0, 0, 0), np.uint64)
        if len(flags) == len(own) <= radix.MOST:
            planes = [(~key if d else key).words for key, d in zip(own, down, strict=True)]
            tables = await radix.rows_by_bits(party, planes, tables, own[0].size)
        else:
            values, tables = await _by_comparing(party, own, down, most, tables)
        moved = [from_table(x, table) for x, table in zip((*flags, *carried), tables, strict=True)]
        again = iter(moved)
        ordered = [
            next(again) if isinstance(key, SecretBits) else SecretArray(party, values[j], key.frac)
            for j, key in enumerate(own)
        ]
        return [*ordered, *again]

    if all(x._shape is not None for x in everything):
        _check_rows(own_keys, carried_along)
    done = launch_many("sort_by", everything, body)
    return as_given(keys, done[: len(own_keys)]), as_given(payload, done[len(own_keys) :])


def _for_each(given: Any, keys: int, what: str) -> list[Any]:
    """What is given for each key, or for all, as a list of one for each."""
    if not isinstance(given, (list, tuple, np.ndarray)) or np.ndim(given) == 0:
        return [given] * keys
    if len(given) != keys:
        raise ShapeMismatch(f"{keys} keys, but {len(given)} of {what}: one for each key, or one for all")
    return list(given)


async def _by_comparing(
    party: Party, keys: Sequence[Any], down: Sequence[bool], most: Sequence[int | None], tables: Sequence[Rows]
) -> tuple[Words, list[Rows]]:
    columns = [await key.to_array() if isinstance(key, SecretBits) else key for key in keys]
    signs = np.where(down, -1, 1).astype(np.int64).view(np.uint64)[:, None, None]
    widths = [
        1 if isinstance(key, SecretBits) else _WIDEST if b is None else min(_WIDEST, b + key.frac)
        for key, b in zip(keys, most, strict=True)
    ]
    values, moved, _ = await sort_rows(party, np.stack([x.share for x in columns]) * signs, widths, tables)
    return values * signs, moved


def _check_rows(columns: Sequence[Any], carried: Sequence[Any]) -> None:
    n = columns[0].size
    if any(x.ndim != 1 or x.size != n for x in columns):
        raise ShapeMismatch(f"keys of shapes {[x.shape for x in columns]}: one dimension and one length are needed")
    if any(x.ndim < 1 or x.shape[0] != n for x in carried):
        raise ShapeMismatch(
            f"payload of shapes {[x.shape for x in carried]}: the first axis must be {n}, as of the keys"
        )
