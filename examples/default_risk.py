"""A bank, a credit bureau and a card issuer model who will not pay; none learns which customers the others have.

    python -m examples.default_risk                    three node processes over mutual TLS
    python -m examples.default_risk --compare          unsafe: opens the coefficients, to compare with a fit in the open
    python -m examples.default_risk --rows 6000        the first 6,000 customers of the data set only
    python -m examples.default_risk --plot FILE.png    where to draw ROC, calibration and coefficients
    python -m examples.default_risk --in-memory        the same program, three parties in one process

The bank has limit, age, education and the like, the bureau how payments were met, the issuer bills, payments and who
defaulted. Rows are joined by the number of the customer inside the computation; the model is fitted to customers that
all three have. The bureau has a model of trees too, from customers of the past: its scores are computed on shares, so
nobody sees the trees, nor the bureau a row. Only counts of the test part leave, with noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from examples import default_risk_tables as own
from examples import risk_plot, risk_view
from examples.command import Parser, add_model, add_rows, run
from examples.default_risk_tables import BUREAU, CATEGORIES, DEPTH, NAMES, NUMBERS, TREES
from examples.risk import Answer, Descent, Plan, Rows, learn
from examples.risk_pooled import pooled_fit
from examples.risk_view import About
from examples.tables import Tables, load_credit_default
from examples.view import Stages
from mpc.party import Party
from mpc.shapes import stack
from protocols.join import join
from protocols.tree_models import TreeModel, from_sklearn
from protocols.trees import share_trees

CAPACITY_STEP = 1024
THRESHOLDS = (0.05, 0.08, 0.1, 0.12, 0.14, 0.16, 0.18, 0.2, 0.22, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7)
PAD = (0.5, 1e-6)


@dataclass(frozen=True, repr=False)
class Given:
    """What a party brings: the plan, its own table, and the bureau its trees."""

    plan: Plan
    table: pd.DataFrame
    trees: TreeModel | None


def make_plan(customers: int, epsilon: float, compare: bool) -> Plan:
    """The plan for so many customers: no owner has more of them."""
    return Plan(
        numbers=tuple(name for name, _ in NUMBERS.values()),
        categories=CATEGORIES,
        outcome="default",
        epsilon=epsilon,
        capacity=-(-customers // CAPACITY_STEP) * CAPACITY_STEP,
        thresholds=THRESHOLDS,
        bins=10,
        descent=Descent(batch=512, epochs=8, rate=0.1),
        compare=compare,
    )


# -- at a party --------------------------------------------------------------------------------


async def program(party: Party, given: Given) -> Answer:
    """What all three run. Neighbouring data: one customer of the test part more or less, at all three.

    1. Each owner reads its rows and cuts them to the bounds.
    2. Join: a table of the issuer's rows with everybody's columns, and which rows are in all three. All secret.
    3. The bureau shares its trees; then risk.learn. A customer is one row of the table at most, as keys are unique.
    """
    plan = given.plan
    party.report("2/5 each party reads its own customers")
    mine = own.own_columns(party.index, given.table)
    party.report("3/5 joining by the customer's number, nobody sees which match")
    common = await join(party, own.sources(plan.capacity), mine, how="inner", pad=PAD)
    trees = await share_trees(
        party, given.trees, owner=BUREAU, depth=DEPTH, trees=TREES, features=len(plan.columns), outputs=1
    )
    rows = Rows(
        numbers=await stack([common[name] for name in NUMBERS], axis=1),
        missing=None,
        codes=await stack([common[name] for name, _ in CATEGORIES], axis=1),
        outcome=common["default"],
        present=common.present,
        place=common["number"],
    )
    return await learn(party, rows, plan, trees)


# -- the demonstration -------------------------------------------------------------------------


def about_of(data: Tables, tables: Sequence[pd.DataFrame], common: int, auc: float) -> About:
    """The run in words."""
    held = ", ".join(f"{name} {len(table):,}" for name, table in zip(NAMES, tables, strict=True))
    real = f"Data: {data.name} ({data.citation.rstrip('.')})."
    return About(
        title="Who will not pay: a model of a bank, a credit bureau and a card issuer on customers that all three have",
        data=f"{data.name} (from {data.source}). Known to {held};\n{common:,} to all three, which nobody learns: each "
        f"fills up to the same number of rows",
        source=real if data.real else "Data: made up, its figures mean nothing.",
        names=NAMES,
        protected="one customer of the test part more or less, with a row at each of the three, for a given model",
        trees=(auc, "bureau"),
        notes=(
            "Bureau and bank, each as the helper of the other's match with the issuer, count pseudonyms that match, "
            f"dummies\n  among them: (ε, δ) = {PAD} each, beside the above.",
        ),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    from sklearn.metrics import roc_auc_score

    parser = Parser("default_risk", __doc__)
    add_rows(parser, "customers")
    add_model(parser, "default_risk")
    chosen = parser.parse_args(arguments)
    data = load_credit_default()
    clients = data["clients"].head(chosen.rows) if chosen.rows else data["clients"]
    plan, (tables, past) = make_plan(len(clients), chosen.epsilon, chosen.compare), own.split(clients)
    grown = own.grow(plan, past)
    with Stages() as progress:
        inputs = [Given(plan, t, from_sklearn(grown) if i == BUREAU else None) for i, t in enumerate(tables)]
        (answer, *_), cluster = run(program, inputs, in_memory=chosen.in_memory, progress=progress)
    common, numbers = own.common_rows(tables)
    fit = pooled_fit(common, numbers, plan, answer.opened)
    auc = roc_auc_score(common.outcome[fit.test], grown.predict_proba(fit.raw[fit.test])[:, 1])
    about = about_of(data, tables, len(common), float(auc))
    risk_view.show(about, plan, answer, fit, cluster)
    risk_plot.draw(about, plan, answer, fit, chosen.plot)


if __name__ == "__main__":
    # by name, so that the parties' processes find the same functions in the same module
    from examples.default_risk import main as named_main

    named_main()
