"""A warm session over real processes and TLS: what one answer takes, what the handle adds to it, how many a second."""

from __future__ import annotations

import statistics
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LogisticRegression as PlainRegression

from bench.timing import everyone
from mpc import LocalCluster, Party
from mpc.party import current_scope
from parties.serving import LocalSession
from protocols.inquiry import Kind, Request, Terms
from protocols.logistic import LogisticRegression
from protocols.served import Served, served
from protocols.serving import serve
from protocols.tree_models import from_sklearn
from protocols.trees import share_trees

__all__ = ["MODELS", "SIZES", "Figure", "measure"]

MODELS = ("tree", "100 trees", "logistic")
SIZES = (1, 100, 1_000)

_FIT, _COLUMNS, _DEPTH = 2_000, 20, 6
_TOLERANCE = {"predict": 1e-5, "predict_proba": 1e-3}
_LEAST, _MOST = 5, 200  # requests timed
_WARMING = 2
_MODEL, _ROWS, _RECEIVER = 0, 1, 2  # who has the model, the rows, the answers


@dataclass(frozen=True)
class Figure:
    """One line; seconds of one request.

    ``median`` and ``p95``: from the call to its answer through a LocalSession; ``protocol``: of that, from when the
    receiver's process has the request to when it has the answer; ``handle``: the rest. Medians, each of its own.
    ``per_second``: questions answered, when they are submitted without waiting, so that small ones go out together.
    """

    op: str
    parties: int
    size: int
    features: int
    median: float
    p95: float
    protocol: float
    handle: float
    per_second: float
    rounds: int
    bytes_per_party: float


@dataclass(frozen=True)
class _Model:
    """``load`` at every party of ``inputs`` gives what is served; ``plain`` answers in the clear."""

    load: Callable[[Party, Any], Any]
    inputs: list[Any]
    kind: Kind
    plain: Callable[[npt.NDArray[Any]], npt.NDArray[Any]]


async def _tree(party: Party, told: tuple[Any, int]) -> Served:
    mine, trees = told
    size: dict[str, Any] = {"depth": _DEPTH, "trees": trees, "features": _COLUMNS, "kind": "regressor"}
    return served(await share_trees(party, mine, owner=_MODEL, **size))


async def _regression(party: Party, told: Any) -> Served:
    X, y = (party.input(part, owner=_MODEL) for part in told)
    return served(await LogisticRegression().fit(await X, await y))


def _model(name: str, parties: int) -> _Model:
    r = np.random.default_rng(1)
    X = np.rint(r.normal(0, 1, (_FIT, _COLUMNS)) * 65536) / 65536
    target = X @ r.normal(0, 1, _COLUMNS) + np.sin(3 * X[:, 0])
    if name == "logistic":
        y = (target > 0).astype(np.int64)
        inputs: list[Any] = [(X, y) if i == _MODEL else (None, None) for i in range(parties)]
        return _Model(_regression, inputs, "predict_proba", PlainRegression(tol=1e-8).fit(X, y).predict_proba)
    trees = 100 if name == "100 trees" else 1
    forest = RandomForestRegressor(trees, max_depth=_DEPTH, random_state=1).fit(X, target)
    inputs = [(from_sklearn(forest) if i == _MODEL else None, trees) for i in range(parties)]
    return _Model(_tree, inputs, "predict", forest.predict)


async def _one(party: Party, told: Any) -> tuple[int, int]:
    """Bytes this party sends for a request, and its rounds."""
    load, mine, kind, size, rows = told
    model = await load(party, mine)

    async def requests() -> AsyncIterator[Request]:
        yield Request(1, kind, size, _ROWS, rows)

    await everyone(party)
    traffic, depth = party.transport.traffic, current_scope().depth
    before = traffic.bytes_sent
    await serve(party, model, Terms((_ROWS,), {kind: _RECEIVER}), requests(), lambda answer: None)
    return traffic.bytes_sent - before, traffic.rounds - depth


def measure(
    parties: int,
    models: tuple[str, ...] = MODELS,
    sizes: tuple[int, ...] = SIZES,
    *,
    seconds: float = 2.0,
    rtt: float = 0.0,
    tell: Callable[[str], None] = lambda text: None,
) -> list[dict[str, Any]]:
    """A figure for each model and size of a request. About ``seconds`` for each of two measurements.

    Answers must be scikit-learn's, else AssertionError.
    """
    figures = []
    with LocalCluster(parties=parties, rtt=rtt) as cluster:
        for name in models:
            model = _model(name, parties)
            for size in sizes:
                tell(f"{name}, {size} rows")
                figures.append(asdict(_figure(cluster, name, model, size, seconds)))
    return figures


def _figure(cluster: LocalCluster, name: str, model: _Model, size: int, seconds: float) -> Figure:
    rows = np.rint(np.random.default_rng(2).normal(0, 1, (size, _COLUMNS)) * 65536) / 65536
    times: list[float] = []
    within: list[float] = []
    with LocalSession(cluster, model.load, model.inputs, owner=_ROWS, to={model.kind: _RECEIVER}) as session:
        for _ in range(_WARMING):
            answer = session.ask(model.kind, rows)
        np.testing.assert_allclose(answer, model.plain(rows), rtol=0, atol=_TOLERANCE[model.kind])
        while len(times) < _LEAST or (sum(times) < seconds and len(times) < _MOST):
            begin = time.perf_counter()
            session.ask(model.kind, rows)
            times.append(time.perf_counter() - begin)
            within.append(session.seconds)
        begin = time.perf_counter()
        for future in [session.submit(model.kind, rows) for _ in times]:
            future.result()
        each = (time.perf_counter() - begin) / len(times)
    owned = [rows if i == _ROWS else None for i in range(cluster.m)]
    told = [(model.load, mine, model.kind, size, own) for mine, own in zip(model.inputs, owned, strict=True)]
    sent, rounds = zip(*cluster.run(_one, told), strict=True)
    return Figure(
        op=name,
        parties=cluster.m,
        size=size,
        features=_COLUMNS,
        median=statistics.median(times),
        p95=float(np.percentile(times, 95)),
        protocol=statistics.median(within),
        handle=statistics.median(t - w for t, w in zip(times, within, strict=True)),
        per_second=1 / each,
        rounds=max(rounds),
        bytes_per_party=statistics.mean(sent),
    )
