"""The same fit by scikit-learn on everybody's rows in the open: only a demonstration has all the data in one place.

scikit-learn is imported late, as the parties' processes import this module too, and start without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from examples.risk import HALF, Plan
from examples.risk_rows import Plain, matrix

__all__ = ["MARKS", "Pooled", "differences", "half_widths", "pooled_fit"]

Reals = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

MARKS = {"coefficient": 1e-3, "AUC": 1e-3, "accuracy": 0.3}
"""Of the largest difference of a standardised coefficient, of AUC, and of the accuracy of mini-batches, in points."""


@dataclass(frozen=True)
class Pooled:
    """A fit, and what it says of its test rows. Coefficients and errors (d,) are by standard deviation of a column."""

    coefficients: Reals
    errors: Reals
    auc: float
    accuracy: float
    confusion: Integers
    curve: tuple[Reals, Reals]
    calibration: tuple[Reals, Reals]
    same_rows: bool
    test: Integers
    raw: Reals


def pooled_fit(plain: Plain, places: Integers, plan: Plan, opened: Mapping[str, Any]) -> Pooled:
    """The fit to the rows that the computation trained on, where the demonstration opened which, else to a split of
    its own; tested on the others. places: (n,), what the secret table calls the rows."""
    from sklearn.calibration import calibration_curve
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import accuracy_score, confusion_matrix, roc_auc_score, roc_curve
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import StandardScaler

    rows = np.arange(len(plain.outcome))
    if opened:
        parts = [_rows_of(places, opened[part], opened[f"{part} present"]) for part in ("train", "test")]
    else:
        parts = train_test_split(rows, test_size=plan.test_size, random_state=0)
    train, test = parts
    filled = plain.numbers
    if np.isnan(filled).any():
        filled = SimpleImputer(keep_empty_features=True).fit(filled[train]).transform(filled)
    raw = matrix(plan, filled, plain.codes)
    X, y = StandardScaler().fit(raw[train]).transform(raw), plain.outcome
    model = LogisticRegression(C=plan.C, solver="newton-cholesky", tol=1e-10, max_iter=1000).fit(X[train], y[train])
    chance = model.predict_proba(X)[:, 1]
    fpr, tpr, _ = roc_curve(y[test], chance[test])
    observed, predicted = calibration_curve(y[test], chance[test], n_bins=plan.bins)
    return Pooled(
        coefficients=model.coef_[0],
        errors=_errors(X[train], chance[train], plan.C),
        auc=float(roc_auc_score(y[test], chance[test])),
        accuracy=float(accuracy_score(y[test], chance[test] >= HALF)),
        confusion=confusion_matrix(y[test], chance[test] >= HALF),
        curve=(fpr, tpr),
        calibration=(predicted, observed),
        same_rows=bool(opened),
        test=test,
        raw=raw,
    )


def _rows_of(places: Integers, opened: Any, present: Any) -> Integers:
    """Where the places that were opened, of rows that are present, stand in the pooled table."""
    order = np.argsort(places)
    wanted = np.asarray(opened)[np.asarray(present) != 0]
    found = order[np.searchsorted(places, wanted, sorter=order)]
    assert np.array_equal(places[found], wanted)
    return np.asarray(found)


def _errors(X: Reals, chance: Reals, C: float) -> Reals:
    """Standard errors of the coefficients: the inverse of the curvature, the penalty's in it."""
    Z = np.column_stack([X, np.ones(len(X))])
    curvature = (Z * (chance * (1 - chance))[:, None]).T @ Z + np.diag([1 / C] * X.shape[1] + [0.0])
    return np.sqrt(np.diag(np.linalg.inv(curvature)))[:-1]


def half_widths(errors: Reals) -> Reals:
    """Of 95% intervals."""
    return float(ndtri(0.975)) * errors


def differences(opened: Mapping[str, Any], pooled: Pooled) -> dict[str, float]:
    """How far the computation is from the fit in the open on the same rows; accuracies in points."""
    off = np.abs(opened["newton coefficients"] - pooled.coefficients)
    return {
        "coefficient": float(off.max()),
        "coefficient by its standard error": float((off / pooled.errors).max()),
        "standard error": float(np.abs(opened["errors"] / pooled.errors - 1).max()),
        "AUC": float(abs(opened["newton AUC"] - pooled.auc)),
        "sgd AUC": float(abs(opened["sgd AUC"] - pooled.auc)),
        "newton accuracy": 100 * float(abs(opened["newton accuracy"] - pooled.accuracy)),
        "accuracy": 100 * float(abs(opened["sgd accuracy"] - pooled.accuracy)),
        "sgd coefficient": float(np.abs(opened["sgd coefficients"] - pooled.coefficients).max()),
    }
