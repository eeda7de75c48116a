"""A party's process in a LocalCluster: ``python -m mpc.worker``, started by cluster.py only.

It is told who it is through a private pipe (pipe.py), connects to the other parties, then serves runs one after
another over the same connections:

    parent -> worker   setup config path | run number (program, input) | cancel number | close
                       | open number (program, input), then said number (value) and ended number
    worker -> parent   ready | failed text (error) | report text traffic | answer traffic seconds (value)
                       | lost peer text, when a peer's connection ended and nothing can run any more
                       | error traffic seconds broken kind detail traceback waits (error)
                       | waits parties, when told to cancel | says (value), to who opened

Frozen objects in brackets. It exits when the pipe closes, whatever it is doing: a thread listens to the pipe.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import secrets
import signal
import socket
import sys
import threading
import time
from typing import Any

import uvloop

from mpc.errors import AccordError, NotTransferable, PartyFailed, PeerError
from mpc.line import Line
from mpc.node import MPyCNode, NodeConfig
from mpc.outcomes import ExitRaised, call, only_news, shown_traceback
from mpc.party import Party, current_scope, task_factory
from mpc.pipe import Frozen, Message, WorkerEnd, freeze, thaw
from mpc.prss import Prss
from mpc.sharing import Layout
from mpc.wakers import ENGINE_THREAD

__all__ = ["Worker", "main"]

_PARENT_CHECK = 2.0  # seconds between looks whether the parent is still the parent


class Worker:
    """Serves runs on one node."""

    def __init__(self, pipe: WorkerEnd, config: NodeConfig) -> None:
        self.pipe = pipe
        self.node = MPyCNode(config)
        self.layout = Layout(config.m, config.t)
        self.session = config.session
        self.inbox: asyncio.Queue[Message] = asyncio.Queue()
        self._left_over: set[asyncio.Task[Any]] = set()
        self._exit: ExitRaised | None = None

    async def serve(self) -> None:
        """From the connections to the farewell."""
        loop = asyncio.get_running_loop()
        loop.set_task_factory(self._new_task)
        loop.set_exception_handler(only_news)
        name = f"{ENGINE_THREAD}pipe"
        listener = threading.Thread(target=self._listen, args=(loop, os.getppid()), name=name, daemon=True)
        listener.start()
        try:
            await self.node.start()
        except Exception as error:
            known = freeze(error if isinstance(error, AccordError) else None)
            self.pipe.send("failed", _text(error), bodies=[known])
            return
        self.node.on_failure = self._peer_lost
        if self.node.failure is not None:
            self._peer_lost(self.node.failure)
        self.node.adopt()
        index, components, pairs = self.node.index, self.node.component_keys, self.node.pair_keys
        self.prss = Prss(index, components, pairs, secrets.token_bytes(32))
        gc.collect()
        gc.freeze()  # what was imported stays: no need to look at it again
        self.pipe.send("ready")
        running: asyncio.Task[None] | None = None
        line: Line | None = None
        number = 0
        while True:
            kind, fields, bodies = await self.inbox.get()
            if kind == "close":
                break
            if kind in ("run", "open"):
                number = fields[0]
                self._exit = None
                line = Line(self._say, thaw) if kind == "open" else None
                running = loop.create_task(self._serve_run(number, bodies, line))
            elif kind in ("said", "ended") and line is not None and fields[0] == number:
                line.put(bodies[0]) if kind == "said" else line.end()
            elif kind == "cancel" and running is not None and fields[0] == number:
                self.pipe.send("waits", self.node.transport.current.waits_for())
                await asyncio.sleep(0)  # one that is cancelled before it began would answer nothing
                running.cancel()
        await self.node.shutdown()

    def _peer_lost(self, error: AccordError) -> None:
        self.pipe.send("lost", getattr(error, "peer", -1), str(error))

    def escaped(self, error: SystemExit | KeyboardInterrupt) -> None:
        """A task or a callback of the program raised what ends an event loop: it ends this run only."""
        self._exit = self._exit or ExitRaised(error)
        self.node.transport.abort(self._exit)

    def _new_task(self, loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> asyncio.Task[Any]:
        """Tasks as the engine wants them; those a program starts are remembered, and end with it."""
        task: asyncio.Task[Any] = task_factory(loop, coro, **options)
        with contextlib.suppress(LookupError):  # no scope: it is the node's own, or this class's
            current_scope()
            self._left_over.add(task)
            task.add_done_callback(self._left_over.discard)
        return task

    def _listen(self, loop: asyncio.AbstractEventLoop, parent: int) -> None:
        """In a thread: hand messages to the loop; leave the process when the parent is gone."""

        def look() -> None:
            if os.getppid() != parent:
                os._exit(1)

        while True:
            try:
                message = self.pipe.receive(look, _PARENT_CHECK)
            except (EOFError, OSError):
                os._exit(1)
            with contextlib.suppress(RuntimeError):  # the loop is closed: we are leaving anyway
                loop.call_soon_threadsafe(self.inbox.put_nowait, message)

    async def _serve_run(self, number: int, bodies: list[Frozen], line: Line | None) -> None:
        """One run: its answer, or what it failed with, goes to the parent."""
        transport = self.node.transport
        transport.begin(number)
        root = self.session + b" run %d" % number
        party = Party(self.layout, self.prss.for_run(b"%d" % number), transport, root)
        party.runtime = self.node
        party.on_report = lambda text: self.pipe.send("report", text, transport.traffic.copy())
        started = time.perf_counter()
        failure: BaseException | None = None
        answer: Frozen = []
        try:
            value = await self.node.run_program(party.run(lambda: _program(party, bodies, line)))
            seconds = time.perf_counter() - started
            answer = _frozen_value(value, f"the answer of party {party.index}")
        except BaseException as error:
            seconds = time.perf_counter() - started
            failure = error
        await self._stop_left_over()
        if line is not None:
            line.close()
        failure = self._exit or failure
        traffic = transport.traffic.copy()
        if failure is None:
            self.pipe.send("answer", traffic, seconds, bodies=[answer])
        else:
            told, frozen = self._told(failure)
            self.pipe.send("error", traffic, seconds, *told, bodies=frozen)

    def _say(self, value: Any) -> None:
        self.pipe.send("says", bodies=[_frozen_value(value, f"what party {self.node.index} says")])

    async def _stop_left_over(self) -> None:
        """What a program left running ends with it, and sends nothing into the next run."""
        left = list(self._left_over)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=1.0)

    def _told(self, error: BaseException) -> tuple[tuple[bool, str, str, str, list[int]], list[Frozen]]:
        broken = self.node.failure is not None
        frozen: list[Frozen] = []
        with contextlib.suppress(Exception):
            thaw(whole := freeze(error))
            frozen = [whole]
        shown = "" if isinstance(error, (PartyFailed, PeerError)) else shown_traceback(error)
        waited = self.node.transport.current.waits_for()
        return (broken, type(error).__name__, _text(error), shown, waited), frozen


async def _program(party: Party, bodies: list[Frozen], line: Line | None) -> Any:
    program, *mine = map(thaw, bodies)
    if line is not None:
        mine.insert(0, line)
    try:
        return await call(program, party, *mine)
    except (SystemExit, KeyboardInterrupt) as error:  # would end the event loop, and this process with it
        raise ExitRaised(error) from None


def _frozen_value(value: object, what: str) -> Frozen:
    try:
        return freeze(value)
    except Exception as error:
        raise NotTransferable(
            f"{what} cannot leave its process ({type(error).__name__}: {error}): "
            "return numbers, arrays or other plain data; a secret must be revealed first"
        ) from None


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return ""


def main() -> None:
    """Arguments: file descriptors of the pipe and of the listening socket."""
    logging.getLogger("accord").addHandler(logging.NullHandler())  # what goes wrong is told to the parent
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the parent, which decides
    pipe = WorkerEnd(socket.socket(fileno=int(sys.argv[1])), lambda: os._exit(1))
    listener = socket.socket(fileno=int(sys.argv[2]))
    listener.setblocking(False)
    try:
        settings, sys.path[:] = pipe.receive().fields
    except EOFError:  # it was never needed
        os._exit(0)
    config = NodeConfig(**settings, listener=listener)
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    worker = Worker(pipe, config)
    serving = loop.create_task(worker.serve())
    while not serving.done():
        try:
            loop.run_until_complete(serving)
        except (SystemExit, KeyboardInterrupt) as error:
            loop.call_soon(worker.escaped, error)
    pipe.flush()
    sys.stdout.flush()
    os._exit(0)  # the thread at the pipe, and whatever a program left behind, need not be waited for


if __name__ == "__main__":
    from mpc.worker import main as run_as_module  # under its own name: __main__ belongs to the programs it is sent

    run_as_module()
