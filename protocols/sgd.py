"""Logistic regression by mini-batches with momentum, on secret rows: a step costs a round trip for each of 15 rounds.

The order of the rows is public and random: it is drawn from ``seed`` alone, so it tells nothing of them. A step:

1. p = sigmoid(Z beta) for the batch; beside it momentum velocity - rate penalty beta.      (12 rounds)
2. velocity = that - rate Z' s (p - y) / batch; the factor is part of the one truncation.    (3 rounds)
3. beta = beta + velocity.                                                                  (local)
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

import mpc
from mpc.arrays import SecretArray
from mpc.encoding import FRAC
from mpc.secret import local
from protocols.columns import constant
from protocols.fixed_point import matrix_product, product
from protocols.progress import Course
from protocols.public_order import Order, public_order
from protocols.softmax import softmax

__all__ = ["Descent", "descend"]

_FRAC = 24
_FACTOR_BITS = 10


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
        penalty: (d,), 34 bits, of a mean loss. beta: where to start.
        course: is told of each epoch.
        velocity: what an earlier descent ended with; None: 0.

    Range: |z| < 2^9 on average in a batch of 1,024; |z beta| < 2^21. Error: 2^-15 of each gradient, at random.
    Rounds: 15 a step, 18 with ``counts`` (m = 3). Sends: about 160 bytes a row and epoch. Leaks nothing.
    """
    wide = penalty if len(y.shape) == 1 else penalty.reshape(-1, 1)
    if velocity is None:
        velocity = constant(beta, np.zeros(beta.shape, np.int64), _FRAC)
    at_start, last, done = beta, -1, 0
    for epoch, rows in how.batches(z.shape[0]):
        if epoch != last:
            at_start, last, done = beta, epoch, 0
        rate = how.rate / (1 + epoch)
        part = _taken(z, rows)
        drag = product(wide, beta, _FRAC) * rate
        kept = velocity * how.momentum - drag
        score = matrix_product(part, beta, FRAC)
        p = mpc.sigmoid(score) if len(y.shape) == 1 else await softmax(score)
        e = p - _taken(y, rows)
        if counts is not None:
            e = product(e, _taken(counts, rows).reshape(len(rows), *(1,) * (len(y.shape) - 1)), FRAC)
        factor, shift = _dyadic(rate / len(rows))
        push = matrix_product(part.T, e * factor, _FRAC, shift)
        velocity = await (kept - push)
        beta = await (beta + velocity)
        done += len(rows)
        if done < z.shape[0]:
            course.within(epoch - how.first, done / z.shape[0])
        else:
            course.after(epoch - how.first + 1, beta)
    return beta, await (beta - at_start), velocity


@local(SecretArray, lambda x, rows: (len(rows), *x.shape[1:]))
def _taken(x: SecretArray, rows: Order) -> SecretArray:
    return SecretArray(x.party, x.share[:, rows], x.frac)


def _dyadic(c: float) -> tuple[int, int]:
    """(m, s) with c = m / 2^s to 10 bits."""
    shift = _FACTOR_BITS - math.frexp(c)[1]
    return round(math.ldexp(c, shift)), shift
