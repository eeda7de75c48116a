"""Two owners' rows matched by a third party that sees pseudonyms only. For t = 1.

After Mohassel, Rindal, Rosulek: Fast database joins and PSI for secret shared data (CCS 2020), where the tables are
their owners' own, so that a key is tagged by a cipher in the open instead of by a circuit.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mpc import bits, permutation
from mpc.aligning import align, repeat_rows
from mpc.arrays import SecretBits
from mpc.exchange import deal
from mpc.mixing import Rows
from mpc.party import Party
from mpc.permutation import Index
from mpc.permuting import permute_rows
from mpc.shuffle import from_table, to_table
from protocols.dummies import Dummies
from protocols.join_plan import Found, Plan
from protocols.keys import encrypted
from protocols.matching import match
from protocols.source_rows import OwnRows, rows_in

__all__ = ["Side", "by_helper", "match_pair", "repeated"]

Words = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Side:
    """One of the two tables, as everybody knows it.

    Attributes:
        owner: whose.
        rows: how many tags it sends.
        columns: how many columns of values.
        matched: whether the other table's membership is wanted for its rows.
        payload: whether the other table's columns are.
    """

    owner: int
    rows: int
    columns: int
    matched: bool
    payload: bool


async def by_helper(party: Party, plan: Plan, own: OwnRows | None) -> tuple[dict[int, Found], OwnRows | None]:
    """What the plan wants to know of each source with rows in the result, and this owner's rows in their new order.

    All pairs at once. Rounds, bytes, leaks: match_pair for each pair; with ``many`` aligning.repeat_rows in the end. A
    helper that matches a table twice (helpers_of) sees it in two orders, so that it cannot tell how many rows are in
    both matches; what it finds the second time is brought back by permuting.permute_rows.
    """
    sources = plan.sources
    pairs = plan.pairs(sources, plan.how)
    skip = dict.fromkeys(range(len(sources)), 0)
    if plan.dummies is not None:
        for pair in pairs:
            label = party.label()
            for i, j in (pair, pair[::-1]):
                if sources[i].owner == party.index:
                    assert own is not None
                    add_dummies(party, own, sources[j].owner, plan.dummies, skip[i], label)
                skip[i] += plan.dummies.size
    shuffling = party.label()
    if own is not None:
        own = own.shuffled(party, shuffling)

    def side(i: int, j: int) -> Side:
        return Side(
            sources[i].owner, plan.rows[i], len(sources[i].columns), plan.wants_matched(i, j), plan.wants_values(i, j)
        )

    started, seen = [], set[tuple[int, int]]()
    helpers = helpers_of(party.m, [(sources[i].owner, sources[j].owner) for i, j in pairs])
    for (i, j), helper in zip(pairs, helpers, strict=True):
        sides = (side(i, j), side(j, i))
        again = ((helper, i) in seen, (helper, j) in seen)
        seen |= {(helper, i), (helper, j)}
        started.append(party.launch("pair", lambda s=sides, h=helper, a=again: _pair(party, s, own, h, a)))  # type: ignore[misc]
    found = {i: Found({}, {}) for i in plan.targets}
    for (i, j), operation in zip(pairs, started, strict=True):
        for (to, other), (flags, values) in zip(((i, j), (j, i)), await operation.result(), strict=True):
            if flags is not None:
                found[to].matched[other] = flags
            if values is not None:
                found[to].values[other] = values
    if sources[0].many:
        mine = own.source if own is not None and party.index == sources[0].owner else None
        found[0] = await repeated(party, found[0], mine, sources[0].owner, plan.rows[0])
    return found, own


def helpers_of(m: int, pairs: Sequence[tuple[int, int]]) -> list[int]:
    """For each two owners the third party that matches their tables.

    One that has not seen either, if there is one: of two matches of one table it would see more than their numbers.
    Then one without a table.
    """
    owners = {owner for pair in pairs for owner in pair}
    seen: set[tuple[int, int]] = set()
    helpers = []
    for a, b in pairs:
        helper = min(
            (j for j in range(m) if j not in (a, b)),
            key=lambda j: (((j, a) in seen) + ((j, b) in seen), j in owners, (j - b) % m),
        )
        seen |= {(helper, a), (helper, b)}
        helpers.append(helper)
    return helpers


async def _pair(
    party: Party, sides: tuple[Side, Side], own: OwnRows | None, helper: int, again: tuple[bool, bool]
) -> list[tuple[Words | None, Words | None]]:
    """match_pair, with those tables in another order that the helper sees ``again``."""
    ordering, order = party.label(), None
    for side, anew in zip(sides, again, strict=True):
        if anew and side.owner == party.index:
            assert own is not None
            order = permutation.draw(party.prss.private, ordering, side.rows)
            own = replace(own, tags=rows_in(own.tags, order), words=rows_in(own.words, order))
    found = await match_pair(party, sides, own, helper)
    back = None if order is None else permutation.inverse(order)
    for i, (side, anew) in enumerate(zip(sides, again, strict=True)):
        flags, values = found[i]
        if anew and flags is not None:
            mine = back if side.owner == party.index else None
            given = Found({0: flags}, {} if values is None else {0: values})
            moved = await _moved(
                party,
                given,
                side.rows,
                lambda tables, p=mine, to=side.owner: permute_rows(party, tables, p, to),  # type: ignore[misc]
            )
            found[i] = moved.matched[0], moved.values.get(0)
    return found


def add_dummies(party: Party, own: OwnRows, peer: int, dummies: Dummies, skip: int, label: bytes) -> None:
    """Give spare fillers tags that the other owner gives to its own: to as many as both draw. Local.

    Both owners call it under one label, before they shuffle; ``skip`` spare fillers belong to other pairs. It changes
    ``own.tags`` in place.
    """
    words = party.prss.pair[peer].words(label, 2 + 2 * dummies.size)
    count = dummies.draw(int(words[0]) | int(words[1]) << 64)
    own.tags[own.spare[skip : skip + count]] = words[2:].reshape(-1, 2)[:count]


async def repeated(party: Party, found: Found, source: Index | None, owner: int, n: int) -> Found:
    """What was found for distinct keys, for all rows that have them: see aligning.repeat_rows."""
    return await _moved(party, found, n, lambda tables: repeat_rows(party, tables, source, owner))


async def _moved(
    party: Party, found: Found, n: int, move: Callable[[list[Rows]], Coroutine[Any, Any, list[Rows]]]
) -> Found:
    """What was found for n rows, with the rows moved."""
    flags = {j: SecretBits(party, words, (n,)) for j, words in found.matched.items()}
    moved = await move([*(to_table(x) for x in flags.values()), *found.values.values()])
    matched = {j: from_table(x, table).words for (j, x), table in zip(flags.items(), moved, strict=False)}
    return Found(matched, dict(zip(found.values, moved[len(flags) :], strict=True)))


async def match_pair(
    party: Party, sides: tuple[Side, Side], mine: OwnRows | None, helper: int
) -> list[tuple[Words | None, Words | None]]:
    """For both sides: [which rows have a partner], packed, and [its values] (k, rows, columns), or None.

    Args:
        mine: this owner's rows, in an order that only it knows; None elsewhere.

    Rounds: 3. Sends: 16 bytes a row from each owner to the helper, a bit a row from the helper, and aligning.align for
    the values. Leaks to the helper: both numbers of rows, and how many are in both. Against one party.

    1. Both owners derive a cipher key from a stream that the helper does not have; they send every tag encrypted.
    2. The helper matches what is equal, in the open, and deals which rows have a partner.
    3. It brings the values of the partners to the rows: align, where the owner of the rows stands by.
    """
    a, b = sides
    me = party.index
    keying, telling = party.label(), party.label()
    at: tuple[Index | None, Index | None] = (None, None)
    if me in (a.owner, b.owner):
        assert mine is not None
        key = party.prss.pair[b.owner if me == a.owner else a.owner].words(keying, 2)
        party.send(helper, telling, encrypted(mine.tags, key.tobytes()))
    elif me == helper:
        received = [np.empty((side.rows, 2), np.uint64) for side in sides]
        await party.arrived(*(party.receive(s.owner, telling, r) for s, r in zip(sides, received, strict=True)))
        first = match(*received)
        at = (first, _backwards(first, b.rows) if b.matched or b.payload else None)
        del received
    values = None if mine is None else mine.words

    async def side(i: int) -> tuple[Words | None, Words | None]:
        to, other, flags, moved = sides[i], sides[1 - i], None, None
        if to.matched:
            found = at[i]
            packed = None if found is None else bits.pack(found >= 0)
            flags = await deal(party, packed, helper, (bits.plane_words(to.rows),), boolean=True)
        if to.payload and other.columns:
            moved = await align(
                party, values if me == other.owner else None, at[i], owner=other.owner, mapper=helper,
                bystander=to.owner, size=(other.rows, to.rows, other.columns),
            )  # fmt: skip
        return flags, moved

    started = [party.launch("side", lambda i=i: side(i)) for i in (0, 1)]  # type: ignore[misc]
    return [await s.result() for s in started]


def _backwards(at: Index, n: int) -> Index:
    """For each of the n rows of the other side the row that has it, or -1."""
    out = np.full(n, -1, np.int32)
    rows = np.flatnonzero(at >= 0)
    out[at[rows]] = rows
    return out
