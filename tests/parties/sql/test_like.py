"""LIKE over categories, against DuckDB's."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parties.errors import ExpressionUnfit
from parties.sql.like import like

TEXTS = st.text("ab%_.\\A\n", max_size=8)
DUCKDB = duckdb.connect()


@settings(max_examples=300, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=8, unique=True), TEXTS, st.booleans())
def test_it_matches_what_duckdb_matches(values: list[str], pattern: str, ignores_case: bool) -> None:
    op = "ILIKE" if ignores_case else "LIKE"
    told = [v for v in values if DUCKDB.execute(f"SELECT ? {op} ?", [v, pattern]).fetchall()[0][0]]
    assert list(like(values, pattern, None, ignores_case=ignores_case)) == told


def test_an_escape_takes_the_next_sign_as_it_is() -> None:
    values = ("a%b", "axb", "a_b", "a!b")
    assert like(values, "a!%b", "!", ignores_case=False) == ("a%b",)
    assert like(values, "a!_b", "!", ignores_case=False) == ("a_b",)
    assert like(values, "a!!%", "!", ignores_case=False) == ("a!b",)
    for pattern, escape in (("a!", "!"), ("a", "!!"), ("a" * 257, None)):
        with pytest.raises(ExpressionUnfit):
            like(values, pattern, escape, ignores_case=False)
