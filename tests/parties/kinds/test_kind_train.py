"""Private training over several members' tables, against gradient descent in numpy; and going on from checkpoints."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc import MemoryCluster
from mpc.errors import AccordError, ProgramDiverged, WrongType
from parties.errors import CheckpointInvalid, ParametersInvalid, TableUnfit
from parties.kinds.checkpoints import Checkpoint, Checkpointing, checkpoint_of
from parties.kinds.kind_train import TRAIN
from protocols.errors import EpsilonInvalid
from tests.parties.consortium import charter
from tests.parties.job_tables import WARDS, NoLine, answered, column, inputs, opened_by, owned, table

FEATURES = ["age", "cost", "ward"]
PRIVACY = {"epsilon": 16.0, "delta": 1e-3}
KEY = bytes(range(32))


def wards(capacity: int = 700) -> Any:
    return table(
        column("age", "integer", low=0, high=90),
        column("cost", "real", low=-4.0, high=4.0),
        column("ward", "category", categories=WARDS),
        column("died", "boolean"),
        column("fate", "category", categories=("home", "moved", "died")),
        capacity=capacity,
    )


def rows_of(n: int, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    age, cost, ward = rng.integers(0, 91, n), np.round(rng.uniform(-4, 4, n) * 256) / 256, rng.integers(0, 3, n)
    died = rng.random(n) < 1 / (1 + np.exp(-(0.08 * (age - 45) - cost + (ward == 1))))
    return {"age": age, "cost": cost, "ward": ward, "died": died.astype(np.int64), "fate": np.where(died, 2, ward % 2)}


PARTS = [rows_of(650, 1), rows_of(700, 2)]


def plan_of(*tables: Any, **change: Any) -> Any:
    asked = {"features": FEATURES, "label": "died", **PRIVACY, "max_iter": 12, **change}
    return TRAIN.check({k: v for k, v in asked.items() if v is not None}, owned(*tables or (wards(),)), charter())


def descended(parts: list[Any], places: int, epochs: int) -> Any:
    """What the same steps without noise end with: (coefficients, intercept)."""
    z = []
    for rows in parts:
        x = np.stack(
            [rows["age"] / 45 - 1, rows["cost"] / 4, *((rows["ward"] == j) * 2.0 - 1 for j in range(3))], axis=1
        )
        x *= 2 / np.sqrt(5)
        z.append(x * np.minimum(1, 1 / np.linalg.norm(x, axis=1, keepdims=True)))
    X = np.concatenate(z)
    X, y = np.hstack([X, np.full((len(X), 1), 0.5)]), np.concatenate([rows["died"] for rows in parts])
    beta = velocity = kept = np.zeros(6)
    for step in range(epochs):
        gradient = X.T @ (1 / (1 + np.exp(-X @ beta)) - y) / places
        velocity = 0.8 * velocity - 8 / 1.25 * gradient
        beta = beta + velocity
        kept = kept + beta * (step >= epochs // 2)
    kept = kept / (epochs - epochs // 2)
    return np.append(kept[:5], kept[5] * 0.5)


@pytest.mark.parametrize(
    ("m", "t", "owners"), [(3, 1, (0, 2)), (3, 1, (None, 1)), pytest.param(5, 2, (None, 3), marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("label", [{"label": "died"}, {"label": "fate", "positive": "died"}])
def test_coefficients_are_those_of_gradient_descent(m: int, t: int, owners: Any, label: Any) -> None:
    plan = plan_of(wards(), wards(), **label)
    told = answered(TRAIN, plan, list(zip(owners, PARTS, strict=True)), m, t)
    got = np.array([c["coefficient"] for c in told["coefficients"]] + [told["intercept"]])
    truth = descended(PARTS, 1400, 12)
    assert np.abs(got - truth).max() < 0.25 < np.abs(truth).max() / 4  # what noise there is
    assert [(c["column"], c["category"]) for c in told["coefficients"]] == [
        ("age", None), ("cost", None), ("ward", "north"), ("ward", "south"), ("ward", "west"),
    ]  # fmt: skip
    assert (told["epsilon"], told["bound"], told["spread"]) == (16.0, 1.0, 2.0)


def test_what_is_asked_and_charged() -> None:
    plan = plan_of(wards(), wards())
    for ask in plan.asks:
        assert dict(ask.uses) == dict.fromkeys([*FEATURES, "died"], frozenset({"train"})) and not ask.counts
    assert plan.epsilon == 16.0 and plan.delta == 1e-3 and plan.answers[0].kind == "derived"
    one, two = plan_of(wards()).events[0], plan.events[0]
    assert 1.99 * one.change.columns[0] < two.change.columns[0] < 2.01 * one.change.columns[0]  # a person in both


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"features": []}, ParametersInvalid, "features is a list"),
        ({"features": ["person"]}, TableUnfit, "of kind key"),
        ({"label": "age"}, TableUnfit, "a label takes one of boolean, category"),
        ({"label": 3}, ParametersInvalid, "label is the name"),
        ({"label": "ward"}, ParametersInvalid, "positive is the category of ward"),
        ({"label": "fate", "positive": True}, ParametersInvalid, "positive is the category of fate"),
        ({"positive": "x"}, ParametersInvalid, "died is true or false"),
        ({"features": ["died"]}, ParametersInvalid, "and so no feature"),
        ({"epsilon": 17.0}, EpsilonInvalid, "at most 16"),
        ({"delta": None}, ParametersInvalid, "'delta' is missing"),
        ({"max_iter": 60000, "batch_size": 10}, ParametersInvalid, "fewer epochs, or larger batches"),
        ({"average": 1}, ParametersInvalid, "average is true or false"),
        ({"spread": 0}, ParametersInvalid, "spread is a number above 0"),
        ({"momentum": 1.5}, AccordError, "momentum"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(change: Any, error: type[AccordError], match: str) -> None:
    with pytest.raises(error, match=match):
        plan_of(**change)


# -- going on from a checkpoint ------------------------------------------------------------------

SMALL = [rows_of(150, 3), rows_of(140, 4)]
OWNERS = (0, None)
ROUNDED = 24 * 64 * 2.0**-24  # 24 steps, some roundings each, which are drawn anew and momentum adds up; seen: 2.6e-5


def trained(
    resume: Any = None, run: str = "1", rows: Any = None, seed: int = 3, every: int = 1, **change: Any
) -> tuple[Any, list[list[Checkpoint]]]:
    """(coefficients, the checkpoints of each party)."""
    plan = plan_of(wards(160), wards(160), max_iter=6, batch_size=100)
    told = Checkpointing(KEY, "job", run, every)
    extra = [dataclasses.replace(told, resume=None if resume is None else resume[i], **change) for i in range(3)]
    given = list(zip(OWNERS, rows or SMALL, strict=True))
    works = inputs(TRAIN, plan, given, 3, 1, extra)
    lines = [NoLine() for _ in range(3)]

    async def program(party: Any, work: Any) -> Any:
        return await TRAIN.program(party, lines[party.index], work)

    outcomes = MemoryCluster(3, seed=seed).run(program, works)
    found = TRAIN.answer(plan, opened_by(plan, outcomes, 3, 1))
    values = np.array([c["coefficient"] for c in found["coefficients"]] + [found["intercept"]])
    return values, [line.said for line in lines]


@pytest.fixture(scope="module")
def first() -> tuple[Any, list[list[Checkpoint]]]:
    return trained()


def test_a_fit_that_goes_on_ends_with_the_same_but_for_rounding(first: Any) -> None:
    truth, kept = first
    assert [[c.step for c in of_one] for of_one in kept] == [[4, 8, 12, 16, 20]] * 3  # not after the last epoch
    other, _ = trained(seed=8)
    assert np.abs(other - truth).max() > 0.05  # another run has other noise
    for at in (0, 3, 4):
        again, later = trained([of_one[at].data for of_one in kept], run="2", seed=9)
        assert np.abs(again - truth).max() < ROUNDED
        assert [c.step for c in later[0]] == [4 * e for e in range(at + 2, 6)]
        assert all(checkpoint_of(c.data) == ("2", c.step) == (c.run, c.step) for c in later[0])


def test_a_fit_may_go_on_twice(first: Any) -> None:
    truth, kept = first
    _, later = trained([of_one[0].data for of_one in kept], run="2", seed=4)
    again, _ = trained([of_one[1].data for of_one in later], run="3", seed=5)
    assert np.abs(again - truth).max() < ROUNDED


def test_states_are_kept_as_often_as_asked() -> None:
    _, kept = trained(every=4)
    assert [c.step for c in kept[0]] == [16]


def test_parties_that_begin_at_different_states_do_not_go_on(first: Any) -> None:
    _, kept = first
    with pytest.raises(ProgramDiverged):
        trained([kept[0][1].data, kept[1][1].data, kept[2][2].data], run="2")
    _, others = trained(run="7", seed=8)
    with pytest.raises(ProgramDiverged):
        trained([kept[0][1].data, kept[1][1].data, others[2][1].data], run="8")
    with pytest.raises(ProgramDiverged):
        trained([kept[0][1].data, kept[1][1].data, None], run="2")


def test_a_checkpoint_is_its_partys_its_jobs_and_its_rows(first: Any) -> None:
    _, kept = first
    data = [of_one[2].data for of_one in kept]
    with pytest.raises(CheckpointInvalid, match="of another job or party"):
        trained([data[1], data[1], data[2]], run="2")
    with pytest.raises(CheckpointInvalid, match="of another job or party"):
        trained(data, run="2", job="another")
    with pytest.raises(CheckpointInvalid, match="under another key"):
        trained(data, run="2", key=bytes(32))
    changed = [{**SMALL[0], "age": SMALL[0]["age"][::-1].copy()}, SMALL[1]]
    with pytest.raises(CheckpointInvalid, match="other rows"):
        trained(data, run="2", rows=changed)
    with pytest.raises(WrongType, match="32 bytes"):
        Checkpointing(b"short", "job", "1")
    with pytest.raises(WrongType, match="letters and digits"):
        Checkpointing(KEY, "job", "a b")


def test_what_is_kept_says_nothing_in_the_clear(first: Any) -> None:
    _, kept = first
    one = kept[0][0]
    assert (
        len({c.data[60:] for c in kept[0]}) == 5
        and "data" not in repr(one)
        and KEY.hex() not in repr(Checkpointing(KEY, "job", "1"))
    )
    body = np.frombuffer(one.data[60 : 60 + 8 * 100], np.uint8)
    assert len(set(body.tolist())) > 200  # of 256


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_changed_bytes_are_no_checkpoint(first: Any, data: Any) -> None:
    good = first[1][0][0].data
    raw = bytearray(good)
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.one_of(st.just(len(raw)), st.integers(0, len(raw))))

    async def program(party: Any) -> None:
        from parties.kinds.checkpoints import Checkpoints

        with pytest.raises(CheckpointInvalid):
            Checkpoints(party, Checkpointing(KEY, "job", "2", resume=bytes(raw[:cut])), NoLine())

    MemoryCluster(3).run(program)
