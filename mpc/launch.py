"""Starts and stops worker processes: those of a LocalCluster all at once, those of a member's node one by one."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mpc.certificates import Authority, fingerprint
from mpc.pipe import ParentEnd
from mpc.settings import Peer

__all__ = ["Launched", "import_path", "launch", "start_worker", "stop"]

# One process is one party is one core. The allocator keeps what was freed for the next array: fresh pages from the
# system cost more than computing on them (2^16 words: 9.3 -> 2.2 ns an element, 2^20: 7.3 -> 3.3 in a loop of numpy
# operations, measured with glibc 2.36).
ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 32),
    "MALLOC_TOP_PAD_": str(1 << 24),
}


@dataclass
class Launched:
    """A worker as the parent knows it."""

    process: subprocess.Popen[bytes]
    pipe: ParentEnd


def launch(m: int, settings: dict[str, Any]) -> list[Launched]:
    """Start m workers and tell each who it is. They connect to each other from then on.

    The listening sockets are made here and inherited, so no port can be taken meanwhile; each worker inherits its own
    only, and its own end of its pipe.
    """
    authority = Authority()
    credentials = [authority.issue(i) for i in range(m)]
    listeners = [socket.create_server(("127.0.0.1", 0), backlog=128) for _ in range(m)]
    roster = tuple(
        Peer(i, "127.0.0.1", listeners[i].getsockname()[1], fingerprint(credentials[i].certificate)) for i in range(m)
    )
    workers: list[Launched] = []
    try:
        for i in range(m):
            workers.append(start_worker(listeners[i]))
        for i, worker in enumerate(workers):
            config = {
                "index": i,
                "roster": roster,
                "certificate": credentials[i].certificate,
                "key": credentials[i].key,
                "authority": authority.certificate,
                **settings,
            }
            worker.pipe.put("setup", config, import_path())  # dead already: found out when it is waited for
    except BaseException:
        stop(workers, 0.0)
        raise
    finally:
        for listener in listeners:
            listener.close()
    return workers


def import_path() -> list[str]:
    """Where this process finds modules: a worker is to find the same."""
    return [os.path.abspath(p) for p in sys.path]


def start_worker(listener: socket.socket) -> Launched:
    """A worker that inherits this listening socket. It loads its modules, and waits to be told who it is.

    What it waits for is ``pipe.put("setup", settings, import_path())``, settings of a NodeConfig but for the listener.
    """
    ours, theirs = socket.socketpair()
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "mpc.worker", str(theirs.fileno()), str(listener.fileno())],
            env={**os.environ, **ENVIRONMENT, "PYTHONPATH": os.pathsep.join(import_path())},
            stdin=subprocess.DEVNULL,
            pass_fds=(theirs.fileno(), listener.fileno()),
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return Launched(process, ParentEnd(ours))


def stop(workers: Sequence[Launched], patience: float) -> None:
    """Wait ``patience`` seconds for the workers to end by themselves, then end them. Never raises."""
    until = time.monotonic() + patience
    for worker in workers:
        with contextlib.suppress(subprocess.TimeoutExpired):
            worker.process.wait(max(0.0, until - time.monotonic()))
    for worker in workers:
        worker.pipe.close()
        if worker.process.poll() is None:
            worker.process.terminate()
            worker.process.send_signal(signal.SIGCONT)  # one that was stopped must get to that
    for worker in workers:
        try:
            worker.process.wait(0.5)
        except subprocess.TimeoutExpired:
            worker.process.kill()  # stopped, or in a kernel: this it cannot ignore
            worker.process.wait()
