"""Policies, charters and the program are in the log before anything is decided by them, each once."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from parties.consent.rulebook import Rulebook
from parties.data.tables_file import save_tables
from parties.errors import PolicyInvalid, StoreFailed
from parties.membership.charter import Charter
from parties.models.model_assets import ModelAssets
from parties.models.model_rules import ModelRules
from parties.policies.policy_store import save_policy, sign_policy
from parties.running.job_store import JobStore
from parties.setup.home import Home
from tests.parties.consortium import charter, identity
from tests.parties.made_jobs import KEY, ME
from tests.parties.models.test_model_assets import BROUGHT, trees
from tests.parties.policies.test_policy import OPEN
from tests.parties.tabular import table

OTHER = dataclasses.replace(OPEN, minimum=50)
ONE = charter()
TWO = charter(before=ONE, title="More banks")


class Place:
    """A node's home, and the rulebook of the node that has it."""

    def __init__(self, directory: Path) -> None:
        self.home = Home(directory / "node")
        self.home.make()
        save_tables(self.home.directory, {"patients": table("a.csv")})
        self.chain: list[Charter] = [ONE]
        self.now = 5.0
        self.begin()

    def begin(self) -> None:
        self.store = JobStore(self.home.jobs, KEY, ME)
        key = identity(0).public
        self.book = Rulebook(self.home, key, lambda: self.chain, self.store.in_force, lambda: self.now)

    def begin_anew(self) -> None:
        self.store.close()
        self.begin()

    def noted(self, what: str) -> list[dict[str, Any]]:
        return [entry for _, entry in self.store.audit.entries() if entry["what"] == what]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.store.close()


def test_a_policy_is_noted_once_for_each_time_it_is_another_one(place: Place) -> None:
    directory = place.home.directory
    assert place.book.policies(["patients"]) == {} and place.noted("policy") == []
    one, two = sign_policy(OPEN, identity(0)), sign_policy(OTHER, identity(0))
    for signed in (one, one, two, one):
        path = save_policy(directory, signed)
        for _ in range(3):
            found = place.book.policies(["patients", "visits"])
            assert found["patients"].digest == signed.digest == place.noted("policy")[-1]["digest"]
    place.begin_anew()
    place.book.policies(["patients"])
    digests = [one.digest, two.digest, one.digest]
    assert [entry["digest"] for entry in place.noted("policy")] == digests
    assert [entry["before"] for entry in place.noted("policy")] == ["", *digests[:2]]
    entry = place.noted("policy")[-1]
    assert (entry["table"], entry["published"], entry["at"]) == ("patients", OPEN.published, 5.0)
    assert entry["signature"] == one.signature.hex() and entry["signed"] == path.stat().st_mtime
    path.unlink()
    assert place.book.policies(["patients"]) == {}
    assert [entry["digest"] for entry in place.noted("policy")][3:] == [""], "gone"
    save_policy(directory, one)
    place.book.policies(["patients"])
    assert len(place.noted("policy")) == 5


def test_a_charter_is_noted_before_anything_is_decided_by_it(place: Place) -> None:
    place.book.policies([])
    place.chain.append(TWO)
    place.book.policies([])
    place.book.policies([])
    place.begin_anew()
    place.book.note("f" * 64)
    noted = place.noted("charter")
    assert [(entry["version"], entry["digest"]) for entry in noted] == [(1, ONE.digest), (2, TWO.digest)]
    assert noted[0]["members"]["bravo"] == identity(1).fingerprint and noted[1]["before"] == ONE.digest


def test_at_a_start_all_there_is_and_what_is_gone_meanwhile(place: Place) -> None:
    path = save_policy(place.home.directory, sign_policy(OPEN, identity(0)))
    for software in ("a" * 64, "a" * 64, "b" * 64):
        place.book.note(software)
        place.begin_anew()
    assert [entry["digest"] for entry in place.noted("software")] == ["a" * 64, "b" * 64]
    assert len(place.noted("policy")) == 1
    path.unlink()
    save_tables(place.home.directory, {})
    place.book.note("b" * 64)
    assert [entry["digest"] for entry in place.noted("policy")][1:] == [""]


def test_what_cannot_be_read_decides_nothing_and_keeps_no_node_from_its_start(place: Place) -> None:
    path = save_policy(place.home.directory, sign_policy(OPEN, identity(1)))
    place.book.note("a" * 64)
    with pytest.raises(PolicyInvalid):
        place.book.policies(["patients"])
    assert place.noted("policy") == [] and path.exists()


def test_where_the_log_cannot_be_written_no_policy_is_given_out(place: Place) -> None:
    save_policy(place.home.directory, sign_policy(OPEN, identity(0)))
    place.store.close()
    with pytest.raises(StoreFailed):
        place.book.policies(["patients"])
    place.begin()
    place.book.policies(["patients"])
    assert len(place.noted("policy")) == 1


def test_a_note_that_was_undone_is_made_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    save_policy(place.home.directory, sign_policy(OPEN, identity(0)))

    def full(*_: Any, **__: Any) -> None:
        raise StoreFailed("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(place.store.audit, "note", full)
        with pytest.raises(StoreFailed):
            place.book.policies(["patients"])
    place.book.policies(["patients"])
    assert len(place.noted("policy")) == len(place.noted("charter")) == 1


def test_a_models_rules_are_noted_before_anybody_decides_by_them(place: Place) -> None:
    models = ModelAssets(place.home.models, place.book.models)
    models.add(trees(), "risk", BROUGHT, 7.0, features=("a", "b"))
    assert place.noted("model") == []
    one = models.find("risk")
    for _ in range(3):
        models.find("risk", 1)
    opened = models.set_rules(one, ModelRules(members=None, answers=frozenset({"predict_proba"})))
    place.begin_anew()
    again = ModelAssets(place.home.models, place.book.models)
    assert again.all() == [opened] and again.find("risk") == opened
    again.withdraw(opened, 9.0)
    again.find("risk", 1)
    noted = place.noted("model")
    assert [(entry["model"], entry["id"], entry["withdrawn"]) for entry in noted] == [
        ("risk@1", one.id, withdrawn) for withdrawn in (False, False, True)
    ]
    assert [entry["rules"] for entry in noted] == [one.rules.fields, opened.rules.fields, opened.rules.fields]
    assert [entry["before"] for entry in noted] == ["", *(entry["digest"] for entry in noted[:2])]


def test_at_a_start_models_that_are_gone_are_noted_and_broken_ones_decide_nothing(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    models = ModelAssets(place.home.models)
    models.add(trees(), "risk", BROUGHT, 7.0, features=("a", "b"))
    place.book.note("a" * 64)
    assert [entry["model"] for entry in place.noted("model")] == ["risk@1"]
    (entry,) = place.home.models.glob("risk/*.entry.json")
    kept = entry.read_bytes()
    entry.write_bytes(b"{}")
    place.book.note("a" * 64)
    assert "models were not looked at: ModelUnfit" in caplog.text and len(place.noted("model")) == 1
    entry.unlink()
    place.book.note("a" * 64)
    assert [(one["digest"], one["model"]) for one in place.noted("model")][1:] == [("", "risk@1")]
    entry.write_bytes(kept)
    entry.chmod(0o600)
    place.book.note("a" * 64)
    assert len(place.noted("model")) == 3
