"""What is published: its rules, its file, and what others are told of it."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parties.data.description import describe, digest_of, read_description
from parties.data.published import KINDS, PROFILES, PublishedColumn, PublishedTable, profile_of
from parties.data.tables_file import TABLES_FILE, load_tables, read_tables, save_tables, write_tables
from parties.errors import FileUnusable, TableInvalid
from protocols.profiles import Phone
from tests.parties.tabular import COLUMNS, table

_CHARACTERS = st.characters(categories=("L", "N", "P", "S", "Zs"))
days = st.dates(datetime.date(1, 1, 1))
texts = (
    st.text(_CHARACTERS, min_size=1, max_size=12)
    .map(lambda text: unicodedata.normalize("NFC", text))
    .filter(lambda text: text.isprintable())
)


@st.composite
def columns(draw: st.DrawFn, name: str) -> PublishedColumn:
    kind = draw(st.sampled_from(sorted(KINDS)))
    fields: dict[str, Any] = {"uses": draw(st.frozensets(st.sampled_from(KINDS[kind])))}
    if kind in ("integer", "real", "date"):
        number = {"integer": st.integers(-(2**62) + 1, 2**62 - 1), "real": st.floats(-(2.0**45), 2.0**45), "date": days}
        fields["low"], missing, fields["high"] = sorted(draw(st.lists(number[kind], min_size=3, max_size=3)))
        fields["missing"] = draw(st.sampled_from([None, missing]))
    elif kind == "category":
        of = draw(st.sampled_from([texts, st.integers(-9, 9)]))
        listed = draw(st.lists(of, min_size=1, unique=True))
        fields |= {"categories": tuple(listed), "other": draw(st.sampled_from([None, *listed]))}
    elif kind == "boolean":
        fields["missing"] = draw(st.sampled_from([None, True, False]))
    else:
        fields["profile"] = draw(st.sampled_from(PROFILES))
        fields["region"] = "DE" if fields["profile"] == "phone" and draw(st.booleans()) else None
    return PublishedColumn(name, kind, **fields)


@st.composite
def tables(draw: st.DrawFn) -> PublishedTable:
    made = [draw(columns(name)) for name in draw(st.lists(texts, unique=True, max_size=4)) if name != "person"]
    made.append(PublishedColumn("person", "key", profile=draw(st.sampled_from(["text", "integer", "email-pair"]))))
    return PublishedTable(
        name=draw(st.from_regex(r"[a-z0-9]([a-z0-9_-]{0,8}[a-z0-9])?", fullmatch=True)),
        source=draw(texts),
        person="person",
        rows_a_person=draw(st.integers(1, 2**20)),
        capacity=draw(st.integers(1, 2**29)),
        columns={column.name: column for column in made},
        counts=draw(st.booleans()),
        results_to=draw(st.one_of(st.none(), st.frozensets(st.sampled_from(["alfa", "beta"]), min_size=1))),
        epsilon_a_job=draw(st.floats(0.001, 128)),
        order=draw(st.one_of(st.none(), texts)),
    )


@settings(max_examples=60, deadline=None)
@given(made=tables())
def test_the_file_and_the_description_say_what_the_table_is(made: PublishedTable) -> None:
    assert read_tables(write_tables({made.name: made})) == {made.name: made}
    assert list(read_tables(write_tables({made.name: made}))[made.name].columns) == list(made.columns)
    told = read_description(describe(made))
    public = {n: dataclasses.replace(c, region=None) for n, c in made.columns.items()}
    assert told == dataclasses.replace(made, source="", order=None, columns=public)
    assert describe(told) == describe(made) and digest_of(told) == digest_of(made)


def test_others_are_told_no_source_no_order_no_region() -> None:
    columns = {**COLUMNS, "tel": PublishedColumn("tel", "key", profile="phone", region="DE")}
    made = table("/data/secret-place.parquet", order="secret-order", columns=columns)
    for text in (describe(made).decode(), repr(made), repr(columns["tel"])):
        assert "secret" not in text and "DE" not in text
    assert profile_of(columns["tel"]) == Phone("DE")
    assert digest_of(made) == digest_of(dataclasses.replace(made, source="elsewhere"))
    assert digest_of(made) != digest_of(dataclasses.replace(made, capacity=9))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"kind": "number"}, "kind: one of"),
        ({"kind": "integer", "low": 0}, "both or neither"),
        ({"kind": "integer", "low": 0, "high": 1.5}, "high: a whole number"),
        ({"kind": "integer", "low": True, "high": 5}, "low: a whole number"),
        ({"kind": "integer", "low": 0, "high": 2**62}, r"high: between -2\^62"),
        ({"kind": "real", "low": 0.0, "high": 2.0**46}, r"high: between -2\^46"),
        ({"kind": "real", "low": float("nan"), "high": 1.0}, "low: between"),
        ({"kind": "real", "low": 2.0, "high": 1.0}, "the lower one first"),
        ({"kind": "date", "low": datetime.datetime(2020, 1, 1), "high": datetime.date(2021, 1, 1)}, "low: a date"),
        ({"kind": "integer", "uses": frozenset({"sum"})}, "needed for sum"),
        ({"kind": "integer", "uses": frozenset({"join"}), "low": 0, "high": 1}, "uses: a column of kind integer"),
        ({"kind": "integer", "low": 0, "high": 9, "missing": 10}, "within low and high"),
        ({"kind": "category"}, "categories: 1 to"),
        ({"kind": "category", "categories": ("a", "a")}, "each once"),
        ({"kind": "category", "categories": ("a", 1)}, "all texts"),
        ({"kind": "category", "categories": (1, True)}, "each once|all texts"),
        ({"kind": "category", "categories": ("a",), "missing": "b"}, "missing: one of the categories"),
        ({"kind": "category", "categories": (1,), "missing": True}, "missing: one of the categories"),
        ({"kind": "category", "categories": ("a",), "other": "b"}, "other: one of the categories"),
        ({"kind": "category", "categories": ("a\n",)}, "printable"),
        ({"kind": "boolean", "missing": 1}, "missing: true or false"),
        ({"kind": "boolean", "categories": ("a",)}, "has none"),
        ({"kind": "key"}, "profile: a key needs"),
        ({"kind": "key", "profile": "text", "missing": "x"}, "matches nobody"),
        ({"kind": "key", "profile": "text", "region": "DE"}, "region"),
        ({"kind": "key", "profile": "phone", "region": "de"}, "region"),
        ({"kind": "boolean", "profile": "text"}, "only a column of kind key"),
        ({"kind": "key", "profile": "text", "low": 0, "high": 1}, "has none"),
    ],
)
def test_rules_of_a_column(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(TableInvalid, match=f"column x, .*{said}|column x, {said}"):
        PublishedColumn("x", **fields)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "Patients"}, "a name has"),
        ({"person": "age"}, "of kind key"),
        ({"person": "nobody"}, "of kind key"),
        ({"rows_a_person": 0}, "rows_a_person"),
        ({"capacity": 0}, "capacity"),
        ({"capacity": 2**29 + 1}, "capacity"),
        ({"epsilon_a_job": 0.0}, "epsilon_a_job"),
        ({"epsilon_a_job": float("inf")}, "epsilon_a_job"),
        ({"results_to": frozenset()}, "results_to"),
        ({"columns": {}}, "columns"),
        ({"columns": {"x": COLUMNS["id"]}}, "columns"),
        ({"columns": {"id": PublishedColumn("id", "key", profile="name")}}, "several ways"),
    ],
)
def test_rules_of_a_table(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(TableInvalid, match=said):
        dataclasses.replace(table("a.csv"), **fields)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tables.t", "not TOML"),
        ("a = 1", "nothing else"),
        ("tables = 1", "nothing else"),
        ("[tables.t]", "table 't', columns: missing"),
        ("[tables.t]\nrows = 1", "unknown field 'rows'"),
        ("[tables.t]\ncolumns = 1", "columns: fields by name, not int"),
        ("[tables.t.columns.x]\nkind = 1", "table 't', column x, kind: a text, not int"),
        ("[tables.t.columns.x]\nkind = 'boolean'\nhight = 1", "table 't', column 'x': unknown field 'hight'"),
        ("[tables.t.columns.x]\nkind = 'boolean'\nuses = ['sum', 'sum']", "uses: a list"),
        ("[tables.t.columns.x]\nkind = 'category'\ncategories = [1.5]", "all texts"),
        ("[tables.t]\nuses = ['sum']\n[tables.t.columns.x]\nkind = 'boolean'", "only count"),
        ("[tables.t]\n[tables.t.columns.x]\nkind = 'boolean'", "source: missing"),
        ("x = 2020-13-45", "not TOML|cannot be read"),
        ("a = " + "[" * 100_000, "not TOML|cannot be read"),
    ],
)
def test_a_file_that_says_something_else(text: str, said: str) -> None:
    with pytest.raises(TableInvalid, match=said):
        read_tables(text)


def test_whole_numbers_are_bounds_of_reals() -> None:
    text = write_tables({"patients": table("a.csv")}).replace("low = -10.0", "low = -10")
    assert read_tables(text)["patients"].columns["cost"].low == -10.0


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_hostile_description_is_refused_by_name(data: st.DataObject) -> None:
    """Any byte changed: another table, or TableInvalid; nothing else."""
    text = bytearray(describe(table("a.csv")))
    for _ in range(data.draw(st.integers(1, 3))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(TableInvalid):
        read_description(bytes(text))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"1",
        b"[" * 100_000,
        b'{"format":"accord table 1","name":"t","columns":[1]}',
        describe(table("a.csv")).replace(b'"capacity":10000', b'"capacity":10000,"capacity":10000'),
        b'{"format":"accord table 1","name":1,"columns":[]}',
        b'{"format":"accord table 1","name":"t","columns":[{"name":"a"},{"name":"a"}]}',
        json.dumps({**json.loads(describe(table("a.csv"))), "source": "/etc/passwd"}).encode(),
        describe(table("a.csv")).replace(b"2.0", b"NaN"),
        describe(table("a.csv")).replace(b"2.0", b"1" * 5000),
        b" " * (1 << 20) + b"{}",
    ],
    ids=range(11),
)
def test_odd_descriptions(text: bytes) -> None:
    with pytest.raises(TableInvalid):
        read_description(text)


def test_saved_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = table("a.csv"), table("b.csv")
    assert load_tables(tmp_path) == {}
    save_tables(tmp_path, {"patients": first})
    assert (tmp_path / TABLES_FILE).stat().st_mode & 0o777 == 0o600
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(FileUnusable):
        save_tables(tmp_path, {"patients": second})
    assert load_tables(tmp_path) == {"patients": first}
    assert [path.name for path in tmp_path.iterdir()] == [TABLES_FILE]
