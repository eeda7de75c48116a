"""Predictions of a secret model of decision trees for secret rows.

    model = await share_trees(party, mine, owner=0, depth=6, trees=100, features=30, link="sigmoid")
    X, missing = await share_rows(party, rows, owner=1)
    raw = model.decision_function(X, missing)

``mine`` is at its owner what tree_models.from_sklearn, tree_files.from_xgboost or tree_files.from_lightgbm gives, and
None elsewhere. Nothing is opened: predictions stay shared.

Public are the depth and number of trees agreed, the columns, the outputs, the link, the fractional bits and the number
of rows. Which columns a model looks at, its thresholds, leaves, shape and real size are hidden from all but its owner,
and the rows from all but theirs. A row goes at every node where the model's library sends it, for every value on the
grid (tree_padding.py); a sum of leaves is the library's within trees + 1 halves of 2^-leaf_frac, and the library's own
rounding. Predictions tell of a model and of rows however they are computed: who gets how many is for release to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import numpy as np

from mpc.arrays import SecretArray, SecretBits
from mpc.encoding import FRAC, as_array, check_frac, natural_frac
from mpc.errors import OutOfRange, ShapeMismatch, WrongType
from mpc.functions import exp, sigmoid
from mpc.party import Party
from mpc.secret import Secret, operation
from mpc.shapes import stack
from protocols.columns import read_on_grid
from protocols.errors import ModelMismatch
from protocols.exact import is_whole
from protocols.tree_models import LINKS, Link, TreeModel
from protocols.tree_padding import pad
from protocols.tree_walk import TreeWords, leaf_sums

__all__ = ["MOST_DEPTH", "MOST_WORDS", "SharedTrees", "share_rows", "share_trees"]

MOST_DEPTH = 12
MOST_WORDS = 1 << 24
"""Of a model: trees * 2^depth * (features + outputs) at most."""

Kind = Literal["classifier", "regressor"]


@dataclass(frozen=True)
class SharedTrees:
    """A shared model, kept for any number of predictions. Made by :func:`share_trees`.

    Attributes:
        frac: fractional bits of the rows it takes.
        leaf_frac: fractional bits of the sums.
    """

    depth: int
    trees: int
    features: int
    outputs: int
    link: Link
    frac: int
    leaf_frac: int
    _looks: SecretArray = field(repr=False)
    _cut: SecretArray = field(repr=False)
    _leaves: SecretArray = field(repr=False)
    _base: SecretArray = field(repr=False)

    @property
    def kind(self) -> Kind:
        return "regressor" if self.link == "identity" else "classifier"

    def decision_function(self, X: SecretArray, missing: SecretArray | SecretBits | None = None) -> SecretArray:
        """The sums, (n,) with one output, else (n, outputs), with leaf_frac fractional bits.

        Args:
            X: rows (n, features), with at most ``frac`` fractional bits, below 2^(62 - frac); 0 where missing.
            missing: 1 where a value is missing, (n, features), integers 0 and 1 or bits; None: nowhere. A cell that is
                missing but not 0 is taken rightly if it and the threshold are below 2^(61 - frac).

        Rounds, bytes: tree_walk.leaf_sums, bits 2 rounds more. Raises WrongType, ShapeMismatch before anything is sent,
        where shapes are known.
        """
        sums = self._sums(X, missing)
        return sums[:, 0] if self.outputs == 1 else sums

    def predict_proba(self, X: SecretArray, missing: SecretArray | SecretBits | None = None) -> SecretArray:
        """Probabilities, (n, classes).

        ``average``: the sums themselves, exact as they are. ``sigmoid``: with 16 fractional bits, error as
        mpc.functions.sigmoid, below 2^-13. ``softmax``: exp(s - largest s) over the sum of those; an exponent below -12
        counts for 0 or nearly so; error below (4 + classes) 2^-16. WrongType for a regressor.
        """
        self._classes("predict_proba")
        if self.link == "average":
            return self._sums(X, missing)
        if self.link == "sigmoid":
            p = sigmoid(self.decision_function(X, missing))
            both: SecretArray = stack([1 - p, p], axis=1)
            return both
        return _softmax(self._sums(X, missing))

    def predict(
        self, X: SecretArray, missing: SecretArray | SecretBits | None = None, *, labels: Sequence[int] | None = None
    ) -> SecretArray:
        """Of a regressor the values (n,); of a classifier the classes (n,), integers: numbers from 0, in the order of
        the library's ``classes_``, or these.

        The first of the classes with the largest sum, as in the libraries; with ``sigmoid`` class 1 where the sum is
        above 0, or is 0 and the library says so then. Sums that differ by less than their error may be taken for equal,
        and equal ones for different.

        Args:
            labels: public, the classifier's ``classes_``, if those are integers, below 2^61; the same at all parties.
                Text is looked up by number after the release. With more than two, 8 rounds more (m = 3).
        """
        names = self._names(labels)
        if self.kind == "regressor":
            return self.decision_function(X, missing)
        sums = self._sums(X, missing)
        number = (sums[:, 0] > self._base[1]).to_array() if self.link == "sigmoid" else sums.argmax(axis=1)
        if names is None:
            return number
        if len(names) <= 2:
            return number * (names[-1] - names[0]) + names[0]
        return (number.reshape(-1, 1) == np.arange(len(names))).to_array() @ np.array(names)

    def _names(self, labels: Any) -> list[int] | None:
        if labels is None:
            return None
        self._classes("labels")
        count = self.outputs + (self.link == "sigmoid")
        names = list(labels) if isinstance(labels, (list, tuple, np.ndarray)) else []
        if len(names) != count or not all(is_whole(v) and abs(v) < 1 << 61 for v in names):
            raise OutOfRange(f"labels={labels!r}: {count} integers below 2^61 are needed, one for each class")
        return [int(v) for v in names]

    def _classes(self, what: str) -> None:
        if self.kind == "regressor":
            raise WrongType(f"{what} of a regressor: only classifiers have classes")

    def _sums(self, X: Any, missing: Any) -> SecretArray:
        if not isinstance(X, SecretArray):
            raise WrongType(f"X: a SecretArray (n, {self.features}), not {type(X).__name__}")
        if missing is not None and not isinstance(missing, Secret):
            raise WrongType(f"missing: secret integers 0 and 1, or bits, not {type(missing).__name__}")
        flags = missing.to_array() if isinstance(missing, SecretBits) else missing
        parts = [self._looks, self._cut, self._leaves, self._base]
        return _predicted(X, flags, parts, self.depth, self.frac)


async def share_trees(
    party: Party,
    mine: TreeModel | None,
    *,
    owner: int,
    depth: int,
    trees: int,
    features: int,
    outputs: int = 1,
    kind: Kind = "classifier",
    link: Link | None = None,
    frac: int = FRAC,
    leaf_frac: int = 24,
) -> SharedTrees:
    """Share a model, padded to a public size. All parties call it with the same size; only the owner's model counts.

    Args:
        depth, trees: at least those of the model, 1 to MOST_DEPTH and 1 or more.
        features: columns of a row.
        outputs: 1 for a regressor and for two classes by ``sigmoid``, else the number of classes.
        link: see TreeModel. By default ``identity`` for a regressor, for a classifier ``sigmoid`` with one output and
            ``softmax`` with more. Trees and forests of scikit-learn have ``average``.
        frac: fractional bits of the rows to come.
        leaf_frac: of the leaves, so of the sums, which must stay below 2^(61 - leaf_frac).

    Rounds: 1. Sends, at the owner for m = 3: 8 bytes for each of trees * 2^depth * (2 features + outputs + 1).
    Leaks nothing but that size. Raises OutOfRange, WrongType, and at the owner ModelMismatch and ModelUnsupported (a
    damaged model) before anything is sent; the others hear of the kind of error only.
    """
    chosen = _check(depth, trees, features, outputs, kind, link)
    frac, leaf_frac = check_frac(frac), check_frac(leaf_frac)
    nodes = (1 << depth) - 1
    shapes = [(2, nodes, trees, features), (nodes, trees), (outputs, nodes + 1, trees), (outputs + 1,)]
    given: Sequence[Any] = [None] * len(shapes)
    if party.check_index(owner, "owner") == party.index:
        if not isinstance(mine, TreeModel):
            raise WrongType(f"a TreeModel is needed at its owner, not {type(mine).__name__}: see from_sklearn")
        agreed = (features, outputs, chosen)
        if (mine.features, mine.outputs, mine.link) != agreed:
            raise ModelMismatch(
                f"a model of {mine.features} features, {mine.outputs} outputs and link {mine.link!r}, but "
                f"{features}, {outputs} and {chosen!r} were agreed"
            )
        p = pad(mine, depth=depth, trees=trees, frac=frac, leaf_frac=leaf_frac)
        given = [p.looks, p.cut, p.leaves, p.base]
    shared = [party.input(v, owner, frac=0, shape=s) for v, s in zip(given, shapes, strict=True)]
    looks, cut, leaves, base = [await part for part in shared]
    return SharedTrees(
        depth, trees, features, outputs, chosen, frac, leaf_frac,
        looks, cut, read_on_grid(leaves, leaf_frac), read_on_grid(base, leaf_frac),
    )  # fmt: skip


def _check(depth: Any, trees: Any, features: Any, outputs: Any, kind: Any, link: Any) -> Link:
    for name, value, most in (
        ("depth", depth, MOST_DEPTH), ("trees", trees, MOST_WORDS), ("features", features, MOST_WORDS),
        ("outputs", outputs, MOST_WORDS),
    ):  # fmt: skip
        if not is_whole(value) or not 1 <= value <= most:
            raise OutOfRange(f"{name}={value!r}: a whole number from 1 to {most}")
    if trees * (1 << depth) * (features + outputs) > MOST_WORDS:
        raise OutOfRange(f"trees * 2^depth * (features + outputs) is above {MOST_WORDS}: share the model in parts")
    if kind not in ("classifier", "regressor"):
        raise WrongType(f"kind={kind!r}: 'classifier' or 'regressor'")
    usual = "identity" if kind == "regressor" else "sigmoid" if outputs == 1 else "softmax"
    chosen = usual if link is None else link
    if chosen not in LINKS or (chosen == "identity") != (kind == "regressor"):
        raise WrongType(f"link={link!r} of a {kind}: 'identity' of a regressor, of a classifier one of {LINKS[1:]}")
    if (chosen in ("identity", "sigmoid") and outputs != 1) or (chosen == "softmax" and outputs < 2):
        raise OutOfRange(f"outputs={outputs} with link {chosen!r}: 1 for identity and sigmoid, else one for each class")
    return cast(Link, chosen)


async def share_rows(
    party: Party, rows: Any, *, owner: int, frac: int = FRAC, shape: tuple[int, int] | None = None
) -> tuple[SecretArray, SecretArray]:
    """(rows, whether missing), both (n, features), of an owner's reals with NaN where a value is missing.

    Two inputs: 1 round, 16 bytes a value at the owner. Leaks the shape; not whether anything is missing. OutOfRange for
    infinity and values out of range, WrongType for what are no real numbers, as Party.input.
    """
    values, flags = None, None
    if party.check_index(owner, "owner") == party.index:
        given = as_array(rows, "rows")
        natural_frac(given, what="rows")
        if given.ndim != 2:
            raise ShapeMismatch(f"rows of shape {given.shape}: (n, features) is needed")
        gone = np.isnan(given)
        values, flags = np.where(gone, np.zeros_like(given), given), gone.astype(np.int64)
    shared = party.input(values, owner, frac=frac, shape=shape), party.input(flags, owner, frac=0, shape=shape)
    return await shared[0], await shared[1]


def _shape(X: SecretArray, missing: SecretArray | None, model: list[SecretArray], *_: Any) -> tuple[int, int]:
    features = model[0].shape[3]
    for name, x in (("X", X), ("missing", missing)):
        if x is not None and (len(x.shape) != 2 or x.shape[1] != features or len(x) != len(X)):
            raise ShapeMismatch(f"{name} of shape {x.shape}: (n, {features}) is needed")
    return len(X), model[2].shape[0]


@operation(SecretArray, _shape)
async def _predicted(
    X: SecretArray, missing: SecretArray | None, model: list[SecretArray], depth: int, frac: int
) -> SecretArray:
    looks, cut, leaves, base = model
    if X.frac > frac:
        raise WrongType(f"X has {X.frac} fractional bits, the model was shared for {frac}: astype(float, frac={frac})")
    if missing is not None and missing.frac:
        raise WrongType("missing: integers 0 and 1 are needed, not fixed point")
    k, _, nodes, trees, features = looks.share.shape
    words = TreeWords(
        depth,
        trees,
        looks.share.reshape(k, 2, nodes * trees, features),
        cut.share.reshape(k, nodes * trees),
        leaves.share,
    )
    rows = X.share.transpose(0, 2, 1) << np.uint64(frac - X.frac)
    gone = None if missing is None else missing.share.transpose(0, 2, 1)
    sums = await leaf_sums(X.party, rows, gone, words)
    total = sums + base.share[:, :-1, None]
    return SecretArray(X.party, np.ascontiguousarray(total.transpose(0, 2, 1)), leaves.frac)


@operation(SecretArray, lambda s: s.shape)
async def _softmax(s: SecretArray) -> SecretArray:
    """exp(s - m) / sum of those, m the largest of a row; at most 1, and their sum from 1 to the number of classes."""
    e = exp(s - s.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
