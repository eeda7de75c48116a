"""A medium knows who was sent which campaign, a shop who bought; they learn what the campaigns did, and nothing else.

    python -m examples.campaigns                    three node processes over mutual TLS
    python -m examples.campaigns --rows 500         the first 500 households of the data set only
    python -m examples.campaigns --epsilon 0.5      more privacy, more noise
    python -m examples.campaigns --in-memory        the same program, three parties in one process

A third party without a table helps: it matches pseudonyms, with dummies among them so that it learns no exact number.
A household is in several campaigns, so the join is one to many. The figures go to shop and medium only.
The column "truth" exists in this demonstration alone: the program that starts the three has all the data.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from examples import view
from examples.command import Parser, add_rows, run
from examples.tables import Tables, load_complete_journey
from mpc.party import Party
from mpc.shapes import stack
from protocols.aggregate import clip_rows, sensitivity_of
from protocols.contribution import own_first_rows
from protocols.group_by import encode_codes, group_by
from protocols.join import Column, Source, join
from protocols.means import release_mean
from protocols.mechanisms import DiscreteLaplace
from protocols.profiles import INTEGERS
from protocols.release import MinimumGroup, Released, release

MEDIUM, SHOP, HELPER = range(3)
NAMES = ("medium", "shop", "helper")

KNOWN = (0.9, 0.8)
"""The chance of a household to be known to the medium and to the shop, drawn independently of each other."""
SPLIT_SEED = 2017
CAPACITY_STEP = 1024

MOST_CAMPAIGNS = 6
SALES = (0, 600)
MINIMUM, STAND_IN_MINIMUM = 100, 20

SHARES = {"reach": 0.5, "sales": 0.5}
"""How the run's epsilon is split over its figures."""
PAD = (0.5, 1e-6)

Frames = dict[str, pd.DataFrame]


@dataclass(frozen=True)
class Plan:
    """What all agree on beforehand; public.

    Attributes:
        campaigns: their numbers.
        days: the first and last day of each.
        capacities: rows that medium and shop fill up to.
        minimum: households a campaign needs, noise included, for its counts to be released.
        epsilon: for everything released.
    """

    campaigns: tuple[int, ...]
    days: tuple[tuple[pd.Timestamp, pd.Timestamp], ...]
    capacities: tuple[int, int]
    minimum: int
    epsilon: float

    @property
    def sources(self) -> list[Source]:
        """The medium has a row for each household and campaign, the shop one for each household."""
        of_campaign = {f"redeemed {c}": Column(0, 1) for c in self.campaigns}
        of_campaign |= {f"sales {c}": Column(*SALES) for c in self.campaigns}
        household = {"household_id": INTEGERS}
        campaign = {"campaign": Column(0, len(self.campaigns) - 1)}
        return [
            Source(MEDIUM, household, campaign, rows=self.capacities[0], many=True),
            Source(SHOP, household, of_campaign, rows=self.capacities[1]),
        ]


def make_plan(data: Tables, epsilon: float) -> Plan:
    """The plan for a data set. The capacities are numbers nobody's rows exceed."""
    about = data["campaign_descriptions"].sort_values("campaign_id")
    most = len(data["campaigns"]), data["transactions"]["household_id"].nunique()
    medium, shop = (-(-n // CAPACITY_STEP) * CAPACITY_STEP for n in most)
    days = tuple(zip(about["start_date"], about["end_date"], strict=True))
    minimum = MINIMUM if data.real else STAND_IN_MINIMUM
    return Plan(tuple(about["campaign_id"].tolist()), days, (medium, shop), minimum, epsilon)


def households(data: Tables) -> Any:
    """The numbers of all households, in order."""
    return np.unique(np.concatenate([data[name]["household_id"] for name in ("transactions", "campaigns")]))


def first(data: Tables, number: int | None) -> Tables:
    """The data of so many households only, the first in the order of their numbers; None: of all."""
    ids = households(data)[:number]
    frames = {
        name: frame[frame["household_id"].isin(ids)] if "household_id" in frame else frame
        for name, frame in data.frames.items()
    }
    return replace(data, frames=frames)


def split(data: Tables) -> list[Frames | None]:
    """Each party's own tables, with the households it knows: the medium's, the shop's, and none of the helper."""
    ids = households(data)
    known = np.random.default_rng(SPLIT_SEED).random((len(ids), len(KNOWN))) < KNOWN

    def of(owner: int, name: str) -> pd.DataFrame:
        frame = data[name][columns[name]]
        return frame[frame["household_id"].isin(ids[known[:, owner]])].reset_index(drop=True)

    columns = {
        "campaigns": ["household_id", "campaign_id"],
        "transactions": ["household_id", "transaction_timestamp", "sales_value"],
        "coupon_redemptions": ["household_id", "campaign_id"],
    }
    shop = {name: of(SHOP, name) for name in ("transactions", "coupon_redemptions")}
    return [{"campaigns": of(MEDIUM, "campaigns")}, shop, None]


# -- at a party --------------------------------------------------------------------------------


def own_rows(plan: Plan, owner: int, tables: Frames | None) -> dict[str, Any] | None:
    """An owner's columns as the join takes them. Plaintext, in its own process only.

    The medium keeps MOST_CAMPAIGNS of a household's campaigns, the first in its table. The shop has, for each household
    and campaign, whether it redeemed a coupon of it, and what it bought in the campaign's days, cut to SALES.
    """
    if tables is None:
        return None
    if owner == MEDIUM:
        sent = tables["campaigns"].drop_duplicates()
        kept = sent[own_first_rows(sent["household_id"], MOST_CAMPAIGNS)]
        return {"household_id": kept["household_id"], "campaign": encode_codes(kept["campaign_id"], plan.campaigns)}
    bought, used = tables["transactions"], tables["coupon_redemptions"]
    ids = np.union1d(bought["household_id"], used["household_id"])
    columns: dict[str, Any] = {"household_id": ids}
    day = bought["transaction_timestamp"].dt.normalize()
    for campaign, (start, end) in zip(plan.campaigns, plan.days, strict=True):
        redeemers = used.loc[used["campaign_id"] == campaign, "household_id"]
        columns[f"redeemed {campaign}"] = np.isin(ids, redeemers).astype(np.int64)
        sums = bought[(day >= start) & (day <= end)].groupby("household_id")["sales_value"].sum()
        columns[f"sales {campaign}"] = clip_rows(sums.reindex(ids, fill_value=0).round().astype(np.int64), *SALES)
    return columns


async def program(party: Party, given: tuple[Plan, Frames | None]) -> dict[str, Released]:
    """What all three run. Neighbouring data: one household more or less, with all it has at both owners.

    1. Each owner reads its rows.
    2. Join: the medium's rows, and beside each its household's columns at the shop; which rows match is secret.
    3. Totals by campaign. The shop's columns are one for each campaign; of those totals only a campaign's own count,
       the diagonal.
    4. Release, to shop and medium. A household has MOST_CAMPAIGNS rows of the medium at most, each in one campaign, and
       one row of the shop, as its keys are unique. So it changes counts by 1, in so many campaigns, and sums by up to
       the columns' bound in so many.
    """
    plan, tables = given
    party.report("2/5 medium and shop read their own tables")
    mine = own_rows(plan, party.index, tables)
    party.report("3/5 joining by household, nobody sees which match")
    sent = await join(party, plan.sources, mine, how="inner", pad=PAD)

    party.report("4/5 totals by campaign")
    names = [f"{what} {c}" for what in ("redeemed", "sales") for c in plan.campaigns]
    size = len(plan.campaigns)
    totals = await group_by(sent["campaign"], size, present=sent.present).totals([sent[n] for n in names])
    redeemed, sales = (stack([totals.sums[k * size + j][j] for j in range(size)]) for k in (0, 1))

    party.report("5/5 noise nobody knows, then opening the noised figures")
    noise = {figure: DiscreteLaplace(plan.epsilon * share) for figure, share in SHARES.items()}
    to, rows = (MEDIUM, SHOP), MOST_CAMPAIGNS
    once = sensitivity_of(0, 1, rows=rows)
    reach = stack([totals.counts, redeemed])
    minimum, (low, high) = MinimumGroup(plan.minimum), SALES
    answers = await asyncio.gather(
        release(party, reach, noise["reach"], sensitivity=once + once, to=to, minimum=minimum),
        release_mean(
            party, sales, totals.counts, noise["sales"], low=low, high=high, rows=rows, to=to, minimum=minimum
        ),
    )
    return dict(zip(SHARES, answers, strict=True))


# -- the demonstration -------------------------------------------------------------------------


def truth(plan: Plan, tables: Sequence[Frames | None]) -> dict[str, Any]:
    """The same figures in plaintext, cut alike, without noise. A mean of no households is NaN."""
    medium, shop = (pd.DataFrame(own_rows(plan, owner, tables[owner])) for owner in (MEDIUM, SHOP))
    sent = medium.merge(shop, on="household_id")
    found = []
    for j, campaign in enumerate(plan.campaigns):
        own = sent[sent["campaign"] == j]
        found.append((len(own), own[f"redeemed {campaign}"].sum(), own[f"sales {campaign}"].mean()))
    counts, redeemed, sales = np.array(found, dtype=np.float64).T
    return {"reach": np.stack([counts, redeemed]), "sales": sales}


def show(data: Tables, plan: Plan, tables: Sequence[Frames | None], answer: dict[str, Released], cluster: Any) -> None:
    """All figures beside the truth, and what the run cost."""
    out, true = view.console(), truth(plan, tables)
    sent, shop = tables[MEDIUM], tables[SHOP]
    assert sent is not None and shop is not None
    kept = own_first_rows(sent["campaigns"]["household_id"], MOST_CAMPAIGNS).sum() / max(1, len(sent["campaigns"]))
    out.print(
        f"\nData: {data.name} (from {data.source}).\nA household is known to medium and shop with a chance of "
        f"{KNOWN[0]} and {KNOWN[1]} (public seed {SPLIT_SEED}): {sent['campaigns']['household_id'].nunique():,} and "
        f"{shop['transactions']['household_id'].nunique():,}.\nAgreed beforehand: a household counts in "
        f"{MOST_CAMPAIGNS} campaigns at most (that keeps {kept:.0%} of the medium's rows), with sales of\n"
        f"{SALES[0]} .. {SALES[1]} dollars in a campaign's days; a campaign is printed from {plan.minimum} households, "
        "noise included.\n"
    )
    reach, shown = answer["reach"], answer["reach"].shown
    assert shown is not None
    names = [f"campaign {c}" for c in plan.campaigns]
    figures = [
        view.Figure("households reached", reach, {"truth": true["reach"][0]}, names, 0),
        view.Figure("of these, redeemed a coupon of it", reach, {"truth": true["reach"][1]}, names, 1),
        view.Figure("mean sales in its days (dollars)", answer["sales"], {"truth": true["sales"]}, names),
    ]
    view.print_figures(out, "By campaign, of households both know", [f.only(shown[0]) for f in figures])
    out.print(f"Not printed: {(~shown[0]).sum()} campaigns that are too small.")
    view.print_run(out, cluster, NAMES)
    view.print_privacy(out, answer.values(), "one household more or less, with all its rows at both")
    out.print(f"  The helper counts the households that match, dummies among them: (ε, δ) = {PAD}, beside the above.")


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = Parser("campaigns", __doc__)
    add_rows(parser, "households")
    chosen = parser.parse_args(arguments)
    data = first(load_complete_journey(), chosen.rows)
    plan, tables = make_plan(data, chosen.epsilon), split(data)
    with view.Stages() as progress:
        inputs = [(plan, own) for own in tables]
        answers, cluster = run(program, inputs, in_memory=chosen.in_memory, progress=progress)
    show(data, plan, tables, answers[SHOP], cluster)


if __name__ == "__main__":
    # by name, so that the parties' processes find the same functions in the same module
    from examples.campaigns import main as named_main

    named_main()
