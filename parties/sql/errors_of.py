"""How far off a cell of an answer may be: standard errors and 95% intervals, where they follow from the noise. Pure."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from parties.data.row_expression import Column, Expr, Literal
from parties.sql.figures import Aggregate
from protocols.accounting import Event

__all__ = ["Cell", "Noised", "bounds_of"]


@dataclass(frozen=True)
class Cell:
    """A value, the standard error of its noise, an interval that holds it without noise with 95%; None: not known.

    ``event``: of the noise, where it is one count or sum.
    """

    value: Any
    error: float | None = None
    interval: tuple[float, float] | None = None
    event: Event | None = None

    @classmethod
    def of(cls, expr: Expr, value: Any, cells: Mapping[str, Cell]) -> Cell:
        """Of an expression over cells: one of them, or sums of them times constants."""
        if isinstance(expr, Column) and expr.name in cells:
            return cells[expr.name]
        parts = _linear(expr)
        if parts is None or value is None:
            return cls(value)
        named = {name: factor for name, factor in parts.items() if name and factor}
        known = [(factor, cells[name]) for name, factor in named.items() if name in cells]
        if not known or len(known) != len(named) or any(cell.event is None for _, cell in known):
            return cls(value)
        error, half, confidence = 0.0, 0.0, 1 - 0.05 / len(known)
        for factor, cell in known:
            assert cell.error is not None and cell.event is not None
            error += (factor * cell.error) ** 2
            half += abs(factor) * cell.event.law.half_width(confidence) / (1 << cell.event.frac)
        return cls(value, math.sqrt(error), (value - half, value + half))


@dataclass(frozen=True)
class Noised:
    """A figure of one group, the event of its noise (of a search none), and whether the group is shown."""

    value: int | float
    event: Event | None
    shown: bool

    def half(self, confidence: float) -> float:
        """The noise lies within plus or minus this."""
        assert self.event is not None
        return self.event.half_width(confidence)

    @property
    def error(self) -> float:
        """Standard deviation of the noise."""
        assert self.event is not None
        return self.event.standard_error

    def cell(self) -> Cell:
        """As it is."""
        half = self.half(0.95)
        return Cell(self.value, self.error, (self.value - half, self.value + half), self.event)


def bounds_of(total: Noised, count: Noised, one: Aggregate) -> Cell:
    """A mean: a noised sum, of distances from a centre, over a noised count that is above 0; cut to its bounds.

    The error is that of a quotient to first order. The interval is rigorous: sum and count lie in their 97.5% intervals
    with 95% together, and it spans all quotients of those.
    """
    low, high, centre = _float(one.type.low, -math.inf), _float(one.type.high, math.inf), float(one.centre)
    mean = total.value / count.value
    value = min(max(centre + mean, low), high)
    error = math.hypot(total.error, mean * count.error) / count.value
    least, most = count.value - count.half(0.975), count.value + count.half(0.975)
    if least <= 0:
        return Cell(value, min(error, (high - low) / 2), (low, high))
    sums = total.value - total.half(0.975), total.value + total.half(0.975)
    ends = [s / n for s, n in itertools.product(sums, (least, most))]
    interval = (min(max(centre + min(ends), low), high), min(max(centre + max(ends), low), high))
    return Cell(value, min(error, (high - low) / 2), interval)


def _float(end: Any, otherwise: float) -> float:
    return otherwise if end is None else float(end)


def _linear(expr: Expr) -> dict[str, float] | None:
    """Factors by column, under "" the constant; None for what is not a sum of columns times constants."""
    if isinstance(expr, Literal):
        number = isinstance(expr.value, (int, float)) and not isinstance(expr.value, bool)
        return {"": float(expr.value)} if number else None
    if isinstance(expr, Column):
        return {expr.name: 1.0}
    parts = [_linear(arg) for arg in expr.args]
    known = [part for part in parts if part is not None]
    if not parts or len(known) != len(parts) or expr.op not in ("+", "-", "*", "/", "neg", "to_real"):
        return None
    left = known[0]
    if expr.op in ("neg", "to_real"):
        return {name: -factor if expr.op == "neg" else factor for name, factor in left.items()}
    right = known[1]
    if expr.op in ("+", "-"):
        sign = 1.0 if expr.op == "+" else -1.0
        return {name: left.get(name, 0.0) + sign * right.get(name, 0.0) for name in {**left, **right}}
    if set(right) != {""}:
        left, right = right, left
    if set(right) != {""} or (expr.op == "/" and right is not known[1]):
        return None
    times = right[""] if expr.op == "*" else (1 / right[""] if right[""] else math.nan)
    return {name: factor * times for name, factor in left.items()} if math.isfinite(times) else None
