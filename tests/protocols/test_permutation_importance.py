"""Permutation importance: uniform orders of rows present only, scikit-learn's means, and what one row can change."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import inspection, tree

from mpc.errors import OutOfRange, ShapeMismatch, UnknownParty, WrongType
from protocols.accounting import Event
from protocols.mechanisms import DiscreteLaplace
from protocols.permutation_importance import permutation_importance, release_permutation_importance
from protocols.sensitivity import Change
from protocols.tree_models import from_sklearn
from protocols.trees import share_trees
from tests.protocols.openings import frames_of, opened_in, refuses_before_sending, run
from tests.protocols.simple_models import PlainSlope, PlainSlopeOfClasses, Slope, SlopeOfClasses

HUGE = DiscreteLaplace(128)
N = 64


def rows(seed: int = 0) -> tuple[Any, Any, Any]:
    r = np.random.default_rng(seed)
    x = np.round(r.normal(size=(N, 3)) * 256) / 256
    y = np.round((x @ [1.0, -0.6, 0.0] + r.normal(size=N) / 3) * 256) / 256
    return x, y, r.random(N) < 0.75


def near(ours: Any, theirs: Any) -> None:
    """(sets, repeats) have the means of scikit-learn's within five standard errors of both."""
    error = np.hypot(ours.std(axis=1) / ours.shape[1] ** 0.5, theirs.std(axis=1) / theirs.shape[1] ** 0.5)
    assert (np.abs(ours.mean(axis=1) - theirs.mean(axis=1)) <= 5 * error + 1e-3).all()
    low, high = np.sqrt(stats.chi2.ppf([1e-4, 1 - 1e-4], ours.shape[1] - 1) / ours.shape[1])
    assert (ours.std(axis=1) <= high * theirs.std(axis=1) + 1e-3).all()
    assert (ours.std(axis=1) >= low * theirs.std(axis=1) - 1e-3).all()


@pytest.mark.parametrize("m", (3, 5))
def test_scores_drop_as_scikit_learns_do(m: int) -> None:
    x, y, here = rows()
    wild = np.where(here[:, None], x, 1000.0)
    repeats = 24 if m == 3 else 8

    async def closeness(model: Any, X: Any, Y: Any, P: Any) -> Any:
        return -(P.to_array() @ abs(Y - await model.predict(X)))

    async def body(party: Any, X: Any, Y: Any, P: Any) -> Any:
        model = await Slope().fit(X, Y, present=P)
        drops = await permutation_importance(model, X, Y, scoring=closeness, n_repeats=repeats, present=P, n_jobs=12)
        return await party.reveal(drops)

    drops = run(m, body, wild, y, here)[0]
    model = PlainSlope().fit(x[here], y[here])
    theirs = inspection.permutation_importance(
        model, x[here], y[here], scoring="neg_mean_absolute_error", n_repeats=200, random_state=0
    )
    assert drops.shape == (3, repeats)
    near(drops / here.sum(), theirs.importances)


def test_accuracy_drops_with_and_without_present_and_with_sets_of_columns() -> None:
    x, y, _ = rows(1)
    labels = (y > 0).astype(int)
    sets = [2, (0, 1), 0]

    async def body(party: Any, X: Any, Y: Any) -> Any:
        model = await SlopeOfClasses().fit(X, Y)
        drops = await permutation_importance(model, X, Y, scoring="accuracy", n_repeats=16, columns=sets, n_jobs=16)
        told = await release_permutation_importance(
            party, model, X, Y, HUGE, loss="zero_one", n_repeats=16, columns=sets, to=0, n_jobs=16
        )
        return await party.reveal(drops), told

    drops, told = run(3, body, x, labels)[0]
    model = PlainSlopeOfClasses().fit(x, labels)
    r = np.random.default_rng(0)
    theirs = np.empty((3, 300))
    for i, which in enumerate([[2], [0, 1], [0]]):
        for k in range(300):
            mixed = x.copy()
            mixed[:, which] = x[r.permutation(N)][:, which]
            theirs[i, k] = model.score(x, labels) - model.score(mixed, labels)
    near(drops, theirs)
    spread = 5 * theirs.std(axis=1) / 4 + 0.02
    assert (np.abs(told.values - theirs.mean(axis=1)) < spread).all()
    half = DiscreteLaplace(64)
    assert told.events == (Event(half, Change((32,) * 3, False), 3, 4), Event(half, Change((1,), False), 1, 0))
    assert told.parts[0].sensitivity == 3 * 2


def test_trees_of_another_library() -> None:
    x, y, here = rows(2)
    labels = (y > 0).astype(int)
    forest = tree.DecisionTreeClassifier(max_depth=3, random_state=0).fit(x, labels)

    async def body(party: Any, X: Any, Y: Any, P: Any) -> Any:
        mine = from_sklearn(forest) if party.index == 0 else None
        model = await share_trees(party, mine, owner=0, depth=3, trees=1, features=3, outputs=2, link="average")
        drops = await permutation_importance(model, X, Y, scoring="accuracy", n_repeats=6, present=P, n_jobs=18)
        return await party.reveal(drops)

    drops = run(3, body, x, labels.astype(bool), here)[0]
    theirs = inspection.permutation_importance(forest, x[here], labels[here], n_repeats=200, random_state=0)
    near(drops, theirs.importances)


class Echo:
    """Predicts the first column: with a score that weighs places, it tells the order that was drawn."""

    async def predict(self, X: Any) -> Any:
        return X[:, 0]


async def places(model: Any, X: Any, y: Any, here: Any) -> Any:
    """Digits of the first column, at the places that y tells; rows that are not present count nothing."""
    mask = 1 if here is None else here.to_array()
    return ((await model.predict(X)) * y * mask).sum()


def test_every_order_of_the_rows_present_is_as_likely() -> None:
    """Three rows among fillers: all six orders, no filler's value."""
    column, weights = np.array([9, 1, 9, 2, 3, 9]), np.array([0, 1, 0, 4, 16, 0])
    here = np.array([False, True, False, True, True, False])
    expected = {(np.array(p) @ [1, 4, 16]) for p in itertools.permutations([1, 2, 3])}

    async def body(party: Any, X: Any, Y: Any, P: Any) -> Any:
        drops = [
            await permutation_importance(Echo(), X, Y, scoring=places, n_repeats=64, columns=[0], present=P, n_jobs=64)
            for _ in range(4)
        ]
        return [await party.reveal(d) for d in drops]

    found = np.concatenate(run(3, body, column.reshape(-1, 1), weights, here)[0], axis=1)[0]
    values, counts = np.unique(1 * 1 + 2 * 4 + 3 * 16 - found, return_counts=True)
    assert set(values) == expected
    assert stats.chisquare(counts).pvalue > 1e-4


@settings(max_examples=150, deadline=None)
@given(st.integers(2, 7), st.integers(0, 10**6))
def test_a_row_less_changes_two_losses(n: int, seed: int) -> None:
    """The argument for 2 b: an order of n rows, less a row, is an order of the others, each as often; two change."""
    r = np.random.default_rng(seed)
    loss = r.choice([0.0, 0.3, 1.0], (n, n))  # of row i with the value of row j
    row = int(r.integers(n))
    order = r.permutation(n)
    shorter = order.copy()
    shorter[np.flatnonzero(order == row)[0]] = order[row]
    others = np.delete(np.arange(n), row)
    assert sorted(shorter[others]) == others.tolist()
    with_row = sum(loss[i, order[i]] - loss[i, i] for i in range(n))
    without = sum(loss[i, shorter[i]] - loss[i, i] for i in others)
    assert abs(with_row - without) <= 2
    if n <= 5:
        seen = {tuple(others): 0}
        for whole in itertools.permutations(range(n)):
            less = [whole[row] if whole[i] == row else whole[i] for i in others]
            seen[tuple(less)] = seen.get(tuple(less), 0) + 1
        assert set(seen.values()) == {n}


def test_two_losses_can_change_in_full() -> None:
    """So 2 is not too much: the row's own hit is lost, and it spoiled another's."""
    loss = np.array([[0.0, 1.0], [1.0, 0.0]])
    assert sum(loss[i, 1 - i] - loss[i, i] for i in range(2)) - (loss[0, 0] - loss[0, 0]) == 2


def test_what_it_is_charged() -> None:
    x, y, here = rows()

    async def body(party: Any, X: Any, Y: Any, P: Any) -> Any:
        model = await Slope().fit(X, Y, present=P)
        return [
            await release_permutation_importance(
                party, model, X, Y, DiscreteLaplace(1.0), loss="absolute", high=0.75, columns=[0, 1],
                n_repeats=repeats, present=P, rows=of_one, to=1,
            )
            for repeats, of_one in ((1, 1), (4, 3))
        ]  # fmt: skip

    one, more = run(3, body, x, y, here)[1]
    half = DiscreteLaplace(0.5)
    assert one.events == (Event(half, Change((98304,) * 2, False), 2, 16), Event(half, Change((1,), False), 1, 0))
    assert more.events[0] == Event(half, Change((3 * 4 * 98304,) * 2, True), 2, 18)
    assert more.events[1] == Event(half, Change((3,), False), 1, 0)
    assert one.epsilon == more.epsilon == 1.0
    assert (np.abs(one.values) <= 0.75).all()


def test_absolute_losses_are_cut() -> None:
    x, y, here = rows()

    async def body(party: Any, X: Any, Y: Any, P: Any) -> Any:
        model = await Slope().fit(X, Y, present=P)
        return await release_permutation_importance(
            party, model, X, Y, HUGE, loss="absolute", high=0.5, n_repeats=16, present=P, to=0, n_jobs=16
        )

    told = run(3, body, np.where(here[:, None], x, 500.0), y, here)[0]
    x, y = x[here], y[here]
    model, r = PlainSlope().fit(x, y), np.random.default_rng(0)

    def cut(table: Any) -> float:
        return float(np.minimum(np.abs(y - model.predict(table)), 0.5).mean())

    theirs = np.empty((3, 200))
    for j, k in itertools.product(range(3), range(200)):
        mixed = x.copy()
        mixed[:, j] = r.permutation(x[:, j])
        theirs[j, k] = cut(mixed) - cut(x)
    spread = 5 * theirs.std(axis=1) / 4 + 0.02
    assert (np.abs(told.values - theirs.mean(axis=1)) < spread).all()


def test_nothing_is_opened_but_the_release(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y, here = rows()

    async def inside(party: Any, X: Any, Y: Any, P: Any) -> None:
        model = await Slope().fit(X, Y)
        await permutation_importance(model, X, Y, scoring=places, n_repeats=2, present=P)

    async def body(party: Any, X: Any, Y: Any, P: Any) -> None:
        model = await SlopeOfClasses().fit(X, P)
        await release_permutation_importance(party, model, X, P, HUGE, loss="zero_one", n_repeats=2, present=P, to=0)

    assert opened_in(monkeypatch, inside, x, y, here)[1] == []
    monkeypatch.undo()
    assert sorted(opened_in(monkeypatch, body, x, y, here)[1]) == ["()", "(3,)"]
    monkeypatch.undo()
    assert frames_of(inside, x, y, here) == frames_of(inside, x * 0, -y, ~here)


def test_what_is_refused_before_anything_is_sent() -> None:
    x, y, here = rows()

    def told(
        labels: Any = None, present: Any = None, mechanism: Any = HUGE, secret: bool = False, **options: Any
    ) -> Any:
        async def body(party: Any, X: Any, Y: Any, P: Any) -> None:
            Y = Y if labels is None else labels(Y)
            here = None if present is None else present(P)
            if secret:
                await permutation_importance(Echo(), X, Y, present=here, **options)
            given: Any = {"loss": "zero_one", "n_repeats": 4, "to": 0, **options}
            await release_permutation_importance(party, Echo(), X, Y, mechanism, present=here, **given)

        return body

    for body, error, match in (
        (told(n_repeats=3), OutOfRange, "power of two"),
        (told(n_repeats=0), OutOfRange, "1 to 64"),
        (told(loss="log"), OutOfRange, "zero_one"),
        (told(high=2), OutOfRange, "high=2"),
        (told(loss="absolute", high=0), OutOfRange, "high=0"),
        (told(columns=[3]), OutOfRange, "0 to 2"),
        (told(columns=[(0, 0)]), OutOfRange, "different"),
        (told(columns=[]), OutOfRange, "at least one"),
        (told(rows=0), OutOfRange, "rows a person"),
        (told(to=7), UnknownParty, "7"),
        (told(mechanism=None), WrongType, "mechanism"),
        (told(labels=lambda Y: Y[:5]), ShapeMismatch, "y of shape"),
        (told(present=lambda P: here), WrongType, "present"),
        (told(secret=True, scoring="hits"), OutOfRange, "scoring"),
        (told(secret=True, n_repeats=65), OutOfRange, "1 to 64"),
        (told(secret=True, n_jobs=0), OutOfRange, "n_jobs"),
    ):
        refuses_before_sending(body, error, match, x, y, here)
