"""A party's process in a LocalCluster: ``python -m mpc.worker``, started by cluster.py only.

It is told who it is through a private pipe (pipe.py), connects to the other parties, then serves runs one after
another over the same connections:

    parent -> worker   setup | run number program input | cancel number | close
    worker -> parent   ready | failed error | report text | answer number traffic seconds value
                       | error number traffic seconds broken kind detail traceback error
                       | waits parties, one byte each, when told to cancel

It exits when the pipe closes, whatever it is doing: a thread listens to the pipe.
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
from mpc.node import MPyCNode, NodeConfig
from mpc.outcomes import call, shown_traceback
from mpc.party import Party, current_scope, task_factory
from mpc.pipe import Pipe, freeze, thaw
from mpc.prss import Prss
from mpc.sharing import Layout

__all__ = ["Worker", "main"]

_PARENT_CHECK = 2.0  # seconds between looks whether the parent is still the parent


class Worker:
    """Serves runs on one node."""

    def __init__(self, pipe: Pipe, config: NodeConfig) -> None:
        self.pipe = pipe
        self.node = MPyCNode(config)
        self.layout = Layout(config.m, config.t)
        self.session = config.session
        self.inbox: asyncio.Queue[tuple[str, list[bytearray]]] = asyncio.Queue()
        self._left_over: set[asyncio.Task[Any]] = set()

    async def serve(self) -> None:
        """From the connections to the farewell."""
        loop = asyncio.get_running_loop()
        loop.set_task_factory(self._new_task)
        loop.set_exception_handler(_only_news)
        listener = threading.Thread(target=self._listen, args=(loop, os.getppid()), name="accord pipe", daemon=True)
        listener.start()
        try:
            await self.node.start()
        except Exception as error:
            self.pipe.send("failed", freeze(error if isinstance(error, AccordError) else None), _text(error))
            return
        self.node.adopt()
        index, components, pairs = self.node.index, self.node.component_keys, self.node.pair_keys
        self.prss = Prss(index, components, pairs, secrets.token_bytes(32))
        gc.collect()
        gc.freeze()  # what was imported stays: no need to look at it again
        self.pipe.send("ready")
        running: asyncio.Task[None] | None = None
        number = 0
        while True:
            kind, parts = await self.inbox.get()
            if kind == "close":
                break
            if kind == "run":
                number = int(parts[0])
                running = loop.create_task(self._serve_run(number, parts[1], parts[2] if len(parts) > 2 else None))
            elif kind == "cancel" and running is not None and int(parts[0]) == number:
                self.pipe.send("waits", self._waits_for())
                running.cancel()
        await self.node.shutdown()

    def _waits_for(self) -> bytes:
        """The parties whose messages, or whose end, the run awaits, a byte each."""
        run, me = self.node.transport.current, self.node.index
        return bytes(
            peer.box.peer
            for peer in run.peers
            if peer.box.peer != me and (peer.box.waiting or peer.awaited or (run.finishing and not peer.ended))
        )

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

        self.pipe.sock.settimeout(_PARENT_CHECK)
        while True:
            try:
                message = self.pipe.receive(look)
            except (EOFError, OSError):
                os._exit(1)
            with contextlib.suppress(RuntimeError):  # the loop is closed: we are leaving anyway
                loop.call_soon_threadsafe(self.inbox.put_nowait, message)

    async def _serve_run(self, number: int, program: bytearray, mine: bytearray | None) -> None:
        """One run: its answer, or what it failed with, goes to the parent."""
        transport = self.node.transport
        transport.begin(number)
        root = self.session + b" run %d" % number
        party = Party(self.layout, self.prss.for_run(b"%d" % number), transport, root)
        party.runtime = self.node
        party.on_report = lambda text: self.pipe.send("report", text.encode())
        started = time.perf_counter()
        failure: BaseException | None = None
        answer = b""
        try:
            value = await self.node.run_program(party.run(lambda: _program(party, program, mine)))
            seconds = time.perf_counter() - started
            answer = _frozen_answer(value, party.index)
        except BaseException as error:
            seconds = time.perf_counter() - started
            failure = error
        await self._stop_left_over()
        facts = (b"%d" % number, freeze((transport.traffic.copy(), seconds)))
        if failure is None:
            self.pipe.send("answer", *facts, answer)
        else:
            self.pipe.send("error", *facts, *self._told(failure))

    async def _stop_left_over(self) -> None:
        """What a program left running ends with it, and sends nothing into the next run."""
        left = list(self._left_over)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=1.0)

    def _told(self, error: BaseException) -> tuple[bytes, ...]:
        broken = b"1" if self.node.failure is not None else b""
        kind, detail = type(error).__name__, _text(error)
        try:
            frozen = freeze(error)
            thaw(frozen)
        except Exception:
            frozen = b""
        shown = "" if isinstance(error, (PartyFailed, PeerError)) else shown_traceback(error)
        return broken, kind.encode(), detail, shown.encode("utf-8", "replace"), frozen


async def _program(party: Party, program: bytearray, mine: bytearray | None) -> Any:
    arguments = (party,) if mine is None else (party, thaw(mine))
    try:
        return await call(thaw(program), *arguments)
    except (SystemExit, KeyboardInterrupt) as error:  # would end the event loop, and this process with it
        raise RuntimeError(f"the program raised {error!r}") from error


def _only_news(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Operations nobody awaited after their run failed need no word: the error was told to the parent."""
    if not isinstance(context.get("exception"), AccordError):
        loop.default_exception_handler(context)


def _frozen_answer(value: object, index: int) -> bytes:
    try:
        return freeze(value)
    except Exception as error:
        raise NotTransferable(
            f"the answer of party {index} cannot leave its process ({type(error).__name__}: {error}): "
            "return numbers, arrays or other plain data; a secret must be revealed first"
        ) from None


def _text(error: BaseException) -> bytes:
    try:
        return str(error).encode("utf-8", "replace")
    except Exception:
        return b""


def main() -> None:
    """Arguments: file descriptors of the pipe and of the listening socket."""
    logging.getLogger("accord").addHandler(logging.NullHandler())  # what goes wrong is told to the parent
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the parent, which decides
    pipe = Pipe(socket.socket(fileno=int(sys.argv[1])))
    listener = socket.socket(fileno=int(sys.argv[2]))
    listener.setblocking(False)
    settings, sys.path[:] = thaw(pipe.receive()[1][0])
    config = NodeConfig(**settings, listener=listener)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(Worker(pipe, config).serve())
    sys.stdout.flush()
    os._exit(0)  # the thread at the pipe, and whatever a program left behind, need not be waited for


if __name__ == "__main__":
    from mpc.worker import main as run_as_module  # under its own name: __main__ belongs to the programs it is sent

    run_as_module()
