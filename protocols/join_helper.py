"""Two owners' rows matched by a third party that sees pseudonyms only. For t = 1.

After Mohassel, Rindal, Rosulek: Fast database joins and PSI for secret shared data (CCS 2020), where the tables are
their owners' own, so that a key is tagged by a cipher in the open instead of by a circuit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from mpc import bits
from mpc.aligning import align, repeat_rows
from mpc.arrays import SecretBits
from mpc.exchange import deal
from mpc.party import Party
from mpc.permutation import Index
from mpc.shuffle import from_table, to_table
from protocols.dummies import Dummies
from protocols.join_plan import Found, Plan
from protocols.matching import match
from protocols.sources import OwnRows

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

    All pairs at once. Rounds, bytes, leaks: match_pair for each pair; with ``many`` aligning.repeat_rows in the end.
    """
    sources = plan.sources
    owners = {s.owner for s in sources}
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

    started = []
    for i, j in pairs:
        helper = helper_of(party, sources[i].owner, sources[j].owner, owners)
        sides = (side(i, j), side(j, i))
        started.append(party.launch("pair", lambda s=sides, h=helper: match_pair(party, s, own, h)))  # type: ignore[misc]
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


def helper_of(party: Party, a: int, b: int, owners: set[int]) -> int:
    """The third party that matches the tables of a and b: one without a table, if there is one."""
    return min((j for j in range(party.m) if j not in (a, b)), key=lambda j: (j in owners, (j - a) % party.m))


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
    flags = {j: SecretBits(party, words, (n,)) for j, words in found.matched.items()}
    tables = [*(to_table(x) for x in flags.values()), *found.values.values()]
    moved = await repeat_rows(party, tables, source, owner)
    matched = {j: from_table(x, table).words for (j, x), table in zip(flags.items(), moved, strict=False)}
    return Found(matched, dict(zip(found.values, moved[len(flags) :], strict=True)))


async def match_pair(
    party: Party, sides: tuple[Side, Side], mine: OwnRows | None, helper: int
) -> list[tuple[Words | None, Words | None]]:
    """For both sides: [which rows have a partner], packed, and [its values] (k, rows, columns), or None.

    Args:
        mine: this owner's rows, in an order that only it knows; None elsewhere.

    Rounds: 4. Sends: 16 bytes a row from each owner to the helper, a bit a row from the helper, and aligning.align for
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
        party.send(helper, telling, _encrypted(key, mine.tags))
    elif me == helper:
        received = [np.empty((side.rows, 2), np.uint64) for side in sides]
        await party.arrived(*(party.receive(s.owner, telling, r) for s, r in zip(sides, received, strict=True)))
        first = match(*received)
        at = (first, _backwards(first, b.rows))
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


def _encrypted(key: Words, tags: Words) -> Words:
    """AES-128 of each tag. Tags are different, so the electronic code book shows nothing but that."""
    out = np.empty((len(tags) + 1, 2), np.uint64)  # cryptography wants room for a block more
    cipher: Any = Cipher(algorithms.AES(key.tobytes()), modes.ECB()).encryptor()
    cipher.update_into(np.ascontiguousarray(tags).view(np.uint8).reshape(-1), out.view(np.uint8).reshape(-1))
    return out[:-1]


def _backwards(at: Index, n: int) -> Index:
    """For each of the n rows of the other side the row that has it, or -1."""
    out = np.full(n, -1, np.int32)
    rows = np.flatnonzero(at >= 0)
    out[at[rows]] = rows
    return out
