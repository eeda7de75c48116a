"""Dates, intervals and casts in expressions of SQL. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlglot import exp

from parties.data.row_expression import Expr, literal
from parties.sql.text import Node

if TYPE_CHECKING:
    from parties.sql.scalar import Scalars

__all__ = ["CLOSED", "cast", "date_diff", "date_part", "interval", "part_of", "plus"]

_CASTS = {
    "DATE": "date", "BOOLEAN": "boolean", "DOUBLE": "real", "FLOAT": "real", "REAL": "real", "DECIMAL": "real",
    "TINYINT": "integer", "SMALLINT": "integer", "INT": "integer", "BIGINT": "integer",
}  # fmt: skip
CLOSED = (
    "there are arithmetic, comparisons, BETWEEN, IN, LIKE, IS NULL, CASE, IF, COALESCE, NULLIF, ABS, ROUND, FLOOR, "
    "CEIL, GREATEST, LEAST, CAST, EXTRACT"
)


def part_of(by: Scalars, node: Node, unit: str, of: Node) -> Expr:
    """The year, quarter, month or day of a date."""
    if unit.lower() not in ("year", "quarter", "month", "day"):
        raise by.sql.unsupported(node, f"{unit} of a date", "there are year, quarter, month and day")
    return by.call(unit.lower(), by.bind(of))


def date_part(by: Scalars, node: Node) -> Expr:
    """DATE_PART('year', d); any other function that the parser does not know is refused."""
    named, args = str(node.this).lower(), node.expressions
    if named == "date_part" and len(args) == 2 and isinstance(args[0], exp.Literal):
        return part_of(by, node, args[0].this, args[1])
    raise by.sql.unsupported(node, f"there is no function {str(node.this)[:40]}", CLOSED)


def cast(by: Scalars, node: Node) -> Expr:
    """CAST to DOUBLE, INTEGER and DATE, where nothing is lost."""
    to = _CASTS.get(node.args["to"].this.name if hasattr(node.args["to"].this, "name") else "")
    given = by.bind(node.this)
    kind = given.type.kind
    if kind == to or kind == "null":
        return given
    if to == "date" and kind == "category":
        return by.date(given, node)
    if (to, kind) == ("real", "integer"):
        return by.call("to_real", given)
    if (to, kind) == ("real", "boolean"):
        return by.call("to_real", by.call("to_integer", given))
    if (to, kind) == ("integer", "boolean"):
        return by.call("to_integer", given)
    way = (
        "ROUND or FLOOR makes integers of reals" if to == "integer" else "numbers and booleans become DOUBLE or INTEGER"
    )
    raise by.sql.unsupported(node, f"a cast of a value of kind {kind}", way)


def plus(op: str) -> Callable[[Scalars, Node], Expr]:
    """A sum or a difference; an interval only beside a date."""

    def made(by: Scalars, node: Node) -> Expr:
        sides = by.bind(node.this), by.bind(node.expression)
        if any(isinstance(one, exp.Interval) for one in (node.this, node.expression)) and "date" not in {
            side.type.kind for side in sides
        }:
            raise by.sql.unsupported(node, "an INTERVAL goes with a date")
        return by.call(op, *sides)

    return made


def interval(by: Scalars, node: Node) -> Expr:
    """So many days: beside a date only, see plus."""
    unit, text = str(node.args.get("unit") or "").upper(), node.this
    count = text.this if isinstance(text, exp.Literal) else ""
    days = {"DAY": 1, "DAYS": 1, "WEEK": 7, "WEEKS": 7}.get(unit)
    if days is None or not (count.isascii() and count.isdigit()) or len(count) > 6:
        raise by.sql.unsupported(node, "an INTERVAL is a whole number of days or weeks", "add a number of days")
    if not isinstance(node.parent, (exp.Add, exp.Sub)):
        raise by.sql.unsupported(node, "an INTERVAL goes with a date")
    return literal(int(count) * days, "integer")


def date_diff(by: Scalars, node: Node) -> Expr:
    """DATE_DIFF('day', a, b): the days from a to b."""
    if str(node.args.get("unit") or "").upper() != "DAY":
        raise by.sql.unsupported(node, "a difference of dates is in days", "DATE_DIFF('day', a, b)")
    left, right = by.bind(node.this), by.bind(node.expression)
    if {left.type.kind, right.type.kind} - {"date"}:
        raise by.sql.unsupported(node, "DATE_DIFF is of two dates")
    return by.call("-", left, right)
