"""``accord charter`` and what is below it: what is typed. What they do is in charter_commands.py."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from parties.terminal.command_app import Page, Panel, add_command, make_group
from parties.terminal.command_options import HomeOption, Passphrase
from parties.terminal.command_output import Output
from parties.terminal.exit_status import ExitStatus

__all__ = ["add_charter_commands"]

_ABOUT = """The consortium's charter: show, propose, sign, exchange.

Who is a member, with which key and which roles. A new version comes into force when all members
of the old and of the new one have signed it: one proposes it, each signs, files go round. Running
nodes exchange signatures by themselves.
"""

_STATE = """
in_force         consortium, version, threshold, members, previous, digest; or null
proposed         a list of {charter, signed, withdrawn, waits_for, changes}
came_into_force  versions that this command brought into force
"""

_STATUSES = (ExitStatus.REFUSED, ExitStatus.FILE_FAULT)

_SHOW = Page(
    examples=(
        ("what is in force, and what is proposed", "accord charter show"),
        ("to begin the next version with", "accord charter show --toml > next.toml"),
    ),
    json=_STATE,
    statuses=_STATUSES,
)
_PROPOSE = Page(
    examples=(("after editing what `accord charter show --toml` printed", "accord charter propose next.toml"),),
    json=_STATE,
    statuses=_STATUSES,
)
_SIGN = Page(
    examples=(
        ("the only proposal there is", "accord charter sign"),
        ("of several, without a question", "accord charter sign 0123456789abcdef --yes"),
    ),
    json=_STATE,
    failed="not signed: the question was not answered with yes",
    statuses=_STATUSES,
)
_WITHDRAW = Page(
    examples=(("by the first digits of its digest", "accord charter withdraw 0123456789abcdef"),),
    json=_STATE,
    statuses=_STATUSES,
)
_MERGE = Page(
    examples=(("a file from another member", "accord charter merge charters.json"),),
    json=_STATE,
    statuses=_STATUSES,
)
_EXPORT = Page(
    examples=(
        ("for the others to merge", "accord charter export charters.json"),
        ("over a connection of your own", "accord charter export - | ssh south accord charter merge /dev/stdin"),
    ),
    json="file, in_force and proposed (how many versions); with - only what is written, which is JSON too",
    statuses=_STATUSES,
)


def add_charter_commands(app: typer.Typer) -> None:
    """``charter``, and ``show``, ``propose``, ``sign``, ``withdraw``, ``merge``, ``export`` below it."""
    charter = make_group(app, "charter", _ABOUT, Panel.SET_UP)
    add_command(charter, "charter show", _show, _SHOW)
    add_command(charter, "charter propose", _propose, _PROPOSE)
    add_command(charter, "charter sign", _sign, _SIGN)
    add_command(charter, "charter withdraw", _withdraw, _WITHDRAW)
    add_command(charter, "charter merge", _merge, _MERGE)
    add_command(charter, "charter export", _export, _EXPORT)


def _show(
    toml: Annotated[
        bool, typer.Option("--toml", help="the text in force alone, to begin the next version with")
    ] = False,
    home: HomeOption = None,
    *,
    output: Output,
) -> None:
    """Show what is in force, and what is proposed.

    Every member with its key's fingerprint in full, and the digest to compare. It changes nothing.
    """
    if toml and output.json:
        raise typer.BadParameter("--toml and --json: give one of them")
    from parties.actions.charter_commands import show
    from parties.setup.home import Home

    show(Home(home), output, toml=toml)


def _propose(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="the charter, in TOML")],
    home: HomeOption = None,
    *,
    output: Output,
) -> None:
    """Propose a new version.

    It is kept in the node's directory, and changes nothing until all have signed. What is
    different from the version in force is shown.
    """
    from parties.actions.charter_commands import propose
    from parties.setup.home import Home

    propose(Home(home), file, output)


def _sign(
    digest: Annotated[
        str | None, typer.Argument(metavar="DIGEST", help="its first digits; not needed if there is one only")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="without a question")] = False,
    home: HomeOption = None,
    *,
    passphrase: Passphrase,
    output: Output,
) -> ExitStatus:
    """Sign a proposal, after looking at it.

    It shows the charter and its digest, asks, and signs with this member's key. A node signs one
    charter of each version only. If that was the last signature, the charter is in force.
    """
    from parties.actions.charter_commands import sign
    from parties.setup.home import Home

    return sign(Home(home), digest, passphrase, output, yes=yes)


def _withdraw(
    digest: Annotated[str, typer.Argument(metavar="DIGEST", help="its first digits, 8 or more")],
    home: HomeOption = None,
    *,
    output: Output,
) -> None:
    """Never act on a proposal, even if it was signed here.

    A signature that was given cannot be taken back at the others: tell them.
    """
    from parties.actions.charter_commands import withdraw
    from parties.setup.home import Home

    withdraw(Home(home), digest, output)


def _merge(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="as `accord charter export` wrote it, or a file of signatures")
    ],
    home: HomeOption = None,
    *,
    output: Output,
) -> None:
    """Take charters and signatures from another member's file.

    Every signature is checked; what all have signed comes into force here.
    """
    from parties.actions.charter_commands import merge
    from parties.setup.home import Home

    merge(Home(home), file, output)


def _export(
    file: Annotated[str, typer.Argument(metavar="FILE", help="to write; - for standard output")],
    home: HomeOption = None,
    *,
    output: Output,
) -> None:
    """Write all charters and signatures known here, for the others.

    Nothing in the file is secret. A file that is there is replaced.
    """
    from parties.actions.charter_commands import export
    from parties.setup.home import Home

    export(Home(home), file, output)
