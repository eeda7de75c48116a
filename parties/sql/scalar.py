"""Expressions of SQL, bound: to columns of rows, or to figures that were released. A closed list of functions. Pure.

What a name stands for is said by whoever binds (``leaf``); all else is here. Refusals name the clause.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from parties.data.row_expression import NULL, Expr, Literal, call, literal, truth
from parties.errors import ExpressionUnfit
from parties.sql.like import like
from parties.sql.scalar_dates import CLOSED, cast, date_diff, date_part, interval, part_of, plus
from parties.sql.text import Node, Sql

__all__ = ["Scalars", "number_in"]

_MOST_DIGITS = 6
_MOST_LISTED = 4096
_EPOCH = datetime.date(1970, 1, 1)
_IGNORED = frozenset({"big_int", "typed", "safe", "ignore_nulls", "requires_string", "date_part_boundary", "_type"})


@dataclass(frozen=True)
class Scalars:
    """A binder.

    Attributes:
        sql: the text, for refusals.
        leaf: what a node stands for by itself, a column or a figure; None: look into it.
        loose: operands may have no bounds.
    """

    sql: Sql
    leaf: Callable[[Node], Expr | None]
    loose: bool = False

    def bind(self, node: Node) -> Expr:
        """The expression. Raises SqlUnsupported, SqlUnbound."""
        found = self.leaf(node)
        if found is not None:
            return found
        how = _HOW.get(type(node))
        if how is None:
            raise self.sql.unsupported(node, f"{_name(node)} is not among what can be computed", CLOSED)
        made, known = how
        for name, value in node.args.items():
            if name not in known and name not in _IGNORED and value not in (None, False, []):
                raise self.sql.unsupported(node, f"{_name(node)} with {name.replace('_', ' ')}", "leave that out")
        try:
            return made(self, node)
        except ExpressionUnfit as error:
            raise self.sql.unsupported(node, str(error)) from None

    def condition(self, node: Node) -> Expr:
        """An expression that is true, false or NULL."""
        found = self.bind(node)
        try:
            return truth(found)
        except ExpressionUnfit as error:
            raise self.sql.unsupported(node, str(error), "compare it with something") from None

    def call(self, op: str, *args: Expr, values: tuple[Any, ...] = ()) -> Expr:
        """See row_expression.call."""
        return call(op, *args, values=values, loose=self.loose)

    # -- comparisons -------------------------------------------------------------------------------

    def compared(self, op: str, left: Expr, right: Expr, node: Node) -> Expr:
        """A comparison; with a category it says which of the public categories it is true of."""
        left, right = self.as_dates(left, right, node)
        if isinstance(left, Literal) and not isinstance(right, Literal):
            left, right, op = right, left, {"<": ">", "<=": ">=", ">": "<", ">=": "<="}.get(op, op)
        chosen = left.type.kind == "category" and isinstance(right, Literal) and right.value is not None
        if chosen and not isinstance(left, Literal) and op in ("=", "<>"):
            found = self.call("in", left, values=(self.category(left, right, node),))
            return found if op == "=" else self.call("not", found)
        return self.call(op, left, right)

    def category(self, of: Expr, value: Expr, node: Node) -> Any:
        """A literal as one of the categories of an expression."""
        given = value.value if isinstance(value, Literal) else None
        known = of.type.values
        if type(given) not in {type(one) for one in known}:
            raise ExpressionUnfit(f"its categories are {type(known[0]).__name__} values; compare it with one of those")
        if given not in known:
            raise self.sql.unbound(node, f"{given!r} is none of the public categories", str(given), map(str, known))
        return given

    def as_dates(self, left: Expr, right: Expr, node: Node) -> tuple[Expr, Expr]:
        """A text beside a date is a date."""
        if left.type.kind == "date" and right.type.kind == "category":
            return left, self.date(right, node)
        if right.type.kind == "date" and left.type.kind == "category":
            return self.date(left, node), right
        return left, right

    def date(self, given: Expr, node: Node) -> Expr:
        """A literal text YYYY-MM-DD as a date."""
        value = given.value if isinstance(given, Literal) else None
        if isinstance(value, str) and len(value) == 10:
            try:
                return literal((datetime.date.fromisoformat(value) - _EPOCH).days, "date")
            except ValueError:
                pass
        raise self.sql.unsupported(node, "a date is a literal text", "write it DATE 'YYYY-MM-DD'")


def number_in(node: Node) -> int | None:
    """A literal whole number; None for anything else."""
    if isinstance(node, exp.Literal) and not node.is_string and node.this.isascii() and node.this.isdigit():
        return int(node.this) if len(node.this) <= 19 else None
    return None


def _name(node: Node) -> str:
    return str(node.this)[:40] if isinstance(node, exp.Anonymous) else type(node).__name__.upper()


# -- how each node is bound --------------------------------------------------------------------


def _literal(by: Scalars, node: Node) -> Expr:
    if node.is_string:
        return literal(node.this, "category")
    if (whole := number_in(node)) is not None:
        return literal(whole, "integer")
    try:
        return literal(float(node.this), "real")
    except (ValueError, OverflowError):
        raise ExpressionUnfit("a number beyond 2^62") from None


def _binary(op: str) -> Callable[[Scalars, Node], Expr]:
    return lambda by, node: by.call(op, by.bind(node.this), by.bind(node.expression))


def _comparison(op: str) -> Callable[[Scalars, Node], Expr]:
    return lambda by, node: by.compared(op, by.bind(node.this), by.bind(node.expression), node)


def _function(op: str) -> Callable[[Scalars, Node], Expr]:
    return lambda by, node: by.call(op, by.bind(node.this))


def _listed(op: str) -> Callable[[Scalars, Node], Expr]:
    def made(by: Scalars, node: Node) -> Expr:
        args = [by.bind(one) for one in (node.this, *node.expressions)]
        if any(arg.type.kind == "date" for arg in args):
            args = [by.date(arg, node) if arg.type.kind == "category" else arg for arg in args]
        return by.call(op, *args)

    return made


def _connected(op: str) -> Callable[[Scalars, Node], Expr]:
    return lambda by, node: by.call(op, *(by.condition(part) for part in node.flatten()))


def _not(by: Scalars, node: Node) -> Expr:
    return by.call("not", by.condition(node.this))


def _is(by: Scalars, node: Node) -> Expr:
    found = by.bind(node.this)
    if isinstance(node.expression, exp.Null):
        return by.call("is_null", found)
    if not isinstance(node.expression, exp.Boolean):
        raise by.sql.unsupported(node, "IS takes NULL, TRUE or FALSE", "compare with =")
    asked = truth(found) if node.expression.this else by.call("not", found)
    return by.call("coalesce", asked, literal(False, "boolean"))


def _null_safe(equal: bool) -> Callable[[Scalars, Node], Expr]:
    def made(by: Scalars, node: Node) -> Expr:
        left, right = by.bind(node.this), by.bind(node.expression)
        same = by.call("coalesce", by.compared("=", left, right, node), literal(False, "boolean"))
        neither = by.call("and", by.call("is_null", left), by.call("is_null", right))
        found = by.call("or", neither, same)
        return found if equal else by.call("not", found)

    return made


def _between(by: Scalars, node: Node) -> Expr:
    given = by.bind(node.this)
    low = by.compared(">=", given, by.bind(node.args["low"]), node)
    return by.call("and", low, by.compared("<=", given, by.bind(node.args["high"]), node))


def _in(by: Scalars, node: Node) -> Expr:
    if node.args.get("query") is not None:
        raise by.sql.unsupported(
            node, "IN (SELECT ...) of figures", "of people it stands in WHERE, GROUP BY, and within aggregates"
        )
    given, listed = by.bind(node.this), [by.bind(one) for one in node.expressions]
    if not listed or len(listed) > _MOST_LISTED:
        raise by.sql.unsupported(node, f"a list of 1 to {_MOST_LISTED} values")
    if given.type.kind != "category" or not all(isinstance(one, Literal) for one in listed):
        parts = [by.compared("=", given, one, node) for one in listed]
        return parts[0] if len(parts) == 1 else by.call("or", *parts)
    chosen = tuple(dict.fromkeys(by.category(given, one, node) for one in listed if one is not NULL))
    found = by.call("in", given, values=chosen)
    return found if NULL not in listed else by.call("or", found, by.call("=", given, NULL))


def _like(by: Scalars, node: Node) -> Expr:
    escape, case = None, isinstance(node, exp.ILike)
    if isinstance(node, exp.Escape):
        escape, case = node.expression, isinstance(node.this, exp.ILike)
        node = node.this
    given, pattern = by.bind(node.this), node.expression
    if given.type.kind != "category" or not all(isinstance(value, str) for value in given.type.values):
        raise by.sql.unsupported(
            node, "LIKE is for columns of categories that are texts, so that no row's text is matched", "compare with ="
        )
    for one in (pattern, escape):
        if one is not None and not (isinstance(one, exp.Literal) and one.is_string):
            raise by.sql.unsupported(node, "LIKE takes a literal text", "write LIKE 'abc%'")
    chosen = like(given.type.values, pattern.this, None if escape is None else escape.this, ignores_case=case)
    found = by.call("in", given, values=chosen)
    return by.call("not", found) if node.args.get("negate") else found


def _case(by: Scalars, node: Node) -> Expr:
    given = None if node.this is None else by.bind(node.this)
    parts: list[Expr] = []
    for one in node.args["ifs"]:
        if given is None:
            parts.append(by.condition(one.this))
        else:
            parts.append(by.compared("=", given, by.bind(one.this), one))
        parts.append(by.bind(one.args["true"]))
    default = node.args.get("default")
    return by.call("case", *parts, NULL if default is None else by.bind(default))


def _if(by: Scalars, node: Node) -> Expr:
    otherwise = node.args.get("false")
    chosen = by.condition(node.this), by.bind(node.args["true"])
    return by.call("case", *chosen, NULL if otherwise is None else by.bind(otherwise))


def _nullif(by: Scalars, node: Node) -> Expr:
    left, right = by.as_dates(by.bind(node.this), by.bind(node.expression), node)
    return by.call("nullif", left, right)


def _round(by: Scalars, node: Node) -> Expr:
    given, digits = by.bind(node.this), node.args.get("decimals")
    if digits is None or given.type.kind == "integer":
        return by.call("round", given)
    places = number_in(digits)
    if places is None or places > _MOST_DIGITS:
        raise by.sql.unsupported(node, f"ROUND to a literal number of digits from 0 to {_MOST_DIGITS}")
    scale = literal(10**places, "integer")
    return by.call("/", by.call("round", by.call("*", given, scale)), scale)


def _column(by: Scalars, node: Node) -> Expr:
    raise by.sql.unsupported(node, "a column cannot stand here", "aggregate it, or group by it")


_How = tuple[Callable[[Scalars, Node], Expr], frozenset[str]]

_NODES: tuple[tuple[type, Callable[[Scalars, Node], Expr], str], ...] = (
    (exp.Literal, _literal, "this is_string"),
    (exp.Boolean, lambda by, node: literal(bool(node.this), "boolean"), "this"),
    (exp.Null, lambda by, node: NULL, ""),
    (exp.Paren, lambda by, node: by.bind(node.this), "this"),
    (exp.Column, _column, "this table db catalog"),
    (exp.Add, plus("+"), "this expression"),
    (exp.Sub, plus("-"), "this expression"),
    (exp.Mul, _binary("*"), "this expression"),
    (exp.Div, _binary("/"), "this expression"),
    (exp.IntDiv, _binary("//"), "this expression"),
    (exp.Mod, _binary("%"), "this expression"),
    (exp.Neg, _function("neg"), "this"),
    (exp.Abs, _function("abs"), "this"),
    (exp.Floor, _function("floor"), "this"),
    (exp.Ceil, _function("ceil"), "this"),
    (exp.Round, _round, "this decimals"),
    (exp.EQ, _comparison("="), "this expression"),
    (exp.NEQ, _comparison("<>"), "this expression"),
    (exp.LT, _comparison("<"), "this expression"),
    (exp.LTE, _comparison("<="), "this expression"),
    (exp.GT, _comparison(">"), "this expression"),
    (exp.GTE, _comparison(">="), "this expression"),
    (exp.NullSafeEQ, _null_safe(True), "this expression"),
    (exp.NullSafeNEQ, _null_safe(False), "this expression"),
    (exp.Is, _is, "this expression"),
    (exp.Between, _between, "this low high"),
    (exp.In, _in, "this expressions query"),
    (exp.Like, _like, "this expression negate"),
    (exp.ILike, _like, "this expression negate"),
    (exp.Escape, _like, "this expression"),
    (exp.And, _connected("and"), "this expression"),
    (exp.Or, _connected("or"), "this expression"),
    (exp.Not, _not, "this"),
    (exp.Case, _case, "this ifs default"),
    (exp.If, _if, "this true false"),
    (exp.Coalesce, _listed("coalesce"), "this expressions"),
    (exp.Greatest, _listed("greatest"), "this expressions"),
    (exp.Least, _listed("least"), "this expressions"),
    (exp.Nullif, _nullif, "this expression"),
    (exp.Extract, lambda by, node: part_of(by, node, str(node.this.this), node.expression), "this expression"),
    (exp.Year, lambda by, node: part_of(by, node, "year", node.this), "this"),
    (exp.Quarter, lambda by, node: part_of(by, node, "quarter", node.this), "this"),
    (exp.Month, lambda by, node: part_of(by, node, "month", node.this), "this"),
    (exp.Day, lambda by, node: part_of(by, node, "day", node.this), "this"),
    (exp.Anonymous, date_part, "this expressions"),
    (exp.Cast, cast, "this to"),
    (exp.Interval, interval, "this unit"),
    (exp.DateDiff, date_diff, "this expression unit"),
)
_HOW: Mapping[type, _How] = {kind: (made, frozenset(known.split())) for kind, made, known in _NODES}
