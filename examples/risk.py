"""What mortality, default_risk and breast_cancer have in common at a party: from secret rows to released figures.

The rows are split by a shuffle nobody knows, prepared, fitted on, predicted for and measured on shares. What leaves is
counts of the test rows with noise (released); everything else stays secret, unless the demonstration opens it
(unsafe_opened), which ``compare`` asks for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

import mpc
from mpc.arrays import SecretArray, SecretBits
from mpc.encoding import FRAC
from mpc.party import Party
from mpc.secret import Secret
from mpc.shapes import concatenate
from protocols.calibration_bins import CalibrationBins, calibration_curve
from protocols.columns import read_on_grid
from protocols.logistic import LogisticRegression
from protocols.means import release_mean
from protocols.mechanisms import DiscreteLaplace
from protocols.metrics import accuracy_score
from protocols.preprocessing import OneHotEncoder, SimpleImputer, StandardScaler, train_test_split
from protocols.ranking import roc_auc_score
from protocols.release import Released
from protocols.release_metrics import release_auc, release_confusion
from protocols.trees import SharedTrees

__all__ = ["SHARES", "Answer", "Descent", "Plan", "Rows", "learn", "unsafe_opened"]

SHARES = {"histograms": 0.45, "confusion": 0.15, "observed": 0.35, "predicted": 0.05}
"""How the run's epsilon is split over its figures."""
RECEIVERS = (0, 1, 2)
HALF = 0.5
"""A probability from here on predicts the outcome."""
_ROUNDED = 2.0**-14


@dataclass(frozen=True)
class Descent:
    """How the solver "sgd" goes down."""

    batch: int
    epochs: int
    rate: float


@dataclass(frozen=True)
class Plan:
    """What all parties agree on beforehand; public.

    Attributes:
        numbers: names of the columns of numbers.
        categories: of each column of codes its name and its categories; the first is what the others are compared to,
            and has no column of its own.
        outcome: what is predicted, in words.
        epsilon: for everything released.
        capacity: rows that every owner fills up to.
        thresholds: of the histogram of scores, rising.
        bins: of the calibration, of equal width.
        descent: of the fit by mini-batches.
        beside: whether the scores of that fit are released too; else it is made for the comparison only.
        imputed: whether numbers may be missing.
        compare: whether the demonstration opens coefficients and what else it compares. It protects nobody.
        C: inverse strength of the penalty, on standardised columns. steps: of Newton's method.
        test_size: the share of the rows that is tested on.
    """

    numbers: tuple[str, ...]
    categories: tuple[tuple[str, tuple[str, ...]], ...]
    outcome: str
    epsilon: float
    capacity: int
    thresholds: tuple[float, ...]
    bins: int
    descent: Descent
    beside: bool = False
    imputed: bool = False
    compare: bool = False
    C: float = 1.0
    steps: int = 10
    test_size: float = 0.25

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of the model."""
        return (*self.numbers, *(name for _, names in self.categories for name in names[1:]))


@dataclass(frozen=True)
class Rows:
    """A secret table.

    Attributes:
        numbers: (n, d), 16 bits; missing: (n, d), integers 0 and 1, or None where nothing is.
        codes: (n, c), integers: the place of a category in the plan's list; None without such columns.
        outcome, present: (n,), integers 0 and 1.
        place: (n,), integers that tell the rows apart. For the comparison only.
    """

    numbers: SecretArray
    missing: SecretArray | None
    codes: SecretArray | None
    outcome: SecretArray
    present: SecretArray | SecretBits
    place: SecretArray


@dataclass(frozen=True)
class Answer:
    """released: the figures with noise. opened: what the demonstration compares; empty unless the plan says so."""

    released: dict[str, Released]
    opened: dict[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class _Split:
    """What the model sees, secret: (n, d) standardised, and the columns beside them."""

    X: SecretArray
    y: SecretArray
    present: SecretArray | SecretBits
    place: SecretArray
    raw: SecretArray


async def learn(party: Party, rows: Rows, plan: Plan, trees: SharedTrees | None = None) -> Answer:
    """Fit, measure and release; all parties call it with the same plan.

    1. A shuffle nobody knows deals the rows to a training and a test part.
    2. Missing values are filled, categories made columns, columns standardised: by what the training part says.
    3. Newton's method on the training part; beside it mini-batches, if they are shown.
    4. Predictions for the test part: counts by score, confusion matrix, calibration.
    5. Release of those, each with its own noise, to all.

    For a given model a test row is in one cell of each table of counts. What a training row does to the model, and by
    it to all scores, is not bounded by that: epsilon is for the rows of the test part.

    trees: a shared model for the columns as they are before they are standardised.
    Released are histograms of scores by the name of the model, newton's first, and "confusion", "observed",
    "predicted" of newton's.
    """
    party.report("4/5 preparing, fitting and predicting on the pieces")
    train, test = await _prepared(rows, plan)
    fits = {"newton": LogisticRegression(plan.C, max_iter=plan.steps)}
    if plan.beside or plan.compare:
        how = plan.descent
        fits["sgd"] = LogisticRegression(
            plan.C, solver="sgd", max_iter=how.epochs, batch_size=how.batch, learning_rate=how.rate
        )
    await asyncio.gather(*(fit.fit(train.X, train.y, present=train.present) for fit in fits.values()))
    scores = {name: await fit.decision_function(test.X) for name, fit in fits.items()}
    if trees is not None:
        scores["trees"] = await trees.decision_function(test.raw)

    party.report("5/5 noise nobody knows, then opening the noised figures")
    told = {name: await mpc.sigmoid(score) for name, score in scores.items() if name != "sgd" or plan.beside}
    released = await _released(party, plan, test, told)
    return Answer(released, await _compared(party, fits, train, test, scores) if plan.compare else {})


async def _released(party: Party, plan: Plan, test: _Split, chances: Mapping[str, SecretArray]) -> dict[str, Released]:
    """Step 4 and 5."""
    noise = {name: DiscreteLaplace(plan.epsilon * share) for name, share in SHARES.items()}
    part, (y, here, chance) = noise["histograms"].split(len(chances)), (test.y, test.present, chances["newton"])
    curve = await calibration_curve(y, chance, n_bins=plan.bins, present=here)
    histograms = (
        release_auc(party, y, c, part, thresholds=plan.thresholds, to=RECEIVERS, present=here) for c in chances.values()
    )
    figures = await asyncio.gather(
        *histograms,
        release_confusion(party, y, chance >= HALF, noise["confusion"], to=RECEIVERS, present=here),
        release_mean(party, curve.positives, curve.counts, noise["observed"], low=0, high=1, to=RECEIVERS),
        _above_edges(party, curve, plan.bins, noise["predicted"]),
    )
    return dict(zip((*chances, "confusion", "observed", "predicted"), figures, strict=True))


def _above_edges(party: Party, curve: CalibrationBins, bins: int, noise: DiscreteLaplace) -> Awaitable[Released]:
    """Of each bin of the calibration the mean of by how much a probability is above the bin's lower edge.

    That is 1 / bins at most, so it needs little noise; the edge is added in the open (risk_plot.py). An edge is rounded
    to the grid, by less than _ROUNDED.
    """
    edges = np.rint(np.arange(bins) / bins * (1 << FRAC)).astype(np.int64)
    above = curve.predicted - read_on_grid(curve.counts * edges, FRAC)
    return release_mean(party, above, curve.counts, noise, low=-_ROUNDED, high=1 / bins + _ROUNDED, to=RECEIVERS)


async def _prepared(rows: Rows, plan: Plan) -> tuple[_Split, _Split]:
    """Steps 1 and 2."""
    given = {name: x for name, x in vars(rows).items() if x is not None}
    halves = await train_test_split(*given.values(), test_size=plan.test_size)
    train, test = (dict(zip(given, halves[i::2], strict=True)) for i in (0, 1))
    parts = [part["numbers"] for part in (train, test)]
    if rows.missing is not None:
        gone = [part["missing"] != 0 for part in (train, test)]
        imputer = SimpleImputer()
        await imputer.fit(parts[0], missing=gone[0], present=train["present"])
        parts = [await imputer.transform(x, missing=flags) for x, flags in zip(parts, gone, strict=True)]
    if rows.codes is not None:
        encoder = OneHotEncoder([range(1, len(names)) for _, names in plan.categories])
        marks = [await encoder.fit_transform(part["codes"]) for part in (train, test)]
        parts = [await concatenate([x, flags.astype(float)], axis=1) for x, flags in zip(parts, marks, strict=True)]
    scaler = await StandardScaler().fit(parts[0], present=train["present"])
    scaled = [await scaler.transform(x) for x in parts]
    return tuple(  # type: ignore[return-value]
        _Split(X, part["outcome"], part["present"], part["place"], raw)
        for X, part, raw in zip(scaled, (train, test), parts, strict=True)
    )


async def _compared(
    party: Party,
    fits: Mapping[str, LogisticRegression],
    train: _Split,
    test: _Split,
    scores: Mapping[str, SecretArray],
) -> dict[str, Any]:
    """What is compared with a fit in the open: coefficients and their errors, exact figures, who was in which part."""
    errors, level_error = await fits["newton"].standard_errors()
    secrets: dict[str, Secret] = {"errors": errors, "intercept error": level_error}
    for name, half in (("train", train), ("test", test)):
        secrets |= {name: half.place, f"{name} present": half.present}
    for name, fit in fits.items():
        secrets |= {f"{name} coefficients": fit.coef_, f"{name} converged": fit.converged_}
    for name, score in scores.items():  # of log odds: half a chance is 0
        secrets[f"{name} AUC"] = await roc_auc_score(test.y, score, present=test.present)
        secrets[f"{name} accuracy"] = await accuracy_score(test.y, score >= 0, present=test.present)
    return await unsafe_opened(party, secrets)


async def unsafe_opened(party: Party, secrets: Mapping[str, Secret]) -> dict[str, npt.NDArray[Any]]:
    """Open secrets to all parties, exact, past the door. Only for a demonstration, whose data is in one place anyway.

    It tells which rows were trained on, and coefficients that no noise covers: nothing protects anybody's row then.
    """
    opened = await asyncio.gather(*(party.reveal(secret) for secret in secrets.values()))
    return {name: np.squeeze(value) for name, value in zip(secrets, opened, strict=True)}
