"""Predictions of a secret logistic regression, which one party has, for secret rows.

    model = await share_logistic(party, mine, owner=0, features=30, bound=1.0)
    p = await model.predict_proba(X)

As protocols.trees for trees: nothing is opened, predictions stay shared. Public are the features and the bound. d + 1
scores, or probabilities, of rows somebody chose tell all d coefficients: who gets how many is for release to say.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from mpc.errors import OutOfRange, ShapeMismatch
from mpc.party import Party
from protocols.linear import FRAC_COEF
from protocols.logistic import LogisticRegression

__all__ = ["check_coefficients", "share_logistic"]

_MOST_SCORE = 1 << 20
"""Of a row of the greatest length."""


def check_coefficients(coefficients: Any, intercept: float, bound: float) -> npt.NDArray[np.float64]:
    """The coefficients (d,), float64. Raises OutOfRange unless all are finite, and no row of a length of at most
    ``bound`` has a score of 2^20 or more; ShapeMismatch."""
    values = np.asarray(coefficients, np.float64)
    if values.ndim != 1 or not len(values):
        raise ShapeMismatch(f"coefficients of {values.ndim} dimensions: (d,) is needed")
    most = float(np.sqrt((values * values).sum())) * bound + abs(intercept)
    if not (math.isfinite(most) and most < _MOST_SCORE):
        raise OutOfRange(f"coefficients by which a row of length {bound:g} has a score of {_MOST_SCORE} or more")
    return values


async def share_logistic(
    party: Party, mine: tuple[Any, float] | None, *, owner: int, features: int, bound: float
) -> LogisticRegression:
    """Share coefficients. All parties call it with the same numbers; only the owner's ``mine`` counts.

    Args:
        mine: at the owner (coefficients (d,), intercept), else None.
        features: d.
        bound: greatest length of a row to come (row_bound.py); a longer one's prediction means nothing.

    Gives a model as fitted, with classes 0 and 1: its predictions take rows (n, d) with 16 fractional bits, see
    LogisticRegression for rounds and errors. Coefficients have 24 fractional bits.

    Rounds: 1. Sends, at the owner for m = 3: 8 bytes for each of d + 1. Leaks nothing. Raises at the owner, before
    anything is sent, OutOfRange (check_coefficients) and ShapeMismatch.
    """
    values = None
    if party.check_index(owner, "owner") == party.index:
        if mine is None:
            raise ShapeMismatch("the owner of a model brings its coefficients and its intercept")
        coefficients, intercept = mine
        found = check_coefficients(coefficients, intercept, bound)
        if len(found) != features:
            raise ShapeMismatch(f"a model of {len(found)} coefficients, but {features} were agreed")
        values = np.append(found, intercept)
    shared = await party.input(values, owner, frac=FRAC_COEF, shape=(features + 1,))
    model = LogisticRegression()
    model.coef_, model.intercept_ = await shared[:features].reshape(1, features), await shared[features:]
    model.n_features_in_, model.classes_ = features, np.array([0, 1])
    return model
