"""Which of two rows comes first, by several columns: one comparison as if the columns were one long number.

Of the columns' differences D_1 (most significant) ... D_c, a row is less if D_1 < 0, or D_1 = 0 and D_2 < 0, and so
on: b_1, where b_c = [D_c < 0] and b_j = [D_j - b_{j+1} < 0]. Now D_j - b = (D_j - 1) + (1 - b). So a column takes the
complement of the result of the one below it as a carry into its sum of shares, and the carry chains of all columns are
one chain, joined in one tree of ANDs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mpc import bits, leaves
from mpc.boolean import and_, carry_out
from mpc.exchange import public_share
from mpc.party import Party
from mpc.roles import deal_and_follow, dealt, free, known
from mpc.summands import add_down_to_two, deal_summands

__all__ = ["blocks_for", "less"]

Words = npt.NDArray[np.uint64]


def blocks_for(width: int) -> int:
    """Blocks of four bits for a column of values v, |v| < 2^width: the sign of a difference less one must fit."""
    return min(leaves.BLOCKS, -(-(width + 2) // 4))


async def less(party: Party, diffs: Words, blocks: Sequence[int], turn: int) -> Words:
    """[row < other], packed (k, W), from the columns' differences (c, k, n), most significant first.

    All columns but the last hold D_j - 1, the last D_c; see the text above. D_j fits in 4 blocks[j] bits, signed.

    m = 3: as compare.sign_bit; party ``turn`` deals. Rounds: 2 + ceil(log2(blocks in all + c - 1)).
    Sends, over all parties: 19 bits a block to find carries and 6 to join them.
    m > 3: the columns are dealt and added down bit by bit. Leaks nothing, semi-honest, t < m/2.
    """
    if party.three:
        g, p, top = await _chain3(party, diffs, blocks, turn)
    else:
        g, p, top = await _chaink(party, diffs, blocks)
    return top ^ await carry_out(party, g, p)


def _join(party: Party, columns: list[tuple[Words, Words, Words]]) -> tuple[Words, Words, Words]:
    """One chain, lowest first, from (g, p, top) of each column, least significant column first.

    A column's sign is top ^ carry; its complement is 1 ^ top ^ carry: one more link with g = 1 ^ top and p = 1, which
    XORs instead of ORs, as g ^ p carry does.
    """
    if len(columns) == 1:
        return columns[0]
    ones = public_share(party, np.full(columns[0][2].shape[1:], ~np.uint64(0)))
    g, p = [], []
    for one in columns[:-1]:
        g += [one[0], (one[2] ^ ones)[:, None]]
        p += [one[1], ones[:, None]]
    g.append(columns[-1][0])
    p.append(columns[-1][1])
    return np.concatenate(g, axis=1), np.concatenate(p, axis=1), columns[-1][2]


async def _chain3(party: Party, diffs: Words, blocks: Sequence[int], d: int) -> tuple[Words, Words, Words]:
    """compare.sign_bit's leaves for several columns in the same messages: party d knows u, the others v, u + v = D.

    The blocks are those of 2u and 2v, so that their carry out is the one into the top bit; the lowest bit of 2u is set
    in all columns but the last, so that a carry in passes through it.
    """
    count, width = sum(blocks), bits.plane_words(diffs.shape[2])
    order = list(reversed(range(len(blocks))))
    mine = [known(party, d, diffs[j]) for j in order]
    planes = np.empty((4 * count + 1, width), np.uint64)
    tops = np.empty((len(blocks), width), np.uint64)
    lowest = ~np.uint64(0) if party.index == d else np.uint64(0)
    steps = 15 * count
    found = np.empty((2, 2 * count, width), np.uint64)
    table = np.empty((steps + len(blocks), width), np.uint64)

    def slice_up() -> None:
        """Planes of all columns, lowest first, and their top planes."""
        at = 0
        for i, j in enumerate(order):
            planes[at] = lowest if i else np.uint64(0)
            bits.to_planes(mine[i], planes[at + 1 : at + 4 * blocks[j] + 1])
            at += 4 * blocks[j]
            tops[i] = planes[at]

    def deal(rows: Words) -> None:
        slice_up()
        leaves.thermometers(planes, rows[:steps])
        rows[steps:] = tops

    def follow(rows: Words, piece: Words, first: bool) -> None:
        slice_up()
        leaves.look_up(rows[:steps], planes, first, piece)

    await deal_and_follow(party, d, table, found, deal, follow, boolean=True)
    top = dealt(party, d, table[steps:], tops) ^ free(party, d, tops)
    columns, at = [], 0
    for i, j in enumerate(order):
        g, p = found[:, at : at + blocks[j]], found[:, count + at : count + at + blocks[j]]
        columns.append((g, p, top[:, i]))
        at += blocks[j]
    return _join(party, columns)


async def _chaink(party: Party, diffs: Words, blocks: Sequence[int]) -> tuple[Words, Words, Words]:
    async def column(j: int) -> tuple[Words, Words, Words]:
        u, v = await add_down_to_two(party, await deal_summands(party, diffs[j], 4 * blocks[j]))
        g, p = await and_(party, u[:, :-1], v[:, :-1]), u ^ v
        return g, p[:, :-1], p[:, -1]

    running = [party.launch("column", lambda j=j: column(j)) for j in reversed(range(len(blocks)))]  # type: ignore[misc]
    return _join(party, [await r.result() for r in running])
