"""The bits of shared words, as XOR-shared planes (k, planes, W), and back; where the leading bit stands.

m = 3: party d knows the sum u of two components and the others both know the third, v, whose planes are a free
sharing; d deals the planes of u and a parallel-prefix adder joins them. m > 3: t + 1 summands, added down to two first.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mpc import bits
from mpc.boolean import and_
from mpc.convert import weighted_bits
from mpc.errors import OutOfRange
from mpc.exchange import public_share, random_share, reveal
from mpc.party import Party
from mpc.summands import add_down_to_two, deal_summands
from mpc.turns import in_turns

__all__ = ["add_planes", "from_bits", "leading_bit", "to_bits"]

Words = npt.NDArray[np.uint64]

_SKLANSKY = 32  # planes; above, pairs are joined first
_FEW = 16


async def to_bits(party: Party, x: Words, count: int = 64) -> Words:
    """[the ``count`` low bits of x] as planes (k, count, W), lowest first, from x (k, n).

    Rounds: for m = 3 and 64 bits 9. Sends: for m = 3 count bits from one party and about 4.3 count from each, 37 bytes
    an element and party for 64. Leaks nothing.

    1. The summands are dealt as planes.                       (one round; the last one is free)
    2. m > 3: carry-save adders leave two of them.
    3. A prefix adder joins the two.
    """
    if not 1 <= count <= 64:
        raise OutOfRange(f"{count} bits of a word of 64")
    n = x.shape[1]
    out = np.empty((party.layout.k, count, bits.plane_words(n)), np.uint64)

    async def piece(lo: int, hi: int, d: int) -> None:
        if party.three:
            u, v = await _deal3(party, x[:, lo:hi], count, d)
        else:
            u, v = await add_down_to_two(party, await deal_summands(party, x[:, lo:hi], count))
        out[:, :, lo // 64 : bits.plane_words(hi)] = await add_planes(party, u, v)

    await in_turns(party, "bits", n, piece)
    return out


async def _deal3(party: Party, x: Words, count: int, d: int) -> tuple[Words, Words]:
    """Planes of u, which d deals (random to d+2, the rest to d+1), and of v. Rounds: 1."""
    me = party.index
    after, before = (d + 1) % 3, (d + 2) % 3
    own, theirs = (party.prss.component[a] for a in party.layout.held[me])
    label = party.label()
    u = np.zeros((2, count, bits.plane_words(x.shape[1])), np.uint64)
    v = np.zeros_like(u)
    if me == d:
        theirs.fill(label, u[1])
        bits.to_planes(x[0] + x[1], u[0])
        u[0] ^= u[1]
        party.send(after, label, u[0])
    elif me == before:  # slot 0 is shared with d; slot 1 is v, shared with d+1
        own.fill(label, u[0])
        bits.to_planes(np.ascontiguousarray(x[1]), v[1])
    else:
        receipt = party.receive(d, label, u[1])
        bits.to_planes(np.ascontiguousarray(x[0]), v[0])
        await party.arrived(receipt)
    return u, v


async def add_planes(party: Party, u: Words, v: Words) -> Words:
    """[u + v] modulo 2^count, planes (k, count, W). Rounds: 1 + about log2 count. AND gates: about 4.5 count."""
    total = u ^ v
    count = u.shape[1]
    if count > 1:
        g = await and_(party, u[:, :-1], v[:, :-1])
        carries = await _carries(party, g, total[:, :-1])
        total[:, 1:] ^= carries
    return total


async def _carries(party: Party, g: Words, p: Words) -> Words:
    """[carry out of each plane], from planes that make (g) or pass on (p) a carry; p of the lowest is never read.

    Brent and Kung (1982) down to 32 planes, by pairs; Sklansky (1960) below: each level doubles what is known.
    """
    count = g.shape[1]
    if count > _SKLANSKY:
        pairs = count // 2
        even, odd = slice(0, 2 * pairs, 2), slice(1, 2 * pairs, 2)
        left = np.concatenate([p[:, odd], p[:, odd][:, 1:]], axis=1)
        right = np.concatenate([g[:, even], p[:, even][:, 1:]], axis=1)
        both = await and_(party, left, right)
        g_pair = g[:, odd] ^ both[:, :pairs]
        p_pair = np.concatenate([p[:, :1], both[:, pairs:]], axis=1)
        known = await _carries(party, g_pair, p_pair)
        out = np.empty_like(g)
        out[:, odd] = known
        out[:, 0] = g[:, 0]
        above = np.arange(2, count, 2)
        out[:, above] = g[:, above] ^ await and_(party, p[:, above], known[:, above // 2 - 1])
        return out
    g, p = g.copy(), p.copy()
    step = 1
    while step < count:
        upper = np.array([i for i in range(count) if i & step])
        lower = (upper | (step - 1)) - step
        open_ = upper[upper >= 2 * step]  # the others now reach down to the lowest plane and need no p
        left = np.concatenate([p[:, upper], p[:, open_]], axis=1)
        right = np.concatenate([g[:, lower], p[:, (open_ | (step - 1)) - step]], axis=1)
        both = await and_(party, left, right)
        g[:, upper] ^= both[:, : len(upper)]
        p[:, open_] = both[:, len(upper) :]
        step *= 2
    return g


async def from_bits(party: Party, planes: Words, n: int) -> Words:
    """[x] (k, n) from its XOR-shared bits (k, count, W), lowest plane first; absent high bits are zero.

    Few bits are injected and weighed (convert.py). Of more, x + r is opened for a uniform r nobody knows: of its t + 1
    summands, dealt as planes, at least one is hidden, so this leaks nothing. Escudero et al., edaBits (CRYPTO 2020),
    made on the fly. Rounds: for m = 3 12, with at most 16 bits 2. Sends: for m = 3 53 bytes an element and party, or
    8 (count + 2) / 3.
    """
    k, count = planes.shape[:2]
    if not 1 <= count <= 64:
        raise OutOfRange(f"{count} bits in a word of 64")
    if count <= _FEW:
        return await weighted_bits(party, planes, np.uint64(1) << np.arange(count, dtype=np.uint64), n)
    out = np.empty((k, n), np.uint64)

    async def piece(lo: int, hi: int, _: int) -> None:
        mine = np.zeros((k, 64, bits.plane_words(hi) - lo // 64), np.uint64)
        mine[:, :count] = planes[:, :, lo // 64 : bits.plane_words(hi)]
        if hi % 64:
            mine[:, :, -1] &= np.uint64((1 << hi % 64) - 1)  # rows that only fill up the word are not masked
        mask = random_share(party, (hi - lo,))
        summands = [mine, *await deal_summands(party, mask, 64)]
        masked = await reveal(party, await add_planes(party, *await add_down_to_two(party, summands)), boolean=True)
        assert masked is not None
        opened = np.empty(hi - lo, np.uint64)
        bits.from_planes(masked, opened)
        out[:, lo:hi] = public_share(party, opened) - mask

    await in_turns(party, "from bits", n, piece)
    return out


async def leading_bit(party: Party, planes: Words) -> Words:
    """[position of the highest set bit] as XOR-shared planes (k, log2 count, W), of planes (k, count, W).

    All ones, count - 1, if no bit is set. ``count`` is a power of two. Halves are joined two by two: the upper one's
    position counts if it has a bit set. Rounds: log2 count. AND gates: about 2 count.
    """
    k, count, width = planes.shape
    some = planes
    position = np.zeros((k, 0, count, width), np.uint64)
    while count > 1:
        low, high = some[:, 0::2], some[:, 1::2]
        count //= 2
        place_low, place_high = position[:, :, 0::2], position[:, :, 1::2]
        digits = position.shape[1]
        left = np.repeat(high[:, None], digits + 1, axis=1)
        right = np.concatenate([low[:, None], place_low ^ place_high], axis=1)
        both = await and_(party, left, right)
        some = low ^ high ^ both[:, 0]
        position = np.concatenate([place_low ^ both[:, 1:], high[:, None]], axis=1)
    none = some[:, None, 0] ^ public_share(party, np.full(1, ~np.uint64(0)))[:, None]
    return position[:, :, 0] ^ none
