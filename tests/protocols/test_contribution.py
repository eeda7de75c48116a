"""No person counts with more rows than agreed."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mpc import MemoryCluster
from mpc.errors import OutOfRange, ShapeMismatch, WrongType
from protocols.aggregate import pool, sensitivity_of
from protocols.contribution import limit_rows, own_first_rows
from protocols.mechanisms import DiscreteLaplace
from protocols.release import release

PARTIES = (3, 4, 5)


@pytest.mark.parametrize("m", PARTIES)
@pytest.mark.parametrize(("n", "rows"), [(60, 1), (60, 2), (60, 5), (3, 4), (1, 1)])
def test_the_first_rows_of_each_person_count(m: int, n: int, rows: int) -> None:
    rng = np.random.default_rng(n + rows)
    people, present = rng.integers(-5, 5, n), rng.integers(0, 2, n)
    values = rng.integers(0, 1000, n)

    async def program(party: Any) -> Any:
        who, real, value = (party.input(x, 0) for x in (people, present, values))
        ordered, kept, (carried,) = await limit_rows(who, real, rows, [value])
        return await party.reveal(ordered), await party.reveal(kept), await party.reveal(carried)

    ordered, kept, carried = MemoryCluster(m).run(program)[0]
    found = Counter((int(p), int(v)) for p, k, v in zip(ordered, kept, carried, strict=True) if k)
    seen: Counter[int] = Counter()
    wanted: Counter[tuple[int, int]] = Counter()
    for p, real, v in zip(people.tolist(), present, values.tolist(), strict=True):
        if real and seen[p] < rows:
            seen[p] += 1
            wanted[p, v] += 1
    assert found == wanted
    assert np.array_equal(own_first_rows(people[present == 1], rows), _naive(people[present == 1], rows))


def _naive(people: Any, rows: int) -> Any:
    return np.array([np.sum(people[:i] == p) < rows for i, p in enumerate(people)], dtype=bool)


def test_one_person_at_three_owners() -> None:
    """Fillers may have a real person's number: they push nobody out."""
    people = [np.array([0, 7, 7]), np.array([7]), np.array([7, 0])]
    days = [np.array([1, 10, 10]), np.array([10]), np.array([10, 1])]

    async def program(party: Any, mine: Any) -> Any:
        who, what = mine
        ids, stay = [await pool(party, x, [0, 1, 2], capacity=9) for x in (who, what)]
        real = await pool(party, np.ones(len(who), int), [0, 1, 2], capacity=9)
        _, kept, (value,) = await limit_rows(ids, real, 2, [stay])
        figures = kept @ value
        sensitivity = sensitivity_of(0, 10, rows=2)
        answer = await release(party, figures, DiscreteLaplace(128), sensitivity=sensitivity, to=0)
        return answer.values, answer.sensitivity, await party.reveal(kept.sum())

    value, sensitivity, kept = MemoryCluster(3).run(program, list(zip(people, days, strict=True)))[0]
    assert kept == 4  # two rows of person 0, two of five of person 7
    assert abs(value - 22) < 5
    assert sensitivity == 20


def test_owners_know_names_of_any_kind() -> None:
    assert own_first_rows(["ann", "bob", "ann", "ann"], 2).tolist() == [True, True, True, False]
    assert own_first_rows(pd.Series([1, 1, 2]), 1).tolist() == [True, False, True]
    assert own_first_rows([], 1).tolist() == []
    with pytest.raises(WrongType, match="some are missing"):
        own_first_rows([1, None], 1)
    with pytest.raises(OutOfRange):
        own_first_rows([1], 0)


@pytest.mark.parametrize(
    ("people", "present", "rows", "fault"),
    [([1, 2], [1, 1], 0, OutOfRange), ([1, 2], [1, 1, 1], 1, ShapeMismatch), ([[1], [2]], [1, 1], 1, ShapeMismatch)],
)
def test_bad_input(people: Any, present: Any, rows: int, fault: type) -> None:
    async def program(party: Any) -> None:
        await limit_rows(party.input(people, 0), party.input(present, 0), rows)

    with pytest.raises(fault):
        MemoryCluster(3).run(program)
