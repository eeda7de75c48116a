"""What the tests of aggregates on shared rows have in common: columns in, revealed figures out, the same at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from mpc import MemoryCluster
from mpc.secret import Secret

each_m = pytest.mark.parametrize("m", (3, 4, pytest.param(5, marks=pytest.mark.slow)))  # t = 2: twice as long
SIZES = (0, 1, 2, 63, 130)


def on_rows(
    m: int, f: Callable[..., Any], *columns: Any, present: Any = None, frac: Sequence[int | None] | None = None
) -> Any:
    """``await f(*secret columns, present)`` with all secrets in the result revealed, equal at all parties.

    Columns are input by the parties in turn; ``present`` becomes SecretBits, or None.
    """
    fracs = frac or [None] * len(columns)

    async def program(party: Any) -> Any:
        own = [
            await party.input(c, owner=j % party.m, frac=g) for j, (c, g) in enumerate(zip(columns, fracs, strict=True))
        ]
        here = None
        if present is not None:
            here = (await party.input(np.asarray(present, int), owner=party.m - 1)) != 0
        return await _revealed(party, await f(*own, here))

    answers = MemoryCluster(m, seed=m).run(program)
    for other in answers[1:]:
        _same(other, answers[0])
    return answers[0]


async def _revealed(party: Any, result: Any) -> Any:
    if isinstance(result, Secret):
        return await party.reveal(result)
    return [await _revealed(party, r) for r in result]


def _same(a: Any, b: Any) -> None:
    if isinstance(a, list):
        for x, y in zip(a, b, strict=True):
            _same(x, y)
    else:
        np.testing.assert_array_equal(a, b)
