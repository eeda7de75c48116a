"""Noise nobody knows: samples of each law, on shares.

No party holds a part of the noise: a coalition of t parties has nothing to subtract. The laws and what they protect are
in laplace.py, binomial.py, gaussian.py and accounting.py; this is how they are drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from mpc import bits
from mpc.arrays import SecretArray
from mpc.boolean import and_
from mpc.convert import weighted_bits
from mpc.errors import OutOfRange
from mpc.exchange import public_share, random_share
from mpc.party import Party
from mpc.scope import checksum, current_scope
from protocols.accounting import DELTA_LIMIT
from protocols.binomial import BinomialLaw
from protocols.coins import CHUNK, public_coins
from protocols.errors import PrecisionTooLow
from protocols.exact import check_epsilon, exp_above
from protocols.gaussian import SumLaw
from protocols.laplace import LaplaceLaw, laplace_law
from protocols.law import Law
from protocols.mechanisms import security_for
from protocols.table import TableLaw
from protocols.tree import table_bits

__all__ = ["discrete_laplace", "sample"]

Words = npt.NDArray[np.uint64]
Shape = tuple[int, ...]


def sample(party: Party, law: Law, shape: Shape, *, frac: int = 0) -> SecretArray:
    """Samples of a law that was checked before (accounting.check_event), independent of one another.

    The law's fingerprint goes into the program's history, so parties that found different laws end in ProgramDiverged.

    ==============  =======================================  ==========================================
    law             rounds (m = 3)                           bytes a sample and party, about
    ==============  =======================================  ==========================================
    LaplaceLaw      ceil(log2 l) + 3: 9 for l up to 64       (k + 1) 1.5 l / 8 + 8 (k + 4) / 3
    BinomialLaw     about log_1.5 N: 10 for N = 80           N / 8 + 8 (2 log2 N + 2) / 3
    TableLaw        K (2 + ceil(log2 l)) - 1: 63 for K = 8   (2^K / 2 + 3 l K) / 8 + 8 (K + 2) / 3
    SumLaw          as its table                             as its table, for each weight
    ==============  =======================================  ==========================================

    Leaks nothing. Semi-honest, t < m/2.
    """
    n = int(np.prod(shape, dtype=np.int64))
    step = _SAMPLERS[type(law)]
    current_scope().note(checksum(law.digest()))

    async def make() -> SecretArray:
        words = np.empty((party.layout.k, n), np.uint64)

        async def piece(lo: int, hi: int) -> None:
            words[:, lo:hi] = await step(party, law, hi - lo)

        if n:
            await party.in_chunks("noise", n, CHUNK, piece)
        return SecretArray(party, words.reshape(party.layout.k, *shape), frac)

    return SecretArray._pending(party, party.launch("noise", make), tuple(shape))


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

    Rounds, bytes, leaks: :func:`sample`; k = about log2(29 sensitivity / epsilon).
    Raises EpsilonInvalid, SensitivityInvalid, GridOverflow, PrecisionTooLow, before anything is drawn.
    """
    coordinates = int(np.prod(shape, dtype=np.int64))
    if lambda_ is None:
        lambda_ = security_for(check_epsilon(epsilon), max(1, coordinates))
    elif not 1 <= lambda_ <= 256:
        raise OutOfRange(f"lambda {lambda_}: 1 to 256")
    law = laplace_law(epsilon, sensitivity, lambda_)
    delta = (1 + exp_above(law.epsilon)) * coordinates * law.distance
    if delta > DELTA_LIMIT:
        raise PrecisionTooLow(
            f"noise of {law.precision}-bit coins in {coordinates} coordinates at epsilon {float(law.epsilon):g} has a "
            f"delta up to {float(delta):.3g}, above 2^-40: use a larger lambda, or None to have it chosen"
        )
    return sample(party, law, shape, frac=frac)


# -- one chunk of each law: n samples, components (k, n) ---------------------------------------


async def _laplace(party: Party, law: LaplaceLaw, n: int) -> Words:
    """1. Coins: the bits g_0 .. g_{k-1} of G, and z' = [X is not 0]; a fair sign s.        (ceil(log2 l) rounds)
    2. m_i = z' g_i and s' = z' s, all in one AND.                                          (1 round)
    3. Read as two's complement: for s' = 1, -1 - G is the number with every bit of G flipped; for s' = 0 and z' = 1,
       1 + G. So X = sum 2^i (m_i ^ s') - 2^k s' + (z' ^ s'): k + 2 bits, weighted.         (local)
    4. Take the bits into the ring.                                                         (2 rounds)
    """
    k, width = len(law.bits), bits.plane_words(n)
    coins = await public_coins(party, (*law.bits, law.nonzero), law.precision, n)
    nonzero = coins[:, k:]
    coins[:, k:], nonzero = random_share(party, (1, width)), nonzero.copy()  # the last plane is now the fair sign
    both = await and_(party, coins, np.repeat(nonzero, k + 1, axis=1))
    sign = both[:, k:]
    signed = np.concatenate([both[:, :k] ^ sign, sign, nonzero ^ sign], axis=1)
    weights = np.array([*(1 << i for i in range(k)), -(1 << k), 1], dtype=np.int64).view(np.uint64)
    return await weighted_bits(party, signed, weights, n)


async def _binomial(party: Party, law: BinomialLaw, n: int) -> Words:
    """1. N fair coins.                                                                     (PRSS)
    2. Carry-save adders: three planes of weight 2^w become one of weight 2^w and one of weight 2^(w+1), all weights at
       once, until no weight has more than two. A full adder is one AND: the majority of a, b, c is
       (a ^ c)(b ^ c) ^ c.                                                                  (about log_1.5 N rounds)
    3. Take the planes into the ring, weighted; subtract N / 2.                             (2 rounds)
    """
    coins = random_share(party, (law.flips, bits.plane_words(n)))
    columns = [[coins[:, i] for i in range(law.flips)]]
    while any(len(column) > 2 for column in columns):
        triples = [(w, column[i : i + 3]) for w, column in enumerate(columns) for i in range(0, len(column) - 2, 3)]
        a, b, c = (np.stack([planes[j] for _, planes in triples], axis=1) for j in range(3))
        major = await and_(party, a ^ c, b ^ c) ^ c
        total = a ^ b ^ c
        columns = [column[len(column) // 3 * 3 :] for column in columns] + [[]]
        for at, (w, _) in enumerate(triples):
            columns[w].append(total[:, at])
            columns[w + 1].append(major[:, at])
    planes = np.stack([plane for column in columns for plane in column], axis=1)
    weights = np.array([1 << w for w, column in enumerate(columns) for _ in column], dtype=np.uint64)
    numbers = await weighted_bits(party, planes, weights, n)
    return numbers - public_share(party, np.full(1, law.flips // 2, np.uint64))


async def _table(party: Party, law: TableLaw, n: int) -> Words:
    """The bits of the index (tree.py), weighted, plus the least value."""
    return await _weighed(party, law, (1,), n)


async def _sum(party: Party, law: SumLaw, n: int) -> Words:
    """As many independent samples of the table as there are weights, side by side; their bits are weighted once."""
    return await _weighed(party, law.base, law.weights, n)


async def _weighed(party: Party, table: TableLaw, factors: tuple[int, ...], n: int) -> Words:
    width = bits.plane_words(n)
    found = await table_bits(party, table, len(factors) * 64 * width)
    planes = found.reshape(party.layout.k, table.size * len(factors), width)
    powers = [1 << table.size - 1 - level for level in range(table.size)]
    weights = np.array([p * f for p in powers for f in factors], dtype=np.uint64)
    numbers = await weighted_bits(party, planes, weights, n)
    lowest = np.full(1, table.low * sum(factors), np.int64).view(np.uint64)
    return numbers + public_share(party, lowest)


_SAMPLERS: dict[type[Law], Callable[[Party, Any, int], Coroutine[Any, Any, Words]]] = {
    LaplaceLaw: _laplace,
    BinomialLaw: _binomial,
    TableLaw: _table,
    SumLaw: _sum,
}
