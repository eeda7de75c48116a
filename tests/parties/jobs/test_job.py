"""Jobs: what they may say, that their bytes are one for one job, and which of them a charter allows."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parties.errors import JobInvalid, JobRefused
from parties.jobs.job import MOST_JOB_BYTES, Job, check_job, coordinator, job_id, participants, read_job
from tests.parties.consortium import charter, identity, member
from tests.parties.made_jobs import job

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(parameters=st.dictionaries(TEXTS, VALUES, max_size=5))
@settings(max_examples=150)
def test_a_job_is_read_back_from_its_bytes(parameters: dict[str, Any]) -> None:
    made = job(parameters=parameters)
    again = read_job(made.canonical)
    assert again == made and hash(again) == hash(made)
    assert again.canonical == made.canonical
    assert again.parameters == json.loads(json.dumps(parameters))
    assert json.dumps(again.parameters) == json.dumps(made.parameters)  # in one order, at every node
    assert made.canonical.isascii()


@given(at=st.integers(1, 400), what=st.integers(0, 255), how=st.sampled_from(["change", "insert", "cut", "double"]))
@settings(max_examples=400)
def test_any_other_bytes_are_refused_by_name_or_are_another_job(at: int, what: int, how: str) -> None:
    good = job().canonical
    bad = {
        "change": good[:at] + bytes([what]) + good[at + 1 :],
        "insert": good[:at] + bytes([what]) + good[at:],
        "cut": good[:at],
        "double": good[:at] + good,
    }[how]
    try:
        assert read_job(bad).canonical == bad
    except JobInvalid:
        return
    assert how in ("change", "insert")


@pytest.mark.parametrize(
    "bad",
    [
        b"", b"null", b"[]", b"{}", b"1", b'"job"', b"\xff", b"[" * 100_000, b'{"a":' * 50_000, b"9" * 5000, b"NaN",
        b" " * (MOST_JOB_BYTES + 1), job().canonical + b"\n", b" " + job().canonical,
        job().canonical.replace(b"accord job 2", b"accord job 1"),
        job().canonical.replace(b'{"analyst"', b'{"a":1,"analyst"'),
        job().canonical.replace(b'"deadline":60', b'"deadline":60.0'),
        job().canonical.replace(b'"deadline":60', b'"deadline":true'),
        job().canonical.replace(b'"deadline":60', b'"deadline":60,"deadline":60'),
        job().canonical.replace(b"1.5", b"1.50"), job().canonical.replace(b"1.5", b"1e999"),
        job().canonical.replace(b"1.5", b"NaN"), job().canonical.replace(b"1.5", b"9" * 5000),
        job().canonical.replace(b'"tables":[["bravo","patients"]]', b'"tables":{"bravo":"patients"}'),
        job().canonical.replace(b'"results":["charlie"]', b'"results":"charlie"'),
    ],
)  # fmt: skip
def test_what_is_no_job_in_its_one_form(bad: bytes) -> None:
    assert bad != job().canonical
    with pytest.raises(JobInvalid) as caught:
        read_job(bad)
    assert caught.value.__cause__ is None and len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("charter", ["", "ab", "A" * 64, None, 1]),
        ("id", ["", "a" * 31, "g" * 32, "a" * 32 + "\n", b"a" * 32]),
        ("kind", ["", "Count", "1x", "a" * 65, "a b", None]),
        ("parameters", [None, [], "{}", {1: 2}, {"a": {2}}, {"a": b""}, {"a": float("nan")}, {"a": float("inf")},
                        {"a": 2**63}, {"a": -(2**63) - 1}, {"a": "\ud800"}, {"\udfff": 1},
                        {"a": "x" * MOST_JOB_BYTES}]),
        ("tables", [None, [("bravo", "patients")], (("bravo",),), (("bravo", "x y"),), (("Bravo", "x"),), ("ab",),
                    (("bravo", "x"), ("bravo", "x")), (("bravo", "x" * 33),), (("bravo", "x-"),),
                    tuple(("bravo", f"t{i}") for i in range(1001))]),
        ("results", [(), None, ["charlie"], ("x y",), ("charlie", "charlie"), (1,)]),
        ("proposer", ["", "alfa", None]),
        ("proposed", [-1, 1.0, True, None, 1 << 40]),
        ("deadline", [0, -1, 1.0, True, None, 30 * 24 * 3600 + 1]),
        ("on_loss", ["", "retry", None, 1]),
    ],
)  # fmt: skip
def test_a_field_out_of_range_is_named(field: str, values: list[Any]) -> None:
    for value in values:
        with pytest.raises(JobInvalid, match=field):
            job(**{field: value})


def test_names_that_are_good() -> None:
    for table in ("x", "2024", "a_b-c", "x" * 32):
        assert read_job(job(tables=(("bravo", table),)).canonical).tables == (("bravo", table),)


def test_parameters_are_bounded_in_depth_and_copied() -> None:
    deep: Any = 1
    for _ in range(30):
        deep = [deep]
    given_: dict[str, Any] = {"a": deep, "b": [1]}
    made = job(parameters=given_)
    with pytest.raises(JobInvalid, match="deep"):
        job(parameters={"a": [deep]})
    before = made.digest
    given_["b"].append(2)
    assert made.parameters["b"] == [1]
    assert replace(made).digest == before


def test_what_counts_for_equality() -> None:
    assert job(results=("charlie", "alfa")) == job(results=("alfa", "charlie"))
    two = (("bravo", "x"), ("alfa", "y"))
    assert job(tables=two) != job(tables=two[::-1])
    assert job(parameters={"a": 1}) != job(parameters={"a": 1.0})
    again = job(proposed=2000, charter="ab" * 32)
    assert again != job() and again.asks_the_same(job())
    for other in (job(kind="sum"), job(deadline=61), job(on_loss="wait"), job(parameters={}), job(tables=())):
        assert not other.asks_the_same(job())
    assert "age" not in repr(job()) and job().id in repr(job())


def test_an_id_is_one_for_each_member_and_key() -> None:
    a, b = identity(0).fingerprint, identity(1).fingerprint
    ids = {job_id(who, key) for who in (a, b) for key in ("k", "kk", "ä", " k")}
    assert len(ids) == 8 and all(len(i) == 32 for i in ids)
    assert job_id(a, "k") == job_id(a, "k")
    for key in ("", "x" * 201, "\ud800", None):
        with pytest.raises(JobInvalid, match="key"):
            job_id(a, key)  # type: ignore[arg-type]
    with pytest.raises(JobInvalid, match="proposer"):
        job_id("alfa", "k")


MEMBERS = [member(i, "compute") for i in range(3)] + [
    member(3, "input", address=None), member(4, "result", address=None), member(5, "input", address=None),
]  # fmt: skip
CHARTER = charter(*MEMBERS)


def of(**fields: Any) -> Job:
    return job(**{"charter": CHARTER.digest, "tables": (("delta", "t"),), "results": ("echo",), **fields})


def test_who_takes_part() -> None:
    assert coordinator(CHARTER).name == "alfa"
    assert [m.name for m in participants(of(), CHARTER)] == ["alfa", "bravo", "charlie", "delta", "echo"]
    assert [m.name for m in participants(of(proposer=identity(5).fingerprint, tables=()), CHARTER)] == [
        "alfa", "bravo", "charlie", "echo", "foxtrot",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "now", "named"),
    [
        ({"charter": charter().digest}, 1000, "submit it again"),
        ({}, 1060, "deadline was 0 s ago"),
        ({}, 5000, "deadline was 3940 s ago"),
        ({}, 699, "clock is wrong"),
        ({"tables": (("nobody", "t"),)}, 1000, "nobody is no member"),
        ({"results": ("nobody",)}, 1000, "nobody is no member"),
        ({"proposer": "ab" * 32}, 1000, "proposer"),
        ({"tables": (("delta", "t"), ("alfa", "u"))}, 1000, "table u of alfa"),
        ({"results": ("delta", "echo")}, 1000, "delta has not the role result"),
    ],
)
def test_a_job_the_charter_does_not_allow(fields: dict[str, Any], now: float, named: str) -> None:
    for time in (700, 1000, 1059.9):
        check_job(of(), CHARTER, time)
    with pytest.raises(JobRefused, match=named):
        check_job(of(**fields), CHARTER, now)
