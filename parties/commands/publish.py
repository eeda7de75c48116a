"""``accord publish`` and ``accord tables``: what is typed. What they do is in publish_commands.py."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from parties.terminal.command_app import Page, Panel, add_command
from parties.terminal.command_completion import own_tables
from parties.terminal.command_options import HomeOption, Passphrase
from parties.terminal.command_output import Output
from parties.terminal.exit_status import ExitStatus

__all__ = ["add_publish_commands"]

_JSON = """
table               as the other members get to know it: name, person, capacity, rows_a_person, columns, ...
digest              of that
others_could_learn  a list of {column, use, learnt}; column is "" for the table as a whole
"""

_PUBLISH = Page(
    examples=(
        ("answer questions about a file; it ends with the command that does the same without",
         "accord publish patients patients.parquet"),
        ("in a script: all is said, and only that is published",
         "accord publish patients /data/patients.csv --yes --person id --capacity 1024 \\\n"
         "    --allow count,sum,filter --column id=key:integer --column age=integer:0:120"),
        ("a table in a database, whose answers go to alfa only",
         "accord publish loans 'postgres://ann@db/bank?table=public.loans' --results-to alfa"),
    ),
    json=_JSON,
    failed="nothing was published: the last question was not answered with yes",
    statuses=(ExitStatus.FILE_FAULT,),
)  # fmt: skip

_TABLES = Page(
    examples=(
        ("what others could learn, by table, column and use", "accord tables"),
        ("names of the tables, in a script", "accord tables --json | jq -r '.[].table.name'"),
    ),
    json="a list; for each table:\n" + _JSON.strip(),
    statuses=(ExitStatus.FILE_FAULT,),
)

_COLUMNS = "Columns (each option as often as there are columns)"
_PEOPLE = "People and rows"
_MAY = "What jobs may do"
_EVER = 20  # jobs of the greatest epsilon, before a table without a --budget is used up


def add_publish_commands(app: typer.Typer) -> None:
    """``publish`` and ``tables``."""
    add_command(app, "publish", _publish, _PUBLISH, Panel.DATA)
    add_command(app, "tables", _tables, _TABLES, Panel.DATA)


def _publish(
    name: Annotated[str, typer.Argument(metavar="NAME", help="what others call the table", autocompletion=own_tables)],
    source: Annotated[
        str,
        typer.Argument(metavar="SOURCE", help="a file, a glob, postgres://user@host/db?table=schema.table, spark:..."),
    ],
    column: Annotated[
        list[str] | None,
        typer.Option(
            "--column",
            metavar="NAME=KIND:LOW:HIGH",
            help="integer, real or date with bounds, or without; boolean; key:PROFILE",
            rich_help_panel=_COLUMNS,
        ),
    ] = None,
    category: Annotated[
        list[str] | None,
        typer.Option(
            "--category",
            metavar="NAME=A,B,...",
            help="a column of these categories, and no others",
            rich_help_panel=_COLUMNS,
        ),
    ] = None,
    missing: Annotated[
        list[str] | None,
        typer.Option(
            "--missing",
            metavar="NAME=VALUE",
            help="what a missing value of the column counts as",
            rich_help_panel=_COLUMNS,
        ),
    ] = None,
    other: Annotated[
        list[str] | None,
        typer.Option(
            "--other",
            metavar="NAME=CATEGORY",
            help="the category that a value counts as that is none of them",
            rich_help_panel=_COLUMNS,
        ),
    ] = None,
    use: Annotated[
        list[str] | None,
        typer.Option(
            "--use",
            metavar="NAME=USE,...",
            help="what jobs may do with this column, instead of --allow",
            rich_help_panel=_COLUMNS,
        ),
    ] = None,
    person: Annotated[
        str | None,
        typer.Option("--person", metavar="COLUMN", help="the column that tells people apart", rich_help_panel=_PEOPLE),
    ] = None,
    rows_a_person: Annotated[
        int,
        typer.Option(
            "--rows-a-person", metavar="N", help="how many rows of a person count at most", rich_help_panel=_PEOPLE
        ),
    ] = 1,
    order: Annotated[
        str | None,
        typer.Option(
            "--order",
            metavar="COLUMN",
            help="which rows of a person come first, if there are too many",
            rich_help_panel=_PEOPLE,
        ),
    ] = None,
    capacity: Annotated[
        int | None,
        typer.Option(
            "--capacity", metavar="N", help="public upper bound of the number of rows", rich_help_panel=_PEOPLE
        ),
    ] = None,
    allow: Annotated[
        str | None,
        typer.Option(
            "--allow",
            metavar="USE,...",
            help="of count, sum, group, filter, train, score, join",
            rich_help_panel=_MAY,
        ),
    ] = None,
    results_to: Annotated[
        str | None,
        typer.Option(
            "--results-to",
            metavar="MEMBER,...",
            help="who may receive answers; default: all members",
            rich_help_panel=_MAY,
        ),
    ] = None,
    epsilon: Annotated[
        float, typer.Option("--epsilon", metavar="E", help="the most one job may spend", rich_help_panel=_MAY)
    ] = 1.0,
    budget: Annotated[
        float | None,
        typer.Option(
            "--budget",
            metavar="E",
            help="the most that all jobs together may ever tell of a person, as epsilon; 20 times --epsilon",
            rich_help_panel=_MAY,
        ),
    ] = None,
    delta: Annotated[
        float,
        typer.Option(
            "--delta", metavar="D", help="at which epsilon is counted, and the most of one job", rich_help_panel=_MAY
        ),
    ] = 1e-5,
    minimum: Annotated[
        int,
        typer.Option(
            "--minimum", metavar="N", min=1, help="figures are told of groups of so many rows", rich_help_panel=_MAY
        ),
    ] = 1,
    exact_matches: Annotated[
        bool,
        typer.Option("--exact-matches", help="of joins, nodes may learn how many match, exactly", rich_help_panel=_MAY),
    ] = False,
    replace: Annotated[bool, typer.Option("--replace", help="publish a table of this name anew")] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="ask nothing: publish what the options say, and only that")
    ] = False,
    home: HomeOption = None,
    *,
    passphrase: Passphrase,
    output: Output,
) -> ExitStatus:
    """Let jobs use a table of this member's.

    It asks what of the table jobs may use, shows what others could learn by it, looks at all
    rows once as a job would, writes tables.toml in the node's directory, and signs a policy
    that says the same (`accord policy` refines it). A running node sees it at once. No row
    leaves this machine; columns that are not named stay unknown to the others.
    With --yes it asks nothing, and needs --person, --capacity and --allow.
    """
    from parties.actions.publish_commands import publish
    from parties.errors import TableInvalid
    from parties.policies.policy_terms import Limits
    from parties.publishing.publish_draft import Draft
    from parties.publishing.publish_policy import Terms
    from parties.setup.home import Home

    needed = {"--person": person, "--capacity": capacity, "--allow": allow}
    lacking = [option for option, given in needed.items() if given is None]
    if yes and lacking:
        raise TableInvalid(f"table {name!r}: with --yes also give {', '.join(lacking)}")
    draft = Draft(
        name=name,
        source=source,
        person=person or "",
        capacity=capacity or 0,
        columns=column or [],
        rows_a_person=rows_a_person,
        categories=category or [],
        missing=missing or [],
        other=other or [],
        uses=use or [],
        allow=[use for use in (allow or "").split(",") if use],
        results_to=None if results_to is None else results_to.split(","),
        epsilon_a_job=epsilon,
        order=order,
    )
    limits = Limits(query=epsilon, ever=_EVER * epsilon if budget is None else budget, delta=delta)
    terms = Terms(limits, minimum, exact_matches)
    place = Home(home)
    try:
        identity = place.load_identity(passphrase=passphrase.read())
        publish(place.directory, identity, draft, terms, replace=replace, yes=yes, output=output)
    except (EOFError, KeyboardInterrupt) as stop:
        print("\naccord publish: stopped; nothing was changed", file=sys.stderr)
        return ExitStatus.FAILED if isinstance(stop, EOFError) else ExitStatus.INTERRUPTED
    return ExitStatus.GOOD


def _tables(home: HomeOption = None, *, output: Output) -> None:
    """Show which tables are published here, and what others learn.

    It reads tables.toml in the node's directory, and changes nothing. The tables of the other
    members are in `accord catalogue`.
    """
    from parties.actions.publish_commands import show_tables
    from parties.setup.home import Home

    show_tables(Home(home).directory, output)
