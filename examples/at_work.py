"""A consortium to work with, from a notebook or a script: real nodes on this machine, until it is closed.

with three_banks() as banks:        or banks = three_banks(), and banks.close() in the end
    banks.client.query("SELECT ...", epsilon=1.0)
    banks.accord("audit show", at="north")
"""

from __future__ import annotations

import atexit
import contextlib
import json
import shlex
from collections.abc import Callable, Sequence
from functools import cached_property
from string import Template
from typing import Any

from examples.consortium_nodes import CommandFailed, Member, Running
from examples.founded import ANALYST, Founded, place
from parties.client import Client

__all__ = ["AtWork"]


class AtWork:
    """Members' homes on this machine, their nodes as far as they were started, and an analyst.

    Args:
        title: of the consortium.
        names: of its members; the first founds it, and its node is the one the analyst asks.
        prepare: what is done before anybody works with it. Raises CommandFailed, and then nothing is left.

    Attributes:
        founded: its steps, for what is not done yet.
        homes: a node's directory by its member; the analyst's too.
        directory: where commands run, and where the files are that they write. Gone when this is closed.
        printed: what the last command printed.
        variables: of the shell in which commands run: "approve $JOB" takes them.
    """

    def __init__(self, title: str, names: Sequence[str], prepare: Callable[[AtWork], None]) -> None:
        self._open = contextlib.ExitStack()
        self._commands = 0
        self.printed = ""
        self.variables: dict[str, str] = {}
        atexit.register(self.close)
        try:
            self.directory = self._open.enter_context(place(None))
            self.running = self._open.enter_context(Running(self.directory))
            self.founded = Founded(title, names, self.running, lambda text: None)
            self.homes = {member.name: member.home for member in self.founded.members} | {ANALYST: self.founded.analyst}
            prepare(self)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> AtWork:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{self.founded.title}: {', '.join(self.homes)}>"

    def close(self) -> None:
        """Stop all nodes, and remove all files. The end of the program does it too."""
        atexit.unregister(self.close)
        self._open.close()

    @cached_property
    def client(self) -> Client:
        """The analyst's, of the founder's node. It is to be remembered by then: Founded.remember."""
        return self._open.enter_context(Client(self.founded.founder.url, self.founded.analyst))

    def accord(self, line: str, at: str = ANALYST, status: int = 0) -> None:
        """Run ``accord LINE`` as somebody types it at home, and print it and what it printed.

        Args:
            line: as in a shell.
            at: whose home it is about: a member's, or the analyst's.
            status: with which exit status it ends. Raises CommandFailed for another one.

        Paths are printed as the directory has them.
        """
        self._run(line, at, status)
        print(f"{at}$ accord {line}\n{self.printed}\n")

    def read(self, line: str, at: str = ANALYST) -> Any:
        """The same for its JSON, as data; only the command is printed."""
        self._run(f"{line} --json", at, 0)
        print(f"{at}$ accord {line} --json")
        return json.loads(self.printed)

    def _run(self, line: str, at: str, status: int) -> None:
        typed = shlex.split(line.replace("\\\n", " "))
        words = [Template(word).safe_substitute(self.variables) for word in typed]
        more = {"ACCORD_HOME": str(self.homes[at])}
        if at == ANALYST:
            more["ACCORD_URL"] = self.founded.founder.url
        self._commands += 1
        ended, printed = self.running.told(f"{at}-{self._commands}", *words, more=more)
        if ended != status:
            raise CommandFailed(f"{at}: accord {line}: exit status {ended}, not {status}:\n{printed}")
        self.printed = printed.replace(f"{self.directory}/", "").strip()

    def serve(self, at: str) -> None:
        """A member's node starts, and goes on."""
        print(f"{at}$ accord serve &")
        self.founded.serve(self.member(at))

    def meet(self) -> None:
        """Wait until all nodes are together."""
        self.founded.meet(self.client)

    def serve_all(self) -> None:
        """All nodes start; they are together when this returns."""
        for member in self.founded.members:
            self.founded.serve(member)
        self.meet()

    def wait_for_approval(self, at: str) -> None:
        """Until a job waits for a person there."""
        member = self.member(at)
        with Client(member.url, member.home) as client:
            self.running.wait(lambda: bool(client.approvals().waiting), f"a job waits for a person at {at}")

    def member(self, name: str) -> Member:
        """By its name."""
        return next(member for member in self.founded.members if member.name == name)
