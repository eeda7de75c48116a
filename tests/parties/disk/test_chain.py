"""Chains: whatever is changed, left out, moved or cut shows; and a head goes on from another only if it does."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parties.disk.chain import Entry, Head, content_digest, first_head, follow, goes_on, next_entry, read_head
from parties.disk.chained_table import CHAIN_SCHEMA, ChainedTable
from parties.disk.sqlite_file import SqliteFile
from parties.errors import LogBroken, StoreFailed

LOG = "audit:" + "a" * 64


def written(n: int, log: str = LOG) -> tuple[Head, list[Entry]]:
    """A chain of n entries."""
    head, entries = first_head(log), []
    for i in range(n):
        entry = next_entry(head, {"what": "accepted", "at": 1000 + i, "nonce": f"{i:032x}", "job": "é" * (i % 3)})
        entries.append(entry)
        head = Head(log, entry.number, entry.digest)
    return head, entries


def test_what_was_written_is_followed_to_its_head() -> None:
    head, entries = written(1000)
    assert follow(first_head(LOG), entries) == head and head.number == 1000
    assert follow(Head(LOG, 400, entries[399].digest), entries[400:]) == head
    assert read_head(head.fields) == head


def test_every_single_bit_that_is_flipped_shows() -> None:
    """In every entry of a thousand: every bit of some, and of each some."""
    _, entries = written(1000)
    flipped = 0
    for i, entry in enumerate(entries):
        bits = range(8 * len(entry.content)) if i % 100 == 0 else (i % (8 * len(entry.content)),)
        before = first_head(LOG) if i == 0 else Head(LOG, i, entries[i - 1].digest)
        for bit in bits:
            content = bytearray(entry.content)
            content[bit // 8] ^= 1 << bit % 8
            with pytest.raises(LogBroken, match=f"entry {i + 1}"):
                follow(before, [dataclasses.replace(entry, content=bytes(content))])
            flipped += 1
        for at in range(64) if i % 100 == 0 else (i % 64,):
            digest = entry.digest[:at] + ("0" if entry.digest[at] != "0" else "1") + entry.digest[at + 1 :]
            with pytest.raises(LogBroken):
                follow(before, [dataclasses.replace(entry, digest=digest)])
    assert flipped > 5_000


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_what_is_left_out_moved_doubled_or_cut_shows(data: st.DataObject) -> None:
    head, entries = written(60)
    i = data.draw(st.integers(0, 58))
    j = data.draw(st.integers(i + 1, 59))
    for changed in (
        [*entries[:i], *entries[i + 1 :]],
        [*entries[:i], entries[j], *entries[i + 1 : j], entries[i], *entries[j + 1 :]],
        [*entries[: i + 1], *entries[i:]],
    ):
        with pytest.raises(LogBroken):
            follow(first_head(LOG), changed)
    assert follow(first_head(LOG), entries[:j]) != head, "who has the head sees that it was cut"
    renumbered = [dataclasses.replace(e, number=n) for n, e in enumerate([*entries[:i], *entries[i + 1 :]], 1)]
    with pytest.raises(LogBroken):
        follow(first_head(LOG), renumbered)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 30), st.integers(0, 30))
def test_a_head_goes_on_from_another_only_by_what_is_between(a: int, b: int) -> None:
    _, entries = written(30)
    heads = [first_head(LOG), *(Head(LOG, e.number, e.digest) for e in entries)]
    between = [content_digest(e.content) for e in entries[a:b]]
    assert goes_on(heads[a], heads[b], between) == (a <= b)
    assert not goes_on(heads[a], heads[b], [*between, "0" * 64])
    other, _ = written(30, "audit:" + "b" * 64)
    assert not goes_on(heads[a], other, between)


def test_a_fork_shows() -> None:
    head, entries = written(10)
    at = Head(LOG, 7, entries[6].digest)
    fork = next_entry(at, {"what": "accepted", "at": 1, "nonce": "f"})
    assert not goes_on(Head(LOG, 8, fork.digest), head, [content_digest(e.content) for e in entries[8:]])


_GOOD = {"log": LOG, "number": 1, "digest": "0" * 64}


@pytest.mark.parametrize(
    "bad",
    [None, [], {}, {**_GOOD, "log": "x"}, {**_GOOD, "number": -1}, {**_GOOD, "number": True}, {**_GOOD, "digest": ""}],
)
def test_heads_that_are_none(bad: object) -> None:
    with pytest.raises(LogBroken):
        read_head(bad)


def test_on_disk_entries_are_kept_with_their_transaction_and_never_changed(tmp_path: Path) -> None:
    file = SqliteFile(tmp_path / "node.db", CHAIN_SCHEMA)
    table = ChainedTable(file, LOG)
    for i in range(5):
        with file.transaction():
            table.append({"what": "accepted", "n": i})
    before = table.head
    with pytest.raises(RuntimeError), file.transaction():
        table.append({"what": "accepted", "n": 6})
        raise RuntimeError
    assert table.head == before == table.check()
    for statement in ("UPDATE chain SET content = x'7b7d' WHERE number = 2", "DELETE FROM chain WHERE number = 5"):
        with pytest.raises(StoreFailed), file.transaction():
            file.change(statement)
    assert [content["n"] for content in table.contents(2)] == [2, 3, 4]
    assert goes_on(Head(LOG, 2, str(table.digest_at(2))), before, table.digests(2, 5))
    file.close()
    file = SqliteFile(tmp_path / "node.db", CHAIN_SCHEMA)
    with file.transaction():
        file.change("DROP TRIGGER chain_is_not_changed")
        file.change(
            "UPDATE chain SET content = CAST(replace(CAST(content AS TEXT), '2', '3') AS BLOB) WHERE number = 3"
        )
    with pytest.raises(LogBroken, match="entry 3"):
        ChainedTable(file, LOG).check()
    file.close()
