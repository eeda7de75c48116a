"""Everything that sends: deal, reshare, refresh, reveal. Arrays of components, shape (k, *shape), uint64.

``boolean=True`` reads every + and - as XOR.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mpc.party import Party
from mpc.sharing import Holders

__all__ = ["deal", "public_share", "random_share", "refresh", "reshare", "reveal", "zero_share"]

Words = npt.NDArray[np.uint64]


def public_share(party: Party, value: Words) -> Words:
    """A sharing of a value everybody knows: it is the component of parties 0..m-t-1, the others are zero. Local."""
    share = np.zeros((party.layout.k, *value.shape), np.uint64)
    slot = party.layout.slot[party.index].get(party.layout.components[0])
    if slot is not None:
        share[slot] = value
    return share


def random_share(party: Party, shape: tuple[int, ...]) -> Words:
    """A sharing of uniform words nobody knows. Cramer et al. 2005. Rounds: 0. Leaks nothing."""
    label = party.label()
    share = np.empty((party.layout.k, math.prod(shape)), np.uint64)
    for slot, holders in enumerate(party.layout.held[party.index]):
        party.prss.component[holders].fill(label, share[slot])
    return share.reshape(party.layout.k, *shape)


def zero_share(party: Party, among: Sequence[int], label: bytes, into: Words, *, boolean: bool = False) -> None:
    """Add this party's part of a random sum of zero over the parties ``among``. Rounds: 0.

    Every two of them share a stream, which one adds and the other subtracts.
    """
    for j in among:
        if j == party.index:
            continue
        if boolean:
            party.prss.pair[j].xor_into(label, into)
        else:
            party.prss.pair[j].add_into(label, into, negative=party.index > j)


async def reshare(
    party: Party,
    part: Words | None,
    dealers: Sequence[int],
    shape: tuple[int, ...],
    *,
    boolean: bool = False,
    into: Words | None = None,
) -> Words:
    """[x] where x is the sum of a part known to each dealer.

    Generalises the resharing of Araki et al. 2016 (m = 3, three dealers) and of Baccarini, Blanton, Yuan (PoPETs
    2023), and dealing an input (one dealer). Rounds: 1. Sends: m-t-1 elements a dealer. Leaks nothing, t < m/2.

    1. Each dealer subtracts the pseudorandom components it stands for, and adds its share of zero.
    2. It sends the rest to the other holders of its target component.

    ``part`` is overwritten. ``into`` is memory for the result, (k, *shape) with contiguous components; with it
    a dealer's part must be ``into[0]`` itself, the slot of its target.
    """
    layout = party.layout
    plan = layout.reshare_plan(tuple(dealers))
    label = party.label()
    me = party.index
    share = np.empty((layout.k, math.prod(shape)), np.uint64) if into is None else into.reshape(layout.k, -1)
    held = layout.held[me]
    for slot, holders in enumerate(held):
        if holders in plan.random:
            party.prss.component[holders].fill(label, share[slot])
    if me in plan.dealers:
        assert part is not None
        part = part.reshape(-1)
        zero_share(party, plan.dealers, label, part, boolean=boolean)
        for holders, owner in plan.random.items():
            if owner == me:
                slot = layout.slot[me][holders]
                if boolean:
                    part ^= share[slot]
                else:
                    part -= share[slot]
        for j in layout.target[me]:
            if j != me:
                party.send(j, label, part)
    receipts = []
    for slot, holders in enumerate(held):
        source = plan.source.get(holders)
        if source is None:
            if holders not in plan.random:
                share[slot] = 0
        elif source == me:
            if into is None and part is not None:
                share[slot] = part
        else:
            receipts.append(party.receive(source, label, share[slot]))
    await party.arrived(*receipts)
    return share.reshape(layout.k, *shape)


async def deal(
    party: Party, value: Words | None, dealer: int, shape: tuple[int, ...], *, boolean: bool = False
) -> Words:
    """[x] of a value one party knows. Rounds: 1. Sends: m-t-1 elements. Leaks nothing."""
    part = None if value is None else np.array(value, dtype=np.uint64, copy=True).reshape(shape)
    return await reshare(party, part, (dealer,), shape, boolean=boolean)


async def refresh(party: Party, share: Words, *, boolean: bool = False) -> Words:
    """[x] again, in components that are uniform but for their sum: who sees all of them learns x and nothing else.

    What an array was computed from can be seen in its components (one that was shifted has even ones); in these it
    cannot. Rounds: 1. Sends: t + 1 dealers m-t-1 elements each. Leaks nothing.
    """
    layout, me = party.layout, party.index
    plus = np.bitwise_xor if boolean else np.add
    part = None
    for dealer, holders in layout.summands:
        if dealer == me:
            part = functools.reduce(plus, (share[layout.slot[me][a]] for a in holders)).copy()
    return await reshare(party, part, [dealer for dealer, _ in layout.summands], share.shape[1:], boolean=boolean)


async def reveal(
    party: Party, share: Words, receivers: Sequence[int] | None = None, *, boolean: bool = False
) -> Words | None:
    """x from [x], at the receivers (None: all); None elsewhere.

    Rounds: 1. Sends: t elements to each receiver, each the sum of components it misses. Leaks x to the receivers.
    """
    layout = party.layout
    shape, share = share.shape[1:], share.reshape(layout.k, -1)
    label = party.label()
    me = party.index
    plus = np.bitwise_xor if boolean else np.add
    receivers = range(party.m) if receivers is None else receivers
    for r in receivers:
        mine: tuple[Holders, ...] = layout.reveal_plan[r].get(me, ()) if r != me else ()
        if mine:
            slots = layout.slot[me]
            piece = functools.reduce(plus, (share[slots[a]] for a in mine))
            party.send(r, label, np.ascontiguousarray(piece))
    if me not in receivers:
        return None
    total: Words = functools.reduce(plus, share)
    inbox = [np.empty(share.shape[1], np.uint64) for _ in layout.reveal_plan[me]]
    await party.arrived(*(party.receive(s, label, b) for s, b in zip(layout.reveal_plan[me], inbox, strict=True)))
    for piece in inbox:
        total = plus(total, piece)
    return total.reshape(shape)
