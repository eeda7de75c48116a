"""Aggregate: counts, sums and means, by group, over the rows of several members' tables as if they were one.

    {"figures": ["count", {"mean": "age"}], "by": "ward", "epsilon": 1.0, "minimum": 20}

Neighbouring data: all rows of one person, in all the tables. A person may be at every member, so what one person
changes is the sum of rows_a_person over the tables; nothing is told apart by who has the row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mpc.party import Party
from parties.kinds.figures import FIGURE_PARAMETERS, Figures, Measure, read_figures
from parties.kinds.kind import PRESENT, Expected, Kind, Outcome, Owned, Plan, Rows, TableAsk, Talk, Work, outcome_of
from parties.kinds.kind_rows import encode_columns, enter, frac_of, shape_of, union
from parties.kinds.parameters import bounds, check_known, check_same, check_tables, columns_asked, published
from parties.membership.charter import Charter
from protocols.description import Opened
from protocols.group_by import MOST_GROUPS, group_by

__all__ = ["AGGREGATE"]

_NAME = "aggregate"
_MOST_TABLES = 64
_MEASURED = ("integer", "real", "date", "boolean")


@dataclass(frozen=True)
class _Details:
    """Of the plan: the figures, and the tables as published."""

    figures: Figures
    tables: tuple[Owned, ...]


def check(parameters: Mapping[str, Any], tables: Sequence[Owned], charter: Charter) -> Plan:
    """The plan, or ParametersInvalid, TableUnfit, EpsilonInvalid, DeltaInvalid, MechanismUnfit, GridOverflow. Pure."""
    check_known(_NAME, parameters, (*FIGURE_PARAMETERS, "where"), ("figures", "epsilon"))
    check_tables(_NAME, tables, 1, _MOST_TABLES)

    def measure(name: str) -> Measure:
        column = published(tables[0], name, _MEASURED, "a sum or a mean")
        return Measure(*bounds(column), frac_of(column.kind))

    figures = read_figures(
        _NAME,
        parameters,
        measure,
        lambda name: groups_of(tables[0], name),
        rows=sum(table.facts.rows_a_person for table in tables),
        places=sum(table.facts.capacity for table in tables),
    )
    by = () if figures.by is None else (figures.by,)
    names = tuple(dict.fromkeys((*by, *figures.columns)))
    check_same(tables, names)
    uses = columns_asked([*((name, "sum") for name in figures.columns), *((name, "group") for name in by)])
    counts = any(figure.what != "sum" for figure in figures.figures)
    where = parameters.get("where")
    asks = tuple(TableAsk(table.member, table.facts.name, uses, counts, where) for table in tables)
    shapes = tuple(shape_of(table, names) for table in tables)
    details = _Details(figures, tuple(tables))
    return Plan(_NAME, asks, shapes, figures.described(), details, minimum=figures.minimum or 1, text=repr(figures))


def groups_of(table: Owned, name: str) -> tuple[Any, ...]:
    """The groups of a column: its categories, or false and true."""
    column = published(table, name, ("category", "boolean"), "by")
    names: tuple[Any, ...] = (False, True) if column.kind == "boolean" else column.categories
    assert len(names) <= MOST_GROUPS
    return names


def encode(plan: Plan, place: int, rows: Rows) -> npt.NDArray[np.uint64]:
    """An owner's rows as words. Plaintext. Raises RowsUnfit."""
    return encode_columns(plan.details.tables[place], plan.shapes[place], rows)


async def program(party: Party, line: Talk, work: Work) -> Outcome:
    """What every compute member runs. Leaks nothing but the sealed answers' descriptions, which are public.

    1. All tables come in, and lie under one another.                                     (1 round)
    2. Counts and sums, by group or of all.                                               (about 20 rounds, or local)
    3. Noise, the minimum group size; each party's share of the answers.                  (about 19 rounds)
    """
    work.plan.agree()
    figures: Figures = work.plan.details.figures
    party.report("aggregate: the tables come in")
    table = union(await enter(party, work, encode))
    party.report("aggregate: totals")
    present, columns = table[PRESENT], [table[name] for name in figures.columns]
    if figures.by is None:
        counts, sums = present.sum().reshape(1), [column.sum().reshape(1) for column in columns]
    else:
        totals = await group_by(table[figures.by], len(figures.groups), present=present).totals(columns)
        counts, sums = totals.counts, list(totals.sums)
    party.report("aggregate: noise nobody knows")
    sealed = await figures.seal(party, counts, dict(zip(figures.columns, sums, strict=True)))
    party.report("aggregate: done")
    return await outcome_of(work.plan, sealed)


def answer(plan: Plan, opened: Sequence[Opened]) -> dict[str, Any]:
    """A row for each figure and group: plain data for JSON, pandas.DataFrame(answer["rows"]) is a table of it."""
    figures: Figures = plan.details.figures
    return {"by": figures.by, "rows": figures.told(opened), "epsilon": plan.epsilon, "delta": plan.delta}


def expects(plan: Plan) -> list[Expected]:
    """Its figures. Pure."""
    figures: Figures = plan.details.figures
    return figures.expected()


AGGREGATE = Kind(_NAME, check, encode, program, answer, expects=expects)
