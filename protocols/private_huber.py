"""Linear regression whose coefficients may leave: fitted with differential privacy (private_descent.py)."""

from __future__ import annotations

import math
from typing import Any, Self

from mpc.encoding import FRAC
from mpc.errors import OutOfRange
from mpc.quotients import astype
from protocols.estimator import as_column, as_rows
from protocols.exact import as_exact
from protocols.linear import LinearRegression
from protocols.private_descent import Huber, Loss
from protocols.private_model import PrivateModel, check_fit
from protocols.stock import NoiseStock

__all__ = ["PrivateHuberRegressor"]


class PrivateHuberRegressor(PrivateModel, LinearRegression):
    """Linear regression with differential privacy; parameters and attributes: PrivateModel.

    A row's residual is clipped in the computation, so its loss is Huber's: squares up to ``threshold``, lines beyond.

    Args:
        threshold: from 2^-6; the noise grows with it. With y brought to [-1, 1] by public bounds (as by
            bounded_rows(y.reshape(-1, 1), [low], [high], spread=1)) take 1 or less.

    Attributes:
        coef_: (d,), intercept_: (), in units of y by those of X.
    """

    def __init__(
        self,
        epsilon: float = 1.0,
        delta: float = 1e-6,
        *,
        bound: float = 1.0,
        threshold: float = 1.0,
        rows: int = 1,
        alpha: float = 0.0,
        fit_intercept: bool = True,
        intercept_scaling: float = 0.5,
        max_iter: int = 20,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        momentum: float = 0.8,
        average: bool = True,
        random_state: int = 0,
    ) -> None:
        self.epsilon, self.delta, self.bound, self.threshold, self.rows = epsilon, delta, bound, threshold, rows
        self.alpha, self.fit_intercept, self.intercept_scaling = alpha, fit_intercept, intercept_scaling
        self.max_iter, self.batch_size, self.learning_rate = max_iter, batch_size, learning_rate
        self.momentum, self.average, self.random_state = momentum, average, random_state

    async def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, present: Any = None, stock: NoiseStock | None = None
    ) -> Self:
        """Fit to the rows present. y: (n,), numbers; any are taken. Else as PrivateLogisticRegression.fit."""
        self._check()
        check_fit(sample_weight, stock)
        X = await as_rows(X)
        n, d = X.shape
        plan = self.plan(n, d)
        target = await astype(await as_column(y, n), "f")
        self.coef_, level = await self._train(X, target, present, stock, plan)
        self.intercept_ = level[0]
        return self

    def _loss(self) -> Loss:
        exact = as_exact(self.threshold)
        if exact is None or not 2**-6 <= exact <= 2**10:
            raise OutOfRange(f"threshold={self.threshold!r}: a number from 2^-6 to 2^10")
        return Huber(math.floor(exact * (1 << FRAC)))
