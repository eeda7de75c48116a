"""Preparing secret columns for a model, fitted on everybody's rows together without opening anything.

The names, parameters and attributes are scikit-learn's; ``fit`` and ``transform`` are coroutines, and the attributes
are secret arrays. ``present`` says which rows count, as a join gives it: the others may hold anything.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from mpc.arrays import SecretArray
from mpc.quotients import rescale
from protocols.columns import constant
from protocols.estimator import Estimator, as_rows, row_weights
from protocols.fixed_point import product
from protocols.standardise import FRAC_ROOT, moments, scaled_rows

__all__ = ["StandardScaler"]


class StandardScaler(Estimator):
    """Columns less their mean, by their standard deviation (of the population, as scikit-learn's).

    Ranges and errors: standardise.moments. Columns whose deviation is below 2^-7 count as constant and keep scale 1,
    as constant ones do in scikit-learn; give such a column in a smaller unit.

    Attributes:
        mean_, var_, scale_: (d,), secret. n_features_in_: d.
    """

    def __init__(self, *, with_mean: bool = True, with_std: bool = True) -> None:
        self.with_mean, self.with_std = with_mean, with_std

    async def fit(self, X: Any, y: Any = None, sample_weight: Any = None, *, present: Any = None) -> Self:
        """Mean and deviation of the rows present. Rounds and bytes: standardise.moments. Leaks nothing."""
        X = await as_rows(X)
        found = await moments(X, *await row_weights(X, sample_weight, present))
        self.n_features_in_ = X.shape[1]
        self.mean_, self.var_, self.scale_, self._root = found.mean, found.variance, found.scale, found.root
        return self

    async def transform(self, X: Any) -> SecretArray:
        """(n, d), 16 fractional bits. Error: 2 ulp and 2^-17 by the scale. Rounds: 3 a block (m = 3). Leaks nothing."""
        self._fitted("mean_")
        X = await as_rows(X, self.n_features_in_)
        one = np.full(X.shape[1], 1 << FRAC_ROOT)
        mean = self.mean_ if self.with_mean else constant(X, 0 * one, self.mean_.frac)
        return await scaled_rows(X, mean, self._root if self.with_std else constant(X, one, FRAC_ROOT))

    async def fit_transform(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, present: Any = None
    ) -> SecretArray:
        """fit, then transform of the same rows."""
        return await (await self.fit(X, y, sample_weight, present=present)).transform(X)

    async def inverse_transform(self, X: Any) -> SecretArray:
        """Back to the columns' own units: x scale_ + mean_. Rounds: 3 (m = 3)."""
        self._fitted("mean_")
        X = await as_rows(X, self.n_features_in_)
        out = product(X, self.scale_, X.frac) if self.with_std else X
        return await rescale(out + self.mean_ if self.with_mean else out, X.frac)
