"""``accord serve``: what is typed. What it does is in serve_command.py."""

from __future__ import annotations

from typing import Annotated

import typer

from parties.terminal.command_app import Page, Panel, add_command
from parties.terminal.command_options import HomeOption, Passphrase
from parties.terminal.exit_status import ExitStatus

__all__ = ["add_serve_command"]

_SERVE = Page(
    examples=(
        ("in a terminal", "accord serve"),
        (
            "as a service, with a key that a file opens",
            "accord serve --quiet --passphrase-file /run/secrets/pass",
        ),
    ),
    failed="it could not listen, or a part of it ended",
    statuses=(ExitStatus.REFUSED, ExitStatus.FILE_FAULT),
)


def add_serve_command(app: typer.Typer) -> None:
    """``serve``."""
    add_command(app, "serve", _serve, _SERVE, Panel.RUN)


def _serve(
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="log warnings only")] = False,
    home: HomeOption = None,
    *,
    passphrase: Passphrase,
) -> None:
    """Run this member's node, until Ctrl-C or SIGTERM.

    The node answers the other members and its own people, and takes part in jobs. Jobs and what
    they leave are kept in the node's directory: after an end of any kind it goes on from there. It
    writes its log to stderr. The first signal ends it in good order; the second one at once.
    """
    from parties.actions.serve_command import serve
    from parties.setup.home import Home

    serve(Home(home), passphrase.read(), quiet=quiet)
