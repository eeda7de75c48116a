"""``accord check``: what is typed. What it does is in check_command.py."""

from __future__ import annotations

import typer

from parties.terminal.command_app import Page, Panel, add_command
from parties.terminal.command_output import Output
from parties.terminal.exit_status import ExitStatus

__all__ = ["add_check_command"]

_CHECK = Page(
    examples=(("after an installation", "accord check"),),
    json="""
    python, openssl   versions
    tls_1_3           whether this Python has it
    started_seconds   until three parties were connected; null if they were not
    product_seconds   for one product of three secret numbers
    error             what failed, or null
    ready             whether the product was right
    """,
    failed="this installation does not compute",
)


def add_check_command(app: typer.Typer) -> None:
    """``check``."""
    add_command(app, "check", _check, _CHECK, Panel.SET_UP)


def _check(output: Output) -> ExitStatus:
    """See whether this installation computes.

    Three parties on this machine, connected over TLS, multiply one number of each. Nobody else is
    called, no node is needed, and no file is left. The first time, compiling takes up to a minute.
    """
    from parties.actions.check_command import check_installation

    return check_installation(output)
