"""Secret rows down secret trees: shared words in, the sums of the leaves they reach out. All nodes at once.

For m = 3 a row costs a tree of depth 6 about 1.7 KB a party, of which 1.0 are comparisons and 0.5 the values of the
columns they look at. The first nodes of all trees come first, so that a word of 64 bits holds one node for 64 lanes, as
a pair of tree and row is called.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mpc import bits, ring
from mpc.arithmetic import bilinear, matmul
from mpc.boolean import and_
from mpc.compare import sign_bit
from mpc.convert import bits_to_words
from mpc.exchange import public_share
from mpc.party import Party

__all__ = ["TreeWords", "leaf_sums", "one_hot_leaves"]

Words = npt.NDArray[np.uint64]

_CHUNK = 1 << 18  # nodes compared at once, where a row has fewer
_FEW = 1 << 14  # so few leaves are put into the ring one by one: a round less
_MISSING = np.uint64(62)


@dataclass(frozen=True)
class TreeWords:
    """Shares of a tree_padding.PaddedModel with D levels, N nodes, L leaves, T trees, d columns, K outputs.

    Attributes:
        looks: (k, 2, N T, d), contiguous: the columns looked at, and the directions of missing values.
        cut: (k, N T).
        leaves: (k, K, L, T).
    """

    depth: int
    trees: int
    looks: Words
    cut: Words
    leaves: Words


async def leaf_sums(party: Party, rows: Words, missing: Words | None, model: TreeWords) -> Words:
    """[sum over the trees of the leaf that each row reaches] (k, K, n).

    Args:
        rows: (k, d, n), integers on the grid of the model's cuts; 0 where missing.
        missing: 0 or 1, (k, d, n); None: nothing is.

    Rounds (m = 3): at most 10 + ceil(log2 D), one more where leaves go into the ring in two halves. Sends: a row
    and tree 24 N bytes, and 8 L, or with halves R + C - 1 + K R words, R C = L. Leaks nothing. Semi-honest, t < m/2.

    1. The value each node looks at, by the one-hot matrix; where it is missing, -2^62 or 2^62 instead; less the cut.
                                                                                             (one round)
    2. Negative ones go left.                                                                (comparison)
    3. Products of the bits along each path: the leaf reached, one-hot.                      (AND gates)
    4. Into the ring, and times the leaves' values.                                          (injection; 1 or 2 rounds)
    """
    k, _, n = rows.shape
    nodes = model.cut.shape[1]
    out = np.empty((k, model.leaves.shape[1], n), np.uint64)

    async def piece(lo: int, hi: int) -> None:
        seen = [rows[:, :, lo:hi]] if missing is None else [rows[:, :, lo:hi], missing[:, :, lo:hi] << _MISSING]
        beyond = await bilinear(
            party, model.looks[:, : len(seen)], np.stack(seen, axis=1), (model.cut.shape[1], hi - lo), _sum_of_products
        )
        beyond -= model.cut[:, :, None]
        left = await sign_bit(party, beyond.reshape(k, -1))
        lanes = model.trees * (hi - lo)
        path = await one_hot_leaves(party, _planes(left, nodes // model.trees, lanes), model.depth)
        high = _high_levels(model, lanes)
        if high is None:
            out[:, :, lo:hi] = await _sums(party, path, model.leaves, hi - lo)
        else:
            out[:, :, lo:hi] = await _sums_by_halves(party, path, model.leaves, hi - lo, high)

    if n:
        await party.in_chunks("trees", n, max(1, _CHUNK // nodes), piece)
    return out


def _sum_of_products(x: Words, y: Words) -> Words:
    """The sum of x[j] @ y[j]."""
    return functools.reduce(np.add, ring.matmul(x, y))


def _planes(packed: Words, count: int, lanes: int) -> Words:
    """(k, count, W): each of ``count`` runs of ``lanes`` bits in words of its own."""
    k = packed.shape[0]
    if lanes % 64 == 0:
        return packed.reshape(k, count, lanes // 64)
    out = np.empty((k, count, bits.plane_words(lanes)), np.uint64)
    for a in range(k):
        wide = np.zeros((count, 64 * out.shape[2]), np.bool_)
        wide[:, :lanes] = bits.unpack(packed[a], count * lanes).reshape(count, lanes)
        out[a] = bits.pack(wide).reshape(count, -1)
    return out


def _run_together(planes: Words, lanes: int) -> Words:
    """The other way round: packed (k, ceil(count lanes / 64))."""
    k, count, width = planes.shape
    if lanes % 64 == 0:
        return planes.reshape(k, -1)
    wide = [bits.unpack(p, count * width * 64).reshape(count, -1)[:, :lanes] for p in planes]
    return np.stack([bits.pack(w) for w in wide])


async def one_hot_leaves(party: Party, left: Words, depth: int) -> Words:
    """[whether a lane reaches each leaf] (k, 2^D, W) from [whether it goes left at each node] (k, 2^D - 1, W).

    A block is of neighbouring levels: for each node at its top, which of the nodes below it is reached from there. Two
    blocks make one. Rounds: ceil(log2 D). AND gates: below 3 2^D. Leaks nothing.
    """
    k, _, width = left.shape
    ones = public_share(party, np.full(width, ~np.uint64(0)))
    blocks = []
    for level in range(depth):
        turn = left[:, (1 << level) - 1 : (2 << level) - 1]
        blocks.append(np.stack([turn, turn ^ ones[:, None]], axis=2))
    while len(blocks) > 1:
        pairs = [(blocks[j], blocks[j + 1]) for j in range(0, len(blocks) - 1, 2)]
        above = [np.repeat(a.reshape(k, -1, width), b.shape[2], axis=1) for a, b in pairs]
        below = [b.reshape(k, -1, width) for _, b in pairs]
        both = await and_(party, np.concatenate(above, axis=1), np.concatenate(below, axis=1))
        joined, at = [], 0
        for a, b in pairs:
            count = b.shape[1] * b.shape[2]
            joined.append(both[:, at : at + count].reshape(k, a.shape[1], -1, width))
            at += count
        blocks = joined + (blocks[-1:] if len(blocks) % 2 else [])
    return np.ascontiguousarray(blocks[0][:, 0])


def _high_levels(model: TreeWords, lanes: int) -> int | None:
    """The levels that make the rows of a table of leaves, so that the fewest words are sent; None: all leaves."""
    outputs, count = model.leaves.shape[1:3]
    if lanes * count <= _FEW:
        return None
    costs = {h: (1 << h) * (1 + outputs) + (count >> h) - 1 for h in range(1, model.depth)}
    best = min(costs, key=lambda h: costs[h], default=0)
    return best if best and costs[best] < count else None


async def _flags(party: Party, planes: Words, lanes: int) -> Words:
    """[planes] as words that are 0 or 1, (k, count, lanes)."""
    k, count, _ = planes.shape
    flags = await bits_to_words(party, _run_together(planes, lanes), count * lanes)
    return flags.reshape(k, count, lanes)


async def _sums(party: Party, path: Words, leaves: Words, n: int) -> Words:
    k, outputs, count, trees = leaves.shape
    flags = await _flags(party, path, trees * n)
    return await matmul(party, leaves.reshape(k, outputs, count * trees), flags.reshape(k, count * trees, n))


async def _sums_by_halves(party: Party, path: Words, leaves: Words, n: int, high: int) -> Words:
    """Leaf number = row * columns + column: the value in the column for every row, then the row.

    The last column is 1 less the sum of the others.
    """
    k, outputs, count, trees = leaves.shape
    rows, columns = 1 << high, count >> high
    grid = path.reshape(k, rows, columns, -1)
    row, column = np.bitwise_xor.reduce(grid, axis=2), np.bitwise_xor.reduce(grid, axis=1)[:, :-1]
    flags = await _flags(party, np.concatenate([row, column], axis=1), trees * n)
    u = flags[:, :rows].reshape(k, rows, trees, n).transpose(0, 2, 1, 3)
    v = flags[:, rows:].reshape(k, columns - 1, trees, n).transpose(0, 2, 1, 3)
    table = leaves.reshape(k, outputs, rows, columns, trees).transpose(0, 4, 1, 2, 3)
    table = table.reshape(k, trees, outputs * rows, columns)
    last = table[..., -1:]

    def in_column(a: Words, b: Words) -> Words:
        return functools.reduce(np.add, (a[..., c, None] * b[:, c, None] for c in range(columns - 1)))

    def chosen(a: Words, b: Words) -> Words:
        return np.asarray((a[:, None] * b.reshape(trees, outputs, rows, n)).sum(axis=(0, 2), dtype=np.uint64))

    found = last + await bilinear(party, table[..., :-1] - last, v, (trees, outputs * rows, n), in_column)
    return await bilinear(party, u, found, (outputs, n), chosen)
