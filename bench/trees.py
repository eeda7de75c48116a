"""Secret rows through secret trees over real processes and TLS, checked against scikit-learn in the clear."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import RandomForestRegressor

from bench.timing import Timing, cost, timed
from mpc import LocalCluster, Party
from protocols.tree_models import TreeModel, from_sklearn
from protocols.trees import share_rows, share_trees

__all__ = ["JOBS", "Figure", "measure"]

JOBS = ((1, 1), (1, 100), (10_000, 1), (1_000, 100))
"""Rows and trees, as the marks have them."""

_FIT = 2000
_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Figure:
    """One line. ``plaintext_seconds``: scikit-learn on the same rows, in one process of this machine."""

    op: str
    parties: int
    size: int
    trees: int
    depth: int
    features: int
    seconds: float
    ns_per_row_and_tree: float
    bytes_per_party: float
    rounds: int
    peak_mib_per_party: float
    plaintext_seconds: float


@dataclass(frozen=True)
class _Job:
    """What a party is told: the model at party 0, the rows at party 1, None elsewhere."""

    model: TreeModel | None
    rows: npt.NDArray[Any] | None
    trees: int
    depth: int
    features: int
    repeats: int


async def _timed(party: Party, job: _Job) -> tuple[Timing, npt.NDArray[Any]]:
    size: dict[str, Any] = {"depth": job.depth, "trees": job.trees, "features": job.features, "kind": "regressor"}
    model = await share_trees(party, job.model, owner=0, **size)
    rows, _ = await share_rows(party, job.rows, owner=1)
    timing, found = await timed(party, job.repeats + 1, lambda _: model.predict(rows))
    return timing, await party.reveal(found)


def measure(
    parties: int,
    jobs: tuple[tuple[int, int], ...] = JOBS,
    *,
    depth: int = 6,
    features: int = 20,
    repeats: int = 5,
    rtt: float = 0.0,
    tell: Callable[[str], None] = lambda text: None,
) -> list[dict[str, Any]]:
    """A figure for each pair of rows and trees. A repetition takes as long as its slowest party; the median counts.

    Without missing values. The predictions must be scikit-learn's, else AssertionError.
    """
    r = np.random.default_rng(1)
    values = r.normal(0, 1, (_FIT, features))
    target = values @ r.normal(0, 1, features) + np.sin(3 * values[:, 0])
    figures = []
    with LocalCluster(parties=parties, rtt=rtt) as cluster:
        for rows, trees in jobs:
            tell(f"{rows} rows, {trees} trees")
            forest = RandomForestRegressor(trees, max_depth=depth, random_state=1).fit(values, target)
            asked = np.rint(r.normal(0, 1, (rows, features)) * 65536) / 65536
            told = [
                _Job(
                    from_sklearn(forest) if i == 0 else None, asked if i == 1 else None, trees, depth, features, repeats
                )
                for i in range(parties)
            ]
            answers = cluster.run(_timed, told)
            begin = time.perf_counter()
            expected = forest.predict(asked)
            plain = time.perf_counter() - begin
            np.testing.assert_allclose(answers[0][1], expected, rtol=0, atol=_TOLERANCE)
            taken = cost([timing for timing, _ in answers])
            figures.append(
                Figure(
                    op="trees",
                    parties=parties,
                    size=rows,
                    trees=trees,
                    depth=depth,
                    features=features,
                    seconds=taken.seconds,
                    ns_per_row_and_tree=taken.seconds / rows / trees * 1e9,
                    bytes_per_party=taken.bytes_per_party,
                    rounds=taken.rounds,
                    peak_mib_per_party=taken.peak_mib_per_party,
                    plaintext_seconds=plain,
                )
            )
    return [asdict(f) for f in figures]
