"""XOR-shared bits as numbers: packed bits (k, ceil(n/64)) to words (k, n) that are 0 or 1."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mpc import bits, narrow
from mpc.arithmetic import mul
from mpc.exchange import reshare
from mpc.party import Party

__all__ = ["CHUNK", "bits_to_words"]

Words = npt.NDArray[np.uint64]

CHUNK = 1 << 16
_SMALL = 1 << 12


async def bits_to_words(party: Party, b: Words, n: int) -> Words:
    """[b] over the ring from [b] over bits (bit injection).

    m = 3: b = p ^ q, where party d knows p and the others both know q, so b = p (1 - 2q) + q with the product dealt in
    two one-way messages. Rounds: 2. Sends: 8 bytes an element and party. Leaks nothing.
    m > 3: t summands are dealt as numbers and joined by x + y - 2xy. Rounds: 1 + t.
    """
    out = np.empty((party.layout.k, n), np.uint64)
    third = -(-n // 3)
    chunk = min(CHUNK, max(_SMALL, -(-third // 64) * 64))

    async def piece(lo: int, hi: int) -> None:
        packed = np.ascontiguousarray(b[:, lo // 64 : bits.plane_words(hi)])
        if party.three:
            await _inject3(party, packed, (lo // chunk) % 3, out[:, lo:hi])
        else:
            out[:, lo:hi] = await _injectk(party, packed, hi - lo)

    await party.in_chunks("inject", n, chunk, piece)
    return out


async def _inject3(party: Party, b: Words, d: int, out: Words) -> None:
    """Party d sends p - r to d+1 (d+2 knows r); d+1 and d+2 exchange their masked pieces of p (1 - 2q)."""
    n = out.shape[1]
    me = party.index
    after, before = (d + 1) % 3, (d + 2) % 3
    own, theirs = (party.prss.component[a] for a in party.layout.held[me])
    deal, swap = party.label(), party.label()
    if me == d:
        e = np.empty(n, np.uint64)
        narrow.inject_deal(b[0], b[1], theirs.words(deal, n), e)
        party.send(after, deal, e)
        own.fill(swap, out[0])
        theirs.fill(swap, out[1])
        return
    piece, arrived = np.empty(n, np.uint64), np.empty(n, np.uint64)
    if me == before:  # slot 0 is shared with d; slot 1 is q, shared with d+1
        receipt = party.receive(after, swap, arrived)
        own.fill(swap, out[0])
        narrow.inject_follow(b[1], own.words(deal, n), out[0], piece)
        party.send(after, swap, piece)
        await party.arrived(receipt)
        narrow.inject_join(b[1], piece, arrived, out[1])
        return
    e = np.empty(n, np.uint64)
    from_d, receipt = party.receive(d, deal, e), party.receive(before, swap, arrived)
    await party.arrived(from_d)
    theirs.fill(swap, out[1])
    narrow.inject_follow(b[0], e, out[1], piece)
    party.send(before, swap, piece)
    await party.arrived(receipt)
    narrow.inject_join(b[0], piece, arrived, out[0])


async def _injectk(party: Party, b: Words, n: int) -> Words:
    layout = party.layout
    slots = layout.slot[party.index]
    numbers = []
    for dealer, holders in layout.summands:
        if len(holders) == 1:
            number = np.zeros((layout.k, n), np.uint64)
            if holders[0] in slots:
                number[slots[holders[0]]] = bits.unpack(b[slots[holders[0]]], n)
        else:
            part = None
            if party.index == dealer:
                known = np.bitwise_xor.reduce(b[[slots[a] for a in holders]], axis=0)
                part = bits.unpack(known, n).astype(np.uint64)
            number = await reshare(party, part, (dealer,), (n,))
        numbers.append(number)
    total = numbers[0]
    for number in numbers[1:]:
        total = total + number - np.uint64(2) * await mul(party, total, number)
    return total
