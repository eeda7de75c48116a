"""Sign, less-than and equality of shared words (k, n): XOR-shared bits out, packed, (k, ceil(n/64)).

m = 3: party d knows the sum u of two components and the others both know the third, v. Of every block of four bits
party d deals the thermometer, the others look up whether the block makes or passes a carry (leaves.py), and a tree
of ANDs joins sixteen blocks. Roles rotate from chunk to chunk.
m > 3: t + 1 summands are dealt as bits, added down to two, and joined bit by bit.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mpc import bits, leaves
from mpc.boolean import and_, and_all, carry_out
from mpc.exchange import public_share
from mpc.party import Party
from mpc.summands import add_down_to_two, deal_summands

__all__ = ["CHUNK", "is_zero", "sign_bit"]

Words = npt.NDArray[np.uint64]

CHUNK = 1 << 16
_SMALL = 1 << 12


def _chunk(n: int) -> int:
    """A multiple of 64 that gives each of three parties its turn, at most CHUNK."""
    third = -(-n // 3)
    return min(CHUNK, max(_SMALL, -(-third // 64) * 64))


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


async def _chunked(party: Party, x: Words, name: str, step) -> Words:  # type: ignore[no-untyped-def]
    n = x.shape[1]
    out = np.empty((party.layout.k, bits.plane_words(n)), np.uint64)
    chunk = _chunk(n)

    async def piece(lo: int, hi: int) -> None:
        out[:, lo // 64 : bits.plane_words(hi)] = await step(party, x[:, lo:hi], (lo // chunk) % 3)

    await party.in_chunks(name, n, chunk, piece)
    return out


async def _leaves(party: Party, x: Words, d: int, shift: int) -> tuple[Words, Words]:
    """([G and P of 16 blocks] (2, 32, W), [plane 63 of u ^ v] (2, W)) of u + v = x, party d knowing u.

    With ``shift`` 1 the blocks are those of 2u and 2v, whose carry out is the carry into bit 63 of u + v. With
    ``shift`` 0 only P is wanted, (2, 16, W).
    Rounds: 2. Sends: 30 bytes an element from d, 4 from each of the others (2 with shift 0).

    1. Party d deals the thermometers and plane 63 of u: random to party d-1, the rest to party d+1.
    2. Parties d+1 and d+2 look up with v, mask with components that party d shares, and exchange.
    """
    width = bits.plane_words(x.shape[1])
    me = party.index
    after, before = (d + 1) % 3, (d + 2) % 3
    own, theirs = (party.prss.component[a] for a in party.layout.held[me])
    deal, swap = party.label(), party.label()
    skip = 0 if shift else leaves.BLOCKS
    found = np.empty((2, 2 * leaves.BLOCKS - skip, width), np.uint64)
    top = np.empty((2, width), np.uint64)
    table = np.empty((leaves.THERMOMETER + 1, width), np.uint64)
    planes = np.zeros((65, width), np.uint64)  # row 0 stays zero: rows 0..63 are the doubled number
    blocks = planes[1 - shift : 65 - shift]
    if me == d:
        bits.to_planes(x[0] + x[1], planes[1:])
        leaves.thermometers(blocks, table)
        table[-1] = planes[64]
        theirs.xor_into(deal, table)
        party.send(after, deal, table)
        top[0] = table[-1]
        np.bitwise_xor(planes[64], table[-1], out=top[1])
        own.fill(swap, found[0])
        theirs.fill(swap, found[1])
        return found, top
    looked_up = np.empty((2 * leaves.BLOCKS, width), np.uint64)
    part = looked_up[skip:]
    arrived = np.empty_like(part)
    if me == before:  # slot 0 is shared with d; slot 1 is v, shared with d+1
        from_after = party.receive(after, swap, arrived)
        bits.to_planes(np.ascontiguousarray(x[1]), planes[1:])
        own.fill(deal, table)
        top[0], top[1] = table[-1], planes[64]
        leaves.look_up(table, blocks, False, looked_up)
        own.fill(swap, found[0])
        part ^= found[0]
        party.send(after, swap, part)
        await party.arrived(from_after)
        np.bitwise_xor(part, arrived, out=found[1])
        return found, top
    # slot 0 is v, shared with d+2; slot 1 is shared with d
    from_d = party.receive(d, deal, table)
    from_before = party.receive(before, swap, arrived)
    bits.to_planes(np.ascontiguousarray(x[0]), planes[1:])
    await party.arrived(from_d)
    top[0], top[1] = planes[64], table[-1]
    leaves.look_up(table, blocks, True, looked_up)
    theirs.fill(swap, found[1])
    part ^= found[1]
    party.send(before, swap, part)
    await party.arrived(from_before)
    np.bitwise_xor(part, arrived, out=found[0])
    return found, top


async def _sign3(party: Party, x: Words, d: int) -> Words:
    found, top = await _leaves(party, x, d, shift=1)
    return top ^ await carry_out(party, found[:, : leaves.BLOCKS], found[:, leaves.BLOCKS :])


async def _zero3(party: Party, x: Words, d: int) -> Words:
    found, _ = await _leaves(party, _minus_one(party, x), d, shift=0)
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
