"""Totals by a secret key, against pandas and duckdb."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from mpc import MemoryCluster
from mpc.errors import OutOfRange, ShapeMismatch, WrongType
from protocols.segments import distinct_count, group_by_key, nlargest, sorted_segments
from tests.protocols.tables import SIZES, each_m, on_rows

MOST = (1 << 62) - 1


def in_full(table: Any) -> list[Any]:
    return [*table.keys, table.counts, *table.sums, *table.minima, *table.maxima, table.present]


def filled(expected: Any, n: int) -> list[int]:
    """The groups' figures, then zeros."""
    return [*expected.tolist(), *[0] * (n - len(expected))]


@each_m
@pytest.mark.parametrize("n", SIZES)
def test_table_is_duckdbs(m: int, n: int) -> None:
    r = np.random.default_rng([m, n])
    key, present = r.integers(-3, 9, n) * 10**15, r.integers(0, 3, n) > 0
    whole, real = r.integers(-(10**8), 10**8, n), r.integers(-(10**4), 10**4, n) / 8

    async def program(k: Any, w: Any, x: Any, here: Any) -> Any:
        table = await group_by_key(k, present=here, sums=[w, x], minima=[x], maxima=[w, x])
        return [*in_full(table), *table.means()]

    keys, counts, wholes, reals, least, most, largest, there, mean, _ = on_rows(
        m, program, key, whole, real, present=present
    )
    rows = pd.DataFrame({"k": key, "w": whole, "x": real})[present]
    query = (
        "select k, count(*) c, sum(w)::bigint w, sum(x) x, min(x) least, max(w) most, max(x) largest "
        "from data group by k order by k"
    )
    table = duckdb.from_df(rows).query("data", query).df()
    assert there.tolist() == [True] * len(table) + [False] * (n - len(table))
    for found, name in (
        (keys, "k"), (counts, "c"), (wholes, "w"), (reals, "x"), (least, "least"), (most, "most"), (largest, "largest"),
    ):  # fmt: skip
        assert found.tolist() == filled(table[name], n), name
    assert np.allclose(mean, filled(table.w / table.c, n), rtol=2**-17, atol=2**-14)


@each_m
def test_one_group_no_row_present_and_edges(m: int) -> None:
    key, values = np.array([MOST, -MOST, MOST, -MOST, MOST]), np.array([1, MOST, -MOST, 2, -5])

    async def program(k: Any, v: Any, here: Any) -> Any:
        both = await group_by_key(k, present=here, minima=[v], maxima=[v])
        one = await group_by_key(k * 0, sums=[k * 0 + 3], maxima=[v])
        none = await group_by_key(k, present=here & ~here, sums=[v], minima=[v])
        return in_full(both), in_full(one), in_full(none), await distinct_count(k, present=here & ~here)

    both, one, none, zero = on_rows(m, program, key, values, present=[1, 1, 1, 1, 0])
    assert [x.tolist() for x in both[:4]] == [
        [-MOST, MOST, 0, 0, 0], [2, 2, 0, 0, 0], [2, -MOST, 0, 0, 0], [MOST, 1, 0, 0, 0]
    ]  # fmt: skip
    assert [x.tolist()[:2] for x in one[:4]] == [[0, 0], [5, 0], [15, 0], [MOST, 0]]
    assert all(not np.any(x) for x in none)
    assert zero == 0


@each_m
@pytest.mark.parametrize("n", [0, 1, 77])
def test_two_keys_and_distinct_count_are_pandas(m: int, n: int) -> None:
    r = np.random.default_rng([n, m])
    a, b, present = r.integers(0, 3, n), r.integers(-2, 2, n) / 2, r.integers(0, 2, n)

    async def program(k: Any, j: Any, here: Any) -> Any:
        table = await group_by_key([k, j], present=here, sums=[k])
        return in_full(table), await distinct_count(k, present=here), await distinct_count([k, j])

    (first, second, counts, sums, there), one, both = on_rows(m, program, a, b, present=present)
    rows = pd.DataFrame({"a": a, "b": b})
    table = rows[present == 1].groupby(["a", "b"]).size().reset_index(name="c")
    assert first.tolist() == filled(table.a, n)
    assert second.tolist() == filled(table.b, n)
    assert counts.tolist() == filled(table.c, n)
    assert sums.tolist() == filled(table.a * table.c, n)
    assert there.sum() == len(table)
    assert one == rows[present == 1].a.nunique()
    assert both == len(rows.drop_duplicates())


@each_m
@pytest.mark.parametrize("k", [1, 3, 100])
def test_nlargest_is_pandas(m: int, k: int) -> None:
    r = np.random.default_rng(m)
    key, values, present = r.integers(0, 8, 60), r.integers(-50, 20, 60), r.integers(0, 2, 60)

    async def program(c: Any, v: Any, here: Any) -> Any:
        table = await group_by_key(c, present=here, sums=[v])
        return in_full(nlargest(table, table.counts, k)), in_full(nlargest(table, table.sums[0], k))

    by_count, by_sum = on_rows(m, program, key, values, present=present)
    rows = pd.DataFrame({"k": key, "v": values})[present == 1]
    table = rows.groupby("k").v.agg(["size", "sum"]).reset_index()
    n = min(k, 60)
    for found, name in ((by_count, "size"), (by_sum, "sum")):
        best = table.nlargest(k, name)  # keeps the first of equals
        for column, figure in zip(found, (best.k, best["size"], best["sum"]), strict=False):
            assert column.tolist() == filled(figure, n)
        assert found[-1].sum() == len(best)


def test_marks_of_sorted_rows() -> None:
    async def program(k: Any, v: Any, here: Any) -> Any:
        rows = await sorted_segments([k], here, [v])
        return rows.keys[0], rows.columns[0], rows.present, rows.first, rows.last

    keys, columns, there, first, last = on_rows(3, program, [5, 3, 5, 3, 5], [0, 1, 2, 3, 4], present=[1, 1, 0, 1, 1])
    assert keys[:4].tolist() == [3, 3, 5, 5]
    assert columns[:4].tolist() == [1, 3, 0, 4]
    assert there.tolist() == [True] * 4 + [False]
    assert first.tolist() == [True, False, True, False, False]
    assert last.tolist() == [False, True, False, True, False]


def test_bad_input_is_refused_before_anything_is_sent() -> None:
    async def program(party: Any) -> Any:
        key, short = await party.input(np.arange(3), 0), await party.input(np.arange(2), 1)
        table = await group_by_key(key)
        for x in in_full(table):
            await x
        sent = party.transport.traffic.bytes_sent
        with pytest.raises(ShapeMismatch, match="at least one"):
            await group_by_key([])
        with pytest.raises(ShapeMismatch, match="sums"):
            await group_by_key(key, sums=[short])
        with pytest.raises(ShapeMismatch, match="present"):
            await group_by_key(key, present=short)
        with pytest.raises(WrongType, match="keys"):
            await group_by_key([np.arange(3)])  # type: ignore[list-item]
        with pytest.raises(WrongType, match="sums"):
            await group_by_key(key, sums=key)  # type: ignore[arg-type]
        for k in (0, 1.0, True):
            with pytest.raises(OutOfRange, match="largest"):
                nlargest(table, table.counts, k)  # type: ignore[arg-type]
        with pytest.raises(ShapeMismatch, match="by"):
            nlargest(table, short, 1)
        assert party.transport.traffic.bytes_sent == sent

    MemoryCluster(3, seed=0).run(program)
