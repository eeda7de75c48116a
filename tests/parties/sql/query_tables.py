"""Tables of three members in files; what DuckDB makes of a query on all of them pooled; ours without its noise."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet

from mpc import MemoryCluster
from mpc.sharing import Layout
from parties.data.published import PublishedColumn, PublishedTable
from parties.kinds.kind import Owned, Plan, Work
from parties.running.own_rows_kept import OwnRows, reading_of
from parties.sql.kind_query import QUERY
from parties.sql.plan import tables_of
from parties.sql.program import run
from tests.parties.consortium import charter, member
from tests.parties.job_tables import ALL, NoLine, inputs, opened_by

__all__ = ["EPSILON", "World", "assert_same", "made_world", "read_all", "run_exact"]

WARDS = ("north", "south", "west", "North East")
LEVELS = ("low", "middle", "high")
FIRST, LAST = datetime.date(2019, 6, 1), datetime.date(2022, 3, 31)
EPSILON = 64.0


def column(name: str, kind: str, **options: Any) -> PublishedColumn:
    return PublishedColumn(name, kind, uses=ALL[kind], **options)


def _table(name: str, source: Path, rows: int, capacity: int, *columns: PublishedColumn) -> PublishedTable:
    named = {c.name: c for c in (column("person", "key", profile="integer"), *columns)}
    return PublishedTable(name, str(source), "person", rows, capacity, named, counts=True, epsilon_a_job=128.0)


def _nulls(rng: np.random.Generator, values: Any, share: float) -> Any:
    return [None if rng.random() < share else value for value in values]


def stays_frame(seed: int, n: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    days = rng.integers(0, (LAST - FIRST).days + 1, n)
    return pa.table(
        {
            "person": pa.array(rng.choice(n * 2, n, replace=False), pa.int64()),
            "age": pa.array(_nulls(rng, rng.integers(0, 91, n).tolist(), 0.15), pa.int64()),
            "cost": pa.array(_nulls(rng, (rng.integers(-160, 6401, n) / 64).tolist(), 0.1), pa.float64()),
            "score": pa.array(rng.integers(-9, 10, n), pa.int64()),
            "died": pa.array(_nulls(rng, (rng.random(n) < 0.4).tolist(), 0.1), pa.bool_()),
            "ward": pa.array(_nulls(rng, rng.choice(WARDS, n).tolist(), 0.1), pa.string()),
            "seen": pa.array(_nulls(rng, [FIRST + datetime.timedelta(int(d)) for d in days], 0.1), pa.date32()),
        }
    )


def visits_frame(seed: int, n: int, people: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    who = np.repeat(rng.choice(people * 2, people, replace=False), 4)[rng.permutation(people * 4)[:n]]
    return pa.table(
        {
            "person": pa.array(who, pa.int64()),
            "minutes": pa.array(_nulls(rng, rng.integers(0, 120, n).tolist(), 0.1), pa.int64()),
            "price": pa.array(rng.integers(0, 640, n) / 64, pa.float64()),
            "reason": pa.array(rng.choice(["fall", "fever", "check"], n), pa.string()),
        }
    )


def people_frame(seed: int, n: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    born = [datetime.date(1930, 1, 1) + datetime.timedelta(int(d)) for d in rng.integers(0, 25_000, n)]
    return pa.table(
        {
            "person": pa.array(rng.choice(70, n, replace=False), pa.int64()),
            "level": pa.array(_nulls(rng, rng.choice(LEVELS, n).tolist(), 0.1), pa.string()),
            "income": pa.array(_nulls(rng, rng.integers(-50, 1000, n).tolist(), 0.1), pa.int64()),
            "rate": pa.array(rng.integers(0, 129, n) / 64, pa.float64()),
            "born": pa.array(born, pa.date32()),
        }
    )


def sales_frame(seed: int, n: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    return pa.table(
        {
            "person": pa.array(rng.choice(70, n, replace=False), pa.int64()),
            "buys": pa.array(_nulls(rng, (rng.random(n) < 0.5).tolist(), 0.1), pa.bool_()),
            "spent": pa.array(rng.integers(0, 3200, n) / 64, pa.float64()),
        }
    )


@dataclass(frozen=True)
class World:
    """The published tables, and a DuckDB that has all their rows."""

    catalogue: tuple[Owned, ...]
    oracle: duckdb.DuckDBPyConnection

    def tables(self, text: str) -> list[Owned]:
        named = {(one.member, one.facts.name): one for one in self.catalogue}
        return [named[pair] for pair in tables_of(text, self.catalogue)]

    def plan(self, text: str, m: int = 3, **more: Any) -> Plan:
        by = charter(*(member(i) for i in range(m)), threshold=Layout(m, None).t)
        return QUERY.check({"sql": text, "epsilon": EPSILON, **more}, self.tables(text), by)

    def exact(self, text: str, m: int = 3, **more: Any) -> dict[str, Any]:
        """The answer without noise, of rows read from the files by what each owner is asked."""
        plan = self.plan(text, m, **more)
        return run_exact(plan, read_all(plan), m)

    def truth(self, text: str) -> list[tuple[Any, ...]]:
        return self.oracle.execute(text).fetchall()


def read_all(plan: Plan) -> list[tuple[int | None, Mapping[str, Any]]]:
    owners = {"alfa": 0, "bravo": 1, "charlie": 2}
    by_name = {(table.member, table.facts.name): table.facts for table in plan.details.tables}
    found: list[tuple[int | None, Mapping[str, Any]]] = []
    for ask, table in zip(plan.asks, plan.details.tables, strict=True):
        if ask.beside:
            found.append((owners[ask.member], {}))
            continue
        others = tuple(by_name[ask.member, name] for name in (ask.query.others if ask.query else ()))
        found.append((owners[ask.member], OwnRows().all(table.facts, reading_of(ask), others)))
    return found


def run_exact(plan: Plan, given: Sequence[Any], m: int = 3) -> dict[str, Any]:
    t = Layout(m, None).t

    async def program(party: Any, work: Work) -> Any:
        return await run(party, NoLine(), work, unsafe_exact=True)

    outcomes = MemoryCluster(m, t, seed=5).run(program, inputs(QUERY, plan, given, m, t))
    return QUERY.answer(plan, opened_by(plan, outcomes, m, t))


def made_world(folder: Path) -> World:
    frames = {
        ("alfa", "stays"): stays_frame(1, 33),
        ("bravo", "stays"): stays_frame(2, 28),
        ("charlie", "stays"): stays_frame(3, 20),
        ("alfa", "visits"): visits_frame(4, 40, 14),
        ("bravo", "visits"): visits_frame(5, 30, 12),
        ("bravo", "people"): people_frame(6, 38),
        ("charlie", "sales"): sales_frame(7, 36),
    }
    oracle, catalogue = duckdb.connect(), []
    for (who, name), frame in frames.items():
        path = folder / f"{who}-{name}.parquet"
        pyarrow.parquet.write_table(frame, path)
        oracle.execute(f"CREATE SCHEMA IF NOT EXISTS {who}")
        oracle.execute(f"CREATE TABLE {who}.{name} AS SELECT * FROM read_parquet('{path}')")
        catalogue.append(Owned(who, published(name, path, who)))
    for name in dict.fromkeys(name for _, name in frames):
        parts = " UNION ALL ".join(f"SELECT * FROM {who}.{one}" for who, one in frames if one == name)
        oracle.execute(f"CREATE VIEW {name} AS {parts}")
    return World(tuple(catalogue), oracle)


def published(name: str, path: Path, who: str) -> PublishedTable:
    if name == "stays":
        wards = WARDS if who != "charlie" else tuple(reversed(WARDS))
        return _table(
            name, path, 1, 40, column("age", "integer", low=0, high=90), column("cost", "real", low=-2.5, high=100.0),
            column("score", "integer", low=-9, high=9, missing=0), column("died", "boolean"),
            column("ward", "category", categories=wards), column("seen", "date", low=FIRST, high=LAST),
        )  # fmt: skip
    if name == "visits":
        return _table(
            name, path, 4, 45, column("minutes", "integer", low=0, high=120),
            column("price", "real", low=0.0, high=10.0, missing=0.0),
            column("reason", "category", categories=("fall", "fever", "check"), missing="check"),
        )  # fmt: skip
    if name == "people":
        low, high = datetime.date(1930, 1, 1), datetime.date(2000, 1, 1)
        return _table(
            name, path, 1, 40, column("level", "category", categories=LEVELS),
            column("income", "integer", low=-50, high=1000), column("rate", "real", low=0.0, high=2.0, missing=0.0),
            column("born", "date", low=low, high=high, missing=low),
        )  # fmt: skip
    return _table(
        name, path, 1, 40, column("buys", "boolean"), column("spent", "real", low=0.0, high=50.0, missing=0.0)
    )


def assert_same(ours: dict[str, Any], theirs: Sequence[tuple[Any, ...]], *, ordered: bool, within: float) -> None:
    """Cell by cell; without an order as sets. A sum of no rows is 0 here: nobody may know that there are none."""
    mine = [tuple(row) for row in ours["rows"]]
    told = [tuple(_plain(x) for x in row) for row in theirs]
    if not ordered:
        mine, told = sorted(mine, key=_key), sorted(told, key=_key)
    assert len(mine) == len(told), (mine, told)
    for a, b in zip(mine, told, strict=True):
        assert len(a) == len(b) and all(_alike(x, y, within) for x, y in zip(a, b, strict=True)), (mine, told)


def _alike(mine: Any, told: Any, within: float) -> bool:
    if told is None or mine is None:
        return mine is None or mine == 0
    if isinstance(told, float) or isinstance(mine, float):
        return math.isclose(mine, told, rel_tol=1e-4, abs_tol=within)
    return bool(mine == told)


def _plain(x: Any) -> Any:
    if isinstance(x, datetime.date):
        return x.isoformat()[:10]
    return float(x) if hasattr(x, "as_tuple") else x


def _key(row: Sequence[Any]) -> tuple[Any, ...]:
    return tuple((x is None, isinstance(x, str), round(x, 1) if isinstance(x, float) else x or 0) for x in row)
