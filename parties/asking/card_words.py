"""What a plan card says in words, for the terminal and for notebooks alike. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from parties.wire.quote_messages import Clause, Figure, ModelView, PlanCard, TableView

__all__ = [
    "amount",
    "asks",
    "columns",
    "cost",
    "errors",
    "figure",
    "lefts",
    "objections",
    "passed",
    "question",
    "verdict",
]

_VERDICTS = {
    "allowed": "every owner's policy allows it",
    "ask": 'it waits until a person approves it; with on_loss="wait" over restarts of nodes too',
    "denied": "it would be refused",
}

_FAR = 0.001  # seconds of a round trip that are worth a word


def verdict(card: PlanCard) -> str:
    """Of all owners, in words."""
    return _VERDICTS[card.verdict]


def asks(card: PlanCard) -> str:
    """Who asks, what for, and who receives the answer."""
    purpose = f" for {card.purpose}" if card.purpose else ""
    return f"asked by {card.by}{purpose}; the answer goes to {', '.join(card.results)}"


def question(card: PlanCard) -> list[str]:
    """What is asked, line by line: the SQL, or else the parameters."""
    sql = card.parameters.get("sql")
    if isinstance(sql, str):
        return sql.strip().splitlines()
    return [f"{name}: {value}" for name, value in card.parameters.items()]


def amount(x: float) -> str:
    """A number for people: four digits."""
    return f"{x:,.4g}" if abs(x) < 1e4 else f"{x:,.0f}"


def cost(card: PlanCard) -> str:
    """Seconds and megabytes, where they are foretold."""
    if not card.cost.seconds:
        return "how long it takes is not foretold for such jobs"
    said = f"about {card.cost.seconds:.2g} s, and {card.cost.megabytes:.2g} MB between the compute members"
    if card.cost.round_trip < _FAR:
        return said
    return f"{said}; {card.cost.rounds:.0f} rounds of {1000 * card.cost.round_trip:.2g} ms are in it"


def figure(one: Figure) -> str:
    """How far off a figure is, by its noise."""
    if one.error is None:
        return "not known before: it depends on the rows"
    return f"± {amount(one.error)}" + (" / number of rows" if one.by_rows else "")


def errors(card: PlanCard) -> str:
    """What the errors are, and which groups are shown."""
    said = [f"standard deviation of the noise, of each of {card.groups} groups" if card.groups > 1 else
            "standard deviation of the noise"]  # fmt: skip
    if card.minimum is not None and card.minimum > 1:
        said.append(f"groups below {card.minimum} rows, by their noised count, are not shown")
    return "; ".join(said)


def columns(table: TableView) -> Iterator[tuple[str, str]]:
    """(column, what it is used for)."""
    if table.counts:
        yield "(rows or people)", "count"
    for name, uses in table.columns.items():
        yield name, ", ".join(uses)


def objections(table: TableView | ModelView) -> list[Clause]:
    """Clauses that deny, then those that want a person."""
    rank = {"denied": 0, "ask": 1}
    return sorted((one for one in table.clauses if one.verdict in rank), key=lambda one: rank[one.verdict])


def passed(table: TableView | ModelView) -> str:
    """Which clauses allow it, and how often each was asked."""
    counted = Counter(one.clause for one in table.clauses if one.verdict == "allowed")
    return ", ".join(name if n == 1 else f"{name} ({n})" for name, n in counted.items())


def lefts(table: TableView) -> Iterator[tuple[str, str]]:
    """(what is limited, what is left of it after the job)."""
    left = table.left
    if left is None:
        return
    for name, rest in (
        ("this analyst", left.analyst), (f"{left.days} days", left.period), ("ever", left.ever)
    ):  # fmt: skip
        yield name, "no limit" if rest is None else f"{amount(rest)} at delta {left.delta:g}"
