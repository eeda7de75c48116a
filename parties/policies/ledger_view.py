"""What was told of an owner's people, for its own people to read: by population, table and analyst. Pure.

Every number is an epsilon at the delta of the table's policy, and means the same as where a job is decided (budget.py):
 - what is *spent* counts all jobs whose answer was released, what runs told on the way, and jobs that are under way,
   from the moment they were accepted;
 - it is the sum of what the jobs promise, where that keeps the limit; where it does not, what their privacy losses
   compose to, which is less. With nothing spent it is 0;
 - tables with one key are about the same people, so what a job on any of them tells is spent of them all. Their
   policies may have different limits, days and deltas: each table has its own numbers;
 - a *period* are the days before now that the policy says;
 - what is *left* is the limit less that. A job that asks for no more, and for no delta, is not refused for this limit.
   One that asks for more may still be within it, since losses compose to less than their sum; with a delta of its own
   it may not be, since all deltas together have to be within the policy's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from parties.data.published import PublishedTable
from parties.policies.budget import Book, epsilon_of, population_of
from parties.policies.policy_store import SignedPolicy
from parties.policies.policy_terms import Limits

__all__ = ["AnalystSpent", "PopulationSpent", "SpentOf", "TableSpent", "ledger_of"]

_DAY = 86400.0


@dataclass(frozen=True)
class SpentOf:
    """Of one limit: epsilon. ``limit`` and ``left`` are None where the policy sets none; left may be below 0 if it was
    made stricter since."""

    spent: float
    limit: float | None
    left: float | None


@dataclass(frozen=True)
class AnalystSpent:
    """Within the period. ``member``: fingerprint; ``analyst``: as that member's node says, '' if it does not."""

    member: str
    analyst: str
    period: SpentOf


@dataclass(frozen=True)
class TableSpent:
    """One table's.

    Attributes:
        table: its name.
        policy: digest of its policy; '': it has none, so nothing may be done with it, and there are no limits.
        query: the most of one job; None without a policy.
        delta: at which all of it is counted.
        days: of a period.
        period, ever: of all analysts together.
        analysts: those who asked, each on their own.
    """

    table: str
    policy: str
    query: float | None
    delta: float
    days: int
    period: SpentOf
    ever: SpentOf
    analysts: tuple[AnalystSpent, ...]


@dataclass(frozen=True)
class PopulationSpent:
    """One population: who is known by the same key.

    Attributes:
        population: how the key is read (profiles.py).
        tables: published ones; without any, one under the name '', for what was spent of it before.
    """

    population: str
    tables: tuple[TableSpent, ...]


def ledger_of(
    book: Book, tables: Mapping[str, PublishedTable], policies: Mapping[str, SignedPolicy], now: float
) -> list[PopulationSpent]:
    """All populations that have a table, or of which anything was told.

    Args:
        book: of the ledger.
        tables: published ones, by name.
        policies: of those that have one.
        now: Unix time in seconds.

    It can take seconds where a limit is nearly used up.
    """
    names: dict[str, list[str]] = {population: [] for population in book.populations}
    for name, table in tables.items():
        names.setdefault(population_of(table), []).append(name)
    return [
        PopulationSpent(
            population, tuple(_table(book, population, name, policies.get(name), now) for name in sorted(of) or [""])
        )
        for population, of in sorted(names.items())
    ]


def _table(book: Book, population: str, name: str, signed: SignedPolicy | None, now: float) -> TableSpent:
    limits = Limits(query=0.0) if signed is None else signed.policy.limits
    since = now - _DAY * limits.days

    def spent(most: float | None, since: float = 0.0, analyst: tuple[str, str] | None = None) -> SpentOf:
        epsilon = epsilon_of(book.costs((population,), since, analyst), limits.delta, most)
        return SpentOf(epsilon, most, None if most is None else most - epsilon)

    return TableSpent(
        table=name,
        policy="" if signed is None else signed.digest,
        query=None if signed is None else limits.query,
        delta=limits.delta,
        days=limits.days,
        period=spent(limits.period, since),
        ever=spent(limits.ever),
        analysts=tuple(AnalystSpent(*who, spent(limits.analyst, since, who)) for who in book.analysts(population)),
    )
