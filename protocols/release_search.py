"""A choice of parameters that leaves, with noised scores: by the votes, or the scores, of disjoint blocks of rows.

    search = GridSearchCV(Ridge(), {"alpha": [0.1, 1.0, 10.0]}, scoring="r2", cv=3)
    told = await release_search(party, search, X, y, DiscreteLaplace(1.0), blocks=50, present=here)
    told.best_params, told.released.values         # public; told.best_estimator: fitted to all rows, secret

What epsilon means here. Each block is searched by itself: cross-validated within, fits and all. One row is in one
block, so whatever it does to models and scores, it moves one block's vote, or one block's scores within their bounds
(blocks.py). So epsilon bounds what all that is released tells of any row, as test row and as training row, to anybody
who sees it, whatever else they know and whatever the estimator does. It says nothing of ``best_estimator``, which is
fitted to all rows without noise, and stays secret: what leaves of it is charged then.

Why not k-fold scores of the whole table: model_selection.py. A search of blocks finds what is best for n / blocks rows;
a penalty beside a sum over rows, as C and alpha set it, weighs less in the whole table. How good the chosen model
is, rows tell best that are kept apart from all this (preprocessing.train_test_split, release_metrics.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import numpy as np

from mpc.arrays import SecretArray
from mpc.errors import OutOfRange, WrongType
from mpc.party import Party
from protocols.blocks import block_figures, release_block_means
from protocols.chosen import marks_of
from protocols.estimator import as_table, clone
from protocols.exact import check_rows
from protocols.mechanisms import Mechanism
from protocols.model_selection import GridSearchCV, candidate_scores, candidates_of, folds_of
from protocols.public_order import public_parts
from protocols.release import Released, check_mechanism, release
from protocols.scorers import scorer_of
from protocols.sensitivity import Sensitivity
from protocols.stock import NoiseStock

__all__ = ["Search", "release_search"]


@dataclass(frozen=True)
class Search:
    """What a search told, to all parties alike.

    Attributes:
        params: the candidates.
        best_index, best_params: the candidate with the most noised votes, or the highest noised score.
        released: of each candidate the noised votes, or the noised mean score over blocks; with what it was charged.
        best_estimator: fitted to all rows with best_params, secret; None without ``refit``.
    """

    params: list[dict[str, Any]]
    best_index: int
    best_params: Mapping[str, Any]
    released: Released
    best_estimator: Any


async def release_search(
    party: Party,
    search: GridSearchCV,
    X: Any,
    y: Any,
    mechanism: Mechanism,
    *,
    blocks: int,
    by: Literal["votes", "scores"] = "votes",
    bounds: tuple[float, float] | None = None,
    present: Any = None,
    rows: int = 1,
    random_state: int = 0,
    stock: NoiseStock | None = None,
) -> Search:
    """Search each block by itself; release what they found, to all parties; the best is public from there on.

    Args:
        search: grid, scoring, folds within a block, refit and n_jobs; it stays unfitted.
        blocks: disjoint, public. More of them make the noise matter less, and each search worse.
        by: "votes": each block's best candidate, the first of equal ones; a row moves one vote, so the noise does not
            grow with the grid. "scores": the mean over blocks of each candidate's mean score, cut to ``bounds``; a row
            moves them all.
        bounds: of scores; None: those of the scorer, where it has such (scorers.py).
        rows: most rows a person has; each may be in a block of its own.
        random_state: public seed of the order that is cut into blocks.

    Sensitivity: of votes 2 rows (L1; a row takes a vote from one candidate and gives it to another); of scores
    rows (high - low) / blocks for each candidate, all together. Both hold whatever the models do.
    Rounds: those of a fit, a prediction and a score for each ``n_jobs`` of blocks * candidates * folds; release; a fit.
    Leaks: the noised figures to all parties. Raises before anything is sent what GridSearchCV.fit does, and OutOfRange
    for a single candidate by votes, for blocks too small for their folds, for scores without bounds.
    """
    if not isinstance(search, GridSearchCV):
        raise WrongType(f"search: a GridSearchCV, not {type(search).__name__}")
    search.check_params()
    check_mechanism(mechanism)
    check_rows(rows)
    points, models = candidates_of(search.estimator, search.param_grid)
    scorer, folds = scorer_of(search.scoring), folds_of(search.cv)
    limits = bounds or scorer.bounds
    if by not in ("votes", "scores"):
        raise OutOfRange(f'by={by!r}: "votes" or "scores"')
    if by == "votes" and len(points) < 2:
        raise OutOfRange("votes for a single candidate: at least two are needed")
    if by == "scores" and limits is None:
        raise OutOfRange(f"scores {scorer.name}: bounds=(low, high) are needed, to which each block's mean is cut")
    X, y, present = await as_table(X, y, present)
    for part in public_parts(X.shape[0], blocks, random_state):
        list(folds.split(len(part)))

    async def means(X: SecretArray, y: Any, here: Any) -> SecretArray:
        parts = list(folds.split(X.shape[0]))
        table = await candidate_scores(models, X, y, here, parts, scorer, search.n_jobs)
        return await (table.sum(axis=1) if by == "votes" else table.mean(axis=1))

    async def vote(X: SecretArray, y: Any, here: Any) -> SecretArray:
        return await marks_of((await means(X, y, here)).argmax(axis=0), len(models))

    everyone = range(party.m)
    at_once = max(1, search.n_jobs // (len(models) * folds.n_splits))
    if by == "votes":
        ballots = await block_figures(vote, (X, y, present), blocks=blocks, random_state=random_state, n_jobs=at_once)
        moved = Sensitivity(((Fraction(1), rows),) * 2)
        released = await release(
            party, ballots.sum(axis=0), mechanism, sensitivity=moved, to=everyone, magnitude=blocks, stock=stock
        )
    else:
        assert limits is not None
        released = await release_block_means(
            party, means, (X, y, present), mechanism, blocks=blocks, low=limits[0], high=limits[1], to=everyone,
            rows=rows, random_state=random_state, n_jobs=at_once, stock=stock,
        )  # fmt: skip
    best = int(np.argmax(np.asarray(released.values)))
    model = await clone(models[best]).fit(X, y, present=present) if search.refit else None
    return Search(points, best, points[best], released, model)
