"""Conversations with a running program: real processes. Whatever ends one is named, and nothing waits for ever."""

from __future__ import annotations

import asyncio
import os
import queue
import signal
import threading
from typing import Any

import numpy as np
import pytest

from mpc import LocalCluster, Party
from mpc.conversation import Conversation, ConversationOver
from mpc.errors import NotTransferable, PartyFailed, PeerLost, ProgramDiverged, UnknownParty, UsageError, WrongType
from mpc.line import Line
from mpc.outcomes import ClusterBroken, RunTimedOut

WAIT = 30.0
CLUSTER = {"heartbeat": 0.05}


async def doubles(party: Party, line: Line, mine: Any) -> tuple[Any, int]:
    """Party 0 owns what is doubled, party 1 says what comes out."""
    count = 0
    async for value in line:
        found = await party.reveal(party.input(value, owner=0) * 2, to=1)
        count += 1
        if found is not None:
            line.send(found)
    return mine, count


async def divides(party: Party, line: Line) -> None:
    async for value in line:
        line.send(party.index // value)


async def goes_apart(party: Party, line: Line) -> None:
    async for _ in line:
        if party.index != 1:
            await party.reveal(party.input(1, owner=1))
        else:
            await party.reveal(party.input(1, owner=0))


async def says_a_secret(party: Party, line: Line) -> None:
    line.send(party.random_bits((2,)))


async def hears_nothing(party: Party, line: Line) -> None:
    line.send("here")
    await asyncio.sleep(3600)


async def echoes(party: Party, line: Line) -> None:
    async for value in line:
        line.send(value)


class Talk:
    """A conversation whose values can be waited for."""

    def __init__(self, cluster: LocalCluster, program: Any, inputs: Any = None) -> None:
        self.heard: queue.Queue[tuple[int, Any]] = queue.Queue()
        self.it: Conversation = cluster.open(program, inputs, heard=lambda i, value: self.heard.put((i, value)))

    def say(self, *values: Any) -> None:
        for i, value in enumerate(values):
            self.it.say(i, value)

    def next(self) -> tuple[int, Any]:
        return self.heard.get(timeout=WAIT)


def works(cluster: LocalCluster) -> bool:
    talk = Talk(cluster, doubles, list("abc"))
    talk.say([1, 2], None, None)
    right = talk.next()[1].tolist() == [2, 4]
    return right and talk.it.finish(WAIT) == [("a", 1), ("b", 1), ("c", 1)]


def test_values_in_and_out_one_after_another_and_conversation_after_conversation(cluster: LocalCluster) -> None:
    talk = Talk(cluster, doubles, ["x", "y", "z"])
    for k in range(5):
        talk.say(np.arange(k), None, None)
        i, found = talk.next()
        assert i == 1 and found.tolist() == (2 * np.arange(k)).tolist()
    assert talk.it.finish(WAIT) == [("x", 5), ("y", 5), ("z", 5)]
    assert talk.it.finish(WAIT) == [("x", 5), ("y", 5), ("z", 5)]
    assert "over" in repr(talk.it) and talk.heard.empty()
    assert cluster.seconds > 0 and cluster.traffic[0].bytes_sent > 0
    assert works(cluster)


def test_waiting_for_the_caller_is_no_stall(cluster: LocalCluster) -> None:
    talk = Talk(cluster, doubles, list("abc"))
    with pytest.raises(TimeoutError):
        talk.it.outcome.result(1.0)  # twenty heartbeats; a stall is told after three
    talk.say([3], None, None)
    assert talk.next()[1].tolist() == [6]
    talk.it.finish(WAIT)


def test_a_stall_within_a_conversation_is_found_while_nobody_waits_for_the_caller(cluster: LocalCluster) -> None:
    talk = Talk(cluster, goes_apart)
    talk.say(0, 0, 0)
    with pytest.raises(ProgramDiverged):
        talk.it.outcome.result(WAIT)
    assert works(cluster)


def test_an_exception_names_its_party_and_leaves_the_cluster_free(cluster: LocalCluster) -> None:
    talk = Talk(cluster, divides)
    talk.say(1, 1, 1)
    assert sorted(talk.next() for _ in range(3)) == [(0, 0), (1, 1), (2, 2)]
    talk.it.say(1, 0)
    with pytest.raises(PartyFailed, match="party 1 with ZeroDivisionError"):
        talk.it.outcome.result(WAIT)
    with pytest.raises(ConversationOver, match="ZeroDivisionError") as over:
        talk.it.say(0, 1)
    assert isinstance(over.value.__cause__, PartyFailed)
    assert works(cluster)


def test_a_death_is_named_at_once_while_all_wait_for_the_caller(cluster: LocalCluster) -> None:
    talk = Talk(cluster, doubles, list("abc"))
    talk.say([1], None, None)
    talk.next()
    os.kill(cluster.processes[2], signal.SIGKILL)
    with pytest.raises(PeerLost, match="party 2 was killed"):
        talk.it.outcome.result(5.0)
    with pytest.raises(ConversationOver, match="party 2 was killed"):
        talk.it.say(0, 1)
    with pytest.raises(PeerLost, match="party 2 was killed"):
        talk.it.finish()
    with pytest.raises(ClusterBroken):
        cluster.open(echoes, heard=print)
    cluster.start()
    assert works(cluster)


def test_one_thing_at_a_time(cluster: LocalCluster) -> None:
    talk = Talk(cluster, doubles, list("abc"))
    with pytest.raises(UsageError, match="runs a program already"):
        cluster.run(doubles, list("abc"))
    with pytest.raises(UsageError, match="runs a program already"):
        cluster.open(echoes, heard=print)
    talk.it.finish(WAIT)


def test_what_cannot_be_said_is_refused_and_it_goes_on(cluster: LocalCluster) -> None:
    talk = Talk(cluster, echoes)
    with pytest.raises(NotTransferable, match="party 1"):
        talk.it.say(1, threading.Lock())
    for wrong in (3, -1, "0"):
        with pytest.raises(UnknownParty):
            talk.it.say(wrong, 0)  # type: ignore[arg-type]
    talk.it.say(2, "still there")
    assert talk.next() == (2, "still there")
    talk.it.finish(WAIT)
    with pytest.raises(WrongType, match="heard"):
        cluster.open(echoes, heard=None)  # type: ignore[arg-type]
    with pytest.raises(NotTransferable):
        Talk(cluster, says_a_secret).it.outcome.result(WAIT)
    assert works(cluster)


def test_a_program_that_does_not_end_is_stopped(cluster: LocalCluster) -> None:
    talk = Talk(cluster, hears_nothing)
    talk.next()
    with pytest.raises(RunTimedOut):
        talk.it.finish(0.2)
    other = Talk(cluster, hears_nothing)  # one that hears could end before it is stopped
    other.it.close()
    other.it.close()
    with pytest.raises(RunTimedOut):
        other.it.outcome.result(0)
    assert works(cluster)


def test_large_values_from_several_threads_arrive_in_the_order_of_each(cluster: LocalCluster) -> None:
    talk = Talk(cluster, echoes)

    def speak(k: int) -> None:
        for n in range(4):
            talk.it.say(k % 3, (k, n, np.full(1 << 19, k, np.int64)))

    threads = [threading.Thread(target=speak, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    told = [talk.next() for _ in range(16)]
    for thread in threads:
        thread.join()
    for k in range(4):
        mine = [(i, n) for i, (who, n, _) in told if who == k]
        assert mine == [(k % 3, n) for n in range(4)]
    assert all((values == who).all() for _, (who, _, values) in told)
    talk.it.finish(WAIT)


def test_an_error_of_who_hears_breaks_the_cluster_and_is_told(cluster: LocalCluster) -> None:
    def heard(i: int, value: Any) -> None:
        raise KeyError(value)

    talk = cluster.open(echoes, heard=heard)
    talk.say(0, "ah")
    with pytest.raises(KeyError, match="ah"):
        talk.outcome.result(WAIT)
    assert not cluster.processes


@pytest.mark.parametrize("error", [None, ValueError()])
def test_closing_the_cluster_ends_the_conversation(cluster: LocalCluster, error: Exception | None) -> None:
    talk = Talk(cluster, echoes)
    cluster.__exit__(None if error is None else type(error), error, None)
    assert talk.it.outcome.exception(WAIT) is not None
    with pytest.raises(ConversationOver):
        talk.it.say(0, 0)
    assert not cluster.processes and "closed" in repr(cluster)


async def test_a_line_has_one_listener_and_ends_after_what_was_put() -> None:
    line = Line(lambda value: None)
    first = asyncio.ensure_future(anext(line))
    await asyncio.sleep(0)
    with pytest.raises(UsageError, match="two tasks"):
        await anext(line)
    line.put(1)
    assert await first == 1
    line.put(2)
    line.end()
    assert [value async for value in line] == [2]
    line.close()
