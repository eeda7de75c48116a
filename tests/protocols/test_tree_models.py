"""Models as their owner reads and pads them, in the clear, against the libraries that fitted them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import dummy, ensemble, linear_model, tree

from mpc.errors import OutOfRange
from protocols.errors import ModelMismatch, ModelUnsupported
from protocols.tree_files import from_lightgbm, from_xgboost
from protocols.tree_models import PlainTree, TreeModel, from_sklearn
from protocols.tree_padding import cut_of, pad
from tests.protocols.forests import (
    FRAC,
    Fitted,
    data,
    fitted_lightgbm,
    fitted_sklearn,
    fitted_xgboost,
    sklearn_models,
    trying,
    walk,
)

ROWS = 400


def agrees(fitted: Fitted, seed: int, missing: bool) -> None:
    """Padded, with a level and a tree to spare, it gives the library's sums."""
    model = fitted.model
    rows = trying(model, seed, ROWS, missing)
    padded = pad(model, depth=max(1, model.depth) + 1, trees=len(model.trees) + 1, frac=FRAC, leaf_frac=30)
    np.testing.assert_allclose(walk(padded, rows, 30), fitted.raw(rows), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("missing", [False, True], ids=["whole", "missing"])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", list(sklearn_models(0)))
def test_sklearn(name: str, classes: int, missing: bool) -> None:
    missing = missing and not name.startswith("boosting")  # which takes none
    for seed in (1, 2):
        agrees(fitted_sklearn(name, seed, classes, 150, missing), seed, missing)


@pytest.mark.parametrize("missing", [False, True], ids=["whole", "missing"])
@pytest.mark.parametrize("objective", ["reg:squarederror", "binary:logistic", "multi:softprob"])
def test_xgboost(objective: str, missing: bool, tmp_path: Path) -> None:
    for seed in (1, 2):
        agrees(
            fitted_xgboost(objective, seed, 150, missing, tmp_path), seed, True
        )  # the default is right for these too
    agrees(fitted_xgboost(objective, 3, 150, missing, tmp_path, num_parallel_tree=2, base_score=0.3), 3, missing)


@pytest.mark.parametrize("missing", [False, True], ids=["whole", "missing"])
@pytest.mark.parametrize("objective", ["regression", "binary", "multiclass"])
def test_lightgbm(objective: str, missing: bool, tmp_path: Path) -> None:
    for seed in (1, 2):
        agrees(fitted_lightgbm(objective, seed, 150, missing, tmp_path), seed, True)  # without: NaN is 0 there
    forest = {"boosting": "rf", "bagging_fraction": 0.7, "bagging_freq": 1}
    agrees(fitted_lightgbm(objective, 3, 150, missing, tmp_path, **forest), 3, missing)


def test_models_of_a_single_leaf(tmp_path: Path) -> None:
    for fitted in (
        fitted_lightgbm("regression", 1, 20, False, tmp_path, min_data_in_leaf=100),
        fitted_xgboost("reg:squarederror", 1, 20, False, tmp_path, gamma=1e9),
    ):
        assert fitted.model.depth == 0 and fitted.model.trees
        agrees(fitted, 1, True)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("float32", [False, True])
@pytest.mark.parametrize("frac", [0, 3, 16, 30])
def test_a_cut_is_where_the_library_turns(frac: int, float32: bool, strict: bool) -> None:
    r = np.random.default_rng(frac)
    thresholds = np.concatenate([r.normal(0, 10.0**e, 40) for e in (-9, -3, 0, 5, 8)])
    thresholds = np.concatenate([thresholds, thresholds.astype(np.float32), [0.0, -0.0, 0.5, 2.0**24, 2.0**24 + 1]])

    def left(x: float, threshold: float) -> bool:
        seen = np.float64(np.float32(x)) if float32 else np.float64(x)
        return bool(seen < threshold if strict else seen <= threshold)

    for threshold in thresholds:
        cut = cut_of(float(threshold), frac, strict=strict, float32=float32)
        assert cut is not None
        for x in range(cut - 3, cut + 3):
            if abs(x) < 2**53:
                assert left(x / 2**frac, threshold) == (x < cut)


def test_thresholds_beyond_the_grid_send_everything_one_way() -> None:
    for threshold in (np.inf, -np.inf, 1e300, -1e300, 2.0**61, -(2.0**61)):
        model = _stump(threshold)
        padded = pad(model, depth=1, trees=1, frac=FRAC, leaf_frac=20)
        rows = np.array([[0.0], [2.0**45], [-(2.0**45)]])
        assert walk(padded, rows, 20).ravel().tolist() == [1.0 if threshold > 0 else 2.0] * 3
        assert walk(padded, np.array([[np.nan]]), 20).item() == 2.0
    with pytest.raises(OutOfRange, match="NaN"):
        pad(_stump(np.nan), depth=1, trees=1, frac=FRAC, leaf_frac=20)


def _stump(threshold: float, value: float = 1.0) -> TreeModel:
    trees = PlainTree(
        np.array([0, -1, -1]), np.array([threshold, 0, 0]), np.array([1, -1, -1]), np.array([2, -1, -1]),
        np.zeros(3, bool), np.array([[0.0], [value], [2 * value]]),
    )  # fmt: skip
    return TreeModel((trees,), 1, np.zeros(1), "identity", strict=False, float32=False)


def test_a_model_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ModelMismatch, match="1 deep"):
        pad(_stump(0.0), depth=0, trees=1, frac=FRAC, leaf_frac=20)
    with pytest.raises(ModelMismatch, match="1 trees"):
        pad(_stump(0.0), depth=1, trees=0, frac=FRAC, leaf_frac=20)
    with pytest.raises(OutOfRange, match=r"2\^41"):
        pad(_stump(0.0, 2.0**40), depth=1, trees=1, frac=FRAC, leaf_frac=20)
    loop = PlainTree(*[np.array([0])] * 4, np.zeros(1, bool), np.zeros((1, 1)))
    with pytest.raises(ModelUnsupported, match="circles"):
        _ = loop.depth


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (linear_model.LinearRegression(), "no fitted model"),
        (tree.DecisionTreeClassifier(), "no fitted model"),
        (ensemble.GradientBoostingClassifier(loss="exponential", n_estimators=1), "exponential"),
        (ensemble.GradientBoostingRegressor(init=linear_model.LinearRegression(), n_estimators=1), "init"),
        (
            ensemble.GradientBoostingClassifier(init=dummy.DummyClassifier(strategy="stratified"), n_estimators=1),
            "stratified",
        ),
        (ensemble.HistGradientBoostingRegressor(loss="poisson", max_iter=1), "poisson"),
        (ensemble.HistGradientBoostingRegressor(categorical_features=[2], max_iter=1), "categorical"),
        (ensemble.IsolationForest(n_estimators=2), "IsolationForest"),
    ],
)
def test_what_sklearn_models_are_not_supported(model: Any, why: str) -> None:
    x, y = data(1, 60, False)
    if why != "no fitted model":
        model.fit(x, (y > 0).astype(int))
    with pytest.raises(ModelUnsupported, match=why):
        from_sklearn(model)


def test_several_targets_are_not_supported() -> None:
    x, y = data(1, 60, False)
    with pytest.raises(ModelUnsupported, match="2 targets"):
        from_sklearn(tree.DecisionTreeRegressor(max_depth=2).fit(x, np.column_stack([y, y])))


def test_what_xgboost_files_are_not_supported(tmp_path: Path) -> None:
    for options, why in (
        ({"booster": "dart"}, "dart"),
        ({"booster": "gblinear"}, "gblinear"),
        ({"objective": "count:poisson"}, "poisson"),
    ):
        with pytest.raises(ModelUnsupported, match=why):
            _trained_xgboost(options, tmp_path)
    fitted_xgboost("reg:squarederror", 1, 60, False, tmp_path)
    path = tmp_path / "model.json"
    file = json.loads(path.read_text())
    for change, why in (
        (lambda t: t["split_type"].__setitem__(0, 1), "categorical"),
        (lambda t: t["tree_param"].__setitem__("size_leaf_vector", "3"), "several values"),
    ):
        damaged = json.loads(json.dumps(file))
        change(damaged["learner"]["gradient_booster"]["model"]["trees"][1])
        path.write_text(json.dumps(damaged))
        with pytest.raises(ModelUnsupported, match=why):
            from_xgboost(path)
    for text in ("", "[]", "{}", '{"learner": 3}'):
        path.write_text(text)
        with pytest.raises(ModelUnsupported, match="no JSON model file"):
            from_xgboost(path)


def _trained_xgboost(options: dict[str, Any], folder: Path) -> TreeModel:
    import xgboost

    x, y = data(1, 60, False)
    with np.errstate(all="ignore"):
        parameters = {"nthread": 1, "max_depth": 2, "verbosity": 0, **options}
        xgboost.train(parameters, xgboost.DMatrix(x, np.abs(y)), 2).save_model(folder / "other.json")
    return from_xgboost(folder / "other.json")


def test_what_lightgbm_files_are_not_supported(tmp_path: Path) -> None:
    for objective, options, why in (
        ("regression", {"linear_tree": True}, "linear"),
        ("regression", {"categorical_feature": [2], "min_data_per_group": 1, "cat_l2": 0}, "categorical"),
        ("regression", {"zero_as_missing": True}, "zeros"),
        ("regression", {"reg_sqrt": True}, "sqrt"),
        ("binary", {"sigmoid": 2.0}, "sigmoid:2"),
        ("poisson", {}, "poisson"),
    ):
        with pytest.raises(ModelUnsupported, match=why):
            _trained_lightgbm(objective, tmp_path, **options)
    path = tmp_path / "model.txt"
    for text in ("", "tree\nobjective=binary\n"):
        path.write_text(text)
        with pytest.raises(ModelUnsupported, match="no text model file"):
            from_lightgbm(path)


def _trained_lightgbm(objective: str, folder: Path, **options: Any) -> TreeModel:
    import lightgbm

    x, y = data(1, 150, False)
    x[::3, 0] = 0
    y = (y > 0).astype(float) if objective == "binary" else np.abs(y) + 4.0 * (x[:, 2] == 2)
    parameters = {"objective": objective, "verbose": -1, "num_threads": 1, "min_data_in_leaf": 5, **options}
    categorical = parameters.pop("categorical_feature", "auto")
    rows = lightgbm.Dataset(x, y, categorical_feature=categorical, params=parameters)
    lightgbm.train(parameters, rows, 3).save_model(folder / "other.txt")
    return from_lightgbm(folder / "other.txt")
