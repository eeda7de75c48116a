"""What a join shows: sizes to all, to a helper how many rows match, to nobody which; and these tests find a leak."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

import numpy as np
import pytest
from scipy import stats

from mpc import MemoryCluster, Party, aes, taps
from mpc.transport import Frame
from protocols import join_helper, join_shuffle
from protocols.dummies import Dummies, dummies_for
from protocols.join import AtLeast, Column, Source, join
from protocols.keys import digests
from protocols.matching import match
from protocols.profiles import INTEGERS
from protocols.source_rows import OwnRows
from tests.mpc.views import CoalitionCluster, homogeneity, uniformity

Table = dict[str, Any]
HELPER = 2


def _run(cluster: MemoryCluster, tables: list[Table], options: dict[str, Any] | None = None, **source: Any) -> None:
    sources = [
        Source(i, {"id": INTEGERS}, {name: Column() for name in table if name != "id"}, **(source if i == 0 else {}))
        for i, table in enumerate(tables)
    ]

    async def program(party: Party) -> None:
        mine = tables[party.index] if party.index < len(tables) else None
        await (await join(party, sources, mine, **(options or {}))).present

    cluster.run(program)


def _tags(cluster: MemoryCluster, n: int) -> list[Any]:
    """The two lists of tags that the helper got."""
    found = {}
    for f in cluster.log:
        if f.receiver == HELPER and len(f.payload) == 16 * n:
            found.setdefault(f.sender, np.frombuffer(f.payload, np.uint64).reshape(n, 2))
    return [found[i].copy() for i in (0, 1)]


# -- sizes ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("m", "t"), [(3, 1), (4, 1), (5, 2)])
@pytest.mark.parametrize(
    "options",
    [{}, {"how": "left"}, {"how": "union"}, {"how": AtLeast(2)}, {"pad": (1.0, 1e-6)}, {"many": True}],
    ids=str,
)
def test_number_and_sizes_of_messages_depend_on_sizes_only(m: int, t: int, options: dict[str, Any]) -> None:
    n, logs = 70, []
    if t == 2 and "pad" in options:
        pytest.skip("a pad needs a helper")
    many = {"many": True} if options.get("many") else {}
    repeated = np.repeat(np.arange(n // 2), 2) if many else np.arange(n)
    for keys in (repeated, np.arange(n) * 10**9, np.where(np.arange(n) % 2, None, np.arange(n))):
        cluster = MemoryCluster(m, t, seed=3, keep=True)
        tables = [{"id": keys, "a": np.arange(n)}, {"id": np.arange(n)[::-1], "b": -np.arange(n)}]
        _run(cluster, tables, {k: v for k, v in options.items() if k != "many"}, **many)
        logs.append(sorted((f.sender, f.receiver, f.label, len(f.payload)) for f in cluster.log))
    assert logs[0] == logs[1] == logs[2]


@pytest.mark.parametrize(("how", "flags"), [("inner", 1), ("left", 1), ("union", 2 + 3)])
@pytest.mark.parametrize("columns", [0, 1, 3])
def test_a_join_with_a_helper_sends_what_it_says(how: str, flags: int, columns: int) -> None:
    n, seen = 640, taps.count()
    tables: list[Table] = [{"id": np.arange(n)} for _ in range(2)]
    tables[0]["a"] = np.arange(n)
    tables[1] |= {f"v{c}": np.arange(n) for c in range(columns)}
    cluster = MemoryCluster(3, seed=1, tap=seen)
    _run(cluster, tables, {"how": how})
    own = 8 + (8 * columns if how == "union" else 0)  # of the rows in the result, as their owner deals them
    per_row = 32 + (4 + 32 * columns if columns else 0) + own
    numbers_of_rows = 4 * 8  # to two parties each; the AND of a union is three bits a row
    assert sum(seen.bytes.values()) == per_row * n + flags * n // 8 + numbers_of_rows


@pytest.mark.parametrize("pad", [None, (1.0, 1e-3)])
def test_a_number_of_rows_that_is_agreed_is_not_told(pad: Any) -> None:
    cluster = MemoryCluster(3, seed=1, keep=True)
    _run(cluster, [{"id": np.arange(5)}, {"id": np.arange(7)}], {"pad": pad}, rows=9)
    assert {f.sender for f in cluster.log if len(f.payload) == 8 and f.receiver == HELPER} == {1}


# -- which rows ----------------------------------------------------------------------------


def _where(seed: int, first: int, second: int) -> int:
    """Where the helper sees the one match of two tables of four rows, at these places of the owners, as a number."""
    tables = [{"id": np.arange(4) + 10}, {"id": np.arange(4) + 100}]
    tables[0]["id"][first] = tables[1]["id"][second] = 7
    cluster = MemoryCluster(3, seed=seed, keep=True)
    _run(cluster, tables)
    at = match(*_tags(cluster, 4))
    (row,) = np.flatnonzero(at >= 0)
    return int(4 * row + at[row])


def _even(places: list[int]) -> float:
    return float(stats.chisquare(np.bincount(places, minlength=16)).pvalue)


def test_the_helper_sees_a_match_at_a_uniform_place() -> None:
    for first, second in ((0, 0), (2, 1)):
        assert _even([_where(seed, first, second) for seed in range(400)]) > 1e-4


def test_a_join_that_forgets_to_shuffle_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OwnRows, "shuffled", lambda self, party, label: self)
    assert _even([_where(seed, 2, 1) for seed in range(60)]) < 1e-4


# -- which keys ----------------------------------------------------------------------------


def _guessed(monkeypatch: pytest.MonkeyPatch) -> int:
    """How many tags a helper that knows the salt finds by trying all keys."""
    salts: list[bytes] = []
    cluster = MemoryCluster(3, seed=1, keep=True)
    with monkeypatch.context() as patch:

        def remember(columns: Any, profiles: Any, salt: bytes, *, what: str) -> Any:
            salts.append(salt)
            return digests(columns, profiles, salt, what=what)

        patch.setattr("protocols.source_rows.digests", remember)
        _run(cluster, [{"id": np.arange(50)}, {"id": np.arange(50)}])
    assert salts[0] == salts[1]
    known, _ = digests([np.arange(1000)], [INTEGERS], salts[0], what="all keys")
    return sum(int((match(tags, known) >= 0).sum()) for tags in _tags(cluster, 50))


def test_the_helper_cannot_try_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _guessed(monkeypatch) == 0


def test_a_join_that_forgets_the_cipher_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(join_helper, "encrypted", lambda tags, key: tags)
    assert _guessed(monkeypatch) == 100


def test_a_tag_is_another_one_in_each_run_and_for_each_pair() -> None:
    tables = [{"id": np.arange(9)} for _ in range(3)]
    cluster = MemoryCluster(3, seed=1, keep=True)
    seen: set[bytes] = set()
    for _ in range(2):
        _run(cluster, tables, {"how": "union"})
        frames = {(f.sender, f.label): f.payload for f in cluster.log if len(f.payload) == 16 * 9}
        rows = {payload[i : i + 16] for payload in frames.values() for i in range(0, 16 * 9, 16)}
        assert len(frames) == 6
        assert len(rows) == 3 * 9  # both owners of a pair tag the same nine keys
        assert not rows & seen
        seen |= rows


# -- how many ------------------------------------------------------------------------------


def _counts(monkeypatch: pytest.MonkeyPatch | None, common: int) -> tuple[list[int], Dummies]:
    """What the helper counts, over many runs, where ``common`` keys match."""
    law = dummies_for(2.0, 0.02)
    if monkeypatch is not None:
        monkeypatch.setattr(Dummies, "draw", lambda self, uniform: 0)
    tables = [{"id": np.arange(5)}, {"id": np.arange(5) + 5 - common}]
    found = []
    for seed in range(400):
        cluster = MemoryCluster(3, seed=seed, keep=True)
        _run(cluster, tables, {"pad": (2.0, 0.02)})
        found.append(int((match(*_tags(cluster, 5 + law.size)) >= 0).sum()))
    return found, law


def _fits(found: list[int], law: Dummies, common: int) -> float:
    expected = np.array([n / (1 << law.pmf.bits) for n in law.pmf.numerators]) * len(found)
    counts = np.bincount(np.array(found) - common, minlength=law.size + 1)
    return float(stats.chisquare(counts, expected).pvalue) if counts.size == expected.size else 0.0


@pytest.mark.parametrize("common", [0, 3])
def test_the_helper_counts_the_matches_and_dummies_of_the_stated_law(common: int) -> None:
    found, law = _counts(None, common)
    assert _fits(found, law, common) > 1e-4


def test_dummies_that_are_not_drawn_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    found, law = _counts(monkeypatch, 3)
    assert _fits(found, law, 3) < 1e-4


# -- all that one party sees ---------------------------------------------------------------


def _views(coalition: tuple[int, ...], options: dict[str, Any], expose: Any = None) -> list[list[Frame]]:
    """Of two inputs with as many rows and matches: other keys, other values, other rows that match."""
    n, views = 1024, []
    for shift, values in ((0, np.zeros(n, np.int64)), (512, np.arange(n))):
        tables = [
            {"id": np.arange(n) + 512, "a": values},
            {"id": np.arange(n) + 2 * shift, "b": values[::-1].copy()},
        ]
        cluster = CoalitionCluster(3, coalition, seed=11)
        if expose is not None:
            cluster.expose = expose
        _run(cluster, tables, options)
        views.append([f for f in cluster.view() if len(f.payload) not in (8, 4 * n)])  # sizes; places: see below
    return views


@pytest.mark.parametrize("coalition", [(0,), (1,), (2,)])
@pytest.mark.parametrize("method", ["helper", "shuffle"])
def test_what_a_party_sees_is_uniform_and_the_same_for_other_rows(coalition: tuple[int, ...], method: str) -> None:
    one, two = _views(coalition, {"method": method})
    assert one or (coalition, method) == ((1,), "helper")
    for view in (one, two):
        assert uniformity(view).min() > 1e-7
    assert homogeneity(one, two).min() > 1e-7


@pytest.mark.parametrize("method", ["helper", "shuffle"])
def test_masks_that_the_receiver_knows_are_found(method: str) -> None:
    p = [
        homogeneity(*_views((c,), {"method": method}, lambda kind, holders: kind != "private")).min() for c in range(3)
    ]
    assert min(p) < 1e-7


def test_labels_name_places_not_contents() -> None:
    """Places that a bystander gets are other ones in every run, and uniform: see tests/mpc/test_aligning.py."""
    n, seen = 16, set()
    for seed in range(5):
        cluster = MemoryCluster(3, seed=seed, keep=True)
        _run(cluster, [{"id": np.arange(n)}, {"id": np.arange(n), "b": np.arange(n)}])
        frames = [f for f in cluster.log if (f.sender, f.receiver) == (HELPER, 0) and len(f.payload) == 4 * n]
        assert len(frames) == 1
        seen.add(hashlib.sha256(dataclasses.astuple(frames[0])[-1]).hexdigest())
    assert len(seen) == 5


# -- several tables ------------------------------------------------------------------------


@pytest.mark.parametrize(("m", "tables"), [(3, 3), (4, 3), (4, 4), (5, 3)])
@pytest.mark.parametrize("how", ["left", "union"])
def test_a_helper_of_several_pairs_sees_no_table_twice_in_one_order(
    monkeypatch: pytest.MonkeyPatch, m: int, tables: int, how: str
) -> None:
    """Else it would see how many rows are in both matches, exactly, whatever ``pad`` hides of each."""
    monkeypatch.setattr(join_helper, "encrypted", lambda tags, key: tags)
    n = 30
    cluster = MemoryCluster(m, 1, seed=1, keep=True)
    _run(cluster, [{"id": np.arange(n)} for _ in range(tables)], {"how": how})
    seen = [(f.sender, f.receiver, f.payload) for f in cluster.log if len(f.payload) == 16 * n]
    assert len(seen) == 2 * (tables - 1 if how == "left" else tables * (tables - 1) // 2)
    assert len(set(seen)) == len(seen)
    twice = len(seen) - len({(sender, receiver) for sender, receiver, _ in seen})
    assert (twice > 0) == (m == tables == 4 and how == "union")


def test_each_pair_has_dummies_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Dummies, "draw", lambda self, uniform: self.size)
    found: list[int] = []

    def counted(a: Any, b: Any) -> Any:
        at = match(a, b)
        found.append(int((at >= 0).sum()))
        return at

    monkeypatch.setattr(join_helper, "match", counted)
    size = dummies_for(2.0, 0.02).size
    _run(MemoryCluster(3, seed=1), [{"id": np.arange(5) + i} for i in range(3)], {"how": "union", "pad": (2.0, 0.02)})
    assert sorted(found) == [3 + size, 4 + size, 4 + size]


def _pseudonyms(monkeypatch: pytest.MonkeyPatch, seed: int) -> set[tuple[int, ...]]:
    """What all parties see of the same keys, whose digests are the same in every run of this program."""
    seen: set[tuple[int, ...]] = set()
    groups = join_shuffle._groups
    with monkeypatch.context() as patch:
        patch.setattr(join_shuffle, "_groups", lambda tags: (seen.update(map(tuple, tags.tolist())), groups(tags))[1])
        _run(MemoryCluster(3, seed=seed), [{"id": np.arange(9)}, {"id": np.arange(9)}], {"method": "shuffle"})
    return seen


def test_pseudonyms_opened_after_a_shuffle_are_under_a_key_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = _pseudonyms(monkeypatch, 1), _pseudonyms(monkeypatch, 2)
    assert len(one) == len(two) == 9
    assert not one & two


def test_pseudonyms_under_a_key_that_is_known_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aes, "random_key", lambda party: np.zeros((party.layout.k, 2), np.uint64))
    assert _pseudonyms(monkeypatch, 1) == _pseudonyms(monkeypatch, 2)
