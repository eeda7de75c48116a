"""Regression with differential privacy by noisy gradients: its account, its noise, its steps.

Abadi et al., Deep Learning with Differential Privacy, CCS 2016, algorithm 1, with batches in a public order instead of
random ones, and rows that are bounded (row_bound.py) instead of gradients that are clipped: the gradient of a row's
loss is e z, with e the slope of the loss, which a Loss bounds. A step, with G the *sum* over the batch:

1. e by the loss from Z beta and y; G = Z' e, exact, on the grid of 2^-32.                  (13 or 15 rounds)
2. G + noise, on that grid.                                                                (local: drawn before)
3. velocity = momentum velocity - rate ((G + noise) / batch + alpha beta); beta = beta + velocity.     (6 rounds)

**What a row changes.** Noise is added before anything is rounded, so what counts is how far a row can move the words
of G. It adds e z. The word of e is at most Loss.most, and the word vector of z is no longer than its bound: exactly,
whatever the row, its label and beta are. The product is RowBound.times(Loss.most), for logistic loss about 2^32 bound.
Roundings inside e are at random, by shares. Those of other rows do not depend on the row: whatever the others'
roundings are, the row moves G by no more than this. What is rounded after the noise is post-processing.

**Neighbours.** Data with a person's rows and data without them, where "without" leaves their places: rows of zeros, as
rows have that are not present. The number of places is public. Between two persons' rows lies twice as much.

**Account.** The order of rows is public, so nothing is claimed for sampling. An epoch's batches are disjoint; a row is
in one of them, and other batches' sums are not touched by it. So for a person with one row E epochs are E adaptive
Gaussian mechanisms of one sensitivity, whatever the number of batches. Of k rows let k_j be in batch j of an epoch:
the squares of the k_j sum up to at most k^2, so the worst is all k in one batch. Adaptive Gaussian mechanisms with
sensitivities s_j and one sigma compose exactly to one with the root of the sum of s_j^2 (Dong, Roth, Su, Gaussian
Differential Privacy, JRSS B 2022, section 3). So all the training is charged as *one* release: a Change with a column
for each epoch, whose squares sum up, and as many coordinates as one person's rows touch, which is what the
discreteness and the finite precision of the noise are charged for (calibration.continuous_delta: each noised sum is the
continuous mechanism's, post-processed, up to a distance; distances add up over the steps that a person touches, and the
other steps are post-processing).

**Why not noise on the final model** (Chaudhuri, Monteleoni, Sarwate, JMLR 2011, section 3). There the noise is for the
exact minimiser. A solver's answer is at a distance from it; to look whether that is small and give 0 if not would not
do, as whether it is depends on every row, and so the answer would jump. It would take a solver that is close for *all*
data, with proof, and the error of sigmoid would still be in it: 2.2 2^-16 of a row's length for every row and both data
sets, against the 1/n by which a row may move the mean: at n = 10^4 two thirds more noise. Noisy gradients have none.
"""

from __future__ import annotations

import functools
import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np

import mpc
from mpc.arrays import SecretArray
from mpc.encoding import FRAC, LIMIT
from mpc.errors import OutOfRange
from mpc.quotients import rescale
from mpc.scope import checksum, current_scope
from protocols.accounting import Event, check_event
from protocols.columns import constant
from protocols.fixed_point import column_products, matrix_product
from protocols.mechanisms import DiscreteGaussian
from protocols.progress import Progress
from protocols.public_order import Order
from protocols.resume import Keeper, State
from protocols.row_bound import RowBound
from protocols.sensitivity import Change
from protocols.sgd import Descent

__all__ = ["FRAC_SUM", "Huber", "Logistic", "Loss", "PrivateDescent", "batch_sum", "noisy_descent"]

FRAC_SUM = 2 * FRAC
_FRAC = 24
_STATE = ("beta", "velocity", "kept")
_DEVIATIONS = 12  # that no sample of noise exceeds, but for a chance of 2^-108


class Loss(ABC):
    """A loss of a score and a label.

    Attributes:
        curvature: its second derivative is at most this.
    """

    curvature: ClassVar[float]

    @property
    @abstractmethod
    def most(self) -> int:
        """No slope is larger, in steps of 2^-16, whatever the label and whatever score below 2^21."""

    @abstractmethod
    def slope(self, score: SecretArray, y: SecretArray) -> SecretArray:
        """The derivative by the score, 16 bits."""


@dataclass(frozen=True)
class Logistic(Loss):
    """log(1 + e^score) - y score; y integers, 0 or 1 exactly, as comparisons give them. 9 rounds."""

    curvature = 0.25

    @property
    def most(self) -> int:
        """1 and 16 steps: sigmoid is off by 1 for its series and by (t + 1) / 2 for its rounding; m <= 7 has t <= 3."""
        return (1 << FRAC) + 16

    def slope(self, score: SecretArray, y: SecretArray) -> SecretArray:
        """p - y."""
        return mpc.sigmoid(score) - y


@dataclass(frozen=True)
class Huber(Loss):
    """Half the square of r = score - y up to ``threshold`` steps of 2^-16, beyond it lines; y 16 bits. 11 rounds.

    Huber, Robust Estimation of a Location Parameter, Annals of Mathematical Statistics 1964.
    """

    curvature = 1.0
    threshold: int

    @property
    def most(self) -> int:
        """The threshold: a clipped word is within it, even one that wrapped."""
        return self.threshold

    def slope(self, score: SecretArray, y: SecretArray) -> SecretArray:
        """r, clipped."""
        limit = self.threshold * 2.0**-FRAC
        return (score - y).clip(-limit, limit)


@dataclass(frozen=True)
class PrivateDescent:
    """A training with differential privacy: all public, known before anything is sent.

    Attributes:
        loss: of a row.
        promise: kind of noise; what the whole training keeps.
        bound: of each row.
        columns: of the rows, the intercept's included.
        places: rows, present or not.
        rows: the most rows that a person has.
        how: steps and order; ``rate`` is the same in all epochs.
        alpha: penalty alpha / 2 |beta|^2 on the mean loss of a batch, the intercept's coefficient excepted.
        average: whether the answer is the mean of the second half of the steps, not the last one.
    """

    loss: Loss
    promise: DiscreteGaussian
    bound: RowBound
    columns: int
    places: int
    rows: int
    how: Descent
    alpha: float = 0.0
    average: bool = True

    @property
    def batches(self) -> int:
        """In an epoch."""
        return -(-self.places // self.how.batch)

    @property
    def steps(self) -> int:
        """In all."""
        return self.batches * self.how.epochs

    @property
    def change(self) -> int:
        """By how much a person's rows can move an epoch's sums, the length of it, in steps of 2^-32."""
        return self.rows * self.bound.times(self.loss.most)

    @functools.cached_property
    def event(self) -> Event:
        """What the training costs, as one release; raises what release raises of a mechanism."""
        epochs, touched = self.how.epochs, min(self.rows, self.batches)
        change = Change((self.change,) * epochs, True)
        return check_event(Event(self.promise, change, epochs * touched * self.columns, FRAC_SUM))

    @property
    def sigma(self) -> Fraction:
        """Of the noise on each sum, in steps of 2^-32."""
        event = self.event
        return self.promise.sigma_steps(event.change, event.coordinates, event.frac)

    @property
    def noise_multiplier(self) -> float:
        """sigma by what a person can move one epoch's sums: E Gaussian mechanisms with it keep the promise."""
        return float(self.sigma / self.change)

    def orders(self) -> Iterator[Order]:
        """The rows of each step; in their own order where all are in one batch, which makes no difference to a sum."""
        if self.batches == 1:
            return itertools.repeat(np.arange(self.places, dtype=np.int32), self.steps)
        return (rows for _, rows in self.how.batches(self.places))

    def check(self) -> None:
        """The ranges, or OutOfRange, GridOverflow, PrecisionTooLow; for all data, and all noise but 2^-80 of it.

        That scores stay below 2^21 is what Loss.most relies on, so it is part of what keeps the promise.
        Coefficients are bounded by what the steps can add up to: |G| is at most the number of rows times their length.
        """
        length = math.sqrt(self.bound.squared) * 2.0**-FRAC
        batch = min(self.how.batch, self.places)
        last = self.places - (self.batches - 1) * batch
        if batch * self.bound.times(self.loss.most) + self.event.law.reach >= LIMIT // 2:
            raise OutOfRange(
                f"batches of {batch} rows of length {length:g}: too many for their sums; take smaller ones"
            )
        noise = _DEVIATIONS * float(self.sigma) * 2.0**-FRAC_SUM * math.sqrt(self.columns)
        gain = max(self._gain(self.alpha), self._gain(0.0) if self.bound.level else 0.0)
        most = (self.loss.most * 2.0**-FRAC * length + noise / last) * gain
        if not most * max(1.0, length) < 2.0**20:
            raise OutOfRange(
                f"{self.steps} steps of learning rate {self.how.rate:g} with noise up to {noise / last:.3g} could "
                "leave the range of coefficients, 2^20 by the rows' length: take a smaller rate, momentum or alpha, "
                "fewer epochs, larger batches, or a larger epsilon"
            )

    def _gain(self, alpha: float) -> float:
        """The most that coefficients can be by the longest gradient: what a gradient is worth so many steps later."""
        beta = velocity = -self.how.rate
        total = abs(beta)
        for _ in range(self.steps - 1):
            velocity = self.how.momentum * velocity - self.how.rate * alpha * beta
            beta += velocity
            total += abs(beta)
            if total > 2.0**40:
                break
        return total


async def batch_sum(z: SecretArray, y: SecretArray, beta: SecretArray, loss: Loss) -> SecretArray:
    """Z' e, (d,), 32 bits, with e the slopes of the loss; exact for those; no noise in it: not to be opened.

    Args:
        z: (n, d), 16 bits. y: (n,), as the loss takes it. beta: (d,), 24 bits.
    """
    e = loss.slope(matrix_product(z, beta, FRAC), y)
    return await column_products(z, e, FRAC_SUM, 0)


async def noisy_descent(
    z: SecretArray, y: SecretArray, noise: SecretArray, plan: PrivateDescent, keeper: Keeper | None = None
) -> SecretArray:
    """beta (d,), 24 bits, from 0; as private as the plan's event says.

    Args:
        z: (n, d), 16 bits, of row_bound.kept_rows. y: (n,), as plan.loss takes it.
        noise: (steps, d), 32 bits, independent samples of plan.event.law; of a fit that goes on those it began with.
        keeper: keeps states, and may have one to go on from (resume.py).

    Rounds: about 20 a step (m = 3). Sends: about 150 bytes a row and epoch. Leaks nothing. Reports epochs.
    """
    progress = Progress(z.party, "private fit", "epoch", plan.how.epochs)
    before = None if keeper is None else keeper.begin()
    start = constant(z, np.zeros(plan.columns, np.int64), _FRAC)
    done, beta, velocity, kept = 0, start, start, start
    if before is not None:
        done, (beta, velocity, kept) = before.step, (before.arrays[name] for name in _STATE)
        current_scope().note(checksum(f"goes on from step {done}"))
    progress.say(done // plan.batches)
    pull = np.full(plan.columns, plan.alpha * plan.how.rate)
    if plan.bound.level:
        pull[-1] = 0.0
    first = plan.steps // 2 if plan.average else plan.steps - 1
    for step, rows in enumerate(plan.orders()):
        if step < done:
            continue
        part, labels = (z, y) if plan.batches == 1 else (z[rows], y[rows])
        noised = await batch_sum(part, labels, beta, plan.loss) + noise[step]
        push = rescale(noised * (plan.how.rate / len(rows)), _FRAC)
        drag = velocity * plan.how.momentum - push
        velocity = await (drag - beta * pull if plan.alpha else drag)
        beta = await (beta + velocity)
        if step >= first:
            kept = await (kept + beta)
        epoch, batch = divmod(step + 1, plan.batches)
        if batch:
            progress.within(epoch, batch / plan.batches)
            continue
        progress.say(epoch)
        if keeper is not None and step + 1 < plan.steps and keeper.due(epoch):
            keeper.keep(State(step + 1, dict(zip(_STATE, (beta, velocity, kept), strict=True)) | {"noise": noise}))
    return await (kept * (1.0 / (plan.steps - first)))
