"""Bring rows that one party knows to places that another knows, shared; and repeat shared rows as one party knows.

A *map* is an int32 array: entry i of the result is row map[i] of the table, or zeros for -1. No row is named twice.
"""

from __future__ import annotations

from collections.abc import Sequence

import numba as nb
import numpy as np
import numpy.typing as npt

from mpc import permutation
from mpc.errors import FrameInvalid
from mpc.exchange import reshare
from mpc.mixing import Rows
from mpc.party import Party
from mpc.permutation import Index
from mpc.permuting import permute_rows

__all__ = ["align", "repeat_rows"]

Words = npt.NDArray[np.uint64]

_COLUMNS_AT_ONCE = 1 << 27  # words of one message; more columns follow one another, so that memory stays bounded

_I = nb.types.Array(nb.int32, 1, "C")
_R = nb.types.Array(nb.uint64, 2, "C")


@nb.njit([nb.boolean(_I, nb.int64)], cache=True, nogil=True)
def _within(places: Index, n: int) -> bool:
    for p in places:  # noqa: SIM110 - numba compiles no all()
        if p < 0 or p >= n:
            return False
    return True


@nb.njit([nb.void(_R, _I, _R)], cache=True, nogil=True)
def _scatter(rows: Words, places: Index, out: Words) -> None:
    """out[places[i]] = rows[i], for as many i as ``rows`` has."""
    for i in range(rows.shape[0]):
        p = places[i]
        for c in range(rows.shape[1]):
            out[p, c] = rows[i, c]


@nb.njit([nb.void(_I, _I, nb.int64, _I)], cache=True, nogil=True)
def _places(scatter: Index, at: Index, n: int, out: Index) -> None:
    """out[i]: where the row at[i] of n went; an absent one is the filler number i behind them."""
    for i in range(at.size):
        out[i] = scatter[at[i] if at[i] >= 0 else n + i]


async def align(
    party: Party,
    rows: Words | None,
    at: Index | None,
    *,
    owner: int,
    mapper: int,
    bystander: int,
    size: tuple[int, int, int],
) -> Words:
    """[rows[at]], components (k, out, columns), zeros where ``at`` is -1: rows of the owner, by a map of the mapper.

    Mohassel, Rindal, Rosulek (CCS 2020), section 4.2, where the table is one party's own and the map need not reach
    all of it. For t = 1: owner, mapper and bystander must not pool what they see.

    Args:
        rows: (n, columns) at the owner, else anything.
        at: (out,) at the mapper, from -1 to n - 1, none but -1 twice; else anything.
        bystander: any third party.
        size: (n, out, columns), public.

    Rounds: 2. Sends: (n + out) columns words from the owner and 4 out bytes from the mapper to the bystander, and two
    reshared parts of out columns words. Leaks nothing: the bystander sees distinct uniform places, and rows under a
    mask; the owner sees nothing. Raises FrameInvalid at the bystander for places that are none.

    1. Owner and mapper draw q, uniform over n + out places, from their common stream. The mapper tells the bystander
       the places q[at], where an absent row is one of out fillers of its own.
    2. The owner puts row j at q[j] and zeros elsewhere, masks all with a stream it has in common with the mapper, and
       sends them to the bystander.
    3. The bystander has the rows with the mask at its places, the mapper the mask there: the difference is reshared.
    """
    n, out, columns = size
    total, me = n + out, party.index
    drawing, telling = party.label(), party.label()
    q = None
    if me in (owner, mapper):
        q = permutation.draw(party.prss.pair[mapper if me == owner else owner], drawing, total)
    places = np.empty(out, np.int32)
    if me == mapper:
        assert at is not None and q is not None
        _places(q, at, n, places)
        party.send(bystander, telling, places)
    elif me == bystander:
        await party.arrived(party.receive(mapper, telling, places))
        if not _within(places, total):
            raise FrameInvalid(mapper, f"party {mapper} sent places outside the {total} rows agreed")
    share = np.empty((party.layout.k, out, columns), np.uint64)

    async def some(lo: int, hi: int) -> None:
        label, width, part = party.label(), hi - lo, None
        if me == owner:
            assert rows is not None and q is not None
            spread = np.zeros((total, width), np.uint64)
            _scatter(np.ascontiguousarray(rows[:, lo:hi]), q, spread)
            party.prss.pair[mapper].add_into(label, spread)
            party.send(bystander, label, spread)
        elif me in (mapper, bystander):
            spread, part = np.empty((total, width), np.uint64), np.empty((out, width), np.uint64)
            if me == bystander:
                await party.arrived(party.receive(owner, label, spread))
            else:
                party.prss.pair[owner].fill(label, spread)
            permutation.gather(spread, places, part)
            if me == mapper:
                np.negative(part, out=part)
        share[:, :, lo:hi] = await reshare(party, part, tuple(sorted((mapper, bystander))), (out, width))

    await party.in_chunks("align", columns, max(1, _COLUMNS_AT_ONCE // max(1, total)), some, window=1)
    return share


async def repeat_rows(party: Party, tables: Sequence[Rows], source: Index | None, owner: int) -> list[Rows]:
    """Every table [x] as [x[source]], by a map that the owner knows (None elsewhere) and that names rows repeatedly.

    Args:
        tables: components (k, n, columns), uint64 shared over the ring, or uint8 by XOR.
        source: (n,) at the owner; the places that name one row are neighbours. *Rows named nowhere must hold zeros.*

    Rounds: 4 (m = 3). Sends: two permutations by one party (permuting.permute_rows). Leaks nothing, t < m/2.

    1. The owner brings the rows named nowhere to the front, behind them the others in the order they are named.
    2. Take from every row the one before it. Of the rows in front nothing but zeros comes.             (local)
    3. The owner brings these differences to the first place of each row, and the zeros to the repeats.
    4. The sums up to each place are the rows, repeated.                                                 (local)
    """
    first, second = (None, None) if source is None else _repeating(source)
    ordered = await permute_rows(party, tables, first, owner)
    steps = []
    for x in ordered:
        step = x.copy()
        if x.dtype == np.uint8:
            step[:, 1:] ^= x[:, :-1]
        else:
            step[:, 1:] -= x[:, :-1]
        steps.append(step)
    placed = await permute_rows(party, steps, second, owner)
    for x in placed:
        (np.bitwise_xor if x.dtype == np.uint8 else np.add).accumulate(x, axis=1, out=x)
    return placed


def _repeating(source: Index) -> tuple[Index, Index]:
    """The two permutations of :func:`repeat_rows`."""
    starts = np.ones(source.size, np.bool_)
    starts[1:] = source[1:] != source[:-1]
    named = source[starts]
    unnamed = np.ones(source.size, np.bool_)
    unnamed[named] = False
    front = np.flatnonzero(unnamed).astype(np.int32)
    back = np.empty(source.size, np.int32)
    back[starts] = np.arange(front.size, source.size, dtype=np.int32)
    back[~starts] = np.arange(front.size, dtype=np.int32)
    return np.concatenate([front, named]), back
