"""Sign, less-than and equality of shared words (k, n): XOR-shared bits out, packed, (k, ceil(n/64)).

m = 3: party d knows the sum u of two components and the others both know the third, v. Of every block of four bits
party d deals the thermometer, the others look up whether the block makes or passes a carry (leaves.py), and a tree
of ANDs joins sixteen blocks. Roles rotate from chunk to chunk.
m > 3: t + 1 summands are dealt as bits, added down to two, and joined bit by bit.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
import numpy.typing as npt

from mpc import bits, leaves
from mpc.boolean import and_, and_all, carry_out
from mpc.exchange import public_share
from mpc.party import Party
from mpc.roles import deal_and_follow, dealt, free, known
from mpc.summands import add_down_to_two, deal_summands
from mpc.turns import in_turns

__all__ = ["is_zero", "sign_bit"]

Words = npt.NDArray[np.uint64]


async def sign_bit(party: Party, x: Words) -> Words:
    """[bit 63 of x]: 1 where x, read as signed, is negative.

    Rounds: 6 for m = 3. Sends: 16.1 bytes an element and party for m = 3 (on average over the rotating roles).
    Leaks nothing.
    """
    return await _chunked(party, x, "sign", _sign3 if party.three else _signk)


async def is_zero(party: Party, x: Words) -> Words:
    """[x == 0].

    Rounds: 6 for m = 3. Sends: 13.3 bytes an element and party for m = 3. Leaks nothing.
    """
    return await _chunked(party, x, "zero", _zero3 if party.three else _zerok)


async def _chunked(
    party: Party, x: Words, name: str, step: Callable[[Party, Words, int], Coroutine[Any, Any, Words]]
) -> Words:
    out = np.empty((party.layout.k, bits.plane_words(x.shape[1])), np.uint64)

    async def piece(lo: int, hi: int, d: int) -> None:
        out[:, lo // 64 : bits.plane_words(hi)] = await step(party, x[:, lo:hi], d)

    await in_turns(party, name, x.shape[1], piece)
    return out


async def _blocks(party: Party, x: Words, d: int, shift: int) -> tuple[Words, Words]:
    """([G and P of 16 blocks] (2, 32, W), [plane 63 of u ^ v] (2, W)) of u + v = x: the recipe of roles.py.

    With ``shift`` 1 the blocks are those of 2u and 2v, whose carry out is the carry into bit 63 of u + v. With
    ``shift`` 0 only P is wanted, (2, 16, W). Rounds: 2. Sends: 30 bytes an element from d, 4 from each follower (2).
    """
    width = bits.plane_words(x.shape[1])
    mine = known(party, d, x)
    planes = np.zeros((65, width), np.uint64)  # row 0 stays zero: rows 0..63 are the doubled number
    blocks = planes[1 - shift : 65 - shift]
    skip = 0 if shift else leaves.BLOCKS
    found = np.empty((2, 2 * leaves.BLOCKS - skip, width), np.uint64)
    table = np.empty((leaves.THERMOMETER + 1, width), np.uint64)

    def deal(rows: Words) -> None:
        bits.to_planes(mine, planes[1:])
        leaves.thermometers(blocks, rows[:-1])
        rows[-1] = planes[64]

    def follow(rows: Words, piece: Words, first: bool) -> None:
        bits.to_planes(mine, planes[1:])
        looked_up = np.empty((2 * leaves.BLOCKS, width), np.uint64) if skip else piece
        leaves.look_up(rows[:-1], blocks, first, looked_up)
        if skip:
            piece[...] = looked_up[skip:]

    await deal_and_follow(party, d, table, found, deal, follow, boolean=True)
    return found, dealt(party, d, table[-1], planes[64]) ^ free(party, d, planes[64])


async def _sign3(party: Party, x: Words, d: int) -> Words:
    found, top = await _blocks(party, x, d, shift=1)
    return top ^ await carry_out(party, found[:, : leaves.BLOCKS], found[:, leaves.BLOCKS :])


async def _zero3(party: Party, x: Words, d: int) -> Words:
    found, _ = await _blocks(party, _minus_one(party, x), d, shift=0)
    return await and_all(party, found)


async def _signk(party: Party, x: Words, _: int) -> Words:
    u, v = await add_down_to_two(party, await deal_summands(party, x, 64))
    g = await and_(party, u[:, :63], v[:, :63])
    carry = await carry_out(party, g, (u ^ v)[:, :63])
    return carry ^ u[:, 63] ^ v[:, 63]


async def _zerok(party: Party, x: Words, _: int) -> Words:
    u, v = await add_down_to_two(party, await deal_summands(party, _minus_one(party, x), 64))
    return await and_all(party, u ^ v)


def _minus_one(party: Party, x: Words) -> Words:
    """[x - 1]: u + v = x - 1 is all ones just where v is u with every bit flipped, so where x = 0. Local."""
    return x - public_share(party, np.ones(1, np.uint64))
