"""``accord join``: what is typed. What it does is in join_command.py."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from parties.terminal.command_app import Page, Panel, add_command
from parties.terminal.command_options import HomeOption, Passphrase
from parties.terminal.command_output import Output
from parties.terminal.exit_status import ExitStatus

__all__ = ["add_join_command"]

_JOIN = Page(
    examples=(
        ("with a question, while the founder runs `accord invite --wait`", "accord join north.example:7600/..."),
        ("the code is in no list of processes", "accord join - < code"),
        ("without a question, as the fingerprint was compared over the telephone",
         "accord join - --fingerprint '0123 4567 ...' < code"),
    ),
    json="""
    member    this one's name
    charter   consortium, version, threshold, members, digest, ...
    findings  as of `accord doctor --json`; none with --no-doctor
    """,
    failed="the meeting failed",
    statuses=(ExitStatus.REFUSED, ExitStatus.UNREACHABLE, ExitStatus.FILE_FAULT),
)  # fmt: skip


def add_join_command(app: typer.Typer) -> None:
    """``join``."""
    add_command(app, "join", _join, _JOIN, Panel.SET_UP)


def _join(
    code: Annotated[
        str, typer.Argument(metavar="CODE", help="as `accord invite` printed it; - reads it from standard input")
    ],
    address: Annotated[
        str | None,
        typer.Option(
            "--address", metavar="HOST:PORT", help="where this node is reached, if not where the founder has it"
        ),
    ] = None,
    fingerprint: Annotated[
        str | None,
        typer.Option(
            "--fingerprint", metavar="HEX", help="the founder's, compared beforehand: then no question is asked"
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="sign without a question: the code alone vouches")] = False,
    patience: Annotated[
        float, typer.Option("--patience", metavar="SECONDS", help="how long to try to reach the founder")
    ] = 60.0,
    no_doctor: Annotated[bool, typer.Option("--no-doctor", help="do not run `accord doctor` in the end")] = False,
    home: HomeOption = None,
    *,
    passphrase: Passphrase,
    output: Output,
) -> None:
    """Come into a consortium with a code from its founder.

    It makes an identity where there is none, meets the founder, shows the charter with all keys
    and its digest, asks whether it is the same everywhere, and signs. It ends when the charter is
    in force at all members. The same command again goes on where one broke off.
    """
    if yes and fingerprint is not None:
        raise typer.BadParameter("--yes and --fingerprint: give one of them")
    from parties.actions.join_command import Joining, join
    from parties.setup.home import Home

    how = Joining(
        code=sys.stdin.readline() if code == "-" else code,
        address=address,
        fingerprint=fingerprint,
        yes=yes,
        patience=patience,
        doctor=not no_doctor,
    )
    join(Home(home), how, passphrase, output)
