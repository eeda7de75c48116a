"""Logistic regression whose coefficients may leave: fitted with differential privacy (private_descent.py)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np

from mpc.encoding import LIMIT
from mpc.errors import OutOfRange
from mpc.scope import checksum, current_scope
from protocols.estimator import as_rows
from protocols.exact import as_exact
from protocols.logistic import LogisticRegression
from protocols.private_descent import Logistic, Loss
from protocols.private_model import PrivateModel, check_fit
from protocols.resume import Keeper
from protocols.stock import NoiseStock

__all__ = ["PrivateLogisticRegression"]


class PrivateLogisticRegression(PrivateModel, LogisticRegression):  # type: ignore[misc]
    """Logistic regression for two classes with differential privacy; parameters and attributes: PrivateModel.

    Args:
        classes: the two public labels; y is compared with the second one, all else is the first.

    Attributes:
        coef_: (1, d), intercept_: (1,). classes_: public.
    """

    def __init__(
        self,
        epsilon: float = 1.0,
        delta: float = 1e-6,
        *,
        bound: float = 1.0,
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
        classes: Sequence[Any] = (0, 1),
    ) -> None:
        self.epsilon, self.delta, self.bound, self.rows = epsilon, delta, bound, rows
        self.alpha, self.fit_intercept, self.intercept_scaling = alpha, fit_intercept, intercept_scaling
        self.max_iter, self.batch_size, self.learning_rate = max_iter, batch_size, learning_rate
        self.momentum, self.average, self.random_state, self.classes = momentum, average, random_state, classes

    async def fit(  # type: ignore[override]  # no watch: coefficients may be opened anyway, a loss goes by the door
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        present: Any = None,
        stock: NoiseStock | None = None,
        keeper: Keeper | None = None,
    ) -> Self:
        """Fit to the rows present.

        Args:
            X: (n, d). y: (n,), labels as integers, or SecretBits, where 1 stands for the second class.
            sample_weight: none is taken: a row's weight would be what it changes.
            present: (n,), which rows count; any number but 0 counts once.
            stock: noise drawn beforehand; where it has not enough of the law, noise is drawn now.
            keeper: keeps the state after epochs, and may have one to go on from (resume.py).

        Rounds: about 80 for noise, beside 20 for the rows, and 20 a step (m = 3). Sends: 40 bytes an element of X, 150
        a row and epoch, about 2,300 a sample of noise. Leaks nothing.
        Raises EpsilonInvalid, DeltaInvalid, OutOfRange, GridOverflow, WrongType, ShapeMismatch before noise is drawn.
        """
        self._check()
        check_fit(sample_weight, stock)
        X = await as_rows(X)
        n, d = X.shape
        plan = self.plan(n, d)
        low, high = (int(v) for v in self.classes)  # with other labels at another party shares of y would be no bits
        current_scope().note(checksum(f"classes {low} {high}"))
        coef, level = await self._train(X, await self._target(y, n), present, stock, plan, keeper)
        self.coef_, self.intercept_, self.classes_ = coef.reshape(1, d), level, np.asarray(self.classes)
        return self

    def _loss(self) -> Loss:
        return Logistic()

    def _check(self) -> None:
        super()._check()
        classes: Any = self.classes
        names = [as_exact(v) for v in classes] if isinstance(classes, Iterable) else []
        whole = all(v is not None and v.denominator == 1 and abs(v) < LIMIT for v in names)
        if not whole or len(names) != 2 or names[0] == names[1]:
            raise OutOfRange(f"classes={self.classes!r}: two different labels, whole numbers")
