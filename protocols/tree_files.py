"""Model files of XGBoost (JSON) and LightGBM (text) as plain trees, without either library.

A file is read as data only; what it must not contain, or lacks, raises ModelUnsupported, which names it. So does a file
that is cut short, or whose numbers do not fit together.
"""

from __future__ import annotations

import json
import math
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mpc.errors import OutOfRange
from protocols.errors import ModelUnsupported
from protocols.exact import is_whole
from protocols.tree_models import Link, PlainTree, TreeModel, one_output

__all__ = ["from_lightgbm", "from_xgboost"]

Integers = npt.NDArray[np.int64]

_XGBOOST: dict[str, Link] = {
    "reg:squarederror": "identity",
    "reg:absoluteerror": "identity",
    "reg:pseudohubererror": "identity",
    "binary:logistic": "sigmoid",
    "reg:logistic": "sigmoid",
    "multi:softprob": "softmax",
    "multi:softmax": "softmax",
}
_LIGHTGBM: dict[str, Link] = {
    "regression": "identity",
    "regression_l1": "identity",
    "huber": "identity",
    "fair": "identity",
    "quantile": "identity",
    "binary": "sigmoid",
    "multiclass": "softmax",
}

_UNREADABLE = (
    KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError, RecursionError,
)  # fmt: skip
"""What reading a file raises that is not what its reader takes it for."""

_MOST = 1 << 24  # values of leaves, with those of other outputs: as many as can be shared


def from_xgboost(path: str | PathLike[str], *, rounds: int | None = None) -> TreeModel:
    """A file that XGBoost's ``save_model("model.json")`` wrote.

    Args:
        rounds: how many rounds of boosting count, from the first; None: all. It must be said where training was stopped
            early and there are rounds after the best one: XGBoost's Booster counts those, XGBClassifier and
            XGBRegressor do not.

    Raises ModelUnsupported for the boosters dart and gblinear, categorical splits, leaves with several values, and
    objectives whose prediction is not the sum, its sigmoid or softmax. Of ``reg:logistic`` the prediction is the second
    column of predict_proba.
    """
    try:
        learner = json.loads(Path(path).read_text())["learner"]
        booster, objective = learner["gradient_booster"]["name"], learner["objective"]["name"]
        if booster != "gbtree":
            raise ModelUnsupported(f"XGBoost booster {booster!r}: only gbtree is supported")
        if objective not in _XGBOOST:
            raise ModelUnsupported(f"XGBoost objective {objective!r}: one of {', '.join(_XGBOOST)} is supported")
        return _xgboost(learner, _XGBOOST[objective], rounds)
    except _UNREADABLE as error:
        raise ModelUnsupported(f"{path}: no JSON model file of XGBoost ({error!r})") from error


def _xgboost(learner: dict[str, Any], link: Link, rounds: int | None) -> TreeModel:
    about, model = learner["learner_model_param"], learner["gradient_booster"]["model"]
    if int(about.get("num_target", "1")) > 1:
        raise ModelUnsupported(f"an XGBoost model with {about['num_target']} targets: one is supported")
    found = len(model["trees"])
    outputs = max(1, _count(about["num_class"], "num_class", 0, _MOST // max(1, found)))
    if int(model["gbtree_model_param"]["num_trees"]) != found:
        raise ValueError(f"{found} trees, but {model['gbtree_model_param']['num_trees']} are announced")
    base = np.array([float(b) for b in str(about["base_score"]).strip("[]").split(",")])
    if link == "sigmoid":
        base = np.log(base / (1 - base))  # the file has the probability
    pairs = list(zip(model["trees"], model["tree_info"], strict=True))
    each = outputs * _count(model["gbtree_model_param"].get("num_parallel_tree", "1"), "num_parallel_tree", 1)
    if found % each:
        raise ValueError(f"{found} trees, {each} a round")
    trees = tuple(
        _xgboost_tree(tree, _count(output, "tree_info", 0, outputs - 1), outputs)
        for tree, output in pairs[: each * _rounds(rounds, found // each, learner.get("attributes", {}))]
    )
    base = np.broadcast_to(base, (outputs,)).astype(np.float64)
    return TreeModel(trees, _count(about["num_feature"], "num_feature", 1), base, link, strict=True, float32=True)


def _rounds(asked: int | None, there: int, attributes: dict[str, str]) -> int:
    if asked is None:
        best = int(attributes.get("best_iteration", there - 1)) + 1
        if best < there:
            raise ModelUnsupported(
                f"training was stopped early, and {there - best} rounds come after the best: XGBClassifier and "
                f"XGBRegressor predict by rounds={best}, Booster by rounds={there}; say which"
            )
        return there
    if not is_whole(asked) or not 1 <= asked <= there:
        raise OutOfRange(f"rounds={asked!r}: a whole number from 1 to {there}, as many as the file has")
    return asked


def _xgboost_tree(tree: dict[str, Any], output: int, outputs: int) -> PlainTree:
    if any(tree.get("split_type", ())) or any(tree.get("categories", ())):
        raise ModelUnsupported("categorical splits of XGBoost: encode the categories as numbers before fitting")
    if int(tree["tree_param"].get("size_leaf_vector", "1")) > 1:
        raise ModelUnsupported("leaves with several values (multi_strategy='multi_output_tree')")
    names = ("left_children", "right_children", "split_indices", "default_left")
    left, right, column, default = (_whole(tree[name], len(tree[names[0]])) for name in names)
    condition = np.array(tree["split_conditions"], np.float32).astype(np.float64)  # at a leaf: its value
    return PlainTree(
        np.where(left == -1, -1, _columns(column, left != -1)), condition, left, right, default != 0,
        one_output(condition, output, outputs),
    )  # fmt: skip


def _count(given: Any, name: str, least: int, most: int = _MOST) -> int:
    count = int(given)
    if not least <= count <= most:
        raise ValueError(f"{name} {count}")
    return count


def _whole(values: Any, count: int) -> Integers:
    """Whole numbers, or booleans, one for each node."""
    array = np.array(values)
    if array.dtype.kind not in "ib" or array.shape != (count,):
        raise ValueError(f"{array.dtype} of shape {array.shape}, not {count} whole numbers")
    return array.astype(np.int64)


def _columns(columns: Integers, inner: Any = True) -> Integers:
    if np.any(inner & (columns < 0)):  # which would be taken for leaves
        raise ValueError("a split on a column below 0")
    return columns


def from_lightgbm(path: str | PathLike[str]) -> TreeModel:
    """A file that LightGBM's ``save_model`` wrote. All its trees count.

    Missing values as there: by the node's default, or, where no value was missing in training, as 0.

    Raises ModelUnsupported for categorical splits, linear leaves, zeros that count as missing, and objectives whose
    prediction is not the sum, its sigmoid or softmax.
    """
    try:
        text = Path(path).read_text()
        head, *blocks = text.split("\nTree=")
        about = _pairs(head)
        name, *options = about["objective"].split()
        given = dict(o.split(":") for o in options if ":" in o)
        if name not in _LIGHTGBM or "sqrt" in options or float(given.get("sigmoid", 1)) != 1:
            raise ModelUnsupported(
                f"LightGBM objective {about['objective']!r}: one of {', '.join(_LIGHTGBM)} is supported"
            )
        if len(blocks) != len(about["tree_sizes"].split()) or "\nend of trees\n" not in text:
            raise ValueError(f"{len(blocks)} trees, but {len(about['tree_sizes'].split())} and their end are announced")
        outputs = _count(about["num_tree_per_iteration"], "num_tree_per_iteration", 1, _MOST // max(1, len(blocks)))
        if len(blocks) % outputs:
            raise ValueError(f"{len(blocks)} trees of {outputs} outputs")
        share = 1 / max(1, len(blocks) // outputs) if "average_output" in head.splitlines() else 1.0
        trees = tuple(
            _lightgbm_tree(_pairs(block.split("\n\n")[0]), j % outputs, outputs, share)
            for j, block in enumerate(blocks)
        )
        features = _count(about["max_feature_idx"], "max_feature_idx", 0) + 1
        return TreeModel(trees, features, np.zeros(outputs), _LIGHTGBM[name], strict=False, float32=False)
    except _UNREADABLE as error:
        raise ModelUnsupported(f"{path}: no text model file of LightGBM ({error!r})") from error


def _pairs(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def _lightgbm_tree(tree: dict[str, str], output: int, outputs: int, share: float) -> PlainTree:
    """Inner nodes first, then the leaves: the file's child -1 - l is leaf l."""
    if int(tree.get("is_linear", "0")):
        raise ModelUnsupported("linear leaves of LightGBM (linear_tree)")
    leaves = int(tree["num_leaves"])
    inner = leaves - 1
    values = _numbers(tree, "leaf_value", np.float64, leaves)
    value = np.concatenate([np.zeros(inner), values * share])
    if not inner:
        none = np.array([-1], np.int64)
        return PlainTree(none, np.zeros(1), none, none, np.zeros(1, np.bool_), one_output(value, output, outputs))
    tail = np.full(leaves, -1, np.int64)

    def children(name: str) -> Integers:
        c = _numbers(tree, name, np.int64, inner)
        return np.concatenate([np.where(c < 0, inner - 1 - c, c), tail])

    threshold = _numbers(tree, "threshold", np.float64, inner)
    kind = _numbers(tree, "decision_type", np.int64, inner)
    if np.any(kind & 1) or int(tree.get("num_cat", "0")):
        raise ModelUnsupported("categorical splits of LightGBM: encode the categories as numbers before fitting")
    missing = _missing_left(kind, threshold)
    return PlainTree(
        np.concatenate([_columns(_numbers(tree, "split_feature", np.int64, inner)), tail]),
        np.concatenate([threshold, np.full(leaves, math.nan)]),
        children("left_child"), children("right_child"),
        np.concatenate([missing, tail > 0]), one_output(value, output, outputs),
    )  # fmt: skip


def _missing_left(kind: Integers, threshold: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Bit 0 of ``kind``: categorical; bit 1: the default is left; bits 2 and 3: none, zeros or NaN were missing."""
    default, missing = (kind & 2) > 0, (kind >> 2) & 3
    zero_left = threshold >= 0
    if np.any((missing == 1) & (default != zero_left)):
        raise ModelUnsupported("zeros that count as missing (zero_as_missing of LightGBM)")
    return np.where(missing == 0, zero_left, default)


def _numbers(tree: dict[str, str], name: str, kind: Any, count: int) -> npt.NDArray[Any]:
    array = np.array(tree[name].split(), np.float64 if kind is np.float64 else np.int64)
    if len(array) != count:
        raise ValueError(f"{name}: {len(array)} of {count}")
    return array
