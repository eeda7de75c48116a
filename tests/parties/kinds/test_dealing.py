"""Tables dealt by a member that does not compute: one table, the same for all, or nothing is computed on it."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc import MemoryCluster
from mpc.errors import WrongType
from mpc.sharing import Layout, reconstruct
from parties.errors import DealtDiffer, DealtInvalid
from parties.kinds import dealt_part
from parties.kinds.dealing import deal_table, load_dealt
from parties.kinds.dealt_part import read_part

CONTEXT = b"job 1, table 0"
SHARINGS = [(3, 1), (4, 1), (5, 2)]


def dealt(m: int, t: int, words: Any, rows: int, cuts: list[int], context: bytes = CONTEXT) -> list[bytes]:
    parts = [bytearray() for _ in range(m)]
    pieces = np.split(words, cuts, axis=1)
    for j, piece in deal_table(m, t, context, len(words), rows, pieces):
        parts[j] += piece
    return [bytes(part) for part in parts]


def loaded(m: int, t: int, parts: Any, size: tuple[int, int], context: bytes = CONTEXT) -> list[Any]:
    async def program(party: Any, part: Any) -> Any:
        return await party.launch("load", lambda: load_dealt(party, part, context, size)).result()

    return MemoryCluster(m, t).run(program, parts)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dealt_part, "_CHUNK", 16)


@pytest.mark.parametrize(("m", "t"), SHARINGS)
@settings(max_examples=15, deadline=None)
@given(st.data())
def test_what_is_loaded_is_what_was_dealt(m: int, t: int, data: Any) -> None:
    columns, rows = data.draw(st.integers(1, 3)), data.draw(st.integers(0, 30))
    n = data.draw(st.integers(0, rows))
    cuts = sorted(data.draw(st.lists(st.integers(0, n), max_size=3)))
    words = np.random.default_rng(n).integers(0, 1 << 64, (columns, n), np.uint64)
    parts = [
        [part[: len(part) // 3], part[len(part) // 3 :]] for part in dealt(m, t, words, rows, cuts)
    ]  # in any pieces
    shares = loaded(m, t, parts, (columns, rows))
    whole = reconstruct(Layout(m, t), dict(enumerate(shares)))
    assert np.array_equal(whole[:, :n], words) and not whole[:, n:].any()


@pytest.mark.parametrize(("m", "t"), SHARINGS)
def test_only_holders_of_one_component_get_words(m: int, t: int, monkeypatch: pytest.MonkeyPatch) -> None:
    words = np.zeros((4, 1000), np.uint64)
    monkeypatch.undo()
    sizes = [len(part) for part in dealt(m, t, words, 1000, [])]
    large = [i for i, size in enumerate(sizes) if size > 8 * words.size]
    assert large == list(Layout(m, t).components[0]) and len(large) == m - t
    assert all(size < 8 * words.size + 5 * 130 + 1500 for size in sizes)
    assert all(size < 1500 for i, size in enumerate(sizes) if i not in large)


def test_no_component_shows_the_table_and_no_two_tables_are_dealt_alike() -> None:
    words = np.arange(64, dtype=np.uint64).reshape(1, 64)
    a, b = (loaded(3, 1, [[part] for part in dealt(3, 1, words, 64, [])], (1, 64)) for _ in range(2))
    components = [share for one in (a, b) for share in (one[0][0], one[0][1], one[1][0])]
    assert len({c.tobytes() for c in components}) == 6
    for c in components:
        assert not np.isin(words, c).any()


@pytest.mark.parametrize(("m", "t"), SHARINGS)
def test_a_dealer_who_gives_holders_different_components_is_found_out(m: int, t: int) -> None:
    words = np.arange(40, dtype=np.uint64).reshape(2, 20)
    good, other = (dealt(m, t, words + np.uint64(i), 20, []) for i in range(2))
    for victim in range(m):  # who gets another sharing's part: seeds and words of its own
        parts = [[other[i] if i == victim else good[i]] for i in range(m)]
        with pytest.raises(DealtDiffer, match="Let the owner deal it again"):
            loaded(m, t, parts, (2, 20))
    explicit = Layout(m, t).components[0][0]
    flipped = bytearray(good[explicit])
    flipped[-10] ^= 1  # the last word before the end frame
    with pytest.raises(DealtDiffer, match="different components"):
        loaded(m, t, [[bytes(flipped) if i == explicit else good[i]] for i in range(m)], (2, 20))


def test_one_seed_of_another_is_found_out() -> None:
    good = dealt(5, 2, np.zeros((1, 4), np.uint64), 4, [])
    length = struct.unpack_from("<BI", good[4])[1]
    said = json.loads(good[4][5 : 5 + length])
    said["seeds"][2][1] = "00" * 32
    head = json.dumps(said).encode()
    wrong = struct.pack("<BI", 1, len(head)) + head + good[4][5 + length :]
    with pytest.raises(DealtDiffer):
        loaded(5, 2, [[wrong if i == 4 else good[i]] for i in range(5)], (1, 4))


def test_a_part_of_another_job_size_or_party_is_refused() -> None:
    parts = dealt(3, 1, np.zeros((2, 9), np.uint64), 9, [])
    layout = Layout(3, 1)
    assert read_part([parts[0]], CONTEXT, layout, 0, (2, 9)).explicit is not None
    for context, me, size, match in [
        (b"job 2, table 0", 0, (2, 9), "context"),
        (CONTEXT, 1, (2, 9), "party"),
        (CONTEXT, 0, (3, 9), "columns"),
        (CONTEXT, 0, (2, 8), "rows"),
    ]:
        with pytest.raises(DealtInvalid, match=match):
            read_part([parts[0]], context, layout, me, size)
    with pytest.raises(DealtInvalid, match="by its m"):
        read_part([parts[0]], CONTEXT, Layout(4, 1), 0, (2, 9))
    with pytest.raises(DealtInvalid, match="no part of it is here"):
        loaded(3, 1, [None] * 3, (2, 9))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_changed_bytes_are_refused_or_a_part_of_the_same_size(data: Any) -> None:
    me = data.draw(st.integers(0, 2))
    raw = bytearray(dealt(3, 1, np.arange(50, dtype=np.uint64).reshape(2, 25), 25, [])[me])
    for _ in range(data.draw(st.integers(0, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.one_of(st.just(len(raw)), st.integers(0, len(raw))))
    raw = raw[:cut] + data.draw(st.one_of(st.just(b""), st.binary(max_size=12)))
    try:
        part = read_part([bytes(raw)], CONTEXT, Layout(3, 1), me, (2, 25))
    except DealtInvalid:
        return
    assert all(len(seed) == 32 for seed in part.seeds.values())
    assert part.explicit is None or part.explicit.shape == (2, 25)


def test_no_seed_is_in_what_is_raised() -> None:
    length = struct.unpack_from("<BI", (good := dealt(3, 1, np.zeros((1, 4), np.uint64), 4, [])[0]))[1]
    head = good[5 : 5 + length - 1] + b"!"
    with pytest.raises(DealtInvalid) as raised:
        read_part([struct.pack("<BI", 1, length) + head], CONTEXT, Layout(3, 1), 0, (1, 4))
    assert raised.value.__cause__ is raised.value.__context__ is None


def test_a_frame_that_announces_more_than_a_part_has_is_not_waited_for() -> None:
    def endless() -> Any:
        yield struct.pack("<BI", 1, 1 << 31)
        raise AssertionError("nothing more is asked for")

    with pytest.raises(DealtInvalid, match="are the most"):
        read_part(endless(), CONTEXT, Layout(3, 1), 0, (2, 25))


def test_what_does_not_fit_its_table_is_never_dealt_whole() -> None:
    for words in (np.zeros((2, 26), np.uint64), np.zeros((3, 5), np.uint64), np.zeros((2, 5))):
        sent = [bytearray() for _ in range(3)]
        with pytest.raises(DealtInvalid, match="to be dealt has"):
            for j, piece in deal_table(3, 1, CONTEXT, 2, 25, [words]):
                sent[j] += piece
        for j in range(3):
            with pytest.raises(DealtInvalid):
                read_part([bytes(sent[j])], CONTEXT, Layout(3, 1), j, (2, 25))
    with pytest.raises(WrongType, match="at most 64 bytes"):
        list(deal_table(3, 1, bytes(65), 1, 1, []))


def test_pieces_are_read_as_they_are_needed() -> None:
    asked = 0

    def pieces() -> Any:
        nonlocal asked
        for _ in range(10):
            asked += 1
            yield np.zeros((1, 8), np.uint64)

    stream = deal_table(3, 1, CONTEXT, 1, 80, pieces())
    for _ in range(3 + 2):  # three headers, and the first chunk, of 16 rows, to its two holders
        next(stream)
    assert asked == 2
