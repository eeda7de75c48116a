"""A table of a member that does not compute: dealt to those that do, in components, as streams of bytes.

A word is the sum of C(m, t) components (mpc/sharing.py). All but one of them are 32-byte seeds that AES-CTR makes words
of; the last one, the *explicit* component, makes up the rest and travels as it is. So a table of w words costs its
dealer 8 w bytes to each of the m-t holders of that component, and some hundred bytes to everybody else.

A part is what one compute member gets: frames of a length, a kind and a content:

    header: JSON: format, context, m, t, party, columns, rows, and the seed of each component it holds
    chunk:  (columns, some rows) words, little-endian, column after column; explicit holders only
    end:    nothing

A dealer could give two holders of one component different ones, and then the parties would compute on no table at all,
in a way that may depend on others' secrets. So before a table is used the holders of each component compare digests of
it, and any difference ends the run as DealtDiffer (load_dealt). What a table says is its owner's business, as with any
input; that it is *one* table, the same for all, is made sure of.
"""

from __future__ import annotations

import secrets
import struct
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from mpc.party import Party
from mpc.prss import Stream
from mpc.sharing import Holders, Layout
from parties.errors import DealtDiffer, DealtInvalid
from parties.kinds.dealt_part import Part, chunk_frame, chunk_rows, component_digest, end_frame, header_frame, read_part

__all__ = ["deal_table", "load_dealt"]

Words = npt.NDArray[np.uint64]


def deal_table(
    m: int, t: int, context: bytes, columns: int, rows: int, pieces: Iterable[Words]
) -> Iterator[tuple[int, bytes]]:
    """(party, bytes to send on to it), in an order in which each party's bytes are its part.

    Args:
        m, t: of the compute members.
        context: what the table is for, at most 64 bytes: the job's digest and the place of the table in it. A part is
            of no use for another job.
        columns, rows: public size; what ``pieces`` do not fill are zeros.
        pieces: words (columns, some rows), one under another. Read as they are needed.

    Memory: a few chunks of 1 MiB. Seeds come from the operating system. Raises DealtInvalid for more rows than
    there is room for, or other columns: at the end of what was sent, so that no receiver has a whole part.
    """
    layout = Layout(m, t)
    explicit, *others = layout.components
    seeds = {a: secrets.token_bytes(32) for a in others}
    streams = [Stream(seed, "of a table") for seed in seeds.values()]
    for j in range(m):
        held = {a: seeds[a] for a in layout.held[j] if a != explicit}
        yield j, header_frame(context, m, t, j, columns, rows, held)
    for number, chunk in enumerate(_chunks(pieces, columns, rows)):
        rest = chunk.copy()
        for stream in streams:
            rest -= stream.words(_label(number), rest.size).reshape(rest.shape)
        frame = chunk_frame(rest)
        for j in explicit:
            yield j, frame
    for j in range(m):
        yield j, end_frame()


def _chunks(pieces: Iterable[Words], columns: int, rows: int) -> Iterator[Words]:
    """The same words in chunks, zeros behind them."""
    room, at, left = _empty(columns, rows), 0, rows
    for piece in pieces:
        if piece.ndim != 2 or piece.shape[0] != columns or piece.dtype != np.uint64:
            raise DealtInvalid(f"a table to be dealt has {columns} columns of words, a piece of it has others")
        taken = 0
        while taken < piece.shape[1]:
            if not left:
                raise DealtInvalid("a table to be dealt has more rows than its public capacity")
            n = min(room.shape[1] - at, piece.shape[1] - taken)
            room[:, at : at + n] = piece[:, taken : taken + n]
            at, taken = at + n, taken + n
            if at == room.shape[1]:
                yield room
                left -= at
                room, at = _empty(columns, left), 0
    while left:
        yield room
        left -= room.shape[1]
        room = _empty(columns, left)


def _empty(columns: int, rows: int) -> Words:
    return np.zeros((columns, min(rows, chunk_rows(columns))), np.uint64)


def _label(chunk: int) -> bytes:
    return struct.pack("<4xQ", chunk)


async def load_dealt(party: Party, pieces: Iterable[bytes] | None, context: bytes, size: tuple[int, int]) -> Words:
    """The table's components (k, columns, rows), from this party's part. Every party calls it.

    Args:
        pieces: the bytes of the part, in any pieces.
        context, size: as agreed: (columns, rows).

    Rounds: 1. Sends: 32 bytes a component to each of its other holders. Leaks: nothing; that a dealer gave holders
    different components, to these. Raises DealtInvalid where this party's part is damaged, of another job or size, or
    is not here; DealtDiffer.

    1. Read the part.                                                                        (local)
    2. Tell the other holders the digest of each component, and compare.                     (1 round)
    3. Make words of the seeds.                                                              (local)
    """
    layout, me = party.layout, party.index
    if pieces is None:
        raise DealtInvalid("a table that its owner deals: no part of it is here")
    part = read_part(pieces, context, layout, me, size)
    await _compare(party, context, part)
    return _expanded(part, layout, me, size)


async def _compare(party: Party, context: bytes, part: Part) -> None:
    layout, me = party.layout, party.index
    label = party.label()
    own = {a: _as_words(component_digest(context, a, part)) for a in layout.held[me]}
    common: dict[int, list[Holders]] = {  # in one order at both ends
        j: [a for a in layout.components if me in a and j in a] for j in range(party.m) if j != me
    }
    theirs = {j: np.empty(4 * len(components), np.uint64) for j, components in common.items() if components}
    for j in theirs:
        party.send(j, label, np.concatenate([own[a] for a in common[j]]))
    await party.arrived(*(party.receive(j, label, into) for j, into in theirs.items()))
    for j, digests in theirs.items():
        for a, digest in zip(common[j], digests.reshape(-1, 4), strict=True):
            if not np.array_equal(digest, own[a]):
                raise DealtDiffer(
                    f"parties {me} and {j} got different components {a} of one table: its owner dealt it wrongly, or "
                    "one of the two changed its part; nothing was computed on it. Let the owner deal it again"
                )


def _as_words(digest: bytes) -> Words:
    return np.frombuffer(digest, np.uint64)


def _expanded(part: Part, layout: Layout, me: int, size: tuple[int, int]) -> Words:
    columns, rows = size
    each = chunk_rows(columns)
    share = np.empty((layout.k, columns, rows), np.uint64)
    for slot, a in enumerate(layout.held[me]):
        if a == layout.components[0]:
            assert part.explicit is not None
            share[slot] = part.explicit
            continue
        stream = Stream(part.seeds[a], "of a table")
        for number, low in enumerate(range(0, rows, each)):
            n = min(each, rows - low)
            share[slot, :, low : low + n] = stream.words(_label(number), columns * n).reshape(columns, n)
    return share
