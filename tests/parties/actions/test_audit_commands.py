"""``accord audit``, as a person types it, on a store that a node wrote."""

from __future__ import annotations

import csv
import json
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from parties.cli import main
from parties.disk.chain import Head, audit_log
from parties.errors import LogBroken
from parties.jobs.session import Event
from parties.log.shown_heads import ShownHead, check_growing, check_single
from parties.planning.job_work import Consent
from parties.running.job_store import JobStore
from parties.setup.home import Home
from parties.terminal.exit_status import ExitStatus
from tests.parties.consortium import identity
from tests.parties.made_jobs import KEY, ME, PLAN, accepted, add, job, way

TOLD = {
    "analyst": "ann", "purpose": "care", "kind": "count", "receivers": ["charlie"], "epsilon": 0.5, "delta": 0.0,
    "tables": {
        "patients": {
            "columns": {"age": ["sum", "release"]},
            "counts": True,
            "spent": {"analyst": 0.5, "period": 1.5, "ever": None},
            "left": {"analyst": 0.5, "period": 2.5, "ever": None},
        }
    },
}  # fmt: skip


def others(of: Any, number: int) -> dict[str, bytes]:
    """Acceptances of bravo and charlie, whose logs are so long."""
    return {
        name: accepted(of, identity(i), head=Head(audit_log(identity(i).fingerprint), number, f"{number:064x}"))
        for i, name in ((1, "bravo"), (2, "charlie"))
    }


def reserved(store: JobStore, key: str, number: int, told: Any = TOLD, **fields: Any) -> str:
    """A job of alfa's that all accepted: the others with heads of this number."""
    of = job(key, analyst=told["analyst"], purpose="care", **fields)
    add(store, of)
    own: list[bytes] = []

    def sign(head: Head) -> bytes:
        own.append(accepted(of, identity(0), head=head))
        return own[-1]

    store.accept_job(of.id, "alfa", Consent(PLAN, told=told), 2.0, sign, {})
    store.step(of.id, Event.RESERVE, "", 3.0, acceptances={"alfa": own[0], **others(of, number)})
    return of.id


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Three jobs: two of ann's, one of bob's that was aborted."""
    place = Home(tmp_path / "node")
    place.make()
    identity(0).save(place.identity)
    with JobStore(place.jobs, KEY, ME) as store:
        reserved(store, "one", 5)
        bob = reserved(store, "two", 9, {**TOLD, "analyst": "bob", "tables": {"visits": {"columns": {}}}})
        store.step(bob, Event.ABORT, "Cancelled: [red]by bob[/red] of alfa", 90_000.0)
        reserved(store, "three", 12)
    return place


def run(home: Home, capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> tuple[str, str]:
    capsys.readouterr()
    assert main(["audit", *words, "--home", str(home.directory)]) == status, capsys.readouterr().err
    said = capsys.readouterr()
    return said.out, said.err


def shown(home: Home, capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run(home, capsys, "show", "--json", *words)[0])["entries"]
    return found


def changed(home: Home, statement: str, *values: Any) -> None:
    """By somebody who has the file, and gets around the triggers."""
    db = sqlite3.connect(home.jobs)
    db.execute("DROP TRIGGER IF EXISTS chain_is_not_changed")
    db.execute("DROP TRIGGER IF EXISTS chain_is_not_cut")
    db.execute(statement, values)
    db.commit()
    db.close()


def test_who_asked_what_on_which_columns_at_which_epsilon(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = run(home, capsys, "show")
    (line,) = [one for one in out.splitlines() if "accepted" in one and "bob" in one]
    assert "visits" in line and "care" in line and "charlie" in line
    line = next(one for one in out.splitlines() if "accepted" in one and "ann" in one)
    for part in ("ann@", "patients (rows: count, age: sum+release)", "0.5; patients analyst: 0.5, 0.5 left",
                 "period: 1.5, 2.5 left", "1970-01-01 00:00:02"):  # fmt: skip
        assert part in line
    assert "[red]by bob[/red]" in out, "what others wrote is no markup"


def test_filters(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    ids = [job(key).id for key in ("one", "two", "three")]
    whats = [(ids.index(one["job"]), one["what"]) for one in shown(home, capsys)]
    assert whats == [
        (0, "proposed"), (0, "accepted"), (0, "reserved"),
        (1, "proposed"), (1, "accepted"), (1, "reserved"), (1, "aborted"),
        (2, "proposed"), (2, "accepted"), (2, "reserved"),
    ]  # fmt: skip
    of = lambda *words: [one["number"] for one in shown(home, capsys, *words)]  # noqa: E731
    assert of("--who", "bob") == of("--analyst", "bob") == of("--table", "visits") == [4, 5, 6, 7]
    assert of("--column", "age") == of("--who", "ann") == [1, 2, 3, 8, 9, 10]
    assert of("--table", "bravo.patients") == list(range(1, 11)) and of("--column", "name") == []
    assert of("--what", "accepted", "--what", "aborted") == [2, 5, 7, 9]
    assert of("--job", ids[1][:8]) == [4, 5, 6, 7]
    assert of("--since", "1970-01-02") == of("--since", "1970-01-02T01:00+01:00") == [7]
    assert of("--until", "1970-01-01") == [1, 2, 3, 4, 5, 6, 8, 9, 10]
    assert of("--what", "proposed", "-n", "2") == [4, 8]
    assert "no entry" in run(home, capsys, "show", "--who", "eve")[0]
    assert "6 earlier ones are not shown" in run(home, capsys, "show", "-n", "4")[0]
    for wrong in (("--what", "stolen"), ("--since", "yesterday"), ("-n", "0")):
        run(home, capsys, "show", *wrong, status=2)


def test_log_ledger_and_heads_that_are_as_they_were_written(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    said = json.loads(run(home, capsys, "verify", "--json")[0])
    assert (said["log"], said["number"], said["own_heads"], said["others_heads"]) == (audit_log(ME), 10, 3, 6)
    assert said["others"] == ["bravo", "charlie"]
    known = f"{said['number']}:{said['digest']}"
    assert known in run(home, capsys, "verify", "--head", known)[0]
    run(home, capsys, "verify", "--head", "10:" + "0" * 64, status=ExitStatus.NOT_GENUINE)
    run(home, capsys, "verify", "--head", "10", status=2)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE chain SET content = CAST(replace(CAST(content AS TEXT), 'ann', 'bob') AS BLOB)", "entry 1"),
        ("UPDATE chain SET digest = substr(digest, 2) || substr(digest, 1, 1) WHERE number = 3", "entry 3"),
        ("DELETE FROM chain WHERE number = 4", "entry 5 stands where 4 belongs"),
        ("DELETE FROM chain WHERE number > 8", "entry 9: it is not there; it was shown when job"),
        ("UPDATE chain SET log = 'audit:' || substr(log, 7, 63) || 'x'", "audit:"),
        ("UPDATE signature SET signature = x'00' WHERE member = 'bravo'", "the acceptance of bravo is none"),
    ],
)
def test_what_was_changed_is_named(home: Home, capsys: pytest.CaptureFixture[str], statement: str, said: str) -> None:
    statement = statement.replace(
        "replace(content, 'ann', 'bob')", "CAST(replace(CAST(content AS TEXT), 'ann', 'bob') AS BLOB)"
    )
    changed(home, statement)
    out, err = run(home, capsys, "verify", status=ExitStatus.NOT_GENUINE)
    assert said in err and out == "" and err.startswith("accord audit verify: LogBroken: ")


@pytest.mark.parametrize(
    ("number", "said"),
    [(9, "bravo showed it for job"), (7, "after it had shown entry 9: its log was cut off, or begun anew")],
)
def test_heads_of_others_that_do_not_fit_together(
    home: Home, capsys: pytest.CaptureFixture[str], number: int, said: str
) -> None:
    of = job("three", analyst="ann", purpose="care")
    changed(home, "UPDATE signature SET signature = ? WHERE id = ? AND member = 'bravo'",
            others(of, number)["bravo"], of.id)  # fmt: skip
    _, err = run(home, capsys, "verify", status=ExitStatus.NOT_GENUINE)
    assert said in err


def test_jobs_that_were_under_way_together_may_be_accepted_in_any_order() -> None:
    heads = {job: Head(audit_log("b" * 64), number, "0" * 64) for job, number in (("one", 9), ("two", 5))}
    both = [ShownHead(job, "bravo", head) for job, head in heads.items()]
    check_single(both)
    check_growing(both, {"one": {}, "two": {}})
    with pytest.raises(LogBroken):
        check_growing(both, {"one": {}, "two": {heads["one"].log: 9}})
    with pytest.raises(LogBroken):
        check_single([*both, replace(both[0], job="three")])


def test_another_members_log_is_none(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    home.identity.unlink()
    identity(1).save(home.identity)
    assert "another member" in run(home, capsys, "verify", status=ExitStatus.NOT_GENUINE)[1]
    home.identity.unlink()
    assert "was not checked" in run(home, capsys, "verify")[1]


def test_an_exported_log_is_checked_without_a_node(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "audit.jsonl"
    said = json.loads(run(home, capsys, "export", "-o", str(file), "--json")[0])
    assert said["number"] == 10 and said["file"] == str(file)
    capsys.readouterr()
    assert main(["audit", "verify", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {name: said[name] for name in ("log", "number", "digest")}
    assert main(["audit", "verify", str(file), "--head", f"11:{'0' * 64}"]) == ExitStatus.NOT_GENUINE
    file.write_bytes(file.read_bytes().replace(b"ann", b"bob", 1))
    assert main(["audit", "verify", str(file)]) == ExitStatus.NOT_GENUINE
    assert "entry 1" in capsys.readouterr().err
    assert main(["audit", "verify", str(tmp_path / "none")]) == ExitStatus.FILE_FAULT
    run(home, capsys, "export", "--format", "csv", "-o", str(tmp_path / "audit.csv"))
    rows = list(csv.DictReader((tmp_path / "audit.csv").open(newline="")))
    assert len(rows) == 10 and rows[1]["analyst"] == "ann" and '"age"' in rows[1]["tables"]


def test_a_node_that_never_ran(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = Home(tmp_path / "node")
    assert "there is no node at" in run(home, capsys, "verify", status=ExitStatus.FILE_FAULT)[1]
    home.make()
    identity(0).save(home.identity)
    assert "there is no log at" in run(home, capsys, "show", status=ExitStatus.FILE_FAULT)[1]
    JobStore(home.jobs, KEY, ME).close()
    assert "no entry" in run(home, capsys, "show")[0]
    assert "0 entries" in run(home, capsys, "verify")[0]


def test_the_whole_way_of_a_job_is_in_the_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = Home(tmp_path / "node")
    home.make()
    identity(0).save(home.identity)
    with JobStore(home.jobs, KEY, ME) as store:
        for step in way(job()):
            step(store)
    whats = [one["what"] for one in shown(home, capsys)]
    assert whats == [
        "proposed", "accepted", "reserved", "started", "suspended", "started", "voted", "released", "delivered",
        "purged",
    ]  # fmt: skip
