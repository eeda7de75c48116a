"""Logistic regression by mini-batches with momentum, on secret rows: a step costs a round trip for each of 11 rounds.

The order of the rows is public and random: it is drawn from ``seed`` alone, so it tells nothing of them. A step:

1. p = sigmoid(Z beta) for the batch; Z beta is not truncated first.                        (9 rounds)
2. velocity = momentum velocity - rate (Z' s (p - y) / batch + penalty beta): one truncation. (2 rounds)
3. beta = beta + velocity.                                                                  (local)
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

import mpc
from mpc.arithmetic import part_of
from mpc.arrays import SecretArray
from mpc.encoding import FRAC
from mpc.errors import OutOfRange
from mpc.exchange import public_share
from mpc.quotients import rescale
from mpc.secret import local, operation
from mpc.truncate import sum_and_round
from protocols.columns import constant
from protocols.fixed_point import column_part, matrix_product, product
from protocols.progress import Course
from protocols.public_order import Order, public_order
from protocols.softmax import softmax

__all__ = ["Descent", "descend"]

_FRAC = 24
_BEYOND = 2 * FRAC - _FRAC  # bits of a row times an error that velocity has not
_FACTOR_BITS = 8
_MOST = 2.0**20
_LEAST = 2.0**-44


@dataclass(frozen=True)
class Descent:
    """How to go down: all public.

    Attributes:
        rate: of the first epoch; epoch e, from 0, takes rate / (1 + e).
        momentum: what of a step goes into the next one.
        batch: rows in a step.
        epochs: times that all rows are gone through.
        seed: of the order of rows.
        first: number of the first epoch, from 0: how many there were before, in fits this one goes on from.
    """

    rate: float
    momentum: float
    batch: int
    epochs: int
    seed: int
    first: int = 0

    def check(self, n: int, penalty: float, weight: float = 1.0, speed: float = 0.0) -> float:
        """OutOfRange for what may overflow, or end in wild numbers, with n rows of standardised columns.

        A velocity in units of rate / batch is at most batch times the sum of what momentum left of each gradient: it
        must be below 2^22. Here gradients are 1; 2^20 leave room for |s z| of 4 on average.

        Args:
            penalty: of a mean loss; with more than (1 + momentum) / rate steps overshoot. weight: of a row, on average,
            at most. speed: bound on the velocity at the start, as this returns it for that at the end.
        """
        size, steps = min(self.batch, n), math.ceil(n / self.batch)
        stays = self.momentum**steps
        for epoch in range(self.first, self.first + self.epochs):
            rate = self.rate / (1 + epoch)
            last, speed = speed, stays * speed + (1 - stays) / (1 - self.momentum) * rate * weight
            most = max(self.momentum * last + rate * weight, speed) / rate * size
            if most > _MOST:
                raise OutOfRange(
                    f"batch_size={self.batch}, momentum={self.momentum}, learning_rate={self.rate}: steps add up to "
                    f"{most:.3g} rows in epoch {epoch + 1}, above 2^20; lower batch_size or momentum, or, after a fit "
                    "of larger steps, set warm_start=False"
                )
            if rate / size < _LEAST:
                raise OutOfRange(
                    f"learning_rate={self.rate}: {rate / size:.1g} a row in epoch {epoch + 1}, below 2^-44"
                )
        at_first = self.rate / (1 + self.first)
        if at_first * penalty > 1 + self.momentum:
            raise OutOfRange(
                f"learning_rate={self.rate} with a penalty of {penalty:.3g} (1 / (C rows)): steps of {at_first:.3g} "
                f"overshoot; at most {(1 + self.first) * (1 + self.momentum) / penalty:.3g}, or a larger C"
            )
        return speed

    def batches(self, n: int) -> Iterator[tuple[int, Order]]:
        """(epoch, rows) of each step; the rows that are left over for the last one are fewer."""
        for epoch in range(self.first, self.first + self.epochs):
            order = public_order(self.seed, epoch, n)
            for low in range(0, n, self.batch):
                yield epoch, order[low : low + self.batch]


async def descend(
    z: SecretArray,
    y: SecretArray,
    counts: SecretArray | None,
    penalty: SecretArray,
    beta: SecretArray,
    how: Descent,
    course: Course,
    velocity: SecretArray | None = None,
) -> tuple[SecretArray, SecretArray, SecretArray]:
    """(beta, by how much the last epoch moved it, the velocity), (d,) or (d, K), 24 bits.

    Args:
        z: (n, d), 16 bits. y: (n,), integers 0 or 1, or (n, K) for softmax.
        counts: (n,), what each row counts, or None.
        penalty: (d,), 26 bits, of a mean loss, 2^10 at most. beta: where to start.
        course: is told of each epoch.
        velocity: what an earlier descent ended with; None: 0.

    Range: that of Descent.check, where the means of |s z| in a batch, and |penalty beta|, are below 4;
    |z beta| < 2^21. Error: 2^-15 of each gradient, and 2^-24 of the velocity, at random: of beta about
    2^-25 sqrt(steps) / (1 - momentum).
    Rounds: 11 a step, 13 with ``counts`` (m = 3). Sends: about 160 bytes a row and epoch. Leaks nothing.
    """
    wide = penalty if len(y.shape) == 1 else penalty.reshape(-1, 1)
    if velocity is None:
        velocity = constant(beta, np.zeros(beta.shape, np.int64), _FRAC)
    at_start, last, done = beta, -1, 0
    drags: dict[tuple[int, tuple[int, int]], SecretArray] = {}
    for epoch, rows in how.batches(z.shape[0]):
        if epoch != last:
            at_start, last, done = beta, epoch, 0
        rate = how.rate / (1 + epoch)
        part = _taken(z, rows)
        factor = _dyadic(rate / len(rows))
        if (epoch, factor) not in drags:  # a rate goes with it
            drags = {(epoch, factor): await rescale(rescale(wide, 40) * rate, min(40, _BEYOND + factor[1]))}
        score = matrix_product(part, beta, FRAC + _FRAC)
        p = mpc.sigmoid(score) if len(y.shape) == 1 else await softmax(score)
        e = p - _taken(y, rows)
        if counts is not None:
            e = product(e, _taken(counts, rows).reshape(len(rows), *(1,) * (len(y.shape) - 1)), FRAC)
        velocity = await _stride(part, e, velocity, beta, drags[epoch, factor], factor, how.momentum)
        beta = await (beta + velocity)
        done += len(rows)
        if done < z.shape[0]:
            course.within(epoch - how.first, done / z.shape[0])
        else:
            course.after(epoch - how.first + 1, beta)
    return beta, await (beta - at_start), velocity


@operation(SecretArray, lambda z, e, velocity, *rest: velocity.shape)
async def _stride(
    z: SecretArray,
    e: SecretArray,
    velocity: SecretArray,
    beta: SecretArray,
    drag: SecretArray,
    factor: tuple[int, int],
    momentum: float,
) -> SecretArray:
    """momentum velocity - (Z' e m / 2^s + drag beta), 24 bits, for the factor (m, s); drag has 8 + s bits or 40.

    All three have 32 + s bits before they are cut, and their sum stays below 2^62: Descent.check. Rounds: 2 (m = 3).
    """
    party, (by, shift) = z.party, factor
    cut = _BEYOND + shift
    kept = velocity.share * np.uint64(round(momentum * 2**cut))
    drags = np.broadcast_to(drag.share << np.uint64(cut - drag.frac), beta.share.shape)
    one = public_share(party, np.ones(beta.shape, np.uint64))
    push = column_part(party, z.share, e.share * np.uint64(by))
    pull, part = part_of(party, drags, beta.share, beta.shape), part_of(party, kept, one, beta.shape)
    if part is not None and push is not None and pull is not None:  # a multiplier has all three
        part -= push + pull
    return SecretArray(party, await sum_and_round(party, part, velocity.shape, cut), _FRAC)


@local(SecretArray, lambda x, rows: (len(rows), *x.shape[1:]))
def _taken(x: SecretArray, rows: Order) -> SecretArray:
    return SecretArray(x.party, x.share[:, rows], x.frac)


def _dyadic(c: float) -> tuple[int, int]:
    """(m, s) with c = m / 2^s to 8 bits."""
    shift = _FACTOR_BITS - math.frexp(c)[1]
    return round(math.ldexp(c, shift)), shift
