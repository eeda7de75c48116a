"""How ``accord serve`` ends: by a signal in good order, also while it starts; by a second one at once."""

from __future__ import annotations

import os
import resource
import signal
from typing import Any

import trio
import trio.testing

from parties.actions import serve_command


class Stubborn:
    """In place of a Daemon: it never ends, nor, unless told so, does it get ready."""

    def __init__(self, ready: bool) -> None:
        self.ready = ready
        self.stopped = 0
        self.asked = trio.Event()

    def stop(self) -> None:
        self.stopped += 1
        self.asked.set()

    async def run(self, task_status: Any) -> None:
        if self.ready:
            task_status.started()
        await trio.sleep_forever()


def test_a_second_signal_ends_it_at_once_also_while_it_starts() -> None:
    async def main(daemon: Stubborn) -> None:
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(serve_command._until_told, daemon, True)
                await trio.testing.wait_all_tasks_blocked()
                os.kill(os.getpid(), signal.SIGTERM)
                await daemon.asked.wait()
                os.kill(os.getpid(), signal.SIGINT)
        assert daemon.stopped == 1

    for ready in (True, False):
        trio.run(main, Stubborn(ready))


def test_a_node_and_its_workers_leave_no_core_behind(monkeypatch: Any) -> None:
    limits: list[Any] = []
    monkeypatch.setattr(resource, "setrlimit", lambda what, limit: limits.append((what, limit)))
    serve_command.keep_no_cores()
    assert limits == [(resource.RLIMIT_CORE, (0, 0))]
