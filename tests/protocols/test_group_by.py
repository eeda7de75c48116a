"""Totals by a public list of groups, against pandas and duckdb."""

from __future__ import annotations

import tracemalloc
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from mpc import MemoryCluster, Party
from mpc.errors import OutOfRange, ShapeMismatch, WrongType
from mpc.party import current_scope
from protocols.aggregate import sensitivity_of
from protocols.group_by import MOST_GROUPS, encode_codes, group_by
from protocols.mechanisms import DiscreteLaplace
from protocols.release import MinimumGroup, release
from tests.protocols.tables import SIZES, each_m, on_rows

MOST = (1 << 62) - 1


def expected(codes: Any, size: int, present: Any, how: str, values: Any, **options: Any) -> Any:
    """By pandas, 0 where it has nothing."""
    rows = pd.DataFrame({"g": codes, "v": values})[np.asarray(present, bool) & (codes >= 0) & (codes < size)]
    return getattr(rows.groupby("g").v, how)(**options).reindex(range(size)).fillna(0).to_numpy()


@each_m
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("size", [1, 2, 6, 33])
def test_counts_and_sums_are_duckdbs(m: int, n: int, size: int) -> None:
    r = np.random.default_rng([m, n, size])
    codes, present = r.integers(-1, size, n), r.integers(0, 2, n)
    whole, real = r.integers(-(10**9), 10**9, n), r.normal(0, 100, n).round(3)

    async def program(c: Any, w: Any, x: Any, here: Any) -> Any:
        totals = await group_by(c, size, present=here).totals([w, x])
        return totals.counts, *totals.sums

    counts, wholes, reals = on_rows(m, program, codes, whole, real, present=present, frac=[None, None, 20])
    rows = pd.DataFrame({"g": codes, "w": whole, "x": real, "here": present})
    query = "select g, count(*) c, sum(w)::bigint w, sum(x) x from data where here = 1 and g >= 0 group by g"
    table = duckdb.from_df(rows).query("data", query).df().set_index("g").reindex(range(size)).fillna(0)
    assert counts.tolist() == table.c.tolist()
    assert wholes.tolist() == table.w.tolist()
    assert np.allclose(reals, table.x.astype(float), atol=n * 2.0**-20)
    assert counts.dtype == wholes.dtype == np.int64


@pytest.mark.parametrize("size", [63, 64, 65, 100, 128, 300, 1000])
def test_tables_of_every_form(size: int) -> None:
    codes = np.concatenate([np.arange(-1, size), [size] * 3])
    values = np.arange(len(codes)) ** 2 - 7

    async def program(c: Any, v: Any, _: Any) -> Any:
        groups = group_by(c, size)
        return await groups.count(), *await groups.sum([v, v]), (await groups.totals([v] * 12)).sums[11]

    # numbers beyond size count nowhere as long as they have as many bits
    kept = codes if size.bit_length() == int(size + 1).bit_length() else np.where(codes == size, -1, codes)
    counts, first, second, twelfth = on_rows(3, program, kept, values)
    inside = (kept >= 0) & (kept < size)
    assert counts.tolist() == [1] * size
    for found in (first, second, twelfth):
        assert found.tolist() == np.bincount(kept[inside], values[inside], size).tolist()


def test_many_chunks() -> None:
    r = np.random.default_rng(5)
    n = 70_001
    codes, values, present = r.integers(0, 100, n), r.integers(-1000, 1000, n), r.integers(0, 2, n)

    async def program(c: Any, v: Any, here: Any) -> Any:
        totals = await group_by(c, 100, present=here).totals([v, v, v, v])
        return totals.counts, *totals.sums

    counts, *sums = on_rows(3, program, codes, values, present=present)
    assert counts.tolist() == np.bincount(codes, present, 100).tolist()
    assert all(s.tolist() == np.bincount(codes, values * present, 100).tolist() for s in sums)


@each_m
def test_values_at_the_edges_of_the_range(m: int) -> None:
    codes, values = np.array([0, 1, 2, 2, 3, 0]), np.array([MOST, -MOST, MOST, -MOST, 5, 0])

    async def program(c: Any, v: Any, here: Any) -> Any:
        groups = group_by(c, 5, present=here)
        return await groups.sum(v), await groups.min(v), await groups.max(v)

    sums, least, most = on_rows(m, program, codes, values, present=[1, 1, 1, 1, 0, 0])
    assert sums.tolist() == [MOST, -MOST, 0, 0, 0]
    assert least.tolist() == [MOST, -MOST, -MOST, 0, 0]
    assert most.tolist() == [MOST, -MOST, MOST, 0, 0]


@each_m
@pytest.mark.parametrize("n", [0, 1, 41])
@pytest.mark.parametrize("frac", [None, 12])
def test_mean_variance_minimum_maximum_are_pandas(m: int, n: int, frac: int | None) -> None:
    r = np.random.default_rng([m, n])
    size, codes, present = 4, r.integers(-1, 4, n), r.integers(0, 4, n) > 0
    values = r.integers(-1000, 5000, n) if frac is None else r.normal(100, 5000, n).round(2)

    async def program(c: Any, v: Any, here: Any) -> Any:
        g = group_by(c, size, present=here)
        return await g.mean(v), await g.var(v), await g.var(v, ddof=0), await g.min(v), await g.max(v)

    mean, sample, population, least, most = on_rows(m, program, codes, values, present=present, frac=[None, frac])
    grid = values if frac is None else np.round(values * 4096) / 4096
    rows = codes, size, present
    assert np.allclose(mean, expected(*rows, "mean", grid), rtol=2**-20, atol=2**-11)
    assert np.allclose(sample, expected(*rows, "var", grid), rtol=1e-4, atol=2**-8)
    assert np.allclose(population, expected(*rows, "var", grid, ddof=0), rtol=1e-4, atol=2**-8)
    assert least.tolist() == expected(*rows, "min", grid).tolist()
    assert most.tolist() == expected(*rows, "max", grid).tolist()


def test_variance_of_too_few_rows_is_zero() -> None:
    codes, values = np.array([0, 0, 1, 1, 1]), np.array([3, 7, 1, 2, 7])

    async def program(c: Any, v: Any, w: Any, _: Any) -> Any:
        groups = group_by(c, 2)
        return await groups.var(v, ddof=2), await groups.var(w, ddof=2)

    for found in on_rows(3, program, codes, values, values + 0.5):
        assert np.allclose(found, [0, 62 / 3], atol=1e-3)  # the mean is no integer


def test_variance_of_large_deviations_does_not_wrap() -> None:
    codes = np.array([0, 0, 1, 1, 1, 2])
    values = np.array([-40_000.5, 60_000.25, 1e6, 1e6 + 3, 1e6 - 3, 1e7])
    whole = np.array([-(1 << 30), 1 << 29, 7, 8, 9, 1 << 40])

    async def program(c: Any, v: Any, w: Any, _: Any) -> Any:
        groups = group_by(c, 3)
        return await groups.var(v), await groups.var(w, ddof=0)

    real, wide = on_rows(3, program, codes, values, whole / 2**10)
    assert np.allclose(real, [np.var(values[:2], ddof=1), 9, 0], rtol=1e-5, atol=1e-3)
    assert np.allclose(wide, [np.var(whole[:2] / 2**10), np.var(whole[2:5] / 2**10), 0], rtol=1e-5, atol=1e-3)


@each_m
def test_conditions_and_flags_and_no_row_present(m: int) -> None:
    codes, age, flag = np.array([0, 1, 1, 0, 1]), np.array([10, 20, 30, 40, 50]), np.array([1, 0, 1, 1, 1])

    async def program(c: Any, a: Any, f: Any, here: Any) -> Any:
        adult, marked = a >= 18, f != 0
        yes = group_by(c, 2, present=here & adult & ~(a == 30))
        none = group_by(marked, 2, present=adult & ~adult)
        totals = await yes.totals([a, marked])
        return totals.counts, *totals.sums, await none.count(), await none.max(a), totals.table()[:2]

    counts, ages, flags, none, most, table = on_rows(m, program, codes, age, flag, present=[1, 1, 1, 1, 0])
    assert counts.tolist() == [1, 1]
    assert ages.tolist() == [40, 20]
    assert flags.tolist() == [1, 0]
    assert none.tolist() == most.tolist() == [0, 0]
    assert table.tolist() == [[1, 1], [40, 20]]


def test_totals_take_fifteen_rounds() -> None:
    async def program(party: Party) -> tuple[int, int]:
        codes = await party.input(np.arange(300) % 100, owner=0)
        columns = [await party.input(np.arange(300), owner=1) for _ in range(4)]
        await party.reveal(codes)  # all inputs are there
        before = current_scope().depth
        totals = await group_by(codes, 100).totals(columns)
        await totals.counts
        return before, current_scope().depth

    before, after = zip(*MemoryCluster(3, seed=1).run(program), strict=True)
    assert max(after) - max(before) == 15


def test_codes_are_pandas_codes() -> None:
    domain = ["a", "b", "ü"]
    values = ["ü", "a", None, "x", "b", "a"]
    known = [v if v in domain else None for v in values]
    assert encode_codes(values, domain).tolist() == pd.Categorical(known, domain).codes.tolist()
    assert encode_codes([], domain).shape == (0,)
    with pytest.raises(OutOfRange):
        encode_codes(values, ["a", "a"])


def test_totals_leave_by_the_door() -> None:
    codes = np.repeat([0, 1, 2], [200, 2, 90])
    values = np.full(len(codes), 3)

    async def program(party: Any) -> Any:
        c, v = party.input(codes, 0), party.input(values, 1)
        totals = await group_by(c, 3).totals([v])
        gate = MinimumGroup(20)
        bound = sensitivity_of(0, 1) + sensitivity_of(0, 3)
        return await release(party, totals.table(), DiscreteLaplace(4.0), sensitivity=bound, to=0, minimum=gate)

    released = MemoryCluster(3, seed=1).run(program)[0]
    assert released.shown.tolist() == [[True, False, True]] * 2
    assert np.allclose(released.values, [[200, 0, 90], [600, 0, 270]], atol=30)
    assert released.sensitivity == 4


def test_bad_input_is_refused_before_anything_is_sent() -> None:
    async def program(party: Any) -> Any:
        c, v = await party.input(np.array([0, 1, 2]), 0), await party.input(np.array([1.5, 2, 3]), 1)
        short = await party.input(np.array([1, 2]), 2)
        pending = party.input(np.array([1.5, 2.5]), 0)
        sent = party.transport.traffic.bytes_sent
        for size in (0, -1, 2.0, True, MOST_GROUPS + 1):
            with pytest.raises(OutOfRange, match="groups"):
                group_by(c, size)
        with pytest.raises(WrongType, match="codes"):
            group_by(np.array([0, 1, 2]), 3)  # type: ignore[arg-type]
        with pytest.raises(WrongType, match="whole"):
            group_by(v, 3)
        with pytest.raises(WrongType, match="present"):
            group_by(c, 3, present=np.ones(3, bool))  # type: ignore[arg-type]
        with pytest.raises(ShapeMismatch, match="present"):
            group_by(c, 3, present=short)
        with pytest.raises(ShapeMismatch, match="dimension"):
            group_by(c.reshape(3, 1), 3)
        groups = group_by(c, 3)
        with pytest.raises(WrongType, match="columns"):
            await groups.totals(v)  # type: ignore[arg-type]
        with pytest.raises(ShapeMismatch, match=r"columns\[1"):
            await groups.totals([v, short])
        with pytest.raises(OutOfRange, match="ddof"):
            await groups.var(v, ddof=-1)
        assert party.transport.traffic.bytes_sent == sent
        with pytest.raises(WrongType, match="whole"):
            await group_by(pending, 3).count()

    MemoryCluster(3, seed=0).run(program)


@pytest.mark.parametrize(
    ("values", "domain"),
    [
        (np.array([0.1, 2.5, np.nan]), [2.5, 0.1, float("nan")]),
        (np.array([0.1, 2.5], np.float32), [2.5, 0.1]),
        (np.array([1, 2, 300]), [300.0, 1, "2"]),
        (np.array([True, False]), [1, 0]),
        (np.array(["2020-01-02", "2021-01-02"], "M8[D]"), [np.datetime64("2021-01-02"), np.datetime64("2020-01-02")]),
        (np.array([b"x", b"y"]), [b"y", "x"]),
        ([{"x": 1}, {"y": 2}], ["x", 3]),
        (np.array(["x", "y"]), [np.str_("y"), 0]),
    ],
)
def test_codes_are_where_a_value_equals_a_category(values: Any, domain: list[Any]) -> None:
    column = np.array(values, object) if isinstance(values, list) else values
    found = [next((j for j, name in enumerate(domain) if np.all(v == name)), -1) for v in column]
    assert encode_codes(values, domain).tolist() == found


def test_codes_of_many_categories_take_no_matrix() -> None:
    values = np.random.default_rng(1).integers(-10, 5000, 1000)
    tracemalloc.start()
    codes = encode_codes(values, range(4096))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert codes.tolist() == np.where((values >= 0) & (values < 4096), values, -1).tolist()
    assert peak < 4 << 20  # a matrix of words has 32 MiB
