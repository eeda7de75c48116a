"""``accord init`` and ``accord fingerprint``: what is typed. What they do is in identity_commands.py."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from parties.terminal.command_app import Page, Panel, add_command
from parties.terminal.command_options import Passphrase
from parties.terminal.command_output import Output
from parties.terminal.exit_status import ExitStatus

__all__ = ["add_identity_commands"]

_INIT = Page(
    examples=(
        ("in ~/.accord, or where $ACCORD_HOME says", "accord init"),
        ("elsewhere, and encrypted", "accord init /srv/accord --passphrase"),
    ),
    json="""
    file         where the private key is
    encrypted    true or false
    fingerprint  64 hex digits
    public_key   ed25519:...
    """,
    statuses=(ExitStatus.FILE_FAULT,),
)

_FINGERPRINT = Page(
    examples=(
        ("to read aloud, and compare", "accord fingerprint"),
        ("of a key that an orchestrator mounts", "accord fingerprint /run/secrets/identity.key"),
    ),
    json="fingerprint  64 hex digits\npublic_key   ed25519:...",
    statuses=(ExitStatus.FILE_FAULT,),
)


def add_identity_commands(app: typer.Typer) -> None:
    """``init`` and ``fingerprint``."""
    add_command(app, "init", _init, _INIT, Panel.SET_UP)
    add_command(app, "fingerprint", _fingerprint, _FINGERPRINT, Panel.SET_UP)


def _init(
    directory: Annotated[
        Path | None,
        typer.Argument(metavar="DIRECTORY", help="where to keep it; default $ACCORD_HOME or ~/.accord"),
    ] = None,
    *,
    passphrase: Passphrase,
    output: Output,
) -> None:
    """Make this member's identity, once.

    An identity is a private key that all other members will know this one by. It is for whoever
    writes a charter by hand: `accord found` and `accord join` make one themselves. It is written
    to identity.key in the directory, for this user alone to read; one that is there is never
    overwritten.
    """
    from parties.actions.identity_commands import make_identity
    from parties.setup.home import Home

    make_identity(directory or Home().directory, passphrase, output)


def _fingerprint(
    place: Annotated[
        Path | None,
        typer.Argument(
            metavar="PLACE", help="its directory, or its file where one is mounted; default $ACCORD_HOME or ~/.accord"
        ),
    ] = None,
    *,
    passphrase: Passphrase,
    output: Output,
) -> None:
    """Show this member's fingerprint and public key.

    Others need the key to know this member, or this person, by; they compare the fingerprint to
    know that nobody changed it on the way. It changes nothing, and needs no passphrase where the
    file states its public key.
    """
    from parties.actions.identity_commands import show_identity
    from parties.setup.home import Home

    show_identity(place or Home().directory, passphrase, output)
