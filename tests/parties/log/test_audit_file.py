"""An exported log: any bit, line or end of it that is changed is found, without a node; spreadsheets get no formula."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parties.disk.chain import Entry, Head, first_head, next_entry
from parties.errors import LogBroken
from parties.log.audit_file import check_file, check_known, follow_lines, write_csv, write_lines
from tests.parties.disk.test_chain import LOG, written


def exported(n: int) -> tuple[Head, list[bytes]]:
    """The head and the lines of a log of n entries."""
    head, entries = written(n)
    file = io.BytesIO()
    write_lines(file, head, entries)
    return head, file.getvalue().splitlines(keepends=True)


def checked(lines: Sequence[bytes], known: tuple[int, str] | None = None) -> Head:
    return check_file(io.BytesIO(b"".join(lines)), known)


def flipped(line: bytes, bit: int) -> bytes:
    changed = bytearray(line)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def heads_of(entries: Sequence[Entry]) -> list[Head]:
    return [first_head(LOG), *(Head(LOG, e.number, e.digest) for e in entries)]


def test_what_was_exported_is_what_was_written() -> None:
    head, lines = exported(1000)
    assert checked(lines) == head and len(lines) == 1001
    assert checked(lines, (head.number, head.digest)) == head
    assert checked(exported(0)[1]) == first_head(LOG)


def test_single_bits_of_a_thousand_entries() -> None:
    """Of each line some, all of the first line and of one in the middle."""
    head, lines = exported(1000)
    before = heads_of(written(1000)[1])
    drawn = random.Random(7)
    for bit in range(8 * len(lines[0])):
        with pytest.raises(LogBroken):
            checked([flipped(lines[0], bit), *lines[1:]])
    for i, line in enumerate(lines[1:]):
        size = 8 * len(line)
        for bit in range(size) if i == 500 else drawn.sample(range(size), 5):
            with pytest.raises(LogBroken, match=f"line {i + 2}:|entry {i + 1}:|{i + 1} belongs"):
                follow_lines(before[i], [flipped(line, bit), *lines[i + 2 : i + 3]])
    with pytest.raises(LogBroken):
        checked([*lines[:700], flipped(lines[700], 100), *lines[701:]])
    assert follow_lines(before[990], lines[991:]) == head


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_single_bit_of_a_thousand_entries() -> None:
    _, lines = exported(1000)
    before = heads_of(written(1000)[1])
    for i, line in enumerate(lines[1:]):
        for bit in range(8 * len(line)):
            with pytest.raises(LogBroken):
                follow_lines(before[i], [flipped(line, bit), *lines[i + 2 : i + 3]])


def test_every_truncation_and_deletion_of_a_thousand_entries() -> None:
    """A file that is cut off contradicts its first line; one made to fit, a head from elsewhere."""
    head, lines = exported(1000)
    _, entries = written(1000)
    before = heads_of(entries)
    for i in range(1000):
        end = before[i]
        with pytest.raises(LogBroken, match="it was cut off"):
            check_known(end, (), (head.number, head.digest))
        with pytest.raises(LogBroken):  # left out: the one after it does not follow
            follow_lines(before[i], lines[i + 2 :] if i < 999 else [lines[999]])
    for i in (0, 1, 2, 500, 999, 1000):
        with pytest.raises(LogBroken):
            checked(lines[:i])
    file = io.BytesIO()
    write_lines(file, before[900], entries[:900])
    assert checked([file.getvalue()]) == before[900], "by itself it is a log"
    with pytest.raises(LogBroken, match="ends with entry 900, and had entry 1000: it was cut off"):
        checked([file.getvalue()], (1000, head.digest))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_lines_that_are_moved_doubled_or_cut(data: st.DataObject) -> None:
    _, lines = exported(60)
    i = data.draw(st.integers(0, 59))
    j = data.draw(st.integers(i + 1, 60))
    cut = data.draw(st.integers(0, len(lines[j]) - 1))
    for changed in (
        [*lines[:i], lines[j], *lines[i + 1 : j], lines[i], *lines[j + 1 :]],
        [*lines[: i + 1], *lines[i:]],
        [*lines[:j], lines[j][:cut], *lines[j + 1 :]],
        [*lines[:j], lines[j][:cut]],
        [*lines, lines[j]],
    ):
        with pytest.raises(LogBroken):
            checked(changed)


def test_a_fork_shows_against_a_known_head() -> None:
    head, _ = exported(10)
    _, entries = written(9)
    fork = next_entry(Head(LOG, 9, entries[-1].digest), {"what": "accepted", "at": 1, "nonce": "f"})
    file = io.BytesIO()
    write_lines(file, Head(LOG, 10, fork.digest), [*entries, fork])
    assert checked([file.getvalue()]).number == 10
    with pytest.raises(LogBroken, match="entry 10: another one"):
        checked([file.getvalue()], (10, head.digest))


@pytest.mark.parametrize(
    "line",
    [b"", b"\n", b"{}\n", b"[]\n", b'{"format":"accord audit log 1","head":{}}\n', b"\xff\n", b"[" * 100_000 + b"\n",
     b"x" * (2 << 20)],
)  # fmt: skip
def test_what_is_no_exported_log(line: bytes) -> None:
    with pytest.raises(LogBroken):
        checked([line])


def test_a_spreadsheet_gets_no_formula_and_every_entry() -> None:
    head, entries = first_head(LOG), []
    for analyst in ("=1+1", "+1", "-1", "@x", "\tx", "\rx", "＝1", "ann", ""):
        entry = next_entry(head, {"what": "proposed", "at": 1.5, "analyst": analyst, "receivers": ["=x"], "epsilon": 1})
        entries.append(entry)
        head = Head(LOG, entry.number, entry.digest)
    file = io.StringIO(newline="")
    write_csv(file, entries, LOG)
    names, *rows = csv.reader(io.StringIO(file.getvalue(), newline=""))
    assert len(rows) == len(entries) and names[:3] == ["number", "time", "what"]
    assert not any(cell[:1] in "=+-@\t\r＝" for row in rows for cell in row if cell)
    analysts = [row[names.index("analyst")] for row in rows]
    assert analysts == ["'=1+1", "'+1", "'-1", "'@x", "'\tx", "'\rx", "'＝1", "ann", ""]
    assert rows[0][1] == "1970-01-01T00:00:01.500+00:00"
