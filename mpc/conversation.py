"""A program under way in a LocalCluster that talks with the process that opened it: see LocalCluster.open."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from mpc.collect import ParentRun
from mpc.crew import Crew
from mpc.errors import NotTransferable, UnknownParty, UsageError
from mpc.options import seconds
from mpc.pipe import freeze

__all__ = ["Conversation", "ConversationOver"]


class ConversationOver(UsageError):
    """Nothing more can be said: the program ended, failed, lost a party, or was told that nothing more comes.

    What it failed with, if it did, is the ``__cause__``.
    """


class Conversation:
    """Say values to the parties of a program. All methods from any thread; made by LocalCluster.open.

    A thread of its own hears what the parties say and what becomes of them, so that a death is noticed at once.

    Attributes:
        outcome: the answers of all parties, by index, or what LocalCluster.run would raise; there once the program is
            over everywhere, and the cluster free again.
    """

    def __init__(self, run: ParentRun, crew: Crew, through: Callable[[ParentRun], list[Any]]) -> None:
        self.outcome: Future[list[Any]] = Future()
        self._run = run
        self._crew = crew
        self._parties = range(len(crew.workers))
        self._ended = False
        self._order = threading.Lock()
        self._thread = threading.Thread(target=self._follow, args=(through,), name="accord conversation", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"<conversation with {len(self._parties)} parties: {'over' if self._silent() else 'open'}>"

    def say(self, i: int, value: Any) -> None:
        """Send a value to party i, whose ``line`` gives it. Does not wait; what is large must not change afterwards.

        Raises ConversationOver, UnknownParty, NotTransferable for what cloudpickle does not take.
        """
        if i not in self._parties:
            raise UnknownParty(f"party {i!r}: parties are 0 to {len(self._parties) - 1}")
        try:
            frozen = freeze(value)
        except Exception as error:
            raise NotTransferable(f"this cannot be sent to party {i} ({type(error).__name__}: {error})") from error
        with self._order:
            if self._silent():
                failure = self.outcome.exception() if self.outcome.done() else None
                why = f"{type(failure).__name__}: {failure}" if failure is not None else "its program was told to end"
                raise ConversationOver(f"nothing can be said any more, {why}") from failure
            self._crew.tell(i, "said", self._run.number, bodies=[frozen])

    def finish(self, timeout: float | None = None) -> list[Any]:
        """Tell all parties that nothing more comes, and wait for their answers.

        Args:
            timeout: seconds from now; then they are stopped, and RunTimedOut is raised. None: as long as it takes.

        Raises what LocalCluster.run raises; UsageError where ``heard`` calls it, whose thread it waits for.
        """
        self.check_caller()
        if timeout is not None:
            timeout = seconds("timeout", timeout, or_zero=True)
        self._tell_end()
        if timeout is not None:
            self._run.limit(timeout)
        return self.outcome.result()

    def close(self) -> None:
        """Stop the program wherever it is. What it failed with is in ``outcome`` only. Nothing the second time."""
        self._tell_end()
        self._run.limit(0.0)
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def check_caller(self) -> None:
        """UsageError in the thread that hears the parties: what waits for them there would wait for ever."""
        if threading.current_thread() is self._thread:
            raise UsageError(
                "this waits for the parties, in the thread that hears them (that of heard, and of callbacks of "
                "answers): hand it to another thread"
            )

    def _silent(self) -> bool:
        return self._ended or self.outcome.done()

    def _tell_end(self) -> None:
        with self._order:
            if self._silent():
                return
            self._ended = True
            for i in self._parties:
                self._crew.tell(i, "ended", self._run.number)

    def _follow(self, through: Callable[[ParentRun], list[Any]]) -> None:
        try:
            answers = through(self._run)
        except BaseException as error:
            self.outcome.set_exception(error)
        else:
            self.outcome.set_result(answers)
