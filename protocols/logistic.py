"""Logistic regression on shared rows, as scikit-learn's: L2 penalty with its C, class and sample weights, intercept."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

import mpc
from mpc.arrays import SecretArray, SecretBits
from mpc.encoding import FRAC
from mpc.errors import OutOfRange, ShapeMismatch
from mpc.quotients import rescale
from mpc.shapes import concatenate
from protocols.columns import as_numbers, constant
from protocols.estimator import Estimator, as_column, as_rows, row_weights
from protocols.fixed_point import matrix_product, product, scale_bits
from protocols.inference import Curvature
from protocols.linear import FRAC_COEF
from protocols.newton import FRAC_BETA, FRAC_PENALTY, Problem, newton
from protocols.sgd import Descent, descend
from protocols.softmax import MOST_UNKNOWNS, softmax, softmax_newton
from protocols.standardise import FRAC_ROOT, Moments, as_they_are, moments, scaled_rows

__all__ = ["LogisticRegression"]


class LogisticRegression(Estimator):
    """scikit-learn's, for two classes or more (softmax).

    Args:
        C: inverse strength of the penalty on coefficients in the columns' own units; math.inf for none.
        classes: the public labels; scikit-learn reads them off y, which is secret here.
        class_weight: None; {label: weight}; "balanced": rows / (classes rows of the class), from secret counts. A class
            without rows then gets the weight 0.
        solver: "newton", to scikit-learn's coefficients; "sgd", mini-batches (sgd.py), cheaper and rougher, for
            standardised columns only: StandardScaler makes such.
        max_iter: steps, or epochs of "sgd"; always all are taken: when the fit was good enough would tell something.
        tol: ``converged_`` says whether the last step, or epoch, moved no standardised coefficient by more,
            and the columns are in range (standardise.Moments.in_range; not looked at by "sgd").
        warm_start: begin at the last fit's coefficients.
        batch_size, learning_rate, momentum, random_state: of "sgd"; the last is the seed of the public order of rows.

    With "newton" columns are standardised inside (standardise.moments has the ranges), so their units do not matter.
    One class only, a separable set: with a penalty the answer is scikit-learn's (which refuses one class); with
    C = inf there is none, and ``converged_`` is false.

    Error: standardised coefficients to 1e-3, where the penalty or the data determine them to that: sigmoids are off by
    3.4e-5. Ranges: |decision| < 2^21, coefficients below 2^11, 1 / (C n) < 2^10 times the squared deviation.

    Attributes:
        coef_: (1, d), intercept_: (1,), of more than two classes (K, d) and (K,), secret, 24 bits.
        converged_: SecretBits (). n_iter_, classes_, n_features_in_: public.
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
            X: (n, d). y: (n,), labels as integers, or SecretBits, where 1 stands for the second of two classes.

        Rounds: "newton" about 110, and 150 a step; "sgd" 15 a batch; for more than two classes by half more and thrice
        as many (m = 3). Leaks nothing.
        """
        self.check_params()
        X = await as_rows(X)
        n, d = X.shape
        if self.solver == "newton" and len(self.classes) > 2 and len(self.classes) * (d + 1) > MOST_UNKNOWNS:
            raise OutOfRange(f"{len(self.classes)} classes, {d} features: classes (d + 1) <= {MOST_UNKNOWNS}; use sgd")
        here, weights = await row_weights(X, sample_weight, present)
        target = await self._target(y, n)
        weights = await self._class_weights(target, here, weights)
        counts = here if weights is None else weights
        level = self.fit_intercept
        if self.solver == "sgd":
            found, over = as_they_are(X), float(n)
            ones = constant(X, np.full((n, 1), 1 << FRAC), FRAC)
            z = await concatenate([X, ones], axis=1) if level else X
        else:
            found, over = await moments(X, here, weights, centre=level), 2.0 ** scale_bits(n)
            z = await scaled_rows(X, found.mean, found.root, here, level)
        by = 0.0 if math.isinf(self.C) else 1 / (self.C * over)
        pull = rescale(rescale(product(found.root, found.root, FRAC_ROOT), FRAC_PENALTY) * by, FRAC_PENALTY)
        beta = await self._start(X, found)
        if level:
            pull = concatenate([pull, constant(X, np.zeros(1, np.int64), FRAC_PENALTY)])
        beta, step = await self._solve(Problem(z, target, counts, await pull), beta)
        self._scales = found, over
        self.converged_ = await (((step <= self.tol) & (step >= -self.tol)).all() & found.in_range)
        await self._adopt(beta, found)
        self.n_iter_, self.classes_, self.n_features_in_ = self.max_iter, np.asarray(self.classes), d
        return self

    async def _solve(self, problem: Problem, beta: SecretArray) -> tuple[SecretArray, SecretArray]:
        """(beta, the last step): (K or 1, columns), 24 bits."""
        two = len(self.classes) == 2
        if self.solver == "sgd":
            how = Descent(self.learning_rate, self.momentum, self.batch_size, self.max_iter, self.random_state)
            start = beta[0] if two else beta.T
            found, step = await descend(problem.z, problem.y, problem.counts, problem.penalty, start, how)
            return (found.reshape(1, -1), step) if two else (found.T, step)
        if two:
            result = await newton(problem, beta[0], self.max_iter)
            self._inverse = result.inverse
            return result.beta.reshape(1, -1), result.step
        return await softmax_newton(problem, beta, self.max_iter)

    async def _target(self, y: Any, n: int) -> SecretArray:
        """0 or 1: (n,) for two classes, else (n, K)."""
        if isinstance(y, SecretBits):
            if len(self.classes) != 2:
                raise OutOfRange(f"y of bits beside {len(self.classes)} classes: labels as integers are needed")
            return await as_column(y, n)
        labels = await as_column(y, n)
        if len(self.classes) == 2:
            return await as_numbers(labels == self.classes[1])
        return await as_numbers(labels.reshape(n, 1) == np.asarray(self.classes))

    def check_params(self) -> None:
        """OutOfRange for a parameter out of its range."""
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
        if len(set(self.classes)) != len(self.classes) or len(self.classes) < 2:
            raise OutOfRange(f"classes={self.classes!r}: at least two different labels")
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
        n, classes = target.shape[0], len(self.classes)
        bits = min(16, 28 - scale_bits(n))
        marks = mpc.stack([1 - target, target], axis=1) if classes == 2 else target
        if isinstance(self.class_weight, Mapping):
            words = [round(self.class_weight.get(c, 1.0) * 2**bits) for c in self.classes]
            of_class = constant(target, np.array(words), bits)
        else:
            rows = marks.sum(axis=0) if here is None else here @ marks
            of_class = rescale(rows.sum() / (rows * classes), bits)
        each: SecretArray = marks @ of_class
        counts = here if weights is None else weights
        return await (each if counts is None else product(each, counts, bits))

    async def _start(self, X: SecretArray, found: Moments) -> SecretArray:
        """Where to begin: (K or 1, columns), 24 bits."""
        d, lines = X.shape[1], 1 if len(self.classes) == 2 else len(self.classes)
        if not (self.warm_start and hasattr(self, "coef_")):
            return constant(X, np.zeros((lines, d + self.fit_intercept), np.int64), FRAC_BETA)
        if self.coef_.shape != (lines, d):
            raise ShapeMismatch(f"warm_start: the last fit had coefficients {self.coef_.shape}, this one {(lines, d)}")
        beta = await product(self.coef_, found.scale.reshape(1, d), FRAC_BETA)
        if not self.fit_intercept:
            return beta
        level = self.intercept_ + matrix_product(self.coef_, found.mean, FRAC_COEF)
        return await concatenate([beta, level.reshape(lines, 1)], axis=1)  # type: ignore[no-any-return]

    async def _adopt(self, beta: SecretArray, found: Moments) -> None:
        lines, d = beta.shape[0], found.root.shape[0]
        self.coef_ = await product(beta[:, :d], found.root.reshape(1, d), FRAC_COEF)
        level = beta[:, d] if self.fit_intercept else constant(beta, np.zeros(lines, np.int64), FRAC_COEF)
        self.intercept_ = await (level - matrix_product(self.coef_, found.mean, FRAC_COEF))

    async def standard_errors(self) -> tuple[SecretArray, SecretArray]:
        """Of coef_ (1, d) and intercept_ (1,), secret, 24 bits: the inverse of the log-likelihood's curvature.

        With a penalty its curvature is in it, so they are those of the shrunken estimates, not of the true ones. For
        solver "newton" and two classes; else OutOfRange. Ranges, errors, rounds: Curvature.errors. Leaks nothing.
        """
        self._fitted("coef_")
        if self.solver != "newton" or len(self.classes) != 2:
            raise OutOfRange('standard errors: solver "newton" and two classes only')
        found, rows = self._scales
        slopes, level = await Curvature(self._inverse, found, rows, self.fit_intercept).errors()
        return slopes.reshape(1, -1), level

    async def decision_function(self, X: Any) -> SecretArray:
        """X @ coef_.T + intercept_: (n,) for two classes, else (n, K); 16 bits. Rounds: 3 (m = 3). Leaks nothing."""
        coef = self._fitted("coef_")
        X = await as_rows(X, self.n_features_in_)
        out: SecretArray = matrix_product(X, coef.T, FRAC) + rescale(self.intercept_, FRAC)
        return await (out if len(self.classes) > 2 else out[:, 0])

    async def predict_proba(self, X: Any) -> SecretArray:
        """Probabilities (n, K), 16 bits, each off by 3.4e-5 at most, of more than two classes by 1.3e-4.

        Rounds: 12, or 43 + 9 ceil(log2 K) (m = 3). Leaks nothing.
        """
        score = await self.decision_function(X)
        if len(self.classes) > 2:
            return await softmax(score)
        p = mpc.sigmoid(score)
        both: SecretArray = await mpc.stack([1 - p, p], axis=1)
        return both

    async def predict(self, X: Any) -> SecretArray:
        """The likeliest label, (n,), the first of equal ones. Rounds: 11, or 20 ceil(log2 K) (m = 3). Leaks nothing."""
        score = await self.decision_function(X)
        if len(self.classes) > 2:
            place = score.argmax(axis=1)
            marks = as_numbers(place.reshape(-1, 1) == np.arange(len(self.classes)))
            return await (marks @ np.asarray(self.classes))
        low, high = self.classes
        labels: SecretArray = (score > 0).to_array() * (high - low) + low
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
