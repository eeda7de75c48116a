"""``accord ledger``: what is typed. What it does is in ledger_commands.py."""

from __future__ import annotations

import typer

from parties.terminal.command_app import Page, Panel, add_command
from parties.terminal.command_options import HomeOption
from parties.terminal.command_output import Output
from parties.terminal.exit_status import ExitStatus

__all__ = ["add_ledger_command"]

_LEDGER = Page(
    examples=(
        ("how much may still be told of whom", "accord ledger"),
        ("tables of which less than a job's worth is left, in a script",
         "accord ledger --json | jq '.populations[].tables[] | select(.ever.left < .query) | .table'"),
    ),
    json="""
    member, time  its fingerprint; seconds since 1970
    under_way     ids of jobs that are charged and not over
    populations   a list of {population, tables}; for each table {table, policy, query, delta, days,
                  period, ever, analysts}; period and ever: {spent, limit, left} of all analysts
                  together; analysts: a list of {member, analyst, period}
    """,
    statuses=(ExitStatus.FILE_FAULT, ExitStatus.NOT_GENUINE),
)  # fmt: skip


def add_ledger_command(app: typer.Typer) -> None:
    """``ledger``."""
    add_command(app, "ledger", _ledger, _LEDGER, Panel.DATA)


def _ledger(home: HomeOption = None, *, output: Output) -> None:
    """Show what was told of this member's people, and what is left.

    Epsilon, at the delta of each table's policy: of all analysts together within the policy's
    period and ever, and of each analyst within the period. Tables with one key are about the same
    people: a job on one of them is spent of all. Jobs that are under way count in full; one that
    told nothing is given back when it ends. A job that asks for no more than is left, and for no
    delta, is not refused for that limit. It reads the node's own store, whether the node runs or not.
    """
    from parties.actions.ledger_commands import show_ledger
    from parties.setup.home import Home

    show_ledger(Home(home), output)
