"""Where a command's words go: to a person on standard output; with --json they make room for one JSON value there."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

from parties.terminal.command_options import JsonOption

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["WIDE", "Output", "plain_console"]

WIDE = 1000
"""Columns of what is no terminal: so many that no line is broken there, and a line that is searched for is found."""


@dataclass(frozen=True)
class Output:
    """What a command prints. A parameter of it: command_spread.py.

    Attributes:
        json: whether --json was given. Then standard output gets :meth:`result` and nothing else.
    """

    json: JsonOption = False

    @property
    def people(self) -> TextIO:
        """Where people read: standard output; with --json standard error."""
        return sys.stderr if self.json else sys.stdout

    def say(self, *lines: str) -> None:
        """Lines for people. They are seen at once, also through a pipe."""
        for line in lines:
            print(line, file=self.people, flush=True)

    def warn(self, line: str) -> None:
        """A line that is no part of the answer."""
        print(line, file=sys.stderr, flush=True)

    def asked(self, question: str) -> str:
        """What somebody types. EOFError if nobody is there to."""
        if not self.json:
            return input(question)
        print(question, end="", file=sys.stderr, flush=True)  # input() would ask on standard output
        return input()

    def result(self, value: Any) -> None:
        """The answer of a command for machines: plain data, or JSON that is text already. Printed with --json only."""
        if self.json:
            print(value if isinstance(value, str) else json.dumps(value, indent=1), flush=True)

    def table(self, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """For people. What others wrote may stand in it: it is text, never markup."""
        from rich.table import Table
        from rich.text import Text

        from parties.wire.told_errors import printable

        grid = Table(*headings)
        for row in rows:
            grid.add_row(*(Text(printable(cell)) for cell in row))
        self.console().print(grid)

    def console(self) -> Console:
        """For tables and colours, where people read."""
        return plain_console(self.people)


def plain_console(file: TextIO | None = None) -> Console:
    """As wide as the terminal; where there is none, so wide that nothing is broken into lines. Default: stdout.

    Colours are left out where NO_COLOR says so. What others wrote comes here as rich.text.Text, or escaped.
    """
    from rich.console import Console

    console = Console(file=file, highlight=False, emoji=False)
    return console if console.is_terminal else Console(file=file, highlight=False, emoji=False, width=WIDE)
