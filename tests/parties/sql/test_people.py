"""Conditions on people of other tables of their owner: what owners are asked, what is refused, what is explained."""

# ruff: noqa: E501

from __future__ import annotations

import pytest

from parties.data.row_query import RowQuery
from parties.errors import SqlInvalid, SqlUnbound, SqlUnsupported
from parties.kinds.kind import Plan
from parties.sql.explain import explain
from tests.parties.sql.query_tables import World, assert_same

BUSY = "person IN (SELECT person FROM bravo.visits WHERE reason = 'fall' GROUP BY person HAVING SUM(minutes) > 100)"


def read_of(plan: Plan, table: str) -> RowQuery:
    """What an owner makes of its rows."""
    query = next(ask.query for ask in plan.asks if ask.table == table)
    assert query is not None
    return query


def asked(plan: Plan) -> dict[str, dict[str, set[str]]]:
    return {ask.table: {name: set(uses) for name, uses in ask.uses.items()} for ask in plan.asks}


def test_the_other_table_is_asked_for_its_own_columns_and_nothing_of_it_comes_in(world: World) -> None:
    plan = world.plan(f"SELECT SUM(score) FROM bravo.stays WHERE {BUSY} AND age > 3")
    visits = {"person": {"join"}, "reason": {"filter"}, "minutes": {"sum", "filter"}}
    assert asked(plan) == {"stays": {"person": {"join"}, "score": {"sum"}, "age": {"filter"}}, "visits": visits}
    assert [ask.beside for ask in plan.asks] == [False, True]
    assert [ask.query is None for ask in plan.asks] == [False, True]
    assert plan.shapes[1].columns == () and plan.shapes[1].rows == 0


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        (f"SELECT SUM(score) FROM bravo.stays WHERE {BUSY}", False),
        (f"SELECT COUNT(*) FROM bravo.stays WHERE {BUSY}", True),
        (f"SELECT SUM(CAST({BUSY} AS INTEGER)) FROM bravo.stays", True),
        (f"SELECT SUM(CASE WHEN {BUSY} THEN 1 ELSE 0 END) FROM bravo.stays", True),
        (f"SELECT SUM(CASE WHEN {BUSY} THEN score ELSE 0 END) FROM bravo.stays", False),
        (f"SELECT SUM(f) FROM (SELECT score, {BUSY} AS f FROM bravo.stays) t", True),
        ("SELECT SUM(f) FROM (SELECT person, MAX(CASE WHEN person IN (SELECT person FROM bravo.stays) THEN 1 ELSE 0 END) AS f FROM bravo.visits GROUP BY person) t", True),
        ("SELECT SUM(f) FROM (SELECT person, MAX(person IN (SELECT person FROM bravo.stays)) AS f FROM bravo.visits GROUP BY person) t", True),
    ],
)  # fmt: skip
def test_whether_somebody_is_among_people_is_counted_and_no_value_of_a_column(
    world: World, text: str, counts: bool
) -> None:
    assert {ask.counts for ask in world.plan(text).asks} == {counts}


def test_one_condition_in_several_places_is_one_and_others_are_not(world: World) -> None:
    again = f"SELECT {BUSY} AS b, COUNT(*) FILTER (WHERE {BUSY}) FROM bravo.stays WHERE NOT {BUSY} GROUP BY b"
    query = read_of(world.plan(again), "stays")
    assert [one.name for one in query.among] == ["?0"]
    two = f"SELECT COUNT(*) FROM bravo.stays WHERE {BUSY} OR person IN (SELECT person FROM bravo.visits)"
    query = read_of(world.plan(two), "stays")
    assert [one.name for one in query.among] == ["?0", "?1"] and query.others == ("visits",)


def test_what_the_other_table_is_asked_decides_the_plan(world: World) -> None:
    text = f"SELECT COUNT(*) FROM bravo.stays WHERE {BUSY}"
    found = {world.plan(one).digest for one in (text, text.replace("100", "101"), text.replace("'fall'", "'fever'"))}
    assert len(found) == 3
    same = text.replace("SELECT person FROM bravo.visits WHERE", "SELECT v.person FROM bravo.visits v WHERE")
    assert world.plan(same.replace("GROUP BY person", "GROUP BY v.person")).digest == world.plan(text).digest


@pytest.mark.parametrize(
    "text",
    [
        f"SELECT COUNT(*) FROM (SELECT score, {BUSY} AS f FROM bravo.stays) t WHERE score > 1",
        "WITH x AS (SELECT person FROM bravo.visits) SELECT COUNT(*) FROM bravo.stays",
        "WITH x AS (SELECT nosuch FROM bravo.visits LIMIT 3) SELECT COUNT(*) FROM bravo.stays",
    ],
)
def test_a_table_of_which_nothing_is_made_is_neither_asked_nor_charged(world: World, text: str) -> None:
    with pytest.raises(SqlUnsupported, match="table visits of bravo is named, and nothing is made of it; leave it out"):
        world.plan(text)


def test_a_total_that_nothing_is_made_of_is_not_read(world: World) -> None:
    totals = "(SELECT person, SUM(minutes) AS m, MAX(price) AS p FROM alfa.visits GROUP BY person) t"
    plan = world.plan(f"SELECT SUM(score) FROM alfa.stays WHERE person IN (SELECT person FROM {totals} WHERE p > 3)")
    assert asked(plan)["visits"] == {"person": {"join"}, "price": {"filter", "sum"}}
    assert read_of(plan, "stays").among[0].query.columns == ("price",)
    plan = world.plan(f"SELECT SUM(p) FROM {totals} WHERE p > 3")
    assert read_of(plan, "visits").columns == ("price",) and set(asked(plan)["visits"]) == {"person", "price"}


@pytest.mark.parametrize("name", ["?0", "0?0", "#0", "0.?0"])
def test_no_name_of_a_column_is_taken_for_a_condition(world: World, name: str) -> None:
    among = "person IN (SELECT person FROM alfa.visits)"
    for text in (
        f'SELECT COUNT(*), SUM("{name}") FROM (SELECT person, age AS "{name}" FROM alfa.stays) t WHERE {among}',
        f'SELECT "{name}", COUNT(*) FROM (SELECT person, age, ward AS "{name}" FROM alfa.stays) t WHERE {among} GROUP BY 1',
        f'SELECT COUNT(*) FROM (SELECT person, SUM(minutes) AS "{name}" FROM alfa.visits GROUP BY person HAVING '
        f'person IN (SELECT person FROM alfa.stays)) t WHERE "{name}" > 50',
    ):
        more = {"minimum": 1} if "GROUP BY 1" in text else {}
        assert_same(world.exact(text, **more), world.truth(text), ordered=False, within=0.03)


def test_exists_over_a_left_join_is_never_null(world: World) -> None:
    joined = "FROM alfa.stays s LEFT JOIN bravo.people p USING (person)"
    there = "EXISTS (SELECT 1 FROM bravo.visits v WHERE v.person = p.person)"
    for text in (
        f"SELECT COUNT(*), SUM(age) {joined} WHERE NOT {there}",
        f"SELECT COUNT(*) {joined} WHERE {there} IS FALSE AND age > 3",
        f"SELECT {there} AS e, COUNT(*) {joined} GROUP BY e",
    ):
        more = {"minimum": 1} if "GROUP" in text else {}
        assert_same(world.exact(text, show_matches=True, **more), world.truth(text), ordered=False, within=0.03)


def test_explain_says_whose_people(world: World) -> None:
    text = (
        f"SELECT COUNT(*) FROM bravo.stays s WHERE {BUSY} AND NOT EXISTS (SELECT 1 FROM bravo.people p WHERE p.person = "
        "s.person AND p.person IN (SELECT person FROM bravo.visits))"
    )
    lines = explain(world.plan(text)).splitlines()
    assert lines[1:5] == [
        "  ?0: whether the person is among those of its own visits where reason IN ('fall'), by person: #0 = SUM(minutes), where (#0 > 100)",
        "  ?1: whether the person is among those of its own visits",
        "  ?2: whether the person is among those of its own people where ?1",
        "  rows of somebody where (?0 AND NOT ?2)",
    ]


ONE = "SELECT COUNT(*) FROM alfa.stays s WHERE "


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("SELECT COUNT(*) FROM stays WHERE person IN (SELECT person FROM alfa.visits)", "people who may be at several members; name one"),
        (ONE + "person IN (SELECT person FROM bravo.visits)", "table stays of alfa and table visits of bravo are at two members; JOIN"),
        (ONE + "person IN (SELECT person FROM visits)", r"people of several tables; name one member's table, or write person IN \(...\) OR"),
        (ONE + "age IN (SELECT minutes FROM alfa.visits)", "age is not what tells people apart; it would let rows of others decide"),
        (ONE + "age + 1 IN (SELECT minutes FROM alfa.visits)", "rows of others decide about a person's row; IN takes a list of literals, or"),
        (ONE + "person IN (SELECT minutes FROM alfa.visits)", "minutes is not what tells people apart in table visits of alfa; take person"),
        (ONE + "person IN (SELECT person, minutes FROM alfa.visits)", "a SELECT of 2 columns; SELECT the person key alone"),
        (ONE + "person IN (SELECT person FROM alfa.visits LIMIT 3)", "LIMIT within a derived table"),
        (ONE + "person IN (SELECT DISTINCT ON (reason) person FROM alfa.visits)", "DISTINCT within a derived table"),
        (ONE + "EXISTS (SELECT 1 FROM alfa.visits)", "EXISTS of anything but SELECT ... FROM ... WHERE"),
        (ONE + "EXISTS (SELECT 1 FROM alfa.visits v WHERE v.minutes = s.age)", "EXISTS that is not about the person"),
        (ONE + "EXISTS (SELECT 1 FROM alfa.visits v WHERE person = person)", "both keys named by their table"),
        (ONE + "EXISTS (SELECT 1 FROM alfa.visits v WHERE v.person = s.person OR v.minutes > 3)", "EXISTS that is not about the person"),
        (ONE + "EXISTS (SELECT COUNT(*) FROM alfa.visits v WHERE v.person = s.person)", "what EXISTS selects does not matter; SELECT 1"),
        (ONE + "EXISTS (SELECT (SELECT MAX(income) FROM bravo.people) FROM alfa.visits v WHERE v.person = s.person)", "what EXISTS selects"),
        (ONE + "EXISTS (SELECT nosuch FROM alfa.visits v WHERE v.person = s.person)", "what EXISTS selects"),
        (ONE + "person IN ((SELECT person FROM alfa.visits) LIMIT 0)", "LIMIT behind brackets; leave that out"),
        (ONE + "person IN ((SELECT person FROM alfa.visits) ORDER BY 1 LIMIT 1)", "behind brackets"),
        ("SELECT COUNT(*) FROM ((SELECT * FROM alfa.stays) LIMIT 3) t", "LIMIT behind brackets"),
        (ONE + "EXISTS (SELECT 1 FROM alfa.visits v, alfa.visits w WHERE v.person = s.person)", "EXISTS of anything but"),
        (ONE + "EXISTS (SELECT COUNT(*) FROM alfa.visits v WHERE v.person = s.person HAVING COUNT(*) > 2)", "EXISTS of anything but"),
        (ONE + "person = (SELECT MAX(person) FROM alfa.visits)", "a SELECT within an expression|person is a key"),
        ("SELECT COUNT(*) AS n FROM alfa.stays HAVING n IN (SELECT person FROM alfa.visits)", r"IN \(SELECT ...\) of figures; of people it stands in WHERE"),
        ("SELECT person IN (SELECT person FROM alfa.visits), COUNT(*) FROM alfa.stays", r"IN \(SELECT ...\) of figures"),
    ],
)  # fmt: skip
def test_what_is_refused(world: World, text: str, why: str) -> None:
    with pytest.raises(SqlUnsupported, match=why):
        world.plan(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (ONE + "person IN (SELECT person FROM nowhere)", "no table 'nowhere' is published"),
        (ONE + "person IN (SELECT persn FROM alfa.visits)", "is it person"),
        (ONE + "EXISTS (SELECT 1 FROM alfa.visits v WHERE v.person = s.person AND v.minutes > s.age)", "no table 's' in FROM"),
        (ONE + "EXISTS (SELECT 1 FROM alfa.visits v WHERE v.person = x.person)", "no table 'x' in FROM"),
    ],
)  # fmt: skip
def test_names_that_are_not_there(world: World, text: str, why: str) -> None:
    with pytest.raises(SqlUnbound, match=why):
        world.plan(text)


def test_names_of_with_do_not_multiply_what_is_read(world: World) -> None:
    """Each name asks eight times about the one before it."""

    def eight(k: int) -> str:
        return " OR ".join(f"person IN (SELECT person FROM b{k} WHERE minutes > {j})" for j in range(8))

    first = "b0 AS (SELECT person, minutes FROM alfa.visits)"
    names = [first, *(f"b{k + 1} AS (SELECT person, minutes FROM alfa.visits WHERE {eight(k)})" for k in range(3))]
    with pytest.raises(SqlUnsupported, match="conditions on people that are read more than 256 times"):
        world.plan(f"WITH {', '.join(names)} SELECT COUNT(*) FROM alfa.stays WHERE {eight(3)}")
    with pytest.raises(SqlUnsupported, match="more than 32 conditions on people, each counted wherever another"):
        world.plan(f"WITH {', '.join(names[:2])} SELECT COUNT(*) FROM alfa.stays WHERE {eight(1)}")


@pytest.mark.parametrize("deep", [5, 80, 300])
def test_conditions_and_derived_tables_are_so_deep_and_no_deeper(world: World, deep: int) -> None:
    asking = [
        f"a{k} AS (SELECT person FROM alfa.visits WHERE person IN (SELECT person FROM a{k - 1}))"
        for k in range(1, deep)
    ]
    plain = [f"a{k} AS (SELECT person FROM a{k - 1})" for k in range(1, deep)]
    first = "a0 AS (SELECT person FROM alfa.visits)"
    last = f"SELECT COUNT(*) FROM alfa.stays WHERE person IN (SELECT person FROM a{deep - 1})"
    for names in (asking, plain):
        text = f"WITH {', '.join([first, *names])} {last}"
        if names is plain and deep == 5:
            world.plan(text)
            continue
        with pytest.raises((SqlUnsupported, SqlInvalid), match=r"deep|KiB|more than"):
            world.plan(text)


def test_more_conditions_and_longer_ones_than_an_engine_takes_are_refused(world: World) -> None:
    def asked(n: int, column: str = "minutes", table: str = "alfa.visits") -> str:
        of = (f"person IN (SELECT person FROM {table} WHERE {column} > {k})" for k in range(n))
        return f"SELECT COUNT(*) FROM alfa.stays WHERE {' AND '.join(of)}"

    query = read_of(world.plan(asked(24)), "stays")
    assert len(query.among) == 24
    with pytest.raises(SqlUnsupported, match="more than 24 conditions on people; ask in several"):
        world.plan(asked(25))
    with pytest.raises(SqlUnsupported, match="expressions of more than 16000 parts in all"):
        doubled = [f"a{k} AS (SELECT person, x + x AS x FROM a{k - 1})" for k in range(1, 10)]
        first = "a0 AS (SELECT person, minutes AS x FROM alfa.visits)"
        world.plan(f"WITH {', '.join([first, *doubled])} {asked(20, 'x', 'a9')}")
