"""Quantiles by group under noise, of which nothing is opened on the way: a binary search whose steps stay secret.

    places (n,): which point of a public grid each value is rounded up to, 0, 1, ... points - 1.
    found = await search(party, places, present, wanted, steps=12, noised=..., codes=codes, groups=5)

At each step the rows at or below a secret point are counted, by group, and the count gets noise that nobody knows; what
it says against ``wanted`` decides on shares where the search goes on. So the end is made of noised counts and public
numbers alone, and only it need ever be opened: the same counts as order_statistics.noisy_quantile releases one by one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mpc.arrays import SecretArray, SecretBits
from mpc.party import Party
from mpc.relations import where
from protocols.columns import constant
from protocols.group_by import group_by, spread

__all__ = ["search"]


async def search(
    party: Party,
    places: SecretArray,
    present: SecretBits,
    reached: Callable[[SecretArray], SecretBits],
    *,
    points: int,
    noised: Callable[[SecretArray], SecretArray],
    codes: SecretArray | None = None,
    groups: int = 1,
) -> SecretArray:
    """(groups,) the least point at which a noised count says it is reached; the last one if none does.

    Args:
        places: (n,) integers from 0 to points - 1.
        present: (n,) which rows count.
        reached: of noised counts (groups,), whether enough rows are at or below the point.
        points: of the grid, at least 2.
        noised: puts noise on counts (groups,), called once a step: ceil(log2(points)) times. One person changes the
            counts of a step by its rows.
        codes: (n,) group numbers from 0 to groups - 1; None: all rows are one group.

    Rounds: for each step those of a comparison, of totals by group, of the noise and of ``reached``. Leaks nothing.
    """
    found = constant(places[:1] * 0, np.zeros(groups, np.int64), 0)
    for bit in reversed(range((points - 1).bit_length())):
        middle = found + ((1 << bit) - 1)
        limit = middle if codes is None else await spread(codes, middle, present=present)
        below = (places <= limit) & present
        if codes is None:
            counts = below.sum().reshape(1)
        else:
            counts = (await group_by(codes, groups, present=below).totals()).counts
        found = await (found + (~reached(noised(counts))).to_array() * (1 << bit))
    return where(found > points - 1, points - 1, found)
