"""``accord status``, ``catalogue`` and ``jobs``: what is typed. What they do is in client_commands.py."""

from __future__ import annotations

from typing import Annotated

import typer

from parties.terminal.command_app import Page, Panel, add_command
from parties.terminal.command_options import (
    WhichNode,
)
from parties.terminal.command_output import Output
from parties.terminal.exit_status import ExitStatus

__all__ = ["add_catalogue_command", "add_jobs_command", "add_status_command"]

_STATUSES = (ExitStatus.REFUSED, ExitStatus.UNREACHABLE, ExitStatus.FILE_FAULT)

_STATUS = Page(
    examples=(
        ("this machine's node", "accord status"),
        ("another one, as one of its people", "accord status --url https://north.example:8600"),
        ("who is down, in a script", "accord status --json | jq -r '.members[] | select(.up | not) | .member'"),
    ),
    json="""
    member, fingerprint, release, consortium, version, charter
    time, started     seconds since 1970
    lanes, open_jobs  how many
    members           a list of {member, up, since, cause}
    forked            a list of {member, found, entries, digests}: logs that do not go on
    """,
    failed="the node answered with an error",
    statuses=_STATUSES,
)

_CATALOGUE = Page(
    examples=(
        ("what there is to ask about", "accord catalogue"),
        ("names of tables, in a script",
         "accord catalogue --json | jq -r '.members[] | .member + \".\" + .tables[].description.name'"),
    ),
    json="members  a list of {member, error, tables}; error is \"\" where the member's node could be asked",
    failed="the node answered with an error",
    statuses=_STATUSES,
)  # fmt: skip

_JOBS = Page(
    examples=(
        ("the last twenty", "accord jobs"),
        ("those that are not over, in a script",
         "accord jobs -n 1000 --json | jq -r '.jobs[] | select(.state==\"RUNNING\") | .job'"),
    ),
    json="""
    jobs    a list of {job, kind, state, proposer, by, proposed, changed, error, cause, answer, ...}
    before  null if these are all
    """,
    failed="the node answered with an error",
    statuses=_STATUSES,
)  # fmt: skip


def add_status_command(app: typer.Typer) -> None:
    """``status``."""
    add_command(app, "status", _status, _STATUS, Panel.RUN)


def add_catalogue_command(app: typer.Typer) -> None:
    """``catalogue``."""
    add_command(app, "catalogue", _catalogue, _CATALOGUE, Panel.ASK)


def add_jobs_command(app: typer.Typer) -> None:
    """``jobs``."""
    add_command(app, "jobs", _jobs, _JOBS, Panel.ASK)


def _status(
    which: WhichNode,
    output: Output,
) -> None:
    """Show how a node is, and the other members as it sees them.

    It asks a running node; `accord doctor` looks at one that does not run.
    """
    from parties.actions.client_commands import status

    status(which, output)


def _catalogue(
    which: WhichNode,
    output: Output,
) -> None:
    """List the tables that all members publish.

    A line for each column: its kind, its bounds, and what jobs may do with it. Of a member whose
    node cannot be asked, stderr says so.
    """
    from parties.actions.client_commands import catalogue

    catalogue(which, output)


def _jobs(
    most: Annotated[int, typer.Option("--most", "-n", metavar="N", help="how many, 1 to 1000")] = 20,
    *,
    which: WhichNode,
    output: Output,
) -> None:
    """List the jobs a node knows, the latest first.

    Everybody's, with their state, who asked for them, and why one failed.
    """
    from parties.actions.client_commands import jobs

    jobs(which, most, output)
