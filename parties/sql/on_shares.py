"""Expressions over several owners' tables, computed on shares: SQL's three-valued logic on secrets. Nothing is opened.

A value is a secret and, where it can be NULL, a secret bit that says whether it is there. Conditions are bits that are
0 where they are not there. Categories are places in the list of all they can be.
"""

from __future__ import annotations

import functools
import itertools
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from mpc.arrays import SecretArray, SecretBits
from mpc.encoding import FRAC, LIMIT
from mpc.relations import where
from parties.data.row_expression import Call, Column, Expr, Literal
from parties.errors import ExpressionUnfit
from protocols.columns import constant, read_on_grid

__all__ = ["Given", "check_shared", "computed", "ends_of", "truth_of"]

_REALS = Fraction(LIMIT >> FRAC, 2)
_PRODUCT = 1 << 29  # before it is cut a product has twice as many fractional bits
_TOO_LARGE = "a product of reals of several members' columns that could go beyond 2^29"
_OPERATIONS = frozenset({
    "+", "-", "*", "neg", "abs", "to_real", "to_integer", "=", "<>", "<", "<=", ">", ">=", "in", "is_null", "and",
    "or", "not", "case", "coalesce", "nullif", "greatest", "least",
})  # fmt: skip


@dataclass(frozen=True, repr=False)
class Given:
    """A secret column.

    Attributes:
        value: (n,) numbers, or bits of a condition; of no meaning where it is not there, but for conditions.
        there: (n,) where it is not NULL; None: everywhere.
    """

    value: Any
    there: SecretBits | None


def check_shared(expr: Expr) -> None:
    """ExpressionUnfit for what is not computed on shares, or could leave their range."""
    if isinstance(expr, Call):
        if expr.op not in _OPERATIONS:
            raise ExpressionUnfit(
                f"{expr.op} over columns of several members' tables; they are computed with + - *, comparisons, CASE, "
                "COALESCE, ABS, GREATEST and LEAST, and each member computes anything of its own columns"
            )
        for arg in expr.args:
            check_shared(arg)
        real = [arg.type.kind == "real" for arg in expr.args]
        if expr.op == "*" and all(real) and math.prod(_most(arg) for arg in expr.args) >= _PRODUCT:
            raise ExpressionUnfit(_TOO_LARGE)
        if expr.op != "*" and any(real) and any(_most(arg) >= _REALS for arg in expr.args):
            raise ExpressionUnfit("integers beyond 2^45 beside reals, of several members' columns")
    if expr.type.kind == "real" and _most(expr) >= _REALS:
        raise ExpressionUnfit("reals of several members' columns that could go beyond 2^45 by their public bounds")


def _most(expr: Expr) -> Fraction:
    """By its public bounds, with room for what is rounded; 0 of what is no number."""
    low, high = expr.type.low, expr.type.high
    return Fraction(0) if low is None or high is None else max(-low, high) + Fraction(1, 1 << FRAC)


def ends_of(expr: Expr, t: int) -> tuple[Fraction, Fraction]:
    """Within what a number lies as it is computed on shares: its public bounds, and each rounding to the grid of reals.

    What comes in is rounded once. A product of reals is rounded down, and up to ``t`` steps further (mpc.truncate). A
    factor then makes that as large as it likes: a person may change far more than the expression's bounds say. Pure.
    ExpressionUnfit for a product of reals that does not fit.
    """
    if isinstance(expr, Literal):
        value = Fraction(0) if expr.value is None else Fraction(expr.value)
        return (_on_grid(value, round),) * 2 if expr.type.kind == "real" else (value, value)
    if isinstance(expr, Column) or expr.type.kind == "boolean":
        low, high = expr.type.low, expr.type.high
        if low is None or high is None:  # of a category, or NULL: no number is made of it
            return Fraction(0), Fraction(0)
        return (_on_grid(low, math.floor), _on_grid(high, math.ceil)) if expr.type.kind == "real" else (low, high)
    ends = [ends_of(arg, t) for arg in expr.args]
    if expr.op in ("case", "coalesce", "greatest", "least", "nullif"):
        if expr.op == "case":
            ends = [*ends[1:-1:2], ends[-1]]
        chosen = ends[:1] if expr.op == "nullif" else ends
        return min(low for low, _ in chosen), max(high for _, high in chosen)
    low, high = ends[0]
    if expr.op in ("to_real", "to_integer"):
        return low, high
    if expr.op in ("neg", "abs"):
        return (-high, -low) if expr.op == "neg" else (Fraction(0), max(abs(low), abs(high)))
    other = ends[1]
    if expr.op in ("+", "-"):
        return (low + other[0], high + other[1]) if expr.op == "+" else (low - other[1], high - other[0])
    corners = [a * b for a, b in itertools.product(ends[0], other)]
    if all(arg.type.kind == "real" for arg in expr.args):
        if max(map(abs, corners)) >= _PRODUCT:
            raise ExpressionUnfit(_TOO_LARGE)
        return _on_grid(min(corners), math.floor) - Fraction(t, 1 << FRAC), _on_grid(max(corners), math.ceil)
    return min(corners), max(corners)


def _on_grid(end: Fraction, rounded: Callable[[Fraction], int]) -> Fraction:
    return Fraction(rounded(end * (1 << FRAC)), 1 << FRAC)


def computed(expr: Expr, columns: Mapping[str, Given], ones: SecretBits) -> Given:
    """The expression over columns that came in. ``ones``: bits that are all set, as many as there are rows."""
    return _Computing(columns, ones).of(expr)


def truth_of(given: Given) -> SecretBits:
    """Where a condition is true."""
    bits: SecretBits = given.value
    return bits if given.there is None else bits & given.there


class _Computing:
    def __init__(self, columns: Mapping[str, Given], ones: SecretBits) -> None:
        self._columns = columns
        self._ones = ones
        self._zeros = ones ^ ones
        self._array = ones.to_array()

    def of(self, expr: Expr) -> Given:
        if isinstance(expr, Column):
            return self._columns[expr.name]
        if isinstance(expr, Literal):
            return self._constant(expr)
        args = [self.of(arg) for arg in expr.args]
        if expr.op in _LOGIC:
            return _LOGIC[expr.op](self, args)
        if expr.op in ("case", "coalesce", "greatest", "least"):
            return self._chosen(expr, args)
        there = self._all_there(args)
        if expr.op == "nullif":
            same = truth_of(Given(self._equal(expr, args), there))
            return Given(args[0].value, self._known(args[0]) & ~same)
        if expr.op == "in":
            return self._among(expr, args[0])
        if expr.op in _COMPARED:
            left, right = self._alike(expr, args)
            bits = _COMPARED[expr.op](left, right)
            return Given(bits if there is None else bits & there, there)
        return Given(self._number(expr, args), there)

    def _constant(self, expr: Literal) -> Given:
        n = len(self._ones)
        if expr.value is None:
            return Given(constant(self._array, np.zeros(n, np.int64), 0), self._zeros)
        if expr.type.kind == "boolean":
            return Given(self._ones if expr.value else self._zeros, None)
        if expr.type.kind == "category":
            words, frac = expr.type.values.index(expr.value), 0
        elif expr.type.kind == "real":
            words, frac = round(Fraction(expr.value) * (1 << FRAC)), FRAC
        else:
            words, frac = expr.value, 0
        return Given(constant(self._array, np.full(n, words, np.int64), frac), None)

    def _known(self, given: Given) -> SecretBits:
        return self._ones if given.there is None else given.there

    def _all_there(self, args: Sequence[Given]) -> SecretBits | None:
        flags = [arg.there for arg in args if arg.there is not None]
        return functools.reduce(operator.and_, flags) if flags else None

    def _alike(self, expr: Call, args: Sequence[Given]) -> list[Any]:
        """Numbers on one grid: integers become reals where one of them is real."""
        real = any(arg.type.kind == "real" for arg in expr.args)
        return [
            _as_real(given.value) if real and arg.type.kind == "integer" else given.value
            for arg, given in zip(expr.args, args, strict=True)
        ]

    def _equal(self, expr: Call, args: Sequence[Given]) -> SecretBits:
        left, right = self._alike(expr, args)
        found: SecretBits = left == right
        return found

    def _among(self, expr: Call, given: Given) -> Given:
        """Which of the categories it is; of the list of all, places of those."""
        known = expr.args[0].type.values
        bits = [given.value == known.index(value) for value in expr.values]
        found = functools.reduce(operator.or_, bits) if bits else self._zeros
        return Given(found if given.there is None else found & given.there, given.there)

    def _number(self, expr: Call, args: Sequence[Given]) -> Any:
        if expr.op == "to_real":
            return _as_real(args[0].value)
        if expr.op == "to_integer":
            return args[0].value.to_array()
        if expr.op == "neg":
            return -args[0].value
        if expr.op == "abs":
            return where(args[0].value < 0, -args[0].value, args[0].value)
        left, right = [arg.value for arg in args] if expr.op == "*" else self._alike(expr, args)
        return {"+": operator.add, "-": operator.sub, "*": operator.mul}[expr.op](left, right)

    def _chosen(self, expr: Call, args: Sequence[Given]) -> Given:
        """From the last operand to the first: what is chosen stands before what was."""
        conditions: list[SecretBits] = []
        if expr.op == "case":
            conditions = [truth_of(args[i]) for i in range(0, len(args) - 1, 2)]
            values = [*(args[i] for i in range(1, len(args) - 1, 2)), args[-1]]
            kinds = [*(expr.args[i] for i in range(1, len(args) - 1, 2)), expr.args[-1]]
        else:
            values, kinds = list(args), list(expr.args)
            conditions = [self._known(arg) for arg in args[:-1]]
        values = [self._as(expr, kind, value) for kind, value in zip(kinds, values, strict=True)]
        found = values[-1]
        for i in reversed(range(len(values) - 1)):
            chosen = conditions[i]
            if expr.op in ("greatest", "least"):
                better = values[i].value > found.value if expr.op == "greatest" else values[i].value < found.value
                chosen = chosen & (better | ~self._known(found))
            found = self._either(chosen, values[i], found, expr.op != "case")
        return found

    def _as(self, expr: Call, kind: Expr, given: Given) -> Given:
        """An operand as the result's kind."""
        if kind.type.kind == "null" and expr.type.kind == "boolean":
            return Given(self._zeros, given.there)
        if expr.type.kind == "real" and kind.type.kind in ("integer", "null"):
            return Given(_as_real(given.value), given.there)
        return given

    def _either(self, chosen: SecretBits, yes: Given, no: Given, covers: bool) -> Given:
        """``covers``: where it is chosen, it is there."""
        if isinstance(yes.value, SecretBits):
            value: Any = (chosen & yes.value) | (~chosen & no.value)
        else:
            value = where(chosen, yes.value, no.value)
        if yes.there is None and no.there is None:
            return Given(value, None)
        if covers:
            return Given(value, None if no.there is None else chosen | no.there)
        return Given(value, (chosen & self._known(yes)) | (~chosen & self._known(no)))

    # -- three-valued logic ------------------------------------------------------------------------

    def _and(self, args: Sequence[Given]) -> Given:
        true = functools.reduce(operator.and_, [truth_of(arg) for arg in args])
        if all(arg.there is None for arg in args):
            return Given(true, None)
        false = functools.reduce(operator.or_, [self._false(arg) for arg in args])
        return Given(true, true | false)

    def _or(self, args: Sequence[Given]) -> Given:
        true = functools.reduce(operator.or_, [truth_of(arg) for arg in args])
        if all(arg.there is None for arg in args):
            return Given(true, None)
        false = functools.reduce(operator.and_, [self._false(arg) for arg in args])
        return Given(true, true | false)

    def _not(self, args: Sequence[Given]) -> Given:
        return Given(self._false(args[0]), args[0].there)

    def _false(self, given: Given) -> SecretBits:
        return ~given.value if given.there is None else given.there & ~given.value  # type: ignore[no-any-return]

    def _is_null(self, args: Sequence[Given]) -> Given:
        return Given(~self._known(args[0]), None)


def _as_real(x: SecretArray) -> SecretArray:
    """Integers as reals. Local."""
    return read_on_grid(x * (1 << FRAC), FRAC)


_COMPARED: Mapping[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq, "<>": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip

_LOGIC: Mapping[str, Callable[[_Computing, Sequence[Given]], Given]] = {
    "and": _Computing._and, "or": _Computing._or, "not": _Computing._not, "is_null": _Computing._is_null,
}  # fmt: skip
