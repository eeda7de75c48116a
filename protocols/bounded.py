"""Directions to go in for one Hessian after another, all of which are below a matrix that is inverted once.

Of a logistic loss no Hessian is above B = Z' diag(s) Z / 4 + penalty (Bohning and Lindsay, Ann. Inst. Statist. Math.
40(4), 1988), as p (1 - p) <= 1/4. So with X = B^-1 the eigenvalues of H X lie in (0, 1], whatever the step; those of
the last Hessian's inverse would be closer to 1, but nothing bounds them. Schulz's iteration (solve.py) starts there:

1. M = (r H r + 2^-24) X, where X inverts r B r + 2^-12, which has a unit diagonal.
2. [M; X] <- stretch [M; X] (2 I - M), until the eigenvalues of M, if they began above ``low``, are within 1/8 of 1.
3. The direction r X' r g.

Every such X is positive, as M stays below 2, and below the inverse of H: a direction that goes down, never further than
Newton's in any eigenvector. Where H is below ``low`` B it goes less far. As the ridges are 2^-12 and 2^-24, no
eigenvalue of M is below 2^-12, and X below 2^24: flat directions are not gone along by roundings.
"""

from __future__ import annotations

import numpy as np

from mpc.arrays import SecretArray
from mpc.secret import operation
from protocols.fixed_point import matrix_product, product
from protocols.solve import chain, invert, plan, schedule

__all__ = ["FRAC_MOVE", "LOWEST", "Bound"]

FRAC_MOVE = 22
LOWEST = 2.0**-12
_RIDGE = 2.0**-12
_FRAC_X = 16
_FRAC_M = 22
_REST = 2.0**-3


class Bound:
    """B, inverted. ``cautious`` goes by it, ``direction`` by the inverse of a Hessian below it.

    Args:
        b: (d, d), 40 fractional bits, for solve.invert. Rounds: as that.
    """

    def __init__(self, b: SecretArray) -> None:
        self._inverse = invert(b, least=_RIDGE, ridge=_RIDGE)

    def cautious(self, g: SecretArray) -> SecretArray:
        """B^-1 g, (d,), 22 bits: against a gradient a step of it always lowers the loss.

        Range: |r g| < 2^6, |result / r| < 2^13. Rounds: 6 (m = 3). Leaks nothing.
        """
        return self._along(self._inverse.x.T, g)

    def direction(self, h: SecretArray, g: SecretArray, low: float) -> SecretArray:
        """H^-1 g, (d,) or (d, q) as g, 22 bits, nearly, for H <= B of 40 bits; see the module. Range: as cautious.

        Args:
            low: from where on eigenvalues of H B^-1 are wanted; from 2^-12 to 1/2.

        Rounds: 8 and 2 a step (m = 3), of which there are 3 for low = 1/4, 8 for 2^-12. Leaks nothing.
        """
        d = h.shape[0]
        unit = product(h, self._inverse.by, 30) + _RIDGE * LOWEST * np.eye(d)
        m = matrix_product(unit, self._inverse.x, _FRAC_M)
        return self._along(_below(m, self._inverse.x, low).T, g)

    def _along(self, left: SecretArray, g: SecretArray) -> SecretArray:
        r = self._inverse.r if len(g.shape) == 1 else self._inverse.r.reshape(-1, 1)
        return product(matrix_product(left, product(g, r, 28), 24), r, FRAC_MOVE)


@operation(SecretArray, lambda m, x, low: x.shape)
async def _below(m: SecretArray, x: SecretArray, low: float) -> SecretArray:
    """The inverse of what M is X times of, 16 bits."""
    steps = plan(schedule(low, _REST), 1 / _RIDGE, _FRAC_X, _FRAC_M)
    assert steps[0].bits == _FRAC_M
    both = np.concatenate([m.share, x.share << np.uint64(_FRAC_M - 1 - x.frac)], axis=1)
    return SecretArray(x.party, await chain(x.party, both, steps), _FRAC_X)
