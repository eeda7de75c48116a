"""Release or abort: one decision for each job, taken once and for all by a majority of the compute members. Pure.

Single-decree Paxos (Lamport, "Paxos Made Simple", 2001, section 2.2), one register for each job. Its value at ballot 0
is as in Paxos Commit (Gray and Lamport, "Consensus on Transaction Commit", 2006, section 4): one member owns that
ballot and needs no first phase there, as there is no lower ballot anybody could have accepted in.

 1. A proposer takes a ballot above all it knows, and asks all acceptors to promise to take nothing in a lower one.
 2. An acceptor that has promised no higher one promises, and tells the last value it accepted, and in which ballot.
 3. With a majority's promises the proposer asks all to accept: the value of the highest ballot told, and its own wish
    only if none was told.
 4. An acceptor accepts unless it has promised a higher ballot.
 5. What a majority accepted in one ballot is decided; no ballot can decide anything else.

What may be wished: ``abort`` by any compute member at any time; ``release`` only with all m members' votes, which are
shown with it (job_signatures.check_votes), also where the value comes from a promise.

Ballot (0, 0) is the coordinator's, compute party 0, with the value ``release`` only: so its ballot has one value even
if it forgets that it cast it. All other ballots begin with a promise on the proposer's own disk (:func:`begin`), so
that none is cast twice, with two values, by a node that restarts.

Sends: 2 messages of some bytes to each of m acceptors and back; 1 at ballot 0. Tolerates members that stop, come back,
are late, or hear things twice or not at all, a minority of them at a time; not members that lie, nor one whose disk
forgot what it promised: never restore an old copy of a node's database. With a majority up it ends once one proposer is
left alone long enough: who gets a Nack waits for a random time before it tries above.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from parties.errors import BallotInvalid

__all__ = [
    "FAST",
    "Accept",
    "Accepted",
    "Acceptor",
    "Ballot",
    "Nack",
    "Prepare",
    "Promise",
    "Proposal",
    "Value",
    "begin",
]

_MOST_ROUNDS = 10**9  # nobody can push the others to where a counter overflows


class Value(enum.Enum):
    """What can be decided."""

    RELEASE = "release"
    ABORT = "abort"


@dataclass(frozen=True, order=True, slots=True)
class Ballot:
    """Ballots of all members in one order: by round, then by the compute index of the member that alone may cast it.

    Raises BallotInvalid out of range.
    """

    round: int
    member: int

    def __post_init__(self) -> None:
        if not (0 <= self.round <= _MOST_ROUNDS and 0 <= self.member < 1000):
            raise BallotInvalid(f"ballot ({self.round}, {self.member}): rounds are 0 to {_MOST_ROUNDS}")
        if self.round == 0 and self.member != 0:
            raise BallotInvalid(f"ballot (0, {self.member}): only the coordinator, with index 0, has one in round 0")

    def __str__(self) -> str:
        return f"({self.round}, {self.member})"


FAST = Ballot(0, 0)
"""The coordinator's, without a first phase, for release only."""


@dataclass(frozen=True, slots=True)
class Prepare:
    """Phase 1, to all acceptors: promise this ballot."""

    ballot: Ballot


@dataclass(frozen=True, slots=True)
class Accept:
    """Phase 2, to all acceptors: accept this value. The votes go with it if it is release."""

    ballot: Ballot
    value: Value


@dataclass(frozen=True, slots=True)
class Promise:
    """The answer to a Prepare. ``accepted`` and ``value`` are what was accepted last; None and None if nothing was."""

    ballot: Ballot
    accepted: Ballot | None = None
    value: Value | None = None

    def __post_init__(self) -> None:
        if (self.accepted is None) != (self.value is None):
            raise BallotInvalid("a promise tells a ballot and its value, or neither")
        if self.accepted is not None and self.accepted > self.ballot:
            raise BallotInvalid(f"a promise of ballot {self.ballot} that tells of the higher one {self.accepted}")


@dataclass(frozen=True, slots=True)
class Accepted:
    """The answer to an Accept."""

    ballot: Ballot


@dataclass(frozen=True, slots=True)
class Nack:
    """The answer to either, where the higher ballot ``promised`` was promised."""

    ballot: Ballot
    promised: Ballot


@dataclass(frozen=True, slots=True)
class Acceptor:
    """What one acceptor knows about one job. Whoever asks it keeps the state it gives back on disk, then answers."""

    promised: Ballot | None = None
    accepted: Ballot | None = None
    value: Value | None = None

    def prepare(self, ballot: Ballot) -> tuple[Acceptor, Promise | Nack]:
        """Phase 1. The same Prepare twice is answered twice. BallotInvalid in round 0, which has no first phase."""
        if ballot.round == 0:
            raise BallotInvalid(f"ballot {ballot}: round 0 has no first phase")
        if self.promised is not None and ballot < self.promised:
            return self, Nack(ballot, self.promised)
        return Acceptor(ballot, self.accepted, self.value), Promise(ballot, self.accepted, self.value)

    def accept(self, ballot: Ballot, value: Value) -> tuple[Acceptor, Accepted | Nack]:
        """Phase 2. BallotInvalid for abort in round 0, or for a second value in one ballot."""
        if ballot.round == 0 and value is not Value.RELEASE:
            raise BallotInvalid(f"ballot {ballot}: in round 0 only release is proposed")
        if ballot == self.accepted and value is not self.value:
            raise BallotInvalid(f"ballot {ballot} was cast with two values: did compute member {ballot.member} forget?")
        if self.promised is not None and ballot < self.promised:
            return self, Nack(ballot, self.promised)
        return Acceptor(ballot, ballot, value), Accepted(ballot)


Answer: TypeAlias = Promise | Accepted | Nack


class Proposal:
    """One ballot of one proposer. It lives in memory only: after a restart, begin another one.

    Send ``message`` to all acceptors, this node's own among them, and again as often as you like; give each answer to
    :meth:`take`; go on until ``decision`` is there, or give up and begin above ``outbid``.

    Args:
        m: how many compute members there are.
        ballot: this node's; from :func:`begin`, or FAST.
        wish: proposed if nothing was accepted before. Release only if all m votes are here: the caller checked them.

    Attributes:
        message: what to send now; once there is a decision, nothing any more.
        decision: what was decided; None as long as this proposal does not know.
        outbid: the highest ballot somebody else was promised; None if nobody said so.
    """

    def __init__(self, m: int, ballot: Ballot, wish: Value) -> None:
        if not 0 <= ballot.member < m:
            raise BallotInvalid(f"ballot {ballot}: there are {m} compute members")
        if ballot.round == 0 and wish is not Value.RELEASE:
            raise BallotInvalid("in round 0 only release is proposed: begin another ballot for abort")
        self._m = m
        self._wish = wish
        self._promises: dict[int, Promise] = {}
        self._accepted: set[int] = set()
        self.ballot = ballot
        self.message: Prepare | Accept | None = Accept(ballot, wish) if ballot.round == 0 else Prepare(ballot)
        self.decision: Value | None = None
        self.outbid: Ballot | None = None

    def take(self, member: int, answer: Answer) -> None:
        """An answer of the compute member with this index, whom the caller knows by its connection.

        Answers to another ballot, to a phase that is over, and repeated ones change nothing. Raises BallotInvalid for a
        member there is not.
        """
        if not 0 <= member < self._m:
            raise BallotInvalid(f"an answer of compute member {member}: there are {self._m}")
        if answer.ballot != self.ballot:
            return
        match answer:
            case Nack(promised=promised):
                self.outbid = promised if self.outbid is None else max(self.outbid, promised)
            case Promise() if isinstance(self.message, Prepare):
                self._promises.setdefault(member, answer)
                if self._majority(self._promises):
                    self.message = Accept(self.ballot, self._must())
            case Accepted() if isinstance(self.message, Accept):
                self._accepted.add(member)
                if self._majority(self._accepted):
                    self.decision = self.message.value
                    self.message = None

    def _majority(self, members: Iterable[int]) -> bool:
        return 2 * len(set(members)) > self._m

    def _must(self) -> Value:
        """Step 3: the value accepted in the highest ballot told of; the wish if there is none."""
        told = [(p.accepted, p.value) for p in self._promises.values() if p.accepted is not None and p.value]
        return max(told, key=lambda pair: pair[0])[1] if told else self._wish


def begin(own: Acceptor, me: int, m: int, wish: Value, above: Ballot | None = None) -> tuple[Acceptor, Proposal]:
    """A new ballot of compute member ``me``, above all it knows, that its own acceptor has promised.

    Args:
        own: this node's acceptor.
        above: the highest ballot heard of otherwise, in a Nack say.

    Gives the acceptor to keep on disk *before* anything of the proposal is sent: the ballot is never cast again then.
    """
    highest = max(ballot for ballot in (FAST, own.promised, above) if ballot is not None)
    ballot = Ballot(highest.round + 1, me)
    kept, answer = own.prepare(ballot)
    proposal = Proposal(m, ballot, wish)
    proposal.take(me, answer)
    return kept, proposal
