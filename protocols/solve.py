"""Solving A x = b for a secret positive semidefinite d x d matrix.

Elimination would be d divisions one after the other. Newton's and Schulz's iteration X <- X (2 I - A X) takes two
matrix products a step, whatever d is, and its residual I - A X is squared exactly at every step, so roundings made on
the way do not add up. How many steps there are depends on d and on a public least eigenvalue only:

1. A is scaled to a diagonal near 1: r A r with r = 1 / sqrt(diag A), secret. Its eigenvalues are below 1.1 d.
2. X starts at a public multiple of I. While the eigenvalues of A X are known to lie in some [low, 1] only, the step is
   stretched by 2 / (1 + low'): low grows four-fold each time, where the plain iteration doubles it (Pan and Schreiber,
   SIAM J. Sci. Stat. Comput. 1991, have such scalings).
3. Plain steps until I - A X is below 2^-8.
4. x = X' b, twice refined by X' (b - A x) with a residual of 30 bits; X' is X transposed. A X is near I, so X' A is.
   What roundings put into X beside the inverse is A's null space on the left, which A does not see; X' has it on the
   right, where b has no part in it.

An eigenvalue of r A r below the least one asked for is damped, not inverted: along it x tends to what the
pseudo-inverse gives. That is what collinear columns get. No matrix makes the iteration diverge, as every eigenvalue of
A X stays between 0 and 2.
"""

from __future__ import annotations

import math

import numpy as np

import mpc
from mpc.arrays import SecretArray
from mpc.errors import ShapeMismatch
from mpc.quotients import rescale
from protocols.columns import constant, read_on_grid
from protocols.fixed_point import matrix_product, product, refined_root

__all__ = ["FRAC_A", "LEAST", "Inverse", "invert", "root_scale", "solve"]

FRAC_A = 40
"""Fractional bits of a matrix to be inverted."""
LEAST = 2.0**-12
"""Eigenvalues of the matrix with unit diagonal that are inverted fully: those from here on."""

_FRAC_UNIT = 30  # of r A r
_FRAC_R = 16
_FRAC_X = 20  # of its inverse: entries stay below 2^18
_STRETCH = 6  # fractional bits of the public stretch


class Inverse:
    """X with X r A r = I, nearly, to be applied to several right-hand sides.

    Attributes:
        unit: r A r, 30 fractional bits.
        x: its inverse, 20 bits.
        r: 1 / sqrt(diag A), nearly, 16 bits; 0 where the diagonal is 0.
    """

    def __init__(self, unit: SecretArray, x: SecretArray, r: SecretArray) -> None:
        self.unit, self.x, self.r = unit, x, r
        self._left = x.T

    def solve(self, b: SecretArray) -> SecretArray:
        """A^-1 b with 24 fractional bits, for b (d,) or (d, q) of at most 30 bits.

        Range: |r b| < 2^6, |x / r| < 2^17 and |x| < 2^20, where r = 1 / sqrt(diag A). Error: 2^-24 d, and 2^-30 d of
        x by the least eigenvalue of r A r. Rounds: 21 (m = 3). Leaks nothing.
        """
        r = self.r if len(b.shape) == 1 else self.r.reshape(-1, 1)
        right = product(b, r, _FRAC_UNIT)
        x = matrix_product(self._left, right, 24)
        for _ in range(2):
            x = x + matrix_product(self._left, right - matrix_product(self.unit, x, _FRAC_UNIT), 24)
        return product(x, r, 24)

    def diagonal(self) -> SecretArray:
        """The diagonal of A^-1, (d,), 24 bits; error 2^-20 of r^2 and what the last step left, 2^-8 at most of it."""
        d = self.r.shape[0]
        eye = constant(self.r, np.eye(d, dtype=np.int64) << 24, 24)
        return self.solve(eye)[np.arange(d), np.arange(d)]


def solve(a: SecretArray, b: SecretArray, *, least: float = LEAST) -> SecretArray:
    """x with A x = b; see Inverse.solve and invert for ranges and errors."""
    return invert(a, least=least).solve(b)


def invert(a: SecretArray, *, least: float = LEAST) -> Inverse:
    """The inverse of a positive semidefinite A (d, d), kept secret.

    Args:
        a: symmetric, its diagonal 0 or from 2^-20 to 4; more than 40 fractional bits cannot be.
        least: eigenvalues of A, scaled to a unit diagonal, that are inverted fully, at least 2^-12; smaller ones are
            damped. For d = 100 the condition number is then at most 2^19.

    Raises ShapeMismatch for a matrix that is not square. Rounds: 44 and 6 a step (m = 3), of which there are 11 for
    d = 10, 13 for d = 100. Leaks nothing: how many steps depends on d and ``least``.
    """
    d = a.shape[0]
    if a.shape != (d, d):
        raise ShapeMismatch(f"a matrix of shape {a.shape}: square is needed")
    a = rescale(a, FRAC_A)
    r = root_scale(a[np.arange(d), np.arange(d)])
    unit = product(product(a, r.reshape(1, d), FRAC_A), r.reshape(d, 1), _FRAC_UNIT)
    top = 1.1 * d
    x = constant(a, np.eye(d, dtype=np.int64) * round(2.0**_FRAC_X / top), _FRAC_X)
    for stretch in schedule(min(least, 0.5) / top):
        x = _step(unit, x, stretch)
    return Inverse(unit, x, r)


def root_scale(diagonal: SecretArray) -> SecretArray:
    """1 / sqrt(v) with 16 fractional bits, for v of 40 bits, 2^-20 <= v <= 4; of v < 2^-40 0. Error: 2^-13 of it."""
    raised = read_on_grid(diagonal, FRAC_A - 16)  # v 2^16, so that small ones have digits
    r = rescale(read_on_grid(mpc.inverse_sqrt(raised), 8), _FRAC_R)
    return refined_root(rescale(diagonal, 36), r, _FRAC_R)


def schedule(low: float) -> list[float]:
    """The stretch of each step from eigenvalues of A X in [low, 1] until all are within 2^-8 of 1."""
    high, stretches = 1.0, []
    while max(1 - low, high - 1) > 2.0**-8:
        ends = (low * (2 - low), high * (2 - high))
        stretch = math.floor(2 / (1 + min(ends)) * 2**_STRETCH) / 2**_STRETCH if low < 0.6 else 1.0
        low, high = stretch * min(ends), stretch * (1.0 if low <= 1 <= high else max(ends))
        stretches.append(stretch)
    return stretches


def _step(unit: SecretArray, x: SecretArray, stretch: float) -> SecretArray:
    """stretch X (2 I - A X). Words: X below 2^18 with 20 bits, by A X below 2 with 16 and 6 bits, or 22."""
    d = x.shape[0]
    frac = 22 - _STRETCH if stretch != 1 else 22
    rest = constant(x, np.eye(d, dtype=np.int64) << (frac + 1), frac) - matrix_product(unit, x, frac)
    if stretch != 1:
        rest = read_on_grid(rest * round(stretch * 2**_STRETCH), 22)
    return matrix_product(x, rest, _FRAC_X)
