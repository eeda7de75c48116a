"""The first step of what runs on sources: every owner reads its rows, then tells how many there are."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from mpc.errors import OutOfRange
from mpc.party import Party
from protocols.source_rows import OwnRows, read
from protocols.sources import MOST_ROWS, Source

__all__ = ["read_and_tell"]


async def read_and_tell(
    party: Party, sources: Sequence[Source], mine: Any, spare: Sequence[int]
) -> tuple[OwnRows | None, tuple[int, ...]]:
    """(this owner's rows, or None; how many rows each source has, fillers among them).

    Args:
        mine: as for source_rows.read, at the owners.
        spare: fillers of each source beyond its rows, public.

    The salt of the digests is a label of this run: all owners have it, and no other run. Rounds: 1, or none if all
    sources say ``rows=``. Leaks: to all the numbers of rows that no source says. Raises what source_rows.read raises,
    at its owner, before it sends; OutOfRange for too many rows.
    """
    salt = hashlib.blake2b(b"accord keys" + party.label(), digest_size=16).digest()
    filling, telling = party.label(), party.label()
    own = None
    for s, extra in zip(sources, spare, strict=True):
        if s.owner == party.index:
            own = read(s, mine, salt, extra, functools.partial(party.prss.private.words, filling))
    told = [np.zeros(1, np.int64) for _ in sources]
    receipts = []
    for s, extra, into in zip(sources, spare, told, strict=True):
        if s.rows is not None:
            into[0] = s.rows + extra
        elif s.owner == party.index:
            assert own is not None
            into[0] = len(own.real)
            for j in range(party.m):
                if j != party.index:
                    party.send(j, telling, into)
        else:
            receipts.append(party.receive(s.owner, telling, into))
    await party.arrived(*receipts)
    for s, n in zip(sources, told, strict=True):
        if not 0 <= n[0] <= MOST_ROWS:
            raise OutOfRange(f"party {s.owner} has too many rows: at most {MOST_ROWS}, fillers included")
    return own, tuple(int(n[0]) for n in told)
