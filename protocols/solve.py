"""Solving A x = b for a secret positive semidefinite d x d matrix.

Elimination would be d divisions one after the other. Newton's and Schulz's iteration X <- X (2 I - A X) takes matrix
products only, whatever d is. Here A X is not multiplied out at every step but carried along: M <- M (2 I - M) is A X
for the next X, and both products are one, [M; X] by (2 I - M). How many steps there are depends on d and on a public
least eigenvalue only:

1. A is scaled to a diagonal near 1: r A r with r = 1 / sqrt(diag A), secret. Its eigenvalues are below 1.01 d.
2. X starts at a power of two times I, so that the eigenvalues of M are below 1. While they are known to lie in some
   [low, 1] only, the step is stretched by 2 / (1 + low'): low grows four-fold each time, where the plain iteration
   doubles it (Pan and Schreiber, SIAM J. Sci. Stat. Comput. 1991, have such scalings).
3. Plain steps until I - M is below 2^-6.
4. x = X' b, twice refined by X' (b - A x) with a residual of 30 bits; X' is X transposed. A X is near I, so X' A is.
   What roundings put into X beside the inverse is A's null space on the left, which A does not see; X' has it on the
   right, where b has no part in it.

What is rounded in M is not made up for later, as it would be if A X were multiplied out; so M has 28 bits at first,
2^-28 sqrt(d) of rounding beside a least eigenvalue of 2^-13 / d at the start, and X 27; both give up bits as X grows
and needs the room. An eigenvalue of r A r below the least one asked for is damped, not inverted: along it x tends to
what the pseudo-inverse gives. That is what collinear columns get. No matrix makes the iteration diverge, as every
eigenvalue of M stays between 0 and 2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mpc import ring
from mpc.arithmetic import part_of
from mpc.arrays import SecretArray
from mpc.errors import ShapeMismatch
from mpc.exchange import public_share
from mpc.functions import precise_inverse_sqrt
from mpc.party import Party
from mpc.quotients import rescale
from mpc.secret import operation
from mpc.truncate import sum_and_round
from protocols.columns import constant
from protocols.fixed_point import matrix_product, product

__all__ = ["FRAC_A", "LEAST", "Inverse", "invert", "root_scale", "solve"]

Words = npt.NDArray[np.uint64]

FRAC_A = 40
"""Fractional bits of a matrix to be inverted."""
LEAST = 2.0**-12
"""Eigenvalues of the matrix with unit diagonal that are inverted fully: those from here on."""

_FRAC_UNIT = 30  # of r A r
_FRAC_R = 10  # few, so that r r has no more than 20 and is exact
_FRAC_X = 20  # of its inverse: entries stay below 2^16
_FRAC_M = 28
_STRETCH = 4  # fractional bits of the public stretch


@dataclass(frozen=True)
class Step:
    """X <- stretch X (2 I - M), and so M, from ``bits`` fractional bits of M to ``left``; X has one less."""

    stretch: float
    bits: int
    left: int


class Inverse:
    """X with X r A r = I, nearly, to be applied to several right-hand sides.

    Attributes:
        unit: r A r, 30 fractional bits.
        x: its inverse, 20 bits.
        r: 1 / sqrt(diag A), nearly, 10 bits; 0 where the diagonal is 0.
        by: r r', (d, d), 20 bits.
    """

    def __init__(self, unit: SecretArray, x: SecretArray, r: SecretArray, by: SecretArray) -> None:
        self.unit, self.x, self.r, self.by = unit, x, r, by
        self._left = x.T

    def solve(self, b: SecretArray) -> SecretArray:
        """A^-1 b with 24 fractional bits, for b (d,) or (d, q) of at most 30 bits.

        Range: |r b| < 2^6, |x / r| < 2^17 and |x| < 2^20, where r = 1 / sqrt(diag A). Error: 2^-24 d, and 2^-30 d of
        x by the least eigenvalue of r A r. Rounds: 14 (m = 3). Leaks nothing.
        """
        r = self.r if len(b.shape) == 1 else self.r.reshape(-1, 1)
        right = product(b, r, _FRAC_UNIT)
        x = matrix_product(self._left, right, 24)
        for _ in range(2):
            x = x + matrix_product(self._left, right - matrix_product(self.unit, x, _FRAC_UNIT), 24)
        return product(x, r, 24)

    def diagonal(self) -> SecretArray:
        """The diagonal of A^-1, (d,), 24 bits; error 2^-20 of r^2 and 2^-18 of it."""
        d = self.r.shape[0]
        eye = constant(self.r, np.eye(d, dtype=np.int64) << 24, 24)
        return self.solve(eye)[np.arange(d), np.arange(d)]


def solve(a: SecretArray, b: SecretArray, *, least: float = LEAST) -> SecretArray:
    """x with A x = b; see Inverse.solve and invert for ranges and errors."""
    return invert(a, least=least).solve(b)


def invert(a: SecretArray, *, least: float = LEAST, ridge: float = 0.0) -> Inverse:
    """The inverse of a positive semidefinite A (d, d), kept secret.

    Args:
        a: symmetric, its diagonal 0 or from 2^-20 to 4; more than 40 fractional bits cannot be.
        least: eigenvalues of A, scaled to a unit diagonal, that are inverted fully, at least 2^-12; smaller ones are
            damped. For d = 100 the condition number is then at most 2^19.
        ridge: added to the diagonal of r A r.

    Raises ShapeMismatch for a matrix that is not square. Rounds: 29 and 2 a step (m = 3), of which there are 11 for
    d = 10, 12 for d = 100. Leaks nothing: how many steps depends on d and ``least``.
    """
    d = a.shape[0]
    if a.shape != (d, d):
        raise ShapeMismatch(f"a matrix of shape {a.shape}: square is needed")
    a = rescale(a, FRAC_A)
    r = root_scale(a[np.arange(d), np.arange(d)])
    by = product(r.reshape(d, 1), r.reshape(1, d), 2 * _FRAC_R)
    unit, top = product(a, by, _FRAC_UNIT) + ridge * np.eye(d), scaled_down(d)
    small = product(a, by, _FRAC_M - top) + ridge * np.eye(d)
    return Inverse(unit, _inverted(small, top, least), r, by)


def scaled_down(d: int) -> int:
    """By which power of two a matrix (d, d) of diagonal 1 is divided, so that all its eigenvalues are below 1."""
    return max(1, math.ceil(math.log2(1.01 * d)))


def root_scale(diagonal: SecretArray) -> SecretArray:
    """1 / sqrt(v), with 10 fractional bits, for v of 40 bits, 2^-24 <= v < 2^16; of smaller v 0. Error: 2^-10."""
    return precise_inverse_sqrt(diagonal, _FRAC_R, -24)


def schedule(low: float, rest: float = 2.0**-6) -> list[float]:
    """The stretch of each step from eigenvalues of A X in [low, 1] until all are within ``rest`` of 1."""
    high, stretches = 1.0, []
    while max(1 - low, high - 1) > rest:
        ends = (low * (2 - low), high * (2 - high))
        stretch = math.floor(2 / (1 + min(ends)) * 2**_STRETCH) / 2**_STRETCH if low < 0.6 else 1.0
        low, high = stretch * min(ends), stretch * (1.0 if low <= 1 <= high else max(ends))
        stretches.append(stretch)
    return stretches


def plan(stretches: list[float], size: float, frac: int, most: int) -> list[Step]:
    """How many bits M and X have before each step, so that no word leaves its range: X ends with ``frac`` of them.

    The eigenvalues of X are below ``size`` at first, and at each step at most 2 stretch times larger. A step's words
    are the next X with the bits of M and X and four. X has one bit less than M, which has ``most`` at first.
    """
    bits = []
    for stretch in stretches:
        size *= 2 * stretch
        bits.append(min(most, (61 - _STRETCH + 1 - math.ceil(math.log2(size))) // 2))
    return [Step(s, b, left) for s, b, left in zip(stretches, bits, [*bits[1:], frac + 1], strict=True)]


@operation(SecretArray, lambda small, top, least: small.shape)
async def _inverted(small: SecretArray, top: int, least: float) -> SecretArray:
    """The inverse of r A r, 20 bits, from r A r / 2^top, whose words are those of M at the start. Rounds: 2 a step."""
    party, d = small.party, small.shape[0]
    stretches = schedule(min(least, 0.5) / 2.0**top)
    steps = plan(stretches, 2.0**-top, _FRAC_X, _FRAC_M)
    start = np.eye(d, dtype=np.uint64) << np.uint64(steps[0].bits - 1 - top)
    both = np.concatenate([small.share, np.broadcast_to(public_share(party, start), small.share.shape)], axis=1)
    return SecretArray(party, await chain(party, both, steps), _FRAC_X)


async def chain(party: Party, both: Words, steps: list[Step]) -> Words:
    """[X] (k, d, d) after these steps, from the words of [M; X] (k, 2d, d). Rounds: 2 a step (m = 3). Leaks nothing."""
    d = both.shape[2]
    for at, step in enumerate(steps):
        twice = public_share(party, np.eye(d, dtype=np.uint64) << np.uint64(step.bits + 1))
        rest, cut = twice - both[:, :d], step.bits
        if step.stretch != 1:
            rest, cut = rest * np.uint64(round(step.stretch * 2**_STRETCH)), cut + _STRETCH
        if at == len(steps) - 1:
            both = both[:, d:]
        shape = both.shape[1:]
        part = part_of(party, both, rest, shape, ring.matmul)
        both = await sum_and_round(party, part, shape, cut + step.bits - step.left)
    return both
