"""A job's way at one node: states, events, and which event may happen when. Pure: no files, no clock.

Every node keeps a standing of its own, and nobody sets another's. ``python -m parties.jobs.session`` prints the table
and a diagram of it.

Why nothing is released at one node and aborted at another:
 1. A job is released only with the votes of all compute members (decision.py). A compute member that has not voted is
    free to abort, and then never votes: so nobody releases. One that has voted is bound: it takes what was decided.
 2. A participant that does not compute has no vote. It is bound from its acceptance on, which is all the others need
    of it, and takes what was decided from any compute member: a release with all votes only, an abort on its word.
 3. So ABORTED at any one compute member means that the job can no longer be released, and RELEASED at any one that it
    can no longer be aborted. A node that restarts asks the others, and believes the first that is in either state; one
    that says RELEASED shows all votes, or is not believed.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass

from parties.errors import IllegalStep

__all__ = ["TRANSITIONS", "Event", "Standing", "State", "Transition", "Who", "allowed", "diagram", "step", "table"]


class State(enum.Enum):
    """Where a job is at this node."""

    PROPOSED = "PROPOSED"
    ACCEPTED = "ACCEPTED"
    RESERVED = "RESERVED"
    RUNNING = "RUNNING"
    RELEASED = "RELEASED"
    ABORTED = "ABORTED"

    @property
    def terminal(self) -> bool:
        """Whether it stays there for ever."""
        return self in (State.RELEASED, State.ABORTED)


class Event(enum.Enum):
    """What happens to a job at this node."""

    ACCEPT = "accept"
    """This node's rules allow the job, and it signs."""
    REFUSE = "refuse"
    """This node's rules do not, and it never signs."""
    RESERVE = "reserve"
    """All participants' acceptances are here and good; what the job may use up is set aside."""
    RUN = "run"
    """A lane is free: the workers begin, or go on from a checkpoint."""
    READY = "ready"
    """This node has its share of the sealed answer on disk, and votes."""
    SUSPEND = "suspend"
    """A member was lost, and the job waits for it."""
    ABORT = "abort"
    """This node ends the job by itself: cancelled, a member lost, a worker dead, another node's refusal."""
    EXPIRE = "expire"
    """The same, at the job's deadline."""
    DECIDE_RELEASE = "decide_release"
    """The compute members decided: release. This node found a majority, or a compute member shows it all votes."""
    DECIDE_ABORT = "decide_abort"
    """The compute members decided: abort; or one of them aborted without a vote, which comes to the same."""


@dataclass(frozen=True, slots=True)
class Standing:
    """All that decides what may happen next.

    Attributes:
        state: where the job is.
        computes: whether this member is a compute party of it, so has a vote.
        voted: whether it voted ready.
    """

    state: State
    computes: bool
    voted: bool = False

    @property
    def bound(self) -> bool:
        """Whether others may already count on this node, so that it takes what is decided and decides nothing alone."""
        return self.voted if self.computes else self.state is not State.PROPOSED


class Who(enum.Enum):
    """To whom a transition is open."""

    ANY = "any"
    FREE = "not bound"
    BOUND = "bound"
    UNVOTED = "not voted"

    def holds(self, standing: Standing) -> bool:
        """Whether it is open to this one."""
        match self:
            case Who.FREE:
                return not standing.bound
            case Who.BOUND:
                return standing.bound
            case Who.UNVOTED:
                return not standing.voted
            case _:
                return True


@dataclass(frozen=True, slots=True)
class Transition:
    """In ``state``, for ``who``, ``event`` leads to ``then``."""

    state: State
    event: Event
    who: Who
    then: State


def _all() -> Iterator[Transition]:
    S, E = State, Event
    yield Transition(S.PROPOSED, E.ACCEPT, Who.ANY, S.ACCEPTED)
    yield Transition(S.PROPOSED, E.REFUSE, Who.ANY, S.ABORTED)
    yield Transition(S.ACCEPTED, E.RESERVE, Who.ANY, S.RESERVED)
    yield Transition(S.RESERVED, E.RUN, Who.ANY, S.RUNNING)
    yield Transition(S.RUNNING, E.SUSPEND, Who.UNVOTED, S.RESERVED)
    yield Transition(S.RUNNING, E.READY, Who.FREE, S.RUNNING)
    for state in (S.PROPOSED, S.ACCEPTED, S.RESERVED, S.RUNNING):
        yield Transition(state, E.ABORT, Who.FREE, S.ABORTED)
        yield Transition(state, E.EXPIRE, Who.FREE, S.ABORTED)
        yield Transition(state, E.DECIDE_ABORT, Who.ANY, S.ABORTED)
    for state in (S.ACCEPTED, S.RESERVED, S.RUNNING):
        yield Transition(state, E.DECIDE_RELEASE, Who.BOUND, S.RELEASED)
    # What comes again, or from two sides at once, changes nothing.
    yield Transition(S.RELEASED, E.DECIDE_RELEASE, Who.ANY, S.RELEASED)
    for event in (E.REFUSE, E.ABORT, E.EXPIRE, E.DECIDE_ABORT):
        yield Transition(S.ABORTED, event, Who.ANY, S.ABORTED)


TRANSITIONS: tuple[Transition, ...] = tuple(_all())
"""All there are; every other is illegal."""


def allowed(standing: Standing) -> tuple[Event, ...]:
    """The events that may happen now."""
    return tuple(t.event for t in TRANSITIONS if t.state is standing.state and t.who.holds(standing))


def step(standing: Standing, event: Event) -> Standing:
    """Where the event leads; IllegalStep, with what is allowed instead, if it may not happen."""
    for transition in TRANSITIONS:
        if transition.state is standing.state and transition.event is event and transition.who.holds(standing):
            return Standing(transition.then, standing.computes, standing.voted or event is Event.READY)
    voted = " and voted" if standing.voted else ""
    bound = ", so takes only what is decided," if standing.bound and not standing.state.terminal else ""
    raise IllegalStep(
        f"a job that is {standing.state.value} at a {'compute' if standing.computes else 'non-compute'} member{voted}"
        f"{bound} takes no {event.value!r}; it takes {', '.join(e.value for e in allowed(standing))}"
    )


def table() -> str:
    """The transitions in Markdown."""
    rows = ["| state | event | open to | then |", "|---|---|---|---|"]
    rows += [f"| {t.state.value} | {t.event.value} | {t.who.value} | {t.then.value} |" for t in TRANSITIONS]
    return "\n".join(rows)


def diagram() -> str:
    """The transitions as a state diagram for Mermaid; what changes nothing in a terminal state is left out."""
    arrows: dict[tuple[State, State], list[str]] = {}
    for t in TRANSITIONS:
        if not t.state.terminal:
            note = "" if t.who is Who.ANY else f" ({t.who.value})"
            arrows.setdefault((t.state, t.then), []).append(t.event.value + note)
    lines = ["stateDiagram-v2", "    [*] --> PROPOSED"]
    lines += [f"    {a.value} --> {b.value}: {', '.join(events)}" for (a, b), events in arrows.items()]
    lines += [f"    {state.value} --> [*]" for state in State if state.terminal]
    return "\n".join(lines)


if __name__ == "__main__":
    print(f"{table()}\n\n```mermaid\n{diagram()}\n```")
