"""A card issuer, a credit bureau and a bank on their common customers; none learns who these are.

    python -m examples.banks                    three node processes over mutual TLS
    python -m examples.banks --rows 3000        the first 3,000 customers of the data set only
    python -m examples.banks --epsilon 0.5      more privacy, more noise
    python -m examples.banks --in-memory        the same program, three parties in one process

The issuer has balance and limit, the bureau education and age, the bank who defaulted. Rows are joined by the number of
the customer inside the computation: no party learns which of its customers the others have, or how many.
The column "truth" exists in this demonstration alone: the program that starts the three has all the data.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from examples import view
from examples.command import Parser, add_rows, run
from examples.tables import Tables, load_credit_default
from mpc.party import Party
from mpc.shapes import stack
from protocols.aggregate import clip_rows, sensitivity_of
from protocols.group_by import encode_codes, group_by
from protocols.join import Column, Source, join
from protocols.means import release_mean
from protocols.mechanisms import DiscreteLaplace
from protocols.profiles import INTEGERS
from protocols.release import Released, release

ISSUER, BUREAU, BANK = range(3)
NAMES = ("issuer", "bureau", "bank")

KNOWN = (0.8, 0.9, 0.7)
"""The chance of a customer of the data set to be known to each of the three, drawn independently of each other."""
SPLIT_SEED = 2005
CAPACITY_STEP = 1024

BALANCE = (0, 300_000)
LIMIT = (0, 1_000_000)
AGE = (18, 100)
EDUCATION = ("graduate school", "university", "high school", "other or not said")
YOUNG = 30

SHARES = {"customers": 0.1, "balance": 0.4, "default": 0.3, "young": 0.2}
"""How the run's epsilon is split over its figures."""
PAD = (0.5, 1e-6)


@dataclass(frozen=True)
class Plan:
    """What all three agree on beforehand; public. capacity: rows every owner fills up to; epsilon: for all released."""

    capacity: int
    epsilon: float

    @property
    def sources(self) -> list[Source]:
        """The tables of the join. Keys are unique in each, or the join raises DuplicateKeys at the owner."""
        key = {"client": INTEGERS}
        return [
            Source(ISSUER, key, {"balance": Column(*BALANCE), "limit": Column(*LIMIT)}, rows=self.capacity),
            Source(BUREAU, key, {"education": Column(0, len(EDUCATION) - 1), "age": Column(*AGE)}, rows=self.capacity),
            Source(BANK, key, {"default": Column(0, 1)}, rows=self.capacity),
        ]


def make_plan(clients: pd.DataFrame, epsilon: float) -> Plan:
    """The plan for a data set."""
    return Plan(-(-len(clients) // CAPACITY_STEP) * CAPACITY_STEP, epsilon)


def split(clients: pd.DataFrame) -> list[pd.DataFrame]:
    """Each party's own table: its own columns of the customers it knows, in an order of its own."""
    rng = np.random.default_rng(SPLIT_SEED)
    columns = (["bill_1", "limit"], ["education", "age"], ["default"])
    known = rng.random((len(clients), len(KNOWN))) < KNOWN
    return [
        clients.loc[known[:, i], ["client", *names]].sample(frac=1, random_state=i, ignore_index=True)
        for i, names in enumerate(columns)
    ]


# -- at a party --------------------------------------------------------------------------------


def own_rows(owner: int, table: pd.DataFrame) -> dict[str, Any]:
    """An owner's columns as the join takes them, cut to the bounds agreed. Plaintext, in its own process only."""
    if owner == ISSUER:
        own = {"balance": clip_rows(np.rint(table["bill_1"]).astype(np.int64), *BALANCE)}
        own["limit"] = clip_rows(np.rint(table["limit"]).astype(np.int64), *LIMIT)
    elif owner == BUREAU:
        codes = encode_codes(table["education"], EDUCATION)
        own = {"education": np.where(codes < 0, len(EDUCATION) - 1, codes), "age": clip_rows(table["age"], *AGE)}
    else:
        own = {"default": table["default"]}
    return {"client": table["client"], **own}


async def program(party: Party, given: tuple[Plan, pd.DataFrame]) -> dict[str, Released]:
    """What all three run. Neighbouring data: one customer more or less, with one row at each owner.

    1. Each owner reads its rows and cuts them to the bounds.
    2. Join: a table of the issuer's rows with everybody's columns, and which rows are in all three. All secret.
    3. Totals of the rows that are present.
    4. Release. A customer is one row of the joined table at most, as keys are unique at every owner; so it changes a
       count by 1, the count and sum of one group only, and a sum by the column's bound.
    """
    plan, table = given
    party.report("2/5 each party reads its own customers")
    mine = own_rows(party.index, table)
    party.report("3/5 joining by the customer's number, nobody sees which match")
    common = await join(party, plan.sources, mine, how="inner", pad=PAD)

    party.report("4/5 totals by education")
    groups = group_by(common["education"], len(EDUCATION), present=common.present)
    totals = await groups.totals([common["balance"], common["default"]])
    deep = common.present & (common["age"] < YOUNG) & (common["balance"] * 2 > common["limit"])
    young = stack([deep.sum(), (deep & (common["default"] != 0)).sum()])

    party.report("5/5 noise nobody knows, then opening the noised figures")
    noise = {figure: DiscreteLaplace(plan.epsilon * share) for figure, share in SHARES.items()}
    to = (ISSUER, BUREAU, BANK)
    balance, default = totals.sums
    once = sensitivity_of(0, 1)
    answers = await asyncio.gather(
        release(party, common.present.sum(), noise["customers"], sensitivity=once, to=to),
        release_mean(party, balance, totals.counts, noise["balance"], low=BALANCE[0], high=BALANCE[1], to=to),
        release_mean(party, default, totals.counts, noise["default"], low=0, high=1, to=to),
        release(party, young, noise["young"], sensitivity=once + once, to=to),
    )
    return dict(zip(SHARES, answers, strict=True))


# -- the demonstration -------------------------------------------------------------------------


def truth(tables: Sequence[pd.DataFrame]) -> dict[str, Any]:
    """The same figures in plaintext, cut alike, without noise. A mean of no customers is NaN."""
    issuer, bureau, bank = (pd.DataFrame(own_rows(i, table)) for i, table in enumerate(tables))
    common = issuer.merge(bureau, on="client").merge(bank, on="client")
    means = common.groupby("education")[["balance", "default"]].mean().reindex(range(len(EDUCATION)))
    deep = common[(common["age"] < YOUNG) & (2 * common["balance"] > common["limit"])]
    return {
        "customers": len(common),
        "balance": means["balance"].to_numpy(),
        "default": means["default"].to_numpy(),
        "young": np.array([len(deep), deep["default"].sum()]),
    }


def show(data: Tables, plan: Plan, tables: Sequence[pd.DataFrame], answer: dict[str, Released], cluster: Any) -> None:
    """All figures beside the truth, and what the run cost."""
    out, true = view.console(), truth(tables)
    names = {
        "customers": ("common customers", (), 0),
        "balance": ("mean balance (dollars) by education", EDUCATION, 0),
        "default": ("default rate by education", EDUCATION, 3),
        "young": (f"below {YOUNG}, balance over half the limit", ("customers", "of these in default"), 0),
    }
    figures = [
        view.Figure(name, answer[key], {"truth": true[key]}, groups, digits=digits)
        for key, (name, groups, digits) in names.items()
    ]
    held = ", ".join(f"{name} {len(table):,}" for name, table in zip(NAMES, tables, strict=True))
    out.print(
        f"\nData: {data.name} (from {data.source}).\n"
        f"Each customer is known to issuer, bureau and bank with a chance of {', '.join(map(str, KNOWN))} "
        f"(public seed {SPLIT_SEED}):\n{held}.\n"
        f"Nobody shows even that: each fills up to {plan.capacity:,} rows. Balances are cut to "
        f"{BALANCE[0]:,} .. {BALANCE[1]:,}, agreed beforehand.\n"
    )
    view.print_figures(out, "Common customers of all three", figures)
    view.print_run(out, cluster, NAMES)
    view.print_privacy(out, answer.values(), "one customer more or less, with a row at each of the three")
    out.print(
        "  Bureau and bank, each as the helper of the other's match with the issuer, count pseudonyms that match,\n"
        f"  dummies among them: (ε, δ) = {PAD} each, beside the above."
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = Parser("banks", __doc__)
    add_rows(parser, "customers")
    chosen = parser.parse_args(arguments)
    data = load_credit_default()
    clients = data["clients"].head(chosen.rows) if chosen.rows else data["clients"]
    plan, tables = make_plan(clients, chosen.epsilon), split(clients)
    with view.Stages() as progress:
        inputs = [(plan, table) for table in tables]
        answers, cluster = run(program, inputs, in_memory=chosen.in_memory, progress=progress)
    show(data, plan, tables, answers[ISSUER], cluster)


if __name__ == "__main__":
    # by name, so that the parties' processes find the same functions in the same module
    from examples.banks import main as named_main

    named_main()
