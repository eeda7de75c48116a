"""The workers of a LocalCluster, as the parent drives them: all their pipes, and their lives, in one loop.

- Pipes are read and written as far as goes at once, worker by worker, so none of them holds up another.
- A process that ends is reported by the kernel (a pidfd; where there are none, by the end of its pipe).
- A process that was stopped is reported by the kernel as well: the workers are this process's children. So a stop is
  told from a long computation for certain, whatever the worker does and however busy the machine is.
- A worker that, with the pipe half way through something, neither takes nor gives a byte for a minute is given up.

Time during which the parent did not look (it computed, it was stopped itself) does not count against a worker.

One thread hears; others may tell, and wake the one that hears.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import threading
import time
from collections.abc import Sequence
from typing import Any

from mpc.errors import PeerLost, PeerSilent
from mpc.launch import Launched, stop
from mpc.outcomes import ClusterBroken
from mpc.pipe import Frozen, Message

__all__ = ["Crew", "is_stopped", "sees_stops"]

_LOOK = 0.2  # seconds between looks whether somebody was stopped
_STUCK = 60.0  # seconds without a byte on a pipe that is half way through something
_PIPE, _LIFE, _WAKE = "pipe", "life", "wake"

News = list[tuple[int, Message | PeerLost]]


def sees_stops() -> bool:
    """Does this system tell a parent that its child was stopped, without being waited for?"""
    return hasattr(os, "waitid") and hasattr(os, "WSTOPPED")


class Crew:
    """All workers of one start of a cluster.

    Args:
        workers: by party.
        silence: seconds a worker may be stopped before it is given up.

    Attributes:
        lost: what became of the workers that are gone.
        when: what the cluster does at present, for the text of a loss.
        over: it was stopped.
    """

    def __init__(self, workers: Sequence[Launched], silence: float) -> None:
        self.workers = workers
        self.lost: dict[int, PeerLost] = {}
        self.when = "while the cluster was starting, see its stderr"
        self.over = False
        self._silence = silence
        self._writing = threading.Lock()  # of what is queued for the workers
        self._stopped: dict[int, float] = {}  # seconds, so far
        self._idle = [0.0] * len(workers)
        self._looked = time.monotonic()
        self._lives: list[int] = []
        self._selector = selectors.DefaultSelector()
        self._alarm, self._bell = socket.socketpair()
        for end in (self._alarm, self._bell):
            end.setblocking(False)
        self._selector.register(self._alarm, selectors.EVENT_READ, (-1, _WAKE))
        for i, worker in enumerate(workers):
            self._selector.register(worker.pipe, selectors.EVENT_READ, (i, _PIPE))
            with contextlib.suppress(AttributeError, OSError):
                life = os.pidfd_open(worker.process.pid)
                self._lives.append(life)
                self._selector.register(life, selectors.EVENT_READ, (i, _LIFE))

    def tell(self, i: int, kind: str, *fields: Any, bodies: Sequence[Frozen] = ()) -> None:
        """Queue a message for worker i; :meth:`hear` brings it there. From any thread."""
        pipe = self.workers[i].pipe
        with self._writing:
            pipe.put(kind, *fields, bodies=bodies)
            unsent = pipe.unsent
        if unsent:
            self.wake()

    def wake(self) -> None:
        """Let :meth:`hear` return, now or when it is called next. From any thread."""
        with contextlib.suppress(OSError):  # it rings already, or nobody hears any more
            self._bell.send(b".")

    def hear(self, until: float | None = None) -> News:
        """What the workers say, or what became of them: some news, unless ``until`` passes or somebody wakes it.

        A loss is told once. ``until`` is a time of time.monotonic(). ClusterBroken once the crew was stopped.
        """
        try:
            return self._hear(until)
        except (OSError, ValueError, RuntimeError):
            if not self.over:
                raise
        raise ClusterBroken("the cluster was closed meanwhile")

    def _hear(self, until: float | None) -> News:
        news: News = []
        woken = False
        while not news and not woken:
            for i, worker in enumerate(self.workers):
                if i not in self.lost:
                    wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if worker.pipe.unsent else 0)
                    if self._selector.get_key(worker.pipe).events != wanted:
                        self._selector.modify(worker.pipe, wanted, (i, _PIPE))
            wait = _LOOK if until is None else max(0.0, min(_LOOK, until - time.monotonic()))
            for key, events in self._selector.select(wait):
                i, what = key.data
                if what is _WAKE:
                    woken = bool(self._alarm.recv(4096))
                elif i not in self.lost:
                    news += self._serve(i, what, events)
            news += self._look()
            if until is not None and time.monotonic() >= until:
                break
        return news

    def stop(self, patience: float) -> None:
        """Wait ``patience`` seconds for the workers to end by themselves, then end them. Never raises."""
        with self._writing:
            if self.over:
                return
            self.over = True
        self._selector.close()
        for life in self._lives:
            os.close(life)
        self._lives.clear()
        self._alarm.close()
        self._bell.close()
        stop(self.workers, patience)

    def _serve(self, i: int, what: str, events: int) -> News:
        pipe = self.workers[i].pipe
        bytes_ = 0
        if events & selectors.EVENT_WRITE:
            with self._writing:
                bytes_ = pipe.write()
        messages: list[Message] = []
        over = what == _LIFE
        while True:
            more, n, end = pipe.read()
            messages += more
            bytes_ += n
            over = over or end
            if not over or not n or end:  # of who is dead, all it said
                break
        if bytes_:
            self._idle[i] = 0.0
        news: News = [(i, message) for message in messages]
        if over:
            news += self._gone(i, self._death(i))
        return news

    def _look(self) -> News:
        """Who was stopped, or is stuck, for too long?"""
        passed = time.monotonic() - self._looked
        if passed < _LOOK:
            return []
        self._looked += passed
        passed = min(passed, 2 * _LOOK)
        news: News = []
        for i, worker in enumerate(self.workers):
            if i in self.lost:
                continue
            if not is_stopped(worker.process.pid):
                self._stopped.pop(i, None)
                self._idle[i] = self._idle[i] + passed if worker.pipe.unsent or worker.pipe.midway else 0.0
                if self._idle[i] > _STUCK:
                    news += self._mute(i, f"left its pipe unread, or a message half sent, for {_STUCK:g} s")
            elif i not in self._stopped:
                self._stopped[i] = 0.0
            else:
                self._stopped[i] += passed
                if self._stopped[i] >= self._silence:
                    news += self._mute(i, f"was stopped by a signal for {self._silence:g} s or longer")
        return news

    def _mute(self, i: int, how: str) -> News:
        return self._gone(i, PeerSilent(i, f"the process of party {i} {how} {self.when}"))

    def _gone(self, i: int, error: PeerLost) -> News:
        self.lost[i] = error
        for key in [k for k in self._selector.get_map().values() if k.data[0] == i]:
            self._selector.unregister(key.fileobj)
        return [(i, error)]

    def _death(self, i: int) -> PeerLost:
        process = self.workers[i].process
        with contextlib.suppress(Exception):
            process.wait(1.0)
        code = process.returncode
        how = "closed its pipe" if code is None else f"exited with {code}"
        if code is not None and code < 0:
            how = f"was killed by signal {-code}"
        return PeerLost(i, f"the process of party {i} {how} {self.when}")


def is_stopped(pid: int) -> bool:
    """Is this child stopped by a signal? It stays to be waited for."""
    if not sees_stops():
        return False
    try:
        return os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # it ended: the other door tells
        return False
