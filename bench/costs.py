"""Jobs of all kinds over real nodes, and the factors by which costs.py foretells what a job takes.

Every job is asked for as an analyst does, of three nodes on this machine, and timed from the call to the answer. Each
figure is a sum of public sizes of the plan times factors of 0 or more: non-negative least squares on relative errors.
How good that is, is told by jobs the factors were not fitted to: each job is left out once.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import nnls
from sklearn.ensemble import RandomForestClassifier

from bench.machine import describe
from bench.nodes import NAMES, nodes
from parties.client import Client
from parties.data.published import KINDS, PublishedColumn, PublishedTable
from parties.kinds.kind import Owned, Plan
from parties.membership.charter_store import CharterStore
from parties.models.fitted import Coefficient, FittedLogistic
from parties.models.model_assets import ModelAssets
from parties.models.model_rules import ANSWERS, ModelRules
from parties.planning.costs import FILE, WHAT, foretold, sizes_of
from parties.planning.kinds import kind_of
from parties.setup.home import Home
from parties.wire.model_messages import BroughtIn
from protocols.tree_models import from_sklearn

__all__ = ["Asked", "Measured", "factors_of", "left_out", "measure", "save"]

_WARD, _REGION = tuple(f"w{i}" for i in range(8)), tuple(f"r{i}" for i in range(60))
_FEATURES = ("age", "cost", "score")
_WARMING = 5
_SIZES = ("tiny", "small", "middle", "large")
_FOREST = (("small", 10, 4), ("large", 60, 6))


@dataclass(frozen=True)
class Asked:
    """One job."""

    kind: str
    parameters: Mapping[str, Any]
    tables: tuple[str, ...]

    @property
    def name(self) -> str:
        """For a table of figures."""
        said = self.parameters.get("sql") or ", ".join(
            f"{name} {value}" for name, value in self.parameters.items() if name not in ("epsilon", "delta")
        )
        return f"{self.kind}: {said} of {', '.join(self.tables)}"


@dataclass(frozen=True)
class Measured:
    """What it took: by what of WHAT, bytes of one member on average; and its plan's sizes."""

    name: str
    kind: str
    sizes: Mapping[str, float]
    took: Mapping[str, float]


def measure(repeats: int = 3, most: int = 60_000, tell: Callable[[str], None] = lambda text: None) -> list[Measured]:
    """All jobs, on tables of up to ``most`` rows."""
    rows = dict(zip(_SIZES, (1000, max(1000, most // 16), max(1000, most // 4), most), strict=True))
    found: list[tuple[Asked, Plan, str, float]] = []
    facts: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="accord-bench-") as directory:

        def tables(member: str) -> dict[str, tuple[PublishedTable, pd.DataFrame]]:
            return {
                name: (_table(name, Path(directory) / f"{member}-{name}.csv", n), _rows(member, n))
                for name, n in rows.items()
            }

        tell("three nodes start")
        with nodes(tables, prepare=_offer, finish=lambda homes: facts.update(_facts(homes))) as running:
            charter = CharterStore(running.homes[NAMES[0]]).chain[-1]
            published = {
                f"{member}.{name}": Owned(member, _table(name, Path("x"), n))
                for member in NAMES
                for name, n in rows.items()
            }
            for k, asked in enumerate(_jobs()):
                tell(asked.name)
                for _ in range(_WARMING if k == 0 else 0):
                    _run(running.client, asked)
                parameters = _stated(asked, running.homes)
                plan = kind_of(asked.kind).check(parameters, [published[name] for name in asked.tables], charter)
                taken = [_run(running.client, asked) for _ in range(1 + repeats)][1:]
                found.append((asked, plan, taken[-1][0], statistics.median(seconds for _, seconds in taken)))
    return [
        Measured(asked.name, asked.kind, sizes_of(plan), {"seconds": seconds, **facts[job]})
        for asked, plan, job, seconds in found
    ]


def factors_of(measured: Sequence[Measured]) -> dict[str, dict[str, dict[str, float]]]:
    """costs.Costs.factors, fitted to these."""
    return {
        kind: {what: _fitted([one for one in measured if one.kind == kind], what) for what in WHAT}
        for kind in dict.fromkeys(one.kind for one in measured)
    }


def left_out(measured: Sequence[Measured], what: str) -> Iterator[tuple[Measured, float]]:
    """(a job, what factors that were fitted to all others foretell of it)."""
    for one in measured:
        others = [other for other in measured if other.kind == one.kind and other is not one]
        factors = _fitted(others, what)
        yield one, foretold(factors, one.sizes)


def save(measured: Sequence[Measured]) -> None:
    """The factors, and where they come from, into costs.FILE."""
    factors = {
        kind: {what: {name: float(f"{x:.4g}") for name, x in found.items()} for what, found in whats.items()}
        for kind, whats in factors_of(measured).items()
    }
    FILE.write_text(
        json.dumps({"machine": describe(), "jobs": len(measured), "factors": factors}, indent=1) + "\n", "ascii"
    )


def _fitted(measured: Sequence[Measured], what: str) -> dict[str, float]:
    names = sorted({name for one in measured for name in one.sizes})
    took = np.array([one.took[what] for one in measured])
    sizes = np.array([[one.sizes.get(name, 0.0) for name in names] for one in measured]) / took[:, None]
    scale = np.maximum(sizes.max(axis=0, initial=0.0), 1e-300)
    factors, _ = nnls(sizes / scale, np.ones(len(measured)), maxiter=1000)
    return {name: float(x) for name, x in zip(names, factors / scale, strict=True) if x > 0}


def _run(client: Client, asked: Asked) -> tuple[str, float]:
    """(job, seconds)."""
    begin = time.perf_counter()
    results = [asked.tables[0].partition(".")[0]] if asked.kind == "score" else ["alfa"]
    handle = client.submit(asked.kind, asked.parameters, asked.tables, results, fresh=True)
    handle.result(progress=False)
    return handle.id, time.perf_counter() - begin


def _facts(homes: Mapping[str, Home]) -> dict[str, dict[str, float]]:
    """Rounds and bytes of every job, as the nodes kept them."""
    found: dict[str, dict[str, list[float]]] = {}
    for home in homes.values():
        with contextlib.closing(sqlite3.connect(home.jobs)) as db:
            for job, name, value in db.execute("SELECT id, name, value FROM fact WHERE name IN ('rounds', 'bytes')"):
                found.setdefault(job, {}).setdefault(name, []).append(float(json.loads(value)))
    return {job: {name: statistics.mean(values) for name, values in whats.items()} for job, whats in found.items()}


# -- jobs ------------------------------------------------------------------------------------------


def _jobs() -> Iterator[Asked]:
    all_of = lambda size, members=NAMES: tuple(f"{member}.{size}" for member in members)  # noqa: E731
    two = NAMES[:2]
    for size in _SIZES:
        yield Asked("aggregate", {"figures": ["count"], "epsilon": 1.0}, all_of(size, two))
        yield Asked("aggregate", {"figures": [{"mean": "cost"}, {"sum": "age"}], "epsilon": 1.0}, all_of(size))
        for by, members, figures in (
            ("ward", NAMES, ["count"]),
            ("region", two, ["count", {"mean": "cost"}, {"sum": "age"}]),
            ("region", NAMES[:1], [{"sum": "cost"}]),
        ):
            asked = {"figures": figures, "by": by, "epsilon": 1.0, "minimum": 5}
            yield Asked("aggregate", asked, all_of(size, members))
        for members, figures, by in (
            (two, ["count"], None), (two, [{"mean": "alfa.cost"}, {"sum": "bravo.age"}], None),
            (two, ["count", {"mean": "bravo.cost"}], "alfa.ward"), (NAMES, ["count"], None),
        ):  # fmt: skip
            asked = {"figures": figures, "epsilon": 1.0, "show_matches": True}
            yield Asked("join", {**asked, **({} if by is None else {"by": by})}, all_of(size, members))
        yield Asked(
            "join", {"figures": ["count"], "epsilon": 1.0, "pad": {"epsilon": 1.0, "delta": 1e-6}}, all_of(size, two)
        )
        for sql, members in (
            ("SELECT COUNT(*), AVG(cost) FROM {0} WHERE age > 40", NAMES),
            ("SELECT ward, COUNT(*), AVG(cost) FROM {0} WHERE age > 40 GROUP BY ward", two),
            ("SELECT region, SUM(age) FROM {0} WHERE died GROUP BY region", NAMES),
            ("SELECT MEDIAN(cost), COUNT(*) FROM {0}", two),
            ("SELECT ward, MEDIAN(age) FROM alfa.{0} GROUP BY ward", two[:1]),
            ("SELECT region, MEDIAN(age) FROM alfa.{0} GROUP BY region", two[:1]),
        ):
            yield Asked(
                "query",
                {"sql": sql.format(size), "epsilon": 5.0, "minimum": 5},
                all_of(size, NAMES if ".{" not in sql else members),
            )
        for sql in (
            "SELECT COUNT(*) FROM alfa.{0} a JOIN bravo.{0} b USING (person)",
            "SELECT a.ward, COUNT(*), SUM(b.cost * a.age) FROM alfa.{0} a JOIN bravo.{0} b USING (person) "
            "WHERE b.age > 40 GROUP BY a.ward",
        ):
            yield Asked("query", {"sql": sql.format(size), "epsilon": 5.0, "show_matches": True}, all_of(size, two))
        for options, features, members in (
            ({"max_iter": 5}, ["age"], two),
            ({"max_iter": 10, "batch_size": 500}, ["age", "cost", "score"], NAMES),
            ({"max_iter": 4}, ["age", "cost", "ward"], NAMES),
        ):
            if size in ("middle", "large") and "batch_size" in options:
                options = {"max_iter": 2, "batch_size": 8192}
            asked = {"features": features, "label": "died", "epsilon": 4.0, "delta": 1e-6, **options}
            yield Asked("train", asked, all_of(size, members))
        for name, *_ in _FOREST:
            if size == "large" and name == "large":
                continue
            for answer in ("predict", "predict_proba"):
                yield Asked("score", {"model": f"bravo.{name}", "answer": answer}, (f"alfa.{size}",))
        for answer in ANSWERS:
            yield Asked("score", {"model": "bravo.linear", "answer": answer}, (f"alfa.{size}",))


def _table(name: str, source: Path, rows: int) -> PublishedTable:
    def column(name: str, kind: str, **more: Any) -> PublishedColumn:
        return PublishedColumn(name, kind, uses=frozenset(KINDS[kind]), **more)

    columns = (
        column("person", "key", profile="integer"), column("age", "integer", low=0, high=100),
        column("cost", "real", low=0.0, high=1000.0), column("score", "real", low=-1.0, high=1.0),
        column("died", "boolean"), column("ward", "category", categories=_WARD),
        column("region", "category", categories=_REGION),
    )  # fmt: skip
    found = {one.name: one for one in columns}
    return PublishedTable(name, str(source), "person", 1, rows, found, counts=True, epsilon_a_job=100.0)


def _rows(member: str, n: int) -> pd.DataFrame:
    rng = np.random.default_rng(NAMES.index(member))
    return pd.DataFrame({
        "person": rng.permutation(2 * n)[:n], "age": rng.integers(0, 101, n), "cost": rng.gamma(2.0, 100.0, n),
        "score": rng.uniform(-1, 1, n), "died": rng.random(n) < 0.1, "ward": rng.choice(_WARD, n),
        "region": rng.choice(_REGION, n),
    })  # fmt: skip


def _stated(asked: Asked, homes: Mapping[str, Home]) -> Mapping[str, Any]:
    """Its parameters, with what a node looks up of the model they name."""
    if "model" not in asked.parameters:
        return asked.parameters
    owner, name = asked.parameters["model"].split(".")
    asset = ModelAssets(homes[owner].models).find(name)
    told = {"owner": owner, "name": name, "version": asset.version, "id": asset.id, "family": asset.facts.family}
    return {**asked.parameters, "model": {**told, **asset.facts.fields}, "features": list(asset.facts.features)}


def _offer(member: str, home: Home) -> None:
    if member != "bravo":
        return
    rows = _rows(member, 2000)
    rules = ModelRules(members=None, answers=frozenset(ANSWERS))
    for name, trees, depth in _FOREST:
        forest = RandomForestClassifier(trees, max_depth=depth, random_state=0).fit(rows[list(_FEATURES)], rows["died"])
        lineage = BroughtIn(by="bench", file=name, sha256="0" * 64)
        model = from_sklearn(forest)
        ModelAssets(home.models).add(model, name, lineage, 0.0, features=_FEATURES, rules=rules, depth=depth)
    terms = [Coefficient(name, None, 0.0, 100.0, 0.5) for name in ("age", "cost")]
    terms += [Coefficient("region", region, 0.0, 1.0, 0.1) for region in _REGION]
    told: dict[str, Any] = {"bound": 1.0, "spread": 2.0, "label": "died", "positive": None}
    linear = FittedLogistic(terms, -1.0, **told, epsilon=1.0, delta=1e-6)
    lineage = BroughtIn(by="bench", file="linear", sha256="0" * 64)
    ModelAssets(home.models).add(linear, "linear", lineage, 0.0, rules=rules)
