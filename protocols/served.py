"""Shared models of all kinds as one thing that can be asked: what it takes, what it answers, which rows it refuses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from mpc.arrays import SecretArray
from mpc.encoding import FRAC, as_array, encode
from mpc.errors import ShapeMismatch, WrongType
from protocols.errors import NotFitted, RequestRefused
from protocols.inquiry import Kind
from protocols.preprocessing import StandardScaler
from protocols.trees import SharedTrees

__all__ = ["RowRules", "Served", "served"]

KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class RowRules:
    """Which rows a model takes. Public.

    Attributes:
        features: columns.
        frac: fractional bits of a value; |value| < 2^(62 - frac).
        missing: whether values may be missing (NaN).
        kinds: what can be asked.
    """

    features: int
    frac: int
    missing: bool
    kinds: tuple[Kind, ...]

    def read(self, values: Any, rows: int | None = None) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
        """(rows, 0 where a value is missing; 1 where one is missing), both (n, features). Plaintext, at their owner.

        Args:
            values: numbers (n, features), n at least 1; an array, a list of rows, a DataFrame.
            rows: the n that was announced.

        Raises WrongType, ShapeMismatch, OutOfRange (infinity, too large, or NaN where none may be).
        """
        given = as_array(values, "rows")
        if given.dtype.kind not in "biuf":
            raise WrongType(f"rows: not numbers (dtype {given.dtype}); encode categories as for the fit")
        n = len(given) if given.ndim and rows is None else rows
        if given.shape != (n, self.features) or not n:
            raise ShapeMismatch(
                f"rows of shape {given.shape}: ({'n' if rows is None else rows}, {self.features}) is needed, n at "
                "least 1; of a single row make X.reshape(1, -1)"
            )
        reals = given.astype(np.float64)
        gone = np.isnan(reals) if self.missing else np.zeros(reals.shape, np.bool_)
        reals[gone] = 0.0
        encode(reals, self.frac, what="rows")
        return reals, gone.astype(np.int64)


@dataclass(frozen=True)
class Served:
    """A shared model, and what stands before it, at one party. Made by :func:`served`."""

    rules: RowRules
    _model: Any = field(repr=False)
    _scaler: StandardScaler | None = field(repr=False)

    async def answer(self, kind: Kind, X: SecretArray, missing: SecretArray | None) -> SecretArray:
        """[the answer] for [rows] (n, features), and [1 where missing] if ``rules.missing``.

        Shapes, errors, rounds: the model's method of that name; 3 rounds more with a scaler (m = 3). Leaks nothing.
        """
        if kind not in self.rules.kinds:
            raise RequestRefused(f"{kind!r}: this model answers {', '.join(self.rules.kinds)}")
        ask = getattr(self._model, kind)
        if isinstance(self._model, SharedTrees):
            trees: SecretArray = ask(X, missing)
            return await trees
        found: SecretArray = await ask(X if self._scaler is None else await self._scaler.transform(X))
        return found


def served(model: Any, *, scaler: StandardScaler | None = None, missing: bool = False) -> Served:
    """A model to be served.

    Args:
        model: trees.SharedTrees, or a fitted LogisticRegression, LinearRegression, Ridge, or any of their kind.
        scaler: fitted; applied to the rows first, of regressions only.
        missing: of trees, whether rows may have missing values. A row then costs twice the products.

    Raises WrongType, NotFitted, ShapeMismatch.
    """
    if scaler is not None and not isinstance(scaler, StandardScaler):
        raise WrongType(f"scaler: a StandardScaler, not {type(scaler).__name__}")
    if isinstance(model, SharedTrees):
        if scaler is not None:
            raise WrongType("a scaler before trees: their thresholds are of the columns as they are")
        kinds = tuple(k for k in KINDS if k != "predict_proba" or model.kind == "classifier")
        return Served(RowRules(model.features, model.frac, bool(missing), kinds), model, None)
    kinds = tuple(k for k in KINDS if callable(getattr(model, k, None)))
    if not kinds:
        raise WrongType(f"model: SharedTrees or a regression, not {type(model).__name__}")
    if missing:
        raise WrongType(f"missing=True: {type(model).__name__} takes no missing values; fill them in first")
    for part in (model, scaler):
        if part is not None and not hasattr(part, "n_features_in_"):
            raise NotFitted(f"this {type(part).__name__} is not fitted: await fit(X, ...) first")
    if scaler is not None and scaler.n_features_in_ != model.n_features_in_:
        raise ShapeMismatch(f"a scaler of {scaler.n_features_in_} columns before a model of {model.n_features_in_}")
    return Served(RowRules(model.n_features_in_, FRAC, False, kinds), model, scaler)
