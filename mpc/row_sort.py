"""Sort rows of components: shuffle them, then compare in the open. The arrays' sorts are in sorting.py.

After a shuffle by a permutation nobody knows, and with keys made distinct by the original row number as the last, the
order of the rows is a uniformly random permutation, whatever they are. So the results of comparing them may be
revealed: anybody could have made them up (Hamada, Kikuchi, Ikarashi, Chida, Takahashi, ICISC 2012). Ties must be
broken by something secret; the public places after the shuffle would show which rows are equal.

As the row number breaks ties, every sort here is stable.

No result of a comparison raises an error. Where the results are no order (a key beyond its width, or a party that sends
wrong numbers), the rows come out in some order, all of them, the same at all parties that saw the same results.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mpc import bits, lexicographic, ordering, permutation
from mpc.exchange import public_share, reveal
from mpc.mixing import Rows, draw, mix
from mpc.party import Party
from mpc.permutation import Index
from mpc.permuting import rows_at
from mpc.turns import in_turns

__all__ = ["order", "sort_rows"]

Words = npt.NDArray[np.uint64]

_SMALL = 1 << 15


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
    members, starts = ordering.group(base, known, new, x.length)
    a, b = ordering.meetings(starts, ordering.reach(known, new, lanes))
    pairs = functools.partial(ordering.pair_differences, _side_by_side(x.words, members), a, b, x.less)
    found = await _compare(party, x, a.size, pairs)
    return ordering.finish(found, a, b, members, starts, done, known)


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
