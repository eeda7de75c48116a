"""What private models have in common: their plan, known before there are rows; their fit; and how they leave."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from mpc.arrays import SecretArray
from mpc.encoding import FRAC
from mpc.errors import OutOfRange, WrongType
from mpc.party import Party
from mpc.scope import checksum, current_scope
from mpc.shapes import concatenate
from protocols.accounting import Event
from protocols.columns import constant
from protocols.estimator import Estimator, as_column
from protocols.exact import as_exact, check_rows, is_whole, round_up
from protocols.mechanisms import DiscreteGaussian
from protocols.private_descent import Loss, PrivateDescent, noisy_descent
from protocols.release import open_derived
from protocols.resume import Keeper
from protocols.row_bound import RowBound, kept_rows
from protocols.sealed import noise_of
from protocols.sgd import Descent
from protocols.stock import NoiseStock

__all__ = ["PrivateModel", "ReleasedModel", "check_fit"]


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


class PrivateModel(Estimator):
    """A model of scores x coef + intercept, fitted by gradient descent with noise nobody knows on every gradient.

    Rows come as row_bound.bounded_rows makes them; the computation makes sure of their length by itself: a row longer
    than ``bound`` counts nothing. So (epsilon, delta) holds whatever rows the owners put in, and whatever labels.

    Parameters of all:
        epsilon: at most 16. delta: from 2^-40; less than 1 over the number of people.
        bound: greatest length of a row, the square root of the sum of its squares.
        rows: the most rows a person has; limit them before (contribution.limit_rows). The noise grows with it.
        alpha: penalty alpha / 2 |coef|^2 on the mean loss; the intercept is not penalised.
        fit_intercept, intercept_scaling: the intercept's column holds this constant. The larger, the more noise all
            have; the smaller, the more the intercept itself. About half of ``bound`` is right.
        max_iter: epochs. Each costs noise: the standard deviation grows with the root of their number.
        batch_size: rows of a step; None: all, which is best for noise, as a batch's noise is that of all rows.
        learning_rate: None takes 2 / L, where L is the most that the gradient of the mean loss can slope.
        momentum: from 0 to below 1.
        average: the mean of the second half of the steps instead of the last one.
        random_state: seed of the public order of rows.

    A step divides by the places in its batch, present or not: where few are present take a higher learning rate.
    The noise on each sum of gradients has the standard deviation noise_multiplier_ rows sqrt(bound^2 +
    intercept_scaling^2) times the steepest slope of the loss; so some thousand rows are needed for an epsilon below 1.

    Attributes of all:
        coef_, intercept_: secret, 24 bits: ``release`` opens them. Predictions for rows, and ``score``, are secret;
            opened, they tell of the rows that are predicted, which the noise is not for.
        events_: what the fit costs, public; epsilon_, delta_, noise_multiplier_: of it.
        n_iter_, n_features_in_: public.
    """

    epsilon: float
    delta: float
    bound: float
    rows: int
    alpha: float
    fit_intercept: bool
    intercept_scaling: float
    max_iter: int
    batch_size: int | None
    learning_rate: float | None
    momentum: float
    average: bool
    random_state: int
    coef_: SecretArray
    intercept_: SecretArray

    @abstractmethod
    def _loss(self) -> Loss:
        """Of a row; OutOfRange for parameters of its own."""

    def plan(self, n: int, d: int) -> PrivateDescent:
        """What a fit on n rows of d features will do and cost, before there are any; refuses what fit refuses. Pure.

        Samples of noise it takes: ``steps`` times ``columns``, of ``event.law``.
        """
        self._check()
        for name, size in (("rows", n), ("features", d)):
            if not is_whole(size) or size < 1:
                raise OutOfRange(f"{size!r} {name}: a whole number from 1")
        n, d = int(n), int(d)
        loss = self._loss()
        bound = RowBound.of(self.bound, self.intercept_scaling if self.fit_intercept else 0, d)
        rate = self.learning_rate
        if rate is None:
            rate = 2.0 / loss.curvature * 4.0**FRAC / bound.squared
        batch = n if self.batch_size is None else min(n, int(self.batch_size))
        how = Descent(float(rate), float(self.momentum), batch, int(self.max_iter), int(self.random_state))
        promise = DiscreteGaussian(self.epsilon, self.delta)
        columns, rows = d + (bound.level > 0), check_rows(self.rows)
        made = PrivateDescent(loss, promise, bound, columns, n, rows, how, float(self.alpha), bool(self.average))
        made.check()
        return made

    async def _train(
        self,
        X: SecretArray,
        y: SecretArray,
        present: Any,
        stock: NoiseStock | None,
        plan: PrivateDescent,
        keeper: Keeper | None = None,
    ) -> tuple[SecretArray, SecretArray]:
        """(coefficients (d,), intercept (1,)), 24 bits; what else is known of the fit is set.

        1. Draw the noise of all steps at once, or take it from stock; a fit that goes on has it. Beside it compare the
           rows with their bound.
        2. Go down (private_descent.noisy_descent).
        """
        n, d = X.shape
        current_scope().note(checksum(repr(plan)))  # all parties go down one way, or end in ProgramDiverged
        here = None if present is None else await as_column(present, n, "present")
        before = None if keeper is None else keeper.begin()
        shape = (plan.steps, plan.columns)
        noise = noise_of(X.party, plan.event, shape, stock) if before is None else before.arrays["noise"]
        z = await kept_rows(X, here, plan.bound)
        beta = await noisy_descent(z, y, await noise, plan, keeper)
        epsilon, delta = plan.event.promise
        self.events_ = (plan.event,)
        self.epsilon_, self.delta_ = round_up(epsilon), round_up(max(delta, plan.event.delta))
        self.noise_multiplier_ = plan.noise_multiplier
        self.n_iter_, self.n_features_in_ = self.max_iter, d
        level = plan.bound.level * 2.0**-FRAC
        return beta[:d], await (beta[d:] * level if level else constant(beta, np.zeros(1, np.int64), beta.frac))

    async def release(self, party: Party, *, to: Sequence[int] | int) -> ReleasedModel:
        """Open the coefficients to the result parties: they have their noise, which is all they cost.

        Rounds: 1. Leaks: to the receivers the coefficients. Raises NotFitted, UnknownParty.
        """
        coef = self._fitted("coef_").reshape(-1)
        opened = await open_derived(party, await concatenate([coef, self.intercept_.reshape(1)]), to)
        slopes, level = (None, None) if opened is None else (opened[:-1], float(opened[-1]))
        return ReleasedModel(slopes, level, self.epsilon_, self.delta_, self.events_)

    async def standard_errors(self) -> Any:
        """None are known with noise in every step: OutOfRange."""
        raise OutOfRange("standard errors: none of a private fit; fit without noise and release nothing, or bootstrap")

    def check_params(self) -> None:
        """What ``fit`` raises for a parameter, before anything is sent: OutOfRange, EpsilonInvalid, DeltaInvalid."""
        self._check()
        self._loss()

    def _check(self) -> None:
        DiscreteGaussian(self.epsilon, self.delta)
        check_rows(self.rows)
        RowBound.of(self.bound, self.intercept_scaling, 1)
        if self.fit_intercept and not self.intercept_scaling >= 2**-6:
            raise OutOfRange(
                f"intercept_scaling={self.intercept_scaling!r}: a number from 2^-6, or fit_intercept=False"
            )
        rate, momentum, alpha = (as_exact(x) for x in (self.learning_rate, self.momentum, self.alpha))
        if self.learning_rate is not None and (rate is None or rate <= 0):
            raise OutOfRange(f"learning_rate={self.learning_rate!r}: a number above 0, or None")
        if momentum is None or not 0 <= momentum < 1:
            raise OutOfRange(f"momentum={self.momentum!r}: from 0 to below 1")
        if alpha is None or alpha < 0:
            raise OutOfRange(f"alpha={self.alpha!r}: a number from 0")
        if not is_whole(self.random_state) or self.random_state < 0:
            raise OutOfRange(f"random_state={self.random_state!r}: a public seed, a whole number from 0")
        if not is_whole(self.max_iter) or not 1 <= self.max_iter <= 1 << 16:
            raise OutOfRange(f"max_iter={self.max_iter!r}: a whole number from 1 to 65,536")
        if self.batch_size is not None and (not is_whole(self.batch_size) or self.batch_size < 1):
            raise OutOfRange(f"batch_size={self.batch_size!r}: a whole number from 1, or None for all rows")


def check_fit(sample_weight: Any, stock: Any) -> None:
    """WrongType for what a private fit does not take."""
    if sample_weight is not None:
        raise WrongType("sample_weight: none with differential privacy, as a row's weight would be what it changes")
    if stock is not None and not isinstance(stock, NoiseStock):
        raise WrongType(f"stock {stock!r}: what NoiseStock.open gives, not the store")
