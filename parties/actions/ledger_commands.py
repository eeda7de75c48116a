"""``accord ledger``: what was told of this member's people, from the node's own store, which is only read.

What is typed is in commands/ledger.py; what the numbers mean is in ledger_view.py.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

from parties.actions.audit_commands import names_of, open_store
from parties.data.tables_file import load_tables
from parties.errors import IdentityMissing, PassphraseNeeded
from parties.membership.charter_store import CharterStore
from parties.policies.ledger import Ledger
from parties.policies.ledger_view import PopulationSpent, SpentOf, ledger_of
from parties.policies.policy_store import load_policies
from parties.setup.home import Home
from parties.terminal.command_output import Output

__all__ = ["show_ledger"]


_HEADINGS = ("people known by", "table", "who", "spent", "of", "left", "when", "at delta", "one job")


def show_ledger(home: Home, output: Output) -> None:
    """All populations. Raises FileMissing, FileUnusable, StoreFailed, LogBroken, TableInvalid, PolicyInvalid."""
    names, now = names_of(home), time.time()
    with open_store(home) as (file, member):
        book = Ledger(file, member).book()
    tables = load_tables(home.directory)
    policies = load_policies(home.directory, tables, _key(home, member))
    found = ledger_of(book, tables, policies, now)
    populations = [asdict(one) for one in found]
    output.result({"member": member, "time": now, "under_way": list(book.open_jobs), "populations": populations})
    if not output.json:
        output.table(_HEADINGS, _rows(found, names))
        output.say(f"{len(book.open_jobs)} jobs are under way; they count as if they were over")


def _key(home: Home, member: str) -> bytes:
    """The public half of this member's: as its file states it, else as the charter has it."""
    try:
        return home.stated_key()
    except (IdentityMissing, PassphraseNeeded):
        for charter in CharterStore(home).chain:
            if member in charter.by_fingerprint:
                return charter.by_fingerprint[member].key
        raise


def _rows(found: Sequence[PopulationSpent], names: Mapping[str, str]) -> Iterator[tuple[str, ...]]:
    """Of each table what is spent of each limit, as _HEADINGS say."""
    for population in found:
        for table in population.tables:
            days = f"{table.days} days"
            rows = [("everybody", table.period, days), ("everybody", table.ever, "ever")]
            rows += [
                (f"{one.analyst or 'somebody'}@{names.get(one.member, one.member[:16])}", one.period, days)
                for one in table.analysts
            ]
            name = table.table if table.policy or not table.table else f"{table.table} (no policy)"
            query = "" if table.query is None else f"{table.query:g}"
            for who, of, when in rows:
                yield population.population, name, who, *_cells(of), when, f"{table.delta:g}", query


def _cells(of: SpentOf) -> tuple[str, str, str]:
    limit = "no limit" if of.limit is None else f"{of.limit:g}"
    return f"{of.spent:.4g}", limit, "" if of.left is None else f"{of.left:.4g}"
