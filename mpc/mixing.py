"""Permute shared rows by a permutation nobody knows.

The secret permutation is a chain of uniform ones, one for each set of m - t holders, who draw it from their common
key without a message. Any t parties miss the one of the set of all others, so to them the whole chain is uniform.

Rows are components (k, n, columns): uint64 words shared over the ring, or uint8 bytes shared by XOR.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mpc import permutation
from mpc.exchange import reshare
from mpc.party import Party
from mpc.permutation import Index
from mpc.prss import Stream
from mpc.sharing import Holders

__all__ = ["Mixing", "Rows", "add_mask", "draw", "mix", "plus", "reshare_rows"]

Rows = npt.NDArray[Any]

_CHUNK = 1 << 19  # bytes of a message


@dataclass(frozen=True)
class Mixing:
    """A secret permutation: ``steps`` in the order of application, (holders, permutation or None where not known)."""

    steps: tuple[tuple[Holders, Index | None], ...]

    def inverse(self) -> Mixing:
        """The permutation that undoes this one."""
        return Mixing(tuple((a, None if p is None else permutation.inverse(p)) for a, p in reversed(self.steps)))


def draw(party: Party, n: int, lanes: int = 1) -> Mixing:
    """A secret uniform permutation of each of ``lanes`` blocks of n / lanes rows. Rounds: 0. Leaks nothing.

    The order of the steps turns with the label, so that over many shuffles the roles are evenly spread.
    """
    label = party.label()
    components = party.layout.components
    turn = label[0] % len(components)
    steps = []
    for a in (*components[turn:], *components[:turn]):
        stream = party.prss.component.get(a)
        steps.append((a, None if stream is None else permutation.draw(stream, label, n, lanes)))
    return Mixing(tuple(steps))


async def mix(party: Party, tables: Sequence[Rows], by: Mixing) -> list[Rows]:
    """Every table [x] as [x[p]], all by one secret permutation p, shared afresh.

    m = 3: Araki et al. (CCS 2021), section 5.2. Rounds: 2. Sends: 4 elements a row in all (one, two and one).
    m > 3: Laur, Willemson, Zhang (ISC 2011): one pass a step. Rounds: C(m, t). Sends: (t + 1) (m - t - 1) elements a
    row and pass. Leaks nothing, semi-honest, t < m/2.
    """
    started = [
        party.launch("mix", lambda x=x: (_mix3 if party.three else _mixk)(party, x, by))  # type: ignore[misc]
        for x in tables
    ]
    return [await s.result() for s in started]


# -- three parties -------------------------------------------------------------------------


def _known(p: Index | None) -> Index:
    assert p is not None
    return p


def add_mask(stream: Stream, label: bytes, rows: Rows, *, negative: bool = False) -> None:
    """Add a pseudorandom mask to rows, or take it away, in place."""
    if rows.dtype == np.uint8:
        stream.xor_into(label, rows)
    else:
        stream.add_into(label, rows, negative=negative)


def plus(a: Rows, b: Rows, out: Rows | None = None) -> Rows:
    """The sum of two components of one secret."""
    return np.bitwise_xor(a, b, out=out) if a.dtype == np.uint8 else np.add(a, b, out=out)


async def _mix3(party: Party, x: Rows, by: Mixing) -> Rows:
    """Steps p, q, r, known to {1, 2}, {3, 1} and {2, 3}: parties 1, 2, 3 hold A = {3, 1}, B = {1, 2}, C = {2, 3}.

    1. Party 1 sends X = ((A + B)[p] + Z)[q] + Y to 2, party 2 sends C[p] - Z to 3; Z is known to 1 and 2, Y to 3 and 1.
    2. Party 2 has X[r]. Party 3 has ((C[p] - Z)[q] - Y)[r]. The two add up to the result.
    3. The new A, known to 3 and 1, and B, known to 1 and 2, are pseudorandom. Party 2 sends X[r] - B to 3, party 3
       sends its part - A to 2; the sum is the new C.

    Party 1 receives nothing; what 2 and 3 receive is masked by a value they do not know: Y and A, Z and B. The mask of
    the paper's third step, known to just the two parties that go on, would cancel out and is left out.
    """
    (pq, p), (qr, q), (pr, r) = by.steps[0], by.steps[1], by.steps[2]
    one, two, three = ((set(u) & set(v)).pop() for u, v in ((pq, qr), (pq, pr), (qr, pr)))
    me, slot = party.index, party.layout.slot[party.index]
    n, columns = x.shape[1], x.shape[2]
    step = max(1, _CHUNK // max(1, columns * x.itemsize))
    pieces = [slice(lo, min(n, lo + step)) for lo in range(0, n, step)]
    labels = [(party.label(), party.label()) for _ in pieces]
    out = np.empty(x.shape, x.dtype)
    stream = party.prss.component

    def fresh(holders: Holders) -> None:
        for piece, (label, _) in zip(pieces, labels, strict=True):
            stream[holders].fill(label, out[slot[holders], piece])

    if me == one:
        whole, first = plus(x[slot[pq]], x[slot[qr]]), np.empty((n, columns), x.dtype)
        for piece, (_, label) in zip(pieces, labels, strict=True):
            permutation.gather(whole, _known(p)[piece], first[piece])
            add_mask(party.prss.pair[two], label, first[piece])
        for piece, (_, label) in zip(pieces, labels, strict=True):
            part = np.empty_like(first[piece])
            permutation.gather(first, _known(q)[piece], part)
            add_mask(party.prss.pair[three], label, part)
            party.send(two, label, part)
            await asyncio.sleep(0)
        fresh(pq)
        fresh(qr)
        return out

    final = out[slot[pr]]
    arrived, first = np.empty((n, columns), x.dtype), np.empty((n, columns), x.dtype)
    peer, known, mine = (three, pq, r) if me == two else (two, qr, r)
    incoming = [party.receive(peer, label, arrived[i]) for i, (label, _) in zip(pieces, labels, strict=True)]
    earlier: list[Awaitable[int]] = []
    for piece, (_, label) in zip(pieces, labels, strict=True):
        earlier.append(party.receive(one if me == two else two, label, first[piece]))
    if me == two:
        for piece, (_, label) in zip(pieces, labels, strict=True):
            part = np.empty_like(first[piece])
            permutation.gather(x[slot[pr]], _known(p)[piece], part)
            add_mask(party.prss.pair[one], label, part, negative=True)
            party.send(three, label, part)
            await asyncio.sleep(0)
    await party.arrived(*earlier)
    if me == three:
        masked, first = first, np.empty_like(first)
        for piece, (_, label) in zip(pieces, labels, strict=True):
            permutation.gather(masked, _known(q)[piece], first[piece])
            add_mask(party.prss.pair[one], label, first[piece], negative=True)
    fresh(known)
    for piece, (label, _) in zip(pieces, labels, strict=True):
        part = np.empty_like(first[piece])
        permutation.gather(first, _known(mine)[piece], part)
        if x.dtype == np.uint8:
            part ^= out[slot[known], piece]
        else:
            part -= out[slot[known], piece]
        final[piece] = part
        party.send(peer, label, part)
        await asyncio.sleep(0)
    await party.arrived(*incoming)
    plus(final, arrived, out=final)
    return out


# -- any number of parties -----------------------------------------------------------------


async def _mixk(party: Party, x: Rows, by: Mixing) -> Rows:
    """For every step: t + 1 of its holders sum components so that all are counted once, permute, and reshare."""
    rows = x
    for turn, (holders, p) in enumerate(by.steps):
        chosen = tuple(sorted(holders[(turn + j) % len(holders)] for j in range(party.t + 1)))
        part = None
        if party.index in chosen:
            total = _summand(party, rows, chosen)
            part = np.empty_like(total)
            permutation.gather(total, _known(p), part)
        rows = await reshare_rows(party, part, chosen, x.shape[1:], x.dtype)
    return rows


def _summand(party: Party, x: Rows, dealers: tuple[int, ...]) -> Rows:
    """The sum of those components that this one of the dealers is the first to hold."""
    before = set(dealers[: dealers.index(party.index)])
    mine = [s for s, a in enumerate(party.layout.held[party.index]) if not before & set(a)]
    total: Rows = x[mine[0]].copy()
    for s in mine[1:]:
        plus(total, x[s], out=total)
    return total


async def reshare_rows(
    party: Party, part: Rows | None, dealers: tuple[int, ...], shape: tuple[int, ...], dtype: npt.DTypeLike
) -> Rows:
    """exchange.reshare, for bytes too."""
    if dtype != np.uint8:
        return await reshare(party, part, dealers, shape)
    size = shape[0] * shape[1]
    words = None
    if part is not None:
        padded = np.zeros(-(-size // 8) * 8, np.uint8)
        padded[:size] = part.reshape(-1)
        words = padded.view(np.uint64)
    share = await reshare(party, words, dealers, (-(-size // 8),), boolean=True)
    flat = share.view(np.uint8) if share.size else np.empty(share.shape, np.uint8)
    return np.ascontiguousarray(flat[:, :size]).reshape(party.layout.k, *shape)
