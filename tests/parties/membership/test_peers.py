"""Decisions about callers are remembered for a minute, and for one charter."""

from __future__ import annotations

import datetime

import pytest

from parties.errors import CertificateInvalid, CharterOutdated, NotAMember, NotOneOfThePeople, WrongMember
from parties.keys.leaf import LIFE, issue, utc_now
from parties.membership.peers import Peers, People
from tests.parties.consortium import charter, identity, member
from tests.parties.keys.test_leaf import MATRIX, der

NOW = utc_now()
MINUTE = datetime.timedelta(minutes=1)
FOUR = charter(*(member(i) for i in range(4)))
THREE = charter(*(member(i) for i in range(3)), before=FOUR)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime.datetime:
        return self.now


def test_a_member_is_known_until_its_certificate_ends_or_the_charter_changes() -> None:
    clock, chain = Clock(), [FOUR]
    peers = Peers(identity(0).fingerprint, lambda: chain, clock)
    delta = der(issue(identity(3), NOW))
    assert peers.peer_of(delta).name == "delta"
    assert peers.admit(delta) == identity(3).fingerprint
    chain.append(THREE)
    with pytest.raises(NotAMember):
        peers.peer_of(delta)
    bravo = der(issue(identity(1), NOW))
    assert peers.peer_of(bravo).name == "bravo"
    for later in (LIFE + MINUTE, -LIFE):
        clock.now = NOW + later
        with pytest.raises(CertificateInvalid):
            peers.peer_of(bravo)
    clock.now = NOW + LIFE - MINUTE
    assert peers.peer_of(bravo).name == "bravo"
    assert peers.charter is THREE
    with pytest.raises(CharterOutdated):
        peers.check_stated(FOUR.digest)


def test_a_refusal_is_not_remembered() -> None:
    clock = Clock()
    peers = Peers(identity(0).fingerprint, lambda: [FOUR], clock)
    early = der(issue(identity(1), NOW + 5 * LIFE))
    for _ in range(2):
        with pytest.raises(CertificateInvalid):
            peers.peer_of(early)
    clock.now = NOW + 5 * LIFE
    assert peers.peer_of(early).name == "bravo"


def test_who_was_called_is_who_must_answer() -> None:
    peers = Peers(identity(0).fingerprint, lambda: [THREE], Clock())
    peers.check_dialed(der(issue(identity(1), NOW)), identity(1).fingerprint)
    with pytest.raises(WrongMember, match="charlie answered where bravo was called"):
        peers.check_dialed(der(issue(identity(2), NOW)), identity(1).fingerprint)
    with pytest.raises(CertificateInvalid):
        peers.check_dialed(None, identity(1).fingerprint)


def test_what_is_remembered_is_bounded() -> None:
    clock = Clock()
    peers = Peers(identity(0).fingerprint, lambda: [FOUR], clock)
    bravo = der(issue(identity(1), NOW))
    for i in range(1100):
        peers._remembered.get((bytes(4), f"{i}"), lambda now: FOUR.members[1])
    assert len(peers._remembered._known) <= 1024
    assert peers.peer_of(bravo).name == "bravo"


def test_people_are_known_by_the_keys_of_the_moment() -> None:
    keys = {"ann": identity(7).public, "node": identity(0).public}
    people = People(lambda: keys, Clock())
    ann, node = der(issue(identity(7), NOW)), der(issue(identity(0), NOW))
    assert (people.person_of(ann), people.person_of(node)) == ("ann", "node")
    assert people.admit(ann) == identity(7).fingerprint
    del keys["ann"]
    with pytest.raises(NotOneOfThePeople, match=r"node\.toml"):
        people.person_of(ann)
    assert people.person_of(node) == "node"


@pytest.mark.parametrize("which", [one for one in MATRIX if one != "this member's own"])
def test_nobody_else_is_one_of_the_people(which: str) -> None:
    people = People(lambda: {"ann": identity(1).public}, Clock())
    with pytest.raises((NotOneOfThePeople, CertificateInvalid)):
        people.person_of(der(MATRIX[which]()))
    with pytest.raises(CertificateInvalid):
        people.person_of(None)
