"""Logistic regression on shared rows, as scikit-learn's: L2 penalty with its C, class and sample weights, intercept."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

import mpc
from mpc.arrays import SecretArray, SecretBits
from mpc.encoding import FRAC
from mpc.errors import OutOfRange
from mpc.quotients import rescale
from mpc.shapes import concatenate
from protocols.columns import constant
from protocols.estimator import Estimator, as_column, as_rows, row_weights
from protocols.fixed_point import matrix_product, product, scale_bits
from protocols.linear import FRAC_COEF, unscaled
from protocols.newton import FRAC_BETA, FRAC_PENALTY, Problem, newton
from protocols.sgd import Descent, descend
from protocols.standardise import FRAC_ROOT, Moments, as_they_are, moments, scaled_rows

__all__ = ["LogisticRegression"]


class LogisticRegression(Estimator):
    """scikit-learn's, for two classes.

    Args:
        C: inverse strength of the penalty on coefficients in the columns' own units; math.inf for none.
        classes: the public labels; scikit-learn reads them off y, which is secret here.
        class_weight: None; {label: weight}; "balanced": rows / (classes rows of the class), from secret counts. A class
            without rows then gets the weight 0.
        solver: "newton", to scikit-learn's coefficients; "sgd", mini-batches (sgd.py), cheaper and rougher, for
            standardised columns only: StandardScaler makes such.
        max_iter: steps, or epochs of "sgd"; always all are taken: when the fit was good enough would tell something.
        tol: ``converged_`` says whether the last step, or epoch, moved no standardised coefficient by more.
        warm_start: begin at the last fit's coefficients.
        batch_size, learning_rate, momentum, random_state: of "sgd"; the last is the seed of the public order of rows.

    With "newton" columns are standardised inside (standardise.moments has the ranges), so their units do not matter.
    One class only, a separable set: with a penalty the answer is scikit-learn's (which refuses one class); with
    C = inf there is none, and ``converged_`` is false.

    Error: standardised coefficients to 1e-3, where the penalty or the data determine them to that: sigmoids are off by
    3.4e-5. Ranges: |decision| < 2^21, coefficients below 2^11, 1 / (C n) < 2^10 times the squared deviation.

    Attributes:
        coef_: (1, d), intercept_: (1,), secret, 24 bits. converged_: SecretBits (). n_iter_, classes_, n_features_in_:
        public.
    """

    coef_: SecretArray
    intercept_: SecretArray

    def __init__(
        self,
        C: float = 1.0,
        *,
        fit_intercept: bool = True,
        class_weight: Any = None,
        solver: str = "newton",
        max_iter: int = 10,
        tol: float = 1e-3,
        warm_start: bool = False,
        classes: Sequence[Any] = (0, 1),
        batch_size: int = 1024,
        learning_rate: float = 0.1,
        momentum: float = 0.9,
        random_state: int = 0,
    ) -> None:
        self.C, self.fit_intercept, self.class_weight, self.solver = C, fit_intercept, class_weight, solver
        self.max_iter, self.tol, self.warm_start, self.classes = max_iter, tol, warm_start, classes
        self.batch_size, self.learning_rate = batch_size, learning_rate
        self.momentum, self.random_state = momentum, random_state

    async def fit(self, X: Any, y: Any, sample_weight: Any = None, *, present: Any = None) -> Self:
        """Fit to the rows present.

        Args:
            X: (n, d). y: (n,), labels as integers, or SecretBits, where 1 stands for the second class.

        Rounds: "newton" about 110, and 150 a step; "sgd" 15 a batch (m = 3). Leaks nothing.
        """
        self._check()
        X = await as_rows(X)
        n, d = X.shape
        here, weights = await row_weights(X, sample_weight, present)
        target = await as_column(y if isinstance(y, SecretBits) else y == self.classes[1], n)
        weights = await self._class_weights(target, here, weights)
        counts = here if weights is None else weights
        if self.solver == "sgd":
            found, z, over = as_they_are(X), X, float(n)
        else:
            found = await moments(X, here, weights, centre=self.fit_intercept)
            z, over = await scaled_rows(X, found.mean, found.root, here), 2.0 ** scale_bits(n)
        by = 0.0 if math.isinf(self.C) else 1 / (self.C * over)
        pull = rescale(rescale(product(found.root, found.root, FRAC_ROOT), FRAC_PENALTY) * by, FRAC_PENALTY)
        beta = self._start(X, found)
        if self.fit_intercept:
            z = await concatenate([z, constant(X, np.full((n, 1), 1 << FRAC), FRAC)], axis=1)
            pull = concatenate([pull, constant(X, np.zeros(1, np.int64), FRAC_PENALTY)])
        if self.solver == "sgd":
            beta, step = await descend(z, target, counts, await pull, beta, self._descent())
        else:
            result = await newton(Problem(z, target, counts, await pull), beta, self.max_iter)
            beta, step = result.beta, result.step
        self.converged_ = await ((step <= self.tol) & (step >= -self.tol)).all()
        await self._adopt(beta, found)
        self.n_iter_, self.classes_, self.n_features_in_ = self.max_iter, np.asarray(self.classes), d
        return self

    def _descent(self) -> Descent:
        return Descent(self.learning_rate, self.momentum, self.batch_size, self.max_iter, self.random_state)

    def _check(self) -> None:
        if not self.C > 0:
            raise OutOfRange(f"C={self.C!r}: a positive number, math.inf for no penalty")
        if self.solver not in ("newton", "sgd"):
            raise OutOfRange(f'solver {self.solver!r}: "newton" or "sgd"')
        if not (0 < self.learning_rate <= 16 and 0 <= self.momentum < 1 and 1 <= self.batch_size <= 1 << 14):
            raise OutOfRange(
                f"learning_rate={self.learning_rate!r}, momentum={self.momentum!r}, batch_size={self.batch_size!r}: "
                "above 0 to 16; from 0 to below 1; from 1 to 16,384"
            )
        if int(self.max_iter) != self.max_iter or self.max_iter < 1:
            raise OutOfRange(f"max_iter={self.max_iter!r}: a positive integer")
        if len(set(self.classes)) != len(self.classes) or len(self.classes) != 2:
            raise OutOfRange(f"classes={self.classes!r}: two different labels")
        if isinstance(self.class_weight, Mapping):
            if set(self.class_weight) - set(self.classes):
                raise OutOfRange(f"class_weight={self.class_weight!r}: labels that are not among {self.classes!r}")
            if not all(0 <= w <= 16 for w in self.class_weight.values()):
                raise OutOfRange(f"class_weight={self.class_weight!r}: weights from 0 to 16")
        elif self.class_weight not in (None, "balanced"):
            raise OutOfRange(f'class_weight={self.class_weight!r}: None, "balanced" or a weight for each label')

    async def _class_weights(
        self, target: SecretArray, here: SecretArray | None, weights: SecretArray | None
    ) -> SecretArray | None:
        """What each row counts, with the weight of its class."""
        if self.class_weight is None:
            return weights
        n = target.shape[0]
        bits = min(16, 28 - scale_bits(n))
        if isinstance(self.class_weight, Mapping):
            low, high = (
                constant(target, np.array(round(self.class_weight.get(c, 1.0) * 2**bits)), bits) for c in self.classes
            )
        else:
            ones = target if here is None else target * here
            positive = ones.sum()
            rows = constant(target, np.array(n), 0) if here is None else here.sum()
            low, high = (rescale(rows / (count * 2), bits) for count in (rows - positive, positive))
        of_class = low + target * (high - low)
        counts = here if weights is None else weights
        return await (of_class if counts is None else product(of_class, counts, bits))

    def _start(self, X: SecretArray, found: Moments) -> SecretArray:
        d = X.shape[1]
        if not (self.warm_start and hasattr(self, "coef_")):
            return constant(X, np.zeros(d + self.fit_intercept, np.int64), FRAC_BETA)
        beta = product(self.coef_[0], found.scale, FRAC_BETA)
        if not self.fit_intercept:
            return beta
        level = self.intercept_ + matrix_product(found.mean.reshape(1, d), self.coef_[0], FRAC_COEF)
        return concatenate([beta, level])  # type: ignore[no-any-return]

    async def _adopt(self, beta: SecretArray, found: Moments) -> None:
        d = found.root.shape[0]
        coef = product(beta[:d], found.root, FRAC_COEF)
        self.coef_ = await coef.reshape(1, d)
        level = beta[d:] if self.fit_intercept else constant(coef, np.zeros(1, np.int64), FRAC_COEF)
        self.intercept_ = await unscaled(coef, found.mean, level)

    async def decision_function(self, X: Any) -> SecretArray:
        """X @ coef_ + intercept_, (n,), 16 bits. Rounds: 3 (m = 3). Leaks nothing."""
        coef = self._fitted("coef_")
        X = await as_rows(X, self.n_features_in_)
        out: SecretArray = matrix_product(X, coef[0], FRAC) + rescale(self.intercept_, FRAC)
        return await out

    async def predict_proba(self, X: Any) -> SecretArray:
        """Probabilities (n, 2), 16 bits, each off by 3.4e-5 at most. Rounds: 12 (m = 3). Leaks nothing."""
        p = mpc.sigmoid(await self.decision_function(X))
        both: SecretArray = await mpc.stack([1 - p, p], axis=1)
        return both

    async def predict(self, X: Any) -> SecretArray:
        """The likelier label, (n,). Rounds: 11 (m = 3). Leaks nothing."""
        above = ((await self.decision_function(X)) > 0).to_array()
        low, high = self.classes
        labels: SecretArray = above * (high - low) + low
        return await labels

    async def score(self, X: Any, y: Any, sample_weight: Any = None, *, present: Any = None) -> SecretArray:
        """Share of the rows present that are predicted right, by weight; (), secret, 16 bits. Leaks nothing."""
        X = await as_rows(X)
        here, weights = await row_weights(X, sample_weight, present)
        if isinstance(y, SecretBits):
            y = y.to_array() * (self.classes[1] - self.classes[0]) + self.classes[0]
        right = ((await self.predict(X)) == await as_column(y, X.shape[0])).to_array()
        counts = here if weights is None else weights
        share: SecretArray = right.mean() if counts is None else (right * counts).sum() / counts.sum()
        return await share
