"""Reading a published table: equal to what pandas computes, whatever holds the rows; bounded, pushed down, batched."""

from __future__ import annotations

import dataclasses
import datetime
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc.errors import OutOfRange
from parties.data.column_ranges import range_of
from parties.data.published import PublishedColumn
from parties.data.row_filter import AllOf, AnyOf, Compare, Filter, Not
from parties.data.tables import Reading, open_table
from parties.errors import BoundsMissing, ColumnMissing, FilterInvalid, ValueUnfit
from protocols.errors import CapacityExceeded, ColumnUnfit, TableChanged
from protocols.keys import digests
from protocols.profiles import EMAIL_ADMAP, INTEGERS, TEXT
from tests.parties.tabular import COLUMNS, FILTERS, expected, frame, gathered, in_order, save, table

ALL = tuple(COLUMNS)
ENDINGS = (".csv", ".parquet", ".jsonl")
leaves = st.sampled_from(FILTERS)
filters: st.SearchStrategy[Filter] = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(lambda parts: AllOf(tuple(parts)), st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda parts: AnyOf(tuple(parts)), st.lists(inner, min_size=1, max_size=3)),
    ),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, pd.DataFrame]]:
    made = frame(1, 300)
    where = tmp_path_factory.mktemp("tables")
    return {ending: (save(made, where / f"t{ending}"), made) for ending in ENDINGS}


@pytest.mark.parametrize("ending", ENDINGS)
def test_batches_are_what_pandas_makes_of_the_rows(ending: str, places: dict[str, tuple[Path, pd.DataFrame]]) -> None:
    path, made = places[ending]
    with open_table(table(path)) as opened:
        batches = list(opened.read(Reading(ALL), rows=37))
        assert opened.check(Reading(ALL)) == len(expected(made))
    assert max(map(len, batches)) <= 37 and len(batches) > 3
    read = gathered(batches)
    assert [read[name].dtype.kind for name in ALL] == ["O", "i", "f", "i", "i", "i", "i", "i"]
    assert (read.pop("#") == 1).all()
    assert in_order(read) == in_order(expected(made))


@pytest.mark.parametrize(("ending", "step"), [(".parquet", 1), (".csv", 5)])
def test_every_comparison_is_pandas_own(ending: str, step: int, places: dict[str, tuple[Path, pd.DataFrame]]) -> None:
    path, made = places[ending]
    with open_table(table(path)) as opened:
        for where in FILTERS[::step]:
            read = gathered(list(opened.read(Reading(("age", "cost"), where))))
            wanted = expected(made, where)[["age", "cost"]]
            assert len(read) == len(wanted), where
            assert len(read) == 0 or in_order(read[["age", "cost"]]) == in_order(wanted), where


@settings(max_examples=15, deadline=None)
@given(where=filters)
def test_filters_of_any_form(where: Filter, places: dict[str, tuple[Path, pd.DataFrame]]) -> None:
    path, made = places[".parquet"]
    with open_table(table(path)) as opened:
        read = gathered(list(opened.read(Reading(("age", "cost"), where))))
    wanted = expected(made, where)[["age", "cost"]]
    assert len(read) == len(wanted)
    assert len(read) == 0 or in_order(read[["age", "cost"]]) == in_order(wanted)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), rows=st.integers(1, 5))
def test_a_person_keeps_so_many_rows_and_always_the_same(
    seed: int, rows: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    made = frame(seed)
    where = tmp_path_factory.mktemp("bounded")
    kept = []
    for path in (save(made, where / "t.parquet"), save(made.sample(frac=1, random_state=1), where / "u.parquet")):
        with open_table(table(path, rows_a_person=rows)) as opened:
            kept.append(gathered(list(opened.read(Reading(ALL)))))
    assert in_order(kept[0]) == in_order(kept[1])
    wanted = expected(made)
    had = wanted["id"].value_counts()
    assert kept[0]["id"].value_counts().to_dict() == had.clip(upper=rows).to_dict()
    left = Counter(in_order(wanted))
    left.subtract(Counter(in_order(kept[0][list(ALL)])))
    assert min(left.values()) >= 0  # no row that was not there


@pytest.mark.parametrize("ending", ENDINGS)
def test_totals_by_person(ending: str, places: dict[str, tuple[Path, pd.DataFrame]]) -> None:
    path, made = places[ending]
    where = Compare("age", "<", 100)
    summed = ["age", "cost", "dead", "count"]
    with open_table(table(path)) as opened:
        read = gathered(list(opened.read(Reading(("id", *summed), where, by_person=True)))).set_index("id").sort_index()
    groups = expected(made, where).groupby("id")
    pd.testing.assert_series_equal(read["#"], groups.size(), check_names=False)
    pd.testing.assert_frame_equal(read[summed], groups[summed].sum(), check_exact=False, rtol=1e-12)


def test_totals_are_of_the_kept_rows_and_within_their_range(places: dict[str, tuple[Path, pd.DataFrame]]) -> None:
    path, _ = places[".parquet"]
    published = table(path, rows_a_person=2)
    with open_table(published) as opened:
        rows = gathered(list(opened.read(Reading(("id", "age", "count")))))
        read = gathered(list(opened.read(Reading(("id", "age", "count"), by_person=True)))).set_index("id")
        without = gathered(list(opened.read(Reading(("age",), by_person=True))))
    pd.testing.assert_frame_equal(
        read[["age", "count"]].sort_index(), rows.groupby("id")[["age", "count"]].sum(), check_exact=True
    )
    assert read["#"].max() == 2
    assert list(without.columns) == ["age", "#"] and len(without) == len(read)
    assert range_of(published, "age", by_person=True) == (0, 200)
    assert range_of(published, "count", by_person=True) == (-6, 6)
    assert range_of(published, "seen") == (18271, 18687)
    assert range_of(published, "dead") == (0, 1)


def test_the_engine_filters_projects_and_adds_up(places: dict[str, tuple[Path, pd.DataFrame]]) -> None:
    with open_table(table(places[".parquet"][0])) as opened:
        reading = Reading(("id", "cost"), Compare("age", ">=", 18), by_person=True)
        plain = opened.sql(dataclasses.replace(reading, by_person=False), bounding=False)
        bounded = opened.sql(reading)
        assert '"age" >= 18' in plain and "WHERE" in plain
        assert "ward" not in plain and "seen" not in plain and "ROW_NUMBER" not in plain
        assert "ROW_NUMBER() OVER (PARTITION BY" in bounded and "GROUP BY" in bounded and "SUM(" in bounded
        plan = opened.source.backend.con.execute("EXPLAIN " + plain).fetchall()[0][1]
        assert "ward" not in plan and "READ_PARQUET" in plan.upper()


def test_the_first_rows_by_an_order_of_the_members_own(tmp_path: Path) -> None:
    made = pd.DataFrame({"id": ["a", "b"] * 6, "when": range(12, 0, -1), "age": range(12)})
    path = save(made.assign(seen=None), tmp_path / "t.csv")
    made["when"] = [f"{x:02d}" for x in made["when"]]  # texts, as all is in a CSV file
    path = save(made.assign(seen=None), tmp_path / "t.csv")
    columns = {name: COLUMNS[name] for name in ("id", "age")}
    with open_table(table(path, rows_a_person=2, columns=columns, order="when")) as opened:
        read = gathered(list(opened.read(Reading(("id", "age")))))
    first = made.sort_values("when").groupby("id").head(2)[["id", "age"]]
    assert in_order(read[["id", "age"]]) == in_order(first)


def _one(path: Path, kind: str, value: list[object], **given: object) -> tuple[PublishedColumn, Path]:
    pd.DataFrame({"id": [f"x{i}" for i in range(len(value))], "x": pd.Series(value, dtype=object)}).to_csv(
        path / "t.csv", index=False
    )
    return PublishedColumn("x", kind, **given), path / "t.csv"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "secret", "given"),
    [
        ("integer", "SECRET", {"low": 0, "high": 9}),
        ("integer", "7.531", {"low": 0, "high": 9}),
        ("integer", "99999999999999999999", {"low": 0, "high": 9}),
        ("integer", None, {"low": 0, "high": 9}),
        ("real", "7,531", {"low": 0.0, "high": 9.0}),
        ("real", "nan", {"low": 0.0, "high": 9.0}),
        ("date", "31.12.2020", {"low": datetime.date(2020, 1, 1), "high": datetime.date(2020, 1, 1)}),
        ("boolean", "SECRET", {}),
        ("category", "SECRET", {"categories": ("1", "2")}),
        ("category", None, {"categories": ("1", "2")}),
        ("category", "SECRET", {"categories": (1, 2)}),
        ("key", "SECRET", {"profile": "integer"}),
    ],
)
def test_what_does_not_fit_is_named_by_column_and_never_told(
    kind: str, secret: str | None, given: dict[str, object], tmp_path: Path
) -> None:
    good = "2020-01-01" if kind == "date" else "1"
    column, path = _one(tmp_path, kind, [good, secret, good], **given)
    columns = {"id": COLUMNS["id"], "x": column}
    for reading in (Reading(("x",)), Reading(("x",), by_person=kind in ("integer", "real", "boolean"))):
        with (
            open_table(table(path, columns=columns)) as opened,
            pytest.raises(ValueUnfit, match="patients, column x") as e,
        ):
            next(opened.read(reading))
        assert e.value.__cause__ is None and e.value.__context__ is None
        assert secret is None or secret not in str(e.value)
    column, path = _one(tmp_path, kind, [good, good, good], **given)
    with open_table(table(path, columns=columns)) as opened:
        assert len(gathered(list(opened.read(Reading(("x",)))))) == 3


def test_whole_floats_are_integers_and_others_are_not(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet

    columns = {"id": COLUMNS["id"], "x": PublishedColumn("x", "integer", low=-5, high=5)}
    for values, fits in (([1.0, -7.5, 1e300, -np.inf], True), ([1.0, 2.5], False), ([1.0, np.nan], False)):
        path = tmp_path / "t.parquet"
        pyarrow.parquet.write_table(pa.table({"id": [f"x{i}" for i in range(len(values))], "x": values}), path)
        with open_table(table(path, columns=columns)) as opened:
            if fits:
                assert sorted(gathered(list(opened.read(Reading(("x",)))))["x"]) == [-5, -5, 1, 5]
            else:
                with pytest.raises(ValueUnfit):
                    opened.check(Reading(("x",)))


def test_other_types_of_parquet(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet

    path = tmp_path / "t.parquet"
    made = pa.table(
        {
            "id": pa.array([2**64 - 1, None, 5], pa.uint64()),
            "big": pa.array([2**64 - 1, 3, 0], pa.uint64()),
            "money": pa.array(["1.50", "2.25", None]).cast(pa.decimal128(10, 2)),
            "at": pa.array(
                [datetime.datetime(2020, 1, 1, 23, 59), None, datetime.datetime(1900, 1, 1)], pa.timestamp("us")
            ),
            "small": pa.array([-128, 127, 0], pa.int8()),
            "flag": pa.array([0, 1, 1], pa.int8()),
            "code": pa.array([10, 20, 10], pa.int16()),
            "f": pa.array([0.1, 0.2, 0.3], pa.float32()),
        }
    )
    pyarrow.parquet.write_table(made, path)
    columns = [
        PublishedColumn("id", "key", profile="integer"),
        PublishedColumn("big", "integer", low=0, high=2**61),
        PublishedColumn("money", "real", low=0.0, high=2.0, missing=1.0),
        PublishedColumn(
            "at",
            "date",
            low=datetime.date(2000, 1, 1),
            high=datetime.date(2030, 1, 1),
            missing=datetime.date(2001, 1, 1),
        ),
        PublishedColumn("small", "integer", low=-1000, high=1000),
        PublishedColumn("flag", "boolean"),
        PublishedColumn("code", "category", categories=("20", "10")),
        PublishedColumn("f", "real", low=0.0, high=1.0),
    ]
    with open_table(table(path, columns={c.name: c for c in columns})) as opened:
        (batch,) = opened.read(Reading(tuple(c.name for c in columns)))
    rows = {
        int(key): [batch.columns[c.name][i].item() for c in columns[1:]] for i, key in enumerate(batch.columns["id"])
    }
    assert rows == {
        2**64 - 1: [2**61, 1.5, 18262, -128, 0, 1, pytest.approx(0.1)],
        5: [0, 1.0, 10957, 0, 1, 1, pytest.approx(0.3)],
    }


def test_keys_are_what_a_join_takes(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("id,mail,nr\n007, Ann@X.org ,12\n008,,\n009,b@x.org,13\n")
    columns = {
        "id": PublishedColumn("id", "key", profile="text"),
        "mail": PublishedColumn("mail", "key", profile="email-admap"),
        "nr": PublishedColumn("nr", "key", profile="integer"),
    }
    with open_table(table(path, columns=columns)) as opened:
        (batch,) = opened.read(Reading(("id", "mail", "nr")))
    order = np.argsort(batch.columns["id"])
    assert batch.columns["id"][order].tolist() == ["007", "008", "009"]
    for name, profile, plain in (
        ("id", TEXT, ["007", "008", "009"]),
        ("mail", EMAIL_ADMAP, ["ann@x.org", None, "b@x.org"]),
        ("nr", INTEGERS, pd.array([12, None, 13], "Int64")),
    ):
        tags, missing = digests([batch.columns[name][order]], [profile], b"s" * 16)
        wanted, absent = digests([plain], [profile], b"s" * 16)
        np.testing.assert_array_equal(tags, wanted)
        np.testing.assert_array_equal(missing, absent)


def test_one_email_in_two_cases_is_one_person(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("mail,age\nAnn@x.org,1\n ann@X.org,2\nb@x.org,3\n,4\n")
    columns = {
        "mail": PublishedColumn("mail", "key", profile="email-admap"),
        "age": PublishedColumn("age", "integer", low=0, high=9),
    }
    published = dataclasses.replace(table(path), person="mail", columns=columns, rows_a_person=1)
    with open_table(published) as opened:
        assert opened.check(Reading(("age",))) == 2
        assert len(gathered(list(opened.read(Reading(("mail", "age"), by_person=True))))) == 2


def test_rows_alone_are_counted(places: dict[str, tuple[Path, pd.DataFrame]]) -> None:
    path, made = places[".parquet"]
    had = expected(made)["id"].value_counts()
    for rows in (2, 100):
        with open_table(table(path, rows_a_person=rows)) as opened:
            assert sum(map(len, opened.read(Reading(())))) == had.clip(upper=rows).sum()
            people = gathered(list(opened.read(Reading((), by_person=True))))
        assert sorted(people["#"]) == sorted(had.clip(upper=rows))


def test_no_rows_is_an_answer(tmp_path: Path) -> None:
    path = save(frame(1).iloc[:0], tmp_path / "t.csv")
    with open_table(table(path)) as opened:
        assert list(opened.read(Reading(ALL))) == []
        assert opened.check(Reading(ALL)) == 0


def test_what_cannot_be_read_is_refused_before_any_query(places: dict[str, tuple[Path, pd.DataFrame]]) -> None:
    path, _ = places[".parquet"]
    unbounded = {**COLUMNS, "age": PublishedColumn("age", "integer", frozenset({"filter"}))}
    gone = {**COLUMNS, "height": PublishedColumn("height", "integer", low=0, high=250)}
    text = {**COLUMNS, "id": PublishedColumn("id", "key", profile="raw")}
    wide = {**COLUMNS, "age": PublishedColumn("age", "integer", low=0, high=2**60)}
    for columns, reading, error in (
        (COLUMNS, Reading(("height",)), ColumnMissing),
        (gone, Reading(("height",)), ColumnMissing),
        (COLUMNS, Reading(("age", "age")), ColumnMissing),
        (unbounded, Reading(("age",)), BoundsMissing),
        (text, Reading(("id",)), ColumnUnfit),
        (COLUMNS, Reading(("ward",), by_person=True), ColumnUnfit),
        (wide, Reading(("age",), by_person=True), OutOfRange),
        (COLUMNS, Reading(("age",), Compare("age", ">", 101)), FilterInvalid),
        (COLUMNS, Reading(("age",), "age > 5"), FilterInvalid),
    ):
        with open_table(table(path, columns=columns)) as opened, pytest.raises(error, match="patients"):
            opened.check(reading)  # type: ignore[arg-type]
    with open_table(table(path, columns=unbounded)) as opened:
        assert opened.check(Reading(("cost",), Compare("age", ">", 10**15))) > 0


def test_more_rows_than_the_capacity(places: dict[str, tuple[Path, pd.DataFrame]]) -> None:
    path, made = places[".csv"]
    n = len(expected(made))
    with open_table(table(path, capacity=n)) as opened:
        assert opened.check(Reading(("age",))) == n
    with open_table(table(path, capacity=n - 1)) as opened, pytest.raises(CapacityExceeded) as raised:
        next(opened.read(Reading(("age",))))
    assert str(n) not in str(raised.value).replace(str(n - 1), "")


def test_a_table_that_changes_while_it_is_read(tmp_path: Path) -> None:
    path = save(frame(3, 200), tmp_path / "t.parquet")
    with open_table(table(path)) as opened:
        stream = opened.read(Reading(("age",)), rows=50)
        next(stream)
        os.utime(path, ns=(1, 1))
        with pytest.raises(TableChanged, match="patients"):
            list(stream)
