"""Choosing a model by cross-validation, scored in the computation: nothing is opened, not even which one is best.

    search = GridSearchCV(make_pipeline(StandardScaler(), LogisticRegression()),
                          {"logisticregression__C": [0.1, 1.0, 10.0]}, scoring="accuracy", cv=5)
    await search.fit(X, y, present=here)
    p = await search.best_estimator_.predict_proba(X_new)       # of the best one; which it is, nobody knows

So a choice costs no epsilon until it is told. To tell it, and scores, with a guarantee: release_search.py.

Which rows are held out together is public: the rows' places are, and the order is drawn from a public seed. A secret
shuffle would hide from an owner in which fold its own rows are, which says nothing of others' rows.

Scores of folds have no useful sensitivity, so none is stated here. A row is held out once, but it is in the training
rows of all other folds, and one row more or less there may change every prediction of their models: one person may
move a cross-validated score as far as it goes. Noise scaled to the row's own hit protects it as a test row only, and
in cross-validation every row is a training row as well.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from mpc.arrays import SecretArray
from mpc.errors import OutOfRange, WrongType
from protocols.chosen import ChosenModel, marks_of
from protocols.errors import NotFitted
from protocols.estimator import Estimator, as_table, clone
from protocols.exact import is_whole
from protocols.public_order import Order, public_parts
from protocols.scorers import Scorer, scorer_of
from protocols.side_by_side import check_n_jobs, side_by_side

__all__ = ["GridSearchCV", "KFold", "candidate_scores", "candidates_of", "cross_val_score", "folds_of"]

# -- folds -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class KFold:
    """Public folds of nearly equal size. Rows that are not present are spread over all.

    Attributes:
        n_splits: 2 to the number of rows.
        shuffle: whether rows are put in a public random order first; without, neighbouring rows are held out together:
            of pooled tables, whole owners.
        random_state: the public seed of that order.
    """

    n_splits: int = 5
    shuffle: bool = True
    random_state: int = 0

    def split(self, n: int) -> Iterator[tuple[Order, Order]]:
        """(training rows, rows held out) of each fold, in rising order; each row is held out once. OutOfRange."""
        parts = public_parts(n, self.n_splits, self.random_state if self.shuffle else None)
        for place, held in enumerate(parts):
            yield np.sort(np.concatenate(parts[:place] + parts[place + 1 :])), held


def folds_of(cv: Any) -> KFold:
    """A KFold, or one of so many folds; WrongType for what is neither."""
    if isinstance(cv, KFold):
        return cv
    if not is_whole(cv):
        raise WrongType(f"cv={cv!r}: a number of folds, or a KFold")
    return KFold(int(cv))


# -- scores -----------------------------------------------------------------------------------


async def candidate_scores(
    models: Sequence[Any], X: SecretArray, y: Any, present: Any, folds: Sequence[Any], scorer: Scorer, n_jobs: int
) -> SecretArray:
    """The score of each model on each fold, fitted to the other rows: (models, folds), 16 bits, secret.

    ``models`` are unfitted, and stay so; ``folds`` are (training rows, rows held out). See cross_val_score.
    """

    async def one(model: Any, train: Order, held: Order) -> Any:
        here, seen = (None, None) if present is None else (present[train], present[held])
        fitted = await clone(model).fit(X[train], y[train], present=here)
        return await scorer.parts(fitted, X[held], y[held], seen)

    work = [lambda model=model, fold=fold: one(model, *fold) for model, fold in itertools.product(models, folds)]
    found = await scorer.values(await side_by_side(work, n_jobs))
    table: SecretArray = await found.reshape(len(models), len(folds))
    return table


async def cross_val_score(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    scoring: Any = None,
    cv: int | KFold = 5,
    present: Any = None,
    n_jobs: int = 4,
) -> SecretArray:
    """The score of each fold by a model fitted to the other rows, (folds,), secret, 16 bits.

    Args:
        estimator: with fit(X, y, present=) and what the score needs, and clone-able; it stays unfitted.
        X: (n, d). y: (n,). present: (n,), which rows count, or None.
        scoring: see scorers.scorer_of.
        cv: folds, or how many.
        n_jobs: fits under way at once.

    A fold in which no row is present scores what its metric says of no rows; choose fewer folds than that can happen.
    Sensitivity: none, see above. Rounds: those of a fit, a prediction and a score, for each ``n_jobs`` folds. Leaks
    nothing. Raises WrongType, OutOfRange, ShapeMismatch, TooFewRows before anything is sent.
    """
    scorer, parts = scorer_of(scoring), folds_of(cv)
    check_n_jobs(n_jobs)
    estimator.check_params()
    X, y, present = await as_table(X, y, present)
    return (await candidate_scores([estimator], X, y, present, list(parts.split(X.shape[0])), scorer, n_jobs))[0]


# -- grids -------------------------------------------------------------------------------------


def candidates_of(estimator: Any, grid: Any) -> tuple[list[dict[str, Any]], list[Any]]:
    """(parameters, unfitted models) of each point of the grid, as scikit-learn's ParameterGrid orders them.

    Args:
        grid: {parameter: values}, or a list of such.

    OutOfRange, WrongType for an empty grid, parameters that do not exist, values that the model refuses.
    """
    points = []
    for one in [grid] if isinstance(grid, Mapping) else grid:
        if not isinstance(one, Mapping) or not one or any(isinstance(v, str) or not len(v) for v in one.values()):
            raise WrongType(f"param_grid {one!r}: {{parameter: list of values}}, or a list of such")
        names = sorted(one)
        points += [dict(zip(names, values, strict=True)) for values in itertools.product(*(one[k] for k in names))]
    if not points:
        raise OutOfRange("param_grid: at least one set of parameters is needed")
    models = [clone(estimator).set_params(**point) for point in points]
    for model in models:
        model.check_params()
    return points, models


class GridSearchCV(Estimator):
    """All parameters of a grid, cross-validated; the best is fitted to all rows. Nothing leaves: see above.

    Args:
        estimator, param_grid: as scikit-learn's: {parameter: values}, or a list of such; of a pipeline
            ``step__parameter``.
        scoring: see scorers.scorer_of. cv: folds, or how many.
        refit: fit all candidates to all rows: which of them counts is a secret.
        n_jobs: fits under way at once, which share their rounds.

    Attributes:
        params_: the candidates, public. n_splits_.
        cv_scores_: (candidates, folds), mean_test_score_: (candidates,), secret, 16 bits.
        best_index_: (), secret, the first of the highest mean scores, which are compared as sums over folds.
        best_score_: (), secret. Rather too high, as the best of several is.
        best_estimator_: chosen.ChosenModel, with ``refit``.
    """

    best_estimator_: ChosenModel

    def __init__(
        self,
        estimator: Any,
        param_grid: Any,
        *,
        scoring: Any = None,
        cv: int | KFold = 5,
        refit: bool = True,
        n_jobs: int = 4,
    ) -> None:
        self.estimator, self.param_grid, self.scoring, self.cv = estimator, param_grid, scoring, cv
        self.refit, self.n_jobs = refit, n_jobs

    def check_params(self) -> None:
        """OutOfRange, WrongType for a grid, a score or folds that are none."""
        candidates_of(self.estimator, self.param_grid)
        scorer_of(self.scoring)
        folds_of(self.cv)
        check_n_jobs(self.n_jobs)

    async def fit(self, X: Any, y: Any, *, present: Any = None) -> Self:
        """Score all candidates on all folds; choose; fit all to all rows.

        Rounds: cross_val_score, candidates times; 10 for each halving of the candidates; a fit for each ``n_jobs``
        candidates. Leaks nothing. Raises before anything is sent what cross_val_score does.
        """
        self.check_params()
        X, y, present = await as_table(X, y, present)
        self.params_, models = candidates_of(self.estimator, self.param_grid)
        folds = list(folds_of(self.cv).split(X.shape[0]))
        self.cv_scores_ = await candidate_scores(models, X, y, present, folds, scorer_of(self.scoring), self.n_jobs)
        self.n_splits_ = len(folds)
        self.mean_test_score_ = await self.cv_scores_.mean(axis=1)
        self.best_index_ = await self.cv_scores_.sum(axis=1).argmax(axis=0)
        marks = await marks_of(self.best_index_, len(models))
        self.best_score_ = await (marks @ self.mean_test_score_)
        if self.refit:
            fits = [functools.partial(model.fit, X, y, present=present) for model in models]
            self.best_estimator_ = ChosenModel(await side_by_side(fits, self.n_jobs), marks)
        return self

    async def predict(self, X: Any) -> SecretArray:
        """Of the best."""
        return await self._best().predict(X)

    async def predict_proba(self, X: Any) -> SecretArray:
        """Of the best."""
        return await self._best().predict_proba(X)

    async def decision_function(self, X: Any) -> SecretArray:
        """Of the best."""
        return await self._best().decision_function(X)

    def _best(self) -> ChosenModel:
        if not hasattr(self, "best_estimator_"):
            raise NotFitted("this GridSearchCV has no best model: await fit(X, y) first, with refit")
        return self.best_estimator_
