"""Softmax regression: Newton's method for K classes, as newton.py for two, with a (K d) x (K d) Hessian."""

from __future__ import annotations

import numpy as np

import mpc
from mpc.arrays import SecretArray
from mpc.encoding import FRAC
from mpc.quotients import rescale
from mpc.shapes import concatenate, stack
from protocols.columns import read_on_grid
from protocols.fixed_point import column_products, gram, matrix_product, product, scale_bits
from protocols.newton import FRAC_BETA, Problem, falls
from protocols.progress import Course
from protocols.solve import FRAC_A, invert

__all__ = ["MOST_UNKNOWNS", "softmax", "softmax_newton"]

MOST_UNKNOWNS = 300
"""K (d + 1) may not be more: the system's products take its cube."""
_GAINS = (8, 4, 3)  # sixteenths that 1, 1/2, 1/4 of a step have more than the next; the last is 1/16


async def softmax(score: SecretArray) -> SecretArray:
    """e^x over the sum of e^x along the last axis, 16 fractional bits.

    Range: all x, |x - y| < 2^46. Error: 8 ulp at most. Rounds: 9 ceil(log2 K) + 39 (m = 3). Leaks nothing.
    """
    e = mpc.exp(score - score.max(axis=-1, keepdims=True))
    inverse = mpc.reciprocal(e.sum(axis=-1, keepdims=True))
    return await product(e, inverse, FRAC)


async def softmax_newton(
    problem: Problem, beta: SecretArray, steps: int, course: Course
) -> tuple[SecretArray, SecretArray, SecretArray]:
    """(beta, the last step, loose), (K, d), after so many steps; see newton.py for each, its ranges, and Fit.loose.

    ``course`` is told of each, with beta as (d, K).

    ``problem.y`` is (n, K), 0 or 1. The sum of beta over the classes, on which no probability depends, stays as it is.

    Rounds: about 215 a step (m = 3). Sends: 4 K (K + 1) bytes an element of Z and step.
    """
    beta, step, loose = await _one(problem, beta)
    course.after(1, beta.T)
    for number in range(2, steps + 1):
        beta, step, loose = await _one(problem, beta)
        course.after(number, beta.T)
    return beta, step, loose


async def _one(problem: Problem, beta: SecretArray) -> tuple[SecretArray, SecretArray, SecretArray]:
    z, classes = problem.z, beta.shape[0]
    (n, d), k = z.shape, scale_bits(z.shape[0])
    score = await matrix_product(z, beta.T, FRAC)
    p = await softmax(score)
    pull = product(problem.penalty.reshape(1, d), beta, 30)
    gradient = (column_products(z, _errors(problem, p), 30, k).T + pull).reshape(classes * d)
    inverse = invert(await _hessian(problem, p))
    ways = inverse.solve(stack([gradient, _loose_gradient(problem, p)], axis=1))
    across = ways[:, 0].reshape(classes, d)
    loose = await read_on_grid(ways[:, 1], 24 + 8).reshape(classes, d)  # 2^-8 read as 2^-16
    across = await (across - across.sum(axis=0) / classes)  # the same for all classes changes nothing: only roundings
    delta = across.reshape(classes * d)

    along = await matrix_product(z, across.T, FRAC)
    shorter = stack([score - rescale(read_on_grid(along, FRAC + j), FRAC) for j in range(3)])
    wrong = [_errors(problem, part) for part in await softmax(shorter)]
    flat = along.reshape(n * classes)
    slopes = matrix_product(stack([e.reshape(n * classes) for e in wrong]), flat, 30, k)
    drag = product(problem.penalty.reshape(1, d), across, 30).reshape(1, classes * d)
    bend = matrix_product(pull.reshape(1, classes * d), delta, 30)
    at_start = matrix_product(gradient.reshape(1, classes * d), delta, 30)
    will_do = falls(at_start, slopes + bend, matrix_product(drag, delta, 30)[0])
    sixteenths = 1 + (will_do * np.array(_GAINS)).sum()
    step = await rescale(read_on_grid(delta * sixteenths, FRAC_BETA + 4), FRAC_BETA)
    return await (beta - step.reshape(classes, d)), await step.reshape(classes, d), loose


def _errors(problem: Problem, p: SecretArray) -> SecretArray:
    e = p - problem.y
    return e if problem.counts is None else product(e, problem.counts.reshape(-1, 1), FRAC)


def _loose_gradient(problem: Problem, p: SecretArray) -> SecretArray:
    """(K d,), of rows one of whose p is nearly 1, if it and the others were off by 2^-8."""
    (n, d), classes = problem.z.shape, p.shape[1]
    sure = (p > 1 - 2.0**-13).to_array()
    e = (sure.sum(axis=1, keepdims=True) * (1 / classes) - sure) * 2.0**-8
    if problem.counts is not None:
        e = product(e, problem.counts.reshape(-1, 1), FRAC)
    return column_products(problem.z, e, 30, scale_bits(n)).T.reshape(classes * d)


async def _hessian(problem: Problem, p: SecretArray) -> SecretArray:
    """Blocks Z' diag(s p_a ([a = b] - p_b)) Z, with the roundings of the weights made up for on the diagonal."""
    (n, d), classes = problem.z.shape, p.shape[1]
    k = scale_bits(n)
    frac = min(16, 28 - k)
    blocks: dict[tuple[int, int], SecretArray] = {}
    for a in range(classes):
        for b in range(a + 1):
            w = product(p[:, a], (1 if a == b else 0) - p[:, b], FRAC if problem.counts is not None else frac)
            if problem.counts is not None:
                w = product(w, problem.counts, frac)
            if a == b:
                w = w + classes * (p.party.t + 2) * 2.0**-frac
            blocks[a, b] = blocks[b, a] = await gram(problem.z, w, FRAC_A, k)
    rows = [concatenate([blocks[a, b] for b in range(classes)], axis=1) for a in range(classes)]
    penalty = rescale(concatenate([problem.penalty] * classes), FRAC_A)
    full: SecretArray = concatenate(rows) + penalty.reshape(-1, 1) * np.eye(classes * d, dtype=np.int64)
    return await full
