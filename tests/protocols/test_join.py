"""Private joins against pandas, for every kind of join, number of parties and method."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas
import pytest

from mpc import MemoryCluster, Party, taps
from mpc.errors import OutOfRange, ProgramDiverged, ShapeMismatch, UnknownParty, WrongType
from protocols.errors import CapacityExceeded, ColumnUnfit, DuplicateKeys, KeyInvalid, TableChanged
from protocols.join import AtLeast, Column, Joined, Source, join
from protocols.join_helper import helpers_of
from protocols.join_shuffle import _groups
from protocols.people import DATE, NAME
from protocols.profiles import INTEGERS, TEXT, Phone

Table = dict[str, Any]
Row = tuple[float, ...]

each_scheme = pytest.mark.parametrize(("m", "t"), [(3, 1), (4, 1), (5, 2)])
HOWS = ("inner", "left", "union", AtLeast(2))


def sources_of(tables: Sequence[Table], profile: Any = INTEGERS, **options: Any) -> list[Source]:
    """Of tables with a key ``id`` and columns of integers."""
    return [
        Source(i, {"id": profile}, {name: Column() for name in table if name != "id"}, **options)
        for i, table in enumerate(tables)
    ]


async def opened(party: Party, joined: Joined) -> tuple[list[Row], list[tuple[bool, ...]]]:
    """Values and memberships of the rows that are present, sorted."""
    present = await party.reveal(joined.present)
    columns = [(await party.reveal(x))[present].tolist() for x in joined.columns.values()]
    matched = [(await party.reveal(x))[present].tolist() for x in joined.matched]
    rows = sorted(zip(zip(*columns, strict=True), zip(*matched, strict=True), strict=True))
    return [row for row, _ in rows], [flags for _, flags in rows]


def joined_rows(
    cluster: MemoryCluster, sources: Sequence[Source], tables: Sequence[Table], **options: Any
) -> tuple[list[Row], list[tuple[bool, ...]]]:
    async def program(party: Party) -> Any:
        mine = {s.owner: table for s, table in zip(sources, tables, strict=True)}.get(party.index)
        return await opened(party, await join(party, sources, mine, **options))

    answers = cluster.run(program)
    assert all(answer == answers[0] for answer in answers)
    return answers[0]


def expected_rows(tables: Sequence[Table], how: Any) -> tuple[list[Row], list[tuple[bool, ...]]]:
    """By pandas. Missing keys are made different first."""
    frames = []
    for i, table in enumerate(tables):
        frame = pandas.DataFrame(table)
        unknown = frame["id"].isna()
        frame["id"] = frame["id"].astype(object)
        frame.loc[unknown, "id"] = [f"missing {i} {j}" for j in range(int(unknown.sum()))]
        frames.append(frame.assign(**{f"in{i}": True}))
    merged = frames[0]
    kind = {"inner": "inner", "left": "left"}.get(how, "outer") if isinstance(how, str) else "outer"
    for frame in frames[1:]:
        merged = merged.merge(frame, on="id", how=kind)
    flags = merged[[f"in{i}" for i in range(len(tables))]].astype("boolean").fillna(False).astype(bool)
    if isinstance(how, AtLeast):
        kept = flags.sum(axis=1) >= how.tables
        merged, flags = merged[kept], flags[kept]
    names = [name for table in tables for name in table if name != "id"]
    values = merged[names].fillna(0).astype(int)
    rows = sorted(zip(values.itertuples(index=False, name=None), flags.itertuples(index=False, name=None), strict=True))
    return [tuple(row) for row, _ in rows], [tuple(flag) for _, flag in rows]


def random_tables(seed: int, sizes: Sequence[int], universe: int = 80, *, many: bool = False) -> list[Table]:
    """Integer keys, some missing; values that tell rows apart."""
    rng = np.random.default_rng(seed)
    tables = []
    for i, n in enumerate(sizes):
        keys = rng.choice(universe, n, replace=many and i == 0).astype(object)
        keys[rng.random(n) < 0.1] = None
        tables.append({"id": keys, f"v{i}": np.arange(n) * 1000 + rng.integers(0, 1000, n) - 500})
    return tables


# -- equal to the join in the open ---------------------------------------------------------


@each_scheme
@pytest.mark.parametrize("how", HOWS, ids=str)
@pytest.mark.parametrize("tables", [2, 3])
def test_a_join_is_pandas_merge(m: int, t: int, how: Any, tables: int) -> None:
    given = random_tables(m + tables, (50, 40, 30)[:tables])
    found = joined_rows(MemoryCluster(m, t, seed=1), sources_of(given), given, how=how)
    assert found == expected_rows(given, how)
    assert found[0]


@pytest.mark.parametrize("how", HOWS, ids=str)
@pytest.mark.parametrize("pad", [None, (1.0, 1e-3)])
def test_tables_of_all_four_parties(how: Any, pad: Any) -> None:
    """For a union some helper matches a table twice, in two orders."""
    given = random_tables(5, (30, 25, 28, 20), 40)
    found = joined_rows(MemoryCluster(4, 1, seed=1), sources_of(given), given, how=how, pad=pad)
    assert found == expected_rows(given, how)
    assert found[0]


@pytest.mark.parametrize("how", HOWS, ids=str)
def test_both_methods_agree(how: Any) -> None:
    given = random_tables(7, (40, 40, 40))
    found = [
        joined_rows(MemoryCluster(3, seed=2), sources_of(given), given, how=how, method=method)
        for method in ("helper", "shuffle")
    ]
    assert found[0] == found[1] == expected_rows(given, how)


@each_scheme
@pytest.mark.parametrize("how", ["inner", "left"])
@pytest.mark.parametrize("sizes", [(50, 40), (60, 30, 40), (1, 1)])
def test_one_to_many(m: int, t: int, how: str, sizes: tuple[int, ...]) -> None:
    given = random_tables(m, sizes, 60, many=True)
    sources = sources_of(given)
    sources[0] = Source(0, {"id": INTEGERS}, {"v0": Column()}, many=True)
    assert joined_rows(MemoryCluster(m, t, seed=1), sources, given, how=how) == expected_rows(given, how)


@each_scheme
def test_one_key_in_all_rows(m: int, t: int) -> None:
    given = [{"id": np.full(30, 7), "v0": np.arange(30)}, {"id": np.array([7, 8]), "v1": np.array([5, 6])}]
    sources = sources_of(given)
    sources[0] = Source(0, {"id": INTEGERS}, {"v0": Column()}, many=True)
    assert joined_rows(MemoryCluster(m, t, seed=1), sources, given)[0] == [(i, 5) for i in range(30)]


@each_scheme
@pytest.mark.parametrize("how", HOWS, ids=str)
@pytest.mark.parametrize("sizes", [(0, 0), (0, 5), (5, 0), (1, 1), (1, 64), (65, 63)])
def test_small_and_empty_tables(m: int, t: int, how: Any, sizes: tuple[int, int]) -> None:
    given = random_tables(sum(sizes), sizes, 66)
    assert joined_rows(MemoryCluster(m, t, seed=1), sources_of(given), given, how=how) == expected_rows(given, how)


@pytest.mark.parametrize("empty", [{"id": [], "b": []}, pandas.DataFrame({"id": [], "b": []}, dtype=object)])
def test_a_table_without_rows_has_columns_of_any_type(empty: Any) -> None:
    given = [{"id": [1], "a": [5]}, empty]
    sources = [Source(0, {"id": INTEGERS}, {"a": Column()}), Source(1, {"id": INTEGERS}, {"b": Column(1, 2)})]
    assert joined_rows(MemoryCluster(3, seed=1), sources, given, how="left") == ([(5, 0)], [(True, False)])


def test_columns_may_have_names_that_are_no_text() -> None:
    sources = [Source(0, {0: INTEGERS}, {1: Column(), "x": Column()}), Source(1, {"id": INTEGERS})]  # type: ignore[dict-item]

    async def program(party: Party) -> Any:
        joined = await join(party, sources, [{0: [1], 1: [5], "x": [6]}, {"id": [1]}, None][party.index])
        with pytest.raises(ColumnUnfit, match=r"\[1, 'x'\]"):
            joined["y"]
        return repr(joined), int((await party.reveal(joined[1]))[0])  # type: ignore[index]

    assert MemoryCluster(3, seed=1).run(program)[0] == ("<Joined 1 rows, columns 1, x>", 5)
    with pytest.raises(ColumnUnfit, match="differ in length"):
        joined_rows(MemoryCluster(3, seed=1), sources, [{0: [1], 1: [5], "x": [6, 7]}, {"id": [1]}])


@pytest.mark.parametrize("method", ["helper", "shuffle"])
@pytest.mark.parametrize("shift", [0, 100])
def test_all_match_or_none(method: str, shift: int) -> None:
    given = [{"id": np.arange(100), "a": np.arange(100)}, {"id": np.arange(100)[::-1] + shift, "b": np.arange(100)}]
    found, _ = joined_rows(MemoryCluster(3, seed=1), sources_of(given), given, method=method)
    assert found == ([] if shift else [(i, 99 - i) for i in range(100)])


@pytest.mark.parametrize("sizes", [(10, 100_000), (100_000, 10)])
def test_skewed_sizes(sizes: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    given = [
        {"id": rng.permutation(100_010)[:n], f"v{i}": rng.integers(-(1 << 61), 1 << 61, n)} for i, n in enumerate(sizes)
    ]
    found = joined_rows(MemoryCluster(3, seed=1), sources_of(given), given)
    assert found == expected_rows(given, "inner")
    assert found[0]


@each_scheme
def test_unicode_keys_composite_keys_and_names_of_their_own(m: int, t: int) -> None:
    left = {"name": ["Zoë  Ångström", "李 小龙", "O'Brien", None], "born": ["1990-01-02"] * 4, "a": [1, 2, 3, 4]}
    right = {
        "who": ["zoe angstrom", "李 小龙", "OBRIEN", "nobody"],
        "birth": ["1990-01-02", "1990-01-02", "1991-01-02", None],
        "b": [10, 20, 30, 40],
    }
    sources = [
        Source(0, {"name": NAME, "born": DATE}, {"a": Column()}),
        Source(1, {"who": NAME, "birth": DATE}, {"b": Column()}),
    ]
    assert joined_rows(MemoryCluster(m, t, seed=1), sources, [left, right])[0] == [(1, 10), (2, 20)]


@pytest.mark.parametrize(("value", "fits"), [(2, False), (-2, False), (1, True), (-1, True)])
def test_bounds_between_integers_are_bounds(value: int, fits: bool) -> None:
    given = [{"id": [1], "a": [value]}, {"id": [1], "b": [0]}]
    sources = [Source(0, {"id": INTEGERS}, {"a": Column(-1.5, 1.5)}), sources_of(given)[1]]
    if fits:
        assert joined_rows(MemoryCluster(3, seed=1), sources, given)[0] == [(value, 0)]
    else:
        with pytest.raises(OutOfRange, match="column 'a' of party 0: a value outside"):
            joined_rows(MemoryCluster(3, seed=1), sources, given)


def test_owners_write_phone_numbers_as_in_their_own_countries() -> None:
    given = [
        {"id": ["030 901820", "01 42 76 40 40"], "a": [1, 2]},
        {"id": ["01 42 76 40 40", "+49 30 901820"], "b": [3, 4]},
    ]
    sources = [Source(0, {"id": Phone("DE")}, {"a": Column()}), Source(1, {"id": Phone("FR")}, {"b": Column()})]
    assert joined_rows(MemoryCluster(3, seed=1), sources, given)[0] == [(1, 4)]


def test_owners_may_be_any_parties_and_reals_keep_their_fractions() -> None:
    given = [{"id": ["x", "y"], "a": [0.5, -1.25]}, {"id": ["y", "z"], "b": [2.75, 3.0]}]
    sources = [
        Source(2, {"id": TEXT}, {"a": Column(-2, 2, frac=16)}),
        Source(0, {"id": TEXT}, {"b": Column(0, 3, frac=4)}),
    ]
    assert joined_rows(MemoryCluster(3, seed=1), sources, given)[0] == [(-1.25, 2.75)]


def test_whole_floats_are_integers() -> None:
    given = [{"id": [1, 2], "a": np.array([3.0, -4.0])}, {"id": [2.0, 3.0], "b": np.array([5.0, 6.0])}]
    assert joined_rows(MemoryCluster(3, seed=1), sources_of(given), given)[0] == [(-4, 5)]


@each_scheme
def test_an_owner_makes_one_row_of_those_of_a_key(m: int, t: int) -> None:
    orders = pandas.DataFrame({"who": ["A", "b", "a", None, None, "c"], "paid": [1.5, 2.0, 2.25, 9.0, 9.0, 4.0]})
    people = {"name": ["a", "B", "d"], "age": [30, 40, 50]}
    sources = [
        Source(0, {"name": NAME}, {"age": Column(0, 120)}),
        Source(1, {"who": NAME}, {"paid": Column(0, 10, frac=4, combine="sum")}, distinct=True),
    ]
    found = joined_rows(MemoryCluster(m, t, seed=1), sources, [people, orders], how="left")
    assert found == ([(30, 3.75), (40, 2.0), (50, 0)], [(True, True), (True, True), (True, False)])


def test_the_bounds_and_the_capacity_are_those_of_combined_rows() -> None:
    def source(high: float, rows: int) -> list[Source]:
        columns = {"b": Column(0, high, combine="sum")}
        return [Source(0, {"id": INTEGERS}), Source(1, {"id": INTEGERS}, columns, rows=rows, distinct=True)]

    tables = [{"id": [1]}, {"id": [1, 1, 2], "b": [4, 5, 6]}]
    assert joined_rows(MemoryCluster(3, seed=1), source(9, 2), tables)[0] == [(9,)]
    with pytest.raises(OutOfRange, match="column 'b' of party 1"):
        joined_rows(MemoryCluster(3, seed=1), source(8, 2), tables)
    with pytest.raises(CapacityExceeded):
        joined_rows(MemoryCluster(3, seed=1), source(9, 1), tables)


# -- fillers and dummies -------------------------------------------------------------------


@each_scheme
@pytest.mark.parametrize("how", HOWS, ids=str)
def test_fillers_are_in_no_result(m: int, t: int, how: Any) -> None:
    given = random_tables(3, (20, 30, 10), 40)
    sources = sources_of(given, rows=33)
    assert joined_rows(MemoryCluster(m, t, seed=1), sources, given, how=how) == expected_rows(given, how)


@pytest.mark.parametrize("how", HOWS, ids=str)
@pytest.mark.parametrize("tables", [2, 3])
def test_dummies_are_in_no_result(how: Any, tables: int) -> None:
    given = random_tables(3, (20, 30, 10)[:tables], 40)
    cluster = MemoryCluster(3, seed=1)
    assert joined_rows(cluster, sources_of(given), given, how=how, pad=(1.0, 1e-6)) == expected_rows(given, how)


def test_dummies_with_repeats_and_fillers() -> None:
    given = random_tables(5, (40, 30), 30, many=True)
    sources = [
        Source(0, {"id": INTEGERS}, {"v0": Column()}, rows=50, many=True),
        Source(1, {"id": INTEGERS}, {"v1": Column()}, rows=31),
    ]
    found = joined_rows(MemoryCluster(3, seed=1), sources, given, how="left", pad=(0.5, 1e-6))
    assert found == expected_rows(given, "left")


# -- bad input -----------------------------------------------------------------------------

GOOD: list[Table] = [{"id": [1, 2], "a": [1, 2]}, {"id": [1, 2], "b": [1, 2]}]


class _Shifty(dict[str, Any]):
    """A table that somebody appends to."""

    def __getitem__(self, name: str) -> Any:
        found = list(super().__getitem__(name))
        super().__setitem__(name, [*found, 9])
        return found


@pytest.mark.parametrize(
    ("table", "error", "text"),
    [
        ({"id": [1, 1], "b": [1, 2]}, DuplicateKeys, "party 1"),
        ({"id": [1, "1"], "b": [1, 2]}, KeyInvalid, "party 1"),
        ({"id": [1, 2], "b": [1, 1001]}, OutOfRange, "column 'b' of party 1: a value outside 0 to 1000"),
        ({"id": [1, 2], "b": [1, -1]}, OutOfRange, "column 'b' of party 1: a value outside 0 to 1000"),
        ({"id": [1, 2], "b": [1, float("nan")]}, WrongType, "column 'b' of party 1"),
        ({"id": [1, 2], "b": [1, 1 << 62]}, OutOfRange, "column 'b' of party 1"),
        ({"id": [1, 2], "b": [1.5, 2.0]}, WrongType, "column 'b' of party 1"),
        ({"id": [1, 2], "b": [1.0, 2.0**60]}, WrongType, "column 'b' of party 1"),
        ({"id": [1, 2], "b": [1.0, float("inf")]}, WrongType, "column 'b' of party 1"),
        ({"id": [1, 2], "b": ["x", "y"]}, WrongType, "column 'b' of party 1"),
        ({"id": [1, 2], "b": [[1], [2]]}, ShapeMismatch, "column 'b' of party 1: 2 dimensions"),
        ({"id": [1, 2], "b": np.array(3)}, WrongType, "column 'b' is no array"),
        ({"id": [1, 2]}, ColumnUnfit, "no column 'b'"),
        ({"id": [1, 2, 3], "b": [1, 2]}, ColumnUnfit, "differ in length"),
        (_Shifty({"id": [1, 2], "b": [1, 2]}), TableChanged, "party 1"),
        ({"id": [1, 2, 3, 4], "b": [1, 2, 3, 4]}, CapacityExceeded, "capacity of 3"),
        (None, WrongType, "none given"),
    ],
    ids=lambda x: x.__name__ if isinstance(x, type) else None,
)
def test_bad_rows_are_found_at_their_owner_before_it_sends(table: Any, error: type[Exception], text: str) -> None:
    cluster = MemoryCluster(3, seed=1, keep=True)
    sources = [
        Source(0, {"id": INTEGERS}, {"a": Column()}),
        Source(1, {"id": INTEGERS}, {"b": Column(0, 1000)}, rows=3),
    ]
    with pytest.raises(error, match=text) as caught:
        joined_rows(cluster, sources, [GOOD[0], table])
    assert "1001" not in str(caught.value)
    assert not [f for f in cluster.log if f.sender == 1]


@pytest.mark.parametrize(
    ("sources", "options", "error", "text"),
    [
        (None, {}, WrongType, "a list of Source"),
        ([Source(0, {"id": INTEGERS})], {}, OutOfRange, "at least two"),
        ([Source(0, {"id": INTEGERS}), Source(0, {"id": INTEGERS})], {}, OutOfRange, "each once"),
        ([Source(0, {"id": INTEGERS}), Source(3, {"id": INTEGERS})], {}, UnknownParty, "owner 3"),
        ([Source(0, {"id": INTEGERS}), Source(1, {"id": TEXT})], {}, ColumnUnfit, "same profiles"),
        (
            [Source(0, {"id": TEXT}, {"a": Column()}), Source(1, {"id": TEXT}, {"a": Column()})],
            {}, ColumnUnfit, "rename",
        ),
        ([Source(0, {"id": TEXT}), Source(1, {"id": TEXT}, many=True)], {}, OutOfRange, "first source"),
        ([Source(0, {"id": TEXT}, many=True), Source(1, {"id": TEXT})], {"how": "union"}, OutOfRange, "each key once"),
        (sources_of(GOOD), {"how": "outer"}, OutOfRange, "'inner', 'left', 'union'"),
        (sources_of(GOOD), {"how": AtLeast(3)}, OutOfRange, "1 to 2"),
        (sources_of(GOOD), {"method": "magic"}, OutOfRange, "'helper' or 'shuffle'"),
        (sources_of(GOOD), {"pad": 1.0}, OutOfRange, "epsilon, delta"),
        (sources_of(GOOD), {"pad": ([1], 1e-6)}, OutOfRange, "epsilon, delta"),
        (sources_of(GOOD), {"pad": ({}, "a")}, OutOfRange, "epsilon, delta"),
        (sources_of(GOOD), {"method": "shuffle", "pad": (1.0, 1e-6)}, OutOfRange, "only with a helper"),
    ],
)  # fmt: skip
def test_bad_questions_are_refused_before_anything_is_sent(
    sources: Any, options: Any, error: type[Exception], text: str
) -> None:
    cluster = MemoryCluster(3, seed=1, keep=True)

    async def program(party: Party) -> None:
        await join(party, sources, GOOD[0], **options)

    with pytest.raises(error, match=text):
        cluster.run(program)
    assert not cluster.log


def test_a_helper_is_no_protection_against_two() -> None:
    with pytest.raises(OutOfRange, match="'shuffle'"):
        joined_rows(MemoryCluster(5, seed=1), sources_of(GOOD), GOOD, method="helper")


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: Source(0, {}), WrongType, "mapping"),
        (lambda: Source(0, {"id": "text"}), WrongType, "a profile of protocols.profiles or protocols.people"),  # type: ignore[dict-item]
        (lambda: Source(0, {"id": TEXT}, {"a": 3}), WrongType, "a Column"),  # type: ignore[dict-item]
        (lambda: Source(0, {"id": Phone}), WrongType, "profiles"),  # type: ignore[dict-item]
        (lambda: Source(0, {"id": TEXT}, ["a"]), WrongType, "mapping"),  # type: ignore[arg-type]
        (lambda: Source(0, {"id": TEXT}, rows=0), OutOfRange, "rows=0"),
        (lambda: Column(combine="median"), OutOfRange, "combine='median'"),
        (lambda: Source(0, {"id": TEXT}, {"a": Column(combine="sum")}), OutOfRange, "goes with distinct"),
        (lambda: Source(0, {"id": TEXT}, {"a": Column()}, distinct=True), OutOfRange, "goes with distinct"),
        (lambda: Source(0, {"id": TEXT}, many=True, distinct=True), OutOfRange, "one of the two"),
        (lambda: Source(0, {"id": TEXT}, rows=(1 << 29) + 1), OutOfRange, "1 to 536870912"),
        (lambda: Column(low=1), OutOfRange, "both or neither"),
        (lambda: Column(2, 1), OutOfRange, "bounds"),
        (lambda: Column(frac=50), OutOfRange, "fractional bits"),
    ],
)
def test_bad_descriptions(make: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        make()


# -- parts ---------------------------------------------------------------------------------


def test_pseudonyms_are_one_group_only_if_both_words_are_equal() -> None:
    """With two words of few values, as no join has them."""
    tags = np.random.default_rng(1).integers(0, 3, (40, 2)).astype(np.uint64)
    order, starts = _groups(tags)
    groups = [sorted(g.tolist()) for g in np.split(order, starts[1:])]
    by_tag: dict[tuple[int, ...], list[int]] = {}
    for i, tag in enumerate(tags.tolist()):
        by_tag.setdefault(tuple(tag), []).append(i)
    assert sorted(groups) == sorted(by_tag.values())


@pytest.mark.parametrize("m", [3, 4, 5, 6])
@pytest.mark.parametrize("owners", [2, 3, 4])
def test_helpers_are_third_parties_without_a_table_and_see_no_table_twice_where_that_can_be(
    m: int, owners: int
) -> None:
    if owners > m:
        pytest.skip("more owners than parties")
    for pairs in ([(0, j) for j in range(1, owners)], [(i, j) for j in range(owners) for i in range(j)]):
        helpers = helpers_of(m, pairs)
        assert all(helper not in pair for helper, pair in zip(helpers, pairs, strict=True))
        assert helpers[0] >= owners or owners == m
        seen = [(helper, owner) for helper, pair in zip(helpers, pairs, strict=True) for owner in pair]
        assert len(set(seen)) == len(seen) or (m == owners == 4 and len(pairs) == 6)


@pytest.mark.parametrize("change", [{"how": "left"}, {"method": "shuffle"}, {"pad": (1.0, 1e-3)}, {"rows": 5}])
def test_parties_that_ask_for_other_joins_are_found_out(change: dict[str, Any]) -> None:
    async def program(party: Party) -> None:
        options = change if party.index == 2 else {}
        sources = sources_of(GOOD, **{k: v for k, v in options.items() if k == "rows"})
        await join(party, sources, GOOD[min(party.index, 1)], **{k: v for k, v in options.items() if k != "rows"})

    with pytest.raises(ProgramDiverged):
        MemoryCluster(3, seed=1).run(program)


def test_a_number_of_rows_that_cannot_be_is_refused() -> None:
    for told in (-1, (1 << 29) + 1):
        payload = np.array([told], np.int64).tobytes()
        tap = taps.alter(lambda f: f.sender == 0 and len(f.payload) == 8, lambda _, p=payload: p)  # type: ignore[misc]
        with pytest.raises(OutOfRange, match="party 0 has too many rows"):
            joined_rows(MemoryCluster(3, seed=1, tap=tap), sources_of(GOOD), GOOD)
