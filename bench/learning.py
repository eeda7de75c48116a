"""Models fitted over real processes and TLS, beside scikit-learn on the pooled rows in the same run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter
from sklearn import linear_model
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from bench.timing import Timing, cost, timed
from mpc import LocalCluster, Party
from protocols.linear import Ridge
from protocols.logistic import LogisticRegression

__all__ = ["JOBS", "Figure", "measure"]

Coefficients = npt.NDArray[Any]


@dataclass(frozen=True)
class Figure:
    """One line. ``coefficient_error``: the largest difference of standardised coefficients from scikit-learn's;
    ``auc_loss``: by how much the area under the curve is below its, and ``points_lost``: by how many rows in a hundred
    its predictions on these rows are right more often; None for a regression."""

    op: str
    parties: int
    rows: int
    features: int
    seconds: float
    bytes_per_party: float
    rounds: int
    peak_mib_per_party: float
    coefficient_error: float
    auc_loss: float | None
    points_lost: float | None
    plaintext_seconds: float


@dataclass(frozen=True)
class _Job:
    """What is fitted to which rows: ``rows`` 0 means the breast cancer data. ``side``: the features are the pixels of
    blurred noise, that many in a line of a square, as those of a picture follow from one another."""

    rows: int
    features: int
    ours: Callable[[], Any]
    theirs: Callable[[], Any]
    side: int = 0

    def table(self) -> tuple[Any, Any]:
        """(X standardised, y of 0 and 1)."""
        if not self.rows:
            data = load_breast_cancer()
            return StandardScaler().fit_transform(data.data), data.target
        r = np.random.default_rng(1)
        x = r.normal(size=(self.rows, self.features))
        if self.side:
            blur = (0, 3.0, 3.0)
            x = gaussian_filter(x.reshape(-1, self.side, self.side), blur).reshape(x.shape)
        else:
            x[:, 1:] += 0.3 * x[:, :-1]
        x /= x.std(axis=0)
        score = x @ r.normal(size=self.features)
        score *= (4 if self.side else 2) / (score.std() if self.side else np.sqrt(self.features))
        return x, (r.random(self.rows) < 1 / (1 + np.exp(-score))).astype(np.int64)


def _newton() -> Any:
    return LogisticRegression(max_iter=8)


def _sgd() -> Any:
    return LogisticRegression(solver="sgd", max_iter=1)


def _small_batches() -> Any:
    """An epoch of 79 batches, the last of 16 rows."""
    return LogisticRegression(solver="sgd", max_iter=1, batch_size=128, learning_rate=0.005)


def _exact() -> Any:
    return linear_model.LogisticRegression(solver="newton-cholesky", tol=1e-8, max_iter=200)


JOBS = {
    "newton, breast cancer": _Job(0, 30, _newton, _exact),
    "newton": _Job(100_000, 100, _newton, _exact),
    "sgd, one epoch": _Job(100_000, 100, _sgd, _exact),
    "sgd, batches of 128": _Job(10_000, 784, _small_batches, _exact, side=28),
    "ridge": _Job(100_000, 100, Ridge, linear_model.Ridge),
    "newton, 10^6 rows": _Job(1_000_000, 50, _newton, _exact),
}


async def _timed(party: Party, work: tuple[str, int]) -> tuple[Timing, Coefficients, Coefficients]:
    """Also the coefficients and intercepts of the last fit."""
    name, repeats = work
    job = JOBS[name]
    x, y = job.table() if party.index < 2 else (None, None)
    X = await party.input(x if party.index == 0 else None, owner=0)
    target = await party.input(y if party.index == 1 else None, owner=1)
    del x, y
    model = job.ours()
    timing, _ = await timed(party, repeats, lambda _: model.fit(X, target))
    return timing, np.asarray(await party.reveal(model.coef_)), np.asarray(await party.reveal(model.intercept_))


def measure(parties: int, ops: list[str], *, repeats: int = 3, rtt: float = 0.0) -> list[dict[str, Any]]:
    """A figure for each job, as dictionaries. A repetition takes as long as its slowest party; the median counts."""
    return [asdict(_figure(parties, op, repeats, rtt)) for op in ops]


def _figure(parties: int, op: str, repeats: int, rtt: float) -> Figure:
    job = JOBS[op]
    with LocalCluster(parties=parties, rtt=rtt) as cluster:
        answers = cluster.run(_timed, [(op, repeats)] * parties)
    x, y = job.table()
    begin = time.perf_counter()
    theirs = job.theirs().fit(x, y)
    plain = time.perf_counter() - begin
    (_, coef, level), taken = answers[0], cost([timing for timing, _, _ in answers], warming=0)
    loss = points = None
    if hasattr(theirs, "predict_proba"):
        scores = x @ coef.reshape(-1) + level
        loss = float(roc_auc_score(y, theirs.decision_function(x)) - roc_auc_score(y, scores))
        points = 100 * float(theirs.score(x, y) - ((scores > 0) == y).mean())
    return Figure(
        op=op,
        parties=parties,
        rows=x.shape[0],
        features=x.shape[1],
        seconds=taken.seconds,
        bytes_per_party=taken.bytes_per_party,
        rounds=taken.rounds,
        peak_mib_per_party=taken.peak_mib_per_party,
        coefficient_error=float(np.abs((coef - theirs.coef_) * x.std(axis=0)).max()),
        auc_loss=loss,
        points_lost=points,
        plaintext_seconds=plain,
    )
