"""Random jobs of all kinds on three members' tables, with what each needs of which column, said as it is written.

What a job needs is noted where its text is made, by what an owner's policy promises about a place in it: what stands in
SUM is summed up, what is asked about is filtered by, and so on. Nothing here looks at plans, or at parties/sql.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from parties.data.published import PublishedTable
from tests.parties.sql.query_tables import published

__all__ = ["CATALOGUE", "Asking", "random_job"]

CATALOGUE: Mapping[tuple[str, str], PublishedTable] = {
    (who, name): published(name, Path("nowhere"), who)
    for who, name in (
        ("alfa", "stays"), ("bravo", "stays"), ("charlie", "stays"), ("alfa", "visits"), ("bravo", "visits"),
        ("bravo", "people"), ("charlie", "sales"),
    )
}  # fmt: skip

Place = tuple[str, str]  # (column, capability); the table as a whole is column ""
Use = Callable[[str], set[tuple[tuple[str, str], Place]]]
"""What a name in a query needs in a place of a kind: of which tables, which columns for what."""


@dataclass
class Asking:
    """A job to be, and what it needs.

    Attributes:
        kind, parameters, tables: as of a Job.
        needs: of each table.
        epsilon, delta, minimum: as they are asked for; minimum None: no figures.
        model, opens: of a model, in policy's words.
        exact: whether members learn on the way exactly how many match.
    """

    kind: str
    parameters: dict[str, Any]
    tables: tuple[tuple[str, str], ...]
    needs: dict[tuple[str, str], set[Place]] = field(default_factory=dict)
    epsilon: float = 0.0
    delta: float = 0.0
    minimum: int | None = None
    model: str | None = None
    opens: frozenset[str] = frozenset()
    exact: bool = False


def random_job(draw: random.Random) -> Asking:
    """One of any kind; most are queries."""
    made = draw.choice((_query,) * 6 + (_aggregate, _join, _score, _train))(draw)
    for table in made.tables:
        made.needs.setdefault(table, set())
    return made


# -- SQL -----------------------------------------------------------------------------------------


class _Sql:
    """Texts over named columns; what they need is noted."""

    def __init__(self, draw: random.Random, tables: list[tuple[str, str]]) -> None:
        self.draw = draw
        self.tables = tables
        self.numbers: dict[str, Use] = {}
        self.groups: dict[str, tuple[Use, str]] = {}  # with one of its values
        self.flags: dict[str, Use] = {}
        self.needs: set[tuple[tuple[str, str], Place]] = set()

    def known(self, names: Mapping[str, str], at: list[tuple[str, str]], before: str = "") -> None:
        """Columns of tables by their kind: "number", "flag", or a category's value."""
        for name, kind in names.items():
            use: Use = lambda place, name=name: {(table, (name, place)) for table in at}  # noqa: E731
            if kind == "number":
                self.numbers[before + name] = use
            elif kind == "flag":
                self.flags[before + name] = use
            else:
                self.groups[before + name] = (use, kind)

    def counted(self) -> None:
        self.needs |= {(table, ("", "count")) for table in self.tables}

    def number(self, place: str) -> str:
        name = self.draw.choice(list(self.numbers))
        self.needs |= self.numbers[name](place)
        return name

    def condition(self, depth: int = 0) -> str:
        draw = self.draw
        match draw.randrange(10 if depth < 2 else 7):
            case 0 if self.groups:
                name, (use, value) = draw.choice(list(self.groups.items()))
                self.needs |= use("filter")
                like = f"LIKE '{value[:1]}%'"
                return f"{name} {draw.choice((f'= {value!r}', f'IN ({value!r})', like, 'IS NOT NULL'))}"
            case 1 if self.flags:
                name = draw.choice(list(self.flags))
                self.needs |= self.flags[name]("filter")
                return name
            case 2:
                return f"{self.number('filter')} BETWEEN 1 AND {draw.randrange(2, 60)}"
            case 3:
                return f"{self.number('filter')} + {self.number('filter')} > {draw.randrange(9)}"
            case 4:
                return f"{self.number('filter')} IS NULL"
            case 5:
                return f"CASE WHEN {self.number('filter')} > 2 THEN {self.number('filter')} ELSE 1 END > 3"
            case 7:
                return f"NOT ({self.condition(depth + 1)})"
            case 8 | 9:
                joined = draw.choice(("AND", "OR"))
                return f"({self.condition(depth + 1)} {joined} {self.condition(depth + 1)})"
            case _:
                return f"{self.number('filter')} {draw.choice(('<', '>=', '<>'))} {draw.randrange(1, 60)}"

    def value(self) -> str:
        """What is summed up."""
        draw = self.draw
        match draw.randrange(10):
            case 0:
                return f"{self.number('sum')} + {self.number('sum')}"
            case 1:
                return f"{self.number('sum')} * 2"
            case 2:
                return f"CASE WHEN {self.condition(1)} THEN {self.number('sum')} ELSE {self.number('sum')} END"
            case 3:
                return f"COALESCE({self.number('sum')}, {self.number('sum')})"
            case 4:
                return f"NULLIF({self.number('sum')}, {self.number('filter')})"
            case 5:
                return f"GREATEST({self.number('sum')}, {self.number('sum')})"
            case 6:
                self.counted()
                return f"CASE WHEN {self.condition(1)} THEN 1 ELSE 0 END"
            case 7:
                self.counted()
                return f"{self.number('sum')} + 1"
            case _:
                return self.number("sum")

    def figure(self) -> str:
        draw, kind = self.draw, self.draw.randrange(8)
        if kind in (1, 2, 3, 4, 5):
            self.counted()
        match kind:
            case 1:
                return f"AVG({self.value()})"
            case 2:
                return "COUNT(*)"
            case 3:
                name = draw.choice(list(self.numbers))
                if name.split(".")[-1] not in _NEVER_MISSING:
                    self.needs |= self.numbers[name]("filter")
                return f"COUNT({name})"
            case 4:
                return f"{draw.choice(('MIN', 'MAX', 'MEDIAN'))}({self.number('sum')})"
            case 5:
                return f"VAR_POP({self.number('sum')})"
            case 6:
                return f"SUM({self.value()}) FILTER (WHERE {self.condition(1)})"
            case _:
                return f"SUM({self.value()})"

    def key(self) -> str:
        if self.groups and self.draw.random() < 0.6:
            name, (use, _) = self.draw.choice(list(self.groups.items()))
            self.needs |= use("group")
            return name
        return f"CASE WHEN {self.condition(1)} THEN 'a' ELSE 'b' END"


_STAYS = {"age": "number", "cost": "number", "score": "number", "died": "flag", "ward": "north"}
_VISITS = {"minutes": "number", "price": "number", "reason": "fever"}
_NEVER_MISSING = {"score", "price", "rate", "n", "p"}
"""By what is published something stands in for them: COUNT of one is COUNT(*), and looks at no column."""
_PEOPLE = {"income": "number", "rate": "number", "level": "low"}


def _query(draw: random.Random) -> Asking:
    sql, source, where = draw.choice((_one_table, _one_table, _union, _derived, _by_person, _joined))(draw)
    items = [sql.figure() for _ in range(draw.randrange(1, 4))]
    group = sql.key() if draw.random() < 0.4 else ""
    text = f"SELECT {', '.join(([group] if group else []) + items)} FROM {source}"
    kept = [*where, *([sql.condition()] if draw.random() < 0.5 else [])]
    text += f" WHERE {' AND '.join(kept)}" if kept else ""
    text += f" GROUP BY {group}" if group else ""
    if group and not items:
        sql.counted()
    text += f" HAVING {sql.figure()} > 3" if draw.random() < 0.25 else ""
    text += f" ORDER BY {sql.figure()}" if draw.random() < 0.25 else ""
    epsilon, delta, minimum = draw.choice((0.5, 1.0, 2.0, 64.0)), 0.0, draw.choice((None, None, 5, 50))
    parameters: dict[str, Any] = {"sql": text, "epsilon": epsilon}
    if minimum is not None:
        parameters["minimum"] = minimum
        sql.counted()
    exact = " JOIN " in source and _shown(draw, parameters)
    if " JOIN " in source and not exact:
        epsilon, delta = epsilon + 0.5, 1e-6
    needs: dict[tuple[str, str], set[Place]] = {}
    for table, place in sql.needs:
        needs.setdefault(table, set()).add(place)
    return Asking("query", parameters, tuple(sql.tables), needs, epsilon, delta, minimum or 1, exact=exact)


def _shown(draw: random.Random, parameters: dict[str, Any]) -> bool:
    """Whether a join shows how many match; else it hides them, for epsilon 0.5 and delta 1e-6 more."""
    shown = draw.random() < 0.3
    parameters.update({"show_matches": True} if shown else {"pad": {"epsilon": 0.5, "delta": 1e-6}})
    return shown


def _one_table(draw: random.Random) -> tuple[_Sql, str, list[str]]:
    (table, columns) = draw.choice(((("alfa", "stays"), _STAYS), (("bravo", "visits"), _VISITS)))
    sql = _Sql(draw, [table])
    sql.known(columns, [table])
    return sql, ".".join(table), []


def _union(draw: random.Random) -> tuple[_Sql, str, list[str]]:
    tables = [pair for pair in CATALOGUE if pair[1] == "stays"]
    sql = _Sql(draw, tables)
    sql.known(_STAYS, tables)
    return sql, "stays", []


def _derived(draw: random.Random) -> tuple[_Sql, str, list[str]]:
    """Other columns of the same rows; what is asked about a computed column is asked about all in it."""
    table = ("alfa", "stays")
    inner = _Sql(draw, [table])
    inner.known(_STAYS, [table])
    condition = inner.condition()
    sql = _Sql(draw, [table])
    sql.needs |= inner.needs
    sql.numbers = {
        "x": lambda place: {(table, ("age", place))},
        "y": lambda place: {(table, ("cost", place)), (table, ("score", place))},
        "z": lambda place: {(table, ("died", "filter")), (table, ("score", place))},
    }
    sql.groups = {"w": (lambda place: {(table, ("ward", place))}, "north")}
    inside = "age * 2 AS x, cost - score AS y, CASE WHEN died THEN score END AS z, ward AS w"
    return sql, f"(SELECT {inside} FROM alfa.stays WHERE {condition}) t", []


def _by_person(draw: random.Random) -> tuple[_Sql, str, list[str]]:
    """One row a person: what is taken together for that is summed up, and who is who is counted by."""
    table = ("bravo", "visits")
    inner = _Sql(draw, [table])
    inner.known(_VISITS, [table])
    condition = inner.condition()
    sql = _Sql(draw, [table])
    sql.needs |= {*inner.needs, (table, ("person", "count"))}
    sql.numbers = {
        "s": lambda place: {(table, ("minutes", "sum")), (table, ("minutes", place))},
        "p": lambda place: {(table, ("price", "sum")), (table, ("price", place))},
        "n": lambda place: {(table, ("", "count"))} if place == "sum" else set(),
    }
    inside = "person, SUM(minutes) AS s, MAX(price) AS p, COUNT(*) AS n"
    having = draw.choice(("", " HAVING COUNT(*) > 1", " HAVING MIN(price) > 1"))
    if "price" in having:
        sql.needs |= {(table, ("price", "sum")), (table, ("price", "filter"))}
    return sql, f"(SELECT {inside} FROM bravo.visits WHERE {condition} GROUP BY person{having}) t", []


def _joined(draw: random.Random) -> tuple[_Sql, str, list[str]]:
    tables = [("alfa", "stays"), ("bravo", "people")]
    sql = _Sql(draw, tables)
    sql.known(_STAYS, tables[:1], "s.")
    sql.known(_PEOPLE, tables[1:], "p.")
    sql.needs |= {(table, ("person", "join")) for table in tables}
    return sql, "alfa.stays s JOIN bravo.people p USING (person)", []


# -- other kinds ---------------------------------------------------------------------------------


def _filter(draw: random.Random, needs: set[Place]) -> dict[str, Any]:
    if draw.random() < 0.5:
        return {}
    needs.add(("score", "filter"))
    return {"where": {"column": "score", "is": ">", "value": 3}}


def _figures(draw: random.Random, needs: set[Place], columns: tuple[str, ...], by: str) -> dict[str, Any]:
    figures: list[Any] = []
    for column in draw.sample(columns, draw.randrange(0, 3)):
        what = draw.choice(("sum", "mean"))
        figures.append({what: column})
        needs |= {(column, "sum"), *({("", "count")} if what == "mean" else set())}
    if not figures or draw.random() < 0.4:
        figures.append("count")
        needs.add(("", "count"))
    parameters: dict[str, Any] = {"figures": figures, "epsilon": draw.choice((0.5, 1.0, 2.0))}
    if draw.random() < 0.4:
        parameters["by"] = by
        needs.add((by, "group"))
    if draw.random() < 0.5:
        parameters["minimum"] = draw.choice((5, 50))
        needs.add(("", "count"))
    return parameters


def _aggregate(draw: random.Random) -> Asking:
    tables = tuple(draw.sample([pair for pair in CATALOGUE if pair[1] == "stays"][:2], draw.randrange(1, 3)))
    needs: set[Place] = set()
    parameters = {**_figures(draw, needs, ("age", "cost", "score"), "ward"), **_filter(draw, needs)}
    all_needs = {table: set(needs) for table in tables}
    return Asking("aggregate", parameters, tables, all_needs, parameters["epsilon"], 0.0, parameters.get("minimum", 1))


def _join(draw: random.Random) -> Asking:
    tables, needs = (("alfa", "stays"), ("bravo", "people")), set[Place]()
    parameters = _figures(draw, needs, ("age", "income", "rate"), draw.choice(("ward", "level")))
    exact = _shown(draw, parameters)
    all_needs: dict[tuple[str, str], set[Place]] = {}
    for table in tables:
        own = {(c, use) for c, use in needs if c == "" or c in CATALOGUE[table].columns}
        all_needs[table] = {*own, ("person", "join")}
    epsilon, delta = (parameters["epsilon"], 0.0) if exact else (parameters["epsilon"] + 0.5, 1e-6)
    return Asking("join", parameters, tables, all_needs, epsilon, delta, parameters.get("minimum", 1), exact=exact)


def _score(draw: random.Random) -> Asking:
    needs: set[Place] = {("age", "predict"), ("score", "predict")}
    size = {"depth": 2, "trees": 3, "outputs": 1, "link": "sigmoid"}
    model = {"owner": "bravo", "name": "risk", "version": 1, "id": "0" * 64, "family": "trees", **size}
    answer = draw.choice(("predict", "predict", "predict_proba"))
    parameters = {"model": model, "features": ["age", "score"], "answer": answer, **_filter(draw, needs)}
    return Asking("score", parameters, (("alfa", "stays"),), {("alfa", "stays"): needs}, model="trees")


def _train(draw: random.Random) -> Asking:
    tables = tuple(draw.sample([("alfa", "stays"), ("bravo", "stays")], draw.randrange(1, 3)))
    needs: set[Place] = {("age", "train"), ("cost", "train"), ("died", "train")}
    parameters = {"features": ["age", "cost"], "label": "died", "epsilon": 2.0, "delta": 1e-6, **_filter(draw, needs)}
    all_needs = {table: set(needs) for table in tables}
    opens = frozenset({"coefficients"})
    return Asking("train", parameters, tables, all_needs, 1.9, 0.9e-6, None, "logistic", opens)
