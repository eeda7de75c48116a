"""Quantiles by a search whose steps stay secret, against counting in the open."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mpc import MemoryCluster
from protocols.sealed_quantile import search


def least(places: Any, wanted: int, points: int) -> int:
    """The least point with so many at or below it; the last one if there is none."""
    return next((p for p in range(points) if (places <= p).sum() >= wanted), points - 1)


@pytest.mark.parametrize(("m", "t"), [(3, 1), (5, 2)])
@pytest.mark.parametrize("points", [2, 7, 64])
def test_the_least_point_with_enough_rows(m: int, t: int, points: int) -> None:
    rng = np.random.default_rng(points)
    places, here, codes = rng.integers(0, points, 30), rng.integers(0, 2, 30), rng.integers(0, 4, 30)
    steps: list[int] = []

    async def program(party: Any) -> Any:
        x, p, g = (party.input(a if party.index == 0 else None, 0, shape=(30,)) for a in (places, here, codes))
        present = await (p != 0)

        def noised(counts: Any) -> Any:
            steps.append(party.index)
            return counts

        found = []
        for wanted in (1, 3, 6, 100):
            one = await search(
                party, x, present, lambda c, w=wanted: c >= w, points=points, noised=noised, codes=g, groups=4
            )
            alone = await search(party, x, present, lambda c, w=wanted: c >= w, points=points, noised=noised)
            found.append([*await party.reveal(one), *await party.reveal(alone)])
        return found

    for answer in MemoryCluster(m, t, seed=3).run(program):
        for wanted, told in zip((1, 3, 6, 100), answer, strict=True):
            groups = [least(places[(codes == c) & (here == 1)], wanted, points) for c in range(4)]
            assert told == [*groups, least(places[here == 1], wanted, points)]
    assert steps.count(0) == 8 * (points - 1).bit_length()  # as many noised counts as are charged
