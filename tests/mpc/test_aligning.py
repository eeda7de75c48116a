"""Rows brought to places by a map of another party, and repeated by a map of one, against numpy indexing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mpc import MemoryCluster, Party, taps
from mpc.aligning import align, repeat_rows
from mpc.errors import FrameInvalid
from mpc.exchange import deal, reveal
from mpc.sharing import Layout
from mpc.transport import Frame
from tests.mpc.views import CoalitionCluster, homogeneity, uniformity


def _map(rng: np.random.Generator, n: int, out: int) -> Any:
    """Some rows, each once, at random places; -1 elsewhere."""
    at = np.full(out, -1, np.int32)
    count = int(rng.integers(0, min(n, out) + 1))
    at[rng.permutation(out)[:count]] = rng.permutation(n)[:count]
    return at


def _aligned(cluster: MemoryCluster, rows: Any, at: Any, roles: tuple[int, int, int] = (1, 2, 0)) -> list[Any]:
    owner, mapper, bystander = roles
    size = (len(rows), len(at), rows.shape[1])

    async def program(party: Party) -> Any:
        share = await align(
            party, rows if party.index == owner else None, at if party.index == mapper else None,
            owner=owner, mapper=mapper, bystander=bystander, size=size,
        )  # fmt: skip
        return await reveal(party, share)

    return cluster.run(program)


@pytest.mark.parametrize("m", [3, 4, 5])
@pytest.mark.parametrize(
    ("n", "out", "columns"), [(0, 5, 1), (5, 0, 1), (1, 1, 1), (40, 60, 3), (300, 7, 2), (9, 9, 0)]
)
def test_align_is_indexing(m: int, n: int, out: int, columns: int) -> None:
    rng = np.random.default_rng(n + out)
    rows = rng.integers(0, 1 << 64, (n, columns), np.uint64)
    at = _map(rng, n, out)
    expected = np.where(at[:, None] >= 0, rows[at] if n else 0, 0).astype(np.uint64)
    for seen in _aligned(MemoryCluster(m, 1, seed=3), rows, at):
        np.testing.assert_array_equal(seen, expected)


def test_align_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mpc.aligning._COLUMNS_AT_ONCE", 64)
    rng = np.random.default_rng(1)
    rows, at = rng.integers(0, 1 << 64, (20, 5), np.uint64), _map(rng, 20, 11)
    seen = _aligned(MemoryCluster(3, seed=1), rows, at)
    np.testing.assert_array_equal(seen[0], np.where(at[:, None] >= 0, rows[at], 0).astype(np.uint64))


@pytest.mark.parametrize("coalition", [(0,), (1,), (2,)])
def test_what_one_party_sees_of_align_is_uniform_and_tells_nothing(coalition: tuple[int, ...]) -> None:
    n = 4096
    rng = np.random.default_rng(5)
    tables = [np.zeros((n, 1), np.uint64), np.arange(n, dtype=np.uint64)[:, None]]
    maps = [np.arange(n, dtype=np.int32), np.where(np.arange(n) % 3 == 0, rng.permutation(n), -1).astype(np.int32)]
    views = []
    for rows, at in zip(tables, maps, strict=True):
        cluster = CoalitionCluster(3, coalition, seed=2)
        size = (n, n, 1)

        async def program(party: Party, rows: Any = rows, at: Any = at, size: Any = size) -> None:
            await align(party, rows, at, owner=1, mapper=2, bystander=0, size=size)

        cluster.run(program)
        views.append([f for f in cluster.view() if len(f.payload) != 4 * n])
        places = [np.frombuffer(f.payload, np.int32) for f in cluster.view() if len(f.payload) == 4 * n]
        assert len(places) == (coalition == (0,))
        for seen in places:  # distinct, and spread over both halves alike
            assert len(set(seen.tolist())) == n
            assert seen.min() >= 0 and seen.max() < 2 * n
            assert abs(int((seen < n).sum()) - n / 2) < 5 * np.sqrt(n / 8)
    for view in views:
        assert uniformity(view).min() > 1e-6
    assert homogeneity(*views).min() > 1e-6


@pytest.mark.parametrize("place", [10, -1, 1000, -(1 << 31), (1 << 31) - 1])
def test_places_of_a_liar_are_refused(place: int) -> None:
    """There are 4 + 6 of them; kernels do not check."""

    def places(frame: Frame) -> bool:
        return frame.sender == 2 and len(frame.payload) == 4 * 6

    tap = taps.alter(places, lambda payload: np.array([0, 1, 2, 3, 9, place], np.int32).tobytes())
    rows = np.ones((4, 1), np.uint64)
    with pytest.raises(FrameInvalid, match="party 2 sent places outside"):
        _aligned(MemoryCluster(3, seed=1, tap=tap), rows, np.full(6, -1, np.int32))


@pytest.mark.parametrize(("m", "t"), [(3, 1), (4, 1), (5, 2)])
@pytest.mark.parametrize("n", [1, 2, 50])
def test_repeat_rows_is_indexing(m: int, t: int, n: int) -> None:
    rng = np.random.default_rng(n)
    source = np.sort(rng.integers(0, max(1, n // 2), n)).astype(np.int32)
    source = rng.permutation(n).astype(np.int32)[source]  # neighbours, but in no order
    words = rng.integers(0, 1 << 64, (n, 2), np.uint64)
    words[np.setdiff1d(np.arange(n), source)] = 0
    layout = Layout(m, t)

    async def program(party: Party) -> Any:
        assert party.layout.components == layout.components
        x = await deal(party, words if party.index == 1 else None, 1, words.shape)
        packed = np.ascontiguousarray(words[:, :1]) if party.index == 1 else None
        flags = (await deal(party, packed, 1, (n, 1), boolean=True)).view(np.uint8).reshape(party.layout.k, n, 8)
        moved = await repeat_rows(party, [x, flags], source if party.index == 0 else None, 0)
        bits = np.ascontiguousarray(moved[1]).view(np.uint64)
        return await reveal(party, moved[0]), await reveal(party, bits, boolean=True)

    for seen, bits in MemoryCluster(m, t, seed=4).run(program):
        np.testing.assert_array_equal(seen, words[source])
        np.testing.assert_array_equal(bits, words[source][:, :1])
