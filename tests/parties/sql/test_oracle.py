"""Answers without noise are DuckDB's on the pooled data: read from files as owners are asked, computed on shares."""

from __future__ import annotations

import pytest

from tests.parties.sql.queries import HAND, drawn, drawn_of_people
from tests.parties.sql.query_tables import World, assert_same

DRAWN = range(80)
MORE = (*range(80, 130), *range(1000, 1300))


def check(world: World, text: str, m: int = 3) -> None:
    more: dict[str, object] = {"minimum": 1} if grouped(text) else {}
    if " JOIN " in text:
        more["show_matches"] = True
    answer = world.exact(text, m, **more)
    assert_same(answer, world.truth(text), ordered="ORDER BY" in text, within=0.03)


def grouped(text: str) -> bool:
    """Whether the outermost SELECT has groups, of which DuckDB shows those that are there."""
    depth = 0
    for i, sign in enumerate(text):
        depth += (sign == "(") - (sign == ")")
        if not depth and text.startswith("GROUP BY", i):
            return True
    return False


@pytest.mark.parametrize("text", HAND)
def test_by_hand(world: World, text: str) -> None:
    check(world, text)


@pytest.mark.parametrize("seed", DRAWN)
def test_drawn(world: World, seed: int) -> None:
    check(world, drawn(seed))


@pytest.mark.parametrize("seed", range(24))
def test_drawn_of_people(world: World, seed: int) -> None:
    check(world, drawn_of_people(seed))


@pytest.mark.slow
@pytest.mark.parametrize("seed", MORE)
def test_more_drawn(world: World, seed: int) -> None:
    check(world, drawn(seed))


@pytest.mark.slow
@pytest.mark.parametrize("seed", (*range(24, 40), *range(1000, 1150)))
def test_more_drawn_of_people(world: World, seed: int) -> None:
    check(world, drawn_of_people(seed))


@pytest.mark.parametrize("text", [HAND[2], HAND[7], HAND[9], HAND[11], HAND[12], HAND[13], drawn(3)])
def test_five_members(world: World, text: str) -> None:
    check(world, text, 5)


def test_a_median_is_the_least_point_with_half_the_rows_at_or_below_it(world: World) -> None:
    (row,) = world.exact("SELECT MEDIAN(age), MEDIAN(cost), QUANTILE_CONT(cost, 0.9) FROM stays")["rows"]
    (told,) = world.truth(
        "SELECT QUANTILE_DISC(age, 0.5), QUANTILE_DISC(cost, 0.5), QUANTILE_DISC(cost, 0.9) FROM stays"
    )
    assert row[0] == told[0] and row[1:] == pytest.approx(told[1:], abs=0.03)
