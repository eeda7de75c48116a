"""The ledger: what is recorded is never less than what was told, whatever happens when; and limits hold together."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from parties.disk.chained_table import CHAIN_SCHEMA
from parties.disk.sqlite_file import SqliteFile
from parties.errors import LogBroken
from parties.keys.identity import Identity
from parties.policies.budget import ALL, NOTHING, RUN, Book, Charge, epsilon_of, population_of, told_with
from parties.policies.ledger import Ledger
from parties.policies.policy_terms import Limits
from parties.running.job_store import JobStore
from protocols.accounting import Event as Release
from protocols.accounting import Promise
from protocols.composition import composed_epsilon
from protocols.mechanisms import DiscreteGaussian, DiscreteLaplace
from protocols.sensitivity import Change
from tests.parties.consortium import identity
from tests.parties.made_jobs import KEY, ME
from tests.parties.tabular import table

ONE = Change((1,), False)
COUNT = Release(DiscreteLaplace(1.0), ONE)
SMALL = Release(DiscreteLaplace(0.25), ONE)
WIDE = Release(DiscreteGaussian(1.0, 1e-6), ONE)
DAY = 86400.0


def charge(name: str = "j", *figures: Release, at: float = 0.0, **fields: Any) -> Charge:
    given: dict[str, Any] = {"populations": ("text",), "member": "m" * 64, "analyst": "ann", "run": None}
    return Charge(name, at, figures=figures or (COUNT,), **{**given, **fields})


def kept(*charges: tuple[Charge, str | None]) -> Book:
    """A book of these, settled so (None: open)."""
    book = Book()
    for one, settled in charges:
        book.apply(one.content)
        if settled is not None:
            book.apply({"what": "settle", "job": one.job, "charged": settled})
    return book


def test_what_stays_of_a_charge_when_it_is_settled() -> None:
    both = charge("j", COUNT, run=(0.5, 1e-6))
    for settled, costs in ((None, [COUNT, Promise(0.5, 1e-6)]), (ALL, [COUNT, Promise(0.5, 1e-6)]),
                           (RUN, [Promise(0.5, 1e-6)]), (NOTHING, [])):  # fmt: skip
        book = kept((both, settled))
        assert book.costs(["text"]) == costs and book.costs(["email-pair"]) == []
        assert book.is_open("j") == (settled is None)


def test_by_whom_and_when_and_of_whom() -> None:
    book = kept(
        (charge("a", at=0.0), ALL),
        (charge("b", at=40 * DAY, analyst="bob"), ALL),
        (charge("c", at=41 * DAY, populations=("raw", "text")), None),
        (charge("d", populations=("raw",)), ALL),
    )
    new = charge("e", SMALL, at=42 * DAY)
    spent = told_with(book, new, Limits(query=9.0, analyst=9.0, period=9.0, ever=9.0, days=30))
    assert (spent.analyst, spent.period, spent.ever) == (1.25, 2.25, 3.25)
    assert book.populations == ("raw", "text") and book.analysts("text") == (("m" * 64, "ann"), ("m" * 64, "bob"))


def test_a_limit_that_the_sum_would_break_is_kept_by_what_the_losses_compose_to() -> None:
    many = [Release(DiscreteLaplace(0.1), ONE)] * 400
    assert epsilon_of(list(many), 1e-6) == pytest.approx(40.0)
    assert epsilon_of(list(many), 1e-6, 100.0) == pytest.approx(40.0)
    composed = epsilon_of(list(many), 1e-6, 12.0)
    assert composed == composed_epsilon(many, 1e-6) < 12.0
    assert epsilon_of([WIDE, WIDE], 1e-6, 100.0) == composed_epsilon([WIDE, WIDE], 1e-6), "deltas that sum up to more"
    assert epsilon_of([COUNT, Promise(0.5, 1e-9)], 1e-6, 0.1) <= 1.5


def test_tables_with_one_profile_are_about_the_same_people() -> None:
    assert population_of(table("a.csv")) == population_of(table("b.csv")) == "text"


@pytest.mark.parametrize(
    "entries",
    [
        [{"what": "settle", "job": "j", "charged": ALL}],
        [charge().content, charge().content],
        [charge().content, {"what": "settle", "job": "j", "charged": "half"}],
        [{"what": "reserve"}],
        [{}],
        [{**charge().content, "figures": [["{}"]]}],
    ],
)
def test_a_ledger_that_says_what_none_says_is_broken(entries: list[dict[str, Any]]) -> None:
    book = Book()
    with pytest.raises(LogBroken):
        for entry in entries:
            book.apply(entry)


def test_a_law_that_is_another_today_is_charged_as_it_was_promised() -> None:
    content = charge().content
    content["figures"][0][0] = content["figures"][0][0].replace('"law": "', '"law": "0')
    book = Book()
    book.apply(content)
    assert book.costs(["text"]) == [Promise(1.0, content["figures"][0][2])]


def test_the_ledger_is_its_members_own(tmp_path: Path) -> None:
    with JobStore(tmp_path / "node.db", KEY, ME) as store:
        assert store.ledger.chain.log == f"ledger:{ME}"
    other: Identity = identity(1)
    with JobStore(tmp_path / "node.db", KEY, other.fingerprint) as store:
        assert store.ledger.chain.head.number == 0 and isinstance(store.ledger, Ledger)


def test_threads_that_look_while_another_charges_see_whole_books(tmp_path: Path) -> None:
    """As a node does: rules look aside, and jobs are charged in the thread of the disk."""
    file = SqliteFile(tmp_path / "node.db", CHAIN_SCHEMA)
    ledger, done = Ledger(file, ME), threading.Event()

    def look() -> int:
        seen = 0
        while not done.is_set() or seen < 300:
            counted = len(ledger.book().costs(["text"]))
            assert counted >= seen
            seen = counted
        return seen

    with ThreadPoolExecutor(4) as pool:
        looking = [pool.submit(look) for _ in range(4)]
        try:
            for i in range(300):
                with file.transaction():
                    ledger.reserve(charge(f"{i}"))
        finally:
            done.set()
        assert [one.result() for one in looking] == [300] * 4
    file.close()


def test_what_no_limit_asks_is_not_composed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes seconds, of a ledger with many trainings say."""
    book = kept((charge("a", WIDE), ALL), (charge("b", WIDE), ALL))

    def never(*given: Any) -> float:
        raise AssertionError(given)

    monkeypatch.setattr("parties.policies.budget.composed_epsilon", never)
    spent = told_with(book, charge("c", WIDE), Limits(query=9.0, delta=1e-9))
    assert (spent.analyst, spent.period, spent.ever) == (None, None, None)
    with pytest.raises(AssertionError):
        told_with(book, charge("c", WIDE), Limits(query=9.0, ever=9.0, delta=1e-9))
