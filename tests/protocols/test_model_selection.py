"""Cross-validation and the search of a grid against scikit-learn on the same folds; nothing is opened."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sklearn.metrics as sk
from sklearn import linear_model, model_selection, pipeline, preprocessing

from mpc.arrays import SecretArray
from mpc.errors import OutOfRange, ShapeMismatch, WrongType
from mpc.exchange import public_share
from protocols.chosen import ChosenModel, marks_of
from protocols.errors import NotFitted
from protocols.linear import Ridge
from protocols.logistic import LogisticRegression
from protocols.model_selection import GridSearchCV, KFold, candidates_of, cross_val_score
from protocols.pipeline import make_pipeline
from protocols.preprocessing import StandardScaler
from protocols.scorers import CLIP, SCORERS, scorer_of
from tests.protocols.openings import frames_of, opened_in, refuses_before_sending, run
from tests.protocols.simple_models import PlainSlope, PlainSlopeOfClasses, Slope, SlopeOfClasses

N = 90


def rows() -> tuple[Any, Any, Any, Any]:
    """Columns, a number, a label, who is present. Fillers hold what would spoil a fit."""
    r = np.random.default_rng(8)
    x = np.round(r.normal(size=(N, 3)) * 256) / 256
    y = np.round((x @ [1.0, -2.0, 0.0] + r.normal(size=N)) * 256) / 256
    here = r.random(N) < 0.8
    label = (y > 0.3).astype(int)
    return np.where(here[:, None], x, 50.0), np.where(here, y, -70.0), label, here


def splits(cv: KFold, here: Any = None) -> list[Any]:
    """The folds as row numbers of the rows present."""
    here = np.ones(N, bool) if here is None else here
    place = np.cumsum(here) - 1
    return [tuple(place[part[here[part]]] for part in fold) for fold in cv.split(N)]


def test_each_row_is_held_out_once() -> None:
    for n, k, mixed in ((7, 7, True), (23, 4, True), (23, 4, False)):
        folds = list(KFold(k, shuffle=mixed).split(n))
        assert sorted(np.concatenate([held for _, held in folds])) == list(range(n))
        assert all(sorted(np.concatenate(fold)) == list(range(n)) for fold in folds)
    assert [held.tolist() for _, held in KFold(2, shuffle=False).split(5)] == [[0, 1], [2, 3, 4]]


@pytest.mark.parametrize("m", (3, 5))
def test_scores_of_a_regression_are_scikit_learns(m: int) -> None:
    x, y, _, here = rows()
    cv = KFold(3, random_state=4)
    names = ["r2", "neg_mean_squared_error", "neg_root_mean_squared_error", "neg_mean_absolute_error"]
    names = names if m == 3 else names[3:]

    async def body(party: Any, X: Any, Y: Any, P: Any) -> Any:
        found = [await cross_val_score(Slope(0.7), X, Y, scoring=s, cv=cv, present=P) for s in names]
        every = await cross_val_score(Slope(0.7), X, Y, scoring="r2", cv=4, n_jobs=1)
        return [await party.reveal(s) for s in [*found, every]]

    *found, every = run(m, body, x, y, here)[0]
    for scores, name in zip(found, names, strict=True):
        theirs = model_selection.cross_val_score(PlainSlope(0.7), x[here], y[here], cv=splits(cv, here), scoring=name)
        np.testing.assert_allclose(scores, theirs, atol=1e-3)
    theirs = model_selection.cross_val_score(PlainSlope(0.7), x, y, cv=splits(KFold(4)))
    np.testing.assert_allclose(every, np.maximum(theirs, -1023), rtol=1e-3)


def test_a_model_is_fitted_to_the_other_rows_and_scored_by_its_own_score() -> None:
    x, y, _, here = rows()

    async def body(party: Any, X: Any, Y: Any, P: Any) -> Any:
        return await party.reveal(await cross_val_score(Ridge(2.0), X, Y, cv=2, present=P))

    theirs = model_selection.cross_val_score(linear_model.Ridge(2.0), x[here], y[here], cv=splits(KFold(2), here))
    np.testing.assert_allclose(run(3, body, x, y, here)[0], theirs, atol=3e-3)


def _clipped_loss(model: Any, x: Any, y: Any) -> float:
    """scikit-learn's log loss, of probabilities not below CLIP."""
    p = model.predict_proba(x)[np.arange(len(y)), np.unique(y, return_inverse=True)[1]]
    return float(np.log(np.maximum(p, CLIP)).mean())


@pytest.mark.parametrize("as_bits", [False, True])
def test_scores_of_a_classifier_are_scikit_learns(as_bits: bool) -> None:
    x, _, y, here = rows()
    names = ["accuracy", "f1", "roc_auc", "neg_log_loss", "neg_brier_score"]
    labels = y.astype(bool) if as_bits else y * 3 + 2
    classes = (0, 1) if as_bits else (2, 5)

    async def twice_present(model: Any, X: Any, Y: Any, P: Any) -> Any:
        return P.to_array().sum() * 2

    async def body(party: Any, X: Any, Y: Any, P: Any) -> Any:
        model = SlopeOfClasses(9.0, classes)
        found = [await cross_val_score(model, X, Y, scoring=s, cv=2, present=P) for s in [*names, twice_present]]
        return [await party.reveal(s) for s in found]

    *found, doubled = run(3, body, x, labels, here)[0]
    folds = splits(KFold(2), here)
    for scores, name in zip(found, names, strict=True):
        scoring: Any = _clipped_loss
        if name == "f1":
            scoring = sk.make_scorer(sk.f1_score, pos_label=classes[1])
        elif name != "neg_log_loss":
            scoring = name
        theirs = model_selection.cross_val_score(
            PlainSlopeOfClasses(9.0), x[here], labels[here] + 0, cv=folds, scoring=scoring
        )
        np.testing.assert_allclose(scores, theirs, atol=1e-3)
    assert doubled.tolist() == [2 * len(held) for _, held in folds]


def test_the_grid_is_searched_as_by_scikit_learn_and_the_choice_stays_secret() -> None:
    x, y, _, here = rows()
    grid = {"ridge__alpha": [300.0, 1.0], "standardscaler__with_std": [True]}
    new = x[:6]

    async def body(party: Any, X: Any, Y: Any, P: Any) -> Any:
        search = GridSearchCV(make_pipeline(StandardScaler(), Ridge()), grid, scoring="r2", cv=2)
        await search.fit(X, Y, present=P)
        assert search.n_splits_ == 2 and not hasattr(search.estimator.model, "coef_")
        best = search.best_estimator_
        assert isinstance(best, ChosenModel)
        secrets = [search.cv_scores_, search.mean_test_score_, search.best_index_, search.best_score_]
        return search.params_, [await party.reveal(s) for s in [*secrets, await search.predict(X[:6])]]

    params, (scores, means, index, best, predicted) = run(3, body, x, y, here)[0]
    theirs = model_selection.GridSearchCV(
        pipeline.make_pipeline(preprocessing.StandardScaler(), linear_model.Ridge()),
        grid, scoring="r2", cv=splits(KFold(2), here),
    ).fit(x[here], y[here])  # fmt: skip
    assert params == theirs.cv_results_["params"]
    np.testing.assert_allclose(scores.T, [theirs.cv_results_[f"split{k}_test_score"] for k in range(2)], atol=3e-3)
    np.testing.assert_allclose(means, scores.mean(axis=1), atol=1e-4)
    assert means.std() > 0.05
    assert params[int(index)] == theirs.best_params_ and index == scores.sum(axis=1).argmax()
    assert best == means[index]
    np.testing.assert_allclose(predicted[here[:6]], theirs.predict(new[here[:6]]), atol=1e-2)


def test_a_chosen_model_is_the_one_marked() -> None:
    x, _, y, _ = rows()

    async def body(party: Any, X: Any, Y: Any, place: Any) -> Any:
        models = [await SlopeOfClasses(c).fit(X, Y) for c in (-1.0, 1.0, 9.0)]
        marks = await marks_of(place, 3)
        chosen = ChosenModel(models, marks)
        assert chosen.classes == (0, 1)
        pairs = [
            (await chosen.predict(X), await models[1].predict(X)),
            (await chosen.predict_proba(X), await models[1].predict_proba(X)),
            (await chosen.decision_function(X), await models[1].decision_function(X)),
            (await chosen.attribute("coef_"), models[1].coef_),
        ]
        models[2].coef_ = X[0, :2]
        with pytest.raises(ShapeMismatch, match="which model was chosen"):
            await chosen.attribute("coef_")
        return [[await party.reveal(v) for v in pair] for pair in pairs]

    for ours, theirs in run(3, body, np.where(abs(x) > 9, 0, x), y, np.array(1))[0]:
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=2**-14)


def test_one_mark_is_set_whatever_words_the_scores_are() -> None:
    """So a block has one vote, also where a model left its range."""
    ends = [0, 1, 1 << 62, (1 << 63) - 1, 1 << 63, (1 << 63) + 1, (1 << 64) - 1, 3 << 61]
    words = np.random.default_rng(0).choice(np.array(ends, np.uint64), (12, 5))

    async def body(party: Any) -> Any:
        scores = SecretArray(party, public_share(party, words), 16)
        places = scores.argmax(axis=1)
        return [await party.reveal(await marks_of(places[j], 5)) for j in range(12)]

    for marks in run(3, body)[0]:
        assert sorted(marks) == [0, 0, 0, 0, 1]


def test_nothing_is_opened_and_messages_do_not_depend_on_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y, _, here = rows()

    async def body(party: Any, X: Any, Y: Any, P: Any) -> None:
        await GridSearchCV(Slope(), {"shrink": [1.0, 9.0]}, scoring="r2", cv=2).fit(X, Y, present=P)

    assert opened_in(monkeypatch, body, x, y, here)[1] == []
    monkeypatch.undo()
    assert frames_of(body, x, y, here) == frames_of(body, x * 0, y[::-1] / 2, ~here)


def test_what_is_refused_before_anything_is_sent() -> None:
    x, y = np.ones((8, 2)), np.ones(8)

    def fit(model: Any = None, grid: Any = None, rows: Any = None, **options: Any) -> Any:
        async def body(party: Any, X: Any, Y: Any) -> None:
            given = grid or {"alpha": [1.0, 2.0]}
            await GridSearchCV(model or Ridge(), given, **options).fit(X, Y if rows is None else Y[:rows])

        return body

    for body, error, match in (
        (fit(grid={"beta": [1]}), WrongType, "no parameter"),
        (fit(grid={"alpha": [1.0, -1.0]}), OutOfRange, "alpha"),
        (fit(grid={"alpha": []}), WrongType, "list of values"),
        (fit(grid=[{}]), WrongType, "list of values"),
        (
            fit(make_pipeline(StandardScaler(), LogisticRegression()), {"logisticregression__C": [1, 0]}),
            OutOfRange,
            "C=0",
        ),
        (fit(cv=9), OutOfRange, "9 parts of 8 rows"),
        (fit(cv=1), OutOfRange, "1 parts"),
        (fit(cv="5"), WrongType, "a KFold"),
        (fit(scoring="accurate"), OutOfRange, "neg_log_loss"),
        (fit(scoring=3), WrongType, "coroutine"),
        (fit(n_jobs=0), OutOfRange, "n_jobs"),
        (fit(rows=5), ShapeMismatch, "beside 8 rows"),
    ):
        refuses_before_sending(body, error, match, x, y)


def test_what_is_refused_of_scores_and_searches() -> None:
    async def body(party: Any, X: Any, Y: Any) -> None:
        three = LogisticRegression(classes=(0, 1, 2))
        for name in ("f1", "roc_auc", "neg_log_loss", "neg_brier_score"):
            with pytest.raises(OutOfRange, match="3 classes"):
                await SCORERS[name].score(three, X, Y, None)
        with pytest.raises(WrongType, match=r"of shape \(\)"):
            await cross_val_score(Slope(), X, Y, scoring=lambda *a: _same(Y), cv=2)
        with pytest.raises(NotFitted, match="refit"):
            search = GridSearchCV(Slope(), {"shrink": [1.0]}, scoring="r2", cv=2, refit=False)
            await (await search.fit(X, Y)).predict(X)

    async def _same(y: Any) -> Any:
        return y

    run(3, body, np.arange(16).reshape(8, 2) / 4, np.arange(8) % 3)
    assert scorer_of(SCORERS["r2"]) is SCORERS["r2"]
    assert scorer_of(None).bounds is None
    assert set(SCORERS) <= set(sk.get_scorer_names())


def test_a_list_of_grids() -> None:
    grid = [{"alpha": [1.0, 2.0], "fit_intercept": [True, False]}, {"alpha": [9.0]}]
    points, models = candidates_of(Ridge(5.0), grid)
    assert points == list(model_selection.ParameterGrid(grid))
    assert [model.get_params() for model in models[-2:]] == [
        {"alpha": 2.0, "fit_intercept": False}, {"alpha": 9.0, "fit_intercept": True},
    ]  # fmt: skip
