"""Members' nodes on this machine: their commands, their processes, and the end of both.

Everything here goes through the command ``accord``, as a member's data engineer types it. Each command and each node
writes into a log of its own; where one fails, the error has the last lines of it.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

__all__ = [
    "CommandFailed",
    "Member",
    "Running",
    "code_in",
    "ended_by_signals",
    "fingerprint_in",
    "free_ports",
    "key_in",
]

FIRST_PORT = 17600
_ROOT = Path(__file__).resolve().parent.parent
_LAST = 12  # lines of a log
_SILENCE = 10.0  # seconds a node may say nothing; three on one machine, and perhaps a busy one, need more than usual
_PATIENCE = 10.0  # seconds for a node that was told to end
_LEFT_OUT = ("ACCORD_HOME", "ACCORD_URL", "ACCORD_NODE", "FORCE_COLOR", "CLICOLOR_FORCE")
_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class CommandFailed(Exception):
    """A command or a node of a member failed, or took too long. The message has the last lines of its log."""


@dataclass(frozen=True)
class Member:
    """One member of the consortium, on this machine.

    Attributes:
        name: in the charter.
        home: of its node.
        port: where the other members reach it. people_port: where its own people do.
    """

    name: str
    home: Path
    port: int
    people_port: int

    @property
    def address(self) -> str:
        """In the charter."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """For its people."""
        return f"https://127.0.0.1:{self.people_port}"

    def settings(self, people: dict[str, str]) -> str:
        """Its node.toml: nobody beyond this machine is served; ``people``: public keys by name."""
        return "\n".join([
            f'bind = "{self.address}"',
            f'people_address = "127.0.0.1:{self.people_port}"',
            'worker_ports = "any"',
            "lanes = 1",
            f"silence = {_SILENCE:g}",
            "[people]",
            *(f'{name} = "{key}"' for name, key in people.items()),
            "",
        ])  # fmt: skip


@dataclass
class Running:
    """Commands and nodes of this demonstration, all of which end with it. Use it in a ``with``.

    Attributes:
        directory: for logs.
    """

    directory: Path
    _processes: list[tuple[str, subprocess.Popen[bytes]]] = field(default_factory=list)

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: Any) -> None:
        self.stop()

    def start(self, name: str, *arguments: str, more: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Begin ``accord ARGUMENTS`` in the directory.

        Args:
            name: of the log.
            more: environment variables.

        A session of its own, so that Ctrl-C is ours to handle. If this process is gone, it ends too: guarded.py.
        """
        with self._log(name).open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "examples.guarded", *arguments],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
                env={**_environment(), **(more or {})},
                start_new_session=True,
            )
        self._processes.append((name, process))
        return process

    def run(self, name: str, *arguments: str, patience: float = 90.0) -> str:
        """The same, to its end; what it printed. Raises CommandFailed."""
        return self.together({name: arguments}, patience)[name]

    def together(self, commands: Mapping[str, Sequence[str]], patience: float = 90.0) -> dict[str, str]:
        """Several at the same time, by the names of their logs; what each printed. Raises CommandFailed for one."""
        started = {name: self.start(name, *arguments) for name, arguments in commands.items()}
        for end in _until(time.monotonic() + patience):
            codes = {name: process.poll() for name, process in started.items()}
            bad = [name for name, code in codes.items() if code]
            waiting = [name for name, code in codes.items() if code is None]
            if bad or (end and waiting):
                raise self.failure((bad or waiting)[0], "failed" if bad else f"is not done after {patience:g} s")
            if not waiting:
                break
        return {name: self._log(name).read_text(errors="replace") for name in commands}

    def told(self, name: str, *arguments: str, more: Mapping[str, str], patience: float = 300.0) -> tuple[int, str]:
        """One to its end, whichever that is: its exit status, and what it printed. Raises CommandFailed for none."""
        self.start(name, *arguments, more=more)
        return self.finish(name, patience)

    def finish(self, name: str, patience: float = 90.0) -> tuple[int, str]:
        """The same of one that was started."""
        process = next(process for started, process in self._processes if started == name)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            raise self.failure(name, f"is not done after {patience:g} s") from None
        self._processes.remove((name, process))  # that it failed is not the end of a node
        return process.returncode, self._log(name).read_text(errors="replace")

    def check(self) -> None:
        """Raises CommandFailed if a node ended that was not told to."""
        for name, process in self._processes:
            if process.poll() not in (None, 0):
                raise self.failure(name, f"ended with status {process.returncode}")

    def wait(self, ready: Callable[[], bool], what: str, patience: float = 60.0) -> None:
        """Until ``ready``; all nodes are looked after meanwhile. Raises CommandFailed."""
        for end in _until(time.monotonic() + patience):
            self.check()
            if ready():
                return
            if end:
                raise CommandFailed(f"{what}: not so after {patience:g} s; the logs are in {self.directory}")

    def failure(self, name: str, what: str) -> CommandFailed:
        """The error, with the last lines of the log."""
        lines = self._log(name).read_text(errors="replace").splitlines()[-_LAST:]
        return CommandFailed("\n".join([f"{name} {what}. The last it said:", *(f"  | {line}" for line in lines)]))

    def stop(self) -> None:
        """End all in good order; what does not end is killed. Interrupted meanwhile, it goes on."""
        with _ignoring(signal.SIGINT, *_SIGNALS):
            alive = [process for _, process in self._processes if process.poll() is None]
            for process in alive:
                process.terminate()
            end = time.monotonic() + _PATIENCE
            for process in alive:
                try:
                    process.wait(max(0.0, end - time.monotonic()))
                except subprocess.TimeoutExpired:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)  # its workers too
                    process.wait()
            self._processes.clear()

    def _log(self, name: str) -> Path:
        return self.directory / f"{name}.log"


def _environment() -> dict[str, str]:
    """This process's, in which the command is found as it is here; no node of the user's own is meant by it, nor a
    terminal by what a notebook's kernel says of colours."""
    paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    kept = {name: value for name, value in os.environ.items() if name not in _LEFT_OUT}
    return {**kept, "PYTHONPATH": os.pathsep.join(paths), "COLUMNS": "110", "PYTHONUNBUFFERED": "1"}


def _until(end: float) -> Iterator[bool]:
    """Now and again until then: whether it is the last time."""
    while time.monotonic() < end:
        yield False
        time.sleep(0.05)
    yield True


@contextlib.contextmanager
def _ignoring(*signals: int) -> Iterator[None]:
    before = {number: signal.signal(number, signal.SIG_IGN) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """Whoever ends this process, or closes its terminal, ends it as Ctrl-C does: with everything cleared away."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def free_ports(count: int, first: int = FIRST_PORT) -> list[int]:
    """Ports of loopback that nobody listens at now, from ``first`` on, below those the system gives away."""
    found: list[int] = []
    for port in range(first, 32768):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            found.append(port)
        if len(found) == count:
            return found
    raise CommandFailed(f"fewer than {count} free ports from {first} to 32767")


def fingerprint_in(printed: str) -> str:
    """The first fingerprint there, 64 hex digits."""
    return re.sub(r"\s", "", _found(r"(?:[0-9a-f]{4}\s+){15}[0-9a-f]{4}", printed, "fingerprint"))


def key_in(printed: str) -> str:
    """The first public key there."""
    return _found(r"ed25519:\S+", printed, "public key").rstrip('"')


def code_in(printed: str) -> str:
    """The code in what `accord invite` printed."""
    return _found(r"(?m)^\S+:\d+/\S+$", printed, "code")


def _found(pattern: str, printed: str, what: str) -> str:
    found = re.search(pattern, printed)
    if found is None:
        raise CommandFailed(f"no {what} in what was printed: {printed}")
    return found[0]
