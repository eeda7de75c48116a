"""Three hospitals release joint figures; none of them shows the others a row, or even how many it has.

    python -m examples.hospitals                    three node processes over mutual TLS
    python -m examples.hospitals --in-memory        the same program, three parties in one process
    python -m examples.hospitals --epsilon 0.5      more privacy, more noise
    python -m examples.hospitals --plot ages.svg    the histogram with its error bars

Each hospital's process reads its own patients, clips them to bounds agreed beforehand, and shares them out in random
pieces. The three compute totals on the pieces, add noise that none of them knows, and open the noised totals only.
The column "truth" exists in this demonstration alone: the program that starts the hospitals reads all the data too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from examples import command
from examples import hospitals_view as view
from examples.archives import CACHE
from examples.datasets import Dataset, load_breast_cancer, load_support2, split_by_rows
from examples.view import Stages
from mpc.party import Party
from mpc.shapes import stack
from protocols.aggregate import clip_rows, encode_categories, group_count, group_sum, in_bins, pool, sensitivity_of
from protocols.means import release_mean
from protocols.mechanisms import DiscreteLaplace
from protocols.release import MinimumGroup, Released, release

HOSPITALS = command.PARTIES
SPLIT_SEED = 1989
CAPACITY_STEP = 1024
MINIMUM_GROUP = 50
FRAC = 8

SHARES = {"patients": 0.1, "outcomes": 0.1, "groups": 0.3, "mean 0": 0.1, "mean 1": 0.1, "total": 0.1, "histogram": 0.2}
"""How the run's epsilon is split over its figures."""


@dataclass(frozen=True)
class Plan:
    """What all hospitals agree on beforehand; public.

    Attributes:
        support2: whether the data is SUPPORT2, or the stand-in that needs no download.
        outcome, group, categories, measures, amount: the columns used.
        among: (column, low): the table by group is of the patients with at least so much of it.
        bounds: (low, high) of each measure, then of the amount: values outside are cut.
        edges: of the histogram of the first measure.
        capacity: rows every hospital fills up to, so that its number of patients is not shown.
        minimum: patients a group needs, noise included, to be released.
        epsilon: for everything released.
    """

    support2: bool
    outcome: str
    group: str
    categories: tuple[str, ...]
    measures: tuple[str, str]
    amount: str
    among: tuple[str, float]
    bounds: tuple[tuple[float, float], ...]
    edges: tuple[float, ...]
    capacity: int
    minimum: int
    epsilon: float


def make_plan(data: Dataset, epsilon: float) -> Plan:
    """The plan for a data set."""
    support2 = data.name == "SUPPORT2"
    amount = "charges" if support2 else "mean area"
    first = data.measures[0]
    low, high = data.bounds[first]
    edges = (low, 30, 40, 50, 60, 70, 80, 90, high) if support2 else tuple(np.linspace(low, high, 9).tolist())
    rows = -(-data.n_rows // HOSPITALS)
    return Plan(
        support2=support2,
        outcome=data.outcome,
        group=data.group,
        categories=data.categories[data.group],
        measures=(first, data.measures[1]),
        amount=amount,
        among=("age", 80) if support2 else (data.measures[1], 20),
        bounds=tuple(data.bounds[c] for c in (*data.measures[:2], amount)),
        edges=edges,
        capacity=-(-rows // CAPACITY_STEP) * CAPACITY_STEP,
        minimum=MINIMUM_GROUP,
        epsilon=epsilon,
    )


# -- at a hospital -----------------------------------------------------------------------------


def own_rows(plan: Plan, hospital: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """A hospital's own patients, in plaintext in its own process only.

    Returns 0/1 columns (rows, 2 + categories): present, outcome, each group, for the patients the table by group is
    of; and real columns (rows, 3), clipped. A missing amount counts as 0. In this demonstration one file holds all
    patients; a hospital keeps its third of it.
    """
    data = load_support2(CACHE, download=False) if plan.support2 else load_breast_cancer()
    mine = split_by_rows(data, HOSPITALS, SPLIT_SEED)[hospital]
    column, low = plan.among
    groups = encode_categories(mine[plan.group], plan.categories) * (mine[column] >= low)[:, None]
    outcome = mine[plan.outcome].astype(np.int64)
    flags = np.concatenate([np.ones((len(groups), 1), np.int64), outcome[:, None], groups], axis=1)
    columns = (*plan.measures, plan.amount)
    reals = [clip_rows(mine[c], *b, missing=0.0).astype(np.float64) for c, b in zip(columns, plan.bounds, strict=True)]
    return flags, np.stack(reals, axis=1)


async def program(party: Party, plan: Plan) -> dict[str, Released]:
    """What every hospital runs. Neighbouring data: one patient more or less, each with one row.

    1. Read the own rows; input them, filled up to the agreed number.
    2. Totals: sums, one matrix product by group, a histogram by comparisons. All still secret.
    3. Release each with its own noise, all at once, to all hospitals.
    """
    owners = range(HOSPITALS)
    party.report("2/5 each hospital reads its own patients")
    flags, reals = own_rows(plan, party.index) if party.index in owners else (None, None)
    party.report("3/5 each hospital shares its rows out in random pieces")
    width = 2 + len(plan.categories)
    rows = await pool(party, flags, owners, capacity=plan.capacity, tail=(width,))
    values = await pool(party, reals, owners, capacity=plan.capacity, tail=(3,), frac=FRAC)

    party.report("4/5 totals, groups and histogram on the pieces")
    present, outcome, groups = rows[:, 0], rows[:, 1], rows[:, 2:]
    by_group = stack([group_count(groups), group_sum(groups, outcome)])
    sums = values.sum(axis=0)
    patients = present.sum()
    bins = in_bins(values[:, 0], plan.edges)
    by_outcome = stack([present - outcome, outcome]) @ bins  # a filler is in neither row
    for secret in (by_group, by_outcome):
        await secret

    party.report("5/5 noise nobody knows, then opening the noised figures")
    noise = {figure: DiscreteLaplace(plan.epsilon * share) for figure, share in SHARES.items()}
    to = list(owners)
    low = [b[0] for b in plan.bounds]
    high = [b[1] for b in plan.bounds]
    answers = await asyncio.gather(
        release(party, patients, noise["patients"], sensitivity=1, to=to),
        release(party, outcome.sum(), noise["outcomes"], sensitivity=1, to=to),
        # a patient adds at most 1 to the count of one group and at most 1 to its outcomes
        release(party, by_group, noise["groups"], sensitivity=2, to=to, minimum=MinimumGroup(plan.minimum)),
        release_mean(party, sums[0], patients, noise["mean 0"], low=low[0], high=high[0], to=to),
        release_mean(party, sums[1], patients, noise["mean 1"], low=low[1], high=high[1], to=to),
        release(party, sums[2], noise["total"], sensitivity=sensitivity_of(low[2], high[2]), to=to),
        release(party, by_outcome, noise["histogram"], sensitivity=1, to=to),
    )
    return dict(zip(SHARES, answers, strict=True))


# -- the demonstration -------------------------------------------------------------------------


def run(
    plan: Plan, *, in_memory: bool, progress: Callable[[int, str], None], seed: int | bytes | None = None
) -> tuple[list[dict[str, Released]], Any]:
    """(each hospital's answer, the cluster with its traffic and seconds). A seed is for tests, in memory."""
    return command.run(program, [plan] * HOSPITALS, in_memory=in_memory, progress=progress, seed=seed)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = command.Parser("hospitals", __doc__)
    parser.add_argument("--plot", metavar="FILE.svg", help="draw the histogram with its error bars")
    chosen = parser.parse_args(arguments)
    data = load_support2()
    plan = make_plan(data, chosen.epsilon)
    view.introduce(data, plan)
    with Stages() as progress:
        answers, cluster = run(plan, in_memory=chosen.in_memory, progress=progress)
    view.show(data, plan, answers[0], cluster)
    if chosen.plot:
        view.plot(plan, answers[0], chosen.plot)
        print(f"histogram drawn to {chosen.plot}")


if __name__ == "__main__":
    # by name, so that the hospitals' processes find the same functions in the same module
    from examples.hospitals import main as named_main

    named_main()
