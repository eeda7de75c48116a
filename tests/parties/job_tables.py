"""Published tables of three wards' kind, rows that fit them, and a job run from its plan to its answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from mpc import MemoryCluster
from mpc.sharing import Layout
from parties.data.published import PublishedColumn, PublishedTable
from parties.kinds.dealing import deal_table
from parties.kinds.kind import Kind, Outcome, Owned, Plan, Rows, TableInput, Work
from protocols.description import Description
from protocols.sealed_share import SealedShare, open_sealed
from tests.parties.consortium import NAMES

WARDS = ("north", "south", "west")
ALL = {
    "integer": frozenset({"sum", "filter", "train", "score"}),
    "real": frozenset({"sum", "filter", "train", "score"}),
    "date": frozenset({"sum", "filter", "train", "score"}),
    "boolean": frozenset({"sum", "group", "filter", "train", "score"}),
    "category": frozenset({"group", "filter", "train", "score"}),
    "key": frozenset({"count", "join"}),
}


def column(name: str, kind: str, **options: Any) -> PublishedColumn:
    """With all uses its kind has."""
    return PublishedColumn(name, kind, uses=ALL[kind], **options)


def table(*columns: PublishedColumn, name: str = "stays", capacity: int = 40, rows: int = 1) -> PublishedTable:
    named = {c.name: c for c in (column("person", "key", profile="integer"), *columns)}
    return PublishedTable(name, "", "person", rows, capacity, named, counts=True, epsilon_a_job=64.0)


def stays(capacity: int = 40, rows: int = 1) -> PublishedTable:
    return table(
        column("age", "integer", low=-3, high=90),
        column("cost", "real", low=-2.5, high=8.25),
        column("died", "boolean"),
        column("ward", "category", categories=WARDS),
        capacity=capacity,
        rows=rows,
    )


def stay_rows(n: int, seed: int) -> dict[str, Any]:
    """Rows as they are read of such a table."""
    rng = np.random.default_rng(seed)
    return {
        "person": rng.permutation(1000)[:n],
        "age": rng.integers(-3, 91, n),
        "cost": np.round(rng.uniform(-2.5, 8.25, n) * 64) / 64,
        "died": rng.integers(0, 2, n),
        "ward": rng.integers(0, 3, n),
    }


def owned(*tables: PublishedTable) -> list[Owned]:
    return [Owned(NAMES[i], one) for i, one in enumerate(tables)]


def only(rows: Rows, names: Iterable[str]) -> Rows:
    return {name: rows[name] for name in names}


def inputs(
    kind: Kind, plan: Plan, given: Sequence[tuple[int | None, Rows]], m: int, t: int, extra: Any = None
) -> list[Work]:
    """What each worker gets: of each table (its owner, or None if it is dealt, and its rows)."""
    works: list[list[TableInput]] = [[] for _ in range(m)]
    for place, (owner, rows) in enumerate(given):
        context, parts = b"job %d" % place, [b""] * m
        if owner is None:
            assert kind.encode is not None
            shape = plan.shapes[place]
            words = kind.encode(plan, place, rows)
            for j, piece in deal_table(m, t, context, len(shape.columns), shape.rows, [words[:, :7], words[:, 7:]]):
                parts[j] += piece
        for i, work in enumerate(works):
            work.append(
                TableInput(None, dealt=[parts[i]], context=context)
                if owner is None
                else TableInput(owner, rows if i == owner else None)
            )
    return [Work(plan, tuple(work), None if extra is None else extra[i]) for i, work in enumerate(works)]


class NoLine:
    """A line nobody listens at."""

    def __init__(self) -> None:
        self.said: list[Any] = []

    def send(self, value: Any) -> None:
        self.said.append(value)


def opened_by(plan: Plan, outcomes: Sequence[Outcome], m: int, t: int) -> list[Any]:
    """What a result member that computes nothing makes of the shares of t + 1 others."""
    assert len({outcome.descriptions for outcome in outcomes}) == 1
    descriptions = [Description.from_json(text) for text in outcomes[0].descriptions]
    assert tuple(descriptions) == plan.answers
    return [
        open_sealed(d, {i: SealedShare.from_bytes(outcomes[i].shares[j], d) for i in range(t + 1)}, m, t)
        for j, d in enumerate(descriptions)
    ]


def answered(
    kind: Kind,
    plan: Plan,
    given: Sequence[tuple[int | None, Rows]],
    m: int = 3,
    t: int | None = None,
    extra: Any = None,
    seed: int = 5,
) -> dict[str, Any]:
    """A job from its plan to its answer, in memory."""
    t = Layout(m, t).t

    async def program(party: Any, work: Work) -> Outcome:
        return await kind.program(party, NoLine(), work)

    outcomes = MemoryCluster(m, t, seed=seed).run(program, inputs(kind, plan, given, m, t, extra))
    return kind.answer(plan, opened_by(plan, outcomes, m, t))
