"""Early stopping: which step is kept is what a descent in the clear would keep, and nothing shows it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from mpc import MemoryCluster, Party
from mpc.errors import OutOfRange
from protocols.early_stop import EarlyStop, Patience, split
from protocols.errors import TooFewRows
from protocols.logistic import LogisticRegression
from protocols.sgd import Descent
from tests.protocols.fitted import each_m, fitted, program, sizes_sent

OPTIONS: dict[str, Any] = {
    "solver": "sgd", "max_iter": 8, "batch_size": 16, "learning_rate": 0.5, "momentum": 0.8, "C": math.inf,
    "early_stopping": True, "validation_fraction": 0.3,
}  # fmt: skip


def _rows(seed: int, n: int = 60, d: int = 6) -> tuple[Any, Any]:
    """Few rows and little to learn: the loss on others rises sooner or later."""
    r = np.random.default_rng([n, d, seed])
    x = np.rint(r.normal(size=(n, d)) * 256) / 256
    return x, r.random(n) < 1 / (1 + np.exp(-x @ r.normal(size=d) * 0.5))


def _kept(losses: Any, patience: int, tol: float) -> int:
    """The step kept, of losses at the start and after each step: scikit-learn's MLPClassifier, on the loss."""
    best, kept, idle = losses[0], 0, 0
    for step, loss in enumerate(losses[1:], 1):
        idle = 0 if loss <= best - tol else idle + 1
        if loss < best:
            best, kept = loss, step
        if idle == patience:
            break
    return kept


def _descent(x: Any, y: Any, counts: Any, seed: int, patience: int, tol: float = 1e-3) -> tuple[Any, int]:
    """Coefficients and step kept, in the clear."""
    fit, out = split(len(x), 0.3, seed)
    z = np.column_stack([x, np.ones(len(x))])
    beta = velocity = np.zeros(z.shape[1])
    path = [beta]
    for epoch in range(8):
        for _, rows in Descent(0.5, 0.8, 16, 1, seed, epoch).batches(len(fit)):
            some = fit[rows]
            p = 1 / (1 + np.exp(-z[some] @ beta))
            velocity = 0.8 * velocity - 0.5 / (1 + epoch) * z[some].T @ (counts[some] * (p - y[some])) / len(some)
            beta = beta + velocity
        path.append(beta)
    losses = [counts[out] @ (np.logaddexp(0, z[out] @ b) - y[out] * (z[out] @ b)) / counts[out].sum() for b in path]
    step = _kept(losses, patience, tol)
    return path[step], step


def _compare(m: int, seed: int, patience: int, weights: Any = None, present: Any = None) -> int:
    x, y = _rows(seed)
    options = OPTIONS | {"random_state": seed, "n_iter_no_change": patience}

    async def body(X: Any, Y: Any, W: Any, P: Any) -> Any:
        model = await LogisticRegression(**options).fit(X, Y, W, present=P)
        return [model.coef_[0], model.intercept_, model.best_iter_]

    coef, intercept, step = fitted(m, body, x, y, weights, present)
    counts = (np.ones(60) if weights is None else weights) * (np.ones(60) if present is None else present)
    expected, best = _descent(x, y, counts, seed, patience)
    assert step == best
    np.testing.assert_allclose(np.append(coef, intercept), expected, rtol=0, atol=3e-3)
    return best


@each_m
def test_keeps_what_a_descent_in_the_clear_keeps(m: int) -> None:
    assert _compare(m, 0, 5) == 2


@pytest.mark.parametrize(
    ("seed", "patience", "best"),
    [(3, 2, 1), (5, 1, 2), (5, 2, 6), (16, 5, 5), (14, 5, 8), (1, 5, 0)],
    ids=["a better one comes too late", "too late", "in time", "falls, then rises", "falls", "rises from the start"],
)
def test_it_stops_and_goes_on_where_it_should(seed: int, patience: int, best: int) -> None:
    assert _compare(3, seed, patience) == best


def test_rows_that_count_and_weights() -> None:
    r = np.random.default_rng(1)
    assert 0 < _compare(3, 4, 2, np.rint(r.uniform(0, 2, 60) * 64) / 64, r.random(60) < 0.8) < 8
    assert 0 < _compare(3, 16, 2, None, r.random(60) < 0.8) < 8


@pytest.mark.parametrize(("solver", "classes", "seed"), [("newton", 2, 15), ("newton", 3, 9), ("sgd", 3, 10)])
def test_the_step_kept_is_that_of_a_fit_to_the_same_rows_that_ends_there(solver: str, classes: int, seed: int) -> None:
    """And steps are those of as many fits of one step that start where the last one ended."""
    x, y = _rows(seed, 48, 4)
    if classes == 3:
        y = np.where(x[:, 0] > 0.5, 2, y.astype(int))
    fit, out = split(48, 0.25, 0)
    options: dict[str, Any] = {"solver": solver, "classes": tuple(range(classes)), "batch_size": 12, "C": 1000.0}

    async def body(X: Any, Y: Any) -> Any:
        found = await LogisticRegression(
            **options, max_iter=4, early_stopping=True, validation_fraction=0.25, n_iter_no_change=3
        ).fit(X, Y)
        ends: list[Any] = [found.coef_, found.intercept_, found.best_iter_]
        model = LogisticRegression(**options, max_iter=1, warm_start=True)
        for _ in range(4):
            await model.fit(X[fit], Y[fit])
            ends += [model.coef_, model.intercept_]
        return ends

    coef, intercept, best, *ends = fitted(3, body, x, y)
    losses = [math.log(classes)]
    for c, b in zip(ends[::2], ends[1::2], strict=True):
        score = x[out] @ c.T + b
        score = np.column_stack([0 * score, score]) if classes == 2 else score
        losses.append((np.log(np.exp(score).sum(axis=1)) - score[np.arange(12), y[out].astype(int)]).mean())
    assert 0 < best == _kept(losses, 3, 1e-3) < 4
    np.testing.assert_allclose(coef, ends[2 * best - 2], rtol=0, atol=2e-3)
    np.testing.assert_allclose(intercept, ends[2 * best - 1], rtol=0, atol=2e-3)


class _Given:
    """Stands for rows held out: losses as they are given."""

    counts = None

    def __init__(self, losses: Any) -> None:
        self.losses = lambda beta: losses


@each_m
def test_any_order_of_losses(m: int) -> None:
    """With ties, steps of just tol, and long plateaus; exact, as nothing is rounded."""
    r = np.random.default_rng(0)
    runs = np.minimum(r.integers(0, 8, (6 if m == 3 else 3, 9)), 4) / 4
    runs[:, 0] = 2
    patience = [3, 2, 1, 1, 2, 9][: len(runs)]

    async def body(*losses: Any) -> Any:
        found = []
        for each, steps in zip(losses, patience, strict=True):
            beta = await (each[:2] * 0)
            stop = EarlyStop(_Given(each[:1]), beta, Patience(0.5, steps, 0.5))  # type: ignore[arg-type]
            for step in range(1, 9):
                stop.look(step, await (beta + step), each[step : step + 1])
            found += await stop.kept()
        return found

    found = fitted(m, body, *runs)
    steps = [_kept(run, p, 0.5) for run, p in zip(runs, patience, strict=True)]
    assert found[1::2] == steps
    assert [beta.tolist() for beta in found[::2]] == [[s, s] for s in steps]
    assert len(set(steps)) > 1


# -- what shows --------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["sgd", "newton"])
def test_messages_depend_on_sizes_only(solver: str) -> None:
    """Whether it stops at the start, later, or not at all."""

    async def body(X: Any, Y: Any) -> Any:
        await LogisticRegression(**OPTIONS | {"n_iter_no_change": 1, "solver": solver, "max_iter": 3}).fit(X, Y)
        return []

    same = np.zeros((60, 6)), np.ones(60, bool)
    assert (
        sizes_sent(body, *_rows(14), seed=1) == sizes_sent(body, *_rows(1), seed=2) == sizes_sent(body, *same, seed=3)
    )


def test_nothing_is_opened_and_the_rounds_are_those_of_the_steps() -> None:
    """Three batches an epoch, of 42 rows or of all 60."""
    opened: list[int] = []

    def rounds(**options: Any) -> int:
        async def run(party: Party, columns: Any) -> None:
            party.on_reveal = lambda label, receivers, value: opened.append(receivers)

            async def body(X: Any, Y: Any) -> Any:
                await LogisticRegression(**OPTIONS | {"max_iter": 10} | options).fit(X, Y)
                return []

            await program(body)(party, columns)

        cluster = MemoryCluster(3, seed=1)
        cluster.run(run, [_rows(0)] * 3)
        return cluster.traffic[0].rounds

    plain, stopping = rounds(early_stopping=False, batch_size=20), rounds(batch_size=14)
    assert not opened
    assert plain < stopping <= plain + 30


def test_rows_held_out() -> None:
    fit, out = split(1001, 0.1, 3)
    assert len(out) == 101
    assert sorted(np.concatenate([fit, out])) == list(range(1001))
    assert (np.diff(fit) > 0).all() and (np.diff(out) > 0).all()
    assert set(out) == set(split(1001, 0.1, 3)[1]) != set(split(1001, 0.1, 4)[1])
    with pytest.raises(TooFewRows):
        split(10, 0.85, 0)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"validation_fraction": 0.0}, OutOfRange),
        ({"validation_fraction": 1.0}, OutOfRange),
        ({"validation_fraction": math.nan}, OutOfRange),
        ({"n_iter_no_change": 0}, OutOfRange),
        ({"n_iter_no_change": 1.5}, OutOfRange),
        ({"tol": -1.0}, OutOfRange),
        ({"tol": math.inf}, OutOfRange),
        ({"validation_fraction": 0.98}, TooFewRows),
    ],
)
def test_bad_requests_are_refused_before_anything_is_sent(options: Any, error: type[Exception]) -> None:
    sent: list[int] = []

    async def run(party: Party) -> None:
        X, y = await party.input(np.zeros((60, 2)), owner=0), await party.input(np.zeros(60, int), owner=1)
        before = party.transport.traffic.bytes_sent
        with pytest.raises(error):
            await LogisticRegression(**OPTIONS | options).fit(X, y)
        sent.append(party.transport.traffic.bytes_sent - before)

    MemoryCluster(3).run(run)
    assert sent == [0, 0, 0]


def test_standard_errors_are_not_those_of_the_step_kept() -> None:
    async def body(X: Any, Y: Any) -> Any:
        model = await LogisticRegression(max_iter=1, early_stopping=True).fit(X, Y)
        return await model.standard_errors()

    with pytest.raises(OutOfRange, match="early_stopping"):
        fitted(3, body, *_rows(0))
