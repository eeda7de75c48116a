"""A new charter reaches nodes that run: by a command at one of them, and from it the others; judged as any file is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from parties.errors import CharterUnknown
from parties.membership.charter import Charter, Member
from parties.membership.charter_bundle import SignedCharter
from parties.membership.charter_file import write_charter
from parties.membership.charter_store import CharterStore
from parties.membership.signatures import write_signatures
from parties.node.charter_follower import CharterFollower
from parties.setup.home import Home
from parties.wire.meeting import CharterAnswer
from tests.parties.consortium import charter, identity, member, signed

FIRST = charter(*(member(i) for i in range(3)))
SECOND = charter(*(member(i) for i in range(4)), before=FIRST)
THIRD = charter(*(member(i) for i in range(3)), before=SECOND)
ALL = {1: (FIRST, (0, 1, 2)), 2: (SECOND, (0, 1, 2, 3)), 3: (THIRD, (0, 1, 2))}


class Others:
    """In place of members.Members: everybody answers the same."""

    def __init__(self, versions: dict[int, tuple[Charter, tuple[int, ...]]]) -> None:
        self.versions = versions
        self.asked: list[tuple[str, int]] = []

    def calls(self, member: Member) -> bool:
        return member.name != "alfa"

    def client(self, member: Member) -> Any:
        others = self

        class Client:
            async def charter(self, version: int = 0, within: float = 0) -> CharterAnswer:
                others.asked.append((member.name, version))
                latest = max(others.versions)
                if version and version not in others.versions:
                    raise CharterUnknown("no such version")
                told, signers = others.versions[version or latest]
                one = SignedCharter(told, signed(told, *signers))
                return CharterAnswer(
                    latest=latest,
                    charter=write_charter(one.charter),
                    signatures=write_signatures(one.signatures).decode(),
                )

        return Client()


def stored(tmp_path: Path) -> CharterStore:
    home = Home(tmp_path / "alfa")
    home.make()
    store = CharterStore(home)
    store.propose(FIRST)
    store.merge(signed(FIRST, 0, 1, 2))
    store.adopt()
    return store


def follow(store: CharterStore, others: Others, seconds: float, *, refused: bool = False) -> list[int]:
    """The versions that came in force within so many seconds."""
    changed: list[int] = []

    async def main() -> None:
        follower = CharterFollower(store, others, lambda charter: changed.append(charter.version))  # type: ignore[arg-type]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(follower.attend)
            if refused:
                follower.refused()
            await trio.sleep(seconds)
            nursery.cancel_scope.cancel()

    trio.run(main, clock=MockClock(rate=50.0))
    return changed


def test_versions_others_have_are_taken_in_order_once_somebody_says_so(tmp_path: Path) -> None:
    store, others = stored(tmp_path), Others(ALL)
    assert follow(store, others, 10, refused=True)[-1] == 3
    assert [c.version for c in store.chain] == [1, 2, 3]
    assert CharterStore(Home(tmp_path / "alfa")).current.digest == THIRD.digest


def test_without_a_reason_they_are_asked_now_and_then(tmp_path: Path) -> None:
    store, others = stored(tmp_path), Others({1: ALL[1]})
    assert follow(store, others, 30) == [] and others.asked == []
    assert follow(store, others, 200) == [] and 4 <= len(others.asked) <= 10


def test_a_version_a_command_put_in_force_here_is_seen(tmp_path: Path) -> None:
    store = stored(tmp_path)
    other = CharterStore(Home(tmp_path / "alfa"))
    other.propose(SECOND)
    other.sign(SECOND.digest, identity(0))
    other.merge(signed(SECOND, 1, 2, 3))
    assert store.current.version == 1
    other.adopt()
    assert follow(store, Others({1: ALL[1]}), 5) == [2]


@pytest.mark.parametrize("lie", ["not signed by all", "another version", "of another consortium"])
def test_what_is_not_good_is_not_taken(tmp_path: Path, lie: str) -> None:
    told = {
        "not signed by all": {**ALL, 2: (SECOND, (0, 1, 2)), 3: (THIRD, (0, 1))},
        "another version": {**ALL, 2: ALL[3]},
        "of another consortium": {
            **ALL,
            2: (charter(*(member(i) for i in range(3)), before=charter(title="Others")), (0, 1, 2)),
        },
    }[lie]
    store = stored(tmp_path)
    assert follow(store, Others(told), 10, refused=True) == [] and store.current.version == 1


def test_what_another_member_makes_up_does_not_end_the_node(tmp_path: Path) -> None:
    class Liars(Others):
        def client(self, member: Member) -> Any:
            class Client:
                async def charter(self, version: int = 0, within: float = 0) -> CharterAnswer:
                    return CharterAnswer(latest=2, charter=write_charter(SECOND), signatures="\u00e9")

            return Client()

    assert follow(stored(tmp_path), Liars({}), 65.0) == []


def test_charters_on_the_own_disk_that_cannot_be_read_do_not_end_the_node(tmp_path: Path) -> None:
    store = stored(tmp_path)
    for path in sorted((tmp_path / "alfa" / "charter").rglob("*")):
        if path.is_file():
            path.write_bytes(b"damaged")
    assert follow(store, Others({}), 5.0) == []
