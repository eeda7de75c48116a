"""Paxos for one decision: never two, and one in the end, whatever is lost, late, doubled or restarted."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parties.errors import BallotInvalid
from parties.jobs.decision import (
    FAST,
    Accept,
    Accepted,
    Acceptor,
    Answer,
    Ballot,
    Nack,
    Prepare,
    Promise,
    Proposal,
    Value,
    begin,
)  # fmt: skip

RELEASE, ABORT = Value.RELEASE, Value.ABORT


class World:
    """m nodes, each an acceptor whose state stays and proposals that a crash takes, and messages on their way."""

    def __init__(self, m: int, voted: bool) -> None:
        self.m = m
        self.voted = voted
        self.acceptors = [Acceptor() for _ in range(m)]
        self.proposals: list[list[Proposal]] = [[] for _ in range(m)]
        self.asked: list[tuple[int, int, Prepare | Accept]] = []  # from, to
        self.answered: list[tuple[int, int, Answer]] = []
        self.cast: dict[Ballot, Value] = {}
        self.accepted: dict[tuple[Ballot, Value], set[int]] = defaultdict(set)
        self.learnt: set[Value] = set()

    def begin(self, node: int, wish: Value, fast: bool = False) -> Proposal:
        if fast:
            proposal = Proposal(self.m, FAST, RELEASE)
        else:
            above = max((p.outbid for p in self.proposals[node] if p.outbid), default=None)
            self.acceptors[node], proposal = begin(self.acceptors[node], node, self.m, wish, above)
        self.proposals[node].append(proposal)
        return proposal

    def send(self, node: int, proposal: Proposal, to: Iterable[int]) -> None:
        message = proposal.message
        if isinstance(message, Accept):
            assert self.cast.setdefault(message.ballot, message.value) is message.value, "one ballot, two values"
            assert message.value is ABORT or self.voted
        if message is not None:
            self.asked += [(node, other, message) for other in to]

    def ask(self, source: int, to: int, message: Prepare | Accept) -> None:
        acceptor = self.acceptors[to]
        answer: Answer
        if isinstance(message, Prepare):
            self.acceptors[to], answer = acceptor.prepare(message.ballot)
        else:
            self.acceptors[to], answer = acceptor.accept(message.ballot, message.value)
            if isinstance(answer, Accepted):
                self.accepted[message.ballot, message.value].add(to)
        self.answered.append((to, source, answer))

    def answer(self, source: int, to: int, answer: Answer) -> None:
        for proposal in self.proposals[to]:
            proposal.take(source, answer)
            if proposal.decision is not None:
                self.learnt.add(proposal.decision)

    def decided(self) -> set[Value]:
        """What a majority accepted in one ballot, and what anybody takes for decided."""
        return self.learnt | {value for (_, value), who in self.accepted.items() if 2 * len(who) > self.m}

    def something(self, by: random.Random) -> None:
        node = by.randrange(self.m)
        match by.randrange(12):
            case 0:
                if not self.proposals[node] or by.random() < 0.3:
                    self.begin(node, by.choice((RELEASE, ABORT)) if self.voted else ABORT)
            case 1:
                if self.voted and by.random() < 0.3:
                    self.begin(0, RELEASE, fast=True)
            case 2:
                if by.random() < 0.2:
                    self.proposals[node] = []  # it died, and starts again with what is on its disk
            case 3 | 4 | 5 if self.proposals[node]:
                self.send(node, by.choice(self.proposals[node]), range(self.m))
            case 6 | 7 | 8 if self.asked:
                at = by.randrange(len(self.asked))
                self.ask(*(self.asked[at] if by.random() < 0.2 else self.asked.pop(at)))
            case 9 | 10 if self.answered:
                at = by.randrange(len(self.answered))
                self.answer(*(self.answered[at] if by.random() < 0.2 else self.answered.pop(at)))
            case 11:
                for bag in (self.asked, self.answered):
                    if bag and by.random() < 0.2:
                        bag.pop(by.randrange(len(bag)))


def finish(world: World, node: int, up: list[int]) -> Value:
    """One proposer alone, a majority up: how the register ends."""
    wish = RELEASE if world.voted else ABORT
    for _ in range(4):
        proposal = world.begin(node, wish)
        for _ in range(2):
            world.asked, world.answered = [], []
            world.send(node, proposal, up)
            for message in world.asked:
                world.ask(*message)
            for answer in world.answered:
                world.answer(*answer)
        if proposal.decision is not None:
            assert proposal.message is None
            return proposal.decision
    raise AssertionError("four ballots of a proposer alone, and no decision")


@pytest.mark.parametrize("m", [3, 4, 5])
@given(seed=st.integers(0, 2**64), voted=st.booleans(), length=st.integers(0, 250))
@settings(max_examples=250)
def test_never_two_decisions_and_one_in_the_end(m: int, seed: int, voted: bool, length: int) -> None:
    by = random.Random(seed)
    world = World(m, voted)
    for _ in range(length):
        world.something(by)
        assert len(world.decided()) <= 1
    before = world.decided()
    up = by.sample(range(m), m // 2 + 1)
    world.proposals = [[] for _ in range(m)]
    end = finish(world, by.choice(up), up)
    assert world.decided() == {end} and before <= {end}
    assert end is ABORT or voted
    others = by.sample(range(m), m // 2 + 1)  # who was away finds the same
    assert finish(world, by.choice(others), others) is end


def test_the_coordinators_ballot_takes_one_round() -> None:
    proposal = Proposal(3, FAST, RELEASE)
    assert proposal.message == Accept(FAST, RELEASE)
    for member in (0, 0, 2):
        assert proposal.decision is None
        proposal.take(member, Accepted(FAST))
    assert proposal.decision is RELEASE and proposal.message is None


def test_a_ballot_takes_over_what_the_highest_one_told() -> None:
    own = Acceptor()
    own, proposal = begin(own, 2, 5, RELEASE, above=Ballot(6, 4))
    assert own.promised == proposal.ballot == Ballot(7, 2)
    proposal.take(0, Promise(Ballot(7, 2), Ballot(3, 1), RELEASE))
    assert proposal.message == Prepare(Ballot(7, 2))
    proposal.take(1, Promise(Ballot(7, 2), Ballot(5, 0), ABORT))
    assert proposal.message == Accept(Ballot(7, 2), ABORT)
    proposal.take(3, Promise(Ballot(7, 2), Ballot(6, 0), RELEASE))  # too late: a majority has spoken
    proposal.take(3, Accepted(Ballot(3, 1)))
    assert proposal.message == Accept(Ballot(7, 2), ABORT)


def test_without_anything_told_it_is_the_wish() -> None:
    for wish in Value:
        _, proposal = begin(Acceptor(), 0, 3, wish)
        proposal.take(0, Promise(proposal.ballot))  # its own, again
        assert isinstance(proposal.message, Prepare)
        proposal.take(1, Promise(proposal.ballot))
        assert proposal.message == Accept(Ballot(1, 0), wish)


def test_an_acceptor_keeps_what_it_promised() -> None:
    acceptor, answer = Acceptor().prepare(Ballot(2, 1))
    assert answer == Promise(Ballot(2, 1))
    for lower in (Ballot(1, 2), Ballot(2, 0)):
        assert acceptor.prepare(lower) == (acceptor, Nack(lower, Ballot(2, 1)))
        assert acceptor.accept(lower, ABORT) == (acceptor, Nack(lower, Ballot(2, 1)))
    assert acceptor.accept(FAST, RELEASE) == (acceptor, Nack(FAST, Ballot(2, 1)))
    acceptor, _ = acceptor.accept(Ballot(3, 0), ABORT)
    assert acceptor == Acceptor(Ballot(3, 0), Ballot(3, 0), ABORT)
    assert acceptor.accept(Ballot(3, 0), ABORT) == (acceptor, Accepted(Ballot(3, 0)))
    assert acceptor.prepare(Ballot(4, 0))[1] == Promise(Ballot(4, 0), Ballot(3, 0), ABORT)


def test_a_nack_says_above_what_to_begin() -> None:
    _, proposal = begin(Acceptor(), 1, 3, ABORT)
    for promised in (Ballot(4, 0), Ballot(5, 2), Ballot(4, 2)):
        proposal.take(2, Nack(Ballot(1, 1), promised))
    assert proposal.outbid == Ballot(5, 2)
    assert begin(Acceptor(), 1, 3, ABORT, proposal.outbid)[1].ballot == Ballot(6, 1)
    assert begin(Acceptor(Ballot(8, 2)), 1, 3, ABORT, proposal.outbid)[1].ballot == Ballot(9, 1)
    assert [Ballot(1, 0), Ballot(0, 0)] < [Ballot(1, 1)] < [Ballot(2, 0)]


def test_ballots_no_honest_member_casts() -> None:
    _, proposal = begin(Acceptor(), 1, 3, ABORT)
    accepted, _ = Acceptor().accept(Ballot(1, 1), ABORT)
    for cast, named in (
        (lambda: Ballot(0, 1), "round 0"),
        (lambda: Ballot(-1, 0), "rounds"),
        (lambda: Ballot(10**9 + 1, 0), "rounds"),
        (lambda: Ballot(1, -1), "rounds"),
        (lambda: Acceptor().prepare(FAST), "first phase"),
        (lambda: Acceptor().accept(FAST, ABORT), "only release"),
        (lambda: accepted.accept(Ballot(1, 1), RELEASE), "two values"),
        (lambda: Proposal(3, FAST, ABORT), "only release"),
        (lambda: Proposal(3, Ballot(1, 3), ABORT), "3 compute members"),
        (lambda: proposal.take(3, Promise(proposal.ballot)), "there are 3"),
        (lambda: proposal.take(-1, Promise(proposal.ballot)), "there are 3"),
        (lambda: Promise(Ballot(1, 1), Ballot(1, 0), None), "or neither"),
        (lambda: Promise(Ballot(1, 1), None, ABORT), "or neither"),
        (lambda: Promise(Ballot(1, 1), Ballot(2, 0), ABORT), "higher"),
    ):
        with pytest.raises(BallotInvalid, match=named):
            cast()
