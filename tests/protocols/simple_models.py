"""A model that is cheap to fit on shares, and the same in the clear with scikit-learn's manners."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

import mpc
from protocols.columns import as_flags, as_numbers
from protocols.estimator import Estimator


class Slope(Estimator):
    """coef_ is ``shrink`` times the mean of x y, of rows present; two classes count as -1 and 1."""

    def __init__(self, shrink: float = 1.0) -> None:
        self.shrink = shrink

    async def fit(self, X: Any, y: Any, *, present: Any = None) -> Self:
        target = await self._target(y)
        here = None if present is None else await as_numbers(as_flags(present))
        total = (target @ X) if here is None else ((target * here) @ X)
        n = len(X) if here is None else here.sum()
        self.coef_ = await (total / n * self.shrink)
        self.intercept_ = await (self.coef_.sum() * 0)
        return self

    async def _target(self, y: Any) -> Any:
        return y

    async def predict(self, X: Any) -> Any:
        return await (X @ self.coef_)


class SlopeOfClasses(Slope):
    def __init__(self, shrink: float = 1.0, classes: tuple[int, int] = (0, 1)) -> None:
        super().__init__(shrink)
        self.classes = classes

    async def _target(self, y: Any) -> Any:
        bits = y if isinstance(y, mpc.SecretBits) else y == self.classes[1]
        return await (bits.to_array() * 2 - 1)

    async def decision_function(self, X: Any) -> Any:
        return await (X @ self.coef_)

    async def predict_proba(self, X: Any) -> Any:
        p = mpc.sigmoid(await self.decision_function(X))
        return await mpc.stack([1 - p, p], axis=1)

    async def predict(self, X: Any) -> Any:
        low, high = self.classes
        return await ((await self.decision_function(X) > 0).to_array() * (high - low) + low)


class PlainSlope(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    def __init__(self, shrink: float = 1.0) -> None:
        self.shrink = shrink

    def fit(self, x: Any, y: Any) -> Self:
        self.coef_ = y @ x / len(x) * self.shrink
        return self

    def predict(self, x: Any) -> Any:
        return x @ self.coef_


class PlainSlopeOfClasses(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    def __init__(self, shrink: float = 1.0) -> None:
        self.shrink = shrink

    def fit(self, x: Any, y: Any) -> Self:
        self.classes_ = np.unique(y)
        self.coef_ = np.where(y == self.classes_[1], 1, -1) @ x / len(x) * self.shrink
        return self

    def decision_function(self, x: Any) -> Any:
        return x @ self.coef_

    def predict_proba(self, x: Any) -> Any:
        p = 1 / (1 + np.exp(-self.decision_function(x)))
        return np.stack([1 - p, p], axis=1)

    def predict(self, x: Any) -> Any:
        return self.classes_[(self.decision_function(x) > 0).astype(int)]
