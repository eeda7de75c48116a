"""Standard errors of a regression's coefficients, secret; and p-values of released ones, in the clear."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

import mpc
from mpc.arrays import SecretArray
from mpc.errors import OutOfRange
from mpc.quotients import rescale
from mpc.shapes import concatenate
from protocols.columns import constant
from protocols.fixed_point import product
from protocols.solve import Inverse
from protocols.standardise import Moments

__all__ = ["Curvature", "p_values"]


@dataclass(frozen=True)
class Curvature:
    """What a fit leaves to tell standard errors by.

    Attributes:
        inverse: of the matrix of the fit, in standardised columns, the last of them the intercept's if ``level``.
        found: means and scales of the columns.
        rows: 2^k, which the sums of the matrix were divided by.
        level: whether the last column of the matrix is the intercept's.
    """

    inverse: Inverse
    found: Moments
    rows: float
    level: bool

    def variances(self) -> tuple[SecretArray, SecretArray]:
        """((d,) of standardised coefficients, (1,) of the intercept), times ``rows``, 24 bits.

        The intercept's is v' A^-1 v for v = (-mean / scale, 1); without its column there is none: 0.
        """
        d, c = self.found.root.shape[0], self.inverse.r.shape[0]
        right = constant(self.inverse.r, np.eye(c, dtype=np.int64) << 24, 24)
        if not self.level:
            return self.inverse.solve(right)[np.arange(d), np.arange(d)], constant(self.inverse.r, np.zeros(1, int), 24)
        v = concatenate([-product(self.found.mean, self.found.root, 24), constant(right, np.full(1, 1 << 24), 24)])
        solved = self.inverse.solve(concatenate([right, v.reshape(c, 1)], axis=1))
        return solved[np.arange(d), np.arange(d)], product(v, solved[:, c], 24).sum(axis=0, keepdims=True)

    async def errors(self) -> tuple[SecretArray, SecretArray]:
        """Standard errors: of the coefficients in their own units (d,), of the intercept (1,); 24 bits.

        Range: |mean / scale| < 2^5, variances times rows below 2^16, errors below 2^11. Error: 2^-8 of each.
        Rounds: about 45 (m = 3).
        """
        slopes, level = self.variances()
        by = self.rows**-0.5
        of_slopes, of_level = (rescale(mpc.sqrt(v), 28) * by for v in (slopes, level))
        return await product(of_slopes, rescale(self.found.root, 22), 24), await rescale(of_level, 24)


def p_values(estimates: Any, errors: Any, degrees: float | None = None) -> npt.NDArray[np.float64]:
    """Two-sided p-values of released estimates by their released standard errors, in the clear.

    Args:
        degrees: of freedom, for a linear regression the rows less the coefficients and the intercept; None: many, as
            for a logistic one.

    Noise that was added at release is not in the standard errors, so p-values of noised estimates are too small.
    """
    z = np.asarray(estimates, np.float64)
    scale = np.asarray(errors, np.float64)
    if not (np.isfinite(z).all() and (scale > 0).all() and np.isfinite(scale).all()):
        raise OutOfRange("p-values: finite estimates and standard errors above 0 are needed")
    ratio = np.abs(z / scale)
    return np.asarray(2 * special.stdtr(degrees, -ratio) if degrees else 2 * special.ndtr(-ratio))
