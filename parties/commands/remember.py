"""``accord remember``: what is typed. What it does is in client_commands.py."""

from __future__ import annotations

from typing import Annotated

import typer

from parties.terminal.command_app import Page, Panel, add_command
from parties.terminal.command_options import HomeOption
from parties.terminal.command_output import Output
from parties.terminal.exit_status import ExitStatus

__all__ = ["add_remember_command"]

_REMEMBER = Page(
    examples=(
        ("after whoever runs the node read its key aloud", "accord remember https://north.example:8600 ed25519:..."),
    ),
    json="""
    url               of the node
    fingerprint       64 hex digits
    public_key        ed25519:...
    replaced_another  whether another key was kept for this address
    """,
    statuses=(ExitStatus.FILE_FAULT,),
)


def add_remember_command(app: typer.Typer) -> None:
    """``remember``."""
    add_command(app, "remember", _remember, _REMEMBER, Panel.SET_UP)


def _remember(
    url: Annotated[str, typer.Argument(metavar="URL", help="https://host:port")],
    key: Annotated[
        str, typer.Argument(metavar="KEY", help="ed25519:..., as `accord fingerprint` prints it at the node")
    ],
    home: HomeOption = None,
    *,
    output: Output,
) -> None:
    """Keep the key of the node at an address, after comparing it.

    For whoever asks a node that is not on this machine: later commands need --url only. It is
    written to known_nodes.toml in --home, in place of another key for this address.
    """
    from parties.actions.client_commands import remember_node
    from parties.setup.home import Home

    remember_node(Home(home), url, key, output)
