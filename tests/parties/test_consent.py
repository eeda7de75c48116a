"""Consent: every clause denies by its own name, and a request that asks for no more than is published passes."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parties.consent import Request, TableUse, check_consent
from parties.errors import BoundsMissing, EpsilonTooLarge, FilterInvalid, NotPublished, ReceiverDenied, UseDenied
from parties.published import KINDS, USES, PublishedColumn
from parties.row_filter import Compare
from protocols.errors import EpsilonInvalid
from tests.parties.tabular import COLUMNS, table

UNBOUNDED = PublishedColumn("weight", "integer", frozenset({"filter"}))
TABLE = table("a.csv", columns={**COLUMNS, "weight": UNBOUNDED}, results_to=frozenset({"alfa", "beta"}))
PUBLISHED = {"patients": TABLE, "empty": dataclasses.replace(TABLE, name="empty", counts=False)}
GOOD = TableUse("patients", {"age": frozenset({"sum", "train"}), "id": frozenset({"join"})}, counts=True)
_NAMES = st.sampled_from(sorted(COLUMNS))


def _ask(use: TableUse, epsilon: float = 1.0, receivers: frozenset[str] = frozenset({"alfa"})) -> None:
    check_consent(Request((use,), epsilon, receivers), PUBLISHED)


def test_what_is_published_is_allowed() -> None:
    _ask(GOOD)
    _ask(dataclasses.replace(GOOD, where=Compare("age", ">=", 18)), 2.0, frozenset({"alfa", "beta"}))
    _ask(TableUse("patients", counts=True))
    _ask(TableUse("patients", counts=True, where=Compare("weight", ">", 200)))
    open_to_all = {"patients": dataclasses.replace(TABLE, results_to=None)}
    check_consent(Request((GOOD,), 1.0, frozenset({"gamma"})), open_to_all)


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"table": "visits"}, NotPublished, "table 'visits'"),
        ({"uses": {"height": frozenset({"sum"})}}, NotPublished, "patients, column 'height'"),
        ({"uses": {"age": frozenset({"steal"})}}, UseDenied, "no use 'steal'"),
        ({"uses": {"age": frozenset({"group"})}}, UseDenied, "age, kind"),
        ({"uses": {"id": frozenset({"filter"})}}, UseDenied, "id, kind"),
        ({"uses": {"age": frozenset()}}, UseDenied, "no use of it"),
        ({"uses": {"count": frozenset({"train"})}}, UseDenied, "count, uses"),
        ({"uses": {"weight": frozenset({"sum"})}}, BoundsMissing, "weight, low and high"),
        ({"uses": {}, "counts": False}, UseDenied, "no use of it"),
        ({"table": "empty"}, UseDenied, "empty, uses"),
        ({"where": Compare("ward", "==", "a")}, UseDenied, "ward, uses"),
        ({"where": Compare("height", "==", 1)}, NotPublished, "height"),
        ({"where": Compare("age", ">", 1000)}, FilterInvalid, "age"),
    ],
)
def test_clauses_about_columns(change: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said) as raised:
        _ask(dataclasses.replace(GOOD, **change))
    assert raised.type is error


@pytest.mark.parametrize("epsilon", [0.0, -1.0, float("nan"), float("inf"), 1e9])
def test_an_epsilon_that_is_none(epsilon: float) -> None:
    with pytest.raises((EpsilonInvalid, EpsilonTooLarge)):
        _ask(GOOD, epsilon)


def test_epsilon_and_receivers() -> None:
    with pytest.raises(EpsilonTooLarge, match=r"epsilon_a_job: the job spends 2\.0000001, its member allows 2\.0"):
        _ask(GOOD, 2.0000001)
    with pytest.raises(ReceiverDenied, match="not to gamma"):
        _ask(GOOD, receivers=frozenset({"alfa", "gamma"}))
    with pytest.raises(ReceiverDenied, match="nobody"):
        _ask(GOOD, receivers=frozenset())
    with pytest.raises(UseDenied):
        check_consent(Request((), 1.0, frozenset({"alfa"})), PUBLISHED)


def test_one_table_of_several_is_enough_to_deny() -> None:
    with pytest.raises(UseDenied):
        check_consent(Request((GOOD, TableUse("empty", counts=True)), 1.0, frozenset({"alfa"})), PUBLISHED)
    with pytest.raises(NotPublished):
        check_consent(Request((GOOD,), 1.0, frozenset({"alfa"})), {})


@settings(max_examples=200, deadline=None)
@given(
    listed=st.dictionaries(_NAMES, st.frozensets(st.sampled_from(USES))),
    asked=st.dictionaries(_NAMES, st.frozensets(st.sampled_from(USES), min_size=1), min_size=1),
)
def test_allowed_is_listed_and_nothing_else(
    listed: dict[str, frozenset[str]], asked: dict[str, frozenset[str]]
) -> None:
    columns = {
        name: dataclasses.replace(column, uses=listed.get(name, frozenset()) & frozenset(KINDS[column.kind]))
        for name, column in COLUMNS.items()
    }
    request = Request((TableUse("patients", asked),), 1.0, frozenset({"alfa"}))
    allowed = all(uses <= columns[name].uses for name, uses in asked.items())
    try:
        check_consent(request, {"patients": dataclasses.replace(TABLE, columns=columns)})
    except UseDenied:
        assert not allowed
    else:
        assert allowed
