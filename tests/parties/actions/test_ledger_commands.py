"""``accord ledger``: its numbers are those by which a job is decided."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import pytest

from parties.cli import main
from parties.data.tables_file import save_tables
from parties.policies.budget import ALL, NOTHING, RUN, epsilon_of, told_with
from parties.policies.ledger_view import SpentOf, ledger_of
from parties.policies.policy_store import save_policy, sign_policy
from parties.policies.policy_terms import Limits
from parties.running.job_store import JobStore
from parties.setup.home import Home
from parties.terminal.exit_status import ExitStatus
from tests.parties.consortium import identity
from tests.parties.made_jobs import KEY, ME
from tests.parties.policies.test_budget import COUNT, DAY, SMALL, charge, kept
from tests.parties.policies.test_policy import OPEN
from tests.parties.tabular import COLUMNS, table

PATIENTS, VISITS = table("a.csv"), dataclasses.replace(table("b.csv"), name="visits")
EMAILS = {**COLUMNS, "id": dataclasses.replace(COLUMNS["id"], profile="email-pair")}
STAFF = dataclasses.replace(table("c.csv", columns=EMAILS), name="staff")
TABLES = {"patients": PATIENTS, "visits": VISITS, "staff": STAFF}
LIMITS = Limits(query=2.0, analyst=4.0, period=6.0, ever=8.0, days=30)
NOW = 100 * DAY


def policies(**limits: Limits) -> dict[str, Any]:
    return {
        name: sign_policy(dataclasses.replace(OPEN, table=name, limits=of), identity(0)) for name, of in limits.items()
    }


def test_what_is_spent_is_what_a_job_would_be_decided_by() -> None:
    """With a job that costs nothing, nearly: told_with says what ledger_of says."""
    book = kept(
        (charge("a", COUNT, at=10 * DAY), ALL),
        (charge("b", COUNT, at=90 * DAY, analyst="bob"), ALL),
        (charge("c", COUNT, run=(0.5, 0.0), at=91 * DAY), RUN),
        (charge("d", SMALL, at=92 * DAY), None),
        (charge("e", COUNT, at=93 * DAY), NOTHING),
        (charge("f", SMALL, at=94 * DAY, populations=("email-pair",)), ALL),
    )
    other = Limits(query=1.0, ever=2.0, days=5)
    emails, text = ledger_of(book, TABLES, policies(patients=LIMITS, visits=other), NOW)
    assert (emails.population, text.population) == ("email-pair", "text")
    patients, visits = text.tables
    assert patients.period == SpentOf(1.75, 6.0, 4.25) and patients.ever == SpentOf(2.75, 8.0, 5.25)
    assert {one.analyst: one.period for one in patients.analysts} == {
        "ann": SpentOf(0.75, 4.0, 3.25), "bob": SpentOf(1.0, 4.0, 3.0),
    }  # fmt: skip
    assert visits.period == SpentOf(0.0, None, None) and visits.days == 5
    composed = epsilon_of(book.costs(["text"]), other.delta, 2.0)
    assert visits.ever == SpentOf(composed, 2.0, 2.0 - composed), "the same people, by another limit"
    (staff,) = emails.tables
    assert staff.policy == "" and staff.query is None and staff.ever == SpentOf(0.25, None, None)
    new = charge("z", SMALL, at=NOW)
    told = told_with(book, new, LIMITS)
    assert (told.analyst, told.period, told.ever) == (1.0, 2.0, 3.0)
    assert told.ever == patients.ever.spent + 0.25 and told.period == patients.period.spent + 0.25


def test_people_of_whom_something_was_told_stay_when_their_table_is_gone() -> None:
    (gone,) = ledger_of(kept((charge("a", COUNT), ALL)), {}, {}, NOW)
    assert gone.population == "text" and [one.table for one in gone.tables] == [""]
    assert gone.tables[0].ever.spent == 1.0
    assert ledger_of(kept(), {}, {}, NOW) == []


@pytest.fixture
def home(tmp_path: Path) -> Home:
    place = Home(tmp_path / "node")
    place.make()
    identity(0).save(place.identity)
    save_tables(place.directory, TABLES)
    for signed in policies(patients=LIMITS).values():
        save_policy(place.directory, signed)
    with JobStore(place.jobs, KEY, ME) as store, store._file.transaction():
        store.ledger.reserve(charge("a", COUNT, at=time.time() - DAY, analyst="[b]ann"))
        store.ledger.reserve(charge("b", SMALL, at=time.time() - 90 * DAY))
        store.ledger.settle("b", ALL, time.time())
    return place


def test_as_a_person_types_it(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["ledger", "--home", str(home.directory)]
    assert main(words) == 0
    out = capsys.readouterr().out
    line = next(one for one in out.splitlines() if "[b]ann@" in one)
    assert all(part in line for part in ("text", "patients", "1", "4", "3", "30 days", "1e-05"))
    assert "staff (no policy)" in out and "no limit" in out and "1 jobs are under way" in out
    assert main([*words, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["under_way"] == ["a"] and said["member"] == ME
    text = next(one for one in said["populations"] if one["population"] == "text")
    patients = next(one for one in text["tables"] if one["table"] == "patients")
    assert patients["ever"] == {"spent": 1.25, "limit": 8.0, "left": 6.75}
    assert patients["period"] == {"spent": 1.0, "limit": 6.0, "left": 5.0}


def test_a_ledger_that_is_not_what_was_written(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    from tests.parties.actions.test_audit_commands import changed

    changed(home, "DELETE FROM chain WHERE log LIKE 'ledger:%' AND number = 1")
    assert main(["ledger", "--home", str(home.directory)]) == ExitStatus.NOT_GENUINE
    assert "ledger:" in capsys.readouterr().err
    assert main(["ledger", "--home", str(home.directory / "none")]) == ExitStatus.FILE_FAULT
