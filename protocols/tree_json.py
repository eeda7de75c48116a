"""A model of trees as JSON of our own: for models of scikit-learn, which has no file but a pickle, and that is code.

Path("model.json").write_text(to_json(from_sklearn(model)))         where the model was made
from_json(Path("model.json").read_text())                           where it is used; no scikit-learn, nothing run
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from protocols.errors import ModelUnsupported
from protocols.exact import is_whole
from protocols.tree_models import LINKS, PlainTree, TreeModel

__all__ = ["FORMAT", "from_json", "to_json"]

FORMAT = "accord trees 1"
_MOST_BYTES = 1 << 28
_MOST_VALUES = 1 << 24


def to_json(model: TreeModel) -> str:
    """As text in ASCII. Numbers are written so that they read back to the same floats; no threshold is NaN there."""
    return json.dumps(
        {
            "format": FORMAT,
            "features": model.features,
            "base": model.base.tolist(),
            "link": model.link,
            "strict": model.strict,
            "float32": model.float32,
            "tie": model.tie,
            "trees": [_tree(tree) for tree in model.trees],
        },
        separators=(",", ":"),
    )


def _tree(tree: PlainTree) -> dict[str, Any]:
    leaf = tree.feature < 0
    return {
        "feature": tree.feature.tolist(),
        "threshold": [
            None if at_leaf else t for t, at_leaf in zip(tree.threshold.tolist(), leaf.tolist(), strict=True)
        ],
        "left": np.where(leaf, -1, tree.left).tolist(),
        "right": np.where(leaf, -1, tree.right).tolist(),
        "missing_left": tree.missing_left.tolist(),
        "value": tree.value.tolist(),
    }


def from_json(text: str) -> TreeModel:
    """The model that to_json wrote, or ModelUnsupported, which says what is amiss."""
    if len(text) > _MOST_BYTES:
        raise ModelUnsupported(f"a model of {len(text)} bytes: at most {_MOST_BYTES}")
    model, amiss = None, ""
    try:
        model = _read(json.loads(text))
    except _Amiss as error:
        amiss = str(error)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError, RecursionError) as error:
        amiss = type(error).__name__
    if model is None:  # outside of any except: what JSON raises has the model in it
        raise ModelUnsupported(f"no JSON model of trees: {amiss}")
    _ = model.depth  # finds nodes that are no tree
    return model


class _Amiss(ValueError):
    """What is wrong, without a number of the model."""


def _read(said: dict[str, Any]) -> TreeModel:
    if said["format"] != FORMAT:
        raise _Amiss(f"it is not in the format {FORMAT!r}")
    base = _reals(said["base"])
    if base.ndim != 1 or not len(base) or said["link"] not in LINKS or not is_whole(said["features"]):
        raise _Amiss("base, link or features")
    if not 1 <= said["features"] <= _MOST_VALUES:
        raise _Amiss("features")
    if any(not isinstance(said[name], bool) for name in ("strict", "float32", "tie")):
        raise _Amiss("strict, float32 or tie")
    trees = tuple(_plain(tree, len(base), said["features"]) for tree in said["trees"])
    rules = {name: said[name] for name in ("strict", "float32", "tie")}
    return TreeModel(trees, said["features"], base, said["link"], **rules)


def _plain(tree: dict[str, Any], outputs: int, features: int) -> PlainTree:
    feature, left, right = (np.array(tree[name]) for name in ("feature", "left", "right"))
    if any(x.dtype.kind != "i" or x.ndim != 1 for x in (feature, left, right)) or feature.max(initial=-1) >= features:
        raise _Amiss("feature, left or right")
    threshold = np.array([math.nan if t is None else t for t in tree["threshold"]], np.float64)
    missing, value = np.array(tree["missing_left"]), _reals(tree["value"])
    if missing.dtype.kind != "b" or value.shape != (len(feature), outputs):
        raise _Amiss("missing_left or value")
    if np.isnan(threshold[feature >= 0]).any():
        raise _Amiss("a threshold is missing")
    return PlainTree(feature.astype(np.int64), threshold, left.astype(np.int64), right.astype(np.int64), missing, value)


def _reals(values: Any) -> Any:
    array = np.array(values)
    if array.dtype.kind not in "if" or not np.isfinite(array).all():
        raise _Amiss("numbers that are none")
    return array.astype(np.float64)
