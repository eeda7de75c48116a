"""Join: counts, sums and means of people who are in several members' tables, and nobody learns who these are.

    {"figures": ["count", {"mean": "balance"}], "by": "education", "epsilon": 1.0,
     "pad": {"epsilon": 0.5, "delta": 1e-6}}

Rows are joined by the column that tells people apart, of two or three members who compute. Rows of the first table may
repeat a person (its rows_a_person), in the others a person has one row. A column is named by itself where one of the
tables has it, else as member.column.

Neighbouring data: all rows of one person, in all the tables. A person is one key, and keys are unique in all tables but
the first; so what one person changes in the joined table is its rows in the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mpc.arrays import SecretArray
from mpc.party import Party
from mpc.scope import checksum, current_scope
from parties.data.published import profile_of
from parties.errors import ParametersInvalid, RowsUnfit, TableUnfit
from parties.kinds.checkpoints import Checkpoints
from parties.kinds.figures import FIGURE_PARAMETERS, Figures, Measure, read_figures
from parties.kinds.kind import Expected, Kind, Outcome, Owned, Plan, Rows, TableAsk, Talk, Work, outcome_of
from parties.kinds.kind_aggregate import groups_of
from parties.kinds.kind_rows import frac_of, own_column
from parties.kinds.parameters import bounds, check_known, check_tables, columns_asked, number, published
from parties.membership.charter import Charter
from protocols.description import Opened
from protocols.dummies import dummies_for
from protocols.group_by import group_by
from protocols.join import Column, Source, join
from protocols.join_plan import Plan as JoinPlan
from protocols.resume import State

__all__ = ["JOIN", "owners_of", "read_hiding"]

_NAME = "join"
_LEAST_PAD = 0.01
_MEASURED = ("integer", "real", "date", "boolean")


@dataclass(frozen=True)
class _Details:
    """Of the plan: the figures, whose columns are called member.column; tables and sources in the job's order."""

    figures: Figures
    tables: tuple[Owned, ...]
    sources: tuple[Source, ...]
    pad: tuple[float, float] | None


def check(parameters: Mapping[str, Any], tables: Sequence[Owned], charter: Charter) -> Plan:
    """The plan, or ParametersInvalid, TableUnfit and what aggregate's check raises; OutOfRange for a pad. Pure."""
    check_known(_NAME, parameters, (*FIGURE_PARAMETERS, "where", "pad", "show_matches"), ("figures", "epsilon"))
    check_tables(_NAME, tables, 2, 3)
    owners = owners_of(tables, charter)
    _check_persons(tables)

    def measure(name: str) -> Measure:
        place, column = _place(tables, name)
        found = published(tables[place], column, _MEASURED, "a sum or a mean")
        return Measure(*bounds(found), frac_of(found.kind))

    def groups(name: str) -> tuple[Any, ...]:
        place, column = _place(tables, name)
        return groups_of(tables[place], column)

    first = tables[0].facts
    figures = read_figures(_NAME, parameters, measure, groups, rows=first.rows_a_person, places=first.capacity)
    pad, leaks = read_hiding(parameters, charter)
    where, counts = _where(parameters, tables), any(figure.what != "sum" for figure in figures.figures)
    asks, sources = [], []
    for place, table in enumerate(tables):
        used = _used(figures, tables, place)
        person, name = table.facts.person, table.facts.name
        uses = columns_asked([(person, "join"), *((used[c], use) for c, use in _uses(figures) if c in used)])
        asks.append(TableAsk(table.member, name, uses, counts, where.get(table.member)))
        sources.append(_source(table, owners[place], used))
    pairs = len(JoinPlan.pairs(sources, "inner"))
    spent = (0.0, 0.0) if pad is None else (pairs * pad[0], pairs * pad[1])
    details = _Details(figures, tuple(tables), tuple(sources), pad)
    return Plan(
        _NAME, tuple(asks), (), figures.described(), details, spent, leaks, anew=pad is None,
        minimum=figures.minimum or 1, text=repr((figures, [source.public() for source in sources], pad)),
    )  # fmt: skip


def _uses(figures: Figures) -> list[tuple[str, str]]:
    """(column as the job names it, what it is for)."""
    by = [] if figures.by is None else [(figures.by, "group")]
    return [*by, *((name, "sum") for name in figures.columns)]


def _used(figures: Figures, tables: Sequence[Owned], place: int) -> dict[str, str]:
    """Columns of one table that are needed: as the job names them, and as the table does."""
    found = {name: _place(tables, name) for name, _ in _uses(figures)}
    return {name: column for name, (where, column) in found.items() if where == place}


def _source(table: Owned, owner: int, used: Mapping[str, str]) -> Source:
    facts, columns = table.facts, {}
    for name, column in used.items():
        found = facts.columns[column]
        columns[name] = Column(*bounds(found), frac_of(found.kind))
    profile = profile_of(facts.columns[facts.person])
    return Source(owner, {facts.person: profile}, columns, rows=facts.capacity, many=facts.rows_a_person > 1)


def owners_of(tables: Sequence[Owned], charter: Charter) -> list[int]:
    """Places of the tables' members among those that compute, each another one. Raises TableUnfit."""
    names = [member.name for member in charter.compute]
    for table in tables:
        if table.member not in names:
            raise TableUnfit(
                f"{table.name}: {table.member} does not compute, and a join is between members that do "
                f"({', '.join(names)}); let it aggregate, or make it a compute member in the charter"
            )
    owners = [names.index(table.member) for table in tables]
    if len(set(owners)) != len(owners):
        raise TableUnfit("join: each table of another member; a member joins tables of its own by itself")
    return owners


def _check_persons(tables: Sequence[Owned]) -> None:
    first = tables[0].facts.columns[tables[0].facts.person]
    for table in tables[1:]:
        column = table.facts.columns[table.facts.person]
        if column.profile != first.profile:
            raise TableUnfit(
                f"{table.name}, column {column.name}: people are told apart by profile {column.profile}, in "
                f"{tables[0].name} by {first.profile}; keys are equal only under one profile"
            )
        if table.facts.rows_a_person != 1:
            raise TableUnfit(
                f"{table.name}: up to {table.facts.rows_a_person} rows a person; only the first table of a join may "
                "have several: name it first, or its member publishes one row a person"
            )


def _place(tables: Sequence[Owned], name: str) -> tuple[int, str]:
    """Which table has a column, by its name or as member.column."""
    member, dot, column = name.partition(".")
    for i, table in enumerate(tables):
        if dot and table.member == member and column in table.facts.columns:
            return i, column
    having = [i for i, table in enumerate(tables) if name in table.facts.columns]
    if len(having) != 1:
        told = "none of the tables publishes it" if not having else "several tables have it: name it member.column"
        raise TableUnfit(f"join, column {name!r}: {told}")
    return having[0], name


def _where(parameters: Mapping[str, Any], tables: Sequence[Owned]) -> Mapping[str, Any]:
    where = parameters.get("where") or {}
    members = [table.member for table in tables]
    if not isinstance(where, Mapping) or set(where) - set(members):
        raise ParametersInvalid(f"join: where has a filter for each of {', '.join(members)}, or for some of them")
    return where


def _read_pad(parameters: Mapping[str, Any]) -> tuple[float, float] | None:
    pad = parameters.get("pad")
    if pad is None:
        return None
    if not isinstance(pad, Mapping) or set(pad) != {"epsilon", "delta"}:
        raise ParametersInvalid('join: pad is {"epsilon": ..., "delta": ...}')
    epsilon, delta = (number("join: pad", pad, field) for field in ("epsilon", "delta"))
    if epsilon is not None and not epsilon >= _LEAST_PAD:
        raise ParametersInvalid(f"join: pad: an epsilon below {_LEAST_PAD} needs too many dummies; take a larger one")
    dummies_for(epsilon, delta)
    return float(epsilon), float(delta)


def read_hiding(parameters: Mapping[str, Any], charter: Charter) -> tuple[tuple[float, float] | None, tuple[str, ...]]:
    """(pad, what members learn of matches): hidden by dummies, or shown, if the job says so."""
    pad, shown = _read_pad(parameters), parameters.get("show_matches", False)
    if not isinstance(shown, bool) or (pad is not None and shown):
        raise ParametersInvalid("join: show_matches is true or false, and not true beside pad")
    if charter.threshold > 1:
        if pad is not None or not shown:
            raise ParametersInvalid(
                f"join: with a threshold of {charter.threshold} all compute members see, after a shuffle, how many "
                'people are in how many of the tables, exactly: ask with "show_matches": true and no pad'
            )
        return None, ("all compute members: how many people are in how many of the tables, exactly",)
    if pad is None and not shown:
        raise ParametersInvalid(
            'join: one member sees how many people match; hide it by "pad": {"epsilon": 0.5, "delta": 1e-6}, or say '
            '"show_matches": true'
        )
    if pad is None:
        return None, ("one compute member for each two tables: how many people are in both, exactly",)
    return pad, (f"one compute member for each two tables: how many people are in both, with noise, {pad}",)


async def program(party: Party, line: Talk, work: Work) -> Outcome:
    """What every compute member runs. ``work.extra``: a Checkpointing, or None.

    Leaks: what the plan says. Rounds: those of join, of totals by group and of the noise.

    1. The joined table: by a join, which is kept then (checkpoints.py), or as it was kept by an earlier run.
    2. Totals, by group or of all.
    3. Noise; each party's share of the answers.
    """
    work.plan.agree()
    figures: Figures = work.plan.details.figures
    names = tuple(dict.fromkeys((*(() if figures.by is None else (figures.by,)), *figures.columns)))
    present, table = await _joined(party, line, work, names)
    party.report("join: totals")
    columns = [table[name] for name in figures.columns]
    if figures.by is None:
        counts, sums = present.sum().reshape(1), [(present @ column).reshape(1) for column in columns]
    else:
        groups = group_by(table[figures.by], len(figures.groups), present=present)
        totals = await groups.totals(columns)
        counts, sums = totals.counts, list(totals.sums)
    party.report("join: noise nobody knows")
    sealed = await figures.seal(party, counts, dict(zip(figures.columns, sums, strict=True)))
    party.report("join: done")
    return await outcome_of(work.plan, sealed)


async def _joined(
    party: Party, line: Talk, work: Work, names: Sequence[str]
) -> tuple[SecretArray, Mapping[str, SecretArray]]:
    """Which rows are present, 0 or 1, and the columns needed."""
    details: _Details = work.plan.details
    keeper = None if work.extra is None else Checkpoints(party, work.extra, line)
    begun = None if keeper is None else keeper.begin()
    if keeper is not None:
        current_scope().note(checksum(f"goes on from {None if begun is None else keeper.came_from}"))
    if begun is not None:
        party.report("join: the joined table is here from before")
        return begun.arrays[""], begun.arrays
    party.report("join: the tables come in, and are joined by people nobody sees")
    common = await join(party, details.sources, _mine(party, details, work), how="inner", pad=details.pad)
    arrays = {"": await common.present.to_array(), **{name: await common[name] for name in names}}
    if keeper is not None:
        keeper.keep(State(1, arrays))
    return arrays[""], arrays


def _mine(party: Party, details: _Details, work: Work) -> dict[str, Any] | None:
    """This party's columns as the join takes them; RowsUnfit."""
    for table, source, given in zip(details.tables, details.sources, work.tables, strict=True):
        if source.owner != party.index:
            continue
        if given.rows is None:
            raise RowsUnfit(f"{table.name}: its owner computes, but gave no rows")
        return _columns(table, source, given.rows)
    return None


def _columns(table: Owned, source: Source, rows: Rows) -> dict[str, Any]:
    person = table.facts.person
    if person not in rows:
        raise RowsUnfit(f"{table.name}, column {person}: not among the columns that were read")
    named = {name: own_column(table, name.removeprefix(f"{table.member}."), rows) for name in source.columns}
    return {**named, person: rows[person]}


def answer(plan: Plan, opened: Sequence[Opened]) -> dict[str, Any]:
    """As of aggregate."""
    figures: Figures = plan.details.figures
    return {"by": figures.by, "rows": figures.told(opened), "epsilon": plan.epsilon, "delta": plan.delta}


def expects(plan: Plan) -> list[Expected]:
    """Its figures. Pure."""
    figures: Figures = plan.details.figures
    return figures.expected()


JOIN = Kind(_NAME, check, None, program, answer, keeps=True, expects=expects)
