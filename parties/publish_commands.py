"""``accord publish`` and ``accord tables``: what of a table other members may use, and what they could learn by it."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mpc.errors import AccordError
from parties.description import describe, digest_of
from parties.errors import TableInvalid
from parties.exposure import NEVER, exposures
from parties.private_files import make_private_directory
from parties.publish_draft import Draft, build
from parties.publish_interview import interview
from parties.published import USES, PublishedTable
from parties.table_source import open_source
from parties.tables import Reading, open_table
from parties.tables_file import TABLES_FILE, load_tables, save_tables

__all__ = ["add_publish_commands", "run_publish_command"]

_LISTS = (
    ("column", "NAME=KIND[:LOW:HIGH]", "integer, real or date with bounds; boolean; key:PROFILE"),
    ("category", "NAME=A,B,...", "a column of these categories, and no others"),
    ("missing", "NAME=VALUE", "what a missing value of the column counts as"),
    ("other", "NAME=CATEGORY", "the category that a value counts as that is none of them"),
    ("use", "NAME=USE,...", "what jobs may do with this column, instead of --allow"),
)


def add_publish_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """``publish`` and ``tables``, among the commands of ``accord``."""
    publish = commands.add_parser(
        "publish",
        help="let jobs use a table of this member's",
        description="Asks what of a table jobs may use, shows what others could learn, and keeps it in tables.toml.",
    )
    publish.add_argument("name", help="what others call the table")
    publish.add_argument("source", help="a file, a glob, postgres://user@host/db?table=schema.table, spark:...")
    for name, form, text in _LISTS:
        publish.add_argument(f"--{name}", action="append", default=[], metavar=form, help=text)
    publish.add_argument("--person", metavar="COLUMN", help="the column that tells people apart")
    publish.add_argument("--rows-a-person", type=int, metavar="N", help="how many rows of a person count at most; 1")
    publish.add_argument("--capacity", type=int, metavar="N", help="public upper bound of the number of rows")
    publish.add_argument("--allow", metavar="USE,...", help=f"what jobs may do, of {', '.join(USES)}")
    publish.add_argument("--results-to", metavar="MEMBER,...", help="who may receive answers; all members")
    publish.add_argument("--epsilon", type=float, default=1.0, metavar="E", help="the most one job may spend; 1")
    publish.add_argument("--order", metavar="COLUMN", help="which rows of a person come first, if there are too many")
    publish.add_argument("--replace", action="store_true", help="publish a table of this name anew")
    publish.add_argument("--yes", action="store_true", help="ask nothing: publish what the flags say, and only that")
    tables = commands.add_parser("tables", help="show what of which tables is published, and what others could learn")
    for parser in (publish, tables):
        home = Path(os.environ.get("ACCORD_HOME") or Path.home() / ".accord")
        parser.add_argument("--home", type=Path, default=home, help="of this node; default $ACCORD_HOME or ~/.accord")
        parser.add_argument("--json", action="store_true", help="print JSON: what others know, and could learn")


def run_publish_command(given: argparse.Namespace) -> int:
    """Gives the exit status: 0 if done; 1 if not, with the reason and the way out on stderr, and nothing changed."""
    try:
        if given.command == "publish":
            _publish(given)
        else:
            _tables(given)
    except AccordError as error:
        print(f"accord {given.command}: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except (EOFError, KeyboardInterrupt):
        print(f"\naccord {given.command}: stopped; nothing was changed", file=sys.stderr)
        return 1
    return 0


def _publish(given: argparse.Namespace) -> None:
    tables = load_tables(given.home)
    if given.name in tables and not given.replace:
        raise TableInvalid(f"table {given.name!r}: published already; --replace publishes it anew")
    asking = not given.yes
    if asking and not sys.stdin.isatty():
        raise TableInvalid("no terminal to ask at: say --yes, with --person, --capacity, --allow, --column and others")
    draft = _draft(given)
    if asking:
        draft = _asked(draft)
    table = build(draft)
    _try(table)
    if not given.json:
        _show(table, sys.stderr if given.json else sys.stdout)
    if asking and input("\nPublish this? [y/N] ").strip().lower() not in ("y", "yes"):
        raise EOFError
    make_private_directory(given.home)
    save_tables(given.home, {**tables, table.name: table})
    if given.json:
        print(json.dumps(_as_json(table), indent=2))
    else:
        print(f"\npublished in {given.home / TABLES_FILE}")
    if asking:
        print(f"the same without questions:\n  {_as_command(draft)}", file=sys.stderr if given.json else sys.stdout)


def _draft(given: argparse.Namespace) -> Draft:
    """What the flags say. Without questions, all of it must be said: nothing is guessed from the rows."""
    if given.yes:
        lacking = [f"--{name}" for name in ("person", "capacity", "allow") if getattr(given, name) is None]
        if lacking:
            raise TableInvalid(f"table {given.name!r}: with --yes also give {', '.join(lacking)}")
    return Draft(
        name=given.name,
        source=_settled(given.source),
        person=given.person or "",
        capacity=given.capacity or 0,
        columns=given.column,
        rows_a_person=1 if given.rows_a_person is None else given.rows_a_person,
        categories=given.category,
        missing=given.missing,
        other=given.other,
        uses=given.use,
        allow=[use for use in (given.allow or "").split(",") if use],
        results_to=None if given.results_to is None else given.results_to.split(","),
        epsilon_a_job=given.epsilon,
        order=given.order,
    )


def _asked(draft: Draft) -> Draft:
    with open_source(draft.source, f"table {draft.name!r}", typed=True) as source:
        print("What you answer becomes public to the members; what is shown of your rows is for your eyes only.\n")
        ask: Callable[[str, str], str] = lambda question, proposed: (  # noqa: E731
            input(f"{question} [{proposed}]: ").strip() or proposed
        )
        return interview(draft, source, ask)


def _try(table: PublishedTable) -> None:
    """Look at all of the table once, as jobs will. Raises what they would meet: ValueUnfit, CapacityExceeded, ..."""
    readable = tuple(n for n, c in table.columns.items() if c.bounded or c.kind == "key")
    with open_table(table) as opened:
        opened.check(Reading(readable))


def _settled(source: str) -> str:
    """A path as it is from the root, so that the node finds it from wherever it runs."""
    return source if "://" in source or source.startswith("spark:") else str(Path(source).absolute())


def _tables(given: argparse.Namespace) -> None:
    tables = load_tables(given.home)
    if given.json:
        print(json.dumps([_as_json(table) for table in tables.values()], indent=2))
        return
    if not tables:
        print("no table is published; `accord publish NAME SOURCE` publishes one")
    for table in tables.values():
        _show(table, sys.stdout)


def _as_json(table: PublishedTable) -> dict[str, Any]:
    learnt = [{"column": e.column, "use": e.use, "learnt": e.learnt} for e in exposures(table)]
    return {"table": json.loads(describe(table)), "digest": digest_of(table), "others_could_learn": learnt}


def _show(table: PublishedTable, file: Any) -> None:
    from rich.console import Console
    from rich.table import Table as Grid
    from rich.text import Text

    grid = Grid(title=Text(f"{table.name}: what others could learn"), title_justify="left")
    for heading in ("column", "use", "what others could learn"):
        grid.add_column(heading, no_wrap=heading == "use")
    for line in exposures(table):
        grid.add_row(*(Text(text) for text in (line.column or "(the table)", line.use or "-", line.learnt)))
    console = Console(file=file, highlight=False, markup=False)
    console.print(grid)
    console.print(NEVER)


def _as_command(draft: Draft) -> str:
    """A command line that publishes the same without questions."""
    words = ["accord", "publish", draft.name, draft.source, "--yes", "--person", draft.person]
    words += ["--rows-a-person", str(draft.rows_a_person), "--capacity", str(draft.capacity)]
    words += ["--allow", ",".join(draft.allow), "--epsilon", repr(draft.epsilon_a_job)]
    lists = (draft.columns, draft.categories, draft.missing, draft.other, draft.uses)
    for (name, _, _), texts in zip(_LISTS, lists, strict=True):
        words += [word for text in texts for word in (f"--{name}", text)]
    if draft.results_to is not None:
        words += ["--results-to", ",".join(draft.results_to)]
    if draft.order is not None:
        words += ["--order", draft.order]
    return shlex.join(words)
