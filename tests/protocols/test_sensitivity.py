"""What is stated as sensitivity is never less than what a person can change, on the grid, value by value."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc import MemoryCluster
from mpc.encoding import encode
from mpc.errors import OutOfRange
from protocols import aggregate
from protocols.aggregate import clip_rows, group_sum, sensitivity_of
from protocols.errors import SensitivityInvalid
from protocols.exact import round_up
from protocols.means import _centre, release_mean
from protocols.mechanisms import DiscreteLaplace
from protocols.release import release
from protocols.sensitivity import Change, Sensitivity, grid_change, grid_sensitivity

BOUNDS = st.tuples(st.floats(-1000, 1000), st.floats(-1000, 1000)).map(sorted)
NUMBERS = st.lists(st.floats(-2000, 2000) | st.sampled_from([-2000.0, 2000.0]), min_size=1, max_size=20)


def steps_of(values: Any, frac: int) -> list[int]:
    """The values as they go into the computation: whole numbers of steps."""
    return [int(w) for w in encode(values, frac)[0].view(np.int64)]


def test_each_value_is_rounded_up_before_rows_are_counted() -> None:
    assert sum(steps_of(np.full(50, 0.13), 2)) == 50  # 0.13 is nearer to a quarter than to zero
    assert grid_sensitivity(sensitivity_of(0, 0.13, rows=50), 2) == 50
    assert grid_sensitivity(50 * Fraction(0.13), 2) == 27  # why a plain number is for one value only


def test_columns_are_rounded_up_one_by_one() -> None:
    columns = sensitivity_of(0, 0.13) + sensitivity_of(-0.3, 0.1, rows=2) + sensitivity_of(0, 4)
    assert grid_sensitivity(columns, 2) == 1 + 2 * 2 + 16
    assert grid_sensitivity(columns, 0) == 1 + 2 * 1 + 4


def test_more_columns_than_figures_may_meet_in_one() -> None:
    """Three columns of two figures: one figure may change by two of them, and 2^2 + 1 is more than 3."""
    columns = sensitivity_of(0, 1) + sensitivity_of(0, 1) + sensitivity_of(0, 1)
    assert grid_change(columns, 0, 3) == Change((1, 1, 1), False)
    assert grid_change(columns, 0, 2) == Change((3,), True)
    assert grid_change(columns, 0, 1) == Change((3,), False)
    assert grid_change(sensitivity_of(0, 1, rows=3), 0, 1) == Change((3,), False)
    assert grid_change(sensitivity_of(0, 1, rows=3), 0, 2) == Change((3,), True)
    assert grid_change(3, 0, 2) == Change((3,), True)


def test_sensitivity_of_bounds_is_exact() -> None:
    assert sensitivity_of(-3, 2) == Sensitivity(((Fraction(3), 1),))
    assert sensitivity_of(0, 0.1).terms == ((Fraction(0.1), 1),)
    assert grid_sensitivity(sensitivity_of(0, 7, rows=3)) == 21
    for bad in ((1, 0, 1), (0, math.inf, 1), (0, 1, 0), (0, 1, 1.5), (0, 1, True), ("0", 1, 1)):
        with pytest.raises(OutOfRange):
            sensitivity_of(bad[0], bad[1], rows=bad[2])  # type: ignore[arg-type]
    with pytest.raises(SensitivityInvalid, match="clip the values"):
        grid_sensitivity(sensitivity_of(0, 0))
    for terms in (((-1, 1),), ((math.nan, 1),), ((1, 0),), ((1, 1.5),)):
        with pytest.raises(SensitivityInvalid):
            Sensitivity(terms)  # type: ignore[arg-type]


@given(st.integers(0, 40), BOUNDS, NUMBERS)
@settings(max_examples=300, deadline=None)
def test_no_rows_of_a_person_change_a_sum_by_more_than_stated(frac: int, bounds: Any, values: Any) -> None:
    low, high = bounds
    if low == high == 0:
        return
    stated = grid_sensitivity(sensitivity_of(low, high, rows=len(values)), frac)
    for dtype in (np.float64, np.float32):
        cut = clip_rows(np.array(values, dtype), low, high)
        worst = clip_rows(np.full(len(values), max(bounds, key=abs)), low, high)
        for rows in (cut, worst):
            assert abs(sum(round(Fraction(float(v)) * (1 << frac)) for v in rows)) <= stated
            if frac:
                assert abs(sum(steps_of(rows, frac))) <= stated


@given(st.integers(0, 40), BOUNDS, NUMBERS)
@settings(max_examples=300, deadline=None)
def test_no_rows_of_a_person_change_a_centred_sum_by_more_than_stated(frac: int, bounds: Any, values: Any) -> None:
    low, high = bounds
    centre, reach = _centre((Fraction(low), Fraction(high)), frac)
    cut = [round(Fraction(float(v)) * (1 << frac)) for v in (*clip_rows(values, low, high), low, high)]
    assert all(abs(v - centre * (1 << frac)) <= reach * (1 << frac) for v in cut)
    assert (reach * (1 << frac)).denominator == 1


def test_a_mean_of_many_rows_a_person() -> None:
    """On halves 1.3 is 1.5, and the middle of 0 and 1.3 is 0.5: a row is up to 2 steps from it, ten are 20."""

    async def program(party: Any) -> Any:
        sums, counts = party.input(np.array([13.0]), 0, frac=1), party.input(np.array([10]), 0)
        return await release_mean(party, sums, counts, DiscreteLaplace(1.0), low=0, high=1.3, rows=10, to=0)

    total, count = MemoryCluster(3).run(program)[0].parts
    assert (total.law.sensitivity, total.sensitivity) == (20, 10.0)
    assert count.sensitivity == 10.0


def test_release_of_sums_of_columns_takes_their_sensitivity_on_the_grid() -> None:
    async def program(party: Any) -> Any:
        groups, values = party.input(np.eye(2, dtype=int), 0), party.input(np.full((2, 2), 0.13), 0, frac=2)
        sums = group_sum(groups, values)
        both = sensitivity_of(0, 0.13, rows=50) + sensitivity_of(0, 0.6, rows=50)
        return await release(party, sums, DiscreteLaplace(1.0), sensitivity=both, to=0)

    answer = MemoryCluster(3).run(program)[0]
    assert (answer.law.sensitivity, answer.sensitivity) == (50 + 150, 50.0)


def test_no_sensitivity_is_offered_for_what_was_divided() -> None:
    """On quarters, 3 rows of 0 to 1: a row may move the mean by 2 steps, however a division rounds, not by 4/3."""

    async def program(party: Any) -> Any:
        sums = [(first, last) for first in (0, 0.25, 0.5) for last in (0, 1)]
        columns = [party.input(np.array([first, 0, last], float), 0, frac=2) for first, last in sums]
        return [await party.reveal(aggregate.mean(c)) for c in columns]

    means = MemoryCluster(3, seed=2).run(program)[0]
    assert max(abs(one - none) for none, one in zip(means[::2], means[1::2], strict=True)) > 1 / 3
    for function in (aggregate.mean, aggregate.group_mean):
        text = str(function.__doc__)
        assert "Not for release" in text and "Sensitivity:" not in text


@pytest.mark.parametrize("exact", [Fraction(1, 3), Fraction(2, 3), Fraction(0), Fraction(1, 1 << 60), Fraction(5)])
def test_rounding_up(exact: Fraction) -> None:
    up = round_up(exact)
    assert Fraction(up) >= exact
    assert Fraction(math.nextafter(up, -1.0)) < exact
