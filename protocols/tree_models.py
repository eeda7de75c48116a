"""Models of decision trees as their owner has them, in the clear: one plain structure, read from scikit-learn.

Files of XGBoost and LightGBM are read by tree_files.py. The structure keeps what decides a row in each library: which
way a value goes at a threshold (and whether it is rounded to 32 bits before), which way a missing one goes, what the
leaves add up to, and what is made of the sum. What it cannot say raises ModelUnsupported, by name; nothing is
approximated.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from protocols.errors import ModelUnsupported

__all__ = ["LINKS", "Link", "PlainTree", "TreeModel", "from_sklearn", "one_output"]

Link = Literal["identity", "sigmoid", "softmax", "average"]
LINKS: tuple[Link, ...] = ("identity", "sigmoid", "softmax", "average")

Reals = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class PlainTree:
    """A binary tree of q nodes, at least one; node 0 is the root.

    Attributes:
        feature: column looked at, (q,); -1 at a leaf.
        threshold: (q,); what it means see TreeModel.
        left, right: children, (q,), of no meaning at a leaf.
        missing_left: whether a missing value goes left, (q,) bool.
        value: what a leaf adds to each output, (q, outputs); of no meaning at inner nodes.
    """

    feature: Integers
    threshold: Reals
    left: Integers
    right: Integers
    missing_left: npt.NDArray[np.bool_]
    value: Reals

    def __post_init__(self) -> None:
        """ModelUnsupported unless every node has all of these, and there is one."""
        q = len(self.feature)
        columns = (self.feature, self.threshold, self.left, self.right, self.missing_left)
        if not q or any(c.shape != (q,) for c in columns) or self.value.shape[:1] != (q,) or self.feature.min() < -1:
            raise ModelUnsupported("a tree whose nodes lack a column, a threshold or children: the model is damaged")

    @property
    def depth(self) -> int:
        """Edges from the root to the deepest leaf. ModelUnsupported if the nodes are no tree."""
        depth, level, seen = -1, [0], 0
        while level:
            depth, seen = depth + 1, seen + len(level)
            if seen > len(self.feature) or not all(0 <= i < len(self.feature) for i in level):
                raise ModelUnsupported("a tree whose nodes point in circles or beyond its end: the model is damaged")
            level = [int(c) for i in level if self.feature[i] >= 0 for c in (self.left[i], self.right[i])]
        return depth


@dataclass(frozen=True)
class TreeModel:
    """Trees whose leaves add up.

    Attributes:
        trees: any number.
        features: columns of a row.
        base: what the sums start from, (outputs,).
        link: what the sums are. ``identity``: the prediction itself. ``sigmoid``: one output, the log-odds of class 1.
            ``softmax``: one output a class. ``average``: the probability of each class.
        strict: a value goes left where it is < threshold; else where it is <= threshold.
        float32: values are rounded to 32-bit reals before they are compared.
        tie: with ``sigmoid``, whether a sum of exactly 0 means class 1.
    """

    trees: tuple[PlainTree, ...]
    features: int
    base: Reals
    link: Link
    strict: bool
    float32: bool
    tie: bool = False

    @property
    def outputs(self) -> int:
        return len(self.base)

    @property
    def depth(self) -> int:
        return max((tree.depth for tree in self.trees), default=0)


def one_output(values: Any, output: int, outputs: int) -> Reals:
    """Values (q,) as (q, outputs) with zeros in the other columns."""
    wide = np.zeros((len(values), outputs))
    wide[:, output] = values
    return wide


def from_sklearn(model: Any) -> TreeModel:
    """A fitted model of scikit-learn.

    Decision trees, extra trees, random forests, gradient boosting and histogram gradient boosting, for regression and
    for classes. Raises ModelUnsupported for anything else: several targets, categorical splits, a first estimator of
    the user's own, losses whose prediction is no sum of leaves.
    """
    from sklearn import ensemble, tree

    if not any(hasattr(model, name) for name in ("tree_", "estimators_", "_predictors")):
        raise ModelUnsupported(f"{type(model).__name__}: no fitted model of decision trees")
    if getattr(model, "n_outputs_", 1) > 1:
        raise ModelUnsupported(
            f"{type(model).__name__} with {model.n_outputs_} targets: one model for each is supported"
        )
    if isinstance(model, (tree.DecisionTreeClassifier, tree.DecisionTreeRegressor)):
        return _averaged([model], model)
    averaging = (
        ensemble.RandomForestClassifier, ensemble.RandomForestRegressor,
        ensemble.ExtraTreesClassifier, ensemble.ExtraTreesRegressor,
    )  # fmt: skip
    if isinstance(model, averaging):
        return _averaged(model.estimators_, model)
    if isinstance(model, (ensemble.GradientBoostingClassifier, ensemble.GradientBoostingRegressor)):
        return _boosted(model)
    if isinstance(model, (ensemble.HistGradientBoostingClassifier, ensemble.HistGradientBoostingRegressor)):
        return _histogram_boosted(model)
    raise ModelUnsupported(f"{type(model).__name__}: decision trees, forests and gradient boosting are supported")


def _tree(tree: Any, value: Reals) -> PlainTree:
    """From scikit-learn's Tree."""
    leaf = tree.children_left < 0
    return PlainTree(
        np.where(leaf, -1, tree.feature).astype(np.int64), np.asarray(tree.threshold, np.float64),
        np.asarray(tree.children_left, np.int64), np.asarray(tree.children_right, np.int64),
        np.asarray(tree.missing_go_to_left, np.bool_), value,
    )  # fmt: skip


def _averaged(members: Iterable[Any], model: Any) -> TreeModel:
    trees = [m.tree_ for m in members]
    classes = hasattr(model, "classes_")
    outputs = len(model.classes_) if classes else 1
    plain = tuple(_tree(t, np.asarray(t.value[:, 0, :outputs], np.float64) / len(trees)) for t in trees)
    link: Link = "average" if classes else "identity"
    return TreeModel(plain, int(model.n_features_in_), np.zeros(outputs), link, strict=False, float32=True)


def _boosted(model: Any) -> TreeModel:
    from sklearn import dummy

    start = model.init_
    known = isinstance(start, (dummy.DummyClassifier, dummy.DummyRegressor))
    if not known and not (isinstance(start, str) and start == "zero"):
        raise ModelUnsupported(f"init={type(start).__name__}: only scikit-learn's own start, or 'zero', is supported")
    if known and start.strategy == "stratified":
        raise ModelUnsupported("init=DummyClassifier(strategy='stratified'), which predicts something else every time")
    link = _link(model, ("squared_error", "absolute_error", "huber", "quantile"))
    base = np.asarray(model._raw_predict_init(np.zeros((1, model.n_features_in_), np.float32))[0], np.float64)
    plain = tuple(
        _tree(member.tree_, one_output(member.tree_.value[:, 0, 0] * model.learning_rate, j, len(base)))
        for stage in model.estimators_
        for j, member in enumerate(stage)
    )
    return TreeModel(plain, int(model.n_features_in_), base, link, strict=False, float32=True, tie=True)


def _histogram_boosted(model: Any) -> TreeModel:
    if getattr(model, "is_categorical_", None) is not None:
        raise ModelUnsupported("categorical splits: encode the categories as numbers before fitting")
    link = _link(model, ("squared_error", "absolute_error", "quantile"))
    base = np.asarray(model._baseline_prediction, np.float64).reshape(-1)
    plain = []
    for stage in model._predictors:
        for j, predictor in enumerate(stage):
            nodes = predictor.nodes
            leaf = nodes["is_leaf"].astype(np.bool_)
            plain.append(
                PlainTree(
                    np.where(leaf, -1, nodes["feature_idx"]).astype(np.int64),
                    nodes["num_threshold"].astype(np.float64),
                    nodes["left"].astype(np.int64),
                    nodes["right"].astype(np.int64),
                    nodes["missing_go_to_left"].astype(np.bool_),
                    one_output(nodes["value"], j, len(base)),
                )
            )
    return TreeModel(tuple(plain), int(model.n_features_in_), base, link, strict=False, float32=False)


def _link(model: Any, sums: tuple[str, ...]) -> Link:
    """Of a boosted model; ModelUnsupported for a loss that makes something else of the sums."""
    classes = hasattr(model, "classes_")
    if model.loss not in (("log_loss",) if classes else sums):
        supported = "log_loss" if classes else ", ".join(sums)
        raise ModelUnsupported(f"loss={model.loss!r}: of {type(model).__name__} {supported} is supported")
    return ("sigmoid" if len(model.classes_) == 2 else "softmax") if classes else "identity"
