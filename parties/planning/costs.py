"""What a job will take: seconds and megabytes, foretold from its plan. Pure.

What a program does follows from public sizes: rows of the tables as published, groups, figures, steps. For each kind of
job the time is taken to be a sum of such sizes, each times a factor; so are the bytes. The factors were fitted to jobs
that were run over real nodes on one machine (`python -m bench costs`), and are kept in cost_factors.json, with what
they were fitted to. Where nodes are farther apart than those were, a round trip is added for each
round, and for each exchange that nodes have around a job one after another.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parties.kinds.kind import Plan
from parties.sql.figures import Ranked
from parties.wire.quote_messages import Cost

__all__ = ["EXCHANGES", "FILE", "WHAT", "Costs", "foretold", "load_costs", "sizes_of"]

FILE = Path(__file__).with_name("cost_factors.json")

EXCHANGES = 7
"""Round trips around a job, one after another, from its call to its answer."""

_FITTED = 1e-4  # seconds of a round trip that are in the factors

WHAT = ("seconds", "bytes", "rounds")
"""What is foretold; bytes are those of one compute member, as it sends."""


@dataclass(frozen=True)
class Costs:
    """Attributes:
    factors: by kind, by what of WHAT, by the name of a size.
    held: seconds every round is held back, for measuring.
    round_trip: gives seconds of a round trip between the nodes, as they measure it.
    """

    factors: Mapping[str, Mapping[str, Mapping[str, float]]]
    held: float = 0.0
    round_trip: Callable[[], float] = lambda: 0.0

    def cost(self, plan: Plan, computing: int) -> Cost:
        """Of a job between so many compute members; 0 of a kind that was not fitted."""
        sizes, factors = sizes_of(plan), self.factors.get(plan.kind, {})
        found = {what: foretold(factors.get(what, {}), sizes) for what in WHAT}
        away, rounds = self.round_trip(), found["rounds"]
        far = max(0.0, away - _FITTED)
        seconds = found["seconds"] + self.held * rounds + far * (rounds + EXCHANGES)
        return Cost(seconds=seconds, megabytes=computing * found["bytes"] / 1e6, rounds=rounds, round_trip=away)


def foretold(factors: Mapping[str, float], sizes: Mapping[str, float]) -> float:
    """The sum of sizes times factors, by name."""
    return math.fsum(factor * sizes.get(name, 0.0) for name, factor in factors.items())


def load_costs(held: float = 0.0, round_trip: Callable[[], float] = lambda: 0.0) -> Costs:
    """With the factors that are kept."""
    return Costs(json.loads(FILE.read_text(encoding="ascii"))["factors"], held, round_trip)


def sizes_of(plan: Plan) -> dict[str, float]:
    """The sizes that decide what a plan of its kind takes, by name; "one" is 1."""
    return {"one": 1.0, **_SIZES[plan.kind](plan)} if plan.kind in _SIZES else {"one": 1.0}


def _table_rows(plan: Plan) -> float:
    return float(sum(shape.rows for shape in plan.shapes))


def _words(plan: Plan) -> float:
    return float(sum(shape.rows * len(shape.columns) for shape in plan.shapes))


def _noised(plan: Plan) -> float:
    return float(sum(math.prod(slot.shape) for answer in plan.answers for slot in answer.slots))


def _aggregate(plan: Plan) -> dict[str, float]:
    figures = plan.details.figures
    grouped = len(figures.groups) if figures.by is not None else 0
    rows = _table_rows(plan)
    return {
        "words": _words(plan),
        "grouped rows": rows if grouped else 0.0,
        "rows by root of groups": rows * math.sqrt(grouped),
        "sums by root of groups": rows * math.sqrt(grouped) * len(figures.columns),
        "noised": _noised(plan),
    }


def _joined(sources: Any, figures: int, groups: int) -> dict[str, float]:
    rows = [float(source.rows) for source in sources]
    first, others = rows[0], math.fsum(rows[1:])
    return {
        "rows": first + others,
        "columns": math.fsum(source.rows * len(source.columns) for source in sources),
        "tables": float(len(rows)),
        "rows by root of groups": first * _root(groups),
        "sums": first * figures,
    }


def _join(plan: Plan) -> dict[str, float]:
    figures = plan.details.figures
    padded = plan.details.pad is not None
    return {
        **_joined(plan.details.sources, len(figures.columns), len(figures.groups)),
        "padded": float(padded),
        "noised": _noised(plan),
    }


def _query(plan: Plan) -> dict[str, float]:
    details = plan.details
    size, figures = details.bound.size, len(details.bound.figures)
    steps = math.fsum(figure.grid.steps for figure in details.bound.figures if isinstance(figure, Ranked))
    if details.joining is not None:
        joining = details.joining
        return {
            **{f"join: {name}": x for name, x in _joined(joining.sources, figures, size).items()},
            "join: one": 1.0,
            "join: padded": float(joining.pad is not None),
            "noised": _noised(plan),
            "searched": steps * joining.sources[0].rows,
            "searched by root of groups": steps * joining.sources[0].rows * _root(size),
            "steps": steps,
        }
    rows, root = _table_rows(plan), _root(size)
    return {
        "words": _words(plan),
        "grouped rows": rows if root else 0.0,
        "rows by root of groups": rows * root,
        "sums by root of groups": rows * root * figures,
        "noised": _noised(plan),
        "searched": steps * rows,
        "searched by root of groups": steps * rows * root,
        "steps": steps,
    }


def _root(groups: int) -> float:
    """0 where there are no groups."""
    return math.sqrt(groups) if groups > 1 else 0.0


def _score(plan: Plan) -> dict[str, float]:
    facts, answer = plan.details.facts, plan.details.answer
    if facts.family != "trees":  # a product; then a comparison, or a sigmoid
        return {
            "linear: one": 1.0,
            "linear: words": _words(plan),
            "linear: compared": _table_rows(plan) if answer == "predict" else 0.0,
            "linear: probabilities": _table_rows(plan) if answer == "predict_proba" else 0.0,
        }
    rows, nodes = _table_rows(plan), float(facts.trees * 2**facts.depth)
    return {
        "words": _words(plan),
        "rows by trees": rows * facts.trees,
        "rows by nodes": rows * nodes,
        "rows by leaves by outputs": rows * nodes * facts.outputs,
        "depth": float(facts.depth),
        "rows by outputs": rows * facts.outputs,
    }


def _train(plan: Plan) -> dict[str, float]:
    details = plan.details
    descent = details.model().plan(int(_table_rows(plan)), len(details.features))
    steps, batch, columns = descent.steps, descent.how.batch, descent.columns
    return {
        "words": _words(plan),
        "steps": float(steps),
        "stepped rows": float(steps * batch),
        "stepped words": float(steps * batch * columns),
        "noised": float(steps * columns),
    }


_SIZES: Mapping[str, Callable[[Plan], dict[str, float]]] = {
    "aggregate": _aggregate,
    "join": _join,
    "query": _query,
    "score": _score,
    "train": _train,
}
