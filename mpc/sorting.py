"""Sort secret rows: shuffle them, then compare in the open.

After a shuffle by a permutation nobody knows, and with keys made distinct by the original row number as the last, the
order of the rows is a uniformly random permutation, whatever they are. So the results of comparing them may be
revealed: anybody could have made them up (Hamada, Kikuchi, Ikarashi, Chida, Takahashi, ICISC 2012). Ties must be
broken by something secret; the public places after the shuffle would show which rows are equal.

As the row number breaks ties, every sort here is stable.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mpc import bits, lexicographic, ordering, permutation, radix
from mpc.arrays import SecretArray, SecretBits
from mpc.errors import OutOfRange, ShapeMismatch
from mpc.exchange import public_share, reveal
from mpc.mixing import Rows, draw, mix
from mpc.party import Party
from mpc.permutation import Index
from mpc.permuting import rows_at
from mpc.secret import Secret, Shape, operation
from mpc.shuffle import check_secret, from_table, launch_many, to_table
from mpc.turns import in_turns

__all__ = ["argsort", "order", "sort", "sort_by", "sort_rows"]

Words = npt.NDArray[np.uint64]

_WIDEST = 62
_SMALL = 1 << 15


# -- components ----------------------------------------------------------------------------


async def order(party: Party, keys: Words, widths: Sequence[int], lanes: int = 1) -> Index:
    """The places of the rows in ascending order, public, of shuffled rows no two of which are equal.

    Args:
        keys: components (c, k, n) of c columns, the most significant first.
        widths: for each column, w with |value| < 2^w.
        lanes: blocks of n / lanes rows, each ordered in itself, all in the same batches.

    Rounds: 8 a batch for m = 3, one 62-bit column and up to 2^20 rows. Batches, and comparisons a row: 1 and 50 for 100
    rows, 4 and 29 for 1,000, 32 and 18 for 2^16, 97 and 19 for 2^20. Sends: 8 bytes a party and comparison for every
    eight blocks (of four bits, in all columns) for m = 3; 23 bytes in this case. Reveals the results of all
    comparisons: those of a uniformly random order if a secret shuffle came before. Semi-honest, t < m/2.

    1. Order the first s_1 rows of a lane by comparing each with each.
    2. Take those that are in order as a search tree; let the rows up to s_2 find their gaps in it, a level at a time.
    3. Compare the rows that met in one gap each with each; now the first s_2 are in order. Go on from 2.
    """
    c, k, n = keys.shape
    slot = party.layout.slot[party.index].get(party.layout.components[0])
    less = np.zeros((c, k), np.uint64)
    if slot is not None:
        less[:-1, slot] = 1
    blocks = tuple(lexicographic.blocks_for(w) for w in widths)
    columns = _Columns(keys.reshape(c * k, n), less.reshape(-1), blocks, n // lanes)
    done, known = np.empty(0, np.int32), 0
    for size in ordering.plan(n // lanes, lanes):
        done = await _bring_in(party, columns, done, lanes, known, size)
        known = size
    return done


@dataclass(frozen=True)
class _Columns:
    """What is compared: the words of all components, what to take off their differences (see lexicographic.less)."""

    words: Words
    less: Words
    blocks: tuple[int, ...]
    length: int


async def _bring_in(party: Party, x: _Columns, done: Index, lanes: int, known: int, size: int) -> Index:
    """The first ``size`` rows of every lane in order, from the first ``known`` in order. Steps 2 and 3 of order."""
    new = size - known
    tree, base = _side_by_side(x.words, done), np.zeros(lanes * new, np.int32)
    height = (known + 1).bit_length() - 1
    for depth in ordering.steps(height, lanes * new)[1]:
        step = functools.partial(
            ordering.tree_differences, x.words, tree, base, x.less, x.length, known, new, depth, height
        )
        found = await _compare(party, x, base.size * ((1 << depth) - 1), step)
        ordering.step_in(found, base, depth, height)
        height -= depth
    members, starts, a, b = ordering.group(base, known, new, x.length)
    pairs = functools.partial(ordering.pair_differences, _side_by_side(x.words, members), a, b, x.less)
    found = await _compare(party, x, a.size, pairs)
    return ordering.finish(found, a, b, members, starts, done, known, new)


def _gathered(keys: Words, rows: Index) -> Words:
    out = np.empty((keys.shape[0], rows.size), np.uint64)
    for row, target in zip(keys, out, strict=True):
        permutation.gather_flat(row, rows, target)
    return out


def _side_by_side(keys: Words, rows: Index) -> Words:
    out = np.empty((rows.size, keys.shape[0]), np.uint64)
    ordering.side_by_side(keys, rows, out)
    return out


async def _compare(party: Party, x: _Columns, count: int, fill: Callable[[int, int, Words], None]) -> Words:
    """The revealed results, packed, of ``count`` comparisons whose differences ``fill(lo, hi, out)`` computes."""
    results = np.empty(bits.plane_words(count), np.uint64)
    if not count:
        return results

    async def piece(lo: int, hi: int, turn: int) -> None:
        diffs = np.empty((x.less.size, hi - lo), np.uint64)
        fill(lo, hi, diffs)
        shares = diffs.reshape(len(x.blocks), party.layout.k, hi - lo)
        opened = await reveal(party, await lexicographic.less(party, shares, x.blocks, turn), boolean=True)
        assert opened is not None
        results[lo // 64 : bits.plane_words(hi)] = opened

    await in_turns(party, "compare", count, piece, least=_SMALL)
    return results


async def sort_rows(
    party: Party, keys: Words, widths: Sequence[int], payload: Sequence[Rows], lanes: int = 1
) -> tuple[Words, list[Rows], Words]:
    """(keys, payload, original row numbers within the lane) in stable ascending order of the keys.

    Args:
        keys: components (c, k, n), most significant column first; widths as for :func:`order`.
        payload: further tables (k, n, columns), uint64, or uint8 of XOR-shared bits.

    Rounds: 2 (m = 3) and those of :func:`order`. Reveals what order does, nothing else.

    1. Shuffle all columns, and the row numbers, each lane in itself.
    2. Order the rows by comparisons in the open, ties by the row number.
    3. Put all columns into that order.       (local)
    """
    c, k, n = keys.shape
    length = n // lanes
    rows = public_share(party, np.tile(np.arange(length, dtype=np.uint64), lanes))
    if length > 1:
        tables = [*(keys[j][:, :, None] for j in range(c)), rows[:, :, None], *payload]
        tables = await mix(party, tables, draw(party, n, lanes))
        words = np.stack([table[:, :, 0] for table in tables[: c + 1]])
        where = await order(party, words, (*widths, max(1, (length - 1).bit_length())), lanes)
        sorted_words = _gathered(words.reshape((c + 1) * k, n), where).reshape(c + 1, k, n)
        return sorted_words[:-1], [rows_at(table, where) for table in tables[c + 1 :]], sorted_words[-1]
    return keys.copy(), [table.copy() for table in payload], rows


# -- arrays --------------------------------------------------------------------------------


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
