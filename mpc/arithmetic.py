"""Products and sums of products of shared words (k, *shape) over Z_2^64."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from mpc import ring
from mpc.exchange import reshare
from mpc.party import Party

__all__ = ["CHUNK", "bilinear", "matmul", "mul", "outer", "part_of", "row_dots"]

Words = npt.NDArray[np.uint64]

CHUNK = 1 << 16


async def mul(party: Party, x: Words, y: Words) -> Words:
    """[xy] elementwise from [x] and [y] of one shape.

    Araki et al. 2016 (m = 3), Baccarini et al. 2023 (m > 3). Rounds: 1. Sends: m-t-1 elements a multiplier
    (8 bytes a party for m = 3). Leaks nothing. Semi-honest, t < m/2.

    1. Sum the products of components this party is assigned.     (local)
    2. Add its share of zero, send the result to its other holders. (one round)
    """
    shape = x.shape[1:]
    flat_x = x.reshape(x.shape[0], -1)
    flat_y = y.reshape(y.shape[0], -1)
    n = flat_x.shape[1]
    out = np.empty((party.layout.k, n), np.uint64)
    step = _mul3 if party.three else _mulk

    async def piece(lo: int, hi: int) -> None:
        await step(party, flat_x[:, lo:hi], flat_y[:, lo:hi], out[:, lo:hi])

    await party.in_chunks("mul", n, CHUNK if party.three else CHUNK // 4, piece)
    return out.reshape(party.layout.k, *shape)


async def _mul3(party: Party, x: Words, y: Words, out: Words) -> None:
    label = party.label()
    after, before = party.next_party, party.previous_party
    n = out.shape[1]
    mask_after = party.prss.pair[after].words(label, n)
    mask_before = party.prss.pair[before].words(label, n)
    ring.mul3(
        np.ascontiguousarray(x[0]), np.ascontiguousarray(x[1]),
        np.ascontiguousarray(y[0]), np.ascontiguousarray(y[1]),
        mask_after, mask_before, out[0],
    )  # fmt: skip
    party.send(after, label, out[0])
    await party.arrived(party.receive(before, label, out[1]))


async def _mulk(party: Party, x: Words, y: Words, out: Words) -> None:
    layout = party.layout
    part = None
    if party.index in layout.multipliers:
        part = out[0]
        ring.product(x, y, layout.product_table[party.index], part)
    await reshare(party, part, layout.multipliers, (out.shape[1],), into=out)


async def outer(party: Party, x: Words, y: Words) -> Words:
    """[every row of x times every row of y], (k, p, q, n), from x (k, p, n) and y (k, q, n). Costs: as mul."""
    k, p, n = x.shape
    q = y.shape[1]
    if not party.three:
        shape = (k, p, q, n)
        return await mul(party, np.broadcast_to(x[:, :, None], shape).copy(), np.broadcast_to(y[:, None], shape).copy())
    out = np.empty((2, p * q * n), np.uint64)
    label, after, before = party.label(), party.next_party, party.previous_party
    party.prss.pair[after].fill(label, out[0])
    minus = party.prss.pair[before].words(label, out.shape[1])
    x0, x1, y0, y1 = (np.ascontiguousarray(c) for c in (*x, *y))
    ring.outer3(x0, x1, y0, y1, minus, out[0])
    party.send(after, label, out[0])
    await party.arrived(party.receive(before, label, out[1]))
    return out.reshape(2, p, q, n)


async def matmul(party: Party, x: Words, y: Words) -> Words:
    """[x @ y] from x (k, ..., n, l) and y (k, ..., l, p).

    Sums of products are local, so the inner dimension costs nothing to send. Rounds: 1. Sends: m-t-1 elements of the
    *output* a multiplier. Leaks nothing.
    """
    lead = np.broadcast_shapes(x.shape[1:-2], y.shape[1:-2])
    return await bilinear(party, x, y, (*lead, x.shape[-2], y.shape[-1]), ring.matmul)


async def row_dots(party: Party, x: Words, y: Words) -> Words:
    """[sum of x[i, j] y[i, j] over j], (k, n), from x and y (k, n, l).

    Rounds: 1. Sends: m-t-1 elements of the *output* a multiplier. Leaks nothing.
    """

    def dots(a: Words, b: Words) -> Words:
        out = np.zeros(a.shape[0], np.uint64)
        ring.row_dots_into(np.ascontiguousarray(a), np.ascontiguousarray(b), out)
        return out

    return await bilinear(party, x, y, x.shape[1:-1], dots)


async def bilinear(
    party: Party, x: Words, y: Words, shape: tuple[int, ...], product: Callable[[Words, Words], Words]
) -> Words:
    """[product(x, y)], of this shape, for a bilinear function of words. Costs: as row_dots, by the shape."""
    return await reshare(party, part_of(party, x, y, shape, product), party.layout.multipliers, shape)


def part_of(
    party: Party, x: Words, y: Words, shape: tuple[int, ...], product: Callable[[Words, Words], Words] = np.multiply
) -> Words | None:
    """This party's summand of product(x, y), of this shape; None if it is no multiplier. Local.

    It is no share: whoever gets it learns of x and y. A share of zero goes on it first.
    """
    if party.index not in party.layout.multipliers:
        return None
    table = party.layout.product_table[party.index]
    part = np.zeros(shape, np.uint64)
    for a in range(party.layout.k):
        slots = np.flatnonzero(table[a])
        if slots.size:
            right = functools.reduce(np.add, (y[b] for b in slots))
            part += product(x[a], right)
    return part
