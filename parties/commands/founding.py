"""``accord found`` and ``accord invite``: what is typed. What they do is in founding_commands.py."""

from __future__ import annotations

from typing import Annotated

import typer

from parties.terminal.command_app import Page, Panel, add_command
from parties.terminal.command_options import HomeOption, Passphrase
from parties.terminal.command_output import Output
from parties.terminal.exit_status import ExitStatus

__all__ = ["add_founding_commands"]

_ROLES = "compute,input,result"

_FOUND = Page(
    examples=(
        ("a member that computes, and that the others reach at its port 7600",
         "accord found 'Four banks' --name north --address north.example:7600"),
        ("next, once for each other member, and then for all",
         "accord invite south --address south.example:7600\naccord invite --wait"),
    ),
    json="""
    consortium   its title
    member       this one's name
    directory    of the node
    fingerprint  of this member, 64 hex digits
    public_key   ed25519:...
    """,
    statuses=(ExitStatus.FILE_FAULT,),
)  # fmt: skip

_INVITE = Page(
    examples=(
        ("a code for a member whose node will listen at its port 7600",
         "accord invite south --address south.example:7600"),
        ("for one that only has tables, good for an hour", "accord invite clinic --roles input --hours 1"),
        ("until all have signed, in a script: nobody compares the digest", "accord invite --wait --yes"),
    ),
    json="""
    with NAME      member, code (a secret), expires (seconds since 1970)
    with --cancel  member, cancelled
    with --wait    charter: consortium, version, threshold, members, digest, ...
    """,
    failed="the founding failed",
    statuses=(ExitStatus.REFUSED, ExitStatus.UNREACHABLE, ExitStatus.FILE_FAULT),
)  # fmt: skip


def add_founding_commands(app: typer.Typer) -> None:
    """``found`` and ``invite``."""
    add_command(app, "found", _found, _FOUND, Panel.SET_UP)
    add_command(app, "invite", _invite, _INVITE, Panel.SET_UP)


def _found(
    title: Annotated[str, typer.Argument(metavar="TITLE", help="of the consortium")],
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="of this member: a-z, 0-9 and -")],
    address: Annotated[
        str | None, typer.Option("--address", metavar="HOST:PORT", help="where the others reach this node")
    ] = None,
    roles: Annotated[str, typer.Option("--roles", metavar="ROLE,...", help="of this member")] = _ROLES,
    threshold: Annotated[
        int | None,
        typer.Option(
            "--threshold", metavar="T", help="how many compute members may collude; default: the most possible"
        ),
    ] = None,
    home: HomeOption = None,
    *,
    passphrase: Passphrase,
    output: Output,
) -> None:
    """Begin a consortium, as its first member.

    One member does this, and then invites the others. It makes an identity where there is none,
    writes node.toml with all defaults to look at, and founding.json, in the node's directory.
    Nothing is in force, and nobody is called, until `accord invite --wait`.
    """
    from parties.actions.founding_commands import found, read_roles
    from parties.beginning.founding import Founding
    from parties.setup.home import Home

    founding = Founding(consortium=title, threshold=threshold, name=name, address=address, roles=read_roles(roles))
    found(Home(home), founding, passphrase, output)


def _invite(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="of the new member: a-z, 0-9 and -")] = None,
    address: Annotated[
        str | None, typer.Option("--address", metavar="HOST:PORT", help="where its node will be reached, if it will")
    ] = None,
    roles: Annotated[str, typer.Option("--roles", metavar="ROLE,...", help="of the new member")] = _ROLES,
    at: Annotated[
        str | None,
        typer.Option(
            "--at", metavar="HOST:PORT", help="where it reaches this node now; default: this member's address"
        ),
    ] = None,
    hours: Annotated[float, typer.Option("--hours", metavar="H", help="how long the code is good")] = 24.0,
    cancel: Annotated[bool, typer.Option("--cancel", help="take the invitation back")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="wait for all who are invited, until all have signed")] = False,
    bind: Annotated[
        str | None,
        typer.Option("--bind", metavar="HOST:PORT", help="where to wait; default: as node.toml says"),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="with --wait: sign without a question; the codes alone vouch")
    ] = False,
    home: HomeOption = None,
    *,
    passphrase: Passphrase,
    output: Output,
) -> None:
    """Make a code for a new member, or wait for those who have one.

    With NAME it prints a code, which only that member should get to see: it is good once. With
    --wait it listens while the others run `accord join CODE`, shows the charter, asks, signs, and
    ends when the charter is in force at all members. It writes in the node's directory.
    """
    from parties.actions import founding_commands as founding
    from parties.errors import FoundingInvalid
    from parties.setup.home import Home

    at_home = Home(home)
    at_home.check()
    if wait:
        if name is not None:
            raise FoundingInvalid("either NAME, to make a code, or --wait")
        founding.wait_for_all(at_home, bind, passphrase, output, yes=yes)
    elif name is None:
        raise FoundingInvalid("either NAME, to make a code, or --wait")
    elif cancel:
        founding.cancel(at_home, name, output)
    else:
        founding.invite(at_home, founding.Invitee(name, address, roles, at, hours), passphrase, output)
