"""EXPLAIN: what each owner runs itself, what runs on shares, what is released with how much noise, what leaks. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from parties.data.expression_ranges import day_of
from parties.data.row_expression import Call, Column, Expr, Literal, columns_in
from parties.data.row_query import RowQuery
from parties.kinds.kind import Expected, Plan
from parties.sql.branches import is_membership, relation_of
from parties.sql.figures import Counted, Figure, People, Ranked, Summed
from parties.sql.plan import Details
from parties.sql.sharing import Part

__all__ = ["expected", "explain", "written"]

_SIGNS = frozenset({"+", "-", "*", "/", "//", "%", "=", "<>", "<", "<=", ">", ">="})
_NAMES = {"to_real": "DOUBLE", "to_integer": "INTEGER"}


def explain(plan: Plan) -> str:
    """Of a query's plan, for people, line by line. Says nothing but what is public."""
    details: Details = plan.details
    return "\n".join([*_owners(details), *_shares(details), *_released(plan, details), *_leaks(plan)])


def expected(plan: Plan) -> list[Expected]:
    """The figures with noise that the receiver makes its answer of. A quantile's error is that of its place. Pure."""
    details: Details = plan.details
    return [
        Expected(_figure(details, figure), None)
        if isinstance(figure, Ranked)
        else Expected.of(_figure(details, figure), events[0])
        for figure, events in zip(details.bound.figures, details.priced.events, strict=True)
    ]


def written(expr: Expr) -> str:
    """An expression as SQL has it."""
    if isinstance(expr, Column):
        return expr.name
    if isinstance(expr, Literal):
        return _literal(expr)
    args = [written(arg) for arg in expr.args]
    if expr.op in _SIGNS:
        return f"({args[0]} {expr.op} {args[1]})"
    if expr.op in ("and", "or"):
        return "(" + f" {expr.op.upper()} ".join(args) + ")"
    if expr.op == "case":
        pairs = zip(args[:-1:2], args[1:-1:2], strict=True)
        return "CASE " + " ".join(f"WHEN {c} THEN {v}" for c, v in pairs) + f" ELSE {args[-1]} END"
    if expr.op == "in":
        return f"{args[0]} IN ({', '.join(_quoted(value) for value in expr.values)})"
    if expr.op == "is_null":
        return f"{args[0]} IS NULL"
    if expr.op in ("not", "neg"):
        return f"NOT {args[0]}" if expr.op == "not" else f"-{args[0]}"
    return f"{_NAMES.get(expr.op, expr.op.upper())}({', '.join(args)})"


def _literal(expr: Literal) -> str:
    if expr.type.kind == "date":
        return f"DATE '{day_of(expr.value).isoformat()}'"
    return _quoted(expr.value)


def _quoted(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "NULL", True: "TRUE", False: "FALSE"}[value]
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)


# -- owners ------------------------------------------------------------------------------------


def _owners(details: Details) -> Iterator[str]:
    for part in details.shared.parts:
        table = details.tables[part.place]
        query = part.query
        yield f"{table.member} runs, on its own {table.facts.name}:"
        yield from _among(query)
        yield f"  rows of somebody{_where(query)}"
        yield f"  of each person {table.facts.rows_a_person} rows at most"
        if query.totals is not None:
            yield f"  one row a person{_totals(query)}"
            if query.having is not None:
                yield f"  of those the rows where {written(query.having)}"
        yield from _used(part.uses)
        yield f"  shares, of {table.facts.capacity} rows with fillers: {_inputs(part, query)}"
    places = {part.place for part in details.shared.parts}
    for place, uses in sorted(details.shared.beside.items()):
        if place not in places:
            table = details.tables[place]
            yield f"{table.member} looks at its own {table.facts.name}, of which nothing comes in:"
            yield from _used(uses)


def _among(query: RowQuery) -> Iterator[str]:
    """What is asked about a person in other tables of the owner; what that asks about in turn stands before it."""
    for one in query.among:
        yield from _among(one.query)
        people = f"{_where(one.query)}{'' if one.query.totals is None else f', by person{_totals(one.query)}'}"
        kept = "" if one.query.having is None else f", where {written(one.query.having)}"
        yield f"  {one.name}: whether the person is among those of its own {one.table}{people}{kept}"


def _used(uses: Mapping[str, frozenset[str]]) -> Iterator[str]:
    for name, found in sorted(uses.items()):
        yield f"  column {name}: {', '.join(sorted(found))}"


def _where(query: RowQuery) -> str:
    return "" if query.where is None else f" where {written(query.where)}"


def _totals(query: RowQuery) -> str:
    totals = [
        f"#{i} = {one.what.upper()}({'*' if one.of is None else written(one.of)})"
        for i, one in enumerate(query.totals or ())
    ]
    return f": {', '.join(totals)}" if totals else ""


def _inputs(part: Part, query: RowQuery) -> str:
    made = {output.name: written(output.of) for output in query.outputs}
    shown = {
        "value": "{}", "there": "whether {} is there", "code": "the group of {}", "place": "the place of {} on a grid",
        "key": "half a digest of {}",
    }  # fmt: skip
    found = [shown[one.kind].format(", ".join(made[name] for name, _ in one.outputs)) for one in part.inputs]
    return "; ".join(dict.fromkeys(found)) or "which rows there are"


# -- shares ------------------------------------------------------------------------------------


def _shares(details: Details) -> Iterator[str]:
    bound, shared = details.bound, details.shared
    yield "on shares:"
    if details.joining is not None:
        names = [_name(details, relation) for relation in details.joining.relations]
        yield f"  {' and '.join(names)} joined by the person, {details.joining.how}"
    elif len(shared.parts) > 1:
        yield f"  {len(shared.parts)} tables under one another"
    if shared.where is not None:
        yield f"  rows where {_named(details, shared.where)}"
    for group, expr in zip(bound.groups, shared.groups, strict=False):
        if not isinstance(expr, Column):
            yield f"  groups {_plainly(details, group)}"
    for made in shared.figures:
        if isinstance(made, Call):
            yield f"  {_named(details, made)}"
    yield f"  totals of {bound.size} group{'s' * (bound.size > 1)}, noise nobody knows"


def _name(details: Details, relation: int) -> str:
    part = next(one for one in details.shared.parts if one.relation == relation)
    table = details.tables[part.place]
    return f"{table.member}.{table.facts.name}"


def _named(details: Details, expr: Expr) -> str:
    """With the parts that come in as their owners compute them."""
    made: dict[str, Expr] = {}
    for part in details.shared.parts:
        outputs = {output.name: output.of for output in part.query.outputs}
        made |= {one.name: outputs[one.outputs[0][0]] for one in part.inputs if one.outputs}
    return written(_replaced(expr, made))


def _plainly(details: Details, expr: Expr) -> str:
    """With columns as the query names them."""
    relations, made = details.bound.source.relations, dict[str, Expr]()
    for column in columns_in(expr):
        i, name = relation_of(column.name)
        several = len(relations) > 1 and not is_membership(column.name)
        made[column.name] = Column(f"{relations[i].name}.{name}" if several else name, column.type)
    return written(_replaced(expr, made))


def _replaced(expr: Expr, made: dict[str, Expr]) -> Expr:
    if isinstance(expr, Column):
        return made.get(expr.name, expr)
    if isinstance(expr, Literal):
        return expr
    return Call(expr.op, tuple(_replaced(arg, made) for arg in expr.args), expr.type, expr.values)


# -- what leaves -------------------------------------------------------------------------------


def _released(plan: Plan, details: Details) -> Iterator[str]:
    bound, priced = details.bound, details.priced
    yield f"released, with noise, for epsilon {plan.epsilon:g} and delta {plan.delta:.3g}:"
    for figure, events in zip(bound.figures, priced.events, strict=True):
        event = events[0]
        kind = f"{len(events)} noised counts, each" if len(events) > 1 else "noise"
        step = f", to a grid of {float(figure.grid.step):g}" if isinstance(figure, Ranked) else ""
        yield f"  {_figure(details, figure)}: {kind} of standard deviation {event.standard_error:.4g}{step}"
    if priced.minimum is not None:
        yield f"  groups of a noised count below {priced.minimum} are hidden"
    if bound.groups:
        keys = ", ".join(_plainly(details, group) for group in bound.groups)
        yield f"  by {keys}: every group of the public list is told of"
    yield f"  the receiver makes of them: {', '.join(name for name, _ in bound.items)}{_after(details)}"


def _figure(details: Details, figure: Figure) -> str:
    if isinstance(figure, Counted):
        return "COUNT(*)" if figure.of is None else f"COUNT({_plainly(details, figure.of)})"
    if isinstance(figure, People):
        return "COUNT(DISTINCT person)"
    if isinstance(figure, Summed):
        return f"SUM({_plainly(details, figure.of)})"
    named = {"min": "MIN({})", "max": "MAX({})"}.get(figure.what, "QUANTILE({}, " + f"{float(figure.q):g})")
    return named.format(_plainly(details, figure.of))


def _after(details: Details) -> str:
    bound, found = details.bound, list[str]()
    if bound.having is not None:
        found.append("HAVING")
    if bound.order:
        found.append("ORDER BY")
    if bound.limit is not None or bound.offset:
        found.append("LIMIT")
    return f"; then {', '.join(found)}" if found else ""


def _leaks(plan: Plan) -> Sequence[str]:
    if not plan.leaks:
        return ["leaks: nothing"]
    spent = f", for epsilon {plan.spent[0]:g} and delta {plan.spent[1]:.3g} of those above" if plan.spent[0] else ""
    return [f"leaks, to {one}{spent}" for one in plan.leaks]
