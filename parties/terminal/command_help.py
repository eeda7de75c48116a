"""Help as a page: boxes by Typer on a terminal; elsewhere plain text, with one line for each option and command."""

from __future__ import annotations

import inspect
import os
import textwrap
from collections import defaultdict
from types import MappingProxyType
from typing import Any

from rich.text import Text
from typer.core import TyperCommand, TyperGroup

from parties.terminal.command_output import WIDE, plain_console

__all__ = ["Command", "Group", "group_with"]

_TYPERS_OWN = MappingProxyType(
    {
        "install_completion": "have this shell complete commands, and names it knows",
        "show_completion": "print what that installs",
        "help": "show this, and leave",
    }
)


class Command(TyperCommand):
    """A command. Its help is in plain text where no terminal shows it, or NO_COLOR is set."""

    def get_params(self, ctx: Any) -> list[Any]:
        """As the help shows them."""
        return _shown(super().get_params(ctx))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print it, or write it to the formatter."""
        if _in_boxes():
            super().format_help(ctx, formatter)
        else:
            _write_plain(self, ctx, formatter)


class Group(TyperGroup):
    """A command with others below it."""

    def get_params(self, ctx: Any) -> list[Any]:
        """As the help shows them."""
        return _shown(super().get_params(ctx))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print it, or write it to the formatter."""
        if _in_boxes():
            super().format_help(ctx, formatter)
        else:
            _write_plain(self, ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """By panel, in the order in which they were added."""
        panels = defaultdict(list)
        for name, command in self.commands.items():
            if not command.hidden:
                panels[getattr(command, "rich_help_panel", None) or "Commands"].append((name, _first_line(command)))
        for title, rows in panels.items():
            with formatter.section(str(title)):
                formatter.write_dl(rows)


def group_with(default: str) -> type[Group]:
    """A group in which this command is meant where none is typed: ``accord models --json``."""

    class WithDefault(Group):
        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
            own = ctx.help_option_names
            if not args or (args[0].startswith("-") and args[0] not in own):
                args = [default, *args]
            return super().parse_args(ctx, args)

    return WithDefault


def _in_boxes() -> bool:
    return plain_console().is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _shown(params: list[Any]) -> list[Any]:
    """Flags have no type to show, and Typer's own options are said in a few words."""
    for param in params:
        if getattr(param, "is_flag", False) and param.metavar is None:
            param.metavar = ""
        param.help = _TYPERS_OWN.get(param.name, param.help)
    return params


def _first_line(command: Any) -> str:
    return inspect.cleandoc(command.help or "").partition("\n")[0]


def _write_plain(command: TyperCommand | TyperGroup, ctx: Any, formatter: Any) -> None:
    """Paragraphs keep their lines; an option and what it does are one line, however long."""
    formatter.width = WIDE
    command.format_usage(ctx, formatter)
    formatter.write("\n" + textwrap.indent(inspect.cleandoc(command.help or ""), "  ") + "\n")
    command.format_options(ctx, formatter)
    if command.epilog:
        formatter.write("\n" + Text.from_markup(command.epilog).plain + "\n")
