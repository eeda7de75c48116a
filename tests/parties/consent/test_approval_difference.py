"""What a waiting job asks otherwise than one that was approved: every change is a line, and nothing else is."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from parties.consent.approval_difference import differences, nearest
from parties.errors import ApprovalAwaited, PolicyDenied, StoreFailed
from parties.jobs.session import Event
from parties.node.approval_view import waiting_jobs
from parties.planning.job_work import Consent
from parties.running.job_store import JobStore
from parties.running.unbegun_jobs import RETENTION
from parties.terminal.show_waiting import show_waiting
from parties.wire.people_messages import Approval
from tests.parties.made_jobs import KEY, ME, add, job

TOLD: dict[str, Any] = {
    "proposer": "1" * 64, "analyst": "ann", "purpose": "planning", "kind": "query", "receivers": ["alfa"],
    "epsilon": 1.0, "delta": 0.0, "parameters": {"sql": "SELECT COUNT(*) FROM stays", "epsilon": 1.0, "minimum": 20},
    "tables": {"stays": {"columns": {"age": ["filter", "sum"], "ward": ["group"]}, "counts": True, "spent": {}}},
}  # fmt: skip


def changed(*path: str, to: Any) -> dict[str, Any]:
    """What is told, with one thing otherwise; None: without it."""
    made = copy.deepcopy(TOLD)
    inner = made
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = to
    if to is None:
        del inner[path[-1]]
    return made


@pytest.mark.parametrize(
    ("now", "lines"),
    [
        (TOLD, []),
        (changed("analyst", to="bob"), ["analyst: bob, before ann"]),
        (changed("purpose", to=""), ["purpose: nothing, before planning"]),
        (changed("epsilon", to=2.0), ["epsilon: 2.0, before 1.0"]),
        (changed("receivers", to=["alfa", "bravo"]), ['receivers: ["alfa", "bravo"], before ["alfa"]']),
        (changed("parameters", "minimum", to=None), ["minimum: nothing, before 20"]),
        (changed("parameters", "sql", to="x"), ["sql: x, before SELECT COUNT(*) FROM stays"]),
        (changed("parameters", "epsilon", to=9.0), []),  # said by the job's own
        (changed("tables", "stays", "columns", "age", to=["release", "sum"]),
         ["table stays, column age: now for release", "table stays, column age: no more for filter"]),
        (changed("tables", "stays", "columns", "died", to=["filter"]), ["table stays, column died: now for filter"]),
        (changed("tables", "stays", "columns", "ward", to=None), ["table stays, column ward: no more for group"]),
        (changed("tables", "stays", "counts", to=False), ["table stays: rows are no more counted"]),
        (changed("tables", "stays", "spent", to={"ever": 3.0}), []),
        (changed("tables", "visits", to=TOLD["tables"]["stays"]), ["table visits: not asked for before"]),
    ],
)  # fmt: skip
def test_every_change_is_a_line(now: Any, lines: list[str]) -> None:
    assert differences(now, TOLD) == lines
    assert len(differences(TOLD, now)) == len(lines)


VALUES = st.sampled_from([None, "", "ann", "bob", 1.0, 2.0, ["alfa"], ["bravo"]])
TOLDS = st.fixed_dictionaries(
    {name: VALUES for name in ("proposer", "analyst", "purpose", "kind", "receivers", "epsilon", "delta")}
    | {
        "parameters": st.dictionaries(st.sampled_from("abc"), VALUES),
        "tables": st.dictionaries(
            st.sampled_from("xyz"),
            st.fixed_dictionaries(
                {
                    "columns": st.dictionaries(
                        st.sampled_from("pq"), st.lists(st.sampled_from(["sum", "group"]), unique=True)
                    ),
                    "counts": st.booleans(),
                }
            ),
        ),
    }
)


@given(TOLDS, TOLDS)
def test_two_differ_in_nothing_exactly_if_they_ask_the_same(one: Any, other: Any) -> None:
    def plain(told: Any) -> Any:
        """Without what says nothing: a parameter that is null, an empty set of uses."""
        tables = {
            name: ({c: set(uses) for c, uses in table["columns"].items() if uses}, table["counts"])
            for name, table in told["tables"].items()
        }
        parameters = {name: value for name, value in told["parameters"].items() if value is not None}
        return {**told, "tables": tables, "parameters": parameters}

    assert (differences(one, other) == []) == (plain(one) == plain(other))
    assert len(differences(one, other)) == len(differences(other, one))


def test_the_nearest_is_the_one_with_the_fewest_changes_and_the_latest_of_those() -> None:
    far = changed("analyst", to="bob") | {"purpose": "x", "epsilon": 3.0}
    near = changed("analyst", to="bob")
    assert nearest(TOLD, [("1", far), ("2", near), ("3", near)]) == ("2", ["analyst: ann, before bob"])
    assert nearest(TOLD, []) is None


def waits(store: JobStore, key: str, at: float, **told: Any) -> str:
    of = job(key, parameters={"sql": "SELECT 1", "epsilon": told.get("epsilon", 1.0)})
    add(store, of, True)
    consent = Consent(
        "d" * 64, waits="query: too much", told={**{n: v for n, v in TOLD.items() if n != "parameters"}, **told}
    )
    with pytest.raises(ApprovalAwaited):
        store.approvals.check(of, consent, "alfa", at)
    return of.id


def test_a_waiting_job_is_shown_beside_what_was_approved(tmp_path: Path) -> None:
    with JobStore(tmp_path / "node.db", KEY, ME) as store:
        first = waits(store, "1", 10.0)
        (alone,) = waiting_jobs(store).waiting
        assert (alone.job, alone.before, alone.differences) == (first, "", [])
        assert alone.parameters == {"sql": "SELECT 1", "epsilon": 1.0}
        store.approvals.decide(first, True, "ann", 11.0)
        denied = waits(store, "2", 12.0, analyst="eve")
        store.approvals.decide(denied, False, "ann", 13.0)
        waits(store, "3", 14.0, analyst="eve", epsilon=2.0)
        (now,) = waiting_jobs(store).waiting
        assert now.before == first and now.differences == ["analyst: eve, before ann", "epsilon: 2.0, before 1.0"]
        shown = text_of(now)
        assert "SELECT 1" in shown and f"compared with job {first}" in shown and "epsilon: 2.0, before 1.0" in shown
        assert "stays.age" in shown and "asked by eve for planning" in shown


def text_of(one: Approval) -> str:
    console = Console(width=200, highlight=False, emoji=False)
    with console.capture() as capture:
        show_waiting(console, one)
    return capture.get()


def test_what_was_approved_is_what_was_asked_for_then(tmp_path: Path) -> None:
    """A policy that was signed anew since may ask for a person because of something that nobody looked at."""
    with JobStore(tmp_path / "node.db", KEY, ME) as store:
        of = job("1")
        add(store, of, True)
        once, now = (
            Consent("d" * 64, waits=why, told=TOLD) for why in ("query: too much", "rule: age; query: too much")
        )
        with pytest.raises(ApprovalAwaited):
            store.approvals.check(of, once, "alfa", 10.0)
        store.approvals.decide(of.id, True, "ann", 11.0)
        store.approvals.check(of, once, "alfa", 12.0)
        with pytest.raises(ApprovalAwaited, match="rule: age"):
            store.approvals.check(of, now, "alfa", 13.0)
        (waiting,) = store.approvals.waiting()
        assert (waiting.why, waiting.since, waiting.approved, waiting.person) == (now.waits, 13.0, None, None)
        with pytest.raises(ApprovalAwaited):
            store.approvals.check(of, now, "alfa", 14.0)
        assert store.approvals.waiting() == [waiting]
        store.approvals.decide(of.id, False, "ann", 15.0)
        with pytest.raises(PolicyDenied):
            store.approvals.check(of, once, "alfa", 16.0)


def test_a_job_that_waited_and_never_began_is_forgotten_as_others_are(tmp_path: Path) -> None:
    """Its approval goes with it; a node that could not forget would stop over it."""
    with JobStore(tmp_path / "node.db", KEY, ME) as store:
        gone = waits(store, "1", 10.0)
        store.step(gone, Event.DECIDE_ABORT, "", 20.0)
        try:
            assert store.unbegun.forget(1e11 + RETENTION) == [gone]
        except StoreFailed as error:
            pytest.fail(str(error))
        assert store.find(gone) is None and store.approvals.find(gone) is None
