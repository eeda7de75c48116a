"""Three hospitals model together who dies in hospital; none shows another a patient, or even how many it has.

    python -m examples.mortality                    three node processes over mutual TLS
    python -m examples.mortality --compare          unsafe: opens the coefficients, to compare with a fit in the open
    python -m examples.mortality --rows 2000        the first 2,000 patients of the data set only
    python -m examples.mortality --plot FILE.png    where to draw ROC, calibration and coefficients
    python -m examples.mortality --in-memory        the same program, three parties in one process

Every hospital has other patients. What was not measured is filled in by the mean over all hospitals, computed on
pieces; so are the split into training and test part, standardising, the fit and its standard errors. Only counts of the
test part leave, with noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from examples import risk_plot, risk_view, stand_ins
from examples.archives import Unavailable
from examples.command import Parser, add_model, add_rows, run
from examples.datasets import (
    SUPPORT2_BOUNDS,
    SUPPORT2_CATEGORIES,
    Columns,
    Dataset,
    is_missing,
    read_support2,
    split_by_rows,
)
from examples.risk import Answer, Descent, Plan, learn
from examples.risk_pooled import pooled_fit
from examples.risk_rows import OWNERS, Plain, capacity_for, places, pool_rows, together
from examples.risk_view import About
from examples.view import Stages
from mpc.party import Party
from protocols.aggregate import clip_rows
from protocols.own_rows import encode_codes

NAMES = ("hospital 0", "hospital 1", "hospital 2")
SPLIT_SEED = 1989
CAPACITY_STEP = 256

MEASURES = {
    "age": "age",
    "num.co": "other diseases",
    "scoma": "coma score",
    "meanbp": "mean blood pressure",
    "hrt": "heart rate",
    "resp": "respiration rate",
    "temp": "temperature",
    "crea": "creatinine",
    "sod": "sodium",
    "alb": "albumin",
    "bili": "bilirubin",
    "pafi": "PaO2/FiO2",
}
"""Columns of numbers and their names here: what is known of a patient on the third day."""
GROUPS = {
    "ARF/MOSF w/Sepsis": "organ failure with sepsis",
    "COPD": "lung disease (COPD)",
    "CHF": "heart failure",
    "Cirrhosis": "cirrhosis",
    "Coma": "coma",
    "Colon Cancer": "colon cancer",
    "Lung Cancer": "lung cancer",
    "MOSF w/Malig": "organ failure with cancer",
}
GROUP, OUTCOME = "dzgroup", "hospdead"
THRESHOLDS = (0.04, 0.06, 0.08, 0.1, 0.12, 0.15, 0.18, 0.21, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7, 0.85)


def load() -> Dataset:
    """SUPPORT2, or where it cannot be had a made-up stand-in, which says so."""
    try:
        return read_support2()
    except Unavailable as reason:
        columns = stand_ins.support2()
        rows = len(columns[OUTCOME])
        print(
            f"SUPPORT2 {reason}; using a made-up stand-in ({rows} rows) instead: its figures mean nothing.", flush=True
        )
        made_up = "made up by examples/stand_ins.py"
        return Dataset(
            "SUPPORT2 (stand-in)", made_up, made_up, columns, SUPPORT2_CATEGORIES, SUPPORT2_BOUNDS, OUTCOME, GROUP, ()
        )


def make_plan(data: Dataset, epsilon: float, compare: bool) -> Plan:
    """The plan for a data set."""
    return Plan(
        numbers=tuple(MEASURES.values()),
        categories=(("disease group", tuple(GROUPS.values())),),
        outcome="death in hospital",
        epsilon=epsilon,
        capacity=capacity_for(data.n_rows, CAPACITY_STEP),
        thresholds=THRESHOLDS,
        bins=10,
        descent=Descent(batch=256, epochs=10, rate=0.1),
        imputed=True,
        compare=compare,
    )


# -- at a hospital -----------------------------------------------------------------------------


def own_rows(columns: Columns) -> Plain:
    """A hospital's rows as the model takes them. Plaintext, in its own process only."""
    numbers = []
    for name in MEASURES:
        gone = is_missing(columns[name])
        cut = clip_rows(columns[name], *SUPPORT2_BOUNDS[name], missing=0.0, what=name)
        numbers.append(np.where(gone, np.nan, cut))
    codes = encode_codes(columns[GROUP], list(GROUPS), what=GROUP)
    return Plain(np.stack(numbers, axis=1), codes[:, None], columns[OUTCOME])


async def program(party: Party, given: tuple[Plan, Columns]) -> Answer:
    """What all hospitals run: see risk.learn. Neighbouring data: one patient of the test part more or less."""
    plan, columns = given
    party.report("2/5 each hospital reads its own patients")
    mine = own_rows(columns)
    party.report("3/5 each hospital shares its rows out in random pieces")
    return await learn(party, await pool_rows(party, plan, mine), plan)


# -- the demonstration -------------------------------------------------------------------------


def about_of(data: Dataset, whole: Plain) -> About:
    """The run in words."""
    gone = np.isnan(whole.numbers).mean(axis=0)
    missing = ", ".join(
        f"{name} {share:.0%}" for name, share in zip(MEASURES.values(), gone, strict=True) if share > 0.005
    )
    return About(
        title="Who dies in hospital: a model of three hospitals, none of which shows a patient",
        data=f"{data.name}, {len(whole):,} patients dealt at random to three hospitals (from {data.source}).\n"
        f"Not measured, so filled in on pieces: {missing}",
        source="Data: SUPPORT2 (Knaus et al., Ann Intern Med 122:191, 1995; Vanderbilt University)."
        if data.measures
        else "Data: made up, its figures mean nothing.",
        names=NAMES,
        protected="one patient of the test part more or less, for a given model",
    )


def first(data: Dataset, rows: int | None) -> Dataset:
    """The first rows only."""
    return replace(data, columns={name: values[:rows] for name, values in data.columns.items()})


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = Parser("mortality", __doc__)
    add_rows(parser, "patients")
    add_model(parser, "mortality")
    chosen = parser.parse_args(arguments)
    data = first(load(), chosen.rows)
    plan, tables = make_plan(data, chosen.epsilon, chosen.compare), split_by_rows(data, len(OWNERS), SPLIT_SEED)
    with Stages() as progress:
        inputs = [(plan, table) for table in tables]
        answers: tuple[list[Answer], Any] = run(program, inputs, in_memory=chosen.in_memory, progress=progress)
    parts = [own_rows(table) for table in tables]
    whole, (answer, *_), cluster = together(parts), *answers
    about, fit = about_of(data, whole), pooled_fit(whole, places(parts, plan.capacity), plan, answer.opened)
    risk_view.show(about, plan, answer, fit, cluster)
    risk_plot.draw(about, plan, answer, fit, chosen.plot)


if __name__ == "__main__":
    # by name, so that the hospitals' processes find the same functions in the same module
    from examples.mortality import main as named_main

    named_main()
