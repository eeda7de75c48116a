"""sort, argsort and sort_by of secret arrays, in the open after a shuffle (row_sort.py) or by partitions (radix.py).

All are stable. What they show: see row_sort.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mpc import radix
from mpc.arrays import SecretArray, SecretBits
from mpc.errors import OutOfRange, ShapeMismatch
from mpc.mixing import Rows
from mpc.party import Party
from mpc.row_sort import sort_rows
from mpc.secret import Secret, Shape, operation
from mpc.shuffle import check_secret, from_table, launch_many, to_table

__all__ = ["argsort", "sort", "sort_by"]

Words = npt.NDArray[np.uint64]

_WIDEST = 62


# -- along an axis -------------------------------------------------------------------------


def _sorted_shape(x: SecretArray, axis: int | None) -> Shape:
    if axis is None:
        return (x.size,)
    if not -x.ndim <= axis < x.ndim:
        raise ShapeMismatch(f"axis {axis} of an array of shape {x.shape}")
    return x.shape


async def _along(x: SecretArray, axis: int | None) -> tuple[Words, Words]:
    """Sorted values and original positions along an axis, components (k, *shape)."""
    shape = _sorted_shape(x, axis)
    k = x.party.layout.k
    at = -1 if axis is None else axis % x.ndim + 1
    moved = np.moveaxis(x.share.reshape(k, *shape), at, -1)
    if not moved.size:
        return x.share.reshape(k, *shape).copy(), x.share.reshape(k, *shape).copy()
    keys = np.ascontiguousarray(moved).reshape(1, k, -1)
    values, _, rows = await sort_rows(x.party, keys, (_WIDEST,), (), keys.shape[2] // moved.shape[-1])
    return (
        np.ascontiguousarray(np.moveaxis(values.reshape(moved.shape), -1, at)),
        np.ascontiguousarray(np.moveaxis(rows.reshape(moved.shape), -1, at)),
    )


@operation(SecretArray, _sorted_shape)
async def sort(x: SecretArray, axis: int | None) -> SecretArray:
    """A sorted copy along an axis; None: of all elements. See :func:`sort_rows`; all lanes share the batches."""
    return SecretArray(x.party, (await _along(x, axis))[0], x.frac)


@operation(SecretArray, _sorted_shape)
async def argsort(x: SecretArray, axis: int | None) -> SecretArray:
    """The positions that sort, as numpy.argsort(kind="stable"). See :func:`sort_rows`."""
    return SecretArray(x.party, (await _along(x, axis))[1])


# -- rows by keys --------------------------------------------------------------------------


def sort_by(
    keys: Sequence[Secret],
    payload: Sequence[Secret] = (),
    *,
    descending: bool | Sequence[bool] = False,
    bits: int | Sequence[int | None] | None = None,
) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """(keys, payload) with their rows in stable order of the keys, the first key most significant.

    Args:
        keys: arrays of one dimension and one length; SecretBits count as 0 and 1.
        payload: arrays whose first axis has that length.
        descending: for all keys, or for each. Rows with equal keys keep their order in any case.
        bits: for all keys, or for each: b with |value| < 2^b, which makes comparing cheaper. With a value beyond it
            the order is wrong, and the comparisons may then show something of it.

    Rounds, bytes, leaks: see :func:`sort_rows`; if all keys are SecretBits, and not too many, radix.rows_by_bits.
    """
    if not keys:
        raise ShapeMismatch("sort_by without a key: give at least one")
    down = [descending] * len(keys) if isinstance(descending, bool) else list(descending)
    most: list[Any] = [bits] * len(keys) if bits is None or isinstance(bits, (int, np.integer)) else list(bits)
    if len(down) != len(keys) or len(most) != len(keys):
        raise ShapeMismatch(
            f"{len(keys)} keys, but {len(down)} of descending and {len(most)} of bits: one for each key"
        )
    for b in most:
        if b is not None and (not isinstance(b, (int, np.integer)) or not 1 <= b <= _WIDEST):
            raise OutOfRange(f"bits={b}: 1 to {_WIDEST}")
    everything: tuple[Any, ...] = (*keys, *payload)
    check_secret("sort_by", everything)
    party = everything[0].party

    async def body(*settled: Any) -> list[Any]:
        own, carried = settled[: len(keys)], settled[len(keys) :]
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
        _check_rows(keys, payload)
    done = launch_many("sort_by", everything, body)
    return done[: len(keys)], done[len(keys) :]


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
