"""A model of trees padded to a public size, on the grid of shared numbers: what its owner puts in. In the clear.

Every tree becomes a full binary tree of the public depth. A leaf above that depth is continued by nodes that decide
nothing, with its value at all leaves below; trees that are lacking have leaves of 0.

A value on the grid is X 2^-f for an integer X, |X| < 2^62. The library's decision about it is [X < cut] for an integer
``cut``, exactly: thresholds are not rounded to the grid, the cut is the first X that the library sends right.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from mpc.encoding import LIMIT
from mpc.errors import OutOfRange
from protocols.errors import ModelMismatch
from protocols.tree_models import PlainTree, TreeModel

__all__ = ["PaddedModel", "cut_of", "pad"]

Integers = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]

_LEFT, _RIGHT = 1, 0  # cuts for a node that looks at no column, so at 0


@dataclass(frozen=True)
class PaddedModel:
    """Integers, with N = 2^depth - 1 nodes (children of i: 2i + 1 and 2i + 2), L = 2^depth leaves.

    Attributes:
        looks: (2, N, trees, features): 1 where a node looks at a column; and there -1 if its missing values go left,
            1 if right. Else 0.
        cut: (N, trees).
        leaves: (outputs, L, trees), with the leaves' fractional bits.
        base: (outputs + 1,): what the sums start from, and the largest sum that is class 0 (for one output).
    """

    looks: Integers
    cut: Integers
    leaves: Integers
    base: Integers


def cut_of(threshold: float, frac: int, *, strict: bool, float32: bool) -> int | None:
    """The least integer X for which the library sends X 2^-frac right; None beyond all of |X| < 2^62, at either end.

    Which end, the sign of the threshold says. With ``float32`` X 2^-frac is rounded to the nearest 32-bit real, ties to
    even, so that the numbers that go left end half way between two of those.
    """
    if math.isnan(threshold):
        raise OutOfRange("a threshold of the model is NaN")
    if not abs(threshold) < 2.0**62:
        return None
    below, strictly = Fraction(threshold), strict
    if float32:
        last = np.float32(threshold)  # the largest that goes left
        if float(last) > threshold or (strict and float(last) >= threshold):
            last = np.nextafter(last, np.float32(-np.inf))
        after = np.nextafter(last, np.float32(np.inf))
        below = (Fraction(float(last)) + Fraction(float(after))) / 2
        strictly = bool(last.view(np.uint32) & 1)
    steps = below * (1 << frac)
    cut = math.ceil(steps) if strictly else math.floor(steps) + 1
    return cut if -LIMIT < cut < LIMIT else None


def pad(model: TreeModel, *, depth: int, trees: int, frac: int, leaf_frac: int) -> PaddedModel:
    """Raises ModelMismatch where the model is larger than the public size, OutOfRange for leaves out of range."""
    if model.depth > depth:
        raise ModelMismatch(f"a model {model.depth} deep, but depth={depth} was agreed")
    if len(model.trees) > trees:
        raise ModelMismatch(f"a model of {len(model.trees)} trees, but trees={trees} was agreed")
    nodes, features, outputs = (1 << depth) - 1, model.features, model.outputs
    padded = PaddedModel(
        np.zeros((2, nodes, trees, features), np.int64),
        np.zeros((nodes, trees), np.int64), np.zeros((outputs, nodes + 1, trees), np.int64),
        np.zeros(outputs + 1, np.int64),
    )  # fmt: skip
    values = np.zeros((outputs, nodes + 1, trees))
    for t, tree in enumerate(model.trees):
        _place(tree, t, depth, model, frac, padded, values)
    scale = float(1 << leaf_frac)
    most = np.abs(values).max(axis=1).sum(axis=1) + np.abs(model.base)
    if not np.all(most * scale < LIMIT >> 1):
        raise OutOfRange(
            f"leaves whose sum could reach {most.max():g}: below 2^{61 - leaf_frac} is needed with {leaf_frac} "
            "fractional bits; use fewer, or scale the target"
        )
    padded.leaves[...] = np.rint(values * scale)
    padded.base[:-1] = np.rint(model.base * scale)
    padded.base[-1] = -1 if model.tie else 0
    return padded


def _place(
    tree: PlainTree,
    t: int,
    depth: int,
    model: TreeModel,
    frac: int,
    padded: PaddedModel,
    values: npt.NDArray[np.float64],
) -> None:
    """One tree: its nodes at their places in the full tree, and its leaves spread over those below them."""
    todo = [(0, 0, 0)]  # node, level, place in the level
    while todo:
        node, level, place = todo.pop()
        column = int(tree.feature[node])
        if column < 0:
            width = 1 << (depth - level)
            values[:, place * width : (place + 1) * width, t] = tree.value[node][:, None]
            continue
        if column >= model.features:
            raise OutOfRange(f"a split on column {column} of a model of {model.features} columns")
        at = (1 << level) - 1 + place
        threshold = float(tree.threshold[node])
        cut = cut_of(threshold, frac, strict=model.strict, float32=model.float32)
        if cut is None:  # no value on the grid is beyond it: decide about 0
            padded.cut[at, t] = _LEFT if threshold > 0 else _RIGHT
        else:
            padded.looks[0, at, t, column] = 1
            padded.cut[at, t] = cut
        padded.looks[1, at, t, column] = -1 if tree.missing_left[node] else 1
        todo += [(int(tree.left[node]), level + 1, 2 * place), (int(tree.right[node]), level + 1, 2 * place + 1)]
