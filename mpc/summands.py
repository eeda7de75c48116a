"""A shared word as t + 1 summands, each known to one party (the last to all its holders), as XOR-shared planes.

The first step of everything that looks at the bits of a shared number.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mpc import bits
from mpc.boolean import and_
from mpc.exchange import reshare
from mpc.party import Party

__all__ = ["add_down_to_two", "deal_summands", "known_sum"]

Words = npt.NDArray[np.uint64]


def known_sum(party: Party, x: Words, which: int) -> Words | None:
    """Summand ``which`` of [x] (k, n), if this party knows it. Local."""
    dealer, holders = party.layout.summands[which]
    slots = party.layout.slot[party.index]
    if len(holders) == 1:
        slot = slots.get(holders[0])
        return None if slot is None else np.asarray(x[slot])
    if party.index != dealer:
        return None
    total = x[slots[holders[0]]].copy()
    for a in holders[1:]:
        total += x[slots[a]]
    return np.asarray(total)


async def deal_summands(party: Party, x: Words, planes: int, *, drop: int = 0) -> list[Words]:
    """[planes of each summand of x], XOR-shared, (k, planes, W) each, lowest bit first; ``drop`` low bits left out.

    Rounds: 1. Sends: each of t dealers ``planes`` bits to m-t-1 parties; the last summand is free. Leaks nothing.
    """
    n = x.shape[1]
    shape = (planes, bits.plane_words(n))
    dealt = []
    for which, (dealer, holders) in enumerate(party.layout.summands):
        known = known_sum(party, x, which)
        part = None
        if known is not None:
            part = np.empty(shape, np.uint64)
            bits.to_planes(np.ascontiguousarray(known >> np.uint64(drop)), part)
        if len(holders) == 1:
            share = np.zeros((party.layout.k, *shape), np.uint64)
            if part is not None:
                share[party.layout.slot[party.index][holders[0]]] = part
            dealt.append(party.launch("free", lambda share=share: _ready(share)))  # type: ignore[misc]
        else:
            dealt.append(
                party.launch(
                    "deal",
                    lambda part=part, dealer=dealer: reshare(party, part, (dealer,), shape, boolean=True),  # type: ignore[misc]
                )
            )
    return [await d.result() for d in dealt]


async def _ready(share: Words) -> Words:
    return share


async def add_down_to_two(party: Party, numbers: list[Words]) -> tuple[Words, Words]:
    """[u], [v] with u + v = the sum of the numbers, modulo 2^planes.

    Carry-save adders: three numbers become their XOR and their majority, shifted. Rounds: one a level, about
    log_1.5 of the count. A missing second number is zero.
    """
    while len(numbers) > 2:
        count = len(numbers) // 3
        a = np.stack(numbers[0 : 3 * count : 3], axis=1)
        b = np.stack(numbers[1 : 3 * count : 3], axis=1)
        c = np.stack(numbers[2 : 3 * count : 3], axis=1)
        major = await and_(party, a ^ c, b ^ c) ^ c  # not in place: the product's memory may still be on its way out
        carry = np.zeros_like(major)
        carry[:, :, 1:] = major[:, :, :-1]
        total = a ^ b ^ c
        numbers = [total[:, i] for i in range(count)] + [carry[:, i] for i in range(count)] + numbers[3 * count :]
    if len(numbers) == 1:
        return numbers[0], np.zeros_like(numbers[0])
    return numbers[0], numbers[1]
