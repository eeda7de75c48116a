"""Scores of fitted models on shared rows, by scikit-learn's names: greater is better, and all stay secret.

    scorer = scorer_of("neg_log_loss")
    value = await scorer(model, X, y, here)             # secret, ()

A scorer may be any coroutine function of (model, X, y, present) that gives a secret number, ().
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mpc.arrays import SecretArray, SecretBits
from mpc.encoding import FRAC
from mpc.errors import OutOfRange, WrongType
from mpc.quotients import rescale
from mpc.shapes import stack
from protocols import losses, metrics
from protocols.averages import Average, ratio
from protocols.columns import as_flags
from protocols.ranking import roc_auc_score

__all__ = ["CLIP", "SCORERS", "Score", "Scorer", "as_labels", "positive", "scorer_of"]

Score = Callable[[Any, Any, Any, Any], Awaitable[Any]]

CLIP = 0.01
"""The least probability that "neg_log_loss" counts, so that it is bounded: scikit-learn's is 2^-52."""


@dataclass(frozen=True)
class Scorer:
    """A score and what is known of it.

    Attributes:
        name: scikit-learn's.
        score: (model, X, y, present) -> secret, (); or, of a mean over rows, its averages.Average, with ``sign``.
        bounds: public, between which it always is, or is cut to where it is released; None: not known.
        sign: -1 where an average is a loss.
    """

    name: str
    score: Score
    bounds: tuple[float, float] | None
    sign: int = 1

    async def __call__(self, model: Any, X: Any, y: Any, present: Any = None) -> SecretArray:
        """The score of a fitted model. Rounds, bytes: the prediction's and the metric's. Leaks nothing."""
        return (await self.values([await self.parts(model, X, y, present)]))[0]

    async def parts(self, model: Any, X: Any, y: Any, present: Any = None) -> Any:
        """The score before it is divided, if it is an average: an Average, or a secret, ()."""
        found = await self.score(model, X, y, present)
        if isinstance(found, Average):
            return found
        if not isinstance(found, SecretArray) or (await found).shape != ():
            raise WrongType(f"scoring {self.name}: a secret number, of shape (), is needed")
        return found

    async def values(self, parts: Sequence[Any]) -> SecretArray:
        """The scores, (k,), 16 bits, of so many parts: averages are divided all at once."""
        if isinstance(parts[0], Average):
            totals, counts = stack([p.total for p in parts]), stack([p.count for p in parts])
            found = await ratio(totals, counts, max(p.most or 1 for p in parts))
            return await rescale(found * self.sign, FRAC)
        return await rescale(stack(list(parts)), FRAC)


def as_labels(model: Any, y: Any) -> Any:
    """y as the labels the model predicts: SecretBits are the first and the second of its classes."""
    if isinstance(y, SecretBits) and hasattr(model, "classes"):
        low, high = model.classes
        return y.to_array() * (high - low) + low
    return y


def positive(model: Any, y: Any) -> SecretBits:
    """Whether a row is of the second of the model's two classes. OutOfRange for more classes."""
    if isinstance(y, SecretBits):
        return y
    classes = getattr(model, "classes", (0, 1))
    if len(classes) != 2:
        raise OutOfRange(f"{len(classes)} classes: this score is for two")
    return y == classes[1] if hasattr(model, "classes") else as_flags(y)


async def _own(model: Any, X: Any, y: Any, here: Any) -> SecretArray:
    found: SecretArray = await model.score(X, y, present=here)
    return found


async def _accuracy(model: Any, X: Any, y: Any, here: Any) -> Average:
    return await metrics.accuracy_average(as_labels(model, y), await model.predict(X), present=here)


async def _f1(model: Any, X: Any, y: Any, here: Any) -> SecretArray:
    return await metrics.f1_score(positive(model, y), positive(model, await model.predict(X)), present=here)


async def _log_loss(model: Any, X: Any, y: Any, here: Any) -> Average:
    truth = positive(model, y)
    return await losses.log_loss_average(truth, (await model.predict_proba(X))[:, 1], clip=CLIP, present=here)


async def _brier(model: Any, X: Any, y: Any, here: Any) -> Average:
    truth = positive(model, y)
    return await losses.brier_average(truth, (await model.predict_proba(X))[:, 1], present=here)


async def _auc(model: Any, X: Any, y: Any, here: Any) -> SecretArray:
    return await roc_auc_score(positive(model, y), await model.decision_function(X), present=here)


async def _r2(model: Any, X: Any, y: Any, here: Any) -> SecretArray:
    return await losses.r2_score(y, await model.predict(X), present=here)


async def _squared(model: Any, X: Any, y: Any, here: Any) -> SecretArray:
    return -(await losses.mean_squared_error(y, await model.predict(X), present=here))


async def _root(model: Any, X: Any, y: Any, here: Any) -> SecretArray:
    return -(await losses.root_mean_squared_error(y, await model.predict(X), present=here))


async def _absolute(model: Any, X: Any, y: Any, here: Any) -> SecretArray:
    return -(await losses.mean_absolute_error(y, await model.predict(X), present=here))


_ALL = [
    Scorer("accuracy", _accuracy, (0.0, 1.0)),
    Scorer("f1", _f1, (0.0, 1.0)),
    Scorer("roc_auc", _auc, (0.0, 1.0)),
    Scorer("neg_log_loss", _log_loss, (-losses.most_log_loss(CLIP), 0.0), -1),
    Scorer("neg_brier_score", _brier, (-1.0, 0.0), -1),
    Scorer("r2", _r2, (0.0, 1.0)),
    Scorer("neg_mean_squared_error", _squared, None),
    Scorer("neg_root_mean_squared_error", _root, None),
    Scorer("neg_mean_absolute_error", _absolute, None),
]
SCORERS = {scorer.name: scorer for scorer in _ALL}
"""By name. Those of probabilities, f1 and roc_auc are for two classes; f1 is of the second one."""


def scorer_of(scoring: Any) -> Scorer:
    """The scorer of that name; of a coroutine function (model, X, y, present); None: the model's own ``score``.

    OutOfRange for a name that is none, WrongType for what is neither.
    """
    if isinstance(scoring, Scorer):
        return scoring
    if scoring is None:
        return Scorer("the model's own", _own, None)
    if isinstance(scoring, str):
        if scoring not in SCORERS:
            raise OutOfRange(f"scoring {scoring!r}: one of {', '.join(SCORERS)}, or a coroutine function")
        return SCORERS[scoring]
    if not callable(scoring):
        raise WrongType(f"scoring {scoring!r}: a name, a coroutine function of (model, X, y, present), or None")
    return Scorer(getattr(scoring, "__name__", "given"), scoring, None)
