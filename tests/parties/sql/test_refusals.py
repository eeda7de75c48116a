"""What cannot run is refused by its clause and place, with the nearest thing that can."""

# ruff: noqa: E501

from __future__ import annotations

import random
import string
from typing import Any

import pytest

from mpc.errors import AccordError
from parties.errors import ParametersInvalid, SqlInvalid, SqlUnbound, SqlUnsupported, TableUnfit
from parties.sql.kind_query import QUERY
from parties.sql.plan import tables_of
from protocols.errors import GridOverflow
from tests.parties.consortium import charter, member
from tests.parties.sql.queries import HAND, drawn
from tests.parties.sql.query_tables import World

UNSUPPORTED = [
    ("SELECT age FROM stays", "line 1, column 8, age: age is neither aggregated nor grouped by"),
    ("SELECT * FROM stays", r"column \d+, \*: rows one by one; name aggregates"),
    ("SELECT COUNT(*) FROM stays\nWHERE person = 3", "line 2, column 7, person: person is a key"),
    ("SELECT person, COUNT(*) FROM stays GROUP BY person", "person is a key, and would single out"),
    (
        "SELECT cost, COUNT(*) FROM stays GROUP BY cost",
        "column 43, cost: GROUP BY of values of kind real.*FLOOR.*CASE WHEN",
    ),
    ("SELECT COUNT(*) FROM stays GROUP BY age * 1000", "more than 65536 groups; group by fewer columns, or by ranges"),
    ("SELECT COUNT(*) FROM stays GROUP BY seen, age", "more than 65536 groups"),
    ("SELECT SUM(ward) FROM stays", "SUM.ward.: of a value of kind category, which is no number; COUNT counts"),
    ("SELECT SUM(seen) FROM stays", "of a value of kind date"),
    ("SELECT AVG(0) FROM stays", "one value only by its public bounds"),
    ("SELECT MIN(3) FROM stays", "one value only by its public bounds"),
    ("SELECT SUM(age / score) FROM stays", "column 12, age / score: by its public bounds the divisor could be 0"),
    ("SELECT SUM(age / NULLIF(score, 0)) FROM stays", "the divisor could be 0; GREATEST"),
    ("SELECT SUM(cost // 2) FROM stays", "// of reals; FLOOR"),
    ("SELECT SUM(score // 2) FROM stays", "// of what could be negative"),
    ("SELECT COUNT(*) FROM stays WHERE age", "column 34, age: a condition is needed"),
    ("SELECT COUNT(*) FROM stays WHERE ward > 'a'", "they have no order"),
    ("SELECT COUNT(*) FROM stays WHERE age = 'old'", "kind category and integer cannot be compared"),
    ("SELECT COUNT(*) FROM stays WHERE ward + 1 > 2", r"\+ of a value of kind category, which is no number"),
    ("SELECT COUNT(*) FROM stays WHERE died + 1 > 2", "CAST.*counts true as 1"),
    ("SELECT COUNT(*) FROM stays WHERE age LIKE '1%'", "LIKE is for columns of categories"),
    ("SELECT COUNT(*) FROM stays WHERE ward LIKE ward", "LIKE takes a literal text"),
    ("SELECT COUNT(*) FROM stays WHERE seen > '2020-13-45'", "write it DATE 'YYYY-MM-DD'"),
    ("SELECT COUNT(*) FROM stays WHERE EXTRACT(dow FROM seen) = 1", "there are year, quarter, month and day"),
    ("SELECT COUNT(*) FROM stays WHERE UPPER(ward) = 'A'", "UPPER is not among what can be computed; there are arith"),
    ("SELECT COUNT(*) FROM stays WHERE foo(age) = 1", "there is no function foo"),
    ("SELECT SUM(SQRT(age)) FROM stays", "SQRT is not among"),
    ("SELECT SUM(age ^ 2) FROM stays", "POW.* is not among"),
    ("SELECT SUM(RANDOM()) FROM stays", "RAND.* is not among"),
    ("SELECT COUNT(*) FROM stays WHERE age IN (SELECT age FROM bravo.people)", "rows of others decide"),
    ("SELECT COUNT(*) FROM stays WHERE EXISTS (SELECT 1 FROM visits)", "EXISTS of anything but SELECT"),
    ("SELECT COUNT(*) FROM stays WHERE age > (SELECT AVG(income) FROM people)", "a SELECT within an expression"),
    ("SELECT COUNT(*) FROM stays WHERE SUM(age) > 3", "SUM of rows one by one; aggregates stand in SELECT, HAVING"),
    ("SELECT SUM(AVG(age)) FROM stays", "AVG of rows one by one"),
    ("SELECT COUNT(DISTINCT ward) FROM stays", "it is not what tells people apart"),
    ("SELECT COUNT(DISTINCT age, score) FROM stays", "takes one person key"),
    ("SELECT SUM(DISTINCT age) FROM stays", "DISTINCT but for COUNT"),
    ("SELECT STRING_AGG(ward, ',') FROM stays", "is none of the aggregates"),
    ("SELECT ARRAY_AGG(age) FROM stays", "is none of the aggregates"),
    ("SELECT CORR(age, score) FROM stays", "is none of the aggregates; there are COUNT, SUM"),
    ("SELECT MODE(ward) FROM stays", "is none of the aggregates|is not among"),
    ("SELECT QUANTILE_CONT(age, score) FROM stays", "a literal share from 0 to 1"),
    ("SELECT QUANTILE_CONT(age, 1.5) FROM stays", "a literal share from 0 to 1"),
    ("SELECT SUM(age) OVER () FROM stays", "WINDOW"),
    ("SELECT ROW_NUMBER() OVER (ORDER BY age) FROM stays", "WINDOW"),
    ("SELECT DISTINCT ward FROM stays", "DISTINCT; GROUP BY shows each group once"),
    ("SELECT COUNT(*) FROM stays UNION ALL SELECT COUNT(*) FROM visits", "UNION ALL goes into FROM"),
    (
        "SELECT COUNT(*) FROM (SELECT ward FROM alfa.stays UNION SELECT ward FROM bravo.stays) t",
        "UNION but for UNION ALL",
    ),
    ("SELECT COUNT(*) FROM (SELECT ward FROM stays LIMIT 3) t", "LIMIT within a derived table"),
    ("SELECT COUNT(*) FROM (SELECT DISTINCT ward FROM stays) t", "DISTINCT within a derived table"),
    ("SELECT COUNT(*) FROM (SELECT ward, COUNT(*) AS n FROM stays GROUP BY ward) t", "there it takes the person key"),
    ("SELECT COUNT(*) FROM (SELECT person, COUNT(*) AS n FROM visits GROUP BY person) t", "take UNION ALL of these"),
    (
        "SELECT COUNT(*) FROM (SELECT s.age FROM alfa.stays s JOIN bravo.people USING (person)) t",
        "JOIN within a derived",
    ),
    (
        "SELECT COUNT(*) FROM alfa.stays JOIN bravo.people ON alfa.stays.age = bravo.people.income",
        "ON without the person",
    ),
    ("SELECT COUNT(*) FROM alfa.stays, bravo.people", "a join without a key"),
    ("SELECT COUNT(*) FROM alfa.stays CROSS JOIN bravo.people", "CROSS JOIN"),
    ("SELECT COUNT(*) FROM alfa.stays FULL JOIN bravo.people USING (person)", "FULL JOIN; JOIN and LEFT JOIN"),
    ("SELECT COUNT(*) FROM alfa.stays RIGHT JOIN bravo.people USING (person)", "RIGHT JOIN; JOIN and LEFT JOIN"),
    ("SELECT COUNT(*) FROM alfa.stays NATURAL JOIN bravo.people", "JOIN with method"),
    ("SELECT COUNT(*) FROM stays JOIN bravo.people USING (person)", "a join of a union of tables; name one member's"),
    ("SELECT COUNT(*) FROM alfa.visits JOIN bravo.visits USING (person)", "two tables of one name; give each an alias"),
    ("SELECT COUNT(*) FROM alfa.visits a JOIN bravo.visits b USING (person)", "a person has several rows in"),
    ("SELECT COUNT(*) FROM alfa.stays s LEFT JOIN bravo.visits v USING (person)", "of LEFT JOIN the first"),
    ("SELECT COUNT(*) FROM alfa.stays a JOIN alfa.stays b USING (person)", "is named twice"),
    (
        "SELECT COUNT(*) FROM alfa.stays JOIN bravo.people USING (person) WHERE person = 3",
        "several tables have this column",
    ),
    ("SELECT MEDIAN(s.age + p.income) FROM alfa.stays s JOIN bravo.people p USING (person)", "take columns of one"),
    (
        "SELECT MEDIAN(p.income) FROM alfa.stays s LEFT JOIN bravo.people p USING (person)",
        "joined by LEFT JOIN; JOIN it",
    ),
    (
        "SELECT SUM(s.age / (p.rate + 1)) FROM alfa.stays s JOIN bravo.people p USING (person)",
        "/ over columns of several",
    ),
    ("SELECT COUNT(*) FROM stays ORDER BY 3", "ORDER BY 3: there are 1 columns"),
    ("SELECT COUNT(*) FROM stays GROUP BY 2", "GROUP BY 2: there are 1 columns"),
    ("SELECT COUNT(*) FROM stays GROUP BY ROLLUP (ward)", "ROLLUP is not among"),
    ("SELECT COUNT(*) FROM stays LIMIT age", "LIMIT takes a literal whole number"),
    ("SELECT COUNT(*) FROM stays HAVING age > 3", "neither aggregated nor grouped by"),
    ("SELECT COUNT(*) FROM stays QUALIFY COUNT(*) > 3", "QUALIFY"),
    ("SELECT COUNT(*) FROM stays TABLESAMPLE (10 PERCENT)", "SAMPLE|sample"),
    ("SELECT COUNT(*) FROM read_csv('/etc/passwd')", "no table; name a published one"),
    ("SELECT COUNT(*)", "SELECT without FROM"),
    ("SELECT COUNT(*) FROM (VALUES (1)) t", "FROM VALUES"),
    ("DROP TABLE stays", "only SELECT ... FROM ... runs"),
    ("INSERT INTO stays VALUES (1)", "only SELECT"),
    ("COPY stays TO '/tmp/x'", "only SELECT"),
    ("SELECT CAST(cost AS INTEGER), COUNT(*) FROM stays GROUP BY 1", "ROUND or FLOOR makes integers"),
    ("SELECT COUNT(*) FROM stays WHERE CAST(age AS VARCHAR) = '3'", "a cast of a value of kind integer"),
    ("SELECT SUM(age * 9223372036854775807) FROM stays", "a number beyond 2.62"),
    ("SELECT SUM(age * 4611686018427387903) FROM stays", r"could go beyond 2\^62"),
    ("WITH RECURSIVE a AS (SELECT 1) SELECT COUNT(*) FROM a", "WITH RECURSIVE"),
    ("SELECT COUNT(*) FROM stays WHERE age = $1", "PLACEHOLDER|PARAMETER"),
]

UNBOUND = [
    ("SELECT COUNT(*) FROM stay", "line 1, column 22, stay: no table 'stay' is published; is it stays?"),
    ("SELECT COUNT(*) FROM alpha.stays", "no member 'alpha' publishes a table; is it alfa?"),
    ("SELECT COUNT(*) FROM alfa.people", "no table 'people' is published; there are stays, visits"),
    ("SELECT SUM(agee) FROM stays", "column 12, agee: no column 'agee' is published; is it age?"),
    ("SELECT SUM(t.age) FROM stays s", "no table 't' in FROM"),
    ("SELECT COUNT(*) FROM stays WHERE ward = 'nroth'", "'nroth' is none of the public categories; is it north"),
    ("SELECT COUNT(*) FROM stays WHERE ward IN ('north', 'moon')", "'moon' is none of the public categories"),
]  # fmt: skip

INVALID = [
    ("SELECT COUNT(* FROM stays", r"line 1, column \d+"),
    ("SELECT COUNT(*) FROM stays WHERE", "line 1"),
    ("SELECT 'abc FROM stays", "quote that is not closed"),
    ("SELECT COUNT(*) FROM stays; SELECT 1", "2 statements"),
    ("", "an empty text"),
    ("-- nothing", "an empty text"),
    ("SELECT " + "(" * 40 + "1" + ")" * 40, "nested more than"),
    ("SELECT COUNT(*) FROM stays WHERE age > " + "+".join(["1"] * 300), "nested more than"),
    ("SELECT " + "1," * 9000 + "1 FROM stays", "more than 16 KiB"),
    ("SELECT COUNT(*) FROM stays -- " + "é" * 9000, "more than 16 KiB"),
    ("SELECT \ud800", "half a character"),
]


def refused(world: World, text: str, **more: Any) -> AccordError:
    with pytest.raises(AccordError) as raised:
        world.plan(text, **({"show_matches": True} if "JOIN" in text else {}), **more)
    return raised.value


@pytest.mark.parametrize(("text", "match"), UNSUPPORTED)
def test_what_cannot_run(world: World, text: str, match: str) -> None:
    error = refused(world, text)
    assert type(error) is SqlUnsupported, error
    with pytest.raises(SqlUnsupported, match=match):
        raise error


@pytest.mark.parametrize(("text", "match"), UNBOUND)
def test_names_nobody_publishes(world: World, text: str, match: str) -> None:
    error = refused(world, text)
    assert type(error) is SqlUnbound, error
    with pytest.raises(SqlUnbound, match=match):
        raise error


@pytest.mark.parametrize(("text", "match"), INVALID)
def test_what_is_no_query(world: World, text: str, match: str) -> None:
    error = refused(world, text)
    assert type(error) is SqlInvalid, error
    with pytest.raises(SqlInvalid, match=match):
        raise error


def test_parameters(world: World) -> None:
    count = "SELECT COUNT(*) FROM stays"
    with pytest.raises(ParametersInvalid, match="unknown parameter 'unsafe_exact'"):
        world.plan(count, unsafe_exact=True)
    with pytest.raises(ParametersInvalid, match="pad and show_matches are for joins"):
        world.plan(count, show_matches=True)
    with pytest.raises(ParametersInvalid, match="minimum is a whole number"):
        world.plan(count, minimum=0)
    with pytest.raises(SqlInvalid, match="EXPLAIN is no job"):
        world.plan("EXPLAIN " + count)
    by = charter(*(member(i) for i in range(3)))
    for wrong in (world.catalogue, world.tables(count)[:0], [world.catalogue[0], world.catalogue[0]]):
        with pytest.raises((ParametersInvalid, SqlUnbound, SqlUnsupported)):
            QUERY.check({"sql": count, "epsilon": 1.0}, wrong, by)
    with pytest.raises(ParametersInvalid, match="'sql' is missing"):
        QUERY.check({"epsilon": 1.0}, world.tables(count), by)
    with pytest.raises(ParametersInvalid, match="one member sees how many people match"):
        world.plan("SELECT COUNT(*) FROM alfa.stays JOIN bravo.people USING (person)")


def test_a_join_is_between_members_who_compute(world: World) -> None:
    text = "SELECT COUNT(*) FROM alfa.stays JOIN charlie.sales USING (person)"
    by = charter(member(0), member(1), member(2, "input"), member(3))
    with pytest.raises(TableUnfit, match="charlie does not compute"):
        QUERY.check({"sql": text, "epsilon": 1.0, "show_matches": True}, world.tables(text), by)


def test_sums_that_could_leave_the_ring_are_refused_before_anything_runs(world: World) -> None:
    with pytest.raises(GridOverflow):
        world.plan("SELECT SUM(age * 1000000000000000) FROM stays")


# -- arbitrary texts ---------------------------------------------------------------------------

_WORDS = (  # noqa: SIM905
    "SELECT FROM WHERE GROUP BY HAVING ORDER LIMIT JOIN USING ON AND OR NOT CASE WHEN THEN ELSE END IN LIKE IS NULL UNION "
    "ALL COUNT SUM AVG MIN MEDIAN ( ) ( ) , , . * + - / % = <> < > 1 0.5 'north' '2020-01-01' age cost score ward died "
    "seen person stays alfa bravo people t x AS WITH DISTINCT INTERVAL DAY EXTRACT year CAST INTEGER DATE :: [ ] { } -> "
    'OVER PARTITION EXISTS BETWEEN VALUES LATERAL UNNEST PIVOT QUALIFY SAMPLE $1 ? ; -- /* */ @ # ~ ^ | & || " ` \\ é \x00'
).split(" ")


def texts(seed: int) -> str:
    rng = random.Random(seed)
    kind = rng.randrange(5)
    if kind == 0:
        return "".join(rng.choice(string.printable) for _ in range(rng.randrange(200)))
    if kind == 1:
        return "SELECT " + " ".join(rng.choice(_WORDS) for _ in range(rng.randrange(60)))
    base = rng.choice(HAND) if kind < 4 else drawn(rng.randrange(10_000))
    words = base.replace("(", " ( ").replace(")", " ) ").replace(",", " , ").split()
    for _ in range(rng.randrange(1, 5)):
        at = rng.randrange(len(words))
        what = rng.randrange(4)
        if what == 0:
            words[at] = rng.choice(_WORDS)
        elif what == 1:
            words.insert(at, rng.choice(_WORDS))
        elif what == 2 and len(words) > 1:
            del words[at]
        else:
            other = rng.randrange(len(words))
            words[at], words[other] = words[other], words[at]
    return " ".join(words)


@pytest.mark.parametrize("seed", range(20))
def test_any_text_is_a_plan_or_a_named_error(world: World, seed: int) -> None:
    for i in range(40):
        text = texts(seed * 1000 + i)
        try:
            tables_of(text, world.catalogue)
            world.plan(text, minimum=5, **({"show_matches": True} if i % 2 else {}))
        except AccordError as error:
            assert len(str(error)) < 2000


@pytest.mark.parametrize(
    "text",
    [
        "SELECT " + "COUNT(*), " * 1500 + "1 FROM stays",
        "SELECT COUNT(*) FROM stays WHERE " + " OR ".join(["age = 1"] * 1500),
        "SELECT COUNT(*) FROM stays WHERE age IN (" + ", ".join(["1"] * 5000) + ")",
        "SELECT COUNT(*) FROM stays WHERE ward LIKE '" + "%a" * 120 + "'",
        "SELECT COUNT(*) FROM stays WHERE ward LIKE '" + "%_" * 4000 + "'",
        "SELECT SUM(" + "ROUND(" * 20 + "cost" + ")" * 20 + ") FROM stays",
        "SELECT SUM(" + "ROUND(0.5 + " * 20 + "cost" + ")" * 20 + ") FROM stays",
        "SELECT SUM(" + "GREATEST(1, age + " * 20 + "age" + ")" * 20 + ") FROM stays",
        "SELECT SUM(" + " * ".join(["cost"] * 40) + ") FROM stays",
        "SELECT SUM(" + " * ".join(["0.1"] * 40) + " + age) FROM stays",
        "WITH a AS (SELECT age + age AS x FROM stays), "
        + ", ".join(f"b{i} AS (SELECT x + x AS x FROM {f'b{i - 1}' if i else 'a'})" for i in range(40))
        + " SELECT SUM(x) FROM b39",
        "WITH a AS (SELECT died AND died AS x FROM stays), "
        + ", ".join(f"b{i} AS (SELECT x AND x AND x AS x FROM {f'b{i - 1}' if i else 'a'})" for i in range(40))
        + " SELECT COUNT(*) FROM b39 WHERE x",
        "WITH a AS (SELECT * FROM b), b AS (SELECT * FROM a) SELECT COUNT(*) FROM b",
        "SELECT COUNT(*) FROM " + "(SELECT * FROM " * 22 + "stays" + ") t" * 22,
        "SELECT COUNT(*) FROM stays " + "JOIN stays " * 1000,
        "SELECT COUNT(*) FROM stays " + "JOIN bravo.people USING (person) " * 400,
        "SELECT COUNT(*) FROM (" + " UNION ALL ".join(["SELECT 1 FROM stays"] * 500) + ") t",
        "SELECT COUNT(*) FROM stays GROUP BY " + ", ".join(["ward", "died"] * 700),
        "SELECT COUNT(*) FROM stays GROUP BY "
        + ", ".join(f"CASE WHEN age > {i} THEN 'a' ELSE 'b' END" for i in range(200)),
        "SELECT " + " + ".join(f"SUM(age + {i})" for i in range(50)) + " FROM stays",
        "SELECT " + ", ".join(f"SUM(age + {i})" for i in range(500)) + " FROM stays",
        "SELECT ROUND(COUNT(*), 99999999999999999999999) FROM stays",
        "SELECT 1e400 * COUNT(*), 1e308 * 1e308 FROM stays",
        "SELECT COUNT(*) FROM stays WHERE seen + 99999999 > seen",
        "SELECT SUM(YEAR(seen + 99999999)) FROM stays",
        "SELECT COUNT(*) FROM stays LIMIT 99999999999999999999999999",
    ],
)
def test_large_texts_are_bounded(world: World, text: str) -> None:
    """Each is answered, or refused by name; the test's timeout says that it does not take long."""
    try:
        world.plan(text, minimum=5)
    except AccordError as error:
        assert len(str(error)) < 2000


def test_what_is_written_out_for_an_engine_is_bounded_in_all(world: World) -> None:
    """A derived table says an expression once, and every use of it is another copy at the owner."""
    source = "alfa.stays"
    for i in range(10):
        source = f"(SELECT {'c + c' if i else 'score + score'} AS c FROM {source}) t{i}"
    for uses in (4, 40):
        groups = ", ".join(f"CASE WHEN c > {i} THEN 'a' ELSE 'a' END" for i in range(uses))
        text = f"SELECT COUNT(*) FROM {source} GROUP BY {groups}"
        if uses == 4:
            world.plan(text)
            continue
        with pytest.raises(SqlUnsupported, match="more than 16000 parts in all; ask in several queries"):
            world.plan(text)
