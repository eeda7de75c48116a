"""Expressions: their values in DuckDB, in Python and on shares agree, and lie within the bounds that follow."""

from __future__ import annotations

import datetime
import math
from fractions import Fraction
from typing import Any

import ibis
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mpc import MemoryCluster
from mpc.arrays import SecretBits
from mpc.encoding import FRAC
from parties.data.expression_pushdown import pushed
from parties.data.expression_types import Type
from parties.data.expression_value import value_of, value_of_nulls
from parties.data.row_expression import NULL, Call, Column, Expr, call, literal, substituted
from parties.errors import ExpressionUnfit
from parties.sql.on_shares import Given, check_shared, computed, ends_of
from protocols.columns import all_set

COLUMNS = {
    "i": Column("i", Type("integer", Fraction(-5), Fraction(9), nullable=True)),
    "j": Column("j", Type("integer", Fraction(1), Fraction(4))),
    "x": Column("x", Type("real", Fraction(-2), Fraction(7, 2), nullable=True)),
    "b": Column("b", Type("boolean", Fraction(0), Fraction(1), nullable=True)),
    "c": Column("c", Type("boolean", Fraction(0), Fraction(1))),
    "d": Column("d", Type("date", Fraction(18000), Fraction(18900), nullable=True)),
    "k": Column("k", Type("category", values=("a", "b", "é"), nullable=True)),
}
ROWS = [
    {"i": i, "j": j, "x": x, "b": b, "c": c, "d": d, "k": k}
    for i, j, x, b, c, d, k in zip(
        [-5, 0, 9, None, 3, None, 1, 2], [1, 2, 3, 4, 4, 1, 2, 3], [-2.0, 3.5, None, 0.25, 0.5, 1.5, -0.5, None],
        [True, False, None, True, False, None, True, False], [True, True, False, False, True, False, True, False],
        [18000, 18321, None, 18900, 18500, 18262, None, 18263], ["a", None, "é", "b", "a", "b", None, "é"], strict=True,
    )
]  # fmt: skip

_WHOLE = [
    "+", "-", "*", "neg", "abs", "coalesce", "nullif", "greatest", "least", "case", "floor", "round", "year", "month",
    "to_integer", "//", "%", "days",
]  # fmt: skip
_SHARED = ["+", "-", "*", "neg", "abs", "coalesce", "nullif", "greatest", "least", "case", "to_integer"]


@st.composite
def numbers(draw: Any, depth: int, ops: Any = tuple(_WHOLE), real: bool = True) -> Expr:
    if depth == 0:
        leaves = ["i", "j", "1", *(["x", "0.5"] if real else [])]
        leaf = draw(st.sampled_from(leaves))
        return {"1": literal(3, "integer"), "0.5": literal(0.5, "real")}.get(leaf) or COLUMNS[leaf]
    op = draw(st.sampled_from(ops))
    a = draw(numbers(depth - 1, ops, real))
    if op in ("neg", "abs", "floor", "round"):
        return call(op, a)
    if op == "to_integer":
        return call(op, draw(truths(depth - 1, ops, real)))
    if op in ("year", "month"):
        return call(op, COLUMNS["d"])
    if op == "days":
        return call("-", COLUMNS["d"], literal(18300, "date"))
    if op in ("//", "%"):
        return call(op, call("abs", COLUMNS["i"]), COLUMNS["j"])
    b = draw(numbers(depth - 1, ops, real))
    if op == "case":
        return call("case", draw(truths(depth - 1, ops, real)), a, draw(st.sampled_from([b, NULL])))
    return call(op, a, b)


@st.composite
def truths(draw: Any, depth: int, ops: Any = tuple(_WHOLE), real: bool = True) -> Expr:
    if depth == 0:
        return draw(st.sampled_from([COLUMNS["b"], COLUMNS["c"], literal(True, "boolean")]))
    op = draw(st.sampled_from(["and", "or", "not", "is_null", "=", "<>", "<", ">=", "coalesce", "case"]))
    a = draw(truths(depth - 1, ops, real))
    if op in ("=", "<>", "<", ">=", "is_null"):
        x = draw(numbers(depth - 1, ops, real))
        return call(op, x) if op == "is_null" else call(op, x, draw(numbers(depth - 1, ops, real)))
    if op == "not":
        return call(op, a)
    b = draw(truths(depth - 1, ops, real))
    return call("case", a, b, COLUMNS["b"]) if op == "case" else call(op, a, b)


EXPRS = st.one_of(numbers(2), numbers(3), truths(2), truths(3))
CONNECTION = ibis.duckdb.connect()
TABLE = CONNECTION.create_table(
    "t", ibis.memtable([{**row, "n": n} for n, row in enumerate(ROWS)],
                       schema={"i": "int64", "j": "int64", "x": "float64", "b": "boolean", "c": "boolean", "d": "int64",
                               "k": "string", "n": "int64"}),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(EXPRS)
def test_an_engine_and_python_agree_and_stay_within_the_bounds(expr: Expr) -> None:
    assume(expr.type.kind != "null")
    made = pushed(expr, {name: TABLE[name] for name in COLUMNS})
    found = CONNECTION.to_pyarrow(TABLE.select(e=made, n=TABLE.n).order_by("n")).column("e").to_pylist()
    for row, told in zip(ROWS, found, strict=True):
        value = value_of(expr, row)
        same = (
            value is told is None
            or value == told
            or (value is not None and told is not None and math.isclose(value, told))
        )
        assert same, (expr, row, value, told)
        assert expr.type.nullable or value is not None
        if value is not None and expr.type.low is not None and expr.type.high is not None:
            assert (
                expr.type.low <= Fraction(value) <= expr.type.high and expr.type.low <= Fraction(told) <= expr.type.high
            )


def shared_of(expr: Expr) -> list[Any]:
    names = ("i", "j", "x", "b", "c")

    async def program(party: Any) -> Any:
        givens, ones = {}, None
        for name in names:
            kind = COLUMNS[name].type
            values = np.array(
                [0 if row[name] is None else row[name] for row in ROWS], float if kind.kind == "real" else int
            )
            there = np.array([row[name] is not None for row in ROWS]).astype(int)
            x = party.input(
                values if party.index == 0 else None, 0, shape=(8,), frac=FRAC if kind.kind == "real" else 0
            )
            flags = party.input(there if party.index == 0 else None, 0, shape=(8,)) != 0
            ones = all_set(await flags)
            known = flags if kind.nullable else None
            value: Any = x
            if kind.kind == "boolean":
                value = (x != 0) if known is None else (x != 0) & known
            givens[name] = Given(value, known)
        assert ones is not None
        made = computed(expr, givens, ones)
        value = made.value.to_array() if isinstance(made.value, SecretBits) else made.value
        there = (ones if made.there is None else made.there).to_array()
        return await party.reveal(await value), await party.reveal(await there)

    (values, there), *_ = MemoryCluster(3, 1, seed=2).run(program)
    return [v.item() if here else None for v, here in zip(values, there, strict=True)]


@settings(max_examples=60, deadline=None)
@given(st.one_of(numbers(2, tuple(_SHARED)), truths(2, tuple(_SHARED)), truths(3, tuple(_SHARED), False)))
def test_on_shares_it_is_the_same(expr: Expr) -> None:
    assume(expr.type.kind != "null")
    check_shared(expr)
    for row, told in zip(ROWS, shared_of(expr), strict=True):
        value = value_of(expr, row)
        assert (value is None) == (told is None), (expr, row, value, told)
        assert value is None or told == pytest.approx(float(value), abs=0.01), (expr, row, value, told)


@settings(max_examples=100, deadline=None)
@given(EXPRS)
def test_of_nulls_it_is_what_it_is_of_nulls(expr: Expr) -> None:
    assert value_of_nulls(expr) == value_of(expr, dict.fromkeys(COLUMNS))


@pytest.mark.parametrize(
    ("op", "args", "low", "high"),
    [
        ("+", ("i", "j"), -4, 13), ("-", ("i", "j"), -9, 8), ("*", ("i", "i"), -45, 81), ("*", ("i", "x"), -18, 31.5),
        ("/", ("i", "j"), -5, 9), ("neg", ("i",), -9, 5), ("abs", ("i",), 0, 9), ("abs", ("j",), 1, 4),
        ("floor", ("x",), -2, 3), ("ceil", ("x",), -2, 4), ("round", ("x",), -2, 4), ("year", ("d",), 2019, 2021),
        ("month", ("d",), 1, 12), ("greatest", ("i", "j"), -5, 9), ("least", ("j", "j"), 1, 4),
        ("coalesce", ("i", "j"), -5, 9), ("-", ("d", "d"), -900, 900), ("+", ("d", "j"), 18001, 18904),
    ],
)  # fmt: skip
def test_bounds_follow(op: str, args: tuple[str, ...], low: float, high: float) -> None:
    found = call(op, *(COLUMNS[name] for name in args)).type
    assert (found.low, found.high) == (Fraction(low), Fraction(high))


def test_bounds_hold_whatever_is_rounded() -> None:
    tenth: Expr = literal(0.1, "real")
    for _ in range(60):
        tenth = call("*", tenth, literal(0.1, "real"))
    assert tenth.type.high is not None and 0 <= tenth.type.high <= Fraction(1, 1 << 64)


def test_a_divisor_that_cannot_be_0_by_nullif() -> None:
    count = Column("n", Type("integer", Fraction(0), Fraction(9)))
    assert call("/", COLUMNS["i"], call("nullif", count, literal(0, "integer"))).type.high == 9
    with pytest.raises(ExpressionUnfit, match="could be 0"):
        call("/", COLUMNS["i"], count)


def test_size_and_depth_are_bounded() -> None:
    expr: Expr = COLUMNS["c"]
    with pytest.raises(ExpressionUnfit, match="an expression of more than"):
        for _ in range(20):
            expr = call("and", expr, expr)
    expr = COLUMNS["c"]
    with pytest.raises(ExpressionUnfit, match="deep"):
        for _ in range(300):
            expr = call("not", expr)
    small = call("and", COLUMNS["c"], COLUMNS["c"])
    large: Expr = COLUMNS["c"]
    for _ in range(10):
        large = call("and", large, large)
    with pytest.raises(ExpressionUnfit):
        substituted(call("and", small, small), {"c": large})


def test_not_is_read_with_its_brackets() -> None:
    """NOT (x) IS NULL is another question than (NOT x) IS NULL."""
    expr = call("is_null", call("not", COLUMNS["b"]))
    made = pushed(expr, {"b": TABLE.b})
    found = CONNECTION.to_pyarrow(TABLE.select(e=made, n=TABLE.n).order_by("n")).column("e").to_pylist()
    assert found == [row["b"] is None for row in ROWS]


def test_dates_are_days() -> None:
    row = {"d": (datetime.date(2020, 2, 29) - datetime.date(1970, 1, 1)).days}
    assert [value_of(call(part, COLUMNS["d"]), row) for part in ("year", "quarter", "month", "day")] == [2020, 1, 2, 29]
    assert isinstance(call("year", COLUMNS["d"]), Call)


@settings(max_examples=40, deadline=None)
@given(numbers(3, tuple(_SHARED)))
def test_ends_on_shares_hold_what_is_computed(expr: Expr) -> None:
    assume(expr.type.kind != "null")
    low, high = ends_of(expr, 1)
    for told in shared_of(expr):
        assert told is None or low <= Fraction(told) <= high


def test_what_does_not_fit_on_shares_has_no_plan() -> None:
    """A product has twice as many fractional bits before it is cut; an integer as a real has them at once."""
    wide = Column("x", Type("real", Fraction(0), Fraction(1 << 15)))
    for expr in (call("*", wide, wide), call("<", Column("i", Type("integer", Fraction(0), Fraction(1 << 50))), wide)):
        with pytest.raises(ExpressionUnfit, match="of several members' columns"):
            check_shared(expr)
    check_shared(call("*", wide, Column("i", Type("integer", Fraction(0), Fraction(1 << 29)))))
