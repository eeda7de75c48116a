"""Logistic regression on shared rows, as scikit-learn's: L2 penalty with its C, class and sample weights, intercept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

import mpc
from mpc.arrays import SecretArray, SecretBits
from mpc.encoding import FRAC
from mpc.errors import OutOfRange, ShapeMismatch, UsageError, WrongType
from mpc.quotients import rescale
from mpc.shapes import concatenate
from protocols.class_weights import check_class_weight, class_weights, most_weight
from protocols.columns import as_numbers, constant
from protocols.early_stop import EarlyStop, HeldOut, Patience, Sample, how_many
from protocols.estimator import Estimator, as_column, as_rows, row_weights
from protocols.fixed_point import matrix_product, product, scale_bits
from protocols.inference import Curvature
from protocols.linear import FRAC_COEF
from protocols.newton import FRAC_BETA, FRAC_PENALTY, Problem, newton
from protocols.progress import Course, Progress
from protocols.release import Released
from protocols.sgd import Descent, descend
from protocols.softmax import MOST_UNKNOWNS, softmax, softmax_newton
from protocols.solve import invert
from protocols.standardise import Moments, as_they_are, moments, penalties, scaled_rows
from protocols.watch import LossWatch

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
        tol: ``converged_`` says whether the last step, or epoch, moved no standardised coefficient by more; with
            "newton" also whether rows whose probabilities are told as 0 or 1 could not (newton.Fit.loose), and the
            columns are in range (standardise.Moments.in_range).
        early_stopping: hold out ``validation_fraction`` of the rows, and keep the coefficients of the step with their
            least log loss, looking no further once ``n_iter_no_change`` steps in a row lowered it by less than ``tol``.
            That is secret, and nothing is saved by it: early_stop.py. For "newton", too, where C is too large.
        warm_start: begin at the last fit's coefficients; "sgd" goes on with its epochs too, at the rate and with the
            momentum it ended with, so that 2 epochs and 3 more are 5. For other rows set learning_rate higher.
        batch_size, learning_rate, momentum: of "sgd"; batch_size / (1 - momentum) up to 2^19 or so, less with
            weights, learning_rate up to (1 + momentum) C n: what could overflow or diverge is refused, see sgd.Descent.
        random_state: the seed of the public order of rows in "sgd", and of which are held out.

    With "newton" columns are standardised inside (standardise.moments has the ranges), so their units do not matter.
    A separable set: with a penalty the answer is scikit-learn's; with C = inf there is none, and ``converged_`` is
    false. One class only, which scikit-learn refuses: likewise, as the intercept has no end even with a penalty.

    Error: standardised coefficients to 1e-3, where the penalty or the data determine them to that: sigmoids are off by
    3.4e-5. Ranges: |decision| < 2^21, coefficients below 2^11. Where 1 / (C n) is above 2^10 times the squared
    deviation, it is that: the standardised coefficient is below 2^-10 then.

    Attributes:
        coef_: (1, d), intercept_: (1,), of more than two classes (K, d) and (K,), secret, 24 bits.
        converged_: SecretBits (). n_iter_, classes_, n_features_in_: public.
        best_iter_: the step kept, 0 for the start, (), a secret integer; None without early_stopping.
        watched_: what ``watch`` released, in order.
    """

    coef_: SecretArray
    intercept_: SecretArray
    best_iter_: SecretArray | None
    watched_: list[Released]
    _before: tuple[int, SecretArray | None, float] = (0, None, 0.0)

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
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
    ) -> None:
        self.C, self.fit_intercept, self.class_weight, self.solver = C, fit_intercept, class_weight, solver
        self.max_iter, self.tol, self.warm_start, self.classes = max_iter, tol, warm_start, classes
        self.batch_size, self.learning_rate = batch_size, learning_rate
        self.momentum, self.random_state = momentum, random_state
        self.early_stopping, self.validation_fraction = early_stopping, validation_fraction
        self.n_iter_no_change = n_iter_no_change

    async def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, present: Any = None, watch: LossWatch | None = None
    ) -> Self:
        """Fit to the rows present; each step is reported (Party.report).

        Args:
            X: (n, d). y: (n,), labels as integers, or SecretBits, where 1 stands for the second of two classes.
            watch: what of the loss is released on the way, with noise; needs early_stopping. None: nothing.

        Rounds: "newton" about 100, and 40 a step; "sgd" about 25, and 11 a batch; for more than two classes 215 a step
        and 55 a batch; early_stopping 30 in all, as it works beside the steps (m = 3). Leaks nothing but what ``watch``
        says.
        """
        self.check_params()
        X = await as_rows(X)
        n, d = X.shape
        if watch is not None:
            if not isinstance(watch, LossWatch):
                raise WrongType(f"watch {watch!r}: a LossWatch, such as LossWatch(DiscreteLaplace(0.1), to=0)")
            if not self.early_stopping:
                raise UsageError("watch: the loss is that of rows held out, so it needs early_stopping=True")
            watch.check(X.party)
        if self.solver == "newton" and len(self.classes) > 2 and len(self.classes) * (d + 1) > MOST_UNKNOWNS:
            raise OutOfRange(f"{len(self.classes)} classes, {d} features: classes (d + 1) <= {MOST_UNKNOWNS}; use sgd")
        how, speed = self._descent(
            n - how_many(n, self.validation_fraction) if self.early_stopping else n, sample_weight
        )
        progress = Progress(X.party, type(self).__name__, "epoch" if self.solver == "sgd" else "step", self.max_iter)
        progress.say(0)
        here, weights = await row_weights(X, sample_weight, present)
        target = await self._target(y, n)
        weights = await class_weights(self.class_weight, self.classes, target, here, weights)
        rows, held = Sample(X, target, here, weights), None
        if self.early_stopping:
            rows, held = await rows.split(self.validation_fraction, self.random_state)
        X, target, here, weights = rows.X, rows.y, rows.here, rows.weights
        if self.solver == "sgd":
            found, over = as_they_are(X), float(X.shape[0])
        else:
            found = await moments(X, here, weights, centre=self.fit_intercept)
            over = 2.0 ** scale_bits(X.shape[0])
        z = await self._columns(rows, found)
        by = 0.0 if math.isinf(self.C) else 1 / (self.C * over)
        pull = await penalties(found.root, by, FRAC_PENALTY, 2.0**10)
        beta = await self._start(X, found)
        if self.fit_intercept:
            pull = concatenate([pull, constant(X, np.zeros(1, np.int64), FRAC_PENALTY)])
        beta = beta[0] if len(self.classes) == 2 else beta.T
        out = None if held is None else HeldOut(await self._columns(held, found), held.y, held.counts, held.here)
        stop = None if out is None else EarlyStop(out, beta, self._patience())
        course = Course(progress, self.max_iter, stop, watch)
        beta, step = await self._solve(Problem(z, target, rows.counts, await pull), beta, course, how, speed)
        kept, self.watched_ = await course.end()
        beta, self.best_iter_ = (beta, None) if kept is None else kept
        self._scales = found, over
        self.converged_ = await (((step <= self.tol) & (step >= -self.tol)).all() & found.in_range)
        await self._adopt(beta.reshape(1, -1) if len(self.classes) == 2 else beta.T, found)
        self.n_iter_, self.classes_, self.n_features_in_ = self.max_iter, np.asarray(self.classes), d
        return self

    async def _columns(self, rows: Sample, found: Moments) -> SecretArray:
        """X as the solver takes it, with a column of ones for the intercept."""
        X = rows.X
        if self.solver != "sgd":
            return await scaled_rows(X, found.mean, found.root, rows.here, self.fit_intercept)
        ones = constant(X, np.full((X.shape[0], 1), 1 << FRAC), FRAC)
        return await concatenate([X, ones], axis=1) if self.fit_intercept else X

    async def _solve(
        self, problem: Problem, beta: SecretArray, course: Course, how: Descent, speed: float
    ) -> tuple[SecretArray, SecretArray]:
        """(beta, (columns,) or (columns, K), 24 bits; what must be small for it to have converged, of any shape)."""
        if self.solver == "sgd":
            velocity = self._before[1] if self.warm_start else None
            if velocity is not None and velocity.shape != beta.shape:  # with an intercept now, or without
                velocity = None
            found, step, velocity = await descend(
                problem.z, problem.y, problem.counts, problem.penalty, beta, how, course, velocity
            )
            self._before = how.first + self.max_iter, None if self.early_stopping else velocity, speed
            return found, step
        self._before = 0, None, 0.0
        if len(self.classes) == 2:
            result = await newton(problem, beta if self._goes_on() else None, self.max_iter, course)
            self._hessian = result.hessian
            return result.beta, await concatenate([result.step, result.loose])
        found, step, loose = await softmax_newton(problem, beta.T, self.max_iter, course)
        return await found.T, await concatenate([step, loose])

    def _descent(self, n: int, sample_weight: Any) -> tuple[Descent, float]:
        """How "sgd" goes down on so many rows, and how fast it may be at the end; OutOfRange where it may overflow."""
        before, _, speed = self._before if self.warm_start else (0, None, 0.0)
        how = Descent(self.learning_rate, self.momentum, self.batch_size, self.max_iter, self.random_state, before)
        if self.solver == "sgd":
            speed = how.check(n, 1 / (self.C * n), most_weight(self.class_weight, sample_weight), speed)
        return how, speed

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
        if not (0 < self.learning_rate <= 16 and 0 <= self.momentum <= 0.999 and 1 <= self.batch_size <= 1 << 14):
            raise OutOfRange(
                f"learning_rate={self.learning_rate!r}, momentum={self.momentum!r}, batch_size={self.batch_size!r}: "
                "above 0 to 16; from 0 to 0.999; from 1 to 16,384"
            )
        if int(self.max_iter) != self.max_iter or self.max_iter < 1:
            raise OutOfRange(f"max_iter={self.max_iter!r}: a positive integer")
        if len(set(self.classes)) != len(self.classes) or len(self.classes) < 2:
            raise OutOfRange(f"classes={self.classes!r}: at least two different labels")
        check_class_weight(self.class_weight, self.classes)
        if self.early_stopping:
            self._patience().check()

    def _patience(self) -> Patience:
        return Patience(self.validation_fraction, self.n_iter_no_change, self.tol)

    def _goes_on(self) -> bool:
        """Whether a fit begins where the last one ended."""
        return self.warm_start and hasattr(self, "coef_")

    async def _start(self, X: SecretArray, found: Moments) -> SecretArray:
        """Where to begin: (K or 1, columns), 24 bits."""
        d, lines = X.shape[1], 1 if len(self.classes) == 2 else len(self.classes)
        if not self._goes_on():
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
        self.coef_ = await product(beta[:, :d], rescale(found.root, FRAC_COEF).reshape(1, d), FRAC_COEF)  # below 2^13
        level = beta[:, d] if self.fit_intercept else constant(beta, np.zeros(lines, np.int64), FRAC_COEF)
        self.intercept_ = await (level - matrix_product(self.coef_, found.mean, FRAC_COEF))

    async def standard_errors(self) -> tuple[SecretArray, SecretArray]:
        """Of coef_ (1, d) and intercept_ (1,), secret, 24 bits: the inverse of the log-likelihood's curvature.

        With a penalty its curvature is in it, so they are those of the shrunken estimates, not of the true ones. For
        solver "newton" and two classes; else OutOfRange. Ranges, errors: Curvature.errors. Rounds: about 95 for d = 30
        (m = 3). Leaks nothing.
        """
        self._fitted("coef_")
        if self.solver != "newton" or len(self.classes) != 2 or self.early_stopping:
            raise OutOfRange('standard errors: solver "newton", two classes, no early_stopping')
        found, rows = self._scales
        slopes, level = await Curvature(invert(self._hessian), found, rows, self.fit_intercept).errors()
        return slopes.reshape(1, -1), level

    async def decision_function(self, X: Any) -> SecretArray:
        """X @ coef_.T + intercept_: (n,) for two classes, else (n, K); 16 bits. Rounds: 3 (m = 3). Leaks nothing."""
        coef = self._fitted("coef_")
        X = await as_rows(X, self.n_features_in_)
        out: SecretArray = matrix_product(X, coef.T, FRAC) + rescale(self.intercept_, FRAC)
        return await (out if len(self.classes) > 2 else out[:, 0])

    async def predict_proba(self, X: Any) -> SecretArray:
        """Probabilities (n, K), 16 bits, each off by 3.4e-5 at most, of more than two classes by 1.3e-4.

        Rounds: 11, or 42 + 9 ceil(log2 K) (m = 3). Leaks nothing.
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
