"""XOR-shared bits as numbers: packed bits (k, ceil(n/64)) to words (k, n) that are 0 or 1; weighted sums of bits; bits
times numbers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mpc import bits, narrow
from mpc.arithmetic import mul
from mpc.exchange import reshare
from mpc.party import Party
from mpc.roles import deal_and_follow, known
from mpc.turns import in_turns

__all__ = ["bits_to_words", "gate", "weighted_bits"]

Words = npt.NDArray[np.uint64]

_WORDS = 1 << 17  # dealt at once


async def bits_to_words(party: Party, b: Words, n: int) -> Words:
    """[b] over the ring from [b] over bits (bit injection).

    m = 3: b = p ^ q, where party d knows p and the others both know q, so b = p (1 - 2q) + q with the product dealt in
    two one-way messages. Rounds: 2. Sends: 8 bytes an element and party. Leaks nothing.
    m > 3: t summands are dealt as numbers and joined by x + y - 2xy. Rounds: 1 + t.
    """
    out = np.empty((party.layout.k, n), np.uint64)

    async def piece(lo: int, hi: int, d: int) -> None:
        packed = np.ascontiguousarray(b[:, lo // 64 : bits.plane_words(hi)])
        if party.three:
            await _inject3(party, packed, d, out[:, lo:hi])
        else:
            out[:, lo:hi] = await _injectk(party, packed, hi - lo)

    await in_turns(party, "inject", n, piece)
    return out


async def gate(party: Party, b: Words, x: Words, other: Words, by: int) -> Words:
    """[b x + by other] (k, n) from packed bits [b] and [other] and words [x] (k, n); ``by`` is public.

    m = 3: b = p ^ q and x = u + v, where party d knows p and u and the others both know q and v, so that b x =
    (p u + p v) (1 - 2q) + q u + q v is linear in what d can deal: p u, p, u. A number by a bit takes no round more than
    the bit itself. Rounds: 2. Sends: 16 bytes an element and party. Leaks nothing.
    m > 3: bits_to_words, then a product.
    """
    n = x.shape[1]
    if not party.three:
        of_other = party.launch("other", lambda: bits_to_words(party, other, n))
        passed = await mul(party, await bits_to_words(party, b, n), x)
        return passed + await of_other.result() * np.uint64(by)
    out = np.empty((2, n), np.uint64)

    async def piece(lo: int, hi: int, d: int) -> None:
        words = slice(lo // 64, bits.plane_words(hi))
        p, r = (known(party, d, planes[:, words], boolean=True) for planes in (b, other))
        u, share = known(party, d, x[:, lo:hi]), np.empty((2, hi - lo), np.uint64)

        def follow(table: Words, piece: Words, first: bool) -> None:
            narrow.gate_follow(p, r, u, table, np.uint64(by), first, piece)

        table = np.empty((4, hi - lo), np.uint64)
        await deal_and_follow(party, d, table, share, lambda t: narrow.gate_deal(p, r, u, t), follow)
        out[:, lo:hi] = share

    await in_turns(party, "gate", n, piece)
    return out


async def _inject3(party: Party, b: Words, d: int, out: Words) -> None:
    """The recipe of roles.py: D(p) = p, and p (1 - 2q) + q is linear in p for those who know q."""
    mine = known(party, d, b, boolean=True)

    def deal(table: Words) -> None:
        narrow.inject_deal(mine, table)

    def follow(table: Words, piece: Words, first: bool) -> None:
        narrow.inject_follow(mine, table, first, piece)

    await deal_and_follow(party, d, np.empty(out.shape[1], np.uint64), out, deal, follow)


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
                summand = np.bitwise_xor.reduce(b[[slots[a] for a in holders]], axis=0)
                part = bits.unpack(summand, n).astype(np.uint64)
            number = await reshare(party, part, (dealer,), (n,))
        numbers.append(number)
    total = numbers[0]
    for number in numbers[1:]:
        total = total + number - np.uint64(2) * await mul(party, total, number)
    return total


async def weighted_bits(party: Party, planes: Words, weights: Words, n: int) -> Words:
    """[sum over b of weights[b] * bit b] (k, n) of XOR-shared planes (k, B, W) and public weights (B,).

    m = 3: bit injection is linear in what party d deals, so the followers sum up before they exchange: the B bits of an
    element cost B words from d, but only one word each way. Rounds: 2. Sends: 8 (B + 2) / 3 bytes an element and party.
    Leaks nothing. m > 3: every bit by itself (bits_to_words), 1 + t rounds.
    """
    k, count, width = planes.shape
    if not party.three:
        flags = await bits_to_words(party, np.ascontiguousarray(planes).reshape(k, -1), 64 * count * width)
        scaled = flags.reshape(k, count, -1)[:, :, :n] * weights[:, None]
        numbers: Words = scaled.sum(axis=1, dtype=np.uint64)
        return numbers
    out = np.empty((k, n), np.uint64)

    async def piece(lo: int, hi: int, d: int) -> None:
        mine = known(party, d, planes[:, :, lo // 64 : bits.plane_words(hi)], boolean=True)

        def deal(table: Words) -> None:
            narrow.weigh_deal(mine, table)

        def follow(table: Words, part: Words, first: bool) -> None:
            narrow.weigh_follow(mine, table, weights, first, part)

        await deal_and_follow(party, d, np.empty((count, hi - lo), np.uint64), out[:, lo:hi], deal, follow)

    most = max(64, _WORDS // max(1, count))
    await in_turns(party, "weigh", n, piece, most=most, least=min(most // 64 * 64, 1 << 10))
    return out
