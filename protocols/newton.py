"""Newton's method for logistic regression on standardised secret rows; nothing is opened, not even when it is done.

Per step, for n rows and d columns (the last may be the intercept's):

1. p = sigmoid(Z beta), e = s (p - y), g = Z' e / 2^k + penalty beta.
2. H = Z' diag(s p (1 - p)) Z / 2^k + penalty: d x d numbers travel, whatever n is. Where p (1 - p) was rounded, it was
   rounded up, so H is positive: it is off by 2^-12 at most, which slows the last steps and moves no solution.
3. delta = H^-1 g (solve.py).
4. Of the steps 1, 1/2, 1/4 and 1/16 the longest at whose end the loss still falls, or rises by less than an eighth of
   what it fell at the start: it is convex, so its slope tells, which takes sigmoids only, and if a step will do, so
   will all shorter ones. Which one is taken stays secret.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import mpc
from mpc.arrays import SecretArray
from mpc.encoding import FRAC
from mpc.quotients import rescale
from mpc.shapes import stack
from protocols.columns import read_on_grid
from protocols.fixed_point import column_products, gram, matrix_product, product, scale_bits
from protocols.progress import Course
from protocols.solve import FRAC_A, Inverse, invert

__all__ = ["FRAC_BETA", "FRAC_PENALTY", "Fit", "Problem", "chosen_step", "newton"]

FRAC_BETA = 24
FRAC_PENALTY = 34
_GAINS = (8, 4, 3)  # sixteenths that a step has more than the next shorter one
_SLACK = 2.0**-20


@dataclass(frozen=True)
class Problem:
    """What is minimised: sum of s loss(y, z beta) / 2^k + sum of penalty beta^2 / 2, with 2^k >= n.

    Attributes:
        z: (n, d), 16 bits; the squares of a column, by s, add up to 2^(k+1) at most.
        y: (n,), integers 0 or 1.
        counts: s, (n,), or None for ones.
        penalty: (d,), 34 bits, below 2^10.
    """

    z: SecretArray
    y: SecretArray
    counts: SecretArray | None
    penalty: SecretArray


@dataclass(frozen=True)
class Fit:
    """beta (d,), 24 bits; the last step taken and the inverse it was taken by."""

    beta: SecretArray
    step: SecretArray
    inverse: Inverse


async def newton(problem: Problem, beta: SecretArray, steps: int, course: Course) -> Fit:
    """So many steps, at least one, from ``beta``; see the module. ``course`` is told of each.

    Range: |Z beta| < 2^21, |beta| < 2^15.

    Rounds: about 150 a step for d = 30 (m = 3). Sends: about 620 bytes a row and step, and 8 an element of Z.
    """
    beta, step, inverse = await _one(problem, beta)
    course.after(1, beta)
    for number in range(2, steps + 1):
        beta, step, inverse = await _one(problem, beta)
        course.after(number, beta)
    return Fit(beta, step, inverse)


async def _one(problem: Problem, beta: SecretArray) -> tuple[SecretArray, SecretArray, Inverse]:
    z, n = problem.z, problem.z.shape[0]
    k = scale_bits(n)
    score = await matrix_product(z, beta, FRAC)
    p = mpc.sigmoid(score)
    pull = product(problem.penalty, beta, 30)
    gradient = column_products(z, _errors(problem, p), 30, k) + pull
    hessian = gram(z, _curvature(problem, p, min(16, 28 - k)), FRAC_A, k)
    hessian = hessian + rescale(problem.penalty, FRAC_A).reshape(-1, 1) * np.eye(z.shape[1], dtype=np.int64)
    inverse = invert(await hessian)
    delta = await inverse.solve(gradient)

    along = await matrix_product(z, delta, FRAC)
    at_start = matrix_product(gradient.reshape(1, -1), delta, 30)
    shorter = stack([rescale(read_on_grid(along, FRAC + j), FRAC) for j in range(3)])  # the longest three steps
    slopes = matrix_product(_errors(problem, mpc.sigmoid(score - shorter)), along, 30, k)
    bend = matrix_product(pull.reshape(1, -1), delta, 30)
    drag = matrix_product(product(problem.penalty, delta, 30).reshape(1, -1), delta, 30)
    step = await chosen_step(delta, at_start, slopes + bend, drag[0])
    return await (beta - step), step, inverse


def chosen_step(delta: SecretArray, at_start: SecretArray, slopes: SecretArray, drag: SecretArray) -> SecretArray:
    """delta by the longest of 1, 1/2, 1/4 that will do, else 1/16.

    Args:
        at_start: (1,), the slope of the loss at the start, downwards. slopes: (3,), those at the ends of the steps, but
            for ``drag``, (), by which a whole step changes that of the penalty. All of 30 bits.
    """
    slopes = slopes - stack([rescale(read_on_grid(drag, 30 + j), 30) for j in range(3)])
    falls = (slopes + read_on_grid(at_start, 33) + _SLACK >= 0).to_array()
    sixteenths = 1 + (falls * np.array(_GAINS)).sum()
    return rescale(read_on_grid(delta * sixteenths, FRAC_BETA + 4), FRAC_BETA)


def _errors(problem: Problem, p: SecretArray) -> SecretArray:
    e = p - problem.y
    return e if problem.counts is None else product(e, problem.counts, FRAC)


def _curvature(problem: Problem, p: SecretArray, frac: int) -> SecretArray:
    """s p (1 - p), rounded up: not negative."""
    w = product(p, 1 - p, FRAC if problem.counts is not None else frac)
    if problem.counts is not None:
        w = product(w, problem.counts, frac)
    return w + (p.party.t + 2) * 2.0**-frac
