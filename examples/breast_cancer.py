"""Three clinics tell malignant from benign tumours together: a model in a few seconds, by two solvers.

    python -m examples.breast_cancer                 three node processes over mutual TLS
    python -m examples.breast_cancer --compare       unsafe: opens the coefficients, to compare with a fit in the open
    python -m examples.breast_cancer --plot FILE.png where to draw ROC, calibration and coefficients
    python -m examples.breast_cancer --in-memory     the same program, three parties in one process

Every clinic has measurements of other tumours. Rows are split, standardised and fitted on in the computation; only
counts of the test rows leave, with noise. The data is scikit-learn's, so nothing is fetched.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from examples import risk_plot, risk_view
from examples.command import Parser, add_model, run
from examples.datasets import Columns, Dataset, load_breast_cancer, split_by_rows
from examples.risk import Answer, Descent, Plan, learn
from examples.risk_pooled import pooled_fit
from examples.risk_rows import OWNERS, Plain, capacity_for, places, pool_rows, together
from examples.risk_view import About
from examples.view import Stages
from mpc.party import Party
from protocols.aggregate import clip_rows

NAMES = ("clinic 0", "clinic 1", "clinic 2")
SPLIT_SEED = 1993
EPSILON = 4.0
"""With 142 test rows a smaller one would leave little but noise."""

UNITS = {"radius": 10, "texture": 10, "perimeter": 100, "area": 1_000}
"""Of the measurements, of all others 0.1; so that all are of like size. Cut to 0 .. 50 units, agreed beforehand."""
MOST = 50
C = 0.1
"""A stronger penalty than scikit-learn's 1, as 30 columns say much the same: both solvers then reach one answer."""
STEPS = 7
"""Enough for so few rows and this penalty: the seventh moves no coefficient by 1e-3."""


def unit_of(column: str) -> float:
    """What a column is divided by; an error of a measurement is a tenth of it."""
    of = next((unit for word, unit in UNITS.items() if word in column), 0.1)
    return of / 10 if "error" in column else of


def columns_of(data: Dataset) -> tuple[str, ...]:
    """The 30 measurements."""
    return tuple(name for name, values in data.columns.items() if values.dtype == np.float64)


def make_plan(data: Dataset, epsilon: float, compare: bool) -> Plan:
    """The plan for the data."""
    return Plan(
        numbers=columns_of(data),
        categories=(),
        outcome="malignancy",
        epsilon=epsilon,
        capacity=capacity_for(data.n_rows, step=64),
        thresholds=(0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 0.95),
        bins=4,
        descent=Descent(batch=32, epochs=10, rate=0.3),
        beside=True,
        compare=compare,
        C=C,
        steps=STEPS,
    )


# -- at a clinic -------------------------------------------------------------------------------


def own_rows(plan: Plan, columns: Columns) -> Plain:
    """A clinic's rows as the model takes them. Plaintext, in its own process only."""
    numbers = [clip_rows(columns[name] / unit_of(name), 0, MOST) for name in plan.numbers]
    outcome = columns["malignant"]
    return Plain(np.stack(numbers, axis=1), np.zeros((len(outcome), 0), np.int64), outcome)


async def program(party: Party, given: tuple[Plan, Columns]) -> Answer:
    """What all clinics run: see risk.learn. Neighbouring data: one tumour of the test part more or less."""
    plan, columns = given
    party.report("2/5 each clinic reads its own rows")
    mine = own_rows(plan, columns)
    party.report("3/5 each clinic shares its rows out in random pieces")
    return await learn(party, await pool_rows(party, plan, mine), plan)


# -- the demonstration -------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = Parser("breast_cancer", __doc__, epsilon=EPSILON)
    add_model(parser, "breast_cancer")
    chosen = parser.parse_args(arguments)
    data = load_breast_cancer()
    plan, tables = make_plan(data, chosen.epsilon, chosen.compare), split_by_rows(data, len(OWNERS), SPLIT_SEED)
    with Stages() as progress:
        inputs = [(plan, table) for table in tables]
        answers, cluster = run(program, inputs, in_memory=chosen.in_memory, progress=progress)
    parts = [own_rows(plan, table) for table in tables]
    about = About(
        title="Malignant or benign: a model of three clinics, none of which shows a measurement",
        data=f"{data.name}, {data.n_rows} tumours dealt at random to three clinics (from {data.source})",
        source="Data: Wolberg, Mangasarian, Street and Street 1993, UCI, by scikit-learn.",
        names=NAMES,
        protected="one tumour of the test part more or less, for a given model",
    )
    fit = pooled_fit(together(parts), places(parts, plan.capacity), plan, answers[0].opened)
    risk_view.show(about, plan, answers[0], fit, cluster)
    risk_plot.draw(about, plan, answers[0], fit, chosen.plot)


if __name__ == "__main__":
    # by name, so that the clinics' processes find the same functions in the same module
    from examples.breast_cancer import main as named_main

    named_main()
