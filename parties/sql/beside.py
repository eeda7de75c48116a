"""Tables that owners look at as they read others of theirs: the memberships of a query, as its plan has them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from parties.data.row_expression import columns_in
from parties.data.row_query import Among, RowQuery, add_uses, lean
from parties.kinds.kind import Owned
from parties.sql.branches import Membership

__all__ = ["Beside", "condition_uses", "stated"]


def condition_uses(query: RowQuery) -> dict[str, set[str]]:
    """What the published columns in its conditions are used for."""
    found: dict[str, set[str]] = {}
    if query.where is not None:
        add_uses(found, replace(query, totals=None), query.where, "filter")
    if query.having is not None:
        add_uses(found, query, query.having, "filter")
    return found


def stated(uses: Mapping[str, set[str]]) -> dict[str, frozenset[str]]:
    """As a plan states them."""
    return {name: frozenset(found) for name, found in uses.items()}


class Beside:
    """The memberships of a query.

    Attributes:
        uses: by place of the table looked at, what for, by column: of those memberships that were added.
    """

    def __init__(self, memberships: Sequence[Membership], tables: Sequence[Owned]) -> None:
        self.uses: dict[int, dict[str, set[str]]] = {}
        self._tables = tables
        self._places = {one.name: one.branch.place for one in memberships}
        self._known: dict[str, Among] = {}
        for one in memberships:  # what one asks about within it stands before it
            branch = one.branch
            query = lean(RowQuery(branch.where, branch.totals, branch.having, (), self.all))
            name = tables[branch.place].facts.name
            self._known[one.name] = Among(one.name, name, replace(query, among=self._named(query)))

    @property
    def all(self) -> tuple[Among, ...]:
        """As RowQuery.among has them."""
        return tuple(self._known.values())

    def added(self, query: RowQuery) -> tuple[RowQuery, bool]:
        """(the query with those that it names, whether it names any); their tables are looked at from now on."""
        named = self._named(query)
        self._look(named)
        return replace(query, among=named), bool(named)

    def _named(self, query: RowQuery) -> tuple[Among, ...]:
        exprs = [query.where, query.having, *(total.of for total in query.totals or ())]
        exprs += [output.of for output in query.outputs]
        names = {column.name for expr in exprs if expr is not None for column in columns_in(expr)}
        return tuple(one for name, one in self._known.items() if name in names)

    def _look(self, named: Iterable[Among]) -> None:
        for one in named:
            place = self._places[one.name]
            uses = self.uses.setdefault(place, {})
            _add(uses, condition_uses(one.query))
            _add(uses, {self._tables[place].facts.person: {"join"}})
            self._look(one.query.among)


def _add(uses: dict[str, set[str]], more: Mapping[str, set[str]]) -> None:
    for name, found in more.items():
        uses.setdefault(name, set()).update(found)
