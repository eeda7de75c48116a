"""Rows of several owners matched by pseudonyms that all see, after a shuffle that nobody knows. For any t < m/2.

After Laur, Talviste, Willemson: From oblivious AES to efficient and secure database join in the multiparty setting
(ACNS 2013): keys are tagged by AES under a key that is secret, too, so that equal tags show equal keys and nothing
else. Here the rows go back to where they came from, by the inverse of the shuffle, with what they found.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mpc import aes, bits
from mpc.errors import OutOfRange
from mpc.exchange import deal, reveal
from mpc.mixing import Rows, draw, mix
from mpc.party import Party
from mpc.permutation import Index
from protocols.join_helper import repeated
from protocols.join_plan import Found, Plan
from protocols.source_rows import OwnRows

__all__ = ["by_shuffle"]

Words = npt.NDArray[np.uint64]

_MOST_ROWS = (1 << 31) - 1


async def by_shuffle(party: Party, plan: Plan, own: OwnRows | None) -> tuple[dict[int, Found], OwnRows | None]:
    """What the plan wants to know of each source with rows in the result; owners' rows stay in their order.

    Rounds: 42 and two shuffles. Sends: 360 (m - t - 1) bytes a row and multiplier for AES, and two shuffles of the
    values. Leaks to all: for each number, how many keys are in so many of the sources; with two sources how many match.
    Against t parties.

    1. Owners deal their tags; all rows are put under one another, each with a flag for its source.
    2. Shuffle all rows, encrypt the tags, and open them.
    3. Rows with one tag add up their flags and values: each then has those of all its partners.      (local)
    4. Shuffle the rows back.
    """
    sources, total = plan.sources, sum(plan.rows)
    if total > _MOST_ROWS:
        raise OutOfRange(f"{total} rows in all: at most {_MOST_ROWS} for a join")
    starts = np.concatenate([[0], np.cumsum(plan.rows)])
    dealing = [party.launch("tags", lambda i=i: _tags(party, plan, own, i)) for i in range(len(sources))]  # type: ignore[misc]
    tags = np.concatenate([await d.result() for d in dealing], axis=1)
    wanted = [j for j in range(len(sources)) if any(plan.wants_values(i, j) for i in plan.targets)]
    values = {j: await _spread(party, plan, own, j, starts) for j in wanted}

    by = draw(party, total)
    bytes_of_tags = np.ascontiguousarray(tags).view(np.uint8).reshape(party.layout.k, total, 16)
    shuffled, flags, *moved = await mix(party, [bytes_of_tags, _flags(party, plan), *values.values()], by)
    pseudonyms = await _encrypted(party, np.ascontiguousarray(shuffled).view(np.uint64))
    order, starts_of = _groups(pseudonyms)
    joined = [_added(x, order, starts_of) for x in (flags, *moved)]
    flags, *moved = await mix(party, joined, by.inverse())

    found = {}
    for i in plan.targets:
        rows = slice(starts[i], starts[i + 1])
        bits_of = np.unpackbits(flags[:, rows], axis=2, bitorder="little").view(np.bool_)
        matched = {j: _pack(bits_of[:, :, j]) for j in range(len(sources)) if plan.wants_matched(i, j)}
        mine = {
            j: np.ascontiguousarray(x[:, rows]) for j, x in zip(wanted, moved, strict=True) if plan.wants_values(i, j)
        }
        found[i] = Found(matched, mine)
    if sources[0].many:
        source = own.source if own is not None and party.index == sources[0].owner else None
        found[0] = await repeated(party, found[0], source, sources[0].owner, plan.rows[0])
    return found, own


async def _tags(party: Party, plan: Plan, own: OwnRows | None, i: int) -> Words:
    """[the tags of source i], XOR-shared words (k, rows, 2). Rounds: 1."""
    owner = plan.sources[i].owner
    mine = own.tags if own is not None and party.index == owner else None
    return await deal(party, mine, owner, (plan.rows[i], 2), boolean=True)


async def _spread(party: Party, plan: Plan, own: OwnRows | None, j: int, starts: npt.NDArray[np.int64]) -> Words:
    """[the values of source j] in its rows among those of all, zeros in the others. Rounds: 1."""
    source, rows = plan.sources[j], plan.rows[j]
    mine = own.words if own is not None and party.index == source.owner else None
    out = np.zeros((party.layout.k, int(starts[-1]), len(source.columns)), np.uint64)
    out[:, starts[j] : starts[j + 1]] = await deal(party, mine, source.owner, (rows, len(source.columns)))
    return out


def _flags(party: Party, plan: Plan) -> Rows:
    """A sharing of one public bit a source and row: which source the row is of. Local."""
    count = len(plan.sources)
    which = np.repeat(np.arange(count), plan.rows)
    flags = np.packbits(which[:, None] == np.arange(count), axis=1, bitorder="little")
    share = np.zeros((party.layout.k, *flags.shape), np.uint8)
    slot = party.layout.slot[party.index].get(party.layout.components[0])
    if slot is not None:
        share[slot] = flags
    return share


async def _encrypted(party: Party, tags: Words) -> Words:
    """AES of the tags (k, n, 2) under a key nobody knows, opened to all, (n, 2). Rounds: 41.

    Opened as rows: planes have the blocks that fill up the last word as well, AES of zero under that key.
    """
    planes = await aes.encrypt(party, aes.random_key(party), aes.to_planes(tags))
    opened = await reveal(party, aes.to_rows(planes, tags.shape[1]), boolean=True)
    assert opened is not None
    return opened


def _groups(tags: Words) -> tuple[Index, npt.NDArray[np.int64]]:
    """(order, starts): rows by tag, and where in that order a tag begins."""
    order = np.lexsort((tags[:, 1], tags[:, 0]))
    ordered = tags[order]
    new = np.ones(len(tags), np.bool_)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    return order.astype(np.int32), np.flatnonzero(new)


def _added(x: Rows, order: Index, starts: npt.NDArray[np.int64]) -> Rows:
    """In each row the sum over all rows with its tag."""
    if not x.size:
        return x
    plus = np.bitwise_xor if x.dtype == np.uint8 else np.add
    sums = plus.reduceat(x[:, order], starts, axis=1)
    out = np.empty_like(x)
    out[:, order] = np.repeat(sums, np.diff(starts, append=x.shape[1]), axis=1)
    return out


def _pack(flags: npt.NDArray[np.bool_]) -> Words:
    return np.stack([bits.pack(f) for f in flags])
