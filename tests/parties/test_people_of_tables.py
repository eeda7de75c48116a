"""Rows of people who are among those of another table, wherever each of the two is: pandas is the oracle."""

from __future__ import annotations

import os
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import parties.data.tables as tables_module
from parties.consent.rules import check_sources
from parties.data.expression_types import Type, type_of
from parties.data.published import PublishedColumn, PublishedTable
from parties.data.row_expression import Column, Expr, call, literal
from parties.data.row_query import Among, Output, RowQuery, Total, total_type
from parties.data.table_parts import Parts
from parties.data.tables import Reading, Table, open_table
from parties.errors import ColumnMissing, SourceApart, TableMissing, ValueUnfit
from parties.running.own_rows_kept import OwnRows
from protocols.errors import CapacityExceeded, TableChanged
from tests.parties import postgres
from tests.parties.tabular import COLUMNS, frame, save, table

AGE, COST = (Column(name, type_of(COLUMNS[name])) for name in ("age", "cost"))
PERSON = Column("id", Type("key"))
HERE = Column("?0", Type("boolean", Fraction(0), Fraction(1)))
OLD = call(">", AGE, literal(50, "integer"))


def published(name: str, source: Path | str, **more: Any) -> PublishedTable:
    found = table(source, **more)
    return PublishedTable(**{**found.__dict__, "name": name})


def people(where: Expr | None = None, totals: Any = None, having: Expr | None = None, table: str = "others") -> Among:
    return Among("?0", table, RowQuery(where, totals, having, ()))


def rows(among: Among, where: Expr | None = HERE, **more: Any) -> RowQuery:
    outputs = tuple(Output(f"x{i}", one, one.type) for i, one in enumerate((PERSON, AGE, HERE)))
    return RowQuery(where, more.get("totals"), more.get("having"), more.get("outputs", outputs), (among,))


def read(query: RowQuery, mine: PublishedTable, *others: PublishedTable) -> dict[str, list[Any]]:
    found = OwnRows().all(mine, Reading(query=query), others)
    return {name: list(values) for name, values in found.items()}


def plain(made: pd.DataFrame) -> pd.DataFrame:
    """As published: somebody's, cut to bounds, missing ones replaced."""
    here = made[made["id"].notna()].copy()
    here["age"] = here["age"].astype("Float64").fillna(7).clip(0, 100).astype("int64")
    here["cost"] = here["cost"].fillna(0.25).clip(-10, 50.5)
    return here


MINE, THEIRS = frame(31, 90), frame(32, 60)
OLD_ONES = set(plain(THEIRS).query("age > 50")["id"])


def expected(chosen: set[str]) -> list[tuple[str, int]]:
    here = plain(MINE)
    return sorted((one, age) for one, age in zip(here["id"], here["age"], strict=True) if one in chosen)


def pairs(found: dict[str, list[Any]]) -> list[tuple[str, int]]:
    return sorted(zip(found["x0"], map(int, found["x1"]), strict=True))


@pytest.mark.parametrize("endings", [("parquet", "csv"), ("csv", "jsonl"), ("jsonl", "parquet")])
def test_of_files(tmp_path: Path, endings: tuple[str, str]) -> None:
    mine = published("mine", save(MINE, tmp_path / f"m.{endings[0]}"))
    others = published("others", save(THEIRS, tmp_path / f"o.{endings[1]}"))
    assert 5 < len(OLD_ONES) < plain(MINE)["id"].nunique()
    assert pairs(read(rows(people(OLD)), mine, others)) == expected(OLD_ONES)
    everybody = read(rows(people(OLD), None), mine, others)
    assert [bool(flag) for flag in everybody["x2"]] == [one in OLD_ONES for one in everybody["x0"]]
    assert set(everybody["x2?"]) == {1}
    nobody = people(call("<", AGE, literal(0, "integer")))
    assert not read(rows(nobody), mine, others)["x0"]
    assert len(read(rows(nobody, call("not", HERE)), mine, others)["x0"]) == len(plain(MINE))


def test_of_totals_on_both_sides(tmp_path: Path) -> None:
    mine = published("mine", save(MINE, tmp_path / "m.parquet"))
    others = published("others", save(THEIRS, tmp_path / "o.parquet"))
    total = Total("sum", AGE)
    summed = Column("#0", total_type("sum", AGE, 100))
    among = people(None, (total,), call(">", summed, literal(150, "integer")))
    sums = plain(THEIRS).groupby("id")["age"].sum()
    assert pairs(read(rows(among), mine, others)) == expected(set(sums[sums > 150].index))
    outputs = tuple(Output(f"x{i}", one, one.type) for i, one in enumerate((PERSON, summed, HERE)))
    found = read(rows(among, None, totals=(total,), outputs=outputs), mine, others)
    theirs, here = sums[sums > 150], plain(MINE).groupby("id")["age"].sum()
    assert pairs(found) == sorted(here.items()) and sum(map(bool, found["x2"])) == len(
        set(theirs.index) & set(here.index)
    )
    kept = read(rows(among, None, totals=(total,), having=call("not", HERE), outputs=outputs), mine, others)
    assert {one for one, _ in pairs(kept)} == set(here.index) - set(theirs.index)


def test_totals_are_of_so_many_rows_as_were_published(tmp_path: Path) -> None:
    mine = published("mine", save(MINE, tmp_path / "m.parquet"))
    others = published("others", save(THEIRS, tmp_path / "o.parquet"), rows_a_person=1)
    counted = Column("#0", total_type("count", None, 1))
    among = people(None, (Total("count", None),), call(">", counted, literal(1, "integer")))
    assert plain(THEIRS)["id"].value_counts().max() > 1 and not read(rows(among), mine, others)["x0"]


def test_of_the_table_itself_and_within_one_another(tmp_path: Path) -> None:
    mine = published("mine", save(MINE, tmp_path / "m.parquet"))
    others = published("others", save(THEIRS, tmp_path / "o.csv"))
    old = {one for one, age in expected(set(plain(MINE)["id"])) if age > 50}
    assert pairs(read(rows(people(OLD, table="mine")), mine, mine)) == expected(old)
    inner = RowQuery(call("and", HERE, OLD), None, None, (), (people(OLD, table="mine"),))
    query = rows(Among("?0", "others", inner))
    assert query.others == ("others", "mine")
    assert pairs(read(query, mine, others, mine)) == expected(OLD_ONES & old)


def test_another_table_that_does_not_fit_ends_it_whoever_is_asked_for(tmp_path: Path) -> None:
    mine = published("mine", save(MINE, tmp_path / "m.parquet"))
    unfit = THEIRS.astype({"age": object})
    unfit.loc[3, ["id", "age"]] = "p01", "many"
    others = published("others", save(unfit, tmp_path / "o.csv"))
    nobody = people(call("<", AGE, literal(0, "integer")))
    with pytest.raises(ValueUnfit, match="table others, column age: some values are no whole numbers"):
        read(rows(nobody), mine, others)
    small = published("others", save(THEIRS, tmp_path / "p.csv"), capacity=20)
    with pytest.raises(CapacityExceeded, match="table others: more rows than its capacity of 20"):
        read(rows(nobody), mine, small)
    with pytest.raises(TableMissing, match="table mine: it is asked for the people of others, which is not open"):
        read(rows(nobody), mine)
    with pytest.raises(ColumnMissing, match="not published"):
        read(rows(people(call(">", Column("none", AGE.type), AGE))), mine, others)


def test_another_table_that_changes_is_noticed(tmp_path: Path) -> None:
    mine = published("mine", save(MINE, tmp_path / "m.parquet"))
    others = published("others", save(THEIRS, tmp_path / "o.parquet"))
    with open_table(mine, (others,)) as opened:
        stream = opened.read(Reading(query=rows(people(OLD), None)), rows=20)
        next(stream)
        os.utime(others.source, ns=(1, 1))
        with pytest.raises(TableChanged, match="table mine"):
            list(stream)
    kept, query = OwnRows(), rows(people(OLD))
    before = list(kept.all(mine, Reading(query=query), (others,))["x0"])
    save(THEIRS[THEIRS["age"].isna()], tmp_path / "o.parquet")
    assert before and not len(kept.all(mine, Reading(query=query), (others,))["x0"])


def test_keys_of_several_widths_are_one_in_each_part_of_the_people(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DuckDB's hash of a negative number depends on its type."""
    columns = {"id": PublishedColumn("id", "key", frozenset({"join"}), profile="integer"), "age": COLUMNS["age"]}
    keys = range(-100, 100)
    tables = {}
    for name, dtype in (("mine", "int32"), ("others", "int64"), ("large", "object")):
        made = pd.DataFrame({"id": pd.Series(list(keys), dtype=dtype), "age": 60})
        if dtype == "object":
            made["id"] = made["id"].map(Decimal)
        made.to_parquet(tmp_path / f"{name}.parquet")
        tables[name] = published(name, tmp_path / f"{name}.parquet", columns=columns)
    monkeypatch.setattr(tables_module, "Parts", lambda: Parts(3))
    outputs = tuple(Output(f"x{i}", one, one.type) for i, one in enumerate((PERSON, AGE)))
    for other in ("others", "large"):
        query = RowQuery(HERE, None, None, outputs, (people(OLD, table=other),))
        assert sorted(read(query, tables["mine"], tables[other])["x0"]) == list(keys)


def test_a_query_that_names_a_condition_often_looks_at_its_table_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = published("mine", save(MINE, tmp_path / "m.parquet"))
    others = published("others", save(THEIRS, tmp_path / "o.parquet"))
    surveys, fits = [], Table._fits
    monkeypatch.setattr(Table, "_fits", lambda self, *rest: surveys.append(self.published.name) or fits(self, *rest))
    innermost = people(OLD, table="mine")
    inner = [
        Among(
            f"?{k}",
            "others",
            RowQuery(call("and", HERE, call(">", AGE, literal(k, "integer"))), None, None, (), (innermost,)),
        )
        for k in (1, 2)
    ]
    second = Column("?2", HERE.type)
    first = Column("?1", HERE.type)
    outputs = tuple(Output(f"x{i}", one, one.type) for i, one in enumerate((PERSON, AGE)))
    read(RowQuery(call("or", first, second), None, None, outputs, tuple(inner)), mine, others, mine)
    assert surveys == ["mine", "others", "others", "mine"]


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Cluster]:
    with postgres.cluster() as made:
        with made.connect() as connection, connection.cursor() as cursor:
            for name, given in (("mine", MINE), ("others", THEIRS)):
                cursor.execute(
                    f'CREATE TABLE {name} (id varchar, age bigint, cost double precision, "Sex (m/f)" text, ward text, '
                    "dead boolean, seen date, count smallint)"
                )
                filled = given.astype(object).itertuples(index=False, name=None)
                cursor.executemany(
                    f"INSERT INTO {name} VALUES (%s,%s,%s,%s,%s,%s,%s,%s)",
                    [tuple(None if pd.isna(x) else x for x in row) for row in filled],
                )
        yield made


@pytest.mark.skipif(bool(postgres.missing()), reason=postgres.missing() or "there is one")
def test_of_postgres_alone_and_beside_a_file(tmp_path: Path, server: postgres.Cluster) -> None:
    def there(name: str, more: str = "") -> PublishedTable:
        source = f"postgres://tester@:{server.port}/postgres?host={server.directory}{more}&table={name}"
        return published(name, source)

    query = rows(people(OLD))
    assert pairs(read(query, there("mine"), there("others"))) == expected(OLD_ONES)
    mine = published("mine", save(MINE, tmp_path / "m.parquet"))
    assert pairs(read(query, mine, there("others"))) == expected(OLD_ONES)
    assert pairs(read(rows(people(OLD)), there("mine"), there("others"))) == expected(OLD_ONES)
    third = Among("?0", "third", RowQuery(OLD, None, None, ()))
    nested = rows(Among("?0", "others", RowQuery(call("and", HERE, OLD), None, None, (), (third,))))
    again = published("third", there("others").source)
    assert pairs(read(nested, mine, there("others"), again)) == expected(OLD_ONES), "one connection for both"
    others = published("others", save(THEIRS, tmp_path / "o.parquet"))
    for apart in (others, there("others", "&connect_timeout=9")):
        with pytest.raises(SourceApart, match="table mine: its database is read only, and cannot be given people"):
            read(query, there("mine"), apart)
        with pytest.raises(SourceApart, match="table mine"):  # so says a node before it takes part
            check_sources(query, there("mine"), {"others": apart})
        check_sources(query, mine, {"others": apart})
    check_sources(query, there("mine"), {"others": there("others")})


@pytest.mark.slow
def test_of_spark_alone_and_beside_a_file(tmp_path: Path) -> None:
    pytest.importorskip("pyspark")
    paths = [save(one, tmp_path / name) for one, name in ((MINE, "m.parquet"), (THEIRS, "o.parquet"))]
    query = rows(people(OLD))
    for sources in (("spark:", "spark:"), ("", "spark:"), ("spark:", "")):
        mine, others = (
            published(name, f"{source}{path}")
            for name, source, path in zip(("mine", "others"), sources, paths, strict=True)
        )
        assert pairs(read(query, mine, others)) == expected(OLD_ONES), sources
