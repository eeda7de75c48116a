"""What the analyst of the consortium asks, and the same in the open: the truth, which a demonstration alone has."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from examples.consortium_tables import TABLE, Study, cut
from parties.client import Client
from parties.models.fitted import FittedLogistic
from parties.wire.people_messages import JobProgress

__all__ = ["Answer", "Fitted", "Question", "ask", "fitted", "most_epsilon", "questions", "tables_of", "truth"]

SHARES = {"totals": 0.05, "means": 0.15, "groups": 0.2, "among": 0.1, "model": 0.5}
"""How the epsilon of all is split over the questions."""
DELTA = 1e-6


@dataclass(frozen=True)
class Question:
    """One job: for a Client, and for the command line.

    Attributes:
        name: one of SHARES.
        title: for people.
    """

    name: str
    title: str
    kind: str
    parameters: Mapping[str, Any]
    tables: tuple[str, ...]

    @property
    def command(self) -> str:
        """The same with ``accord``."""
        tables = [word for table in self.tables for word in ("--table", table)]
        return shlex.join(["accord", "ask", self.kind, *tables, "--parameters", json.dumps(self.parameters)])


@dataclass(frozen=True)
class Answer:
    """What came back. ``seconds``: from asking to having it. ``rounds``, ``sent``: of the computation; bytes."""

    result: Any
    seconds: float
    rounds: int
    sent: int


@dataclass(frozen=True)
class Fitted:
    """A model on rows whose outcome is known.

    Attributes:
        coefficients: (d,), of rows as FittedLogistic.prepare makes them, by ``terms``.
        auc: area under the curve.
        curve: (false positive rates, true positive rates).
    """

    terms: tuple[str, ...]
    coefficients: npt.NDArray[np.float64]
    auc: float
    curve: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]


def most_epsilon(epsilon: float) -> float:
    """What a hospital has to allow one job."""
    return epsilon * max(SHARES.values())


def tables_of(members: Sequence[str]) -> tuple[str, ...]:
    """All members' tables, as questions name them."""
    return tuple(f"{member}.{TABLE}" for member in members)


def questions(study: Study, members: Sequence[str], epsilon: float) -> list[Question]:
    """All of them, which cost ``epsilon`` together."""
    column, least = study.among
    spent = {name: round(share * epsilon, 6) for name, share in SHARES.items()}
    older = {"column": column, "is": ">=", "value": least}
    outcome, group = study.label(study.outcome), study.label(study.group)
    asked: list[tuple[str, str, str, dict[str, Any]]] = [
        ("totals", f"How many patients are there, and of how many is it true: {outcome}?", "aggregate",
         {"figures": ["count", {"sum": study.outcome}]}),
        ("means", "What is the mean of what was measured?", "aggregate",
         {"figures": [{"mean": name} for name in study.measures]}),
        ("groups", f"How many are there of each {group}, and which share {outcome}?", "aggregate",
         {"figures": ["count", {"mean": study.outcome}], "by": study.group, "minimum": study.minimum}),
        ("among", f"How many of each {group}, of those with {study.label(column)} from {least:g}?", "aggregate",
         {"figures": ["count"], "by": study.group, "where": older, "minimum": study.minimum}),
        ("model", f"How does it depend on what was measured: {outcome}?", "train",
         {"features": list(study.features), "label": study.outcome, "delta": DELTA}),
    ]  # fmt: skip
    tables = tables_of(members)
    return [
        Question(name, title, kind, {**parameters, "epsilon": spent[name]}, tables)
        for name, title, kind, parameters in asked
    ]


def ask(client: Client, question: Question, tell: Callable[[str], None]) -> Answer:
    """Ask and wait. ``tell`` is called with what the nodes do, whenever it is something else. Raises as Client does."""
    last, begun = JobProgress(state="PROPOSED"), time.perf_counter()

    def progress(line: JobProgress) -> None:
        nonlocal last
        if line.operation and line.operation != last.operation:
            tell(line.operation)
        last = line

    result = client.submit(question.kind, question.parameters, question.tables).result(progress=progress)
    return Answer(result, time.perf_counter() - begun, last.rounds, last.sent)


# -- in the open -------------------------------------------------------------------------------


def truth(study: Study) -> dict[str, pd.DataFrame]:
    """Answers to all questions but the model's, from everybody's rows cut alike, without noise; indexed alike."""
    rows = cut(study, study.data.columns)
    outcome, group = study.outcome, study.group
    column, least = study.among
    names = pd.Index(study.column(group).categories, name=group)
    whole, of = rows.groupby(group), rows[rows[column] >= least].groupby(group)
    return {
        "totals": pd.DataFrame({"count": [len(rows)], f"sum({outcome})": [rows[outcome].sum()]}),
        "means": pd.DataFrame({f"mean({name})": [rows[name].mean()] for name in study.measures}),
        "groups": pd.DataFrame({"count": whole.size(), f"mean({outcome})": whole[outcome].mean()}).reindex(names),
        "among": pd.DataFrame({"count": of.size()}).reindex(names).fillna(0),
    }


def fitted(study: Study, model: FittedLogistic) -> tuple[Fitted, Fitted]:
    """The released model on all rows, and scikit-learn's, which is fitted to them in the open."""
    from sklearn.linear_model import LogisticRegression

    rows = cut(study, study.data.columns)
    X, y = model.prepare(rows), rows[study.outcome].to_numpy()
    free = LogisticRegression(C=1e6, max_iter=1000).fit(X, y)
    found = []
    for coefficients, decision in ((model.coef_[0], model.decision_function(rows)), (free.coef_[0], X @ free.coef_[0])):
        found.append(Fitted(model.terms_, np.asarray(coefficients), *_curve(y, decision)))
    return found[0], found[1]


def _curve(y: npt.NDArray[np.bool_], decision: npt.NDArray[np.float64]) -> tuple[float, Any]:
    from sklearn.metrics import roc_auc_score, roc_curve

    false, true, _ = roc_curve(y, decision)
    return float(roc_auc_score(y, decision)), (false, true)
