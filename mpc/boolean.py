"""Boolean circuits on XOR-shared planes, arrays (k, ...) of uint64 words of 64 rows each."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mpc import bits
from mpc.exchange import reshare
from mpc.party import Party

__all__ = ["and_", "and_all", "carry_out"]

Words = npt.NDArray[np.uint64]


async def and_(party: Party, x: Words, y: Words) -> Words:
    """[x & y] bit by bit, of one shape.

    Araki et al. 2016. Rounds: 1. Sends: m-t-1 bits a multiplier (one bit a party for m = 3). Leaks nothing.
    """
    layout = party.layout
    shape = x.shape
    x = np.ascontiguousarray(x).reshape(layout.k, -1)
    y = np.ascontiguousarray(y).reshape(layout.k, -1)
    n = x.shape[1]
    out = np.empty((layout.k, n), np.uint64)
    if not party.three:
        part = None
        if party.index in layout.multipliers:
            part = out[0]
            bits.and_table(x, y, layout.product_table[party.index], part)
        return (await reshare(party, part, layout.multipliers, (n,), boolean=True, into=out)).reshape(shape)
    label = party.label()
    after, before = party.next_party, party.previous_party
    bits.and3(x[0], x[1], y[0], y[1], out[0])
    party.prss.pair[after].xor_into(label, out[0])
    party.prss.pair[before].xor_into(label, out[0])
    party.send(after, label, out[0])
    await party.arrived(party.receive(before, label, out[1]))
    return out.reshape(shape)


async def and_all(party: Party, x: Words) -> Words:
    """[AND of the planes x[:, 0], x[:, 1], ...] for x of shape (k, L, W). Rounds: ceil(log2 L)."""
    while x.shape[1] > 1:
        pairs = x.shape[1] // 2
        both = await and_(party, x[:, :pairs], x[:, pairs : 2 * pairs])
        x = np.concatenate([both, x[:, 2 * pairs :]], axis=1)
    return x[:, 0]


async def carry_out(party: Party, g: Words, p: Words) -> Words:
    """[the carry out of the highest block], from blocks lowest first, g and p of shape (k, L, W).

    g: the block makes a carry; p: it passes one on. Blocks are joined two by two: (g, p) of a pair is
    (g_hi ^ p_hi g_lo, p_hi p_lo); the lowest never needs its p. Rounds: ceil(log2 L). AND gates: below 2 L.
    """
    while g.shape[1] > 1:
        pairs = g.shape[1] // 2
        odd = g.shape[1] - 2 * pairs
        g_lo, g_hi = g[:, 0 : 2 * pairs : 2], g[:, 1 : 2 * pairs : 2]
        p_lo, p_hi = p[:, 0 : 2 * pairs : 2], p[:, 1 : 2 * pairs : 2]
        left = np.concatenate([p_hi, p_hi[:, 1:]], axis=1)
        right = np.concatenate([g_lo, p_lo[:, 1:]], axis=1)
        both = await and_(party, left, right)
        g_new = g_hi ^ both[:, :pairs]
        p_new = np.concatenate([p_hi[:, :1], both[:, pairs:]], axis=1)  # the lowest p is never read
        g = np.concatenate([g_new, g[:, 2 * pairs :]], axis=1) if odd else g_new
        p = np.concatenate([p_new, p[:, 2 * pairs :]], axis=1) if odd else p_new
    return g[:, 0]
