"""A logistic regression as JSON: the answer of a job of kind train, which is also how one is kept, or brought in. Pure.

    {"coefficients": [{"column": "age", "category": null, "low": 18, "high": 90, "coefficient": 0.31}, ...],
     "intercept": -0.2, "bound": 1.0, "spread": 2.0, "label": "died", "positive": null, "epsilon": 2.0, "delta": 1e-6}

``epsilon`` and ``delta`` are 0 where nothing was spent on people of the consortium: a model that was brought in.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from parties.models.fitted import Coefficient, FittedLogistic
from parties.wire.message_form import Strict, read_json

__all__ = ["read_logistic"]

_Name = Annotated[str, StringConstraints(max_length=256)]
_Finite = Annotated[float, Field(allow_inf_nan=False)]
_Cost = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_MOST = 1 << 20


class _Coefficient(Strict):
    column: _Name
    category: str | int | None
    low: _Finite
    high: _Finite
    coefficient: _Finite


class _Trained(Strict):
    coefficients: Annotated[list[_Coefficient], Field(min_length=1, max_length=_MOST)]
    intercept: _Finite
    bound: _Finite
    spread: _Finite
    label: _Name
    positive: str | int | None = None
    epsilon: _Cost
    delta: _Cost


def read_logistic(content: bytes | str, job: str = "") -> FittedLogistic:
    """The model. Raises MessageInvalid, which names the field, for anything else."""
    said = read_json(_Trained, content)
    return FittedLogistic(
        [Coefficient(c.column, c.category, c.low, c.high, c.coefficient) for c in said.coefficients],
        said.intercept,
        bound=said.bound,
        spread=said.spread,
        label=said.label,
        positive=said.positive,
        epsilon=said.epsilon,
        delta=said.delta,
        job=job,
    )
