"""Sampling from a table bit by bit, most significant first: the walk down its CDF tree, on shares.

Which prefix a sample has so far is a secret one-hot vector. The threshold of the next coin is linear in it: bit j of
the threshold is the XOR of the entries of all prefixes whose public threshold has bit j set.
"""

from __future__ import annotations

import numba as nb
import numpy as np
import numpy.typing as npt

from mpc import bits
from mpc.boolean import and_
from mpc.exchange import public_share
from mpc.party import Party
from protocols.coins import FULL, public_coins, secret_coins
from protocols.table import TableLaw

__all__ = ["table_bits"]

Words = npt.NDArray[np.uint64]

_P = nb.types.Array(nb.uint64, 2, "C")
_T = nb.types.Array(nb.boolean, 2, "C")


@nb.njit([nb.void(_P, _T, _P)], cache=True, nogil=True)
def _choose(onehot: Words, table: npt.NDArray[np.bool_], out: Words) -> None:
    """out[j] = XOR of the planes onehot[p] with table[j, p]: a product of matrices over bits."""
    out[:] = np.uint64(0)
    step = 64  # words: so that all planes of a stretch stay in the cache
    for lo in range(0, onehot.shape[1], step):
        hi = min(onehot.shape[1], lo + step)
        for j in range(table.shape[0]):
            for p in range(table.shape[1]):
                if table[j, p]:
                    for w in range(lo, hi):
                        out[j, w] ^= onehot[p, w]


async def table_bits(party: Party, table: TableLaw, n: int) -> Words:
    """Planes (k, K, W) of the indexes of n samples, most significant bit first.

    For each level:
    1. The thresholds of all samples, from their prefixes; at the first they are public.     (local)
    2. A coin each.                                                (1 + ceil(log2 l) rounds; 1 less at the first level)
    3. e & b and e ^ (e & b): the prefixes, one bit longer.                         (1 round; not after the last)

    Rounds: K (2 + ceil(log2 l)) - 3. AND gates: 2^(K-1) + below 3 l K a sample. Leaks nothing.
    """
    k, width = party.layout.k, bits.plane_words(n)
    coin = await public_coins(party, table.thresholds[0], table.precision, n)
    found = [coin[:, 0]]
    onehot = np.concatenate([coin, coin], axis=1)
    onehot[:, 0] ^= public_share(party, np.full(width, FULL))
    for level in range(1, table.size):
        column = table.thresholds[level]
        mask = np.array([[t >> j & 1 for t in column] for j in range(table.precision)], dtype=np.bool_)
        threshold = np.empty((k, table.precision, width), np.uint64)
        for slot in range(k):
            _choose(onehot[slot], mask, threshold[slot])
        bit = await secret_coins(party, threshold)
        found.append(bit)
        if level + 1 < table.size:
            chosen = await and_(party, onehot, np.repeat(bit[:, None], onehot.shape[1], axis=1))
            longer = np.empty((k, 2 * onehot.shape[1], width), np.uint64)
            longer[:, 0::2] = onehot ^ chosen
            longer[:, 1::2] = chosen
            onehot = longer
    return np.stack(found, axis=1)
