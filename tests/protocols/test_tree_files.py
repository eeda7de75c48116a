"""Model files that are damaged, or made to do harm: an error with a name, whatever is in them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost

from mpc.errors import OutOfRange
from protocols.errors import ModelUnsupported
from protocols.tree_files import from_lightgbm, from_xgboost
from protocols.tree_padding import pad
from tests.protocols.forests import FRAC, Reals, data, fitted_lightgbm, fitted_xgboost, trying, walk

HUGE = "1" + "0" * 30


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a model of each library, of three rounds and more."""
    made: Path = tmp_path_factory.mktemp("models")
    fitted_xgboost("reg:squarederror", 1, 100, True, made)
    fitted_lightgbm("regression", 1, 100, True, made)
    return made


def damaged(folder: Path, place: str, value: Callable[[Any], Any]) -> Path:
    """A copy of the XGBoost file with one place changed; ``place`` begins at the model, or with / at the learner."""
    file = json.loads((folder / "model.json").read_text())
    *way, last = place.strip("/").split("/")
    at = file["learner"] if place.startswith("/") else file["learner"]["gradient_booster"]["model"]
    for step in way:
        at = at[int(step) if step.isdigit() else step]
    key = int(last) if last.isdigit() else last
    at[key] = value(at[key])
    path = folder / "damaged.json"
    path.write_text(json.dumps(file))
    return path


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("trees/0/left_children/0", 10**30),
        ("trees/0/left_children/0", 0),
        ("trees/0/left_children/0", -5),
        ("trees/0/right_children/0", 10**6),
        ("trees/0/right_children/0", None),
        ("trees/0/left_children", [[1]]),
        ("trees/0/left_children", []),
        ("trees/0/split_indices/0", -1),
        ("trees/0/split_indices/0", 1.5),
        ("trees/0/split_indices/0", 2**63),
        ("trees/0/split_indices", [0]),
        ("trees/0/default_left", [0]),
        ("trees/0/right_children", [0]),
        ("trees/0/split_conditions", [0.5]),
        ("trees/0/split_conditions/0", 10**400),
        ("trees/0/split_conditions/0", "a"),
        ("trees/0/split_type", 3),
        ("trees/0", []),
        ("trees/0", None),
        ("trees/0", "tree"),
        ("trees/0/tree_param", []),
        ("trees", []),
        ("tree_info/0", 1),
        ("tree_info/0", -1),
        ("tree_info", [0]),
        ("gbtree_model_param/num_trees", "3"),
        ("gbtree_model_param/num_parallel_tree", "3"),
        ("gbtree_model_param/num_parallel_tree", "0"),
        ("/learner_model_param/num_class", "10000000000"),
        ("/learner_model_param/num_class", "-3"),
        ("/learner_model_param/num_feature", "-3"),
        ("/learner_model_param/num_feature", HUGE),
        ("/learner_model_param/base_score", "[0.5,0.5]"),
        ("/learner_model_param/base_score", []),
        ("/objective", []),
        ("/objective/name", {}),
        ("/gradient_booster", "gbtree"),
    ],
)
def test_damaged_files_of_xgboost(place: str, value: Any, folder: Path) -> None:
    with pytest.raises(ModelUnsupported):
        _ = from_xgboost(damaged(folder, place, lambda _: value)).depth


def test_the_last_tree_of_xgboost_is_missed(folder: Path) -> None:
    damaged(folder, "trees", lambda trees: trees[:-1]).rename(folder / "model2.json")
    file = json.loads((folder / "model2.json").read_text())
    file["learner"]["gradient_booster"]["model"]["tree_info"].pop()
    (folder / "model2.json").write_text(json.dumps(file))
    with pytest.raises(ModelUnsupported, match="3 trees, but 4"):
        from_xgboost(folder / "model2.json")


@pytest.mark.parametrize("text", ["[" * 10**5, '{"learner":' * 10**5, "9" * 5000, "\x00"])
def test_what_is_no_model_file(text: str, tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_text(text)
    with pytest.raises(ModelUnsupported, match="no JSON model file"):
        from_xgboost(path)
    with pytest.raises(ModelUnsupported, match="no text model file"):
        from_lightgbm(path)


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        (r"num_leaves=\d+", "num_leaves=1000000000000"),
        (r"num_leaves=\d+", "num_leaves=1"),
        (r"num_leaves=\d+", "num_leaves=-1"),
        (r"num_leaves=\d+", f"num_leaves={HUGE}"),
        (r"left_child=-?\d+", "left_child=0"),
        (r"left_child=-?\d+", "left_child=-99"),
        (r"left_child=-?\d+", f"left_child={HUGE}"),
        (r"right_child=[^\n]+", "right_child=1"),
        (r"threshold=[^\n]+", "threshold=1"),
        (r"decision_type=[^\n]+", "decision_type=2"),
        (r"decision_type=\d+", "decision_type=1"),
        (r"leaf_value=[^\n]+", "leaf_value=2"),
        (r"leaf_value=[^\n]+", "leaf_value="),
        (r"split_feature=[^\n]+", "split_feature=2"),
        (r"split_feature=\d+", "split_feature=-1"),
        (r"num_tree_per_iteration=1", "num_tree_per_iteration=0"),
        (r"num_tree_per_iteration=1", "num_tree_per_iteration=3"),
        (r"num_tree_per_iteration=1", "num_tree_per_iteration=4000000000"),
        (r"max_feature_idx=\d+", "max_feature_idx=-9"),
        (r"objective=[^\n]+", "objective="),
        (r"(?s)\nTree=3\n.*?\n\n\n", "\n"),  # a tree is missing
        (r"(?s)\nTree=3\n.*", ""),  # cut short after a tree
        (r"(?s)(.*leaf_value=\S+).*", r"\1"),  # cut short in the last tree
        (r"end of trees", ""),
    ],
)
def test_damaged_files_of_lightgbm(pattern: str, value: str, folder: Path) -> None:
    whole = (folder / "model.txt").read_text()
    text = re.sub(pattern, value, whole, count=1)
    assert text != whole
    (folder / "damaged.txt").write_text(text)
    with pytest.raises(ModelUnsupported):
        _ = from_lightgbm(folder / "damaged.txt").depth


def test_files_with_other_line_ends_are_read(folder: Path) -> None:
    (folder / "windows.txt").write_bytes((folder / "model.txt").read_bytes().replace(b"\n", b"\r\n"))
    assert len(from_lightgbm(folder / "windows.txt").trees) == 4


def sums_of(path: Path, rows: Reals, **options: Any) -> Reals:
    model = from_xgboost(path, **options)
    padded = pad(model, depth=model.depth, trees=len(model.trees), frac=FRAC, leaf_frac=30)
    return walk(padded, rows, 30).squeeze()


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("together", [1, 2])
def test_rounds_after_the_best_one_count_only_if_it_is_said(together: int, classes: int, tmp_path: Path) -> None:
    x, y = data(1, 300, True)
    y = np.digitize(y, np.quantile(y, np.arange(1, classes) / classes))
    model = xgboost.XGBClassifier(
        n_estimators=50, early_stopping_rounds=2, max_depth=3, n_jobs=1, num_parallel_tree=together, subsample=0.7
    )
    model.fit(x[:200], y[:200], eval_set=[(x[200:], y[200:])], verbose=False)
    path, every, best = tmp_path / "model.json", model.get_booster(), model.best_iteration + 1
    model.save_model(path)
    rounds = every.num_boosted_rounds()
    assert best < rounds
    with pytest.raises(ModelUnsupported, match=f"rounds={best}, Booster by rounds={rounds}"):
        from_xgboost(path)
    rows = trying(from_xgboost(path, rounds=rounds), 1, 200, True)
    kept = model.predict(rows, output_margin=True)
    np.testing.assert_allclose(sums_of(path, rows, rounds=best), kept, rtol=1e-6, atol=1e-6)
    all_of_them = every.predict(xgboost.DMatrix(rows), output_margin=True)
    np.testing.assert_allclose(sums_of(path, rows, rounds=rounds), all_of_them, rtol=1e-6, atol=1e-6)
    every[:best].save_model(path)
    np.testing.assert_allclose(sums_of(path, rows), kept, rtol=1e-6, atol=1e-6)
    for bad in (0, rounds + 1, 1.5, True):
        with pytest.raises(OutOfRange, match="rounds"):
            from_xgboost(path, rounds=bad)  # type: ignore[arg-type]
