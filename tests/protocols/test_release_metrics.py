"""Metrics released with noise: the truth without, what they are charged, intervals that hold, what follows."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as sk

from mpc import MemoryCluster
from mpc.errors import OutOfRange, ShapeMismatch, UnknownParty, WrongType
from mpc.shapes import stack
from protocols.mechanisms import DiscreteGaussian, DiscreteLaplace
from protocols.minimum import MinimumGroup
from protocols.release_metrics import (
    release_accuracy,
    release_auc,
    release_brier,
    release_confusion,
    release_log_loss,
)
from protocols.scores import auc_of, rates_of, scores_of
from tests.protocols.tables import each_m

HUGE = DiscreteLaplace(128)
CUTS = [k / 8 for k in range(1, 8)]
N = 400


def rows(seed: int = 0) -> tuple[Any, Any, Any]:
    """Labels, probabilities that tell something of them, which rows there are."""
    r = np.random.default_rng(seed)
    y = r.integers(0, 2, N)
    p = np.round(np.clip(r.normal(0.35 + 0.3 * y, 0.2), 0, 1) * 64) / 64
    return y, p, r.integers(0, 4, N) > 0


def run(m: int, f: Any, data: Any, seed: int = 0) -> list[Any]:
    """``await f(party, y, p, here)`` at each party."""

    async def program(party: Any) -> Any:
        y, p, here = [await party.input(np.asarray(c) + 0, j) for j, c in enumerate(data)]
        return await f(party, y, p, here != 0)

    return MemoryCluster(m, seed=seed).run(program)


@each_m
def test_with_a_huge_epsilon_it_is_the_truth(m: int) -> None:
    data = rows()

    async def program(party: Any, y: Any, p: Any, here: Any) -> Any:
        rest: Any = {"to": [1], "present": here}
        return [
            await release_accuracy(party, y, p >= 0.5, HUGE, minimum=MinimumGroup(20), **rest),
            await release_log_loss(party, y, p, HUGE, **rest),
            await release_brier(party, y, p, HUGE, **rest),
            await release_confusion(party, y, p >= 0.5, HUGE, **rest),
            await release_auc(party, y, p, HUGE, thresholds=CUTS, **rest),
        ]

    answers = run(m, program, data)
    assert all(part.values is None for j, answer in enumerate(answers) if j != 1 for part in answer)
    accuracy, log, brier, table, histogram = answers[1]
    y, p = data[0][data[2]], data[1][data[2]]
    hard, kept = p >= 0.5, np.clip(p, 0.01, 1)
    assert accuracy.values == pytest.approx(sk.accuracy_score(y, hard), abs=0.01) and accuracy.shown
    lost = -np.log(np.where(y == 1, kept, np.clip(1 - p, 0.01, 1))).mean()
    assert log.values == pytest.approx(lost, abs=0.01)
    assert brier.values == pytest.approx(sk.brier_score_loss(y, p), abs=0.01)
    assert table.values.tolist() == sk.confusion_matrix(y, hard).tolist()
    assert [x.epsilon for x in answers[1]] == [128.0] * 5
    assert [x.sensitivity for x in (*accuracy.parts, table, histogram)] == [0.5, 1, 1, 1]
    assert log.parts[0].sensitivity == pytest.approx(-np.log(0.01) / 2, abs=1e-4)
    assert brier.parts[0].sensitivity == 0.5

    scores = scores_of(table)
    for name, f in (("accuracy", sk.accuracy_score), ("precision", sk.precision_score), ("f1", sk.f1_score)):
        assert scores[name].value == pytest.approx(f(y, hard))
    assert scores["recall"].value == pytest.approx(sk.recall_score(y, hard))
    area = auc_of(histogram)
    assert area.value == pytest.approx(sk.roc_auc_score(y, np.digitize(p, CUTS)))
    assert area.interval95[0] <= sk.roc_auc_score(y, p) <= area.interval95[1]
    fpr, tpr = rates_of(histogram)
    assert np.allclose(tpr, [(p[y == 1] >= c).mean() for c in CUTS])
    assert np.allclose(fpr, [(p[y == 0] >= c).mean() for c in CUTS])


def test_rows_of_a_person_and_other_noise() -> None:
    async def program(party: Any, y: Any, p: Any, here: Any) -> Any:
        many = await release_confusion(party, y, p >= 0.5, DiscreteLaplace(1.0), to=0, rows=3)
        return many, await release_auc(party, y, p, DiscreteGaussian(1.0, 1e-6), thresholds=CUTS, to=0)

    many, gaussian = run(3, program, rows())[0]
    assert (many.sensitivity, gaussian.sensitivity, many.epsilon) == (3, 1, 1.0)
    assert gaussian.epsilon <= 1 and 0 < gaussian.delta <= 1e-6
    assert 0.5 < auc_of(gaussian).value < 1


def test_log_loss_of_several_classes() -> None:
    async def program(party: Any, y: Any, p: Any, here: Any) -> Any:
        proba = stack([p * 0.5, 1 - p, p * 0.5], axis=1)
        return await release_log_loss(party, y, proba, HUGE, labels=[1, 0, 2], to=0, present=here)

    y, p, here = rows()
    told = run(3, program, (y, p, here))[0]
    given = np.where(y == 1, p / 2, 1 - p)[here]
    assert told.values == pytest.approx(-np.log(np.clip(given, 0.01, 1)).mean(), abs=0.01)
    assert told.parts[0].sensitivity == pytest.approx(-np.log(0.01) / 2, abs=1e-4)


class Given:
    """Stands for a Released whose noise is plus or minus ``half``, at any confidence."""

    def __init__(self, values: Any, half: float) -> None:
        self.values, self.half, self.standard_error = np.array(values), half, half / 2

    def half_width(self, confidence: float = 0.95) -> float:
        assert 0.95 < confidence < 1
        return self.half


@pytest.mark.parametrize("seed", range(6))
def test_intervals_span_all_counts_that_may_be(seed: int) -> None:
    """By brute force: all corners, and more; the ends are reached."""
    r = np.random.default_rng(seed)
    noised, half = r.integers(2, 9, (2, 3)), 2
    ends = [(v - half, v + half) for v in noised.ravel()]
    least, most = 1.0, 0.0
    for cells in product(*ends):
        negatives, positives = np.array(cells).reshape(2, 3)
        if not negatives.sum() or not positives.sum():
            continue
        before = np.cumsum(negatives)
        pairs = negatives.sum() * positives.sum()
        least = min(least, (positives @ (before - negatives)) / pairs)
        most = max(most, (positives @ before) / pairs)
    if (noised.sum(axis=1) - 3 * half > 0).all():
        assert auc_of(Given(noised, half)).interval95 == pytest.approx((least, most))  # type: ignore[arg-type]
    else:
        assert auc_of(Given(noised, half)).interval95 == (0, 1)  # type: ignore[arg-type]

    table = noised[:, :2]
    found = scores_of(Given(table, half))  # type: ignore[arg-type]
    corners = [np.array(c).reshape(2, 2) for c in product(*[(max(v - half, 0), v + half) for v in table.ravel()])]
    for name, f in {
        "accuracy": lambda c: (c[0, 0] + c[1, 1]) / c.sum(),
        "precision": lambda c: c[1, 1] / (c[1, 1] + c[0, 1]),
        "recall": lambda c: c[1, 1] / (c[1, 1] + c[1, 0]),
        "f1": lambda c: 2 * c[1, 1] / (2 * c[1, 1] + c[0, 1] + c[1, 0]),
    }.items():
        with np.errstate(invalid="ignore"):
            values = [f(c) for c in corners]
        exact = (0.0, 1.0) if np.isnan(values).any() else (min(values), max(values))
        assert found[name].interval95 == pytest.approx(exact), name
        assert found[name].value == pytest.approx(f(table))


def test_errors_of_what_follows_are_those_of_the_noise() -> None:
    truth, histogram = np.array([[400, 60], [90, 300]]), np.array([[200, 150, 50, 10], [20, 60, 150, 180]])
    r = np.random.default_rng(5)

    def estimates(sigma: float) -> Any:
        for _ in range(2000):
            noisy = Given(truth + r.normal(0, sigma, (2, 2)), 2 * sigma)
            area = auc_of(Given(histogram + r.normal(0, sigma, (2, 4)), 2 * sigma))  # type: ignore[arg-type]
            yield {**scores_of(noisy), "auc": area}  # type: ignore[arg-type]

    many = list(estimates(5.0))
    for name in many[0]:
        spread = np.std([e[name].value for e in many])
        assert spread == pytest.approx(np.mean([e[name].standard_error for e in many]), rel=0.1), name


def test_nothing_known() -> None:
    none = Given(np.zeros((2, 2)) - 1, 3)
    for estimate in scores_of(none).values():  # type: ignore[arg-type]
        assert (estimate.value, estimate.standard_error, estimate.interval95) == (0, 1, (0, 1))
    area = auc_of(none)  # type: ignore[arg-type]
    assert (area.value, area.standard_error, area.interval95) == (0.5, 0.5, (0, 1))
    assert not np.any(rates_of(none))  # type: ignore[arg-type]


def test_bad_requests_are_refused_before_anything_is_sent() -> None:
    async def program(party: Any, y: Any, p: Any, here: Any) -> Any:
        await here
        table = await release_confusion(party, y, p >= 0.5, HUGE, to=0)
        several = await release_confusion(party, y, p >= 0.5, HUGE, to=range(3), n_classes=3)
        sent = party.transport.traffic.bytes_sent
        for f in (release_accuracy, release_log_loss, release_brier, release_confusion):
            with pytest.raises(WrongType, match="mechanism"):
                await f(party, y, p, 1.0, to=0)  # type: ignore[arg-type]
            with pytest.raises(UnknownParty):
                await f(party, y, p, HUGE, to=3)
            with pytest.raises(OutOfRange, match="rows"):
                await f(party, y, p, HUGE, to=0, rows=0)
        with pytest.raises(WrongType, match="minimum"):
            await release_accuracy(party, y, p, HUGE, to=0, minimum=20)  # type: ignore[arg-type]
        with pytest.raises(OutOfRange, match="clip"):
            await release_log_loss(party, y, p, HUGE, to=0, clip=0)
        with pytest.raises(OutOfRange, match="thresholds"):
            await release_auc(party, y, p, HUGE, to=0, thresholds=[])
        if party.index:
            for follows in (scores_of, auc_of, rates_of):
                with pytest.raises(WrongType, match="no receiver"):
                    follows(table)
        with pytest.raises(ShapeMismatch, match="2, 2"):
            scores_of(several)
        assert party.transport.traffic.bytes_sent == sent

    run(3, program, rows())
