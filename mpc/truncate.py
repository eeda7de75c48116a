"""Division of shared words by 2^f, without the rare huge error of local truncation.

For |x| < 2^62. With x' = x + 2^62 in [0, 2^63) and u + v = x' + w 2^64, where one party d knows u and the others both
know v: x' >> f = (u >> f) + (v >> f) - w 2^(64-f), up to one in the last place (the carry of the low parts, which is
not computed). As x' < 2^63, a wrap happens exactly if the top bit of u or of v is set: w = mu + mv - mu mv.
Only w modulo 2^f matters, so its shares travel as f-bit numbers.

What this is: a faithful truncation with an error of one unit in the last place that depends on the shares, so on
randomness, as in SecureML and ABY3, but never the 2^(64-f) error those make with probability |x| / 2^63 each. Li et al.
(USENIX Security 2023) point out that the random last bit cannot be simulated from the exact quotient alone. The ideal
functionality realised here gives the randomly rounded result, and the low bits of u that decided the rounding to party
d: who is d and is shown the result exactly learns how the bits cut off compare with those.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable
from typing import Any

import numpy as np
import numpy.typing as npt

from mpc import bits, narrow
from mpc.boolean import and_
from mpc.convert import bits_to_words
from mpc.errors import OutOfRange
from mpc.exchange import public_share, reshare, zero_share
from mpc.party import Party
from mpc.summands import add_down_to_two, deal_summands, known_sum
from mpc.turns import in_turns

__all__ = ["round_off", "sum_and_round", "truncate"]

Words = npt.NDArray[np.uint64]

_OFFSET = np.uint64(1 << 62)


async def truncate(party: Party, x: Words, f: int) -> Words:
    """[x >> f], arithmetic shift, for |x| < 2^62, of shape (k, *shape); 1 <= f <= 62.

    Error: the exact floor, or up to t less in the last place (t = 1 for m = 3). Never more.
    m = 3: Rounds: 2. Sends: 8 + 3 b bytes an element over all three parties, b = 2, 4 or 8 bytes for f <= 16, 32, 62.
    m > 3: Rounds: 8, 12, 16 for m = 4, 5, 7. Leaks nothing.
    """
    if not 1 <= f <= 62:
        raise OutOfRange(f"truncation by {f} bits: 1 to 62")
    shape = x.shape
    flat = x.reshape(party.layout.k, -1)
    n = flat.shape[1]
    out = np.empty((party.layout.k, n), np.uint64)

    async def piece(lo: int, hi: int, d: int) -> None:
        if party.three:
            mine = flat[:, lo:hi] if party.index == d else flat[1 if party.index == (d + 2) % 3 else 0, lo:hi]
            await _truncate3(party, mine, f, d, out[:, lo:hi])
        else:
            out[:, lo:hi] = await _truncatek(party, flat[:, lo:hi], f)

    await in_turns(party, "truncate", n, piece)
    return out.reshape(shape)


async def round_off(party: Party, x: Words, f: int) -> Words:
    """[x / 2^f], |x| < 2^62 - 2^f t, error at most (t + 1) / 2 in the last place, either way. As truncate."""
    flat = x.reshape(x.shape[0], -1)
    return (await truncate(party, flat + public_share(party, _half(party, f)), f)).reshape(x.shape)


async def sum_and_round(party: Party, part: Words | None, shape: tuple[int, ...], f: int) -> Words:
    """[x / 2^f] of this shape, as round_off gives it, where x is the sum of a part at each multiplier: of products.

    To share x first and to truncate it then would take a round more: what a party needs to know for a truncation is
    one summand of two, and those are there before the sum is shared. ``part`` is overwritten.

    m = 3: Rounds: 2. Sends: 24 + 3 b bytes an element over all three parties, b as for truncate.
    m > 3: reshare, then truncate. Leaks nothing.

    1. Each party adds its share of zero to its part. Party d's part is u.                  (local)
    2. Its followers tell each other theirs, so that both know the sum of them, v.          (one round)
    3. Beside this and after it: as truncate.                                               (two rounds)
    """
    n = math.prod(shape)
    if not party.three:
        return await round_off(party, await reshare(party, part, party.layout.multipliers, shape), f)
    assert part is not None
    flat = part.reshape(-1)
    out = np.empty((2, n), np.uint64)

    async def piece(lo: int, hi: int, d: int) -> None:
        label, mine = party.label(), flat[lo:hi]
        zero_share(party, range(3), label, mine)
        if party.index == d:
            await _truncate3(party, np.stack([mine, np.full(hi - lo, _half(party, f))]), f, d, out[:, lo:hi])
            return
        other = next(j for j in range(3) if j not in (d, party.index))
        theirs = np.empty_like(mine)
        late = theirs, party.receive(other, label, theirs)
        party.send(other, label, mine)
        await _truncate3(party, mine, f, d, out[:, lo:hi], late)

    await in_turns(party, "truncate", n, piece)
    return out.reshape(2, *shape)


def _half(party: Party, f: int) -> Words:
    """What makes the floor one that is off as much either way."""
    return np.full(1, (party.t + 1) << (f - 1), np.uint64)


async def _truncate3(
    party: Party, mine: Words, f: int, d: int, out: Words, late: tuple[Words, Awaitable[int]] | None = None
) -> None:
    """``mine`` is two summands of u (2, n) at party d, v (n,) at its followers; there ``late`` may be missing from it,
    which is on its way."""
    n = mine.shape[-1]
    me = party.index
    after, before = (d + 1) % 3, (d + 2) % 3
    own, theirs = (party.prss.component[a] for a in party.layout.held[me])
    high, top, swap = party.label(), party.label(), party.label()
    small: Any = np.uint16 if f <= 16 else np.uint32 if f <= 32 else np.uint64
    shift = np.uint64(f)

    def stream(source: Any, label: bytes) -> Any:
        words = np.empty(n, small)
        source.fill(label, words)
        return words

    async def whole() -> Words:
        if late is None:
            return np.ascontiguousarray(mine)
        await party.arrived(late[1])
        return mine + late[0]

    message = np.empty(n * (8 + np.dtype(small).itemsize), np.uint8)
    sent, e = message[: 8 * n].view(np.uint64), message[8 * n :].view(small)
    if me == d:
        narrow.truncate_deal(
            np.ascontiguousarray(mine[0]), np.ascontiguousarray(mine[1]), theirs.words(high, n), stream(theirs, top),
            stream(theirs, swap), stream(own, swap), shift, _OFFSET, out[0], out[1], sent, e,
        )  # fmt: skip
        party.send(after, high, message)
        return
    piece, arrived = np.empty(n, small), np.empty(n, small)
    if me == before:  # slot 0 is shared with d; slot 1 is v, shared with d+1
        receipt = party.receive(after, swap, arrived)
        mask = stream(own, swap)
        r = stream(own, top)
        np.add(own.words(high, n), mask.astype(np.uint64) << (np.uint64(64) - shift), out=out[0])
        v = await whole()
        narrow.truncate_follow(v, r, mask, piece)
        party.send(after, swap, piece)
        await party.arrived(receipt)
        narrow.truncate_join(v, piece, arrived, shift, _OFFSET, out[1])
        return
    from_d, receipt = party.receive(d, high, message), party.receive(before, swap, arrived)
    mask = stream(theirs, swap)
    v = await whole()
    await party.arrived(from_d)
    narrow.truncate_follow(v, e, mask, piece)
    party.send(before, swap, piece)
    np.add(sent, mask.astype(np.uint64) << (np.uint64(64) - shift), out=out[1])
    await party.arrived(receipt)
    narrow.truncate_join(v, piece, arrived, shift, _OFFSET, out[0])


async def _truncatek(party: Party, x: Words, f: int) -> Words:
    """t + 1 summands s_i of x' = x + 2^62; the number of wraps w comes from the top e bits of each.

    x' + w 2^64 - 2^(64-e) (sum of the tops) lies in [0, (t+1) 2^(64-e)), so w = (sum of the tops + t) >> e as soon as
    2^(e-1) > t + 1.
    """
    layout, n = party.layout, x.shape[1]
    e = 1
    while 2 ** (e - 1) <= party.t + 1:
        e += 1
    planes = e + party.t.bit_length()  # w <= t
    x = x + public_share(party, np.full(1, _OFFSET))
    tops = await deal_summands(party, x, planes, drop=64 - e)
    carry_in = np.zeros((planes, bits.plane_words(n)), np.uint64)
    for b in range(planes):
        if (party.t >> b) & 1:
            carry_in[b] = ~np.uint64(0)
    u, v = await add_down_to_two(party, [*tops, public_share(party, carry_in)])
    g, p = await and_(party, u[:, :-1], v[:, :-1]), u ^ v
    carry = g[:, 0]
    sums = []
    for b in range(1, planes):
        if b >= e:
            sums.append(p[:, b] ^ carry)
        if b + 1 < planes:
            carry = g[:, b] ^ await and_(party, p[:, b], carry)
    width = 64 * bits.plane_words(n)
    counts = await bits_to_words(party, np.concatenate(sums, axis=1), len(sums) * width)
    weights = np.uint64(1) << np.arange(len(sums), dtype=np.uint64)[:, None]
    wraps = (counts.reshape(layout.k, len(sums), width)[:, :, :n] * weights).sum(axis=1, dtype=np.uint64)

    part = None
    if party.index < party.t:
        known = known_sum(party, x, party.index)
        assert known is not None
        part = known >> np.uint64(f)
    share = await reshare(party, part, tuple(range(party.t)), (n,))
    last = known_sum(party, x, party.t)
    if last is not None:
        share[layout.slot[party.index][layout.summands[party.t][1][0]]] += last >> np.uint64(f)
    share -= wraps << np.uint64(64 - f)
    return share - public_share(party, np.full(1, _OFFSET >> np.uint64(f)))
