"""Exact quotients, against Python's integers."""

from __future__ import annotations

import numpy as np
import pytest

from mpc import MemoryCluster
from mpc.errors import OutOfRange, ShapeMismatch, WrongType
from mpc.long_division import MOST, quotient
from tests.mpc.helpers import EDGES, on_shares, random_values


@pytest.mark.parametrize("m", (3, 4, 5))
@pytest.mark.parametrize("most", [1, 1000, MOST - 1])
def test_quotients_are_pythons(m: int, most: int) -> None:
    r = np.random.default_rng([m, most])
    x = np.concatenate([np.array(EDGES, np.int64), random_values(r, (60,))])
    by = r.integers(1, most + 1, x.size)
    by[:20] = most
    expected = [int(a) // int(b) for a, b in zip(x, by, strict=True)]
    assert on_shares(m, lambda a, b: quotient(a, b, most), x, by).tolist() == expected


@pytest.mark.parametrize("more", [1, 16, 32])
def test_places_after_the_point(more: int) -> None:
    r = np.random.default_rng(more)
    x, by = random_values(r, (50,), bits=60 - more), r.integers(1, 7000, 50)
    expected = [(int(a) << more) // int(b) for a, b in zip(x, by, strict=True)]
    assert on_shares(3, lambda a, b: quotient(a, b, 7000, more), x, by).tolist() == expected
    assert on_shares(3, lambda a, b: quotient(a[:0], b[:0], 7000, more), x, by).shape == (0,)


def test_bad_arguments() -> None:
    async def program(party: object) -> None:
        x = await party.input(np.arange(3), 0)  # type: ignore[attr-defined]
        for most in (0, MOST, 1.0):
            with pytest.raises(OutOfRange, match="divisors"):
                quotient(x, x, most)  # type: ignore[arg-type]
        with pytest.raises(OutOfRange, match="more bits"):
            quotient(x, x, 3, 33)
        with pytest.raises(WrongType):
            quotient(x, np.arange(3), 3)  # type: ignore[arg-type]
        with pytest.raises(ShapeMismatch):
            quotient(x, x[:2], 3)

    MemoryCluster(3, seed=0).run(program)
