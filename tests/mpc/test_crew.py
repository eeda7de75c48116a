"""The workers as the parent drives them: who died, who was stopped, and who is merely slow."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from mpc import crew as module
from mpc.crew import Crew
from mpc.errors import PeerLost, PeerSilent
from mpc.launch import Launched
from mpc.pipe import Message, ParentEnd, freeze

# Small processes in the place of workers. Each has its end of the pipe as file descriptor 0.
TALK = (
    "import os, pickle, signal, socket, struct, time\n"
    "s = socket.socket(fileno=0)\n"
    "def say(kind, *fields):\n"
    "    head = pickle.dumps((kind, fields, []))\n"
    "    s.sendall(struct.pack('<Q', len(head)) + head)\n"
)
SLEEPS = TALK + "time.sleep(1000)"
COUNTS = (
    TALK + "n = 0\n"
    "while n < 1 << 25: n += len(s.recv(1 << 20))\n"  # a little less than what the test sends
    "say('report', n)\n"
    "while s.recv(1 << 20): pass"
)
HALF = TALK + "s.sendall(b'abc'); time.sleep(1000)"
LAST_WORDS = TALK + "say('report', 'last words'); os._exit(3)"
FORKS = TALK + "if os.fork() == 0: time.sleep(1000)\nsay('report', os.getpid())\nos.kill(os.getpid(), signal.SIGKILL)"


@pytest.fixture
def crew_of() -> Iterator[Callable[..., Crew]]:
    made: list[Crew] = []

    def make(*scripts: str, silence: float = 1.0) -> Crew:
        workers = []
        for script in scripts:
            ours, theirs = socket.socketpair()
            process = subprocess.Popen([sys.executable, "-S", "-c", script], stdin=theirs, start_new_session=True)
            theirs.close()
            workers.append(Launched(process, ParentEnd(ours)))
        made.append(Crew(workers, silence))
        return made[-1]

    yield make
    for crew in made:
        groups = [w.process.pid for w in crew.workers]
        crew.stop(0.0)
        for group in groups:  # what FORKS leaves
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)


def pid(crew: Crew, i: int) -> int:
    return crew.workers[i].process.pid


def heard(crew: Crew, wanted: int, seconds: float = 30.0) -> dict[int, Any]:
    """News of that many workers: the fields of what they say, or what became of them."""
    found: dict[int, Any] = {}
    until = time.monotonic() + seconds
    while len(found) < wanted and time.monotonic() < until:
        for i, news in crew.hear(until):
            found.setdefault(i, news.fields[0] if isinstance(news, Message) else news)
    return found


def test_a_death_is_told_once_and_after_all_that_was_said(crew_of: Callable[..., Crew]) -> None:
    crew = crew_of(LAST_WORDS, SLEEPS)
    crew.when = "in this test"
    news = []
    while not crew.lost:
        news += crew.hear(time.monotonic() + 30)
    assert [i for i, _ in news] == [0, 0]
    assert isinstance(news[0][1], Message) and news[0][1].fields == ("last words",)
    assert isinstance(news[1][1], PeerLost) and str(news[1][1]) == "the process of party 0 exited with 3 in this test"
    assert crew.hear(time.monotonic() + 0.05) == []


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="this system has no pidfd")
def test_a_death_is_noticed_though_somebody_holds_its_pipe(crew_of: Callable[..., Crew]) -> None:
    crew = crew_of(FORKS)
    while not crew.lost:
        assert crew.hear(time.monotonic() + 30)
    assert "killed by signal 9" in str(crew.lost[0])


def test_one_that_was_stopped_does_not_hold_up_the_others(crew_of: Callable[..., Crew]) -> None:
    """Party 0 is stopped with most of its input unread; the others take theirs, and say so."""
    crew = crew_of(SLEEPS, COUNTS, COUNTS)
    os.kill(pid(crew, 0), signal.SIGSTOP)
    big = freeze(np.zeros((1 << 22) + 8192))
    for i in range(3):
        crew.tell(i, "run", bodies=[big])
    found = heard(crew, 3)
    assert found[1] >= 1 << 25 and found[2] >= 1 << 25
    assert isinstance(found[0], PeerSilent) and found[0].peer == 0
    assert "was stopped by a signal" in str(found[0])


def test_one_that_goes_on_in_time_is_not_given_up(crew_of: Callable[..., Crew]) -> None:
    crew = crew_of(SLEEPS, silence=2.0)
    os.kill(pid(crew, 0), signal.SIGSTOP)
    assert crew.hear(time.monotonic() + 0.6) == []
    os.kill(pid(crew, 0), signal.SIGCONT)
    assert crew.hear(time.monotonic() + 0.6) == [] and crew._stopped == {}


class Clock:
    """In the place of the module time: goes on only when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


def looks(crew: Crew, clock: Clock, passed: float, times: int) -> None:
    for _ in range(times):
        clock.now += passed
        crew._look()


def test_time_in_which_the_parent_did_not_look_does_not_count(
    crew_of: Callable[..., Crew], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After Ctrl-Z and an hour the parent may be awake before its workers are."""
    crew = crew_of(SLEEPS, silence=1.0)
    os.kill(pid(crew, 0), signal.SIGSTOP)
    while not module.is_stopped(pid(crew, 0)):
        time.sleep(0.01)
    clock = Clock()
    crew._looked = clock.now
    monkeypatch.setattr(module, "time", clock)
    looks(crew, clock, 0.2, 1)
    looks(crew, clock, 3600.0, 1)
    assert not crew.lost
    looks(crew, clock, 0.2, 2)
    assert not crew.lost
    looks(crew, clock, 0.2, 2)
    assert isinstance(crew.lost[0], PeerSilent)


@pytest.mark.parametrize(("script", "sent"), [(HALF, 0), (SLEEPS, 1 << 20), (SLEEPS, 0)])
def test_a_pipe_half_way_through_something_is_given_up_after_a_minute(
    crew_of: Callable[..., Crew], monkeypatch: pytest.MonkeyPatch, script: str, sent: int
) -> None:
    crew = crew_of(script)
    if sent:
        crew.tell(0, "run", bodies=[freeze(np.zeros(sent))])
    elif script is HALF:
        while not crew.workers[0].pipe.midway:
            crew.hear(time.monotonic() + 0.01)
    crew._idle[0] = 0.0
    clock = Clock()
    crew._looked = clock.now
    monkeypatch.setattr(module, "time", clock)
    looks(crew, clock, 0.2, 290)
    assert not crew.lost
    looks(crew, clock, 0.2, 20)
    if script is HALF or sent:
        assert isinstance(crew.lost[0], PeerSilent) and "for 60 s" in str(crew.lost[0])
    else:
        assert not crew.lost  # it owes nothing
