"""The pipe between a LocalCluster and its workers: whole messages, no copies of arrays, nobody waits for a slow end."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from mpc.pipe import Message, ParentEnd, WorkerEnd, freeze, thaw

Ends = tuple[ParentEnd, WorkerEnd]


@pytest.fixture
def ends() -> Iterator[Ends]:
    ours, theirs = socket.socketpair()
    parent, worker = ParentEnd(ours), WorkerEnd(theirs, lambda: None)
    yield parent, worker
    parent.close()
    theirs.close()


def heard(parent: ParentEnd, count: int) -> list[Message]:
    """The next messages of the worker."""
    messages: list[Message] = []
    while len(messages) < count:
        select.select([parent], [], [])
        messages += parent.read()[0]
    return messages


VALUES = [
    None,
    7,
    "text",
    np.arange(6),
    np.zeros((0, 3)),
    np.arange(1 << 18),
    np.arange(1 << 16).reshape(256, 256)[::2, ::3],
    np.asfortranarray(np.arange(1 << 16).reshape(256, 256)),
    {"a": [np.ones(1 << 12), "b"], "c": (1.5, np.zeros(1 << 13, bool))},
]


@pytest.mark.parametrize("value", VALUES, ids=lambda v: f"{type(v).__name__}{getattr(v, 'shape', '')}")
def test_objects_go_both_ways(ends: Ends, value: Any) -> None:
    parent, worker = ends
    worker.send("answer", 1, ("x", 2.5), bodies=[freeze(value), freeze("second")])
    worker.send("report", "after it")
    first, second = heard(parent, 2)
    assert (first.kind, first.fields) == ("answer", (1, ("x", 2.5)))
    np.testing.assert_equal(thaw(first.bodies[0]), value)
    assert thaw(first.bodies[1]) == "second"
    assert second == Message("report", ("after it",), [])

    writing = threading.Thread(target=lambda: [parent.write() for _ in iter(lambda: parent.unsent, False)])
    parent.put("run", bodies=[freeze(value)])
    writing.start()
    np.testing.assert_equal(thaw(worker.receive().bodies[0]), value)
    writing.join()


def test_large_arrays_are_not_copied(ends: Ends) -> None:
    array = np.arange(1 << 18)
    frozen = freeze([array, "beside it"])
    assert len(frozen[0]) < 1000
    assert np.shares_memory(np.frombuffer(frozen[1], np.int64), array)
    parent, worker = ends
    worker.send("answer", bodies=[frozen])
    body = heard(parent, 1)[0].bodies[0]
    thawed, _ = thaw(body)
    assert np.shares_memory(np.frombuffer(body[1], np.int64), thawed)
    thawed += 1  # the receiver's own, so it may be written to


def test_neither_end_waits_for_the_other_to_read(ends: Ends) -> None:
    """Both put far more than the kernel keeps, then both read."""
    parent, worker = ends
    array = np.arange(1 << 21)
    worker.send("answer", bodies=[freeze(array)])
    parent.put("run", bodies=[freeze(array)])
    assert parent.unsent and not parent.midway
    got: list[Message] = []
    reading = threading.Thread(target=lambda: got.append(worker.receive()))
    reading.start()
    messages: list[Message] = []
    while reading.is_alive() or not messages:
        select.select([parent], [parent] if parent.unsent else [], [], 0.05)
        parent.write()
        messages += parent.read()[0]
    reading.join()
    assert np.array_equal(thaw(messages[0].bodies[0]), array)
    assert np.array_equal(thaw(got[0].bodies[0]), array)
    assert not parent.unsent and not parent.midway


def test_turns_are_bounded(ends: Ends) -> None:
    """One read takes no more than a few megabytes, so that one worker's answer does not hold up another's."""
    parent, worker = ends
    worker.send("answer", bodies=[freeze(np.zeros(1 << 21))])
    taken = []
    messages: list[Message] = []
    while not messages:
        select.select([parent], [], [])
        messages, n, _ = parent.read()
        taken.append(n)
    assert len(taken) > 1 and max(taken) < 6 << 20


def test_ends_that_are_gone(ends: Ends) -> None:
    parent, worker = ends
    worker.send("report", "last words")
    worker.flush()
    worker._sock.close()
    messages, _, over = parent.read()
    assert [m.fields for m in messages] == [("last words",)] and over
    parent.put("run", bodies=[freeze(np.zeros(1 << 20))])
    assert not parent.unsent  # nobody is there to take it


def test_a_worker_hears_that_its_parent_is_gone() -> None:
    ours, theirs = socket.socketpair()
    gone = threading.Event()
    worker = WorkerEnd(theirs, gone.set)
    ours.close()
    with pytest.raises(EOFError):
        worker.receive()
    worker.send("report", "is anybody there?")
    assert gone.wait(10)


def test_idle_is_called_while_nothing_comes(ends: Ends) -> None:
    parent, worker = ends
    calls: list[int] = []

    def idle() -> None:
        calls.append(1)
        if len(calls) == 2:
            parent.put("close")

    assert worker.receive(idle, every=0.01).kind == "close"
    assert len(calls) == 2
