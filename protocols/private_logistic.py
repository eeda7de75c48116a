"""Logistic regression whose coefficients may leave: fitted with differential privacy (private_descent.py)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from mpc.encoding import FRAC
from mpc.errors import OutOfRange, WrongType
from mpc.party import Party
from mpc.shapes import concatenate
from protocols.accounting import Event
from protocols.columns import constant
from protocols.estimator import as_column, as_rows
from protocols.exact import check_rows, is_whole, round_up
from protocols.logistic import LogisticRegression
from protocols.mechanisms import DiscreteGaussian
from protocols.private_descent import PrivateDescent, noisy_descent
from protocols.release import noise_of, open_derived
from protocols.row_bound import RowBound, kept_rows
from protocols.sgd import Descent
from protocols.stock import NoiseStock

__all__ = ["PrivateLogisticRegression", "ReleasedModel"]


@dataclass(frozen=True)
class ReleasedModel:
    """Coefficients that left. At parties that are not receivers ``coef`` and ``intercept`` are None.

    Attributes:
        coef: (d,). intercept: a number; 0 without one.
        epsilon, delta: what the fit is charged, rounded up; opening it again costs nothing more.
        events: that charge, exactly, for total_cost and for the ledger.
    """

    coef: npt.NDArray[np.float64] | None
    intercept: float | None
    epsilon: float
    delta: float
    events: tuple[Event, ...] = field(repr=False)


class PrivateLogisticRegression(LogisticRegression):
    """Logistic regression for two classes, by gradient descent with noise nobody knows on every gradient.

    Rows come as row_bound.bounded_rows makes them; the computation makes sure of their length by itself: a row longer
    than ``bound`` counts nothing. So (epsilon, delta) holds whatever rows the owners put in, and whatever labels.

    Args:
        epsilon: at most 16. delta: from 2^-40; less than 1 over the number of people.
        bound: greatest length of a row, the square root of the sum of its squares.
        rows: the most rows a person has; limit them before (contribution.limit_rows). The noise grows with it.
        alpha: penalty alpha / 2 |coef|^2 on the mean loss; the intercept is not penalised.
        fit_intercept, intercept_scaling: the intercept's column holds this constant. The larger, the more noise all
            have; the smaller, the more the intercept itself. About half of ``bound`` is right.
        max_iter: epochs. Each costs noise: the standard deviation grows with the root of their number.
        batch_size: rows of a step; None: all, which is best for noise, as a batch's noise is that of all rows.
        learning_rate: None takes 8 / (bound^2 + intercept_scaling^2): twice what no step overshoots with.
        momentum: from 0 to below 1.
        average: the mean of the second half of the steps instead of the last one.
        random_state: seed of the public order of rows.
        classes: the two public labels; y is compared with the second one, all else is the first.

    A step divides by the places in its batch, present or not: where few are present take a higher learning rate.
    The noise on each sum of gradients has the standard deviation noise_multiplier_ rows sqrt(bound^2 +
    intercept_scaling^2), so some thousand rows are needed for an epsilon below 1.

    Attributes:
        coef_: (1, d), intercept_: (1,), secret, 24 bits: ``release`` opens them. Predictions for rows, and ``score``,
            are secret; opened, they tell of the rows that are predicted, which the noise is not for.
        events_: what the fit costs, public; epsilon_, delta_, noise_multiplier_: of it.
        n_iter_, classes_, n_features_in_: public.
    """

    batch_size: int | None  # type: ignore[assignment]
    learning_rate: float | None  # type: ignore[assignment]
    solver = "private"

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
        self.max_iter, self.average, self.random_state = max_iter, average, random_state
        self.learning_rate, self.momentum = learning_rate, momentum
        self.batch_size, self.classes = batch_size, classes

    async def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, present: Any = None, stock: NoiseStock | None = None
    ) -> Self:
        """Fit to the rows present.

        Args:
            X: (n, d). y: (n,), labels as integers, or SecretBits, where 1 stands for the second class.
            sample_weight: none is taken: a row's weight would be what it changes.
            present: (n,), which rows count; any number but 0 counts once.
            stock: noise drawn beforehand, plan(n, d).steps times d (and 1 for the intercept) samples.

        Rounds: 63 for noise, beside 20 for the rows, and 17 a step (m = 3). Sends: 40 bytes an element of X, 150 a row
        and epoch, about 2,000 a sample of noise. Leaks nothing.
        Raises EpsilonInvalid, DeltaInvalid, OutOfRange, GridOverflow, WrongType, ShapeMismatch before noise is drawn.

        1. Compare the rows with their bound, and the labels with the second class.
        2. Draw the noise of all steps at once, beside it.
        3. Go down (private_descent.noisy_descent).
        """
        self._check()
        if sample_weight is not None:
            raise WrongType("sample_weight: none with differential privacy, as a row's weight would be what it changes")
        if stock is not None and not isinstance(stock, NoiseStock):
            raise WrongType(f"stock {stock!r}: what NoiseStock.open gives, not the store")
        X = await as_rows(X)
        n, d = X.shape
        plan = self.plan(n, d)
        plan.check()
        here = None if present is None else await as_column(present, n, "present")
        noise = noise_of(X.party, plan.event, (plan.steps, plan.columns), stock)
        z, target = kept_rows(X, here, plan.bound), self._target(y, n)
        beta = await noisy_descent(await z, await target, await noise, plan)
        self.coef_ = beta[:d].reshape(1, d)
        level = plan.bound.level * 2.0**-FRAC
        self.intercept_ = await (beta[d:] * level if level else constant(beta, np.zeros(1, np.int64), beta.frac))
        epsilon, delta = plan.event.promise
        self.events_ = (plan.event,)
        self.epsilon_, self.delta_ = round_up(epsilon), round_up(max(delta, plan.event.delta))
        self.noise_multiplier_ = plan.noise_multiplier
        self.n_iter_, self.classes_, self.n_features_in_ = self.max_iter, np.asarray(self.classes), d
        return self

    def plan(self, n: int, d: int) -> PrivateDescent:
        """What a fit on n rows of d features will do and cost, before there are any. Pure; raises what fit does."""
        self._check()
        bound = RowBound.of(self.bound, self.intercept_scaling if self.fit_intercept else 0, d)
        rate = self.learning_rate
        if rate is None:
            rate = 8.0 * 4.0**FRAC / bound.squared
        batch = n if self.batch_size is None else min(n, self.batch_size)
        how = Descent(float(rate), float(self.momentum), batch, self.max_iter, self.random_state)
        promise = DiscreteGaussian(self.epsilon, self.delta)
        columns = d + (bound.level > 0)
        return PrivateDescent(promise, bound, columns, n, self.rows, how, float(self.alpha), bool(self.average))

    async def release(self, party: Party, *, to: Sequence[int] | int) -> ReleasedModel:
        """Open the coefficients to the result parties: they have their noise, which is all they cost.

        Rounds: 1. Leaks: to the receivers the coefficients. Raises NotFitted, UnknownParty.
        """
        both = concatenate([self._fitted("coef_")[0], self.intercept_])
        opened = await open_derived(party, await both, to)
        coef, level = (None, None) if opened is None else (opened[:-1], float(opened[-1]))
        return ReleasedModel(coef, level, self.epsilon_, self.delta_, self.events_)

    def _check(self) -> None:
        DiscreteGaussian(self.epsilon, self.delta)
        check_rows(self.rows)
        RowBound.of(self.bound, self.intercept_scaling, 1)
        if self.fit_intercept and not self.intercept_scaling >= 2**-6:
            raise OutOfRange(
                f"intercept_scaling={self.intercept_scaling!r}: a number from 2^-6, or fit_intercept=False"
            )
        rate = self.learning_rate
        if rate is not None and not (rate > 0 and math.isfinite(rate)):
            raise OutOfRange(f"learning_rate={rate!r}: a number above 0, or None")
        if not 0 <= self.momentum < 1:
            raise OutOfRange(f"momentum={self.momentum!r}: from 0 to below 1")
        if not (self.alpha >= 0 and math.isfinite(self.alpha)):
            raise OutOfRange(f"alpha={self.alpha!r}: a number from 0")
        if not is_whole(self.max_iter) or not 1 <= self.max_iter <= 1 << 16:
            raise OutOfRange(f"max_iter={self.max_iter!r}: a whole number from 1 to 65,536")
        if self.batch_size is not None and (not is_whole(self.batch_size) or self.batch_size < 1):
            raise OutOfRange(f"batch_size={self.batch_size!r}: a whole number from 1, or None for all rows")
        if len(self.classes) != 2 or self.classes[0] == self.classes[1]:
            raise OutOfRange(f"classes={self.classes!r}: two different labels")
