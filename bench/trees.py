"""Secret rows through secret trees over real processes and TLS, checked against scikit-learn in the clear."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import RandomForestRegressor

from bench.primitives import everyone
from mpc import LocalCluster, Party
from mpc.party import current_scope
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


@dataclass(frozen=True)
class _Timing:
    seconds: list[float]
    sent: int
    depth: tuple[int, int]
    peak: float
    predicted: npt.NDArray[Any]


async def _timed(party: Party, job: _Job) -> _Timing:
    size: dict[str, Any] = {"depth": job.depth, "trees": job.trees, "features": job.features, "kind": "regressor"}
    model = await share_trees(party, job.model, owner=0, **size)
    rows, _ = await share_rows(party, job.rows, owner=1)
    seconds: list[float] = []
    found, sent, depth = None, 0, 0
    for _ in range(job.repeats + 1):  # the first one warms up
        await everyone(party)
        depth, sent = current_scope().depth, party.transport.traffic.bytes_sent
        begin = time.perf_counter()
        found = await model.predict(rows)
        seconds.append(time.perf_counter() - begin)
    after, sent = current_scope().depth, party.transport.traffic.bytes_sent - sent
    assert found is not None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return _Timing(seconds[1:], sent, (depth, after), peak, await party.reveal(found))


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
            np.testing.assert_allclose(answers[0].predicted, expected, rtol=0, atol=_TOLERANCE)
            seconds = statistics.median(max(times) for times in zip(*(a.seconds for a in answers), strict=True))
            figures.append(
                Figure(
                    op="trees",
                    parties=parties,
                    size=rows,
                    trees=trees,
                    depth=depth,
                    features=features,
                    seconds=seconds,
                    ns_per_row_and_tree=seconds / rows / trees * 1e9,
                    bytes_per_party=statistics.mean(a.sent for a in answers),
                    rounds=max(a.depth[1] for a in answers) - max(a.depth[0] for a in answers),
                    peak_mib_per_party=max(a.peak for a in answers),
                    plaintext_seconds=plain,
                )
            )
    return [asdict(f) for f in figures]
