"""``accord query``: what is typed. What it does is in client_commands.py."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from parties.actions.command_job_options import JobOptions
from parties.terminal.command_app import Page, Panel, add_command
from parties.terminal.command_options import (
    WhichNode,
)
from parties.terminal.command_output import Output
from parties.terminal.exit_status import ExitStatus

__all__ = ["add_query_command"]

_EXPLAIN = re.compile(r"\s*EXPLAIN\b", re.IGNORECASE)

_QUERY = Page(
    examples=(
        ("a figure by group, over all members that publish such a table",
         "accord query 'SELECT ward, COUNT(*), AVG(age) FROM patients GROUP BY ward' --epsilon 1 --minimum 20"),
        ("people of two members' tables",
         "accord query 'SELECT COUNT(*) FROM alfa.accounts JOIN bravo.loans USING (person)' \\\n"
         "    --epsilon 1 --pad 0.5:1e-6"),
        ("what it would cost, who runs what, and whether all owners would allow it",
         "accord query --explain 'SELECT COUNT(*) FROM alfa.accounts' --epsilon 1"),
        ("from a file, in a script", "accord query --file figures.sql --epsilon 1 --json"),
    ),
    json="job     its id\nanswer  columns, rows, errors, intervals, epsilon, delta\n"
    "with --explain the plan card: verdict, owners, figures, epsilon, delta, cost, explained",
    failed="the job ended without an answer",
    statuses=(ExitStatus.REFUSED, ExitStatus.UNREACHABLE, ExitStatus.FILE_FAULT, ExitStatus.NOT_OVER),
)  # fmt: skip


def add_query_command(app: typer.Typer) -> None:
    """``query``."""
    add_command(app, "query", _query, _QUERY, Panel.ASK)


def _query(
    epsilon: Annotated[
        float, typer.Option("--epsilon", metavar="E", help="how much all figures may tell of a person; usual: 0.1 to 2")
    ],
    sql: Annotated[str | None, typer.Argument(metavar="SQL", help="SELECT ...; - for stdin")] = None,
    file: Annotated[Path | None, typer.Option("--file", metavar="FILE", help="with the SQL, instead")] = None,
    delta: Annotated[
        float | None, typer.Option("--delta", metavar="D", help="Gaussian noise; without it Laplace's")
    ] = None,
    minimum: Annotated[
        int | None, typer.Option("--minimum", metavar="N", help="rows of a group that is shown, by its noised count")
    ] = None,
    pad: Annotated[
        str | None,
        typer.Option("--pad", metavar="E:D", help="of joins: hide how many match, at this epsilon and delta"),
    ] = None,
    show_matches: Annotated[bool, typer.Option("--show-matches", help="of joins: one member may see how many")] = False,
    *,
    job: JobOptions,
    which: WhichNode,
    output: Output,
) -> ExitStatus:
    """Ask in SQL over tables that nobody sees whole.

    Tables are member.table, or a name that several members publish: their rows together. Each
    owner's node reads the text itself, decides by its policy, and runs its part on its own rows;
    the rest runs on shares; figures leave with noise. What cannot be asked is refused with the
    place in the text, and the nearest thing that can. `accord catalogue` shows all tables.
    """
    from parties.actions.client_commands import ask

    text = _text(sql, file)
    explained = _EXPLAIN.match(text)
    if explained:
        text, job = text[explained.end() :], replace(job, explain=True)
    parameters: dict[str, Any] = {"sql": text, "epsilon": epsilon}
    more = {"delta": delta, "minimum": minimum, "pad": _pad(pad), "show_matches": show_matches or None}
    parameters |= {name: value for name, value in more.items() if value is not None}
    return ask(which, job.asking("query", parameters), output)


def _text(sql: str | None, file: Path | None) -> str:
    """Of the argument, the file, or standard input."""
    from parties.disk.private_files import read_public

    if (sql is None) == (file is None):
        raise typer.BadParameter("give the SQL, or --file with it")
    if file is not None:
        return read_public(file).decode("utf-8", "replace")
    return sys.stdin.read() if sql == "-" else sql or ""


def _pad(text: str | None) -> dict[str, float] | None:
    if text is None:
        return None
    epsilon, _, delta = text.partition(":")
    try:
        return {"epsilon": float(epsilon), "delta": float(delta)}
    except ValueError:
        raise typer.BadParameter(f"--pad {text}: EPSILON:DELTA, such as 0.5:1e-6") from None
