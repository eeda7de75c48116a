"""Sort rows by a few secret bits: one stable partition for each bit, least significant first.

Asharov, Hamada, Ikarashi, Kikuchi, Nof, Pinkas, Takahashi, Tomida: Efficient secure three-party sorting with
applications to data analysis and heavy hitters (CCS 2022), for keys given as bits. The place a row goes to is computed
on shares; the rows are brought there after a shuffle, so that what is revealed is a uniformly random permutation.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mpc import bits
from mpc.arithmetic import mul
from mpc.convert import bits_to_words
from mpc.exchange import public_share
from mpc.mixing import Rows
from mpc.party import Party
from mpc.permuting import put_rows, take_rows

__all__ = ["MOST", "places", "rows_by_bits"]

Words = npt.NDArray[np.uint64]

MOST = 8  # so many fit in a byte; comparing is slower still, with three times as many it is as fast


async def places(party: Party, flags: Words, n: int) -> Words:
    """[where each row goes] when the rows without the flag come first, else in the order they have; flags packed.

    Rounds: 3 (m = 3). Sends: 16 bytes a row and party (m = 3). Leaks nothing. Semi-honest, t < m/2.

    1. A flag b as a number.
    2. A row without it goes to s, the number of such rows before it; one with it to s', the number of all those without
       it and of those with it before. Sums are local; s + b (s' - s) takes one product.
    """
    b = await bits_to_words(party, flags, n)
    ones = public_share(party, np.ones(n, np.uint64))
    without = ones - b
    low = np.cumsum(without, axis=1, dtype=np.uint64) - without
    high = np.cumsum(b, axis=1, dtype=np.uint64) - b + without.sum(axis=1, dtype=np.uint64)[:, None]
    return low + await mul(party, b, high - low)


async def rows_by_bits(party: Party, keys: Sequence[Words], tables: Sequence[Rows], n: int) -> list[Rows]:
    """The tables in stable order of up to MOST keys of one bit, packed (k, W), the most significant first.

    Rounds: 6 a key, and 5 in the end if there are several (m = 3). Sends: for a key, in all and for m = 3, 104 bytes
    a row, and a shuffle of the row numbers and a byte, or, if it is the only key, of the tables; in the end take_rows.
    Reveals the places in random order, a uniformly random permutation: nothing. Semi-honest, t < m/2.

    1. For each key, the least significant first: compute the places; move the row numbers and the other keys there.
    2. Take the rows by the row numbers.

    With one key the tables themselves are moved.
    """
    if len(keys) == 1:
        return await put_rows(party, tables, await places(party, keys[0], n))
    k = party.layout.k
    left: Rows = np.zeros((k, n, 1), np.uint8)
    for j, key in enumerate(keys):
        for slot in range(k):
            left[slot, :, 0] |= bits.unpack(key[slot], n).view(np.uint8) << np.uint8(j)
    numbers: Rows = public_share(party, np.arange(n, dtype=np.uint64)[:, None])
    for j in reversed(range(len(keys))):
        column = ((left[:, :, 0] >> np.uint8(j)) & np.uint8(1)).view(np.bool_)
        where = await places(party, np.stack([bits.pack(c) for c in column]), n)
        left, numbers = await put_rows(party, [left, numbers], where)
    return await take_rows(party, tables, numbers[:, :, 0])
