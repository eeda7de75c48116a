"""The recipe behind most m = 3 protocols: one party deals what it knows, two follow with what they know.

Of x = u + v (or u ^ v) party d knows u, and its followers d+1 and d+2 both know v. Any f(u, v) that is linear in words
D(u) which d can compute takes two rounds:

1. Party d sends D(u), masked, to d+1; the mask is a stream d shares with d+2, who draws it.     (one round)
2. Each follower applies the linear map it knows from v to what it has, and masks the result with a stream it shares
   with d. They exchange: the sum is the component they have in common, the masks are the two others. (one round)

Sends: |D| words from d to d+1, |f| words each way between the followers. Leaks nothing against one party: d+1 sees D(u)
under a stream of d and d+2, and each follower sees the other's piece under a stream of the other and d.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from mpc.party import Party

__all__ = ["deal_and_follow", "dealt", "free", "known"]

Words = npt.NDArray[np.uint64]


def known(party: Party, d: int, x: Words, *, boolean: bool = False) -> Words:
    """u at party d, v at its followers, contiguous, of [x] (2, ...). Local."""
    if party.index == d:
        return np.asarray(x[0] ^ x[1] if boolean else x[0] + x[1])
    return np.ascontiguousarray(x[1 if party.index == (d + 2) % 3 else 0])


async def deal_and_follow(
    party: Party,
    d: int,
    table: Words,
    out: Words,
    deal: Callable[[Words], None],
    follow: Callable[[Words, Words, bool], None],
    *,
    boolean: bool = False,
) -> None:
    """Run the recipe; ``out`` (2, ...), with contiguous components, becomes this party's share of f.

    Args:
        table: memory for the dealt words. Afterwards it holds, in the sense of :func:`dealt`, this party's component.
        deal: at party d. Additive: ``deal(table)`` replaces what the table holds, its mask, by D(u) minus it. Boolean:
            it writes D(u).
        follow: at the followers, ``follow(table, piece, first)``; ``first`` is true at d+1 only, for constants.
            Additive: it replaces what the piece holds by the linear map of the table minus it. Boolean: it writes it.
    """
    me = party.index
    after, before = (d + 1) % 3, (d + 2) % 3
    own, theirs = (party.prss.component[a] for a in party.layout.held[me])
    dealing, swap = party.label(), party.label()
    if me == d:
        if boolean:
            deal(table)
            theirs.xor_into(dealing, table)
        else:
            theirs.fill(dealing, table)
            deal(table)
        party.send(after, dealing, table)
        own.fill(swap, out[0])
        theirs.fill(swap, out[1])
        return
    # a follower's slots: one component is shared with d, the other (v's) with the other follower
    with_d, with_other, stream = (0, 1, own) if me == before else (1, 0, theirs)
    other = after if me == before else before
    mask, piece, arrived = out[with_d], np.empty_like(out[0]), np.empty_like(out[0])
    receipt = party.receive(other, swap, arrived)
    if me == before:
        own.fill(dealing, table)
        stream.fill(swap, mask)
    else:
        from_d = party.receive(d, dealing, table)
        stream.fill(swap, mask)
        await party.arrived(from_d)
    if boolean:
        follow(table, piece, me == after)
        piece ^= mask
    else:
        piece[...] = mask
        follow(table, piece, me == after)
    party.send(other, swap, piece)
    await party.arrived(receipt)
    (np.bitwise_xor if boolean else np.add)(piece, arrived, out=out[with_other])


def dealt(party: Party, d: int, masked: Words, plain: Words | None) -> Words:
    """[D] (2, ...) over bits, from the rows of the table after a boolean :func:`deal_and_follow`.

    ``plain`` is D itself, at party d.
    """
    share = np.zeros((2, *masked.shape), np.uint64)
    share[1 if party.index == (d + 1) % 3 else 0] = masked
    if party.index == d:
        np.bitwise_xor(masked, np.asarray(plain), out=share[1])
    return share


def free(party: Party, d: int, v: Words) -> Words:
    """[v] (2, ...) of what the followers both know: a component by itself. Local."""
    share = np.zeros((2, *v.shape), np.uint64)
    if party.index != d:
        share[1 if party.index == (d + 2) % 3 else 0] = v
    return share
