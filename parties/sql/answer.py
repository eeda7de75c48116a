"""A query's answer: made of figures with their noise, by whoever receives them. Pure, and the same every time.

Only what was released goes in, so nothing here costs anything: means, variances, HAVING, ORDER BY, LIMIT, arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from parties.data.expression_ranges import day_of
from parties.data.expression_value import value_of
from parties.data.row_expression import Expr
from parties.kinds.kind import Plan
from parties.sql.errors_of import Cell, Noised, bounds_of
from parties.sql.figures import Aggregate, Ranked
from parties.sql.plan import Details
from parties.sql.select import Order
from protocols.description import Opened
from protocols.released import Released

__all__ = ["answer"]


@dataclass(frozen=True)
class _Row:
    """One group: what names stand for, and how far off they may be."""

    values: Mapping[str, Any]
    cells: Mapping[str, Cell]


def answer(plan: Plan, opened: Sequence[Opened]) -> dict[str, Any]:
    """{"columns": names, "rows": values, "errors": standard errors of the noise, "intervals": [low, high] of 95%,
    "epsilon", "delta"}: plain data for JSON. None: NULL, or where no error or interval follows. Dates are YYYY-MM-DD.

    Groups below the minimum are not among the rows.
    """
    details: Details = plan.details
    bound = details.bound
    figures = [_read(details, k, one) for k, one in enumerate(opened)]
    rows = []
    for g in range(bound.size):
        if details.priced.minimum is None or figures[0][g].shown:
            rows.append(_row(details, [figure[g] for figure in figures], g))
    if bound.having is not None:
        rows = [row for row in rows if value_of(bound.having, row.values) is True]
    for order in reversed(bound.order):
        rows = _sorted(rows, order)
    rows = rows[bound.offset :]
    rows = rows if bound.limit is None else rows[: bound.limit]
    told: dict[str, Any] = {"columns": [name for name, _ in bound.items], "rows": [], "errors": [], "intervals": []}
    for row in rows:
        cells = [_cell(expr, row) for _, expr in bound.items]
        told["rows"].append([cell.value for cell in cells])
        told["errors"].append([cell.error for cell in cells])
        told["intervals"].append([cell.interval for cell in cells])
    return {**told, "epsilon": plan.epsilon, "delta": plan.delta}


def _read(details: Details, k: int, one: Opened) -> list[Noised]:
    """A figure's numbers by group."""
    figure, event = details.bound.figures[k], details.priced.events[k][0]
    if isinstance(figure, Ranked):
        return [Noised(int(value), None, True) for value in np.asarray(one)]
    assert isinstance(one, Released) and one.values is not None
    shown = np.ones(len(one.values), bool) if one.shown is None else one.shown
    return [Noised(value.item(), event, bool(here)) for value, here in zip(one.values, shown, strict=True)]


def _row(details: Details, figures: Sequence[Noised], g: int) -> _Row:
    bound = details.bound
    values: dict[str, Any] = {}
    for j in reversed(range(len(bound.groups))):
        g, place = divmod(g, bound.sizes[j])
        values[f"g{j}"] = bound.groups[j].type.at(place)
    cells = {}
    for j, aggregate in enumerate(bound.aggregates):
        cells[f"a{j}"] = _aggregate(aggregate, [figures[k] for k in aggregate.figures], details)
        values[f"a{j}"] = cells[f"a{j}"].value
    return _Row(values, cells)


def _aggregate(one: Aggregate, figures: Sequence[Noised], details: Details) -> Cell:
    first = figures[0]
    if one.what in ("count", "sum"):
        return first.cell()
    count = figures[1]
    if count.value <= 0:
        return Cell(None)
    if one.what == "rank":
        ranked = details.bound.figures[one.figures[0]]
        assert isinstance(ranked, Ranked)
        point = ranked.grid.low + first.value * ranked.grid.step
        return Cell(float(point) if one.type.kind == "real" else int(point))
    if one.what == "avg":
        return bounds_of(first, count, one)
    total, squares = first.value - float(one.shift) * count.value, figures[2].value
    if one.what.endswith("_samp") and count.value <= 1:
        return Cell(None)
    mean = total / count.value
    spread = squares / count.value - mean * mean
    if one.what.endswith("_samp"):
        spread = (squares - total * mean) / (count.value - 1)
    spread = max(0.0, float(spread))
    return Cell(math.sqrt(spread) if one.what.startswith("stddev") else spread)


def _cell(expr: Expr, row: _Row) -> Cell:
    """A value, and what follows for its error where it is one figure or a sum of some, times constants."""
    value = value_of(expr, row.values)
    if expr.type.kind == "date" and isinstance(value, int):
        return Cell(day_of(value).isoformat())
    return Cell.of(expr, value, row.cells)


def _sorted(rows: Sequence[_Row], order: Order) -> list[_Row]:
    """Stable; NULLs together at one end."""
    keyed = [(value_of(order.key, row.values), row) for row in rows]
    nulls = [row for value, row in keyed if value is None]
    known = [(value, row) for value, row in keyed if value is not None]
    known.sort(key=lambda pair: pair[0], reverse=order.descending)
    ordered = [row for _, row in known]
    return [*nulls, *ordered] if order.nulls_first else [*ordered, *nulls]
