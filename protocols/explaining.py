"""What each column adds to a linear model's decision: SHAP values on shared rows, and their means with noise.

    explainer = await LinearExplainer(model).fit(X_train, present=here)
    phi = await explainer.shap_values(X)                                  # secret, (n, d)
    told = await release_shap_importance(party, explainer, X_test, DiscreteLaplace(1.0), high=4.0, to=0)

For a linear model and columns taken as independent, the SHAP value of column j for a row is its coefficient times the
distance of the row's value from the column's mean (Lundberg and Lee, A Unified Approach to Interpreting Model
Predictions, NIPS 2017, section 4.1). A row's values sum up to its decision less the expected one.

*What epsilon of a release means here.* The model and the means of the columns are taken as they are. It bounds what
the release tells of the rows explained, where neither was fitted to them: rows of a test set. Of rows that they were
fitted to it says nothing: one of those moves the coefficients, and with them all rows' values. For such rows fit and
explain by blocks: blocks.release_block_means, with mean_abs_shap as the end of the statistic.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from mpc.arrays import SecretArray, SecretBits
from mpc.encoding import FRAC
from mpc.errors import OutOfRange, ShapeMismatch, WrongType
from mpc.party import Party
from mpc.secret import Secret
from mpc.shapes import broadcast_to
from protocols.averages import Present, ratio
from protocols.columns import as_flags, as_numbers, constant
from protocols.errors import NotFitted
from protocols.estimator import as_rows
from protocols.exact import check_rows
from protocols.fixed_point import matrix_product, product
from protocols.linear import FRAC_COEF
from protocols.means import column_bounds, release_column_means
from protocols.mechanisms import Mechanism
from protocols.pipeline import Pipeline
from protocols.release import Released, check_mechanism, receivers_of
from protocols.stock import NoiseStock

__all__ = ["LinearExplainer", "mean_abs_shap", "release_shap_importance", "release_shap_means"]


class LinearExplainer:
    """SHAP values of a fitted linear model, as shap's LinearExplainer with independent columns.

    Args:
        model: a fitted regression, or a classifier of two classes, whose decision (log-odds) is explained; or a
            Pipeline that ends with one: then columns are those that the model sees. Scalers do not change values.

    Attributes:
        mean_: (d,), of the background, secret, 16 bits. expected_value: (), the decision there, secret, 24 bits.
    """

    mean_: SecretArray
    expected_value: SecretArray

    def __init__(self, model: Any) -> None:
        self.model = model
        self._linear = model.model if isinstance(model, Pipeline) else model

    async def fit(self, X: Any, *, present: Present = None) -> Self:
        """The mean of the background, those rows of X (n, d) that are present; 0 without any.

        Range: sums of |x| below 2^45. Rounds: 150 (m = 3). Sends: 8 bytes an element of X with ``present``. Leaks
        nothing. Raises NotFitted, OutOfRange for more than two classes.
        """
        coef = self._coef()
        X = await as_rows(await self._prepared(X), coef.shape[0])
        if present is None:
            self.mean_ = await X.mean(axis=0)
        else:
            here = await _here(present, X.shape[0])
            self.mean_ = await _mean(here @ X, here)
        level = self._linear.intercept_.reshape(1)
        at_mean = matrix_product(self.mean_.reshape(1, -1), coef.reshape(-1, 1), FRAC_COEF)
        self.expected_value = await (at_mean.reshape(1) + level).reshape(())
        return self

    async def shap_values(self, X: Any) -> SecretArray:
        """(n, d), secret, 16 bits: coefficient times distance from the mean.

        Range: below 2^21. Error: 1.5 ulp of 2^-16 (t = 1), and what the mean is off, 2^-16 and its part of 2^-18, times
        the coefficient, alike in all rows. A row's values and expected_value sum up to the decision within 1.5 (d + 1)
        ulp. Rounds: 3 (m = 3). Leaks nothing.
        """
        if not hasattr(self, "mean_"):
            raise NotFitted("this LinearExplainer has no background: await fit(X) first")
        coef = self._coef()
        X = await as_rows(await self._prepared(X), coef.shape[0])
        return await product(X - self.mean_, coef.reshape(1, -1), FRAC)

    @property
    def columns(self) -> int:
        """How many the model sees: d."""
        return self._coef().shape[0]

    async def _prepared(self, X: Any) -> Any:
        return await self.model.prepared(X) if isinstance(self.model, Pipeline) else X

    def _coef(self) -> SecretArray:
        """(d,)."""
        coef = getattr(self._linear, "coef_", None)
        if not isinstance(coef, SecretArray):
            raise NotFitted(f"{type(self._linear).__name__} has no secret coef_: fit a linear model first")
        if len(coef.shape) == 2 and coef.shape[0] != 1:
            raise OutOfRange(f"{coef.shape[0]} classes: SHAP values are of one decision, of two classes")
        return coef.reshape(-1)


async def _here(present: Any, n: int) -> SecretArray:
    if not isinstance(present, (SecretArray, SecretBits)):
        raise WrongType(f"present: secret bits (n,) are needed, not {type(present).__name__}")
    if (await present).shape != (n,):
        raise ShapeMismatch(f"present of shape {present.shape} beside {n} rows: one value a row is needed")
    return await as_numbers(as_flags(present))


async def _rows(X: Any) -> int:
    if not isinstance(X, Secret):
        raise WrongType(f"X: a secret array (n, d) is needed, not {type(X).__name__}")
    return len(await X)


async def _mean(total: SecretArray, here: SecretArray) -> SecretArray:
    """total (d,) over the number of rows here, 0 of none."""
    return await ratio(total, broadcast_to(here.sum(), (await total).shape), len(here))


# -- means -------------------------------------------------------------------------------------


async def mean_abs_shap(explainer: LinearExplainer, X: Any, *, present: Present = None) -> SecretArray:
    """The mean of |SHAP value| over the rows present, (d,), secret, 16 bits; 0 without any.

    Sensitivity: none, for use inside and in blocks.release_block_means; to release: release_shap_importance.
    Rounds: 155 (m = 3). Sends: 35 bytes an element of X. Leaks nothing.
    """
    here = None if present is None else await _here(present, await _rows(X))
    phi = abs(await explainer.shap_values(X))
    return await (phi.mean(axis=0) if here is None else _mean(here @ phi, here))


async def release_shap_importance(
    party: Party,
    explainer: LinearExplainer,
    X: Any,
    mechanism: Mechanism,
    *,
    high: float | Sequence[float],
    to: Sequence[int] | int,
    present: Present = None,
    rows: int = 1,
    stock: NoiseStock | None = None,
) -> Released:
    """The mean of |SHAP value| of each column with noise, (d,), each value cut to [0, high].

    Args:
        high: public, above 0, for all columns or each. A smaller one costs less noise, and cuts off more.

    Sensitivity, for the model as it is: half of each column's ``high``, 1 of the count; means.release_column_means.
    Rounds, bytes: shap_values, two comparisons a value, release. Leaks: the noised sums and count to the receivers.
    """
    bounds = _checked(party, mechanism, to, rows, explainer, high)
    here = None if present is None else await _here(present, await _rows(X))
    held = await abs(await explainer.shap_values(X)).clip(0, bounds)
    if here is None:
        here = constant(held, np.ones(len(held), np.int64), 0)
    return await release_column_means(
        party, here @ held, here.sum(), mechanism, low=0.0, high=high, to=to, rows=rows, stock=stock
    )


async def release_shap_means(
    party: Party,
    explainer: LinearExplainer,
    X: Any,
    groups: SecretArray,
    mechanism: Mechanism,
    *,
    high: float | Sequence[float],
    to: Sequence[int] | int,
    rows: int = 1,
    stock: NoiseStock | None = None,
) -> Released:
    """The mean SHAP value of each column by group with noise, (groups, d), each value cut to [-high, high]: which way a
    column moves the decisions of a group.

    Args:
        groups: (n, groups), 0 and 1, at most one 1 a row: aggregate.one_hot, times ``present`` where not all rows are.

    Sensitivity, for the model as it is: each column's ``high``, and 1 for the counts, over all groups. Else as
    release_shap_importance.
    """
    bounds = _checked(party, mechanism, to, rows, explainer, high)
    if not isinstance(groups, SecretArray):
        raise WrongType(f"groups: secret integers (n, groups), not {type(groups).__name__}")
    n = await _rows(X)
    if len((await groups).shape) != 2 or groups.shape[0] != n or groups.frac:
        raise ShapeMismatch(f"groups of shape {groups.shape} beside {n} rows: integers (n, groups) are needed")
    held = await (await explainer.shap_values(X)).clip(-bounds, bounds)
    return await release_column_means(
        party,
        groups.T @ held,
        groups.sum(axis=0),
        mechanism,
        low=list(-bounds),
        high=list(bounds),
        to=to,
        rows=rows,
        stock=stock,
    )


def _checked(party: Party, mechanism: Any, to: Any, rows: Any, explainer: LinearExplainer, high: Any) -> Any:
    check_mechanism(mechanism)
    receivers_of(party, to)
    check_rows(rows)
    return np.array([float(b) for _, b in column_bounds(0.0, high, explainer.columns)])
