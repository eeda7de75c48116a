"""Kernels and plan of the sort by revealed comparisons: which rows to compare next. Pure; no parties.

The rows of every lane stand in uniformly random order, so that the first s of a lane are a random sample of it. A
sample of s = 2^h - 1 rows that is in order already is a perfectly balanced search tree: every further row finds its
*gap* between two of them with h comparisons. Rows that meet in one gap are few, and are compared each with each.

The results come from the network. Whatever they are, the kernels stay within their arrays, compare a bounded number of
pairs, and end in a permutation of the rows, the same wherever the results are; the order of the keys if they are right.

``keys`` are the words to compare, (rows of components, n); row ``lane * length + j`` is row j of a lane.
"""

from __future__ import annotations

import functools
import math

import numba as nb
import numpy as np
import numpy.typing as npt

from mpc.permutation import Index

__all__ = [
    "BATCH",
    "finish",
    "group",
    "meetings",
    "pair_differences",
    "plan",
    "reach",
    "side_by_side",
    "step_in",
    "steps",
    "tree_differences",
]

Words = npt.NDArray[np.uint64]
Starts = npt.NDArray[np.int64]

BATCH = 12_000  # a batch of comparisons takes about as long, before its first, as so many do
_SAFE = 60

_I = nb.types.Array(nb.int32, 1, "C")
_L = nb.types.Array(nb.int64, 1, "C")
_M = nb.types.Array(nb.uint64, 2, "C")
_V = nb.types.Array(nb.uint64, 1, "C")
_W = nb.int64


# -- the plan ------------------------------------------------------------------------------


def steps(height: int, rows: int) -> tuple[float, tuple[int, ...]]:
    """(cost, heights) of a search of ``rows`` rows in a tree of this height; costs are counted in comparisons.

    A step down several levels at once compares with all their nodes: more comparisons, fewer batches.
    """
    if height == 0 or rows == 0:
        return 0.0, ()
    best = min(range(1, min(height, 8) + 1), key=lambda b: (BATCH + rows * (2**b - 1)) / b)
    count = -(-height // best)
    split = tuple(height // count + (i < height % count) for i in range(count))
    return sum(BATCH + rows * (2.0**b - 1) for b in split), split


def _meetings(known: int, new: int) -> float:
    """Expected pairs among ``new`` random rows that meet in one of the gaps between ``known`` ordered ones."""
    return new * (new - 1) / (known + 2)


@functools.cache
def plan(length: int, lanes: int) -> tuple[int, ...]:
    """Sizes s_1 < s_2 < ... = length: order the first s_1 rows of every lane, then bring in those up to s_2, and so on.

    The cheapest by the expected number of comparisons and batches. A function of public sizes only.
    """
    heights = [0, *range(2, max(2, length.bit_length()))]
    cost: dict[int, float] = {0: 0.0}
    path: dict[int, tuple[int, ...]] = {0: ()}
    for size in [*((1 << h) - 1 for h in heights[1:] if (1 << h) - 1 < length), length]:
        options = []
        for before, spent in cost.items():
            new = size - before
            total = steps((before + 1).bit_length() - 1, lanes * new)[0]
            total += BATCH + lanes * _meetings(before, new)
            options.append((spent + total, before))
        cost[size], best = min(options)
        path[size] = (*path[best], size)
    return path[length]


# -- comparisons ---------------------------------------------------------------------------


@nb.njit([nb.void(_M, _M, _I, _V, _W, _W, _W, _W, _W, _W, _W, _M)], cache=True, nogil=True)
def tree_differences(
    keys: Words, tree: Words, base: Index, less: Words, length: int, known: int, new: int, depth: int, height: int,
    lo: int, hi: int, out: Words,
) -> None:  # fmt: skip
    """Comparisons lo..hi of a step down: out = keys[:, row] - tree[node] - less.

    Row number e // (2^depth - 1) of the new ones (``new`` a lane, behind the ``known`` ones) meets the nodes of the top
    ``depth`` levels of its subtree, of ``height`` levels, that begins at position ``base`` of its lane's known rows in
    order. The words of a node stand side by side in ``tree``, (nodes, rows of components): one look into memory finds
    them all.
    ``less`` says what to take away from each row of ``keys``.
    """
    nodes = (1 << depth) - 1
    below = height - depth
    e = lo // nodes
    j = lo - e * nodes
    lane = e // new
    offset = e - lane * new
    for i in range(hi - lo):
        node = lane * known + base[e] + ((j + 1) << below) - 1
        row = lane * length + known + offset
        for r in range(less.size):
            out[r, i] = keys[r, row] - tree[node, r] - less[r]
        j += 1
        if j == nodes:
            j = 0
            e += 1
            offset += 1
            if offset == new:
                offset = 0
                lane += 1


@nb.njit([nb.void(_V, _I, _W, _W)], cache=True, nogil=True)
def step_in(less: Words, base: Index, depth: int, height: int) -> None:
    """Move every row's ``base`` to the subtree it belongs in, by the results of its comparisons (1: row < node)."""
    nodes = (1 << depth) - 1
    e = 0
    one = np.uint64(1)
    for i in range(base.size):
        passed = 0
        for _ in range(nodes):
            if (less[e >> 6] >> np.uint64(e & 63)) & one == 0:
                passed += 1
            e += 1
        base[i] += passed << (height - depth)


@nb.njit([nb.types.Tuple((_I, _L))(_I, _W, _W, _W)], cache=True, nogil=True)  # type: ignore[no-untyped-call]
def group(base: Index, known: int, new: int, length: int) -> tuple[Index, Starts]:
    """(members, starts): the new rows by gap, and where each gap starts. Gap number lane * (known + 1) + base."""
    lanes = base.size // new
    starts = np.zeros(lanes * (known + 1) + 1, np.int64)
    for i in range(base.size):
        starts[(i // new) * (known + 1) + base[i] + 1] += 1
    for g in range(1, starts.size):
        starts[g] += starts[g - 1]
    at = starts[:-1].copy()
    members = np.empty(base.size, np.int32)
    for i in range(base.size):
        lane = i // new
        g = lane * (known + 1) + base[i]
        members[at[g]] = lane * length + known + (i - lane * new)
        at[g] += 1
    return members, starts


def reach(known: int, new: int, lanes: int) -> int:
    """How many rows of its gap a row is compared with at most, on either side.

    In random order a gap holds more rows than that with probability below 2^-_SAFE in all, as one holds g or more
    with at most (new / (new + known))^g. It bounds the pairs where the results are no order.
    """
    if not known or new < 2:
        return max(1, new - 1)
    return min(new - 1, math.ceil((_SAFE + math.log2(lanes * (known + 1))) / math.log2(1 + known / new)))


def meetings(starts: Starts, most: int) -> tuple[Index, Index]:
    """(a, b): the pairs that meet in a gap, as indexes of ``members``; each row with the ``most`` behind it."""
    sizes = np.diff(starts)
    behind = np.minimum(sizes - 1, most)
    pairs = int((behind * sizes - behind * (behind + 1) // 2).sum())
    a, b = np.empty(pairs, np.int32), np.empty(pairs, np.int32)
    _pair_up(starts, most, a, b)
    return a, b


@nb.njit([nb.void(_L, _W, _I, _I)], cache=True, nogil=True)
def _pair_up(starts: Starts, most: int, a: Index, b: Index) -> None:
    e = 0
    for g in range(starts.size - 1):
        for i in range(starts[g], starts[g + 1]):
            for j in range(i + 1, min(i + 1 + most, starts[g + 1])):
                a[e] = i
                b[e] = j
                e += 1


@nb.njit([nb.void(_M, _I, _I, _V, _W, _W, _M)], cache=True, nogil=True)
def pair_differences(met: Words, a: Index, b: Index, less: Words, lo: int, hi: int, out: Words) -> None:
    """Comparisons lo..hi of pairs: out = met[a] - met[b] - less."""
    for i in range(lo, hi):
        for r in range(less.size):
            out[r, i - lo] = met[a[i], r] - met[b[i], r] - less[r]


@nb.njit([nb.void(_M, _I, _M)], cache=True, nogil=True)
def side_by_side(keys: Words, rows: Index, out: Words) -> None:
    """out[i] = keys[:, rows[i]]."""
    for i in range(rows.size):
        for r in range(keys.shape[0]):
            out[i, r] = keys[r, rows[i]]


@nb.njit([_I(_V, _I, _I, _I, _L, _I, _W)], cache=True, nogil=True)
def finish(less: Words, a: Index, b: Index, members: Index, starts: Starts, tree: Index, known: int) -> Index:
    """All rows so far in order, lane after lane: those of ``tree`` and, in the gaps between them, the new ones.

    The rows of a gap are sorted, by counting, by how many of the others come before them. Where the results are no
    order, several have as many before them; these stay as they are in ``members``.
    """
    before = np.zeros(members.size, np.int32)
    one = np.uint64(1)
    for e in range(a.size):
        if (less[e >> 6] >> np.uint64(e & 63)) & one:
            before[b[e]] += 1
        else:
            before[a[e]] += 1
    widest = 0
    for g in range(starts.size - 1):
        widest = max(widest, starts[g + 1] - starts[g])
    place = np.zeros(widest + 1, np.int64)
    out = np.empty(tree.size + members.size, np.int32)
    at = 0
    for g in range(starts.size - 1):
        lane = g // (known + 1)
        position = g - lane * (known + 1)
        size = starts[g + 1] - starts[g]
        place[: size + 1] = 0
        for i in range(starts[g], starts[g + 1]):
            place[before[i] + 1] += 1
        for r in range(1, size):
            place[r] += place[r - 1]
        for i in range(starts[g], starts[g + 1]):
            out[at + place[before[i]]] = members[i]
            place[before[i]] += 1
        at += size
        if position < known:
            out[at] = tree[lane * known + position]
            at += 1
    return out
