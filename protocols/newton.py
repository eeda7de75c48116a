"""Newton's method for logistic regression on standardised secret rows; nothing is opened, not even when it is done.

Per step, for n rows and d columns (the last may be the intercept's), where p = sigmoid(Z beta) is known already:

1. e = s (p - y), g = Z' e / 2^k + penalty beta; H = Z' diag(s p (1 - p)) Z / 2^k + penalty: d x d numbers travel,
   whatever n is. Where p (1 - p) was rounded, it was rounded up, so H is positive: it is off by 2^-12 at most, which
   slows the last steps and moves no solution.
2. delta = H^-1 g, nearly, and a cautious step B^-1 g, which always lowers the loss (bounded.py).
3. p at the ends of four steps: delta, delta / 2, delta / 4 and the cautious one.
4. Of these the first at whose end the loss still falls, or rises by less than an eighth of what it fell at the start:
   it is convex, so its slope tells, and if a step will do, so will all shorter ones of that direction. Which one is
   taken stays secret; Z beta, p and s p (1 - p) at its end go on to the next step, so that each is computed once.

In the last step rows whose p is 0 or 1 to 16 bits are found, which pull no more: how far they would have gone if they
did is told beside the step (Fit.loose), as a step of 0 is no solution where nothing else holds the coefficients.

Delta is Newton's step to an eighth of it at worst: each step lessens what is left to go eight-fold near the solution,
or by what Newton's method does if that is less.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import mpc
from mpc import ring
from mpc.arithmetic import bilinear
from mpc.arrays import SecretArray
from mpc.encoding import FRAC
from mpc.quotients import rescale
from mpc.secret import local, operation
from mpc.shapes import stack
from protocols.bounded import FRAC_MOVE, LOWEST, Bound
from protocols.columns import constant, read_on_grid
from protocols.fixed_point import column_products, gram, matrix_product, product, scale_bits
from protocols.progress import Course
from protocols.solve import FRAC_A

__all__ = ["FRAC_BETA", "FRAC_PENALTY", "Fit", "Problem", "falls", "newton"]

FRAC_BETA = 24
FRAC_PENALTY = 26
_FRAC_SCORE = FRAC + FRAC_BETA  # exact
_SLACK = 2.0**-20
_SATURATED = 10.5
_FRAC_LOOSE = FRAC_MOVE + 8  # 2^-8 read as 2^-16


@dataclass(frozen=True)
class Problem:
    """What is minimised: sum of s loss(y, z beta) / 2^k + sum of penalty beta^2 / 2, with 2^k >= n.

    Attributes:
        z: (n, d), 16 bits; the squares of a column, by s, add up to 2^(k+1) at most.
        y: (n,), integers 0 or 1.
        counts: s, (n,), or None for ones.
        penalty: (d,), 26 bits, 2^10 at most; |penalty beta| < 2^11.
    """

    z: SecretArray
    y: SecretArray
    counts: SecretArray | None
    penalty: SecretArray


@dataclass(frozen=True)
class Fit:
    """beta (d,), 24 bits; the last step taken; and the Hessian (d, d), 40 bits, where it began.

    loose: (d,), 30 bits, how far beta would have gone if rows whose p is told as 0 or 1 pulled by 2^-16 each: far where
    nothing else holds it, as for a separable set without a penalty, or for the intercept of one class.
    """

    beta: SecretArray
    step: SecretArray
    hessian: SecretArray
    loose: SecretArray


@dataclass(frozen=True)
class _Place:
    """Where the method is: beta; Z beta, (n,), 40 bits; s (p - y), 16; s p (1 - p), None where it is s / 4.

    loose: see Fit; at the last place, where it is not 0.
    """

    beta: SecretArray
    score: SecretArray
    wrong: SecretArray
    curve: SecretArray | None
    loose: SecretArray | None = None


async def newton(problem: Problem, beta: SecretArray | None, steps: int, course: Course) -> Fit:
    """So many steps, at least one, from ``beta``, or from 0; see the module. ``course`` is told of each.

    Range: |Z beta| < 2^21, |beta| < 2^15.

    Rounds: about 60, and 40 a step, for d = 30 (m = 3). Sends: about 700 bytes a row and step, and 8 an element of Z.
    Leaks nothing.
    """
    least = await _least_bound(problem)
    bound = Bound(least)
    place = await _start(problem, beta)
    step, hessian = place.beta, least
    for j in range(steps):
        low = max(4.0**-j if beta is None else 0.0, LOWEST)  # p (1 - p) seldom falls by more from step to step
        hessian = least if place.curve is None else await _hessian(problem, place.curve)
        found = await _one(problem, bound, place, hessian, low, j == steps - 1)
        step, place = await (place.beta - found.beta), found
        course.after(j + 1, place.beta)
    loose = place.loose
    if loose is None:
        loose = constant(step, np.zeros(step.shape, np.int64), _FRAC_LOOSE)
    return Fit(place.beta, step, hessian, loose)


async def _one(problem: Problem, bound: Bound, place: _Place, hessian: SecretArray, low: float, last: bool) -> _Place:
    """The place after a step; the last one tells beta only."""
    z, y, k = problem.z, problem.y, scale_bits(problem.z.shape[0])
    pull = product(problem.penalty, place.beta, 30)
    gradient = column_products(z, place.wrong, 30, k) + pull
    cautious = bound.cautious(gradient)
    delta, loose = cautious, None
    if place.curve is not None and last:
        ways = bound.direction(hessian, stack([gradient, _loose_gradient(problem, place.score)], axis=1), low).T
        delta, loose = ways[0], read_on_grid(ways[1], _FRAC_LOOSE)
    elif place.curve is not None:
        delta = bound.direction(hessian, gradient, low)

    along = matrix_product(z, stack([delta, cautious], axis=1), FRAC + FRAC_MOVE).T
    scores = place.score - _ends(along, _FRAC_SCORE)
    p = mpc.sigmoid(scores)
    counted = rescale(along[0], FRAC)
    if problem.counts is not None:
        counted = product(counted, problem.counts, FRAC)
    at_start = matrix_product(gradient.reshape(1, -1), delta, 30)
    bend = matrix_product(pull.reshape(1, -1), delta, 30)
    drag = matrix_product(product(problem.penalty, delta, 30).reshape(1, -1), delta, 30)
    slopes = matrix_product((p - y)[:3], counted, 30, k)
    will_do = falls(at_start, slopes + bend, drag[0])
    betas = place.beta - _ends(stack([delta, cautious]), FRAC_BETA)
    wrong = curve = None
    if not last:
        wrong, curve = _wrong(problem, p), _curvature(problem, p)
    beta = _chosen(will_do, betas)
    if wrong is None or curve is None:
        return _Place(await beta, place.score, place.wrong, None, None if loose is None else await loose)
    score, e, w = (_chosen(will_do, v) for v in (scores, wrong, curve))
    return _Place(await beta, await score, await e, await w)


def falls(at_start: SecretArray, slopes: SecretArray, drag: SecretArray) -> SecretArray:
    """Which of the steps 1, 1/2, 1/4 will do, (3,), 0 or 1: at whose end the loss falls or hardly rises.

    Args:
        at_start: (1,), the slope of the loss at the start, downwards. slopes: (3,), those at the ends of the steps, but
            for ``drag``, (), by which a whole step changes that of the penalty. All of 30 bits.
    """
    slopes = slopes - stack([rescale(read_on_grid(drag, 30 + j), 30) for j in range(3)])
    return (slopes + read_on_grid(at_start, 33) + _SLACK >= 0).to_array()


@local(SecretArray, lambda moves, frac: (4, *moves.shape[1:]))
def _ends(moves: SecretArray, frac: int) -> SecretArray:
    """The whole, a half and a quarter of the first of two moves with frac - 2 bits, and the second. Local."""
    one, two = moves.share[:, 0], moves.share[:, 1]
    share = np.stack([one << np.uint64(2), one << np.uint64(1), one, two << np.uint64(2)], axis=1)
    return SecretArray(moves.party, share, frac)


@operation(SecretArray, lambda will_do, values: values.shape[1:])
async def _chosen(will_do: SecretArray, values: SecretArray) -> SecretArray:
    """values (4, ...) of the first that will do, else the last. Where roundings say that a step will do but not a
    shorter one, a mixture of them. Rounds: 1 (m = 3). Leaks nothing."""
    party, flat = values.party, values.share.reshape(values.share.shape[0], 4, -1)
    words = await bilinear(party, will_do.share[:, None], flat[:, :3] - flat[:, 1:], (1, flat.shape[2]), ring.matmul)
    return SecretArray(party, (words[:, 0] + flat[:, 3]).reshape(-1, *values.shape[1:]), values.frac)


async def _start(problem: Problem, beta: SecretArray | None) -> _Place:
    """At beta = 0 nothing is to be computed: p = 1/2."""
    z, y = problem.z, problem.y
    n, d = z.shape
    if beta is None:
        wrong = 0.5 - y if problem.counts is None else product(0.5 - y, problem.counts, FRAC)
        zeros, score = (constant(y, np.zeros(s, np.int64), f) for s, f in ((d, FRAC_BETA), (n, _FRAC_SCORE)))
        return _Place(zeros, score, await wrong, None)
    score = await matrix_product(z, beta, _FRAC_SCORE)
    p = mpc.sigmoid(score)
    return _Place(beta, score, await _wrong(problem, p), await _curvature(problem, p))


def _wrong(problem: Problem, p: SecretArray) -> SecretArray:
    e = p - problem.y
    return e if problem.counts is None else product(e, problem.counts, FRAC)


def _loose_gradient(problem: Problem, score: SecretArray) -> SecretArray:
    """Of rows whose p is 0 or 1 to 16 bits, if each were off by 2^-8. Rounds: about 10 (m = 3)."""
    sides = stack([score < -_SATURATED, score > _SATURATED]).to_array()
    e = (sides[0] - sides[1]) * 2.0**-8
    if problem.counts is not None:
        e = product(e, problem.counts, FRAC)
    return column_products(problem.z, e, 30, scale_bits(problem.z.shape[0]))


def _curvature(problem: Problem, p: SecretArray) -> SecretArray:
    """s p (1 - p), rounded up: not negative."""
    frac = _frac_weight(problem)
    w = product(p, 1 - p, FRAC if problem.counts is not None else frac)
    if problem.counts is not None:
        w = product(w, problem.counts, frac)
    return w + (p.party.t + 2) * 2.0**-frac


def _frac_weight(problem: Problem) -> int:
    """How many fractional bits weights can have for the sums of weighted squares to fit a word."""
    return min(16, 28 - scale_bits(problem.z.shape[0]))


async def _hessian(problem: Problem, curve: SecretArray) -> SecretArray:
    return await _penalised(problem, gram(problem.z, curve, FRAC_A, scale_bits(problem.z.shape[0])))


async def _least_bound(problem: Problem) -> SecretArray:
    """B: above the Hessian, but for its roundings, everywhere, and equal to it at beta = 0."""
    s, frac = problem.counts, _frac_weight(problem)
    if s is not None and s.frac > frac:
        s = rescale(s, frac) + (s.party.t + 1) * 2.0**-frac  # not negative
    return await _penalised(problem, gram(problem.z, s, FRAC_A, scale_bits(problem.z.shape[0]) + 2))


async def _penalised(problem: Problem, sums: SecretArray) -> SecretArray:
    eye = np.eye(problem.z.shape[1], dtype=np.int64)
    return await (sums + rescale(problem.penalty, FRAC_A).reshape(-1, 1) * eye)
