"""The command ``accord``: all commands put together, and their end as an exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import metadata
from typing import Annotated

import typer
from typer.main import get_command

from parties.commands.ask import add_ask_commands
from parties.commands.audit import add_audit_commands
from parties.commands.charter import add_charter_commands
from parties.commands.check import add_check_command
from parties.commands.doctor import add_doctor_command
from parties.commands.fit import add_fit_commands
from parties.commands.founding import add_founding_commands
from parties.commands.identity import add_identity_commands
from parties.commands.join import add_join_command
from parties.commands.ledger import add_ledger_command
from parties.commands.models import add_model_commands
from parties.commands.node import add_catalogue_command, add_jobs_command, add_status_command
from parties.commands.policy import add_policy_commands
from parties.commands.publish import add_publish_commands
from parties.commands.query import add_query_command
from parties.commands.receipt import add_receipt_commands
from parties.commands.remember import add_remember_command
from parties.commands.serve import add_serve_command
from parties.terminal.command_app import make_app
from parties.terminal.exit_status import ExitStatus

__all__ = ["app", "main"]

_ABOUT = "Private analytics for consortia: answers over rows that nobody hands over."

_COMMANDS = (
    add_check_command, add_identity_commands, add_founding_commands, add_join_command, add_charter_commands,
    add_remember_command,
    add_publish_commands, add_policy_commands, add_audit_commands, add_ledger_command,
    add_serve_command, add_doctor_command, add_status_command,
    add_catalogue_command, add_query_command, add_fit_commands, add_model_commands,
    add_ask_commands, add_jobs_command, add_receipt_commands,
)  # fmt: skip
"""In the order of the help, panel by panel."""


def app() -> typer.Typer:
    """The command with all below it."""
    made = make_app(_ABOUT, _root)
    for add in _COMMANDS:
        add(made)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point. Gives the exit status: see exit_status.py."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    try:
        status = _run(words)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # where the rest goes when the process ends
        return ExitStatus.PIPE_CLOSED
    return status


def _run(words: list[str]) -> int:
    try:
        status = get_command(app()).main(words, prog_name="accord", standalone_mode=False)
    except typer.TyperException as wrong:
        return _misused(wrong)
    except typer.Abort:
        return ExitStatus.FAILED
    except SystemExit as stop:  # of a completion, which Typer prints by itself
        return stop.code if isinstance(stop.code, int) else ExitStatus.FAILED
    return ExitStatus.GOOD if status is None else int(status)


def _misused(wrong: typer.TyperException) -> int:
    """A line on stderr: what is wrong, and which help says more."""
    context = getattr(wrong, "ctx", None)
    path = "accord" if context is None else context.command_path
    text = " ".join(wrong.format_message().split())
    print(f"{path}: WrongUsage: {text} `{path} --help` says more", file=sys.stderr)
    return ExitStatus.WRONG_USAGE


def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", "-V", help="print the version")] = False,
) -> None:
    if version:
        print(f"accord {metadata.version('accord')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


if __name__ == "__main__":
    sys.exit(main())
