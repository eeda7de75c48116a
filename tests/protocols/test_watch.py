"""The loss during a fit: nothing without a watch; with one, noised figures at the receivers, charged each time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mpc import MemoryCluster, Party
from mpc.errors import OutOfRange, UnknownParty, UsageError, WrongType
from protocols.early_stop import split
from protocols.errors import GridOverflow
from protocols.logistic import LogisticRegression
from protocols.mechanisms import Binomial, DiscreteGaussian, DiscreteLaplace
from protocols.minimum import MinimumGroup
from protocols.release import total_epsilon
from protocols.watch import LossWatch

HUGE = DiscreteLaplace(128)
OPTIONS: dict[str, Any] = {
    "solver": "sgd", "batch_size": 32, "max_iter": 3, "early_stopping": True, "validation_fraction": 0.25,
}  # fmt: skip


def _rows(classes: int = 2) -> tuple[Any, Any]:
    r = np.random.default_rng(classes)
    x = np.rint(r.normal(size=(200, 2)) * 256) / 256
    return x, (x @ r.normal(size=(2, classes)) + r.gumbel(size=(200, classes))).argmax(axis=1)


def _run(
    watch: LossWatch | None, classes: int = 2, present: Any = None, reports: Any = None, **options: Any
) -> list[tuple[Any, ...]]:
    """(what was released, how many openings there were, coefficients after each epoch) at each party."""
    x, y = _rows(classes)

    async def program(party: Party) -> tuple[Any, ...]:
        X, Y = await party.input(x, owner=0), await party.input(y, owner=1)
        here = None if present is None else await party.input(present.astype(int), owner=2)
        opened: list[int] = []
        party.on_reveal = lambda label, receivers, value: opened.append(receivers)
        model = LogisticRegression(**OPTIONS | {"classes": tuple(range(classes))} | options)
        await model.fit(X, Y, present=here, watch=watch)
        fit, path = split(200, 0.25, 0)[0], []
        for epochs in range(1, 4) if watch is not None and watch.mechanism == HUGE else ():
            one = LogisticRegression(solver="sgd", batch_size=32, max_iter=epochs, classes=tuple(range(classes)))
            await one.fit(X[fit], Y[fit], present=None if here is None else here[fit])
            path.append([await party.reveal(one.coef_), await party.reveal(one.intercept_)])
        return model.watched_, opened, path

    cluster = MemoryCluster(3, seed=1, progress=reports)
    return cluster.run(program)


@pytest.mark.parametrize("classes", [2, 3])
def test_with_a_huge_epsilon_it_is_the_loss_of_the_rows_held_out(classes: int) -> None:
    present = np.random.default_rng(1).random(200) < 0.9
    answers = _run(LossWatch(HUGE, to=2, clip=0.2), classes, present)
    x, y = _rows(classes)
    out = split(200, 0.25, 0)[1]
    out = out[present[out]]
    assert all(r.values is None for told, *_ in answers[:2] for r in told)
    told, _, path = answers[2]
    assert len(told) == 3
    for released, (coef, intercept) in zip(told, path, strict=True):
        score = x[out] @ coef.T + intercept
        score = np.column_stack([0 * score, score]) if classes == 2 else score
        p = np.exp(score) / np.exp(score).sum(axis=1, keepdims=True)
        loss = -np.log(np.maximum(p[np.arange(len(out)), y[out]], 0.2)).mean()
        assert released.values == pytest.approx(loss, abs=5e-3)
    assert told[0].values > told[2].values + 0.01


@pytest.mark.parametrize("mechanism", [DiscreteLaplace(0.5), DiscreteGaussian(0.5, 1e-6)])
def test_each_is_charged_as_was_said_beforehand(mechanism: Any) -> None:
    watch = LossWatch(mechanism, to=(0, 1), rows=2, every=2)
    answers = _run(watch)
    for told, _, _ in answers:
        assert len(told) == 2  # after epochs 2 and 3
        assert tuple(e for r in told for e in r.events) == watch.events(3)
        assert total_epsilon(*told) == pytest.approx(1.0)
    assert watch.events(3) == 2 * watch.events(1)
    assert len(watch.events(20)) == 2 * 10
    assert len(LossWatch(mechanism, to=0, every=7).events(20)) == 2 * 3


def test_only_the_receivers_see_anything_and_only_with_a_watch() -> None:
    for watch, expected in ((None, [0, 0, 0]), (LossWatch(DiscreteLaplace(0.5), to=(0, 1)), [6, 6, 0])):
        answers = _run(watch)
        assert [len(opened) for _, opened, _ in answers] == expected  # a noised total and a noised count each time
        assert all(receivers == 2 for _, opened, _ in answers for receivers in opened)
        assert [len(told) for told, *_ in answers] == [3 if watch else 0] * 3


def test_a_small_group_is_not_shown() -> None:
    told, _, _ = _run(LossWatch(DiscreteLaplace(8.0), to=0, minimum=MinimumGroup(120)))[0]
    assert not any(r.shown for r in told)
    assert all(np.isnan(r.values) for r in told)
    assert _run(LossWatch(DiscreteLaplace(8.0), to=0, minimum=MinimumGroup(20)))[0][0][0].shown


def test_what_is_reported() -> None:
    reports: list[tuple[int, str]] = []
    _run(LossWatch(DiscreteLaplace(8.0), to=1, every=3), reports=lambda i, text: reports.append((i, text)))
    reports = [(i, text) for i, text in reports if "of the next" not in text]  # said on a slow machine only
    steps = [f"LogisticRegression: epoch {k} of 3" for k in range(4)]
    assert [text for i, text in reports if i == 0] == steps
    told = [text for i, text in reports if i == 1]
    assert told[:4] == steps
    assert len(told) == 5
    assert told[4].startswith("LogisticRegression: after epoch 3 log loss 0.")


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"mechanism": 0.5}, WrongType, "mechanism"),
        ({"mechanism": DiscreteLaplace(1e-18)}, (OutOfRange, GridOverflow), ""),
        ({"mechanism": Binomial(1e-6, 1e-6)}, OutOfRange, ""),
        ({"to": 3}, UnknownParty, ""),
        ({"to": ()}, UnknownParty, ""),
        ({"rows": 0}, OutOfRange, "rows"),
        ({"clip": 0.5}, OutOfRange, "clip"),
        ({"every": 0}, OutOfRange, "every"),
        ({"minimum": 20}, WrongType, "minimum"),
        ({"minimum": MinimumGroup(20, epsilon=1.0)}, OutOfRange, "minimum"),
        ({"stock": "store"}, WrongType, "stock"),
    ],
)
def test_bad_requests_are_refused_before_anything_is_sent(options: Any, error: Any, match: str) -> None:
    async def program(party: Party) -> int:
        X, y = await party.input(np.zeros((60, 2)), owner=0), await party.input(np.zeros(60, int), owner=1)
        before = party.transport.traffic.bytes_sent
        with pytest.raises(error, match=match or None):
            watch = LossWatch(**{"mechanism": DiscreteLaplace(1.0), "to": 0} | options)
            await LogisticRegression(**OPTIONS).fit(X, y, watch=watch)
        return party.transport.traffic.bytes_sent - before

    assert MemoryCluster(3).run(program) == [0, 0, 0]


def test_rows_must_be_held_out() -> None:
    with pytest.raises(WrongType, match="LossWatch"):
        _run(HUGE)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="early_stopping"):
        _run(LossWatch(HUGE, to=0), early_stopping=False)
