"""What every compute member runs of a query: rows come in, groups and totals on shares, noise; nothing is opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mpc.arrays import SecretArray, SecretBits
from mpc.party import Party
from mpc.relations import where
from parties.data.expression_types import Type
from parties.data.row_expression import Column, Expr, columns_in
from parties.errors import RowsUnfit
from parties.kinds.kind import PRESENT, Outcome, Owned, Plan, Rows, TableInput, Talk, Work, outcome_of
from parties.kinds.kind_rows import Words, encoded, enter, union
from parties.sql.figures import Counted, People, Ranked, Summed
from parties.sql.inputs import made_inputs
from parties.sql.noise import Raw, counted_for
from parties.sql.on_shares import Given, computed, truth_of
from parties.sql.plan import Details
from parties.sql.sharing import Part
from protocols.columns import all_set, as_flags
from protocols.group_by import group_by
from protocols.join import join
from protocols.segments import sorted_segments

__all__ = ["encode", "run"]


@dataclass(frozen=True, repr=False)
class _Rows:
    """Secret rows: which count, their groups, and columns by name; of a join expressions are computed of these."""

    present: SecretBits
    codes: SecretArray | None
    columns: Mapping[str, SecretArray]
    givens: Mapping[str, Given]


def encode(plan: Plan, place: int, rows: Rows) -> Words:
    """An owner's rows as words, see Kind.encode. Raises RowsUnfit."""
    details: Details = plan.details
    part = _part_of(details, place)
    columns = made_inputs(part.inputs, rows, details.tables[place])
    return encoded(plan.shapes[place], columns, rows, details.tables[place].name)


async def run(party: Party, line: Talk, work: Work, *, unsafe_exact: bool = False) -> Outcome:
    """The program. ``unsafe_exact``: without noise, for tests; no plan and no job can ask for it.

    Leaks: what the plan says.

    1. All tables come in, under one another or joined.
    2. Of a join: conditions and groups that are of several tables.
    3. Totals by group; people, sorted by a digest of their keys that nobody sees.
    4. Noise; what is hidden; searches for quantiles. Each party's share of the answers.
    """
    work.plan.agree()
    details: Details = work.plan.details
    party.report("query: the tables come in")
    rows = await _under_one_another(party, work) if details.joining is None else await _joined(party, work)
    party.report("query: totals")
    raw = await _raw(details, rows)
    party.report("query: noise nobody knows")
    sealed = await details.priced.seal(party, raw, unsafe_exact=unsafe_exact)
    party.report("query: done")
    return await outcome_of(work.plan, sealed)


def _part_of(details: Details, place: int) -> Part:
    return next(part for part in details.shared.parts if part.place == place)


async def _under_one_another(party: Party, work: Work) -> _Rows:
    details: Details = work.plan.details
    table = union(await enter(party, work, encode))
    code = next((one.name for one in details.shared.parts[0].inputs if one.kind == "code"), None)
    return _Rows(await as_flags(table[PRESENT]), None if code is None else table[code], table, {})


async def _joined(party: Party, work: Work) -> _Rows:
    details: Details = work.plan.details
    joining, shared = details.joining, details.shared
    assert joining is not None
    party.report("query: people are matched, and nobody sees which")
    common = await join(party, joining.sources, _mine(party, work), how=joining.how, pad=joining.pad)
    ones = all_set(await common.present)
    present = common.present
    if joining.how == "left":
        for flags, inner in zip(common.matched[1:], joining.inner, strict=True):
            present = present & flags if inner else present
    places = {relation: i for i, relation in enumerate(joining.relations)}
    givens: dict[str, Given] = {}
    for name, leaf in shared.leaves.items():
        there = None if leaf.there is None else common.columns[leaf.there] != 0
        if there is not None and details.bound.source.left[leaf.relation]:
            there = there & common.matched[places[leaf.relation]]
        givens[name] = Given(common.columns[leaf.value], there)
    rows = _Rows(present, None, common.columns, _as_bits(details, givens))
    if shared.where is not None:
        present = await (present & truth_of(computed(shared.where, rows.givens, ones)))
    codes: SecretArray | None = None
    for made, group in zip(shared.groups, details.bound.groups, strict=True):
        code = _code(computed(made, rows.givens, ones), group.type)
        codes = code if codes is None else codes * group.type.size + code
    if codes is not None and any(group.type.first for group in details.bound.groups):
        codes = where(present, codes, 0)  # what is made of a row that is not there is no place of the list
    return _Rows(await present, codes, common.columns, rows.givens)


def _as_bits(details: Details, givens: Mapping[str, Given]) -> dict[str, Given]:
    """Conditions that came in as 0 and 1 are bits, 0 where they are not there."""
    shared, found = details.shared, dict(givens)
    for expr in (shared.where, *shared.groups, *shared.figures):
        for column in () if expr is None else columns_in(expr):
            given = givens[column.name]
            if column.type.kind == "boolean" and not isinstance(found[column.name].value, SecretBits):
                bits = given.value != 0
                found[column.name] = Given(bits if given.there is None else bits & given.there, given.there)
    return found


def _code(given: Given, kind: Type) -> SecretArray:
    """The place of a value in its type's list."""
    value = (given.value.to_array() if isinstance(given.value, SecretBits) else given.value) - kind.first
    if given.there is None:
        return value
    return where(given.there, value, kind.size - 1)


def _mine(party: Party, work: Work) -> dict[str, Any] | None:
    """This party's columns as the join takes them; RowsUnfit."""
    details: Details = work.plan.details
    assert details.joining is not None
    for relation, source in zip(details.joining.relations, details.joining.sources, strict=True):
        if source.owner == party.index:
            part = next(one for one in details.shared.parts if one.relation == relation)
            return _source_rows(details.tables[part.place], part, work.tables[part.place])
    return None


def _source_rows(table: Owned, part: Part, given: TableInput) -> dict[str, Any]:
    if given.rows is None:
        raise RowsUnfit(f"{table.name}: its owner computes, but gave no rows")
    key = part.query.outputs[0].name
    if key not in given.rows:
        raise RowsUnfit(f"{table.name}, {table.facts.person}: not among the columns that were read")
    return {"key": given.rows[key], **made_inputs(part.inputs, given.rows, table)}


# -- totals ------------------------------------------------------------------------------------


async def _raw(details: Details, rows: _Rows) -> Raw:
    figures, shared = details.bound.figures, details.shared
    ones = all_set(rows.present)
    numbers: dict[int, SecretArray] = {}
    totals: dict[int, SecretArray] = {}
    for k, figure in enumerate(figures):
        expr = shared.figures[k]
        if expr is not None and isinstance(figure, (Summed, Counted)):
            numbers[k] = await _numbers(expr, figure, rows, ones)
    counts, sums = await _totals(details, rows, list(numbers.values()))
    totals.update(zip(numbers, sums, strict=True))
    for k, figure in enumerate(figures):
        if isinstance(figure, Counted) and figure.of is None:
            totals[k] = counts
        elif isinstance(figure, People):
            totals[k] = await _people(details, rows)
    present: dict[int, SecretBits] = {}
    places = {k: rows.columns[name] for k, name in shared.places.items()}
    for k, figure in enumerate(figures):
        if isinstance(figure, Ranked):
            counted = counted_for(figures, figure)
            present[k] = rows.present & (numbers[counted] != 0) if counted in numbers else rows.present
    return Raw(dict(sorted(totals.items())), places, present, rows.codes)


async def _numbers(expr: Expr, figure: Summed | Counted, rows: _Rows, ones: SecretBits) -> SecretArray:
    """What is summed up: the value, 0 where it is not there; or 1 where it is there."""
    if not rows.givens:
        assert isinstance(expr, Column)
        return rows.columns[expr.name]
    given = computed(expr, rows.givens, ones)
    if isinstance(figure, Counted):
        return await (ones if given.there is None else given.there).to_array()
    value = given.value.to_array() if isinstance(given.value, SecretBits) else given.value
    return await (value if given.there is None else value * given.there)


async def _totals(details: Details, rows: _Rows, numbers: list[SecretArray]) -> tuple[SecretArray, list[SecretArray]]:
    if rows.codes is not None:
        found = await group_by(rows.codes, details.bound.size, present=rows.present).totals(numbers)
        return found.counts, list(found.sums)
    here = await rows.present.to_array()
    return here.sum().reshape(1), [(here @ one).reshape(1) for one in numbers]


async def _people(details: Details, rows: _Rows) -> SecretArray:
    keys = details.shared.keys
    assert keys is not None
    halves = [rows.columns[name] for name in keys]
    if rows.codes is None:
        ordered = await sorted_segments(halves, rows.present)
        return ordered.first.sum().reshape(1)
    ordered = await sorted_segments([rows.codes, *halves], rows.present)
    return (await group_by(ordered.keys[0], details.bound.size, present=ordered.first).totals()).counts
