"""Whether a job fails says nothing of a row: what an engine computes of one is total, whatever a text makes of it.

A job that fails tells everybody, without noise and at no epsilon. So no text may make an engine fail at some rows.
"""

from __future__ import annotations

import pytest

from parties.errors import SqlUnsupported
from tests.parties.sql.query_tables import World, read_all

SOMEBODY = "minutes >= 0"


def exactly(number: str) -> str:
    """What is always this number by its bounds, and no constant to an engine."""
    return f"LEAST(GREATEST(price, {number}), {number})"


BEYOND = f"({exactly('0.1')} + {exactly('0.2')} + {exactly('0.3')} - {exactly('0.6')})"  # 4 times what it is exactly
BIG = "4000000000000000000"


@pytest.mark.parametrize(
    "value",
    [
        f"CASE WHEN {SOMEBODY} THEN 2000000000 ELSE 0 END * CASE WHEN {SOMEBODY} THEN 2 ELSE 0 END",
        "minutes * 1.12345678901 * 1.12345678901 * 1.12345678901 * 1000000",
        "minutes * 0.123456789012345678 * 0.123456789012345678 * 0.123456789012345678",
        f"CASE WHEN FLOOR({BEYOND} * 400000000000000000 * 40000000000000000) >= 0 THEN 1 ELSE 2 END",
        f"CASE WHEN FLOOR({BEYOND} * 400000000000000000 * 400000000000000000) >= 0 THEN 1 ELSE 2 END",
        f"CASE WHEN FLOOR(1 / ({exactly(BIG)} + 100.0 - {exactly(BIG)})) >= 0 THEN 1 ELSE 2 END",
    ],
)
def test_an_expression_that_has_a_plan_is_computed_of_any_row(world: World, value: str) -> None:
    for where in (SOMEBODY, "minutes = 119"):  # of some rows; of none
        try:
            plan = world.plan(f"SELECT SUM(CASE WHEN {where} THEN {value} ELSE 0 END) FROM alfa.visits")
        except SqlUnsupported:
            continue
        read_all(plan)


@pytest.mark.parametrize("what", ["SUM", "AVG"])
def test_the_bounds_of_a_person_s_totals_hold_what_adding_them_up_rounds(world: World, what: str) -> None:
    """0.1 added three times is more than 0.3, and a third of that more than 0.1."""
    total = f"{what}({exactly('0.1')})"
    found = world.plan(f"SELECT SUM(one) FROM (SELECT person, {total} AS one FROM alfa.visits GROUP BY person) t")
    kind = found.asks[0].query.outputs[0].type
    high = 4 * 0.1 if what == "SUM" else 0.10000000000000002
    assert kind.high is not None and kind.high > high
