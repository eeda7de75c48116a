"""``accord policy`` and ``accord approve``: what is typed. What they do is in policy_commands.py."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from parties.terminal.command_app import Page, Panel, add_command
from parties.terminal.command_completion import job_ids
from parties.terminal.command_options import (
    HomeOption,
    Passphrase,
    WhichNode,
)
from parties.terminal.command_output import Output
from parties.terminal.exit_status import ExitStatus

__all__ = ["add_policy_commands"]

_POLICY = Page(
    examples=(
        ("all policies of this member's tables", "accord policy"),
        ("write one down, change it, and sign it as it is then",
         "accord policy patients > patients.toml; $EDITOR patients.toml; accord policy patients --set patients.toml"),
        ("sign the same policy for a table that was published anew", "accord policy patients --renew"),
    ),
    json="a list; for each table:\ntable     its name\ndigest    of its policy, null without one\n"
    "policy    the policy as it is signed, null without one",
    statuses=(ExitStatus.FILE_FAULT,),
)  # fmt: skip

_APPROVE = Page(
    examples=(
        ("which jobs wait for a person, and why", "accord approve"),
        ("let one go on", "accord approve 0123456789abcdef0123456789abcdef"),
        ("or not", "accord approve 0123456789abcdef0123456789abcdef --deny"),
    ),
    json="without a job: {waiting: [{job, since, why, asks, parameters, before, differences}]}\n"
    "with one the job, as `accord jobs --json` has it",
    statuses=(ExitStatus.REFUSED, ExitStatus.UNREACHABLE, ExitStatus.FILE_FAULT),
)


def add_policy_commands(app: typer.Typer) -> None:
    """``policy`` and ``approve``."""
    add_command(app, "policy", _policy, _POLICY, Panel.DATA)
    add_command(app, "approve", _approve, _APPROVE, Panel.DATA)


def _policy(
    table: Annotated[str | None, typer.Argument(metavar="TABLE", help="one of this member's; default: all")] = None,
    put: Annotated[
        Path | None,
        typer.Option("--set", metavar="FILE", help="sign what this TOML file says, and put it in force"),
    ] = None,
    renew: Annotated[bool, typer.Option("--renew", help="sign the policy there is for the table as it is now")] = False,
    home: HomeOption = None,
    *,
    passphrase: Passphrase,
    output: Output,
) -> None:
    """Show what members may do with tables of here, or sign it anew.

    A policy says for each column which members may do what with it and for what purpose, how much
    may be told of a person by one job, by one analyst, within a period and ever, from how many
    rows on figures are told, who may receive answers, and what a person has to approve. What it
    does not allow is denied. A running node goes by it from the next job on. The page of
    parties/policies/policy_text.py has a whole one with every field.
    """
    from parties.actions.policy_commands import set_policy, show_policies
    from parties.setup.home import Home

    place = Home(home)
    identity = place.load_identity(passphrase=passphrase.read())
    if put is None and not renew:
        show_policies(place, identity, table, output)
    else:
        set_policy(place, identity, table, put, output)


def _approve(
    job: Annotated[
        str | None, typer.Argument(metavar="JOB", help="its id; default: show those that wait", autocompletion=job_ids)
    ] = None,
    deny: Annotated[bool, typer.Option("--deny", help="the job is not to go on")] = False,
    *,
    which: WhichNode,
    output: Output,
) -> None:
    """Let a job go on that waits for a person here, or show which.

    A policy may want a person to look at a job: for a rule with `ask`, or above an epsilon. Nobody
    can approve what a policy denies. Beside each stands what it asks otherwise than the job most
    like it that was approved before. The log keeps who approved.
    """
    from parties.actions.policy_commands import approve

    approve(which, job, not deny, output)
