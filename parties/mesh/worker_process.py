"""A worker process of a node's daemon: ``python -m mpc.worker``, started, told who it is, asked to run, ended.

It is a child of this process and the same user's; the pipe to it is private (mpc/pipe.py). What becomes of it is known
for certain: the kernel reports its end (a pidfd) and its stops. Its crash is an answer like any other.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import socket
import subprocess
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import trio

from mpc.crew import is_stopped
from mpc.errors import AccordError, PartyFailed
from mpc.launch import import_path, start_worker
from mpc.pipe import Message, freeze, thaw
from mpc.transport import Traffic
from parties.errors import LaneLost, WorkerLost

__all__ = ["WorkerProcess"]

_LOOK = 0.2  # seconds between looks whether it was stopped
_LAST_WORDS = 0.05  # seconds in which what it said before its end is heard
_OBEYS = 1.0  # seconds a program has to end when it is cancelled
_PATIENCE = 0.5  # seconds it has to end by itself

Heard = Callable[[Any], None]
Reported = Callable[[str, Traffic], None]
T = TypeVar("T")


class WorkerProcess:
    """One worker. Make it early: it loads its modules, seconds of work, while it waits for :meth:`connect`.

    Args:
        listener: a listening socket, which it inherits; this process closes it.
        silence: seconds it may be stopped.

    Raises WorkerLost if no process can be started.

    Attributes:
        lost: why it is of no use any more, or None.
        gone: set then.
    """

    def __init__(self, listener: socket.socket, silence: float = 1.0) -> None:
        self.lost: WorkerLost | None = None
        self.gone = trio.Event()
        self._silence = silence
        try:
            self._child = start_worker(listener)
        except OSError as error:
            raise WorkerLost(f"no worker process can be started: {error.strerror or error}") from None
        finally:
            listener.close()
        self._unsent = trio.Event()
        self._ready = trio.Event()
        self._failed: BaseException | None = None
        self._number = 0
        self._news: trio.MemorySendChannel[Message] | None = None

    @property
    def pid(self) -> int:
        """Of its process."""
        return self._child.process.pid

    def __repr__(self) -> str:
        return f"<worker {self.pid}: {self.lost or 'alive'}>"

    async def attend(self) -> None:
        """Listen to it until it is lost, then end it: a task of whoever needs it. Cancelled, it ends it too."""
        try:
            async with trio.open_nursery() as nursery:
                for task in (self._read, self._write, self._await_end, self._watch_stops):
                    nursery.start_soon(task)
                await self._cancel_when_lost(nursery.cancel_scope)
        finally:
            self.end("the node ended it")
            with trio.CancelScope(shield=True):
                await self._bury()

    def end(self, why: str | WorkerLost) -> None:
        """It is of no use any more: :meth:`attend` ends its process, and whoever waits for it gets WorkerLost."""
        if self.lost is None:
            self.lost = WorkerLost(why) if isinstance(why, str) else why
            self.gone.set()

    # -- what it is asked --------------------------------------------------------------------------

    async def connect(self, settings: dict[str, Any]) -> None:
        """Tell it who it is (settings of a mpc.settings.NodeConfig, but for the listener); wait until it is connected
        to all parties.

        Raises WorkerLost, or what its node's start ended in: PeerMissing, IdentityMismatch, ...
        """
        self._tell("setup", settings, import_path())
        await self._or_lost(self._ready.wait)
        if self._failed is not None:
            raise self._failed

    async def run(
        self,
        number: int,
        program: Callable[..., Awaitable[Any]],
        mine: Any,
        heard: Heard,
        reported: Reported = lambda text, traffic: None,
    ) -> tuple[Any, Traffic, float]:
        """``await program(party, line, mine)`` there: its answer, its traffic, the seconds it took.

        Args:
            number: of the run, the same at all parties, and growing.
            program: a function at the top of a module, which the worker imports by name.
            mine: plain data.
            heard: called with every value the program says on its line.
            reported: called with the texts of party.report, and the traffic so far.

        Raises what the program raised, as PartyFailed if it is no AccordError; WorkerLost. Cancelled, it tells the
        worker so, and waits a second for the program's end; then it ends the process.
        """
        self._number = number
        send, receive = trio.open_memory_channel[Message](math.inf)
        self._news = send
        self._tell("open", number, bodies=[freeze(program), freeze(mine)])
        over = False
        try:
            answer = await self._or_lost(lambda: self._outcome(receive, heard, reported))
            over = True
            return answer
        except AccordError:
            over = True
            raise
        finally:
            if not over:
                await self._stop(number, receive)
            self._news = None

    async def _stop(self, number: int, news: trio.MemoryReceiveChannel[Message]) -> None:
        with trio.move_on_after(_OBEYS, shield=True) as limit:
            self._tell("cancel", number)
            with contextlib.suppress(AccordError):
                await self._or_lost(lambda: self._outcome(news, lambda value: None, lambda text, traffic: None))
        if limit.cancelled_caught:
            self.end("it did not stop when it was told to")

    def say(self, value: Any) -> None:
        """To the program under way: its line gives it."""
        self._tell("said", self._number, bodies=[freeze(value)])

    def hush(self) -> None:
        """Tell the program under way that nothing more will be said."""
        self._tell("ended", self._number)

    async def close(self, patience: float = 5.0) -> None:
        """Let it say farewell to its peers; then it is lost, in good order."""
        self._tell("close")
        with trio.move_on_after(patience):
            await self.gone.wait()

    # -- the pipe ----------------------------------------------------------------------------------

    def _tell(self, kind: str, *fields: Any, bodies: Any = ()) -> None:
        if self.lost is None:
            self._child.pipe.put(kind, *fields, bodies=bodies)
            self._unsent.set()

    async def _or_lost(self, wait: Callable[[], Awaitable[T]]) -> T:
        """What ``wait`` gives or raises, or WorkerLost once the worker is lost and all it said was heard."""
        answer: list[T] = []
        error: Exception | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._cancel_when_lost, nursery.cancel_scope)
            try:
                answer.append(await wait())
            except Exception as raised:
                error = raised
            nursery.cancel_scope.cancel()
        if error is not None:
            raise error
        if not answer:
            assert self.lost is not None
            raise self.lost
        return answer[0]

    async def _cancel_when_lost(self, scope: trio.CancelScope) -> None:
        await self.gone.wait()
        await trio.sleep(_LAST_WORDS)
        scope.cancel()

    async def _outcome(
        self, news: trio.MemoryReceiveChannel[Message], heard: Heard, reported: Reported
    ) -> tuple[Any, Traffic, float]:
        async for kind, fields, bodies in news:
            if kind == "says":
                heard(thaw(bodies[0]))
            elif kind == "report":
                reported(fields[0], fields[1])
            elif kind == "answer":
                return thaw(bodies[0]), fields[0], fields[1]
            elif kind == "error":
                _, _, broken, name, detail, _, _ = fields
                if broken:
                    self.end(detail)
                raise _failure(name, detail, bodies)
        raise self.lost or WorkerLost("the worker said nothing more")

    def _heard(self, message: Message) -> None:
        kind, fields, bodies = message
        if kind == "ready":
            self._ready.set()
        elif kind == "failed":
            known = thaw(bodies[0])
            self._failed = known or WorkerLost(f"the worker did not start: {fields[0]}")
            self._ready.set()
        elif kind == "lost":
            self.end(LaneLost(fields[1], fields[0]))
        elif self._news is not None:
            self._news.send_nowait(message)

    async def _read(self) -> None:
        pipe = self._child.pipe
        while True:
            await trio.lowlevel.wait_readable(pipe.fileno())
            messages, _, over = pipe.read()
            for message in messages:
                self._heard(message)
            if over:
                return

    async def _write(self) -> None:
        pipe = self._child.pipe
        while True:
            await self._unsent.wait()
            while pipe.unsent:
                await trio.lowlevel.wait_writable(pipe.fileno())
                pipe.write()
            self._unsent = trio.Event()

    # -- its life ----------------------------------------------------------------------------------

    async def _await_end(self) -> None:
        life = os.pidfd_open(self.pid)
        try:
            await trio.lowlevel.wait_readable(life)
        finally:
            os.close(life)
        code = self._child.process.wait()
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"exited with {code}"
        self.end(f"the worker process {how}")

    async def _watch_stops(self) -> None:
        stopped = 0.0
        while self.lost is None:
            await trio.sleep(_LOOK)
            stopped = stopped + _LOOK if is_stopped(self.pid) else 0.0
            if stopped > self._silence:
                self.end(f"the worker process was stopped by a signal for {self._silence:g} s")

    async def _bury(self) -> None:
        """End the process: closing its pipe does, unless it is stopped."""
        process = self._child.process
        self._child.pipe.close()
        if process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                await trio.to_thread.run_sync(process.wait, _PATIENCE)
        if process.poll() is None:
            process.kill()
            await trio.to_thread.run_sync(process.wait)


def _failure(name: str, detail: str, bodies: Any) -> BaseException:
    """The program's own error if it is one of ours, else PartyFailed by its name."""
    with contextlib.suppress(Exception):
        original = thaw(bodies[0])
        if isinstance(original, AccordError):
            return original
    return PartyFailed(-1, name, detail)
