"""The policy a table is published with: what its flags say, for all members. `accord policy` refines it."""

from __future__ import annotations

from dataclasses import dataclass

from parties.data.description import digest_of
from parties.data.published import PublishedTable
from parties.policies.policy_terms import TABLE, TELLS, Limits, Policy, Rule, capability

__all__ = ["Terms", "policy_of"]


@dataclass(frozen=True)
class Terms:
    """What a first policy says beside who may do what: see policy_terms.Policy."""

    limits: Limits
    minimum: int = 1
    exact_matches: bool = False


def policy_of(
    table: PublishedTable, limits: Limits | None = None, minimum: int = 1, exact_matches: bool = False
) -> Policy:
    """A rule for each set of columns that may be used alike. ``limits``: else of one job only, as published."""
    alike: dict[frozenset[str], set[str]] = {}
    for name, column in table.columns.items():
        may = frozenset(map(capability, column.uses))
        if may:
            alike.setdefault(may | {"release"} if may & TELLS else may, set()).add(name)
    rules = [Rule(may, frozenset(names)) for may, names in alike.items()]
    if table.counts:
        rules.insert(0, Rule(frozenset({"count"}), frozenset({TABLE})))
    return Policy(
        table=table.name,
        published=digest_of(table),
        rules=tuple(rules),
        limits=limits or Limits(query=table.epsilon_a_job),
        minimum=minimum,
        receivers=table.results_to,
        exact_matches=exact_matches,
    )
