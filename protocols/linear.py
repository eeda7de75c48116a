"""Linear and ridge regression on shared rows: the d x d matrix of sums travels, the rows do not.

The columns and y are standardised inside, so that every sum is a correlation and cannot leave its range; coefficients
are scaled back. Nothing is opened. Its three stages are reported (Party.report); there are no steps to stop early.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np

import mpc
from mpc.arrays import SecretArray
from mpc.encoding import FRAC
from mpc.errors import OutOfRange
from mpc.quotients import astype, rescale
from protocols.errors import TooFewRows
from protocols.estimator import Estimator, as_column, as_rows, row_weights
from protocols.fixed_point import column_products, gram, matrix_product, product, scale_bits
from protocols.inference import Curvature
from protocols.progress import Progress
from protocols.solve import FRAC_A, invert
from protocols.standardise import moments, penalties, scaled_rows

__all__ = ["LinearRegression", "Ridge", "unscaled"]

FRAC_COEF = 24


class _Linear(Estimator):
    """What both have: coef_ (d,) and intercept_ (), secret, 24 fractional bits; n_features_in_.

    in_range_: SecretBits (), whether the columns and y are, see standardise.Moments; else the rest is a wrong number.
    """

    fit_intercept: bool
    coef_: SecretArray
    intercept_: SecretArray

    async def predict(self, X: Any) -> SecretArray:
        """X @ coef_ + intercept_, (n,), 16 fractional bits; below 2^21. Rounds: 2 (m = 3). Leaks nothing."""
        coef = self._fitted("coef_")
        X = await as_rows(X, self.n_features_in_)
        return await (matrix_product(X, coef, FRAC) + rescale(self.intercept_, FRAC))

    async def score(self, X: Any, y: Any, sample_weight: Any = None, *, present: Any = None) -> SecretArray:
        """R^2 of the predictions, (), secret, 16 bits; 0 for a constant y, where scikit-learn gives 1 or 0.

        Range: the deviation of y from 2^-6 to 2^8, and of the residuals below 2^8. Leaks nothing.
        """
        X = await as_rows(X)
        here, weights = await row_weights(X, sample_weight, present)
        y = await astype(await as_column(y, X.shape[0]), "f")
        rest = y - await self.predict(X)
        found = await moments(mpc.stack([rest, y], axis=1), here, weights)
        left = found.variance[0] + product(found.mean[0], found.mean[0], found.variance.frac)
        return await (1 - left / found.variance[1])

    async def standard_errors(self) -> SecretArray:
        """Of coef_, (d,), secret, 24 bits, from the mean square of the residuals by rows less coefficients.

        Rows that count are more than the coefficients; sample weights are taken as precisions; with a penalty they are
        too large, as its curvature takes up noise. Ranges and errors: Curvature.errors; residuals above 2^-7 deviations
        of y. Rounds: about 50 (m = 3). Leaks nothing.
        """
        self._fitted("coef_")
        curvature, noise, scale, rows = self._left
        free = rows - self.n_features_in_ - self.fit_intercept
        sigma = mpc.sqrt(
            product(noise, curvature.rows / free, 24)
            if isinstance(free, SecretArray)
            else noise * (curvature.rows / free)
        )
        slopes, _ = await curvature.errors()
        return await product(slopes, product(sigma, scale, 20), FRAC_COEF)

    async def _fit(self, X: Any, y: Any, sample_weight: Any, present: Any, alpha: float) -> Self:
        X = await as_rows(X)
        n, d = X.shape
        here, weights = await row_weights(X, sample_weight, present)
        target = await astype(await as_column(y, n), "f")
        k, progress = scale_bits(n), Progress(X.party, type(self).__name__, "stage", 3)
        progress.say(0)
        of_x = await moments(X, here, weights, centre=self.fit_intercept)
        of_y = await moments(target.reshape(n, 1), here, weights, centre=self.fit_intercept)
        z = await scaled_rows(X, of_x.mean, of_x.root, here)
        t = await scaled_rows(target.reshape(n, 1), of_y.mean, of_y.root, here)
        progress.say(1)
        a = await gram(z, weights, FRAC_A, k)
        progress.say(2)
        if alpha:
            pull = await penalties(of_x.root, alpha / 2.0**k, FRAC_A, 2.0**14)
            a = a + pull.reshape(d, 1) * np.eye(d, dtype=np.int64)
        right = t.reshape(n) if weights is None else product(t.reshape(n), weights, FRAC)
        inverse = invert(await a)
        beta = await inverse.solve(column_products(z, right, 30, k))
        rest = t.reshape(n) - matrix_product(z, beta, FRAC)
        counted = rest if weights is None else product(rest, weights, FRAC)
        noise = column_products(rest.reshape(n, 1), counted, 30, k)[0]
        rows = None if here is None else here.sum()
        self._left = Curvature(inverse, of_x, 2.0**k, False), await noise, of_y.scale[0], n if rows is None else rows
        slope = product(beta, rescale(of_x.root, FRAC_COEF), 30)  # below 2^13
        self.coef_ = await product(slope, of_y.scale, FRAC_COEF)
        self.intercept_ = await unscaled(self.coef_, of_x.mean, rescale(of_y.mean[0], FRAC_COEF))
        self.in_range_ = await (of_x.in_range & of_y.in_range)
        self.n_features_in_ = d
        progress.say(3)
        return self


class LinearRegression(_Linear):
    """Least squares, as scikit-learn's.

    Collinear columns share what they explain: the least solution in the standardised coefficients (scikit-learn's is
    the least in the unscaled ones), but for 2^-6 deviations of y or so, at random, in how they share it. Columns are
    collinear as far as an eigenvalue of their correlations is below 2^-12. A constant column gets 0.

    Ranges: those of standardise.moments for X and y (without an intercept, about 0 instead of the mean); coefficients
    below 2^11, standardised ones below 2^7. Error: 2^-13 of standardised coefficients while the least eigenvalue of the
    correlations is above 2^-10, in inverse proportion to it below.

    Raises TooFewRows for n <= d, whose numbers are public: Ridge has an answer there.
    """

    def __init__(self, *, fit_intercept: bool = True) -> None:
        self.fit_intercept = fit_intercept

    async def fit(self, X: Any, y: Any, sample_weight: Any = None, *, present: Any = None) -> Self:
        """Fit to the rows present. Rounds: about 160 (m = 3). Sends: 17 bytes an element of X. Leaks nothing."""
        shape = (await X).shape
        if len(shape) == 2 and shape[0] <= shape[1]:
            raise TooFewRows(f"X of shape {shape}: more rows than features are needed; Ridge has an answer for fewer")
        return await self._fit(X, y, sample_weight, present, 0.0)


class Ridge(_Linear):
    """Least squares plus alpha times the squared coefficients, as scikit-learn's; the intercept is not penalised.

    Ranges and errors: LinearRegression; any n and d.
    """

    def __init__(self, alpha: float = 1.0, *, fit_intercept: bool = True) -> None:
        self.alpha, self.fit_intercept = alpha, fit_intercept

    def check_params(self) -> None:
        """OutOfRange for an alpha that is not from 0 to 2^20."""
        if not 0 <= self.alpha <= 2**20:
            raise OutOfRange(f"alpha={self.alpha!r}: from 0 to 2^20")

    async def fit(self, X: Any, y: Any, sample_weight: Any = None, *, present: Any = None) -> Self:
        """Fit to the rows present; OutOfRange for an alpha that is not from 0 to 2^20. Costs: LinearRegression.fit."""
        self.check_params()
        return await self._fit(X, y, sample_weight, present, float(self.alpha))


def unscaled(coef: SecretArray, mean: SecretArray, at_mean: SecretArray) -> SecretArray:
    """The intercept of a line with these coefficients that has the value ``at_mean`` at the mean. 24 bits."""
    d = coef.shape[0]
    return at_mean - matrix_product(mean.reshape(1, d), coef, FRAC_COEF)[0]
