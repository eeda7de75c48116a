"""Noise is measured by what a person can change of a sum as it is computed on shares, roundings and all."""

from __future__ import annotations

from fractions import Fraction

import pytest

from mpc.encoding import FRAC
from parties.errors import SqlUnsupported
from tests.parties.sql.query_tables import World, assert_same

JOINED = "FROM bravo.people p JOIN charlie.sales s USING (person)"


@pytest.mark.parametrize(
    "value",
    [
        "(p.rate / 4096) * (s.spent / 65536) * 1000000",  # a product below a step of the grid, and what is made of it
        "(p.rate / 262143.5) * CASE WHEN s.spent >= 0 THEN 1000000 ELSE 0 END",  # half a step, rounded to one
        "(p.rate / 4096) * (s.spent / 65536) * 1000000 + p.income",
    ],
)
def test_a_sum_of_products_changes_by_no_more_than_it_is_charged_for(world: World, value: str) -> None:
    text = f"SELECT SUM({value}) {JOINED}"
    event = world.plan(text, show_matches=True).details.priced.events[0][0]
    ((told,),) = world.exact(text, show_matches=True)["rows"]
    ((people,),) = world.exact(f"SELECT COUNT(*) {JOINED}", show_matches=True)["rows"]
    assert people > 5 and abs(told) <= people * Fraction(event.change.columns[0], 1 << FRAC)


def test_a_product_that_would_not_fit_before_it_is_cut_is_refused(world: World) -> None:
    """Two reals have 32 fractional bits together; a real and an integer no more than the real has."""
    with pytest.raises(SqlUnsupported, match=r"could go beyond 2\^29"):
        world.plan(f"SELECT SUM((p.rate * 100000) * (s.spent * 100000)) {JOINED}", show_matches=True)
    text = f"SELECT SUM((p.rate * 10000) * CASE WHEN s.spent >= 0 THEN 1000000 ELSE 0 END) {JOINED}"
    assert_same(world.exact(text, show_matches=True), world.truth(text), ordered=False, within=100)
    with pytest.raises(SqlUnsupported, match=r"integers beyond 2\^45 beside reals"):
        world.plan(f"SELECT COUNT(*) {JOINED} WHERE p.income * 100000000000000 > s.spent", show_matches=True)


@pytest.mark.parametrize("condition", ["= 'low'", "IN ('low', 'high')", "LIKE '%i%'"])
def test_a_category_that_is_chosen_on_shares_is_compared_there(world: World, condition: str) -> None:
    joined = "FROM charlie.sales s LEFT JOIN bravo.people p USING (person)"
    text = f"SELECT COUNT(*) {joined} WHERE COALESCE(p.level, 'low') {condition}"
    assert_same(world.exact(text, show_matches=True), world.truth(text), ordered=False, within=0)


def test_on_of_a_later_join_leaves_rows_out_that_a_left_join_kept(world: World) -> None:
    text = (
        "SELECT COUNT(*) FROM alfa.stays a LEFT JOIN bravo.people p USING (person) "
        "JOIN charlie.sales s ON s.person = a.person AND p.income > 100"
    )
    assert_same(world.exact(text, show_matches=True), world.truth(text), ordered=False, within=0)
