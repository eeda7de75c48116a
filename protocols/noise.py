"""Noise nobody knows: coins of secret bits, and discrete Laplace noise made of them.

The bits come from pseudorandom secret sharing, so t parties together know nothing about any of them; what is sent is
what ANDs and bit injection send. No party holds a part of the noise: a coalition cannot subtract what it knows.
The laws and their exact account are in accounting.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from mpc import bits
from mpc.arrays import SecretArray, SecretBits
from mpc.boolean import and_, carry_out
from mpc.convert import bits_to_words
from mpc.errors import OutOfRange
from mpc.exchange import public_share, random_share
from mpc.party import Party
from protocols.accounting import (
    DELTA_LIMIT,
    LaplaceLaw,
    check_epsilon,
    delta_bound,
    laplace_law,
    security_for,
)
from protocols.errors import PrecisionTooLow

__all__ = ["DiscreteLaplace", "bernoulli", "check_law", "discrete_laplace", "sample"]

Words = npt.NDArray[np.uint64]
Shape = tuple[int, ...]

_CHUNK = 1 << 14
_FULL = np.uint64(0xFFFFFFFFFFFFFFFF)


@dataclass(frozen=True)
class DiscreteLaplace:
    """The mechanism that adds discrete Laplace noise: pure epsilon, but for a delta below 2^-40 by finite precision.

    A frozen event: it can be stored, compared, and composed later.
    """

    epsilon: float

    def __post_init__(self) -> None:
        check_epsilon(self.epsilon)

    def law(self, sensitivity: int, coordinates: int = 1) -> LaplaceLaw:
        """The law sampled for so many coordinates, together of this L1 sensitivity in steps of the grid."""
        return laplace_law(self.epsilon, sensitivity, security_for(self.epsilon, max(1, coordinates)))


# -- coins -----------------------------------------------------------------------------------


def bernoulli(party: Party, thresholds: Sequence[int], precision: int, shape: Shape) -> SecretBits:
    """Secret coins BERN(T, l): for each threshold T an array of bits, each set with probability T / 2^l exactly.

    Args:
        thresholds: public, 0 <= T < 2^precision.
        precision: l, 1 to 512.
        shape: of the array for each threshold; the result has shape (len(thresholds), *shape).

    Rounds: ceil(log2 l). Sends: below 2 l bits a coin and party for m = 3. Leaks nothing.
    """
    _check_thresholds(thresholds, precision)
    n = int(np.prod(shape, dtype=np.int64))
    result = (len(thresholds), *shape)

    async def make() -> SecretBits:
        width = bits.plane_words(n)
        planes = np.zeros((party.layout.k, len(thresholds), width), np.uint64)

        async def piece(lo: int, hi: int) -> None:
            planes[:, :, lo // 64 : bits.plane_words(hi)] = await _coins(party, thresholds, precision, hi - lo)

        if n:
            await party.in_chunks("coins", n, _CHUNK, piece)
        return SecretBits(party, _packed(planes, n), result)

    return SecretBits._pending(party, party.launch("bernoulli", make), result)


def _check_thresholds(thresholds: Sequence[int], precision: int) -> None:
    if not 1 <= precision <= 512:
        raise OutOfRange(f"coins of {precision} bits: 1 to 512")
    for t in thresholds:
        if not 0 <= t < 1 << precision:
            raise OutOfRange(f"threshold {t} of a coin of {precision} bits: 0 to 2^{precision} - 1")


async def _coins(party: Party, thresholds: Sequence[int], precision: int, n: int) -> Words:
    """Planes (k, K, W) of n coins for each of K thresholds; bits beyond n in the last word are coins too.

    1. Draw a uniform number r of l bits for each coin, bit by bit.                         (PRSS)
    2. r + T has a carry out of bit l-1 with probability T / 2^l. As T is public, that bit position i makes a carry,
       r_i & T_i, and passes one on, r_i ^ T_i, is linear in r_i.                           (local)
    3. Join the positions two by two.                                                       (ceil(log2 l) rounds)
    """
    width = bits.plane_words(n)
    table = np.array([[t >> i & 1 for t in thresholds] for i in range(precision)], dtype=np.uint64)
    mask = np.repeat(table * _FULL, width, axis=1)  # (l, K W)
    r = random_share(party, mask.shape)
    makes = r & mask
    passes = r ^ public_share(party, mask)
    carry = await carry_out(party, makes, passes)
    return carry.reshape(party.layout.k, len(thresholds), width)


def _packed(planes: Words, n: int) -> Words:
    """Planes (k, K, W) of n bits each as one packed row (k, ceil(K n / 64)) without gaps."""
    k, count, width = planes.shape
    if n == 64 * width:
        return planes.reshape(k, count * width)
    return np.stack([bits.pack(np.concatenate([bits.unpack(row, n) for row in part])) for part in planes])


# -- discrete Laplace ------------------------------------------------------------------------


def discrete_laplace(
    party: Party,
    shape: Shape,
    epsilon: float | Fraction,
    sensitivity: int,
    *,
    lambda_: int | None = None,
    frac: int = 0,
) -> SecretArray:
    """Discrete Laplace noise of scale sensitivity / epsilon, as secret integers.

    Dwork, Kenthapadi, McSherry, Mironov, Naor: Our Data, Ourselves, Eurocrypt 2006, to finite precision.

    Args:
        shape: of the noise; the figures it is for have the L1 sensitivity all together.
        epsilon: nominal.
        sensitivity: in steps of the grid, a positive integer.
        lambda_: statistical security; None takes what keeps the whole shape under 2^-40.
        frac: the result is fixed point with so many fractional bits: the grid is 2^-frac.

    Rounds: ceil(log2 l) + 3, in all 9 for l up to 64. Sends for m = 3: below 2 (k+1) l bits and 8 (k+2) bytes a sample
    and party, k = about log2(29 sensitivity / epsilon). Leaks nothing. Semi-honest, t < m/2.
    Raises EpsilonInvalid, SensitivityInvalid, GridOverflow, PrecisionTooLow, before anything is drawn.
    """
    coordinates = int(np.prod(shape, dtype=np.int64))
    if lambda_ is None:
        lambda_ = security_for(check_epsilon(epsilon), max(1, coordinates))
    elif not 1 <= lambda_ <= 256:
        raise OutOfRange(f"lambda {lambda_}: 1 to 256")
    law = laplace_law(epsilon, sensitivity, lambda_)
    check_law(law, coordinates)
    return sample(party, law, shape, frac=frac)


def check_law(law: LaplaceLaw, coordinates: int) -> None:
    """PrecisionTooLow where the law, in so many coordinates, misses pure epsilon by more than 2^-40."""
    delta = delta_bound(law, coordinates)
    if delta > DELTA_LIMIT:
        raise PrecisionTooLow(
            f"noise of {law.precision}-bit coins in {coordinates} coordinates at epsilon {float(law.epsilon):g} has a "
            f"delta up to {float(delta):.3g}, above 2^-40: use a larger lambda, or None to have it chosen"
        )


def sample(party: Party, law: LaplaceLaw, shape: Shape, *, frac: int = 0) -> SecretArray:
    """Samples of a law that was checked before. Rounds, bytes, leaks: discrete_laplace."""
    n = int(np.prod(shape, dtype=np.int64))

    async def make() -> SecretArray:
        words = np.empty((party.layout.k, n), np.uint64)

        async def piece(lo: int, hi: int) -> None:
            words[:, lo:hi] = await _samples(party, law, hi - lo)

        if n:
            await party.in_chunks("laplace", n, _CHUNK, piece)
        return SecretArray(party, words.reshape(party.layout.k, *shape), frac)

    return SecretArray._pending(party, party.launch("discrete_laplace", make), tuple(shape))


async def _samples(party: Party, law: LaplaceLaw, n: int) -> Words:
    """n samples, components (k, n).

    1. Coins: the bits g_0 .. g_{k-1} of G, and z' = [X is not 0]; a fair sign s.           (ceil(log2 l) rounds)
    2. m_i = z' g_i and s' = z' s, all in one AND.                                          (1 round)
    3. Read as two's complement: for s' = 1, -1 - G is the number with every bit of G flipped; for s' = 0 and z' = 1,
       1 + G. So X = sum 2^i (m_i ^ s') - 2^k s' + (z' ^ s'): k + 2 bits, weighted.         (local)
    4. Take the bits into the ring.                                                         (2 rounds)
    """
    k, width = len(law.bits), bits.plane_words(n)
    coins = await _coins(party, (*law.bits, law.nonzero), law.precision, n)
    nonzero = coins[:, k:]
    coins[:, k:], nonzero = random_share(party, (1, width)), nonzero.copy()  # the last plane is now the fair sign
    both = await and_(party, coins, np.repeat(nonzero, k + 1, axis=1))
    sign = both[:, k:]
    signed = np.concatenate([both[:, :k] ^ sign, sign, nonzero ^ sign], axis=1)
    ring = (await bits_to_words(party, _packed(signed, n), (k + 2) * n)).reshape(party.layout.k, k + 2, n)
    weights = np.array([*(1 << i for i in range(k)), -(1 << k), 1], dtype=np.int64).view(np.uint64)
    total: Words = (ring * weights[:, None]).sum(axis=1, dtype=np.uint64)
    return total
