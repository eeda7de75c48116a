"""A job's states: which event may happen when; and that no order of events releases at one node and aborts at another.

The second is shown by going through every order of events at a small consortium, against the rules the nodes keep.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from parties.errors import IllegalStep
from parties.jobs.session import TRANSITIONS, Event, Standing, State, Who, allowed, diagram, step, table

ALL = [Standing(s, c, v) for s in State for c in (True, False) for v in (True, False)]
REAL = [s for s in ALL if not s.voted or (s.computes and s.state in (State.RUNNING, State.RELEASED, State.ABORTED))]


def leads(standing: Standing, event: Event) -> State | None:
    try:
        return step(standing, event).state
    except IllegalStep:
        return None


def test_the_way_of_a_job_that_is_released() -> None:
    for computes in (True, False):
        standing = Standing(State.PROPOSED, computes)
        events = [Event.ACCEPT, Event.RESERVE, Event.RUN, Event.SUSPEND, Event.RUN]
        events += [Event.READY, Event.DECIDE_RELEASE] if computes else [Event.DECIDE_RELEASE]
        for event in events:
            standing = step(standing, event)
        assert standing == Standing(State.RELEASED, computes, computes)


def test_who_voted_takes_only_what_is_decided() -> None:
    voted = step(Standing(State.RUNNING, True), Event.READY)
    assert voted == Standing(State.RUNNING, True, True) and voted.bound
    assert set(allowed(voted)) == {Event.DECIDE_RELEASE, Event.DECIDE_ABORT}
    with pytest.raises(IllegalStep, match=r"RUNNING at a compute member and voted.*takes no 'abort'.*decide_release"):
        step(voted, Event.ABORT)


def test_who_does_not_compute_is_bound_when_it_has_accepted() -> None:
    assert leads(Standing(State.PROPOSED, False), Event.ABORT) is State.ABORTED
    assert leads(Standing(State.PROPOSED, False), Event.DECIDE_RELEASE) is None
    for state in (State.ACCEPTED, State.RESERVED, State.RUNNING):
        for event in (Event.ABORT, Event.EXPIRE, Event.READY):
            assert leads(Standing(state, False), event) is None
        assert leads(Standing(state, False), Event.DECIDE_RELEASE) is State.RELEASED


def test_nobody_is_released_without_a_vote_or_twice_decided() -> None:
    for standing, event in itertools.product(REAL, Event):
        after = leads(standing, event)
        if after is State.RELEASED and standing.computes and standing.state is not State.RELEASED:
            assert standing.voted and event is Event.DECIDE_RELEASE
        if standing.state.terminal:
            assert after in (None, standing.state)
        elif event is Event.DECIDE_ABORT:
            assert after is State.ABORTED
    assert leads(Standing(State.RELEASED, True, True), Event.DECIDE_ABORT) is None
    assert leads(Standing(State.ABORTED, True, True), Event.DECIDE_RELEASE) is None


def test_a_step_is_what_the_table_says_and_the_error_says_what_is_allowed() -> None:
    for standing, event in itertools.product(ALL, Event):
        rows = [t for t in TRANSITIONS if (t.state, t.event) == (standing.state, event) and t.who.holds(standing)]
        assert len(rows) <= 1
        assert leads(standing, event) is (rows[0].then if rows else None)
        assert (event in allowed(standing)) == bool(rows)
        if not rows:
            with pytest.raises(IllegalStep) as caught:
                step(standing, event)
            assert standing.state.value in str(caught.value) and repr(event.value) in str(caught.value)
    assert all(allowed(standing) for standing in REAL)


# -- every order of events -------------------------------------------------------------------------

Node = tuple[Standing, bool]  # and whether it signed its acceptance
World = tuple[tuple[Node, ...], str | None]  # and what the register decided


def worlds_after(world: World) -> Iterator[World]:
    """All that can happen next where nodes keep the rules of job_signatures and decision."""
    nodes, register = world
    computing = [standing for standing, _ in nodes if standing.computes]
    if register is None:
        yield nodes, "abort"
        if all(standing.voted for standing in computing):
            yield nodes, "release"
    released = register == "release" or any(s.state is State.RELEASED for s in computing)
    aborted = register == "abort" or any(s.state is State.ABORTED for s in computing)
    for i, (standing, signed) in enumerate(nodes):
        for event in allowed(standing):
            if event is Event.RESERVE and not all(signed for _, signed in nodes):
                continue
            if (event is Event.DECIDE_RELEASE and not released) or (event is Event.DECIDE_ABORT and not aborted):
                continue
            if event is Event.READY and any(s.state in (State.PROPOSED, State.ACCEPTED) for s in computing):
                continue  # nobody finishes a computation alone
            after = (step(standing, event), signed or event is Event.ACCEPT)
            yield (*nodes[:i], after, *nodes[i + 1 :]), register


def test_no_order_of_events_releases_at_one_node_and_aborts_at_another() -> None:
    start: World = (tuple((Standing(State.PROPOSED, computes), False) for computes in (True, True, True, False)), None)
    seen, todo, ends = {start}, [start], set()
    while todo:
        world = todo.pop()
        states = {standing.state for standing, _ in world[0]}
        assert not {State.RELEASED, State.ABORTED} <= states, world
        after = set(worlds_after(world))
        if all(state.terminal for state in states):
            ends.add(next(iter(states)))
        else:
            assert after - {world}, f"a dead end: {world}"
        todo += after - seen
        seen |= after
    assert ends == {State.RELEASED, State.ABORTED}
    assert len(seen) > 1000


def test_the_docs_are_drawn_from_the_table() -> None:
    command = [sys.executable, "-m", "parties.jobs.session"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert table() in printed and diagram() in printed
    assert len(table().splitlines()) == len(TRANSITIONS) + 2
    for t in TRANSITIONS:
        assert f"| {t.state.value} | {t.event.value} | {t.who.value} | {t.then.value} |" in printed
        if not t.state.terminal:
            (line,) = [s for s in diagram().splitlines() if f"    {t.state.value} --> {t.then.value}:" in s]
            assert t.event.value in line and (t.who is Who.ANY or t.who.value in line)


def test_the_documents_have_the_table_and_the_diagram_as_they_are_printed() -> None:
    text = (Path(__file__).parents[3] / "ARCHITECTURE.md").read_text()
    assert table() in text and diagram() in text
