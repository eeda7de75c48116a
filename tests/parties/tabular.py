"""Tables for tests, and what pandas makes of them: an oracle that shares no code with the engines' queries."""

from __future__ import annotations

import datetime
import operator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet

from parties.data.published import KINDS, PublishedColumn, PublishedTable
from parties.data.row_filter import AllOf, AnyOf, Compare, Filter, Not
from parties.data.tables import Batch
from protocols.own_rows import clip_rows, encode_codes

LOW, HIGH = datetime.date(2020, 1, 10), datetime.date(2021, 3, 1)
LEAP = datetime.date(2020, 2, 29)
_DAYS = [-900, -1, 0, 1, 200, 416, 417, 9000]
COLUMNS = {
    column.name: column
    for column in (
        PublishedColumn("id", "key", frozenset({"join", "count"}), profile="text"),
        PublishedColumn("age", "integer", frozenset(KINDS["integer"]), low=0, high=100, missing=7),
        PublishedColumn("cost", "real", frozenset(KINDS["real"]), low=-10.0, high=50.5, missing=0.25),
        PublishedColumn("Sex (m/f)", "category", frozenset(KINDS["category"]), categories=("F", "M", "é"), missing="M"),
        PublishedColumn("ward", "category", categories=("a", "b", "rest"), other="rest", missing="a"),
        PublishedColumn("dead", "boolean", frozenset(KINDS["boolean"]), missing=True),
        PublishedColumn("seen", "date", frozenset(KINDS["date"]), low=LOW, high=HIGH, missing=LEAP),
        PublishedColumn("count", "integer", frozenset({"sum"}), low=-3, high=3),
    )
}


def table(source: Path | str, *, rows_a_person: int = 100, capacity: int = 10_000, **other: Any) -> PublishedTable:
    """All of COLUMNS, published of a source."""
    given: dict[str, Any] = {"columns": COLUMNS, "counts": True, "epsilon_a_job": 2.0} | other
    return PublishedTable("patients", str(source), "id", rows_a_person, capacity, **given)


def frame(seed: int, n: int = 60, *, missing: float = 0.1) -> pd.DataFrame:
    """Rows in and out of the bounds, with repeats of people, some of whom are nobody."""
    rng = np.random.default_rng(seed)
    made = pd.DataFrame(
        {
            "id": rng.choice([f"p{i:02d}" for i in range(max(n // 4, 1))], n),
            "age": pd.array(rng.choice([-(10**12), -1, 0, 1, 18, 99, 100, 101, 2**61], n), "Int64"),
            "cost": rng.choice([-1e300, -10.0, -9.75, 0.0, 3.5, 50.5, 51.0, np.inf], n),
            "Sex (m/f)": rng.choice(["F", "M", "é"], n),
            "ward": rng.choice(["a", "b", "c'; drop", "rest", "Z"], n),
            "dead": pd.array(rng.random(n) < 0.5, "boolean"),
            "seen": [LOW + datetime.timedelta(int(days)) for days in rng.choice(_DAYS, n)],
            "count": rng.integers(-5, 6, n),
        }
    )
    for name in ("id", "age", "cost", "Sex (m/f)", "ward", "dead", "seen"):
        made.loc[rng.random(n) < missing, name] = None
    return made


def save(made: pd.DataFrame, path: Path) -> Path:
    """As the file's ending says."""
    if path.suffix == ".csv":
        made.to_csv(path, index=False)
    elif path.suffix == ".parquet":
        rows = pa.Table.from_pandas(made, preserve_index=False)
        if "cost" in made:  # what is missing stays NaN, and does not become NULL
            costs = pa.array(made["cost"].to_numpy(np.float64), from_pandas=False)
            rows = rows.set_column(rows.schema.get_field_index("cost"), "cost", costs)
        pyarrow.parquet.write_table(rows, path)
    else:
        made = made.assign(seen=made["seen"].map(str, na_action="ignore"))
        made["cost"] = made["cost"].replace(np.inf, 1e300)  # JSON has no infinity
        made.to_json(path, orient="records", lines=True, double_precision=15, force_ascii=False)
    return path


def expected(made: pd.DataFrame, where: Filter | None = None) -> pd.DataFrame:
    """The rows wanted, of somebody, encoded."""
    values = pd.DataFrame({name: encode(made[name], column) for name, column in COLUMNS.items()})
    keep = made["id"].notna()
    if where is not None:
        keep &= holds(where, made)
    return values[keep].reset_index(drop=True)


def encode(values: pd.Series, column: PublishedColumn) -> Any:
    """As protocols.own_rows has it."""
    if column.kind == "key":
        return values
    if column.kind == "category":
        filled = values.fillna(column.missing) if column.missing is not None else values
        if column.other is not None:
            filled = filled.where(filled.isin(column.categories), column.other)
        return encode_codes(filled, column.categories)
    low, high, missing = column.low, column.high, column.missing
    if column.kind == "date":
        epoch = pd.Timestamp(0)
        values = pd.Series(pd.array((pd.to_datetime(values) - epoch).dt.days, "Int64"))
        low, high, missing = (None if d is None else (pd.Timestamp(d) - epoch).days for d in (low, high, missing))
    if column.kind == "boolean":
        values, low, high = values.astype("Int64"), 0, 1
        missing = None if missing is None else int(missing)
    return clip_rows(values, low, high, missing=missing)


def holds(where: Filter, made: pd.DataFrame) -> pd.Series:
    """Of every row, whether the filter is true of it, by its encoded values."""
    if isinstance(where, Compare):
        column = COLUMNS[where.column]
        sought = encode(pd.Series([where.value], dtype="Int64" if column.kind == "integer" else None), column)[0]
        compare = {"==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}[where.op]
        return pd.Series(getattr(operator, compare)(encode(made[where.column], column), sought), made.index)
    if isinstance(where, Not):
        return ~holds(where.part, made)
    parts = pd.concat([holds(part, made) for part in where.parts], axis=1)
    return parts.all(axis=1) if isinstance(where, AllOf) else parts.any(axis=1)


def gathered(batches: list[Batch]) -> pd.DataFrame:
    """Batches as one frame, with how many rows each is of."""
    parts = [pd.DataFrame({**batch.columns, "#": batch.rows}) for batch in batches]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def in_order(rows: pd.DataFrame) -> list[tuple[Any, ...]]:
    """The rows in an order of their own: no engine promises one."""
    return sorted(rows.itertuples(index=False, name=None), key=repr)


FILTERS: list[Filter] = [
    *(Compare("age", op, value) for op in ("==", "!=", "<", "<=", ">", ">=") for value in (0, 7, 18, 100)),
    *(Compare("cost", op, value) for op in ("==", "!=", "<", "<=", ">", ">=") for value in (-10.0, 0.25, 3.5, 50.5)),
    *(Compare("seen", op, value) for op in ("==", "<", ">") for value in (LOW, LEAP, HIGH)),
    *(Compare("Sex (m/f)", op, value) for op in ("==", "!=") for value in ("F", "M")),
    *(Compare("ward", op, value) for op in ("==", "!=") for value in ("a", "b", "rest")),
    *(Compare("dead", op, value) for op in ("==", "!=") for value in (True, False)),
    Not(AnyOf((Compare("age", ">", 18), Compare("dead", "==", True)))),
    Not(AllOf((Compare("age", ">", 18), Compare("Sex (m/f)", "==", "F")))),
    AnyOf((Compare("age", ">", 18), AllOf((Compare("dead", "==", False), Not(Compare("cost", ">=", 0.0)))))),
]
