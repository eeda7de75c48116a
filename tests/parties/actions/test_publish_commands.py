"""``accord publish`` and ``accord tables``, as a person or a container's start types them."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from parties.cli import main
from parties.data.description import digest_of, read_description
from parties.data.table_source import open_source
from parties.data.tables_file import TABLES_FILE, load_tables
from parties.policies.policy_store import POLICIES, load_policy
from parties.policies.policy_terms import TABLE, Limits, Rule
from parties.publishing.proposals import people_in, propose, round_bounds
from parties.setup.home import Home
from tests.parties.consortium import identity


@pytest.fixture
def source(tmp_path: Path) -> Path:
    n = 120
    made = pd.DataFrame(
        {
            "patient_id": [f"P-{i:04d}" for i in range(n)],
            "age": [17 + i % 71 for i in range(n)],
            "cost": [1234.5 + i for i in range(n)],
            "sex": ["F", "M", "M"] * (n // 3),
            "dead": [i % 4 == 0 for i in range(n)],
            "admitted": pd.to_datetime("2021-03-04") + pd.to_timedelta(range(n), unit="D"),
            "email": [f"p{i}@x.example" for i in range(n)],
            "notes": [f"free text {i}" for i in range(n)],
            "[red]odd[/]": [None, *range(n - 1)],
        }
    )
    path = tmp_path / "patients.parquet"
    made.to_parquet(path)
    return path


def _node(home: Path) -> Path:
    """One that has an identity."""
    if not Home(home).identity.exists():
        Home(home).make()
        identity(0).save(Home(home).identity)
    return home


def _flags(source: Path, home: Path, *more: str) -> list[str]:
    _node(home)
    given = "--yes --person patient_id --capacity 1024 --allow count,sum,filter,group,join --column age=integer:0:120"
    return ["publish", "patients", str(source), "--home", str(home), *given.split(), *more]


def test_without_a_terminal(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = tmp_path / "node"
    more = [
        "--category",
        "sex=F,M",
        "--column",
        "email=key:email-admap",
        "--column",
        "admitted=date:2000-01-01:2040-01-01",
    ]
    assert main(_flags(source, home, *more, "--results-to", "alfa,beta", "--epsilon", "0.5")) == 0
    said = capsys.readouterr()
    table = load_tables(home)["patients"]
    assert (home / TABLES_FILE).stat().st_mode & 0o777 == 0o600
    assert home.stat().st_mode & 0o777 == 0o700
    assert list(table.columns) == ["age", "email", "admitted", "sex", "patient_id"]
    assert table.columns["age"].uses == {"sum", "group", "filter"}
    assert table.columns["sex"].uses == {"group", "filter"}
    assert table.columns["email"].uses == {"join", "count"}
    assert table.counts and table.results_to == {"alfa", "beta"} and table.epsilon_a_job == 0.5
    assert "what others could learn" in said.out and said.err == ""
    assert "notes" not in said.out and "87" not in said.out  # the greatest age there is
    assert re.search(r"integer from 0 to 120", said.out)

    signed = load_policy(home, "patients", identity(0).public)
    assert signed is not None and signed.policy.published == digest_of(table)
    assert signed.policy.limits == Limits(query=0.5, ever=10.0) and signed.policy.receivers == {"alfa", "beta"}
    assert set(signed.policy.rules) == {
        Rule(frozenset({"count"}), frozenset({TABLE})),
        Rule(frozenset({"sum", "group", "filter", "release"}), frozenset({"age", "admitted"})),
        Rule(frozenset({"group", "filter", "release"}), frozenset({"sex"})),
        Rule(frozenset({"count", "join"}), frozenset({"email", "patient_id"})),
    }

    assert main(_flags(source, home)) == 2
    said = capsys.readouterr()
    assert "published already; --replace" in said.err and said.out == ""
    assert main(_flags(source, home, "--replace")) == 0
    assert list(load_tables(home)["patients"].columns) == ["age", "patient_id"]


def test_json_says_what_others_know(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = tmp_path / "node"
    assert main([*_flags(source, home), "--json"]) == 0
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert read_description(json.dumps(told["table"]).encode()).columns == load_tables(home)["patients"].columns
    assert {"column": "", "use": "count"}.items() <= told["others_could_learn"][1].items()
    assert str(source) not in said.out and "120 rows" not in said.out and said.err == ""
    assert main(["tables", "--home", str(home), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [told]
    assert main(["tables", "--home", str(home)]) == 0
    assert "patients: what others could learn" in capsys.readouterr().out
    assert main(["tables", "--home", str(tmp_path / "empty")]) == 0
    assert "`accord publish NAME SOURCE`" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--column", "cost=integer:0:9999"], "ValueUnfit: table patients, column cost: some values are no whole"),
        (["--column", "cost=integer:0"], "TableInvalid: table 'patients', --column cost=integer:0: write"),
        (["--column", "cost=real:x:9"], "TableInvalid: table 'patients', column cost, low: a number"),
        (["--column", "cost"], "--column cost: write NAME="),
        (["--column", "age=boolean"], "--column age=boolean: write NAME="),
        (["--column", "height=real:0:9"], "ColumnMissing"),
        (["--column", "notes=boolean"], "ValueUnfit|ColumnUnfit"),
        (["--category", "sex=F"], "ValueUnfit: table patients, column sex: some values are none of its categories"),
        (["--column", "[red]odd[/]=integer:0:9"], "--missing [red]odd[/]=VALUE"),
        (["--missing", "cost=0"], "--missing cost: give that column"),
        (["--use", "age=join"], "column age, uses"),
        (["--allow", "sum,steal"], "--allow steal"),
        (["--capacity", "100"], "CapacityExceeded: table patients: more rows than its capacity of 100"),
        (["--capacity", "0"], "capacity 0"),
        (["--person", "age"], "person 'age'"),
        (["--person", "nobody"], "ColumnMissing"),
        (["--rows-a-person", "0"], "rows_a_person"),
        (["--order", "nothing"], "ColumnMissing"),
    ],
)
def test_what_cannot_be_published_changes_nothing(
    more: list[str], said: str, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "node"
    assert main(_flags(source, home, *more)) == 2
    shown = capsys.readouterr()
    assert re.search(said.replace("[", r"\["), shown.err), shown.err
    assert shown.err.startswith("accord publish: ") and shown.err.count("\n") == 1
    assert not (home / TABLES_FILE).exists() and not (home / POLICIES).exists()


def test_nobody_to_ask_and_not_everything_said(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    assert main(["publish", "patients", str(source), "--home", str(_node(tmp_path / "n"))]) == 2
    assert "no terminal to ask at: say --yes" in capsys.readouterr().err
    assert main(["publish", "patients", str(source), "--home", str(tmp_path / "n"), "--yes", "--person", "x"]) == 2
    assert "also give --capacity, --allow" in capsys.readouterr().err
    assert main(["publish", "patients", "gone.csv", *_flags(source, tmp_path / "n")[3:]]) == 5
    assert "TableMissing" in capsys.readouterr().err


class _Person:
    """At a terminal: answers by a word in the question, else takes what is proposed."""

    def __init__(self, answers: dict[str, str]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def __call__(self, question: str = "") -> str:
        self.asked.append(question)
        return next((answer for word, answer in self.answers.items() if word in question), "")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    yield


@pytest.mark.usefixtures("terminal")
def test_questions(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    person = _Person({"cost (seen": "real:0:50000", "odd[/]: what": "3", "odd[/] (seen": "integer:0:200", "[y/N]": "y"})
    monkeypatch.setattr("builtins.input", person)
    assert main(["publish", "patients", str(source), "--home", str(_node(tmp_path / "asked"))]) == 0
    said = capsys.readouterr()
    asked = load_tables(tmp_path / "asked")["patients"]
    assert asked.person == "patient_id" and asked.capacity == 128 and asked.rows_a_person == 1
    assert {n: c.kind for n, c in asked.columns.items()} == {
        "patient_id": "key",
        "age": "integer",
        "cost": "real",
        "dead": "boolean",
        "admitted": "date",
        "email": "key",
        "[red]odd[/]": "integer",
        "sex": "category",
    }  # and no notes
    assert (asked.columns["age"].low, asked.columns["age"].high) == (0, 100)
    assert asked.columns["cost"].high == 50000.0 and asked.columns["[red]odd[/]"].missing == 3
    assert asked.columns["sex"].categories == ("F", "M")
    assert any("age (seen: 17 to 87)" in question for question in person.asked)
    assert "becomes public" in said.out and "[red]odd[/]" in said.out

    line = said.out.splitlines()[-1].strip()
    words = [*shlex.split(line)[1:], "--home", str(_node(tmp_path / "flags"))]
    assert main(words) == 0
    flags = load_tables(tmp_path / "flags")["patients"]
    assert flags == asked


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("answer", ["", "n"])
def test_no_is_no(
    answer: str, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builtins.input", _Person({"odd[/]: what": "3", "[y/N]": answer}))
    assert main(["publish", "patients", str(source), "--home", str(_node(tmp_path / "n"))]) == 1
    assert "nothing was changed" in capsys.readouterr().err
    assert not (tmp_path / "n" / TABLES_FILE).exists() and not (tmp_path / "n" / POLICIES).exists()


def test_proposals_are_round_and_their_looks_are_private(source: Path) -> None:
    with open_source(str(source), "table t", typed=True) as opened:
        proposals, n = propose(opened)
    assert n == 120 and people_in(proposals) == "patient_id"
    by_name = {proposal.name: proposal for proposal in proposals}
    assert by_name["cost"].spec == "real:0:2000"
    assert by_name["admitted"].spec == "date:2020-01-01:2029-12-31"
    assert by_name["email"].spec == "key:email-admap"
    assert by_name["[red]odd[/]"].missing and not by_name["age"].missing
    assert "17" not in re.sub("0x[0-9a-f]+", "", repr(by_name["age"]))  # an address may have it


@pytest.mark.parametrize(
    ("there", "proposed"),
    [
        ((0, 0), (0, 0)),
        ((1, 87), (0, 100)),
        ((-3, 4), (-5, 5)),
        ((-30, -20), (-50, 0)),
        ((0.2, 0.3), (0, 0.5)),
        ((2, 200), (0, 200)),
    ],
)
def test_round_bounds(there: tuple[float, float], proposed: tuple[float, float]) -> None:
    assert round_bounds(*there) == pytest.approx(proposed)
