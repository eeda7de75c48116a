"""Permute shared rows by a permutation one party knows, or by a shared one.

A *table* is the components (k, n, columns) of n rows: uint64 shared over the ring, or uint8 (eight bits each) by XOR.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mpc import permutation
from mpc.errors import FrameInvalid, NotAPermutation, ShapeMismatch, WrongType
from mpc.exchange import public_share, reveal
from mpc.mixing import Rows, add_mask, draw, mix, plus, reshare_rows
from mpc.party import Party
from mpc.permutation import Index

__all__ = ["check_permutation", "permute_rows", "put_rows", "rows_at", "take_rows"]

Words = npt.NDArray[np.uint64]


def rows_at(table: Rows, where: Index) -> Rows:
    """table[:, where]. Local."""
    out = np.empty(table.shape, table.dtype)
    for rows, target in zip(table, out, strict=True):
        permutation.gather(rows, where, target)
    return out


def check_permutation(values: Any, n: int) -> Index:
    """The values as a permutation of n rows; WrongType, ShapeMismatch or NotAPermutation."""
    array = np.asarray(values)
    if array.dtype.kind not in "iu":
        raise WrongType(f"a permutation of dtype {array.dtype}: integers are needed")
    if array.shape != (n,):
        raise ShapeMismatch(f"a permutation of shape {array.shape} for {n} rows: {(n,)} is needed")
    if not permutation.is_permutation(array):
        raise NotAPermutation(f"every number from 0 to {n - 1} must be in a permutation of {n} rows once")
    return array.astype(np.int32)


def _received(values: Index, sender: int) -> Index:
    if not permutation.is_permutation(values):
        raise FrameInvalid(sender, f"party {sender} sent something else than the permutation it was to send")
    return values


def _opened(words: Words) -> Index | None:
    """What was opened as a permutation of the rows; None if it is none."""
    values = words.view(np.int64)
    return values.astype(np.int32) if permutation.is_permutation(values) else None


async def permute_rows(party: Party, tables: Sequence[Rows], p: Index | None, owner: int) -> list[Rows]:
    """Every table [x] as [x[p]], p known to the owner (None elsewhere), shared afresh. Leaks nothing.

    m = 3: Mohassel, Rindal, Rosulek (CCS 2020). Rounds: 2. Sends: 3 elements a row and 4 bytes for its index in all.
    m > 3: a shuffle together with the row numbers, which the owner alone sees; it tells all how to go on from there,
    which looks uniformly random to them. Rounds: C(m, t) + 2.
    Semi-honest, t < m/2. Raises FrameInvalid if what a party sends to be a permutation is none.
    """
    n = tables[0].shape[1]
    if not party.three:
        return await _permutek(party, tables, p, owner)
    after, before = (owner + 1) % 3, (owner + 2) % 3
    me, label = party.index, party.label()
    # 1. The owner and the party before it draw p1. The party after gets the p2 with p = p1[p2]: uniform, without p1.
    p1, p2 = None, np.empty(n, np.int32)
    if me != after:
        stream = party.prss.pair[before if me == owner else owner]
        p1 = permutation.draw(stream, label, n)
    if me == owner:
        assert p is not None and p1 is not None
        p2 = permutation.compose(permutation.inverse(p1), p)
        party.send(after, label, p2)
    elif me == after:
        await party.arrived(party.receive(owner, label, p2))
        _received(p2, owner)
    started = [
        party.launch("permute", lambda x=x: _permute3(party, x, p, p1, p2, owner))  # type: ignore[misc]
        for x in tables
    ]
    return [await s.result() for s in started]


async def _permute3(party: Party, x: Rows, p: Index | None, p1: Index | None, p2: Index, owner: int) -> Rows:
    """The owner knows u, the others v, u + v = x; the owner and the party before it share a mask s.

    2. The party before sends v[p1] + s to the one after, which has v[p] + s[p2] then; the owner has u[p] - s[p2].
    3. Both reshare.
    """
    after, before = (owner + 1) % 3, (owner + 2) % 3
    me, label = party.index, party.label()
    shape, part = x.shape[1:], None
    if me == before:
        assert p1 is not None
        masked = np.empty(shape, x.dtype)
        permutation.gather(x[1], p1, masked)
        add_mask(party.prss.pair[owner], label, masked)
        party.send(after, label, masked)
    elif me == after:
        masked, part = np.empty(shape, x.dtype), np.empty(shape, x.dtype)
        await party.arrived(party.receive(before, label, masked))
        permutation.gather(masked, p2, part)
    else:
        assert p is not None
        mask, moved, part = np.empty(shape, x.dtype), np.empty(shape, x.dtype), np.empty(shape, x.dtype)
        party.prss.pair[before].fill(label, mask)
        permutation.gather(mask, p2, moved)
        permutation.gather(plus(x[0], x[1]), p, part)
        if x.dtype == np.uint8:
            part ^= moved
        else:
            part -= moved
    return await reshare_rows(party, part, tuple(sorted((owner, after))), shape, x.dtype)


async def _permutek(party: Party, tables: Sequence[Rows], p: Index | None, owner: int) -> list[Rows]:
    n = tables[0].shape[1]
    numbers = public_share(party, np.arange(n, dtype=np.uint64)[:, None])
    *mixed, numbers = await mix(party, [*tables, numbers], draw(party, n))
    shuffled = await reveal(party, numbers[:, :, 0], (owner,))
    label, onward = party.label(), np.empty(n, np.int32)
    if party.index == owner:
        assert p is not None and shuffled is not None
        at = _opened(shuffled)
        if at is None:
            raise FrameInvalid(
                -1, f"what the others opened to party {owner} is no order of {n} rows: one of them sent wrong numbers"
            )
        onward = permutation.compose(permutation.inverse(at), p)
        for j in range(party.m):
            if j != owner:
                party.send(j, label, onward)
    else:
        await party.arrived(party.receive(owner, label, onward))
        _received(onward, owner)
    return [rows_at(table, onward) for table in mixed]


async def _revealed(party: Party, indexes: Words) -> Index:
    """Shuffled indexes, opened."""
    opened = await reveal(party, indexes)
    assert opened is not None
    where = _opened(opened)
    if where is None:
        raise NotAPermutation(
            "these secret indexes are not a permutation of the rows; all parties have now seen them in random order"
        )
    return where


async def take_rows(party: Party, tables: Sequence[Rows], indexes: Words) -> list[Rows]:
    """Every table [x] as [x[p]], by a shared permutation [p], components (k, n), shared afresh.

    Rounds: 5 (m = 3), 2 C(m, t) + 1. Sends: two shuffles, one of them of the indexes, and 1 element a row and receiver.
    Reveals the indexes in random order: nothing, if they are a permutation. Semi-honest, t < m/2.

    1. Shuffle the indexes by a secret s and reveal them: p[s].
    2. Take the rows there: x[p[s]].                                (local)
    3. Undo s.
    """
    by = draw(party, indexes.shape[1])
    (shuffled,) = await mix(party, [indexes[:, :, None]], by)
    where = await _revealed(party, shuffled[:, :, 0])
    return await mix(party, [rows_at(table, where) for table in tables], by.inverse())


async def put_rows(party: Party, tables: Sequence[Rows], indexes: Words) -> list[Rows]:
    """Every table [x] as the [y] with y[p] = x: the inverse of :func:`take_rows`.

    Rounds: 3 (m = 3), C(m, t) + 1. Sends: a shuffle of the rows and the indexes, and 1 element a row and receiver.
    Reveals the indexes in random order: nothing, if they are a permutation. Semi-honest, t < m/2.
    """
    *mixed, shuffled = await mix(party, [*tables, indexes[:, :, None]], draw(party, indexes.shape[1]))
    back = permutation.inverse(await _revealed(party, shuffled[:, :, 0]))
    return [rows_at(table, back) for table in mixed]
