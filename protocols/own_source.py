"""How many rows each owner brings, told to all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mpc.errors import OutOfRange
from mpc.party import Party
from protocols.source_rows import OwnRows
from protocols.sources import MOST_ROWS, Source

__all__ = ["tell_rows"]


async def tell_rows(
    party: Party, sources: Sequence[Source], own: OwnRows | None, spare: Sequence[int] | None = None
) -> tuple[int, ...]:
    """How many rows, fillers among them, each source has: what it fills up to, or else its owner tells.

    ``spare``: dummies of each source. Rounds: 1, or none if all say ``rows=``. OutOfRange for too many.
    """
    label, told = party.label(), [np.zeros(1, np.int64) for _ in sources]
    receipts = []
    for k, (s, into) in enumerate(zip(sources, told, strict=True)):
        if s.rows is not None:
            into[0] = s.rows + (spare[k] if spare else 0)
        elif s.owner == party.index:
            assert own is not None
            into[0] = len(own.real)
            for j in range(party.m):
                if j != party.index:
                    party.send(j, label, into)
        else:
            receipts.append(party.receive(s.owner, label, into))
    await party.arrived(*receipts)
    for s, n in zip(sources, told, strict=True):
        if not 0 <= n[0] <= MOST_ROWS:
            raise OutOfRange(f"party {s.owner} has too many rows: at most {MOST_ROWS}, fillers included")
    return tuple(int(n[0]) for n in told)
