"""``accord publish`` and ``accord tables``: what of a table other members may use, and what they could learn by it.

What is typed is in commands/publish.py.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from dataclasses import replace as changed
from pathlib import Path
from typing import Any

from parties.data.description import describe, digest_of
from parties.data.published import PublishedTable
from parties.data.table_source import open_source
from parties.data.tables import Reading, open_table
from parties.data.tables_file import TABLES_FILE, load_tables, save_tables
from parties.disk.private_files import make_private_directory
from parties.errors import TableInvalid
from parties.keys.identity import Identity
from parties.policies.policy_store import save_policy, sign_policy
from parties.publishing.exposure import NEVER, exposures
from parties.publishing.publish_draft import Draft, build
from parties.publishing.publish_interview import interview
from parties.publishing.publish_policy import Terms, policy_of
from parties.terminal.command_output import Output

__all__ = ["publish", "show_tables"]

_LISTS = ("--column", "--category", "--missing", "--other", "--use")


def publish(
    home: Path,
    identity: Identity,
    draft: Draft,
    terms: Terms,
    *,
    replace: bool,
    yes: bool,
    output: Output,
) -> None:
    """Publish a table, after questions to whoever sits at the terminal; none with ``yes``.

    Args:
        home: the node's directory.
        identity: this member's, which signs the policy.
        draft: what was said already. With ``yes`` that is all: nothing is guessed from the rows.
        terms: of the policy that the table begins with.
        replace: put it in place of a table of its name.

    Raises TableInvalid, what looking at the rows raises, and EOFError for a no. Then nothing was changed.
    """
    tables = load_tables(home)
    if draft.name in tables and not replace:
        raise TableInvalid(f"table {draft.name!r}: published already; --replace publishes it anew")
    if not yes and not sys.stdin.isatty():
        raise TableInvalid("no terminal to ask at: say --yes, with --person, --capacity, --allow, --column and others")
    draft = changed(draft, source=_settled(draft.source))
    if not yes:
        draft = _asked(draft, output)
    table = build(draft)
    _try(table)
    if not (yes and output.json):
        _show(table, output)
    if not yes and output.asked("\nPublish this? [y/N] ").strip().lower() not in ("y", "yes"):
        raise EOFError
    make_private_directory(home)
    policy = sign_policy(policy_of(table, terms.limits, terms.minimum, terms.exact_matches), identity)
    save_policy(home, policy)  # first: a table without its policy could be used by nobody, the other way by anybody
    save_tables(home, {**tables, table.name: table})
    output.result(_as_json(table))
    if not output.json:
        output.say(f"\npublished in {home / TABLES_FILE}, with a signed policy that `accord policy` shows and changes")
    if not yes:
        output.say(f"the same without questions:\n  {_as_command(draft, terms)}")


def show_tables(home: Path, output: Output) -> None:
    """What of which tables is published. Raises TableInvalid, FileUnusable."""
    tables = load_tables(home)
    output.result([_as_json(table) for table in tables.values()])
    if output.json:
        return
    if not tables:
        output.say("no table is published; `accord publish NAME SOURCE` publishes one")
    for table in tables.values():
        _show(table, output)


def _asked(draft: Draft, output: Output) -> Draft:
    with open_source(draft.source, f"table {draft.name!r}", typed=True) as source:
        output.say("What you answer becomes public to the members; what is shown of your rows is for your eyes only.\n")
        ask: Callable[[str, str], str] = lambda question, proposed: (  # noqa: E731
            output.asked(f"{question} [{proposed}]: ").strip() or proposed
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


def _as_json(table: PublishedTable) -> dict[str, Any]:
    learnt = [{"column": e.column, "use": e.use, "learnt": e.learnt} for e in exposures(table)]
    return {"table": json.loads(describe(table)), "digest": digest_of(table), "others_could_learn": learnt}


def _show(table: PublishedTable, output: Output) -> None:
    from rich.table import Table as Grid
    from rich.text import Text

    grid = Grid(title=Text(f"{table.name}: what others could learn"), title_justify="left")
    for heading in ("column", "use", "what others could learn"):
        grid.add_column(heading, no_wrap=heading == "use")
    for line in exposures(table):
        grid.add_row(*(Text(text) for text in (line.column or "(the table)", line.use or "-", line.learnt)))
    console = output.console()
    console.print(grid)
    console.print(NEVER, markup=False)


def _as_command(draft: Draft, terms: Terms) -> str:
    """A command line that publishes the same without questions."""
    words = ["accord", "publish", draft.name, draft.source, "--yes", "--person", draft.person]
    words += ["--rows-a-person", str(draft.rows_a_person), "--capacity", str(draft.capacity)]
    words += ["--allow", ",".join(draft.allow), "--epsilon", repr(draft.epsilon_a_job)]
    lists = (draft.columns, draft.categories, draft.missing, draft.other, draft.uses)
    for option, texts in zip(_LISTS, lists, strict=True):
        words += [word for text in texts for word in (option, text)]
    limits = terms.limits
    words += ["--budget", repr(limits.ever), "--delta", repr(limits.delta), "--minimum", str(terms.minimum)]
    words += ["--exact-matches"] if terms.exact_matches else []
    if draft.results_to is not None:
        words += ["--results-to", ",".join(draft.results_to)]
    if draft.order is not None:
        words += ["--order", draft.order]
    return shlex.join(words)
