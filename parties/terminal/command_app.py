"""How a command of ``accord`` is declared: its panel, its page in the help, and how its end becomes an exit status.

A file in parties/commands is one command or a few that belong together. It has an ``add_...`` function, which
parties/cli.py calls with the app. It imports nothing heavy at its top: every other command, and every completion in a
shell, would wait for that.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import typer
from rich.markup import escape

from parties.terminal.command_help import Command, Group, group_with
from parties.terminal.command_run import told
from parties.terminal.command_spread import spread
from parties.terminal.exit_status import ExitStatus

__all__ = ["Page", "Panel", "add_command", "make_app", "make_group"]

_ALWAYS = (ExitStatus.GOOD, ExitStatus.WRONG_USAGE, ExitStatus.INTERRUPTED)


class Panel(StrEnum):
    """Where a command stands in ``accord --help``."""

    SET_UP = "Set up"
    DATA = "Data"
    RUN = "Run"
    ASK = "Ask"


@dataclass(frozen=True)
class Page:
    """What the help of a command says after its options. (Before them: the docstring, as it is written.)

    Attributes:
        examples: each a line that says what for, and the command line.
        json: what --json prints: a line, or a few, with the names of fields.
        failed: when the command ends with status 1; '' if it never does on purpose.
        statuses: how else it may end, beside 0, 2 and 130.
    """

    examples: Sequence[tuple[str, str]]
    json: str = ""
    failed: str = ""
    statuses: Sequence[ExitStatus] = ()

    def text(self) -> str:
        """In rich's markup."""
        said = {status: status.meaning for status in (*_ALWAYS, *self.statuses)}
        if self.failed:
            said[ExitStatus.FAILED] = self.failed
        sections = {
            "Examples": "\n".join(f"# {what}\n{line}" for what, line in self.examples),
            "With --json": self.json,
            "Exit status": "\n".join(f"{status:<4}{said[status]}" for status in sorted(said)),
        }
        return "\n\n".join(
            f"[bold]{title}[/bold]\n{escape(textwrap.indent(textwrap.dedent(text).strip(), '  '))}"
            for title, text in sections.items()
            if text
        )


def make_app(about: str, root: Callable[..., Any]) -> typer.Typer:
    """The command ``accord`` without commands. ``root`` has its own options, and is called before any command."""
    app = typer.Typer(
        name="accord",
        help=about,
        cls=Group,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,  # a traceback would show local variables: keys and rows
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(cls=Group, invoke_without_command=True, help=about)(root)
    return app


def make_group(app: typer.Typer, name: str, about: str, panel: Panel, default: str = "") -> typer.Typer:
    """A command with commands below it, such as ``charter``, which :func:`add_command` adds to it.

    ``default``: the one that is meant where none is typed.
    """
    kind = group_with(default) if default else Group
    group = typer.Typer(name=name, help=about, cls=kind, rich_markup_mode="rich")
    app.add_typer(group, name=name, cls=kind, help=about, rich_help_panel=panel)
    return group


def add_command(
    app: typer.Typer,
    name: str,
    command: Callable[..., ExitStatus | None],
    page: Page,
    panel: Panel | None = None,
) -> None:
    """Add a command.

    Args:
        app: what make_app or make_group made.
        name: its words after ``accord``; the last one is its own.
        command: its signature, with typer's annotations, is its arguments and options (a dataclass stands for several:
            command_spread.py); its docstring the help. The
            first line of that is what ``accord --help`` shows. It gives the exit status; None is GOOD.
        page: the rest of its help.
        panel: not of a command below another one.
    """
    add = app.command(name.rsplit(maxsplit=1)[-1], cls=Command, epilog=page.text(), rich_help_panel=panel)
    add(told(name, spread(command)))
