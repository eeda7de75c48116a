"""Filters: what they may compare, and that whatever JSON says becomes a filter or FilterInvalid."""

from __future__ import annotations

import contextlib
import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parties.data.row_filter import AllOf, AnyOf, Compare, Filter, Not, check_filter, columns_of, read_filter
from parties.errors import FilterInvalid
from tests.parties.tabular import FILTERS, table

TABLE = table("a.csv")


def _json(where: Filter) -> Any:
    if isinstance(where, Compare):
        value = where.value.isoformat() if isinstance(where.value, datetime.date) else where.value
        return {"column": where.column, "is": where.op, "value": value}
    if isinstance(where, Not):
        return {"not": _json(where.part)}
    return {"all" if isinstance(where, AllOf) else "any": [_json(part) for part in where.parts]}


@pytest.mark.parametrize("where", FILTERS[::3] + FILTERS[-1:], ids=repr)
def test_good_ones_pass_and_come_back_from_json(where: Filter) -> None:
    check_filter(where, TABLE)
    back = read_filter(_json(where))
    check_filter(back, TABLE)
    assert _json(back) == _json(where)
    assert columns_of(back) == columns_of(where)


@pytest.mark.parametrize(
    ("column", "op", "value", "said"),
    [
        ("height", "==", 1, "no such column"),
        ("id", "==", "p01", "single out a person"),
        ("age", "=", 1, "none of"),
        ("age", ">", 101, "within the published bounds"),
        ("age", ">", -1, "within the published bounds"),
        ("age", ">", 1.5, "of kind integer"),
        ("age", ">", True, "of kind integer"),
        ("age", ">", "1", "of kind integer"),
        ("cost", ">", float("nan"), "of kind real"),
        ("cost", ">", 10**400, "of kind real"),
        ("cost", ">", 51, "within the published bounds"),
        ("seen", ">", "2020-13-01", "of kind date"),
        ("seen", ">", "2019-01-01", "within the published bounds"),
        ("seen", ">", datetime.datetime(2020, 3, 1), "of kind date"),
        ("dead", "==", 1, "of kind boolean"),
        ("dead", "<", True, "no order"),
        ("ward", "<", "a", "no order"),
        ("ward", "==", "c", "none of the published categories"),
        ("ward", "==", 1, "none of the published categories"),
    ],
)
def test_comparisons_that_mean_nothing(column: str, op: str, value: Any, said: str) -> None:
    with pytest.raises(FilterInvalid, match=f"patients.*{said}"):
        check_filter(Not(Compare(column, op, value)), TABLE)


def test_filters_are_bounded() -> None:
    one = Compare("age", ">", 18)
    deep: Filter = one
    for _ in range(16):
        deep = Not(deep)
    check_filter(deep, TABLE)
    for bad in (Not(deep), AllOf(()), AnyOf((AllOf(()),)), AllOf((one,) * 600)):
        with pytest.raises(FilterInvalid):
            check_filter(bad, TABLE)
    hostile: Any = _json(one)
    for _ in range(100_000):
        hostile = {"not": hostile}
    with pytest.raises(FilterInvalid):
        read_filter(hostile)
    check_filter(None, TABLE)


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["column", "is", "value", "all", "any", "not", "x"]), inner, max_size=3),
        st.fixed_dictionaries({"column": inner, "is": st.sampled_from(["==", "<", "~"]), "value": inner}),
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(said=json_values)
def test_whatever_json_says(said: Any) -> None:
    with contextlib.suppress(FilterInvalid):
        check_filter(read_filter(said), TABLE)
