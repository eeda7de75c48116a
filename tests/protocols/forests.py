"""What the tests of trees have in common: models that libraries fitted, rows that try them, padded models walked in the
clear."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import numpy.typing as npt
import xgboost
from scipy.special import expit, softmax
from sklearn import ensemble, tree

from protocols.tree_files import from_lightgbm, from_xgboost
from protocols.tree_models import TreeModel, from_sklearn
from protocols.tree_padding import PaddedModel

FRAC = 16
FEATURES = 6
STEP = 2.0**-FRAC

Reals = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Fitted:
    """A model as its library has it, and as loaded. ``raw``: the sums (n, outputs); ``labels``: what it predicts."""

    model: TreeModel
    raw: Callable[[Reals], Reals]
    labels: Callable[[Reals], Any]


def data(seed: int, n: int, missing: bool) -> tuple[Reals, Reals]:
    """Rows on the grid, of columns of all kinds, some missing; and a target."""
    r = np.random.default_rng([seed, n])
    x = np.column_stack(
        [
            r.normal(0, 1, n), r.normal(0, 1e5, n), r.integers(0, 4, n), r.normal(0, 3e-4, n), r.exponential(1, n),
            np.full(n, 2.5),
        ]
    )  # fmt: skip
    x = np.rint(x / STEP) * STEP
    y = x[:, 0] + 1e-5 * x[:, 1] * x[:, 2] + np.sin(4 * x[:, 4]) + r.normal(0, 0.1, n)
    if missing:
        x[r.random(x.shape) < 0.15] = np.nan
        x[:, 5] = 2.5  # was never missing in training
    return x, y


def trying(model: TreeModel, seed: int, n: int, missing: bool) -> Reals:
    """Rows on the grid: new ones, of which half have a value at a threshold of the model, or near it."""
    r = np.random.default_rng([seed, 7])
    x = data(seed + 100, n, missing)[0]
    splits = [(int(f), float(c)) for t in model.trees for f, c in zip(t.feature, t.threshold, strict=True) if f >= 0]
    for i in range(0, n, 2):
        if splits:
            column, threshold = splits[r.integers(len(splits))]
            if abs(threshold) < 2**30:
                x[i, column] = (np.floor(threshold / STEP) + r.integers(-1, 3)) * STEP
    if missing and n > 1:
        x[1] = np.nan
    return x


def sklearn_models(seed: int) -> dict[str, Any]:
    """By name, not fitted."""
    s = {"random_state": seed}
    return {
        "tree classifier": tree.DecisionTreeClassifier(max_depth=5, **s),
        "tree regressor": tree.DecisionTreeRegressor(max_depth=5, **s),
        "forest classifier": ensemble.RandomForestClassifier(4, max_depth=4, **s),
        "forest regressor": ensemble.RandomForestRegressor(4, max_depth=4, **s),
        "extra trees": ensemble.ExtraTreesClassifier(4, max_depth=4, **s),
        "boosting classifier": ensemble.GradientBoostingClassifier(n_estimators=4, max_depth=3, **s),
        "boosting regressor": ensemble.GradientBoostingRegressor(n_estimators=4, max_depth=3, **s),
        "boosting from zero": ensemble.GradientBoostingRegressor(n_estimators=4, max_depth=3, init="zero", **s),
        "histogram classifier": ensemble.HistGradientBoostingClassifier(max_iter=4, max_depth=4, **s),
        "histogram regressor": ensemble.HistGradientBoostingRegressor(max_iter=4, max_depth=4, **s),
    }


def fitted_sklearn(name: str, seed: int, classes: int, n: int, missing: bool) -> Fitted:
    model = sklearn_models(seed)[name]
    x, y = data(seed, n, missing and not name.startswith("boosting"))
    if hasattr(model, "predict_proba"):
        y = np.digitize(y, np.quantile(y, np.arange(1, classes) / classes))
    model.fit(x, y)
    raw = next(f for f in ("decision_function", "predict_proba", "predict") if hasattr(model, f))
    return Fitted(from_sklearn(model), lambda rows: wide(getattr(model, raw)(rows)), model.predict)


def fitted_xgboost(objective: str, seed: int, n: int, missing: bool, folder: Path, **options: Any) -> Fitted:
    x, y = data(seed, n, missing)
    classes = {"binary:logistic": 2, "multi:softprob": 3}.get(objective, 0)
    if classes:
        y = np.digitize(y, np.quantile(y, np.arange(1, classes) / classes))
    parameters = {"objective": objective, "max_depth": 4, "seed": seed, "nthread": 1, **options}
    if classes > 2:
        parameters["num_class"] = classes
    booster = xgboost.train(parameters, xgboost.DMatrix(x, y), 4)
    booster.save_model(folder / "model.json")

    def raw(rows: Reals) -> Reals:
        return wide(booster.predict(xgboost.DMatrix(rows), output_margin=True))

    return Fitted(from_xgboost(folder / "model.json"), raw, lambda rows: labels_of(raw(rows), bool(classes)))


def fitted_lightgbm(objective: str, seed: int, n: int, missing: bool, folder: Path, **options: Any) -> Fitted:
    x, y = data(seed, n, missing)
    classes = {"binary": 2, "multiclass": 3}.get(objective, 0)
    if classes:
        y = np.digitize(y, np.quantile(y, np.arange(1, classes) / classes))
    parameters = {
        "objective": objective, "num_leaves": 12, "max_depth": 5, "seed": seed, "verbose": -1, "num_threads": 1,
        "num_class": classes if classes > 2 else 1, "min_data_in_leaf": 5, **options,
    }  # fmt: skip
    booster = lightgbm.train(parameters, lightgbm.Dataset(x, y), 4)
    booster.save_model(folder / "model.txt")

    over = 4 if options.get("boosting") == "rf" else 1  # its predictions are of the mean, its raw scores are not

    def raw(rows: Reals) -> Reals:
        sums = wide(booster.predict(rows, raw_score=True)) / over
        linked = {"regression": lambda s: s[:, 0], "binary": lambda s: expit(s[:, 0])}.get(objective, softmaxed)
        np.testing.assert_allclose(booster.predict(rows), linked(sums), rtol=1e-6)
        return sums

    return Fitted(from_lightgbm(folder / "model.txt"), raw, lambda rows: labels_of(raw(rows), bool(classes)))


def labels_of(raw: Reals, classes: bool) -> Any:
    if not classes:
        return raw[:, 0]
    return raw.argmax(axis=1) if raw.shape[1] > 1 else (raw[:, 0] > 0).astype(int)


def softmaxed(raw: Reals) -> Reals:
    return np.asarray(softmax(raw, axis=1))


def wide(raw: Any) -> Reals:
    raw = np.asarray(raw, np.float64)
    return raw[:, None] if raw.ndim == 1 else raw


def walk(padded: PaddedModel, rows: Reals, leaf_frac: int, frac: int = FRAC) -> Reals:
    """The sums (n, outputs) of a padded model, in the clear, exact."""
    gone = np.isnan(rows)
    grid = np.rint(np.where(gone, 0, rows) * 2.0**frac).astype(np.int64)
    nodes, trees = padded.cut.shape
    total = np.broadcast_to(padded.base[:-1], (len(rows), len(padded.base) - 1)).copy()
    for t in range(trees):
        left = grid @ padded.looks[0, :, t].T < padded.cut[:, t]
        way = gone.astype(np.int64) @ padded.looks[1, :, t].T
        left = np.where(way != 0, way < 0, left)
        at = np.zeros(len(rows), np.int64)
        while np.any(at < nodes):
            inner = at < nodes
            turn = np.where(left[np.arange(len(rows)), np.minimum(at, nodes - 1)], 1, 2)
            at = np.where(inner, 2 * at + turn, at)
        total += padded.leaves[:, at - nodes, t].T
    return total / 2.0**leaf_frac
