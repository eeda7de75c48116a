"""A model that the consortium fitted, as its receiver has it: numbers, and how a row is prepared for them. Plain numpy.

Nothing is asked of anybody any more: predict works offline, on rows of the receiver's own.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from parties.errors import ColumnMissing, ValueUnfit
from protocols.row_bound import bounded_rows

__all__ = ["Coefficient", "FittedLogistic"]

_EPOCH = np.datetime64("1970-01-01", "D")


@dataclass(frozen=True, slots=True)
class Coefficient:
    """Of one number of a row: a column's, or whether it is a category.

    Attributes:
        low, high: the column's public bounds, a date's in days since 1970-01-01.
    """

    column: str
    category: str | int | None
    low: float
    high: float
    coefficient: float


class FittedLogistic:
    """Logistic regression with differential privacy. Named as scikit-learn's, and used so.

    Attributes:
        coefficients: of each number of a row. coef_: (1, d), intercept_: (1,), float64; of rows as ``prepare`` makes
            them.
        feature_names_in_: columns a row has, in order. n_features_in_: how many.
        terms_: the d numbers made of them: "age", "ward=surgery".
        classes_: [False, True]: whether the label is true, or is the category ``positive_``.
        label_, positive_: what is predicted; None for a label that is true or false.
        epsilon_, delta_: what the fit cost.
        job: the job's id; '' if not known.
        bound, spread: how rows are prepared, see row_bound.bounded_rows.
    """

    def __init__(
        self,
        coefficients: Sequence[Coefficient],
        intercept: float,
        *,
        bound: float,
        spread: float,
        label: str,
        positive: str | int | None = None,
        epsilon: float,
        delta: float,
        job: str = "",
    ) -> None:
        self.coefficients = tuple(coefficients)
        self.bound = bound
        self.spread = spread
        self.coef_: npt.NDArray[np.float64] = np.array([[c.coefficient for c in coefficients]])
        self.intercept_: npt.NDArray[np.float64] = np.array([intercept])
        self.feature_names_in_ = tuple(dict.fromkeys(c.column for c in coefficients))
        self.n_features_in_ = len(self.feature_names_in_)
        self.terms_ = tuple(c.column if c.category is None else f"{c.column}={c.category}" for c in coefficients)
        self.classes_ = np.array([False, True])
        self.label_ = label
        self.positive_ = positive
        self.epsilon_ = epsilon
        self.delta_ = delta
        self.job = job

    def __repr__(self) -> str:
        return f"<FittedLogistic of {self.label_} on {len(self.terms_)} terms, epsilon {self.epsilon_:g}>"

    def to_json(self) -> str:
        """As logistic_file.py reads it."""
        terms = [{name: getattr(c, name) for name in Coefficient.__slots__} for c in self.coefficients]
        said = {"coefficients": terms, "intercept": float(self.intercept_[0]), "bound": self.bound}
        about = {"label": self.label_, "positive": self.positive_, "epsilon": self.epsilon_, "delta": self.delta_}
        return json.dumps({**said, "spread": self.spread, **about}, allow_nan=False)

    def prepare(self, X: Any) -> npt.NDArray[np.float64]:
        """Rows as training had them: (n, d).

        Args:
            X: a pandas DataFrame, or a mapping of columns by name, of which those of ``feature_names_in_`` are taken;
                or rows (n, n_features_in_) in their order. Values as the tables had them: numbers are cut to the
                public bounds, dates are dates, categories are one of those published.

        Raises ColumnMissing, ValueUnfit, and OutOfRange for what is no number.
        """
        columns = self._columns(X)
        made = [self._term(term, columns[term.column]) for term in self.coefficients]
        return bounded_rows(
            np.stack(made, axis=1),
            [c.low for c in self.coefficients],
            [c.high for c in self.coefficients],
            bound=self.bound,
            spread=self.spread,
        )

    def decision_function(self, X: Any) -> npt.NDArray[np.float64]:
        """(n,): above 0 means True."""
        return np.asarray(self.prepare(X) @ self.coef_[0] + self.intercept_[0])

    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """(n, 2): of False, and of True."""
        true = 0.5 * (1 + np.tanh(0.5 * self.decision_function(X)))  # the logistic function, without overflow
        return np.stack([1 - true, true], axis=1)

    def predict(self, X: Any) -> npt.NDArray[np.bool_]:
        """(n,): the likelier class."""
        return np.asarray(self.decision_function(X) > 0)

    def score(self, X: Any, y: Any) -> float:
        """Share of right predictions; ``y``: (n,) of True and False, or of categories where ``positive_`` is one."""
        truth = np.asarray(y)
        truth = truth.astype(bool) if self.positive_ is None else truth == self.positive_
        return float(np.mean(self.predict(X) == truth))

    def _columns(self, X: Any) -> dict[str, npt.NDArray[Any]]:
        names = self.feature_names_in_
        if isinstance(X, Mapping) or hasattr(X, "columns"):
            for name in names:
                if name not in X:
                    raise ColumnMissing(
                        f"the model takes a column {name!r}, and these rows have none: {', '.join(names)}"
                    )
            return {name: np.asarray(X[name]) for name in names}
        rows = np.asarray(X)
        if rows.ndim != 2 or rows.shape[1] != len(names):
            raise ColumnMissing(f"the model takes rows of {len(names)} columns: {', '.join(names)}")
        return {name: rows[:, j] for j, name in enumerate(names)}

    def _term(self, term: Coefficient, column: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        if term.category is None:
            return _numbers(term.column, column)
        known = [c.category for c in self.coefficients if c.column == term.column]
        if not np.isin(column, np.array(known, column.dtype if column.dtype == object else None)).all():
            raise ValueUnfit(
                f"column {term.column}: a value that is none of the categories {', '.join(map(str, known))}"
            )
        return np.asarray(column == term.category, np.float64)


def _numbers(name: str, column: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Dates as days since 1970-01-01."""
    if column.dtype == object and len(column) and isinstance(column[0], datetime.date):
        column = column.astype("datetime64[D]")
    if column.dtype.kind == "M":
        column = (column.astype("datetime64[D]") - _EPOCH).astype(np.int64)
    try:
        return column.astype(np.float64)
    except (TypeError, ValueError):
        raise ValueUnfit(f"column {name}: not all of it are numbers") from None
