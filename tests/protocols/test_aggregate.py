"""Aggregates against numpy, for rows that lie at several owners."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from mpc import MemoryCluster
from mpc.errors import OutOfRange, ShapeMismatch, UnknownParty, WrongType
from protocols.aggregate import (
    count,
    encode_categories,
    group_count,
    group_mean,
    group_sum,
    histogram,
    in_bins,
    mean,
    one_hot,
    pool,
    total,
)
from protocols.errors import CapacityExceeded

PARTIES = (3, 4, 5)
DOMAIN = ["north", "east", "south", "west"]


def rows_of(seed: int, owners: int) -> list[dict[str, Any]]:
    """Each owner's rows; some groups are unknown, one owner has none."""
    r = np.random.default_rng(seed)
    tables = []
    for i in range(owners):
        n = 0 if i == owners - 1 else int(r.integers(20, 60))
        place = r.choice([*DOMAIN[:3], "nowhere"], n)
        tables.append(
            {"place": place, "value": r.normal(10, 40, n), "whole": r.integers(-50, 50, n), "flag": r.integers(0, 2, n)}
        )
    return tables


def run(m: int, program: Any, inputs: list[Any] | None = None) -> Any:
    """What party 0 answers; all others must answer the same."""
    answers = MemoryCluster(m, seed=m).run(program, inputs)
    for a in answers[1:]:
        pairs = zip(a, answers[0], strict=True) if isinstance(a, tuple) else [(a, answers[0])]
        assert all(np.array_equal(x, y) for x, y in pairs)
    return answers[0]


@pytest.mark.parametrize("m", PARTIES)
@pytest.mark.parametrize("capacity", [None, 64])
def test_group_by_of_pooled_rows(m: int, capacity: int | None) -> None:
    tables = rows_of(m, m)

    async def program(party: Any, mine: dict[str, Any]) -> Any:
        async def pooled(values: Any, *tail: int, **options: Any) -> Any:
            return await pool(party, values, range(m), capacity=capacity, tail=tail, **options)

        groups = await pooled(encode_categories(mine["place"], DOMAIN), len(DOMAIN))
        whole = await pooled(mine["whole"])
        value = await pooled(mine["value"], frac=12)
        flag = await pooled(mine["flag"])
        secrets = (
            group_count(groups),
            group_sum(groups, whole),
            group_sum(groups, value),
            group_sum(groups, value, clip=(0, 50)),
            count(flag),
            total(whole),
            total(value, clip=(-5.5, 20.25), present=flag),
        )
        return tuple([await party.reveal(s) for s in secrets])

    counts, wholes, values, clipped, flags, all_whole, some = run(m, program, tables)
    t = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
    rounding = len(t["flag"]) / 4096

    def by_group(values: Any) -> list[Any]:
        return [values[t["place"] == place].sum() for place in DOMAIN]

    assert counts.tolist() == by_group(np.ones_like(t["flag"]))
    assert wholes.tolist() == by_group(t["whole"])
    assert np.allclose(values, by_group(t["value"]), atol=rounding)
    assert np.allclose(clipped, by_group(t["value"].clip(0, 50)), atol=rounding)
    assert flags == t["flag"].sum()
    assert all_whole == t["whole"].sum()
    assert some == pytest.approx((t["value"].clip(-5.5, 20.25) * t["flag"]).sum(), abs=rounding)


@pytest.mark.parametrize("m", PARTIES)
def test_one_hot_of_secret_codes(m: int) -> None:
    codes = np.array([0, 3, 1, 2, 2, -1, 4, 3])

    async def program(party: Any) -> Any:
        return await party.reveal(one_hot(party.input(codes, 0), 4))

    matrix = run(m, program)
    assert np.array_equal(matrix, codes[:, None] == np.arange(4))


@pytest.mark.parametrize("m", PARTIES)
def test_histogram_is_numpys(m: int) -> None:
    edges = [-1.5, 0, 2.25, 2.5, 7]
    r = np.random.default_rng(m)
    values = np.concatenate([r.uniform(-4, 10, 150).round(2), edges, [6.9999, 7.0001]])
    whole = r.integers(-3, 9, 100)
    present = r.integers(0, 2, values.size)

    async def program(party: Any) -> Any:
        x, w = party.input(values, 1, frac=20), party.input(whole, 2)
        here = party.input(present, 0)
        found = (histogram(x, edges), histogram(x, edges, present=here), histogram(w, [0, 1, 5]), in_bins(x, edges))
        return tuple([await party.reveal(s) for s in found])

    plain, some, wholes, matrix = run(m, program)
    assert plain.tolist() == np.histogram(values, edges)[0].tolist()
    assert some.tolist() == np.histogram(values[present == 1], edges)[0].tolist()
    assert wholes.tolist() == np.histogram(whole, [0, 1, 5])[0].tolist()
    assert set(matrix.ravel().tolist()) <= {0, 1}
    assert matrix.sum(axis=1).max() == 1


def test_mean_over_a_public_number_of_rows() -> None:
    values = np.random.default_rng(0).uniform(-10, 200, 300)

    async def program(party: Any) -> Any:
        x = await party.input(values, 0)
        return await party.reveal(mean(x)), await party.reveal(mean(x, clip=(0, 100)))

    plain, clipped = run(3, program)
    assert plain == pytest.approx(values.mean(), rel=1e-4)
    assert clipped == pytest.approx(values.clip(0, 100).mean(), rel=1e-4)


def test_group_mean_with_an_empty_group() -> None:
    pytest.importorskip("mpc.functions")

    async def program(party: Any) -> Any:
        groups = party.input(np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0]]), 0)
        values = party.input(np.array([1.0, 2.5, 7.0]), 0)
        return await party.reveal(group_mean(groups, values))

    assert np.allclose(run(3, program), [1.75, 7.0, 0.0], atol=0.01)


def test_several_columns_in_one_product() -> None:
    async def program(party: Any) -> Any:
        groups = await party.input(np.eye(3, dtype=int)[np.arange(400) % 3], 0)
        values = await party.input(np.arange(800).reshape(400, 2), 1)
        before = party.transport.traffic.copy()
        sums = await group_sum(groups, values)
        after = party.transport.traffic.copy()
        return await party.reveal(sums), after.bytes_sent - before.bytes_sent

    expected = np.stack([np.arange(800).reshape(400, 2)[g::3].sum(axis=0) for g in range(3)])
    cluster = MemoryCluster(3)
    for sums, sent in cluster.run(program):
        assert np.array_equal(sums, expected)
        assert sent == 8 * 6  # of 1,200 and 800 shared numbers, six totals travel
    assert max(t.rounds for t in cluster.traffic) == 4  # two inputs one after the other, the product, the opening


# -- what pooling leaks ------------------------------------------------------------------------


def _messages(lengths: list[int], capacity: int | None) -> list[Any]:
    async def program(party: Any, mine: Any) -> None:
        await total(await pool(party, mine, [0, 1, 2], capacity=capacity))

    cluster = MemoryCluster(3, keep=True)
    cluster.run(program, [np.arange(n) for n in lengths])
    return sorted((f.sender, f.receiver, f.label, f.stamp, len(f.payload)) for f in cluster.log)


def test_a_capacity_hides_how_many_rows_an_owner_has() -> None:
    assert _messages([3, 9, 0], 10) == _messages([10, 1, 5], 10)
    assert _messages([3, 9, 0], None) != _messages([10, 1, 5], None)  # the test can tell


def _too_many(drop: bool) -> tuple[MemoryCluster, Any]:
    async def program(party: Any, mine: Any) -> Any:
        return await party.reveal(await pool(party, mine, [0, 1, 2], capacity=4, drop_overflow=drop, what="stays"))

    return MemoryCluster(3, keep=True), (program, [np.arange(2) + 1, np.arange(37), np.arange(4)])


def test_more_rows_than_agreed_are_refused_before_anything_is_sent() -> None:
    cluster, run_of = _too_many(False)
    with pytest.raises(CapacityExceeded, match=r"party 1: more than the capacity of 4; .* drop_over") as caught:
        cluster.run(*run_of)
    assert cluster.traffic[1].bytes_sent == 0
    assert "37" not in str(caught.value)


def test_more_rows_than_agreed_can_be_dropped_and_only_the_owner_hears(caplog: Any) -> None:
    cluster, run_of = _too_many(True)
    assert cluster.run(*run_of)[2].tolist() == [1, 2, 0, 0, 0, 1, 2, 3, 0, 1, 2, 3]
    assert [r.getMessage()[:16] for r in caplog.records] == ["stays of party 1"]
    assert "37" not in caplog.text
    frames = sorted((f.sender, f.receiver, f.label, f.stamp, len(f.payload)) for f in cluster.log)
    full = MemoryCluster(3, keep=True)
    full.run(run_of[0], [np.arange(4)] * 3)
    assert frames == sorted((f.sender, f.receiver, f.label, f.stamp, len(f.payload)) for f in full.log)


@pytest.mark.parametrize(
    "values", [np.array([1.0, 12345.0, math.nan]), np.array([12345.0, 1e300]), np.array([12345, 1 << 62])]
)
def test_errors_of_pool_carry_no_value_and_no_place(values: Any) -> None:
    async def program(party: Any) -> None:
        await pool(party, values, [0, 1, 2], what="stays")

    with pytest.raises(OutOfRange, match=r"stays of party [012]: a value is missing, infinite or too large") as caught:
        MemoryCluster(3).run(program)
    error: BaseException | None = caught.value
    assert not any(word in str(error) for word in ("12345", "position", "1e+300", str(1 << 62)))
    assert error is not None and error.__suppress_context__


def test_errors_of_shape_carry_no_number_of_rows() -> None:
    async def program(party: Any) -> None:
        await pool(party, np.zeros((37, 2)), [0, 1, 2], capacity=50, tail=(3,))

    with pytest.raises(ShapeMismatch, match=r"shape \(rows, 2\), but \(rows, 3\) needed"):
        MemoryCluster(3).run(program)


@pytest.mark.parametrize(
    ("mine", "owners", "options", "fault"),
    [
        (np.arange(3), [], {}, OutOfRange),
        (np.arange(3), [0, 0], {}, OutOfRange),
        (np.arange(3), [0, 7], {}, UnknownParty),
        (np.zeros((3, 2)), [0, 1, 2], {"capacity": 5}, ShapeMismatch),
        (None, [0, 1, 2], {"capacity": 5}, WrongType),
        (np.array([1.0, math.nan]), [0, 1, 2], {"capacity": 5}, OutOfRange),
        ([[1], [2, 3]], [0, 1, 2], {"capacity": 5}, WrongType),
        (np.arange(3), [0, 1, 2], {"drop_overflow": True}, OutOfRange),
        (np.arange(3), [0, 1, 2], {"capacity": 0}, OutOfRange),
        (np.arange(3), [0, 1, 2], {"capacity": 2.5}, OutOfRange),
    ],
)
def test_bad_rows(mine: Any, owners: Any, options: Any, fault: type) -> None:
    async def program(party: Any) -> None:
        await pool(party, mine, owners, **options)

    with pytest.raises(fault):
        MemoryCluster(3).run(program)


# -- bad parameters ------------------------------------------------------------------------------


@pytest.mark.parametrize("edges", [[], [1], [1, 1], [2, 1], [0, math.inf], [0, math.nan]])
def test_bad_edges(edges: Any) -> None:
    async def program(party: Any) -> None:
        await in_bins(await party.input([1, 2], 0), edges)

    with pytest.raises(OutOfRange, match="rising"):
        MemoryCluster(3).run(program)


@pytest.mark.parametrize("size", [0, -1, True, 1.5])
def test_bad_number_of_categories(size: Any) -> None:
    async def program(party: Any) -> None:
        await one_hot(await party.input([1, 2], 0), size)

    with pytest.raises(OutOfRange, match="categories"):
        MemoryCluster(3).run(program)
