"""Coins of any bias from secret bits that nobody knows. Rounds: log2 of their precision.

The bits come from pseudorandom secret sharing, so t parties together know nothing about any of them; what is sent is
what ANDs send.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mpc import bits
from mpc.arrays import SecretBits
from mpc.boolean import and_, carry_out
from mpc.errors import OutOfRange
from mpc.exchange import public_share, random_share
from mpc.party import Party

__all__ = ["CHUNK", "FULL", "bernoulli", "public_coins", "secret_coins"]

Words = npt.NDArray[np.uint64]
Shape = tuple[int, ...]

CHUNK = 1 << 14
"""Samples worked on at once: their bit planes fit the cache."""

FULL = np.uint64(0xFFFFFFFFFFFFFFFF)


def bernoulli(party: Party, thresholds: Sequence[int], precision: int, shape: Shape) -> SecretBits:
    """Secret coins BERN(T, l): for each threshold T an array of bits, each set with probability T / 2^l exactly.

    Args:
        thresholds: public, 0 <= T < 2^precision.
        precision: l, 1 to 512.
        shape: of the array for each threshold; the result has shape (len(thresholds), *shape).

    Rounds: ceil(log2 l), at least 1. Sends: about 1.5 l bits a coin and party for m = 3. Leaks nothing.
    """
    _check_thresholds(thresholds, precision)
    n = int(np.prod(shape, dtype=np.int64))
    result = (len(thresholds), *shape)

    async def make() -> SecretBits:
        width = bits.plane_words(n)
        planes = np.zeros((party.layout.k, len(thresholds), width), np.uint64)

        async def piece(lo: int, hi: int) -> None:
            planes[:, :, lo // 64 : bits.plane_words(hi)] = await public_coins(party, thresholds, precision, hi - lo)

        if n:
            await party.in_chunks("coins", n, CHUNK, piece)
        return SecretBits(party, _packed(planes, n), result)

    return SecretBits._pending(party, party.launch("bernoulli", make), result)


def _check_thresholds(thresholds: Sequence[int], precision: int) -> None:
    if not 1 <= precision <= 512:
        raise OutOfRange(f"coins of {precision} bits: 1 to 512")
    for t in thresholds:
        if not 0 <= t < 1 << precision:
            raise OutOfRange(f"threshold {t} of a coin of {precision} bits: 0 to 2^{precision} - 1")


async def public_coins(party: Party, thresholds: Sequence[int], precision: int, n: int) -> Words:
    """Planes (k, K, W) of n coins for each of K public thresholds; bits beyond n in the last word are coins too.

    1. Draw a uniform number r of l bits for each coin, bit by bit.                         (PRSS)
    2. r + T has a carry out of bit l-1 with probability T / 2^l. Take the bits two by two, r1 r0 beside T1 T0: whether
       a pair makes a carry, g = T1 r1 + T0 q + T1 T0 r0 (XOR), and passes one on, p = q + T0 r1 + T1 r0 + T1 T0, is
       linear in r0, r1 and q = r1 r0.                                                      (1 round)
    3. Join the pairs two by two.                                                           (ceil(log2 l) - 1 rounds)
    """
    k, width = party.layout.k, bits.plane_words(n)
    even = precision + precision % 2  # one bit more of everything, the lowest: T' = 2 T, the same chance
    doubled = [t << even - precision for t in thresholds]
    table = np.array([[t >> i & 1 for t in doubled] for i in range(even)], dtype=np.uint64)
    mask: Words = np.repeat(table * FULL, width, axis=1)  # (l, K W)
    r = random_share(party, mask.shape)
    r0, r1, t0, t1 = r[:, 0::2], r[:, 1::2], mask[0::2], mask[1::2]
    q = await and_(party, r1, r0)
    makes = (r1 & t1) ^ (q & t0) ^ (r0 & t0 & t1)
    passes = q ^ (r1 & t0) ^ (r0 & t1) ^ public_share(party, np.asarray(t0 & t1))
    carry = await carry_out(party, makes, passes)
    return carry.reshape(k, len(thresholds), width)


async def secret_coins(party: Party, threshold: Words) -> Words:
    """A plane (k, W) of coins whose thresholds are secret planes (k, l, W), lowest bit first.

    As public_coins, but that r_i T_i is a product of secrets. Rounds: 1 + ceil(log2 l). AND gates: below 3 l a coin.
    """
    r = random_share(party, threshold.shape[1:])
    return await carry_out(party, await and_(party, r, threshold), r ^ threshold)


def _packed(planes: Words, n: int) -> Words:
    """Planes (k, K, W) of n bits each as one packed row (k, ceil(K n / 64)) without gaps."""
    k, count, width = planes.shape
    if n == 64 * width:
        return planes.reshape(k, count * width)
    return np.stack([bits.pack(np.concatenate([bits.unpack(row, n) for row in part])) for part in planes])
