"""A query's plan, its price, what owners are asked, its answer under noise. Without noise: tests/parties/sql."""

# ruff: noqa: E501

from __future__ import annotations

import dataclasses
import inspect
import pickle
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import parties.sql.noise as noise_module
from mpc import MemoryCluster
from parties.data.description import describe, read_description
from parties.errors import RowsUnfit, SqlUnsupported
from parties.kinds.kind import Owned, Plan
from parties.sql.explain import explain
from parties.sql.kind_query import QUERY
from parties.sql.plan import plan_of
from parties.sql.program import run
from tests.parties.consortium import charter
from tests.parties.job_tables import NoLine, answered, inputs, opened_by
from tests.parties.sql.query_tables import World, made_world, read_all, run_exact

PAD = {"epsilon": 2.0, "delta": 1e-4}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return made_world(tmp_path_factory.mktemp("kind-query"))


def uses(plan: Plan, place: int = 0) -> dict[str, set[str]]:
    return {name: set(found) for name, found in plan.asks[place].uses.items()}


@pytest.mark.parametrize(
    ("text", "asked", "counts"),
    [
        ("SELECT SUM(age) FROM alfa.stays", {"age": {"sum"}}, False),
        ("SELECT AVG(age) FROM alfa.stays", {"age": {"sum"}}, True),
        ("SELECT COUNT(*) FROM alfa.stays", {}, True),
        ("SELECT COUNT(age) FROM alfa.stays", {"age": {"filter"}}, True),
        ("SELECT COUNT(ward) FROM alfa.stays WHERE cost > 1", {"ward": {"filter"}, "cost": {"filter"}}, True),
        ("SELECT SUM(CASE WHEN age > 3 THEN cost END) FROM alfa.stays", {"age": {"filter"}, "cost": {"sum"}}, False),
        ("SELECT SUM(CASE WHEN age > 3 THEN 1 END) FROM alfa.stays", {"age": {"filter"}}, True),
        ("SELECT SUM(age) FILTER (WHERE died) FROM alfa.stays", {"age": {"sum"}, "died": {"filter"}}, False),
        ("SELECT SUM(NULLIF(age, score)) FROM alfa.stays", {"age": {"sum"}, "score": {"filter"}}, False),
        ("SELECT ward, COUNT(*) FROM alfa.stays GROUP BY ward", {"ward": {"group"}}, True),
        ("SELECT COUNT(*) FROM alfa.stays GROUP BY age > 30", {"age": {"filter"}}, True),
        (
            "SELECT COUNT(*) FROM alfa.stays GROUP BY CASE WHEN age > 3 THEN ward ELSE 'x' END",
            {"age": {"filter"}, "ward": {"group"}},
            True,
        ),
        ("SELECT MEDIAN(age + score) FROM alfa.stays", {"age": {"sum"}, "score": {"sum"}}, True),
        ("SELECT COUNT(DISTINCT person) FROM alfa.stays", {"person": {"count"}}, True),
        (
            "SELECT SUM(s) FROM (SELECT person, SUM(minutes) AS s FROM alfa.visits WHERE price > 1 GROUP BY person "
            "HAVING COUNT(*) > 2) t WHERE s > 3",
            {"person": {"count"}, "minutes": {"sum", "filter"}, "price": {"filter"}},
            False,
        ),
        ("SELECT SUM(age), SUM(1) FROM alfa.stays", {"age": {"sum"}}, True),
        ("SELECT SUM(age), SUM(age + 1) FROM alfa.stays", {"age": {"sum"}}, True),
        ("SELECT SUM(age), SUM(0 * age + 1) FROM alfa.stays", {"age": {"sum"}}, True),
        (
            "SELECT SUM(age), SUM(CASE WHEN score > 3 THEN 1 ELSE 0 END) FROM alfa.stays",
            {"age": {"sum"}, "score": {"filter"}},
            True,
        ),
        ("SELECT SUM(age) + SUM(died) FROM alfa.stays", {"age": {"sum"}, "died": {"sum"}}, False),
        ("SELECT SUM(age), SUM(score / (score + 10)) FROM alfa.stays", {"age": {"sum"}, "score": {"sum"}}, True),
        ("SELECT SUM(COALESCE(age / 2, 0)), SUM(ABS(score)) FROM alfa.stays", {"age": {"sum"}, "score": {"sum"}}, False),
        (
            "SELECT SUM(s), SUM(n) FROM (SELECT person, SUM(minutes) AS s, COUNT(*) AS n FROM alfa.visits "
            "GROUP BY person) t",
            {"person": {"count"}, "minutes": {"sum"}},
            True,
        ),
        (
            "SELECT SUM(s), SUM(one) FROM (SELECT person, SUM(minutes) AS s, 1 AS one FROM alfa.visits "
            "GROUP BY person) t",
            {"person": {"count"}, "minutes": {"sum"}},
            True,
        ),
        ("SELECT SUM(CEIL(age / 1000)) FROM alfa.stays", {"age": {"sum"}}, True),
        ("SELECT SUM(ROUND(cost * 0.001 + score)) FROM alfa.stays", {"cost": {"sum"}, "score": {"sum"}}, True),
        ("SELECT SUM(CEIL(x)) FROM (SELECT age / 1000 AS x FROM alfa.stays) t", {"age": {"sum"}}, True),
        ("SELECT SUM(ROUND(cost, 2)), SUM(FLOOR(cost)) FROM alfa.stays", {"cost": {"sum"}}, False),
        ("SELECT SUM(x) FROM (SELECT age * 2 AS x, ward FROM alfa.stays) t", {"age": {"sum"}}, False),
    ],
)  # fmt: skip
def test_what_is_asked_of_an_owner(world: World, text: str, asked: Any, counts: bool) -> None:
    plan = world.plan(text)
    assert uses(plan) == asked and plan.asks[0].counts is counts
    assert plan.asks[0].where is None and plan.asks[0].query is not None


def test_what_is_asked_in_a_join(world: World) -> None:
    text = (
        "SELECT level, SUM(cost * rate) FROM alfa.stays s JOIN bravo.people p USING (person) "
        "WHERE s.age > 3 AND s.score < p.income GROUP BY level"
    )
    plan = world.plan(text, pad=PAD)
    assert uses(plan) == {
        "person": {"join"}, "age": {"filter"}, "score": {"filter"}, "cost": {"sum"},
    }  # fmt: skip
    assert uses(plan, 1) == {
        "person": {"join"}, "level": {"group"}, "rate": {"sum"}, "income": {"filter"},
    }  # fmt: skip
    assert plan.spent == (2.0, 1e-4) and plan.epsilon == pytest.approx(66.0) and not plan.anew
    assert "with noise" in plan.leaks[0] and plan.shapes == ()
    shown = world.plan(text, show_matches=True)
    assert shown.spent == (0.0, 0.0) and "exactly" in shown.leaks[0] and shown.anew


# -- one plan at all members -------------------------------------------------------------------


def test_every_member_finds_the_same_plan(world: World) -> None:
    """From the text, and from tables as others know them."""
    text = (
        "SELECT ward, AVG(age), MEDIAN(cost) FROM stays WHERE died GROUP BY ward HAVING COUNT(*) > 3 ORDER BY 2 LIMIT 3"
    )
    mine = world.plan(text, minimum=3)
    tables = [Owned(t.member, read_description(describe(t.facts))) for t in world.tables(text)]
    theirs = QUERY.check({"sql": text, "epsilon": 64.0, "minimum": 3}, tables, charter())
    assert mine.digest == theirs.digest and mine.answers == theirs.answers


SAID = (
    "SELECT ward, SUM(age) AS s FROM alfa.stays WHERE cost > 1 GROUP BY ward HAVING SUM(age) > 3 ORDER BY ward LIMIT 3"
)


def test_how_it_is_written_does_not_matter(world: World) -> None:
    other = SAID.lower().replace(" where", " -- all of it\n WHERE ").replace("sum(", " Sum ( ")
    assert other != SAID and world.plan(other).digest == world.plan(SAID).digest


@pytest.mark.parametrize(
    "change",
    [
        ("SUM(age) AS s", "SUM(age + 1) AS s"), ("AS s", "AS other"), ("cost > 1", "cost > 2"), ("cost > 1", "cost >= 1"),
        ("> 3", "> 4"), ("ORDER BY ward", "ORDER BY ward DESC"), ("ORDER BY ward", "ORDER BY s"), ("LIMIT 3", "LIMIT 4"),
        ("LIMIT 3", ""), ("HAVING SUM(age) > 3", ""), ("alfa", "bravo"), ("LIMIT 3", "LIMIT 3 OFFSET 1"),
    ],
)  # fmt: skip
def test_whatever_decides_the_answer_is_in_the_plan(world: World, change: tuple[str, str]) -> None:
    assert world.plan(SAID.replace(*change)).digest != world.plan(SAID).digest
    assert world.plan(SAID, minimum=2).digest != world.plan(SAID).digest


def test_no_plan_and_no_job_leaves_the_noise_out(world: World) -> None:
    """What does is an argument of a function that no node calls with it."""
    assert list(inspect.signature(QUERY.program).parameters) == ["party", "line", "work"]
    plan = world.plan("SELECT COUNT(*) FROM stays")
    fields = {
        f.name for kind in (Plan, type(plan.details), type(plan.details.priced)) for f in dataclasses.fields(kind)
    }
    assert not [name for name in fields if "exact" in name or "unsafe" in name]
    for file in Path("parties").rglob("*.py"):
        if "unsafe_exact=True" in file.read_text():
            raise AssertionError(file)


# -- noise -------------------------------------------------------------------------------------


def test_figures_share_epsilon_and_a_sum_asked_for_serves_the_mean(world: World) -> None:
    one = world.plan("SELECT SUM(age) FROM alfa.stays")
    assert [event.change.l1 for event in one.events] == [90] and one.epsilon == 64.0
    both = world.plan("SELECT SUM(age), AVG(age), COUNT(age), AVG(age) + 1 FROM alfa.stays")
    assert [event.change.l1 for event in both.events] == [90, 1]
    assert [event.mechanism.epsilon for event in both.events] == [32.0, 32.0]
    mean = world.plan("SELECT AVG(age) FROM alfa.stays")
    assert [event.change.l1 for event in mean.events] == [1, 45]  # from the middle of the bounds
    spread = world.plan("SELECT AVG(age), VAR_SAMP(age), STDDEV_POP(age) FROM alfa.stays")
    assert [event.change.l1 for event in spread.events] == [1, 45, 45 * 45]
    middle = world.plan("SELECT MEDIAN(age) FROM alfa.stays")
    assert len(middle.events) == 1 + 7 and middle.epsilon == pytest.approx(64.0)


def test_what_one_person_changes(world: World) -> None:
    for text, l1 in (
        ("SELECT COUNT(*) FROM stays", 3),
        ("SELECT COUNT(*) FROM visits", 8),
        ("SELECT COUNT(DISTINCT person) FROM visits", 1),
        ("SELECT reason, COUNT(DISTINCT person) FROM visits GROUP BY reason", 3),
        ("SELECT COUNT(*) FROM (SELECT person, COUNT(*) AS n FROM alfa.visits GROUP BY person) t", 1),
        ("SELECT SUM(n) FROM (SELECT person, COUNT(*) AS n FROM alfa.visits GROUP BY person) t", 4),
        ("SELECT SUM(s) FROM (SELECT person, SUM(minutes) AS s FROM alfa.visits GROUP BY person) t", 480),
        ("SELECT SUM(CASE WHEN age > 30 THEN 5 ELSE -7 END) FROM alfa.stays", 7),
        ("SELECT SUM(age * score) FROM alfa.stays", 810),
        ("SELECT SUM(GREATEST(score, 3)) FROM alfa.stays", 9),
        ("SELECT SUM(YEAR(seen)) FROM alfa.stays", 2022),
    ):
        assert world.plan(text).events[0].change.l1 == l1, text
    joined = world.plan("SELECT COUNT(*) FROM bravo.people JOIN alfa.visits USING (person)", show_matches=True)
    assert joined.events[0].change.l1 == 4


def test_noise_that_is_charged_is_noise_that_is_drawn(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "SELECT ward, COUNT(*), AVG(age), VAR_POP(cost), MEDIAN(score), MIN(seen), MAX(age) FROM stays GROUP BY ward"
    drawn: list[Any] = []
    draw = noise_module.with_noise

    def seen(party: Any, x: Any, event: Any, stock: Any) -> Any:
        if party.index == 0:
            drawn.append(event)
        return draw(party, x, event, stock)

    monkeypatch.setattr(noise_module, "with_noise", seen)
    plan = world.plan(text, minimum=2)
    answered(QUERY, plan, read_all(plan))
    assert Counter(map(repr, drawn)) == Counter(map(repr, plan.events))


def test_an_answer_under_noise(world: World) -> None:
    text = "SELECT ward, COUNT(*) AS n, SUM(score), AVG(age), 2 * COUNT(*) + 1, MAX(age) FROM stays GROUP BY ward ORDER BY ward"
    plan = world.plan(text, minimum=3, epsilon=120.0)
    answer = answered(QUERY, plan, read_all(plan))
    truth = world.truth(text)
    assert answer["columns"][:2] == ["ward", "n"] and answer["epsilon"] == pytest.approx(120.0)
    assert [row[0] for row in answer["rows"]] == [row[0] for row in truth]
    for row, errors, intervals, told in zip(answer["rows"], answer["errors"], answer["intervals"], truth, strict=True):
        assert row[1] == pytest.approx(told[1], abs=3) and row[3] == pytest.approx(told[3], abs=12)
        assert errors[0] is None and intervals[0] is None and errors[5] is None
        assert errors[4] == pytest.approx(2 * errors[1]) and errors[2] > errors[1] > 0
        for cell, interval in zip(row[1:5], intervals[1:5], strict=True):
            assert interval[0] <= cell <= interval[1]


def test_groups_below_the_minimum_are_hidden_before_anything_is_opened(world: World) -> None:
    text = "SELECT ward, COUNT(*), SUM(age), MAX(age) FROM stays GROUP BY ward"
    least = sorted(row[1] for row in world.truth(text))[3]
    plan = world.plan(text, minimum=least)

    async def program(party: Any, work: Any) -> Any:
        return await run(party, NoLine(), work, unsafe_exact=True)

    opened = opened_by(plan, MemoryCluster(3, 1, seed=5).run(program, inputs(QUERY, plan, read_all(plan), 3, 1)), 3, 1)
    counts, sums, _, places = (getattr(one, "values", one) for one in opened)
    shown = opened[0].shown
    assert 0 < sum(shown) < len(shown)
    assert not counts[~shown].any() and not sums[~shown].any() and not places[~shown].any()
    assert {row[0] for row in QUERY.answer(plan, opened)["rows"]} == {
        row[0] for row in world.truth(f"{text} HAVING COUNT(*) >= {least}")
    }
    assert plan.minimum == least and world.plan(text).minimum == 1


def test_rows_of_members_who_do_not_compute_are_dealt(world: World) -> None:
    text = "SELECT ward, COUNT(*), SUM(cost) FROM stays WHERE age > 20 GROUP BY ward ORDER BY ward"
    plan = world.plan(text, minimum=1)
    given = [(None if i == 1 else owner, rows) for i, (owner, rows) in enumerate(read_all(plan))]
    for row, told in zip(run_exact(plan, given)["rows"], world.truth(text), strict=True):
        assert row == pytest.approx(list(told), abs=0.01)


def test_rows_that_are_not_what_was_asked_end_the_job_at_their_owner(world: World) -> None:
    plan = world.plan("SELECT ward, SUM(age) FROM stays GROUP BY ward")
    rows = dict(read_all(plan)[0][1])
    assert QUERY.encode is not None and QUERY.encode(plan, 0, rows).shape[0] == len(plan.shapes[0].columns)
    name = next(o.name for o in plan.asks[0].query.outputs if o.type.kind == "integer")  # type: ignore[union-attr]
    for change in (
        {name: rows[name] + 1000}, {name: rows[name].astype(float)}, {name: rows[name][:3]},
        {f"{name}?": rows[f"{name}?"] * 2},
    ):  # fmt: skip
        with pytest.raises(RowsUnfit, match="table stays of alfa"):
            QUERY.encode(plan, 0, {**rows, **change})
    del rows[name]
    with pytest.raises(RowsUnfit, match="not among the columns"):
        QUERY.encode(plan, 0, rows)


# -- explain -----------------------------------------------------------------------------------


def test_explain_says_who_runs_what_and_what_leaves(world: World) -> None:
    text = (
        "SELECT level, SUM(t.s * p.rate), COUNT(DISTINCT t.person), MEDIAN(t.s) FROM (SELECT person, SUM(price) AS s FROM "
        "alfa.visits WHERE reason LIKE 'f%' GROUP BY person HAVING COUNT(*) > 1) t JOIN bravo.people p USING (person) "
        "WHERE t.s > p.income AND born >= '1950-01-01' GROUP BY level HAVING COUNT(*) > 3 ORDER BY 2 LIMIT 5"
    )
    told = explain(world.plan(text, pad=PAD, minimum=7))
    for line in (
        "alfa runs, on its own visits:",
        "rows of somebody where reason IN ('fall', 'fever')",
        "of each person 4 rows at most",
        "one row a person: #0 = SUM(price), #1 = COUNT(*)",
        "of those the rows where (#1 > 1)",
        "bravo runs, on its own people:",
        "where (born >= DATE '1950-01-01')",
        "column person: count, join",
        "alfa.visits and bravo.people joined by the person, inner",
        "rows where (#0 > income)",
        "SUM((t.s * p.rate)): noise of standard deviation",
        "COUNT(DISTINCT person): noise of standard deviation",
        "QUANTILE(t.s, 0.5): 12 noised counts, each of standard deviation",
        "groups of a noised count below 7 are hidden",
        "then HAVING, ORDER BY, LIMIT",
        "for epsilon 66",
        "leaks, to one compute member for each two tables: how many people are in both, with noise",
    ):
        assert line in told
    assert "leaks: nothing" in explain(world.plan("SELECT COUNT(*) FROM stays"))


def test_a_plan_goes_to_workers(world: World) -> None:
    """As bytes of bearable size, without the parser's tree."""
    plan = world.plan("SELECT ward, AVG(age), MEDIAN(cost) FROM stays WHERE died GROUP BY ward", minimum=3)
    sent = pickle.dumps(plan)
    assert pickle.loads(sent) == plan and len(sent) < 1 << 17 and b"sqlglot" not in sent


def test_explain_before_a_query_is_for_who_asks(world: World) -> None:
    text = "EXPLAIN SELECT COUNT(*) FROM stays"
    plan = plan_of({"sql": text, "epsilon": 1.0}, world.tables(text), charter(), explained=True)
    assert "COUNT(*)" in explain(plan)


def test_a_column_without_bounds_is_compared_and_counted_and_no_more(world: World) -> None:
    """Noise is not measured by it, so it needs none."""
    (owned,) = world.tables("SELECT COUNT(*) FROM alfa.stays")
    bare = dataclasses.replace(owned.facts.columns["age"], low=None, high=None, uses=frozenset({"filter"}))
    facts = dataclasses.replace(owned.facts, columns={**owned.facts.columns, "age": bare})
    tables = [Owned("alfa", facts)]

    def plan(text: str) -> Plan:
        return QUERY.check({"sql": text, "epsilon": 64.0}, tables, charter())

    text = "SELECT COUNT(age), COUNT(*) FILTER (WHERE age > 30), COUNT(NULLIF(age, 3)) FROM alfa.stays"
    assert run_exact(plan(text), read_all(plan(text)))["rows"] == [list(world.truth(text)[0])]
    for wrong in ("SUM(age)", "MEDIAN(age)", "COUNT(age + 1)", "AVG(COALESCE(age, 0))"):
        with pytest.raises(SqlUnsupported, match="public bounds"):
            plan(f"SELECT {wrong} FROM alfa.stays")
