"""Was this person in the training? The best attack on a released model, beside trainings on which it works."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.stats import beta, norm

from mpc import MemoryCluster
from mpc.arrays import SecretArray
from mpc.exchange import public_share
from protocols.noise import sample
from protocols.private_descent import PrivateDescent, batch_sum, noisy_descent
from protocols.private_logistic import PrivateLogisticRegression
from protocols.row_bound import kept_rows

EPSILON, DELTA, TRIALS = 1.0, 1e-3, 20_000


def trained(
    present: int, row: float, *, late: bool = False, safe: bool = True, noise: bool = True, seed: int = 0
) -> Any:
    """Coefficients of as many trainings of one step on one feature: the planted row, present or not, and two others.

    They stand side by side as columns: in a first step, from 0, columns do not see one another. Each has the noise that
    a training on one feature has. ``late``: the noised sums instead, of a step from where the row is wholly wrong.
    """
    made = PrivateLogisticRegression(EPSILON, DELTA, fit_intercept=False, max_iter=1, momentum=0.0).plan(3, 1)
    wide = PrivateDescent(made.loss, made.promise, made.bound, TRIALS, 3, 1, made.how)

    async def program(party: Any) -> Any:
        X, y = await party.input([[row], [0.5], [0.25]], 0), await party.input([1, 0, 1], 1)
        here = await party.input([present, 1, 1], 2)
        z = await kept_rows(X, here, made.bound) if safe else await (X * here.reshape(-1, 1))
        columns = SecretArray(party, np.repeat(z.share, TRIALS, axis=2), z.frac)
        drawn = await sample(party, made.event.law, (1, TRIALS), frac=32)
        if not noise:
            drawn = SecretArray(party, public_share(party, np.zeros((1, TRIALS), np.uint64)), 32)
        if late:
            far = await party.input(np.append(-1000.0, np.zeros(TRIALS - 1)), 0, frac=24)
            return -await party.reveal(await (await batch_sum(columns, y, far, made.loss) + drawn[0]))
        return await party.reveal(await noisy_descent(columns, y, drawn, wide))

    return MemoryCluster(3, seed=seed).run(program)[0]


def told(with_it: Any, without: Any) -> tuple[float, float]:
    """(advantage, epsilon at DELTA that the attack refutes) of guessing "present" above a threshold.

    Thresholds are chosen on the first half and judged on the second. With confidence 95% (Clopper and Pearson) the
    training keeps no epsilon below the second number: Jagielski, Ullman, Oprea, Auditing Differentially Private Machine
    Learning, NeurIPS 2020, section 4.
    """
    half = TRIALS // 2
    learn, judge = (with_it[:half], without[:half]), (with_it[half:], without[half:])
    at = np.quantile(np.concatenate(learn), np.linspace(0.0005, 0.9995, 400))

    def counts(pair: Any, t: float) -> tuple[int, int]:
        return int((pair[0] > t).sum()), int((pair[1] > t).sum())

    def refuted(hits: int, alarms: int) -> float:
        least = beta.ppf(0.025, hits, half - hits + 1) if hits else 0.0
        most = beta.ppf(0.975, alarms + 1, half - alarms) if alarms < half else 1.0
        return math.log((least - DELTA) / most) if least > DELTA else -math.inf

    best = max(at, key=lambda t: refuted(*counts(learn, t)))
    widest = max(at, key=lambda t: counts(learn, t)[0] - counts(learn, t)[1])
    hits, alarms = counts(judge, widest)
    return (hits - alarms) / half, refuted(*counts(judge, best))


def most() -> float:
    """The advantage that (EPSILON, DELTA) allows any attack."""
    return (math.expm1(EPSILON) + 2 * DELTA) / (math.exp(EPSILON) + 1)


@pytest.mark.parametrize("late", [False, True])
def test_the_best_attack_tells_what_gaussian_noise_tells_and_no_more_than_promised(late: bool) -> None:
    made = PrivateLogisticRegression(EPSILON, DELTA, fit_intercept=False, max_iter=1).plan(3, 1)
    advantage, refuted = told(*(trained(here, 1.0, late=late, seed=1 + here) for here in (1, 0)))
    moved = 1.0 if late else 0.5  # p - y, of what it might at most be
    expected = 2 * norm.cdf(moved / 2 / made.noise_multiplier) - 1
    assert advantage == pytest.approx(expected, abs=4 / math.sqrt(TRIALS))
    assert advantage < most()
    assert (0.4 * EPSILON if late else 0) < refuted < EPSILON


def test_without_noise_it_works() -> None:
    advantage, refuted = told(trained(1, 1.0, noise=False, seed=1), trained(0, 1.0, noise=False, seed=2))
    assert advantage > 0.99 > most()
    assert refuted > EPSILON


def test_a_long_row_works_where_nobody_looks_and_tells_nothing_where_the_computation_does() -> None:
    advantage, refuted = told(trained(1, 40.0, safe=False, seed=1), trained(0, 40.0, safe=False, seed=2))
    assert advantage > 0.99 > most()
    assert refuted > EPSILON
    advantage, refuted = told(trained(1, 40.0, seed=1), trained(0, 40.0, seed=2))
    assert abs(advantage) < 4 / math.sqrt(TRIALS)
    assert refuted < 0.1
