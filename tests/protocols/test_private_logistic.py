"""PrivateLogisticRegression: what it is worth, its noise, what it leaves out, and that nothing else is opened."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.stats import kstest
from sklearn import linear_model
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import roc_auc_score

from mpc import MemoryCluster, Party
from mpc.errors import OutOfRange, ProgramDiverged, ShapeMismatch, UnknownParty, WrongType
from mpc.secret import Secret
from mpc.shapes import concatenate
from protocols.errors import DeltaInvalid, EpsilonInvalid, NotFitted
from protocols.model_selection import candidates_of
from protocols.private_huber import PrivateHuberRegressor
from protocols.private_logistic import PrivateLogisticRegression
from protocols.private_model import ReleasedModel
from protocols.release import total_cost, total_epsilon
from protocols.row_bound import bounded_rows
from protocols.stock import MemoryStore, NoiseStock
from tests.protocols.fitted import fitted, sizes_sent, unsafe_without_noise


def cancer() -> tuple[Any, Any]:
    """Rows bounded by public bounds, as a clinic would know them, and labels."""
    data = load_breast_cancer()
    x, y = data.data, data.target
    scale = 10.0 ** np.floor(np.log10(x.max(axis=0)))
    return bounded_rows(x, np.zeros(30), np.ceil(x.max(axis=0) / scale) * scale), y


def few(n: int = 60, d: int = 3, seed: int = 0) -> tuple[Any, Any]:
    r = np.random.default_rng(seed)
    x = bounded_rows(r.normal(size=(n, d)), [-3] * d, [3] * d, spread=3.0)
    return x, (r.random(n) < 1 / (1 + np.exp(-x @ np.arange(1, d + 1)))).astype(int)


def released(m: int, x: Any, y: Any, seed: int = 0, to: Any = 0, **options: Any) -> list[ReleasedModel]:
    """Of a consortium each of whose members has a part of the rows."""

    async def program(party: Any) -> Any:
        parts = [party.input(rows, i) for i, rows in enumerate(np.array_split(x, m))]
        labels = [party.input(part, i) for i, part in enumerate(np.array_split(y, m))]
        model = await PrivateLogisticRegression(**options).fit(concatenate(parts), concatenate(labels))
        return await model.release(party, to=to)

    return MemoryCluster(m, seed=seed).run(program)


@pytest.fixture
def no_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    unsafe_without_noise(monkeypatch)


# -- what it is worth --------------------------------------------------------------------------------


@pytest.mark.parametrize(("m", "epsilon", "worse"), [(3, 1.0, 0.05), (3, 4.0, 0.015), (3, 8.0, 0.012), (5, 4.0, 0.015)])
def test_ranking_of_patients_is_near_that_without_noise(m: int, epsilon: float, worse: float) -> None:
    x, y = cancer()
    answers = released(m, x, y, epsilon=epsilon, delta=1e-5)
    told = answers[0]
    assert told.coef is not None and told.intercept is not None and told.coef.shape == (30,)
    best = linear_model.LogisticRegression(C=100, max_iter=5000).fit(x, y)
    auc = roc_auc_score(y, x @ told.coef + told.intercept)
    assert auc > roc_auc_score(y, best.decision_function(x)) - worse
    for other in answers[1:]:
        assert other.coef is None and other.intercept is None
        assert (other.epsilon, other.events) == (told.epsilon, told.events)
    assert told.epsilon == epsilon and told.delta == 1e-5


def test_it_is_charged_once_as_any_release() -> None:
    one, two = (released(3, *few(), seed=s, epsilon=1.0, delta=1e-6, max_iter=3)[0] for s in (1, 2))
    assert total_epsilon(one, two) == 2.0
    assert 1.0 < total_cost(one, two, delta=2e-6) < 1.6
    assert one.coef is not None and two.coef is not None and (one.coef != two.coef).all()


# -- its noise -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"max_iter": 1, "momentum": 0.0}, {"max_iter": 6, "batch_size": 2, "alpha": 0.1}])
def test_coefficients_of_no_rows_are_noise_of_the_law(options: Any) -> None:
    """Without rows gradients are noise alone, and steps are linear in it: its deviation is known exactly."""
    n, d = 6, 300

    async def body(X: Any, Y: Any, P: Any) -> Any:
        model = await PrivateLogisticRegression(2.0, **options).fit(X, Y, present=P)
        return [model.coef_[0], model.intercept_, model.noise_multiplier_]

    coef, intercept, multiplier = fitted(3, body, np.zeros((n, d)), np.zeros(n, int), np.zeros(n, int))
    made = PrivateLogisticRegression(2.0, **options).plan(n, d)
    assert multiplier == made.noise_multiplier
    weights = np.zeros((made.steps, made.steps))  # what a step's noise is worth in each beta
    beta, velocity = np.zeros(made.steps), np.zeros(made.steps)
    for step, rows in enumerate(made.orders()):
        push = np.eye(made.steps)[step] / len(rows) + made.alpha * beta
        velocity = made.how.momentum * velocity - made.how.rate * push
        beta = beta + velocity
        weights[step] = beta
    answer = weights[made.steps // 2 :].mean(axis=0)
    deviation = float(made.sigma) * 2.0**-32 * math.sqrt((answer**2).sum())
    assert kstest(coef / deviation, "norm").pvalue > 1e-3
    assert 0.85 < coef.std() / deviation < 1.15
    assert 0 < abs(intercept[0]) < 5 * deviation


def test_stock_is_used() -> None:
    x, y = few()

    async def program(party: Any) -> Any:
        model = PrivateLogisticRegression(max_iter=2)
        made = model.plan(60, 3)
        stock = await NoiseStock.open(party, MemoryStore())
        await stock.fill(made.event.law, made.steps * 4 + 3)
        await model.fit(party.input(x, 0), party.input(y, 1), stock=stock)
        left = stock.left(made.event.law)
        await model.fit(party.input(x, 0), party.input(y, 1), stock=stock)  # not enough: drawn now
        return left, stock.left(made.event.law)

    assert MemoryCluster(3, seed=1).run(program) == [(3, 3)] * 3


# -- what it leaves out --------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_noise")
def test_rows_that_are_too_long_count_as_rows_that_are_not_there() -> None:
    x, y = few()
    long = np.zeros(60, bool)
    long[[3, 17, 40]] = True
    bad = x.copy()
    bad[3], bad[17], bad[40] = [1.0, 2.0**-16, 0], [2.0**16, 0, 0], [-(2.0**40), 2.0**40, 2.0**45]

    async def body(X: Any, Y: Any, P: Any) -> Any:
        model = await PrivateLogisticRegression(max_iter=5).fit(X, Y, present=P)
        return [model.coef_, model.intercept_]

    ignored = fitted(3, body, bad, y, np.ones(60, int))
    absent = fitted(3, body, x, y, (~long).astype(int))
    whole = fitted(3, body, x, y, np.ones(60, int))
    for a, b, c in zip(ignored, absent, whole, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=2e-5)  # roundings are at random
        assert np.abs(c - b).max() > 1e-2


@pytest.mark.usefixtures("no_noise")
def test_without_noise_and_with_time_it_is_the_best_fit() -> None:
    x, y = few(200)

    async def body(X: Any, Y: Any) -> Any:
        model = await PrivateLogisticRegression(alpha=0.02, max_iter=60, average=False).fit(X, Y)
        return [model.coef_[0], model.intercept_, await model.score(X, Y), (await model.predict_proba(X))[:, 1]]

    coef, intercept, score, p = fitted(3, body, x, y)
    best = linear_model.LogisticRegression(C=1 / (0.02 * 200), tol=1e-9).fit(x, y)
    np.testing.assert_allclose(coef, best.coef_[0], rtol=0, atol=2e-3)
    np.testing.assert_allclose(intercept, best.intercept_, rtol=0, atol=2e-3)
    assert score == pytest.approx(best.score(x, y), abs=0.02)
    np.testing.assert_allclose(p, best.predict_proba(x)[:, 1], rtol=0, atol=2e-3)


@pytest.mark.usefixtures("no_noise")
def test_labels_as_bits_as_numbers_and_others() -> None:
    x, y = few()

    def fit(labels: Any, classes: Any = (0, 1)) -> Any:
        async def body(X: Any, Y: Any) -> Any:
            return [(await PrivateLogisticRegression(max_iter=3, classes=classes).fit(X, Y)).coef_]

        return fitted(3, body, x, labels)[0]

    expected = fit(y)
    other = fit(np.where(y, 1, 1 << 61))  # what is not the second class is the first
    for found in (fit(y.astype(bool)), fit(np.where(y, -7, 99), (99, -7)), other):
        np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5)


# -- that nothing else is opened -----------------------------------------------------------------------


def test_nothing_is_opened_before_release_and_then_to_the_receivers(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Any] = []
    reveal = Party.reveal

    def counted(party: Party, x: Secret, to: Any = None) -> Any:
        opened.append((party.index, to))
        return reveal(party, x, to)

    monkeypatch.setattr(Party, "reveal", counted)
    answers = released(3, *few(), to=[2, 1, 1], max_iter=2)
    assert sorted(opened) == [(i, [1, 2]) for i in range(3)]
    assert [a.coef is None for a in answers] == [True, False, False]


def test_messages_depend_on_sizes_only() -> None:
    async def body(X: Any, Y: Any, P: Any) -> Any:
        await PrivateLogisticRegression(max_iter=2, batch_size=15).fit(X, Y, present=P)
        return []

    x, y = few(40)
    zeros = np.zeros(40, int)
    long = np.full((40, 3), 2.0**44)
    assert sizes_sent(body, x, y, zeros + 1, seed=1) == sizes_sent(body, long, zeros + 5, zeros, seed=2)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"epsilon": -1.0}, EpsilonInvalid),
        ({"delta": 2.0}, DeltaInvalid),
        ({"intercept_scaling": 1e-6}, OutOfRange),
        ({"learning_rate": 1e9}, OutOfRange),
        ({"rows": 0}, OutOfRange),
        ({"learning_rate": "0.1"}, OutOfRange),
        ({"momentum": None}, OutOfRange),
        ({"alpha": None}, OutOfRange),
        ({"alpha": math.nan}, OutOfRange),
        ({"random_state": None}, OutOfRange),
        ({"random_state": -1}, OutOfRange),
        ({"classes": 1}, OutOfRange),
        ({"classes": ("no", "yes")}, OutOfRange),
        ({"classes": (0, 0.5)}, OutOfRange),
        ({"classes": (0, 1 << 62)}, OutOfRange),
    ],
)
def test_parameters_out_of_range_are_refused_before_anything_is_sent(options: Any, error: Any) -> None:
    async def body(X: Any, Y: Any) -> Any:
        with pytest.raises(error):
            await PrivateLogisticRegression(**options).fit(X, Y)
        return []

    async def nothing(X: Any, Y: Any) -> Any:
        return []

    assert sizes_sent(body, *few(), seed=1) == sizes_sent(nothing, *few(), seed=1)


@pytest.mark.parametrize("options", [{"momentum": 0.1}, {"classes": (0, 2)}, {"classes": (3, 1)}, {"average": False}])
def test_parties_that_train_otherwise_find_out(options: Any) -> None:
    """With other classes at one party shares of labels would be no bits, and nothing would bound a row's slope."""
    x, y = few()

    async def program(party: Any) -> Any:
        model = PrivateLogisticRegression(max_iter=1, **(options if party.index == 1 else {}))
        model = await model.fit(party.input(x, 0), party.input(y, 1))
        return await model.release(party, to=0)

    with pytest.raises(ProgramDiverged):
        MemoryCluster(3, seed=1).run(program)


def test_what_else_is_refused() -> None:
    x, y = few()

    async def body(X: Any, Y: Any) -> Any:
        model = PrivateLogisticRegression(max_iter=1)
        with pytest.raises(NotFitted):
            await model.release(X.party, to=0)
        with pytest.raises(WrongType, match="weight"):
            await model.fit(X, Y, np.ones(60))
        with pytest.raises(WrongType, match="stock"):
            await model.fit(X, Y, stock=MemoryStore())  # type: ignore[arg-type]
        with pytest.raises(ShapeMismatch):
            await model.fit(X, Y, present=Y[:5])
        await model.fit(X, Y)
        with pytest.raises(UnknownParty):
            await model.release(X.party, to=3)
        with pytest.raises(OutOfRange):
            await model.standard_errors()
        return []

    fitted(3, body, x, y)


def test_parameters_are_scikit_learns_way() -> None:
    model = PrivateLogisticRegression(0.5, bound=2.0)
    assert model.get_params()["bound"] == 2.0 and model.set_params(epsilon=1.5).epsilon == 1.5
    assert "epsilon=1.5" in repr(model)


@pytest.mark.parametrize("model", [PrivateLogisticRegression, PrivateHuberRegressor])
def test_parameters_are_checked_as_searches_ask_for_it(model: Any) -> None:
    points, models = candidates_of(model(max_iter=2), {"epsilon": [1.0, 2.0]})
    assert [m.epsilon for m in models] == [p["epsilon"] for p in points] == [1.0, 2.0]
    with pytest.raises(EpsilonInvalid):
        candidates_of(model(), {"epsilon": [1.0, -1.0]})
    with pytest.raises(OutOfRange):
        candidates_of(model(), {"bound": [0.0]})
